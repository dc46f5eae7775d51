/**
 * Counters in the client's, SPS's and the server's namespaces: who sent how much, and what arrived by which way.
 *
 * A packet's TTL on arrival is its sender's initial TTL less the hops it took, so it tells the client's own packets from those
 * that SPS made with the client's address. Payload bytes are counted beside packets because receive offload merges packets on the
 * way: then only the bytes are conserved.
 */
import { run } from './command.ts';
import type { Namespaces } from './namespaces.ts';
import { type Host, type Hosts, type Role, SERVICE_PORT, sessionAddress, usesIpv6 } from './topology.ts';

/** The measuring points, in the order of the path. */
export const POINTS = [
  'clientSent',
  'spsReceivedFromClient',
  'spsReceivedFromHiddenClient',
  'spsReceivedAgain',
  'spsSentToClient',
  'clientReceivedFromSps',
  'clientReceivedDirectly',
  'clientReceivedOtherwise',
  'spsSentToServer',
  'serverReceivedFromSps',
  'serverReceivedDirectly',
  'serverReceivedOtherwise',
  'serverSent',
  'spsReceivedFromServer',
  'spsReceivedFromClientBeside',
  'clientReceivedFromSpsBeside',
  'serverReceivedFromSpsBeside',
  'spsReceivedFromServerBeside',
  'clientReceivedForwardedBeside',
] as const;

export type Point = (typeof POINTS)[number];
export interface Count {
  readonly packets: number;
  readonly payload: number;
}
export type Counts = Readonly<Record<Point, Count>>;

/** Which packets are counted where; the first that fits counts. */
interface Rule {
  readonly point: Point;
  readonly hook: 'prerouting' | 'output';
  readonly match: string;
}

const TO_SERVICE = `tcp dport ${SERVICE_PORT}`;
const FROM_SERVICE = `tcp sport ${SERVICE_PORT}`;
/** Through the router; without it, on a segment of their own. */
const hopsLeft = (host: Host, passed: number) =>
  `${host.ipv6 === undefined ? 'ip ttl' : 'ip6 hoplimit'} ${host.initialTtl - passed}`;
const arriving = (host: Host) => hopsLeft(host, 1);
const beside = (host: Host) => hopsLeft(host, 0);
const from = (host: Host) => `${host.ipv6 === undefined ? 'ip' : 'ip6'} saddr ${sessionAddress(host)}`;

const rulesOf = ({ client, sps, server }: Hosts): Readonly<Record<Role, readonly Rule[]>> => ({
  client: [
    { point: 'clientSent', hook: 'output', match: TO_SERVICE },
    { point: 'clientReceivedFromSpsBeside', hook: 'prerouting', match: `${FROM_SERVICE} ${beside(sps)}` },
    {
      point: 'clientReceivedForwardedBeside',
      hook: 'prerouting',
      match: `${FROM_SERVICE} ${hopsLeft(server, 2)}`,
    },
    { point: 'clientReceivedFromSps', hook: 'prerouting', match: `${FROM_SERVICE} ${arriving(sps)}` },
    { point: 'clientReceivedDirectly', hook: 'prerouting', match: `${FROM_SERVICE} ${arriving(server)}` },
    { point: 'clientReceivedOtherwise', hook: 'prerouting', match: FROM_SERVICE },
  ],
  sps: [
    {
      point: 'spsReceivedFromClientBeside',
      hook: 'prerouting',
      match: `${from(client)} ${TO_SERVICE} ${beside(client)}`,
    },
    { point: 'spsReceivedFromServerBeside', hook: 'prerouting', match: `${FROM_SERVICE} ${beside(server)}` },
    {
      point: 'spsReceivedFromClient',
      hook: 'prerouting',
      match: `${from(client)} ${TO_SERVICE} ${arriving(client)}`,
    },
    { point: 'spsReceivedFromHiddenClient', hook: 'prerouting', match: `${TO_SERVICE} ${arriving(client)}` },
    { point: 'spsReceivedFromServer', hook: 'prerouting', match: `${FROM_SERVICE} ${arriving(server)}` },
    // What SPS sent itself, or forwarded before: it circles.
    { point: 'spsReceivedAgain', hook: 'prerouting', match: `tcp dport ${SERVICE_PORT}` },
    { point: 'spsReceivedAgain', hook: 'prerouting', match: `tcp sport ${SERVICE_PORT}` },
    { point: 'spsSentToClient', hook: 'output', match: FROM_SERVICE },
    { point: 'spsSentToServer', hook: 'output', match: TO_SERVICE },
  ],
  server: [
    { point: 'serverReceivedFromSpsBeside', hook: 'prerouting', match: `${TO_SERVICE} ${beside(sps)}` },
    { point: 'serverReceivedFromSps', hook: 'prerouting', match: `${TO_SERVICE} ${arriving(sps)}` },
    { point: 'serverReceivedDirectly', hook: 'prerouting', match: `${TO_SERVICE} ${arriving(client)}` },
    { point: 'serverReceivedOtherwise', hook: 'prerouting', match: TO_SERVICE },
    { point: 'serverSent', hook: 'output', match: FROM_SERVICE },
  ],
});

const TABLE = 'measuring';
/** Without options and extension headers, which the lab's hosts do not send. */
const HEADER_LENGTH = { ip: 20, ip6: 40 } as const;
/** Possible values of TCP's data offset, in words of four bytes. */
const DATA_OFFSETS = [5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/** Installs the counters, before every rule of the host and behind the place where it puts fragments together. `node`: the namespace, where it is not that of the role. */
export function installCounters(namespaces: Namespaces, role: Role, node: Role | 'bystander' = role): void {
  run(namespaces.enter(node, ['nft', '-f', '-']), ruleset(rulesOf(namespaces.hosts)[role], familyOf(namespaces)));
}

/** Sums of the hosts' counters. */
export function readCounters(namespaces: Namespaces, roles: readonly (Role | 'bystander')[]): Counts {
  const counts = Object.fromEntries(POINTS.map((point) => [point, { packets: 0, payload: 0 }])) as Record<Point, Count>;
  const family = familyOf(namespaces);
  for (const role of roles) {
    const listing = JSON.parse(run(namespaces.enter(role, ['nft', '-j', 'list', 'counters', 'table', family, TABLE])));
    for (const { counter } of listing.nftables as readonly { counter?: Counter }[]) {
      if (counter === undefined) continue;
      const [point, words] = counter.name.split('_') as [Point, string];
      const headers = HEADER_LENGTH[family] + 4 * Number(words);
      const { packets, payload } = counts[point];
      counts[point] = {
        packets: packets + counter.packets,
        payload: payload + counter.bytes - headers * counter.packets,
      };
    }
  }
  return counts;
}

/** What was counted between two readings. */
export function difference(before: Counts, after: Counts): Counts {
  const entries = POINTS.map((point) => [
    point,
    {
      packets: after[point].packets - before[point].packets,
      payload: after[point].payload - before[point].payload,
    },
  ]);
  return Object.fromEntries(entries) as Counts;
}

interface Counter {
  readonly name: string;
  readonly packets: number;
  readonly bytes: number;
}

function familyOf({ hosts }: Namespaces): 'ip' | 'ip6' {
  return usesIpv6(hosts) ? 'ip6' : 'ip';
}

function ruleset(rules: readonly Rule[], family: 'ip' | 'ip6'): string {
  const points = [...new Set(rules.map((rule) => rule.point))];
  const lines = [`table ${family} ${TABLE} {`];
  for (const point of points) {
    for (const words of DATA_OFFSETS) lines.push(`counter ${point}_${words} { }`);
    lines.push(`chain ${point} {`);
    for (const words of DATA_OFFSETS) lines.push(`tcp doff ${words} counter name "${point}_${words}" accept`);
    lines.push('}');
  }
  for (const hook of ['prerouting', 'output'] as const) {
    lines.push(`chain ${hook} {`, `type filter hook ${hook} priority -390; policy accept;`);
    for (const rule of rules.filter((candidate) => candidate.hook === hook)) {
      // `goto`: a packet is counted at one point only.
      lines.push(`${rule.match} goto ${rule.point}`);
    }
    lines.push('}');
  }
  return [...lines, '}', ''].join('\n');
}
