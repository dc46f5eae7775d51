import { IpProtocol } from '../net/ip-protocol.ts';
import { PacketBatch, Status } from '../wire/packet-batch.ts';
import { Chains, SLOT_FREE } from './chains.ts';

/** A copy may leave up to this long after it came in: a neighbour is asked three times, a second apart (linux-forwarding 4.13). */
const PAIRING_WINDOW_NANOSECONDS = 4e9;
/** Copies of one frame on two capture devices of one interface are this close. */
const DUPLICATE_WINDOW_NANOSECONDS = 2e6;
/** Copies on one device are closer than what a host sends twice: a lost SYN-ACK goes out by its timer, and for every repeated SYN. */
const REPEAT_WINDOW_NANOSECONDS = 1e5;

/**
 * Files of single interfaces with microseconds can hold a frame's copy and the frame itself at one time, and the copy's file may come
 * first in order. So a copy that finds nothing is kept this long.
 */
const TIE_NANOSECONDS = 2000;
const EARLY_ROWS = 32;

/** Of so many frames with one hash the newest are looked at for a duplicate, which is a moment old. */
const MOST_DUPLICATES = 1024;

/** At first: few frames wait for their copies at one time, and their slots stay in the processor's cache. */
const FEWEST_SLOTS = 256;

/** How often one capture device shows a frame again. */
export const Repeats = { never: 0, once: 1, any: 2 } as const;

/** Words of a remembered frame: together a line of the processor's cache. */
const SOURCE = 0;
const DESTINATION = 4;
/** Source port << 16 | destination port. */
const PORTS = 8;
const IDENTITY = 9;
const SEQUENCE = 10;
const ACKNOWLEDGEMENT = 11;
/** TTL, protocol and length. */
const SHAPE = 12;
const DEVICE = 13;
/** Interface << 8 | whether it is its chain's {@link Chains.past} << 3 | whether it was shown again << 2 | what may change by translation. */
const PLACE = 14;
const TOKEN = 15;
const FRAME_LENGTH = 16;

const TRANSLATED = 3;
const REPEATED = 4;
const IS_PAST = 8;

/** Capture devices of an interface: none yet, or several. */
const NO_DEVICE = -1;
const SEVERAL_DEVICES = -2;

/**
 * Finds for a frame that leaves the router the frame that came in: the same packet, its TTL one less. The last ingress frames whose copy
 * has not come yet, with a hash index; addresses and ports may differ where the packet was translated.
 * A slot that a copy has freed is the next to be used. Of frames that are all the same the oldest leaves first, and is found in one step.
 */
export class Pairing {
  readonly #mostSlots: number;
  /** Slots less one: a power of two. */
  #mask = -1;
  /** Of frames that leave as they are, by all of their fields; of others by those that no translation changes. */
  #plain = new Chains(1);
  #translated: Chains | undefined;
  /** In the chain, the next older slot and the next newer one. */
  #next = new Int32Array(0);
  #previous = new Int32Array(0);
  #hash = new Int32Array(0);
  #time = new Float64Array(0);
  #frames = new Int32Array(0);
  /** By age, of the frames in use; a free slot's `#older` is the next free one. */
  #older = new Int32Array(0);
  #newer = new Int32Array(0);
  #oldest = SLOT_FREE;
  #newest = SLOT_FREE;
  #free = SLOT_FREE;
  /** Slots from this one on were never used. */
  #unused = 0;
  /** Count up with each frame, from where the first was translated: which of two is older. */
  #stamps: Int32Array | undefined;
  #lastStamp = 0;
  /** By interface + 1, the only capture device that showed frames of it. */
  readonly #deviceOf: number[] = [];
  /** Copies that came before their frames. */
  readonly #early = new PacketBatch(EARLY_ROWS);
  readonly #earlyInterface = new Int16Array(EARLY_ROWS).fill(-1);
  #earlyCursor = 0;
  #earlyTime = Number.NEGATIVE_INFINITY;
  /** Of the copy that {@link takeEarly} found. */
  earlyInterface = -1;
  earlyMac = -1;

  /** `size`: frames remembered at most, a power of two. */
  constructor(size = 1 << 16) {
    this.#mostSlots = size;
    this.#grow(Math.min(size, FEWEST_SLOTS));
  }

  /** Remembers an ingress frame under the caller's token (≥ 0). `translated`: bit 0 the source, bit 1 the destination may change. */
  remember(batch: PacketBatch, row: number, position: number, token: number, translated: number): void {
    const slot = this.#takeSlot();
    const frames = this.#frames;
    const at = FRAME_LENGTH * slot;
    const device = batch.captureInterface[row]!;
    const known = this.#deviceOf[position + 1] ?? NO_DEVICE;
    if (known !== device) this.#deviceOf[position + 1] = known === NO_DEVICE ? device : SEVERAL_DEVICES;
    const ttl = batch.ttl[row]!;
    const hash = hashOf(batch, row, ttl);
    this.#hash[slot] = translated === 0 ? withAddresses(hash, batch, row) : hash;
    frames[at + PLACE] = (position << 8) | translated;
    if (translated !== 0) this.#beginTranslated();
    if (this.#stamps !== undefined) this.#stamps[slot] = ++this.#lastStamp;
    this.#link(slot);
    this.#time[slot] = timeOf(batch, row);
    const { source, destination } = batch;
    const words = 4 * row;
    frames[at + SOURCE] = source[words]!;
    frames[at + SOURCE + 1] = source[words + 1]!;
    frames[at + SOURCE + 2] = source[words + 2]!;
    frames[at + SOURCE + 3] = source[words + 3]!;
    frames[at + DESTINATION] = destination[words]!;
    frames[at + DESTINATION + 1] = destination[words + 1]!;
    frames[at + DESTINATION + 2] = destination[words + 2]!;
    frames[at + DESTINATION + 3] = destination[words + 3]!;
    frames[at + PORTS] = portsOf(batch, row);
    frames[at + IDENTITY] = identityOf(batch, row);
    frames[at + SEQUENCE] = batch.tcpSequence[row]!;
    frames[at + ACKNOWLEDGEMENT] = batch.tcpAcknowledgement[row]!;
    frames[at + SHAPE] = shapeOf(batch, row, ttl);
    frames[at + DEVICE] = device;
    frames[at + TOKEN] = token;
  }

  /** Whether the same frame was just remembered from another capture device of the same interface, or, as `repeats` says, from the same one. */
  isDuplicate(batch: PacketBatch, row: number, position: number, repeats: number = Repeats.never): boolean {
    const known = this.#deviceOf[position + 1] ?? NO_DEVICE;
    // The common case: one device for each interface, which shows each frame once.
    if (known === NO_DEVICE || (known === batch.captureInterface[row] && repeats === Repeats.never)) return false;
    const hash = hashOf(batch, row, batch.ttl[row]!);
    if (this.#isAmong(this.#plain, withAddresses(hash, batch, row), batch, row, position, repeats)) return true;
    return this.#translated !== undefined && this.#isAmong(this.#translated, hash, batch, row, position, repeats);
  }

  #isAmong(chains: Chains, hash: number, batch: PacketBatch, row: number, position: number, repeats: number): boolean {
    const frames = this.#frames;
    const time = timeOf(batch, row);
    const ttl = batch.ttl[row]!;
    let slot = chains.ends[2 * chains.chainOf(hash)]!;
    for (let looked = 0; slot !== SLOT_FREE && looked < MOST_DUPLICATES; slot = this.#next[slot]!, looked++) {
      const at = FRAME_LENGTH * slot;
      if (frames[at + PLACE]! >> 8 !== position) continue;
      const isSameDevice = frames[at + DEVICE] === batch.captureInterface[row];
      const wasRepeated = (frames[at + PLACE]! & REPEATED) !== 0;
      if (isSameDevice && (repeats === Repeats.never || wasRepeated)) continue;
      const window = isSameDevice ? REPEAT_WINDOW_NANOSECONDS : DUPLICATE_WINDOW_NANOSECONDS;
      if (time - this.#time[slot]! > window) continue;
      if (!this.#same(at, batch, row, ttl) || !this.#sameAddresses(at, batch, row, 0)) continue;
      if (isSameDevice && repeats === Repeats.once) frames[at + PLACE]! |= REPEATED;
      return true;
    }
    return false;
  }

  /** Takes the ingress frame of which this one is the egress copy: its token, −1 where there is none. Each is taken once. */
  take(batch: PacketBatch, row: number): number {
    const hash = hashOf(batch, row, batch.ttl[row]! + 1);
    let best = this.#oldestOf(this.#plain, withAddresses(hash, batch, row), batch, row);
    if (this.#translated !== undefined) {
      const other = this.#oldestOf(this.#translated, hash, batch, row);
      if (best === SLOT_FREE || (other !== SLOT_FREE && this.#isOlder(other, best))) best = other;
    }
    if (best === SLOT_FREE) return -1;
    const token = this.#frames[FRAME_LENGTH * best + TOKEN]!;
    this.#release(best);
    return token;
  }

  /** The slot of the oldest frame of a chain that can have left as this one: it is the one that leaves first. */
  #oldestOf(chains: Chains, hash: number, batch: PacketBatch, row: number): number {
    const frames = this.#frames;
    const ttl = batch.ttl[row]! + 1;
    const time = timeOf(batch, row);
    const chain = chains.chainOf(hash);
    let slot = chains.ends[2 * chain + 1]!;
    if (slot !== SLOT_FREE && time - this.#time[slot]! > PAIRING_WINDOW_NANOSECONDS)
      slot = this.#behindPast(chains, chain, time);
    for (; slot !== SLOT_FREE; slot = this.#previous[slot]!) {
      const at = FRAME_LENGTH * slot;
      if (time - this.#time[slot]! > PAIRING_WINDOW_NANOSECONDS || !this.#same(at, batch, row, ttl)) continue;
      if (this.#sameAddresses(at, batch, row, frames[at + PLACE]! & TRANSLATED)) return slot;
    }
    return SLOT_FREE;
  }

  /**
   * The oldest slot of a chain that is not too old at a time. Which were is kept, so that they are passed over once; as time may go back in
   * a capture, with the time from which on that holds.
   */
  #behindPast(chains: Chains, chain: number, time: number): number {
    const known = chains.past(chain);
    const holds = known !== SLOT_FREE && time - chains.pastTime(chain) > PAIRING_WINDOW_NANOSECONDS;
    let past = holds ? known : SLOT_FREE;
    let latest = holds ? chains.pastTime(chain) : Number.NEGATIVE_INFINITY;
    let slot = holds ? this.#previous[known]! : chains.ends[2 * chain + 1]!;
    for (; slot !== SLOT_FREE; slot = this.#previous[slot]!) {
      const own = this.#time[slot]!;
      if (!(time - own > PAIRING_WINDOW_NANOSECONDS)) break;
      past = slot;
      latest = Math.max(latest, own);
    }
    if (past !== known) {
      if (known !== SLOT_FREE) this.#frames[FRAME_LENGTH * known + PLACE]! &= ~IS_PAST;
      this.#frames[FRAME_LENGTH * past + PLACE]! |= IS_PAST;
    }
    chains.setPast(chain, past, latest);
    return slot;
  }

  #isOlder(slot: number, other: number): boolean {
    return ((this.#stamps![slot]! - this.#stamps![other]!) | 0) < 0;
  }

  /** Keeps a copy for which {@link take} found nothing: its frame may have the same time. */
  keepEarly(batch: PacketBatch, row: number, position: number): void {
    const slot = this.#earlyCursor;
    this.#earlyCursor = (slot + 1) % EARLY_ROWS;
    copyIdentity(batch, row, this.#early, slot);
    this.#earlyInterface[slot] = position;
    this.#earlyTime = timeOf(batch, row);
  }

  /** Whether this frame's copy was kept: then {@link earlyInterface} and {@link earlyMac} hold. `translated` as for remember. */
  takeEarly(batch: PacketBatch, row: number, translated: number): boolean {
    if (timeOf(batch, row) - this.#earlyTime > TIE_NANOSECONDS) return false;
    const early = this.#early;
    for (let slot = 0; slot < EARLY_ROWS; slot++) {
      if (this.#earlyInterface[slot]! < 0 || early.ttl[slot]! + 1 !== batch.ttl[row]) continue;
      if (
        Math.abs(timeOf(batch, row) - timeOf(early, slot)) > TIE_NANOSECONDS ||
        !samePacket(early, slot, batch, row, translated)
      )
        continue;
      this.earlyInterface = this.#earlyInterface[slot]!;
      this.earlyMac = early.destinationMac[slot]!;
      this.#earlyInterface[slot] = -1;
      return true;
    }
    return false;
  }

  /** A slot for the newest frame; where all are in use, the oldest one's. */
  #takeSlot(): number {
    let slot = this.#free;
    if (slot !== SLOT_FREE) {
      this.#free = this.#older[slot]!;
    } else if (this.#unused < this.#mostSlots) {
      if (this.#unused > this.#mask) this.#grow(2 * this.#unused);
      slot = this.#unused++;
    } else {
      slot = this.#oldest;
      this.#release(slot);
      this.#free = this.#older[slot]!;
    }
    const newest = this.#newest;
    this.#older[slot] = newest;
    this.#newer[slot] = SLOT_FREE;
    if (newest === SLOT_FREE) this.#oldest = slot;
    else this.#newer[newest] = slot;
    this.#newest = slot;
    return slot;
  }

  /** More slots, and as many buckets. */
  #grow(size: number): void {
    this.#mask = size - 1;
    this.#next = grown(this.#next, size);
    this.#previous = grown(this.#previous, size);
    this.#hash = grown(this.#hash, size);
    this.#older = grown(this.#older, size);
    this.#newer = grown(this.#newer, size);
    this.#frames = grown(this.#frames, FRAME_LENGTH * size);
    const time = new Float64Array(size);
    time.set(this.#time);
    this.#time = time;
    this.#plain = new Chains(size);
    if (this.#translated !== undefined) this.#translated = new Chains(size);
    if (this.#stamps !== undefined) this.#stamps = grown(this.#stamps, size);
    // The newest of a chain comes to stand first.
    for (let slot = this.#oldest; slot !== SLOT_FREE; slot = this.#newer[slot]!) {
      this.#frames[FRAME_LENGTH * slot + PLACE]! &= ~IS_PAST;
      this.#link(slot);
    }
  }

  #beginTranslated(): void {
    this.#translated ??= new Chains(this.#mask + 1);
    this.#stamps ??= new Int32Array(this.#mask + 1);
  }

  #chainsOf(slot: number): Chains {
    return (this.#frames[FRAME_LENGTH * slot + PLACE]! & TRANSLATED) === 0 ? this.#plain : this.#translated!;
  }

  #link(slot: number): void {
    const chains = this.#chainsOf(slot);
    const chain = chains.chainOf(this.#hash[slot]!);
    const { ends } = chains;
    const newest = ends[2 * chain]!;
    this.#next[slot] = newest;
    this.#previous[slot] = SLOT_FREE;
    if (newest === SLOT_FREE) ends[2 * chain + 1] = slot;
    else this.#previous[newest] = slot;
    ends[2 * chain] = slot;
  }

  #release(slot: number): void {
    this.#unlink(slot);
    const older = this.#older[slot]!;
    const newer = this.#newer[slot]!;
    if (older === SLOT_FREE) this.#oldest = newer;
    else this.#newer[older] = newer;
    if (newer === SLOT_FREE) this.#newest = older;
    else this.#older[newer] = older;
    this.#older[slot] = this.#free;
    this.#free = slot;
  }

  /** In one step: of frames that are all the same the chain is as long as there are slots. */
  #unlink(slot: number): void {
    const chains = this.#chainsOf(slot);
    const { ends } = chains;
    const chain = chains.chainOf(this.#hash[slot]!);
    const next = this.#next[slot]!;
    const previous = this.#previous[slot]!;
    if (previous === SLOT_FREE) ends[2 * chain] = next;
    else this.#next[previous] = next;
    if (next === SLOT_FREE) ends[2 * chain + 1] = previous;
    else this.#previous[next] = previous;
    if ((this.#frames[FRAME_LENGTH * slot + PLACE]! & IS_PAST) === 0) return;
    chains.setPast(chain, next, chains.pastTime(chain));
    if (next !== SLOT_FREE) this.#frames[FRAME_LENGTH * next + PLACE]! |= IS_PAST;
  }

  #same(at: number, batch: PacketBatch, row: number, ttl: number): boolean {
    const frames = this.#frames;
    return (
      frames[at + IDENTITY] === identityOf(batch, row) &&
      frames[at + SEQUENCE] === (batch.tcpSequence[row]! | 0) &&
      frames[at + ACKNOWLEDGEMENT] === (batch.tcpAcknowledgement[row]! | 0) &&
      frames[at + SHAPE] === shapeOf(batch, row, ttl)
    );
  }

  #sameAddresses(at: number, batch: PacketBatch, row: number, translated: number): boolean {
    const frames = this.#frames;
    const { source, destination } = batch;
    const words = 4 * row;
    const ports = frames[at + PORTS]! ^ portsOf(batch, row);
    const isSourceSame =
      (ports & 0xffff0000) === 0 &&
      frames[at + SOURCE] === (source[words]! | 0) &&
      frames[at + SOURCE + 1] === (source[words + 1]! | 0) &&
      frames[at + SOURCE + 2] === (source[words + 2]! | 0) &&
      frames[at + SOURCE + 3] === (source[words + 3]! | 0);
    if (!isSourceSame && (translated & 1) === 0) return false;
    const isDestinationSame =
      (ports & 0xffff) === 0 &&
      frames[at + DESTINATION] === (destination[words]! | 0) &&
      frames[at + DESTINATION + 1] === (destination[words + 1]! | 0) &&
      frames[at + DESTINATION + 2] === (destination[words + 2]! | 0) &&
      frames[at + DESTINATION + 3] === (destination[words + 3]! | 0);
    return isDestinationSame || (translated & 2) !== 0;
  }
}

/** Only fields that no translation changes go into the hash. */
function hashOf(batch: PacketBatch, row: number, ttl: number): number {
  let hash = Math.imul(batch.identification[row]!, 0x9e3779b1) ^ (batch.networkLength[row]! << 8) ^ ttl;
  hash = Math.imul(hash ^ batch.protocol[row]!, 0x85ebca6b) ^ batch.fragmentOffset[row]!;
  if (batch.protocol[row] === IpProtocol.tcp) {
    hash ^= Math.imul(batch.tcpSequence[row]!, 0xc2b2ae35) ^ Math.imul(batch.tcpAcknowledgement[row]!, 0x27d4eb2f);
    hash ^= batch.tcpFlags[row]! << 16;
  }
  return hash ^ (hash >>> 15);
}

function grown(from: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const to = new Int32Array(length);
  to.set(from);
  return to;
}

/** The same with the fields that a translation changes. */
function withAddresses(hash: number, batch: PacketBatch, row: number): number {
  const { source, destination } = batch;
  const words = 4 * row;
  const from = source[words]! ^ source[words + 1]! ^ source[words + 2]! ^ source[words + 3]!;
  const to = destination[words]! ^ destination[words + 1]! ^ destination[words + 2]! ^ destination[words + 3]!;
  let mixed = Math.imul(from, 0x9e3779b1) ^ Math.imul(to, 0x85ebca6b) ^ Math.imul(portsOf(batch, row), 0xc2b2ae35);
  mixed = Math.imul(hash ^ mixed ^ (mixed >>> 15), 0x2c1b3c6d);
  return mixed ^ (mixed >>> 13);
}

function shapeOf(batch: PacketBatch, row: number, ttl: number): number {
  return (ttl << 24) | (batch.protocol[row]! << 16) | (batch.networkLength[row]! & 0xffff);
}

/** Copies the fields by which a packet is known again. */
function copyIdentity(from: PacketBatch, row: number, to: PacketBatch, slot: number): void {
  to.seconds[slot] = from.seconds[row]!;
  to.nanoseconds[slot] = from.nanoseconds[row]!;
  to.status[slot] = from.status[row]!;
  to.protocol[slot] = from.protocol[row]!;
  to.ttl[slot] = from.ttl[row]!;
  to.identification[slot] = from.identification[row]!;
  to.fragmentOffset[slot] = from.fragmentOffset[row]!;
  to.networkLength[slot] = from.networkLength[row]!;
  to.destinationMac[slot] = from.destinationMac[row]!;
  to.tcpFlags[slot] = from.tcpFlags[row]!;
  to.tcpSequence[slot] = from.tcpSequence[row]!;
  to.tcpAcknowledgement[slot] = from.tcpAcknowledgement[row]!;
  to.icmpType[slot] = from.icmpType[row]!;
  to.icmpCode[slot] = from.icmpCode[row]!;
  to.icmpIdentifier[slot] = from.icmpIdentifier[row]!;
  to.icmpSequence[slot] = from.icmpSequence[row]!;
  to.sourcePort[slot] = from.sourcePort[row]!;
  to.destinationPort[slot] = from.destinationPort[row]!;
  for (let word = 0; word < 4; word++) {
    to.source[4 * slot + word] = from.source[4 * row + word]!;
    to.destination[4 * slot + word] = from.destination[4 * row + word]!;
  }
}

function samePacket(early: PacketBatch, slot: number, batch: PacketBatch, row: number, translated: number): boolean {
  if (identityOf(early, slot) !== identityOf(batch, row) || early.protocol[slot] !== batch.protocol[row]) return false;
  if (early.networkLength[slot] !== batch.networkLength[row] || early.tcpSequence[slot] !== batch.tcpSequence[row])
    return false;
  if (early.tcpAcknowledgement[slot] !== batch.tcpAcknowledgement[row]) return false;
  let source = early.sourcePort[slot] === batch.sourcePort[row];
  let destination = early.destinationPort[slot] === batch.destinationPort[row];
  for (let word = 0; word < 4; word++) {
    if (early.source[4 * slot + word] !== batch.source[4 * row + word]) source = false;
    if (early.destination[4 * slot + word] !== batch.destination[4 * row + word]) destination = false;
  }
  return (source || (translated & 1) !== 0) && (destination || (translated & 2) !== 0);
}

/** Nanoseconds since 1970 as a double: exact to about 256 ns, enough for windows of milliseconds. */
function timeOf(batch: PacketBatch, row: number): number {
  return batch.seconds[row]! * 1e9 + batch.nanoseconds[row]!;
}

function portsOf(batch: PacketBatch, row: number): number {
  return (batch.sourcePort[row]! << 16) | batch.destinationPort[row]!;
}

/** Identification, fragment offset, TCP flags or ICMP header, folded. */
function identityOf(batch: PacketBatch, row: number): number {
  let value = batch.identification[row]! ^ (batch.fragmentOffset[row]! << 16);
  if ((batch.status[row]! & Status.transport) !== 0) {
    if (batch.protocol[row] === IpProtocol.tcp) value ^= batch.tcpFlags[row]! << 20;
    else if (batch.protocol[row] === IpProtocol.icmp || batch.protocol[row] === IpProtocol.icmpv6)
      value ^=
        (batch.icmpType[row]! << 24) ^
        (batch.icmpCode[row]! << 16) ^
        (batch.icmpIdentifier[row]! << 8) ^
        batch.icmpSequence[row]!;
  }
  return value;
}
