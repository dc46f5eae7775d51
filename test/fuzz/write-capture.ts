/** Writes frames as pcap or pcapng, correctly or with lies in it. */
import { gzipSync } from 'node:zlib';
import type { Random } from './random.ts';

export interface Frame {
  seconds: number;
  nanoseconds: number;
  linkType: number;
  interface: string | undefined;
  originalLength: number;
  bytes: Buffer;
}

export interface WriteOptions {
  readonly format: 'pcap' | 'pcapng';
  readonly littleEndian: boolean;
  readonly nanoseconds: boolean;
  readonly gzip: boolean;
  /** A lie somewhere, where it is not 0: the share of records that lie. */
  readonly lies: number;
}

/** A correct file where `lies` is 0. A pcap has the link type of its first frame, and no interfaces. */
export function writeCapture(random: Random, frames: readonly Frame[], options: WriteOptions): Buffer {
  const bytes = options.format === 'pcap' ? writePcap(random, frames, options) : writePcapng(random, frames, options);
  return options.gzip ? gzipSync(bytes, { level: 1 }) : bytes;
}

class Writer {
  readonly parts: Buffer[] = [];
  readonly #little: boolean;
  constructor(little: boolean) {
    this.#little = little;
  }
  word(value: number): this {
    const bytes = Buffer.alloc(4);
    if (this.#little) bytes.writeUInt32LE(value >>> 0);
    else bytes.writeUInt32BE(value >>> 0);
    this.parts.push(bytes);
    return this;
  }
  half(value: number): this {
    const bytes = Buffer.alloc(2);
    if (this.#little) bytes.writeUInt16LE(value & 0xffff);
    else bytes.writeUInt16BE(value & 0xffff);
    this.parts.push(bytes);
    return this;
  }
  put(bytes: Uint8Array): this {
    this.parts.push(Buffer.from(bytes));
    return this;
  }
  end(): Buffer {
    return Buffer.concat(this.parts);
  }
}

const LYING_LENGTHS = [0, 1, 3, 4, 11, 12, 16, 0xffff, 0x1_0000, 0x4_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

function lengthOf(random: Random, length: number, lies: number): number {
  if (!random.chance(lies)) return length;
  return random.chance(0.5) ? random.pick(LYING_LENGTHS) : Math.max(0, length + random.between(-5, 5));
}

function writePcap(random: Random, frames: readonly Frame[], options: WriteOptions): Buffer {
  const writer = new Writer(options.littleEndian);
  writer
    .word(options.nanoseconds ? 0xa1b2_3c4d : 0xa1b2_c3d4)
    .half(2)
    .half(4)
    .word(0)
    .word(0);
  writer.word(lengthOf(random, 262_144, options.lies)).word(frames[0]?.linkType ?? 1);
  for (const frame of frames) {
    writer.word(frame.seconds).word(options.nanoseconds ? frame.nanoseconds : Math.floor(frame.nanoseconds / 1000));
    writer.word(lengthOf(random, frame.bytes.length, options.lies));
    writer.word(lengthOf(random, frame.originalLength, options.lies)).put(frame.bytes);
  }
  return writer.end();
}

function block(random: Random, options: WriteOptions, type: number, body: Buffer): Buffer {
  const padded = Buffer.concat([body, Buffer.alloc((4 - (body.length % 4)) % 4)]);
  const length = padded.length + 12;
  const writer = new Writer(options.littleEndian);
  writer
    .word(type)
    .word(lengthOf(random, length, options.lies))
    .put(padded);
  return writer.word(lengthOf(random, length, options.lies)).end();
}

function option(options: WriteOptions, code: number, value: Buffer, length = value.length): Buffer {
  const writer = new Writer(options.littleEndian);
  return writer
    .half(code)
    .half(length)
    .put(value)
    .put(Buffer.alloc((4 - (value.length % 4)) % 4))
    .end();
}

function writePcapng(random: Random, frames: readonly Frame[], options: WriteOptions): Buffer {
  const parts: Buffer[] = [];
  const section = new Writer(options.littleEndian)
    .word(0x1a2b_3c4d)
    .half(1)
    .half(0)
    .word(0xffff_ffff)
    .word(0xffff_ffff);
  parts.push(block(random, options, 0x0a0d_0d0a, section.end()));
  const interfaces = new Map<string, number>();
  for (const frame of frames) {
    const key = `${frame.linkType} ${frame.interface ?? ''}`;
    let id = interfaces.get(key);
    if (id === undefined) {
      id = interfaces.size;
      interfaces.set(key, id);
      parts.push(describeInterface(random, options, frame));
    }
    if (random.chance(options.lies / 4)) parts.push(strangeBlock(random, options));
    parts.push(packetBlock(random, options, frame, id));
  }
  return Buffer.concat(parts);
}

function describeInterface(random: Random, options: WriteOptions, frame: Frame): Buffer {
  const body = new Writer(options.littleEndian).half(frame.linkType).half(0).word(262_144);
  if (frame.interface !== undefined) {
    const name = Buffer.from(frame.interface);
    body.put(option(options, 2, name, lengthOf(random, name.length, options.lies)));
  }
  const resolution = random.chance(options.lies) ? random.below(256) : options.nanoseconds ? 9 : 6;
  body.put(option(options, 9, Buffer.from([resolution])));
  if (random.chance(options.lies)) body.put(option(options, 14, random.bytes(8)));
  if (random.chance(0.9)) body.put(option(options, 0, Buffer.alloc(0)));
  return block(random, options, 1, body.end());
}

function packetBlock(random: Random, options: WriteOptions, frame: Frame, id: number): Buffer {
  const units = options.nanoseconds ? 1_000_000_000 : 1_000_000;
  const time = BigInt(frame.seconds) * BigInt(units) + BigInt(Math.floor((frame.nanoseconds * units) / 1e9));
  const body = new Writer(options.littleEndian).word(random.chance(options.lies) ? random.below(9) : id);
  body.word(Number((time >> 32n) & 0xffff_ffffn)).word(Number(time & 0xffff_ffffn));
  body
    .word(lengthOf(random, frame.bytes.length, options.lies))
    .word(frame.originalLength)
    .put(frame.bytes);
  body.put(Buffer.alloc((4 - (frame.bytes.length % 4)) % 4));
  if (random.chance(options.lies)) {
    body.put(
      option(options, random.pick([1, 2, 4, 5, 0x8001]), random.bytes(random.pick([0, 4, 8, 9])), random.below(20)),
    );
  }
  return block(random, options, 6, body.end());
}

/** Simple packets, statistics, names, sections, the obsolete packet block, and blocks of no type. */
function strangeBlock(random: Random, options: WriteOptions): Buffer {
  const type = random.pick([1, 2, 3, 4, 5, 6, 9, 10, 0xbad, 0x4000_0bad, 0x0a0d_0d0a, random.next()]);
  return block(random, options, type, random.bytes(random.pick([0, 4, 12, 16, 20, 40, 100])));
}
