/**
 * The simulation against what the kernel did: for every frame that entered the router, what `trace` says becomes of it, and what the
 * capture shows became of it. The two know nothing of each other: see observed-frames.ts.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { openCaptureSet } from '../../src/capture/open-capture.ts';
import type { Router } from '../../src/verification/router.ts';
import { trace, type TracedFrame, type TraceTotals } from '../../src/verification/trace.ts';
import { runCli } from '../cli/compiled-cli.ts';
import { frameKey, hostOf, type ObservedFrames, observeFrames, ROUTER_NAMES } from './observed-frames.ts';
import {
  captureArguments,
  FORMS,
  type Form,
  formsOf,
  inputsOf,
  routerOf,
  routerPath,
  type StoredScenario,
  storedScenario,
  storedScenarios,
} from './stored-scenario.ts';

/** A what-if scenario's capture predates its configuration; its capture is compared under its own in the scenario it belongs to. */
const SCENARIOS = storedScenarios().filter(
  (scenario) => scenario.options['what-if'] !== true && scenario.forwarder === undefined,
);

const COUNTS = ['ingress', 'paired', 'predicted-dropped', 'arp-unresolved', 'unpaired', 'undetermined'] as const;
type Counts = Record<(typeof COUNTS)[number], number>;

/** What `trace --format ndjson` repeats of a frame as it is; absent rather than null. */
const SAID_OF_FRAMES = [
  'ingress',
  'disposition',
  'egress',
  'nextHop',
  'fwmark',
  'connmark',
  'table',
  'observedEgress',
] as const satisfies readonly (keyof TracedFrame)[];

const totals = new Map<Form, Counts>(FORMS.map((form) => [form, noCounts()]));

describe.each(FORMS)('trace agrees with what the kernel did: %s', (form) => {
  it.each(SCENARIOS.filter((scenario) => formsOf(scenario).includes(form)))('$name', async (scenario) => {
    const inputs = inputsOf(scenario, form);
    const observed = await observeFrames(inputs);
    const { frames, traceTotals } = await traceAll(scenario, form, routerOf(scenario).router);
    const counts = noCounts();
    const disagreements = frames.flatMap((frame) => compare(frame, observed, counts));
    const traced = new Set(frames.map((frame) => frameKey(frame.file, frame.frame)));
    expect(disagreements).toEqual([]);
    expect([...observed.ingress.keys()].filter((key) => !traced.has(key))).toEqual([]);
    expect(observed.fromNowhere).toEqual([]);
    expect(traceTotals).toMatchObject({
      ingress: observed.ingress.size,
      observed: [...observed.ingress.values()].filter((copy) => copy !== undefined).length,
      ambiguous: 0,
      unpairedEgress: 0,
    });
    if (counts.undetermined === 0) expect(traceTotals.observed).toBe(counts.paired);
    // What nothing forwarded cannot agree: a scenario without traffic would prove nothing.
    expect(counts.ingress).toBeGreaterThan(0);
    if (scenario.expect.verdict !== 'inconclusive') expect(counts.undetermined).toBe(0);
    const total = totals.get(form)!;
    for (const key of COUNTS) total[key] += counts[key];
  });
});

describe('the comparison can fail', () => {
  it.each([
    ['seed-own-address', 'empty-table', 'but it left by eth1'],
    ['seed-own-address', 'rp-filter-strict-interface', 'dropped-by-reverse-path: but it left by eth0'],
    ['seed-own-address', 'wrong-next-hop', 'to 172.16.0.2, but it was sent to 172.16.0.1'],
    ['rp-filter-strict-interface', 'seed-own-address', 'but no copy left'],
    ['empty-table', 'seed-own-address', 'by eth1, but it left by eth2'],
  ])('%s with the router of %s: %s', async (name, routerOfName, want) => {
    const scenario = storedScenario(name);
    const observed = await observeFrames(inputsOf(scenario, 'merged'));
    const { frames } = await traceAll(scenario, 'merged', routerOf(storedScenario(routerOfName)).router);
    const disagreements = frames.flatMap((frame) => compare(frame, observed, noCounts()));
    expect(disagreements.filter((line) => line.includes(want)).length).toBeGreaterThan(0);
  });
});

afterAll(() => {
  const line = (counts: Counts): string => COUNTS.map((key) => `${key} ${counts[key]}`).join(', ');
  const sum = noCounts();
  for (const [form, counts] of totals) {
    console.log(`trace against ${SCENARIOS.length} scenarios, ${form}: ${line(counts)}`);
    for (const key of COUNTS) sum[key] += counts[key];
  }
  console.log(`trace against ${SCENARIOS.length} scenarios, all forms: ${line(sum)}`);
});

/** Counts a frame and returns what is wrong with its prediction. */
function compare(frame: TracedFrame, observed: ObservedFrames, counts: Counts): string[] {
  const key = frameKey(frame.file, frame.frame);
  const copy = observed.ingress.get(key);
  const wrong = (text: string): string[] => [
    `frame ${key} ${frame.ingress} ${frame.packet}: ${frame.disposition}: ${text}`,
  ];
  counts.ingress++;
  if (!observed.ingress.has(key)) return wrong('did not enter the router');
  if (frame.observedEgress !== copy?.egress)
    return wrong(`paired with a copy on ${frame.observedEgress}, but it left by ${copy?.egress}`);
  // Neighbour discovery stays on its link, and where it goes is not modelled.
  if (/^ip protocol 58 /.test(frame.packet) && frame.disposition === 'undetermined' && copy === undefined) return [];
  if (frame.disposition === 'undetermined') {
    counts.undetermined++;
    return [];
  }
  if (frame.disposition !== 'forwarded') {
    if (copy !== undefined) return wrong(`but it left by ${copy.egress}`);
    counts['predicted-dropped']++;
    return [];
  }
  if (copy === undefined) {
    const seconds = frame.seconds + frame.nanoseconds / 1e9;
    if (observed.neverResolved(frame.nextHop!, frame.egress!, seconds)) {
      counts['arp-unresolved']++;
      return [];
    }
    counts.unpaired++;
    // All interfaces of the lab's router are in every capture.
    return wrong(`by ${frame.egress}, but no copy left`);
  }
  counts.paired++;
  if (![...ROUTER_NAMES, 'eth3'].includes(frame.egress!)) return wrong(`by ${frame.egress}`);
  if (frame.egress !== copy.egress) return wrong(`by ${frame.egress}, but it left by ${copy.egress}`);
  if (copy.nextHop !== undefined && hostOf(frame.nextHop!) !== hostOf(copy.nextHop))
    return wrong(`to ${frame.nextHop}, but it was sent to ${copy.nextHop}`);
  return [];
}

interface TraceResult {
  readonly frames: readonly TracedFrame[];
  readonly traceTotals: TraceTotals;
}

async function traceAll(scenario: StoredScenario, form: Form, router: Router): Promise<TraceResult> {
  const captures = await openCaptureSet(inputsOf(scenario, form));
  const traceTotals: TraceTotals = { frames: 0, ingress: 0, observed: 0, ambiguous: 0, unpairedEgress: 0 };
  const options = { verifyChecksums: false, explain: () => false };
  const frames: TracedFrame[] = [];
  for await (const frame of trace(captures, router, traceTotals, options)) frames.push(frame);
  await captures.close();
  return { frames, traceTotals };
}

function noCounts(): Counts {
  return { ingress: 0, paired: 0, 'predicted-dropped': 0, 'arp-unresolved': 0, unpaired: 0, undetermined: 0 };
}

describe('trace --format ndjson', () => {
  it.each([
    ['masquerade-toward-sps', 'merged'],
    ['no-sps-exemption', 'any'],
    ['rp-filter-strict-all', 'perInterface'],
    ['sps-unreachable', 'merged'],
  ] as const)('says the same of every frame: %s, %s', async (name, form) => {
    const scenario = storedScenario(name);
    const args = captureArguments(scenario, form);
    const { status, stdout, stderr } = runCli([
      'trace',
      ...args,
      '--router',
      routerPath(scenario),
      '--format',
      'ndjson',
    ]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const [header, ...rest] = stdout
      .trimEnd()
      .split('\n')
      .map((line): unknown => JSON.parse(line));
    const { frames, traceTotals } = await traceAll(scenario, form, routerOf(scenario).router);
    expect(header).toMatchObject({ type: 'header', schema: 'redirect-verify/trace/1' });
    expect(rest.at(-1)).toEqual({ type: 'summary', ...traceTotals });
    const paths = inputsOf(scenario, form).map((input) => input.path);
    const want = frames.map((frame) => {
      const told = SAID_OF_FRAMES.flatMap((key) => (frame[key] === undefined ? [] : [[key, frame[key]]]));
      const flags = (['icmpRedirect', 'rejected'] as const).flatMap((key) => (frame[key] ? [[key, true]] : []));
      return {
        type: 'frame',
        path: paths[frame.file],
        frame: frame.frame,
        ...Object.fromEntries([...told, ...flags]),
      };
    });
    const got = rest.slice(0, -1).map((line) => {
      const { timestamp, ...others } = line as Record<string, unknown>;
      expect(timestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
      return others;
    });
    expect(got).toEqual(want);
  });
});
