import type { PacketBatch } from '../wire/packet-batch.ts';

/** Whether two rows of a batch are one IP frame, on two devices. */
export function isSameFrame(batch: PacketBatch, row: number, other: number): boolean {
  for (let word = 0; word < 4; word++) {
    if (batch.source[4 * row + word] !== batch.source[4 * other + word]) return false;
    if (batch.destination[4 * row + word] !== batch.destination[4 * other + word]) return false;
  }
  return (
    batch.direction[row] === batch.direction[other] &&
    batch.status[row] === batch.status[other] &&
    batch.identification[row] === batch.identification[other] &&
    batch.ttl[row] === batch.ttl[other] &&
    batch.protocol[row] === batch.protocol[other] &&
    batch.networkLength[row] === batch.networkLength[other] &&
    batch.sourcePort[row] === batch.sourcePort[other] &&
    batch.destinationPort[row] === batch.destinationPort[other] &&
    batch.tcpFlags[row] === batch.tcpFlags[other] &&
    batch.tcpSequence[row] === batch.tcpSequence[other] &&
    batch.tcpAcknowledgement[row] === batch.tcpAcknowledgement[other]
  );
}

/** Nanoseconds from one row of a batch to another. */
export function timeBetween(batch: PacketBatch, row: number, other: number): number {
  return (batch.seconds[other]! - batch.seconds[row]!) * 1e9 + batch.nanoseconds[other]! - batch.nanoseconds[row]!;
}
