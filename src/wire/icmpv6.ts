import { IpProtocol } from '../net/ip-protocol.ts';
import { readUint16 } from './bytes.ts';
import { isChecksumBad, sumPseudoHeader } from './checksum.ts';
import { isIcmpv6Query } from './icmp-type.ts';
import { type PacketBatch, Status } from './packet-batch.ts';
import { decodeQuotedIpv6 } from './quoted-packet.ts';
import { markShort } from './short-header.ts';

const TYPE = 0;
const CODE = 1;
const CHECKSUM = 2;
const IDENTIFIER = 4;
const SEQUENCE = 6;
/** With the four bytes that every message has behind the checksum. */
const HEADER_LENGTH = 8;

/** Ref: IANA, ICMPv6 type numbers */
const FIRST_ERROR = 1;
const LAST_ERROR = 4;

/** Decodes an ICMPv6 message: echoes with identifier and sequence number, errors with the packet they quote. Ref: RFC 4443 */
export function decodeIcmpv6(
  bytes: Uint8Array,
  at: number,
  end: number,
  packetEnd: number,
  batch: PacketBatch,
  row: number,
  verifyChecksums: boolean,
): void {
  if (end - at < HEADER_LENGTH) {
    markShort(at, HEADER_LENGTH, packetEnd, batch, row);
    return;
  }
  const type = bytes[at + TYPE]!;
  const checksum = readUint16(bytes, at + CHECKSUM);
  batch.status[row]! |= Status.transport;
  batch.icmpType[row] = type;
  batch.icmpCode[row] = bytes[at + CODE]!;
  batch.transportChecksum[row] = checksum;
  batch.payloadLength[row] = packetEnd - at - HEADER_LENGTH;
  if (verifyChecksums && (batch.status[row]! & Status.fragment) === 0 && end === packetEnd) {
    const pseudoSum = sumPseudoHeader(batch, row, IpProtocol.icmpv6, packetEnd - at);
    if (isChecksumBad(bytes, at, end, pseudoSum, checksum)) batch.status[row]! |= Status.badTransportChecksum;
  }
  if (type >= FIRST_ERROR && type <= LAST_ERROR) {
    decodeQuotedIpv6(bytes, at + HEADER_LENGTH, end, packetEnd, batch, row);
  } else if (isIcmpv6Query(type)) {
    batch.icmpIdentifier[row] = readUint16(bytes, at + IDENTIFIER);
    batch.icmpSequence[row] = readUint16(bytes, at + SEQUENCE);
  }
}
