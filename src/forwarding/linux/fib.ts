import type { LinuxDevice } from '../../model/linux-device.ts';
import { type NextHop, type Route, RouteTableId, type RouteType } from '../../model/routing.ts';
import { type Family, formatIpAddress, type Words } from '../../net/ip-address.ts';
import { maskOfLength, networkOf } from '../../net/prefix.ts';
import type { AddressPool } from './address-pool.ts';
import { compileTable, type FibTable } from './fib-table.ts';
import type { Links } from './links.ts';
import type { Registry } from './reasons.ts';

/** Route types as numbers. */
export const RouteKind = {
  unicast: 0,
  local: 1,
  broadcast: 2,
  blackhole: 3,
  unreachable: 4,
  prohibit: 5,
  throw: 6,
  /** Multicast, anycast and the like: no forwarding over them. */
  other: 7,
} as const;

/** Bits of {@link Routes.hopFlags}. */
export const HopFlag = {
  dead: 1,
  linkDown: 2,
  /** The neighbour is the gateway; else the destination itself. */
  gateway: 4,
  gateway6: 8,
} as const;

/** All routes of a router as columns. A route's next hops are a range of the hop columns. Immutable. */
export interface Routes {
  readonly kind: Uint8Array;
  readonly prefixLength: Uint8Array;
  readonly tos: Uint8Array;
  readonly hopStart: Int32Array;
  readonly origin: Int32Array;
  /** Id of what is unknown about the route, −1. */
  readonly reason: Int32Array;
  /** Id of "which of several next hops is taken is not predicted", −1 for routes of one next hop. */
  readonly multipathReason: Int32Array;
  /** 1: the next hops are a group's, whose choice looks at neighbours, and of a resilient group at the past. */
  readonly isGroup: Uint8Array;
  readonly hopDevice: Int32Array;
  readonly hopFlags: Uint8Array;
  /** Four words a hop. */
  readonly hopGateway: Uint32Array;
  /** Of IPv6: the gateway's number in the pool. */
  readonly hopGatewayId: Int32Array;
  /** Of IPv6: 1 where the gateway is a neighbour that never fails. */
  readonly isAnswering: Uint8Array;
  readonly model: readonly Route[];
}

export interface Fib {
  readonly routes: Routes;
  /** Route numbers, grouped by table and prefix. */
  readonly order: Int32Array;
  readonly tables: readonly FibTable[];
  readonly tableIndex: ReadonlyMap<number, number>;
  /** Main and local as one table, as long as no policy rule was ever changed (linux-forwarding 4.9); −1 where it makes no difference. */
  readonly mergedTable: number;
  /** A local route that someone added: the fast path of the source check is off. */
  readonly customLocalRoutes: boolean;
  readonly realms: boolean;
  /** A lookup's result depends on nothing but the flow: no next hop's use depends on an unknown sysctl. */
  readonly pure: boolean;
}

const KINDS: Readonly<Record<RouteType, number>> = {
  unicast: RouteKind.unicast,
  local: RouteKind.local,
  broadcast: RouteKind.broadcast,
  multicast: RouteKind.other,
  anycast: RouteKind.other,
  blackhole: RouteKind.blackhole,
  unreachable: RouteKind.unreachable,
  prohibit: RouteKind.prohibit,
  throw: RouteKind.throw,
};

/**
 * Compiles a device's routes of a family; `tables` are the numbers of tables that policy rules look at, with or without routes.
 * Gateways of IPv6 get numbers of the pool.
 */
export function compileFib(
  device: LinuxDevice,
  links: Links,
  tables: readonly number[],
  registry: Registry,
  family: Family = 4,
  pool?: AddressPool,
): Fib {
  const model = [...device.routes.filter((route) => route.family === family), ...derivedLocalRoutes(device, family)];
  const rivals = family === 4 ? new Map<Route, readonly Route[]>() : rivalsOfAll(model);
  const permanent = new Set(
    device.neighbours
      .filter(({ state }) => state === 'PERMANENT' || state === 'NOARP')
      .map(({ device: name, address }) => `${name} ${address.words}`),
  );
  const routes = compileRoutes(model, links, registry, family, pool, rivals, permanent);
  const byTable = new Map<number, number[]>();
  for (const id of [RouteTableId.local, RouteTableId.main, RouteTableId.default, ...tables]) byTable.set(id, []);
  model.forEach((route, number) => {
    const list = byTable.get(route.table);
    if (list === undefined) byTable.set(route.table, [number]);
    else list.push(number);
  });
  const order: number[] = [];
  const compiled: FibTable[] = [];
  const tableIndex = new Map<number, number>();
  const addTable = (id: number, numbers: readonly number[], missReason: number): number =>
    compiled.push(compileTable(family, id, numbers, model, order, missReason)) - 1;
  for (const [id, numbers] of byTable) {
    const reason = isComplete(device, id, family)
      ? -1
      : registry.unknown(`routing table ${tableLabel(device, id)} is not in the router's state`);
    tableIndex.set(id, addTable(id, numbers, reason));
  }
  const local = byTable.get(RouteTableId.local)!;
  const main = byTable.get(RouteTableId.main)!;
  const mainMissReason = compiled[tableIndex.get(RouteTableId.main)!]!.missReason;
  const mergedTable =
    family === 4 && mergeMatters(model, local, main)
      ? addTable(RouteTableId.main, [...local, ...main], mainMissReason)
      : -1;
  return {
    routes,
    order: Int32Array.from(order),
    tables: compiled,
    tableIndex,
    mergedTable,
    customLocalRoutes: model.some((route) => route.type === 'local' && route.protocol !== 'kernel'),
    pure: !model.some((route) => route.nextHops.some(({ linkDown }) => linkDown)),
    realms: model.some((route) => route.unmodelled.some((name) => name.startsWith('realm'))),
  };
}

/** The name of a table where it has one, else its number. */
export function tableLabel(device: LinuxDevice, id: number): string {
  for (const [name, number] of device.tableNames) if (number === id) return `${id} (${name})`;
  return String(id);
}

/** `10.0.0.0/24 via 10.1.1.1 dev eth0`. */
export function describeRoute(route: Route): string {
  const prefix =
    route.prefix.prefixLength === 0 ? 'default' : `${formatIpAddress(route.prefix)}/${route.prefix.prefixLength}`;
  const type = route.type === 'unicast' ? '' : `${route.type} `;
  const hops = route.nextHops.map(
    (hop) =>
      `${hop.gateway === undefined ? '' : ` via ${formatIpAddress(hop.gateway)}`}${hop.device === undefined ? '' : ` dev ${hop.device}`}`,
  );
  return `${type}${prefix}${hops.join(' or')}`;
}

/** Where the interfaces are known and no dump shows the local table, it is what their addresses make it. */
function derivedLocalRoutes(device: LinuxDevice, family: Family): Route[] {
  const given = device.routes.some((route) => route.family === family && route.table === RouteTableId.local);
  if (given || !device.known.interfaces || isListed(device, RouteTableId.local, family)) return [];
  if (family === 6) return derivedLocalRoutes6(device);
  const make = (type: RouteType, word: number, prefixLength: number, name: string): Route => ({
    family: 4,
    table: RouteTableId.local,
    type,
    prefix: { family: 4, words: [word >>> 0, 0, 0, 0], prefixLength },
    tos: 0,
    metric: 0,
    nextHops: [{ device: name, weight: 1, dead: false, linkDown: false, onLink: false }],
    protocol: 'kernel',
    unmodelled: [],
  });
  const derived = [make('local', 0x7f000000, 8, 'lo')];
  for (const link of device.interfaces) {
    for (const { prefix, broadcast, peer } of link.addresses) {
      if (prefix.family !== 4) continue;
      derived.push(make('local', prefix.words[0], 32, link.name));
      const subnet = peer ?? prefix;
      const network = subnet.words[0] & maskOfLength(subnet.prefixLength);
      if (subnet.prefixLength < 31)
        derived.push(make('broadcast', network | ~maskOfLength(subnet.prefixLength), 32, link.name));
      if (broadcast !== undefined) derived.push(make('broadcast', broadcast.words[0], 32, link.name));
    }
  }
  return derived;
}

/** Whether a router answers to the first address of a network (RFC 4291 section 2.6.1) depends on settings: not known. */
function derivedLocalRoutes6(device: LinuxDevice): Route[] {
  const make = (words: Words, name: string, unmodelled: readonly string[]): Route => ({
    family: 6,
    table: RouteTableId.local,
    type: 'local',
    prefix: { family: 6, words, prefixLength: 128 },
    tos: 0,
    metric: 0,
    nextHops: [{ device: name, weight: 1, dead: false, linkDown: false, onLink: false }],
    protocol: 'kernel',
    unmodelled,
  });
  const derived = [make([0, 0, 0, 1], 'lo', [])];
  for (const link of device.interfaces) {
    for (const { prefix } of link.addresses) {
      if (prefix.family !== 6) continue;
      derived.push(make(prefix.words, link.name, []));
      if (prefix.prefixLength < 127) derived.push(make(networkOf(prefix).words, link.name, ['anycast']));
    }
  }
  return derived;
}

function isListed(device: LinuxDevice, id: number, family: Family): boolean {
  const complete = family === 4 ? device.known.routeTables4 : device.known.routeTables6;
  return complete === 'all' || complete.has(id);
}

function isComplete(device: LinuxDevice, id: number, family: Family): boolean {
  return isListed(device, id, family) || (id === RouteTableId.local && device.known.interfaces);
}

function compileRoutes(
  model: readonly Route[],
  links: Links,
  registry: Registry,
  family: Family,
  pool: AddressPool | undefined,
  rivals: ReadonlyMap<Route, readonly Route[]>,
  permanent: ReadonlySet<string>,
): Routes {
  const hopCount = model.reduce((sum, route) => sum + route.nextHops.length, 0);
  const routes = {
    kind: new Uint8Array(model.length),
    prefixLength: new Uint8Array(model.length),
    tos: new Uint8Array(model.length),
    hopStart: new Int32Array(model.length + 1),
    origin: new Int32Array(model.length),
    reason: new Int32Array(model.length).fill(-1),
    multipathReason: new Int32Array(model.length).fill(-1),
    isGroup: new Uint8Array(model.length),
    hopDevice: new Int32Array(hopCount),
    hopFlags: new Uint8Array(hopCount),
    hopGateway: new Uint32Array(4 * hopCount),
    hopGatewayId: new Int32Array(hopCount),
    isAnswering: new Uint8Array(hopCount),
    model,
  };
  let hop = 0;
  model.forEach((route, number) => {
    // What is sent to an anycast address of the router's is delivered to it. Ref: net/ipv6/route.c: ip6_rt_init_dst().
    routes.kind[number] = family === 6 && route.type === 'anycast' ? RouteKind.local : KINDS[route.type];
    routes.prefixLength[number] = route.prefix.prefixLength;
    routes.tos[number] = family === 4 ? route.tos : 0;
    routes.hopStart[number] = hop;
    routes.origin[number] = registry.origin(route.origin);
    const unmodelled = route.unmodelled.filter((name) => !name.startsWith('realm'));
    if (unmodelled.length > 0) {
      routes.reason[number] = registry.unknown(`route attribute ${unmodelled[0]} is not modelled`, route.origin);
    } else if (isAmbiguous(route, rivals.get(route) ?? [])) {
      routes.reason[number] = registry.unknown(
        'which of several routes to this destination is taken is not modelled',
        route.origin,
      );
    } else if (route.type === 'unicast' && route.nextHops.some(({ device }) => device === undefined)) {
      routes.reason[number] = registry.unknown('the interface of this route is not known', route.origin);
    }
    if (route.nextHops.length > 1) {
      // IPv6 hashes flow labels, too, which no column holds.
      routes.isGroup[number] = route.nextHopObject === undefined && family === 4 ? 0 : 1;
      routes.multipathReason[number] = registry.unknown(
        'which of the next hops of a multipath route is taken is not predicted',
        route.origin,
      );
    }
    for (const nextHop of route.nextHops) {
      compileHop(nextHop, hop, routes, links);
      if (family === 6 && nextHop.gateway?.family === 6) {
        routes.hopGatewayId[hop] = pool!.intern(nextHop.gateway.words, 0);
        routes.isAnswering[hop] = permanent.has(`${nextHop.device} ${nextHop.gateway.words}`) ? 1 : 0;
      }
      hop++;
    }
  });
  routes.hopStart[model.length] = hop;
  return routes;
}

function compileHop(
  nextHop: NextHop,
  hop: number,
  routes: { hopDevice: Int32Array; hopFlags: Uint8Array; hopGateway: Uint32Array },
  links: Links,
): void {
  routes.hopDevice[hop] = nextHop.device === undefined ? -1 : links.indexOf.get(nextHop.device)!;
  let flags = (nextHop.dead ? HopFlag.dead : 0) | (nextHop.linkDown ? HopFlag.linkDown : 0);
  const { gateway } = nextHop;
  if (gateway !== undefined) {
    routes.hopGateway.set(gateway.words, 4 * hop);
    // A gateway that is the router itself means on-link (linux-forwarding 4.5). IPv6 has none such, and on another link another router may
    // have the same link-local address. Ref: net/ipv6/route.c: ip6_validate_gw().
    const self = gateway.family === 4 && links.own.has(gateway.words[0] | 0);
    if (!self) flags |= gateway.family === 4 ? HopFlag.gateway : HopFlag.gateway | HopFlag.gateway6;
  }
  routes.hopFlags[hop] = flags;
}

/**
 * The other routes of a route's table and prefix. Attributes that are not modelled decide about all of them: preferences, or the packet's
 * source. Ref: net/ipv6/route.c: rt6_score_route(), ip6_fib.c: fib6_node_lookup().
 */
function rivalsOfAll(model: readonly Route[]): Map<Route, readonly Route[]> {
  const groups = new Map<string, Route[]>();
  for (const route of model) {
    const key = `${route.table} ${route.prefix.prefixLength} ${networkOf(route.prefix).words.join()}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [route]);
    else group.push(route);
  }
  const rivals = new Map<Route, readonly Route[]>();
  for (const group of groups.values()) {
    if (group.length > 1) for (const route of group) rivals.set(route, group);
  }
  return rivals;
}

/** Whether it is not clear which of the routes is taken. */
function isAmbiguous(route: Route, group: readonly Route[]): boolean {
  return group.some(
    (other) =>
      other !== route &&
      (other.unmodelled.length > 0 || (other.metric === route.metric && other.preference !== route.preference)),
  );
}

/**
 * One trie for both differs from two tables only where a route of main is longer than a local one that covers it, or has its prefix and
 * stands before it, or behind it where it ends the lookup in its table.
 */
function mergeMatters(model: readonly Route[], local: readonly number[], main: readonly number[]): boolean {
  for (const number of local) {
    const first = model[number]!;
    const outer = first.prefix;
    const mask = maskOfLength(outer.prefixLength);
    for (const other of main) {
      const second = model[other]!;
      const inner = second.prefix;
      if (inner.prefixLength < outer.prefixLength || ((inner.words[0] ^ outer.words[0]) & mask) !== 0) continue;
      if (inner.prefixLength > outer.prefixLength) return true;
      if (first.type === 'throw' || first.tos !== second.tos || first.metric > second.metric) return true;
    }
  }
  return false;
}
