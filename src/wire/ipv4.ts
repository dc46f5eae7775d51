import { readUint16, readUint32 } from './bytes.ts';
import { sumWords } from './checksum.ts';
import { type PacketBatch, Status } from './packet-batch.ts';
import { markShort } from './short-header.ts';
import { decodeTransport } from './transport.ts';

const VERSION_AND_LENGTH = 0;
const TOS = 1;
const TOTAL_LENGTH = 2;
const IDENTIFICATION = 4;
const FLAGS_AND_OFFSET = 6;
const TTL = 8;
const PROTOCOL = 9;
const SOURCE = 12;
const DESTINATION = 16;
const MIN_HEADER_LENGTH = 20;

const DONT_FRAGMENT = 0x4000;
const MORE_FRAGMENTS = 0x2000;
const OFFSET_MASK = 0x1fff;

const OPTION_END = 0;
const OPTION_NOP = 1;
const OPTION_LOOSE_SOURCE_ROUTE = 131;
const OPTION_STRICT_SOURCE_ROUTE = 137;

/**
 * Decodes an IPv4 packet. What Linux refuses before any hook sees it (wrong version, a header shorter than 20 bytes, a total length
 * below the header's or beyond the frame) is malformed and has no network columns. Payload ends where the total length says, so that
 * Ethernet's padding is none; a total length of 0 is what a send-offloaded super-frame holds, and then the frame's end counts.
 * Ref: RFC 791; net/ipv4/ip_input.c: ip_rcv_core(); include/net/ip.h: iph_totlen()
 */
export function decodeIpv4(
  bytes: Uint8Array,
  at: number,
  end: number,
  wireEnd: number,
  batch: PacketBatch,
  row: number,
  verifyChecksums: boolean,
): void {
  if (end - at < MIN_HEADER_LENGTH) {
    markShort(at, MIN_HEADER_LENGTH, wireEnd, batch, row);
    return;
  }
  const first = bytes[at + VERSION_AND_LENGTH]!;
  const headerLength = (first & 15) * 4;
  const frameLength = wireEnd - at;
  const totalLength = readUint16(bytes, at + TOTAL_LENGTH) || frameLength;
  if (
    first >>> 4 !== 4 ||
    headerLength < MIN_HEADER_LENGTH ||
    totalLength < headerLength ||
    totalLength > frameLength
  ) {
    batch.status[row]! |= Status.malformed;
    return;
  }
  const flags = readUint16(bytes, at + FLAGS_AND_OFFSET);
  const fragmentOffset = (flags & OFFSET_MASK) * 8;
  const protocol = bytes[at + PROTOCOL]!;
  let status: number = Status.ip;
  if ((flags & DONT_FRAGMENT) !== 0) status |= Status.dontFragment;
  if ((flags & MORE_FRAGMENTS) !== 0) status |= Status.moreFragments | Status.fragment;
  if (fragmentOffset !== 0) status |= Status.fragment;
  batch.family[row] = 4;
  batch.protocol[row] = protocol;
  batch.ttl[row] = bytes[at + TTL]!;
  batch.tos[row] = bytes[at + TOS]!;
  batch.identification[row] = readUint16(bytes, at + IDENTIFICATION);
  batch.fragmentOffset[row] = fragmentOffset;
  batch.networkLength[row] = totalLength;
  batch.source[4 * row] = readUint32(bytes, at + SOURCE);
  batch.destination[4 * row] = readUint32(bytes, at + DESTINATION);
  batch.payloadLength[row] = totalLength - headerLength;
  if ((status & Status.fragment) !== 0) batch.fragmentLength[row] = totalLength - headerLength;

  const packetEnd = at + totalLength;
  const transport = at + headerLength;
  if (end < transport) {
    batch.status[row]! |= status | Status.options | Status.cut;
    return;
  }
  if (headerLength > MIN_HEADER_LENGTH) {
    status |= Status.options | optionStatus(bytes, at + MIN_HEADER_LENGTH, transport);
  }
  if (verifyChecksums && sumWords(bytes, at, transport, 0) !== 0xffff) status |= Status.badNetworkChecksum;
  batch.status[row]! |= status;
  if ((status & Status.fragment) !== 0 && end >= packetEnd) {
    batch.fragmentSum[row] = 0x10000 | sumWords(bytes, transport, packetEnd, 0);
  }
  if (fragmentOffset !== 0) return;
  const capturedEnd = Math.min(end, packetEnd);
  decodeTransport(bytes, transport, capturedEnd, packetEnd, protocol, batch, row, verifyChecksums);
}

/**
 * Looks for source routes. A lying option makes the packet malformed: Linux answers it with a parameter problem instead of forwarding.
 * Ref: net/ipv4/ip_options.c: __ip_options_compile()
 */
function optionStatus(bytes: Uint8Array, start: number, end: number): number {
  let status = 0;
  let at = start;
  while (at < end) {
    const kind = bytes[at]!;
    if (kind === OPTION_END) break;
    if (kind === OPTION_NOP) {
      at++;
      continue;
    }
    const length = at + 1 < end ? bytes[at + 1]! : 0;
    if (length < 2 || at + length > end) return status | Status.malformed;
    if (kind === OPTION_LOOSE_SOURCE_ROUTE || kind === OPTION_STRICT_SOURCE_ROUTE) status |= Status.sourceRoute;
    at += length;
  }
  return status;
}
