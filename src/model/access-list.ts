import type { PortRange } from '../net/port-range.ts';
import type { Span } from '../text/span.ts';

/** Addresses that an entry names, IPv4 as unsigned numbers. An item `unknown` may or may not hold the packet's address. */
export type AddressItem =
  /** (packet ^ address) & ~wildcard == 0; the wildcard may be discontiguous. */
  | { readonly kind: 'masked'; readonly address: number; readonly wildcard: number }
  | { readonly kind: 'range'; readonly first: number; readonly last: number }
  | { readonly kind: 'unknown'; readonly reason: string };

/** What an entry asks of the protocol and its header; absent parts are any. Ports and ICMP types make it a layer 4 condition. */
export interface ServiceItem {
  readonly protocol?: number;
  readonly sourcePorts?: readonly PortRange[];
  readonly destinationPorts?: readonly PortRange[];
  readonly icmpType?: number;
  readonly icmpCode?: number;
}

/** TCP flags: all of them, or any of them, must stand as said. */
export interface FlagCondition {
  readonly any: boolean;
  readonly bits: readonly { readonly bit: number; readonly set: boolean }[];
}

/** One entry of an access list. One service, one source and one destination must match, and every further condition. */
export interface AccessListEntry {
  readonly permit: boolean;
  readonly sequence: number;
  readonly services: readonly ServiceItem[];
  readonly source: readonly AddressItem[];
  readonly destination: readonly AddressItem[];
  /** Matches fragments other than the first only. */
  readonly laterFragments: boolean;
  readonly flags?: FlagCondition;
  /** (TOS & mask) is one of the values. */
  readonly tos?: { readonly mask: number; readonly values: readonly number[] };
  /** Conditions that are recognised and of which it is not known whether they hold, e.g. `time-range night`. */
  readonly unmodelled: readonly string[];
  readonly origin: Span;
}

/** An ordered list that permits or denies; what no entry matches is denied. */
export interface AccessList {
  readonly name: string;
  /** As reports name it: `access list ssh-inbound`. */
  readonly title: string;
  readonly entries: readonly AccessListEntry[];
  readonly origin?: Span;
}

/** Any IPv4 address. */
export const ANY_ADDRESS: readonly AddressItem[] = [{ kind: 'masked', address: 0, wildcard: 0xffffffff }];

/** Any protocol and any ports. */
export const ANY_SERVICE: readonly ServiceItem[] = [{}];
