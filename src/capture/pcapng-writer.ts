import { closeSync, openSync, writeSync } from 'node:fs';
import { InputError } from '../text/input-error.ts';
import type { SniffedFrame } from './live-captures.ts';

const SECTION_HEADER = 0x0a0d0d0a;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const INTERFACE_DESCRIPTION = 1;
const INTERFACE_STATISTICS = 5;
const ENHANCED_PACKET = 6;
const IF_NAME = 2;
const IF_TSRESOL = 9;
const NANOSECONDS = 9;
const ISB_SYSTEM_DROPS = 7;

const BUFFER_BYTES = 1 << 20;
/** Longest frame and its block. */
const MOST_BLOCK_BYTES = (1 << 18) + 64;

/** Writes frames of several interfaces to one pcapng file. Ref: draft-ietf-opsawg-pcapng */
export class PcapngWriter {
  readonly #path: string;
  readonly #descriptor: number;
  readonly #buffer = Buffer.alloc(BUFFER_BYTES);
  readonly #interfaces = new Map<string, number>();
  /** The first interface of each source: its losses are written there. */
  readonly #interfaceOfSource = new Map<number, number>();
  #length = 0;
  #lastTime = 0n;

  /** Throws an InputError where the file cannot be made. */
  constructor(path: string) {
    this.#path = path;
    try {
      this.#descriptor = openSync(path, 'w', 0o600);
    } catch (error) {
      throw new InputError(`--write ${path}: cannot be written (${codeOf(error)})`);
    }
    this.#block(SECTION_HEADER, 16, (at) => {
      this.#buffer.writeUInt32LE(BYTE_ORDER_MAGIC, at);
      this.#buffer.writeUInt16LE(1, at + 4);
      this.#buffer.writeUInt16LE(0, at + 6);
      this.#buffer.writeBigInt64LE(-1n, at + 8);
    });
  }

  /** Throws an InputError where the disk is full, and the like. */
  write(frame: SniffedFrame): void {
    const { bytes } = frame;
    const position = this.#interfaceOf(frame);
    const time = BigInt(frame.seconds) * 1_000_000_000n + BigInt(frame.nanoseconds);
    this.#lastTime = time;
    this.#block(ENHANCED_PACKET, 20 + padded(bytes.length), (at) => {
      this.#buffer.writeUInt32LE(position, at);
      this.#buffer.writeUInt32LE(Number(time >> 32n), at + 4);
      this.#buffer.writeUInt32LE(Number(time & 0xffffffffn), at + 8);
      this.#buffer.writeUInt32LE(bytes.length, at + 12);
      this.#buffer.writeUInt32LE(Math.max(frame.originalLength, bytes.length), at + 16);
      this.#buffer.set(bytes, at + 20);
      this.#buffer.fill(0, at + 20 + bytes.length, at + 20 + padded(bytes.length));
    });
  }

  /** Writes what is buffered, so that a reader finds whole blocks. */
  flush(): void {
    try {
      for (let offset = 0; offset < this.#length; )
        offset += writeSync(this.#descriptor, this.#buffer, offset, this.#length - offset);
    } catch (error) {
      throw new InputError(`--write ${this.#path}: cannot be written any further (${codeOf(error)})`);
    }
    this.#length = 0;
  }

  /** `lost`: frames that each source lost. */
  close(lost: readonly (number | undefined)[]): void {
    lost.forEach((count, source) => {
      const position = this.#interfaceOfSource.get(source);
      if (position === undefined || count === undefined) return;
      this.#block(INTERFACE_STATISTICS, 28, (at) => {
        this.#buffer.writeUInt32LE(position, at);
        this.#buffer.writeUInt32LE(Number(this.#lastTime >> 32n), at + 4);
        this.#buffer.writeUInt32LE(Number(this.#lastTime & 0xffffffffn), at + 8);
        this.#buffer.writeUInt16LE(ISB_SYSTEM_DROPS, at + 12);
        this.#buffer.writeUInt16LE(8, at + 14);
        this.#buffer.writeBigUInt64LE(BigInt(count), at + 16);
        this.#buffer.writeUInt32LE(0, at + 24);
      });
    });
    this.flush();
    closeSync(this.#descriptor);
  }

  #interfaceOf(frame: SniffedFrame): number {
    const key = `${frame.source} ${frame.linkType} ${frame.interface}`;
    const known = this.#interfaces.get(key);
    if (known !== undefined) return known;
    const position = this.#interfaces.size;
    this.#interfaces.set(key, position);
    if (!this.#interfaceOfSource.has(frame.source)) this.#interfaceOfSource.set(frame.source, position);
    const name = Buffer.from(frame.interface).subarray(0, 255);
    this.#block(INTERFACE_DESCRIPTION, 8 + 4 + padded(name.length) + 8 + 4, (at) => {
      this.#buffer.fill(0, at, at + 24 + padded(name.length));
      this.#buffer.writeUInt16LE(frame.linkType, at);
      this.#buffer.writeUInt32LE(0, at + 4);
      this.#buffer.writeUInt16LE(IF_NAME, at + 8);
      this.#buffer.writeUInt16LE(name.length, at + 10);
      this.#buffer.set(name, at + 12);
      const next = at + 12 + padded(name.length);
      this.#buffer.writeUInt16LE(IF_TSRESOL, next);
      this.#buffer.writeUInt16LE(1, next + 2);
      this.#buffer.writeUInt8(NANOSECONDS, next + 4);
    });
    return position;
  }

  #block(type: number, bodyLength: number, fill: (at: number) => void): void {
    const length = bodyLength + 12;
    if (length > MOST_BLOCK_BYTES) return;
    if (this.#length + length > BUFFER_BYTES) this.flush();
    const at = this.#length;
    this.#buffer.writeUInt32LE(type, at);
    this.#buffer.writeUInt32LE(length, at + 4);
    fill(at + 8);
    this.#buffer.writeUInt32LE(length, at + length - 4);
    this.#length += length;
  }
}

function padded(length: number): number {
  return (length + 3) & ~3;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
