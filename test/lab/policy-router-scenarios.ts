/**
 * The stored scenarios of Cisco IOS and Sophos UTM routers. Their traffic is real and was forwarded by a Linux host that was set up to do
 * with packets what such a router does by its documentation: no such router was there.
 */

import type { Extra } from './extras.ts';
import {
  NEXT_HOP,
  REQUEST_ENTRY,
  runningConfiguration,
  SEED_IN_ONE_LINE,
  SEED_STEPS,
  showArp,
  showArpBesideClients,
  showInterfaces,
  type Variant,
} from './policy-router-configurations.ts';
import type { Expectation } from './scenarios.ts';
import { type UtmVariant, utmExport } from './sophos-export.ts';
import { LAYOUTS, type LayoutName } from './topology.ts';

/** Traffic that several scenarios share: how the Linux host was set up, and which address SPS uses toward servers. */
export interface Traffic {
  readonly snat: 'own' | 'client';
  readonly layout?: LayoutName;
  readonly extras?: readonly Extra[];
  /** Bytes that the client asks with. */
  readonly request?: number;
  readonly commands: readonly string[];
}

const MARK = (interfaceName: string, match: string): string =>
  `iptables -t mangle -A PREROUTING -i ${interfaceName} -p tcp ${match} -j MARK --set-mark 1`;
const REQUESTS = MARK('eth0', '-s 192.168.0.0/24 -d 10.0.0.0/24 --dport 22');
const REPLIES = MARK('eth2', '-s 10.0.0.0/24 --sport 22 -d 192.168.0.0/24');
const table = (sps: string): string[] => [
  '103 scb',
  `ip route add default via ${sps} table scb`,
  'ip rule add fwmark 1 table scb',
];
const ROUTING = table('172.16.0.1');
const BESIDE = LAYOUTS['sps-beside-clients'].sps;

/** Marks stand for the route-maps: without connection tracking, as a router decides by each packet. */
export const TRAFFIC = {
  both: { snat: 'client', commands: [REQUESTS, REPLIES, ...ROUTING] },
  requests: { snat: 'client', commands: [REQUESTS, ...ROUTING] },
  ownAddress: { snat: 'own', commands: [REQUESTS, ...ROUTING] },
  answers: { snat: 'client', commands: [REPLIES, ...ROUTING] },
  plain: { snat: 'own', commands: [] },
  strict: { snat: 'client', commands: [REQUESTS, REPLIES, ...ROUTING, 'sysctl -w net.ipv4.conf.eth1.rp_filter=1'] },
  beside: {
    snat: 'own',
    layout: 'sps-beside-clients',
    commands: [REQUESTS.replace('-p tcp', `-m mac ! --mac-source ${BESIDE.mac} -p tcp`), ...table(BESIDE.address)],
  },
  /** Later fragments, which have no ports, go where their hosts' first ones go. */
  fragments: {
    snat: 'own',
    extras: ['client-fragments'],
    request: 1200,
    commands: [
      REQUESTS,
      'iptables -t mangle -A PREROUTING -i eth0 -f -p tcp -s 192.168.0.0/24 -d 10.0.0.0/24 -j MARK --set-mark 1',
      ...ROUTING,
    ],
  },
} satisfies Readonly<Record<string, Traffic>>;

export type TrafficName = keyof typeof TRAFFIC;

export interface PolicyRouterScenario {
  readonly name: string;
  readonly shows: string;
  readonly traffic: TrafficName;
  /** Default: as the traffic's. */
  readonly snat?: 'own' | 'client';
  /** Interfaces that face SPS, by the router's names. */
  readonly spsInterface: string;
  readonly files: Readonly<Record<string, string>>;
  readonly constructed?: string;
  readonly expect: Expectation;
}

const CAUSES = ['RV303', 'RV403', 'RV406', 'RV407', 'RV408', 'RV409', 'RV411', 'RV413', 'RV503', 'RV504', 'RV505'];
const NEVER = ['RV301', 'RV302', 'RV304', 'RV505', 'RV901', 'RV902'];

const verified = (...findings: string[]): Expectation => ({
  verdict: 'verified',
  findings,
  absent: [...NEVER, ...CAUSES, 'RV501', 'RV502', 'RV601', 'RV602'].filter((code) => !findings.includes(code)),
});

const failed = (...findings: string[]): Expectation => ({
  verdict: 'failed',
  findings,
  absent: [...NEVER, ...CAUSES, 'RV502'].filter((code) => !findings.includes(code)),
});

interface Ios {
  readonly name: string;
  readonly shows: string;
  readonly traffic: TrafficName;
  readonly variant?: Variant;
  readonly files?: Readonly<Record<string, string>>;
  readonly expect: Expectation;
  readonly spsInterface?: string;
}

function ios({ variant, files, spsInterface = 'FastEthernet0/1', ...rest }: Ios): PolicyRouterScenario {
  return {
    ...rest,
    spsInterface,
    files: files ?? { 'running-config.txt': runningConfiguration(variant), 'show-arp.txt': showArp() },
  };
}

function utm(
  name: string,
  shows: string,
  traffic: TrafficName,
  variant: UtmVariant,
  expect: Expectation,
): PolicyRouterScenario {
  return {
    name: `utm-${name}`,
    shows,
    traffic,
    spsInterface: 'eth1',
    snat: 'client',
    files: { 'export.json': utmExport(variant) },
    constructed: 'The export is constructed from the documented classes of the REST API.',
    expect,
  };
}

const ENTRY_10 = [' match ip address ssh-inbound', ` ${NEXT_HOP}`];

/** Without the reply list and map: SPS uses its own address. */
const OWN: Variant = { replies: false };

export const POLICY_ROUTER_SCENARIOS: readonly PolicyRouterScenario[] = [
  ios({
    name: 'ios-seed',
    shows: "The seed's full configuration for Cisco routers, pasted as it stands there: in one line.",
    traffic: 'both',
    files: { 'running-config.txt': `${SEED_IN_ONE_LINE}\n`, 'show-arp.txt': showArp() },
    expect: verified(),
  }),
  ios({
    name: 'ios-seed-steps',
    shows: "The seed's steps with its example values, at the prompts, and what show interfaces says of addresses.",
    traffic: 'both',
    files: { 'steps.txt': SEED_STEPS, 'show-interfaces.txt': showInterfaces(), 'show-arp.txt': showArp() },
    expect: verified(),
  }),
  ios({
    name: 'ios-seed-own-address',
    shows: 'SPS uses its own address toward servers: the route-map for replies is not needed.',
    traffic: 'ownAddress',
    variant: OWN,
    expect: verified(),
  }),
  ios({
    name: 'ios-reply-map-missing',
    shows: "SPS uses the client's address, and nothing redirects the servers' replies.",
    traffic: 'requests',
    variant: OWN,
    expect: failed('RV411', 'RV601'),
  }),
  ios({
    name: 'ios-map-on-wrong-interface',
    shows: 'The route-map for requests is on the interface of the servers.',
    traffic: 'plain',
    variant: { ...OWN, clients: [], servers: ['ip policy route-map scb-inbound'] },
    expect: failed('RV501'),
  }),
  ios({
    name: 'ios-list-swapped',
    shows: 'Source and destination are swapped in the access list.',
    traffic: 'plain',
    variant: { ...OWN, requests: ['permit tcp 10.0.0.0 0.0.0.255 192.168.0.0 0.0.0.255 eq 22'] },
    expect: failed('RV501'),
  }),
  ios({
    name: 'ios-netmask-for-wildcard',
    shows: 'The access list has netmasks where IOS expects their inverse.',
    traffic: 'plain',
    variant: { ...OWN, requests: ['permit tcp 192.168.0.0 255.255.255.0 10.0.0.0 255.255.255.0 eq 22'] },
    expect: failed('RV501'),
  }),
  ios({
    name: 'ios-sequence-order',
    shows:
      'An entry of the route-map that leaves all traffic between the networks alone comes before the one that redirects.',
    traffic: 'plain',
    variant: {
      ...OWN,
      more: ['access-list 101 permit ip 192.168.0.0 0.0.0.255 10.0.0.0 0.0.0.255'],
      requestMap: [
        'route-map scb-inbound deny 10',
        ' match ip address 101',
        'route-map scb-inbound permit 20',
        ...ENTRY_10,
      ],
    },
    expect: failed('RV403', 'RV501'),
  }),
  ios({
    name: 'ios-deny-exempts',
    shows: 'An entry of the access list that is to exempt one client exempts its whole network.',
    traffic: 'plain',
    variant: { ...OWN, requests: ['deny ip 192.168.0.0 0.0.0.255 any', REQUEST_ENTRY] },
    expect: failed('RV403', 'RV501'),
  }),
  ios({
    name: 'ios-urpf-strict',
    shows:
      "Strict uRPF on the interface facing SPS drops what SPS sends: its sources are the servers' and the clients' addresses.",
    traffic: 'strict',
    variant: { sps: ['ip verify unicast source reachable-via rx'] },
    expect: failed('RV407', 'RV602'),
  }),
  ios({
    name: 'ios-default-next-hop',
    shows: 'set ip default next-hop redirects only what no explicit route leads to; the servers are connected.',
    traffic: 'plain',
    variant: {
      ...OWN,
      requestMap: [
        'route-map scb-inbound permit 10',
        ' match ip address ssh-inbound',
        ' set ip default next-hop 172.16.0.1',
      ],
    },
    expect: failed('RV501'),
  }),
  ios({
    name: 'ios-next-hop-not-connected',
    shows: 'The next hop is on no connected network, and no route leads to it.',
    traffic: 'plain',
    variant: {
      ...OWN,
      requestMap: ['route-map scb-inbound permit 10', ' match ip address ssh-inbound', ' set ip next-hop 172.17.0.1'],
    },
    expect: failed('RV409', 'RV501'),
  }),
  ios({
    name: 'ios-list-undefined',
    shows: 'The route-map names an access list that nothing defines.',
    traffic: 'plain',
    variant: { ...OWN, requests: undefined },
    expect: { verdict: 'failed', undetermined: true, findings: ['RV303'], absent: ['RV302', 'RV304', 'RV902'] },
  }),
  ios({
    name: 'ios-map-undefined',
    shows: 'The interface names a route-map that nothing defines.',
    traffic: 'plain',
    variant: { ...OWN, requestMap: [] },
    expect: failed('RV303', 'RV501'),
  }),
  ios({
    name: 'ios-beside-clients',
    shows: "SPS is on the clients' segment and exempt by its address; the router sends ICMP redirects.",
    traffic: 'beside',
    spsInterface: 'FastEthernet0/0',
    files: {
      'running-config.txt': runningConfiguration({
        ...OWN,
        requests: [`deny ip host ${BESIDE.address} any`, REQUEST_ENTRY],
        requestMap: [
          'route-map scb-inbound permit 10',
          ' match ip address ssh-inbound',
          ` set ip next-hop ${BESIDE.address}`,
        ],
      }),
      'show-arp.txt': showArpBesideClients(BESIDE.address, BESIDE.mac),
    },
    expect: verified('RV413'),
  }),
  ios({
    name: 'ios-fragments',
    shows: "The client's packets come in fragments: an entry with a port takes the later ones by their hosts.",
    traffic: 'fragments',
    variant: OWN,
    expect: verified(),
  }),
  utm(
    'correct',
    'Two policy routes to SPS: requests from clients, and answers by source port.',
    'both',
    {},
    verified(),
  ),
  utm(
    'reply-route-missing',
    "SPS uses the client's address, and no policy route takes the answers.",
    'requests',
    { replyRoute: 'missing' },
    failed('RV411', 'RV601'),
  ),
  utm(
    'reply-wrong-ports',
    'The policy route for answers has the plain service, whose destination port is 22.',
    'requests',
    { replyRoute: 'wrong-ports' },
    failed('RV411', 'RV601'),
  ),
  utm(
    'route-disabled',
    'The policy route for requests is switched off.',
    'answers',
    { requestRouteOff: true },
    failed('RV501'),
  ),
  utm(
    'wrong-order',
    'A policy route for all services comes before those to SPS.',
    'answers',
    { catchAllFirst: true },
    failed('RV403', 'RV506'),
  ),
  utm(
    'spoof-protection',
    'Spoof protection drops what SPS sends with addresses of other networks.',
    'strict',
    { spoofProtection: 'normal' },
    failed('RV407', 'RV602'),
  ),
];
