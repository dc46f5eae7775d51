import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { compare, judge } from './compare.ts';
import { frontDoorAnswers, frontDoorDifference } from './front-door.ts';
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

  it('rest on the listing of connections where there is one', async () => {
    const [, recorded] = cases.find(([name]) => name === 'made-dumped-connections.json')!;
    const lines = recorded.dump.split('\n');
    const dump = lines.filter((line) => !/^(?:tcp|udp|icmp|unknown) +\d+ .*src=/.test(line)).join('\n');
    const { disagreements } = await compare({ ...recorded, dump });
    expect(disagreements).not.toEqual([]);
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
    for (const [name, recorded] of cases.filter((_, index) => index % 20 === 0)) {
      const { disagreements } = judge(recorded, frontDoorAnswers(recorded));
      expect({ name, disagreements }).toEqual({ name, disagreements: [] });
    }
  });

  it('would be missed: another answer than that of the code in this process', async () => {
    const [, recorded] = cases[0]!;
    const { answers } = await compare(recorded);
    expect(frontDoorDifference(recorded, answers)).toBeUndefined();
    const first = answers[0]!;
    const other = [{ ...first, fwmark: first.fwmark + 1 }, ...answers.slice(1)];
    expect(frontDoorDifference(recorded, other)).toMatch(/^frame 1: /);
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
