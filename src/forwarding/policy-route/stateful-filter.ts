import { Disposition } from '../decision.ts';
import { askList, type ListVerdict } from './access-list.ts';
import type { Run } from './run.ts';

const verdict: ListVerdict = { permits: false, entry: undefined };
const SYN = 2;
const ACK = 16;

/**
 * Asks the filter between interfaces, which lets pass what answers a permitted connection. The connection's own entry is not kept: a
 * packet whose reverse would be permitted, and that opens nothing, is taken as an answer.
 */
export function passesFilter(run: Run): boolean {
  const { filter } = run.router.device;
  if (filter === undefined) return true;
  const list = run.router.lists.get(filter.list);
  if (list === undefined) return true;
  askList(run, list, verdict);
  const forth = verdict.entry;
  let permits = verdict.permits;
  if (!permits && (run.tcpFlags & (SYN | ACK)) !== SYN) {
    turnAround(run);
    askList(run, list, verdict);
    turnAround(run);
    permits = verdict.permits;
  }
  const entry = permits ? verdict.entry : forth;
  run.steps?.push({
    kind: 'filter',
    stage: 'forward',
    list: list.list.title,
    outcome: permits ? 'permitted' : 'denied',
    effect: entry === undefined ? 'no rule matches: dropped' : `rule ${entry.sequence}`,
    ...(entry !== undefined && { origin: entry.origin }),
  });
  if (permits) return true;
  run.end(Disposition.droppedByRule, entry?.origin);
  return false;
}

function turnAround(run: Run): void {
  const { source, sourcePort } = run;
  run.source = run.destination;
  run.destination = source;
  run.sourcePort = run.destinationPort;
  run.destinationPort = sourcePort;
}
