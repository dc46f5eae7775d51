import { parseRouterState } from '../../src/dialects/index.ts';
import type { LinuxDevice } from '../../src/model/linux-device.ts';
import type { Match, Rule, Target } from '../../src/model/netfilter.ts';
import type { PolicyRule, Route } from '../../src/model/routing.ts';
import { formatIpAddress, formatWords } from '../../src/net/ip-address.ts';
import { formatMac } from '../../src/net/mac-address.ts';
import { formatMaskedMark } from '../../src/net/masked-mark.ts';
import { formatPortRange } from '../../src/net/port-range.ts';
import { formatPrefix } from '../../src/net/prefix.ts';

/** The device of one text. */
export function stateOf(text: string, path = 'router.txt'): LinuxDevice {
  return parseRouterState([{ path, text }]);
}

/** The device of several files. */
export function stateOfFiles(files: Readonly<Record<string, string>>): LinuxDevice {
  return parseRouterState(Object.entries(files).map(([path, text]) => ({ path, text })));
}

/** Codes of the problems, in order. */
export function codesOf(device: LinuxDevice): string[] {
  return device.problems.map((problem) => problem.code);
}

/** Problems as `CODE line:column`, those without a place as `CODE`. */
export function placesOf(device: LinuxDevice): string[] {
  return device.problems.map(({ code, where }) =>
    where?.kind === 'config' ? `${code} ${where.line}:${where.column}` : code,
  );
}

/** The rules of a chain, first rule set that has it; origins apart. */
export function rulesOf(device: LinuxDevice, table: string, chain: string): Rule[] {
  for (const ruleset of device.rulesets) {
    const found = ruleset.tables.find((other) => other.name === table)?.chains.find((other) => other.name === chain);
    if (found !== undefined) return [...found.rules];
  }
  return [];
}

/** A match on one line, for tables of expectations. */
export function showMatch(match: Match): string {
  const not = 'negated' in match && match.negated ? '! ' : '';
  switch (match.kind) {
    case 'in-interface':
    case 'out-interface':
      return `${not}${match.kind === 'in-interface' ? 'in' : 'out'} ${match.name}${match.prefix ? '+' : ''}`;
    case 'source':
    case 'destination': {
      const family = match.address.slice(1).some((word) => word !== 0) || match.mask[1] !== 0 ? 6 : 4;
      return `${not}${match.kind} ${formatWords(family, ...match.address)}/${formatWords(family, ...match.mask)}`;
    }
    case 'protocol':
      return `${not}protocol ${match.protocol}`;
    case 'fragment':
      return `${not}fragment`;
    case 'transport-header':
      return `header ${match.protocol}`;
    case 'source-port':
    case 'destination-port':
      return `${not}${match.kind} ${formatPortRange(match.range)}`;
    case 'tcp-flags':
      return `${not}flags ${match.mask.toString(16)}/${match.set.toString(16)}`;
    case 'multiport':
      return `${not}multiport ${match.which} ${match.ranges.map(formatPortRange).join(',')}`;
    case 'mark':
    case 'connmark':
      return `${not}${match.kind} ${formatMaskedMark(match.mark)}`;
    case 'ctstate':
      return `${not}ctstate ${match.states}`;
    case 'mac-source':
      return `${not}mac ${formatMac(match.mac)}`;
    case 'unmodelled':
      return `? ${match.text}`;
    default: {
      const { kind, ...others } = match;
      return `${not}${kind} ${JSON.stringify(others)}`;
    }
  }
}

/** A target on one line. */
export function showTarget(target: Target): string {
  const hex = (value: number): string => `0x${value.toString(16)}`;
  switch (target.kind) {
    case 'reject':
      return `reject ${target.with ?? ''}`.trim();
    case 'jump':
    case 'goto':
      return `${target.kind} ${target.chain}`;
    case 'mark':
    case 'connmark-set':
      return `${target.kind} ${hex(target.value)}/${hex(target.mask)}`;
    case 'connmark-save':
    case 'connmark-restore':
      return `${target.kind} nf ${hex(target.nfmask)} ct ${hex(target.ctmask)}`;
    case 'snat':
    case 'dnat': {
      const addresses = target.addresses;
      const range =
        addresses === undefined ? '' : `${formatIpAddress(addresses.first)}-${formatIpAddress(addresses.last)}`;
      const ports = target.ports === undefined ? '' : `:${formatPortRange(target.ports)}`;
      return [`${target.kind} ${range}${ports}`, ...target.flags].join(' ');
    }
    case 'masquerade':
      return ['masquerade', ...(target.ports ? [formatPortRange(target.ports)] : []), ...target.flags].join(' ');
    case 'pass-through':
      return `pass ${target.name}`;
    case 'unmodelled':
      return `? ${target.name}`;
    default:
      return target.kind;
  }
}

/** A rule on one line: `matches > target`. */
export function showRule(rule: Rule): string {
  return `${rule.matches.map(showMatch).join(', ')} > ${showTarget(rule.target)}`;
}

/** A policy rule on one line. */
export function showPolicyRule(rule: PolicyRule): string {
  const { action } = rule;
  const parts = [
    `${rule.priority}:`,
    rule.inverted ? 'not' : '',
    rule.from ? `from ${formatPrefix(rule.from)}` : '',
    rule.to ? `to ${formatPrefix(rule.to)}` : '',
    rule.fwmark ? `mark ${formatMaskedMark(rule.fwmark)}` : '',
    rule.iif ? `iif ${rule.iif}` : '',
    rule.oif ? `oif ${rule.oif}` : '',
    rule.tos === undefined ? '' : `tos ${rule.tos}`,
    rule.ipProtocol === undefined ? '' : `protocol ${rule.ipProtocol}`,
    rule.sourcePorts ? `sport ${formatPortRange(rule.sourcePorts)}` : '',
    rule.destinationPorts ? `dport ${formatPortRange(rule.destinationPorts)}` : '',
    action.kind === 'lookup'
      ? `lookup ${action.table}`
      : action.kind === 'goto'
        ? `goto ${action.priority}`
        : action.kind,
    rule.suppressPrefixLength === undefined ? '' : `suppress ${rule.suppressPrefixLength}`,
    rule.suppressInterfaceGroup === undefined ? '' : `suppress group ${rule.suppressInterfaceGroup}`,
    ...rule.unmodelled.map((text) => `? ${text}`),
  ];
  return parts.filter((part) => part !== '').join(' ');
}

/** A route on one line. */
export function showRoute(route: Route): string {
  const hops = route.nextHops.map((hop) =>
    [
      hop.gateway === undefined ? '' : `via ${formatIpAddress(hop.gateway)}`,
      hop.device === undefined ? '' : `dev ${hop.device}`,
      hop.weight === 1 ? '' : `weight ${hop.weight}`,
      hop.onLink ? 'onlink' : '',
      hop.dead ? 'dead' : '',
      hop.linkDown ? 'linkdown' : '',
    ]
      .filter((part) => part !== '')
      .join(' '),
  );
  return [
    `${route.table}`,
    route.type,
    formatPrefix(route.prefix),
    route.tos === 0 ? '' : `tos ${route.tos}`,
    route.metric === 0 ? '' : `metric ${route.metric}`,
    hops.join(' | '),
    ...route.unmodelled.map((text) => `? ${text}`),
  ]
    .filter((part) => part !== '')
    .join(' ');
}

/** Policy rules of IPv4. */
export function policyOf(device: LinuxDevice): string[] {
  return device.policyRules.filter((rule) => rule.family === 4).map(showPolicyRule);
}

/** Routes of IPv4 in one table. */
export function routesOf(device: LinuxDevice, table: number): string[] {
  return device.routes.filter((route) => route.family === 4 && route.table === table).map(showRoute);
}
