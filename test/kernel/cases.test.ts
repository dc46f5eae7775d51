import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { runCli } from '../cli/compiled-cli.ts';
import { captureBytes } from './capture.ts';
import { compare, judge, type VerifierAnswer } from './compare.ts';
import { PROFILES } from './generate.ts';
import { missingForOracle, Oracle } from './oracle/oracle.ts';
import { type RecordedScenario, recordedOf, type StoredCase } from './scenario.ts';
import { loopScenario } from './small-scenario.ts';

const FOLDER = fileURLToPath(new URL('cases', import.meta.url));
const cases = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.json'))
  .map((name) => [name, read(name)] as const);

function read(name: string): RecordedScenario {
  return recordedOf(JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as StoredCase);
}

describe("recorded answers of a kernel are the verifier's", () => {
  it.each(cases)('%s', async (_name, recorded) => {
    const { disagreements } = await compare(recorded);
    const labelled = disagreements.map((item) => ({ ...item, packet: recorded.frames[item.frame]!.label }));
    expect(labelled).toEqual([]);
  });

  it('are of every profile, and few are undetermined', async () => {
    const profiles = new Set(cases.map(([, recorded]) => recorded.profile));
    expect([...profiles]).toEqual(expect.arrayContaining(Object.keys(PROFILES)));
    let packets = 0;
    let undetermined = 0;
    for (const [, recorded] of cases) {
      const comparison = await compare(recorded);
      packets += comparison.packets;
      undetermined += comparison.undetermined;
    }
    expect(undetermined / packets).toBeLessThan(0.05);
  });

  it('would be missed: another answer of the kernel is a disagreement', async () => {
    const [, recorded] = cases.find(([, { answers }]) => answers.some(({ fate }) => fate.startsWith('forwarded')))!;
    const at = recorded.answers.findIndex(({ fate }) => fate.startsWith('forwarded'));
    const answers = recorded.answers.map((answer, index) => (index === at ? { ...answer, fate: 'delivered' } : answer));
    const before = await compare(recorded);
    const after = await compare({ ...recorded, answers });
    expect(after.disagreements.length + after.undetermined).toBeGreaterThan(before.disagreements.length);
    expect(after.disagreements.map(({ frame }) => frame)).toContain(at);
  });
});

describe('by the compiled command line tool', () => {
  it('`trace --format ndjson --verify-checksums` gives the recorded answers', () => {
    const folder = mkdtempSync(join(tmpdir(), 'redirect-verify-case-'));
    try {
      for (const [name, recorded] of cases.filter((_, index) => index % 20 === 0)) {
        const router = join(folder, 'router.txt');
        const capture = join(folder, 'frames.pcapng');
        writeFileSync(router, recorded.dump);
        writeFileSync(capture, captureBytes(recorded));
        const { status, stdout, stderr } = runCli([
          'trace',
          capture,
          '--router',
          router,
          '--format',
          'ndjson',
          '--verify-checksums',
        ]);
        expect({ name, status, stderr: status === 0 ? '' : stderr }).toEqual({ name, status: 0, stderr: '' });
        const answers: (VerifierAnswer | undefined)[] = recorded.frames.map(() => undefined);
        for (const line of stdout.split('\n').filter((text) => text !== '')) {
          const parsed = JSON.parse(line) as VerifierAnswer & { type: string; frame: number; fwmark?: number };
          if (parsed.type !== 'frame') continue;
          answers[parsed.frame - 1] = { ...parsed, ...(parsed.fwmark === undefined && { fwmarkUnknown: true }) };
        }
        expect({ name, disagreements: judge(recorded, answers).disagreements }).toEqual({ name, disagreements: [] });
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe.skipIf(missingForOracle().length > 0)('the oracle', () => {
  it('tells what the kernel does: next hop, mark, reasons, delivery, ICMP errors', async () => {
    const oracle = await Oracle.start();
    try {
      const { answers } = await oracle.ask(loopScenario());
      expect(answers.map(({ fate, mark }) => [fate, mark])).toEqual([
        ['forwarded eth2 10.0.0.10', 0],
        ['forwarded eth1 172.16.0.1', 7],
        ['dropped NETFILTER_DROP', undefined],
        ['delivered', 0],
        ['dropped IP_RPFILTER', 0],
        ['dropped IP_INNOROUTES ICMP 3/0', 0],
        ['dropped IP_INHDR ICMP 11/0', 0],
        ['dropped IP_CSUM', undefined],
      ]);
    } finally {
      await oracle.stop();
    }
  });

  it('ends, and its namespaces and trace instance with it', async () => {
    const oracle = await Oracle.start();
    await oracle.ask(loopScenario());
    await oracle.stop();
    // They are that process's own.
    expect(existsSync(`/proc/${oracle.pid}`)).toBe(false);
  });
});
