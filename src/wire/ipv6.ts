import { readUint16, readUint32 } from './bytes.ts';
import {
  extensionLength,
  FRAGMENT,
  isExtensionHeader,
  MAX_EXTENSION_HEADERS,
  MIN_EXTENSION_LENGTH,
  NO_NEXT_HEADER,
  ROUTING,
} from './ipv6-extension.ts';
import { type PacketBatch, Status } from './packet-batch.ts';
import { markShort } from './short-header.ts';
import { decodeTransport } from './transport.ts';

const VERSION_AND_CLASS = 0;
const PAYLOAD_LENGTH = 4;
const NEXT_HEADER = 6;
const HOP_LIMIT = 7;
const SOURCE = 8;
const DESTINATION = 24;
const HEADER_LENGTH = 40;

/** Extension headers: the next header's number comes first in all of them. */
const EXTENSION_NEXT = 0;
const ROUTING_TYPE = 2;
const ROUTING_SEGMENTS_LEFT = 3;
const FRAGMENT_OFFSET = 2;
const FRAGMENT_IDENTIFICATION = 4;

const FRAGMENT_OFFSET_MASK = 0xfff8;
const FRAGMENT_MORE = 1;
const SOURCE_ROUTE_TYPE = 0;

/**
 * Decodes an IPv6 packet and walks its extension headers to the protocol. What Linux refuses before any hook sees it (wrong version,
 * a payload length beyond the frame) is malformed and has no network columns. A payload length of 0 with headers after it is what a
 * jumbogram and a send-offloaded super-frame hold, and then the frame's end counts.
 * Ref: RFC 8200; net/ipv6/ip6_input.c: ip6_rcv_core()
 */
export function decodeIpv6(
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
  const first = readUint16(bytes, at + VERSION_AND_CLASS);
  const nextHeader = bytes[at + NEXT_HEADER]!;
  const frameLength = wireEnd - at;
  let totalLength = readUint16(bytes, at + PAYLOAD_LENGTH) + HEADER_LENGTH;
  if (totalLength === HEADER_LENGTH && nextHeader !== NO_NEXT_HEADER) totalLength = frameLength;
  if (first >>> 12 !== 6 || totalLength > frameLength) {
    batch.status[row]! |= Status.malformed;
    return;
  }
  batch.status[row]! |= Status.ip;
  batch.family[row] = 6;
  batch.protocol[row] = nextHeader;
  batch.ttl[row] = bytes[at + HOP_LIMIT]!;
  batch.tos[row] = (first >>> 4) & 0xff;
  batch.networkLength[row] = totalLength;
  for (let word = 0; word < 4; word++) {
    batch.source[4 * row + word] = readUint32(bytes, at + SOURCE + 4 * word);
    batch.destination[4 * row + word] = readUint32(bytes, at + DESTINATION + 4 * word);
  }
  batch.payloadLength[row] = totalLength - HEADER_LENGTH;
  const packetEnd = at + totalLength;
  const capturedEnd = Math.min(end, packetEnd);
  const payload = at + HEADER_LENGTH;
  if (isExtensionHeader(nextHeader)) {
    decodeExtensions(bytes, payload, capturedEnd, packetEnd, nextHeader, batch, row, verifyChecksums);
  } else {
    decodeTransport(bytes, payload, capturedEnd, packetEnd, nextHeader, batch, row, verifyChecksums);
  }
}

/** Walks the extension headers, then decodes the transport header unless this is a later fragment. */
function decodeExtensions(
  bytes: Uint8Array,
  start: number,
  end: number,
  packetEnd: number,
  firstHeader: number,
  batch: PacketBatch,
  row: number,
  verifyChecksums: boolean,
): void {
  let at = start;
  let header = firstHeader;
  let judgeChecksum = verifyChecksums;
  let status: number = Status.options;
  for (let count = 0; isExtensionHeader(header); count++) {
    const length = end - at < MIN_EXTENSION_LENGTH ? MIN_EXTENSION_LENGTH : extensionLength(bytes, at, header);
    if (end - at < length || count === MAX_EXTENSION_HEADERS) {
      batch.status[row]! |= status;
      if (end - at < length) markShort(at, length, packetEnd, batch, row);
      else batch.status[row]! |= Status.malformed;
      return;
    }
    if (header === ROUTING) {
      if (bytes[at + ROUTING_TYPE] === SOURCE_ROUTE_TYPE) status |= Status.sourceRoute;
      // The checksum is over the last destination, which stands in the routing header: not judged. Ref: RFC 8200 section 8.1
      if (bytes[at + ROUTING_SEGMENTS_LEFT] !== 0) judgeChecksum = false;
    }
    const isFragmentHeader = header === FRAGMENT;
    header = bytes[at + EXTENSION_NEXT]!;
    batch.protocol[row] = header;
    batch.payloadLength[row] = packetEnd - at - length;
    if (isFragmentHeader) {
      const offset = readUint16(bytes, at + FRAGMENT_OFFSET);
      batch.identification[row] = readUint32(bytes, at + FRAGMENT_IDENTIFICATION);
      batch.fragmentOffset[row] = offset & FRAGMENT_OFFSET_MASK;
      if ((offset & FRAGMENT_MORE) !== 0) status |= Status.moreFragments;
      // Offset 0 and no more to follow is a whole packet. Ref: RFC 6946
      if ((offset & (FRAGMENT_OFFSET_MASK | FRAGMENT_MORE)) !== 0) status |= Status.fragment;
      if ((offset & FRAGMENT_OFFSET_MASK) !== 0) {
        batch.status[row]! |= status;
        return;
      }
    }
    at += length;
  }
  batch.status[row]! |= status;
  decodeTransport(bytes, at, end, packetEnd, header, batch, row, judgeChecksum);
}
