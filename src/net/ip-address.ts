import { Address6 } from 'ip-address';

/** Address family: 4 or 6. */
export type Family = 4 | 6;

/** Four unsigned 32-bit words in network order. IPv4 uses the first only; the others are 0. */
export type Words = readonly [number, number, number, number];

/** An IP address of either family as numbers, for configuration (packets keep theirs in columns). */
export interface IpAddress {
  readonly family: Family;
  readonly words: Words;
}

const OCTET = /^(?:0|[1-9]\d{0,2})$/;

/** Parses a dotted quad into an unsigned 32-bit number; undefined where it is none (no short forms, no octal). */
export function parseIpv4(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    if (!OCTET.test(part)) return undefined;
    const octet = Number(part);
    if (octet > 255) return undefined;
    value = value * 256 + octet;
  }
  return value;
}

/** Prints an unsigned 32-bit number as a dotted quad. */
export function formatIpv4(value: number): string {
  return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
}

/** An IPv4 number as an {@link IpAddress}. */
export function ipv4(value: number): IpAddress {
  return { family: 4, words: [value >>> 0, 0, 0, 0] };
}

/** Parses an IPv4 or IPv6 address (no zone, no prefix length); undefined where it is neither. */
export function parseIpAddress(text: string): IpAddress | undefined {
  if (!text.includes(':')) {
    const value = parseIpv4(text);
    return value === undefined ? undefined : ipv4(value);
  }
  if (text.includes('/') || text.includes('%') || !Address6.isValid(text)) return undefined;
  const bytes = new Address6(text).toUnsignedByteArray();
  const padded = [...new Array(16 - bytes.length).fill(0), ...bytes] as number[];
  const word = (index: number): number =>
    ((padded[index * 4]! << 24) |
      (padded[index * 4 + 1]! << 16) |
      (padded[index * 4 + 2]! << 8) |
      padded[index * 4 + 3]!) >>>
    0;
  return { family: 6, words: [word(0), word(1), word(2), word(3)] };
}

/** Prints an address given as words; IPv6 by RFC 5952 (lower case, longest run of zeros compressed). */
export function formatWords(family: number, a: number, b: number, c: number, d: number): string {
  if (family === 4) return formatIpv4(a);
  const groups: number[] = [];
  for (const word of [a, b, c, d]) groups.push(word >>> 16, word & 0xffff);
  let bestStart = -1;
  let bestLength = 1;
  for (let start = 0; start < 8; start++) {
    let end = start;
    while (end < 8 && groups[end] === 0) end++;
    if (end - start > bestLength) {
      bestStart = start;
      bestLength = end - start;
    }
  }
  const hex = (list: number[]): string => list.map((group) => group.toString(16)).join(':');
  if (bestStart < 0) return hex(groups);
  return `${hex(groups.slice(0, bestStart))}::${hex(groups.slice(bestStart + bestLength))}`;
}

/** Prints an {@link IpAddress}. */
export function formatIpAddress(address: IpAddress): string {
  return formatWords(address.family, ...address.words);
}

/** Whether two addresses are of one family and equal. */
export function equalIpAddress(a: IpAddress, b: IpAddress): boolean {
  return a.family === b.family && a.words.every((word, index) => word === b.words[index]);
}

/** An endpoint as the contract prints it: `a.b.c.d:port`, `[v6]:port`. */
export function formatEndpoint(address: IpAddress, port: number): string {
  const text = formatIpAddress(address);
  return address.family === 6 ? `[${text}]:${port}` : `${text}:${port}`;
}
