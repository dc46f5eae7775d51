import type { PolicyEntry, PolicyMap, PolicyPort, PolicyRouteDevice, Track } from '../../model/policy-route.ts';
import type { IpAddress } from '../../net/ip-address.ts';
import { maskOfLength } from '../../net/prefix.ts';
import { Registry } from '../linux/reasons.ts';
import { type CompiledList, compileLists } from './access-list.ts';
import { compileFibs, type Fib } from './fib.ts';

/** What can be unknown regardless of the configuration; ids of the registry. */
export interface CommonReasons {
  readonly ipv6: number;
  readonly notIp: number;
  readonly cut: number;
  readonly malformed: number;
  readonly options: number;
  readonly ingress: number;
  readonly shutdown: number;
  readonly multicast: number;
  readonly fragment: number;
  readonly several: number;
  readonly tooManyUnknowns: number;
  readonly ownAndRedirected: number;
  readonly specialSource: number;
}

/** An interface, compiled. */
export interface CompiledPort {
  readonly port: PolicyPort;
  readonly index: number;
  readonly fib: Fib;
  /** Connected networks: addresses and masks, unsigned. */
  readonly networks: readonly { readonly address: number; readonly mask: number }[];
  /** Ids of what is not modelled on this interface. */
  readonly unmodelled: readonly number[];
}

/** A router with policy routes, compiled: everything that deciding needs, immutable and shared between forwarders. */
export interface CompiledPolicyRouter {
  readonly device: PolicyRouteDevice;
  readonly registry: Registry;
  readonly names: readonly string[];
  readonly indexOf: ReadonlyMap<string, number>;
  readonly ports: readonly CompiledPort[];
  readonly fibs: ReadonlyMap<string, Fib>;
  readonly lists: ReadonlyMap<string, CompiledList>;
  readonly maps: ReadonlyMap<string, PolicyMap>;
  readonly tracks: ReadonlyMap<string, Track>;
  /** Entries of all maps, numbered; and their titles by number. */
  readonly entryNumbers: ReadonlyMap<PolicyEntry, number>;
  readonly entryTitles: readonly string[];
  /** The router's own addresses, shared ones among them, as signed numbers. */
  readonly own: ReadonlySet<number>;
  /** Directed broadcast addresses of its networks, as signed numbers. */
  readonly broadcasts: ReadonlySet<number>;
  readonly own6: readonly IpAddress[];
  /** Hosts that do not answer: what is sent to them is lost. Signed numbers. */
  readonly dead: ReadonlySet<number>;
  readonly reasons: CommonReasons;
  /** Id of something because of which nothing can be said about any packet, −1. */
  readonly blockingReason: number;
}

/** Compiles a device. `dead`: next hops that are down by assumption. */
export function compilePolicyRouter(device: PolicyRouteDevice, dead: readonly IpAddress[]): CompiledPolicyRouter {
  const registry = new Registry();
  const names = [...device.ports.keys()];
  const indexOf = new Map(names.map((name, index) => [name, index]));
  const assumed = assumeDown(device, dead);
  const fibs = compileFibs(assumed, indexOf, registry);
  const own = new Set<number>();
  const broadcasts = new Set<number>();
  const own6: IpAddress[] = [];
  for (const item of device.interfaces) {
    for (const { prefix } of item.addresses) {
      if (prefix.family === 6) own6.push(prefix);
      else {
        own.add(prefix.words[0] | 0);
        if (prefix.prefixLength < 31) broadcasts.add(prefix.words[0] | ~maskOfLength(prefix.prefixLength));
      }
    }
  }
  for (const { address } of device.virtualAddresses) if (address.family === 4) own.add(address.words[0] | 0);
  const [blocking] = device.runWideUnknowns;
  const entries = [...device.maps.values()].flatMap((map) => map.entries);
  return {
    device: assumed,
    registry,
    names,
    indexOf,
    ports: names.map((name, index) => compilePort(assumed, name, index, fibs, registry)),
    fibs,
    lists: compileLists(device.lists, registry),
    maps: device.maps,
    tracks: assumed.tracks,
    entryNumbers: new Map(entries.map((entry, index) => [entry, index])),
    entryTitles: entries.map((entry) => entry.title),
    own,
    broadcasts,
    own6,
    dead: new Set([
      ...dead.filter((address) => address.family === 4).map((address) => address.words[0] | 0),
      ...unanswered(device),
    ]),
    reasons: commonReasons(registry),
    blockingReason: blocking === undefined ? -1 : registry.unknown(`${blocking.name} is not modelled`, blocking.origin),
  };
}

/** Tracks that probe a host which is down are down. */
function assumeDown(device: PolicyRouteDevice, dead: readonly IpAddress[]): PolicyRouteDevice {
  if (dead.length === 0) return device;
  const isDead = (target: number | undefined): boolean =>
    target !== undefined && dead.some((address) => address.family === 4 && address.words[0] === target);
  const tracks = new Map(
    [...device.tracks].map(([name, track]) => [
      name,
      isDead(track.target) ? { ...track, state: 'down' as const } : track,
    ]),
  );
  return { ...device, tracks };
}

/** Hosts that were asked for by ARP and did not answer, by the router's own table. */
function unanswered(device: PolicyRouteDevice): number[] {
  return device.neighbours
    .filter((item) => item.state === 'incomplete' && item.address.family === 4)
    .map((item) => item.address.words[0] | 0);
}

function compilePort(
  device: PolicyRouteDevice,
  name: string,
  index: number,
  fibs: ReadonlyMap<string, Fib>,
  registry: Registry,
): CompiledPort {
  const port = device.ports.get(name)!;
  const networks = (device.interfaces.find((item) => item.name === name)?.addresses ?? [])
    .filter(({ prefix }) => prefix.family === 4)
    .map(({ prefix }) => ({ address: prefix.words[0], mask: maskOfLength(prefix.prefixLength) }));
  return {
    port,
    index,
    fib: fibs.get(port.vrf)!,
    networks,
    unmodelled: port.unmodelled.map((item) =>
      registry.unknown(`"${item.name}" on ${name} is not modelled`, item.origin),
    ),
  };
}

function commonReasons(registry: Registry): CommonReasons {
  return {
    ipv6: registry.unknown('IPv6 forwarding is not modelled'),
    notIp: registry.unknown('the frame holds no IP packet'),
    cut: registry.unknown('the capture cut the frame short'),
    malformed: registry.unknown('the packet is malformed'),
    options: registry.unknown('packets with IP options are not modelled'),
    ingress: registry.unknown('the interface that the packet came in on is not known'),
    shutdown: registry.unknown('the packet came in on an interface that is shut down in the configuration'),
    multicast: registry.unknown('multicast forwarding is not modelled'),
    fragment: registry.unknown('fragments are put together before the rules are asked, which is not modelled'),
    several: registry.unknown('which of several equal routes a packet takes is not modelled'),
    tooManyUnknowns: registry.unknown('too much about this packet is unknown'),
    ownAndRedirected: registry.unknown('whether a packet to the router itself is redirected is not documented'),
    specialSource: registry.unknown('what becomes of a packet with such a source address is not documented'),
  };
}

/** The table numbers of policy-routed packets begin here: one for each entry of a map, above all numbers of Linux tables. */
export const POLICY_TABLE_BASE = 0x1_0000;
