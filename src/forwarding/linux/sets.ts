import { type IpSet, type IpSetPart, MemberFlag, memberLength } from '../../model/ip-set.ts';
import type { LinuxDevice } from '../../model/linux-device.ts';
import { maskOfLength } from '../../net/prefix.ts';
import type { Links } from './links.ts';

/** What looking a packet up in a set may give; several bits where it is not known which. */
export const SetResult = { member: 1, exception: 2, none: 4 } as const;

/** Words of a key: what each part says, two for those that have two, and the shape. */
const KEY_LENGTH = 7;
/** Stands in a key for every interface of a network. */
const ANY_INTERFACE = -1;

/** The parts of packets that a set looks at, in the order of its type. */
export const SetPart = { address: 0, port: 1, mac: 2, interface: 3, mark: 4 } as const;

const PART_NUMBERS: Readonly<Record<Exclude<IpSetPart, 'set'>, number>> = {
  ip: SetPart.address,
  net: SetPart.address,
  port: SetPart.port,
  mac: SetPart.mac,
  iface: SetPart.interface,
  mark: SetPart.mark,
};

/** A packet's parts, filled by the match: up to three parts of two words. Reused from packet to packet. */
export const lookedUp = new Int32Array(KEY_LENGTH);

/**
 * A set, compiled: its members in a hash table. Members whose prefix lengths are equal are of one shape; a packet is looked up once for
 * each shape, in the kernel's order, longest prefixes first. Immutable; looking up allocates nothing.
 */
export class CompiledSet {
  readonly name: string;
  /** {@link SetPart} numbers; empty for a list of sets. */
  readonly parts: Uint8Array;
  /** Directions that a rule must give at least. */
  readonly dimension: number;
  /** Packets of this family only are looked up; 0 both. */
  readonly family: number;
  readonly hasExceptions: boolean;
  readonly refusesZero: boolean;
  /** Members are of TCP and UDP alike, and of nothing else. */
  readonly ignoresProtocol: boolean;
  readonly addressMask: number;
  readonly markMask: number;
  readonly rangeFirst: number;
  readonly rangeLast: number;
  /** Nothing is known of what is in it: what every lookup gives. */
  readonly unknown: boolean;
  /** Of a list: its sets, and whether each is there for a time only. */
  readonly list: readonly { readonly set: CompiledSet; readonly timed: boolean }[];
  readonly #keys: Int32Array;
  /** {@link SetResult} bits, 0 where the slot is free. */
  readonly #results: Uint8Array;
  readonly #slotMask: number;
  /** Masks of the first, second and third part of each shape. */
  readonly #shapes: Int32Array;
  readonly #stopsAtNetwork: boolean;
  readonly #key = new Int32Array(KEY_LENGTH);

  constructor(
    set: IpSet,
    links: Links,
    changes: boolean,
    list: readonly { readonly set: CompiledSet; readonly timed: boolean }[],
  ) {
    this.name = set.name;
    this.unknown = changes || set.unknown !== undefined;
    this.parts = Uint8Array.from(set.parts.flatMap((part) => (part === 'set' ? [] : [PART_NUMBERS[part]])));
    this.dimension = set.parts.length;
    this.family = set.family ?? 0;
    // Only types with networks know exceptions. Ref: IPSET_TYPE_NOMATCH.
    this.hasExceptions = set.parts.includes('net');
    this.refusesZero = set.type === 'hash:ip';
    this.ignoresProtocol = set.type === 'bitmap:port';
    this.addressMask = set.addressMask;
    this.markMask = set.markMask;
    this.rangeFirst = set.range?.first ?? 0;
    this.rangeLast = set.range?.last ?? 0xffffffff;
    this.list = list;
    this.#stopsAtNetwork = set.parts.includes('iface');
    const shapes = shapesOf(set);
    this.#shapes = Int32Array.from(shapes.flat());
    const members = this.unknown || set.parts.includes('set') ? [] : [...keysOf(set, shapes, links)];
    let size = 8;
    while (size < members.length * 2) size *= 2;
    this.#slotMask = size - 1;
    this.#keys = new Int32Array(size * KEY_LENGTH);
    this.#results = new Uint8Array(size);
    for (const { key, result } of members) this.#add(key, result);
  }

  #add(key: Int32Array, result: number): void {
    this.#key.set(key);
    const slot = this.#find();
    const before = this.#results[slot]!;
    if (before === 0) this.#keys.set(key, slot * KEY_LENGTH);
    // Which of two equal members the kernel meets first is not known; one that stays is there in any case.
    const stays = before !== 0 && ((before & SetResult.none) === 0 || (result & SetResult.none) === 0);
    this.#results[slot] = (before | result) & (stays ? ~SetResult.none : 7);
  }

  /** {@link SetResult} bits for what stands in {@link lookedUp}. Ref: ip_set_hash_gen.h: mtype_test_cidrs(). */
  lookup(): number {
    let found = 0;
    const key = this.#key;
    const shapes = this.#shapes;
    for (let shape = 0; shape * 3 < shapes.length; shape++) {
      for (let part = 0; part < 3; part++) {
        key[2 * part] = lookedUp[2 * part]! & shapes[3 * shape + part]!;
        key[2 * part + 1] = lookedUp[2 * part + 1]!;
      }
      key[6] = shape;
      const result = this.#results[this.#find()]!;
      found |= result & ~SetResult.none;
      if (result !== 0 && (result & SetResult.none) === 0) return found;
      if (!this.#stopsAtNetwork) continue;
      // Where a network is there for another interface, wider networks are not looked at.
      key[2] = ANY_INTERFACE;
      key[3] = 0;
      const network = this.#results[this.#find()]!;
      if (network === 0) continue;
      found |= SetResult.none;
      if ((network & SetResult.none) === 0) return found;
    }
    return found | SetResult.none;
  }

  /** The slot that holds the key, or the free one where it would be. */
  #find(): number {
    const key = this.#key;
    const keys = this.#keys;
    const results = this.#results;
    let hash = 0;
    for (let word = 0; word < KEY_LENGTH; word++) hash = Math.imul(hash ^ key[word]!, 0x9e3779b1) ^ (hash >>> 15);
    let slot = (hash ^ (hash >>> 13)) & this.#slotMask;
    for (;;) {
      if (results[slot] === 0) return slot;
      const at = slot * KEY_LENGTH;
      let word = 0;
      while (word < KEY_LENGTH && keys[at + word] === key[word]) word++;
      if (word === KEY_LENGTH) return slot;
      slot = (slot + 1) & this.#slotMask;
    }
  }
}

type Shape = readonly [first: number, second: number, third: number];

/** Masks of the parts of the members, longest first. */
function shapesOf(set: IpSet): Shape[] {
  const { members, parts } = set;
  const shapes = new Map<string, Shape>();
  if (!parts.includes('net')) return [[-1, -1, -1]];
  for (let at = 0; at < members.length; at += memberLength(parts)) {
    const mask = (part: number): number => (parts[part] === 'net' ? maskOfLength(members[at + 2 * part + 1]!) | 0 : -1);
    const shape: Shape = [mask(0), mask(1), mask(2)];
    shapes.set(shape.join(), shape);
  }
  const order = (a: Shape, b: Shape, part: 0 | 1 | 2): number => (b[part] >>> 0) - (a[part] >>> 0);
  return [...shapes.values()].sort((a, b) => order(a, b, 0) || order(a, b, 1) || order(a, b, 2));
}

function* keysOf(set: IpSet, shapes: readonly Shape[], links: Links): Generator<{ key: Int32Array; result: number }> {
  const { members, parts, names } = set;
  const shapeNumbers = new Map(shapes.map((shape, index) => [shape.join(), index]));
  const length = memberLength(parts);
  for (let at = 0; at < members.length; at += length) {
    const key = new Int32Array(KEY_LENGTH);
    const shape: [number, number, number] = [-1, -1, -1];
    let interfaces: number[] | undefined;
    parts.forEach((part, index) => {
      const first = members[at + 2 * index]!;
      const second = members[at + 2 * index + 1]!;
      key[2 * index] = first;
      if (part === 'net') shape[index] = maskOfLength(second) | 0;
      else if (part === 'iface') interfaces = interfacesOf(names[first]!, second === 1, links);
      else if (part !== 'ip') key[2 * index + 1] = second;
    });
    key[6] = shapeNumbers.get(parts.includes('net') ? shape.join() : '-1,-1,-1') ?? 0;
    const flags = members[at + length - 1]!;
    const timed = (flags & MemberFlag.timed) === 0 ? 0 : SetResult.none;
    const result = ((flags & MemberFlag.nomatch) === 0 ? SetResult.member : SetResult.exception) | timed;
    if (interfaces === undefined) yield { key, result };
    else {
      for (const index of [...interfaces, ANY_INTERFACE]) {
        const own = Int32Array.from(key);
        own[2] = index;
        own[3] = 0;
        yield { key: own, result: index === ANY_INTERFACE ? SetResult.member | timed : result };
      }
    }
  }
}

function interfacesOf(name: string, isPrefix: boolean, links: Links): number[] {
  return links.names.flatMap((link, index) => ((isPrefix ? link.startsWith(name) : link === name) ? [index] : []));
}

/** The sets of a device by name. Sets that rules change are unknown: packets that no capture shows may have changed them, too. */
export function compileSets(device: LinuxDevice, links: Links): ReadonlyMap<string, CompiledSet> {
  const changed = new Set<string>();
  for (const { tables } of device.rulesets)
    for (const { chains } of tables)
      for (const { rules } of chains)
        for (const { target } of rules)
          if (target.kind === 'set-change') for (const name of target.sets) changed.add(name);
  const compiled = new Map<string, CompiledSet>();
  const lists: IpSet[] = [];
  for (const set of device.sets?.values() ?? []) {
    if (set.parts[0] === 'set') lists.push(set);
    else compiled.set(set.name, new CompiledSet(set, links, changed.has(set.name), []));
  }
  for (const set of lists) {
    const list: { set: CompiledSet; timed: boolean }[] = [];
    let complete = true;
    for (let at = 0; at < set.members.length; at += memberLength(set.parts)) {
      const member = compiled.get(set.names[set.members[at]!]!);
      if (member === undefined) complete = false;
      else list.push({ set: member, timed: (set.members[at + 2]! & MemberFlag.timed) !== 0 });
    }
    compiled.set(set.name, new CompiledSet(set, links, changed.has(set.name) || !complete, list));
  }
  return compiled;
}
