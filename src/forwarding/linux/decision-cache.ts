import { IpProtocol } from '../../net/ip-protocol.ts';
import { Status } from '../../wire/packet-batch.ts';
import { Disposition } from '../decision.ts';
import { Entry, EntryFlag } from './connection-table.ts';
import { classesOf, type PacketClasses } from './packet-classes.ts';
import type { CompiledRouter } from './router.ts';
import { EntryUse, type Run } from './run.ts';

/** Records at first, and at most. */
const FEWEST_RECORDS = 1 << 10;
const MOST_RECORDS = 1 << 16;
const RECORDS_OF_DIRECTION = 4;

/** Words of a record: what the decision depends on, then what it is. */
const SOURCE = 0;
const DESTINATION = 1;
const PORTS = 2;
/** Protocol and ingress. */
const ORIGIN = 3;
const STATUS = 4;
/** TOS, link destination, use, direction and state of the entry. */
const VIEW = 5;
const MARK = 6;
const SERIAL = 7;
const ENTRY_FLAGS = 8;
const CONNMARK = 9;
/** Classes of TCP flags, TTL and length. */
const CLASSES = 10;
const MAC_HIGH = 11;
const MAC_LOW = 12;
const KEY_LENGTH = 13;
const LARGEST = 13;
const DISPOSITION = 14;
const EGRESS = 15;
const NEXT_HOP = 16;
const NEXT_HOP_6 = 17;
const TABLE = 18;
const CAUSE = 19;
const FLAGS = 20;
const ROUTED_MARK = 21;
const ROUTED_CONNMARK = 22;
const ROUTED_HAS_CONNMARK = 23;
const CONNMARK_AFTER = 24;
const LEAVING_SOURCE = 25;
const LEAVING_DESTINATION = 26;
const LEAVING_PORTS = 27;
/** Of no other decision that was ever kept. */
const STAMP = 28;
/** A power of two, for whole lines of the processor's cache. */
const RECORD_LENGTH = 32;

const NO_RECORD = -1;
/** Never the status of a packet that is remembered. */
const EMPTY = -1;

/** Entries of which something is not known, or whose packets leave more behind than their own state. */
const ODD_ENTRY = EntryFlag.blurred | EntryFlag.replyPortUnknown | EntryFlag.lost | EntryFlag.dumped | EntryFlag.helper;

/** Packets that are judged by more than their header. */
const ODD_STATUS =
  Status.fragment |
  Status.cut |
  Status.malformed |
  Status.badNetworkChecksum |
  Status.badTransportChecksum |
  Status.options |
  Status.sourceRoute;

/**
 * Decisions about packets that are forwarded, for as long as nothing that they depend on changes: the connection's entry (told by its
 * serial number, flags and mark), the state and direction that connection tracking gave the packet, and the header fields that some rule looks
 * at. Connection tracking itself, with its window check, runs for every packet in front of this, so that its state is never a
 * remembered one; and rules of raw, which run in front of that, run for every packet, too.
 *
 * Kept is only what was decided in one world: where anything unknown was met, nothing. The configuration does not change. What a rule, a
 * route or a setting can depend on and is not in the key: nothing, as {@link classesOf} goes through all kinds of match; the time, which none
 * of them tests; the length of a segment against the MTU, which TCP's are not held against, and others' are here; the TTL, of
 * which what expires is not kept.
 *
 * Direct-mapped: a newer flow takes the place of an older one.
 */
export class DecisionCache {
  readonly #router: CompiledRouter;
  readonly #classes: PacketClasses;
  #records = emptyRecords(FEWEST_RECORDS);
  #mask = FEWEST_RECORDS - 1;
  readonly #key = new Int32Array(KEY_LENGTH);
  /** Decisions kept since there are so many records. */
  #kept = 0;
  /** Of the packet at hand: where its decision stands or will stand. */
  #at = NO_RECORD;
  #stamps = 0;
  /**
   * Of the decision that {@link recall} took over for the packet at hand: its record, and what tells it from others that stood there; −1
   * where it took none.
   */
  record = NO_RECORD;
  stamp = 0;

  constructor(router: CompiledRouter) {
    this.#router = router;
    this.#classes = classesOf(router);
  }

  /** Undefined for a router whose packets depend on more than a record can hold. */
  static of(router: CompiledRouter): DecisionCache | undefined {
    if (router.family !== 4 || router.program.zones) return undefined;
    return new DecisionCache(router);
  }

  /** Another packet is at hand, which may end before anything is asked about it. */
  begin(): void {
    this.#at = NO_RECORD;
    this.record = NO_RECORD;
  }

  /**
   * Takes over what was decided about a packet like this one, whose entry has been found and whose state is known; false where none was.
   * Nothing else may be asked between this and {@link keep}.
   */
  recall(run: Run): boolean {
    this.begin();
    if (run.steps !== null || run.worlds.position !== 0 || !this.#holds(run)) return false;
    this.#fillKey(run);
    const records = this.#records;
    const key = this.#key;
    const at = this.#place(run);
    this.#at = at;
    for (let word = 0; word < KEY_LENGTH; word++) if (records[at + word] !== key[word]) return false;
    if (run.protocol !== IpProtocol.tcp && run.networkLength > records[at + LARGEST]!) return false;
    run.disposition = records[at + DISPOSITION]!;
    run.egress = records[at + EGRESS]!;
    run.nextHop = records[at + NEXT_HOP]!;
    run.nextHop6 = records[at + NEXT_HOP_6]!;
    run.decidingTable = records[at + TABLE]!;
    run.cause = records[at + CAUSE]!;
    run.flags = records[at + FLAGS]!;
    run.routedMark = records[at + ROUTED_MARK]!;
    run.routedConnmark = records[at + ROUTED_CONNMARK]!;
    run.routedHasConnmark = records[at + ROUTED_HAS_CONNMARK]!;
    run.connmark = records[at + CONNMARK_AFTER]!;
    run.currentSource = records[at + LEAVING_SOURCE]!;
    run.currentDestination = records[at + LEAVING_DESTINATION]!;
    const ports = records[at + LEAVING_PORTS]!;
    run.currentSourcePort = ports >>> 16;
    run.currentDestinationPort = ports & 0xffff;
    run.leaves = true;
    this.#at = NO_RECORD;
    this.record = at / RECORD_LENGTH;
    this.stamp = records[at + STAMP]!;
    return true;
  }

  /** Keeps what was decided about the packet that {@link recall} was just asked about and did not know, if it can be kept. */
  keep(run: Run): void {
    const at = this.#at;
    if (at === NO_RECORD) return;
    this.#at = NO_RECORD;
    const unknownMarks = run.markUnknown | run.connmarkUnknown | run.routedMarkUnknown | run.routedConnmarkUnknown;
    if (run.worlds.depth !== 0 || run.disposition !== Disposition.forwarded || !run.leaves || unknownMarks !== 0)
      return;
    if (run.oldGone || run.isError || run.hasSocket) return;
    const key = this.#key;
    const tracked = this.#router.program.tracks;
    // A rule that changed the entry's own state was met: that is not a thing to repeat.
    if (tracked && (run.use !== EntryUse.existing || run.table.words[run.base]! !== key[ENTRY_FLAGS])) return;
    const mtu = this.#router.links.mtu[run.egress]!;
    const largest = mtu > 0 ? mtu : 0x7fffffff;
    if (run.protocol !== IpProtocol.tcp && run.networkLength > largest) return;
    if (this.#isTooSmall(run)) {
      this.#grow();
      return;
    }
    const records = this.#records;
    records.set(key, at);
    records[at + STAMP] = ++this.#stamps;
    records[at + LARGEST] = largest;
    records[at + DISPOSITION] = run.disposition;
    records[at + EGRESS] = run.egress;
    records[at + NEXT_HOP] = run.nextHop;
    records[at + NEXT_HOP_6] = run.nextHop6;
    records[at + TABLE] = run.decidingTable;
    records[at + CAUSE] = run.cause;
    records[at + FLAGS] = run.flags;
    records[at + ROUTED_MARK] = run.routedMark;
    records[at + ROUTED_CONNMARK] = run.routedConnmark;
    records[at + ROUTED_HAS_CONNMARK] = run.routedHasConnmark;
    records[at + CONNMARK_AFTER] = run.connmark;
    records[at + LEAVING_SOURCE] = run.currentSource;
    records[at + LEAVING_DESTINATION] = run.currentDestination;
    records[at + LEAVING_PORTS] = (run.currentSourcePort << 16) | run.currentDestinationPort;
  }

  /** Whether a decision about this packet depends on nothing but what a key holds. */
  #holds(run: Run): boolean {
    const { protocol } = run;
    if (protocol !== IpProtocol.tcp && protocol !== IpProtocol.udp) return false;
    if ((run.status & ODD_STATUS) !== 0 || !run.hasTransport || run.largestFragment !== 0) return false;
    if (run.currentTtl <= 1 || run.untracked || run.templated || run.markUnknown !== 0) return false;
    if (!this.#router.program.tracks) return true;
    if (run.use !== EntryUse.existing || !run.inPlace || run.isError || run.oldGone) return false;
    return run.connmarkUnknown === 0 && (run.table.words[run.base]! & ODD_ENTRY) === 0;
  }

  #fillKey(run: Run): void {
    const key = this.#key;
    const classes = this.#classes;
    const { words } = run.table;
    const tracked = this.#router.program.tracks;
    key[SOURCE] = run.source;
    key[DESTINATION] = run.destination;
    key[PORTS] = (run.sourcePort << 16) | run.destinationPort;
    key[ORIGIN] = run.protocol | (run.ingress << 8);
    key[STATUS] = run.status;
    key[VIEW] =
      (run.tos & classes.tosMask) |
      (run.linkDestination << 8) |
      (run.isUnicastFrame ? 1 << 16 : 0) |
      (run.view << 17) |
      (run.direction << 20) |
      (run.use << 21);
    key[MARK] = run.mark;
    key[SERIAL] = tracked ? words[run.base + Entry.serial]! : 0;
    key[ENTRY_FLAGS] = tracked ? words[run.base + Entry.flags]! : 0;
    key[CONNMARK] = run.connmark;
    const flags = run.protocol === IpProtocol.tcp ? classes.tcpFlags[run.tcpFlags]! : 0;
    const length = classes.length === undefined ? 0 : classes.length[run.networkLength & 0xffff]!;
    key[CLASSES] = flags | (classes.ttl[run.currentTtl]! << 8) | (length << 16);
    key[MAC_HIGH] = classes.sourceMac ? Math.floor(run.sourceMac / 0x1_0000_0000) : 0;
    key[MAC_LOW] = classes.sourceMac ? run.sourceMac | 0 : 0;
  }

  #isTooSmall(run: Run): boolean {
    if (this.#mask >= MOST_RECORDS - 1) return false;
    if (this.#router.program.tracks) return run.found * RECORDS_OF_DIRECTION > this.#mask;
    return ++this.#kept > 2 * this.#mask;
  }

  /** What is known is forgotten: it is soon known again. */
  #grow(): void {
    const count = 4 * (this.#mask + 1);
    this.#records = emptyRecords(count);
    this.#mask = count - 1;
    this.#kept = 0;
  }

  #place(run: Run): number {
    const key = this.#key;
    if (this.#router.program.tracks) {
      // Each direction of an entry has records of its own, so that long connections do not take each other's.
      const classes = key[CLASSES]!;
      const kind = (classes ^ (classes >>> 8) ^ (classes >>> 16)) & (RECORDS_OF_DIRECTION - 1);
      return ((run.found * RECORDS_OF_DIRECTION + kind) & this.#mask) * RECORD_LENGTH;
    }
    let mixed = Math.imul(key[SOURCE]! ^ key[ORIGIN]!, 0x9e3779b1);
    mixed = Math.imul(mixed ^ (mixed >>> 15) ^ key[DESTINATION]!, 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13) ^ key[PORTS]! ^ (key[CLASSES]! << 3) ^ key[VIEW]!, 0xc2b2ae35);
    return ((mixed ^ (mixed >>> 16)) & this.#mask) * RECORD_LENGTH;
  }
}

function emptyRecords(count: number): Int32Array {
  const records = new Int32Array(count * RECORD_LENGTH);
  for (let record = 0; record < count; record++) records[record * RECORD_LENGTH + STATUS] = EMPTY;
  return records;
}
