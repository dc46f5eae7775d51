/** No slot. */
export const SLOT_FREE = -1;

/** Chains of slots by hash, each with its newest slot and its oldest. Who links slots keeps what is between. */
export class Chains {
  /** By chain its newest slot, then its oldest. */
  readonly ends: Int32Array;
  readonly #mask: number;
  /** By chain, the newest of its oldest slots that were all too old at some time, and the latest time of those. */
  #past: Int32Array | undefined;
  #pastTime: Float64Array | undefined;

  /** `size`: chains, a power of two. */
  constructor(size: number) {
    this.#mask = size - 1;
    this.ends = new Int32Array(2 * size).fill(SLOT_FREE);
  }

  chainOf(hash: number): number {
    return hash & this.#mask;
  }

  past(chain: number): number {
    return this.#past?.[chain] ?? SLOT_FREE;
  }

  pastTime(chain: number): number {
    return this.#pastTime?.[chain] ?? Number.NEGATIVE_INFINITY;
  }

  setPast(chain: number, slot: number, time: number): void {
    this.#past ??= new Int32Array(this.#mask + 1).fill(SLOT_FREE);
    this.#pastTime ??= new Float64Array(this.#mask + 1);
    this.#past[chain] = slot;
    this.#pastTime[chain] = time;
  }
}
