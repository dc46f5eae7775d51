import { decodeEthernet } from './ethernet.ts';
import { LinkType, RAW_OF_OTHER_SYSTEMS } from './link-type.ts';
import { decodeLinuxCooked, decodeLinuxCookedV2 } from './linux-cooked.ts';
import { decodeNullLoop } from './null-loop.ts';
import { type PacketBatch, Status } from './packet-batch.ts';
import { decodeRaw } from './raw.ts';

const [RAW_12, RAW_14] = RAW_OF_OTHER_SYSTEMS;

/**
 * Decodes a frame into a row of the batch: every column but `file`, `frameNumber`, `captureInterface` and the time, which are the caller's.
 * The frame lies in `bytes` from `offset` on; nothing outside its `capturedLength` bytes is read and nothing is kept. An
 * `originalLength` below `capturedLength` is raised to it. What is wrong with a frame is said by `status`; nothing is thrown.
 */
export function decodeFrame(
  bytes: Uint8Array,
  offset: number,
  capturedLength: number,
  originalLength: number,
  linkType: number,
  batch: PacketBatch,
  row: number,
  verifyChecksums: boolean,
): void {
  batch.clearRow(row);
  decodeFrameIntoClearRow(bytes, offset, capturedLength, originalLength, linkType, batch, row, verifyChecksums);
}

/** {@link decodeFrame} for a row that {@link PacketBatch.clearRows} has cleared and nothing has written since: clearing in bulk is cheaper. */
export function decodeFrameIntoClearRow(
  bytes: Uint8Array,
  offset: number,
  capturedLength: number,
  originalLength: number,
  linkType: number,
  batch: PacketBatch,
  row: number,
  verifyChecksums: boolean,
): void {
  const end = offset + capturedLength;
  const wireLength = Math.max(originalLength, capturedLength);
  const wireEnd = offset + wireLength;
  batch.capturedLength[row] = capturedLength;
  batch.originalLength[row] = wireLength;
  switch (linkType) {
    case LinkType.ethernet:
      decodeEthernet(bytes, offset, end, wireEnd, batch, row, verifyChecksums);
      break;
    case LinkType.linuxCooked:
      decodeLinuxCooked(bytes, offset, end, wireEnd, batch, row, verifyChecksums);
      break;
    case LinkType.linuxCookedV2:
      decodeLinuxCookedV2(bytes, offset, end, wireEnd, batch, row, verifyChecksums);
      break;
    case LinkType.raw:
    case LinkType.ipv4:
    case LinkType.ipv6:
    case RAW_12:
    case RAW_14:
      decodeRaw(bytes, offset, end, wireEnd, batch, row, verifyChecksums);
      break;
    case LinkType.null:
    case LinkType.loop:
      decodeNullLoop(bytes, offset, end, wireEnd, batch, row, verifyChecksums);
      break;
    default:
      batch.status[row]! |= Status.unsupportedLink;
  }
}
