import type { CaptureInterface, CaptureSet } from '../capture/capture-set.ts';
import { DecisionBatch } from '../forwarding/decision.ts';
import { formatService, type Service } from '../model/intent.ts';
import { equalIpAddress, formatIpAddress, type IpAddress, type Words } from '../net/ip-address.ts';
import { formatIpProtocol, IpProtocol } from '../net/ip-protocol.ts';
import { type IpPrefix, maskWords, networkOf, prefixContains } from '../net/prefix.ts';
import { InputError } from '../text/input-error.ts';
import { LinkType } from '../wire/link-type.ts';
import { Direction, type PacketBatch } from '../wire/packet-batch.ts';
import type { ResolvedIntent } from './intent.ts';
import { Hop } from './path-table.ts';
import { Flag, makePacket, type PacketSpec } from './probe-packet.ts';
import type { Router } from './router.ts';
import { isOnSpsSegment } from './senders.ts';
import { hopOf } from './session.ts';

/** One end of a made-up session and the interface that it is behind. */
interface Edge {
  readonly address: IpAddress;
  readonly interface: string;
}

/** Sessions that a check makes up, and what it finds beside them. */
export interface CheckTraffic {
  /** The router with a MAC address for each host of the sessions: who sent a packet is told by it, and on a made-up network no two are one. */
  readonly router: Router;
  /** What the clients of the sessions send, as a capture on every interface would show it. */
  readonly capture: CaptureSet;
  readonly sessions: number;
  readonly clients: readonly string[];
  readonly servers: readonly string[];
  readonly ports: readonly string[];
  /** Packets next to the monitored services that are redirected to SPS all the same. */
  readonly outside: readonly string[];
}

const START = 1_700_000_000e9;
const STEP = 1e6;
const SESSION_STEP = 1e9;
const FIRST_PORT = 40_000;
/** Locally administered: no host of the router's neighbour table has it. */
const MADE_UP_MAC = 0x02_00_5e_00_00_01;

/**
 * Makes up what clients send in sessions at the edges of what is monitored: the first and the last address of each network, the first and
 * the last port of each service. Where no network is stated, the router's connected networks stand for any.
 *
 * Throws InputError where no client or no server can be made up.
 */
export function checkTraffic(given: Router, resolved: ResolvedIntent): CheckTraffic {
  const { intent } = resolved;
  const servers = edgesOf(
    given,
    resolved,
    intent.servers.length > 0 ? intent.servers : anyServers(given, resolved),
    undefined,
  );
  if (servers.length === 0)
    throw new InputError(
      'check: no network of servers is known that the router has a way to: name it with --servers, and the clients with --clients',
    );
  const clients = edgesOf(
    given,
    resolved,
    intent.clients.length > 0 ? intent.clients : anyClients(given, resolved, servers),
    resolved.clientInterface,
  );
  if (clients.length === 0) throw new InputError('check: no network of clients is known: name it with --clients');
  const router = withNeighbours(given, resolved, [...clients, ...servers]);
  const packets: { spec: PacketSpec; interface: string }[] = [];
  let sessions = 0;
  for (const client of clients) {
    for (const server of servers) {
      if (client.address.family !== server.address.family) continue;
      for (const service of intent.services) {
        for (const port of portsOf(service)) {
          const spec = { protocol: service.protocol, client, server, port };
          for (const packet of clientPackets(spec, sessions, macOf(router, client)))
            packets.push({ spec: packet, interface: client.interface });
          sessions++;
        }
      }
    }
  }
  if (sessions === 0)
    throw new InputError(
      'check: the clients and the servers are not of one address family: state them with --clients and --servers',
    );
  return {
    router,
    capture: madeCapture(router, packets),
    sessions,
    clients: clients.map(edgeWords),
    servers: servers.map(edgeWords),
    ports: intent.services.map(formatService),
    outside: outsideRedirected(router, resolved, clients[0]!, servers),
  };
}

function withNeighbours(router: Router, { intent }: ResolvedIntent, edges: readonly Edge[]): Router {
  const sps = intent.sps.flatMap((address) => {
    const name = router.interfaceToward(address) ?? intent.spsInterfaces[0];
    return name === undefined ? [] : [{ address, interface: name }];
  });
  const missing = [...sps, ...edges].filter((edge) => macOf(router, edge) < 0);
  return {
    ...router,
    neighbours: [
      ...router.neighbours.filter((item) => item.mac !== undefined),
      ...missing.map((edge, index) => ({ address: edge.address, device: edge.interface, mac: MADE_UP_MAC + index })),
    ],
  };
}

function macOf(router: Router, edge: Edge): number {
  const known = router.neighbours.find(
    (item) => item.device === edge.interface && item.mac !== undefined && equalIpAddress(item.address, edge.address),
  );
  return known?.mac ?? -1;
}

function edgeWords({ address, interface: name }: Edge): string {
  return `${formatIpAddress(address)} on ${name}`;
}

function portsOf({ ports }: Service): number[] {
  return [...new Set([ports.first, ports.last])];
}

/** The first and last host of each network that is neither the router nor SPS. */
function edgesOf(
  router: Router,
  resolved: ResolvedIntent,
  prefixes: readonly IpPrefix[],
  preferred: string | undefined,
): Edge[] {
  const edges = new Map<string, Edge>();
  for (const prefix of prefixes) {
    for (const address of [firstFree(router, resolved, prefix, 1), firstFree(router, resolved, prefix, -1)]) {
      if (address === undefined) continue;
      const name = router.interfaceToward(address) ?? preferred;
      if (name !== undefined) edges.set(address.words.join(), { address, interface: name });
    }
  }
  return [...edges.values()];
}

const MOST_TAKEN = 64;

function firstFree(router: Router, { intent }: ResolvedIntent, prefix: IpPrefix, step: 1 | -1): IpAddress | undefined {
  const network = networkOf(prefix);
  const bits = prefix.family === 4 ? 32 : 128;
  const mask = maskWords(prefix.family, prefix.prefixLength);
  const last = network.words.map((word, index) =>
    index < bits / 32 ? (word | ~mask[index]!) >>> 0 : word,
  ) as unknown as Words;
  // Network and broadcast addresses are no hosts; networks of one or two addresses have neither.
  const inner = bits - prefix.prefixLength >= 2 ? 1 : 0;
  let words = add(step === 1 ? network.words : last, step * inner, bits);
  for (let tries = 0; tries < MOST_TAKEN; tries++) {
    const address: IpAddress = { family: prefix.family, words };
    if (!prefixContains(prefix, address)) return undefined;
    const isTaken =
      intent.sps.some((own) => equalIpAddress(own, address)) ||
      router.interfaces.some((item) => item.addresses.some((own) => equalIpAddress(own.prefix, address)));
    if (!isTaken) return address;
    words = add(words, step, bits);
  }
  return undefined;
}

/** Only the last word is counted: no more than {@link MOST_TAKEN} steps are taken from a network's edge. */
function add(words: Words, step: number, bits: number): Words {
  const at = bits / 32 - 1;
  return words.map((word, index) => (index === at ? (word + step) >>> 0 : word)) as unknown as Words;
}

function connected(router: Router, wanted: (name: string) => boolean): IpPrefix[] {
  return router.interfaces
    .filter((item) => item.linkType !== 'loopback' && wanted(item.name))
    .flatMap((item) => item.addresses)
    .filter(({ prefix }) => prefix.family === 4 && prefix.prefixLength < 32 && prefix.words[0] >>> 24 !== 127)
    .map(({ prefix }) => prefix);
}

function anyServers(router: Router, { intent, clientInterface }: ResolvedIntent): IpPrefix[] {
  // Between which networks is not known at all: each would be tried as the other's servers.
  if (intent.clients.length === 0 && clientInterface === undefined) return [];
  const clientSide = new Set(intent.clients.flatMap((prefix) => router.interfaceToward(prefix) ?? []));
  if (clientInterface !== undefined) clientSide.add(clientInterface);
  return connected(router, (name) => !intent.spsInterfaces.includes(name) && !clientSide.has(name));
}

function anyClients(router: Router, { intent, clientInterface }: ResolvedIntent, servers: readonly Edge[]): IpPrefix[] {
  if (clientInterface !== undefined) return connected(router, (name) => name === clientInterface);
  const serverSide = new Set(servers.map((edge) => edge.interface));
  const others = connected(router, (name) => !intent.spsInterfaces.includes(name) && !serverSide.has(name));
  return others.length > 0 ? others : connected(router, (name) => !serverSide.has(name));
}

interface MadeSession {
  readonly protocol: number;
  readonly client: Edge;
  readonly server: Edge;
  readonly port: number;
}

/** What the client sends, from its SYN to its last ACK. */
function clientPackets(
  { protocol, client, server, port }: MadeSession,
  number: number,
  sourceMac: number,
): PacketSpec[] {
  const base = {
    protocol,
    source: client.address,
    sourcePort: FIRST_PORT + (number % 20_000),
    destination: server.address,
    destinationPort: port,
    sourceMac,
    ttl: 128,
  };
  const at = (step: number): number => START + number * SESSION_STEP + step * STEP;
  if (protocol !== IpProtocol.tcp) return [0, 2].map((step) => ({ ...base, time: at(step), payloadLength: 100 }));
  const acknowledgement = 200_001;
  return [
    { ...base, time: at(0), flags: Flag.syn, sequence: 1000 },
    { ...base, time: at(2), flags: Flag.ack, sequence: 1001, acknowledgement },
    { ...base, time: at(3), flags: Flag.push | Flag.ack, sequence: 1001, acknowledgement, payloadLength: 100 },
    { ...base, time: at(5), flags: Flag.fin | Flag.ack, sequence: 1101, acknowledgement },
  ];
}

/** Packets as a capture set: every interface of the router is in it, and each packet came in by its own. */
function madeCapture(
  router: Router,
  packets: readonly { readonly spec: PacketSpec; readonly interface: string }[],
): CaptureSet {
  const names =
    router.interfaces.length > 0
      ? router.interfaces.map((item) => item.name)
      : [...new Set(packets.map((item) => item.interface))];
  const interfaces = names.map(
    (name): CaptureInterface => ({ file: 0, name, linkType: LinkType.ethernet, snapLength: 65_535 }),
  );
  let next = 0;
  return {
    interfaces,
    next: (batch: PacketBatch) => {
      batch.length = 0;
      // A row of the batch is copied from a batch of one: what every column means stays in one place.
      while (next < packets.length && batch.length < batch.capacity) {
        const { spec, interface: name } = packets[next]!;
        const made = makePacket(spec);
        made.captureInterface[0] = names.indexOf(name);
        made.direction[0] = Direction.inbound;
        made.frameNumber[0] = ++next;
        batch.copyRows(made, 0, batch.length, 1);
        batch.length++;
      }
      return Promise.resolve(batch.length > 0);
    },
    files: () => [],
    problems: () => [],
    progress: () => ({ read: next, total: packets.length }),
    close: () => Promise.resolve(),
  };
}

/** First packets just outside the services' ports that go to SPS: it would not know what to do with them. */
function outsideRedirected(
  router: Router,
  { intent }: ResolvedIntent,
  client: Edge,
  servers: readonly Edge[],
): string[] {
  const isMonitored = (protocol: number, port: number): boolean =>
    intent.services.some(
      (service) => service.protocol === protocol && service.ports.first <= port && port <= service.ports.last,
    );
  const server = servers.find((edge) => edge.address.family === client.address.family);
  if (server === undefined || isOnSpsSegment(router, intent, server.address)) return [];
  const found = new Set<string>();
  for (const { protocol, ports } of intent.services) {
    for (const port of [ports.first - 1, ports.last + 1]) {
      if (port < 1 || port > 65_535 || isMonitored(protocol, port)) continue;
      const forwarder = router.forwarder();
      const packet = makePacket(clientPackets({ protocol, client, server, port }, 0, macOf(router, client))[0]!);
      const decisions = new DecisionBatch(1);
      forwarder.decide(packet, 0, forwarder.interfaceIndex(client.interface), decisions, 0);
      if (hopOf(decisions, 0, packet, 0, intent.sps) === Hop.sps) found.add(`${formatIpProtocol(protocol)}/${port}`);
    }
  }
  return [...found];
}
