import type { Problem } from '../diagnostic/diagnostic.ts';
import type { CaptureFileSummary, CaptureInput, CaptureInterface, OpenOptions } from './capture-set.ts';

/** What the reading thread is to open. */
export interface ReadAheadRequest {
  readonly inputs: readonly CaptureInput[];
  readonly options: OpenOptions;
}

/** What a capture set says of itself at a moment. */
export interface CaptureState {
  readonly files: readonly CaptureFileSummary[];
  readonly problems: readonly Problem[];
  readonly progress: { readonly read: number; readonly total?: number };
  /** Interfaces that have come since the last message. */
  readonly newInterfaces: readonly CaptureInterface[];
}

/** To the reading thread: begin, with batches of so many rows; or batches that may be filled again. */
export type ToReader =
  | { readonly kind: 'begin'; readonly rows: number }
  | { readonly kind: 'free'; readonly batches: readonly number[] };

/** A batch with frames, and what the captures said of themselves behind it. */
export interface FilledBatch {
  readonly batch: number;
  readonly length: number;
  readonly state: CaptureState;
}

/** Batches under way, and how many go in one message: a message costs about as much as reading a batch. */
export const BATCHES_AHEAD = 32;
export const BATCHES_TOGETHER = 8;

/** From the reading thread. A batch is named by its number. */
export type FromReader =
  | { readonly kind: 'opened'; readonly state: CaptureState }
  | { readonly kind: 'batches'; readonly memory: readonly (readonly SharedArrayBuffer[])[] }
  | { readonly kind: 'filled'; readonly filled: readonly FilledBatch[] }
  | { readonly kind: 'end'; readonly state: CaptureState }
  /** `isInput`: what the user gave is wrong, in one line. */
  | { readonly kind: 'failed'; readonly message: string; readonly isInput: boolean };
