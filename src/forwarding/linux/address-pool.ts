/** Addresses that a pool holds at most: 24 MB of them. */
const LIMIT = 1 << 20;
const FIRST_CAPACITY = 256;

/** {@link AddressPool.intern}: the pool is full. */
export const NO_ID = -1;

/**
 * IPv6 addresses by small numbers, so that what only compares addresses (connection tracking, the cache of lookups, decisions) works on
 * one word a piece as it does for IPv4. Equal addresses have one number, for as long as the pool lives; `::` is 0. Bounded: of an address
 * beyond the limit nothing is known, then or later, so that no connection is ever met by one of its ends only.
 */
export class AddressPool {
  /** Four words an address, from `4 * id` on. Replaced where the pool grows. */
  words: Uint32Array = new Uint32Array(4 * FIRST_CAPACITY);
  count = 0;
  readonly #limit: number;
  #slots = new Int32Array(2 * FIRST_CAPACITY).fill(-1);

  constructor(limit = LIMIT) {
    this.#limit = limit;
    this.intern(this.words, 0);
  }

  /** The number of the address whose four words stand at an offset; {@link NO_ID} where it is new and the pool is full. */
  intern(source: ArrayLike<number>, offset: number): number {
    const a = source[offset]! >>> 0;
    const b = source[offset + 1]! >>> 0;
    const c = source[offset + 2]! >>> 0;
    const d = source[offset + 3]! >>> 0;
    const { words } = this;
    const mask = this.#slots.length - 1;
    let slot = mixWords(a, b, c, d) & mask;
    for (let id = this.#slots[slot]!; id !== -1; id = this.#slots[slot]!) {
      const at = 4 * id;
      if (words[at] === a && words[at + 1] === b && words[at + 2] === c && words[at + 3] === d) return id;
      slot = (slot + 1) & mask;
    }
    if (this.count >= this.#limit) return NO_ID;
    const id = this.count++;
    if (4 * id >= words.length) {
      this.#grow();
      return this.#add(id, a, b, c, d);
    }
    this.#slots[slot] = id;
    words[4 * id] = a;
    words[4 * id + 1] = b;
    words[4 * id + 2] = c;
    words[4 * id + 3] = d;
    return id;
  }

  #add(id: number, a: number, b: number, c: number, d: number): number {
    this.words.set([a, b, c, d], 4 * id);
    this.#place(id);
    return id;
  }

  #grow(): void {
    const words = new Uint32Array(2 * this.words.length);
    words.set(this.words);
    this.words = words;
    this.#slots = new Int32Array(2 * this.#slots.length).fill(-1);
    for (let id = 0; id < this.count - 1; id++) this.#place(id);
  }

  #place(id: number): void {
    const { words } = this;
    const at = 4 * id;
    const mask = this.#slots.length - 1;
    let slot = mixWords(words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!) & mask;
    while (this.#slots[slot] !== -1) slot = (slot + 1) & mask;
    this.#slots[slot] = id;
  }

  /** Whether an address is in a network: (address & mask) == network, both as four words in an array of eight, network first. */
  isIn(id: number, networkAndMask: ArrayLike<number>, offset: number): boolean {
    const { words } = this;
    const at = 4 * id;
    for (let word = 0; word < 4; word++) {
      const masked = (words[at + word]! & networkAndMask[offset + 4 + word]!) >>> 0;
      if (masked !== networkAndMask[offset + word]! >>> 0) return false;
    }
    return true;
  }

  /** Negative, 0 or positive, as the address is below, at or above the one whose four words stand at an offset. */
  compare(id: number, other: ArrayLike<number>, offset: number): number {
    for (let word = 0; word < 4; word++) {
      const difference = this.words[4 * id + word]! - (other[offset + word]! >>> 0);
      if (difference !== 0) return difference;
    }
    return 0;
  }
}

/** A hash of four words. */
export function mixWords(a: number, b: number, c: number, d: number): number {
  let mixed = Math.imul(a ^ (b >>> 16) ^ (b << 16), 0x9e3779b1);
  mixed = Math.imul(mixed ^ (mixed >>> 15) ^ c, 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13) ^ d, 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
