import { Seen } from '../observation/connection-log.ts';
import type { JudgedConnection } from '../verification/judged.ts';
import type { Verification } from '../verification/verification.ts';
import { detected, type Finding, isServerBesideSps } from './finding.ts';

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
    const missing = run.connections.filter(
      (item) =>
        item.leg === 'client' &&
        !item.hasServerLeg &&
        // On a segment of their own SPS and the server need no router.
        !isServerBesideSps(run, item) &&
        !hasOtherServerLeg(run, item) &&
        // What began before the capture had its server leg opened then.
        (item.connection.seen & Seen.synToServer) !== 0 &&
        (item.connection.seen & Seen.establishedByClient) !== 0 &&
        item.ways.some((way) => !way.path.toServer && way.fromSps === true && way.path.kind !== 1) &&
        item.ways.every((way) => way.category === 'viaSps'),
    );
    const [first] = missing;
    if (first === undefined) return [];
    return [
      detected({
        message: `SPS answered ${missing.length === 1 ? 'a connection' : `${missing.length} connections`} and opened none to the server`,
        key: 'RV512',
        count: missing.length,
        connections: missing.map((item) => item.connection.id),
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
 * Whether SPS opened a connection to a server that no client asked for meanwhile: where its policy names a target of its own, that is the
 * server leg. So may one be that came in by an interface of which it is not known whether SPS is there.
 */
function hasOtherServerLeg(run: Verification, { connection }: JudgedConnection): boolean {
  return run.connections.some(({ leg, mayBeOfSps, connection: other }) => {
    const age = other.firstTime - connection.firstTime;
    if (mayBeOfSps && age >= 0 && age <= WINDOW_NANOSECONDS) return true;
    if (leg !== 'server' || age < 0 || age > WINDOW_NANOSECONDS) return false;
    return !run.connections.some(
      (client) => client.leg === 'client' && client.connection.server.join() === other.server.join(),
    );
  });
}
