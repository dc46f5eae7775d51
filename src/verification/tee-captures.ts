import type { CaptureSet } from '../capture/capture-set.ts';
import { PacketBatch } from '../wire/packet-batch.ts';

/**
 * One capture set for two readers that read at the same time: it is read once, and one batch at most is kept for the reader behind.
 * Both must read to the end. What a reader does to its rows, the other does not see.
 */
export function teeCaptures(captures: CaptureSet): [CaptureSet, CaptureSet] {
  const tee = new Tee(captures);
  return [tee.reader(0), tee.reader(1)];
}

class Tee {
  readonly #captures: CaptureSet;
  /** For each reader the batch that the other one has read already; undefined where there is none. */
  readonly #kept: [PacketBatch | undefined, PacketBatch | undefined] = [undefined, undefined];
  readonly #spare: PacketBatch[] = [];
  #ended = false;
  #reading: Promise<void> | undefined;
  /** Readers that wait for the other to take its batch. */
  #taken: (() => void)[] = [];

  constructor(captures: CaptureSet) {
    this.#captures = captures;
  }

  reader(own: 0 | 1): CaptureSet {
    const captures = this.#captures;
    return {
      interfaces: captures.interfaces,
      next: (batch) => this.#next(own, batch),
      files: () => captures.files(),
      problems: () => captures.problems(),
      progress: () => captures.progress(),
      close: () => captures.close(),
    };
  }

  async #next(own: 0 | 1, batch: PacketBatch): Promise<boolean> {
    const other = own === 0 ? 1 : 0;
    for (;;) {
      const kept = this.#kept[own];
      if (kept !== undefined) {
        batch.length = kept.length;
        batch.copyRows(kept, 0, 0, kept.length);
        this.#kept[own] = undefined;
        this.#spare.push(kept);
        for (const wake of this.#taken.splice(0)) wake();
        return true;
      }
      if (this.#ended) {
        batch.length = 0;
        return false;
      }
      if (this.#reading !== undefined) await this.#reading;
      else if (this.#kept[other] !== undefined) await new Promise<void>((resolve) => this.#taken.push(resolve));
      else {
        this.#reading = this.#read(other, batch);
        await this.#reading;
        return !this.#ended;
      }
    }
  }

  async #read(other: 0 | 1, batch: PacketBatch): Promise<void> {
    try {
      if (!(await this.#captures.next(batch))) {
        this.#ended = true;
        return;
      }
      const copy = this.#spare.pop() ?? new PacketBatch(batch.capacity);
      copy.length = batch.length;
      copy.copyRows(batch, 0, 0, batch.length);
      this.#kept[other] = copy;
    } finally {
      this.#reading = undefined;
    }
  }
}
