import { type PolicyRule, type Route, RouteTableId } from '../../model/routing.ts';
import type { IpAddress } from '../../net/ip-address.ts';
import { prefixContains } from '../../net/prefix.ts';

/** Ref: include/uapi/linux/rtnetlink.h: enum rt_scope_t. */
const SCOPES: Readonly<Record<string, number>> = {
  global: 0,
  universe: 0,
  site: 200,
  link: 253,
  host: 254,
  nowhere: 255,
};
const LINK_SCOPE = 253;

/** A scope's number: what is wider is less. Nothing is the widest. */
export function scopeNumber(text: string | undefined): number {
  if (text === undefined) return 0;
  return SCOPES[text] ?? Number(text);
}

/** What the kernel knows when it looks for a gateway. */
export interface GatewayState {
  readonly routes: readonly Route[];
  /** In evaluation order. */
  readonly policyRules: readonly PolicyRule[];
  /** Whether all routes of a table are there. */
  readonly isComplete: (table: number) => boolean;
}

export interface GatewayQuery {
  readonly gateway: IpAddress;
  /** Where the route says it. */
  readonly device?: string;
  /** Of the route that has the gateway. */
  readonly table: number;
  readonly scope: number;
}

/** The device of a gateway; `refused` where the kernel does not take it, `unknown` where that depends on what is not known. */
export type GatewayAnswer = { readonly device: string } | 'refused' | 'unknown';

type Result = { readonly route: Route; readonly device: string } | 'miss' | 'unknown';

/**
 * Looks for an IPv4 gateway as the kernel does before it takes a route: in the route's own table, then by the rules, among routes that
 * lead no further than a link.
 * Ref: linux fib_semantics.c: fib_check_nh_v4_gw(); fib_trie.c: fib_table_lookup(); linux-forwarding 4.5.
 */
export function findGateway(state: GatewayState, query: GatewayQuery): GatewayAnswer {
  let found: Result = 'miss';
  const isOwn = query.table !== RouteTableId.main;
  if (isOwn) found = lookupTable(state, query, query.table);
  if (found === 'miss') found = lookupRules(state, query);
  if (found === 'unknown') return 'unknown';
  if (found === 'miss') return 'refused';
  const { type } = found.route;
  return type === 'unicast' || type === 'local' ? { device: found.device } : 'refused';
}

function lookupTable(state: GatewayState, query: GatewayQuery, table: number): Result {
  const wanted = Math.max(LINK_SCOPE, query.scope + 1);
  let best: { readonly route: Route; readonly device: string } | undefined;
  for (const route of state.routes) {
    if (route.table !== table || route.family !== query.gateway.family || route.tos !== 0) continue;
    if (!prefixContains(route.prefix, query.gateway) || scopeNumber(route.scope) < wanted) continue;
    if (route.unmodelled.length > 0) return 'unknown';
    const hop = route.nextHops.find(
      ({ device, dead, linkDown }) =>
        device !== undefined && (!dead || linkDown) && (query.device === undefined || device === query.device),
    );
    if (hop === undefined) continue;
    const isBetter =
      best === undefined ||
      route.prefix.prefixLength > best.route.prefix.prefixLength ||
      (route.prefix.prefixLength === best.route.prefix.prefixLength && route.metric < best.route.metric);
    if (isBetter) best = { route, device: hop.device! };
  }
  if (!state.isComplete(table)) return 'unknown';
  return best ?? 'miss';
}

function lookupRules(state: GatewayState, query: GatewayQuery): Result {
  const rules = state.policyRules.filter((rule) => rule.family === query.gateway.family);
  for (let index = 0; index < rules.length; index++) {
    const rule = rules[index]!;
    if (rule.unmodelled.length > 0) return 'unknown';
    if (!holdsForGateway(rule, query.gateway, query.device)) continue;
    const { action } = rule;
    if (action.kind === 'nop') continue;
    if (action.kind === 'goto') {
      const target = rules.findIndex((other, at) => at > index && other.priority === action.priority);
      if (target >= 0) index = target - 1;
      continue;
    }
    if (action.kind !== 'lookup') return 'miss';
    const found = lookupTable(state, query, action.table);
    if (found === 'unknown') return found;
    if (found === 'miss') continue;
    if (rule.suppressInterfaceGroup !== undefined) return 'unknown';
    if (rule.suppressPrefixLength !== undefined && found.route.prefix.prefixLength <= rule.suppressPrefixLength)
      continue;
    return found;
  }
  return 'miss';
}

/** Whether a rule holds for the lookup of a gateway: locally made, without source, mark, type of service and protocol. */
export function holdsForGateway(rule: PolicyRule, gateway: IpAddress, device: string | undefined): boolean {
  const nowhere: IpAddress = { family: gateway.family, words: [0, 0, 0, 0] };
  const matches =
    (rule.from === undefined || prefixContains(rule.from, nowhere)) &&
    (rule.to === undefined || prefixContains(rule.to, gateway)) &&
    (rule.fwmark === undefined || (rule.fwmark.value & rule.fwmark.mask) === 0) &&
    (rule.iif === undefined || rule.iif === 'lo') &&
    (rule.oif === undefined || rule.oif === device) &&
    rule.tos === undefined &&
    rule.ipProtocol === undefined &&
    rule.sourcePorts === undefined &&
    rule.destinationPorts === undefined;
  return matches !== rule.inverted;
}
