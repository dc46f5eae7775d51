/** Parts that are simple enough to be tried by themselves, at their edges. */
import { describe, expect, it } from 'vitest';
import {
  isConfinedMulticast6,
  isLinkLocal6,
  isLoopback6,
  isMapped6,
  isMulticast6,
  isNone6,
} from '../../src/forwarding/linux/address-scope.ts';
import { AddressPool, NO_ID } from '../../src/forwarding/linux/address-pool.ts';
import { AddressSet } from '../../src/forwarding/linux/links.ts';
import { LostConnections } from '../../src/forwarding/linux/lost-connections.ts';
import type { Run } from '../../src/forwarding/linux/run.ts';
import { Worlds } from '../../src/forwarding/linux/worlds.ts';
import { parseIpAddress } from '../../src/net/ip-address.ts';

describe('scopes of IPv6 addresses', () => {
  const kinds = {
    multicast: isMulticast6,
    confined: isConfinedMulticast6,
    link: isLinkLocal6,
    loopback: isLoopback6,
    mapped: isMapped6,
    none: (_: Run, id: number) => isNone6(id),
  };
  it.each<[string, readonly (keyof typeof kinds)[]]>([
    ['::', ['none']],
    ['::1', ['loopback']],
    ['::2', []],
    ['0:0:0:1::1', []],
    ['0:1::1', []],
    ['0:0:0:0:0:1:0:1', []],
    ['::ffff:10.0.0.1', ['mapped']],
    ['::1:ffff:10.0.0.1', []],
    ['1::ffff:10.0.0.1', []],
    ['0:0:1::ffff:10.0.0.1', []],
    ['::fffe:10.0.0.1', []],
    ['fe80::1', ['link']],
    ['febf:ffff::1', ['link']],
    ['fec0::1', []],
    ['fe7f:ffff::1', []],
    ['ff00::1', ['multicast', 'confined']],
    ['ff01::1', ['multicast', 'confined']],
    ['ff11::1', ['multicast', 'confined']],
    ['ff02::1', ['multicast']],
    ['ff0e::1', ['multicast']],
    ['feff::1', []],
    ['2001:db8::1', []],
  ])('%s', (address, want) => {
    const pool = new AddressPool();
    // Beside another one, so that its number is not the first.
    pool.intern(parseIpAddress('2001:db8::99')!.words, 0);
    const id = pool.intern(parseIpAddress(address)!.words, 0);
    const run = { router: { addresses: pool } } as unknown as Run;
    expect(Object.entries(kinds).flatMap(([name, holds]) => (holds(run, id) ? [name] : []))).toEqual(want);
  });
});

describe('a pool of addresses', () => {
  const words = (number: number): number[] => [number % 5, number % 7, number, number * 3];
  it('numbers each once, over several growths', () => {
    const pool = new AddressPool();
    const ids = Array.from({ length: 2000 }, (_, number) => pool.intern([9, ...words(number)], 1));
    expect(ids[0]).toBe(0);
    expect(new Set(ids).size).toBe(2000);
    expect(Array.from({ length: 2000 }, (_, number) => pool.intern(words(number), 0))).toEqual(ids);
    expect(ids.map((id) => [...pool.words.subarray(4 * id, 4 * id + 4)])).toEqual(
      ids.map((_, number) => words(number)),
    );
    expect(pool.count).toBe(2000);
  });
  it('takes as many as it may, and knows those then', () => {
    const pool = new AddressPool(3);
    expect([1, 2, 3, 1, 2].map((number) => pool.intern(words(number), 0))).toEqual([1, 2, NO_ID, 1, 2]);
  });
  it('compares word by word, unsigned', () => {
    const pool = new AddressPool();
    const id = pool.intern([1, 0xffff_ffff, 3, 4], 0);
    const sign = (other: readonly number[]): number => Math.sign(pool.compare(id, [0, ...other], 1));
    expect(sign([1, -1, 3, 4])).toBe(0);
    expect(sign([1, 5, 9, 9])).toBe(1);
    expect(sign([1, -1, 3, 5])).toBe(-1);
    expect(sign([1, -1, 2, 5])).toBe(1);
    expect(sign([2, 0, 0, 0])).toBe(-1);
    expect(pool.isIn(id, [7, 1, -1, 0, 0, -1, -1, 0, 0], 1)).toBe(true);
    expect(pool.isIn(id, [7, 1, -1, 0, 4, -1, -1, 0, -1], 1)).toBe(true);
    expect(pool.isIn(id, [7, 1, -1, 0, 5, -1, -1, 0, -1], 1)).toBe(false);
    expect(pool.isIn(id, [7, 1, -2, 0, 0, -1, -1, 0, 0], 1)).toBe(false);
  });
});

describe('lost connections', () => {
  it('are known by their tuple in either direction, and not by another one', () => {
    const lost = new LostConnections();
    expect(lost.isEmpty).toBe(true);
    lost.add(6, 10, -20, (1000 << 16) | 22, false);
    expect(lost.isEmpty).toBe(false);
    expect(lost.has(6, 10, -20, (1000 << 16) | 22)).toBe(true);
    expect(lost.has(6, -20, 10, (22 << 16) | 1000)).toBe(true);
    expect(lost.has(6, -20, 10, (1000 << 16) | 22)).toBe(false);
    expect(lost.has(17, 10, -20, (1000 << 16) | 22)).toBe(false);
    expect(lost.has(6, 11, -20, (1000 << 16) | 22)).toBe(false);
    expect(lost.has(6, 10, -20, (1000 << 16) | 23)).toBe(false);
    expect(lost.hasEnd(6, 10, 1000 << 16)).toBe(false);
  });
  it('are known by each end where they may be translated', () => {
    const lost = new LostConnections();
    lost.add(6, 10, -20, (1000 << 16) | 22, true);
    expect(lost.hasEnd(6, 10, (1000 << 16) | 7)).toBe(true);
    expect(lost.hasEnd(6, -20, (22 << 16) | 7)).toBe(true);
    expect(lost.hasEnd(6, 10, (22 << 16) | 7)).toBe(false);
    expect(lost.hasEnd(6, -20, (1000 << 16) | 7)).toBe(false);
    expect(lost.hasEnd(17, 10, (1000 << 16) | 7)).toBe(false);
    lost.clear();
    expect(lost.isEmpty).toBe(true);
    expect(lost.hasEnd(6, 10, (1000 << 16) | 7)).toBe(false);
    expect(lost.has(6, 10, -20, (1000 << 16) | 22)).toBe(false);
  });
  it('are all of two hosts, of a protocol', () => {
    const lost = new LostConnections();
    lost.addHosts(6, 10, -20, false);
    expect(lost.isEmpty).toBe(false);
    expect(lost.has(6, 10, -20, 5)).toBe(true);
    expect(lost.has(6, -20, 10, 7)).toBe(true);
    expect(lost.has(17, 10, -20, 5)).toBe(false);
    expect(lost.has(6, 10, -21, 5)).toBe(false);
    lost.clear();
    expect(lost.has(6, 10, -20, 5)).toBe(false);
  });
  it('are everybody where the hosts may be translated, or after all of them', () => {
    const one = new LostConnections();
    one.addHosts(6, 10, -20, true);
    expect(one.isEmpty).toBe(false);
    expect(one.has(17, 1, 2, 3)).toBe(true);
    const other = new LostConnections();
    other.addAll();
    other.add(6, 1, 2, 3, true);
    expect(other.has(17, 8, 9, 3)).toBe(true);
    expect(other.hasEnd(6, 1, 0)).toBe(false);
    other.clear();
    expect(other.isEmpty).toBe(true);
  });
  it('are everybody beyond a bound', () => {
    const lost = new LostConnections();
    for (let number = 0; number < 65_536; number++) lost.add(6, number, 1, 0, false);
    expect(lost.has(6, 70_000, 1, 0)).toBe(false);
    lost.add(6, 70_000, 1, 0, false);
    expect(lost.has(17, 5, 6, 7)).toBe(true);
    const hosts = new LostConnections();
    for (let number = 0; number < 65_536; number++) hosts.addHosts(6, number, 1, false);
    expect(hosts.has(17, 5, 6, 7)).toBe(false);
    hosts.addHosts(6, 70_000, 1, false);
    expect(hosts.has(17, 5, 6, 7)).toBe(true);
  });
});

describe('a set of numbers', () => {
  it.each([0, 1, 4, 5, 300])('of %i', (count) => {
    const values = Array.from({ length: count }, (_, index) => Math.imul(index + 1, 0x01000193));
    const set = new AddressSet([...values, ...values]);
    expect(values.every((value) => set.has(value))).toBe(true);
    expect(values.some((value) => set.has(value ^ 1) && !values.includes(value ^ 1))).toBe(false);
    expect(set.has(0)).toBe(false);
  });
  it('holds 0 where it was given', () => {
    expect(new AddressSet([0]).has(0)).toBe(true);
    expect(new AddressSet([0xffff_ffff]).has(-1)).toBe(true);
  });
});

describe('worlds', () => {
  it('are all combinations, the later choices first', () => {
    const worlds = new Worlds();
    worlds.begin();
    const seen: string[] = [];
    const bumps: number[] = [];
    for (let bumped = 0; bumped !== -1; bumped = worlds.next()) {
      bumps.push(bumped);
      const first = worlds.choose(2, 7);
      // Met in some worlds only.
      const rest = first === 0 ? [worlds.choose(3, 8)] : [];
      seen.push([first, ...rest].join(''));
      expect(worlds.position).toBe(1 + rest.length);
      expect(worlds.depth).toBe(1 + rest.length);
      expect(worlds.reasonAt(0)).toBe(7);
    }
    expect(seen).toEqual(['00', '01', '02', '1']);
    expect(bumps).toEqual([0, 1, 1, 0]);
    expect(worlds.overflow).toBe(false);
  });
  it('are given up beyond a depth', () => {
    const worlds = new Worlds();
    worlds.begin();
    for (let choice = 0; choice < 24; choice++) expect(worlds.choose(2, choice)).toBe(0);
    expect(worlds.overflow).toBe(false);
    expect(worlds.choose(2, 99)).toBe(0);
    expect(worlds.overflow).toBe(true);
    expect(worlds.depth).toBe(24);
    worlds.begin();
    expect(worlds.overflow).toBe(false);
    expect(worlds.depth).toBe(0);
  });
});
