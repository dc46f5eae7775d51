import type { Step } from '../forwarding/walk.ts';
import type { LinuxDevice } from '../model/linux-device.ts';
import { type PolicyRule, RouteTableId } from '../model/routing.ts';
import type { Rule } from '../model/netfilter.ts';
import { type Family, formatIpAddress, type IpAddress } from '../net/ip-address.ts';
import { IpProtocol } from '../net/ip-protocol.ts';
import { formatMac } from '../net/mac-address.ts';
import { formatMark, formatMaskedMark } from '../net/masked-mark.ts';
import { formatPrefix } from '../net/prefix.ts';
import type { FlowOfInterest, Remedies, Remedy } from './router.ts';

type RuleStep = Extract<Step, { kind: 'rule' }>;
type RouteStep = Extract<Step, { kind: 'route' }>;

const COMMON_TABLES: ReadonlySet<number> = new Set([RouteTableId.local, RouteTableId.main, RouteTableId.default]);

/** Changes of a Linux router's redirect of one address family, as the commands an administrator would type. */
export function linuxRemedies(device: LinuxDevice, family: Family = 4): Remedies {
  const iptables = iptablesCommand(device, family);
  const ip = family === 6 ? 'ip -6' : 'ip';
  const table = (number: number): string => tableName(device, number);
  return {
    // IPv6 has no such filter but the rpfilter match, which is a rule.
    relaxReversePath: (ingress) => (family === 6 ? [] : relaxReversePath(device, ingress)),
    ignoreMarkInReversePath: (ingress) => [
      [setting('all', 'src_valid_mark', 0)],
      [setting(ingress, 'src_valid_mark', 0)],
      [setting('all', 'src_valid_mark', 0), setting(ingress, 'src_valid_mark', 0)],
    ],
    redirect: (flow) => redirect(redirectRules(device, family), iptables, flow),
    redirectWithoutState: (flow, spsMacs) =>
      redirectWithoutState(redirectRules(device, family), iptables, flow, spsMacs),
    maskMark: (rule) => maskMark(redirectRules(device, family), { iptables, ip }, rule, table),
    failClosed: () =>
      tablesTowardGateways(device, family).map((number) => [
        `${ip} route add unreachable default metric 4278198272 table ${table(number)}`,
      ]),
    tolerateSequences: () => [['sysctl -w net.netfilter.nf_conntrack_tcp_be_liberal=1']],
    moveBehind: (rule) => {
      const spec = specOf(rule);
      return spec === undefined
        ? []
        : [
            [
              `${iptables} -t ${rule.table} -D ${rule.chain} ${spec}`,
              `${iptables} -t ${rule.table} -A ${rule.chain} ${spec}`,
            ],
          ];
    },
    restoreMark: (connmark, spsInterface) =>
      redirectRules(device, family).map(({ fwmark }) => [
        `${iptables} -t mangle -A PREROUTING ! -i ${spsInterface} -m connmark --mark ${formatMark(connmark)} -j MARK --set-mark ${fwmark === undefined ? formatMark(connmark) : formatMark(fwmark.value)}`,
      ]),
    exemptInterface: (rule, spsInterface) => {
      const spec = specOf(rule);
      if (spec === undefined || / -i /.test(` ${spec}`)) return [];
      return [
        [
          `${iptables} -t ${rule.table} -D ${rule.chain} ${spec}`,
          `${iptables} -t ${rule.table} -A ${rule.chain} ! -i ${spsInterface} ${spec}`,
        ],
      ];
    },
    selectMark: (fwmark) =>
      tablesTowardGateways(device, family).map((number) => [
        `${ip} rule add fwmark ${formatMark(fwmark)} table ${table(number)}`,
      ]),
    fillTable: (number, sps, spsInterface) => [
      [`${ip} route add default via ${formatIpAddress(sps)} dev ${spsInterface} table ${table(number)}`],
      [`${ip} route replace default via ${formatIpAddress(sps)} dev ${spsInterface} table ${table(number)}`],
    ],
    replaceNextHop: (route, sps, spsInterface) => [replaceNextHop(ip, route, sps, spsInterface, table)],
    raisePolicyRule: (fwmark, decidedAt) =>
      raisePolicyRule(redirectRules(device, family), ip, fwmark, decidedAt, table),
    permit: (flow) => [[`${iptables} -I FORWARD ${matchOf(flow, true)} -j ACCEPT`]],
    leaveAlone: (flow) => [[`${iptables} -t mangle -I PREROUTING ${matchOf(flow, false)} -j ACCEPT`]],
    leaveUntranslated: (flow) => [
      [`${iptables} -t nat -I POSTROUTING -o ${flow.egress} ${matchOf({ ...flow, ingress: '' }, false)} -j ACCEPT`],
    ],
    stopIcmpRedirects: (name) =>
      family === 6 ? stopIcmpv6Redirects(device, iptables) : stopIcmpRedirects(device, name),
  };
}

/** Where both variants are loaded the plain name is taken to be the nft one, so legacy rules need their own command. */
function iptablesCommand(device: LinuxDevice, family: Family): string {
  const program = family === 6 ? 'ip6tables' : 'iptables';
  const variants = device.rulesets.filter((ruleset) => ruleset.family === family);
  const marking = variants.find((ruleset) =>
    ruleset.tables.some((item) => item.name === 'mangle' && item.chains.some((chain) => chain.rules.length > 0)),
  );
  return marking?.variant === 'legacy' && variants.some((ruleset) => ruleset.variant === 'nft')
    ? `${program}-legacy`
    : program;
}

function setting(name: string, key: string, value: number): string {
  // A dot in an interface name is written as a slash, or sysctl takes it for a path separator.
  return `sysctl -w net.ipv4.conf.${name.replaceAll('.', '/')}.${key}=${value}`;
}

/** Loose on the one interface is enough where every source has a route; it wins over a stricter `all`. */
function relaxReversePath(device: LinuxDevice, ingress: string): Remedy[] {
  const all = device.sysctls.get('net/ipv4/conf/all/rp_filter')?.value;
  const off = setting(ingress, 'rp_filter', 0);
  return [[setting(ingress, 'rp_filter', 2)], ...(all === '0' ? [[off]] : []), [setting('all', 'rp_filter', 0), off]];
}

/** Rules of the RPDB that lead marked packets to a table of their own. */
function redirectRules(device: LinuxDevice, family: Family): PolicyRule[] {
  return device.policyRules.filter(
    (rule) =>
      rule.family === family &&
      rule.fwmark !== undefined &&
      rule.action.kind === 'lookup' &&
      !COMMON_TABLES.has(rule.action.table),
  );
}

function redirect(rules: readonly PolicyRule[], iptables: string, flow: FlowOfInterest): Remedy[] {
  const match = matchOf(flow, false);
  const remedies: Remedy[] = [];
  for (const { fwmark } of rules) {
    if (fwmark === undefined) continue;
    const mark = fwmark.mask === 0xffffffff ? formatMark(fwmark.value) : formatMaskedMark(fwmark);
    for (const target of ['CONNMARK', 'MARK'])
      remedies.push([`${iptables} -t mangle -I PREROUTING ${match} -j ${target} --set-mark ${mark}`]);
  }
  return remedies;
}

/** A packet mark instead of a connection mark; SPS, which may use any address, is told by its MAC addresses. */
function redirectWithoutState(
  rules: readonly PolicyRule[],
  iptables: string,
  flow: FlowOfInterest,
  spsMacs: readonly number[],
): Remedy[] {
  if (spsMacs.length === 0) return [];
  const except = spsMacs.map((mac) => `-m mac ! --mac-source ${formatMac(mac)}`).join(' ');
  return rules.flatMap(({ fwmark }): Remedy[] => {
    if (fwmark === undefined) return [];
    const mark = fwmark.mask === 0xffffffff ? formatMark(fwmark.value) : formatMaskedMark(fwmark);
    const [ingress, ...rest] = matchOf(flow, false).split(' -p ');
    const rule = `${ingress} ${except} -p ${rest.join(' -p ')} -j MARK --set-mark ${mark}`;
    return [[`${iptables} -t mangle -A PREROUTING ${rule}`], [`${iptables} -t mangle -I PREROUTING ${rule}`]];
  });
}

/** Redirects are sent while `all` or the interface says so. A value that is not in the state may be 1. */
function stopIcmpRedirects(device: LinuxDevice, name: string): Remedy[] {
  const on = ['all', name].filter(
    (scope) => device.sysctls.get(`net/ipv4/conf/${scope}/send_redirects`)?.value !== '0',
  );
  return on.length === 0 ? [] : [on.map((scope) => setting(scope, 'send_redirects', 0))];
}

/**
 * No sysctl keeps Linux from sending ICMPv6 redirects; a rule for what the router itself sends does.
 * Ref: kernel net/ipv6/ndisc.c: ndisc_send_redirect(); RFC 4861 section 4.5: type 137.
 */
function stopIcmpv6Redirects(device: LinuxDevice, ip6tables: string): Remedy[] {
  const isDropped = device.rulesets.some(
    ({ family, tables }) =>
      family === 6 &&
      tables.some(({ chains }) =>
        chains.some(({ name, rules }) => name === 'OUTPUT' && rules.length > 0 && dropsIcmpv6Redirects(rules[0]!)),
      ),
  );
  return isDropped ? [] : [[`${ip6tables} -I OUTPUT -p icmpv6 --icmpv6-type redirect -j DROP`]];
}

function dropsIcmpv6Redirects({ target, matches }: Rule): boolean {
  return (
    target.kind === 'drop' &&
    matches.every(
      (match) =>
        (match.kind === 'protocol' && !match.negated && match.protocol === IpProtocol.icmpv6) ||
        (match.kind === 'icmp-type' && !match.negated && match.type === ICMPV6_REDIRECT),
    )
  );
}

const ICMPV6_REDIRECT = 137;

/** The rule with a mask of its own bits, in its place; where the redirect's policy rule asks for all 32 bits, that too. */
function maskMark(
  redirects: readonly PolicyRule[],
  { iptables, ip }: { readonly iptables: string; readonly ip: string },
  rule: RuleStep,
  table: (number: number) => string,
): Remedy[] {
  const spec = specOf(rule);
  if (spec === undefined) return [];
  const bits = redirects.reduce((all, { fwmark }) => all | (fwmark?.value ?? 0), 0);
  const masked = spec
    .replace(/--set-x?mark (0x[0-9a-f]+|\d+)(?:\/0xf{8})?(?= |$)/i, (_, value) => `--set-xmark ${value}/${value}`)
    .replace(
      /--(restore|save)-mark(?: --nfmask 0xf{8} --ctmask 0xf{8}| --mask 0xf{8})?(?= |$)/,
      `--$1-mark --mask ${formatMark(bits)}`,
    );
  if (masked === spec) return [];
  const change = [
    `${iptables} -t ${rule.table} -I ${rule.chain} ${rule.number} ${masked}`,
    `${iptables} -t ${rule.table} -D ${rule.chain} ${rule.number + 1}`,
  ];
  const policy = redirects.flatMap(({ fwmark, priority, action }): string[] => {
    if (fwmark === undefined || fwmark.mask !== 0xffffffff || action.kind !== 'lookup') return [];
    const mark = formatMark(fwmark.value);
    const target = table(action.table);
    return [
      `${ip} rule add pref ${priority} fwmark ${mark}/${mark} table ${target}`,
      `${ip} rule del pref ${priority} fwmark ${mark} table ${target}`,
    ];
  });
  return [change, ...(policy.length > 0 ? [[...change, ...policy]] : [])];
}

/** Tables with a route by a gateway that only policy rules reach. */
function tablesTowardGateways(device: LinuxDevice, family: Family): number[] {
  const tables = device.routes
    .filter(
      (route) =>
        route.family === family &&
        !COMMON_TABLES.has(route.table) &&
        route.nextHops.some((hop) => hop.gateway !== undefined),
    )
    .map((route) => route.table);
  return [...new Set(tables)];
}

function replaceNextHop(
  ip: string,
  route: RouteStep,
  sps: IpAddress,
  spsInterface: string,
  table: (number: number) => string,
): Remedy {
  const prefix = route.prefix === '0.0.0.0/0' || route.prefix === '::/0' ? 'default' : route.prefix;
  return [`${ip} route replace ${prefix} via ${formatIpAddress(sps)} dev ${spsInterface} table ${table(route.table)}`];
}

function raisePolicyRule(
  rules: readonly PolicyRule[],
  ip: string,
  fwmark: number,
  decidedAt: number,
  table: (number: number) => string,
): Remedy[] {
  const remedies: Remedy[] = [];
  for (const rule of rules) {
    if (
      rule.fwmark === undefined ||
      rule.action.kind !== 'lookup' ||
      ((rule.fwmark.value ^ fwmark) & rule.fwmark.mask) !== 0
    )
      continue;
    if (rule.priority < decidedAt || decidedAt <= 1) continue;
    const selector = selectorOf(rule);
    const target = table(rule.action.table);
    remedies.push([
      `${ip} rule add pref ${decidedAt - 1} ${selector} table ${target}`,
      `${ip} rule del pref ${rule.priority} ${selector} table ${target}`,
    ]);
  }
  return remedies;
}

function selectorOf(rule: PolicyRule): string {
  const parts: string[] = [];
  if (rule.from !== undefined && rule.from.prefixLength > 0) parts.push(`from ${formatPrefix(rule.from)}`);
  if (rule.to !== undefined && rule.to.prefixLength > 0) parts.push(`to ${formatPrefix(rule.to)}`);
  if (rule.fwmark !== undefined) parts.push(`fwmark ${formatMaskedMark(rule.fwmark)}`);
  if (rule.iif !== undefined) parts.push(`iif ${rule.iif}`);
  return parts.join(' ');
}

function matchOf(flow: FlowOfInterest, withEgress: boolean): string {
  const parts: string[] = [];
  if (flow.ingress !== '') parts.push(`-i ${flow.ingress}`);
  if (withEgress && flow.egress !== '') parts.push(`-o ${flow.egress}`);
  parts.push(`-p ${flow.protocol}`);
  if (flow.from !== undefined) parts.push(`-s ${flow.from}`);
  if (flow.to !== undefined) parts.push(`-d ${flow.to}`);
  if (flow.sourcePort !== undefined) parts.push(`--sport ${flow.sourcePort}`);
  if (flow.destinationPort !== undefined) parts.push(`--dport ${flow.destinationPort}`);
  return parts.join(' ');
}

/** A rule's matches and target as written, whether in a dump or as a command. */
function specOf(rule: RuleStep): string | undefined {
  const text = rule.origin?.text;
  if (text === undefined) return undefined;
  const match = /(?:^|\s)(?:-A|-I|--append|--insert)\s+\S+\s+(?:\d+\s+)?(.*)$/.exec(text);
  return match?.[1]?.trim();
}

function tableName(device: LinuxDevice, number: number): string {
  for (const [name, id] of device.tableNames) if (id === number) return name;
  return String(number);
}
