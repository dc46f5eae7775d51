import type { LinuxDevice } from '../../model/linux-device.ts';
import { type PolicyRule, RouteTableId } from '../../model/routing.ts';
import { maskOfLength } from '../../net/prefix.ts';
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
  /** Id of "policy rules are not in the router's state", −1 where they are. */
  readonly missingReason: number;
}

/** Numbers of the tables that IPv4 policy rules look at. */
export function tablesOfRules(device: LinuxDevice): number[] {
  const tables = new Set<number>();
  for (const { family, action } of device.policyRules) {
    if (family === 4 && action.kind === 'lookup') tables.add(action.table);
  }
  return [...tables];
}

/** Compiles the IPv4 policy rules of a device, which stand in evaluation order. */
export function compileRpdb(device: LinuxDevice, links: Links, fib: Fib, registry: Registry): Rpdb {
  const model = device.policyRules.filter((rule) => rule.family === 4);
  return {
    rules: model.map((rule, position) => compileRule(rule, position, model, links, fib, registry)),
    dissects: model.some(
      (rule) =>
        rule.iif !== 'lo' &&
        (rule.ipProtocol !== undefined || rule.sourcePorts !== undefined || rule.destinationPorts !== undefined),
    ),
    pristine: isPristine(model) && device.changedRules?.includes(4) !== true,
    missingReason: device.known.policyRules4
      ? -1
      : registry.unknown("policy rules (ip rule) are not in the router's state"),
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
  const fromMask = maskOfLength(rule.from?.prefixLength ?? 0) | 0;
  const toMask = maskOfLength(rule.to?.prefixLength ?? 0) | 0;
  const unmodelled = rule.unmodelled[0];
  return {
    model: rule,
    inverted: rule.inverted,
    fromNetwork: (rule.from?.words[0] ?? 0) & fromMask,
    fromMask,
    toNetwork: (rule.to?.words[0] ?? 0) & toMask,
    toMask,
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

/** Only forward; ignored while no rule has that priority. */
function gotoTarget(priority: number, position: number, model: readonly PolicyRule[]): number {
  return model.findIndex((rule, index) => index > position && rule.priority === priority);
}

function isPristine(model: readonly PolicyRule[]): boolean {
  const defaults = [
    [0, RouteTableId.local],
    [32766, RouteTableId.main],
    [32767, RouteTableId.default],
  ] as const;
  if (model.length !== defaults.length) return false;
  return defaults.every(([priority, table], index) => {
    const rule = model[index]!;
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
  });
}
