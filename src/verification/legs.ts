import type { Intent, SnatMode } from '../model/intent.ts';
import { equalIpAddress, type IpAddress } from '../net/ip-address.ts';
import { prefixContains } from '../net/prefix.ts';
import type { Listing } from '../observation/listing.ts';
import type { JudgedConnection, JudgedWay, Leg } from './judged.ts';
import { isPolicyRouted } from './failures.ts';
import { Hop, PacketKind } from './path-table.ts';
import type { Router } from './router.ts';
import { isOnSpsSegment } from './senders.ts';

/** Which leg of a session a connection is, by who sent its requests. `clientIsSps`: its client has one of SPS's addresses. */
export function legOf(clientIsSps: boolean, ways: readonly JudgedWay[]): Leg {
  if (clientIsSps) return 'server';
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

function clientsOf(connections: Listing<JudgedConnection>): ReadonlySet<string> {
  const clients = new Set<string>();
  for (const item of connections) if (item.leg !== 'server') clients.add(item.connection.client.join());
  return clients;
}

/** How SPS appears toward servers, from captured server legs; `unknown` where none was captured. */
export function snatSeen(connections: Listing<JudgedConnection>, intent: Intent, router: Router): SnatMode {
  let clients: ReadonlySet<string> | undefined;
  for (const item of connections) {
    if (item.leg === 'both') return 'client';
    if (item.leg !== 'server') continue;
    const { connection, ways } = item;
    clients ??= clientsOf(connections);
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
