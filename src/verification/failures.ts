import type { Note, Where } from '../diagnostic/diagnostic.ts';
import { configPlace } from '../diagnostic/diagnostic.ts';
import { ConntrackView, DecisionFlag, Disposition } from '../forwarding/decision.ts';
import type { Forwarder, Unknown } from '../forwarding/forwarder.ts';
import type { Step, Walk } from '../forwarding/walk.ts';
import { RouteTableId } from '../model/routing.ts';
import { formatMark } from '../net/masked-mark.ts';
import { ConnectionIds } from '../observation/connection-ids.ts';
import { formatPlace } from '../text/span.ts';
import type { Category } from './judge.ts';
import type { JudgedConnection, JudgedWay } from './judged.ts';
import type { PathKey } from './path-table.ts';
import type { Probe, Role } from './session.ts';

/** Equal packets that do not go where they should, or of which it is not known where they go. */
export interface Failure {
  /** The finding they are, e.g. `RV602`. */
  readonly code: string;
  readonly role: Role;
  readonly category: Category;
  readonly key: Readonly<PathKey>;
  readonly walk: Walk;
  /** Captured packets, and packets that were synthesized. */
  packets: number;
  probes: number;
  readonly connections: ConnectionIds;
  /** The first captured packet; absent where all were synthesized. */
  frame?: { readonly file: number; readonly frame: number; readonly interface: number };
  /** The first synthesized packet in words, where none was captured. */
  made?: string;
  unknown?: Unknown | undefined;
}

/** The flow of a session that a packet belongs to. */
export function roleOf(toServer: boolean, fromSps: boolean): Role {
  if (toServer) return fromSps ? 'sps-request' : 'client-request';
  return fromSps ? 'sps-reply' : 'server-reply';
}

/** Groups everything that fails by what it is and by the statement that decides. */
export function collectFailures(connections: Iterable<JudgedConnection>, forwarder: Forwarder): Failure[] {
  const groups = new FailureGroups(forwarder);
  for (const { connection, ways, probes } of connections) {
    for (const way of ways) groups.addWay(way, connection.id);
    for (const probe of probes.problems) groups.addProbe(probe, [connection.id]);
  }
  return groups.failures;
}

/** Adds the failures that only showed while others were being mended, to the connections of their sessions. */
export function addUncovered(
  failures: readonly Failure[],
  uncovered: readonly { readonly probe: Probe; readonly connections: readonly number[] }[],
  forwarder: Forwarder,
): Failure[] {
  const groups = new FailureGroups(forwarder);
  for (const { probe, connections } of uncovered) {
    const code = codeOf(probe.key, probe.category);
    const isKnown = failures.some(
      (failure) => failure.role === probe.role && failure.category === probe.category && failure.code === code,
    );
    if (!isKnown) groups.addProbe(probe, connections);
  }
  return [...failures, ...groups.failures];
}

class FailureGroups {
  readonly #forwarder: Forwarder;
  readonly #groups = new Map<string, Failure>();

  constructor(forwarder: Forwarder) {
    this.#forwarder = forwarder;
  }

  get failures(): Failure[] {
    return [...this.#groups.values()];
  }

  addWay(way: JudgedWay, connection: number): void {
    const { path, count } = way;
    const code = way.stray ? 'RV513' : codeOf(path, way.category);
    if (code === undefined) return;
    const failure = this.#group(code, roleOf(path.toServer, way.fromSps === true), way.category, path, path.walk);
    failure.connections.add(connection);
    failure.unknown ??= this.#forwarder.unknowns[path.unknown];
    if (path.synthetic) {
      failure.probes += count.packets;
      return;
    }
    failure.packets += count.packets;
    failure.frame ??= { file: count.firstFile, frame: count.firstFrame, interface: path.ingress };
  }

  addProbe(probe: Probe, connections: readonly number[]): void {
    const code = codeOf(probe.key, probe.category);
    if (code === undefined) return;
    const failure = this.#group(code, probe.role, probe.category, probe.key, probe.walk);
    failure.probes++;
    failure.made ??= `${probe.label}, ${probe.flow}`;
    if (probe.unknown !== undefined) failure.unknown ??= { reason: probe.unknown };
    for (const id of connections) failure.connections.add(id);
  }

  #group(code: string, role: Role, category: Category, key: Readonly<PathKey>, walk: Walk): Failure {
    // The end of a loop, where the TTL runs out, belongs to the loop.
    const end = category === 'looped' ? '' : `${key.disposition}/${key.egress}/${key.hop}`;
    const id = `${code}/${role}/${key.ingress}/${end}/${decider(walk)}`;
    const known = this.#groups.get(id);
    if (known !== undefined) return known;
    const made: Failure = { code, role, category, key, walk, packets: 0, probes: 0, connections: new ConnectionIds() };
    this.#groups.set(id, made);
    return made;
  }
}

/** The contract's code for a packet with this fate; undefined where it is right, or where its end says nothing about the redirect. */
function codeOf(key: Readonly<PathKey>, category: Category): string | undefined {
  switch (category) {
    case 'viaSps':
      return undefined;
    case 'undetermined':
      return 'RV901';
    case 'looped':
      return 'RV502';
    case 'bypassed':
      if (key.conntrack === ConntrackView.invalid) return 'RV510';
      if (isPolicyRouted(key)) return 'RV506';
      return key.toServer ? 'RV501' : 'RV601';
    case 'dropped':
      return codeOfDrop(key.disposition);
  }
}

function codeOfDrop(disposition: number): string | undefined {
  switch (disposition) {
    case Disposition.droppedByRule:
      return 'RV503';
    case Disposition.droppedByReversePath:
      return 'RV602';
    // A packet that ends by its own TTL or size gets an answer that its sender handles; no redirect changes that.
    case Disposition.ttlExpired:
    case Disposition.tooBig:
      return undefined;
    default:
      return 'RV504';
  }
}

/** Whether a table that only a policy rule reaches decided about the packet. */
export function isPolicyRouted(key: Readonly<PathKey>): boolean {
  return (
    key.table >= 0 &&
    key.table !== RouteTableId.main &&
    key.table !== RouteTableId.default &&
    key.table !== RouteTableId.local
  );
}

/** Where the statement stands that decided about a walk's packet; empty where it is implied. */
export function decider(walk: Walk): string {
  const step = decidingStep(walk);
  return step !== undefined && 'origin' in step && step.origin !== undefined ? formatPlace(step.origin) : '';
}

function decidingStep(walk: Walk): Step | undefined {
  switch (lastStep(walk, 'end')?.disposition) {
    case 'dropped-by-reverse-path':
      return lastStep(walk, 'reverse-path');
    case 'dropped-by-rule':
      return walk.steps.findLast(
        (step) =>
          (step.kind === 'rule' && step.outcome !== 'missed') ||
          step.kind === 'chain-policy' ||
          (step.kind === 'filter' && step.stage !== 'match'),
      );
    case 'undetermined':
      return lastStep(walk, 'unknown');
    default:
      return (
        lastStep(walk, 'route') ??
        walk.steps.findLast((step) => step.kind === 'policy-rule' && step.outcome !== 'missed')
      );
  }
}

/** The last step of a kind. */
export function lastStep<Kind extends Step['kind']>(walk: Walk, kind: Kind): Extract<Step, { kind: Kind }> | undefined {
  for (let index = walk.steps.length - 1; index >= 0; index--) {
    const step = walk.steps[index]!;
    if (step.kind === kind) return step as Extract<Step, { kind: Kind }>;
  }
  return undefined;
}

/** ` (mark 0x1)` for the end of a sentence; nothing where the router knows no marks. */
export function markWords(key: Readonly<PathKey>): string {
  return (key.flags & DecisionFlag.noMarks) === 0 ? ` (${formatMarks(key)})` : '';
}

/** The mark with which a walk's packet was routed. */
function formatMarks(key: Readonly<PathKey>): string {
  return key.connmark < 0
    ? `mark ${formatMark(key.fwmark)}`
    : `mark ${formatMark(key.fwmark)}, connection mark ${formatMark(key.connmark)}`;
}

/**
 * The steps of a walk that prove its end: marks that were set, the policy rule and route, the reverse lookup, the rule that dropped.
 * `withMissed`: also rules that would have applied but for a mark, a state or an interface.
 */
export function proofOf(walk: Walk, withMissed = false): Note[] {
  const notes: Note[] = [];
  for (const step of walk.steps) {
    if (step.kind === 'rule' && step.outcome === 'missed' && !withMissed) continue;
    // That the packet is not for the router itself goes without saying.
    if (step.kind === 'policy-rule' && step.table === RouteTableId.local) continue;
    const message = proofStep(step);
    if (message === undefined) continue;
    const where: Where | undefined =
      'origin' in step && step.origin !== undefined ? configPlace(step.origin) : undefined;
    notes.push({ message, ...(where !== undefined && { where }) });
  }
  return notes;
}

function proofStep(step: Step): string | undefined {
  switch (step.kind) {
    case 'conntrack':
      return step.state === 'INVALID' || step.state === 'unknown'
        ? `conntrack: ${step.state}${step.detail === undefined ? '' : ` (${step.detail})`}`
        : undefined;
    case 'rule':
      return `${step.table} ${step.chain} rule ${step.number} ${step.outcome}: ${step.effect}`;
    case 'chain-policy':
      return step.policy === 'DROP' ? `${step.table} ${step.chain} policy DROP` : undefined;
    case 'translation':
      return `${step.hook}: ${step.effect}`;
    case 'policy-rule':
      return step.outcome === 'missed' ? undefined : `policy rule ${step.priority}: ${step.effect}`;
    case 'route':
      return undefined;
    case 'filter':
      return step.stage === 'match' || step.outcome === 'denied'
        ? `${step.list}: ${step.effect}, ${step.outcome}`
        : undefined;
    case 'classifier':
      return step.effect;
    case 'reverse-path':
      return step.outcome === 'passed'
        ? undefined
        : `reverse path filter on ${step.ingress}, ${reversePathValue(step)}: ${step.effect}, ${step.outcome}`;
    case 'unknown':
      return `unknown: ${step.reason}`;
    case 'end':
      return undefined;
  }
}

function reversePathValue(step: Extract<Step, { kind: 'reverse-path' }>): string {
  const value = step.effective === undefined ? 'value unknown' : `effective value ${step.effective}`;
  return step.all === undefined || step.own === undefined
    ? value
    : `${value} (all ${step.all}, ${step.ingress} ${step.own})`;
}
