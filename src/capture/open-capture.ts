import type { Problem } from '../diagnostic/diagnostic.ts';
import { InputError } from '../text/input-error.ts';
import { PacketBatch } from '../wire/packet-batch.ts';
import { type ByteSource, openByteSource } from './byte-source.ts';
import { ByteStream } from './byte-stream.ts';
import { CaptureFile } from './capture-file.ts';
import type { CaptureFileSummary, CaptureInput, CaptureInterface, CaptureSet, OpenOptions } from './capture-set.ts';
import { gunzipSource } from './compressed.ts';
import { type FrameReader, ReadResult } from './frame-reader.ts';
import { openPcap } from './pcap.ts';
import { openPcapng } from './pcapng.ts';
import { RECOGNISE_BYTES, recognise } from './recognise.ts';
import { TimeOrder } from './time-order.ts';

const DEFAULT_REORDER_WINDOW = 65_536;

/** A file's own share of the window where many are open, at least. */
const MIN_SHARED_WINDOW = 4096;

/** A record of either format takes at least this. */
const MIN_RECORD_BYTES = 16;

/**
 * Opens captures, merged by time: classic pcap, pcapng, either of them in gzip; files or standard input (`-`). What a file is, is told by
 * its content. Throws an {@link InputError} of one line where a file cannot be opened or is no capture; what is wrong further on in a file
 * is in {@link CaptureSet.problems}. The frames of equal times come in the order of the files, then in that of the file.
 */
export async function openCaptureSet(inputs: readonly CaptureInput[], options: OpenOptions = {}): Promise<CaptureSet> {
  const interfaces: CaptureInterface[] = [];
  const opened: OpenFile[] = [];
  try {
    for (const input of inputs) {
      if (input.path === '-' && opened.some((other) => other.file.path === '-')) {
        throw new InputError('-: standard input can be read only once');
      }
      opened.push(await openCapture(input, opened.length, interfaces, options.verifyChecksums ?? false));
    }
  } catch (error) {
    await closeAll(opened);
    throw error;
  }
  const window = windowOfFile(options.reorderWindow ?? DEFAULT_REORDER_WINDOW, inputs.length);
  return new MergedCaptures(interfaces, opened, window);
}

/** A frame as it stands in a file, not decoded. */
export interface RawFrame {
  /** From 1. */
  readonly frameNumber: number;
  readonly seconds: number;
  readonly nanoseconds: number;
  /** As the record says; `originalLength` may be a lie below `capturedLength`. */
  readonly capturedLength: number;
  readonly originalLength: number;
  /** LINKTYPE_ number. */
  readonly linkType: number;
  /** A copy of the captured bytes. */
  readonly bytes: Uint8Array;
}

/** What is known of a capture once its frames were read. */
export interface RawFramesEnd {
  readonly summary: CaptureFileSummary;
  readonly problems: readonly Problem[];
  readonly interfaces: readonly CaptureInterface[];
}

/** Reads the frames of one capture in file order, with their bytes; tells at the end what it was. Throws as {@link openCaptureSet} does. */
export async function* readRawFrames(
  input: CaptureInput,
  onEnd?: (end: RawFramesEnd) => void,
): AsyncGenerator<RawFrame, void, void> {
  const interfaces: CaptureInterface[] = [];
  const opened = await openCapture(input, 0, interfaces, false);
  const { reader, file } = opened;
  const batch = new PacketBatch(1);
  try {
    for (;;) {
      batch.clearRow(0);
      const result = reader.next(batch, 0);
      if (result === ReadResult.end) {
        onEnd?.({ summary: file.summary(), problems: file.problems(), interfaces });
        return;
      }
      if (result === ReadResult.needsMore) {
        await reader.advance();
        continue;
      }
      yield {
        frameNumber: batch.frameNumber[0]!,
        seconds: batch.seconds[0]!,
        nanoseconds: batch.nanoseconds[0]!,
        capturedLength: reader.frameCapturedLength,
        originalLength: reader.frameOriginalLength,
        linkType: reader.frameLinkType,
        bytes: reader.frameBytes.slice(reader.frameOffset, reader.frameOffset + reader.frameCapturedLength),
      };
    }
  } finally {
    await opened.source.close();
  }
}

interface OpenFile {
  /** More frames the file cannot have: a window for more would cost a small file its start. */
  readonly frameLimit: number;
  readonly file: CaptureFile;
  readonly source: ByteSource;
  readonly reader: FrameReader;
}

async function openCapture(
  input: CaptureInput,
  index: number,
  interfaces: CaptureInterface[],
  verifyChecksums: boolean,
): Promise<OpenFile> {
  const opened = await openByteSource(input.path);
  const begun = await openStream(input, opened, verifyChecksums, (format) => {
    return new CaptureFile(index, input, format, interfaces);
  });
  const size = begun.isCompressed ? undefined : begun.source.size;
  const frameLimit = size === undefined ? Number.POSITIVE_INFINITY : Math.ceil(size / MIN_RECORD_BYTES);
  return { ...begun, frameLimit };
}

/** A capture whose format is known and whose frames can be read. */
export interface OpenStream {
  readonly file: CaptureFile;
  /** Of the capture's own bytes: decompressed, where it was compressed. */
  readonly source: ByteSource;
  readonly reader: FrameReader;
  readonly isCompressed: boolean;
}

/**
 * Tells by its first bytes what a stream is, and opens its reader; `fileOf` makes the file that counts its frames. Throws an
 * {@link InputError} of one line where it is no capture, and closes the stream then.
 */
export async function openStream(
  input: CaptureInput,
  opened: ByteSource,
  verifyChecksums: boolean,
  fileOf: (format: 'pcap' | 'pcapng') => CaptureFile,
): Promise<OpenStream> {
  let source = opened;
  try {
    let begin = await readBegin(source);
    if (begin.length === 0) throw new InputError(`${input.path}: ${source.failure ?? 'is empty'}; ${EXPECTED}`);
    let recognised = recognise(begin);
    const isCompressed = recognised.kind === 'gzip';
    if (isCompressed) {
      source = gunzipSource(opened, begin);
      begin = await readBegin(source);
      recognised = recognise(begin);
    }
    if (recognised.kind === 'gzip' || recognised.kind === 'foreign') {
      throw new InputError(`${input.path}: ${describeForeign(recognised, isCompressed, begin, source)}; ${EXPECTED}`);
    }
    const file = fileOf(recognised.kind);
    const stream = new ByteStream(source, begin);
    const reader =
      recognised.kind === 'pcap'
        ? await openPcap(stream, recognised.magic, file, verifyChecksums)
        : await openPcapng(stream, file, verifyChecksums);
    return { file, source, reader, isCompressed };
  } catch (error) {
    await source.close();
    throw error;
  }
}

const EXPECTED = 'a pcap or pcapng capture, also in gzip, is expected';

function describeForeign(
  recognised: { readonly kind: 'gzip' } | { readonly kind: 'foreign'; readonly looksLike: string },
  isCompressed: boolean,
  begin: Uint8Array,
  source: ByteSource,
): string {
  if (recognised.kind === 'gzip') return 'is gzip inside gzip; unpack it once (gzip -d)';
  if (!isCompressed) return `is not a capture but looks like ${recognised.looksLike}`;
  if (begin.length === 0) return `holds nothing${source.failure === undefined ? '' : `: ${source.failure}`}`;
  return `is gzip that holds no capture but what looks like ${recognised.looksLike}`;
}

/** Reads no further than to what tells a capture: of a live one more may be long in coming. */
async function readBegin(source: ByteSource): Promise<Uint8Array> {
  const begin = new Uint8Array(RECOGNISE_BYTES);
  let length = 0;
  while (length < begin.length) {
    const count = await source.read(begin, length, begin.length - length);
    if (count === 0) break;
    length += count;
    if (recognise(begin.subarray(0, length)).kind !== 'foreign') break;
  }
  return begin.subarray(0, length);
}

/** Many files share the memory of two windows. */
function windowOfFile(reorderWindow: number, fileCount: number): number {
  if (fileCount <= 2) return reorderWindow;
  return Math.min(reorderWindow, Math.max(MIN_SHARED_WINDOW, Math.floor((2 * reorderWindow) / fileCount)));
}

async function closeAll(opened: readonly OpenFile[]): Promise<void> {
  for (const { source } of opened) await source.close();
}

/** Merges the files' ordered frames by time. */
class MergedCaptures implements CaptureSet {
  readonly interfaces: readonly CaptureInterface[];
  private readonly opened: readonly OpenFile[];
  private readonly orders: TimeOrder[];

  constructor(interfaces: readonly CaptureInterface[], opened: readonly OpenFile[], window: number) {
    this.interfaces = interfaces;
    this.opened = opened;
    this.orders = opened.map(
      ({ reader, file, frameLimit }) => new TimeOrder(reader, file, Math.min(window, frameLimit)),
    );
  }

  async next(batch: PacketBatch): Promise<boolean> {
    batch.length = 0;
    for (let index = 0; index < this.orders.length; ) {
      if (this.orders[index]!.hasReady || (await this.orders[index]!.fill())) index++;
      else this.orders.splice(index, 1);
    }
    while (batch.length < batch.capacity && this.takeRun(batch)) {
      // Each turn moves the frames of one file up to the time of the others' next.
    }
    return batch.length > 0;
  }

  files(): readonly CaptureFileSummary[] {
    return this.opened.map(({ file }) => file.summary());
  }

  problems(): readonly Problem[] {
    return this.opened.flatMap(({ file }) => file.problems());
  }

  progress(): { readonly read: number; readonly total?: number } {
    let read = 0;
    let total: number | undefined = 0;
    for (const { source } of this.opened) {
      read += source.bytesRead;
      total = source.size === undefined || total === undefined ? undefined : total + source.size;
    }
    return total === undefined ? { read } : { read, total };
  }

  async close(): Promise<void> {
    await closeAll(this.opened);
  }

  /** Moves the next frames of the file whose turn it is; false where a file has none ready, so that its next time is not known. */
  private takeRun(batch: PacketBatch): boolean {
    let chosen = -1;
    let seconds = Number.POSITIVE_INFINITY;
    let nanoseconds = 0;
    // The earliest of the other files: up to there the chosen one may go; through equal times only where it comes first.
    let limit = -1;
    let limitSeconds = Number.POSITIVE_INFINITY;
    let limitNanoseconds = 0;
    for (let index = 0; index < this.orders.length; index++) {
      const order = this.orders[index]!;
      if (!order.hasReady) return false;
      const ownSeconds = order.nextSeconds;
      const ownNanoseconds = order.nextNanoseconds;
      if (chosen < 0 || ownSeconds < seconds || (ownSeconds === seconds && ownNanoseconds < nanoseconds)) {
        limit = chosen;
        limitSeconds = seconds;
        limitNanoseconds = nanoseconds;
        chosen = index;
        seconds = ownSeconds;
        nanoseconds = ownNanoseconds;
      } else if (
        limit < 0 ||
        ownSeconds < limitSeconds ||
        (ownSeconds === limitSeconds && ownNanoseconds < limitNanoseconds)
      ) {
        limit = index;
        limitSeconds = ownSeconds;
        limitNanoseconds = ownNanoseconds;
      }
    }
    if (chosen < 0) return false;
    const order = this.orders[chosen]!;
    batch.length += order.take(batch, batch.length, limitSeconds, limitNanoseconds, chosen < limit);
    return true;
  }
}
