import { createGunzip, type Gunzip } from 'node:zlib';
import type { ByteSource } from './byte-source.ts';

/** Small, because the piece of output that the decompressor is filling when it meets broken data is lost. */
const INPUT_BYTES = 0x1_0000;
const OUTPUT_BYTES = 0x1_0000;

/**
 * Captures shrink to a third or a tenth. What decompresses to so many times its size is made to keep a reader busy; gzip can do 1032 to 1.
 * Small files may: a capture of one frame over and over is no attack.
 */
const MOST_TIMES = 50;
const FREE_BYTES = 0x400_0000;

/**
 * Decompresses gzip, several members one after the other included, in constant memory. Where the compressed data is cut short or
 * broken, or holds more than {@link MOST_TIMES} its size, {@link ByteSource.failure} says so after everything before that was read. `begin`
 * are bytes already taken from the source.
 */
export function gunzipSource(compressed: ByteSource, begin: Uint8Array): ByteSource {
  return new GunzipSource(compressed, begin);
}

class GunzipSource implements ByteSource {
  failure: string | undefined;
  readonly size: number | undefined;
  private readonly compressed: ByteSource;
  private readonly gunzip: Gunzip;
  private rest: Uint8Array = new Uint8Array(0);
  private ended = false;
  private decompressed = 0;
  private wake: () => void = () => {};

  constructor(compressed: ByteSource, begin: Uint8Array) {
    this.compressed = compressed;
    this.size = compressed.size;
    this.gunzip = createGunzip({ chunkSize: OUTPUT_BYTES });
    this.gunzip.on('readable', () => this.wake());
    this.gunzip.on('end', () => this.finish(undefined));
    this.gunzip.on('error', (error) => this.finish(gunzipFailure(error)));
    this.gunzip.on('close', () => this.finish(undefined));
    void this.pump(begin);
  }

  get bytesRead(): number {
    return this.compressed.bytesRead;
  }

  async read(target: Uint8Array, offset: number, length: number): Promise<number> {
    for (;;) {
      // Asked even after an error: what was decompressed before it is still there.
      if (this.rest.length === 0 && !this.gunzip.destroyed)
        this.rest = (this.gunzip.read() as Uint8Array | null) ?? this.rest;
      if (this.rest.length > 0) {
        const count = Math.min(length, this.rest.length);
        target.set(this.rest.subarray(0, count), offset);
        this.rest = this.rest.subarray(count);
        this.decompressed += count;
        if (this.decompressed > FREE_BYTES && this.decompressed > MOST_TIMES * this.bytesRead) this.refuseMore();
        return count;
      }
      if (this.ended) return 0;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  private refuseMore(): void {
    this.finish(
      `the compressed data holds more than ${MOST_TIMES} times its size; if it is to be read nevertheless, decompress it: gzip -dc FILE | redirect-verify -`,
    );
    this.rest = new Uint8Array(0);
    this.gunzip.destroy();
  }

  async close(): Promise<void> {
    this.finish(undefined);
    this.gunzip.destroy();
    await this.compressed.close();
  }

  /**
   * Feeds the decompressor and ends it only when it has taken everything: what an ending write decompresses would be lost where the
   * data is cut short.
   */
  private async pump(begin: Uint8Array): Promise<void> {
    const buffer = new Uint8Array(INPUT_BYTES);
    let piece = begin;
    while (!this.ended) {
      await this.feed(piece);
      const count = await this.compressed.read(buffer, 0, buffer.length);
      if (count === 0) break;
      piece = buffer.subarray(0, count);
    }
    if (!this.ended) this.gunzip.end();
  }

  private feed(piece: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      this.gunzip.write(piece, () => resolve());
    });
  }

  private finish(failure: string | undefined): void {
    if (!this.ended) {
      this.ended = true;
      this.failure = failure ?? this.compressed.failure;
    }
    this.wake();
  }
}

function gunzipFailure(error: Error): string {
  return 'code' in error && error.code === 'Z_BUF_ERROR'
    ? 'the compressed data ends early'
    : `the compressed data is broken (${error.message})`;
}
