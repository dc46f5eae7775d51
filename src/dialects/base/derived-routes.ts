import type { InterfaceAddress, NetworkInterface } from '../../model/network-interface.ts';
import { type NextHop, type Route, RouteTableId, type RouteType } from '../../model/routing.ts';
import { type Family, ipv4 } from '../../net/ip-address.ts';
import { hostPrefix, type IpPrefix, maskOfLength, networkOf } from '../../net/prefix.ts';

const isLoopback = (link: NetworkInterface): boolean => link.linkType === 'loopback' || link.name === 'lo';

function derive(
  link: NetworkInterface,
  table: number,
  type: RouteType,
  prefix: IpPrefix,
  scope: string,
  source: InterfaceAddress,
  metric = 0,
): Route {
  const hop: NextHop = {
    device: link.name,
    weight: 1,
    dead: false,
    linkDown: link.lowerUp === false && type !== 'local',
    onLink: false,
  };
  const { family, words } = source.prefix;
  return {
    family,
    table,
    type,
    prefix: networkOf(prefix),
    tos: 0,
    metric,
    nextHops: [hop],
    scope,
    protocol: 'kernel',
    preferredSource: { family, words },
    unmodelled: [],
  };
}

/**
 * The routes that the kernel makes of an interface's address: the address itself and its broadcast addresses in table local, its
 * network in table main (local where it is the loopback's). None while the interface is down.
 * Ref: linux net/ipv4/fib_frontend.c fib_add_ifaddr(); net/ipv6/addrconf.c.
 */
export function routesOfAddress(link: NetworkInterface, address: InterfaceAddress): Route[] {
  if (link.up === false) return [];
  const { prefix, peer } = address;
  const { family, words } = prefix;
  const network: IpPrefix = peer ?? prefix;
  const routes = [derive(link, RouteTableId.local, 'local', hostPrefix({ family, words }), 'host', address)];
  if (family === 6) {
    if (prefix.prefixLength < 128)
      routes.push(derive(link, RouteTableId.main, 'unicast', network, 'global', address, 256));
    return routes;
  }
  const length = prefix.prefixLength;
  const broadcasts = new Set<number>();
  const { broadcast } = address;
  if (broadcast !== undefined && broadcast.words[0] !== 0xffffffff) broadcasts.add(broadcast.words[0]);
  const networkWord = (network.words[0] & maskOfLength(length)) >>> 0;
  if (networkWord !== 0 && !address.secondary && (peer !== undefined || length < 32)) {
    const table = isLoopback(link) ? RouteTableId.local : RouteTableId.main;
    const type = isLoopback(link) ? 'local' : 'unicast';
    routes.push(derive(link, table, type, network, isLoopback(link) ? 'host' : 'link', address));
    if (length < 31) broadcasts.add((networkWord | ~maskOfLength(length)) >>> 0);
  }
  for (const word of broadcasts) {
    routes.push(derive(link, RouteTableId.local, 'broadcast', hostPrefix(ipv4(word)), 'link', address));
  }
  return routes;
}

/** The derived routes of all interfaces in the tables that the predicate names. */
export function routesOfInterfaces(
  links: Iterable<NetworkInterface>,
  wanted: (family: Family, table: number) => boolean,
): Route[] {
  const routes: Route[] = [];
  for (const link of links) {
    for (const address of link.addresses) {
      for (const route of routesOfAddress(link, address)) if (wanted(route.family, route.table)) routes.push(route);
    }
  }
  return routes;
}
