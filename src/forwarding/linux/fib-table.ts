import type { Route } from '../../model/routing.ts';
import type { Family, Words } from '../../net/ip-address.ts';
import { maskOfLength, maskWords, networkOf } from '../../net/prefix.ts';
import { mixWords } from './address-pool.ts';

/**
 * One routing table for longest-prefix match: for each prefix length that occurs, longest first, a hash of networks. The routes of one
 * prefix stand together, in the order in which the kernel looks at them.
 */
export interface FibTable {
  readonly id: number;
  readonly lengths: Uint8Array;
  /** One word a length; four of IPv6. */
  readonly masks: Int32Array;
  readonly hashes: readonly PrefixHash[];
  /** Id of "this table is not in the router's state" where a miss says nothing, −1 where the table is complete. */
  readonly missReason: number;
}

/** Networks of one length; values are ranges of {@link Fib.order}. */
export interface PrefixHash {
  readonly mask: number;
  /** One word a slot; four of IPv6. */
  readonly keys: Int32Array;
  /** First place in the order, −1 an empty slot. */
  readonly first: Int32Array;
  readonly count: Int32Array;
}

interface Network {
  readonly words: Words;
  readonly numbers: number[];
}

/** Compiles one table: `numbers` are those of its routes in `model`; the routes of each prefix are put behind `order`. */
export function compileTable(
  family: Family,
  id: number,
  numbers: readonly number[],
  model: readonly Route[],
  order: number[],
  missReason: number,
): FibTable {
  const byLength = new Map<number, Map<number | string, Network>>();
  for (const number of numbers) {
    const { prefix } = model[number]!;
    const { words } = networkOf(prefix);
    const key = family === 4 ? words[0] : words.join();
    let networks = byLength.get(prefix.prefixLength);
    if (networks === undefined) {
      networks = new Map();
      byLength.set(prefix.prefixLength, networks);
    }
    const known = networks.get(key);
    if (known === undefined) networks.set(key, { words, numbers: [number] });
    else known.numbers.push(number);
  }
  const lengths = [...byLength.keys()].sort((a, b) => b - a);
  return {
    id,
    lengths: Uint8Array.from(lengths),
    masks: Int32Array.from(
      family === 4 ? lengths.map(maskOfLength) : lengths.flatMap((length) => [...maskWords(6, length)]),
    ),
    hashes: lengths.map((length) => compileHash(family, [...byLength.get(length)!.values()], model, order)),
    missReason,
  };
}

function compileHash(
  family: Family,
  networks: readonly Network[],
  model: readonly Route[],
  order: number[],
): PrefixHash {
  let size = 4;
  while (size < networks.length * 2) size *= 2;
  const width = family === 4 ? 1 : 4;
  const hash = {
    mask: size - 1,
    keys: new Int32Array(width * size),
    first: new Int32Array(size).fill(-1),
    count: new Int32Array(size),
  };
  for (const { words, numbers } of networks) {
    sortRoutes(numbers, model);
    let slot = family === 4 ? hashPrefix(words[0], hash.mask) : mixWords(...words) & hash.mask;
    while (hash.first[slot] !== -1) slot = (slot + 1) & hash.mask;
    for (let word = 0; word < width; word++) hash.keys[width * slot + word] = words[word]!;
    hash.first[slot] = order.length;
    hash.count[slot] = numbers.length;
    order.push(...numbers);
  }
  return hash;
}

/** Higher TOS first, then lower metric, then insertion; sort() is stable. Ref: fib_trie.c: fib_insert_alias(). */
function sortRoutes(numbers: number[], model: readonly Route[]): void {
  numbers.sort((a, b) => model[b]!.tos - model[a]!.tos || model[a]!.metric - model[b]!.metric);
}

/** The slot of the network of an address with a table's length by index; an empty one where the table has it not. */
export function findNetwork6(table: FibTable, index: number, words: Uint32Array, at: number): number {
  const { masks } = table;
  const { mask, keys, first } = table.hashes[index]!;
  const a = (words[at]! & masks[4 * index]!) | 0;
  const b = (words[at + 1]! & masks[4 * index + 1]!) | 0;
  const c = (words[at + 2]! & masks[4 * index + 2]!) | 0;
  const d = (words[at + 3]! & masks[4 * index + 3]!) | 0;
  let slot = mixWords(a, b, c, d) & mask;
  while (
    first[slot] !== -1 &&
    (keys[4 * slot] !== a || keys[4 * slot + 1] !== b || keys[4 * slot + 2] !== c || keys[4 * slot + 3] !== d)
  ) {
    slot = (slot + 1) & mask;
  }
  return slot;
}

/** Slot of a network in a hash of mask + 1 slots. */
export function hashPrefix(network: number, mask: number): number {
  const mixed = Math.imul(network ^ (network >>> 15), 0x9e3779b1);
  return (mixed ^ (mixed >>> 16)) & mask;
}
