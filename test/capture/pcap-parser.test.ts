import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'pcap-parser';
import { describe, expect, it } from 'vitest';
import { type RawFrame, readRawFrames } from '../../src/capture/open-capture.ts';
import { layOut } from '../wire/frame-bytes.ts';
import { FRAME, numberedFrame, type PcapFrame, pcapFile, temporaryFolder } from './capture-bytes.ts';

/**
 * `pcap-parser` reads classic pcap independently of us: both must yield the same packets on every file that both support, which is classic
 * pcap with microseconds.
 */

interface Packet {
  readonly seconds: number;
  readonly microseconds: number;
  readonly capturedLength: number;
  readonly originalLength: number;
  readonly bytes: string;
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const folder = temporaryFolder();

const FRAMES: readonly PcapFrame[] = [
  {},
  { seconds: 0xffffffff, fraction: 999_999, bytes: numberedFrame(2), originalLength: 0xffffffff },
  { bytes: FRAME.subarray(0, 1), originalLength: 1514 },
  { bytes: new Uint8Array(0), originalLength: 60 },
  { seconds: 0, bytes: layOut(FRAME, new Uint8Array(9000)) },
  { originalLength: 20 },
];

/** Larger than what either reader takes at once. */
const LONG: readonly PcapFrame[] = Array.from({ length: 2500 }, (_, index) => ({
  seconds: 1_700_000_000 + index,
  fraction: (index * 7919) % 1_000_000,
  bytes: layOut(numberedFrame(index), new Uint8Array((index * 31) % 1460).fill(index & 255)),
}));

const GENERATED: readonly { readonly name: string; readonly content: Uint8Array }[] = [true, false].flatMap(
  (littleEndian) => {
    const order = littleEndian ? 'little' : 'big';
    return [
      { name: `${order}-endian`, content: pcapFile(FRAMES, { littleEndian }) },
      { name: `${order}-endian, longer`, content: pcapFile(LONG, { littleEndian }) },
      { name: `${order}-endian, cooked`, content: pcapFile(FRAMES, { littleEndian, linkType: 113 }) },
      { name: `${order}-endian, without packets`, content: pcapFile([], { littleEndian }) },
      { name: `${order}-endian, cut off`, content: pcapFile(FRAMES, { littleEndian }).subarray(0, -3) },
    ];
  },
);

/** Both support the file: microseconds, of either byte order. */
function isShared(path: string): boolean {
  const magic = readFileSync(path).subarray(0, 4).toString('hex');
  return magic === 'a1b2c3d4' || magic === 'd4c3b2a1';
}

/** Files of a folder and its folders, by their paths from the root. */
function pcapFilesOf(directory: string): string[] {
  const names = readdirSync(join(ROOT, directory), { recursive: true, encoding: 'utf8' });
  return names.filter((name) => name.endsWith('.pcap')).map((name) => join(directory, name));
}

// The package's own test files come from other programs than the stored captures.
const STORED = [...pcapFilesOf('captures'), ...pcapFilesOf('node_modules/pcap-parser/test')]
  .filter((path) => isShared(join(ROOT, path)))
  .sort();

describe('our reader and pcap-parser yield the same packets', () => {
  it.each(GENERATED)('of a generated file, $name', async ({ name, content }) => {
    const path = folder.write(`${name.replace(/\W+/g, '-')}.pcap`, content);
    const want = await readWithPcapParser(path);
    expect(want.length > 0).toBe(!name.endsWith('without packets'));
    expect(await readWithOurs(path)).toEqual(want);
  });

  it.each(STORED)('of %s', async (path) => {
    expect(await readWithOurs(join(ROOT, path))).toEqual(await readWithPcapParser(join(ROOT, path)));
  });

  it('and the stored files hold some', async () => {
    let count = 0;
    for (const path of STORED) count += (await readWithPcapParser(join(ROOT, path))).length;
    expect(count).toBeGreaterThan(0);
  });
});

async function readWithOurs(path: string): Promise<Packet[]> {
  const packets: Packet[] = [];
  for await (const frame of readRawFrames({ path })) packets.push(packetOf(frame));
  return packets;
}

function packetOf(frame: RawFrame): Packet {
  return {
    seconds: frame.seconds,
    microseconds: frame.nanoseconds / 1000,
    capturedLength: frame.capturedLength,
    originalLength: frame.originalLength,
    bytes: Buffer.from(frame.bytes).toString('hex'),
  };
}

function readWithPcapParser(path: string): Promise<Packet[]> {
  return new Promise((resolve, reject) => {
    const packets: Packet[] = [];
    const parser = parse(path);
    parser.on('packet', ({ header, data }) => {
      packets.push({
        seconds: header.timestampSeconds,
        microseconds: header.timestampMicroseconds,
        capturedLength: header.capturedLength,
        originalLength: header.originalLength,
        bytes: Buffer.from(data).toString('hex'),
      });
    });
    parser.on('error', reject);
    parser.on('end', () => resolve(packets));
  });
}
