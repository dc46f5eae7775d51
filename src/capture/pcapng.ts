import { InputError } from '../text/input-error.ts';
import { decodeFrameIntoClearRow } from '../wire/decode-frame.ts';
import { Direction, LinkDestination, type PacketBatch } from '../wire/packet-batch.ts';
import type { ByteStream } from './byte-stream.ts';
import type { CaptureFile } from './capture-file.ts';
import { readHalf, readWord } from './endian.ts';
import { type FrameReader, MAX_FRAME_LENGTH, ReadResult } from './frame-reader.ts';
import { describeInterface, type PcapngInterface } from './pcapng-interface.ts';
import { doubleWord, OptionCursor } from './pcapng-option.ts';

/** Any block. Ref: draft-ietf-opsawg-pcapng section 3.1 */
const BLOCK_TYPE = 0;
const BLOCK_LENGTH = 4;
const BLOCK_BODY = 8;
const TRAILER_LENGTH = 4;
const MIN_BLOCK_LENGTH = 12;

const SECTION_HEADER = 0x0a0d0d0a;
const BYTE_ORDER = 8;
const VERSION_MAJOR = 12;
const VERSION_MINOR = 14;
const MIN_SECTION_HEADER_LENGTH = 28;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;

const INTERFACE_DESCRIPTION = 1;

const PACKET = 2;
const PACKET_INTERFACE = 8;
const PACKET_DROPS = 10;
const NO_PACKET_DROPS = 0xffff;

const SIMPLE_PACKET = 3;
const SIMPLE_ORIGINAL_LENGTH = 8;
const SIMPLE_DATA = 12;

const INTERFACE_STATISTICS = 5;
const STATISTICS_INTERFACE = 8;
const STATISTICS_OPTIONS = 20;
const ISB_INTERFACE_DROPS = 5;
const ISB_SYSTEM_DROPS = 7;

/** The obsolete packet block differs from the enhanced one in its first word only. */
const ENHANCED_PACKET = 6;
const ENHANCED_INTERFACE = 8;
const TIMESTAMP_HIGH = 12;
const TIMESTAMP_LOW = 16;
const CAPTURED_LENGTH = 20;
const ORIGINAL_LENGTH = 24;
const PACKET_DATA = 28;
const EPB_FLAGS = 2;
const EPB_DROP_COUNT = 4;

/** Longest block that is taken into memory. Others are stepped over, whatever their length. */
const MAX_BLOCK_LENGTH = MAX_FRAME_LENGTH + 0x1_0000;

/** More interfaces than a router has; a crafted file could else fill the memory with them. */
const MAX_SECTION_INTERFACES = 0x1_0000;

/** Opens the reader of a pcapng file, whose stream stands at its begin. Throws an {@link InputError} where its first block is none. */
export async function openPcapng(
  stream: ByteStream,
  file: CaptureFile,
  verifyChecksums: boolean,
): Promise<FrameReader> {
  while (stream.end - stream.position < MIN_SECTION_HEADER_LENGTH) {
    if (!(await stream.more())) {
      throw new InputError(
        `${file.path}: ends inside the pcapng file header; the capture was not written, record it again`,
      );
    }
  }
  const problem = sectionHeaderProblem(stream.bytes, stream.position);
  if (problem !== undefined) throw new InputError(`${file.path}: is not a pcapng capture that can be read: ${problem}`);
  return new PcapngReader(stream, file, verifyChecksums);
}

/** Why a section header cannot be used; undefined where it can. */
function sectionHeaderProblem(bytes: Uint8Array, at: number): string | undefined {
  const little = readWord(bytes, at + BYTE_ORDER, true) === BYTE_ORDER_MAGIC;
  if (!little && readWord(bytes, at + BYTE_ORDER, false) !== BYTE_ORDER_MAGIC) return 'a section without a byte order';
  if (readWord(bytes, at + BLOCK_LENGTH, little) < MIN_SECTION_HEADER_LENGTH)
    return 'a section header that is too short';
  const major = readHalf(bytes, at + VERSION_MAJOR, little);
  const minor = readHalf(bytes, at + VERSION_MINOR, little);
  // 1.2 was written by mistake and is the same as 1.0.
  if (major !== 1 || (minor !== 0 && minor !== 2)) return `version ${major}.${minor}, only 1.0 is supported`;
  return undefined;
}

class PcapngReader implements FrameReader {
  frameOffset = 0;
  frameCapturedLength = 0;
  frameOriginalLength = 0;
  frameLinkType = 0;
  private readonly stream: ByteStream;
  private readonly file: CaptureFile;
  private readonly verifyChecksums: boolean;
  private readonly options = new OptionCursor();
  private littleEndian = true;
  /** Of the section at hand. */
  private interfaces: PcapngInterface[] = [];
  /** Length of the block at hand where it is to be stepped over and is not here as a whole, else 0. */
  private skipLength = 0;
  private lastSeconds = 0;
  private lastNanoseconds = 0;
  private ended = false;

  constructor(stream: ByteStream, file: CaptureFile, verifyChecksums: boolean) {
    this.stream = stream;
    this.file = file;
    this.verifyChecksums = verifyChecksums;
  }

  get frameBytes(): Uint8Array {
    return this.stream.bytes;
  }

  next(batch: PacketBatch, row: number): number {
    const { stream } = this;
    while (!this.ended) {
      const { bytes, position: at } = stream;
      const available = stream.end - at;
      if (available < MIN_BLOCK_LENGTH || this.skipLength > 0) return ReadResult.needsMore;
      const type = readWord(bytes, at + BLOCK_TYPE, this.littleEndian);
      if (type === SECTION_HEADER) {
        if (available < MIN_SECTION_HEADER_LENGTH) return ReadResult.needsMore;
        const problem = sectionHeaderProblem(bytes, at);
        if (problem !== undefined) return this.corrupt(problem);
        this.littleEndian = readWord(bytes, at + BYTE_ORDER, true) === BYTE_ORDER_MAGIC;
      }
      const length = readWord(bytes, at + BLOCK_LENGTH, this.littleEndian);
      if (length < MIN_BLOCK_LENGTH || length % 4 !== 0) return this.corrupt(`a block of ${length} bytes`);
      if (available < length) {
        if (isKnown(type) && length > MAX_BLOCK_LENGTH) return this.corrupt(`a block of ${length} bytes`);
        if (!isKnown(type)) this.skipLength = length;
        return ReadResult.needsMore;
      }
      if (readWord(bytes, at + length - TRAILER_LENGTH, this.littleEndian) !== length) {
        return this.corrupt('a block whose two lengths differ');
      }
      const result = this.readBlock(type, at, length, batch, row);
      if (result === ReadResult.end) return result;
      stream.position = at + length;
      if (result === ReadResult.frame) return result;
    }
    return ReadResult.end;
  }

  async advance(): Promise<void> {
    const { stream } = this;
    if (this.skipLength > 0) {
      await this.skipBlock();
      return;
    }
    if (await stream.more()) return;
    this.ended = true;
    if (stream.end > stream.position) this.file.endInsideRecord(stream.failure);
    else if (stream.failure !== undefined) this.file.endBetweenRecords(stream.failure);
  }

  /** Steps over a block that is not here as a whole, and need not fit into memory. */
  private async skipBlock(): Promise<void> {
    const { stream, skipLength } = this;
    const { offset } = stream;
    this.skipLength = 0;
    let isHere = await stream.skip(skipLength - TRAILER_LENGTH);
    while (isHere && stream.end - stream.position < TRAILER_LENGTH) isHere = await stream.more();
    if (!isHere) {
      this.ended = true;
      this.file.endInsideRecord(stream.failure);
    } else if (readWord(stream.bytes, stream.position, this.littleEndian) !== skipLength) {
      this.ended = true;
      this.file.endAtCorruptRecord(offset, 'a block whose two lengths differ');
    } else {
      stream.position += TRAILER_LENGTH;
    }
  }

  /** Gives `frame` where the block held one, `end` where it is corrupt, else `needsMore`. */
  private readBlock(type: number, at: number, length: number, batch: PacketBatch, row: number): number {
    switch (type) {
      case ENHANCED_PACKET:
      case PACKET:
        return this.readPacket(type, at, length, batch, row);
      case SIMPLE_PACKET:
        return this.readSimplePacket(at, length, batch, row);
      case SECTION_HEADER:
        this.interfaces = [];
        this.file.startSection();
        return ReadResult.needsMore;
      case INTERFACE_DESCRIPTION:
        return this.readInterface(at, length);
      case INTERFACE_STATISTICS:
        return this.readStatistics(at, length);
      default:
        return ReadResult.needsMore;
    }
  }

  private readPacket(type: number, at: number, length: number, batch: PacketBatch, row: number): number {
    const { bytes } = this.stream;
    const little = this.littleEndian;
    if (length < PACKET_DATA + TRAILER_LENGTH) return this.corrupt(`a packet block of ${length} bytes`);
    const interfaceId =
      type === ENHANCED_PACKET
        ? readWord(bytes, at + ENHANCED_INTERFACE, little)
        : readHalf(bytes, at + PACKET_INTERFACE, little);
    if (interfaceId >= this.interfaces.length)
      return this.corrupt(`a frame of the undescribed interface ${interfaceId}`);
    const capturedLength = readWord(bytes, at + CAPTURED_LENGTH, little);
    if (capturedLength > length - PACKET_DATA - TRAILER_LENGTH) {
      return this.corrupt(`a frame of ${capturedLength} bytes in a block of ${length}`);
    }
    const source = this.interfaces[interfaceId]!;
    const high = readWord(bytes, at + TIMESTAMP_HIGH, little);
    const low = readWord(bytes, at + TIMESTAMP_LOW, little);
    const hasTime = source.clock.store(high, low, batch, row);
    const originalLength = readWord(bytes, at + ORIGINAL_LENGTH, little);
    this.decode(source, at + PACKET_DATA, capturedLength, originalLength, batch, row);
    if (!hasTime) this.file.countTimeOutOfRange();
    if (type === PACKET) {
      const drops = readHalf(bytes, at + PACKET_DROPS, little);
      if (drops !== 0 && drops !== NO_PACKET_DROPS) this.file.addLost(interfaceId, drops);
    }
    const optionsAt = at + PACKET_DATA + ((capturedLength + 3) & ~3);
    const optionsEnd = at + length - TRAILER_LENGTH;
    if (optionsAt < optionsEnd) this.readPacketOptions(optionsAt, optionsEnd, interfaceId, batch, row);
    return ReadResult.frame;
  }

  private readSimplePacket(at: number, length: number, batch: PacketBatch, row: number): number {
    const source = this.interfaces[0];
    if (source === undefined) return this.corrupt('a frame of the undescribed interface 0');
    if (length < SIMPLE_DATA + TRAILER_LENGTH) return this.corrupt(`a packet block of ${length} bytes`);
    const originalLength = readWord(this.stream.bytes, at + SIMPLE_ORIGINAL_LENGTH, this.littleEndian);
    const room = length - SIMPLE_DATA - TRAILER_LENGTH;
    const snapLength = source.snapLength === 0 ? room : source.snapLength;
    const capturedLength = Math.min(originalLength, snapLength, room);
    batch.seconds[row] = this.lastSeconds;
    batch.nanoseconds[row] = this.lastNanoseconds;
    this.decode(source, at + SIMPLE_DATA, capturedLength, originalLength, batch, row);
    this.file.countUntimed();
    return ReadResult.frame;
  }

  private decode(
    source: PcapngInterface,
    offset: number,
    capturedLength: number,
    originalLength: number,
    batch: PacketBatch,
    row: number,
  ): void {
    const { bytes } = this.stream;
    this.frameOffset = offset;
    this.frameCapturedLength = capturedLength;
    this.frameOriginalLength = originalLength;
    this.frameLinkType = source.linkType;
    this.lastSeconds = batch.seconds[row]!;
    this.lastNanoseconds = batch.nanoseconds[row]!;
    batch.file[row] = this.file.index;
    batch.frameNumber[row] = this.file.packets + 1;
    batch.captureInterface[row] =
      source.cooked === undefined
        ? source.captureInterface
        : source.cooked.ofFrame(bytes, offset, offset + capturedLength);
    const { linkType } = source;
    decodeFrameIntoClearRow(bytes, offset, capturedLength, originalLength, linkType, batch, row, this.verifyChecksums);
    this.file.countFrame(batch, row);
    if (capturedLength > originalLength) this.file.countLongerThanFrame();
  }

  private readPacketOptions(at: number, end: number, interfaceId: number, batch: PacketBatch, row: number): void {
    const { options, stream, littleEndian } = this;
    options.start(stream.bytes, at, end, littleEndian);
    while (options.next()) {
      if (options.code === EPB_FLAGS && options.length === 4) {
        applyFlags(readWord(stream.bytes, options.value, littleEndian), batch, row);
      } else if (options.code === EPB_DROP_COUNT && options.length === 8) {
        this.file.addLost(interfaceId, doubleWord(stream.bytes, options.value, littleEndian));
      }
    }
  }

  private readInterface(at: number, length: number): number {
    if (this.interfaces.length >= MAX_SECTION_INTERFACES) return this.corrupt('too many interfaces');
    const { bytes } = this.stream;
    const body = at + BLOCK_BODY;
    const described = describeInterface(bytes, body, at + length - TRAILER_LENGTH, this.littleEndian, this.file);
    if (typeof described === 'string') return this.corrupt(described);
    this.interfaces.push(described);
    return ReadResult.needsMore;
  }

  private readStatistics(at: number, length: number): number {
    const { stream, options, littleEndian } = this;
    if (length < STATISTICS_OPTIONS + TRAILER_LENGTH) return this.corrupt(`a statistics block of ${length} bytes`);
    const interfaceId = readWord(stream.bytes, at + STATISTICS_INTERFACE, littleEndian);
    if (interfaceId >= this.interfaces.length)
      return this.corrupt(`statistics of the undescribed interface ${interfaceId}`);
    let lost = 0;
    options.start(stream.bytes, at + STATISTICS_OPTIONS, at + length - TRAILER_LENGTH, littleEndian);
    while (options.next()) {
      const isDrops = options.code === ISB_INTERFACE_DROPS || options.code === ISB_SYSTEM_DROPS;
      if (isDrops && options.length === 8) lost += doubleWord(stream.bytes, options.value, littleEndian);
    }
    this.file.setLost(interfaceId, lost);
    return ReadResult.needsMore;
  }

  private corrupt(what: string): number {
    this.ended = true;
    this.file.endAtCorruptRecord(this.stream.offset, what);
    return ReadResult.end;
  }
}

/** Blocks that are read; others (names, secrets, custom ones) say nothing about packets. */
function isKnown(type: number): boolean {
  return (
    type === SECTION_HEADER ||
    (type >= INTERFACE_DESCRIPTION && type <= SIMPLE_PACKET) ||
    type === INTERFACE_STATISTICS ||
    type === ENHANCED_PACKET
  );
}

/** Bits 0–1 are the direction, 2–4 to whom the frame was sent. Ref: draft-ietf-opsawg-pcapng section 4.3.1 */
function applyFlags(flags: number, batch: PacketBatch, row: number): void {
  const direction = flags & 3;
  if (direction === 1) batch.direction[row] = Direction.inbound;
  else if (direction === 2) batch.direction[row] = Direction.outbound;
  if (direction === 2) return;
  switch ((flags >>> 2) & 7) {
    case 1:
      batch.linkDestination[row] = LinkDestination.host;
      break;
    case 2:
      batch.linkDestination[row] = LinkDestination.multicast;
      break;
    case 3:
      batch.linkDestination[row] = LinkDestination.broadcast;
      break;
    case 4:
      batch.linkDestination[row] = LinkDestination.otherHost;
      break;
  }
}
