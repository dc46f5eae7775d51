import type { NetworkInterface } from '../model/network-interface.ts';

/** An interface of the router, as far as captures are told apart by it. */
export type VantageInterface = Pick<NetworkInterface, 'name'> &
  Partial<Pick<NetworkInterface, 'index' | 'mac' | 'master' | 'parent' | 'vlan' | 'linkKind' | 'addresses'>>;

const UNTAGGED = -1;
/** A longer chain is a mistake of the state: port, bond, bridge, VLAN. */
const DEEPEST = 8;

/**
 * Which devices carry the frames of which others: a VLAN's parent, a bond's and a bridge's ports. Linux shows a frame on each of them, and
 * routes it on the uppermost. Interfaces are indexes into the list given.
 *
 * Ref: net/core/dev.c: __netif_receive_skb_core() (taps before rx_handler and vlan_do_receive()).
 */
export class LowerDevices {
  /** Whether any interface has a lower device at all. */
  readonly any: boolean;
  /** The bond or bridge that an interface is a port of, −1. */
  readonly #master: Int16Array;
  /** The VLANs on an interface: their ids and the interfaces. */
  readonly #vlans: readonly ReadonlyMap<number, number>[];
  /** Every device on an interface: VLANs, macvlan, ipvlan. */
  readonly #children: readonly (readonly number[])[];

  constructor(interfaces: readonly VantageInterface[]) {
    const positions = new Map(interfaces.map((item, position) => [item.name, position]));
    const vlans = interfaces.map(() => new Map<number, number>());
    const children = interfaces.map((): number[] => []);
    this.#master = Int16Array.from(interfaces, (item) => {
      const master = item.master === undefined ? undefined : positions.get(item.master);
      return master === undefined || isVrf(item, interfaces[master]!) ? -1 : master;
    });
    interfaces.forEach((item, position) => {
      const parent = positions.get(item.parent ?? /^(.+)\.\d+$/.exec(item.name)?.[1] ?? '');
      if (parent === undefined || item.linkKind === 'veth') return;
      children[parent]!.push(position);
      const id = vlanOf(item);
      if (id !== undefined) vlans[parent]!.set(id, position);
    });
    this.#vlans = vlans;
    this.#children = children;
    this.any = this.#master.some((master) => master >= 0) || children.some((list) => list.length > 0);
  }

  /** The interface that routes a frame seen on another one, with this VLAN tag (−1 or 0: none): itself where nothing is above it. */
  upper(position: number, vlan: number): number {
    let at = position;
    let tag = vlan;
    for (let depth = 0; depth < DEEPEST; depth++) {
      const tagged = tag > 0 ? this.#vlans[at]?.get(tag) : undefined;
      const above = tagged ?? this.#master[at] ?? -1;
      if (above < 0) return at;
      if (tagged !== undefined) tag = UNTAGGED;
      at = above;
    }
    return position;
  }

  /** Whether an interface is below another one, or is it. */
  isBelow(position: number, upper: number, depth = 0): boolean {
    if (position === upper) return true;
    if (depth > DEEPEST) return false;
    const master = this.#master[position] ?? -1;
    return (
      (master >= 0 && this.isBelow(master, upper, depth + 1)) ||
      this.childrenOf(position).some((child) => this.isBelow(child, upper, depth + 1))
    );
  }

  /** The VLANs and the like on an interface. */
  childrenOf(position: number): readonly number[] {
    return this.#children[position] ?? [];
  }
}

/** Members of a VRF route for themselves. Without `ip -d`, that they have addresses tells them from ports of a bond or bridge. */
function isVrf(member: VantageInterface, master: VantageInterface): boolean {
  if (master.linkKind !== undefined) return master.linkKind === 'vrf';
  return (member.addresses ?? []).some(({ prefix }) => prefix.family === 4);
}

/** The VLAN id as `ip -d` shows it, else by the names that are custom: eth0.5, vlan5. */
export function vlanOf(item: VantageInterface): number | undefined {
  if (item.vlan !== undefined) return item.vlan;
  if (item.linkKind !== undefined && item.linkKind !== 'vlan') return undefined;
  const digits = /^(?:.*\.|vlan)(\d{1,4})$/.exec(item.name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
