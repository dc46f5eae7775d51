import type { ByteSource } from './byte-source.ts';

/** Bytes asked for at once: few enough for the cache, many enough that the calls do not matter. */
const CHUNK_BYTES = 0x10_0000;

/** Room before a chunk for the record that began in the chunk before. A longer rest is copied into a buffer of its own. */
const CARRY_BYTES = 0x8_0000;

/**
 * A window on a {@link ByteSource} that its reader moves: bytes from `position` to `end` of `bytes` are there and contiguous. The next chunk
 * is read while this one is being decoded. {@link more} replaces `bytes`: offsets into it hold until then.
 */
export class ByteStream {
  bytes: Uint8Array;
  position = 0;
  end: number;
  private readonly source: ByteSource;
  /** Offset in the stream of `bytes[0]`. */
  private base = 0;
  private spare: Uint8Array = new Uint8Array(CARRY_BYTES + CHUNK_BYTES);
  private coming: Promise<number> | undefined;
  private ended = false;

  /** `begin` are bytes already taken from the source. */
  constructor(source: ByteSource, begin: Uint8Array) {
    this.source = source;
    this.bytes = begin;
    this.end = begin.length;
  }

  /** Offset of `position` from the begin of the stream (decompressed, where it was compressed). */
  get offset(): number {
    return this.base + this.position;
  }

  /** Why the source ended before its end; see {@link ByteSource.failure}. */
  get failure(): string | undefined {
    return this.source.failure;
  }

  /** Adds the next chunk behind the bytes not yet consumed; false where the source has no more. */
  async more(): Promise<boolean> {
    if (this.ended) return false;
    const count = await (this.coming ?? this.request());
    if (count === 0) {
      this.ended = true;
      this.coming = undefined;
      return false;
    }
    const offset = this.offset;
    const restLength = this.end - this.position;
    const rest = this.bytes.subarray(this.position, this.end);
    if (restLength <= CARRY_BYTES) {
      const filled = this.spare;
      filled.set(rest, CARRY_BYTES - restLength);
      this.spare = this.bytes.length === filled.length ? this.bytes : new Uint8Array(filled.length);
      this.bytes = filled;
      this.position = CARRY_BYTES - restLength;
      this.end = CARRY_BYTES + count;
    } else {
      const joined = new Uint8Array(restLength + count);
      joined.set(rest);
      joined.set(this.spare.subarray(CARRY_BYTES, CARRY_BYTES + count), restLength);
      this.bytes = joined;
      this.position = 0;
      this.end = joined.length;
    }
    this.base = offset - this.position;
    this.coming = this.request();
    return true;
  }

  /** Consumes `count` bytes, here or not yet here; false where the source ends before. Nothing of them is kept. */
  async skip(count: number): Promise<boolean> {
    let left = count;
    while (left > this.end - this.position) {
      left -= this.end - this.position;
      this.position = this.end;
      if (!(await this.more())) return false;
    }
    this.position += left;
    return true;
  }

  private request(): Promise<number> {
    return this.source.read(this.spare, CARRY_BYTES, CHUNK_BYTES);
  }
}
