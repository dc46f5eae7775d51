import { configPlace, type Where } from '../diagnostic/diagnostic.ts';
import type { Change, Diff, DiffGroup, Fate } from '../verification/diff.ts';
import type { SideOfDifference } from '../verification/diff-explain.ts';
import type { ConnectionReport, Report } from './report.ts';

export type { Change } from '../verification/diff.ts';

/** One side of what makes a difference. */
export interface DiffSide {
  readonly fate: Fate;
  /** What the router does there, or that no statement does it. */
  readonly effect?: string;
  /** What becomes of the packet. */
  readonly end?: string;
  readonly where?: Where;
}

/** Connections that change in the same way for the same cause. */
export interface DiffGroupReport {
  readonly change: Change;
  readonly count: number;
  /** Of these, how many were verified and no longer are. */
  readonly noLongerVerified: number;
  /** The packet of the session with which the sides begin to differ. */
  readonly packet?: string;
  readonly before: DiffSide;
  readonly after: DiffSide;
  /** At most 100. */
  readonly connections: readonly { readonly protocol: string; readonly client: string; readonly server: string }[];
}

/** What a change of the configuration changes for the traffic of a capture, as plain data. */
export interface DiffReport {
  readonly schema: 'redirect-verify/diff/1';
  readonly before: Pick<Report, 'verdict' | 'router' | 'summary'>;
  readonly after: Pick<Report, 'verdict' | 'router' | 'summary'>;
  readonly captures: Report['captures'];
  readonly intent: Report['intent'];
  readonly summary: Readonly<Record<Change, number>> & {
    readonly connections: number;
    readonly noLongerVerified: number;
  };
  /** Of the connections that are open when the capture ends, legs of SPS counted for themselves: what loading the change does to them. */
  readonly established: {
    readonly open: number;
    readonly unaffected: number;
    readonly cut: number;
    readonly oldMark: number;
    readonly unknown: number;
  };
  /** Changes, then what is unchanged. */
  readonly groups: readonly DiffGroupReport[];
}

const ORDER: readonly Change[] = [
  'no-longer-via-sps',
  'newly-dropped',
  'newly-looping',
  'newly-bypassing',
  'newly-undetermined',
  'newly-via-sps',
  'newly-determined',
  'other-way',
  'unchanged',
];
const CONNECTIONS_OF_A_GROUP = 100;

/** Makes the report; the two reports are those of the runs, with every connection listed. */
export function diffReport(diff: Diff, before: Report, after: Report): DiffReport {
  const [old, young] = [verdicts(before), verdicts(after)];
  const groups = diff.groups
    .map((group) => groupReport(group, old, young))
    .sort((a, b) => ORDER.indexOf(a.change) - ORDER.indexOf(b.change) || b.count - a.count);
  const count = (change: Change): number =>
    groups.reduce((sum, group) => sum + (group.change === change ? group.count : 0), 0);
  const established = diff.established;
  const side = ({ verdict, router, summary }: Report) => ({ verdict, router, summary });
  return {
    schema: 'redirect-verify/diff/1',
    before: side(before),
    after: side(after),
    captures: before.captures,
    intent: after.intent,
    summary: {
      connections: groups.reduce((sum, group) => sum + group.count, 0),
      ...(Object.fromEntries(ORDER.map((change) => [change, count(change)])) as Record<Change, number>),
      noLongerVerified: groups.reduce((sum, group) => sum + group.noLongerVerified, 0),
    },
    established: { open: Object.values(established).reduce((sum, value) => sum + value, 0), ...established },
    groups,
  };
}

function verdicts(report: Report): Map<number, ConnectionReport> {
  return new Map(report.connections.map((item) => [item.id, item]));
}

function groupReport(
  { change, connections, before, after, difference }: DiffGroup,
  old: ReadonlyMap<number, ConnectionReport>,
  young: ReadonlyMap<number, ConnectionReport>,
): DiffGroupReport {
  const noLongerVerified = connections.filter(
    (item) =>
      old.get(item.before.connection.id)?.verdict === 'verified' &&
      young.get(item.after.connection.id)?.verdict !== 'verified',
  ).length;
  return {
    change,
    count: connections.length,
    noLongerVerified,
    ...(difference !== undefined && { packet: difference.packet }),
    before: { fate: before, ...sideOf(difference?.before) },
    after: { fate: after, ...sideOf(difference?.after) },
    connections: connections.slice(0, CONNECTIONS_OF_A_GROUP).flatMap((item) => {
      const known = old.get(item.before.connection.id);
      return known === undefined ? [] : [{ protocol: known.protocol, client: known.client, server: known.server }];
    }),
  };
}

function sideOf(side: SideOfDifference | undefined): Omit<DiffSide, 'fate'> {
  if (side === undefined) return {};
  return {
    effect: side.effect,
    end: side.end,
    ...(side.statement !== undefined && { where: configPlace(side.statement) }),
  };
}

/** Ends with 1 where something fails after the change, or was verified and no longer is; with 3 where the change is not known to be right. */
export function exitCodeOfDiff(report: DiffReport): number {
  if (report.after.verdict === 'failed' || report.summary.noLongerVerified > 0) return 1;
  return report.after.verdict === 'inconclusive' ? 3 : 0;
}
