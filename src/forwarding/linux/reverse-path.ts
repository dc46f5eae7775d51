import type { Step } from '../walk.ts';
import { describeRoute, HopFlag, RouteKind } from './fib.ts';
import { HasAddress } from './links.ts';
import { Found, lookup } from './lookup.ts';
import { isUsable } from './next-hop.ts';
import type { Run } from './run.ts';

/** What the check of a packet's source says. */
export const SourceCheck = {
  passed: 0,
  /** Passed, and the source is on the link it came from: an ICMP redirect to it is possible. */
  passedOnLink: 1,
  droppedByReversePath: 2,
  /** Own, broadcast or other impossible source. */
  martian: 3,
  /** The run's `unknown` says why. */
  unknown: 4,
} as const;

/**
 * The source check of the ingress interface: rp_filter and the refusal of the router's own addresses. `egress` is where the packet goes,
 * −1 to the router itself; `toBroadcast`: delivered as a broadcast. Section 5 of linux-forwarding.
 * Ref: fib_frontend.c: fib_validate_source(), __fib_validate_source().
 */
export function checkSource(run: Run, egress: number, toBroadcast: boolean): number {
  const { settings, links, fib, rpdb } = run.router;
  const { steps } = run;
  run.steps = null;
  let mode = settings.sourceCheck[run.ingress]!.values[0]!;
  if (settings.sourceCheck[run.ingress]!.reason !== -1) {
    // Missing, but a source whose route leads back over the ingress passes in any mode.
    findSource(run, egress, toBroadcast);
    const passesAll =
      run.lookup === Found.route &&
      fib.routes.kind[run.foundRoute] === RouteKind.unicast &&
      leadsTo(run, run.foundRoute, run.ingress) &&
      !links.own.has(run.currentSource);
    if (passesAll) {
      const result = isOnLink(run, run.foundRoute) ? SourceCheck.passedOnLink : SourceCheck.passed;
      record(run, steps, result, true);
      return result;
    }
    mode = run.setting(settings.sourceCheck[run.ingress]!);
  }
  let result: number;
  const redirects = egress === run.ingress && run.setting(settings.sendRedirects[run.ingress]!) !== 0;
  const isFast = mode === 0 && !fib.realms && !redirects;
  if (isFast && run.setting(settings.acceptLocal[run.ingress]!) !== 0) {
    record(run, steps, SourceCheck.passed, false);
    return SourceCheck.passed;
  }
  if (isFast && rpdb.pristine && !fib.customLocalRoutes) {
    // No rule seems ever to have been changed; if one was and deleted again, the full check runs (3.10). It mostly says the same.
    const short = links.own.has(run.currentSource) ? SourceCheck.martian : SourceCheck.passed;
    result = fullCheck(run, egress, toBroadcast, 0);
    const same = result === short || (short === SourceCheck.passed && result === SourceCheck.passedOnLink);
    if (same || run.choose(2, run.router.reasons.ruleHistory) === 0) result = short;
  } else {
    result = fullCheck(run, egress, toBroadcast, mode);
  }
  record(run, steps, result, true);
  return result;
}

function fullCheck(run: Run, egress: number, toBroadcast: boolean, mode: number): number {
  const { settings, links, fib, reasons } = run.router;
  const failed = mode === 0 ? SourceCheck.passed : SourceCheck.droppedByReversePath;
  findSource(run, egress, toBroadcast);
  if (run.lookup === Found.unknown) return SourceCheck.unknown;
  if (run.lookup !== Found.route) return failed;
  const route = run.foundRoute;
  const kind = fib.routes.kind[route]!;
  if (kind !== RouteKind.unicast) {
    if (kind !== RouteKind.local) return SourceCheck.martian;
    if (run.setting(settings.acceptLocal[run.ingress]!) === 0) return SourceCheck.martian;
  }
  const matches = leadsTo(run, route, run.ingress) || (kind === RouteKind.local && run.ingress === links.loopback);
  if (matches) return isOnLink(run, route) ? SourceCheck.passedOnLink : SourceCheck.passed;
  const address = links.hasAddress[run.ingress]!;
  if (address === HasAddress.no) return failed;
  if (address === HasAddress.unknown && mode === 2 && run.choose(2, reasons.interfaceAddresses) === 1) return failed;
  if (mode === 1) return SourceCheck.droppedByReversePath;
  return egress === run.ingress && leadsBackOnLink(run, egress) ? SourceCheck.passedOnLink : SourceCheck.passed;
}

/**
 * Whether the source is on the link that it came from by a route that leads there at all, where the best one does not: that is asked
 * with the ingress as output interface. What is unknown counts as so: an ICMP redirect is then possible.
 */
function leadsBackOnLink(run: Run, egress: number): boolean {
  const { lookup: found, foundRoute, foundTable, foundRule } = run;
  run.flowOutput = run.ingress;
  findSource(run, egress, false);
  run.flowOutput = -1;
  const unicast = run.lookup === Found.route && run.router.fib.routes.kind[run.foundRoute] === RouteKind.unicast;
  const onLink = run.lookup === Found.unknown || (unicast && isHopOnLink(run, run.foundRoute, run.ingress));
  run.lookup = found;
  run.foundRoute = foundRoute;
  run.foundTable = foundTable;
  run.foundRule = foundRule;
  return onLink;
}

function isHopOnLink(run: Run, route: number, device: number): boolean {
  const { routes } = run.router.fib;
  for (let hop = routes.hopStart[route]!; hop < routes.hopStart[route + 1]!; hop++) {
    if (routes.hopDevice[hop] === device) return (routes.hopFlags[hop]! & HopFlag.gateway) === 0;
  }
  return false;
}

/** The lookup of the source: seen from the egress, ports and addresses exchanged, without mark unless src_valid_mark (5.3, 5.4). */
function findSource(run: Run, egress: number, toBroadcast: boolean): void {
  const { router } = run;
  run.flowDestination = run.currentSource;
  run.flowSource = toBroadcast ? 0 : run.currentDestination;
  run.flowIif = egress === -1 ? router.links.loopback : egress;
  const swap = run.flowSourcePort;
  run.flowSourcePort = run.flowDestinationPort;
  run.flowDestinationPort = swap;
  run.flowUsesMark =
    (run.mark | run.markUnknown) !== 0 && run.setting(router.settings.sourceValidMark[run.ingress]!) !== 0;
  lookup(run);
  run.flowDestinationPort = run.flowSourcePort;
  run.flowSourcePort = swap;
}

/** Any next hop counts, dead ones too. Ref: fib_semantics.c: fib_info_nh_uses_dev(). */
export function leadsTo(run: Run, route: number, device: number): boolean {
  const { routes } = run.router.fib;
  for (let hop = routes.hopStart[route]!; hop < routes.hopStart[route + 1]!; hop++) {
    if (routes.hopDevice[hop] === device) return true;
  }
  return false;
}

function isOnLink(run: Run, route: number): boolean {
  const { routes } = run.router.fib;
  for (let hop = routes.hopStart[route]!; hop < routes.hopStart[route + 1]!; hop++) {
    if (isUsable(run, hop)) return (routes.hopFlags[hop]! & HopFlag.gateway) === 0;
  }
  return false;
}

function record(run: Run, steps: Step[] | null, result: number, lookedUp: boolean): void {
  run.steps = steps;
  if (steps === null) return;
  const { settings, links, fib, registry } = run.router;
  const setting = settings.sourceCheck[run.ingress]!;
  const all = settings.sourceCheckAll[run.ingress];
  const own = settings.sourceCheckOwn[run.ingress];
  const route = lookedUp && run.lookup === Found.route ? fib.routes.model[run.foundRoute] : undefined;
  const origin = registry.origins[setting.origin];
  const passed = result === SourceCheck.passed || result === SourceCheck.passedOnLink;
  steps.push({
    kind: 'reverse-path',
    ingress: links.names[run.ingress]!,
    ...(setting.reason === -1 ? { effective: setting.values[0]! } : {}),
    ...(all === undefined ? {} : { all }),
    ...(own === undefined ? {} : { own }),
    ...(settings.sourceValidMark[run.ingress]!.reason === -1
      ? { sourceValidMark: settings.sourceValidMark[run.ingress]!.values[0] === 1 }
      : {}),
    mark: lookedUp && run.flowUsesMark ? run.mark >>> 0 : 0,
    outcome: result === SourceCheck.unknown ? 'unknown' : passed ? 'passed' : 'dropped',
    effect: lookedUp ? (route === undefined ? 'no route' : describeRoute(route)) : 'not looked up',
    devices: route === undefined ? [] : route.nextHops.flatMap(({ device }) => (device === undefined ? [] : [device])),
    ...(route === undefined ? {} : { table: route.table }),
    ...(origin === undefined ? {} : { origin }),
  });
}
