import type { LinuxDevice } from '../../model/linux-device.ts';
import { type PolicyRule, RouteTableId } from '../../model/routing.ts';
import type { Family } from '../../net/ip-address.ts';
import { type IpPrefix, maskOfLength, maskWords, networkOf } from '../../net/prefix.ts';
import type { Fib } from './fib.ts';
import type { Links } from './links.ts';
import type { Registry } from './reasons.ts';

/** Actions of a compiled policy rule. */
export const RuleAction = { lookup: 0, goto: 1, nop: 2, blackhole: 3, unreachable: 4, prohibit: 5 } as const;

/** A policy rule with numbers for names; addresses and marks are signed. */
export interface CompiledPolicyRule {
  readonly model: PolicyRule;
  readonly inverted: boolean;
  readonly fromNetwork: number;
  readonly fromMask: number;
  readonly toNetwork: number;
  readonly toMask: number;
  /** Of IPv6: network and mask, four words each. */
  readonly from6: Uint32Array | undefined;
  readonly to6: Uint32Array | undefined;
  readonly markValue: number;
  readonly markMask: number;
  /** Interface number, −1 any. */
  readonly iif: number;
  /** The interface's index, −1 any, −2 one that does not exist. No lookup but one for an output interface has one. */
  readonly oif: number;
  /** −1 any. */
  readonly tos: number;
  readonly protocol: number;
  readonly sourceFirst: number;
  readonly sourceLast: number;
  readonly destinationFirst: number;
  readonly destinationLast: number;
  readonly action: number;
  /** Index of the table, −1 without. */
  readonly table: number;
  /** Index of the rule that goto leads to, −1 unresolved. */
  readonly target: number;
  /** −1 none. */
  readonly suppressLength: number;
  readonly suppressGroup: string | undefined;
  /** Ids of what is unknown; −1. */
  readonly selectorReason: number;
  readonly markReason: number;
  readonly groupReason: number;
  readonly origin: number;
}

/** The routing policy database. Ref: net/core/fib_rules.c, net/ipv4/fib_rules.c. */
export interface Rpdb {
  readonly rules: readonly CompiledPolicyRule[];
  /** Some rule asks for protocol or ports, so that they are looked at; else they are 0 (linux-forwarding 3.7). */
  readonly dissects: boolean;
  /** Exactly the three rules of a fresh system: whether one was ever changed cannot be seen (3.10). */
  readonly pristine: boolean;
  /**
   * Of IPv6: rules that every system has are missing, and no other is there. As long as none was ever added, the kernel does not look at the
   * rules at all, but at local and main. Ref: net/ipv6/fib6_rules.c: fib6_rule_configure(), fib6_rule_lookup().
   */
  readonly maybeUnused: boolean;
  /** Bits of the TOS byte that rules compare. */
  readonly tosMask: number;
  /** Id of "policy rules are not in the router's state", −1 where they are. */
  readonly missingReason: number;
}

/** Classic routing looks at these. Ref: include/uapi/linux/in_route.h: RT_TOS (6.18: INET_DSCP_LEGACY_TOS_MASK). */
const TOS_MASK = 0x1c;
/** Ref: net/ipv6/fib6_rules.c: fib6_rule_match(); include/net/inet_dscp.h. */
const TOS_MASK_6 = 0xfc;

/** Numbers of the tables that a family's policy rules look at. */
export function tablesOfRules(device: LinuxDevice, family: Family = 4): number[] {
  const tables = new Set<number>();
  for (const { family: own, action } of device.policyRules) {
    if (own === family && action.kind === 'lookup') tables.add(action.table);
  }
  return [...tables];
}

/** Compiles a device's policy rules of a family, which stand in evaluation order. */
export function compileRpdb(device: LinuxDevice, links: Links, fib: Fib, registry: Registry, family: Family = 4): Rpdb {
  const model = device.policyRules.filter((rule) => rule.family === family);
  return {
    rules: model.map((rule, position) => compileRule(rule, position, model, links, fib, registry)),
    dissects: model.some(
      (rule) =>
        rule.iif !== 'lo' &&
        (rule.ipProtocol !== undefined || rule.sourcePorts !== undefined || rule.destinationPorts !== undefined),
    ),
    // IPv6 keeps main and local apart from the beginning.
    pristine: family === 4 && isPristine(model) && device.changedRules?.includes(4) !== true,
    maybeUnused:
      family === 6 &&
      model.length < DEFAULT_RULES_6.length &&
      model.every((rule) => DEFAULT_RULES_6.some((known) => isDefault(rule, known))),
    tosMask: family === 4 ? TOS_MASK : TOS_MASK_6,
    missingReason: (family === 4 ? device.known.policyRules4 : device.known.policyRules6)
      ? -1
      : registry.unknown(`policy rules (ip ${family === 4 ? '' : '-6 '}rule) are not in the router's state`),
  };
}

function compileRule(
  rule: PolicyRule,
  position: number,
  model: readonly PolicyRule[],
  links: Links,
  fib: Fib,
  registry: Registry,
): CompiledPolicyRule {
  const { action, fwmark } = rule;
  const isNarrow = rule.family === 4;
  const fromMask = isNarrow ? maskOfLength(rule.from?.prefixLength ?? 0) | 0 : 0;
  const toMask = isNarrow ? maskOfLength(rule.to?.prefixLength ?? 0) | 0 : 0;
  const unmodelled = rule.unmodelled[0];
  return {
    model: rule,
    inverted: rule.inverted,
    fromNetwork: (rule.from?.words[0] ?? 0) & fromMask,
    fromMask,
    toNetwork: (rule.to?.words[0] ?? 0) & toMask,
    toMask,
    from6: isNarrow ? undefined : networkAndMask(rule.from),
    to6: isNarrow ? undefined : networkAndMask(rule.to),
    markValue: (fwmark?.value ?? 0) | 0,
    markMask: (fwmark?.mask ?? 0) | 0,
    iif: rule.iif === undefined ? -1 : links.indexOf.get(rule.iif)!,
    oif: rule.oif === undefined ? -1 : (links.indexOf.get(rule.oif) ?? -2),
    tos: rule.tos === undefined || rule.tos === 0 ? -1 : rule.tos,
    protocol: rule.ipProtocol ?? -1,
    sourceFirst: rule.sourcePorts?.first ?? -1,
    sourceLast: rule.sourcePorts?.last ?? -1,
    destinationFirst: rule.destinationPorts?.first ?? -1,
    destinationLast: rule.destinationPorts?.last ?? -1,
    action: RuleAction[action.kind],
    table: action.kind === 'lookup' ? (fib.tableIndex.get(action.table) ?? -1) : -1,
    target: action.kind === 'goto' ? gotoTarget(action.priority, position, model) : -1,
    suppressLength: rule.suppressPrefixLength ?? -1,
    suppressGroup: rule.suppressInterfaceGroup === '0' ? 'default' : rule.suppressInterfaceGroup,
    selectorReason:
      unmodelled === undefined ? -1 : registry.unknown(`rule selector ${unmodelled} is not modelled`, rule.origin),
    markReason: registry.unknown('the packet mark tested here is not known', rule.origin),
    groupReason: registry.unknown('the group of the interface is not known', rule.origin),
    origin: registry.origin(rule.origin),
  };
}

/** Undefined where every address is meant. */
function networkAndMask(prefix: IpPrefix | undefined): Uint32Array | undefined {
  if (prefix === undefined || prefix.prefixLength === 0) return undefined;
  return Uint32Array.from([...networkOf(prefix).words, ...maskWords(6, prefix.prefixLength)]);
}

/** Only forward; ignored while no rule has that priority. */
function gotoTarget(priority: number, position: number, model: readonly PolicyRule[]): number {
  return model.findIndex((rule, index) => index > position && rule.priority === priority);
}

type DefaultRule = readonly [priority: number, table: number];

const DEFAULT_RULES_6: readonly DefaultRule[] = [
  [0, RouteTableId.local],
  [32766, RouteTableId.main],
];
const DEFAULT_RULES: readonly DefaultRule[] = [...DEFAULT_RULES_6, [32767, RouteTableId.default]];

function isPristine(model: readonly PolicyRule[]): boolean {
  return (
    model.length === DEFAULT_RULES.length && DEFAULT_RULES.every((known, index) => isDefault(model[index]!, known))
  );
}

function isDefault(rule: PolicyRule, [priority, table]: DefaultRule): boolean {
  const plain =
    !rule.inverted &&
    rule.from === undefined &&
    rule.to === undefined &&
    rule.fwmark === undefined &&
    rule.iif === undefined &&
    rule.oif === undefined &&
    rule.tos === undefined &&
    rule.ipProtocol === undefined &&
    rule.sourcePorts === undefined &&
    rule.destinationPorts === undefined &&
    rule.suppressPrefixLength === undefined &&
    rule.suppressInterfaceGroup === undefined &&
    rule.unmodelled.length === 0;
  return plain && rule.priority === priority && rule.action.kind === 'lookup' && rule.action.table === table;
}
