import { readUint16 } from './bytes.ts';
import { decodeIpv4 } from './ipv4.ts';
import { decodeIpv6 } from './ipv6.ts';
import { type PacketBatch, Status } from './packet-batch.ts';
import { markShort } from './short-header.ts';

const VERSION_TYPE = 0;
const CODE = 1;
/** Of the PPP frame, its protocol field included. */
const LENGTH = 4;
const PPP_PROTOCOL = 6;
const HEADER_LENGTH = 8;

const PPP_PROTOCOL_LENGTH = 2;
const VERSION_1_TYPE_1 = 0x11;
const SESSION_DATA = 0;
const PPP_IPV4 = 0x0021;
const PPP_IPV6 = 0x0057;

/** Decodes the IP packet of a PPPoE session frame; PPP's own protocols are left alone. Ref: RFC 2516 section 4 */
export function decodePppoe(
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
  const packet = at + HEADER_LENGTH;
  const packetEnd = packet + readUint16(bytes, at + LENGTH) - PPP_PROTOCOL_LENGTH;
  const lies = packetEnd < packet || packetEnd > wireEnd;
  if (bytes[at + VERSION_TYPE] !== VERSION_1_TYPE_1 || bytes[at + CODE] !== SESSION_DATA || lies) {
    batch.status[row]! |= Status.malformed;
    return;
  }
  const protocol = readUint16(bytes, at + PPP_PROTOCOL);
  const capturedEnd = Math.min(end, packetEnd);
  if (protocol === PPP_IPV4) decodeIpv4(bytes, packet, capturedEnd, packetEnd, batch, row, verifyChecksums);
  else if (protocol === PPP_IPV6) decodeIpv6(bytes, packet, capturedEnd, packetEnd, batch, row, verifyChecksums);
}
