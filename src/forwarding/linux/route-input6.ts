import { IpProtocol } from '../../net/ip-protocol.ts';
import { LinkDestination } from '../../wire/packet-batch.ts';
import { DecisionFlag, Disposition } from '../decision.ts';
import { isConfinedMulticast6, isLinkLocal6, isLoopback6, isMapped6, isMulticast6, isNone6 } from './address-scope.ts';
import { HopFlag, RouteKind } from './fib.ts';
import { Found, lookup } from './lookup.ts';
import { NO_SOURCE, Search6 } from './lookup6.ts';
import { selectHop } from './next-hop.ts';
import { causeOf, DISPOSITION_OF_LOOKUP, noteMarks, recordRoute, Routed, setTransportFlow } from './route-input.ts';
import type { Run } from './run.ts';
import { Forwarding6 } from './settings6.ts';

/** No link that carries IPv6 has less. Ref: RFC 8200 section 5 */
const MINIMUM_MTU = 1280;

/** Whether the packet ends before any hook sees it: then the run's disposition says why. Ref: ip6_input.c: ip6_rcv_core(). */
export function isRefusedAtOnce(run: Run): boolean {
  const { source, destination } = run;
  const disabled = run.router.settings6.disabled[run.ingress]!;
  if (run.setting(disabled) === 1) {
    end(run, Disposition.notForwarding, disabled.origin);
    return true;
  }
  const isForMany =
    run.linkDestination === LinkDestination.broadcast || run.linkDestination === LinkDestination.multicast;
  const isMartian =
    (isForMany &&
      !isMulticast6(run, destination) &&
      run.setting(run.router.settings6.dropsGroupFrames[run.ingress]!) === 1) ||
    isMulticast6(run, source) ||
    isLoopback6(run, source) ||
    isLoopback6(run, destination) ||
    isMapped6(run, source) ||
    isConfinedMulticast6(run, destination);
  if (isMartian) end(run, Disposition.martian, -1);
  return isMartian;
}

/**
 * Routes an IPv6 packet as it is after PREROUTING. There is no check of its source: neither rp_filter, nor a refusal of the router's own
 * addresses. What has no route is refused before it counts whether the router forwards at all. Ref: net/ipv6/route.c: ip6_route_input().
 */
export function routeInput6(run: Run): number {
  noteMarks(run);
  const { reasons, settings6, fib } = run.router;
  if (isMulticast6(run, run.currentDestination)) return undetermined(run, reasons.multicast);
  const forwarding = settings6.forwarding[run.ingress]!;
  const mode = run.setting(forwarding);
  setTransportFlow(run);
  run.flowOif = run.ingress;
  run.flowStrict = isLinkLocal6(run, run.currentDestination);
  run.flowReachable = mode !== Forwarding6.on;
  run.flowSearch = Search6.input;
  run.flowSource = run.currentSource;
  run.flowDestination = run.currentDestination;
  run.flowIif = run.ingress;
  run.flowUsesMark = true;
  lookup(run);
  if (run.lookup === Found.unknown) return end(run, Disposition.undetermined, -1);
  const route = run.foundRoute;
  run.decidingTable = run.foundTable === -1 ? -1 : fib.tables[run.foundTable]!.id;
  const cause = causeOf(run);
  if (run.lookup !== Found.route) return end(run, DISPOSITION_OF_LOOKUP[run.lookup]!, cause);
  if (fib.routes.kind[route] === RouteKind.local) {
    run.cause = cause;
    return Routed.local;
  }
  if (mode === Forwarding6.off) {
    run.decidingTable = -1;
    return end(run, Disposition.notForwarding, forwarding.origin);
  }
  if (fib.routes.kind[route] !== RouteKind.unicast) return undetermined(run, reasons.multicast);
  return forwardOver6(run, route, cause);
}

function forwardOver6(run: Run, route: number, cause: number): number {
  const { fib, reasons, links } = run.router;
  const { routes } = fib;
  const hop = selectHop(run, route);
  const egress = hop === -1 ? -1 : routes.hopDevice[hop]!;
  if (egress < 0) return undetermined(run, reasons.routeInterface);
  if (egress === links.loopback) return undetermined(run, reasons.loopback);
  const gateway = (routes.hopFlags[hop]! & HopFlag.gateway) !== 0;
  run.nextHop = gateway ? routes.hopGatewayId[hop]! : run.currentDestination;
  recordRoute(run, route, hop);
  run.egress = egress;
  run.cause = cause;
  return Routed.forward;
}

/**
 * What ip6_forward() does before its hook: link-layer destination, hop limit, the reach of the source address, MTU; false where the
 * packet ends here. Ref: net/ipv6/ip6_output.c: ip6_forward().
 */
export function passesForwardChecks6(run: Run): boolean {
  if (run.linkDestination === LinkDestination.broadcast || run.linkDestination === LinkDestination.multicast) {
    return stop(run, Disposition.notForwarding);
  }
  // What TPROXY gave to a local program is not forwarded.
  if (run.hasSocket) return stop(run, Disposition.notForwarding);
  if (run.currentTtl <= 1) return stop(run, Disposition.ttlExpired);
  if (run.egress === run.ingress) {
    if (mayRedirect6(run)) run.flags |= DecisionFlag.icmpRedirect;
  } else if (isNone6(run.currentSource)) {
    return stop(run, Disposition.notForwarding);
  } else if (isLinkLocal6(run, run.currentSource)) {
    // Refused with an error to its source: beyond the scope of its address.
    return stop(run, Disposition.unreachable);
  }
  const known = run.router.links.mtu[run.egress]!;
  const mtu = known > 0 ? Math.max(known, MINIMUM_MTU) : 0;
  // A TCP "packet" above the MTU is what the network card put together from several; they leave as they came.
  if (mtu > 0 && run.networkLength > mtu && run.protocol !== IpProtocol.tcp) return stop(run, Disposition.tooBig);
  return true;
}

/**
 * Whether the router would tell the source of a shorter way: only of a destination on the link or a router by its link-local address,
 * and only a source that it reaches without a gateway, over whichever interface. No sysctl keeps it from doing so.
 * Ref: net/ipv6/ndisc.c: ndisc_send_redirect().
 */
function mayRedirect6(run: Run): boolean {
  if (run.nextHop !== run.currentDestination && !isLinkLocal6(run, run.nextHop)) return false;
  if (isLinkLocal6(run, run.currentSource)) return true;
  const { routes } = run.router.fib;
  const { lookup: found, foundRoute, foundTable, foundRule, steps, unknown } = run;
  run.steps = null;
  run.flowDestination = run.currentSource;
  run.flowSource = NO_SOURCE;
  run.flowOif = run.egress;
  run.flowStrict = false;
  run.flowReachable = false;
  run.flowIif = run.router.links.loopback;
  run.flowProtocol = run.router.rpdb.dissects ? IpProtocol.icmpv6 : 0;
  run.flowSourcePort = 0;
  run.flowDestinationPort = 0;
  run.flowUsesMark = false;
  lookup(run);
  // What is unknown may be so.
  let isNeighbour = run.lookup === Found.unknown;
  if (run.lookup === Found.route) {
    const start = routes.hopStart[run.foundRoute]!;
    const after = routes.hopStart[run.foundRoute + 1]!;
    for (let hop = start; hop < after; hop++) if ((routes.hopFlags[hop]! & HopFlag.gateway) === 0) isNeighbour = true;
  }
  run.steps = steps;
  run.unknown = unknown;
  run.lookup = found;
  run.foundRoute = foundRoute;
  run.foundTable = foundTable;
  run.foundRule = foundRule;
  return isNeighbour;
}

function undetermined(run: Run, reason: number): number {
  run.unknown = reason;
  return end(run, Disposition.undetermined, -1);
}

function stop(run: Run, disposition: number): boolean {
  end(run, disposition, -1);
  run.egress = -1;
  return false;
}

function end(run: Run, disposition: number, cause: number): number {
  run.disposition = disposition;
  run.cause = cause;
  return Routed.ended;
}
