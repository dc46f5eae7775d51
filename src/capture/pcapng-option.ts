import { readHalf, readWord } from './endian.ts';

const CODE = 0;
const LENGTH = 2;
const VALUE = 4;
const END_OF_OPTIONS = 0;

/** Walks the options of a block without allocating; one is reused for all blocks. Ref: draft-ietf-opsawg-pcapng section 3.5 */
export class OptionCursor {
  code = 0;
  length = 0;
  /** Where the value lies; it is not terminated. */
  value = 0;
  /** Whether an option said that it is longer than what is left of its block: then neither it nor what follows is known. */
  lies = false;
  private bytes: Uint8Array = new Uint8Array(0);
  private at = 0;
  private end = 0;
  private littleEndian = true;

  start(bytes: Uint8Array, at: number, end: number, littleEndian: boolean): void {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
    this.littleEndian = littleEndian;
    this.lies = false;
  }

  /** Steps to the next option; false where there is none. */
  next(): boolean {
    if (this.end - this.at < VALUE) return false;
    this.code = readHalf(this.bytes, this.at + CODE, this.littleEndian);
    if (this.code === END_OF_OPTIONS) return false;
    this.length = readHalf(this.bytes, this.at + LENGTH, this.littleEndian);
    this.value = this.at + VALUE;
    if (this.length > this.end - this.value) {
      this.lies = true;
      return false;
    }
    this.at = this.value + ((this.length + 3) & ~3);
    return true;
  }
}

/** A 64-bit count as a number; one with all bits set means that there is none, and gives 0. The caller has checked the length. */
export function doubleWord(bytes: Uint8Array, at: number, littleEndian: boolean): number {
  const first = readWord(bytes, at, littleEndian);
  const second = readWord(bytes, at + 4, littleEndian);
  if (first === 0xffff_ffff && second === 0xffff_ffff) return 0;
  return littleEndian ? second * 0x1_0000_0000 + first : first * 0x1_0000_0000 + second;
}
