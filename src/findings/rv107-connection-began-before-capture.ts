import { beganBefore } from '../observation/connection-log.ts';
import { isOfDumpedEntry, type JudgedConnection } from '../verification/judged.ts';
import type { Verification } from '../verification/verification.ts';
import { detected, type Finding, isServerBesideSps } from './finding.ts';

/** RV107. */
export const connectionBeganBeforeCapture: Finding = {
  kind: {
    code: 'RV107',
    slug: 'connection-began-before-capture',
    severity: 'note',
    saidWhen: 'its first packets, and the mark they were given, are not in the capture',
    meaning:
      'The first packet of the connection in the capture is not its SYN. The connection entry, and the mark it got then, may be older than the given state.',
    whyItMatters:
      'A connection keeps the mark that it was given when it began. What the rules say today need not hold for it.',
    example: 'The capture starts in the middle of an RDP session.',
    whatToDo:
      'Open a new session while capturing, add `conntrack -L` to the state taken right before the capture, or remove the old entries (conntrack -D -p tcp --dport PORT) in the change window.',
    references: ['conntrack(8)'],
  },
  detect: (run) => {
    if (run.mode === 'what-if') return [];
    const begun: Record<Evidence, number[]> = { observed: [], listed: [], open: [] };
    for (const item of run.connections) {
      const evidence = evidenceOf(run, item);
      if (evidence !== undefined) begun[evidence].push(item.connection.id);
    }
    return [
      ...describe('observed', 'the capture shows which way their packets take'),
      ...describe('listed', "their entries are in the router's list of connections (conntrack -L)"),
      ...describe('open', 'the mark of their entry is unknown, and the capture does not show where their packets went'),
    ];

    function describe(key: Evidence, words: string) {
      const ids = begun[key];
      const first = ids[0] === undefined ? undefined : run.connections.at(ids[0] - 1);
      if (first === undefined) return [];
      return [
        detected({
          message: `${ids.length === 1 ? 'a connection' : `${ids.length} connections`} began before the capture: ${words}`,
          key: `RV107:${key}`,
          count: ids.length,
          connections: ids,
          where: run.placeOf(
            { file: first.connection.firstFile, frame: first.connection.firstFrame },
            first.ways[0]?.path.ingress ?? -1,
          ),
          ...(key === 'open' && { undetermines: 'connections' as const }),
        }),
      ];
    }
  },
};

/** What tells the way of a connection that began before the capture. */
type Evidence = 'observed' | 'listed' | 'open';

function evidenceOf(run: Verification, item: JudgedConnection): Evidence | undefined {
  if (!beganBefore(item.connection) || item.ways.length === 0) return undefined;
  if (!isObserved(item)) return isListed(item) ? 'listed' : 'open';
  // SPS may have opened it beside the router, which then saw the server's answers only.
  return isAnsweredOnly(run, item) ? undefined : 'observed';
}

function isAnsweredOnly(run: Verification, item: JudgedConnection): boolean {
  return isServerBesideSps(run, item) && item.ways.every((way) => !way.path.toServer);
}

/** Whether the entry that every way of the connection met is known. */
function isListed(item: JudgedConnection): boolean {
  return item.ways.every((way) => way.count.wasObserved || isOfDumpedEntry(way));
}

/** Whether every way of the connection has copies in the capture. */
function isObserved(item: JudgedConnection): boolean {
  return item.ways.length > 0 && item.ways.every((way) => way.count.wasObserved);
}
