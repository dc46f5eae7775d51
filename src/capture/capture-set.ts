import type { Problem } from '../diagnostic/diagnostic.ts';
import type { PacketBatch } from '../wire/packet-batch.ts';

/** What to read: a file, `-` for standard input, and the router's interface it was captured on where the user said so. */
export interface CaptureInput {
  readonly path: string;
  readonly interface?: string;
}

/** An interface of a capture. A cooked v2 capture has one for each interface index that occurs in it. */
export interface CaptureInterface {
  /** Index of the file. */
  readonly file: number;
  /** By `IFACE=FILE` or pcapng's if_name; absent where the file does not say. `any` is not a name. */
  readonly name?: string;
  /** The kernel's interface index (cooked v2). */
  readonly index?: number;
  /** LINKTYPE_ number. */
  readonly linkType: number;
  readonly snapLength: number;
}

/** What is known of a file; complete once everything was read. */
export interface CaptureFileSummary {
  readonly path: string;
  readonly format: 'pcap' | 'pcapng';
  readonly packets: number;
  /** Sum of the frames' original lengths. */
  readonly bytes: number;
  readonly truncated: boolean;
  /** Frames that the capture says it dropped (interface statistics), 0 where it says nothing. */
  readonly dropped: number;
  /** Frames may have been dropped without a word. */
  readonly lossUnknown?: boolean;
  /** What the reader of a report should know of the capture, a sentence part. */
  readonly note?: string;
  readonly first?: { readonly seconds: number; readonly nanoseconds: number };
  readonly last?: { readonly seconds: number; readonly nanoseconds: number };
}

/** Captures merged by time. */
export interface CaptureSet {
  /** Grows while reading; indexes stay. */
  readonly interfaces: readonly CaptureInterface[];
  /** Fills the batch from row 0 with the next frames in time order; false when there are no more (then length is 0). */
  next(batch: PacketBatch): Promise<boolean>;
  files(): readonly CaptureFileSummary[];
  /** RV101, RV104, RV105, RV106, RV201 … found so far, one entry per file and kind, counted. */
  problems(): readonly Problem[];
  /** Bytes read of all bytes to read (undefined for standard input), for the progress bar. */
  progress(): { readonly read: number; readonly total?: number };
  close(): Promise<void>;
}

export interface OpenOptions {
  /** Judge checksums as the kernel does and set the bad-checksum bits. */
  readonly verifyChecksums?: boolean;
  /**
   * Frames of a file held back to put them in time order, default 65536; of more than two files each holds back its share of twice as
   * many. 0 delivers them as they come, without waiting for more.
   */
  readonly reorderWindow?: number;
}
