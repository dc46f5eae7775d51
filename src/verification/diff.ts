import type { CaptureSet } from '../capture/capture-set.ts';
import type { Walk } from '../forwarding/walk.ts';
import type { Intent } from '../model/intent.ts';
import { InputError } from '../text/input-error.ts';
import type { Diagnoser } from './diagnose.ts';
import { explainDifference, type Difference, type Side } from './diff-explain.ts';
import { EstablishedCount, type EstablishedFate } from './diff-established.ts';
import { resolveIntent, type StatedIntent } from './intent.ts';
import type { Category } from './judge.ts';
import type { JudgedConnection } from './judged.ts';
import type { Router } from './router.ts';
import { runVerification } from './run.ts';
import { teeCaptures } from './tee-captures.ts';
import type { Verification } from './verification.ts';

/** What becomes of a connection as a whole: the worst of its packets. */
export type Fate = 'via-sps' | 'bypasses' | 'dropped' | 'loops' | 'undetermined';

/** How a connection changes. */
export type Change =
  | 'newly-via-sps'
  | 'no-longer-via-sps'
  | 'newly-dropped'
  | 'newly-looping'
  | 'newly-bypassing'
  | 'other-way'
  | 'newly-undetermined'
  | 'newly-determined'
  | 'unchanged';

/** A connection on both sides. Server legs belong to the session of a client's connection and are not counted by themselves. */
export interface DiffedConnection {
  readonly before: JudgedConnection;
  readonly after: JudgedConnection;
  readonly change: Change;
}

/** Connections that change in the same way for the same cause. */
export interface DiffGroup {
  readonly change: Change;
  readonly connections: DiffedConnection[];
  readonly before: Fate;
  readonly after: Fate;
  readonly difference: Difference | undefined;
}

/** Both runs, and what is different. */
export interface Diff {
  readonly before: Verification;
  readonly after: Verification;
  readonly intent: Intent;
  readonly groups: readonly DiffGroup[];
  readonly established: Readonly<Record<EstablishedFate, number>>;
}

export interface DiffOptions {
  readonly verifyChecksums?: boolean;
  readonly onProgress?: () => void;
  readonly diagnosers: readonly Diagnoser[];
}

/**
 * Runs a capture through two configurations at once. The one before is what the capture was recorded under, or may have been; the one after
 * is a what-if. Both are held against one intent: the stated one, completed from the configuration after, or before where that redirects
 * nothing. Throws InputError.
 */
export async function runDiff(
  captures: CaptureSet,
  before: Router,
  after: Router,
  stated: StatedIntent,
  options: DiffOptions,
): Promise<Diff> {
  const common = commonIntent(before, after, stated);
  const [first, second] = teeCaptures(captures);
  const { diagnosers, onProgress } = options;
  const shared = {
    diagnosers,
    verifyChecksums: options.verifyChecksums ?? false,
    ...(onProgress !== undefined && { onProgress }),
  };
  const [old, young] = await Promise.all([
    runVerification(first, before, common, { ...shared, whatIf: false }),
    runVerification(second, after, common, { ...shared, whatIf: true }),
  ]);
  const groups = groupConnections(old, young);
  const established = new EstablishedCount(old, young).count();
  return { before: old, after: young, intent: young.intent, groups, established };
}

/** SPS's interfaces are each configuration's own, unless they are stated: a change may move SPS. */
function commonIntent(before: Router, after: Router, stated: StatedIntent): StatedIntent {
  let intent: Intent;
  try {
    intent = resolveIntent(stated, after).intent;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    intent = resolveIntent(stated, before).intent;
  }
  return {
    ...stated,
    sps: intent.sps,
    services: intent.services,
    ...(intent.clients.length > 0 && { clients: intent.clients }),
    ...(intent.servers.length > 0 && { servers: intent.servers }),
  };
}

function groupConnections(old: Verification, young: Verification): DiffGroup[] {
  const after = new Map(young.connections.map((item) => [identity(item), item]));
  const groups = new Map<string, DiffGroup>();
  for (const item of old.connections) {
    if (item.leg === 'server') continue;
    const other = after.get(identity(item));
    if (other === undefined) continue;
    const fates = [fateOf(item), fateOf(other)] as const;
    const change = changeOf(fates[0], fates[1], item, other);
    const pair = { before: item, after: other, change };
    const key = change === 'unchanged' ? change : [change, ...fates, signature(item), signature(other)].join('\n');
    const known = groups.get(key);
    if (known !== undefined) {
      known.connections.push(pair);
      continue;
    }
    const sides: [Side, Side] = [
      { run: old, item, fate: fates[0] },
      { run: young, item: other, fate: fates[1] },
    ];
    groups.set(key, {
      change,
      connections: [pair],
      before: fates[0],
      after: fates[1],
      difference: change === 'unchanged' ? undefined : explainDifference(sides[0], sides[1]),
    });
  }
  return joinAlike([...groups.values()]);
}

/** The same lifetime of the same five-tuple: both runs saw the same frames. */
function identity({ connection }: JudgedConnection): string {
  return [
    connection.protocol,
    connection.client,
    connection.clientPort,
    connection.server,
    connection.serverPort,
    connection.firstFile,
    connection.firstFrame,
  ].join();
}

const WORST: readonly (readonly [Category, Fate])[] = [
  ['dropped', 'dropped'],
  ['looped', 'loops'],
  ['bypassed', 'bypasses'],
  ['undetermined', 'undetermined'],
];

/** The worst that happens to a packet of the connection's session, captured or synthesized. */
export function fateOf(item: JudgedConnection): Fate {
  const categories = new Set<Category>([
    ...item.ways.filter((way) => !way.stray).map((way) => way.category),
    ...item.probes.problems.map((probe) => probe.category),
  ]);
  if (item.probes.undetermined.length > 0) categories.add('undetermined');
  return WORST.find(([category]) => categories.has(category))?.[1] ?? 'via-sps';
}

function changeOf(before: Fate, after: Fate, item: JudgedConnection, other: JudgedConnection): Change {
  if (before === after) return sameWay(item, other) ? 'unchanged' : 'other-way';
  switch (after) {
    case 'undetermined':
      return 'newly-undetermined';
    case 'dropped':
      return 'newly-dropped';
    case 'loops':
      return 'newly-looping';
    case 'via-sps':
      return before === 'undetermined' ? 'newly-determined' : 'newly-via-sps';
    case 'bypasses':
      if (before === 'via-sps') return 'no-longer-via-sps';
      return before === 'undetermined' ? 'newly-determined' : 'newly-bypassing';
  }
}

/** Whether the client's requests leave alike: by the same interface, to the same next hop, with the same marks. */
function sameWay(item: JudgedConnection, other: JudgedConnection): boolean {
  return requestWays(item) === requestWays(other);
}

function requestWays(item: JudgedConnection): string {
  const ways = item.ways
    .filter(({ path, stray, fromSps }) => path.toServer && !stray && fromSps !== true)
    .map(({ path }) => [path.disposition, path.egress, path.hop, path.gateway, path.fwmark, path.connmark].join('/'));
  return [...new Set(ways)].sort().join(' ');
}

/** Equal for connections whose packets took the same ways: of one cause. */
function signature(item: JudgedConnection): string {
  const ways = item.ways.map((way) => way.path.index).sort((a, b) => a - b);
  const probes = item.probes.problems.map((probe) => `${probe.role}/${probe.category}/${endOf(probe.walk)}`);
  return [ways.join(), ...new Set(probes)].join(' ');
}

function endOf(walk: Walk): string {
  const last = walk.steps.findLast((step) => 'origin' in step && step.origin !== undefined);
  return last !== undefined && 'origin' in last && last.origin !== undefined
    ? `${last.origin.path}:${last.origin.line}`
    : '';
}

/** Groups that change for the same statements are one: that their packets came in other order tells nobody anything. */
function joinAlike(groups: readonly DiffGroup[]): DiffGroup[] {
  const joined = new Map<string, DiffGroup>();
  for (const group of groups) {
    const { change, before, after, difference } = group;
    const key = [change, change === 'unchanged' ? '' : `${before} ${after}`, difference?.key ?? ''].join('\n');
    const known = joined.get(key);
    if (known === undefined) joined.set(key, group);
    else known.connections.push(...group.connections);
  }
  return [...joined.values()];
}
