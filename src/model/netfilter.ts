import type { Family, IpAddress, Words } from '../net/ip-address.ts';
import type { MaskedMark } from '../net/masked-mark.ts';
import type { PortRange } from '../net/port-range.ts';
import type { Span } from '../text/span.ts';

export type Hook = 'PREROUTING' | 'INPUT' | 'FORWARD' | 'OUTPUT' | 'POSTROUTING';
export type TableName = 'raw' | 'mangle' | 'nat' | 'filter' | 'security';

/** One iptables rule set: legacy and nft variants are separate and both run (linux-forwarding 8.14). */
export interface Ruleset {
  readonly family: Family;
  readonly variant: 'legacy' | 'nft' | 'unspecified';
  readonly tables: readonly Table[];
}

export interface Table {
  readonly name: TableName;
  readonly chains: readonly Chain[];
  readonly origin?: Span;
}

export interface Chain {
  /** Built-in chains bear a hook's name. */
  readonly name: string;
  /** Built-in chains only. */
  readonly policy?: 'ACCEPT' | 'DROP';
  readonly rules: readonly Rule[];
  readonly origin?: Span;
}

/** One rule. `-s a,b` has been expanded into several by the parser, as iptables does when loading. */
export interface Rule {
  readonly matches: readonly Match[];
  readonly target: Target;
  readonly comment?: string;
  readonly origin: Span;
}

/** Bits of {@link ConntrackStateMatch}. */
export const CtState = { invalid: 1, new: 2, established: 4, related: 8, untracked: 16, snat: 32, dnat: 64 } as const;

/** Bits of `--ctstatus`. Ref: nf_conntrack_common.h: enum ip_conntrack_status. */
export const CtStatus = { expected: 1, seenReply: 2, assured: 4, confirmed: 8 } as const;

/** What `--ctorigsrc` and the like look at. */
export type CtTupleField =
  | 'protocol'
  | 'original-source'
  | 'original-destination'
  | 'reply-source'
  | 'reply-destination'
  | 'original-source-port'
  | 'original-destination-port'
  | 'reply-source-port'
  | 'reply-destination-port';

/** The conditions of a rule; all must hold. `negated` is `!` before the option. */
export type Match =
  | {
      readonly kind: 'in-interface' | 'out-interface';
      readonly name: string;
      readonly prefix: boolean;
      readonly negated: boolean;
    }
  /** Discontiguous masks are allowed. */
  | {
      readonly kind: 'source' | 'destination';
      readonly address: Words;
      readonly mask: Words;
      readonly negated: boolean;
    }
  | { readonly kind: 'protocol'; readonly protocol: number; readonly negated: boolean }
  /** `-f`: a later fragment. */
  | { readonly kind: 'fragment'; readonly negated: boolean }
  /** A bare `-m tcp`/`-m udp`, and implied by every port or flag option: fails on later fragments. */
  | { readonly kind: 'transport-header'; readonly protocol: number }
  | { readonly kind: 'source-port' | 'destination-port'; readonly range: PortRange; readonly negated: boolean }
  | { readonly kind: 'tcp-flags'; readonly mask: number; readonly set: number; readonly negated: boolean }
  | {
      readonly kind: 'multiport';
      readonly which: 'source' | 'destination' | 'either';
      readonly ranges: readonly PortRange[];
      readonly negated: boolean;
    }
  | { readonly kind: 'mark' | 'connmark'; readonly mark: MaskedMark; readonly negated: boolean }
  /** `-m conntrack --ctstate`, `-m state --state`: bits of {@link CtState}. */
  | { readonly kind: 'ctstate'; readonly states: number; readonly negated: boolean }
  | { readonly kind: 'mac-source'; readonly mac: number; readonly negated: boolean }
  /** As the packet has it where the rule stands: one less behind routing. */
  | {
      readonly kind: 'ttl';
      readonly compare: 'equal' | 'less' | 'greater';
      readonly value: number;
      readonly negated: boolean;
    }
  /** Bytes of the IP packet. */
  | { readonly kind: 'length'; readonly range: PortRange; readonly negated: boolean }
  /** (TOS & mask) == value; `-m dscp` and `-m ecn --ecn-ip-ect` are the upper six and the lower two bits. */
  | { readonly kind: 'tos'; readonly value: number; readonly mask: number; readonly negated: boolean }
  /** Type 255 is any. */
  | { readonly kind: 'icmp-type'; readonly type: number; readonly codes: PortRange; readonly negated: boolean }
  | {
      readonly kind: 'packet-type';
      readonly type: 'unicast' | 'broadcast' | 'multicast';
      readonly negated: boolean;
    }
  | {
      readonly kind: 'address-range';
      readonly which: 'source' | 'destination';
      readonly first: IpAddress;
      readonly last: IpAddress;
      readonly negated: boolean;
    }
  /** `-m addrtype`: bits 1 << RTN_ type (linux-forwarding 8.8). */
  | {
      readonly kind: 'address-type';
      readonly which: 'source' | 'destination';
      readonly types: number;
      readonly limit: 'none' | 'in' | 'out';
      readonly negated: boolean;
    }
  | {
      readonly kind: 'rpfilter';
      readonly loose: boolean;
      readonly validMark: boolean;
      readonly acceptLocal: boolean;
      readonly negated: boolean;
    }
  /** A word of the entry's tuples, within a range: ports, protocol, or addresses under a mask. */
  | {
      readonly kind: 'ct-tuple';
      readonly field: CtTupleField;
      readonly first: number;
      readonly last: number;
      readonly mask: number;
      readonly negated: boolean;
      /** A `--ctstate` stands in the same match: a packet without an entry then meets this condition. */
      readonly besideState: boolean;
    }
  | {
      readonly kind: 'ct-direction';
      readonly reply: boolean;
      readonly besideState: boolean;
    }
  /** Bits of {@link CtStatus}. */
  | {
      readonly kind: 'ct-status';
      readonly status: number;
      readonly negated: boolean;
      readonly besideState: boolean;
    }
  /** `-m set`: the directions say where each part of a member is looked for. */
  | {
      readonly kind: 'set';
      readonly set: string;
      readonly directions: readonly ('source' | 'destination')[];
      /** `--return-nomatch`: only the exceptions of the set count. */
      readonly returnNomatch: boolean;
      readonly negated: boolean;
    }
  /** Recognised by name, effect not modelled: unknown, never skipped. */
  | { readonly kind: 'unmodelled'; readonly name: string; readonly text: string };

export interface NatRange {
  readonly first: IpAddress;
  readonly last: IpAddress;
}

/** `-j CT` that leaves the packet tracked. */
export interface ConntrackTarget {
  readonly kind: 'ct';
  /** 0 is the zone of packets that were given none; `mark`: the lower 16 bits of the packet's mark. */
  readonly zone: number | 'mark';
  /** The directions whose tuples are in that zone; the other's is in zone 0. */
  readonly zoneDirection: 'both' | 'original' | 'reply';
  /** Name of the helper that a new connection gets. */
  readonly helper?: string;
}

export type Target =
  /** A rule without `-j`: it counts only. */
  | { readonly kind: 'none' }
  | { readonly kind: 'accept' | 'drop' | 'return' }
  | { readonly kind: 'reject'; readonly with?: string }
  | { readonly kind: 'jump' | 'goto'; readonly chain: string }
  /** nf = (nf & ~mask) ^ value; all MARK forms reduce to it (linux-forwarding 2.1). */
  | { readonly kind: 'mark'; readonly value: number; readonly mask: number }
  /** ct = (ct & ~mask) ^ value. */
  | { readonly kind: 'connmark-set'; readonly value: number; readonly mask: number }
  /** ct = (ct & ~ctmask) ^ (nf & nfmask). */
  | { readonly kind: 'connmark-save'; readonly nfmask: number; readonly ctmask: number }
  /** nf = (nf & ~nfmask) ^ (ct & ctmask). */
  | { readonly kind: 'connmark-restore'; readonly nfmask: number; readonly ctmask: number }
  | {
      readonly kind: 'snat' | 'dnat';
      readonly addresses?: NatRange;
      readonly ports?: PortRange;
      readonly flags: readonly string[];
    }
  /** To the ingress interface's own address. */
  | { readonly kind: 'redirect'; readonly ports?: PortRange; readonly flags: readonly string[] }
  | { readonly kind: 'masquerade'; readonly ports?: PortRange; readonly flags: readonly string[] }
  /** `-j NOTRACK`, `-j CT --notrack`. */
  | { readonly kind: 'notrack' }
  | ConntrackTarget
  /** The network part of the destination (of the source behind routing) is replaced. */
  | { readonly kind: 'netmap'; readonly address: number; readonly mask: number }
  | { readonly kind: 'ttl'; readonly how: 'set' | 'increase' | 'decrease'; readonly value: number }
  /** tos = (tos & ~mask) ^ value. */
  | { readonly kind: 'tos'; readonly value: number; readonly mask: number }
  /** `-j ECN --ecn-tcp-remove`: clears CWR and ECE of TCP. */
  | { readonly kind: 'ecn-tcp-remove' }
  /** To a local program's socket, with the mark nf = (nf & ~mask) ^ value; without such a socket the packet is dropped. */
  | { readonly kind: 'tproxy'; readonly value: number; readonly mask: number }
  /** Changes sets, and leaves the packet alone. */
  | { readonly kind: 'set-change'; readonly sets: readonly string[] }
  /** Does not touch the path and evaluation goes on: LOG, TCPMSS, NFLOG, CLASSIFY … */
  | { readonly kind: 'pass-through'; readonly name: string }
  | { readonly kind: 'unmodelled'; readonly name: string; readonly text: string };
