import { decodeEtherType, EtherType } from './ether-type.ts';
import { type PacketBatch, Status } from './packet-batch.ts';
import { markShort } from './short-header.ts';

/** Decodes a frame that is an IP packet without a link header; its first half byte says of which family. Ref: LINKTYPE_RAW */
export function decodeRaw(
  bytes: Uint8Array,
  at: number,
  end: number,
  wireEnd: number,
  batch: PacketBatch,
  row: number,
  verifyChecksums: boolean,
): void {
  if (end - at < 1) {
    markShort(at, 1, wireEnd, batch, row);
    return;
  }
  const version = bytes[at]! >>> 4;
  if (version !== 4 && version !== 6) {
    batch.status[row]! |= Status.malformed;
    return;
  }
  const etherType = version === 4 ? EtherType.ipv4 : EtherType.ipv6;
  decodeEtherType(bytes, at, end, wireEnd, etherType, batch, row, verifyChecksums);
}
