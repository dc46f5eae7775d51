import type { Family, IpAddress } from '../net/ip-address.ts';
import type { MaskedMark } from '../net/masked-mark.ts';
import type { PortRange } from '../net/port-range.ts';
import type { IpPrefix } from '../net/prefix.ts';
import type { Span } from '../text/span.ts';

/** Numbers of the tables that every Linux has. */
export const RouteTableId = { default: 253, main: 254, local: 255 } as const;

export type PolicyAction =
  | { readonly kind: 'lookup'; readonly table: number }
  | { readonly kind: 'goto'; readonly priority: number }
  | { readonly kind: 'nop' | 'blackhole' | 'unreachable' | 'prohibit' };

/** One rule of the RPDB (`ip rule`). Rules of a device stand in evaluation order. */
export interface PolicyRule {
  readonly family: Family;
  readonly priority: number;
  /** `not`: inverts the whole conjunction. */
  readonly inverted: boolean;
  readonly from?: IpPrefix;
  readonly to?: IpPrefix;
  /** Absent also for `fwmark 0` without mask, which matches everything. */
  readonly fwmark?: MaskedMark;
  readonly iif?: string;
  readonly oif?: string;
  readonly tos?: number;
  readonly ipProtocol?: number;
  readonly sourcePorts?: PortRange;
  readonly destinationPorts?: PortRange;
  readonly action: PolicyAction;
  readonly suppressPrefixLength?: number;
  readonly suppressInterfaceGroup?: string;
  /** Who made it, where that is printed: two rules may differ in nothing else. */
  readonly protocol?: string;
  /** Selectors that are recognised and not modelled, e.g. `dscp`, `uidrange`, `l3mdev`: whether the rule matches is unknown. */
  readonly unmodelled: readonly string[];
  /** Absent for the three default rules where no dump named them. */
  readonly origin?: Span;
}

export type RouteType =
  | 'unicast'
  | 'local'
  | 'broadcast'
  | 'multicast'
  | 'anycast'
  | 'blackhole'
  | 'unreachable'
  | 'prohibit'
  | 'throw';

export interface NextHop {
  /** Absent: on-link, the neighbour is the destination itself. */
  readonly gateway?: IpAddress;
  /** Absent for routes without a device (blackhole …). */
  readonly device?: string;
  readonly weight: number;
  readonly dead: boolean;
  readonly linkDown: boolean;
  readonly onLink: boolean;
}

/** One route. Routes of one table, prefix, tos and metric stand in insertion order. */
export interface Route {
  readonly family: Family;
  readonly table: number;
  readonly type: RouteType;
  readonly prefix: IpPrefix;
  readonly tos: number;
  readonly metric: number;
  readonly nextHops: readonly NextHop[];
  readonly scope?: string;
  readonly protocol?: string;
  readonly preferredSource?: IpAddress;
  /** Of IPv6, as the router that advertised it says; absent: medium. Ref: RFC 4191 */
  readonly preference?: 'low' | 'high';
  /** Of `nhid`: the object that holds the next hops, which `nextHops` are a copy of. */
  readonly nextHopObject?: number;
  /** Attributes that are recognised and not modelled, e.g. `encap`, `nhid` without its object. */
  readonly unmodelled: readonly string[];
  /** Absent for routes that were derived from interface addresses because no dump named the table. */
  readonly origin?: Span;
}

/** An object of `ip nexthop`: one next hop, a group of others, or a black hole. */
export type NextHopObject =
  | { readonly kind: 'hop'; readonly id: number; readonly hop: NextHop; readonly unmodelled: readonly string[] }
  | {
      readonly kind: 'group';
      readonly id: number;
      readonly members: readonly { readonly id: number; readonly weight: number }[];
      readonly unmodelled: readonly string[];
    }
  | { readonly kind: 'blackhole'; readonly id: number };
