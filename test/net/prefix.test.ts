import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatIpAddress, ipv4, parseIpAddress, type Words } from '../../src/net/ip-address.ts';
import {
  formatPrefix,
  hostPrefix,
  type IpPrefix,
  maskOfLength,
  maskWords,
  networkOf,
  parsePrefix,
  prefixContains,
  prefixCovers,
} from '../../src/net/prefix.ts';

const word = fc.integer({ min: 0, max: 0xffffffff });
const words = fc.tuple(word, word, word, word) as fc.Arbitrary<Words>;
const anyPrefix: fc.Arbitrary<IpPrefix> = fc.oneof(
  fc.record({
    family: fc.constant(4 as const),
    words: word.map((value): Words => [value, 0, 0, 0]),
    prefixLength: fc.integer({ min: 0, max: 32 }),
  }),
  fc.record({ family: fc.constant(6 as const), words, prefixLength: fc.integer({ min: 0, max: 128 }) }),
);

/** Bits of an address as text: the slow, obvious twin of masks. */
function bitsOf(prefix: Pick<IpPrefix, 'family' | 'words'>): string {
  const used = prefix.family === 4 ? prefix.words.slice(0, 1) : prefix.words;
  return used.map((value) => value.toString(2).padStart(32, '0')).join('');
}

describe('parsePrefix', () => {
  it.each<[text: string, want: string | undefined]>([
    ['10.0.0.0/24', '10.0.0.0/24'],
    ['10.0.0.254/24', '10.0.0.254/24'],
    ['10.0.0.1', '10.0.0.1/32'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['2001:db8::/32', '2001:db8::/32'],
    ['::1', '::1/128'],
    ['::/0', '::/0'],
    ['10.0.0.0/33', undefined],
    ['::/129', undefined],
    ['10.0.0.0/', undefined],
    ['10.0.0.0/-1', undefined],
    ['10.0.0.0/24/24', undefined],
    ['10.0.0.0/255.255.255.0', undefined],
    ['10.0.0/24', undefined],
    ['/24', undefined],
    ['default', undefined],
  ])('of %j prints as %j', (text, want) => {
    const prefix = parsePrefix(text);
    expect(prefix === undefined ? undefined : formatPrefix(prefix)).toBe(want);
  });

  it('reads what formatPrefix prints', () => {
    fc.assert(
      fc.property(anyPrefix, (prefix) => {
        expect(parsePrefix(formatPrefix(prefix))).toEqual(prefix);
      }),
    );
  });
});

describe('masks', () => {
  it('have as many leading ones as their length', () => {
    for (let length = 0; length <= 32; length++)
      expect(maskOfLength(length).toString(2).padStart(32, '0')).toBe('1'.repeat(length).padEnd(32, '0'));
    for (let length = 0; length <= 128; length++)
      expect(bitsOf({ family: 6, words: maskWords(6, length) })).toBe('1'.repeat(length).padEnd(128, '0'));
  });
});

describe('prefixContains and prefixCovers', () => {
  it('compare the leading bits', () => {
    fc.assert(
      fc.property(anyPrefix, anyPrefix, (a, b) => {
        const sameFamily = a.family === b.family;
        const inside = sameFamily && bitsOf(a).slice(0, a.prefixLength) === bitsOf(b).slice(0, a.prefixLength);
        expect(prefixContains(a, b)).toBe(inside);
        expect(prefixCovers(a, b)).toBe(inside && a.prefixLength <= b.prefixLength);
      }),
    );
  });

  it('hold near the border', () => {
    fc.assert(
      fc.property(anyPrefix, fc.nat(127), (prefix, position) => {
        const size = prefix.family === 4 ? 32 : 128;
        const bit = position % size;
        const flipped = [...prefix.words] as [number, number, number, number];
        flipped[bit >>> 5] = (flipped[bit >>> 5]! ^ (1 << (31 - (bit & 31)))) >>> 0;
        expect(prefixContains(prefix, { family: prefix.family, words: flipped })).toBe(bit >= prefix.prefixLength);
      }),
    );
  });

  it('are never true across families', () => {
    expect(prefixContains(parsePrefix('0.0.0.0/0')!, parseIpAddress('::')!)).toBe(false);
    expect(prefixContains(parsePrefix('::/0')!, ipv4(0))).toBe(false);
  });
});

describe('networkOf and hostPrefix', () => {
  it('clear the host bits and keep the rest', () => {
    fc.assert(
      fc.property(anyPrefix, (prefix) => {
        const network = networkOf(prefix);
        expect(bitsOf(network)).toBe(bitsOf(prefix).slice(0, prefix.prefixLength).padEnd(bitsOf(prefix).length, '0'));
        expect(networkOf(network)).toEqual(network);
        expect(prefixContains(network, prefix)).toBe(true);
      }),
    );
  });

  it('hold just the one address', () => {
    expect(formatPrefix(hostPrefix(ipv4(0xc0a80001)))).toBe('192.168.0.1/32');
    const six = parseIpAddress('2001:db8::1')!;
    expect(formatPrefix(hostPrefix(six))).toBe(`${formatIpAddress(six)}/128`);
  });
});
