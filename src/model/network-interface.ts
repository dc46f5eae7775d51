import type { IpAddress } from '../net/ip-address.ts';
import type { IpPrefix } from '../net/prefix.ts';
import type { Span } from '../text/span.ts';

export interface InterfaceAddress {
  /** With host bits: the address itself and its prefix length. */
  readonly prefix: IpPrefix;
  readonly broadcast?: IpAddress;
  readonly peer?: IpPrefix;
  readonly secondary: boolean;
}

/** A router's interface as `ip addr` shows it. */
export interface NetworkInterface {
  readonly name: string;
  /** The kernel's index, which cooked v2 captures hold; absent where no dump named it. */
  readonly index?: number;
  readonly mac?: number;
  readonly addresses: readonly InterfaceAddress[];
  /** Administratively up; unknown where absent. */
  readonly up?: boolean;
  readonly lowerUp?: boolean;
  readonly mtu?: number;
  /** Bridge, bond or VRF that it belongs to. */
  readonly master?: string;
  /** Of `eth0.5@eth0`: eth0. */
  readonly parent?: string;
  /** `loopback`, `ether`, `none` … as printed after `link/`. */
  readonly linkType?: string;
  /** Id of a VLAN, by `ip -d link`. */
  readonly vlan?: number;
  /** Of `ip -d link`: vlan, bridge, bond, veth … */
  readonly linkKind?: string;
  readonly group?: string;
  readonly origin?: Span;
}

/** An entry of `ip neigh`. */
export interface Neighbour {
  readonly address: IpAddress;
  readonly device: string;
  readonly mac?: number;
  readonly state?: string;
  readonly origin?: Span;
}
