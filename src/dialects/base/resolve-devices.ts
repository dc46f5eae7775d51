import { type NextHop, type Route, RouteTableId } from '../../model/routing.ts';
import { formatIpAddress, type IpAddress } from '../../net/ip-address.ts';
import { prefixContains } from '../../net/prefix.ts';

/** How many comparisons of gateways and networks a state may cost; no router has near as many routes. */
const WORK_LIMIT = 50_000_000;

const isConnected = (route: Route): boolean => {
  const [hop] = route.nextHops;
  if (route.type !== 'unicast' || route.table === RouteTableId.local || route.nextHops.length !== 1) return false;
  return hop?.gateway === undefined && hop?.device !== undefined;
};

/**
 * The device of a gateway: that of the most specific connected network which holds it, in the route's own table first.
 * Ref: linux-forwarding 4.5; linux fib_semantics.c fib_check_nh_v4_gw().
 */
export function deviceOfGateway(routes: readonly Route[], gateway: IpAddress, table: number): string | undefined {
  return deviceWithin(routes, gateway, table) ?? deviceWithin(routes, gateway, RouteTableId.main);
}

/** The device of the most specific connected network of one table that holds an address. */
export function deviceWithin(routes: readonly Route[], address: IpAddress, table: number): string | undefined {
  let best: Route | undefined;
  for (const route of routes) {
    if (route.table !== table || !isConnected(route) || !prefixContains(route.prefix, address)) continue;
    if (best === undefined || route.prefix.prefixLength > best.prefix.prefixLength) best = route;
  }
  return best?.nextHops[0]?.device;
}

/**
 * Routes with the devices of next hops that commands gave by address alone. Where no connected network holds the gateway the device
 * stays absent; where the interfaces are not known at all the route is unmodelled.
 */
export function resolveDevices(routes: readonly Route[], interfacesGiven: boolean): Route[] {
  const open = (hop: NextHop): boolean => hop.gateway !== undefined && hop.device === undefined;
  const unresolved = routes.filter((route) => route.nextHops.some(open));
  if (unresolved.length === 0) return [...routes];
  const connected = routes.filter(isConnected);
  const affordable = connected.length * unresolved.length <= WORK_LIMIT;
  return routes.map((route) => {
    if (route.unmodelled.length > 0 || !route.nextHops.some(open)) return route;
    const nextHops = route.nextHops.map((hop) => {
      const device = open(hop) && affordable ? deviceOfGateway(connected, hop.gateway!, route.table) : undefined;
      return device === undefined ? hop : { ...hop, device };
    });
    const lost = nextHops.find(open);
    if (lost === undefined || (interfacesGiven && affordable)) return { ...route, nextHops };
    const why = affordable ? 'no ip addr was given' : 'the routes are too many to look it up';
    return {
      ...route,
      nextHops,
      unmodelled: [`the interface of the next hop ${formatIpAddress(lost.gateway!)} (${why})`],
    };
  });
}
