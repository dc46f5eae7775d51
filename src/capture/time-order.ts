import { PacketBatch } from '../wire/packet-batch.ts';
import type { CaptureFile } from './capture-file.ts';
import { type FrameReader, ReadResult } from './frame-reader.ts';

/** Rows read between two deliveries, at least: ordering has a cost for each delivery. */
const MIN_STEP = 4096;

/** From so many slots in a row on, copying them as a block is worth a turn of its own. */
const MIN_BLOCK = 256;

/**
 * One file's frames, put in time order within a window. Rows are decoded into a slab; when it is full, the earliest of them are delivered
 * and `hold` of them stay back for what may still come. Capture tools write the interfaces in batches, so that frames of one file are out
 * of order by what one batch holds. Equal times keep the file's order.
 *
 * Slots of the slab are handed out round and round. In a file that is in order they are therefore delivered in ascending runs, which are
 * copied column by column without sorting anything.
 */
export class TimeOrder {
  readonly file: CaptureFile;
  private readonly reader: FrameReader;
  private readonly hold: number;
  private readonly slab: PacketBatch;
  /** Slots in use, `first` … `last`−1: those up to `ready` are in time order and can go. */
  private readonly order: Uint32Array;
  private readonly scratch: Uint32Array;
  private readonly runs: Uint32Array;
  private first = 0;
  private ready = 0;
  private last = 0;
  /** Slots from here on were never handed out, and are cleared when they are: a small capture does not touch the memory of a large one. */
  private fresh = 0;
  /** Ring of slots that are not in use. */
  private readonly free: Uint32Array;
  private freeFirst = 0;
  private freeCount: number;
  /** Time of the frame read last, and whether one of those in use was read after a later one. */
  private readSeconds = Number.NEGATIVE_INFINITY;
  private readNanoseconds = 0;
  private outOfOrder = false;
  /** Whether the free slots may not be in ascending order. */
  private wasOutOfOrder = false;
  /** Time up to which frames were made ready. */
  private readySeconds = Number.NEGATIVE_INFINITY;
  private readyNanoseconds = 0;
  private ended = false;

  constructor(reader: FrameReader, file: CaptureFile, hold: number) {
    this.reader = reader;
    this.file = file;
    this.hold = hold;
    const capacity = hold + Math.max(MIN_STEP, hold >>> 1);
    this.slab = new PacketBatch(capacity);
    this.order = new Uint32Array(capacity);
    this.scratch = new Uint32Array(capacity);
    this.runs = new Uint32Array(capacity + 1);
    this.free = new Uint32Array(capacity);
    this.freeCount = capacity;
    for (let slot = 0; slot < capacity; slot++) this.free[slot] = slot;
  }

  /** Whether a frame can be delivered without reading. */
  get hasReady(): boolean {
    return this.first < this.ready;
  }

  /** Time of the next frame; only where there is one ready. */
  get nextSeconds(): number {
    return this.slab.seconds[this.order[this.first]!]!;
  }

  get nextNanoseconds(): number {
    return this.slab.nanoseconds[this.order[this.first]!]!;
  }

  /** Reads until frames are ready; false where the file has no more. */
  async fill(): Promise<boolean> {
    while (!this.hasReady) {
      if (this.ended && this.first === this.last) return false;
      await this.read();
    }
    return true;
  }

  /**
   * Moves ready frames up to and including the given time to the batch, from its row `row` on, and returns how many. With `orEqual` false
   * frames of that very time stay.
   */
  take(batch: PacketBatch, row: number, seconds: number, nanoseconds: number, orEqual: boolean): number {
    const { order, first } = this;
    const room = Math.min(batch.capacity - row, this.ready - first);
    let count = 0;
    let ascending = 0;
    while (count < room && this.isBefore(order[first + count]!, seconds, nanoseconds, orEqual)) {
      if (ascending === count && order[first + count] === order[first]! + count) ascending++;
      count++;
    }
    // Slots that follow one another go as a block; what comes behind them goes with the next turn.
    const isBlock = ascending === count || ascending >= MIN_BLOCK;
    if (isBlock) {
      count = ascending;
      batch.copyRows(this.slab, order[first]!, row, count);
    } else {
      batch.gatherRows(this.slab, order, first, row, count);
    }
    this.release(count, isBlock);
    return count;
  }

  private isBefore(slot: number, seconds: number, nanoseconds: number, orEqual: boolean): boolean {
    const ownSeconds = this.slab.seconds[slot]!;
    if (ownSeconds !== seconds) return ownSeconds < seconds;
    const ownNanoseconds = this.slab.nanoseconds[slot]!;
    return ownNanoseconds < nanoseconds || (orEqual && ownNanoseconds === nanoseconds);
  }

  /** Gives the slots of the first `count` frames back, clear. */
  private release(count: number, isBlock: boolean): void {
    const { order, first, slab, free } = this;
    if (isBlock) slab.clearRows(order[first]!, order[first]! + count);
    else for (let index = 0; index < count; index++) slab.clearRow(order[first + index]!);
    const capacity = free.length;
    let at = (this.freeFirst + this.freeCount) % capacity;
    for (let index = 0; index < count; index++) {
      free[at] = order[first + index]!;
      at = at + 1 === capacity ? 0 : at + 1;
    }
    this.freeCount += count;
    this.first += count;
  }

  /** Fills the slab and makes its earliest frames ready. */
  private async read(): Promise<void> {
    this.order.copyWithin(0, this.first, this.last);
    this.last -= this.first;
    this.first = 0;
    this.ready = 0;
    const held = this.last;
    if (this.wasOutOfOrder) this.sortFree();
    while (!this.ended && this.freeCount > 0) {
      const result = this.readRows();
      if (result === ReadResult.end) this.ended = true;
      else if (result === ReadResult.needsMore) {
        // Without a window nobody waits: a live capture delivers what has come.
        if (this.hold === 0 && this.last > 0) break;
        await this.reader.advance();
      }
    }
    if (this.outOfOrder) {
      this.outOfOrder = false;
      this.wasOutOfOrder = true;
      this.sort(held);
      this.readSeconds = this.secondsAt(this.last - 1);
      this.readNanoseconds = this.nanosecondsAt(this.last - 1);
    }
    this.ready = this.ended ? this.last : Math.max(0, this.last - this.hold);
    this.countLate();
  }

  private readRows(): number {
    const { slab, order, free, reader } = this;
    const capacity = free.length;
    let { freeFirst, freeCount, last, readSeconds, readNanoseconds } = this;
    let result: number = ReadResult.frame;
    while (freeCount > 0) {
      const slot = free[freeFirst]!;
      if (slot === this.fresh) this.clearFresh();
      result = reader.next(slab, slot);
      if (result !== ReadResult.frame) break;
      freeFirst = freeFirst + 1 === capacity ? 0 : freeFirst + 1;
      freeCount--;
      order[last++] = slot;
      const seconds = slab.seconds[slot]!;
      const nanoseconds = slab.nanoseconds[slot]!;
      if (seconds < readSeconds || (seconds === readSeconds && nanoseconds < readNanoseconds)) this.outOfOrder = true;
      readSeconds = seconds;
      readNanoseconds = nanoseconds;
    }
    this.freeFirst = freeFirst;
    this.freeCount = freeCount;
    this.last = last;
    this.readSeconds = readSeconds;
    this.readNanoseconds = readNanoseconds;
    return result;
  }

  /**
   * Puts the free slots into ascending order. Slots of frames that were delivered out of their order come back out of order, and from then on
   * frames that follow one another would lie ever further apart in memory.
   */
  private sortFree(): void {
    const { free, scratch } = this;
    scratch.fill(0);
    for (let at = 0; at < this.last; at++) scratch[this.order[at]!] = 1;
    let count = 0;
    for (let slot = 0; slot < free.length; slot++) if (scratch[slot] === 0) free[count++] = slot;
    this.freeFirst = 0;
    this.wasOutOfOrder = false;
  }

  private clearFresh(): void {
    const end = Math.min(this.fresh + MIN_STEP, this.slab.capacity);
    this.slab.clearRows(this.fresh, end);
    this.fresh = end;
  }

  /** Counts the frames that have come too late: others of a later time were made ready before. */
  private countLate(): void {
    if (this.ready === 0) return;
    let late = 0;
    let firstFrame = Number.POSITIVE_INFINITY;
    while (late < this.ready && this.isBefore(this.order[late]!, this.readySeconds, this.readyNanoseconds, false)) {
      firstFrame = Math.min(firstFrame, this.slab.frameNumber[this.order[late]!]!);
      late++;
    }
    if (late > 0) this.file.countLate(late, firstFrame);
    if (late === this.ready) return;
    const latest = this.order[this.ready - 1]!;
    this.readySeconds = this.slab.seconds[latest]!;
    this.readyNanoseconds = this.slab.nanoseconds[latest]!;
  }

  /**
   * Stable merge sort of the slots in use over the runs that are in order already: few, where interfaces were written in batches. The frames
   * held back are in order, and only the late end of them lies among the new ones.
   */
  private sort(held: number): void {
    const { runs } = this;
    let from = this.order;
    let to = this.scratch;
    let runCount = this.findRuns(held);
    while (runCount > 1) {
      let merged = 0;
      for (let run = 0; run < runCount; run += 2) {
        const start = runs[run]!;
        const middle = runs[run + 1]!;
        this.merge(from, to, start, middle, run + 1 < runCount ? runs[run + 2]! : middle);
        runs[merged++] = start;
      }
      runs[merged] = this.last;
      runCount = merged;
      [from, to] = [to, from];
    }
    if (from !== this.order) this.order.set(from.subarray(held, this.last), held);
    const earliest = this.order[held]!;
    let start = held;
    while (start > 0 && this.isBefore(earliest, this.secondsAt(start - 1), this.nanosecondsAt(start - 1), false))
      start--;
    if (start === held) return;
    this.merge(this.order, this.scratch, start, held, this.last);
    this.order.set(this.scratch.subarray(start, this.last), start);
  }

  /** Writes where the ascending runs start, with the end behind the last, and returns how many there are. */
  private findRuns(first: number): number {
    const { order, runs } = this;
    let count = 0;
    for (let at = first; at < this.last; at++) {
      if (at === first || this.isBefore(order[at]!, this.secondsAt(at - 1), this.nanosecondsAt(at - 1), false)) {
        runs[count++] = at;
      }
    }
    runs[count] = this.last;
    return count;
  }

  private secondsAt(place: number): number {
    return this.slab.seconds[this.order[place]!]!;
  }

  private nanosecondsAt(place: number): number {
    return this.slab.nanoseconds[this.order[place]!]!;
  }

  private merge(from: Uint32Array, to: Uint32Array, start: number, middle: number, end: number): void {
    const { slab } = this;
    let left = start;
    let right = middle;
    for (let at = start; at < end; at++) {
      const leftSlot = from[left]!;
      const takeLeft =
        right >= end ||
        (left < middle && !this.isBefore(from[right]!, slab.seconds[leftSlot]!, slab.nanoseconds[leftSlot]!, false));
      to[at] = takeLeft ? leftSlot : from[right]!;
      if (takeLeft) left++;
      else right++;
    }
  }
}
