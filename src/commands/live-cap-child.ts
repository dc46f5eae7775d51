/**
 * The program that captures with `cap`, in a process of its own: an interface that goes away ends the process, and an open that failed
 * leaves it unusable. Arguments: interface, filter, bytes kept of each frame. Writes a pcap stream to standard output and tells its
 * parent by messages whether it listens.
 */
import { createRequire } from 'node:module';
import type { CapMessage } from '../capture/live-cap.ts';

/** The part of the package that is used. Ref: npm package cap */
interface CapDevice {
  open(device: string, filter: string, bufferBytes: number, frame: Buffer): string;
  on(event: 'packet', listener: (length: number, isCut: boolean) => void): void;
  close(): void;
}

const KERNEL_BUFFER_BYTES = 128 * 1024 * 1024;
/** The longest frame that cap gives: its snap length cannot be set. */
const FRAME_BYTES = 65_535;
const RECORD_HEADER_LENGTH = 16;
const CHUNK_BYTES = 1 << 18;
/** A parent that does not read for so long that this waits for it loses frames, and is told how many. */
const MOST_WAITING_BYTES = 64 * 1024 * 1024;
const FLUSH_MILLISECONDS = 5;
const NANOSECOND_MAGIC = 0xa1b23c4d;
const LINK_TYPES: Readonly<Record<string, number>> = {
  ETHERNET: 1,
  RAW: 101,
  NULL: 0,
  LINKTYPE_LINUX_SLL: 113,
  LINUX_SLL: 113,
};

const [device = '', filter = '', snapLength = '256'] = process.argv.slice(2);
// Kept as long as the process lives: the package writes to it without holding it.
const frame = Buffer.alloc(FRAME_BYTES);
const mostBytes = Number(snapLength);
let chunk = Buffer.allocUnsafe(CHUNK_BYTES);
let used = 0;
let lost = 0;
let told = 0;

function tell(message: CapMessage): void {
  process.send?.(message);
}

function flush(): void {
  if (used > 0) {
    process.stdout.write(chunk.subarray(0, used));
    chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    used = 0;
  }
  if (lost > told) tell({ lost });
  told = lost;
}

/** Nanoseconds since 1970 of now: the wall clock of the start, and from there on the monotonic one. */
const base = BigInt(Date.now()) * 1_000_000n - process.hrtime.bigint();

function take(length: number): void {
  if (process.stdout.writableLength > MOST_WAITING_BYTES) {
    lost++;
    return;
  }
  const kept = Math.min(length, mostBytes);
  if (used + RECORD_HEADER_LENGTH + kept > CHUNK_BYTES) flush();
  const now = base + process.hrtime.bigint();
  chunk.writeUInt32LE(Number(now / 1_000_000_000n), used);
  chunk.writeUInt32LE(Number(now % 1_000_000_000n), used + 4);
  chunk.writeUInt32LE(kept, used + 8);
  chunk.writeUInt32LE(length, used + 12);
  frame.copy(chunk, used + RECORD_HEADER_LENGTH, 0, kept);
  used += RECORD_HEADER_LENGTH + kept;
}

function main(): void {
  let capture: CapDevice;
  try {
    const { Cap } = createRequire(import.meta.url)('cap') as { Cap: new () => CapDevice };
    capture = new Cap();
    const name = capture.open(device, filter, KERNEL_BUFFER_BYTES, frame);
    const linkType = LINK_TYPES[name];
    if (linkType === undefined) throw new Error(`frames of ${name} are not read by cap`);
    writeHeader(linkType);
    capture.on('packet', (length) => take(length));
  } catch (error) {
    tell({ refused: error instanceof Error ? error.message : String(error) });
    process.disconnect();
    return;
  }
  const timer = setInterval(flush, FLUSH_MILLISECONDS);
  const end = (): void => {
    clearInterval(timer);
    capture.close();
    flush();
    process.stdout.end(() => process.exit(0));
  };
  process.on('message', end);
  // The parent is gone: nobody reads.
  process.on('disconnect', () => process.exit(0));
  process.stdout.on('error', () => process.exit(0));
  tell({ listening: true });
}

function writeHeader(linkType: number): void {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(NANOSECOND_MAGIC, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(mostBytes, 16);
  header.writeUInt32LE(linkType, 20);
  process.stdout.write(header);
}

main();
