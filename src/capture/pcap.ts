import { InputError } from '../text/input-error.ts';
import { decodeFrameIntoClearRow } from '../wire/decode-frame.ts';
import { LinkType } from '../wire/link-type.ts';
import type { PacketBatch } from '../wire/packet-batch.ts';
import type { ByteStream } from './byte-stream.ts';
import type { CaptureFile } from './capture-file.ts';
import { readHalf, readWord } from './endian.ts';
import { CookedInterfaces, type FrameReader, frameLengthLimit, ReadResult } from './frame-reader.ts';

/** File header. Ref: draft-ietf-opsawg-pcap section 4 */
const VERSION_MAJOR = 4;
const VERSION_MINOR = 6;
const SNAP_LENGTH = 16;
const LINK_TYPE = 20;
const FILE_HEADER_LENGTH = 24;

/** Record header. Ref: draft-ietf-opsawg-pcap section 5 */
const SECONDS = 0;
const FRACTION = 4;
const CAPTURED_LENGTH = 8;
const ORIGINAL_LENGTH = 12;
const RECORD_HEADER_LENGTH = 16;

/** The upper bits of the link type's word tell of a frame check sequence, which the IP length leaves out as it does padding. */
const LINK_TYPE_MASK = 0xffff;

const MICROSECONDS = 0xa1b2c3d4;
const NANOSECONDS = 0xa1b23c4d;
/** A patched libpcap of the nineties; two incompatible record headers share its number. */
const MODIFIED = 0xa1b2cd34;

/** The byte order and fraction unit that a classic pcap file's first four bytes tell. */
export interface PcapMagic {
  readonly littleEndian: boolean;
  readonly nanosecondsPerUnit: 1 | 1000;
}

/** Recognises a classic pcap file by its first four bytes; `modified` for a dialect that cannot be told apart from another. */
export function recognisePcap(bytes: Uint8Array, at: number): PcapMagic | 'modified' | undefined {
  for (const littleEndian of [true, false]) {
    const magic = readWord(bytes, at, littleEndian);
    if (magic === MICROSECONDS) return { littleEndian, nanosecondsPerUnit: 1000 };
    if (magic === NANOSECONDS) return { littleEndian, nanosecondsPerUnit: 1 };
    if (magic === MODIFIED) return 'modified';
  }
  return undefined;
}

/** Opens the reader of a classic pcap file, whose stream stands at its begin. Throws an {@link InputError} where there is no file header. */
export async function openPcap(
  stream: ByteStream,
  magic: PcapMagic,
  file: CaptureFile,
  verifyChecksums: boolean,
): Promise<FrameReader> {
  while (stream.end - stream.position < FILE_HEADER_LENGTH) {
    if (!(await stream.more())) {
      throw new InputError(
        `${file.path}: ends inside the pcap file header; the capture was not written, record it again`,
      );
    }
  }
  const { bytes, position } = stream;
  const major = readHalf(bytes, position + VERSION_MAJOR, magic.littleEndian);
  const minor = readHalf(bytes, position + VERSION_MINOR, magic.littleEndian);
  // Before 2.4 the two lengths of a record came in either order.
  if (major !== 2 || minor < 4) {
    throw new InputError(
      `${file.path}: pcap version ${major}.${minor} is not supported, only 2.4; convert it with editcap -F pcapng`,
    );
  }
  const snapLength = readWord(bytes, position + SNAP_LENGTH, magic.littleEndian);
  const linkType = readWord(bytes, position + LINK_TYPE, magic.littleEndian) & LINK_TYPE_MASK;
  stream.position += FILE_HEADER_LENGTH;
  return new PcapReader(stream, magic, file, linkType, snapLength, verifyChecksums);
}

class PcapReader implements FrameReader {
  frameOffset = 0;
  frameCapturedLength = 0;
  frameOriginalLength = 0;
  readonly frameLinkType: number;
  private readonly stream: ByteStream;
  private readonly file: CaptureFile;
  private readonly littleEndian: boolean;
  private readonly nanosecondsPerUnit: number;
  private readonly unitsPerSecond: number;
  private readonly lengthLimit: number;
  private readonly verifyChecksums: boolean;
  private readonly captureInterface: number;
  private readonly cooked: CookedInterfaces | undefined;
  private ended = false;

  constructor(
    stream: ByteStream,
    magic: PcapMagic,
    file: CaptureFile,
    linkType: number,
    snapLength: number,
    verifyChecksums: boolean,
  ) {
    this.stream = stream;
    this.file = file;
    this.littleEndian = magic.littleEndian;
    this.nanosecondsPerUnit = magic.nanosecondsPerUnit;
    this.unitsPerSecond = 1e9 / magic.nanosecondsPerUnit;
    this.frameLinkType = linkType;
    this.lengthLimit = frameLengthLimit(snapLength);
    this.verifyChecksums = verifyChecksums;
    if (linkType === LinkType.linuxCookedV2) {
      this.cooked = new CookedInterfaces(file, linkType, snapLength, undefined);
      this.captureInterface = -1;
    } else {
      this.captureInterface = file.addInterface(linkType, snapLength, undefined, undefined) ?? 0;
    }
  }

  get frameBytes(): Uint8Array {
    return this.stream.bytes;
  }

  next(batch: PacketBatch, row: number): number {
    if (this.ended) return ReadResult.end;
    const stream = this.stream;
    const bytes = stream.bytes;
    const at = stream.position;
    const available = stream.end - at;
    if (available < RECORD_HEADER_LENGTH) return ReadResult.needsMore;
    const little = this.littleEndian;
    const fraction = readWord(bytes, at + FRACTION, little);
    const capturedLength = readWord(bytes, at + CAPTURED_LENGTH, little);
    const originalLength = readWord(bytes, at + ORIGINAL_LENGTH, little);
    if (
      capturedLength > this.lengthLimit ||
      fraction >= this.unitsPerSecond ||
      (capturedLength | originalLength) === 0
    ) {
      return this.stopAtCorruptRecord(fraction, capturedLength);
    }
    if (available - RECORD_HEADER_LENGTH < capturedLength) return ReadResult.needsMore;

    const offset = at + RECORD_HEADER_LENGTH;
    const end = offset + capturedLength;
    stream.position = end;
    this.frameOffset = offset;
    this.frameCapturedLength = capturedLength;
    this.frameOriginalLength = originalLength;
    batch.file[row] = this.file.index;
    batch.frameNumber[row] = this.file.packets + 1;
    batch.captureInterface[row] =
      this.cooked === undefined ? this.captureInterface : this.cooked.ofFrame(bytes, offset, end);
    batch.seconds[row] = readWord(bytes, at + SECONDS, little);
    batch.nanoseconds[row] = fraction * this.nanosecondsPerUnit;
    decodeFrameIntoClearRow(
      bytes,
      offset,
      capturedLength,
      originalLength,
      this.frameLinkType,
      batch,
      row,
      this.verifyChecksums,
    );
    this.file.countFrame(batch, row);
    if (capturedLength > originalLength) this.file.countLongerThanFrame();
    return ReadResult.frame;
  }

  async advance(): Promise<void> {
    if (await this.stream.more()) return;
    this.ended = true;
    if (this.stream.end > this.stream.position) this.file.endInsideRecord(this.stream.failure);
    else if (this.stream.failure !== undefined) this.file.endBetweenRecords(this.stream.failure);
  }

  private stopAtCorruptRecord(fraction: number, capturedLength: number): number {
    this.ended = true;
    const what =
      capturedLength > this.lengthLimit
        ? `a frame of ${capturedLength} bytes`
        : fraction >= this.unitsPerSecond
          ? `a time with ${fraction} ${this.nanosecondsPerUnit === 1 ? 'nano' : 'micro'}seconds in the second`
          : 'a frame of 0 bytes';
    this.file.endAtCorruptRecord(this.stream.offset, what);
    return ReadResult.end;
  }
}
