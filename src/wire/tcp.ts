import { IpProtocol } from '../net/ip-protocol.ts';
import { readUint16, readUint32 } from './bytes.ts';
import { isChecksumBad, sumPseudoHeader } from './checksum.ts';
import { type PacketBatch, Status } from './packet-batch.ts';
import { markShort } from './short-header.ts';

const SOURCE_PORT = 0;
const DESTINATION_PORT = 2;
const SEQUENCE = 4;
const ACKNOWLEDGEMENT = 8;
const DATA_OFFSET = 12;
const FLAGS = 13;
const WINDOW = 14;
const CHECKSUM = 16;
const MIN_HEADER_LENGTH = 20;

const OPTION_END = 0;
const OPTION_NOP = 1;
const OPTION_WINDOW_SCALE = 3;
const OPTION_WINDOW_SCALE_LENGTH = 3;
const OPTION_SACK_PERMITTED = 4;
const OPTION_SACK_PERMITTED_LENGTH = 2;
const OPTION_SACK = 5;
const OPTION_SACK_BASE_LENGTH = 2;
const SACK_BLOCK_LENGTH = 8;
const SACK_RIGHT_EDGE = 4;

/** A larger shift count is taken as this one. Ref: RFC 7323 section 2.3; TCP_MAX_WSCALE */
const MAX_WINDOW_SCALE = 14;

/**
 * Decodes a TCP header. `Status.transport` needs its 20 bytes; of less, only the ports are kept. A data offset below 20 or beyond the
 * segment is malformed (connection tracking calls it INVALID): the fixed fields hold and the payload length is 0. Options that the snap
 * length cut are said by `Status.cut`.
 * Ref: RFC 9293 section 3.1; net/netfilter/nf_conntrack_proto_tcp.c: tcp_error()
 */
export function decodeTcp(
  bytes: Uint8Array,
  at: number,
  end: number,
  packetEnd: number,
  batch: PacketBatch,
  row: number,
  verifyChecksums: boolean,
): void {
  if (end - at < SEQUENCE) {
    markShort(at, MIN_HEADER_LENGTH, packetEnd, batch, row);
    return;
  }
  batch.sourcePort[row] = readUint16(bytes, at + SOURCE_PORT);
  batch.destinationPort[row] = readUint16(bytes, at + DESTINATION_PORT);
  if (end - at < MIN_HEADER_LENGTH) {
    markShort(at, MIN_HEADER_LENGTH, packetEnd, batch, row);
    return;
  }
  const acknowledgement = readUint32(bytes, at + ACKNOWLEDGEMENT);
  const checksum = readUint16(bytes, at + CHECKSUM);
  batch.status[row]! |= Status.transport;
  batch.tcpSequence[row] = readUint32(bytes, at + SEQUENCE);
  batch.tcpAcknowledgement[row] = acknowledgement;
  batch.tcpFlags[row] = bytes[at + FLAGS]!;
  batch.tcpWindow[row] = readUint16(bytes, at + WINDOW);
  batch.tcpSackRightEdge[row] = acknowledgement;
  batch.transportChecksum[row] = checksum;
  const headerLength = (bytes[at + DATA_OFFSET]! >>> 4) * 4;
  if (headerLength < MIN_HEADER_LENGTH || at + headerLength > packetEnd) {
    // Later fragments may hold the rest of the header: of a fragment that is no lie.
    const short = headerLength < MIN_HEADER_LENGTH || (batch.status[row]! & Status.fragment) === 0;
    batch.status[row]! |= short ? Status.malformed : 0;
    batch.payloadLength[row] = 0;
    return;
  }
  batch.payloadLength[row] = packetEnd - at - headerLength;
  if (headerLength > MIN_HEADER_LENGTH) {
    if (end - at < headerLength) batch.status[row]! |= Status.cut;
    else decodeOptions(bytes, at + MIN_HEADER_LENGTH, at + headerLength, acknowledgement, batch, row);
  }
  if (!verifyChecksums || end < packetEnd || (batch.status[row]! & Status.fragment) !== 0) return;
  const pseudoSum = sumPseudoHeader(batch, row, IpProtocol.tcp, packetEnd - at);
  if (isChecksumBad(bytes, at, packetEnd, pseudoSum, checksum)) batch.status[row]! |= Status.badTransportChecksum;
}

/**
 * Reads the options that connection tracking reads, and stops at a lying length as it does: the segment is not INVALID for that.
 * Ref: net/netfilter/nf_conntrack_proto_tcp.c: tcp_options(), tcp_sack()
 */
function decodeOptions(
  bytes: Uint8Array,
  start: number,
  end: number,
  acknowledgement: number,
  batch: PacketBatch,
  row: number,
): void {
  let at = start;
  let rightEdge = acknowledgement;
  while (at < end) {
    const kind = bytes[at]!;
    if (kind === OPTION_END) break;
    if (kind === OPTION_NOP) {
      at++;
      continue;
    }
    const length = at + 1 < end ? bytes[at + 1]! : 0;
    if (length < 2 || at + length > end) break;
    if (kind === OPTION_WINDOW_SCALE && length === OPTION_WINDOW_SCALE_LENGTH) {
      const shift = bytes[at + 2]!;
      batch.tcpWindowScale[row] = Math.min(shift, MAX_WINDOW_SCALE);
    } else if (kind === OPTION_SACK_PERMITTED && length === OPTION_SACK_PERMITTED_LENGTH) {
      batch.tcpSackPermitted[row] = 1;
    } else if (kind === OPTION_SACK && (length - OPTION_SACK_BASE_LENGTH) % SACK_BLOCK_LENGTH === 0) {
      for (let block = at + OPTION_SACK_BASE_LENGTH; block < at + length; block += SACK_BLOCK_LENGTH) {
        const edge = readUint32(bytes, block + SACK_RIGHT_EDGE);
        // Sequence numbers wrap: later means less than half the number space ahead.
        if (((edge - rightEdge) | 0) > 0) rightEdge = edge;
      }
    }
    at += length;
  }
  batch.tcpSackRightEdge[row] = rightEdge;
}
