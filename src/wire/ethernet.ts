import { readUint16, readUint32 } from './bytes.ts';
import { decodeEtherType } from './ether-type.ts';
import { markShort } from './short-header.ts';
import { LinkDestination, type PacketBatch } from './packet-batch.ts';

const DESTINATION = 0;
const SOURCE = 6;
const ETHER_TYPE = 12;
const HEADER_LENGTH = 14;

/** Group bit of a MAC address, which is the lowest bit of its first byte. */
const GROUP_BIT = 1;

/**
 * Decodes an Ethernet II frame. Whether a unicast frame was sent to the capturing host is not said by the frame: `linkDestination` stays
 * unknown. Trailing padding is told from payload by the IP length only. Ref: IEEE 802.3, 3.2
 */
export function decodeEthernet(
  bytes: Uint8Array,
  at: number,
  end: number,
  wireEnd: number,
  batch: PacketBatch,
  row: number,
  verifyChecksums: boolean,
): void {
  if (end - at < HEADER_LENGTH) {
    markShort(at, HEADER_LENGTH, wireEnd, batch, row);
    return;
  }
  const high = readUint16(bytes, at + DESTINATION);
  const low = readUint32(bytes, at + DESTINATION + 2);
  batch.destinationMac[row] = high * 0x1_0000_0000 + low;
  batch.sourceMac[row] = readUint16(bytes, at + SOURCE) * 0x1_0000_0000 + readUint32(bytes, at + SOURCE + 2);
  if (((high >>> 8) & GROUP_BIT) !== 0) {
    batch.linkDestination[row] =
      high === 0xffff && low === 0xffff_ffff ? LinkDestination.broadcast : LinkDestination.multicast;
  }
  const etherType = readUint16(bytes, at + ETHER_TYPE);
  decodeEtherType(bytes, at + HEADER_LENGTH, end, wireEnd, etherType, batch, row, verifyChecksums);
}
