/** The stored scenarios: one set-up each, what it shows, and what a verifier must say of it. */
import type { Extra } from './extras.ts';
import type { Exchange, SpsCondition, SpsSource, SpsTarget } from './hosts.ts';
import type { RecordOptions } from './lab.ts';
import { forIpv6, OWN_ADDRESS, SPOOFING, STEPS } from './procedure.ts';
import type { LayoutName } from './topology.ts';

export interface Expectation {
  readonly verdict: 'verified' | 'failed' | 'inconclusive';
  /** Where the verifier must not say what the kernel does: why, and what the kernel does. */
  readonly differs?: string;
  readonly kernel?: 'verified' | 'failed';
  /** The way of some packets is not certain, although the verdict is. */
  readonly undetermined?: boolean;
  /** Codes that must appear. */
  readonly findings: readonly string[];
  /** Codes that must not appear. */
  readonly absent: readonly string[];
}

/** A way to set up the lab. */
export interface SetUp {
  readonly snat: 'own' | 'client' | 'fixed';
  /** Command lines for the router, in order. */
  readonly commands: readonly string[];
  /** Default: as `snat` says. */
  readonly spsSource?: SpsSource;
  readonly spsCondition?: SpsCondition;
  readonly bystander?: boolean;
  readonly offloads?: boolean;
  readonly layout?: LayoutName;
  readonly extras?: readonly Extra[];
  readonly spsTarget?: SpsTarget;
  readonly unrelatedSequences?: boolean;
  /** What the intent says other than the layout has it. */
  readonly site?: Partial<Site>;
}

/** The intent as the site file states it. */
export interface Site {
  readonly sps: readonly string[];
  readonly spsInterfaces: readonly string[];
  readonly snat: 'own' | 'client' | 'fixed';
  readonly services: readonly string[];
  readonly clients: readonly string[];
  readonly servers: readonly string[];
}

export interface RecordedScenario extends SetUp {
  readonly kind: 'recorded';
  readonly name: string;
  readonly shows: string;
  readonly expect: Expectation;
  readonly snapLength?: number;
  /** Stores one file only, of frames cut behind their headers, where the other ways of recording would show nothing new. */
  readonly compact?: 'merged' | 'any';
  /** Default: those of lab.ts; of a compact scenario one. */
  readonly sessions?: readonly (readonly Exchange[])[];
  readonly between?: RecordOptions['between'];
  /** Stores the set-up also as a procedure pasted from documentation. */
  readonly procedure?: boolean;
}

/** The captures of another scenario, judged against a router's state that is stored in that scenario's folder. */
export interface WhatIfScenario extends SetUp {
  readonly kind: 'what-if';
  readonly name: string;
  readonly shows: string;
  readonly expect: Expectation;
  /** The scenario whose captures these are. */
  readonly capturesOf: string;
  /** The folder of the router's state, in that scenario's folder. */
  readonly routerFolder: string;
}

export type Scenario = RecordedScenario | WhatIfScenario;

const FULL_LENGTH = 262_144;
/** Ethernet, IPv4 and the longest TCP header that the lab's hosts send. */
const HEADERS_LENGTH = 80;
/** With IPv6. */
const HEADERS_LENGTH_6 = 100;
const ONE_SESSION: readonly (readonly Exchange[])[] = [[[120, 300]]];
const TWO_SESSIONS = [...ONE_SESSION, ...ONE_SESSION];

/** Whatever the set-up: the state is complete, and the router runs what its state says. */
const NEVER = ['RV301', 'RV302', 'RV303', 'RV304', 'RV505'];

/** Every code that says something against a set-up or against what happened. */
const OBJECTIONS = [
  ...codes(401, 416),
  ...codes(501, 513).filter((code) => code !== 'RV505'),
  ...codes(601, 605),
  'RV901',
  'RV902',
];

const verified = (...findings: string[]): Expectation => ({
  verdict: 'verified',
  findings,
  absent: [...NEVER, ...OBJECTIONS.filter((code) => !findings.includes(code))],
});

const failed = (findings: readonly string[], absent: readonly string[] = []): Expectation => ({
  verdict: 'failed',
  findings,
  absent: [...NEVER, ...absent, 'RV902'],
});

/** What the kernel does and a verifier does not know. */
const unknown = (kernel: 'verified' | 'failed', differs: string, ...findings: string[]): Expectation => ({
  verdict: 'inconclusive',
  differs,
  kernel,
  findings,
  absent: ['RV302', 'RV303', 'RV304', 'RV505', ...OBJECTIONS.filter((code) => !findings.includes(code))],
});

/** Another line in the place of one of the procedure's. */
const replace = (commands: readonly string[], step: string, by: readonly string[]): string[] =>
  commands.flatMap((command) => (command === step ? by : [command]));

const reversePathFilter = (name: string, value: number) => `echo ${value} > /proc/sys/net/ipv4/conf/${name}/rp_filter`;

const WITHOUT_REPLY_RULE = replace(SPOOFING, STEPS.REPLY_RULE, []);
const BROKEN_FOR_WHAT_IF = [...WITHOUT_REPLY_RULE, reversePathFilter('all', 1)];

/** The procedure's routing alone: the packets are marked in another way. */
const ROUTING = [STEPS.TABLE_NAME, STEPS.ROUTE, STEPS.POLICY_RULE];
const besideClients = (commands: readonly string[]) =>
  commands.map((command) => command.replace('172.16.0.1 ', '192.168.0.1 ').replace('! -i eth1', '! -i eth0'));
const besideServers = (commands: readonly string[]) =>
  commands.map((command) => command.replace('172.16.0.1 ', '10.0.0.1 ').replace('! -i eth1', '! -i eth2'));
const MARK_BESIDE_CLIENTS = STEPS.MARK_RULE.replace('! -i eth1', '! -i eth0');
const STATELESS_BESIDE_CLIENTS =
  'iptables -t mangle -A PREROUTING -i eth0 -m mac ! --mac-source 02:00:c0:a8:00:01 -p tcp -d 10.0.0.0/24 --dport 3389 -j MARK --set-mark 1';
const NO_ICMP_REDIRECTS = ['all', 'eth0'].map((name) => `sysctl -w net.ipv4.conf.${name}.send_redirects=0`);

/** Client and SPS talk in zone 1, SPS and server in zone 2 (iptables-extensions(8): CT). */
const ZONES = [
  '-i eth0 -j CT --zone 1',
  '-i eth1 -s 10.0.0.0/24 -j CT --zone 1',
  '-i eth1 -d 10.0.0.0/24 -j CT --zone 2',
  '-i eth2 -j CT --zone 2',
].map((rule) => `iptables -t raw -A PREROUTING ${rule}`);

export const SCENARIOS: readonly Scenario[] = [
  recorded({
    name: 'seed-own-address',
    shows: "The seed's procedure where SPS uses its own address toward servers. Frames are stored at full length.",
    snat: 'own',
    commands: OWN_ADDRESS,
    procedure: true,
    snapLength: FULL_LENGTH,
    expect: verified(),
  }),
  recorded({
    name: 'seed-spoofing',
    shows: "The seed's procedure where SPS uses the client's address toward servers, with ports of its own.",
    snat: 'client',
    commands: SPOOFING,
    procedure: true,
    expect: verified(),
  }),
  recorded({
    name: 'spoofing-same-port',
    shows:
      "SPS uses the client's address and the client's port, so one five-tuple serves both TCP connections of a session; the seed's procedure as for spoofing.",
    snat: 'client',
    spsSource: 'client-port',
    commands: SPOOFING,
    expect: verified(),
  }),
  recorded({
    name: 'rp-filter-strict-interface',
    shows:
      "Strict reverse path filter on the interface facing SPS: SPS's answers to the client have the server's address and are dropped, though SPS uses its own address toward servers.",
    snat: 'own',
    commands: [...OWN_ADDRESS, reversePathFilter('eth1', 1)],
    expect: failed(['RV407', 'RV602'], ['RV411', 'RV415', 'RV501', 'RV502', 'RV503', 'RV511', 'RV601']),
  }),
  recorded({
    name: 'rp-filter-strict-all',
    shows: 'The reverse path filter is off on the interface facing SPS and strict on `all`: the greater value counts.',
    snat: 'client',
    commands: [...SPOOFING, reversePathFilter('all', 1)],
    expect: failed(['RV407', 'RV415', 'RV602'], ['RV411', 'RV501', 'RV502', 'RV503', 'RV511', 'RV601']),
  }),
  recorded({
    name: 'rp-filter-loose',
    shows:
      'Strict on `all` and loose on the interface facing SPS: the greater value counts, which is loose there, and works.',
    snat: 'client',
    commands: [...SPOOFING, reversePathFilter('all', 1), reversePathFilter('eth1', 2)],
    expect: verified(),
  }),
  recorded({
    name: 'reply-rule-forgotten',
    shows:
      "SPS uses the client's address and nothing redirects the servers' replies: they go straight to the client. Its reset marks the connection, so that sessions come about by accident.",
    snat: 'client',
    commands: WITHOUT_REPLY_RULE,
    expect: failed(['RV411', 'RV601'], ['RV405', 'RV407', 'RV502', 'RV503', 'RV511', 'RV602']),
  }),
  recorded({
    name: 'mark-before-connmark',
    shows:
      'The packet mark is read before the rule that sets the connection mark (-A where -I was meant): the first packet goes straight to the server, the later ones to SPS.',
    snat: 'own',
    commands: [
      STEPS.MARK_RULE,
      STEPS.FORWARD_RULE.replace(' -I ', ' -A '),
      STEPS.TABLE_NAME,
      STEPS.ROUTE,
      STEPS.POLICY_RULE,
    ],
    expect: failed(['RV405', 'RV501'], ['RV401', 'RV402', 'RV403', 'RV404', 'RV602']),
  }),
  recorded({
    name: 'no-sps-exemption',
    shows: "The marking rule does not exempt SPS's interface: what SPS sends to the client circles until its TTL ends.",
    snat: 'own',
    commands: replace(OWN_ADDRESS, STEPS.MARK_RULE, [STEPS.MARK_RULE.replace(' ! -i eth1', '')]),
    expect: failed(['RV406', 'RV502'], ['RV405', 'RV501', 'RV503', 'RV602']),
  }),
  recorded({
    name: 'wrong-port',
    shows:
      'The rule marks port 3390 where the monitored service is on 3389: nothing is redirected, and all sessions succeed.',
    snat: 'own',
    commands: replace(OWN_ADDRESS, STEPS.FORWARD_RULE, [STEPS.FORWARD_RULE.replace('3389', '3390')]),
    expect: failed(['RV501'], ['RV502', 'RV503', 'RV602']),
  }),
  recorded({
    name: 'empty-table',
    shows:
      'The policy rule selects a table without a route: the lookup goes on to `main`, and everything bypasses SPS.',
    snat: 'own',
    commands: replace(OWN_ADDRESS, STEPS.ROUTE, []),
    expect: failed(['RV402', 'RV501'], ['RV401', 'RV403', 'RV405', 'RV602']),
  }),
  recorded({
    name: 'wrong-next-hop',
    shows: "The redirect's next hop is another host on SPS's segment, which answers ARP and forwards nothing.",
    snat: 'own',
    commands: replace(OWN_ADDRESS, STEPS.ROUTE, [STEPS.ROUTE.replace('172.16.0.1 ', '172.16.0.2 ')]),
    bystander: true,
    expect: failed(['RV408', 'RV506'], ['RV402', 'RV409', 'RV501', 'RV602']),
  }),
  recorded({
    name: 'policy-rule-behind-main',
    shows: "The redirect's policy rule has a priority behind that of `main`, whose connected routes decide first.",
    snat: 'own',
    commands: replace(OWN_ADDRESS, STEPS.POLICY_RULE, [`${STEPS.POLICY_RULE} pref 40000`]),
    expect: failed(['RV403', 'RV501'], ['RV401', 'RV402', 'RV405', 'RV602']),
  }),
  recorded({
    name: 'filter-forbids-detour',
    shows:
      'A filter that allows traffic between the interfaces of clients and servers only: it drops what is redirected to SPS.',
    snat: 'own',
    commands: [
      ...OWN_ADDRESS,
      'iptables -P FORWARD DROP',
      'iptables -A FORWARD -i eth0 -o eth2 -j ACCEPT',
      'iptables -A FORWARD -i eth2 -o eth0 -j ACCEPT',
    ],
    expect: failed(['RV503'], ['RV501', 'RV502', 'RV511', 'RV602']),
  }),
  recorded({
    name: 'masquerade-toward-sps',
    shows:
      "Source NAT on the way to SPS: every packet traverses SPS, and SPS records the router's address instead of the client's.",
    snat: 'own',
    commands: [...OWN_ADDRESS, 'iptables -t nat -A POSTROUTING -o eth1 -j MASQUERADE'],
    expect: verified('RV507'),
  }),
  recorded({
    name: 'sps-down-silent',
    shows: 'The redirect is right; SPS answers ARP and nothing else.',
    snat: 'own',
    commands: OWN_ADDRESS,
    spsCondition: 'silent',
    expect: failed(['RV511'], ['RV501', 'RV502', 'RV503', 'RV506', 'RV602']),
  }),
  recorded({
    name: 'sps-reset',
    shows: "The redirect is right; SPS's proxy is stopped, and every connection is refused with a reset.",
    snat: 'own',
    commands: OWN_ADDRESS,
    spsCondition: 'reset',
    expect: failed(['RV511'], ['RV501', 'RV502', 'RV503', 'RV506', 'RV602']),
  }),
  recorded({
    name: 'sps-unreachable',
    shows:
      'The redirect is right; SPS is gone and does not even answer ARP, so that no redirected frame leaves the router.',
    snat: 'own',
    commands: OWN_ADDRESS,
    spsCondition: 'unreachable',
    expect: failed(['RV511'], ['RV501', 'RV502', 'RV503', 'RV506', 'RV602']),
  }),
  recorded({
    name: 'plain-before-redirect',
    shows:
      'Plain traffic between clients and servers, recorded before any redirect existed. The what-if scenarios use its captures, at full frame length.',
    snat: 'client',
    commands: [],
    snapLength: FULL_LENGTH,
    expect: failed(['RV501'], ['RV502', 'RV503', 'RV602']),
  }),
  whatIf({
    name: 'what-if-correct',
    shows: "What the seed's procedure for spoofing would do to the plain traffic.",
    snat: 'client',
    commands: SPOOFING,
    capturesOf: 'plain-before-redirect',
    routerFolder: 'router-correct',
    expect: verified(),
  }),
  whatIf({
    name: 'what-if-broken',
    shows:
      'What a set-up with a strict reverse path filter on `all`, and without the reply rule, would do to the plain traffic.',
    snat: 'client',
    commands: BROKEN_FOR_WHAT_IF,
    capturesOf: 'plain-before-redirect',
    routerFolder: 'router-broken',
    expect: failed(['RV407', 'RV411', 'RV415', 'RV601', 'RV602'], ['RV501', 'RV502', 'RV503', 'RV511']),
  }),
  recorded({
    name: 'offloads-on',
    shows:
      'The correct set-up recorded with offloads: frames larger than the MTU, and checksums that a network card would complete.',
    snat: 'client',
    commands: SPOOFING,
    offloads: true,
    snapLength: FULL_LENGTH,
    expect: verified(),
  }),
  recorded({
    name: 'mark-decides-reverse-path',
    shows:
      'A strict reverse path filter on the interface of the clients, with src_valid_mark: the redirect’s own mark sends the lookup of the way back to SPS, and what clients send is dropped.',
    snat: 'own',
    commands: [...OWN_ADDRESS, reversePathFilter('eth0', 1), 'sysctl -w net.ipv4.conf.eth0.src_valid_mark=1'],
    expect: failed(['RV602', 'RV603'], ['RV407', 'RV501', 'RV502', 'RV503', 'RV511', 'RV601']),
  }),
  recorded({
    name: 'unmodelled-match',
    shows: 'The rule that redirects also asks for a rate, which it never exceeds here.',
    snat: 'own',
    commands: replace(OWN_ADDRESS, STEPS.FORWARD_RULE, [
      STEPS.FORWARD_RULE.replace(' -j ', ' -m limit --limit 9999/second --limit-burst 9999 -j '),
    ]),
    expect: unknown('verified', 'the rate match is not modelled, and the redirect depends on it', 'RV301', 'RV901'),
  }),
  recorded({
    name: 'native-nftables',
    shows: 'Beside the correct set-up there is a table of native nftables, which does no harm.',
    snat: 'own',
    commands: [
      ...OWN_ADDRESS,
      'nft add table ip site',
      "nft add chain ip site forward '{ type filter hook forward priority 0; policy accept; }'",
      'nft add rule ip site forward ip protocol icmp counter drop',
    ],
    expect: unknown(
      'verified',
      'tables of native nftables are not modelled, and may drop or mark anything',
      'RV301',
      'RV901',
    ),
  }),
  recorded({
    name: 'legacy-iptables',
    shows: 'The correct set-up, configured with the legacy variant of iptables.',
    snat: 'own',
    commands: OWN_ADDRESS.map((command) => command.replace(/^iptables /, 'iptables-legacy ')),
    expect: verified(),
  }),
  compact({
    name: 'beside-clients-recipe',
    shows:
      "SPS is on the clients' segment and the seed's procedure was followed to the letter: the exemption of SPS's interface exempts the clients, too. Everything bypasses SPS, and all sessions succeed.",
    snat: 'own',
    layout: 'sps-beside-clients',
    commands: besideClients(OWN_ADDRESS),
    expect: failed(['RV414', 'RV501'], ['RV502', 'RV503', 'RV510', 'RV602']),
  }),
  compact({
    name: 'beside-clients-connmark-by-mac',
    shows:
      "SPS is on the clients' segment and is exempt by its MAC address. The router never sees SPS's SYN-ACK, so the client's ACK is INVALID, has no connection mark, and goes straight to the server.",
    snat: 'own',
    layout: 'sps-beside-clients',
    commands: replace(besideClients(OWN_ADDRESS), MARK_BESIDE_CLIENTS, [
      'iptables -t mangle -A PREROUTING -m mac ! --mac-source 02:00:c0:a8:00:01 -m connmark --mark 1 -j MARK --set-mark 1',
      ...NO_ICMP_REDIRECTS,
    ]),
    expect: failed(['RV414', 'RV510'], ['RV413', 'RV502', 'RV503', 'RV602']),
  }),
  compact({
    name: 'beside-clients-stateless',
    shows:
      "SPS is on the clients' segment, exempt by its MAC address, and packets are marked without a connection mark. ICMP redirects are off.",
    snat: 'own',
    layout: 'sps-beside-clients',
    commands: [STATELESS_BESIDE_CLIENTS, ...NO_ICMP_REDIRECTS, ...besideClients(ROUTING)],
    expect: verified(),
  }),
  compact({
    name: 'beside-clients-icmp-redirects',
    shows: "The same with the kernel's default of send_redirects: the router tells the client to send to SPS directly.",
    snat: 'own',
    layout: 'sps-beside-clients',
    commands: [STATELESS_BESIDE_CLIENTS, ...besideClients(ROUTING)],
    expect: verified('RV413'),
  }),
  compact({
    name: 'beside-clients-spoofing',
    shows:
      "SPS is on the clients' segment and uses the client's address toward servers: requests and answers are marked without a connection mark, and SPS is exempt by its MAC address.",
    snat: 'client',
    layout: 'sps-beside-clients',
    commands: [
      STATELESS_BESIDE_CLIENTS,
      'iptables -t mangle -A PREROUTING -i eth2 -p tcp -s 10.0.0.0/24 --sport 3389 -j MARK --set-mark 1',
      ...NO_ICMP_REDIRECTS,
      ...besideClients(ROUTING),
    ],
    expect: verified(),
  }),
  compact({
    name: 'beside-servers-own-address',
    shows:
      "SPS is on the servers' segment and uses its own address: the seed's procedure works, even with a strict reverse path filter, and the server leg does not pass the router.",
    snat: 'own',
    layout: 'sps-beside-servers',
    commands: [...besideServers(OWN_ADDRESS), reversePathFilter('all', 1)],
    expect: verified(),
  }),
  compact({
    name: 'beside-servers-spoofing',
    shows:
      "SPS is on the servers' segment and uses the client's address: the exemption of its interface exempts the servers' answers, which go straight to the client.",
    snat: 'client',
    layout: 'sps-beside-servers',
    commands: besideServers(SPOOFING),
    expect: failed(['RV414', 'RV601'], ['RV411', 'RV501', 'RV502', 'RV503', 'RV602']),
  }),
  compact({
    name: 'beside-servers-spoofing-stateless',
    shows:
      "SPS is on the servers' segment and uses the client's address: requests and answers are marked without a connection mark, and SPS is exempt by its MAC address.",
    snat: 'client',
    layout: 'sps-beside-servers',
    commands: [
      'iptables -t mangle -A PREROUTING -i eth0 -p tcp -d 10.0.0.0/24 --dport 3389 -j MARK --set-mark 1',
      'iptables -t mangle -A PREROUTING -i eth2 -m mac ! --mac-source 02:00:0a:00:00:01 -p tcp -s 10.0.0.0/24 --sport 3389 -j MARK --set-mark 1',
      ...['all', 'eth2'].map((name) => `sysctl -w net.ipv4.conf.${name}.send_redirects=0`),
      ...besideServers(ROUTING),
    ],
    expect: verified(),
  }),
  compact({
    name: 'spoofing-same-port-invalid',
    shows:
      "SPS uses the client's address and port, and the sequence numbers of the two TCP connections do not fit together: conntrack calls the client's packets INVALID, which go straight to the server.",
    snat: 'client',
    spsSource: 'client-port',
    unrelatedSequences: true,
    commands: SPOOFING,
    expect: failed(['RV510'], ['RV407', 'RV411', 'RV502', 'RV503', 'RV511', 'RV602']),
  }),
  compact({
    name: 'spoofing-same-port-zones',
    shows: 'The same connections, each in a conntrack zone of its own: nothing is INVALID.',
    snat: 'client',
    spsSource: 'client-port',
    unrelatedSequences: true,
    commands: [...ZONES, ...SPOOFING],
    expect: verified(),
  }),
  compact({
    name: 'takeover',
    shows: "Between two sessions the other node of a pair takes SPS's address over: it has another MAC address.",
    snat: 'client',
    commands: SPOOFING,
    sessions: TWO_SESSIONS,
    between: 'takeover',
    expect: verified(),
  }),
  compact({
    name: 'own-traffic',
    shows:
      'Beside a session that it mediates SPS has business of its own with a server: a connection to the monitored port, with its own address, and a datagram.',
    snat: 'client',
    commands: SPOOFING,
    between: 'own-traffic',
    expect: verified(),
  }),
  compact({
    name: 'two-nodes-apart',
    shows:
      "Two nodes of SPS: what clients send goes to the one, the servers' answers, which spoofing makes pass the router, to the other.",
    snat: 'client',
    extras: ['second-node'],
    site: { sps: ['172.16.0.1', '172.16.0.2'] },
    commands: [
      STEPS.FORWARD_RULE,
      STEPS.REPLY_RULE.replace('--set-mark 1', '--set-mark 2'),
      STEPS.MARK_RULE,
      STEPS.MARK_RULE.replace('--mark 1', '--mark 2').replace('--set-mark 1', '--set-mark 2'),
      ...ROUTING,
      'ip route add default via 172.16.0.2 table 104',
      'ip rule add fwmark 2 table 104',
    ],
    expect: failed(['RV604'], ['RV407', 'RV411', 'RV501', 'RV503', 'RV511', 'RV601', 'RV602']),
  }),
  compact({
    name: 'two-nodes-multipath',
    shows: 'Two nodes of SPS behind a multipath route, each with its own address toward servers.',
    snat: 'own',
    extras: ['second-node'],
    site: { sps: ['172.16.0.1', '172.16.0.2'] },
    sessions: TWO_SESSIONS,
    // With the kernel's random key nobody can tell which node a connection goes to.
    commands: replace(OWN_ADDRESS, STEPS.ROUTE, [
      'sysctl -w net.ipv4.fib_multipath_hash_seed=1',
      'ip route add default table scb nexthop via 172.16.0.1 nexthop via 172.16.0.2',
    ]),
    expect: verified(),
  }),
  compact({
    name: 'two-interfaces',
    shows:
      'SPS is a router with two interfaces: clients are redirected to the one, by the other it reaches the servers.',
    snat: 'own',
    extras: ['second-interface'],
    site: { sps: ['172.16.0.1', '172.17.0.1'], spsInterfaces: ['eth1', 'eth3'] },
    commands: OWN_ADDRESS,
    expect: verified(),
  }),
  compact({
    name: 'fixed-target',
    shows: "SPS's policy names a fixed target: it connects to another server than the client meant.",
    snat: 'own',
    extras: ['second-target'],
    spsTarget: 'second',
    commands: OWN_ADDRESS,
    expect: verified(),
  }),
  compact({
    name: 'fixed-source',
    shows: "SPS uses a fixed address toward servers that is not its interface's; the router has a route to it.",
    snat: 'fixed',
    commands: [...OWN_ADDRESS, 'ip route add 172.16.9.9 via 172.16.0.1'],
    expect: verified(),
  }),
  compact({
    name: 'destination-nat',
    shows: "Clients are not routed to SPS but translated: DNAT of the servers' addresses to SPS's own.",
    snat: 'own',
    spsTarget: 'server',
    commands: [
      'iptables -t nat -A PREROUTING -i eth0 -p tcp -d 10.0.0.0/24 --dport 3389 -j DNAT --to-destination 172.16.0.1',
    ],
    expect: verified(),
  }),
  compact({
    name: 'masquerade-toward-servers',
    shows:
      "The router hides everybody behind its own address toward servers: SPS's use of the client's address is in vain.",
    snat: 'client',
    commands: [...SPOOFING, 'iptables -t nat -A POSTROUTING -o eth2 -j MASQUERADE'],
    expect: verified('RV507'),
  }),
  compact({
    name: 'remote-client',
    shows:
      'Clients are behind a further router, with a strict reverse path filter on the interface where they come in.',
    snat: 'client',
    layout: 'remote-client',
    site: { clients: ['192.168.50.0/24'] },
    commands: ['ip route add 192.168.50.0/24 via 192.168.0.10', ...SPOOFING, reversePathFilter('eth0', 1)],
    expect: verified(),
  }),
  compact({
    name: 'tunnelled-client',
    shows: 'Clients come by a tunnel, an interface without MAC addresses. Recorded on all interfaces at once.',
    snat: 'client',
    layout: 'tunnelled-client',
    extras: ['tunnel'],
    site: { clients: ['192.168.50.0/24'] },
    commands: SPOOFING.map((command) => command.replace('-i eth0', '-i tun0')),
    compact: 'any',
    expect: verified(),
  }),
  compact({
    name: 'client-beside-sps',
    shows: "A monitored client is on SPS's own segment: the exemption of SPS's interface exempts it, too.",
    snat: 'own',
    layout: 'client-beside-sps',
    site: { clients: ['192.168.0.0/24', '172.16.0.0/24'] },
    commands: OWN_ADDRESS,
    expect: failed(['RV416', 'RV501'], ['RV414', 'RV502', 'RV503', 'RV602']),
  }),
  recorded({
    name: 'ipv6-own-address',
    shows: "The seed's procedure for IPv6: ip6tables, `ip -6 rule`, a table of its own, SPS's IPv6 address.",
    snat: 'own',
    layout: 'dual-stack',
    snapLength: HEADERS_LENGTH_6,
    sessions: TWO_SESSIONS,
    commands: forIpv6(OWN_ADDRESS),
    expect: verified(),
  }),
  compact({
    name: 'ipv6-spoofing',
    shows: "The seed's procedure for IPv6 where SPS uses the client's IPv6 address toward servers.",
    snat: 'client',
    layout: 'dual-stack',
    snapLength: HEADERS_LENGTH_6,
    commands: forIpv6(SPOOFING),
    expect: verified(),
  }),
  recorded({
    name: 'ipv6-reply-rule-forgotten',
    shows:
      "SPS uses the client's IPv6 address and nothing redirects the servers' answers, which go straight to the client.",
    snat: 'client',
    layout: 'dual-stack',
    snapLength: HEADERS_LENGTH_6,
    sessions: TWO_SESSIONS,
    commands: forIpv6(WITHOUT_REPLY_RULE),
    expect: failed(['RV411', 'RV601'], ['RV405', 'RV502', 'RV503', 'RV508', 'RV511', 'RV602']),
  }),
  compact({
    name: 'ipv6-mark-before-connmark',
    shows:
      'The IPv6 packet mark is read before the rule that sets the connection mark: the first packet goes straight.',
    snat: 'own',
    layout: 'dual-stack',
    snapLength: HEADERS_LENGTH_6,
    commands: forIpv6([
      STEPS.MARK_RULE,
      STEPS.FORWARD_RULE.replace(' -I ', ' -A '),
      STEPS.TABLE_NAME,
      STEPS.ROUTE,
      STEPS.POLICY_RULE,
    ]),
    expect: failed(['RV405', 'RV501'], ['RV401', 'RV402', 'RV403', 'RV404', 'RV508']),
  }),
  compact({
    name: 'ipv6-not-redirected',
    shows: 'IPv4 is redirected as it should be, and nobody thought of IPv6, which clients prefer.',
    snat: 'own',
    layout: 'dual-stack',
    snapLength: HEADERS_LENGTH_6,
    site: {
      sps: ['172.16.0.1'],
      clients: ['192.168.0.0/24', '2001:db8:192::/64'],
      servers: ['10.0.0.0/24', '2001:db8:10::/64'],
    },
    commands: OWN_ADDRESS,
    expect: failed(['RV508'], ['RV405', 'RV502', 'RV503', 'RV602']),
  }),
];

function recorded(scenario: Omit<RecordedScenario, 'kind'>): RecordedScenario {
  return { kind: 'recorded', ...scenario };
}

function compact(scenario: Omit<RecordedScenario, 'kind'>): RecordedScenario {
  return { kind: 'recorded', compact: 'merged', snapLength: HEADERS_LENGTH, sessions: ONE_SESSION, ...scenario };
}

function whatIf(scenario: Omit<WhatIfScenario, 'kind'>): WhatIfScenario {
  return { kind: 'what-if', ...scenario };
}

function codes(first: number, last: number): string[] {
  return Array.from({ length: last - first + 1 }, (_, index) => `RV${first + index}`);
}
