const LENGTH = 1;

/** Next header values. Ref: IANA, IPv6 extension header types */
const HOP_BY_HOP = 0;
export const ROUTING = 43;
export const FRAGMENT = 44;
const AUTHENTICATION = 51;
export const NO_NEXT_HEADER = 59;
const DESTINATION_OPTIONS = 60;

export const MIN_EXTENSION_LENGTH = 8;

/** More than this is a crafted chain: RFC 8200 section 4.1 has a packet hold each kind once, destination options twice. */
export const MAX_EXTENSION_HEADERS = 16;

/** The headers that ip6tables and connection tracking step over. Ref: net/ipv6/exthdrs_core.c: ipv6_ext_hdr() */
export function isExtensionHeader(header: number): boolean {
  return (
    header === HOP_BY_HOP ||
    header === ROUTING ||
    header === FRAGMENT ||
    header === AUTHENTICATION ||
    header === DESTINATION_OPTIONS
  );
}

/** Bytes of the extension header at `at`. Each kind counts in its own way. Ref: RFC 8200 section 4, RFC 4302 section 2.2 */
export function extensionLength(bytes: Uint8Array, at: number, header: number): number {
  if (header === FRAGMENT) return MIN_EXTENSION_LENGTH;
  const units = bytes[at + LENGTH]!;
  return header === AUTHENTICATION ? (units + 2) * 4 : (units + 1) * 8;
}
