import type { Intent, SnatMode } from '../model/intent.ts';
import { equalIpAddress, type IpAddress } from '../net/ip-address.ts';
import { prefixContains } from '../net/prefix.ts';
import { beganBefore, type Connection } from '../observation/connection-log.ts';
import type { JudgedConnection, JudgedWay, Leg } from './judged.ts';
import { isPolicyRouted } from './failures.ts';
import { Hop, PacketKind } from './path-table.ts';
import type { Router } from './router.ts';
import { isOnSpsSegment } from './senders.ts';

/** A server leg is opened at most this long after its client leg: SPS may first ask the client who he is. */
const SESSION_WINDOW_NANOSECONDS = 30e9;

/** Which leg of a session a connection is, by who sent its requests. */
export function legOf(connection: Connection, ways: readonly JudgedWay[], intent: Intent): Leg {
  if (intent.sps.some((address) => isClient(connection, address))) return 'server';
  // A reset or an empty ACK of the client, whom an answer reached that was not meant for him, opens no connection.
  const captured = ways.filter((way) => way.path.toServer && !way.path.synthetic);
  const opening = captured.filter((way) => way.path.kind === PacketKind.ordinary);
  const requests = opening.length > 0 ? opening : captured;
  const bySps = requests.some((way) => way.fromSps === true);
  const byOthers = requests.some((way) => way.fromSps !== true);
  if (requests.length === 0 && isBehindSps(ways)) return 'server';
  if (bySps && byOthers) return 'both';
  return bySps ? 'server' : 'client';
}

/** Whether answers to the initiator go to SPS by his address alone: it is one that SPS uses, fixed or another of its own. */
function isBehindSps(ways: readonly JudgedWay[]): boolean {
  const answers = ways.filter((way) => !way.path.toServer && !way.path.synthetic);
  return answers.length > 0 && answers.every(({ path }) => path.hop === Hop.sps && !isPolicyRouted(path));
}

function isClient(connection: Connection, address: IpAddress): boolean {
  return equalIpAddress(address, { family: connection.family, words: connection.client });
}

/** How SPS appears toward servers, from captured server legs; `unknown` where none was captured. */
export function snatSeen(connections: readonly JudgedConnection[], intent: Intent, router: Router): SnatMode {
  const clients = new Set(
    connections.filter((item) => item.leg !== 'server').map((item) => item.connection.client.join()),
  );
  for (const { leg, connection, ways } of connections) {
    if (leg === 'both') return 'client';
    if (leg !== 'server') continue;
    const address: IpAddress = { family: connection.family, words: connection.client };
    if (intent.sps.some((own) => equalIpAddress(own, address))) return 'own';
    if (clients.has(connection.client.join()) || intent.clients.some((prefix) => prefixContains(prefix, address)))
      return 'client';
    // Answers to an address of SPS's own find it without a redirect. Whose another one is cannot be told where clients sit beside SPS.
    if (isBehindSps(ways)) return 'fixed';
    const egress = router.interfaceToward(address);
    if (egress === undefined || !intent.spsInterfaces.includes(egress)) return 'client';
    if (intent.clients.length > 0 || !isOnSpsSegment(router, intent, address)) return 'fixed';
  }
  return 'unknown';
}

/**
 * Gives the two legs of a session the same number. A leg is paired with the oldest open client leg to the same server that precedes
 * it (with spoofing, of the same client). `hasServerLeg` then holds for every client leg with a server leg of its own; the number is only
 * given where no other client leg could have been meant. Whether the two legs of a session are seen to have ports of their own.
 */
export function pairSessions(connections: readonly JudgedConnection[]): boolean {
  const waiting = new Map<string, JudgedConnection[]>();
  let session = 0;
  let hasOwnPorts = false;
  for (const item of [...connections].sort(inOrderOfOpening)) {
    const { connection } = item;
    if (item.clientIsRouter) continue;
    if (item.leg === 'both') {
      item.session = ++session;
      item.hasServerLeg = true;
      continue;
    }
    const key = `${connection.protocol}/${connection.server.join()}/${connection.serverPort}`;
    const queue = waiting.get(key) ?? [];
    waiting.set(key, queue);
    if (item.leg === 'client') {
      queue.push(item);
      continue;
    }
    const open = queue.filter(
      (candidate) =>
        // A session that was open when the capture began has both its legs from before.
        beganBefore(candidate.connection) === beganBefore(connection) && isOpenFor(candidate.connection, connection),
    );
    const sameClient = open.filter((candidate) => candidate.connection.client.join() === connection.client.join());
    const candidates = sameClient.length > 0 ? sameClient : open;
    const chosen = candidates[0];
    if (chosen === undefined) continue;
    queue.splice(queue.indexOf(chosen), 1);
    chosen.hasServerLeg = true;
    hasOwnPorts ||= !beganBefore(connection) || (showsOneSession(chosen, 0) && showsOneSession(item, 1));
    if (candidates.length > 1) continue;
    session++;
    chosen.session = session;
    item.session = session;
  }
  return hasOwnPorts;
}

/** Of those that began before the capture, which packet of it is the first is chance. */
function inOrderOfOpening(a: JudgedConnection, b: JudgedConnection): number {
  return openingTime(a) - openingTime(b);
}

function openingTime({ connection, leg }: JudgedConnection): number {
  return leg === 'client' && beganBefore(connection) ? Number.NEGATIVE_INFINITY : connection.firstTime;
}

/**
 * Whether both directions of the session with SPS's client (0) or with the server (1) were captured, and nothing of the other: were they
 * one five-tuple, what SPS relays would be there, too.
 */
function showsOneSession({ connection }: JudgedConnection, session: 0 | 1): boolean {
  const isSeen = (direction: 0 | 1): boolean => connection.nextSequences[2 * session + direction]! >= 0;
  return isSeen(0) && isSeen(1) && connection.nextSequences.filter((next) => next >= 0).length === 2;
}

function isOpenFor(client: Connection, server: Connection): boolean {
  if (beganBefore(client)) return server.firstTime <= client.lastTime && client.firstTime <= server.lastTime;
  const age = server.firstTime - client.firstTime;
  return age >= 0 && age < SESSION_WINDOW_NANOSECONDS;
}
