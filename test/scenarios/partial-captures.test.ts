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
import { DERIVATIONS, type Recording, readRecording } from './derived-captures.ts';
import {
  inputsOf,
  intentOf,
  routerOf,
  type StoredScenario,
  storedScenario,
  storedScenarios,
  verifyForm,
} from './stored-scenario.ts';

const scratch = mkdtempSync(join(tmpdir(), 'redirect-verify-partial-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** What-if scenarios judge the captures of another one, as predating their configuration: no part of those shows what SPS did. */
const SCENARIOS = storedScenarios()
  .filter(({ options }) => options['what-if'] !== true)
  .map((scenario) => ({ ...scenario, recording: recordingOf(scenario) }))
  .filter(({ recording }) => recording.interfaces.length === 3);

function recordingOf(scenario: StoredScenario): Recording {
  return readRecording(readFileSync(inputsOf(scenario, 'merged')[0]!.path));
}

/** Of the runs and of the connections that a kind of capture shows: how many, and how many are inconclusive. */
interface Share {
  runs: number;
  openRuns: number;
  connections: number;
  openConnections: number;
}

/**
 * The share of inconclusive runs and connections in percent that no kind may exceed: what it is now, and three more for scenarios to come. Of scenarios whose whole capture is
 * inconclusive nothing is counted.
 */
const MOST_OPEN: Readonly<Record<string, readonly [runs: number, connections: number]>> = {
  'only eth0': [34, 26],
  'only eth1': [49, 15],
  'only eth2': [51, 34],
  'only eth0 and eth1': [13, 9],
  'only eth0 and eth2': [25, 30],
  'only eth1 and eth2': [23, 13],
  'first half': [6, 8],
  'second half': [23, 21],
  'without ARP': [6, 5],
  'every tenth frame lost': [13, 10],
  'every tenth frame lost, and counted': [11, 9],
  'cut to 96 bytes': [3, 3],
  'only toward servers': [15, 15],
  'only toward clients': [44, 41],
  'only what entered': [6, 4],
  'only what left': [100, 100],
};

const shares = new Map<string, Share>();

describe.each(SCENARIOS)('$name', (scenario) => {
  const { recording } = scenario;
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
 * Of a leg with the other leg of its session: where a part lacks one, it is synthesized for the other and judged with it. In the whole, it
 * is a connection of its own. A client leg that is in no session may belong to any server leg to its server.
 */
function sessionVerdict(item: ConnectionReport, report: Report): Verdict {
  const isOfSession = (other: ConnectionReport): boolean =>
    item.session !== undefined && other.session !== undefined
      ? other.session === item.session
      : item.leg === 'client' && other.leg === 'server' && other.server === item.server;
  const fails = report.connections.some((other) => other.verdict === 'failed' && isOfSession(other));
  return fails ? 'failed' : item.verdict;
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

describe('a capture that lacks packets without saying so', () => {
  it('is judged by the copies, and the report says so', async () => {
    const scenario = storedScenario('seed-own-address');
    const part = DERIVATIONS.find(({ name }) => name === 'only toward servers')!;
    const path = join(scratch, 'silent.pcapng');
    writeFileSync(path, part.derive(recordingOf(scenario)));
    const report = await verifyPart(scenario, routerOf(scenario), path);
    const found = report.findings.filter(({ code }) => code === 'RV104');
    expect(found).toMatchObject([{ severity: 'note', message: expect.stringContaining('lacks packets') }]);
    expect(found[0]?.connections).toEqual([1, 3, 5, 7]);
    expect(report.verdict).toBe('verified');
    const whole = await verifyForm(scenario, 'merged');
    expect(whole.findings.map(({ code }) => code)).not.toContain('RV104');
  });
});

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
