import { Seen } from '../observation/connection-log.ts';
import type { Verification } from '../verification/verification.ts';
import { connectionsWhere, detected, type Finding, isServerBesideSps } from './finding.ts';

/** RV512. */
export const serverLegMissing: Finding = {
  kind: {
    code: 'RV512',
    slug: 'server-leg-missing',
    severity: 'warning',
    saidWhen: 'SPS answered the client and opened nothing toward the server, where that would have been captured',
    meaning:
      'The client’s connection was accepted by SPS, data was exchanged, and no connection from SPS to that server is in the capture.',
    whyItMatters:
      'SPS may have refused the session (policy, authentication, server unreachable), or it reaches the server by another way than this router.',
    example:
      'A session from 192.168.0.10:54618 with data in both directions, and no connection from 172.16.0.1 to 10.0.0.10:3389.',
    whatToDo:
      "Look into SPS's log for this session. Where SPS has a target of its own in the connection policy, capture there.",
    references: [],
  },
  detect: (run) => {
    if (run.mode === 'what-if' || !run.spsSideCaptured) return [];
    const otherServerLegs = otherServerLegTimes(run);
    const { ids, first } = connectionsWhere(
      run,
      (item) =>
        item.leg === 'client' &&
        !item.hasServerLeg &&
        // On a segment of their own SPS and the server need no router.
        !isServerBesideSps(run, item) &&
        !isOpenedWithin(otherServerLegs, item.connection.firstTime) &&
        // What began before the capture had its server leg opened then.
        (item.connection.seen & Seen.synToServer) !== 0 &&
        (item.connection.seen & Seen.establishedByClient) !== 0 &&
        item.ways.some((way) => !way.path.toServer && way.fromSps === true && way.path.kind !== 1) &&
        item.ways.every((way) => way.category === 'viaSps'),
    );
    if (first === undefined) return [];
    return [
      detected({
        message: `SPS answered ${ids.length === 1 ? 'a connection' : `${ids.length} connections`} and opened none to the server`,
        key: 'RV512',
        count: ids.length,
        connections: ids,
        where: run.placeOf(
          { file: first.connection.firstFile, frame: first.connection.firstFrame },
          first.ways[0]?.path.ingress ?? -1,
        ),
      }),
    ];
  },
};

/** SPS may first ask the client who he is. */
const WINDOW_NANOSECONDS = 30e9;

/**
 * When SPS opened connections to servers that no client asked for, in order: where its policy names a target of its own, such a one is a
 * server leg. So may one be that came in by an interface of which it is not known whether SPS is there.
 */
function otherServerLegTimes(run: Verification): number[] {
  const asked = new Set<string>();
  for (const { leg, connection } of run.connections) if (leg === 'client') asked.add(connection.server.join());
  const times: number[] = [];
  for (const { leg, mayBeOfSps, connection } of run.connections) {
    if (mayBeOfSps || (leg === 'server' && !asked.has(connection.server.join()))) times.push(connection.firstTime);
  }
  return times.sort((a, b) => a - b);
}

/** Whether one of these times is within the window from `begin` on. */
function isOpenedWithin(times: readonly number[], begin: number): boolean {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle]! < begin) low = middle + 1;
    else high = middle;
  }
  const next = times[low];
  return next !== undefined && next - begin <= WINDOW_NANOSECONDS;
}
