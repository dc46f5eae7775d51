import { IpProtocol } from '../../net/ip-protocol.ts';
import { formatPrefix } from '../../net/prefix.ts';
import { LinkDestination, Status } from '../../wire/packet-batch.ts';
import { DecisionFlag, Disposition } from '../decision.ts';
import { HopFlag, RouteKind } from './fib.ts';
import { Found, lookup } from './lookup.ts';
import { formatHop, selectHop } from './next-hop.ts';
import { checkSource, SourceCheck } from './reverse-path.ts';
import { EntryUse, type Run } from './run.ts';

/** Where routing leads a packet. */
export const Routed = {
  /** Nowhere: the run's disposition says why. */
  ended: 0,
  forward: 1,
  local: 2,
} as const;

/** Routes a packet as it is after PREROUTING. Ref: net/ipv4/route.c: ip_route_input_slow(), __mkroute_input(). */
export function routeInput(run: Run): number {
  noteMarks(run);
  const { settings, fib, reasons } = run.router;
  const source = run.currentSource;
  const destination = run.currentDestination;
  if (isMulticast(destination)) {
    run.unknown = reasons.multicast;
    return finish(run, Disposition.undetermined, -1);
  }
  if (isMulticast(source) || source === -1) return finish(run, Disposition.martian, -1);
  setTransportFlow(run);
  if (destination === -1 || (source === 0 && destination === 0)) return deliverBroadcast(run);
  if (source === 0 || destination === 0) return finish(run, Disposition.martian, -1);
  const loopback = isLoopback(destination) || isLoopback(source);
  if (loopback && run.setting(settings.routeLocalnet[run.ingress]!) === 0) {
    return finish(run, Disposition.martian, settings.routeLocalnet[run.ingress]!.origin);
  }

  run.flowSource = source;
  run.flowDestination = destination;
  run.flowIif = run.ingress;
  run.flowUsesMark = true;
  lookup(run);
  const found = run.lookup;
  if (found === Found.unknown) return finish(run, Disposition.undetermined, -1);
  const route = run.foundRoute;
  run.decidingTable = run.foundTable === -1 ? -1 : fib.tables[run.foundTable]!.id;
  const cause = causeOf(run);
  const kind = route === -1 ? -1 : fib.routes.kind[route]!;
  if (found === Found.route && kind === RouteKind.local) return deliver(run, cause);
  if (found === Found.route && kind === RouteKind.broadcast) {
    if (run.setting(settings.broadcastForwarding[run.ingress]!) === 0) {
      run.cause = cause;
      return deliverBroadcast(run);
    }
  } else {
    const forwarding = settings.forwarding[run.ingress]!;
    if (run.setting(forwarding) === 0) {
      run.decidingTable = -1;
      return finish(run, Disposition.notForwarding, forwarding.origin);
    }
    if (found !== Found.route) return finish(run, DISPOSITION_OF_LOOKUP[found]!, cause);
    if (kind !== RouteKind.unicast) return finish(run, Disposition.martian, cause);
  }
  return forwardOver(run, route, cause);
}

/** Keeps the marks as routing sees them. */
export function noteMarks(run: Run): void {
  run.routedMark = run.mark;
  run.routedMarkUnknown = run.markUnknown;
  run.routedHasConnmark = run.use === EntryUse.none ? 0 : 1;
  run.routedConnmark = run.connmark;
  run.routedConnmarkUnknown = run.connmarkUnknown;
}

/** What becomes of a packet whose lookup ended without a route. */
export const DISPOSITION_OF_LOOKUP: Readonly<Record<number, number>> = {
  [Found.nothing]: Disposition.noRoute,
  [Found.blackhole]: Disposition.blackhole,
  [Found.unreachable]: Disposition.unreachable,
  [Found.prohibit]: Disposition.prohibited,
};

/** Protocol and ports of the packet as its lookup sees them: only where some policy rule asks for them. */
export function setTransportFlow(run: Run): void {
  const { rpdb } = run.router;
  run.flowProtocol = rpdb.dissects ? run.protocol : 0;
  // Ports of fragments are not looked at, unless conntrack has put the packet together (linux-forwarding 3.7).
  const whole = (run.status & Status.fragment) === 0;
  const hasPorts = rpdb.dissects && whole && run.protocol !== run.icmp;
  run.flowSourcePort = hasPorts ? run.currentSourcePort : 0;
  run.flowDestinationPort = hasPorts ? run.currentDestinationPort : 0;
}

function forwardOver(run: Run, route: number, cause: number): number {
  const { fib, reasons, links } = run.router;
  const { routes } = fib;
  const table = run.decidingTable;
  const hop = selectHop(run, route);
  const egress = hop === -1 ? -1 : routes.hopDevice[hop]!;
  if (egress < 0) {
    run.unknown = reasons.routeInterface;
    return finish(run, Disposition.undetermined, -1);
  }
  if (egress === links.loopback) {
    // It comes back by that interface and is routed again, as often as its TTL allows.
    run.unknown = reasons.loopback;
    return finish(run, Disposition.undetermined, -1);
  }
  const gateway = (routes.hopFlags[hop]! & HopFlag.gateway) !== 0;
  run.nextHop = gateway ? routes.hopGateway[4 * hop]! | 0 : run.currentDestination;
  run.nextHop6 = (routes.hopFlags[hop]! & HopFlag.gateway6) !== 0 ? hop : -1;
  recordRoute(run, route, hop);
  const check = checkSource(run, egress, false);
  if (check > SourceCheck.passedOnLink) return refuse(run, check);
  run.decidingTable = table;
  run.egress = egress;
  run.cause = cause;
  if (check === SourceCheck.passedOnLink && egress === run.ingress && mayRedirect(run, gateway)) {
    run.flags |= DecisionFlag.icmpRedirect;
  }
  return Routed.forward;
}

/** Records which route is taken, by which of its next hops. */
export function recordRoute(run: Run, route: number, hop: number): void {
  if (run.steps === null) return;
  const { links, fib } = run.router;
  const model = fib.routes.model[route]!;
  run.steps.push({
    kind: 'route',
    table: model.table,
    prefix: formatPrefix(model.prefix),
    egress: links.names[fib.routes.hopDevice[hop]!]!,
    nextHop: formatHop(run, hop, run.currentDestination),
    ...(model.origin === undefined ? {} : { origin: model.origin }),
  });
}

/** Section 1.10; where the sysctls are missing, the kernel's default, which redirects, is possible. Ref: __mkroute_input(). */
function mayRedirect(run: Run, gateway: boolean): boolean {
  const { settings, links } = run.router;
  if (!settings.sendRedirects[run.ingress]!.values.includes(1)) return false;
  const picked = run.settingPicks[settings.sendRedirects[run.ingress]!.id]!;
  if (picked !== -1 && settings.sendRedirects[run.ingress]!.values[picked] === 0) return false;
  if (settings.sharedMedia[run.ingress]!.values.includes(1)) return true;
  // Ref: inet_addr_onlink(): source and gateway in one subnet of the interface.
  const via = gateway ? run.nextHop : 0;
  return (links.addresses[run.ingress] ?? []).some(
    ({ address, mask }) =>
      ((address ^ run.currentSource) & mask) === 0 && (via === 0 || ((address ^ via) & mask) === 0),
  );
}

function deliver(run: Run, cause: number): number {
  const check = checkSource(run, -1, false);
  if (check > SourceCheck.passedOnLink) return refuse(run, check);
  run.cause = cause;
  return Routed.local;
}

function deliverBroadcast(run: Run): number {
  if (run.currentSource !== 0) {
    const check = checkSource(run, -1, true);
    if (check > SourceCheck.passedOnLink) return refuse(run, check);
  }
  return Routed.local;
}

function refuse(run: Run, check: number): number {
  run.decidingTable = -1;
  if (check === SourceCheck.unknown) return finish(run, Disposition.undetermined, -1);
  if (check === SourceCheck.martian) return finish(run, Disposition.martian, -1);
  return finish(run, Disposition.droppedByReversePath, run.router.settings.sourceCheck[run.ingress]!.origin);
}

function finish(run: Run, disposition: number, cause: number): number {
  run.disposition = disposition;
  run.cause = cause;
  return Routed.ended;
}

/** The route that decided, or where it was implied the policy rule; −1. */
export function causeOf(run: Run): number {
  const { fib, rpdb } = run.router;
  const route = run.foundRoute === -1 ? -1 : fib.routes.origin[run.foundRoute]!;
  if (route !== -1) return route;
  return run.foundRule === -1 ? -1 : rpdb.rules[run.foundRule]!.origin;
}

function isMulticast(address: number): boolean {
  return (address & 0xf0000000) === (0xe0000000 | 0);
}

function isLoopback(address: number): boolean {
  return (address & 0xff000000) === 0x7f000000;
}

/** What ip_forward() does before its hook: link-layer destination, TTL, MTU; false where the packet ends here. Ref: ip_forward.c. */
export function passesForwardChecks(run: Run): boolean {
  if (run.linkDestination === LinkDestination.broadcast || run.linkDestination === LinkDestination.multicast) {
    finish(run, Disposition.notForwarding, -1);
    return false;
  }
  // What TPROXY gave to a local program is not forwarded.
  if (run.hasSocket) {
    finish(run, Disposition.notForwarding, -1);
    return false;
  }
  if (run.currentTtl <= 1) {
    finish(run, Disposition.ttlExpired, -1);
    return false;
  }
  const mtu = run.router.links.mtu[run.egress]!;
  // A TCP "packet" above the MTU is what the network card put together from several; they leave as they came.
  // What was put together leaves in pieces no larger than those that came. Ref: ip_forward.c: ip_exceeds_mtu()
  const tooLarge =
    run.largestFragment === 0 ? run.networkLength > mtu && run.protocol !== IpProtocol.tcp : run.largestFragment > mtu;
  const tooBig = mtu > 0 && tooLarge && (run.status & Status.dontFragment) !== 0;
  if (tooBig) {
    finish(run, Disposition.tooBig, -1);
    return false;
  }
  return true;
}
