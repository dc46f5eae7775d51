/** What a Cisco IOS configuration does with one packet. */
import { parseDevice } from '../../../src/dialects/index.ts';
import { DecisionBatch, DISPOSITIONS } from '../../../src/forwarding/decision.ts';
import type { Forwarder } from '../../../src/forwarding/forwarder.ts';
import { createPolicyRouteForwarder } from '../../../src/forwarding/policy-route/policy-route-forwarder.ts';
import type { PolicyRouteDevice } from '../../../src/model/policy-route.ts';
import { formatIpv4, parseIpAddress } from '../../../src/net/ip-address.ts';
import { makePacket } from '../../../src/verification/probe-packet.ts';
import { stepText } from '../../kernel/told.ts';
import { type PacketBatch, Status } from '../../../src/wire/packet-batch.ts';

/** A packet in words: `tcp 192.168.0.10:40000 > 10.0.0.10:22`. */
export interface Sent {
  readonly packet: string;
  /** Default: the interface of clients. */
  readonly on?: string;
  readonly flags?: number;
  readonly length?: number;
  readonly tos?: number;
  readonly ttl?: number;
  readonly dontFragment?: boolean;
  /** A later fragment: it has no ports. */
  readonly later?: boolean;
  /** Bits to set, and others to clear. */
  readonly status?: number;
  readonly without?: number;
}

export const CLIENTS = 'FastEthernet0/0';
export const SPS = 'FastEthernet0/1';
export const SERVERS = 'FastEthernet1/0';

/** The seed's interfaces, with more statements each. */
export function interfaces({
  clients = [],
  sps = [],
  servers = [],
}: {
  readonly clients?: readonly string[];
  readonly sps?: readonly string[];
  readonly servers?: readonly string[];
}): string {
  const block = (name: string, address: string, statements: readonly string[]): string =>
    [`interface ${name}`, ` ip address ${address} 255.255.255.0`, ...statements.map((line) => ` ${line}`), '!'].join(
      '\n',
    );
  return [
    block(CLIENTS, '192.168.0.254', clients),
    block(SPS, '172.16.0.254', sps),
    block(SERVERS, '10.0.0.254', servers),
    '',
  ].join('\n');
}

/** A configuration whose policy on the clients' interface is one entry of a map, or several. */
export function policy(
  lines: readonly string[],
  more: readonly string[] = [],
  where: Parameters<typeof interfaces>[0] = {},
): string {
  const at = interfaces({ ...where, clients: ['ip policy route-map m', ...(where.clients ?? [])] });
  return `${at}${[...lines, ...more].join('\n')}\n`;
}

export function device(text: string): PolicyRouteDevice {
  const read = parseDevice([{ path: 'router.txt', text }]);
  if (read.kind !== 'policy-route') throw new Error('this is no router with policy routes');
  return read;
}

/** `FastEthernet0/1 172.16.0.1`, `dropped-by-rule`, or `undetermined: …`. */
export function fate(text: string, sent: Sent, nextHopsDown: readonly string[] = []): string {
  const down = nextHopsDown.map((address) => parseIpAddress(address)!);
  const forwarder = createPolicyRouteForwarder(device(text), { nextHopsDown: down });
  const decisions = new DecisionBatch(1);
  forwarder.decide(packetOf(sent), 0, forwarder.interfaceIndex(sent.on ?? CLIENTS), decisions, 0);
  const disposition = DISPOSITIONS[decisions.disposition[0]!]!;
  if (disposition === 'forwarded')
    return `${forwarder.interfaceNames[decisions.egress[0]!]} ${formatIpv4(decisions.nextHop[0]!)}`;
  if (disposition !== 'undetermined') return disposition;
  return `undetermined: ${forwarder.unknowns[decisions.unknown[0]!]!.reason}`;
}

const ADDRESSES = ['192.168.0.10', '172.16.0.1', '10.0.0.10', '8.8.8.8'];
const ENDS = ADDRESSES.flatMap((source) =>
  ADDRESSES.flatMap((destination) => (source === destination ? [] : [[source, destination] as const])),
);
const MANY: readonly Sent[] = [
  ...ENDS.map(([source, destination]) => ({ packet: `tcp ${source}:40000 > ${destination}:22` })),
  ...ENDS.map(([source, destination]) => ({ packet: `tcp ${source}:22 > ${destination}:40000`, flags: 18 })),
  ...[
    '192.168.0.254',
    '172.16.0.254',
    '10.0.0.255',
    '255.255.255.255',
    '224.0.0.5',
    '192.168.0.1',
    '10.0.0.20',
    '172.16.0.9',
    '172.20.0.1',
  ].map((destination) => ({ packet: `tcp 192.168.0.10:40000 > ${destination}:22` })),
  ...['0.0.0.1', '127.0.0.1', '224.0.0.1', '255.255.255.255', '192.168.0.11', '192.168.1.10'].map((source) => ({
    packet: `tcp ${source}:40000 > 10.0.0.10:22`,
  })),
  ...[21, 23, 80, 3389].map((port) => ({ packet: `tcp 192.168.0.10:40000 > 10.0.0.10:${port}` })),
  ...[0, 1, 4, 16, 17, 18, 20].map((flags) => ({ packet: 'tcp 192.168.0.10:40000 > 10.0.0.10:22', flags })),
  { packet: 'udp 192.168.0.10:40000 > 10.0.0.10:22' },
  { packet: 'udp 192.168.0.10:40000 > 10.0.0.10:514' },
  { packet: 'icmp 192.168.0.10 > 10.0.0.10' },
  ...[
    { ttl: 0 },
    { ttl: 1 },
    { ttl: 2 },
    { later: true },
    { length: 1200 },
    { length: 1500 },
    { length: 1501 },
    { length: 9000, dontFragment: false },
    { tos: 5 << 5 },
    { tos: 26 << 2 },
    { status: Status.malformed },
    { status: Status.options },
    { status: Status.fragment },
    { without: Status.transport },
    { without: Status.ip },
  ].map((more) => ({ packet: 'tcp 192.168.0.10:40000 > 10.0.0.10:22', ...more })),
];

/** What a router tells of many packets, each on every interface: one text a packet, with all that a decision holds and the walk. */
export function tell(forwarder: Forwarder): string[] {
  const decisions = new DecisionBatch(1);
  return MANY.flatMap((sent) =>
    forwarder.interfaceNames.map((name, ingress) => {
      forwarder.decide(packetOf(sent), 0, ingress, decisions, 0);
      const { capacity: _, record: __, recordStamp: ___, ...columns } = decisions;
      const said = Object.values(columns).map((column) => (column as Uint32Array).join('.'));
      return [`${name} ${JSON.stringify(sent)}`, said.join(' '), ...forwarder.explainLast().steps.map(stepText)].join(
        '\n',
      );
    }),
  );
}

function packetOf(sent: Sent): PacketBatch {
  const match = /^(tcp|udp|icmp) ([\d.]+)(?::(\d+))? > ([\d.]+)(?::(\d+))?$/.exec(sent.packet);
  if (match === null) throw new Error(`no packet: ${sent.packet}`);
  const batch = makePacket({
    protocol: { tcp: 6, udp: 17, icmp: 1 }[match[1]!]!,
    source: parseIpAddress(match[2]!)!,
    sourcePort: Number(match[3] ?? 0),
    destination: parseIpAddress(match[4]!)!,
    destinationPort: Number(match[5] ?? 0),
    sourceMac: -1,
    ttl: sent.ttl ?? 64,
    time: 1e18,
    flags: sent.flags ?? 2,
  });
  if (sent.length !== undefined) batch.networkLength[0] = sent.length;
  if (sent.tos !== undefined) batch.tos[0] = sent.tos;
  if (sent.dontFragment === false) batch.status[0]! &= ~Status.dontFragment;
  batch.status[0]! |= sent.status ?? 0;
  batch.status[0]! &= ~(sent.without ?? 0);
  if (sent.later === true) {
    batch.status[0] = Status.ip | Status.fragment;
    batch.fragmentOffset[0] = 1480;
    batch.sourcePort[0] = 0;
    batch.destinationPort[0] = 0;
  }
  return batch;
}
