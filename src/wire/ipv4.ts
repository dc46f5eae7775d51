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
const OPTION_RECORD_ROUTE = 7;
const OPTION_TIMESTAMP = 68;
const OPTION_LOOSE_SOURCE_ROUTE = 131;
const OPTION_CIPSO = 134;
const OPTION_STRICT_SOURCE_ROUTE = 137;
const OPTION_ROUTER_ALERT = 148;
const POINTER = 2;
const TIMESTAMP_FLAGS = 3;
const TIMESTAMP_ADDRESSES = 1;
const TIMESTAMP_PRESPECIFIED = 3;
/** Options of which a packet has one at most; the two source routes count as the same. */
const ONCE: ReadonlyMap<number, number> = new Map([
  [OPTION_RECORD_ROUTE, OPTION_RECORD_ROUTE],
  [OPTION_TIMESTAMP, OPTION_TIMESTAMP],
  [OPTION_LOOSE_SOURCE_ROUTE, OPTION_LOOSE_SOURCE_ROUTE],
  [OPTION_STRICT_SOURCE_ROUTE, OPTION_LOOSE_SOURCE_ROUTE],
]);

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
 * Looks for source routes and for options that Linux answers with a parameter problem instead of forwarding the packet.
 * Ref: net/ipv4/ip_options.c: __ip_options_compile()
 */
function optionStatus(bytes: Uint8Array, start: number, end: number): number {
  let status = 0;
  const seen = new Set<number>();
  let at = start;
  while (at < end) {
    const kind = bytes[at]!;
    if (kind === OPTION_END) break;
    if (kind === OPTION_NOP) {
      at++;
      continue;
    }
    const length = at + 1 < end ? bytes[at + 1]! : 0;
    if (length < 2 || at + length > end || isBadOption(bytes, at, length)) return Status.badOptions;
    if (kind === OPTION_CIPSO) return Status.badOptions | Status.sourceRoute;
    const once = ONCE.get(kind);
    if (once !== undefined) {
      if (seen.has(once)) return Status.badOptions;
      if (isUsed(bytes, at, kind, length)) seen.add(once);
      if (once === OPTION_LOOSE_SOURCE_ROUTE) status |= Status.sourceRoute;
    }
    at += length;
  }
  return status;
}

/** A timestamp option with room left and a flag that nobody knows is as good as none. */
function isUsed(bytes: Uint8Array, at: number, kind: number, length: number): boolean {
  return (
    kind !== OPTION_TIMESTAMP || bytes[at + POINTER]! > length || isTimestampKind(bytes[at + TIMESTAMP_FLAGS]! & 15)
  );
}

const isTimestampKind = (flag: number): boolean =>
  flag === 0 || flag === TIMESTAMP_ADDRESSES || flag === TIMESTAMP_PRESPECIFIED;

/** By itself. Pointers count from 1; behind the option's end they mean that it is full. */
function isBadOption(bytes: Uint8Array, at: number, length: number): boolean {
  const pointer = length > POINTER ? bytes[at + POINTER]! : 0;
  switch (bytes[at]) {
    case OPTION_LOOSE_SOURCE_ROUTE:
    case OPTION_STRICT_SOURCE_ROUTE:
      return pointer < 4;
    case OPTION_RECORD_ROUTE:
      return pointer < 4 || (pointer <= length && pointer + 3 > length);
    case OPTION_TIMESTAMP: {
      if (length < 4 || pointer < 5) return true;
      const flags = bytes[at + TIMESTAMP_FLAGS]!;
      if (pointer > length) return flags >>> 4 === 15;
      const needed = (flags & 15) === TIMESTAMP_ADDRESSES || (flags & 15) === TIMESTAMP_PRESPECIFIED ? 7 : 3;
      return pointer + needed > length;
    }
    case OPTION_ROUTER_ALERT:
      return length < 4;
    default:
      return false;
  }
}
