import { isGlobalIpv6 } from '../../model/plain-ipv6.ts';
import { type NextHop, type Route, RouteTableId } from '../../model/routing.ts';
import type { IpAddress } from '../../net/ip-address.ts';
import { networkOf, prefixContains } from '../../net/prefix.ts';
import type { DeviceDraft } from './device-draft.ts';
import type { RouteWords } from './ip-route-words.ts';
import type { RuleWords } from './ip-rule-words.ts';

/**
 * Whether a command's policy rule of IPv6 is one like IPv4's, which the two share the code for: its type of service is not.
 * Ref: linux net/core/fib_rules.c; net/ipv6/fib6_rules.c fib6_rule_configure().
 */
export function followsRule6({ selectors }: RuleWords): boolean {
  return selectors.tos === undefined && selectors.unmodelled.length === 0;
}

/**
 * Whether it is known what an `ip -6 route add|replace|delete` does: one next hop, on a network that is connected, or none, and no
 * second route of its destination and metric, which would make a multipath of both.
 * Ref: linux net/ipv6/route.c ip6_route_info_create(), ip6_route_check_nh(); net/ipv6/ip6_fib.c fib6_add_rt2node().
 */
export function followsRoute6(draft: DeviceDraft, verb: string, read: RouteWords, table: number): boolean {
  const { prefix } = read;
  if (prefix === undefined || !isPlain(read) || String(networkOf(prefix).words) !== String(prefix.words)) return false;
  const same = draft.routes.filter(
    (route) =>
      route.family === 6 &&
      route.table === table &&
      route.prefix.prefixLength === prefix.prefixLength &&
      String(route.prefix.words) === String(prefix.words),
  );
  if (verb === 'delete') {
    const meant = read.metric === undefined ? same : same.filter(({ metric }) => metric === read.metric);
    return meant.length <= 1 && meant.every(isSingle);
  }
  if (verb !== 'add' && verb !== 'replace') return false;
  const rivals = same.filter(({ metric }) => metric === (read.metric ?? DEFAULT_METRIC));
  if (rivals.length > 1 || !rivals.every(isSingle)) return false;
  const [hop, ...others] = read.nextHops;
  if (read.type !== 'unicast') return REFUSING.has(read.type) && hop === undefined;
  return hop !== undefined && others.length === 0 && findsHop(draft, hop, table);
}

/** Ref: linux include/uapi/linux/ipv6_route.h: IP6_RT_PRIO_USER */
const DEFAULT_METRIC = 1024;
const REFUSING: ReadonlySet<string> = new Set(['unreachable', 'prohibit', 'blackhole']);

function isPlain({ tos, scope, preferredSource, nextHopObject, metric, unmodelled }: RouteWords): boolean {
  return (
    tos === 0 &&
    scope === undefined &&
    preferredSource === undefined &&
    nextHopObject === undefined &&
    metric !== 0 &&
    unmodelled.length === 0
  );
}

const isSingle = ({ nextHops, nextHopObject, unmodelled }: Route): boolean =>
  nextHops.length <= 1 && nextHopObject === undefined && unmodelled.length === 0;

/** Whether the kernel takes a next hop for certain: an interface that is up, and a gateway that a connected network of it holds. */
function findsHop(draft: DeviceDraft, { gateway, device, onLink }: NextHop, table: number): boolean {
  const isUp = (name: string | undefined): boolean => name !== undefined && draft.interfaces.get(name)?.up !== false;
  if (onLink) return false;
  if (gateway === undefined) return isUp(device) && device !== 'lo';
  if (gateway.family !== 6 || !isGlobalIpv6(gateway) || isOwn(draft, gateway)) return false;
  const found = connectedDevice(draft, gateway, table) ?? connectedDevice(draft, gateway, RouteTableId.main);
  return isUp(found) && (device === undefined || device === found) && reachesMain(draft, gateway);
}

/** The device of the longest match for an address in a table, if that is a connected network. */
function connectedDevice(draft: DeviceDraft, address: IpAddress, table: number): string | undefined {
  let best: Route | undefined;
  for (const route of draft.routes) {
    if (route.family !== 6 || route.table !== table || !prefixContains(route.prefix, address)) continue;
    if (best === undefined || route.prefix.prefixLength > best.prefix.prefixLength) best = route;
  }
  const [hop] = best?.nextHops ?? [];
  return best?.type === 'unicast' && isSingle(best) && hop?.gateway === undefined ? hop?.device : undefined;
}

/** Whether no policy rule that could hold for a packet of the router's own, without a mark, comes before main's. */
function reachesMain(draft: DeviceDraft, gateway: IpAddress): boolean {
  for (const rule of draft.policyRules) {
    if (rule.family !== 6) continue;
    const { action, fwmark, to } = rule;
    if (action.kind === 'lookup' && action.table === RouteTableId.local) continue;
    if (action.kind === 'lookup' && action.table === RouteTableId.main)
      return (
        !rule.inverted && rule.from === undefined && fwmark === undefined && rule.suppressPrefixLength === undefined
      );
    const isOfOthers =
      (fwmark !== undefined && (fwmark.value & fwmark.mask) !== 0) ||
      (to !== undefined && !prefixContains(to, gateway));
    if (rule.inverted || !isOfOthers) return false;
  }
  return false;
}

const isOwn = (draft: DeviceDraft, address: IpAddress): boolean =>
  [...draft.interfaces.values()].some(({ addresses }) =>
    addresses.some(({ prefix }) => prefix.family === 6 && String(prefix.words) === String(address.words)),
  );
