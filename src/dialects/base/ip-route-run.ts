import { type NextHop, type Route, RouteTableId, type RouteType } from '../../model/routing.ts';
import type { Family, IpAddress } from '../../net/ip-address.ts';
import { formatPrefix, networkOf, prefixContains } from '../../net/prefix.ts';
import type { Span } from '../../text/span.ts';
import type { DeviceDraft } from './device-draft.ts';
import { findGateway, holdsForGateway, scopeNumber } from './gateway-lookup.ts';
import { readRouteWords, type RouteWords } from './ip-route-words.ts';
import type { WordCursor } from './ip-words.ts';
import { followsRoute6 } from './ipv6-followed.ts';
import { withObject } from './next-hop-objects.ts';
import type { Outcome } from './netfilter-draft.ts';
import { deviceOfGateway, deviceWithin } from './resolve-devices.ts';

const DONE: Outcome = {};
const refuse = (refused: string): Outcome => ({ refused });
const uncertain = (refused: string): Outcome => ({ refused, uncertain: true });

/** Applies `ip route add|append|prepend|replace|change|del|flush`. Ref: linux-forwarding 4.2, 4.5; linux fib_trie.c fib_table_insert(). */
export function runIpRoute(
  draft: DeviceDraft,
  verb: string,
  cursor: WordCursor,
  family: Family,
  origin: Span,
): Outcome {
  if (verb === 'flush') {
    if (family === 6) draft.changed.ipv6 ??= origin;
    return flush(draft, cursor, family, origin);
  }
  const read = readRouteWords(cursor, family);
  if (read.error !== undefined && (family === 6 || read.prefix?.family === 6)) draft.changed.ipv6 ??= origin;
  if (read.error !== undefined || read.prefix === undefined)
    return uncertain(read.error ?? 'the destination is missing');
  if (verb === 'delete') return remove(draft, read, origin);
  let route = routeOf(draft, read, origin);
  if (route.family === 6 && !followsRoute6(draft, verb, read, route.table)) draft.changed.ipv6 ??= origin;
  if (route.nextHopObject !== undefined) {
    const whole = withObject(route, draft.nextHopObjects);
    if (whole !== undefined) route = whole;
    else if (draft.given.nextHopObjects || draft.given.routeTables.size > 0)
      return refuse(`there is no next hop object ${route.nextHopObject}`);
    else route = { ...route, unmodelled: [...route.unmodelled, `nhid ${route.nextHopObject}`] };
  }
  const checked = checkGateways(draft, route, read);
  if (checked === 'refused') return refuse('the kernel finds no link on which the gateway is');
  if (checked !== 'unknown') route = checked;
  for (const hop of checked === 'unknown' ? route.nextHops : []) {
    const hidden = hop.onLink ? 'no' : hidesGateway(draft, route, hop);
    if (hidden === 'unknown')
      return uncertain('whether the kernel finds the gateway depends on policy rules that are not followed');
    if (hidden === 'yes') return refuse('policy rules keep the kernel from finding the gateway');
  }
  const refusal = refusalOf(draft, route, read);
  if (refusal !== undefined) return refuse(refusal);
  if (read.unmodelled.length > 0) {
    draft.unmodelled(`where this route leads is not modelled: ${read.unmodelled.join(', ')}`, origin);
  }
  return insert(draft, verb, route);
}

function tableOf(draft: DeviceDraft, read: RouteWords, origin: Span): number {
  if (read.table !== undefined) return draft.tableId(read.table, origin, true);
  return ['local', 'broadcast', 'anycast'].includes(read.type) ? RouteTableId.local : RouteTableId.main;
}

function routeOf(draft: DeviceDraft, read: RouteWords, origin: Span): Route {
  const prefix = read.prefix!;
  const table = tableOf(draft, read, origin);
  const device = (hop: NextHop): NextHop => {
    if (hop.device !== undefined || hop.gateway === undefined) return hop;
    const found = deviceOfGateway(draft.routes, hop.gateway, table);
    return found === undefined ? hop : { ...hop, device: found };
  };
  const scope = read.scope ?? defaultScope(read);
  return {
    family: prefix.family,
    table,
    type: read.type,
    prefix,
    tos: read.tos,
    metric: read.metric ?? (prefix.family === 6 ? 1024 : 0),
    nextHops: read.nextHops.map((hop) => withCarrier(draft, device(hop), scope)),
    ...(read.nextHopObject === undefined ? {} : { nextHopObject: read.nextHopObject }),
    ...(scope === undefined ? {} : { scope }),
    ...(read.protocol === undefined ? {} : { protocol: read.protocol }),
    ...(read.preferredSource === undefined ? {} : { preferredSource: read.preferredSource }),
    ...(read.preference === undefined ? {} : { preference: read.preference }),
    unmodelled: read.unmodelled,
    origin,
  };
}

/** A hop over an interface without carrier says so from the beginning. */
function withCarrier(draft: DeviceDraft, hop: NextHop, scope: string | undefined): NextHop {
  const link = hop.device === undefined ? undefined : draft.interfaces.get(hop.device);
  return link?.lowerUp === false && link.up === true && scope !== 'host' ? { ...hop, linkDown: true } : hop;
}

/** The scope of a route that says none. Ref: iproute2 ip/iproute.c: iproute_modify(). */
function defaultScope({ type, nextHops, nextHopObject, prefix }: RouteWords): string | undefined {
  if (prefix?.family === 6) return undefined;
  if (type === 'local') return 'host';
  if (type === 'broadcast' || type === 'multicast' || type === 'anycast') return 'link';
  const isDirect = nextHops.length === 1 && nextHops[0]!.gateway === undefined && nextHopObject === undefined;
  return type === 'unicast' && isDirect ? 'link' : undefined;
}

/** The route with the devices that the kernel finds for its gateways, where the dumps show all that decides about it. */
function checkGateways(draft: DeviceDraft, route: Route, read: RouteWords): Route | 'refused' | 'unknown' {
  const { given } = draft;
  const tables = given.routeTables.get(4);
  if (route.family !== 4 || !given.interfaces || !given.policyRules.has(4) || tables !== 'all') return 'unknown';
  if (route.unmodelled.length > 0) return 'unknown';
  const state = { routes: draft.routes, policyRules: draft.policyRules, isComplete: () => true };
  const nextHops: NextHop[] = [];
  for (const [index, hop] of route.nextHops.entries()) {
    if (hop.gateway === undefined || hop.onLink) {
      nextHops.push(hop);
      continue;
    }
    // What was said, as opposed to what was found for it.
    const { device } = route.nextHopObject === undefined ? read.nextHops[index]! : hop;
    const found = findGateway(state, {
      gateway: hop.gateway,
      ...(device === undefined ? {} : { device }),
      table: route.table,
      scope: scopeNumber(route.scope),
    });
    if (typeof found === 'string') return found;
    nextHops.push({ ...hop, device: found.device });
  }
  return { ...route, nextHops };
}

/**
 * Whether policy rules hide a gateway from the kernel, which looks it up in the route's own table, and then by the rules, before it
 * takes the route. That nothing at all is connected to it is no matter here.
 * Ref: linux fib_semantics.c fib_check_nh_v4_gw().
 */
function hidesGateway(draft: DeviceDraft, route: Route, { gateway, device }: NextHop): 'yes' | 'no' | 'unknown' {
  if (gateway === undefined || gateway.family !== route.family) return 'no';
  const connectedIn = (table: number): boolean => deviceWithin(draft.routes, gateway, table) !== undefined;
  if (route.table !== RouteTableId.main && connectedIn(route.table)) return 'no';
  for (const rule of draft.policyRules) {
    if (rule.family !== route.family) continue;
    if (rule.unmodelled.length > 0) return 'unknown';
    if (!holdsForGateway(rule, gateway, device)) continue;
    const { action } = rule;
    switch (action.kind) {
      case 'lookup':
        if (action.table === RouteTableId.main) return rule.suppressPrefixLength === undefined ? 'no' : 'unknown';
        if (action.table !== RouteTableId.local && connectedIn(action.table)) return 'unknown';
        break;
      case 'nop':
        break;
      case 'goto':
        return 'unknown';
      default:
        return 'yes';
    }
  }
  return 'yes';
}

/** Why a kernel does not take the route. A gateway that is on no connected network is kept, for the findings to name it. */
function refusalOf(draft: DeviceDraft, route: Route, read: RouteWords): string | undefined {
  if (String(networkOf(route.prefix).words) !== String(route.prefix.words)) {
    return `${formatPrefix(route.prefix)} has bits behind its prefix length`;
  }
  const forwards = ['unicast', 'local', 'broadcast', 'multicast', 'anycast'].includes(route.type);
  if (forwards && route.nextHops.length === 0 && route.unmodelled.length === 0)
    return 'the route has neither via nor dev';
  if (!forwards && read.typeWritten && (route.nextHops.length > 0 || route.nextHopObject !== undefined))
    return 'a route of this type leads nowhere';
  if (route.family === 4) {
    const scope = scopeNumber(route.scope);
    if (scope > scopeNumber('host') || scope < LEAST_SCOPES[route.type]) return 'the scope does not fit the route';
    const isLocal = scope === scopeNumber('host');
    if (isLocal && (route.nextHops.length !== 1 || route.nextHops[0]!.gateway !== undefined))
      return 'a route of scope host has no gateway';
    if (route.preferredSource !== undefined && !isOwn(draft, route.preferredSource))
      return 'the source address is not one of the router';
    const atSelf = route.nextHops.find((hop) => hop.onLink && hop.gateway !== undefined && isTaken(draft, hop.gateway));
    if (atSelf !== undefined) return 'a gateway on the link is no address of the router, and no broadcast address';
  }
  for (const { device } of route.nextHops) {
    if (device === undefined) continue;
    const link = draft.interfaces.get(device);
    if (link === undefined && draft.given.interfaces) return `there is no interface ${device}`;
    if (link?.up === false) return `interface ${device} is down`;
  }
  return undefined;
}

/** Ref: linux fib_semantics.c: fib_props[]. */
const LEAST_SCOPES: Readonly<Record<RouteType, number>> = {
  unicast: 0,
  local: 254,
  broadcast: 253,
  anycast: 253,
  multicast: 0,
  blackhole: 0,
  unreachable: 0,
  prohibit: 0,
  throw: 0,
};

/** Whether something is an address of the router; where its interfaces are not known it may be. */
function isOwn(draft: DeviceDraft, address: IpAddress): boolean {
  if (!draft.given.interfaces) return true;
  for (const { addresses } of draft.interfaces.values())
    for (const { prefix } of addresses) if (String(prefix.words) === String(address.words)) return true;
  return draft.routes.some(
    (route) => route.table === RouteTableId.local && route.type === 'local' && prefixContains(route.prefix, address),
  );
}

const isTaken = (draft: DeviceDraft, address: IpAddress): boolean =>
  draft.routes.some(
    ({ table, type, prefix }) =>
      table === RouteTableId.local && (type === 'local' || type === 'broadcast') && prefixContains(prefix, address),
  );

const sameSlot = (a: Route, b: Route): boolean =>
  a.family === b.family &&
  a.table === b.table &&
  a.tos === b.tos &&
  a.metric === b.metric &&
  a.prefix.prefixLength === b.prefix.prefixLength &&
  a.prefix.words.every((word, index) => word === b.prefix.words[index]);

/** Whether two routes of one slot are the same: the kernel takes no exact copy. Ref: linux fib_semantics.c: fib_find_info(). */
function isCopy(a: Route, b: Route): boolean {
  const text = ({ type, nextHops, protocol, scope, preferredSource, nextHopObject }: Route): string =>
    JSON.stringify([
      [type, protocol ?? 'boot', scopeNumber(scope), preferredSource?.words, nextHopObject],
      nextHops.map((hop) => [hop.gateway?.words, hop.device, hop.weight, hop.onLink]),
    ]);
  return text(a) === text(b);
}

function insert(draft: DeviceDraft, verb: string, route: Route): Outcome {
  const first = draft.routes.findIndex((other) => sameSlot(other, route));
  switch (verb) {
    case 'add':
      if (first >= 0) return refuse('a route of this destination and metric exists already');
      draft.routes.push(route);
      return DONE;
    case 'append':
    case 'prepend':
      if (draft.routes.some((other) => sameSlot(other, route) && isCopy(other, route)))
        return refuse('this route exists already');
      if (verb === 'append') draft.routes.push(route);
      else draft.routes.splice(first < 0 ? draft.routes.length : first, 0, route);
      return DONE;
    case 'replace':
    case 'change':
      // Nor does it put one before its copy.
      if (first >= 0 && draft.routes.some((other, at) => at > first && sameSlot(other, route) && isCopy(other, route)))
        return refuse('this route exists already');
      if (first >= 0) draft.routes[first] = route;
      else if (verb === 'change') return refuse('there is no route to change');
      else draft.routes.push(route);
      return DONE;
    default:
      return uncertain(`ip route ${verb} is not known`);
  }
}

/** Removes the first route of the destination; what the command does not say may be anything. Ref: fib_trie.c fib_table_delete(). */
function remove(draft: DeviceDraft, read: RouteWords, origin: Span): Outcome {
  if (read.unmodelled.length > 0) return uncertain(`${read.unmodelled.join(', ')} is not modelled`);
  const prefix = read.prefix!;
  const table = tableOf(draft, read, origin);
  if (prefix.family === 6 && !followsRoute6(draft, 'delete', read, table)) draft.changed.ipv6 ??= origin;
  const fits = (route: Route): boolean =>
    route.family === prefix.family &&
    route.table === table &&
    route.prefix.prefixLength === prefix.prefixLength &&
    String(route.prefix.words) === String(prefix.words) &&
    route.tos === read.tos &&
    (read.metric === undefined || route.metric === read.metric) &&
    // Ref: linux net/ipv6/route.c ip6_route_del(): the type does not count.
    (!read.typeWritten || route.family === 6 || route.type === read.type) &&
    (read.nextHops.length === 0 || hopsMatch(read.nextHops, route.nextHops));
  let at = -1;
  for (const [index, route] of draft.routes.entries()) {
    // The kernel keeps the routes of a destination by metric.
    if ((at < 0 || route.metric < draft.routes[at]!.metric) && fits(route)) at = index;
  }
  if (at < 0) {
    // What a table that is not completely known loses was not known before either.
    const known = draft.given.routeTables.get(prefix.family);
    const complete =
      known === 'all' ||
      known?.has(table) === true ||
      draft.changed.flushedTables.get(prefix.family)?.has(table) === true;
    return complete ? refuse('there is no such route') : DONE;
  }
  draft.routes.splice(at, 1);
  return DONE;
}

function hopsMatch(wanted: readonly NextHop[], got: readonly NextHop[]): boolean {
  if (wanted.length !== got.length) return false;
  return wanted.every((hop, index) => {
    const other = got[index]!;
    const gateway = hop.gateway === undefined || String(hop.gateway.words) === String(other.gateway?.words);
    return gateway && (hop.device === undefined || other.device === undefined || hop.device === other.device);
  });
}

function flush(draft: DeviceDraft, cursor: WordCursor, family: Family, origin: Span): Outcome {
  const words = cursor.rest().split(' ');
  if (words.length === 1 && words[0] === 'cache') return DONE;
  if (words.length === 2 && words[0] === 'cache' && words[1] !== undefined) return DONE;
  if (words.length !== 2 || words[0] !== 'table' || words[1] === 'all' || words[1] === 'cache') {
    return words[1] === 'cache' ? DONE : uncertain('which routes are flushed is not known');
  }
  const table = draft.tableId(words[1]!, origin, true);
  // iproute2 fails at these, and removes some of the others.
  if (
    draft.routes.some((route) => route.table === table && route.family === family && route.nextHopObject !== undefined)
  )
    return uncertain('routes over the objects of ip nexthop are among those that are flushed');
  draft.routes = draft.routes.filter((route) => route.family !== family || route.table !== table);
  const flushed = draft.changed.flushedTables.get(family) ?? new Set();
  draft.changed.flushedTables.set(family, flushed.add(table));
  return DONE;
}
