import { readUint32 } from './bytes.ts';
import { decodeEtherType, EtherType } from './ether-type.ts';
import { markShort } from './short-header.ts';
import type { PacketBatch } from './packet-batch.ts';

const ADDRESS_FAMILY = 0;
const HEADER_LENGTH = 4;

/** AF_INET is the same everywhere, AF_INET6 differs: Linux 10, NetBSD and OpenBSD 24, FreeBSD 28, Darwin 30. */
const AF_INET = 2;
const AF_INET6_LINUX = 10;
const AF_INET6_OPENBSD = 24;
const AF_INET6_FREEBSD = 28;
const AF_INET6_DARWIN = 30;

/**
 * Decodes a frame of a BSD loopback: an address family, then the packet. In LINKTYPE_LOOP it is in network order, in LINKTYPE_NULL in
 * the order of the capturing machine, which needs not be the file's: families are small, so the zeros show which it is.
 * Ref: tcpdump.org, LINKTYPE_NULL and LINKTYPE_LOOP
 */
export function decodeNullLoop(
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
  const value = readUint32(bytes, at + ADDRESS_FAMILY);
  const family = value > 0xffff ? ((value >>> 24) | ((value >>> 8) & 0xff00)) >>> 0 : value;
  const etherType = etherTypeOf(family);
  if (etherType === 0) return;
  decodeEtherType(bytes, at + HEADER_LENGTH, end, wireEnd, etherType, batch, row, verifyChecksums);
}

function etherTypeOf(family: number): number {
  switch (family) {
    case AF_INET:
      return EtherType.ipv4;
    case AF_INET6_LINUX:
    case AF_INET6_OPENBSD:
    case AF_INET6_FREEBSD:
    case AF_INET6_DARWIN:
      return EtherType.ipv6;
    default:
      return 0;
  }
}
