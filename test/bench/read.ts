/**
 * Measures reading and decoding: `npx tsx test/bench/read.ts [PACKETS] [FORMAT]` writes a capture of that many packets (default 2 million,
 * format pcap, pcapng or shuffled) to a temporary folder, reads it and prints packets per second and the peak of resident memory.
 */
import { closeSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openCaptureSet } from '../../src/capture/open-capture.ts';
import { PacketBatch } from '../../src/wire/packet-batch.ts';

const CONNECTIONS = 3000;
const FRAME_LENGTHS = [66, 66, 66, 214, 590, 1514, 1514] as const;
const PIECE_BYTES = 0x100_0000;
const ROUNDS = 3;

const packetCount = Number(process.argv[2] ?? 2_000_000);
const format = process.argv[3] ?? 'pcap';
const folder = mkdtempSync(join(tmpdir(), 'read-bench-'));
try {
  const path = join(folder, 'bench.cap');
  writeCapture(path);
  const megabytes = statSync(path).size / 1e6;
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    const count = await readAll(path);
    const seconds = (performance.now() - start) / 1000;
    if (count !== packetCount) throw new Error(`read ${count} of ${packetCount} packets`);
    console.log(
      `${format}: ${count} packets, ${megabytes.toFixed(0)} MB in ${seconds.toFixed(2)} s: ${(count / seconds / 1e6).toFixed(2)} million packets/s, ${(megabytes / seconds).toFixed(0)} MB/s`,
    );
  }
  console.log(`peak resident memory ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB`);
} finally {
  rmSync(folder, { recursive: true });
}

async function readAll(path: string): Promise<number> {
  const captures = await openCaptureSet([{ path }]);
  const batch = new PacketBatch(4096);
  let count = 0;
  while (await captures.next(batch)) count += batch.length;
  await captures.close();
  return count;
}

function writeCapture(path: string): void {
  const file = openSync(path, 'w');
  const piece = Buffer.alloc(PIECE_BYTES);
  let at = 0;
  const isNext = format !== 'pcap';
  if (isNext) {
    at = sectionHeader(piece, at);
    for (let index = 0; index < 3; index++) at = interfaceDescription(piece, at);
  } else {
    piece.writeUInt32LE(0xa1b2c3d4, 0);
    piece.writeUInt16LE(2, 4);
    piece.writeUInt16LE(4, 6);
    piece.writeUInt32LE(262_144, 16);
    piece.writeUInt32LE(1, 20);
    at = 24;
  }
  for (let index = 0; index < packetCount; index++) {
    if (at > PIECE_BYTES - 2048) {
      writeSync(file, piece, 0, at);
      at = 0;
    }
    // Three interfaces written in batches of 300, as dumpcap does.
    const time =
      format === 'shuffled' ? index - (index % 900) + 3 * (index % 300) + (Math.floor(index / 300) % 3) : index;
    at = isNext ? enhancedPacket(piece, at, time, Math.floor(index / 300) % 3, index) : record(piece, at, time, index);
  }
  writeSync(file, piece, 0, at);
  closeSync(file);
}

function record(piece: Buffer, at: number, time: number, index: number): number {
  const length = FRAME_LENGTHS[index % FRAME_LENGTHS.length]!;
  piece.writeUInt32LE(1_700_000_000 + Math.floor(time / 100_000), at);
  piece.writeUInt32LE((time % 100_000) * 10, at + 4);
  piece.writeUInt32LE(length, at + 8);
  piece.writeUInt32LE(length, at + 12);
  return frame(piece, at + 16, length, index);
}

function enhancedPacket(piece: Buffer, at: number, time: number, source: number, index: number): number {
  const length = FRAME_LENGTHS[index % FRAME_LENGTHS.length]!;
  const blockLength = 32 + ((length + 3) & ~3);
  const stamp = 1_700_000_000_000_000 + time * 10;
  piece.writeUInt32LE(6, at);
  piece.writeUInt32LE(blockLength, at + 4);
  piece.writeUInt32LE(source, at + 8);
  piece.writeUInt32LE(Math.floor(stamp / 0x1_0000_0000), at + 12);
  piece.writeUInt32LE(stamp % 0x1_0000_0000, at + 16);
  piece.writeUInt32LE(length, at + 20);
  piece.writeUInt32LE(length, at + 24);
  frame(piece, at + 28, length, index);
  piece.writeUInt32LE(blockLength, at + blockLength - 4);
  return at + blockLength;
}

function sectionHeader(piece: Buffer, at: number): number {
  piece.writeUInt32LE(0x0a0d0d0a, at);
  piece.writeUInt32LE(28, at + 4);
  piece.writeUInt32LE(0x1a2b3c4d, at + 8);
  piece.writeUInt16LE(1, at + 12);
  piece.fill(0xff, at + 16, at + 24);
  piece.writeUInt32LE(28, at + 24);
  return at + 28;
}

function interfaceDescription(piece: Buffer, at: number): number {
  piece.writeUInt32LE(1, at);
  piece.writeUInt32LE(20, at + 4);
  piece.writeUInt16LE(1, at + 8);
  piece.writeUInt32LE(262_144, at + 12);
  piece.writeUInt32LE(20, at + 16);
  return at + 20;
}

/** Ethernet, IPv4 and TCP with timestamps of one of the connections. */
function frame(piece: Buffer, at: number, length: number, index: number): number {
  const connection = index % CONNECTIONS;
  piece.writeUIntBE(0x020000000001, at, 6);
  piece.writeUIntBE(0x020000000002, at + 6, 6);
  piece.writeUInt16BE(0x0800, at + 12);
  piece.writeUInt16BE(0x4500, at + 14);
  piece.writeUInt16BE(length - 14, at + 16);
  piece.writeUInt16BE(index & 0xffff, at + 18);
  piece.writeUInt16BE(0x4000, at + 20);
  piece.writeUInt16BE(0x4006, at + 22);
  piece.writeUInt32BE(0xc0a80000 + (connection % 250), at + 26);
  piece.writeUInt32BE(0x0a00000a, at + 30);
  piece.writeUInt16BE(40_000 + connection, at + 34);
  piece.writeUInt16BE(3389, at + 36);
  piece.writeUInt32BE(index, at + 38);
  piece.writeUInt32BE(index, at + 42);
  piece.writeUInt16BE(0x8010, at + 46);
  piece.writeUInt16BE(501, at + 48);
  piece.writeUInt32BE(0x0101080a, at + 54);
  return at + length;
}
