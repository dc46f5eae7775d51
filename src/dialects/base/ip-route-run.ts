import { type NextHop, type PolicyRule, type Route, RouteTableId } from '../../model/routing.ts';
import type { Family, IpAddress } from '../../net/ip-address.ts';
import { formatPrefix, networkOf, prefixContains } from '../../net/prefix.ts';
import type { Span } from '../../text/span.ts';
import type { DeviceDraft } from './device-draft.ts';
import { readRouteWords, type RouteWords } from './ip-route-words.ts';
import type { WordCursor } from './ip-words.ts';
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
  if (verb === 'flush') return flush(draft, cursor, family, origin);
  const read = readRouteWords(cursor, family);
  if (read.error !== undefined || read.prefix === undefined)
    return uncertain(read.error ?? 'the destination is missing');
  if (verb === 'delete') return remove(draft, read, origin);
  const route = routeOf(draft, read, origin);
  for (const hop of route.nextHops) {
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
  return {
    family: prefix.family,
    table,
    type: read.type,
    prefix,
    tos: read.tos,
    metric: read.metric ?? (prefix.family === 6 ? 1024 : 0),
    nextHops: read.nextHops.map(device),
    ...(read.scope === undefined ? {} : { scope: read.scope }),
    ...(read.protocol === undefined ? {} : { protocol: read.protocol }),
    ...(read.preferredSource === undefined ? {} : { preferredSource: read.preferredSource }),
    unmodelled: read.unmodelled,
    origin,
  };
}

/** Whether a rule holds for the lookup of a gateway: locally made, without source, mark, type of service and protocol. */
function holdsForGateway(rule: PolicyRule, gateway: IpAddress, device: string | undefined): boolean {
  const nowhere: IpAddress = { family: gateway.family, words: [0, 0, 0, 0] };
  const holds =
    (rule.from === undefined || prefixContains(rule.from, nowhere)) &&
    (rule.to === undefined || prefixContains(rule.to, gateway)) &&
    (rule.fwmark === undefined || (rule.fwmark.value & rule.fwmark.mask) === 0) &&
    (rule.iif === undefined || rule.iif === 'lo') &&
    (rule.oif === undefined || rule.oif === device) &&
    rule.tos === undefined &&
    rule.ipProtocol === undefined &&
    rule.sourcePorts === undefined &&
    rule.destinationPorts === undefined;
  return holds !== rule.inverted;
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
  if (forwards && route.nextHops.length === 0 && read.unmodelled.length === 0)
    return 'the route has neither via nor dev';
  for (const { device } of route.nextHops) {
    if (device === undefined) continue;
    const link = draft.interfaces.get(device);
    if (link === undefined && draft.given.interfaces) return `there is no interface ${device}`;
    if (link?.up === false) return `interface ${device} is down`;
  }
  return undefined;
}

const sameSlot = (a: Route, b: Route): boolean =>
  a.family === b.family &&
  a.table === b.table &&
  a.tos === b.tos &&
  a.metric === b.metric &&
  a.prefix.prefixLength === b.prefix.prefixLength &&
  a.prefix.words.every((word, index) => word === b.prefix.words[index]);

/** Whether two routes of one slot lead the same way: the kernel takes no exact copy. */
function sameWay(a: Route, b: Route): boolean {
  const hops = (route: Route): string =>
    JSON.stringify(route.nextHops.map((hop) => [hop.gateway?.words, hop.device, hop.weight]));
  return a.type === b.type && hops(a) === hops(b);
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
      if (draft.routes.some((other) => sameSlot(other, route) && sameWay(other, route)))
        return refuse('this route exists already');
      if (verb === 'append') draft.routes.push(route);
      else draft.routes.splice(first < 0 ? draft.routes.length : first, 0, route);
      return DONE;
    case 'replace':
    case 'change':
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
  const fits = (route: Route): boolean =>
    route.family === prefix.family &&
    route.table === table &&
    route.prefix.prefixLength === prefix.prefixLength &&
    String(route.prefix.words) === String(prefix.words) &&
    route.tos === read.tos &&
    (read.metric === undefined || route.metric === read.metric) &&
    (!read.typeWritten || route.type === read.type) &&
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
  draft.routes = draft.routes.filter((route) => route.family !== family || route.table !== table);
  const flushed = draft.changed.flushedTables.get(family) ?? new Set();
  draft.changed.flushedTables.set(family, flushed.add(table));
  return DONE;
}
