import type { IpPrefix } from '../net/prefix.ts';
import { LinkType } from '../wire/link-type.ts';
import { Direction, LinkDestination, type PacketBatch, Status } from '../wire/packet-batch.ts';
import { LowerDevices, type VantageInterface, vlanOf } from './lower-devices.ts';
import { inAny } from './monitored.ts';
import { Repeats } from './pairing.ts';
import { isSameFrame, timeBetween } from './same-frame.ts';
import { type HostRole, tellVantages, type VantageName } from './taken-at.ts';

export type { VantageInterface } from './lower-devices.ts';

/** A MAC address of several interfaces: it proves the router, not the interface. */
const SEVERAL = -2;
/** Copies of one frame on a VLAN and on its parent are this close. */
const COPY_NANOSECONDS = 1e6;

/** What a captured frame is to the router. */
export const Side = {
  /** Neither entered nor left the router: other hosts' frames, seen promiscuously. */
  foreign: 0,
  ingress: 1,
  egress: 2,
  /** Concerns the router, but the interface or the side cannot be told (RV102). */
  ambiguous: 3,
  /** A copy on a lower device (a VLAN's parent, a port of a bond or bridge) of a frame that is in the capture on the upper one, too. */
  lower: 4,
} as const;

/** An interface of a capture, as far as it can be matched with the router's. */
export interface VantageCapture {
  readonly name?: string;
  readonly index?: number;
  /** Index of its file; default 0. */
  readonly file?: number;
  /** LINKTYPE_ number. */
  readonly linkType?: number;
}

/** Which of the router's interfaces a MAC address was seen behind; −1 where none or several. */
export type NeighbourInterface = (mac: number) => number;

/**
 * Tells for each frame which router interface it entered or left by: by the capture's interface names and indexes, direction flags,
 * cooked packet types, and the router's own MAC addresses. A capture that was taken elsewhere is told by MAC addresses alone: a frame on
 * the wire entered the router where it was sent to the router, and left it where the router sent it. Interfaces are indexes into the list
 * given.
 */
export class Vantage {
  /** Of the frame last placed: a {@link Side} number. */
  side = 0;
  /** Of the frame last placed: the router's interface, −1 where it cannot be told. */
  interface = -1;

  /** Frames whose MAC addresses name another interface of the router than their capture does. */
  conflicts = 0;
  /** For each file where it was taken; grows with {@link tell}. A file that is not there was taken on the router. */
  readonly kinds: VantageName[] = [];

  readonly #interfaces: readonly VantageInterface[];
  readonly #lower: LowerDevices;
  readonly #byName = new Map<string, number>();
  readonly #byIndex = new Map<number, number>();
  readonly #byMac = new Map<number, number[]>();
  readonly #neighbourInterface: NeighbourInterface;
  readonly #captures: VantageCapture[] = [];
  /** Router interface of each capture interface, −1 unknown; grows with the capture set. */
  readonly #ofCapture: number[] = [];
  readonly #captured: Uint8Array;
  readonly #egressShown: Uint8Array;
  /** A capture of all devices of the router at once is among them. */
  #all = false;
  #once = true;
  /** For each file taken elsewhere the one interface of the router whose wire it shows, −1 where none or several. */
  readonly #wires: number[] = [];
  /** For each file whether it shows every frame twice. */
  readonly #doubled: boolean[] = [];

  constructor(interfaces: readonly VantageInterface[], neighbourInterface: NeighbourInterface) {
    this.#interfaces = interfaces;
    this.#lower = new LowerDevices(interfaces);
    this.#neighbourInterface = neighbourInterface;
    this.#captured = new Uint8Array(interfaces.length);
    this.#egressShown = new Uint8Array(interfaces.length);
    interfaces.forEach((item, position) => {
      this.#byName.set(item.name, position);
      if (item.index !== undefined) this.#byIndex.set(item.index, position);
      if (item.mac === undefined || item.mac === 0) return;
      const sharing = this.#byMac.get(item.mac);
      if (sharing === undefined) this.#byMac.set(item.mac, [position]);
      else sharing.push(position);
    });
  }

  /** Whether frames of this router interface were in the capture. */
  wasCaptured(position: number): boolean {
    return this.#captured[position] === 1;
  }

  /** Whether a frame that left by this interface, whoever it was for, would be in the capture. */
  showsEgress(position: number): boolean {
    return this.#egressShown[position] === 1;
  }

  /** Whether every file was taken on the router itself. */
  get onRouter(): boolean {
    return this.kinds.every((kind) => kind === 'router');
  }

  /** Whether a capture of all devices of the router at once is among the files. */
  get showsAll(): boolean {
    return this.#all;
  }

  /** Where a file was taken. */
  kindOf(file: number): VantageName {
    return this.kinds[file] ?? 'router';
  }

  /** Whether each frame that passes an interface of the router is in the captures once: one capture of all devices, none of them below another. */
  get showsOnce(): boolean {
    return this.#once;
  }

  /** A {@link Repeats} number for the capture device of a row: a mirror of two ports, or a cooked capture that does not tell devices apart. */
  repeats(batch: PacketBatch, row: number): number {
    if (this.#doubled[batch.file[row]!] === true) return Repeats.once;
    const { linkType } = this.#captures[batch.captureInterface[row]!] ?? {};
    return this.#lower.any && linkType === LinkType.linuxCooked ? Repeats.any : Repeats.never;
  }

  /** Tells where each file was taken, from the first frames, unless it is `stated`. Call before anything is placed. */
  tell(batch: PacketBatch, fileCount: number, hostRole: HostRole, stated?: VantageName): void {
    this.#learnOwnMacs(batch);
    const told = tellVantages(
      batch,
      fileCount,
      {
        interfaceOfMac: (mac, vlan) => (isVirtualRouter(mac) ? SEVERAL : this.#ofMac(mac, vlan)),
        interfaceOfCapture: (captureInterface) => this.#ofCapture[captureInterface] ?? -1,
        hasForeignName: (captureInterface) => this.#hasForeignName(captureInterface),
        carries: (named, byMac) => this.#lower.isBelow(named, byMac) || this.#lower.isBelow(byMac, named),
        hostRole: (position, mac, address) => hostRole(this.#interfaces[position]!.name, mac, address),
      },
      stated,
    );
    for (const { kind, wire, doubled } of told) {
      this.kinds.push(kind);
      this.#doubled.push(kind === 'mirror' && doubled);
      this.#wires.push(kind === 'router' ? -1 : wire);
    }
    const { length } = this.#ofCapture;
    const again = this.#captures.splice(0);
    this.#ofCapture.length = 0;
    this.#captured.fill(0);
    this.#egressShown.fill(0);
    this.#all = false;
    this.#once = true;
    this.learn(again.slice(0, length));
  }

  /** A configuration may name addresses only: what the router says of itself by ARP tells the MAC addresses that belong to them. */
  #learnOwnMacs(batch: PacketBatch): void {
    const silent = this.#interfaces.flatMap((item, position) => (item.mac === undefined ? [position] : []));
    if (silent.length === 0) return;
    for (let row = 0; row < batch.length; row++) {
      const mac = batch.arpSenderMac[row]!;
      if ((batch.status[row]! & Status.arp) === 0 || mac <= 0 || isVirtualRouter(mac)) continue;
      const address = batch.source[4 * row]!;
      const position = silent.find((candidate) =>
        (this.#interfaces[candidate]!.addresses ?? []).some(
          ({ prefix }) => prefix.family === 4 && prefix.words[0] === address,
        ),
      );
      const sharing = this.#byMac.get(mac);
      if (position === undefined || sharing?.includes(position) === true) continue;
      if (sharing === undefined) this.#byMac.set(mac, [position]);
      else sharing.push(position);
    }
  }

  #hasForeignName(captureInterface: number): boolean {
    const name = this.#captures[captureInterface]?.name;
    return name !== undefined && this.#byIndex.size > 0 && !this.#byName.has(name);
  }

  /** Matches newly met capture interfaces with the router's. Call before placing rows that name them. */
  learn(captures: readonly VantageCapture[]): void {
    for (let position = this.#ofCapture.length; position < captures.length; position++) {
      const capture = captures[position]!;
      const { name, index, file = 0, linkType } = capture;
      this.#captures.push(capture);
      const isRouters = this.kindOf(file) === 'router';
      let found = name === undefined ? undefined : this.#byName.get(name);
      if (found === undefined && index !== undefined) found = this.#byIndex.get(index);
      const isOne = linkType === LinkType.linuxCookedV2 && found !== undefined && !this.#ofCapture.includes(found);
      if (!isOne || !isRouters || this.#lower.any) this.#once = false;
      this.#ofCapture.push(isRouters ? (found ?? -1) : -1);
      if (!isRouters) continue;
      if (found !== undefined) this.#show(found, true);
      if (linkType === LinkType.linuxCookedV2 || linkType === LinkType.linuxCooked) this.#all = true;
    }
  }

  #show(position: number, withEgress: boolean): void {
    this.#captured[position] = 1;
    if (withEgress) this.#egressShown[position] = 1;
  }

  /** Places a row: sets {@link side} and {@link interface}. */
  place(batch: PacketBatch, row: number): void {
    const kind = this.kindOf(batch.file[row]!);
    if (kind === 'router') this.#placeOnRouter(batch, row);
    else this.#placeElsewhere(batch, row, kind);
  }

  #placeOnRouter(batch: PacketBatch, row: number): void {
    const named = this.#ofCapture[batch.captureInterface[row]!] ?? -1;
    const direction = batch.direction[row]!;
    if (direction !== Direction.unknown) this.#placeByDirection(batch, row, named, direction);
    else this.#placeByMac(batch, row, named);
    if (this.interface < 0) return;
    if (this.#lower.any) this.#raise(batch, row);
    if (this.side === Side.ingress || this.side === Side.egress) this.#show(this.interface, true);
  }

  /** From a lower device to the interface that routes; nothing where that has the frame in the capture itself. */
  #raise(batch: PacketBatch, row: number): void {
    const seen = this.interface;
    const upper = this.#lower.upper(seen, batch.vlan[row]!);
    const named = this.#ofCapture[batch.captureInterface[row]!] ?? -1;
    // Its MAC address may have told the upper device already.
    if (upper !== seen || (named >= 0 && named !== seen && this.#lower.isBelow(named, seen))) {
      if (this.#all || this.#ofCapture.includes(upper)) this.side = Side.lower;
      this.interface = upper;
    } else if (this.#isChildsCopy(batch, row, seen)) {
      this.side = Side.lower;
    }
  }

  /**
   * Cooked captures show the frames of VLANs and the like on their parent, untagged, and on the upper device as well: behind the copy on
   * the parent where they come in, before it where they leave.
   */
  #isChildsCopy(batch: PacketBatch, row: number, parent: number): boolean {
    const children = this.#lower.childrenOf(parent);
    if (children.length === 0 || batch.vlan[row]! > 0) return false;
    const { linkType } = this.#captures[batch.captureInterface[row]!] ?? {};
    if (linkType !== LinkType.linuxCookedV2) return false;
    const parentPrefixes = prefixesOf(this.#interfaces[parent]!);
    if (parentPrefixes.length === 0 || this.side === Side.foreign) return true;
    for (const step of [1, -1]) {
      for (let other = row + step; ; other += step) {
        // The copy may be in the batch before or after this one. Then the address tells whose frame it is.
        if (other < 0 || other >= batch.length) {
          const column = this.side === Side.egress ? batch.destination : batch.source;
          const inAny = (prefixes: readonly IpPrefix[]): boolean => contains(prefixes, batch.family[row]!, column, row);
          if (children.some((child) => inAny(prefixesOf(this.#interfaces[child]!)))) return true;
          break;
        }
        if (Math.abs(timeBetween(batch, row, other)) > COPY_NANOSECONDS) break;
        const upper = this.#ofCapture[batch.captureInterface[other]!] ?? -1;
        if (upper !== parent && this.#lower.isBelow(parent, upper) && isSameFrame(batch, row, other)) return true;
      }
    }
    return false;
  }

  /** By MAC addresses alone; a cooked capture has only the sender's, and its direction is the host's. */
  #placeElsewhere(batch: PacketBatch, row: number, kind: VantageName): void {
    const file = batch.file[row]!;
    const wire = this.#wires[file] ?? -1;
    const direction = batch.direction[row]!;
    if (batch.destinationMac[row]! < 0 && direction !== Direction.unknown) {
      this.#placeCookedElsewhere(batch, row, wire, direction);
    } else {
      this.#placeByMac(batch, row, -1);
      if (this.side === Side.ambiguous && wire >= 0 && isGroup(batch.destinationMac[row]!)) this.side = Side.ingress;
      if (this.interface < 0) this.interface = wire;
    }
    if (this.side !== Side.ingress && this.side !== Side.egress) return;
    this.#show(this.interface, kind === 'mirror' && this.side === Side.egress);
  }

  #placeCookedElsewhere(batch: PacketBatch, row: number, wire: number, direction: number): void {
    const source = batch.sourceMac[row]!;
    const from = this.#ofMac(source, batch.vlan[row]!);
    this.interface = wire;
    if (direction === Direction.inbound) {
      this.side = from === undefined ? Side.foreign : Side.egress;
      if (from !== undefined && from >= 0) this.interface = from;
    } else if (source <= 0) {
      // The loopback, or a tunnel: not the wire to the router.
      this.side = Side.foreign;
      this.interface = -1;
      return;
    } else {
      // To whom a host sent a frame is not in the capture: to the router, where that is the only one that it hears from and the
      // destination is not beside it.
      const beside =
        wire >= 0 &&
        (batch.status[row]! & Status.ip) !== 0 &&
        contains(prefixesOf(this.#interfaces[wire]!), batch.family[row]!, batch.destination, row);
      this.side = beside ? Side.foreign : Side.ingress;
    }
    if (this.interface < 0) this.side = Side.ambiguous;
  }

  /** The router's interface with a MAC address, by VLAN tag where several share it; −2 where that does not tell, undefined where none has it. */
  #ofMac(mac: number, vlan: number): number | undefined {
    const sharing = this.#byMac.get(mac);
    if (sharing === undefined) return undefined;
    if (sharing.length === 1) return sharing[0]!;
    const uppers = new Set<number>();
    for (const position of sharing) {
      // Untagged, it may be on the device itself, or the capture on any of its VLANs.
      if (vlan <= 0 || vlanOf(this.#interfaces[position]!) === vlan) uppers.add(this.#lower.upper(position, -1));
    }
    const [only, ...others] = uppers;
    return only === undefined || others.length > 0 ? SEVERAL : only;
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
    else if (direction === Direction.outbound && mac >= 0)
      this.interface = Math.max(this.#ofMac(mac, batch.vlan[row]!) ?? -1, -1);
    if (this.interface < 0) this.side = Side.ambiguous;
  }

  /** By the router's MAC address (−2 of several interfaces) and the capture's name. A device below or above the one named is no other. */
  #interfaceOf(byMac: number, named: number): number {
    if (named < 0) return Math.max(byMac, -1);
    if (byMac < 0 || byMac === named) return named;
    if (this.#lower.isBelow(named, byMac)) return byMac;
    if (this.#lower.isBelow(byMac, named)) return named;
    this.conflicts++;
    return byMac;
  }

  #placeByMac(batch: PacketBatch, row: number, position: number): void {
    const source = batch.sourceMac[row]!;
    const destination = batch.destinationMac[row]!;
    const fromRouter = source >= 0 ? this.#ofMac(source, batch.vlan[row]!) : undefined;
    const toRouter = destination >= 0 ? this.#ofMac(destination, batch.vlan[row]!) : undefined;
    if (fromRouter !== undefined) {
      this.side = Side.egress;
      this.interface = this.#interfaceOf(fromRouter, position);
    } else if (toRouter !== undefined) {
      this.side = Side.ingress;
      this.interface = this.#interfaceOf(toRouter, position);
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

function prefixesOf(item: VantageInterface): readonly IpPrefix[] {
  return item.addresses?.map(({ prefix }) => prefix) ?? [];
}

function contains(prefixes: readonly IpPrefix[], family: number, column: Uint32Array, row: number): boolean {
  return prefixes.length > 0 && inAny(prefixes, family, column, 4 * row);
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
