import type { IpAddress } from '../net/ip-address.ts';
import type { IpPrefix } from '../net/prefix.ts';
import type { Span } from '../text/span.ts';
import type { Problem } from '../diagnostic/diagnostic.ts';
import type { AccessList } from './access-list.ts';
import type { RunWideUnknown } from './linux-device.ts';
import type { Neighbour, NetworkInterface } from './network-interface.ts';
import type { SourceCheck } from './source-check.ts';

/** A statement that names something defined elsewhere. */
export interface Reference {
  readonly name: string;
  readonly origin: Span;
}

/** A condition of a classifier's entry. */
export type PolicyMatch =
  /** One of the lists permits the packet. */
  | { readonly kind: 'access-lists'; readonly names: readonly string[]; readonly origin: Span }
  /** Bytes of the IP packet. */
  | { readonly kind: 'length'; readonly first: number; readonly last: number; readonly origin: Span }
  | { readonly kind: 'unmodelled'; readonly name: string; readonly origin: Span };

/** A next hop of a classifier's entry. */
export interface PolicyHop {
  readonly address: number;
  /** `discovery`: used only while a discovery protocol (CDP) shows it; `track`: while that track is up. */
  readonly availability: 'none' | 'discovery' | { readonly track: string };
  readonly origin: Span;
}

/** What a classifier's entry does with a packet that it takes. `isDefault`: only where no explicit route leads to the destination. */
export type PolicyAction =
  | {
      readonly kind: 'next-hops';
      readonly hops: readonly PolicyHop[];
      readonly isDefault: boolean;
      readonly origin: Span;
    }
  /** A next hop that need not be adjacent: it is looked up like a destination. */
  | { readonly kind: 'recursive'; readonly address: number; readonly origin: Span }
  | {
      readonly kind: 'interfaces';
      readonly names: readonly string[];
      readonly isDefault: boolean;
      readonly origin: Span;
    }
  /** The destination is looked up in another routing table. */
  | { readonly kind: 'table'; readonly vrf: string; readonly origin: Span }
  | { readonly kind: 'unmodelled'; readonly name: string; readonly origin: Span };

/** One entry of a classifier. `permit` false: what it matches is routed by destination. */
export interface PolicyEntry {
  readonly sequence: number;
  readonly permit: boolean;
  readonly matches: readonly PolicyMatch[];
  readonly actions: readonly PolicyAction[];
  /** As reports name it: `route-map scb-inbound permit 10`. */
  readonly title: string;
  readonly origin: Span;
}

/** An ordered classifier: the first entry that matches decides; what none matches is routed by destination. */
export interface PolicyMap {
  readonly name: string;
  readonly entries: readonly PolicyEntry[];
}

/** What a router does with packets at one of its interfaces. */
export interface PolicyPort {
  readonly name: string;
  /** The routing table of the interface; empty: the global one. */
  readonly vrf: string;
  /** Unknown where absent. */
  readonly up?: boolean;
  /** Its address is not in the text (DHCP and the like). */
  readonly addressUnknown?: Span;
  readonly inputList?: Reference;
  readonly outputList?: Reference;
  readonly sourceCheck?: SourceCheck;
  readonly policy?: Reference;
  readonly sendsIcmpRedirects: boolean;
  readonly nat?: 'inside' | 'outside';
  /** Bytes of the largest IP packet, where configured. */
  readonly mtu?: number;
  /** Without neighbours to choose from: what is sent by it arrives at its other end. */
  readonly pointToPoint: boolean;
  /** Statements with unknown effect on every packet that enters or leaves here. */
  readonly unmodelled: readonly Reference[];
}

/** A route as configured, or as the router printed it. */
export interface PolicyRoute {
  readonly vrf: string;
  readonly prefix: IpPrefix;
  readonly kind: 'connected' | 'static' | 'learned';
  readonly distance: number;
  /** Absent: on-link on the interface. */
  readonly nextHop?: number;
  readonly interface?: string;
  readonly blackhole: boolean;
  /** Only while this track is up. */
  readonly track?: string;
  /** Why it is not known whether the route is there. */
  readonly unknown?: string;
  readonly origin: Span;
}

/** A translation that is recognised: a packet that it would translate is undetermined. */
export interface Translation {
  /** `inside`: sources of packets from inside to outside; `outside`: sources of packets from outside to inside. */
  readonly side: 'inside' | 'outside';
  /** For routers without inside and outside: where it applies, whatever the interface, or to what leaves by one. */
  readonly at?: 'ingress' | 'egress';
  readonly egress?: string;
  /** Packets that it translates, by a list or a map's lists. */
  readonly list?: string;
  /** A static one: the address (a prefix) that is translated. */
  readonly local?: IpPrefix;
  readonly protocol?: number;
  readonly localPort?: number;
  /** Addresses that appear outside in place of those; packets to them from outside are translated back. Absent: not known. */
  readonly global?: readonly { readonly first: number; readonly last: number }[];
  readonly globalPort?: number;
  readonly origin: Span;
}

/** A packet filter between interfaces that knows connections: what answers a permitted connection passes. */
export interface StatefulFilter {
  readonly list: string;
}

/** Whether something that routes depend on works: `track 1` is Up. */
export interface Track {
  readonly name: string;
  readonly state: 'up' | 'down' | 'unknown';
  /** The host that it probes, where the text says so. */
  readonly target?: number;
  readonly origin?: Span;
}

/** A text of the router's configuration, kept so that a fix can be tried on a copy. */
export interface ConfigurationText {
  readonly path: string;
  readonly text: string;
}

/** A router that redirects by an ordered classifier on interfaces, whatever its make. Immutable. */
export interface PolicyRouteDevice {
  readonly kind: 'policy-route';
  readonly dialects: readonly string[];
  readonly hostname?: string;
  /** RFC 3339, UTC. */
  readonly collectedAt?: string;
  /** Forwards packets at all. */
  readonly routing: boolean;
  readonly interfaces: readonly NetworkInterface[];
  readonly neighbours: readonly Neighbour[];
  readonly ports: ReadonlyMap<string, PolicyPort>;
  readonly lists: ReadonlyMap<string, AccessList>;
  readonly maps: ReadonlyMap<string, PolicyMap>;
  readonly routes: readonly PolicyRoute[];
  /** Why more routes may be there than are given, by routing table. Connected networks are known even so. */
  readonly routesUnknown: readonly { readonly vrf: string; readonly reason: string; readonly origin?: Span }[];
  readonly tracks: ReadonlyMap<string, Track>;
  readonly translations: readonly Translation[];
  readonly filter?: StatefulFilter;
  /** Addresses that the router shares with others (HSRP, VRRP) and answers for. */
  readonly virtualAddresses: readonly { readonly interface: string; readonly address: IpAddress }[];
  readonly runWideUnknowns: readonly RunWideUnknown[];
  readonly problems: readonly Problem[];
  readonly notices: readonly string[];
  readonly texts: readonly ConfigurationText[];
}
