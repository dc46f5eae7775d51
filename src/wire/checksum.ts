import type { PacketBatch } from './packet-batch.ts';

/** So many words can be added up before a 32-bit sum overflows. */
const FOLD_EVERY_BYTES = 0x8000;

/**
 * The ones' complement sum of the bytes from `start` to `end` on top of `initial` (0–0xffff), folded to 16 bits, not complemented: 0xffff
 * over a header that holds a right checksum. An odd last byte is padded with zero. Ref: RFC 1071
 */
export function sumWords(bytes: Uint8Array, start: number, end: number, initial: number): number {
  let sum = initial;
  let at = start;
  while (end - at > 1) {
    const stop = Math.min(end - 1, at + FOLD_EVERY_BYTES);
    for (; at < stop; at += 2) sum += (bytes[at]! << 8) | bytes[at + 1]!;
    sum = fold(sum);
  }
  if (at < end) sum = fold(sum + (bytes[at]! << 8));
  return sum;
}

/** The sum of the pseudo header of TCP, UDP and ICMPv6 by the row's addresses. Ref: RFC 793 section 3.1, RFC 8200 section 8.1 */
export function sumPseudoHeader(batch: PacketBatch, row: number, protocol: number, length: number): number {
  let sum = protocol + (length >>> 16) + (length & 0xffff);
  for (let at = 4 * row; at < 4 * row + 4; at++) {
    const source = batch.source[at]!;
    const destination = batch.destination[at]!;
    sum += (source >>> 16) + (source & 0xffff) + (destination >>> 16) + (destination & 0xffff);
  }
  return fold(sum);
}

/**
 * Whether the checksum of a transport header is wrong. `field` is its value. Good is also what Linux leaves in a packet whose checksum the
 * network card shall complete: the sum of the pseudo header alone, not complemented.
 * Ref: net/ipv4/tcp_ipv4.c: __tcp_v4_send_check(); net/core/skbuff.c: CHECKSUM_PARTIAL
 */
export function isChecksumBad(
  bytes: Uint8Array,
  start: number,
  end: number,
  pseudoSum: number,
  field: number,
): boolean {
  return sumWords(bytes, start, end, pseudoSum) !== 0xffff && field !== pseudoSum;
}

function fold(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded & 0xffff) + (folded >>> 16);
  return folded;
}
