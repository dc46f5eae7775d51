import { parseRouterState } from '../../src/dialects/index.ts';
import { linuxRouter } from '../../src/verification/linux-router.ts';
import type { Router } from '../../src/verification/router.ts';

/** The file name that router states have in these tests. */
export const STATE_PATH = 'router.txt';

/** Rules of the seed's procedure as iptables-save prints them. */
export const Rule = {
  requests: '-A PREROUTING -d 10.0.0.0/24 -i eth0 -p tcp -m tcp --dport 3389 -j CONNMARK --set-xmark 0x1/0xffffffff',
  replies: '-A PREROUTING -s 10.0.0.0/24 -i eth2 -p tcp -m tcp --sport 3389 -j CONNMARK --set-xmark 0x1/0xffffffff',
  mark: '-A PREROUTING ! -i eth1 -m connmark --mark 0x1 -j MARK --set-xmark 0x1/0xffffffff',
} as const;

export const POLICY_RULES: readonly string[] = [
  '0:\tfrom all lookup local',
  '32765:\tfrom all fwmark 0x1 lookup scb',
  '32766:\tfrom all lookup main',
  '32767:\tfrom all lookup default',
];

export const CONNECTED: readonly string[] = [
  '10.0.0.0/24 dev eth2 proto kernel scope link src 10.0.0.254',
  '172.16.0.0/24 dev eth1 proto kernel scope link src 172.16.0.254',
  '192.168.0.0/24 dev eth0 proto kernel scope link src 192.168.0.254',
];

const LOCAL: readonly string[] = [
  'local 10.0.0.254 dev eth2 table local proto kernel scope host src 10.0.0.254',
  'broadcast 10.0.0.255 dev eth2 table local proto kernel scope link src 10.0.0.254',
  'local 127.0.0.0/8 dev lo table local proto kernel scope host src 127.0.0.1',
  'local 172.16.0.254 dev eth1 table local proto kernel scope host src 172.16.0.254',
  'broadcast 172.16.0.255 dev eth1 table local proto kernel scope link src 172.16.0.254',
  'local 192.168.0.254 dev eth0 table local proto kernel scope host src 192.168.0.254',
  'broadcast 192.168.0.255 dev eth0 table local proto kernel scope link src 192.168.0.254',
];

const ADDRESSES = `1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000
    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00
    inet 127.0.0.1/8 scope host lo
2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default qlen 1000
    link/ether 02:00:c0:a8:00:fe brd ff:ff:ff:ff:ff:ff
    inet 192.168.0.254/24 brd 192.168.0.255 scope global eth0
3: eth1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default qlen 1000
    link/ether 02:00:ac:10:00:fe brd ff:ff:ff:ff:ff:ff
    inet 172.16.0.254/24 brd 172.16.0.255 scope global eth1
4: eth2: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default qlen 1000
    link/ether 02:00:0a:00:00:fe brd ff:ff:ff:ff:ff:ff
    inet 10.0.0.254/24 brd 10.0.0.255 scope global eth2`;

const NEIGHBOURS: readonly string[] = [
  '192.168.0.10 dev eth0 lladdr 02:00:c0:a8:00:0a REACHABLE',
  '10.0.0.10 dev eth2 lladdr 02:00:0a:00:00:0a REACHABLE',
  '172.16.0.1 dev eth1 lladdr 02:00:ac:10:00:01 REACHABLE',
];

/** Parts of a state that differ from the seed's correct set-up for SPS's own address. */
export interface StateParts {
  readonly mangle?: readonly string[];
  /** Chain lines and rules of further tables: `{ filter: [':FORWARD DROP [0:0]', '-A FORWARD …'] }`. */
  readonly tables?: Readonly<Record<string, readonly string[]>>;
  readonly policyRules?: readonly string[];
  /** Routes of the redirect's table. */
  readonly redirectRoutes?: readonly string[];
  readonly mainRoutes?: readonly string[];
  readonly localRoutes?: readonly string[];
  readonly addresses?: string;
  readonly neighbours?: readonly string[];
  /** Keys like `eth1.rp_filter`; undefined leaves the line out. */
  readonly settings?: Readonly<Record<string, number | undefined>>;
  readonly rtTables?: readonly string[];
  /** Further sections as they stand. */
  readonly more?: string;
  /** Sections to leave out, by heading. */
  readonly without?: readonly string[];
}

const SETTINGS: Readonly<Record<string, number>> = {
  accept_local: 0,
  bc_forwarding: 0,
  forwarding: 1,
  ignore_routes_with_linkdown: 0,
  log_martians: 0,
  route_localnet: 0,
  rp_filter: 0,
  send_redirects: 1,
  shared_media: 1,
  src_valid_mark: 0,
};

/** A bundle as `collect linux` prints it: the seed's set-up with what the parts change. */
export function routerState(parts: StateParts = {}): string {
  const mangle = [
    ':PREROUTING ACCEPT [0:0]',
    ':INPUT ACCEPT [0:0]',
    ':FORWARD ACCEPT [0:0]',
    ':OUTPUT ACCEPT [0:0]',
    ':POSTROUTING ACCEPT [0:0]',
    ...(parts.mangle ?? [Rule.requests, Rule.mark]),
  ];
  const tables = Object.entries({ mangle, ...parts.tables }).flatMap(([name, lines]) => [
    `*${name}`,
    ...lines,
    'COMMIT',
  ]);
  const routes = [
    ...(parts.redirectRoutes ?? ['default via 172.16.0.1 dev eth1']).map((route) => `${route} table scb`),
    ...(parts.mainRoutes ?? CONNECTED),
    ...(parts.localRoutes ?? LOCAL),
  ];
  const sections: Readonly<Record<string, readonly string[]>> = {
    'iptables-save': tables,
    'ip rule show': parts.policyRules ?? POLICY_RULES,
    'ip route show table all': routes,
    'ip addr show': [parts.addresses ?? ADDRESSES],
    'ip neigh show': parts.neighbours ?? NEIGHBOURS,
    'sysctl -a': settingLines(parts.settings ?? {}),
    rt_tables: parts.rtTables ?? ['255\tlocal', '254\tmain', '253\tdefault', '103 scb'],
  };
  const text = Object.entries(sections)
    .filter(([heading]) => parts.without?.includes(heading) !== true)
    .map(([heading, lines]) => [`### ${heading}`, ...lines].join('\n'));
  return `${[...text, ...(parts.more === undefined ? [] : [parts.more])].join('\n')}\n`;
}

function settingLines(changed: Readonly<Record<string, number | undefined>>): string[] {
  const lines: string[] = [];
  for (const name of ['all', 'default', 'eth0', 'eth1', 'eth2', 'lo']) {
    for (const [key, value] of Object.entries(SETTINGS)) {
      const path = `${name}.${key}`;
      const set = path in changed ? changed[path] : value;
      if (set !== undefined) lines.push(`net.ipv4.conf.${path} = ${set}`);
    }
  }
  const others: Readonly<Record<string, number>> = {
    'net.ipv4.ip_forward': 1,
    'net.netfilter.nf_conntrack_checksum': 1,
    'net.netfilter.nf_conntrack_tcp_be_liberal': 0,
    'net.netfilter.nf_conntrack_tcp_loose': 1,
    'net.netfilter.nf_conntrack_tcp_timeout_established': 432_000,
    'net.netfilter.nf_conntrack_tcp_timeout_close': 10,
    'net.netfilter.nf_conntrack_tcp_timeout_time_wait': 120,
  };
  for (const [key, value] of Object.entries(others)) {
    const set = key in changed ? changed[key] : value;
    if (set !== undefined) lines.push(`${key} = ${set}`);
  }
  return lines;
}

/** The router of a state text. */
export function routerOf(text: string): Router {
  return linuxRouter(parseRouterState([{ path: STATE_PATH, text }]));
}

/** Number of the first line that holds a text. */
export function lineOf(text: string, part: string): number {
  const index = text.split('\n').findIndex((line) => line.includes(part));
  if (index < 0) throw new Error(`the state has no line with ${part}`);
  return index + 1;
}
