/** The router's state as one bundle of sections, and the router's counters. */
import { run } from './command.ts';
import type { Namespaces } from './namespaces.ts';
import { usesIpv6 } from './topology.ts';

const TITLE = '### redirect-verify collect linux';

const SYSCTLS_6 = 'net\\.ipv6\\.conf\\..*\\.forwarding$';
const SYSCTLS = [
  'net\\.ipv4\\.(ip_forward|fib_multipath_\\w+)$',
  'net\\.ipv4\\.conf\\..*\\.(rp_filter|src_valid_mark|accept_local|send_redirects|shared_media|forwarding|route_localnet|log_martians|bc_forwarding|ignore_routes_with_linkdown)$',
  'net\\.netfilter\\.nf_conntrack_(tcp|udp|icmp|generic|checksum|max|acct|helper).*',
].join('|');

/** Section heading and the command whose output it holds. */
const SECTIONS: readonly (readonly [heading: string, command: string])[] = [
  ['date', 'date'],
  ['hostname', 'hostname'],
  ['uname -r', 'uname -r'],
  ['iptables-save', 'iptables-save'],
  ['iptables-legacy-save', 'iptables-legacy-save'],
  ['ip6tables-save', 'ip6tables-save'],
  ['nft list ruleset', 'nft list ruleset'],
  ['ip rule show', 'ip rule show'],
  ['ip route show table all', 'ip route show table all'],
  ['ip -6 rule show', 'ip -6 rule show'],
  ['ip -6 route show table all', 'ip -6 route show table all'],
  ['ip addr show', 'ip addr show'],
  ['ip -d link show', 'ip -d link show'],
  ['ip neigh show', 'ip neigh show'],
  ['sysctl -a', `sysctl -a -r '${SYSCTLS}'`],
  ['rt_tables', 'cat /etc/iproute2/rt_tables'],
  ['conntrack -L', 'conntrack -L 2>/dev/null'],
];

/** Files in /proc say that their size is zero, so `test -s` does not do. */
const HAS_LEGACY_TABLES = 'grep -q . /proc/net/ip_tables_names 2>/dev/null';

/** Takes the state. The section of iptables-legacy is there only where it has tables: asking would create them. */
export function collectRouterState(namespaces: Namespaces): string {
  const lines = [`echo '${TITLE}'`];
  const isIpv6 = usesIpv6(namespaces.hosts);
  for (const [heading, command] of SECTIONS) {
    if (!isIpv6 && heading.startsWith('ip -6 ')) continue;
    const further = isIpv6 && heading === 'sysctl -a' ? `; sysctl -a -r '${SYSCTLS_6}'` : '';
    const section = `echo '### ${heading}'; ${command}${further}`;
    lines.push(heading === 'iptables-legacy-save' ? `if ${HAS_LEGACY_TABLES}; then ${section}; fi` : section);
  }
  return run(namespaces.enterRouter(['sh', '-e', '-c', lines.join('\n')]));
}

/** `ip addr show` alone, as an administrator adds it to a pasted procedure. */
export function collectAddresses(namespaces: Namespaces): string {
  return run(namespaces.enterRouter(['ip', 'addr', 'show']));
}

/** What the router itself counted as not forwarded. */
export interface RouterCounts {
  readonly reversePathDrops: number;
  readonly noRoute: number;
  readonly ttlExpired: number;
  readonly filterDrops: number;
  readonly icmpUnreachableSent: number;
  readonly icmpRedirectsSent: number;
}

export function readRouterCounts(namespaces: Namespaces): RouterCounts {
  const isIpv6 = usesIpv6(namespaces.hosts);
  const statistics = parseStatistics(run(namespaces.enterRouter(['cat', '/proc/net/netstat', '/proc/net/snmp'])));
  if (isIpv6) addStatistics6(statistics, run(namespaces.enterRouter(['cat', '/proc/net/snmp6'])));
  const value = (group: string, name: string) => {
    const found = statistics.get(`${group}.${name}`);
    if (found === undefined) throw new Error(`this kernel has no counter ${group}.${name}`);
    return found;
  };
  return {
    reversePathDrops: value('TcpExt', 'IPReversePathFilter'),
    noRoute: value('IpExt', 'InNoRoutes'),
    ttlExpired: value('Icmp', 'OutTimeExcds'),
    filterDrops: readFilterDrops(namespaces, isIpv6 ? 'ip6tables' : 'iptables'),
    icmpUnreachableSent: value('Icmp', 'OutDestUnreachs'),
    icmpRedirectsSent: value('Icmp', 'OutRedirects'),
  };
}

export function routerDifference(before: RouterCounts, after: RouterCounts): RouterCounts {
  const keys = Object.keys(after) as (keyof RouterCounts)[];
  return Object.fromEntries(keys.map((key) => [key, after[key] - before[key]])) as unknown as RouterCounts;
}

/** Pairs of lines, `Group: name name` and `Group: value value`. */
function parseStatistics(text: string): Map<string, number> {
  const values = new Map<string, number>();
  const lines = text.split('\n').filter(Boolean);
  for (let at = 0; at + 1 < lines.length; at += 2) {
    const [group, ...names] = lines[at]!.split(' ');
    const numbers = lines[at + 1]!.split(' ').slice(1);
    for (const [index, name] of names.entries()) values.set(`${group!.slice(0, -1)}.${name}`, Number(numbers[index]));
  }
  return values;
}

/** Lines `Ip6InNoRoutes 3`: added to what IPv4 calls the same. */
function addStatistics6(values: Map<string, number>, text: string): void {
  const pairs = [
    ['Ip6InNoRoutes', 'IpExt.InNoRoutes'],
    ['Icmp6OutTimeExcds', 'Icmp.OutTimeExcds'],
    ['Icmp6OutDestUnreachs', 'Icmp.OutDestUnreachs'],
    ['Icmp6OutRedirects', 'Icmp.OutRedirects'],
  ] as const;
  for (const [name, key] of pairs) {
    const found = new RegExp(`^${name}\\s+(\\d+)$`, 'm').exec(text);
    if (found === null) throw new Error(`this kernel has no counter ${name}`);
    values.set(key, (values.get(key) ?? 0) + Number(found[1]));
  }
}

/** Packets that met a chain's policy DROP, or a rule whose target is DROP or REJECT. */
function readFilterDrops(namespaces: Namespaces, program: 'iptables' | 'ip6tables'): number {
  const save = `${program}-save -c; ! ${HAS_LEGACY_TABLES} || ${program}-legacy-save -c`;
  const text = run(namespaces.enterRouter(['sh', '-c', save]));
  const policies = text.matchAll(/^:\S+ DROP \[(\d+):/gm);
  const rules = text.matchAll(/^\[(\d+):\d+\] -A .* -j (?:DROP|REJECT)\b/gm);
  return [...policies, ...rules].reduce((sum, [, packets]) => sum + Number(packets), 0);
}
