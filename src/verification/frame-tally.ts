import type { PacketBatch } from '../wire/packet-batch.ts';
import type { FrameRef } from './path-table.ts';

/** Frames of one kind: how many, and the first. */
export interface FrameTally {
  count: number;
  first?: FrameRef;
}

/** Counts the frame of a row. */
export function tally(into: FrameTally, batch: PacketBatch, row: number): void {
  into.count++;
  into.first ??= { file: batch.file[row]!, frame: batch.frameNumber[row]! };
}
