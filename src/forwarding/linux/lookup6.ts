import { HopFlag } from './fib.ts';
import { type FibTable, findNetwork6 } from './fib-table.ts';
import { wordsKey } from './links.ts';
import { isUsable } from './next-hop.ts';
import type { Run } from './run.ts';

/** {@link Run.flowSource} of IPv6 where the lookup has none. */
export const NO_SOURCE = -1;

/** How a lookup takes one of several routes to a network. */
export const Search6 = {
  /** By metric, and then by the interface that the packet came in on. */
  input: 0,
  /** As for a packet of the router's own: the first route over an interface, whatever its metric. */
  device: 1,
} as const;

/** Results beside route numbers. */
export const MISS = -1;
export const UNKNOWN = -2;

/** Points of a route over the wanted interface. Preferences that routers advertise are not modelled. Ref: rt6_score_route(). */
const SAME_DEVICE = 2;

/**
 * The route of a table for the run's destination: that of the longest prefix which has one that can be taken. Where the router forwards by
 * force alone, routers that do not answer are passed over unless nothing else is left.
 * Ref: net/ipv6/route.c: fib6_table_lookup(), ip6_pol_route_lookup().
 */
export function lookupTable6(run: Run, table: FibTable): number {
  const found = searchTable(run, table, run.flowReachable);
  return found === MISS && run.flowReachable ? searchTable(run, table, false) : found;
}

function searchTable(run: Run, table: FibTable, reachable: boolean): number {
  const { words } = run.router.addresses;
  for (let index = 0; index < table.lengths.length; index++) {
    const hash = table.hashes[index]!;
    const slot = findNetwork6(table, index, words, 4 * run.flowDestination);
    const first = hash.first[slot]!;
    if (first === -1) continue;
    const count = hash.count[slot]!;
    const found =
      run.flowSearch === Search6.input
        ? takeBest(run, first, count, reachable)
        : takeOfDevice(run, first, first + count);
    if (found !== MISS) return found;
  }
  return MISS;
}

/**
 * Of the routes of the lowest metric the first one of the highest score; where none of them can be taken, of all others.
 * Ref: net/ipv6/route.c: find_rr_leaf(), find_match(), rt6_score_route().
 */
function takeBest(run: Run, start: number, count: number, reachable: boolean): number {
  const { routes, order } = run.router.fib;
  const { metric } = routes.model[order[start]!]!;
  let best = MISS;
  let bestScore = -1;
  for (let place = start; place < start + count; place++) {
    const route = order[place]!;
    if (best !== MISS && routes.model[route]!.metric !== metric && routes.model[best]!.metric === metric) break;
    if (isUnknown(run, route)) return UNKNOWN;
    const from = routes.hopStart[route]!;
    const after = routes.hopStart[route + 1]!;
    // Which of several it is in the end, the hash decides, and looks at interfaces and routers again.
    const isGroup = after - from > 1;
    if (isGroup && (run.flowStrict || reachable)) {
      run.unknown = routes.multipathReason[route]!;
      return UNKNOWN;
    }
    for (let hop = from; hop < Math.max(after, from + 1); hop++) {
      const score = hop < after ? scoreOf(run, hop, reachable) : run.flowStrict ? -1 : 0;
      if (score <= bestScore) continue;
      best = route;
      bestScore = score;
    }
  }
  return best;
}

/** Negative: it cannot be taken. */
function scoreOf(run: Run, hop: number, reachable: boolean): number {
  const { routes } = run.router.fib;
  if (!isUsable(run, hop)) return -1;
  const isSame = run.flowOif === -1 || routes.hopDevice[hop] === run.flowOif;
  if (!isSame && run.flowStrict) return -1;
  const isRouter = (routes.hopFlags[hop]! & HopFlag.gateway) !== 0;
  const asks = reachable && isRouter && routes.isAnswering[hop] === 0;
  if (asks && run.choose(2, run.router.reasons.forced) === 1) return -1;
  return isSame ? SAME_DEVICE : 0;
}

/** Ref: net/ipv6/route.c: rt6_device_match(). */
function takeOfDevice(run: Run, start: number, end: number): number {
  const { routes, order } = run.router.fib;
  const isOfRouter = run.flowOif === -1 && run.flowSource !== NO_SOURCE && isOwn(run, run.flowSource);
  for (let place = start; place < end; place++) {
    const route = order[place]!;
    if (isUnknown(run, route)) return UNKNOWN;
    // Routes that refuse are over the loopback interface.
    if (isOfRouter && routes.hopStart[route] === routes.hopStart[route + 1]) return route;
    for (let hop = routes.hopStart[route]!; hop < routes.hopStart[route + 1]!; hop++) {
      if ((routes.hopFlags[hop]! & HopFlag.dead) !== 0) continue;
      if (isOfRouter || (run.flowOif !== -1 && routes.hopDevice[hop] === run.flowOif)) return route;
    }
  }
  if (run.flowStrict) return MISS;
  const first = order[start]!;
  if (routes.hopStart[first] === routes.hopStart[first + 1]) return first;
  return (routes.hopFlags[routes.hopStart[first]!]! & HopFlag.dead) === 0 ? first : MISS;
}

function isOwn(run: Run, address: number): boolean {
  const { words } = run.router.addresses;
  const at = 4 * address;
  return run.router.links.own6.has(wordsKey([words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!]));
}

function isUnknown(run: Run, route: number): boolean {
  const reason = run.router.fib.routes.reason[route]!;
  if (reason !== -1) run.unknown = reason;
  return reason !== -1;
}
