import { IpProtocol } from '../../net/ip-protocol.ts';
import { sumPseudoHeader } from '../../wire/checksum.ts';
import { PacketBatch, Status } from '../../wire/packet-batch.ts';
import type { SettledFragment } from '../forwarder.ts';

/** What becomes of a fragment. */
export const Assembled = {
  /** It waits for the rest of its datagram. */
  held: 0,
  /** It was the last piece: {@link Reassembly.whole} is the datagram. */
  whole: 1,
  /** It is thrown away, alone or with all of its datagram. */
  discarded: 2,
  /** Whether the kernel takes it, or what it makes of it, is not known. */
  unknown: 3,
} as const;

/** How the kernel puts fragments together. */
export interface ReassemblyLimits {
  /** Seconds from the first piece on. */
  readonly time: number;
  /** Bytes of memory. */
  readonly memory: number;
  /** Fragments of one source between two pieces of a datagram. */
  readonly distance: number;
}

/** Timers of this length go off up to half a second late; a second is on the safe side. Ref: kernel/time/timer.c: LVL_GRAN */
const TIMER_SLACK_SECONDS = 1;
/** What a fragment's buffer takes at most beside twice its bytes: a page, and its own descriptor. Ref: skbuff.h: SKB_TRUESIZE() */
const BUFFER_BYTES = 4608;
/** Senders of fragments at a time of whom account is kept. */
const SOURCES = 1 << 16;
const LONGEST_PACKET = 0xffff;
const CONGESTION_EXPERIENCED = 3;

/** By bits 1 << ECN field of all pieces: the ECN field added, −1 for a datagram that is thrown away. Ref: inet_fragment.c: ip_frag_ecn_table */
function joinEcn(seen: number): number {
  const congested = (seen & (1 << CONGESTION_EXPERIENCED)) !== 0;
  const capable = (seen & 0b0110) !== 0;
  const incapable = (seen & 0b0001) !== 0;
  if (incapable) return congested || capable ? -1 : 0;
  return congested && capable ? CONGESTION_EXPERIENCED : 0;
}

/** Most routers never meet a datagram in pieces, and some are made for a few packets only. */
const NO_PACKET = new PacketBatch(0);

/** The pieces of one datagram. */
interface Queue {
  readonly key: string;
  readonly began: number;
  /** Not overlapping, in order of their offset; what touches is one. */
  readonly runs: { start: number; end: number }[];
  readonly pieces: SettledFragment[];
  /** The row of the piece at offset 0. */
  first: PacketBatch | undefined;
  length: number;
  sawLast: boolean;
  held: number;
  ecn: number;
  largest: number;
  largestUnfragmentable: number;
  /** Sum of all pieces; −1 where that of one is not known. */
  sum: number;
  /** How many fragments the source had sent. */
  count: number;
  memory: number;
  /** Something about it is not known. */
  doubtful: boolean;
}

/**
 * Puts IPv4 fragments together as the kernel does in front of connection tracking: nothing that is not clear is guessed. Memory is bounded
 * by the kernel's own limit. Ref: nf_defrag_ipv4.c: ipv4_conntrack_defrag(); ip_fragment.c: ip_frag_queue(), ip_frag_reasm();
 * inet_fragment.c: inet_frag_queue_insert()
 */
export class Reassembly {
  /** The datagram, in row 0, until the next fragment. */
  whole = NO_PACKET;
  /** The largest of its fragments, bytes with header. */
  largest = 0;
  /** Held fragments whose fate the last packet settled. */
  readonly settled: SettledFragment[] = [];
  readonly #limits: ReassemblyLimits;
  /** By datagram, oldest first. */
  readonly #queues = new Map<string, Queue>();
  readonly #counts = new Map<number, number>();
  #memory = 0;
  /** Too many pieces came: until then, nothing is known of any. */
  #overflowUntil = 0;

  constructor(limits: ReassemblyLimits) {
    this.#limits = limits;
  }

  /** Nothing was ever sent. */
  forget(): void {
    this.settled.length = 0;
    this.#queues.clear();
    this.#counts.clear();
    this.#memory = 0;
    this.#overflowUntil = 0;
  }

  /** To be called for every packet: what is too old is thrown away. */
  advance(now: number): void {
    // For nearly every packet there is nothing to do, which is to cost nothing.
    if (this.settled.length > 0) this.settled.length = 0;
    if (this.#queues.size === 0 && this.#counts.size === 0) return;
    for (const queue of this.#queues.values()) {
      if (now < queue.began + this.#limits.time + TIMER_SLACK_SECONDS) return;
      this.#discard(queue);
    }
    this.#counts.clear();
  }

  /** Takes a fragment: an {@link Assembled} number. */
  take(batch: PacketBatch, row: number, now: number): number {
    if (now < this.#overflowUntil) return Assembled.unknown;
    const queue = this.#queueOf(batch, row, now);
    const count = (this.#counts.get(batch.source[4 * row]!) ?? 0) + 1;
    this.#counts.set(batch.source[4 * row]!, count);
    if (queue.pieces.length > 0 && count - queue.count > this.#limits.distance) queue.doubtful = true;
    queue.count = count;
    if (now >= queue.began + this.#limits.time) queue.doubtful = true;
    if (queue.doubtful) {
      keepFirst(queue, batch, row);
      return Assembled.unknown;
    }
    const outcome = this.#insert(queue, batch, row);
    if (this.#memory <= this.#limits.memory && this.#counts.size <= SOURCES) return outcome;
    // The kernel may have begun to refuse pieces: nothing of what there is can be trusted.
    this.#overflowUntil = now + this.#limits.time + TIMER_SLACK_SECONDS;
    this.#queues.clear();
    this.#counts.clear();
    this.#memory = 0;
    return outcome === Assembled.held ? Assembled.unknown : outcome;
  }

  /** A fragment of which too little is known: whatever becomes of its datagram is unknown. */
  doubt(batch: PacketBatch, row: number, now: number): void {
    if (now < this.#overflowUntil) return;
    const queue = this.#queueOf(batch, row, now);
    queue.doubtful = true;
    keepFirst(queue, batch, row);
  }

  /** The first piece of the datagram that a fragment belongs to, where it came: in row 0. */
  firstOf(batch: PacketBatch, row: number): PacketBatch | undefined {
    return this.#queues.get(keyOf(batch, row))?.first;
  }

  /** More pieces are on the way than the kernel holds. */
  hasOverflown(now: number): boolean {
    return now < this.#overflowUntil;
  }

  #queueOf(batch: PacketBatch, row: number, now: number): Queue {
    const key = keyOf(batch, row);
    const known = this.#queues.get(key);
    if (known !== undefined) return known;
    const queue: Queue = {
      key,
      began: now,
      runs: [],
      pieces: [],
      first: undefined,
      length: 0,
      sawLast: false,
      held: 0,
      ecn: 0,
      largest: 0,
      largestUnfragmentable: 0,
      sum: 0,
      count: 0,
      memory: 0,
      doubtful: false,
    };
    this.#queues.set(key, queue);
    return queue;
  }

  #insert(queue: Queue, batch: PacketBatch, row: number): number {
    const status = batch.status[row]!;
    const offset = batch.fragmentOffset[row]!;
    const carried = batch.fragmentLength[row]!;
    const end = offset + carried;
    const more = (status & Status.moreFragments) !== 0;
    // The kernel cuts such a piece to a multiple of eight bytes: who sends that, and what is in the rest, is not worth knowing.
    if (more && (carried & 7) !== 0) queue.doubtful = true;
    if (!more ? end < queue.length || (queue.sawLast && end !== queue.length) : queue.sawLast && end > queue.length) {
      return this.#refuse(queue);
    }
    if (carried === 0) return this.#refuse(queue);
    if (!more) queue.sawLast = true;
    if (end > queue.length) queue.length = end;
    const place = placeOf(queue, offset, end);
    if (place === DUPLICATE) return queue.doubtful ? Assembled.unknown : Assembled.discarded;
    if (place === OVERLAP) return this.#refuse(queue);
    this.#keep(queue, batch, row, place, offset, end);
    if (queue.doubtful) return Assembled.unknown;
    if (queue.first === undefined || !queue.sawLast || queue.held !== queue.length) {
      queue.pieces.push({ file: batch.file[row]!, frame: batch.frameNumber[row]!, whole: true });
      return Assembled.held;
    }
    return this.#join(queue, batch, row);
  }

  #keep(queue: Queue, batch: PacketBatch, row: number, place: number, start: number, end: number): void {
    queue.runs.splice(place, 0, { start, end });
    const after = queue.runs[place + 1];
    const before = queue.runs[place - 1];
    // Ref: inet_frag_queue_insert(): only what comes at the end is joined to the run before it.
    if (after === undefined && before?.end === start) {
      before.end = end;
      queue.runs.splice(place, 1);
    }
    queue.held += end - start;
    queue.ecn |= 1 << (batch.tos[row]! & 3);
    const size = batch.networkLength[row]!;
    queue.largest = Math.max(queue.largest, size);
    if ((batch.status[row]! & Status.dontFragment) !== 0) {
      queue.largestUnfragmentable = Math.max(queue.largestUnfragmentable, size);
    }
    const sum = batch.fragmentSum[row]!;
    queue.sum = queue.sum === -1 || sum === 0 ? -1 : queue.sum + (sum & 0xffff);
    const memory = 2 * batch.capturedLength[row]! + BUFFER_BYTES;
    queue.memory += memory;
    this.#memory += memory;
    if (start !== 0) return;
    keepFirst(queue, batch, row);
    if (!isHeaderWhole(batch, row)) queue.doubtful = true;
  }

  /** Everything is there. */
  #join(queue: Queue, batch: PacketBatch, row: number): number {
    const ecn = joinEcn(queue.ecn);
    const first = queue.first!;
    const length = first.networkLength[0]! - first.fragmentLength[0]! + queue.length;
    if (ecn === -1 || length > LONGEST_PACKET) return this.#refuse(queue);
    // A lying length: INVALID, and worth no more.
    if (first.protocol[0] === IpProtocol.udp && first.udpLength[0]! > queue.length) {
      queue.doubtful = true;
      return Assembled.unknown;
    }
    this.#remove(queue);
    this.settled.push(...queue.pieces);
    if (this.whole === NO_PACKET) this.whole = new PacketBatch(1);
    const { whole } = this;
    whole.copyRows(first, 0, 0, 1);
    whole.file[0] = batch.file[row]!;
    whole.frameNumber[0] = batch.frameNumber[row]!;
    whole.seconds[0] = batch.seconds[row]!;
    whole.nanoseconds[0] = batch.nanoseconds[row]!;
    whole.tos[0]! |= ecn;
    whole.payloadLength[0]! += length - first.networkLength[0]!;
    whole.networkLength[0] = length;
    whole.status[0]! &= ~(Status.fragment | Status.moreFragments | Status.dontFragment);
    if (queue.largest === queue.largestUnfragmentable) whole.status[0]! |= Status.dontFragment;
    if (isSumBad(whole, queue.sum, queue.length)) whole.status[0]! |= Status.badTransportChecksum;
    this.largest = queue.largest;
    return Assembled.whole;
  }

  /** Ends the queue with the fragment that does not fit. */
  #refuse(queue: Queue): number {
    // What is doubtful stays so: the kernel may have begun another queue in the meantime.
    if (queue.doubtful) return Assembled.unknown;
    this.#discard(queue);
    return Assembled.discarded;
  }

  #discard(queue: Queue): void {
    this.#remove(queue);
    if (queue.doubtful) return;
    for (const { file, frame } of queue.pieces) this.settled.push({ file, frame, whole: false });
  }

  #remove(queue: Queue): void {
    this.#queues.delete(queue.key);
    this.#memory -= queue.memory;
  }
}

function keyOf(batch: PacketBatch, row: number): string {
  return `${batch.source[4 * row]} ${batch.destination[4 * row]} ${batch.identification[row]} ${batch.protocol[row]}`;
}

function keepFirst(queue: Queue, batch: PacketBatch, row: number): void {
  if (batch.fragmentOffset[row] !== 0) return;
  queue.first ??= new PacketBatch(1);
  queue.first.copyRows(batch, row, 0, 1);
}

const DUPLICATE = -1;
const OVERLAP = -2;

/** Where among the runs a piece belongs. Ref: inet_frag_queue_insert() */
function placeOf(queue: Queue, start: number, end: number): number {
  const { runs } = queue;
  const last = runs[runs.length - 1];
  if (last === undefined) return 0;
  if (last.end < end) return start < last.end ? OVERLAP : runs.length;
  for (let index = 0; index < runs.length; index++) {
    const run = runs[index]!;
    if (end <= run.start) return index;
    if (start >= run.end) continue;
    return start >= run.start && end <= run.end ? DUPLICATE : OVERLAP;
  }
  return runs.length;
}

/** Whether the first piece holds all that connection tracking and rules read. */
function isHeaderWhole(batch: PacketBatch, row: number): boolean {
  const status = batch.status[row]!;
  if ((status & (Status.malformed | Status.cut)) !== 0) return false;
  switch (batch.protocol[row]) {
    case IpProtocol.tcp:
      // Options may be in the next piece.
      return (status & Status.transport) !== 0 && batch.payloadLength[row]! > 0;
    case IpProtocol.udp:
      return (status & Status.transport) !== 0;
    case IpProtocol.icmp:
      // What an error quotes may be in the next piece.
      return (status & Status.transport) !== 0 && ![3, 4, 5, 11, 12].includes(batch.icmpType[row]!);
    default:
      return true;
  }
}

/** `sum`: of all that the datagram carries, not folded. */
function isSumBad(whole: PacketBatch, sum: number, length: number): boolean {
  if (sum === -1) return false;
  const protocol = whole.protocol[0]!;
  let total = sum;
  if (protocol === IpProtocol.tcp || protocol === IpProtocol.udp) {
    if (protocol === IpProtocol.udp && whole.transportChecksum[0] === 0) return false;
    total += sumPseudoHeader(whole, 0, protocol, length);
  } else if (protocol !== IpProtocol.icmp) {
    return false;
  }
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return total !== 0xffff;
}
