import { IpProtocol } from '../net/ip-protocol.ts';
import { readUint16, readUint32 } from './bytes.ts';
import { isIcmpQuery, isIcmpv6Query } from './icmp-type.ts';
import {
  extensionLength,
  FRAGMENT,
  isExtensionHeader,
  MAX_EXTENSION_HEADERS,
  MIN_EXTENSION_LENGTH,
} from './ipv6-extension.ts';
import { type PacketBatch, Status } from './packet-batch.ts';
import { markShort } from './short-header.ts';

const V4_VERSION_AND_LENGTH = 0;
const V4_FLAGS_AND_OFFSET = 6;
const V4_PROTOCOL = 9;
const V4_SOURCE = 12;
const V4_DESTINATION = 16;
const V4_MIN_LENGTH = 20;
const V4_OFFSET_MASK = 0x1fff;

const V6_NEXT_HEADER = 6;
const V6_SOURCE = 8;
const V6_DESTINATION = 24;
const V6_LENGTH = 40;
const V6_FRAGMENT_OFFSET = 2;
const V6_OFFSET_MASK = 0xfff8;

const SOURCE_PORT = 0;
const DESTINATION_PORT = 2;
const ICMP_TYPE = 0;
const ICMP_IDENTIFIER = 4;

/** So much of the quoted transport header is looked at. Ref: nf_conntrack_core.c: nf_ct_get_tuple_ports(); icmp_pkt_to_tuple() */
const QUOTED_PORTS_LENGTH = 4;
const QUOTED_ICMP_LENGTH = 8;
/** An error quotes at least so much of what followed the IP header. Ref: RFC 792 */
const QUOTED_LENGTH = 8;

/**
 * Decodes the IPv4 packet that an ICMP error quotes, as far as connection tracking needs it: addresses, protocol, ports or the ICMP
 * identifier. Quoted lengths are those of the original packet and say nothing about what is here.
 * Ref: RFC 792; net/netfilter/nf_conntrack_proto_icmp.c: nf_conntrack_inet_error()
 */
export function decodeQuotedIpv4(
  bytes: Uint8Array,
  at: number,
  end: number,
  packetEnd: number,
  batch: PacketBatch,
  row: number,
): void {
  if (end - at < V4_MIN_LENGTH) {
    markShort(at, V4_MIN_LENGTH, packetEnd, batch, row);
    return;
  }
  const first = bytes[at + V4_VERSION_AND_LENGTH]!;
  const headerLength = (first & 15) * 4;
  if (first >>> 4 !== 4 || headerLength < V4_MIN_LENGTH) {
    batch.status[row]! |= Status.malformed;
    return;
  }
  batch.status[row]! |= Status.quoted;
  batch.quotedProtocol[row] = bytes[at + V4_PROTOCOL]!;
  batch.quotedSource[4 * row] = readUint32(bytes, at + V4_SOURCE);
  batch.quotedDestination[4 * row] = readUint32(bytes, at + V4_DESTINATION);
  if ((readUint16(bytes, at + V4_FLAGS_AND_OFFSET) & V4_OFFSET_MASK) !== 0) return;
  decodeQuotedTransport(bytes, at + headerLength, end, packetEnd, batch, row);
}

/** Decodes the IPv6 packet that an ICMPv6 error quotes, extension headers included. Ref: RFC 4443 section 3 */
export function decodeQuotedIpv6(
  bytes: Uint8Array,
  at: number,
  end: number,
  packetEnd: number,
  batch: PacketBatch,
  row: number,
): void {
  if (end - at < V6_LENGTH) {
    markShort(at, V6_LENGTH, packetEnd, batch, row);
    return;
  }
  if (bytes[at]! >>> 4 !== 6) {
    batch.status[row]! |= Status.malformed;
    return;
  }
  batch.status[row]! |= Status.quoted;
  for (let word = 0; word < 4; word++) {
    batch.quotedSource[4 * row + word] = readUint32(bytes, at + V6_SOURCE + 4 * word);
    batch.quotedDestination[4 * row + word] = readUint32(bytes, at + V6_DESTINATION + 4 * word);
  }
  let header = bytes[at + V6_NEXT_HEADER]!;
  let next = at + V6_LENGTH;
  for (let count = 0; isExtensionHeader(header); count++) {
    batch.quotedProtocol[row] = header;
    const length = end - next < MIN_EXTENSION_LENGTH ? MIN_EXTENSION_LENGTH : extensionLength(bytes, next, header);
    if (end - next < length || count === MAX_EXTENSION_HEADERS) {
      if (end - next < length) markShort(next, length, packetEnd, batch, row);
      else batch.status[row]! |= Status.malformed;
      return;
    }
    const isLaterFragment =
      header === FRAGMENT && (readUint16(bytes, next + V6_FRAGMENT_OFFSET) & V6_OFFSET_MASK) !== 0;
    header = bytes[next]!;
    next += length;
    if (isLaterFragment) {
      batch.quotedProtocol[row] = header;
      return;
    }
  }
  batch.quotedProtocol[row] = header;
  decodeQuotedTransport(bytes, next, end, packetEnd, batch, row);
}

function decodeQuotedTransport(
  bytes: Uint8Array,
  at: number,
  end: number,
  packetEnd: number,
  batch: PacketBatch,
  row: number,
): void {
  const protocol = batch.quotedProtocol[row]!;
  const isIcmp = protocol === (batch.family[row] === 4 ? IpProtocol.icmp : IpProtocol.icmpv6);
  const needed = isIcmp ? QUOTED_ICMP_LENGTH : hasPorts(protocol) ? QUOTED_PORTS_LENGTH : 0;
  if (end - at < needed) {
    markShort(at, needed, packetEnd, batch, row);
    return;
  }
  batch.status[row]! |= Status.quotedTuple;
  if (needed === 0) return;
  if (end - at < QUOTED_LENGTH) markShort(at, QUOTED_LENGTH, packetEnd, batch, row);
  if (!isIcmp) {
    batch.quotedSourcePort[row] = readUint16(bytes, at + SOURCE_PORT);
    batch.quotedDestinationPort[row] = readUint16(bytes, at + DESTINATION_PORT);
    return;
  }
  const type = bytes[at + ICMP_TYPE]!;
  batch.quotedIcmpType[row] = type;
  if (batch.family[row] === 4 ? isIcmpQuery(type) : isIcmpv6Query(type)) {
    const identifier = readUint16(bytes, at + ICMP_IDENTIFIER);
    batch.quotedSourcePort[row] = identifier;
    batch.quotedDestinationPort[row] = identifier;
  }
}

function hasPorts(protocol: number): boolean {
  switch (protocol) {
    case IpProtocol.tcp:
    case IpProtocol.udp:
    case IpProtocol.sctp:
    case IpProtocol.dccp:
    case IpProtocol.udplite:
      return true;
    default:
      return false;
  }
}
