import { IpProtocol } from '../../net/ip-protocol.ts';
import { isIcmpQuery } from '../../wire/icmp-type.ts';
import type { PacketBatch } from '../../wire/packet-batch.ts';
import { LinkDestination, Status } from '../../wire/packet-batch.ts';
import type { AddressBounds } from '../address-classes.ts';
import { type DecisionBatch, DecisionFlag, Disposition } from '../decision.ts';
import type { ForwarderOptions, SettledFragment } from '../forwarder.ts';
import type { Step, Walk } from '../walk.ts';
import { addressBoundsOf } from './address-bounds.ts';
import type { AddressPool } from './address-pool.ts';
import { findCandidates, loseConnection } from './connection-lookup.ts';
import { BEFORE_SLOT, ConnectionTable } from './connection-table.ts';
import { isNeverTracked } from './conntrack.ts';
import { DecisionCache } from './decision-cache.ts';
import { DecisionWriter, type Explanations } from './decision-writer.ts';
import { EntryCommit } from './entry-commit.ts';
import { wordsKey } from './links.ts';
import { HAVE_PORTS } from './nat.ts';
import { walkPacket } from './packet-walk.ts';
import { Assembled, Reassembly } from './reassembly.ts';
import { isUnreadError, refusalOf } from './refusal.ts';
import type { CompiledRouter } from './router.ts';
import { Run } from './run.ts';
import { WORLD_LIMIT } from './worlds.ts';
import { settleZones } from './zones.ts';

/** The packet is no fragment that is put together. */
const NOT_ASSEMBLED = -1;

/** Of a forwarder for one session. */
const FEW_ENTRIES = 16;
const FEW_LOOKUPS = 16;

/**
 * A Linux router in operation, for packets of one family. A packet's way is walked once where nothing about it is unknown, else once in each world
 * (see Worlds); the entry is worked on in a slot of its own and stored when the packet's fate is known, because an entry whose first
 * packet is dropped never was (linux-forwarding 2.5).
 */
export class FamilyForwarder {
  readonly interfaceNames: readonly string[];
  readonly #router: CompiledRouter;
  readonly #options: ForwarderOptions;
  readonly table: ConnectionTable;
  readonly #run: Run;
  readonly #writer: DecisionWriter;
  readonly #entries: EntryCommit;
  /** Why the last packet was undetermined, an id of the registry; −1. */
  #lastReason = -1;
  #refused = false;
  /** It was a fragment that is thrown away. */
  #discarded = false;
  readonly #reassembly: Reassembly | undefined;

  constructor(
    router: CompiledRouter,
    options: ForwarderOptions,
    explanations: Explanations,
    table = new ConnectionTable(),
    rememberedLookups?: number,
  ) {
    this.table = table;
    this.#router = router;
    this.#options = options;
    this.interfaceNames = router.links.names;
    this.#run = new Run(router, this.table, rememberedLookups);
    this.#reassembly =
      router.family === 4 && router.program.defragments ? new Reassembly(router.settings.reassembly) : undefined;
    this.#run.trustSequence = options.trustSequence !== false;
    if (options.remembersDecisions !== false) this.#run.remembered = DecisionCache.of(router) ?? null;
    this.#writer = new DecisionWriter(router, explanations);
    this.#entries = new EntryCommit(this.#run);
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

  fresh(explanations: Explanations): FamilyForwarder {
    // Made by the thousand, for the few packets of one session each: what would be remembered for more of them costs more than they do.
    const options = { ...this.#options, remembersDecisions: false };
    return new FamilyForwarder(this.#router, options, explanations, new ConnectionTable(FEW_ENTRIES), FEW_LOOKUPS);
  }

  forget(): void {
    this.#entries.releaseFormer();
    this.table.clearAll();
    this.#reassembly?.forget();
  }

  addressBounds(): AddressBounds {
    return addressBoundsOf(this.#router);
  }

  /** Undefined where the entries would mean nothing to the other. */
  replacedBy(next: FamilyForwarder, explanations: Explanations): FamilyForwarder | undefined {
    // Entries name interfaces and reasons by the numbers of the configuration that made them.
    if (next.interfaceNames.join() !== this.interfaceNames.join()) return undefined;
    if (!this.table.lost.isEmpty || this.table.unknownReplies.size > 0) return undefined;
    return new FamilyForwarder(next.#router, next.#options, explanations, this.table);
  }

  decide(batch: PacketBatch, row: number, ingress: number, decisions: DecisionBatch, into: number): void {
    this.#entries.releaseFormer();
    decisions.record[into] = -1;
    this.#lastReason = -1;
    this.#discarded = false;
    let refused = refusalOf(this.#router, batch, row, ingress);
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
      this.#writer.write(this.#run, this.#lastReason, decisions, into);
      if (assembled === NOT_ASSEMBLED && this.#mayBeTracked(batch, row, refused)) this.#losePacket(batch, row);
    } else if (assembled === Assembled.discarded) {
      this.#run.restart();
      this.#run.disposition = Disposition.notForwarding;
      this.#discarded = true;
      this.#writer.write(this.#run, this.#lastReason, decisions, into);
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
    const isPiece = refused === -1 || refused === reasons.cut;
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
   * Whether a packet of which nothing can be said meets connection tracking.
   */
  #mayBeTracked(batch: PacketBatch, row: number, refused: number): boolean {
    const { program, reasons } = this.#router;
    return program.tracks && refused === reasons.cut && batch.linkDestination[row] !== LinkDestination.otherHost;
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
      this.#writer.write(this.#run, this.#lastReason, decisions, into);
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
    run.remembered?.begin();
    walkPacket(run);
    if (run.worlds.depth === 0) {
      if (run.disposition === Disposition.undetermined) this.#lastReason = run.unknown;
      this.#writer.write(this.#run, this.#lastReason, decisions, into);
      if (run.remembered !== null) {
        decisions.record[into] = run.remembered.record;
        decisions.recordStamp[into] = run.remembered.stamp;
      }
      this.#entries.commit();
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
    this.#writer.write(this.#run, this.#lastReason, decisions, into);
    this.#entries.collect();
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
      this.#entries.collect();
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
    if (this.#lastReason !== -1) this.#writer.writeUndetermined(this.#lastReason, decisions, into);
    this.#entries.commitVariants(worlds.overflow, this.#lastReason === -1 ? firstReason : this.#lastReason);
  }
}
