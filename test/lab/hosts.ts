/** The hosts around the router: SPS as a transparent proxy, the server, the client's sessions, offloads, neighbours. */
import { fileURLToPath } from 'node:url';
import { attempt, type Background, type PeerEvent, run, sleep, start } from './command.ts';
import type { Namespaces } from './namespaces.ts';
import {
  BYSTANDER,
  FIXED_SOURCE,
  HOSTS,
  PROXY_PORT,
  ROLES,
  ROUTER_INTERFACES,
  SECOND_TARGET,
  SERVERS_PREFIX,
  SERVERS_PREFIX_6,
  SERVICE_PORT,
  sessionAddress,
  usesIpv6,
} from './topology.ts';

/** The address that SPS uses toward servers: its own, the client's with a port of its own, the client's with its port, or one that is neither's. */
export type SpsSource = 'own' | 'client' | 'client-port' | 'fixed';

/**
 * `proxy`: works. `silent`: answers ARP, drops the rest. `reset`: the proxy is stopped and connections are refused.
 * `unreachable`: does not even answer ARP.
 */
export type SpsCondition = 'proxy' | 'silent' | 'reset' | 'unreachable';

/** Where SPS connects to: the client's destination, another server, or, where clients address SPS itself, the server. */
export type SpsTarget = 'original' | 'second' | 'server';

/** How the programs on SPS and on the client are to behave. */
export interface Behaviour {
  readonly source: SpsSource;
  readonly target: SpsTarget;
  /** TCP's initial sequence numbers of client and SPS have nothing to do with each other, as between machines; see README.md. */
  readonly unrelatedSequences: boolean;
  /** The client lets its packets be fragmented. */
  readonly clientFragments?: boolean;
}

/** Half a window of 2^31 apart, the client's ahead: what it sends then is beyond every window of the other connection. */
const CLIENT_SEQUENCE = 2_000_000_000;
const SPS_SEQUENCE = 1_000_000_000;

/** One exchange: bytes sent, bytes asked for. */
export type Exchange = readonly [request: number, response: number];

/** Three small sessions, and a large one whose answer takes many segments. */
export const SESSIONS: readonly (readonly Exchange[])[] = [
  [
    [120, 300],
    [80, 500],
  ],
  [
    [200, 700],
    [60, 200],
  ],
  [[150, 400]],
  [
    [100, 30_000],
    [3_000, 100],
  ],
];

export interface SessionResult {
  readonly session: number;
  /** The client's address and port. */
  readonly local: string;
  readonly ok: boolean;
  readonly received: number;
  readonly error?: string;
}

/** Sessions end by themselves after this time: the time that a recording of a broken set-up takes. */
const SESSION_SECONDS = 3;
const PROXY_CONNECT_SECONDS = 2;

export function setUpSps(namespaces: Namespaces, condition: SpsCondition, node: 'sps' | 'bystander' = 'sps'): void {
  const sps = (...argv: string[]) => run(namespaces.enter(node, argv));
  switch (condition) {
    case 'proxy': {
      const isIpv6 = usesIpv6(namespaces.hosts);
      const ip = ['ip', ...(isIpv6 ? ['-6'] : [])];
      sps(...ip, 'route', 'add', 'local', isIpv6 ? '::/0' : '0.0.0.0/0', 'dev', 'lo', 'table', '100');
      sps(...ip, 'rule', 'add', 'fwmark', '1', 'lookup', '100');
      const mangle = [isIpv6 ? 'ip6tables' : 'iptables', '-t', 'mangle', '-A', 'PREROUTING', '-p', 'tcp'];
      // Packets of the connections that SPS opened with the client's address, and of those it accepted.
      sps(...mangle, '-m', 'socket', '--transparent', '-j', 'MARK', '--set-mark', '1');
      sps(...mangle, '-m', 'socket', '--transparent', '-j', 'ACCEPT');
      // Clients may address SPS itself, too.
      for (const destination of [isIpv6 ? SERVERS_PREFIX_6 : SERVERS_PREFIX, sessionAddress(namespaces.hosts.sps)]) {
        const service = ['-d', destination, '--dport', String(SERVICE_PORT)];
        sps(...mangle, ...service, '-j', 'TPROXY', '--on-port', String(PROXY_PORT), '--tproxy-mark', '1');
      }
      return;
    }
    case 'silent':
      sps('iptables', '-t', 'mangle', '-A', 'PREROUTING', '-i', 'eth0', '-j', 'DROP');
      return;
    case 'reset':
      sps('iptables', '-A', 'FORWARD', '-p', 'tcp', '-j', 'REJECT', '--reject-with', 'tcp-reset');
      return;
    case 'unreachable':
      sps('ip', 'link', 'set', 'eth0', 'arp', 'off');
      return;
  }
}

/** Segmentation, receive merging and checksums by the (virtual) network card, everywhere on or off. */
export function setOffloads(namespaces: Namespaces, enabled: boolean): void {
  const state = enabled ? 'on' : 'off';
  // Order matters: without transmit checksums there is no segmentation offload.
  const features = ['tx', 'sg', 'tso', 'gso', 'gro'].flatMap((feature) => [feature, state]);
  // TCP builds packets of several segments even so, which are cut below every counter; with a limit of one it does not.
  const segments = enabled ? '65535' : '1';
  for (const name of ROUTER_INTERFACES) run(namespaces.enter('router', ['ethtool', '-K', name, ...features]));
  for (const role of ROLES) {
    run(namespaces.enter(role, ['ethtool', '-K', 'eth0', ...features]));
    run(namespaces.enter(role, ['ip', 'link', 'set', 'eth0', 'gso_max_segs', segments]));
  }
}

export async function startServer(namespaces: Namespaces): Promise<Background> {
  return startPeer(namespaces, 'server', ['server.py', anyAddress(namespaces), String(SERVICE_PORT)]);
}

export async function startProxy(
  namespaces: Namespaces,
  { source, target, unrelatedSequences }: Behaviour,
  node: 'sps' | 'bystander' = 'sps',
): Promise<Background> {
  const targets = { original: '', second: SECOND_TARGET.address, server: HOSTS.server.address };
  const from = source === 'fixed' ? FIXED_SOURCE : source;
  const place = [anyAddress(namespaces), String(PROXY_PORT)];
  const words = [...place, from, String(PROXY_CONNECT_SECONDS), targets[target], String(SERVICE_PORT)];
  return startPeer(namespaces, node, ['proxy.py', ...words, ...(unrelatedSequences ? [String(SPS_SEQUENCE)] : [])]);
}

function anyAddress({ hosts }: Namespaces): string {
  return usesIpv6(hosts) ? '::' : '0.0.0.0';
}

async function startPeer(
  namespaces: Namespaces,
  role: 'server' | 'sps' | 'bystander',
  argv: readonly string[],
): Promise<Background> {
  const program = start(namespaces.enter(role, python(argv)));
  await program.until(() => program.events.some((event) => event.event === 'ready'), 'ready');
  return program;
}

/** Runs sessions from the client to the server, all at the same time, and returns how each one ended. */
export async function runSessions(
  namespaces: Namespaces,
  sessions: readonly (readonly Exchange[])[],
  { unrelatedSequences, clientFragments }: Pick<Behaviour, 'unrelatedSequences' | 'clientFragments'>,
  from: 'client' | 'sps' = 'client',
): Promise<SessionResult[]> {
  const target = [sessionAddress(namespaces.hosts.server), String(SERVICE_PORT), String(SESSION_SECONDS)];
  const sequence = unrelatedSequences ? [String(CLIENT_SEQUENCE)] : [];
  const words = [...target, JSON.stringify(sessions), ...sequence];
  const environment = clientFragments === true ? ['env', 'LAB_FRAGMENTS=1'] : [];
  const client = start(namespaces.enter(from, [...environment, ...python(['client.py', ...words])]));
  await client.finished();
  const results = client.events.map((event: PeerEvent) => event as unknown as SessionResult);
  return results.toSorted((a, b) => a.session - b.session);
}

/** SPS's own business with a server, with which no client has to do: a session of the monitored service, and a datagram. */
export async function runOwnTraffic(namespaces: Namespaces): Promise<void> {
  await runSessions(namespaces, [[[40, 60]]], { unrelatedSequences: false }, 'sps');
  run(namespaces.enter('sps', python(['knock.py', namespaces.hosts.server.address])));
}

/** Lets the router learn its neighbours' MAC addresses; one that does not answer is learnt as failed. */
export async function learnNeighbours(namespaces: Namespaces, bystander: boolean): Promise<void> {
  const addresses = ROLES.map((role) => namespaces.hosts[role].onLink ?? namespaces.hosts[role].address);
  for (const role of ROLES) addresses.push(...[namespaces.hosts[role].ipv6?.address ?? []].flat());
  if (bystander) addresses.push(BYSTANDER.address);
  run(namespaces.enter('router', python(['knock.py', ...addresses])));
  // An entry fails after three unanswered requests, a second apart.
  const pending = () => /INCOMPLETE/.test(run(namespaces.enter('router', ['ip', 'neigh', 'show'])));
  for (let tries = 0; pending() && tries < 40; tries++) await sleep(100);
  for (const family of ['ipv4', 'ipv6']) attempt(namespaces.enter('router', ['conntrack', '-F', '-f', family]));
}

/** Lets everybody forget everybody's MAC addresses, so that a recording shows them. */
export function forgetNeighbours(namespaces: Namespaces): void {
  for (const role of ['router', ...ROLES] as const) run(namespaces.enter(role, ['ip', 'neigh', 'flush', 'all']));
}

function python(argv: readonly string[]): string[] {
  const [program, ...args] = argv;
  // -B: no compiled files in the source tree.
  return ['python3', '-B', fileURLToPath(new URL(`peers/${program}`, import.meta.url)), ...args];
}
