import { type PacketBatch, Status } from './packet-batch.ts';

/**
 * Notes that a header of `headerLength` bytes at `at` is not there as a whole: malformed where the packet, which ends at `wireEnd`,
 * never had it, cut where only the capture lacks it.
 */
export function markShort(at: number, headerLength: number, wireEnd: number, batch: PacketBatch, row: number): void {
  batch.status[row]! |= wireEnd - at < headerLength ? Status.malformed : Status.cut;
}
