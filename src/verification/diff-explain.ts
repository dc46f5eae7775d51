import type { Step, Walk } from '../forwarding/walk.ts';
import type { Span } from '../text/span.ts';
import type { Fate } from './diff.ts';
import type { JudgedConnection } from './judged.ts';
import { type Probe, runSession } from './session.ts';
import type { Verification } from './verification.ts';

/** A connection in one of the two runs. */
export interface Side {
  readonly run: Verification;
  readonly item: JudgedConnection;
  readonly fate: Fate;
}

/** What one side does with the packet with which the sides begin to differ. */
export interface SideOfDifference {
  /** The statement that the other side does not have, or has with another effect; absent where it is that there is none. */
  readonly statement?: Span;
  readonly effect: string;
  readonly end: string;
}

/** The first packet of a session that the two configurations treat differently, and where their ways part. */
export interface Difference {
  /** `SYN of the client, tcp 192.168.0.10:40000 > 10.0.0.10:3389`. */
  readonly packet: string;
  readonly before: SideOfDifference;
  readonly after: SideOfDifference;
  /** Equal for equal causes. */
  readonly key: string;
}

/** Runs the connection's session through both configurations and compares the walks of the first packet that ends differently. */
export function explainDifference(before: Side, after: Side): Difference | undefined {
  const specs = before.run.sessionsOf(before.item);
  const others = after.run.sessionsOf(after.item);
  for (const [index, spec] of others.entries()) {
    const own = specs[index] ?? specs[0];
    if (own === undefined) continue;
    const found = firstDifference(
      runSession(before.run.replay.forwarder, own),
      runSession(after.run.replay.forwarder, spec),
    );
    if (found !== undefined) return found;
  }
  return undefined;
}

function firstDifference(before: readonly Probe[], after: readonly Probe[]): Difference | undefined {
  for (const probe of before) {
    const other = after.find(
      (item) => item.role === probe.role && item.label === probe.label && item.phase === probe.phase,
    );
    if (other === undefined || !differs(probe, other)) continue;
    const [one, two] = partOf(probe.walk, other.walk);
    const label = `${probe.label}, ${probe.flow}`;
    return {
      packet: label,
      before: one,
      after: two,
      key: [probe.role, probe.label, keyOf(one), keyOf(two)].join('\n'),
    };
  }
  return undefined;
}

function differs(a: Probe, b: Probe): boolean {
  if (a.category !== b.category) return true;
  const [one, two] = [a.key, b.key];
  return (
    one.disposition !== two.disposition ||
    one.egress !== two.egress ||
    one.hop !== two.hop ||
    one.gateway !== two.gateway ||
    one.fwmark !== two.fwmark ||
    one.connmark !== two.connmark
  );
}

function keyOf(side: SideOfDifference): string {
  return `${side.statement === undefined ? side.effect : `${side.statement.path}:${side.statement.line}`} ${side.end}`;
}

/** The first step of each walk that the other does not take. */
function partOf(before: Walk, after: Walk): [SideOfDifference, SideOfDifference] {
  const [one, two] = [before.steps.filter(acts), after.steps.filter(acts)];
  let same = 0;
  while (same < one.length && same < two.length && wordsOf(one[same]!) === wordsOf(two[same]!)) same++;
  // Where one side has a step more, the other goes on with what stands behind it: nothing is to be said of that.
  const isMissing = (own: readonly Step[], other: readonly Step[]): boolean =>
    other.slice(same + 1).some((step) => own[same] !== undefined && wordsOf(step) === wordsOf(own[same]!));
  return [
    side(isMissing(one, two) ? undefined : one[same], before),
    side(isMissing(two, one) ? undefined : two[same], after),
  ];
}

/** Steps that changed something or decided: that a lookup of the local table found nothing is no news. */
function acts(step: Step): boolean {
  switch (step.kind) {
    case 'rule':
    case 'policy-rule':
      return step.outcome !== 'missed' && !(step.kind === 'policy-rule' && step.effect.includes('no route, next rule'));
    case 'conntrack':
      return false;
    default:
      return true;
  }
}

function wordsOf(step: Step): string {
  const text =
    'origin' in step && step.origin !== undefined ? step.origin.text.replace(/^\[\d+:\d+\] /, '').trim() : '';
  switch (step.kind) {
    case 'rule':
      return `${step.hook} ${step.table} ${step.effect} ${text}`;
    case 'chain-policy':
      return `${step.hook} ${step.table} ${step.chain} policy ${step.policy}`;
    case 'reverse-path':
      return `reverse path ${step.ingress} ${step.effective} ${step.outcome} ${step.effect}`;
    case 'route':
      return `route ${step.table} ${step.prefix} ${step.egress} ${step.nextHop}`;
    case 'policy-rule':
      // Which table is looked up; what is found there is the route's step.
      return `policy rule ${step.effect.split(':')[0]}`;
    default:
      return `${step.kind} ${'effect' in step ? step.effect : ''}`;
  }
}

function side(step: Step | undefined, walk: Walk): SideOfDifference {
  const end = walk.steps.findLast((item) => item.kind === 'end');
  const ending =
    end?.kind === 'end'
      ? `${end.disposition}${end.egress === undefined ? '' : ` by ${end.egress}`}${end.nextHop === undefined ? '' : ` to ${end.nextHop}`}`
      : 'undetermined';
  if (step === undefined || step.kind === 'end') return { effect: 'no statement does it', end: ending };
  const origin = 'origin' in step ? step.origin : undefined;
  return { ...(origin !== undefined && { statement: origin }), effect: effectOf(step), end: ending };
}

function effectOf(step: Step): string {
  switch (step.kind) {
    case 'rule':
      return `${step.table} ${step.chain} rule ${step.number}: ${step.outcome === 'unknown' ? 'unknown: ' : ''}${step.effect}`;
    case 'chain-policy':
      return `${step.table} ${step.chain} policy ${step.policy}`;
    case 'translation':
      return step.effect;
    case 'policy-rule':
      return `policy rule ${step.priority}: ${step.effect}`;
    case 'route':
      return `table ${step.table}: ${step.prefix}${step.egress === undefined ? '' : ` dev ${step.egress}`}${step.nextHop === undefined ? '' : ` via ${step.nextHop}`}`;
    case 'reverse-path':
      return `reverse path filter on ${step.ingress} (${step.effective ?? 'unknown'}): ${step.effect}, ${step.outcome}`;
    case 'unknown':
      return `unknown: ${step.reason}`;
    default:
      return 'effect' in step ? `${step.kind}: ${step.effect}` : step.kind;
  }
}
