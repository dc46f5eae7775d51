import { readUint16, readUint32 } from './bytes.ts';
import { sumWords } from './checksum.ts';
import { isIcmpQuery } from './icmp-type.ts';
import { type PacketBatch, Status } from './packet-batch.ts';
import { decodeQuotedIpv4 } from './quoted-packet.ts';
import { markShort } from './short-header.ts';

const TYPE = 0;
const CODE = 1;
const CHECKSUM = 2;
const IDENTIFIER = 4;
const SEQUENCE = 6;
const GATEWAY = 4;
const HEADER_LENGTH = 8;

/** Ref: IANA, ICMP type numbers */
const DESTINATION_UNREACHABLE = 3;
const SOURCE_QUENCH = 4;
const REDIRECT = 5;
const TIME_EXCEEDED = 11;
const PARAMETER_PROBLEM = 12;

/** Decodes an ICMP message: queries with identifier and sequence number, errors with the packet they quote. Ref: RFC 792, RFC 950 */
export function decodeIcmp(
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
  const isFragment = (batch.status[row]! & Status.fragment) !== 0;
  batch.status[row]! |= Status.transport;
  batch.icmpType[row] = type;
  batch.icmpCode[row] = bytes[at + CODE]!;
  batch.transportChecksum[row] = checksum;
  batch.payloadLength[row] = packetEnd - at - HEADER_LENGTH;
  if (verifyChecksums && !isFragment && end === packetEnd && sumWords(bytes, at, end, 0) !== 0xffff) {
    batch.status[row]! |= Status.badTransportChecksum;
  }
  switch (type) {
    case REDIRECT:
      batch.icmpGateway[row] = readUint32(bytes, at + GATEWAY);
      decodeQuotedIpv4(bytes, at + HEADER_LENGTH, end, packetEnd, batch, row);
      break;
    case DESTINATION_UNREACHABLE:
    case SOURCE_QUENCH:
    case TIME_EXCEEDED:
    case PARAMETER_PROBLEM:
      decodeQuotedIpv4(bytes, at + HEADER_LENGTH, end, packetEnd, batch, row);
      break;
    default:
      if (isIcmpQuery(type)) {
        batch.icmpIdentifier[row] = readUint16(bytes, at + IDENTIFIER);
        batch.icmpSequence[row] = readUint16(bytes, at + SEQUENCE);
      }
  }
}
