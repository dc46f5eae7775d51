import { isLinkLocal6, isMulticast6, isNone6 } from './address-scope.ts';
import { Answer } from './answer.ts';
import { RouteKind } from './fib.ts';
import { Found, lookup } from './lookup.ts';
import { NO_SOURCE, Search6 } from './lookup6.ts';
import { leadsTo } from './reverse-path.ts';
import type { Run } from './run.ts';

/** Bits of an rpfilter match's operand. */
export const RpfilterFlag = { loose: 1, validMark: 2, acceptLocal: 4 } as const;

/**
 * `-m rpfilter`: whether the route back to the source leads over the ingress. Unlike the sysctl it looks as if from the router itself,
 * without ports. Section 5.14 of linux-forwarding. Ref: ipt_rpfilter.c: rpfilter_mt(), rpfilter_lookup_reverse().
 */
export function matchRpfilter(run: Run, flags: number, ingress: number): number {
  const { links, fib } = run.router;
  if (ingress < 0 || ingress === links.loopback) return Answer.unknown;
  const destination = run.currentDestination;
  const isGroup = destination === -1 || (destination & 0xf0000000) === (0xe0000000 | 0);
  // A host without an address asks for one.
  if (run.currentSource === 0 && (destination === -1 || (destination & 0xffffff00) === (0xe0000000 | 0)))
    return Answer.yes;
  const { steps } = run;
  run.steps = null;
  run.flowDestination = run.currentSource;
  run.flowSource = isGroup || destination === 0 ? 0 : destination;
  run.flowIif = links.loopback;
  run.flowProtocol = 0;
  run.flowSourcePort = 0;
  run.flowDestinationPort = 0;
  run.flowUsesMark = (flags & RpfilterFlag.validMark) !== 0;
  lookup(run);
  run.steps = steps;
  if (run.lookup === Found.unknown) return Answer.unknown;
  if (run.lookup !== Found.route) return Answer.no;
  const kind = fib.routes.kind[run.foundRoute]!;
  const isLocal = kind === RouteKind.local && (flags & RpfilterFlag.acceptLocal) !== 0;
  if (kind !== RouteKind.unicast && !isLocal) return Answer.no;
  return (flags & RpfilterFlag.loose) !== 0 || leadsTo(run, run.foundRoute, ingress) ? Answer.yes : Answer.no;
}

/**
 * `-m rpfilter` of ip6tables: of several routes to the source the first one over the ingress counts, whatever its metric.
 * Ref: ip6t_rpfilter.c: rpfilter_lookup_reverse6(); route.c: rt6_device_match().
 */
export function matchRpfilter6(run: Run, flags: number, ingress: number): number {
  const { links, fib, rpdb } = run.router;
  if (ingress < 0 || ingress === links.loopback) return Answer.unknown;
  if (isNone6(run.currentSource)) return Answer.yes;
  const isLoose = (flags & RpfilterFlag.loose) !== 0;
  const isLinkLocal = isLinkLocal6(run, run.currentSource);
  const { steps } = run;
  run.steps = null;
  run.flowDestination = run.currentSource;
  const isOfOne = !isNone6(run.currentDestination) && !isMulticast6(run, run.currentDestination);
  run.flowSource = isOfOne ? run.currentDestination : NO_SOURCE;
  run.flowIif = links.loopback;
  run.flowOif = isLinkLocal || !isLoose ? ingress : -1;
  run.flowOutput = run.flowOif;
  run.flowStrict = isLinkLocal;
  run.flowReachable = false;
  run.flowSearch = Search6.device;
  run.flowProtocol = rpdb.dissects ? run.protocol : 0;
  run.flowSourcePort = 0;
  run.flowDestinationPort = 0;
  run.flowUsesMark = (flags & RpfilterFlag.validMark) !== 0;
  lookup(run);
  run.flowOutput = -1;
  run.steps = steps;
  if (run.lookup === Found.unknown) return Answer.unknown;
  if (run.lookup !== Found.route) return Answer.no;
  const route = run.foundRoute;
  if (fib.routes.kind[route] === RouteKind.local) {
    if (fib.routes.model[route]!.type !== 'local') return Answer.no;
    return (flags & RpfilterFlag.acceptLocal) !== 0 ? Answer.yes : Answer.no;
  }
  if (fib.routes.kind[route] !== RouteKind.unicast) return Answer.unknown;
  return isLoose || leadsTo(run, route, ingress) ? Answer.yes : Answer.no;
}
