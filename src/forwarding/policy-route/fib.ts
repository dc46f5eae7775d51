import type { PolicyRoute, PolicyRouteDevice } from '../../model/policy-route.ts';
import { formatIpv4 } from '../../net/ip-address.ts';
import { maskOfLength } from '../../net/prefix.ts';
import type { Span } from '../../text/span.ts';
import type { Registry } from '../linux/reasons.ts';

/** One way out of a route. `nextHop` 0: on-link, the neighbour is the destination itself. */
export interface Hop {
  readonly egress: number;
  readonly nextHop: number;
}

/** A route as packets find it. */
export interface FibEntry {
  readonly network: number;
  readonly length: number;
  /** Of equal cost; empty for a blackhole. */
  readonly hops: readonly Hop[];
  readonly connected: boolean;
  /** Id of why it is not known whether this is what a lookup finds here, −1. */
  readonly unknown: number;
  readonly origin: Span;
}

/** One routing table, searched by the longest prefix. */
export class Fib {
  /** By prefix length, networks as signed numbers. */
  readonly #byLength: (Map<number, FibEntry> | undefined)[] = new Array<Map<number, FibEntry> | undefined>(33).fill(
    undefined,
  );
  /** Id of why routes may be there that are not given, −1. Connected networks hold even so: a router refuses overlapping ones. */
  readonly incomplete: number;

  constructor(entries: readonly FibEntry[], incomplete: number) {
    this.incomplete = incomplete;
    for (const entry of entries) {
      this.#byLength[entry.length] ??= new Map();
      this.#byLength[entry.length]!.set(entry.network | 0, entry);
    }
  }

  /** The longest match, the default route among them unless it is told not to count; undefined where nothing matches. */
  lookup(address: number, withDefault = true): FibEntry | undefined {
    for (let length = 32; length >= (withDefault ? 0 : 1); length--) {
      const found = this.#byLength[length]?.get(address & maskOfLength(length) & 0xffffffff);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** The connected network of an address, whatever more specific routes say. */
  connected(address: number): FibEntry | undefined {
    for (let length = 32; length >= 0; length--) {
      const found = this.#byLength[length]?.get(address & maskOfLength(length) & 0xffffffff);
      if (found?.connected === true) return found;
    }
    return undefined;
  }
}

/** Prints a route as reports show it: `10.0.0.0/24 by FastEthernet1/0`. */
export function formatEntry(entry: FibEntry, names: readonly string[]): string {
  const prefix = `${formatIpv4(entry.network)}/${entry.length}`;
  const hop = entry.hops[0];
  if (hop === undefined) return `${prefix} to nowhere`;
  const via = hop.nextHop === 0 ? '' : ` to ${formatIpv4(hop.nextHop)}`;
  return `${prefix} by ${names[hop.egress] ?? 'an unknown interface'}${via}`;
}

const RESOLUTION_DEPTH = 8;

/** The routing tables of a device by name; the global one is the empty name. */
export function compileFibs(
  device: PolicyRouteDevice,
  indexOf: ReadonlyMap<string, number>,
  registry: Registry,
): Map<string, Fib> {
  const vrfs = new Set([
    '',
    ...device.routes.map((route) => route.vrf),
    ...[...device.ports.values()].map((port) => port.vrf),
  ]);
  const fibs = new Map<string, Fib>();
  for (const vrf of vrfs) {
    const routes = device.routes.filter((route) => route.vrf === vrf);
    const missing = device.routesUnknown.find((item) => item.vrf === vrf);
    const incomplete = missing === undefined ? -1 : registry.unknown(missing.reason, missing.origin);
    fibs.set(vrf, new Fib(new FibBuilder(device, routes, indexOf, registry).entries(), incomplete));
  }
  return fibs;
}

class FibBuilder {
  readonly #device: PolicyRouteDevice;
  readonly #indexOf: ReadonlyMap<string, number>;
  readonly #registry: Registry;
  readonly #groups = new Map<string, PolicyRoute[]>();
  readonly #resolved = new Map<string, FibEntry | undefined>();
  readonly #resolving = new Set<string>();

  constructor(
    device: PolicyRouteDevice,
    routes: readonly PolicyRoute[],
    indexOf: ReadonlyMap<string, number>,
    registry: Registry,
  ) {
    this.#device = device;
    this.#indexOf = indexOf;
    this.#registry = registry;
    for (const route of routes) {
      const key = groupKey(
        (route.prefix.words[0] & maskOfLength(route.prefix.prefixLength)) >>> 0,
        route.prefix.prefixLength,
      );
      const group = this.#groups.get(key);
      if (group === undefined) this.#groups.set(key, [route]);
      else group.push(route);
    }
  }

  entries(): FibEntry[] {
    return [...this.#groups.keys()].flatMap((key) => this.#entry(key) ?? []);
  }

  /** The route of one prefix: the active ones of the least distance. */
  #entry(key: string): FibEntry | undefined {
    if (this.#resolved.has(key)) return this.#resolved.get(key);
    if (this.#resolving.has(key) || this.#resolving.size > RESOLUTION_DEPTH) return undefined;
    this.#resolving.add(key);
    const entry = this.#select(this.#groups.get(key) ?? []);
    this.#resolving.delete(key);
    this.#resolved.set(key, entry);
    return entry;
  }

  #select(group: readonly PolicyRoute[]): FibEntry | undefined {
    const sorted = [...group].sort((a, b) => a.distance - b.distance);
    const best: { route: PolicyRoute; hops: Hop[] }[] = [];
    let unknown = -1;
    let first: PolicyRoute | undefined;
    for (const route of sorted) {
      if (best.length > 0 && route.distance > best[0]!.route.distance) break;
      const hops = this.#hops(route);
      if (hops === undefined) continue;
      const doubt = this.#doubt(route);
      if (doubt !== -1) {
        // It may be there, or the next one in its place: both are kept in mind as "unknown".
        if (unknown === -1) unknown = doubt;
        first ??= route;
        continue;
      }
      best.push({ route, hops });
      first ??= route;
    }
    if (first === undefined) return undefined;
    return {
      network: (first.prefix.words[0] & maskOfLength(first.prefix.prefixLength)) >>> 0,
      length: first.prefix.prefixLength,
      hops: best.flatMap((item) => item.hops),
      connected: first.kind === 'connected',
      unknown,
      origin: first.origin,
    };
  }

  /** Id of why it is not known whether a route is active, −1. */
  #doubt(route: PolicyRoute): number {
    if (route.unknown !== undefined) return this.#registry.unknown(route.unknown, route.origin);
    if (route.track === undefined) return -1;
    const state = this.#device.tracks.get(route.track)?.state ?? 'unknown';
    return state === 'unknown'
      ? this.#registry.unknown(
          `whether track ${route.track} is up is not in the router's state (show track)`,
          route.origin,
        )
      : -1;
  }

  /** Where a route leads; undefined where it is not active. */
  #hops(route: PolicyRoute): Hop[] | undefined {
    if (route.track !== undefined && this.#device.tracks.get(route.track)?.state === 'down') return undefined;
    if (route.blackhole) return [];
    if (route.interface !== undefined) {
      const egress = this.#indexOf.get(route.interface);
      if (egress === undefined || this.#device.ports.get(route.interface)?.up === false) return undefined;
      return [{ egress, nextHop: route.nextHop ?? 0 }];
    }
    if (route.nextHop === undefined) return undefined;
    return this.#resolve(route.nextHop, route);
  }

  /** A gateway's own way: that of the longest route to it, other than the route that asks. */
  #resolve(address: number, asking: PolicyRoute): Hop[] | undefined {
    for (let length = 32; length >= 0; length--) {
      const key = groupKey((address & maskOfLength(length)) >>> 0, length);
      const group = this.#groups.get(key);
      if (group === undefined || group.includes(asking)) continue;
      // A gateway is not looked for by the default route. Ref: Cisco IOS, recursive static routes.
      if (length === 0) continue;
      const entry = this.#entry(key);
      if (entry === undefined) continue;
      if (entry.hops.length === 0) return undefined;
      return entry.hops.map((hop) => ({ egress: hop.egress, nextHop: hop.nextHop === 0 ? address : hop.nextHop }));
    }
    return undefined;
  }
}

function groupKey(network: number, length: number): string {
  return `${network}/${length}`;
}
