import type { PacketBatch } from '../wire/packet-batch.ts';

const LIMB = 0x40_0000;
const LIMB_MASK = 0x3f_ffff;

/** What `if_tsresol` stands for where it is absent: 10⁻⁶. */
export const MICROSECOND_RESOLUTION = 6;

/** Set where the resolution is a power of two. */
const BINARY_BIT = 0x80;
const EXPONENT_MASK = 0x7f;

/** Units of a second that leave room for the limb arithmetic below: at most 2³⁰. */
const LARGEST_DECIMAL_EXPONENT = 9;
const LARGEST_BINARY_EXPONENT = 30;

/** 2⁶⁴ divided by this often leaves nothing. */
const MAX_COARSENINGS = 3;

/** Times beyond have no RFC 3339 form. */
const LAST_SECOND_OF_YEAR_9999 = 253_402_300_799;

/**
 * Turns the 64-bit timestamps of a pcapng interface into seconds and whole nanoseconds, without 64-bit arithmetic: the number is taken as
 * limbs of 20, 22 and 22 bits, and a remainder below 2³⁰ times 2²² plus a limb fits a double. Rounded down; units finer than 2⁻³⁰ s may come out one nanosecond early. Ref: pcapng, if_tsresol and if_tsoffset
 */
export class TimestampClock {
  private readonly unitsPerSecond: number;
  /** Divisors that bring a unit finer than ours down to it. */
  private readonly coarsenings: readonly number[];
  private readonly isBinary: boolean;
  /** Decimal: nanoseconds in a unit. Binary: power of two that a unit is of a second. */
  private readonly scale: number;
  private readonly offsetSeconds: number;

  /** `resolution` is the byte of if_tsresol, `offsetSeconds` that of if_tsoffset. */
  constructor(resolution: number, offsetSeconds: number) {
    const exponent = resolution & EXPONENT_MASK;
    this.isBinary = (resolution & BINARY_BIT) !== 0;
    const largest = this.isBinary ? LARGEST_BINARY_EXPONENT : LARGEST_DECIMAL_EXPONENT;
    const base = this.isBinary ? 2 : 10;
    const used = Math.min(exponent, largest);
    this.unitsPerSecond = base ** used;
    this.scale = this.isBinary ? used : 10 ** (LARGEST_DECIMAL_EXPONENT - used);
    this.offsetSeconds = offsetSeconds;
    const coarsenings: number[] = [];
    for (let left = exponent - used; left > 0 && coarsenings.length < MAX_COARSENINGS; left -= largest) {
      coarsenings.push(base ** Math.min(left, largest));
    }
    this.coarsenings = coarsenings;
  }

  /**
   * Writes the time of a timestamp's high and low words to the row. A time outside of the years 1970 to 9999 is moved to their end; then the
   * result is false.
   */
  store(high: number, low: number, batch: PacketBatch, row: number): boolean {
    let limb0 = high >>> 12;
    let limb1 = ((high & 0xfff) << 10) | (low >>> 22);
    let limb2 = low & LIMB_MASK;
    for (let index = 0; index < this.coarsenings.length; index++) {
      const divisor = this.coarsenings[index]!;
      const quotient0 = Math.floor(limb0 / divisor);
      const partial1 = (limb0 - quotient0 * divisor) * LIMB + limb1;
      const quotient1 = Math.floor(partial1 / divisor);
      const partial2 = (partial1 - quotient1 * divisor) * LIMB + limb2;
      limb0 = quotient0;
      limb1 = quotient1;
      limb2 = Math.floor(partial2 / divisor);
    }
    const divisor = this.unitsPerSecond;
    const quotient0 = Math.floor(limb0 / divisor);
    const partial1 = (limb0 - quotient0 * divisor) * LIMB + limb1;
    const quotient1 = Math.floor(partial1 / divisor);
    const partial2 = (partial1 - quotient1 * divisor) * LIMB + limb2;
    const quotient2 = Math.floor(partial2 / divisor);
    const units = partial2 - quotient2 * divisor;
    const seconds = (quotient0 * LIMB + quotient1) * LIMB + quotient2 + this.offsetSeconds;
    if (!(seconds >= 0 && seconds <= LAST_SECOND_OF_YEAR_9999)) {
      batch.seconds[row] = seconds < 0 ? 0 : LAST_SECOND_OF_YEAR_9999;
      batch.nanoseconds[row] = 0;
      return false;
    }
    batch.seconds[row] = seconds;
    // 10⁹ is 5⁹ · 2⁹: with the twos put into the shift, the product stays below 2⁵¹.
    batch.nanoseconds[row] = this.isBinary
      ? Math.floor((units * 1_953_125) / 2 ** (this.scale - 9))
      : units * this.scale;
    return true;
  }
}
