import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { openCaptureSet } from '../../src/capture/open-capture.ts';
import type { CaptureInput, CaptureSet, OpenOptions } from '../../src/capture/capture-set.ts';
import { PacketBatch } from '../../src/wire/packet-batch.ts';
import { type Row, rowOf } from '../wire/decoded-row.ts';
import { CLIENT_MAC, ethernet, ipv4, layOut, ROUTER_MAC, tcp } from '../wire/frame-bytes.ts';

/** A frame of 54 bytes: Ethernet, IPv4, TCP. */
export const FRAME = ethernet(0x0800, ipv4({}, tcp()));

/** A frame of 54 bytes whose TCP window is the number given: told apart by it after decoding. */
export function numberedFrame(number: number): Uint8Array {
  const frame = FRAME.slice();
  frame[48] = number >>> 8;
  frame[49] = number & 255;
  return frame;
}

/** Writes numbers in either byte order. */
export interface Writer {
  u8(value: number): Uint8Array;
  u16(value: number): Uint8Array;
  u32(value: number): Uint8Array;
  u64(value: bigint): Uint8Array;
}

export function writerOf(littleEndian: boolean): Writer {
  const ordered = (bytes: Uint8Array): Uint8Array => (littleEndian ? bytes.reverse() : bytes);
  return {
    u8: (value) => layOut([1, value]),
    u16: (value) => ordered(layOut([2, value])),
    u32: (value) => ordered(layOut([4, value])),
    u64: (value) => {
      const bits = BigInt.asUintN(64, value);
      return ordered(layOut([4, Number(bits >> 32n)], [4, Number(bits & 0xffff_ffffn)]));
    },
  };
}

export interface PcapFrame {
  readonly seconds?: number;
  readonly fraction?: number;
  readonly bytes?: Uint8Array;
  readonly capturedLength?: number;
  readonly originalLength?: number;
}

export interface PcapOptions {
  readonly littleEndian?: boolean;
  readonly magic?: number;
  readonly major?: number;
  readonly minor?: number;
  readonly snapLength?: number;
  readonly linkType?: number;
}

/** A classic pcap file. */
export function pcapFile(frames: readonly PcapFrame[], given: PcapOptions = {}): Uint8Array {
  const { u16, u32 } = writerOf(given.littleEndian ?? true);
  const records = frames.map((frame, index) => {
    const bytes = frame.bytes ?? FRAME;
    return layOut(
      u32(frame.seconds ?? 1_700_000_000),
      u32(frame.fraction ?? index),
      u32(frame.capturedLength ?? bytes.length),
      u32(frame.originalLength ?? bytes.length),
      bytes,
    );
  });
  return layOut(
    u32(given.magic ?? 0xa1b2c3d4),
    u16(given.major ?? 2),
    u16(given.minor ?? 4),
    u32(0), // time zone
    u32(0), // accuracy
    u32(given.snapLength ?? 262_144),
    u32(given.linkType ?? 1),
    ...records,
  );
}

/** An option of a pcapng block: its code and value, which is padded here. */
export type BlockOption = readonly [code: number, value: Uint8Array];

/** A pcapng block; its length counts header and trailer. */
export function block(
  writer: Writer,
  type: number,
  body: Uint8Array,
  lies: { length?: number; trailer?: number } = {},
): Uint8Array {
  const padded = pad(body);
  const length = lies.length ?? padded.length + 12;
  return layOut(writer.u32(type), writer.u32(length), padded, writer.u32(lies.trailer ?? length));
}

export function options(writer: Writer, list: readonly BlockOption[]): Uint8Array {
  if (list.length === 0) return new Uint8Array(0);
  const parts = list.map(([code, value]) => layOut(writer.u16(code), writer.u16(value.length), pad(value)));
  return layOut(...parts, writer.u32(0)); // end of options
}

export function sectionHeader(writer: Writer, major = 1, minor = 0): Uint8Array {
  return block(
    writer,
    0x0a0d0d0a,
    layOut(writer.u32(0x1a2b3c4d), writer.u16(major), writer.u16(minor), writer.u64(-1n)), // section length: not said
  );
}

export function interfaceDescription(
  writer: Writer,
  list: readonly BlockOption[] = [],
  linkType = 1,
  snapLength = 262_144,
): Uint8Array {
  return block(writer, 1, layOut(writer.u16(linkType), writer.u16(0), writer.u32(snapLength), options(writer, list)));
}

export interface EnhancedPacket {
  readonly interfaceId?: number;
  readonly time?: bigint;
  readonly bytes?: Uint8Array;
  readonly capturedLength?: number;
  readonly originalLength?: number;
  readonly options?: readonly BlockOption[];
}

export function enhancedPacket(writer: Writer, given: EnhancedPacket = {}): Uint8Array {
  const bytes = given.bytes ?? FRAME;
  const time = given.time ?? 1_700_000_000_000_000n;
  return block(
    writer,
    6,
    layOut(
      writer.u32(given.interfaceId ?? 0),
      writer.u32(Number(time >> 32n)),
      writer.u32(Number(time & 0xffff_ffffn)),
      writer.u32(given.capturedLength ?? bytes.length),
      writer.u32(given.originalLength ?? bytes.length),
      pad(bytes),
      options(writer, given.options ?? []),
    ),
  );
}

function pad(bytes: Uint8Array): Uint8Array {
  return layOut(bytes, new Uint8Array((4 - (bytes.length % 4)) % 4));
}

/** A temporary folder that the test file's end removes; writes files into it and gives their paths. */
export function temporaryFolder(): { readonly path: string; write(name: string, content: Uint8Array): string } {
  const path = mkdtempSync(join(tmpdir(), 'capture-test-'));
  afterAll(() => rmSync(path, { recursive: true }));
  return {
    path,
    write(name, content) {
      const file = join(path, name);
      writeFileSync(file, content);
      return file;
    },
  };
}

/** Everything of some captures: each frame's columns, and the set after it was read and closed. */
export async function readAll(
  inputs: readonly CaptureInput[],
  given: OpenOptions = {},
  batchCapacity = 64,
): Promise<{ readonly rows: readonly Row[]; readonly captures: CaptureSet }> {
  const captures = await openCaptureSet(inputs, given);
  const batch = new PacketBatch(batchCapacity);
  const rows: Row[] = [];
  while (await captures.next(batch)) {
    for (let row = 0; row < batch.length; row++) rows.push(rowOf(batch, row));
  }
  await captures.close();
  return { rows, captures };
}

export { CLIENT_MAC, ROUTER_MAC };
