import { cookedInterfaceIndex } from '../wire/linux-cooked.ts';
import type { PacketBatch } from '../wire/packet-batch.ts';
import type { CaptureFile } from './capture-file.ts';

/** What {@link FrameReader.next} gave. */
export const ReadResult = {
  /** The row holds the next frame. */
  frame: 0,
  /** The next record is not here as a whole: the stream needs more bytes, and {@link FrameReader.advance} gets them. */
  needsMore: 1,
  /** There are no more frames. */
  end: 2,
} as const;

/** Reads the records of one capture file into rows, in file order. */
export interface FrameReader {
  /** Reads and decodes the next frame into a clear row, or tells why it cannot. Allocates nothing. */
  next(batch: PacketBatch, row: number): number;
  /** Gets more bytes after `needsMore`; where there are none, notes how the file ended, and {@link next} gives `end` from then on. */
  advance(): Promise<void>;
  /** Where the bytes of the last frame lie, until the next call of {@link next} or {@link advance}; its lengths as the record says. */
  readonly frameBytes: Uint8Array;
  readonly frameOffset: number;
  readonly frameCapturedLength: number;
  readonly frameOriginalLength: number;
  readonly frameLinkType: number;
}

/** Longest frame that is believed, whatever the file's snap length: a longer one is a lie, and believing it would cost the memory. */
export const MAX_FRAME_LENGTH = 0x100_0000;

/** Snap length up to which a frame may go where the file names a smaller one: tcpdump's own. */
export const USUAL_SNAP_LENGTH = 0x4_0000;

/** The longest frame that a file of this snap length may hold. */
export function frameLengthLimit(snapLength: number): number {
  return Math.min(Math.max(snapLength, USUAL_SNAP_LENGTH), MAX_FRAME_LENGTH);
}

/** The interfaces of a cooked v2 capture: one for each kernel index that occurs. */
export class CookedInterfaces {
  private readonly file: CaptureFile;
  private readonly linkType: number;
  private readonly snapLength: number;
  private readonly name: string | undefined;
  private readonly byIndex = new Map<number, number>();
  private lastIndex = -2;
  private lastInterface = 0;

  constructor(file: CaptureFile, linkType: number, snapLength: number, name: string | undefined) {
    this.file = file;
    this.linkType = linkType;
    this.snapLength = snapLength;
    this.name = name;
  }

  /** The capture interface of a frame; one without an index where the frame is too short to say, or the indexes are absurdly many. */
  ofFrame(bytes: Uint8Array, offset: number, end: number): number {
    const index = cookedInterfaceIndex(bytes, offset, end);
    if (index === this.lastIndex) return this.lastInterface;
    let captureInterface = this.byIndex.get(index);
    if (captureInterface === undefined) captureInterface = this.add(index);
    this.lastIndex = index;
    this.lastInterface = captureInterface;
    return captureInterface;
  }

  private add(index: number): number {
    const named = index < 0 ? undefined : index;
    const added = this.file.addInterface(this.linkType, this.snapLength, this.name, named);
    if (added === undefined) return this.byIndex.get(-1) ?? this.lastInterface;
    this.byIndex.set(index, added);
    return added;
  }
}
