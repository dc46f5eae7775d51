import { type NextHop, type Route, RouteTableId } from '../../model/routing.ts';
import type { Family } from '../../net/ip-address.ts';
import { formatPrefix, networkOf } from '../../net/prefix.ts';
import type { Span } from '../../text/span.ts';
import type { DeviceDraft } from './device-draft.ts';
import { readRouteWords, type RouteWords } from './ip-route-words.ts';
import type { WordCursor } from './ip-words.ts';
import type { Outcome } from './netfilter-draft.ts';
import { deviceOfGateway } from './resolve-devices.ts';

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
  const device = (hop: NextHop): NextHop => {
    if (hop.device !== undefined || hop.gateway === undefined) return hop;
    const found = deviceOfGateway(draft.routes, hop.gateway);
    return found === undefined ? hop : { ...hop, device: found };
  };
  return {
    family: prefix.family,
    table: tableOf(draft, read, origin),
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

function insert(draft: DeviceDraft, verb: string, route: Route): Outcome {
  const first = draft.routes.findIndex((other) => sameSlot(other, route));
  switch (verb) {
    case 'add':
      if (first >= 0) return refuse('a route of this destination and metric exists already');
      draft.routes.push(route);
      return DONE;
    case 'append':
      draft.routes.push(route);
      return DONE;
    case 'prepend':
      draft.routes.splice(first < 0 ? draft.routes.length : first, 0, route);
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
  const at = draft.routes.findIndex(
    (route) =>
      route.family === prefix.family &&
      route.table === table &&
      route.prefix.prefixLength === prefix.prefixLength &&
      String(route.prefix.words) === String(prefix.words) &&
      route.tos === read.tos &&
      (read.metric === undefined || route.metric === read.metric) &&
      (!read.typeWritten || route.type === read.type) &&
      (read.nextHops.length === 0 || hopsMatch(read.nextHops, route.nextHops)),
  );
  if (at < 0) {
    const known = draft.given.routeTables.get(prefix.family);
    const complete = known === 'all' || known?.has(table) === true;
    return complete ? refuse('there is no such route') : uncertain('whether there is such a route is not known');
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
