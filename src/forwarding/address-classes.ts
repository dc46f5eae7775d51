import type { IpAddress, Words } from '../net/ip-address.ts';
import { type IpPrefix, maskOfLength } from '../net/prefix.ts';

/** First addresses of ranges, sorted: numbers of IPv4 addresses, big integers of IPv6 ones. */
type Bounds = readonly number[] | readonly bigint[];

/** Addresses by classes that nothing of a router's configuration tells apart: all of one class meet the same fate in the same packets. */
export class AddressClasses {
  readonly #four: Bounds;
  readonly #six: Bounds | undefined;
  readonly #macs: readonly number[];

  /** `macs`: the addresses of senders that are asked for. */
  constructor(four: Bounds, six: Bounds | undefined, macs: readonly number[] = []) {
    this.#four = four;
    this.#six = six;
    this.#macs = macs;
  }

  /** Whether any rule asks for the MAC addresses of senders. */
  get asksForMacs(): boolean {
    return this.#macs.length > 0;
  }

  /** One more than the highest number of a class of MAC addresses. */
  get macCount(): number {
    return this.#macs.length + 2;
  }

  /** The number of the class of a sender's MAC address, which may be −1, not known. */
  ofMac(mac: number): number {
    return this.#macs.length === 0 || mac < 0 ? 0 : this.#macs.indexOf(mac) + 2;
  }

  /** The number of an address's class in its family; −1 where the family's addresses are told apart by more than ranges. */
  of({ family, words }: IpAddress): number {
    if (family === 4) return countUpTo(this.#four as readonly number[], words[0]);
    return this.#six === undefined ? -1 : countUpTo(this.#six as readonly bigint[], bigOf(words));
  }
}

/** How many of the sorted bounds are not above a value. */
function countUpTo<Value extends number | bigint>(bounds: readonly Value[], value: Value): number {
  let low = 0;
  let high = bounds.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (bounds[middle]! <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function bigOf(words: ArrayLike<number>): bigint {
  return (
    (BigInt(words[0]! >>> 0) << 96n) |
    (BigInt(words[1]! >>> 0) << 64n) |
    (BigInt(words[2]! >>> 0) << 32n) |
    BigInt(words[3]! >>> 0)
  );
}

/** Collects the ranges of addresses that some statement asks for. */
export class AddressBounds {
  readonly #four = new Set<number>();
  readonly #six = new Set<bigint>();
  readonly #macs = new Set<number>();
  /** Some statement asks for addresses in a way that is no range. */
  #isBeyondRanges = false;

  /** Sorted; undefined where ranges are not all that counts. */
  four(): readonly number[] | undefined {
    return this.#isBeyondRanges ? undefined : [...this.#four].sort((a, b) => a - b);
  }

  six(): readonly bigint[] | undefined {
    return this.#isBeyondRanges ? undefined : [...this.#six].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  }

  /** Of senders. */
  macs(): readonly number[] {
    return [...this.#macs];
  }

  mac(address: number): void {
    this.#macs.add(address);
  }

  /** Every address may count by itself. */
  giveUp(): void {
    this.#isBeyondRanges = true;
  }

  /** IPv4 addresses, signed or not, the last one included. */
  range(first: number, last: number): void {
    this.#four.add(first >>> 0);
    this.#four.add((last >>> 0) + 1);
  }

  /** IPv4 addresses that are equal to `network` under a mask. */
  masked(network: number, mask: number): void {
    const hostBits = ~mask;
    if ((hostBits & (hostBits + 1)) !== 0) this.giveUp();
    else this.range(network & mask, network | hostBits);
  }

  /** The same of IPv6, four words each. */
  masked6(network: ArrayLike<number>, mask: ArrayLike<number>): void {
    const bits = bigOf(mask);
    const hostBits = bits ^ ((1n << 128n) - 1n);
    if ((hostBits & (hostBits + 1n)) !== 0n) this.giveUp();
    else this.#range6(bigOf(network) & bits, bigOf(network) | hostBits);
  }

  range6(first: Words, last: Words): void {
    this.#range6(bigOf(first), bigOf(last));
  }

  prefix({ family, words, prefixLength }: IpPrefix): void {
    if (family === 4) this.masked(words[0], maskOfLength(prefixLength) | 0);
    else {
      const hostBits = (1n << BigInt(128 - prefixLength)) - 1n;
      this.#range6((bigOf(words) | hostBits) ^ hostBits, bigOf(words) | hostBits);
    }
  }

  /** One address. */
  address({ family, words }: IpAddress): void {
    if (family === 4) this.range(words[0], words[0]);
    else this.range6(words, words);
  }

  #range6(first: bigint, last: bigint): void {
    this.#six.add(first).add(last + 1n);
  }
}
