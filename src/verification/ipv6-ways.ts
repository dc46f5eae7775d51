import type { IpAddress } from '../net/ip-address.ts';
import { equalIpAddress, formatIpAddress } from '../net/ip-address.ts';
import { LinkDestination, type PacketBatch, Status } from '../wire/packet-batch.ts';
import type { FrameTally } from './frame-tally.ts';
import type { Replay } from './replay.ts';
import type { Router } from './router.ts';

/** Destinations that are told apart; a router's clients have few that are monitored. */
const WAY_LIMIT = 1000;

/** IPv6 frames of monitored ports that came in by one interface, for one destination. */
export interface Ipv6Way {
  readonly destination: IpAddress;
  readonly ingress: number;
  readonly tally: FrameTally;
  /** The simulation sends it out here, which is not toward SPS. */
  readonly past?: { readonly egress: string; readonly nextHop?: IpAddress };
}

/** A way that leads past SPS. */
export interface Ipv6Bypass extends Ipv6Way {
  readonly egress: string;
  readonly nextHop?: IpAddress;
}

/** Collects the destinations of IPv6 frames of monitored ports. */
export class Ipv6Ways {
  readonly ways = new Map<string, Ipv6Way>();
  /** Frames beyond the limit, and frames that are not forwarded as others are: nothing is said of them. */
  uncounted = 0;

  /** `isOrdinary`: the packet may be forwarded by its destination, as far as the packet itself shows. */
  add(batch: PacketBatch, row: number, ingress: number, isOrdinary: boolean): void {
    if (isOrdinary) this.#count(batch, row, { destination: addressAt(batch.destination, 4 * row), ingress });
    else this.uncounted++;
  }

  /** The simulation sends the packet out by `egress`, to the address whose four words `nextHop` begins with. */
  addPast(batch: PacketBatch, row: number, ingress: number, egress: string, nextHop: Uint32Array): void {
    const destination = addressAt(batch.destination, 4 * row);
    const hop = addressAt(nextHop, 0);
    const isOnLink = equalIpAddress(hop, destination);
    this.#count(batch, row, { destination, ingress, past: { egress, ...(isOnLink ? {} : { nextHop: hop }) } });
  }

  #count(batch: PacketBatch, row: number, made: Omit<Ipv6Way, 'tally'>): void {
    const { past } = made;
    const key = `${made.ingress} ${formatIpAddress(made.destination)} ${past?.egress} ${past?.nextHop === undefined ? '' : formatIpAddress(past.nextHop)}`;
    let way = this.ways.get(key);
    if (way === undefined) {
      if (this.ways.size >= WAY_LIMIT) {
        this.uncounted++;
        return;
      }
      way = { ...made, tally: { count: 0 } };
      this.ways.set(key, way);
    }
    way.tally.count++;
    way.tally.first ??= { file: batch.file[row]!, frame: batch.frameNumber[row]! };
  }
}

function addressAt(words: Uint32Array, at: number): IpAddress {
  return { family: 6, words: [words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!] };
}

/** fe80::/10, by the first word of an address. */
export function isLinkLocal6(first: number): boolean {
  return first >>> 22 === 0x3fa;
}

const UNUSUAL = Status.malformed | Status.options | Status.sourceRoute | Status.fragment;

/**
 * Whether nothing in the packet itself keeps a router from forwarding it by its destination: hops left, a source that is not of the link,
 * no extension headers, no frame for many. Ref: RFC 4291 section 2.5.6; net/ipv6/ip6_output.c: ip6_forward().
 */
export function isOrdinaryIpv6(batch: PacketBatch, row: number): boolean {
  const first = batch.source[4 * row]!;
  const link = batch.linkDestination[row];
  const isForMany = link === LinkDestination.broadcast || link === LinkDestination.multicast;
  const isGlobal = first >>> 24 !== 0xff && !isLinkLocal6(first) && first !== 0;
  return isGlobal && !isForMany && batch.ttl[row]! > 1 && (batch.status[row]! & UNUSUAL) === 0;
}

/** The ways that the simulation or the router's state itself proves to lead past SPS, and how many frames that leaves undecided. */
export function bypassingIpv6(
  router: Router,
  replay: Replay,
): { readonly bypasses: readonly Ipv6Bypass[]; readonly undecided: number } {
  const bypasses: Ipv6Bypass[] = [];
  let undecided = replay.ipv6Ways.uncounted;
  const facingSps = new Set(replay.senders.spsInterfaces.map((position) => replay.forwarder.interfaceNames[position]));
  for (const way of replay.ipv6Ways.ways.values()) {
    const route = way.past ?? router.plainIpv6Way?.(way.destination);
    if (route === undefined || facingSps.has(route.egress)) undecided += way.tally.count;
    else
      bypasses.push({ ...way, egress: route.egress, ...(route.nextHop !== undefined && { nextHop: route.nextHop }) });
  }
  return { bypasses, undecided };
}
