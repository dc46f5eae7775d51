/**
 * Captures as people have them, derived from every stored scenario that was recorded on three interfaces. None of them may be judged the
 * opposite of the whole, no correct set-up may get an error, and what stays open is counted.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { LoadedRouter } from '../../src/commands/inputs.ts';
import type { ConnectionReport, Report, Verdict } from '../../src/report/report.ts';
import { verify } from '../../src/verify.ts';
import { DERIVATIONS, readRecording } from './derived-captures.ts';
import { inputsOf, intentOf, routerOf, type StoredScenario, storedScenarios, verifyForm } from './stored-scenario.ts';

const scratch = mkdtempSync(join(tmpdir(), 'redirect-verify-partial-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** What-if scenarios judge the captures of another one, as predating their configuration: no part of those shows what SPS did. */
const SCENARIOS = storedScenarios().filter(
  ({ options, captures }) => options['what-if'] !== true && Object.keys(captures.perInterface ?? {}).length === 3,
);

/** Of the runs and of the connections that a kind of capture shows: how many, and how many are inconclusive. */
interface Share {
  runs: number;
  openRuns: number;
  connections: number;
  openConnections: number;
}

/**
 * The share of inconclusive runs and connections in percent that no kind may exceed: what it is now. Of scenarios whose whole capture is
 * inconclusive nothing is counted.
 */
const MOST_OPEN: Readonly<Record<string, readonly [runs: number, connections: number]>> = {
  'only eth0': [0, 0],
  'only eth1': [37, 5],
  'only eth2': [41, 0],
  'only eth0 and eth1': [0, 0],
  'only eth0 and eth2': [0, 0],
  'only eth1 and eth2': [19, 4],
  'first half': [0, 5],
  'second half': [10, 11],
  'without ARP': [0, 0],
  'every tenth frame lost': [4, 3],
  'every tenth frame lost, and counted': [4, 3],
  'cut to 96 bytes': [0, 0],
  'only toward servers': [10, 7],
  'only toward clients': [32, 8],
  'only what entered': [0, 0],
  'only what left': [14, 0],
};

const shares = new Map<string, Share>();

describe.each(SCENARIOS)('$name', (scenario) => {
  const recording = readRecording(readFileSync(inputsOf(scenario, 'merged')[0]!.path));
  const loaded = routerOf(scenario);

  it('is never judged the opposite from a part of its capture', async () => {
    const whole = await verifyForm(scenario, 'merged');
    const wrong: string[] = [];
    for (const { kind, name, derive } of DERIVATIONS) {
      const path = join(scratch, `${scenario.name}.pcapng`);
      writeFileSync(path, derive(recording));
      const part = await verifyPart(scenario, loaded, path);
      if (whole.verdict !== 'inconclusive') count(kind, part);
      wrong.push(...contradictions(scenario, whole, part).map((text) => `${name}: ${text}`));
    }
    expect(wrong).toEqual([]);
  });
});

async function verifyPart(scenario: StoredScenario, { router, sources }: LoadedRouter, path: string): Promise<Report> {
  return verify([{ path }], router, intentOf(scenario), {
    whatIf: false,
    requireObserved: false,
    verifyChecksums: false,
    sources,
  });
}

function contradictions(scenario: StoredScenario, whole: Report, part: Report): string[] {
  const wrong: string[] = [];
  if (isOpposite(whole.verdict, part.verdict)) wrong.push(`the run is ${part.verdict}, the whole's ${whole.verdict}`);
  if (isOpposite(scenario.kernel.verdict, part.verdict)) wrong.push(`the run is ${part.verdict}, the kernel's is not`);
  const known = byEndpoints(whole.connections);
  for (const [key, items] of byEndpoints(part.connections)) {
    const of = known.get(key);
    // Lifetimes of one five-tuple are told apart by what a part may lack: they are compared where there is one.
    if (of?.length !== 1) continue;
    const verdict = sessionVerdict(of[0]!, whole);
    for (const item of items) {
      const got = sessionVerdict(item, part);
      if (isOpposite(verdict, got))
        wrong.push(`${key} is ${got} (${item.findings.join(' ')}), in the whole ${verdict}`);
    }
  }
  if (scenario.kernel.verdict === 'verified')
    wrong.push(
      ...part.findings.filter((item) => item.severity === 'error').map((item) => `${item.code} ${item.message}`),
    );
  return wrong;
}

/**
 * Of a client leg with its server leg: where a part lacks the server leg, it is synthesized for the client leg and judged with it. In the
 * whole, it is a connection of its own.
 */
function sessionVerdict(item: ConnectionReport, report: Report): Verdict {
  if (item.leg !== 'client') return item.verdict;
  const failing = report.connections.some(
    (other) =>
      other.leg === 'server' &&
      other.verdict === 'failed' &&
      other.server === item.server &&
      (other.session === item.session || other.session === undefined || item.session === undefined),
  );
  return failing ? 'failed' : item.verdict;
}

function isOpposite(a: Verdict, b: Verdict): boolean {
  return (a === 'verified' && b === 'failed') || (a === 'failed' && b === 'verified');
}

function byEndpoints(connections: readonly ConnectionReport[]): Map<string, ConnectionReport[]> {
  const found = new Map<string, ConnectionReport[]>();
  for (const item of connections) {
    const key = `${item.client} > ${item.server}`;
    found.set(key, [...(found.get(key) ?? []), item]);
  }
  return found;
}

function count(kind: string, part: Report): void {
  const share = shares.get(kind) ?? { runs: 0, openRuns: 0, connections: 0, openConnections: 0 };
  share.runs++;
  if (part.verdict === 'inconclusive') share.openRuns++;
  share.connections += part.summary.connections;
  share.openConnections += part.summary.inconclusive;
  shares.set(kind, share);
}

describe('the share that stays open', () => {
  it('is no greater than it was', () => {
    const rows = [...shares].map(([kind, share]) => ({
      kind,
      runs: percent(share.openRuns, share.runs),
      connections: percent(share.openConnections, share.connections),
      words: `${share.openRuns} of ${share.runs} runs, ${share.openConnections} of ${share.connections} connections`,
    }));
    const line = ({ kind, runs, connections, words }: (typeof rows)[number]): string =>
      `${kind.padEnd(36)} ${`${runs} %`.padStart(5)} ${`${connections} %`.padStart(5)}  ${words}`;
    console.log(`inconclusive: runs, connections\n${rows.map(line).join('\n')}`);
    expect(rows.map(({ kind }) => kind)).toEqual(Object.keys(MOST_OPEN));
    const greater = rows.filter(({ kind, runs, connections }) => {
      const [mostRuns, mostConnections] = MOST_OPEN[kind] ?? [0, 0];
      return runs > mostRuns || connections > mostConnections;
    });
    expect(greater).toEqual([]);
  });
});

/** Rounded up. */
function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : Math.ceil((100 * part) / whole);
}
