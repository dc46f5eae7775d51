import type { LinuxDevice } from '../../model/linux-device.ts';
import { IpProtocol } from '../../net/ip-protocol.ts';
import type { Span } from '../../text/span.ts';
import type { PacketBatch } from '../../wire/packet-batch.ts';
import { isIcmpQuery } from '../../wire/icmp-type.ts';
import { LinkDestination, Status } from '../../wire/packet-batch.ts';
import { type DecisionBatch, DecisionFlag, Disposition } from '../decision.ts';
import type { Forwarder, ForwarderOptions, SettledFragment, Unknown } from '../forwarder.ts';
import type { Step, Walk } from '../walk.ts';
import type { AddressPool } from './address-pool.ts';
import { BEFORE_SLOT, ConnectionTable, ENTRY_LENGTH, Entry, EntryFlag, WORKING_SLOT } from './connection-table.ts';
import {
  findCandidates,
  isNeverTracked,
  longestTimeout,
  loseConnection,
  rememberMaster,
  unknownReplyKey,
} from './conntrack.ts';
import { wordsKey } from './links.ts';
import { walkPacket } from './packet-walk.ts';
import { HAVE_PORTS } from './nat.ts';
import { Assembled, Reassembly } from './reassembly.ts';
import { type CompiledRouter, compileRouter } from './router.ts';
import { CANDIDATE_LIMIT, EntryUse, Run } from './run.ts';
import { WORLD_LIMIT } from './worlds.ts';
import { settleZones } from './zones.ts';

/** The packet is no fragment that is put together. */
const NOT_ASSEMBLED = -1;
/** ICMPv6 messages. Ref: IANA, ICMPv6 type numbers */
const LAST_ICMPV6_ERROR = 4;
const FIRST_ICMPV6_QUERY = 128;
const ICMPV6_REDIRECT = 137;
/** Their identifiers are not decoded. */
const NODE_INFORMATION: ReadonlySet<number> = new Set([139, 140]);

/** Old entries looked at for each new one. */
const SWEEP_COUNT = 3;

/** Of a message whose quoted packet is not decoded. Ref: nf_conntrack_proto_icmpv6.c: nf_conntrack_icmpv6_error(). */
function isUnreadError(batch: PacketBatch, row: number): boolean {
  const type = batch.icmpType[row]!;
  return type === ICMPV6_REDIRECT || type === 0 || (type > LAST_ICMPV6_ERROR && type < FIRST_ICMPV6_QUERY);
}

/** Makes a Linux router work: the model compiled once, no connections yet. Never reports: what is missing becomes unknown per packet. */
export function createLinuxForwarder(device: LinuxDevice, options: ForwarderOptions = {}): Forwarder {
  return new LinuxForwarder(device, options);
}

/** What both families' routers say, by common numbers. */
class Shared {
  readonly unknowns: Unknown[] = [];
  readonly causes: Span[] = [];
}

/** A Linux router: two routers, one for each family, that share nothing but their interfaces. That of IPv6 is made when a packet needs it. */
class LinuxForwarder implements Forwarder {
  readonly #device: LinuxDevice;
  readonly #options: ForwarderOptions;
  readonly #shared: Shared;
  readonly #four: FamilyForwarder;
  #six: FamilyForwarder | undefined;
  #last: FamilyForwarder;
  #mark = 0;

  constructor(device: LinuxDevice, options: ForwarderOptions, shared = new Shared(), four?: FamilyForwarder) {
    this.#device = device;
    this.#options = options;
    this.#shared = shared;
    this.#four = four ?? new FamilyForwarder(compileRouter(device), options, shared);
    this.#last = this.#four;
  }

  get interfaceNames(): readonly string[] {
    return this.#four.interfaceNames;
  }

  /** Connections of IPv4; readable for tests of what it holds. */
  get table(): ConnectionTable {
    return this.#four.table;
  }

  get unknowns(): readonly Unknown[] {
    return this.#shared.unknowns;
  }

  get causes(): readonly Span[] {
    return this.#shared.causes;
  }

  arriveWithMark(mark: number): void {
    this.#mark = mark;
    this.#four.arriveWithMark(mark);
    this.#six?.arriveWithMark(mark);
  }

  interfaceIndex(name: string): number {
    return this.#four.interfaceIndex(name);
  }

  isLocal(family: number, words: Uint32Array, offset: number): boolean {
    return this.#four.isLocal(family, words, offset);
  }

  decide(batch: PacketBatch, row: number, ingress: number, decisions: DecisionBatch, into: number): void {
    this.#last = batch.family[row] === 6 ? this.#forIpv6() : this.#four;
    this.#last.decide(batch, row, ingress, decisions, into);
  }

  #forIpv6(): FamilyForwarder {
    this.#six ??= new FamilyForwarder(compileRouter(this.#device, 6), this.#options, this.#shared);
    this.#six.arriveWithMark(this.#mark);
    return this.#six;
  }

  get settled(): readonly SettledFragment[] | undefined {
    const settled = this.#four.settled;
    return settled === undefined || this.#last === this.#four ? settled : [];
  }

  explainLast(): Walk {
    return this.#last.explainLast();
  }

  fresh(): Forwarder {
    const shared = new Shared();
    const four = this.#four.fresh(shared);
    const made = new LinuxForwarder(this.#device, this.#options, shared, four);
    made.#six = this.#six?.fresh(shared);
    return made;
  }

  replacedBy(next: Forwarder): Forwarder | undefined {
    if (!(next instanceof LinuxForwarder)) return undefined;
    const shared = new Shared();
    const four = this.#four.replacedBy(next.#four, shared);
    if (four === undefined) return undefined;
    const made = new LinuxForwarder(next.#device, next.#options, shared, four);
    if (this.#six === undefined) return made;
    // Its entries name addresses by the numbers of its own pool.
    const router = compileRouter(next.#device, 6, this.#six.addresses);
    const six = this.#six.replacedBy(new FamilyForwarder(router, next.#options, shared), shared);
    if (six === undefined) return undefined;
    made.#six = six;
    return made;
  }
}

/**
 * A Linux router in operation, for packets of one family. A packet's way is walked once where nothing about it is unknown, else once in each world
 * (see Worlds); the entry is worked on in a slot of its own and stored when the packet's fate is known, because an entry whose first
 * packet is dropped never was (linux-forwarding 2.5).
 */
class FamilyForwarder {
  readonly interfaceNames: readonly string[];
  readonly #shared: Shared;
  readonly #router: CompiledRouter;
  readonly #options: ForwarderOptions;
  readonly table: ConnectionTable;
  readonly #run: Run;
  readonly #unknownIndex: Int32Array;
  readonly #causeIndex: Int32Array;
  /** Slots of the last packet's former entry, kept for explaining it. */
  readonly #former: number[] = [];
  readonly #results: number[] = [];
  /** Why the last packet was undetermined, an id of the registry; −1. */
  #lastReason = -1;
  #refused = false;
  /** It was a fragment that is thrown away. */
  #discarded = false;
  readonly #reassembly: Reassembly | undefined;

  constructor(router: CompiledRouter, options: ForwarderOptions, shared: Shared, table = new ConnectionTable()) {
    this.#shared = shared;
    this.table = table;
    this.#router = router;
    this.#options = options;
    this.interfaceNames = router.links.names;
    this.#run = new Run(router, this.table);
    this.#reassembly =
      router.family === 4 && router.program.defragments ? new Reassembly(router.settings.reassembly) : undefined;
    this.#run.trustSequence = options.trustSequence !== false;
    this.#unknownIndex = new Int32Array(router.registry.unknowns.length).fill(-1);
    this.#causeIndex = new Int32Array(router.registry.origins.length).fill(-1);
  }

  arriveWithMark(mark: number): void {
    this.#run.arrivingMark = mark | 0;
  }

  interfaceIndex(name: string): number {
    return this.#router.links.indexOf.get(name) ?? -1;
  }

  isLocal(family: number, words: Uint32Array, offset: number): boolean {
    const { links } = this.#router;
    if (family === 4) return links.own.has(words[offset]! | 0);
    return links.own6.has(wordsKey([words[offset]!, words[offset + 1]!, words[offset + 2]!, words[offset + 3]!]));
  }

  get addresses(): AddressPool {
    return this.#router.addresses;
  }

  fresh(shared: Shared): FamilyForwarder {
    return new FamilyForwarder(this.#router, this.#options, shared);
  }

  /** Undefined where the entries would mean nothing to the other. */
  replacedBy(next: FamilyForwarder, shared: Shared): FamilyForwarder | undefined {
    // Entries name interfaces and reasons by the numbers of the configuration that made them.
    if (next.interfaceNames.join() !== this.interfaceNames.join()) return undefined;
    if (!this.table.lost.isEmpty || this.table.unknownReplies.size > 0) return undefined;
    return new FamilyForwarder(next.#router, next.#options, shared, this.table);
  }

  decide(batch: PacketBatch, row: number, ingress: number, decisions: DecisionBatch, into: number): void {
    if (this.#former.length > 0) this.#releaseFormer();
    this.#lastReason = -1;
    this.#discarded = false;
    let refused = this.#refusal(batch, row, ingress);
    const reassembly = this.#reassembly;
    let assembled = NOT_ASSEMBLED;
    if (reassembly !== undefined) {
      reassembly.advance(batch.seconds[row]! + batch.nanoseconds[row]! / 1e9);
      assembled = this.#assemble(batch, row, refused);
      if (assembled === Assembled.discarded) refused = -1;
      else if (assembled === Assembled.held) refused = this.#router.reasons.heldFragment;
      else if (assembled === Assembled.unknown && refused === -1) refused = this.#router.reasons.fragment;
    }
    this.#refused = refused !== -1;
    if (refused !== -1) {
      this.#run.restart();
      if (assembled === Assembled.held) this.#run.flags = DecisionFlag.held;
      this.#lastReason = refused;
      if (this.#router.family === 6) this.#loseRefused(batch, row, ingress);
      this.#write(decisions, into);
      if (assembled === NOT_ASSEMBLED && this.#mayBeTracked(batch, row, refused)) this.#losePacket(batch, row);
    } else if (assembled === Assembled.discarded) {
      this.#run.restart();
      this.#run.disposition = Disposition.notForwarding;
      this.#discarded = true;
      this.#write(decisions, into);
    } else if (assembled === Assembled.whole) {
      this.#walk(reassembly!.whole, 0, ingress, decisions, into, reassembly!.largest);
    } else {
      this.#walk(batch, row, ingress, decisions, into, 0);
    }
  }

  /** Where fragments are put together, what becomes of this one: an {@link Assembled} number. `refused`: why nothing can be said of it. */
  #assemble(batch: PacketBatch, row: number, refused: number): number {
    const status = batch.status[row]!;
    if ((status & Status.fragment) === 0 || batch.family[row] !== 4) return NOT_ASSEMBLED;
    // What the kernel drops before it looks at fragments.
    if (batch.linkDestination[row] === LinkDestination.otherHost) return NOT_ASSEMBLED;
    const badChecksum = (status & Status.badNetworkChecksum) !== 0;
    if (badChecksum && this.#options.verifyChecksums === true) return NOT_ASSEMBLED;
    const now = batch.seconds[row]! + batch.nanoseconds[row]! / 1e9;
    const reassembly = this.#reassembly!;
    // Pieces whose own bytes are odd are pieces all the same.
    const { reasons } = this.#router;
    const isPiece =
      refused === -1 || refused === reasons.malformed || refused === reasons.cut || refused === reasons.sourceRoute;
    const assembled = isPiece ? reassembly.take(batch, row, now) : Assembled.unknown;
    if (!isPiece) reassembly.doubt(batch, row, now);
    if (assembled === Assembled.unknown && this.#router.program.tracks) this.#loseDatagram(batch, row, now);
    return assembled;
  }

  /** The datagram of a fragment may come together and reach connection tracking, or not. Without its first piece it does not. */
  #loseDatagram(batch: PacketBatch, row: number, now: number): void {
    if (this.#reassembly!.hasOverflown(now)) this.table.lost.addAll();
    const isFirst = batch.fragmentOffset[row] === 0;
    const first = isFirst ? batch : this.#reassembly!.firstOf(batch, row);
    if (first === undefined) return;
    const at = isFirst ? row : 0;
    this.#losePacket(first, at);
  }

  /**
   * Whether a packet of which nothing can be said meets connection tracking: broken options, for one, are found behind it.
   * Ref: ip_input.c: ip_rcv_finish_core(), ip_rcv_options()
   */
  #mayBeTracked(batch: PacketBatch, row: number, refused: number): boolean {
    const { program, reasons } = this.#router;
    const isOdd = refused === reasons.malformed || refused === reasons.cut || refused === reasons.sourceRoute;
    return program.tracks && isOdd && batch.linkDestination[row] !== LinkDestination.otherHost;
  }

  /** From here on nothing is said about the connection of a packet, as far as its header tells which that is. */
  #losePacket(batch: PacketBatch, row: number): void {
    const status = batch.status[row]!;
    const { program } = this.#router;
    const protocol = batch.protocol[row]!;
    const isError = protocol === IpProtocol.icmp && !isIcmpQuery(batch.icmpType[row]!);
    const hasHeader = (status & Status.transport) !== 0 || !HAVE_PORTS.has(protocol);
    const known = hasHeader && (!isError || (status & Status.quotedTuple) !== 0);
    if (known) {
      this.#run.load(batch, row, 0);
      loseConnection(this.#run);
    } else {
      this.table.lost.addHosts(protocol, batch.source[4 * row]!, batch.destination[4 * row]!, program.translates);
    }
  }

  get settled(): readonly SettledFragment[] | undefined {
    return this.#reassembly?.settled;
  }

  #walk(
    batch: PacketBatch,
    row: number,
    ingress: number,
    decisions: DecisionBatch,
    into: number,
    largestFragment: number,
  ): void {
    const run = this.#run;
    run.load(batch, row, ingress);
    run.largestFragment = largestFragment;
    if (run.lacksAddress) {
      run.restart();
      this.#refused = true;
      this.#lastReason = this.#router.reasons.tooManyAddresses;
      this.#write(decisions, into);
      return;
    }
    if (this.#options.verifyChecksums !== true)
      run.status &= ~(Status.badNetworkChecksum | Status.badTransportChecksum);
    run.found = -1;
    run.candidateCount = 0;
    settleZones(run);
    if (this.#router.program.tracks) findCandidates(run);
    run.worlds.begin();
    run.inPlace = run.candidateCount === 1;
    walkPacket(run);
    if (run.worlds.depth === 0) {
      if (run.disposition === Disposition.undetermined) this.#lastReason = run.unknown;
      this.#write(decisions, into);
      this.#commit();
    } else {
      this.#walkOtherWorlds(decisions, into);
    }
  }

  explainLast(): Walk {
    const run = this.#run;
    const steps: Step[] = [];
    const reason = this.#lastReason === -1 ? undefined : this.#router.registry.unknowns[this.#lastReason]!;
    if (this.#discarded) {
      steps.push({ kind: 'end', disposition: 'not-forwarding', detail: 'the fragment is thrown away' });
    } else if (this.#refused) {
      steps.push({ kind: 'unknown', ...reason! });
    } else {
      run.worlds.begin();
      run.inPlace = false;
      run.steps = steps;
      walkPacket(run);
      run.steps = null;
    }
    if (reason === undefined) return { steps };
    // The first world's way is shown; what of it does not hold in the others is said at its end.
    const shown: Step[] = steps.filter((step) => step.kind !== 'end');
    const last = shown[shown.length - 1];
    if (last?.kind !== 'unknown' || last.reason !== reason.reason) shown.push({ kind: 'unknown', ...reason });
    shown.push({ kind: 'end', disposition: 'undetermined', detail: reason.reason });
    return { steps: shown };
  }

  /** Id of why nothing can be said about the packet before its way begins, −1. */
  #refusal(batch: PacketBatch, row: number, ingress: number): number {
    const { reasons, blockingReason, links } = this.#router;
    const status = batch.status[row]!;
    if ((status & Status.ip) === 0) return reasons.notIp;
    if (blockingReason !== -1) return blockingReason;
    if (ingress < 0 || ingress >= links.names.length) return reasons.ingress;
    if (this.#router.family === 6) return this.#refusal6(batch, row);
    // What an ICMP error quotes can be too little: then it is INVALID, or not translated.
    const isMessage = batch.protocol[row] === IpProtocol.icmp && (status & Status.transport) !== 0;
    if ((status & Status.malformed) !== 0 && !(isMessage && (status & Status.options) === 0)) {
      return reasons.malformed;
    }
    if ((status & Status.sourceRoute) !== 0) return reasons.sourceRoute;
    if ((status & Status.cut) !== 0 && (status & Status.transport) === 0) return reasons.cut;
    return -1;
  }

  /** Headers of IPv6 that are not followed. */
  #refusal6(batch: PacketBatch, row: number): number {
    const { reasons } = this.#router;
    const status = batch.status[row]!;
    if ((status & Status.options) !== 0) return reasons.extensionHeaders;
    const isMessage = batch.protocol[row] === IpProtocol.icmpv6 && (status & Status.transport) !== 0;
    if ((status & Status.malformed) !== 0 && !isMessage) return reasons.malformed;
    if ((status & Status.cut) !== 0 && (status & Status.transport) === 0) return reasons.cut;
    const protocol = batch.protocol[row];
    if (protocol === IpProtocol.icmp) return reasons.unmodelledProtocol;
    if (!isMessage) return -1;
    const isOther = isUnreadError(batch, row) || NODE_INFORMATION.has(batch.icmpType[row]!);
    return isOther ? reasons.unmodelledProtocol : -1;
  }

  /** What is not followed has its part in the state of connections all the same. */
  #loseRefused(batch: PacketBatch, row: number, ingress: number): void {
    const run = this.#run;
    if ((batch.status[row]! & Status.ip) === 0 || !this.#router.program.tracks) return;
    run.load(batch, row, ingress);
    if (run.lacksAddress || isNeverTracked(run)) return;
    // RELATED to a connection that it quotes, which is not decoded.
    if (run.protocol === run.icmp && run.hasTransport && isUnreadError(batch, row)) this.table.lost.addAll();
    else loseConnection(run);
  }

  /** The first world has been walked, and something in it was unknown. */
  #walkOtherWorlds(decisions: DecisionBatch, into: number): void {
    const run = this.#run;
    const { worlds } = run;
    const first = { disposition: run.disposition, egress: run.egress, nextHop: run.nextHop, nextHop6: run.nextHop6 };
    let table = run.decidingTable;
    let flags = run.flags | (run.routedMarkUnknown === 0 ? 0 : DecisionFlag.markUnknown);
    const mark = run.routedMark;
    if (run.disposition === Disposition.undetermined) this.#lastReason = run.unknown;
    this.#write(decisions, into);
    this.#collect();
    const firstReason = worlds.reasonAt(0);
    if (run.inPlace && run.chosen !== -1) this.table.copy(BEFORE_SLOT, run.chosen);
    run.inPlace = false;
    let count = 1;
    for (let bumped = worlds.next(); bumped !== -1; bumped = worlds.next()) {
      if (++count > WORLD_LIMIT) {
        worlds.overflow = true;
        break;
      }
      const reason = worlds.reasonAt(bumped);
      walkPacket(run);
      this.#collect();
      flags |= run.flags;
      if (run.routedMark !== mark || run.routedMarkUnknown !== 0) flags |= DecisionFlag.markUnknown;
      const sameEntry = run.routedHasConnmark === 1 && run.routedConnmarkUnknown === 0;
      if (!sameEntry || run.routedConnmark >>> 0 !== decisions.connmark[into]) decisions.hasConnmark[into] = 0;
      if (run.decidingTable !== table) table = -1;
      const same =
        run.disposition === first.disposition &&
        run.egress === first.egress &&
        run.nextHop === first.nextHop &&
        run.nextHop6 === first.nextHop6;
      if (!same && this.#lastReason === -1) this.#lastReason = reason;
    }
    if (worlds.overflow && this.#lastReason === -1) this.#lastReason = firstReason;
    decisions.table[into] = table;
    decisions.flags[into] = flags;
    if (this.#lastReason !== -1) this.#writeUndetermined(decisions, into);
    this.#commitVariants(worlds.overflow, firstReason);
  }

  #write(decisions: DecisionBatch, into: number): void {
    const run = this.#run;
    const { routes } = this.#router.fib;
    const forwarded = run.disposition === Disposition.forwarded;
    decisions.disposition[into] = run.disposition;
    decisions.egress[into] = forwarded ? run.egress : -1;
    const words = 4 * into;
    const gateway6 = forwarded ? run.nextHop6 : -1;
    const { addresses, family } = this.#router;
    const isWide = family === 6 && forwarded;
    decisions.nextHop[words] = gateway6 !== -1 ? routes.hopGateway[4 * gateway6]! : forwarded ? run.nextHop : 0;
    for (let word = isWide ? 0 : 1; word < 4; word++) {
      if (isWide) decisions.nextHop[words + word] = addresses.words[4 * run.nextHop + word]!;
      else decisions.nextHop[words + word] = gateway6 === -1 ? 0 : routes.hopGateway[4 * gateway6 + word]!;
    }
    decisions.fwmark[into] = run.routedMark;
    decisions.connmark[into] = run.routedConnmark;
    decisions.hasConnmark[into] = run.routedConnmarkUnknown === 0 ? run.routedHasConnmark : 0;
    decisions.table[into] = run.decidingTable;
    decisions.conntrack[into] = run.view;
    decisions.flags[into] = run.flags | (run.routedMarkUnknown === 0 ? 0 : DecisionFlag.markUnknown);
    decisions.isReply[into] = run.use !== EntryUse.none ? run.direction : 0;
    // IPv6 addresses are not translated.
    decisions.leavingSource[into] = family === 4 ? run.currentSource : 0;
    decisions.leavingDestination[into] = family === 4 ? run.currentDestination : 0;
    decisions.leavingSourcePort[into] = run.currentSourcePort;
    decisions.leavingDestinationPort[into] = run.currentDestinationPort;
    decisions.unknown[into] = -1;
    decisions.cause[into] = run.cause === -1 ? -1 : this.#publicCause(run.cause);
    if (this.#lastReason !== -1) this.#writeUndetermined(decisions, into);
  }

  #writeUndetermined(decisions: DecisionBatch, into: number): void {
    decisions.disposition[into] = Disposition.undetermined;
    decisions.egress[into] = -1;
    decisions.nextHop.fill(0, 4 * into, 4 * into + 4);
    decisions.table[into] = -1;
    decisions.cause[into] = -1;
    let index = this.#unknownIndex[this.#lastReason]!;
    if (index === -1) {
      index = this.#shared.unknowns.push(this.#router.registry.unknowns[this.#lastReason]!) - 1;
      this.#unknownIndex[this.#lastReason] = index;
    }
    decisions.unknown[into] = index;
  }

  #publicCause(origin: number): number {
    let index = this.#causeIndex[origin]!;
    if (index === -1) {
      index = this.#shared.causes.push(this.#router.registry.origins[origin]!) - 1;
      this.#causeIndex[origin] = index;
    }
    return index;
  }

  /** Stores what the one world made of the entry. */
  #commit(): void {
    const run = this.#run;
    const table = this.table;
    if (run.use === EntryUse.none && run.chosen === -1) return;
    const old = run.chosen;
    this.#settleWorking();
    // The common case: the same entry goes on, changed where it stands. What it was is kept for explaining.
    if (old !== -1) run.candidates[0] = BEFORE_SLOT;
    if (old !== -1 && !run.oldGone) return;
    if (old !== -1) {
      table.copy(BEFORE_SLOT, old);
      table.remove(old);
    }
    if (run.use !== EntryUse.fresh || (table.words[run.base + Entry.flags]! & EntryFlag.exists) === 0) return;
    table.sweep(run.now, SWEEP_COUNT);
    const slot = table.allocate();
    table.copy(WORKING_SLOT, slot);
    table.link(slot);
  }

  /** Keeps what a world made of the entry, as one of the ways in which things may stand now. */
  #collect(): void {
    const run = this.#run;
    const table = this.table;
    if (!this.#router.program.tracks) return;
    if (run.chosen === -1 && run.use !== EntryUse.fresh) {
      // The packet had no part in the entry, which stands as it stood.
      if (!run.choseNone && run.candidateCount > 0) {
        for (let index = 0; index < run.candidateCount; index++) this.#addResult(run.candidates[index]!);
        return;
      }
      run.workOn(WORKING_SLOT);
      table.clear(WORKING_SLOT);
    } else {
      this.#settleWorking();
    }
    this.#addResult(run.work);
  }

  #addResult(from: number): void {
    const table = this.table;
    for (const other of this.#results) if (table.equal(other, from)) return;
    const slot = table.allocate();
    table.copy(from, slot);
    this.#results.push(slot);
  }

  /** Makes the working slot what the table is to hold after this world: an entry that exists, or none. */
  #settleWorking(): void {
    const run = this.#run;
    const table = this.table;
    const { words } = table;
    if (run.use === EntryUse.dying || (run.oldGone && run.use !== EntryUse.fresh)) {
      run.workOn(WORKING_SLOT);
      table.clear(WORKING_SLOT);
      return;
    }
    const survives = run.leaves || run.disposition === Disposition.delivered || run.maySurvive;
    if (run.use === EntryUse.fresh) {
      if (!survives) {
        table.clear(WORKING_SLOT);
        return;
      }
      words[run.base + Entry.flags]! |= EntryFlag.confirmed;
      if ((words[run.base + Entry.flags]! & EntryFlag.replyPortUnknown) !== 0) this.#rememberUnknownReply();
    }
    if ((words[run.base + Entry.flags]! & EntryFlag.helper) !== 0) rememberMaster(run);
    if (run.disposition === Disposition.delivered && !run.answered && run.use !== EntryUse.none && !run.isError) {
      // The router's own answers are in no capture of what enters it.
      // What of its state is not looked at any more is cleared, so that ways in which it may stand become the same one.
      words[run.base + Entry.flags]! |= EntryFlag.blurred;
      words[run.base + Entry.flags]! &= ~(EntryFlag.seenReply | EntryFlag.assured);
      words.fill(0, run.base + Entry.tcpState, run.base + Entry.masquerade);
      table.streamSince[run.work] = 0;
      table.expires[run.work] = run.now + longestTimeout(run);
    }
  }

  #rememberUnknownReply(): void {
    const { words, unknownReplies } = this.table;
    const { base } = this.#run;
    unknownReplies.add(
      unknownReplyKey(
        words[base + Entry.protocol]!,
        words[base + Entry.replySource]!,
        words[base + Entry.replyDestination]!,
        words[base + Entry.replyPorts]! >>> 16,
      ),
    );
  }

  /** Replaces the packet's entry by all the ways in which it may stand after it. */
  #commitVariants(overflow: boolean, reason: number): void {
    const table = this.table;
    const run = this.#run;
    const results = this.#results;
    if (!this.#router.program.tracks) return;
    const old = run.candidateCount > 0 ? run.candidates[0]! : -1;
    if (old !== -1) table.unlinkGroup(old, this.#former);
    if (overflow || results.length > CANDIDATE_LIMIT) this.#lose();
    const exists = (slot: number): boolean => (table.words[slot * ENTRY_LENGTH]! & EntryFlag.exists) !== 0;
    if (results.some(exists)) {
      for (const slot of results)
        table.words[slot * ENTRY_LENGTH + Entry.reason] = this.#lastReason === -1 ? reason : this.#lastReason;
      table.linkGroup(results);
      table.sweep(run.now, SWEEP_COUNT);
    } else {
      for (const slot of results) table.release(slot);
    }
    results.length = 0;
  }

  /** Too many ways: the entry's tuples are kept, nothing else of it is known. */
  #lose(): void {
    const table = this.table;
    const results = this.#results;
    const kept = results.find((slot) => (table.words[slot * ENTRY_LENGTH]! & EntryFlag.exists) !== 0);
    if (kept === undefined) return;
    for (const slot of results) if (slot !== kept) table.release(slot);
    results.length = 0;
    const base = kept * ENTRY_LENGTH;
    table.words[base + Entry.flags] = EntryFlag.exists | EntryFlag.confirmed | EntryFlag.lost;
    table.words[base + Entry.connmark] = 0;
    table.words[base + Entry.connmarkUnknown] = -1;
    table.expires[kept] = this.#run.now + longestTimeout(this.#run);
    results.push(kept);
  }

  #releaseFormer(): void {
    for (const slot of this.#former) this.table.release(slot);
    this.#former.length = 0;
  }
}
