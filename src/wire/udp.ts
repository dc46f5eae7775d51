import { IpProtocol } from '../net/ip-protocol.ts';
import { readUint16 } from './bytes.ts';
import { isChecksumBad, sumPseudoHeader } from './checksum.ts';
import { type PacketBatch, Status } from './packet-batch.ts';
import { markShort } from './short-header.ts';

const SOURCE_PORT = 0;
const DESTINATION_PORT = 2;
const LENGTH = 4;
const CHECKSUM = 6;
const HEADER_LENGTH = 8;

/**
 * Decodes a UDP header. A length below 8 or beyond the packet is malformed (connection tracking calls it INVALID), the ports hold all the
 * same; of a first fragment the length is that of the whole datagram. A checksum of 0 is none.
 * Ref: RFC 768; net/netfilter/nf_conntrack_proto_udp.c: udp_error()
 */
export function decodeUdp(
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
  const length = readUint16(bytes, at + LENGTH);
  const checksum = readUint16(bytes, at + CHECKSUM);
  const isFragment = (batch.status[row]! & Status.fragment) !== 0;
  batch.status[row]! |= Status.transport;
  batch.sourcePort[row] = readUint16(bytes, at + SOURCE_PORT);
  batch.destinationPort[row] = readUint16(bytes, at + DESTINATION_PORT);
  batch.transportChecksum[row] = checksum;
  batch.udpLength[row] = length;
  batch.payloadLength[row] = packetEnd - at - HEADER_LENGTH;
  if (length < HEADER_LENGTH || (length > packetEnd - at && !isFragment)) {
    batch.status[row]! |= Status.malformed;
    return;
  }
  const datagramEnd = at + length;
  if (!verifyChecksums || checksum === 0 || isFragment || end < datagramEnd) return;
  const pseudoSum = sumPseudoHeader(batch, row, IpProtocol.udp, length);
  if (isChecksumBad(bytes, at, datagramEnd, pseudoSum, checksum)) batch.status[row]! |= Status.badTransportChecksum;
}
