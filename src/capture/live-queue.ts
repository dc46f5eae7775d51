import { PacketBatch } from '../wire/packet-batch.ts';
import type { CaptureFile } from './capture-file.ts';
import { type FrameReader, ReadResult } from './frame-reader.ts';

/** Rows that wait for their turn: a fifth of a second at 300,000 packets/s. */
const QUEUE_ROWS = 65_536;

/** From so many slots in a row on, copying them as a block is worth a turn of its own. */
const MIN_BLOCK = 64;

/**
 * The frames of one live source that wait until none can come any more that belongs before them. In time order; a frame that comes late
 * is put in its place, which costs as much as it is late.
 */
export class LiveQueue {
  readonly #slab = new PacketBatch(QUEUE_ROWS);
  /** Ring of slots, the waiting ones from `first` on in time order; those behind them are free. */
  readonly #order = new Uint32Array(QUEUE_ROWS);
  #first = 0;
  #length = 0;
  /** Of the frame that was delivered last. */
  #deliveredTime = Number.NEGATIVE_INFINITY;
  #late = 0;
  #firstLate = 0;

  constructor() {
    for (let slot = 0; slot < QUEUE_ROWS; slot++) this.#order[slot] = slot;
  }

  get length(): number {
    return this.#length;
  }

  get isFull(): boolean {
    return this.#length === QUEUE_ROWS;
  }

  /** Nanoseconds of the first waiting frame; infinite where none waits. */
  get firstTime(): number {
    return this.#length === 0 ? Number.POSITIVE_INFINITY : this.#timeOf(this.#slotAt(0));
  }

  /** Nanoseconds of the last frame in time order; infinitely early where none waits. */
  get lastTime(): number {
    return this.#length === 0 ? Number.NEGATIVE_INFINITY : this.#timeOf(this.#slotAt(this.#length - 1));
  }

  /** Nanoseconds of the frame in the middle. */
  get middleTime(): number {
    return this.#timeOf(this.#slotAt(this.#length >>> 1));
  }

  /** Decodes the frames that are there, until the reader needs more, has ended, or the queue is full (then `frame`). */
  readFrom(
    reader: FrameReader,
    onFrame: ((reader: FrameReader, batch: PacketBatch, row: number) => void) | undefined,
  ): number {
    while (this.#length < QUEUE_ROWS) {
      const slot = this.#slotAt(this.#length);
      this.#slab.clearRow(slot);
      const result = reader.next(this.#slab, slot);
      if (result !== ReadResult.frame) return result;
      onFrame?.(reader, this.#slab, slot);
      this.#length++;
      this.#putInPlace();
    }
    return ReadResult.frame;
  }

  /** Negative where this queue's first frame comes before another's, 0 where both have one time. */
  compareFirst(other: LiveQueue): number {
    return this.#compare(this.#slotAt(0), other, other.#slotAt(0));
  }

  /**
   * Moves the first frames, up to a time and to where `other` has an earlier one (or, unless `orEqual`, one of the same time), to the batch's rows
   * from `row` on; returns how many. At least one where the first frame may go.
   */
  take(batch: PacketBatch, row: number, time: number, other: LiveQueue | undefined, orEqual: boolean): number {
    const order = this.#order;
    const first = this.#first;
    const room = Math.min(batch.capacity - row, this.#length, QUEUE_ROWS - first);
    const most = orEqual ? 0 : -1;
    let count = 0;
    let ascending = 0;
    while (count < room) {
      const slot = order[first + count]!;
      if (this.#timeOf(slot) > time) break;
      if (other !== undefined && this.#compare(slot, other, other.#slotAt(0)) > most) break;
      if (ascending === count && slot === order[first]! + count) ascending++;
      count++;
    }
    if (count === 0) return 0;
    // Slots that follow one another go as a block; what comes behind them goes with the next turn.
    if (ascending === count || ascending >= MIN_BLOCK) {
      count = ascending;
      batch.copyRows(this.#slab, order[first]!, row, count);
    } else batch.gatherRows(this.#slab, order, first, row, count);
    this.#deliveredTime = this.#timeOf(order[first + count - 1]!);
    this.#first = (first + count) & (QUEUE_ROWS - 1);
    this.#length -= count;
    return count;
  }

  /** Tells the file of frames that came too late to be put in order. */
  report(file: CaptureFile): void {
    if (this.#late > 0) file.countLate(this.#late, this.#firstLate);
    this.#late = 0;
  }

  #compare(own: number, other: LiveQueue, others: number): number {
    return (
      this.#slab.seconds[own]! - other.#slab.seconds[others]! ||
      this.#slab.nanoseconds[own]! - other.#slab.nanoseconds[others]!
    );
  }

  #putInPlace(): void {
    const order = this.#order;
    let at = this.#length - 1;
    const slot = this.#slotAt(at);
    if (this.#timeOf(slot) < this.#deliveredTime) {
      if (this.#late === 0) this.#firstLate = this.#slab.frameNumber[slot]!;
      this.#late++;
    }
    while (at > 0) {
      const before = this.#slotAt(at - 1);
      if (!this.#isBefore(slot, before)) break;
      order[(this.#first + at) & (QUEUE_ROWS - 1)] = before;
      at--;
    }
    order[(this.#first + at) & (QUEUE_ROWS - 1)] = slot;
  }

  #isBefore(slot: number, other: number): boolean {
    const { seconds, nanoseconds } = this.#slab;
    return (
      seconds[slot]! < seconds[other]! || (seconds[slot] === seconds[other] && nanoseconds[slot]! < nanoseconds[other]!)
    );
  }

  #slotAt(place: number): number {
    return this.#order[(this.#first + place) & (QUEUE_ROWS - 1)]!;
  }

  #timeOf(slot: number): number {
    return this.#slab.seconds[slot]! * 1e9 + this.#slab.nanoseconds[slot]!;
  }
}
