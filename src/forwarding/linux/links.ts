import type { LinuxDevice } from '../../model/linux-device.ts';
import { RouteTableId } from '../../model/routing.ts';
import type { Words } from '../../net/ip-address.ts';
import { maskOfLength } from '../../net/prefix.ts';

/** What is known of an interface's addresses. */
export const HasAddress = { no: 0, yes: 1, unknown: 2 } as const;

/** An interface's IPv4 address; 32-bit signed numbers. */
export interface LinkAddress {
  readonly address: number;
  readonly mask: number;
  readonly secondary: boolean;
}

/** The router's interfaces by number. Names that only routes or rules mention are there too: nothing is known of them. */
export interface Links {
  readonly names: readonly string[];
  readonly indexOf: ReadonlyMap<string, number>;
  readonly loopback: number;
  /** Bytes, −1 unknown. */
  readonly mtu: Int32Array;
  /** 1 up, and without carrier when the state was taken. */
  readonly lacksCarrier: Uint8Array;
  /** A {@link HasAddress} number. */
  readonly hasAddress: Uint8Array;
  readonly addresses: readonly (readonly LinkAddress[])[];
  /** `default` for group 0; undefined where not known. */
  readonly groups: readonly (string | undefined)[];
  /** Whether the addresses are known at all. */
  readonly known: boolean;
  /** The router's own IPv4 addresses, signed. */
  readonly own: AddressSet;
  readonly own6: ReadonlySet<string>;
}

/** A fixed set of 32-bit numbers; looking one up allocates nothing. */
export class AddressSet {
  readonly #slots: Int32Array;
  readonly #used: Uint8Array;
  readonly #mask: number;

  constructor(values: Iterable<number>) {
    const list = [...new Set([...values].map((value) => value | 0))];
    let size = 8;
    while (size < list.length * 2) size *= 2;
    this.#slots = new Int32Array(size);
    this.#used = new Uint8Array(size);
    this.#mask = size - 1;
    for (const value of list) {
      const slot = this.#find(value);
      this.#slots[slot] = value;
      this.#used[slot] = 1;
    }
  }

  has(value: number): boolean {
    return this.#used[this.#find(value)] === 1;
  }

  #find(value: number): number {
    let slot = (Math.imul(value, 0x9e3779b1) >>> 15) & this.#mask;
    while (this.#used[slot] === 1 && this.#slots[slot] !== value) slot = (slot + 1) & this.#mask;
    return slot;
  }
}

/** Numbers the interfaces of a device and everything that names one. */
export function compileLinks(device: LinuxDevice): Links {
  const names: string[] = [];
  const indexOf = new Map<string, number>();
  const add = (name: string | undefined): void => {
    if (name === undefined || indexOf.has(name)) return;
    indexOf.set(name, names.push(name) - 1);
  };
  for (const link of device.interfaces) add(link.name);
  for (const route of device.routes) for (const hop of route.nextHops) add(hop.device);
  for (const rule of device.policyRules) {
    add(rule.iif);
    add(rule.oif);
  }
  for (const name of interfaceNamesInRules(device)) add(name);
  add('lo');

  const mtu = new Int32Array(names.length).fill(-1);
  const hasAddress = new Uint8Array(names.length).fill(device.known.interfaces ? HasAddress.no : HasAddress.unknown);
  const lacksCarrier = new Uint8Array(names.length);
  const addresses: LinkAddress[][] = names.map(() => []);
  const groups: (string | undefined)[] = names.map(() => undefined);
  const own: number[] = [];
  const own6 = new Set<string>();
  for (const link of device.interfaces) {
    const index = indexOf.get(link.name)!;
    if (link.mtu !== undefined) mtu[index] = link.mtu;
    lacksCarrier[index] = link.up === true && link.lowerUp === false ? 1 : 0;
    groups[index] = link.group === undefined || link.group === '0' ? 'default' : link.group;
    for (const { prefix, secondary } of link.addresses) {
      if (prefix.family === 6) {
        own6.add(wordsKey(prefix.words));
        continue;
      }
      hasAddress[index] = HasAddress.yes;
      const address = prefix.words[0] | 0;
      addresses[index]!.push({ address, mask: maskOfLength(prefix.prefixLength) | 0, secondary });
      own.push(address);
    }
  }
  for (const route of device.routes) {
    if (route.family === 4 && route.table === RouteTableId.local && route.type === 'local') {
      if (route.prefix.prefixLength === 32) own.push(route.prefix.words[0] | 0);
    }
  }
  return {
    names,
    indexOf,
    loopback: indexOf.get('lo')!,
    mtu,
    lacksCarrier,
    hasAddress,
    addresses,
    groups,
    known: device.known.interfaces,
    own: new AddressSet(own),
    own6,
  };
}

/** A key for IPv6 addresses in sets; not for the hot path. */
export function wordsKey(words: Words): string {
  return words.join(' ');
}

function interfaceNamesInRules(device: LinuxDevice): Set<string> {
  const found = new Set<string>();
  for (const ruleset of device.rulesets) {
    for (const table of ruleset.tables) {
      for (const chain of table.chains) {
        for (const rule of chain.rules) {
          for (const match of rule.matches) {
            if ((match.kind === 'in-interface' || match.kind === 'out-interface') && !match.prefix) {
              found.add(match.name);
            }
          }
        }
      }
    }
  }
  return found;
}
