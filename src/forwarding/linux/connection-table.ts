import type { DumpedConnection } from '../../model/dumped-connection.ts';
import { LostConnections } from './lost-connections.ts';

/** Words of an entry in {@link ConnectionTable.words}. TCP's per-direction words begin at `tcp` and `tcp + TCP_SIDE_LENGTH`. */
export const Entry = {
  flags: 0,
  connmark: 1,
  /** Bits of the connmark that are not known; they are 0 in it. */
  connmarkUnknown: 2,
  protocol: 3,
  /** The original direction's tuple, then the reply direction's; ports as source << 16 | destination. */
  source: 4,
  destination: 5,
  ports: 6,
  replySource: 7,
  replyDestination: 8,
  replyPorts: 9,
  /** Id of why this is only one of several ways in which things may stand. */
  reason: 10,
  tcpState: 11,
  lastKind: 12,
  lastDirection: 13,
  lastSequence: 14,
  lastAcknowledgement: 15,
  lastEnd: 16,
  lastWindow: 17,
  lastScale: 18,
  lastFlags: 19,
  retransmissions: 20,
  tcp: 21,
  /** Of a masqueraded connection: the number of its egress interface, plus one. */
  masquerade: 33,
  /** Conntrack zones of the two tuples: the original's << 16 | the reply's. */
  zones: 34,
  /** Of the entry as long as it lives, and of no other. */
  serial: 35,
} as const;

/** Words of a TCP direction: highest end sent, highest end allowed, largest window, highest acknowledgement, scale, flags. */
export const Side = { end: 0, maxEnd: 1, maxWindow: 2, maxAcknowledged: 3, scale: 4, flags: 5 } as const;
export const TCP_SIDE_LENGTH = 6;

/** Bits of an entry's flags. */
export const EntryFlag = {
  /** Not set: this stands for "there is no such entry". */
  exists: 1,
  seenReply: 2,
  assured: 4,
  sourceTranslated: 8,
  destinationTranslated: 16,
  /** In the table, as opposed to one that its first packet carries. */
  confirmed: 32,
  /** Its state is unknown, its addresses and mark are as they stand: packets of it were not seen. */
  blurred: 64,
  /** The reply comes back to a port that is not known. */
  replyPortUnknown: 128,
  /** Even its translations are unknown. */
  lost: 256,
  /** It was in a dump of the router's entries, and is older than the capture. */
  dumped: 512,
  /** It has a helper, which may expect further connections between its ends. */
  helper: 1024,
  /** A helper expected it: RELATED until a reply is seen. */
  expected: 2048,
} as const;

/** Words an entry. */
export const ENTRY_LENGTH = 36;

/** Slots that belong to nobody: the entry as it was before the packet, and as it is being changed. */
export const BEFORE_SLOT = 0;
export const WORKING_SLOT = 1;
const FIRST_SLOT = 2;
const FREE = -1;
const DETACHED = -2;

/** {@link ConnectionTable.find}: more than one entry could have this tuple. */
export const CONFLICT = -2;

/**
 * Connection entries by their tuples in both directions. An entry is a slot of words; where things may stand in several ways there are
 * several slots, the variants of one group, linked in a ring, of which exactly one is true.
 *
 * Memory is that of the connections that live: each new entry looks at a few old ones and frees those that have expired.
 */
export class ConnectionTable {
  words: Int32Array;
  /** Seconds since 1970. */
  expires: Float64Array;
  /** When a UDP entry counts as a stream. */
  streamSince: Float64Array;
  /** Groups of live entries. */
  groupCount = 0;
  /** Server address, port and translated address of connections whose source port after translation is not known. */
  readonly unknownReplies = new Set<string>();
  /** Connections of which it is not known whether they have an entry, nor what it holds. */
  readonly lost = new LostConnections();
  /** Pairs of hosts with a connection that has a helper, and until when it can live. */
  readonly masters = new Map<string, number>();
  /** Entries of the dump of which a packet has been seen. */
  readonly restored = new Set<DumpedConnection>();

  #capacity: number;
  /** The next variant of the group, the slot itself where it is alone; FREE, or DETACHED where it belongs to a caller. */
  #ring: Int32Array;
  #heads: Int32Array;
  #bucketMask: number;
  /** By node: slot × 2 + direction. */
  #chain: Int32Array;
  #free = -1;
  #freeCount = 0;
  #used = FIRST_SLOT;
  #sweep = FIRST_SLOT;
  #serial = 0;

  constructor(capacity = 1024) {
    this.#capacity = capacity;
    this.words = new Int32Array(capacity * ENTRY_LENGTH);
    this.expires = new Float64Array(capacity);
    this.streamSince = new Float64Array(capacity);
    this.#ring = new Int32Array(capacity).fill(FREE);
    this.#chain = new Int32Array(capacity * 2).fill(-1);
    this.#heads = new Int32Array(capacity * 2).fill(-1);
    this.#bucketMask = capacity * 2 - 1;
  }

  /** Every entry goes, and what else is remembered of connections; no slot is anybody's. */
  clearAll(): void {
    this.#ring.fill(FREE);
    this.#chain.fill(-1);
    this.#heads.fill(-1);
    this.#free = -1;
    this.#freeCount = 0;
    this.#used = FIRST_SLOT;
    this.#sweep = FIRST_SLOT;
    this.groupCount = 0;
    this.unknownReplies.clear();
    this.lost.clear();
    this.masters.clear();
    this.restored.clear();
  }

  /**
   * The node (slot × 2 + direction) of the entry with this tuple in these zones (by direction of the tuple), −1 where there is none. An
   * entry that is certain wins over one that may exist: two cannot hold the same tuple. Where the directions have zones of their own,
   * one may hold it as original and another as reply, and the former wins. {@link CONFLICT} where entries of several groups may hold it.
   * Ref: nf_conntrack_core.c: nf_ct_key_equal(), resolve_normal_ct().
   */
  find(
    protocol: number,
    source: number,
    destination: number,
    ports: number,
    zoneOriginal: number,
    zoneReply: number,
  ): number {
    const { words } = this;
    let uncertain = -1;
    let reply = -1;
    let conflict = false;
    let node = this.#heads[hash(protocol, source, destination, ports) & this.#bucketMask]!;
    while (node !== -1) {
      const slot = node >> 1;
      const base = slot * ENTRY_LENGTH;
      const tuple = base + ((node & 1) === 0 ? Entry.source : Entry.replySource);
      if (
        words[tuple] === source &&
        words[tuple + 1] === destination &&
        words[tuple + 2] === ports &&
        words[base + Entry.protocol] === protocol &&
        ((node & 1) === 0
          ? words[base + Entry.zones]! >>> 16 === zoneOriginal
          : (words[base + Entry.zones]! & 0xffff) === zoneReply) &&
        !(source === destination && (node & 1) === 0 && this.hasEqualTuples(base))
      ) {
        if (this.#ring[slot] === slot) {
          if ((node & 1) === 0 || zoneOriginal === zoneReply) return node;
          reply = node;
        } else if (uncertain === -1) uncertain = node;
        else if (!this.#sameGroup(uncertain >> 1, slot)) conflict = true;
      }
      node = this.#chain[node]!;
    }
    if (reply !== -1 && (uncertain === -1 || (uncertain & 1) === 1)) return reply;
    return conflict || reply !== -1 ? CONFLICT : uncertain;
  }

  /**
   * Whether both tuples of the entry at this word are one and in one zone: a host that talks to itself from one port. The kernel inserts
   * the reply's tuple last and so finds it first: every packet but the one that made the entry is a reply.
   * Ref: nf_conntrack_core.c: __nf_conntrack_hash_insert().
   */
  hasEqualTuples(base: number): boolean {
    const { words } = this;
    const zones = words[base + Entry.zones]!;
    return (
      words[base + Entry.replySource] === words[base + Entry.source] &&
      words[base + Entry.replyDestination] === words[base + Entry.destination] &&
      words[base + Entry.replyPorts] === words[base + Entry.ports] &&
      zones >>> 16 === (zones & 0xffff) &&
      (words[base + Entry.flags]! & EntryFlag.replyPortUnknown) === 0
    );
  }

  #sameGroup(a: number, b: number): boolean {
    let slot = this.#ring[a]!;
    while (slot !== a && slot !== b) slot = this.#ring[slot]!;
    return slot === b;
  }

  /** The next variant of the slot's group; the slot itself where it is the only one. */
  nextVariant(slot: number): number {
    return this.#ring[slot]!;
  }

  /** A slot with undefined content that belongs to the caller until {@link link}ed or {@link release}d. */
  allocate(): number {
    if (this.#free !== -1) {
      const slot = this.#free;
      this.#free = this.#chain[slot * 2]!;
      this.#freeCount--;
      this.#chain[slot * 2] = -1;
      this.#ring[slot] = DETACHED;
      return slot;
    }
    if (this.#used === this.#capacity) this.#grow();
    const slot = this.#used++;
    this.#ring[slot] = DETACHED;
    return slot;
  }

  /** Gives a slot back that is not linked (any more). */
  release(slot: number): void {
    this.#ring[slot] = FREE;
    this.#chain[slot * 2] = this.#free;
    this.#free = slot;
    this.#freeCount++;
  }

  copy(from: number, to: number): void {
    const { words } = this;
    const source = from * ENTRY_LENGTH;
    const target = to * ENTRY_LENGTH;
    // So few words are faster copied than by a call.
    for (let word = 0; word < ENTRY_LENGTH; word++) words[target + word] = words[source + word]!;
    this.expires[to] = this.expires[from]!;
    this.streamSince[to] = this.streamSince[from]!;
  }

  clear(slot: number): void {
    this.words.fill(0, slot * ENTRY_LENGTH, (slot + 1) * ENTRY_LENGTH);
    this.expires[slot] = 0;
    this.streamSince[slot] = 0;
  }

  /** Whether two slots say the same; the reason why they are there does not count, nor does their number. */
  equal(a: number, b: number): boolean {
    const { words } = this;
    if (this.expires[a] !== this.expires[b] || this.streamSince[a] !== this.streamSince[b]) return false;
    for (let word = 0; word < ENTRY_LENGTH; word++) {
      if (word === Entry.reason || word === Entry.serial) continue;
      if (words[a * ENTRY_LENGTH + word] !== words[b * ENTRY_LENGTH + word]) return false;
    }
    return true;
  }

  /** Makes a slot findable by its tuples, as the only variant of its group. */
  link(slot: number): void {
    this.#ring[slot] = slot;
    this.groupCount++;
    this.words[slot * ENTRY_LENGTH + Entry.serial] = ++this.#serial;
    this.#index(slot);
  }

  /** Links slots as the variants of one group. */
  linkGroup(slots: readonly number[]): void {
    for (let index = 0; index < slots.length; index++) {
      this.#ring[slots[index]!] = slots[(index + 1) % slots.length]!;
      this.words[slots[index]! * ENTRY_LENGTH + Entry.serial] = ++this.#serial;
      this.#index(slots[index]!);
    }
    this.groupCount++;
  }

  #index(slot: number): void {
    const base = slot * ENTRY_LENGTH;
    const flags = this.words[base + Entry.flags]!;
    if ((flags & EntryFlag.exists) === 0) return;
    this.#insert(slot * 2, base + Entry.source, this.words[base + Entry.protocol]!);
    if ((flags & EntryFlag.replyPortUnknown) === 0) {
      this.#insert(slot * 2 + 1, base + Entry.replySource, this.words[base + Entry.protocol]!);
    }
    if (this.#used - this.#freeCount > this.#heads.length) this.#rehash();
  }

  /** Takes a whole group out; its slots keep their content and belong to the caller. */
  unlinkGroup(slot: number, slots: number[]): void {
    let variant = slot;
    do {
      slots.push(variant);
      this.#unlink(variant);
      const next = this.#ring[variant]!;
      this.#ring[variant] = DETACHED;
      variant = next;
    } while (variant !== slot);
    this.groupCount--;
  }

  /** Looks at a few slots and frees groups whose entries have all expired. */
  sweep(now: number, count: number): void {
    for (let looked = 0; looked < count; looked++) {
      if (this.#sweep >= this.#used) this.#sweep = FIRST_SLOT;
      const slot = this.#sweep++;
      if (slot >= this.#used || this.#ring[slot]! < 0) continue;
      let variant = slot;
      let live = false;
      do {
        const exists = (this.words[variant * ENTRY_LENGTH]! & EntryFlag.exists) !== 0;
        if (exists && this.expires[variant]! > now) live = true;
        variant = this.#ring[variant]!;
      } while (variant !== slot && !live);
      if (!live) this.remove(slot);
    }
  }

  /** Forgets a group. */
  remove(slot: number): void {
    let variant = slot;
    do {
      const next = this.#ring[variant]!;
      this.#unlink(variant);
      this.release(variant);
      variant = next;
    } while (variant !== slot);
    this.groupCount--;
  }

  #insert(node: number, tuple: number, protocol: number): void {
    const { words } = this;
    const bucket = hash(protocol, words[tuple]!, words[tuple + 1]!, words[tuple + 2]!) & this.#bucketMask;
    this.#chain[node] = this.#heads[bucket]!;
    this.#heads[bucket] = node;
  }

  #unlink(slot: number): void {
    const base = slot * ENTRY_LENGTH;
    const flags = this.words[base + Entry.flags]!;
    if ((flags & EntryFlag.exists) === 0) return;
    this.#cut(slot * 2, base + Entry.source, this.words[base + Entry.protocol]!);
    if ((flags & EntryFlag.replyPortUnknown) === 0) {
      this.#cut(slot * 2 + 1, base + Entry.replySource, this.words[base + Entry.protocol]!);
    }
  }

  #cut(node: number, tuple: number, protocol: number): void {
    const { words } = this;
    const bucket = hash(protocol, words[tuple]!, words[tuple + 1]!, words[tuple + 2]!) & this.#bucketMask;
    const after = this.#chain[node]!;
    this.#chain[node] = -1;
    if (this.#heads[bucket] === node) {
      this.#heads[bucket] = after;
      return;
    }
    let before = this.#heads[bucket]!;
    while (before !== -1 && this.#chain[before] !== node) before = this.#chain[before]!;
    if (before !== -1) this.#chain[before] = after;
  }

  #grow(): void {
    const capacity = this.#capacity * 2;
    const words = new Int32Array(capacity * ENTRY_LENGTH);
    words.set(this.words);
    this.words = words;
    const expires = new Float64Array(capacity);
    expires.set(this.expires);
    this.expires = expires;
    const streamSince = new Float64Array(capacity);
    streamSince.set(this.streamSince);
    this.streamSince = streamSince;
    const ring = new Int32Array(capacity).fill(-1);
    ring.set(this.#ring);
    this.#ring = ring;
    const chain = new Int32Array(capacity * 2).fill(-1);
    chain.set(this.#chain);
    this.#chain = chain;
    this.#capacity = capacity;
  }

  #rehash(): void {
    const heads = this.#heads;
    this.#heads = new Int32Array(heads.length * 2).fill(-1);
    this.#bucketMask = this.#heads.length - 1;
    for (const head of heads) {
      for (let node = head, next = -1; node !== -1; node = next) {
        next = this.#chain[node]!;
        const base = (node >> 1) * ENTRY_LENGTH;
        const tuple = base + ((node & 1) === 0 ? Entry.source : Entry.replySource);
        this.#insert(node, tuple, this.words[base + Entry.protocol]!);
      }
    }
  }
}

function hash(protocol: number, source: number, destination: number, ports: number): number {
  let mixed = Math.imul(source ^ protocol, 0x9e3779b1);
  mixed = Math.imul(mixed ^ (mixed >>> 15) ^ destination, 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13) ^ ports, 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
