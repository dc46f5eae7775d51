import { Direction, LinkDestination, type PacketBatch, Status } from '../wire/packet-batch.ts';

/** What a captured frame is to the router. */
export const Side = {
  /** Neither entered nor left the router: other hosts' frames, seen promiscuously. */
  foreign: 0,
  ingress: 1,
  egress: 2,
  /** Concerns the router, but the interface or the side cannot be told (RV102). */
  ambiguous: 3,
} as const;

/** An interface of the router, as far as captures are told apart by it. */
export interface VantageInterface {
  readonly name: string;
  readonly index?: number;
  readonly mac?: number;
}

/** An interface of a capture, as far as it can be matched with the router's. */
export interface VantageCapture {
  readonly name?: string;
  readonly index?: number;
}

/** Which of the router's interfaces a MAC address was seen behind; −1 where none or several. */
export type NeighbourInterface = (mac: number) => number;

/**
 * Tells for each frame which router interface it entered or left by: by the capture's interface names and indexes, direction flags,
 * cooked packet types, and the router's own MAC addresses. Interfaces are indexes into the list given.
 */
export class Vantage {
  /** Of the frame last placed: a {@link Side} number. */
  side = 0;
  /** Of the frame last placed: the router's interface, −1 where it cannot be told. */
  interface = -1;

  /** Frames whose MAC addresses name another interface of the router than their capture does. */
  conflicts = 0;

  readonly #interfaces: readonly VantageInterface[];
  readonly #byName = new Map<string, number>();
  readonly #byIndex = new Map<number, number>();
  /** A MAC of several interfaces (VLANs on one card) maps to −2: it proves the router, not the interface. */
  readonly #byMac = new Map<number, number>();
  readonly #neighbourInterface: NeighbourInterface;
  /** Router interface of each capture interface, −1 unknown; grows with the capture set. */
  readonly #ofCapture: number[] = [];
  readonly #captured: Uint8Array;

  constructor(interfaces: readonly VantageInterface[], neighbourInterface: NeighbourInterface) {
    this.#interfaces = interfaces;
    this.#neighbourInterface = neighbourInterface;
    this.#captured = new Uint8Array(interfaces.length);
    interfaces.forEach((item, position) => {
      this.#byName.set(item.name, position);
      if (item.index !== undefined) this.#byIndex.set(item.index, position);
      if (item.mac !== undefined && item.mac !== 0)
        this.#byMac.set(item.mac, this.#byMac.has(item.mac) ? -2 : position);
    });
  }

  /** Whether frames of this router interface were in the capture. */
  wasCaptured(position: number): boolean {
    return this.#captured[position] === 1;
  }

  /** Matches newly met capture interfaces with the router's. Call before placing rows that name them. */
  learn(captures: readonly VantageCapture[]): void {
    for (let position = this.#ofCapture.length; position < captures.length; position++) {
      const { name, index } = captures[position]!;
      let found = name === undefined ? undefined : this.#byName.get(name);
      if (found === undefined && index !== undefined) found = this.#byIndex.get(index);
      this.#ofCapture.push(found ?? -1);
      if (found !== undefined) this.#captured[found] = 1;
    }
  }

  /** Places a row: sets {@link side} and {@link interface}. */
  place(batch: PacketBatch, row: number): void {
    let position = this.#ofCapture[batch.captureInterface[row]!] ?? -1;
    const vlan = batch.vlan[row]!;
    if (position >= 0 && vlan >= 0) position = this.#vlanInterface(position, vlan);
    const direction = batch.direction[row]!;
    if (direction !== Direction.unknown) this.#placeByDirection(batch, row, position, direction);
    else this.#placeByMac(batch, row, position);
    if (this.interface >= 0 && (this.side === Side.ingress || this.side === Side.egress))
      this.#captured[this.interface] = 1;
  }

  /** A tagged frame captured on the parent belongs to the VLAN interface, which Linux names parent.vlan by custom. */
  #vlanInterface(position: number, vlan: number): number {
    return this.#byName.get(`${this.#interfaces[position]!.name}.${vlan}`) ?? position;
  }

  #placeByDirection(batch: PacketBatch, row: number, position: number, direction: number): void {
    if (direction === Direction.inbound && batch.linkDestination[row] === LinkDestination.otherHost) {
      this.side = Side.foreign;
      this.interface = position;
      return;
    }
    this.side = direction === Direction.inbound ? Side.ingress : Side.egress;
    this.interface = position;
    if (position >= 0) return;
    // Cooked v1 names no interface. Who sent it tells where it came in; for what left there is no such sign.
    const mac = batch.sourceMac[row]!;
    if (direction === Direction.inbound && mac >= 0) this.interface = this.#neighbourInterface(mac);
    else if (direction === Direction.outbound && mac >= 0) this.interface = Math.max(this.#byMac.get(mac) ?? -1, -1);
    if (this.interface < 0) this.side = Side.ambiguous;
  }

  #placeByMac(batch: PacketBatch, row: number, position: number): void {
    const source = batch.sourceMac[row]!;
    const destination = batch.destinationMac[row]!;
    const fromRouter = source >= 0 ? this.#byMac.get(source) : undefined;
    const toRouter = destination >= 0 ? this.#byMac.get(destination) : undefined;
    if (fromRouter !== undefined) {
      this.side = Side.egress;
      this.interface = fromRouter >= 0 ? fromRouter : position;
      if (position >= 0 && fromRouter >= 0 && fromRouter !== position) this.conflicts++;
    } else if (toRouter !== undefined) {
      this.side = Side.ingress;
      this.interface = toRouter >= 0 ? toRouter : position;
      if (position >= 0 && toRouter >= 0 && toRouter !== position) this.conflicts++;
    } else if (position >= 0 && isVirtualRouter(destination)) {
      this.side = Side.ingress;
      this.interface = position;
    } else if (destination >= 0 && isGroup(destination)) {
      this.side = Side.ingress;
      this.interface = position;
    } else if (position >= 0 && (source < 0 || this.#interfaces[position]!.mac === undefined)) {
      // No MAC addresses in the frame, or none known of the router: the side cannot be told.
      this.side = Side.ambiguous;
      this.interface = position;
    } else {
      this.side = this.#byMac.size === 0 ? Side.ambiguous : Side.foreign;
      this.interface = position;
    }
    if (this.interface < 0 && this.side !== Side.foreign) this.side = Side.ambiguous;
  }
}

/** The virtual MAC addresses of VRRP (RFC 5798 section 7.3) and HSRP, which hosts use for their gateway. */
function isVirtualRouter(mac: number): boolean {
  const prefix = Math.floor(mac / 2 ** 8);
  return prefix === 0x00005e0001 || prefix === 0x00000c07ac || Math.floor(mac / 2 ** 12) === 0x00000c9ff;
}

/** Broadcast or multicast: the lowest bit of the first octet. */
function isGroup(mac: number): boolean {
  return Math.floor(mac / 2 ** 40) % 2 === 1;
}

/** Link destination of an ingress frame as the kernel's packet type has it, where the capture does not say. */
export function linkDestinationOf(batch: PacketBatch, row: number): number {
  const stated = batch.linkDestination[row]!;
  if (stated !== LinkDestination.unknown) return stated;
  const mac = batch.destinationMac[row]!;
  if (mac === 0xffffffffffff) return LinkDestination.broadcast;
  if (mac >= 0 && isGroup(mac)) return LinkDestination.multicast;
  return LinkDestination.host;
}

/** Whether the row holds a decoded IP packet. */
export function isIp(batch: PacketBatch, row: number): boolean {
  return (batch.status[row]! & Status.ip) !== 0;
}
