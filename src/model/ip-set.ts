import type { Family } from '../net/ip-address.ts';
import type { Span } from '../text/span.ts';

/** What one part of a member says, two words each in {@link IpSet.members}. */
export type IpSetPart =
  /** Address, 32. */
  | 'ip'
  /** Address, prefix length. */
  | 'net'
  /** Protocol (0 where the set has none), port; of ICMP type and code as the two bytes of the port. */
  | 'port'
  /** Upper 16 bits, lower 32. */
  | 'mac'
  /** Place in {@link IpSet.names}; 1 where the name is a prefix. */
  | 'iface'
  /** Mark, 0. */
  | 'mark'
  /** Place in {@link IpSet.names}, 0. */
  | 'set';

/** Bits of the last word of a member. */
export const MemberFlag = {
  /** An exception: packets that meet this member count as outside the set. */
  nomatch: 1,
  /** It goes away by itself: whether it is still there is not known. */
  timed: 2,
} as const;

/** One set of `ipset save`. Ref: ipset(8). */
export interface IpSet {
  readonly name: string;
  /** `hash:ip,port`. */
  readonly type: string;
  /** Absent where packets of both families are looked up. */
  readonly family?: Family;
  readonly parts: readonly IpSetPart[];
  /** Under which a packet's address is looked up (`netmask`, `bitmask`). */
  readonly addressMask: number;
  /** Under which a packet's mark is looked up. */
  readonly markMask: number;
  /** Of a bitmap of addresses or ports; both ends belong to it. */
  readonly range?: { readonly first: number; readonly last: number };
  /** Two words a part, and one of {@link MemberFlag}s, for each member. Signed. */
  readonly members: Int32Array;
  readonly names: readonly string[];
  /** What keeps the set's members from being known. */
  readonly unknown?: string;
  readonly origin: Span;
}

/** Words of one member. */
export function memberLength(parts: readonly IpSetPart[]): number {
  return 2 * parts.length + 1;
}
