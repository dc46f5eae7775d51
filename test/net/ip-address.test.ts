import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  equalIpAddress,
  formatEndpoint,
  formatIpAddress,
  formatIpv4,
  formatWords,
  ipv4,
  parseIpAddress,
  parseIpv4,
} from '../../src/net/ip-address.ts';

const word = fc.integer({ min: 0, max: 0xffffffff });

describe('parseIpv4', () => {
  it.each<[text: string, want: number | undefined]>([
    ['0.0.0.0', 0],
    ['255.255.255.255', 0xffffffff],
    ['192.168.0.10', 0xc0a8000a],
    ['10.0.0.1', 0x0a000001],
    ['1.2.3', undefined],
    ['1.2.3.4.5', undefined],
    ['256.0.0.0', undefined],
    ['1.2.3.256', undefined],
    ['01.2.3.4', undefined],
    ['1.2.3.0x4', undefined],
    ['1.2.3.-4', undefined],
    ['1.2.3.4 ', undefined],
    [' 1.2.3.4', undefined],
    ['1.2.3.', undefined],
    ['1.2.3.1e1', undefined],
    ['', undefined],
    ['10', undefined],
  ])('of %j is %j', (text, want) => {
    expect(parseIpv4(text)).toBe(want);
  });

  it('reads what formatIpv4 prints', () => {
    fc.assert(
      fc.property(word, (value) => {
        expect(parseIpv4(formatIpv4(value))).toBe(value);
      }),
    );
  });
});

describe('parseIpAddress', () => {
  it.each<[text: string, want: string | undefined]>([
    ['::', '::'],
    ['::1', '::1'],
    ['2001:DB8::A', '2001:db8::a'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:0db8:0000:0000:0000:0000:0000:0001', '2001:db8::1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['fe80::1', 'fe80::1'],
    ['ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['1::', '1::'],
    ['0:0:1::', '0:0:1::'],
    ['::ffff:192.168.0.1', '::ffff:c0a8:1'],
    ['fe80::1%eth0', undefined],
    ['2001:db8::/32', undefined],
    ['1:2:3', undefined],
    ['1::2::3', undefined],
    [':::', undefined],
    ['2001:db8::g', undefined],
    ['[::1]', undefined],
    ['12345::', undefined],
    ['nonsense', undefined],
    ['192.168.0.1', '192.168.0.1'],
    ['192.168.0.1:80', undefined],
  ])('of %j prints as %j', (text, want) => {
    const address = parseIpAddress(text);
    expect(address === undefined ? undefined : formatIpAddress(address)).toBe(want);
  });

  it('reads what formatIpAddress prints, and the printing is one for each address', () => {
    // Zero words often: that is where compression can go wrong.
    const part = fc.oneof(fc.constant(0), fc.constant(1), fc.constant(0x10000), word);
    fc.assert(
      fc.property(part, part, part, part, (a, b, c, d) => {
        const text = formatWords(6, a, b, c, d);
        expect(parseIpAddress(text)).toEqual({ family: 6, words: [a, b, c, d] });
        expect(text).toBe(text.toLowerCase());
        expect(text.split('::').length).toBeLessThanOrEqual(2);
        expect(text).not.toMatch(/:::|(^|:)0\d/);
      }),
    );
    fc.assert(
      fc.property(word, (value) => {
        expect(parseIpAddress(formatIpAddress(ipv4(value)))).toEqual(ipv4(value));
      }),
    );
  });
});

describe('equalIpAddress', () => {
  it('tells families apart', () => {
    expect(equalIpAddress(ipv4(1), { family: 6, words: [1, 0, 0, 0] })).toBe(false);
    expect(equalIpAddress(ipv4(1), ipv4(1))).toBe(true);
    expect(equalIpAddress({ family: 6, words: [1, 2, 3, 4] }, { family: 6, words: [1, 2, 3, 5] })).toBe(false);
  });
});

describe('formatEndpoint', () => {
  it.each([
    ['192.168.0.10', 3389, '192.168.0.10:3389'],
    ['2001:db8::a', 3389, '[2001:db8::a]:3389'],
    ['::', 0, '[::]:0'],
  ])('of %s and %i is %s', (address, port, want) => {
    expect(formatEndpoint(parseIpAddress(address)!, port)).toBe(want);
  });
});
