import type { Run } from './run.ts';

/** The first word and the rest of an IPv6 address decide how it is treated. Ref: net/ipv6/addrconf_core.c: __ipv6_addr_type(). */
export function isMulticast6(run: Run, address: number): boolean {
  return run.router.addresses.words[4 * address]! >>> 24 === 0xff;
}

/** Scopes of the interface and the reserved one, which no packet from outside may have. Ref: RFC 4291 section 2.7. */
export function isConfinedMulticast6(run: Run, address: number): boolean {
  const first = run.router.addresses.words[4 * address]!;
  return first >>> 24 === 0xff && ((first >>> 16) & 0xf) <= 1;
}

export function isLinkLocal6(run: Run, address: number): boolean {
  return run.router.addresses.words[4 * address]! >>> 22 === 0x3fa;
}

export function isLoopback6(run: Run, address: number): boolean {
  const { words } = run.router.addresses;
  const at = 4 * address;
  return words[at] === 0 && words[at + 1] === 0 && words[at + 2] === 0 && words[at + 3] === 1;
}

/** ::ffff:0:0/96, which stands for IPv4 addresses inside programs. */
export function isMapped6(run: Run, address: number): boolean {
  const { words } = run.router.addresses;
  const at = 4 * address;
  return words[at] === 0 && words[at + 1] === 0 && words[at + 2] === 0xffff;
}

/** ::, the first address of every pool. */
export function isNone6(address: number): boolean {
  return address === 0;
}
