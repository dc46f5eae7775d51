/**
 * Items that stand in columns somewhere else: each is made anew when it is asked for, so that a million of them take no memory. Two that
 * were asked for at one position say the same, and are not the same object.
 */
export class Listing<Item> implements Iterable<Item> {
  readonly #length: () => number;
  readonly #make: (position: number) => Item;

  /** `make`: of a position from 0 to below the length, as of when it is asked. */
  constructor(length: () => number, make: (position: number) => Item) {
    this.#length = length;
    this.#make = make;
  }

  get length(): number {
    return this.#length();
  }

  at(position: number): Item | undefined {
    return position >= 0 && position < this.length ? this.#make(position) : undefined;
  }

  *[Symbol.iterator](): Generator<Item, void> {
    for (let position = 0; position < this.length; position++) yield this.#make(position);
  }

  /** The first ones, as an array. */
  first(count: number): Item[] {
    return Array.from({ length: Math.min(count, this.length) }, (_, position) => this.#make(position));
  }

  some(test: (item: Item) => boolean): boolean {
    return this.find(test) !== undefined;
  }

  every(test: (item: Item) => boolean): boolean {
    return !this.some((item) => !test(item));
  }

  find(test: (item: Item) => boolean): Item | undefined {
    for (const item of this) if (test(item)) return item;
    return undefined;
  }

  /** Only for tests that few items pass: the result holds them. */
  filter(test: (item: Item) => boolean): Item[] {
    const found: Item[] = [];
    for (const item of this) if (test(item)) found.push(item);
    return found;
  }

  map<Result>(make: (item: Item) => Result): Result[] {
    const results: Result[] = [];
    for (const item of this) results.push(make(item));
    return results;
  }
}
