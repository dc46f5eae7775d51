import { Disposition } from '../decision.ts';
import { unknownReplyKey } from './connection-lookup.ts';
import { BEFORE_SLOT, type ConnectionTable, ENTRY_LENGTH, Entry, EntryFlag, WORKING_SLOT } from './connection-table.ts';
import { longestTimeout } from './connection-timeouts.ts';
import { blurEntry, rememberMaster } from './conntrack.ts';
import { CANDIDATE_LIMIT, EntryUse, type Run } from './run.ts';

/** Old entries looked at for each new one. */
const SWEEP_COUNT = 3;

/** Puts into the table what a packet made of its entry, when its fate is known. */
export class EntryCommit {
  readonly #run: Run;
  readonly #table: ConnectionTable;
  /** Slots of the last packet's former entry, kept for explaining it. */
  readonly #former: number[] = [];
  readonly #results: number[] = [];

  constructor(run: Run) {
    this.#run = run;
    this.#table = run.table;
  }

  /** Stores what the one world made of the entry. */
  commit(): void {
    const run = this.#run;
    const table = this.#table;
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
  collect(): void {
    const run = this.#run;
    const table = this.#table;
    if (!this.#run.router.program.tracks) return;
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
    const table = this.#table;
    for (const other of this.#results) if (table.equal(other, from)) return;
    const slot = table.allocate();
    table.copy(from, slot);
    this.#results.push(slot);
  }

  /** Makes the working slot what the table is to hold after this world: an entry that exists, or none. */
  #settleWorking(): void {
    const run = this.#run;
    const table = this.#table;
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
      blurEntry(run, run.work);
    }
  }

  #rememberUnknownReply(): void {
    const { words, unknownReplies } = this.#table;
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
  commitVariants(overflow: boolean, reason: number): void {
    const table = this.#table;
    const run = this.#run;
    const results = this.#results;
    if (!this.#run.router.program.tracks) return;
    const old = run.candidateCount > 0 ? run.candidates[0]! : -1;
    if (old !== -1) table.unlinkGroup(old, this.#former);
    if (overflow || results.length > CANDIDATE_LIMIT) this.#lose();
    const exists = (slot: number): boolean => (table.words[slot * ENTRY_LENGTH]! & EntryFlag.exists) !== 0;
    if (results.some(exists)) {
      for (const slot of results) table.words[slot * ENTRY_LENGTH + Entry.reason] = reason;
      table.linkGroup(results);
      table.sweep(run.now, SWEEP_COUNT);
    } else {
      for (const slot of results) table.release(slot);
    }
    results.length = 0;
  }

  /** Too many ways: the entry's tuples are kept, nothing else of it is known. */
  #lose(): void {
    const table = this.#table;
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

  /** The last packet will not be explained any more. */
  releaseFormer(): void {
    if (this.#former.length === 0) return;
    for (const slot of this.#former) this.#table.release(slot);
    this.#former.length = 0;
  }
}
