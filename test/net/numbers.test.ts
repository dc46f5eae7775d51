import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatIpProtocol, IpProtocol, parseIpProtocol } from '../../src/net/ip-protocol.ts';
import { formatMac, parseMac } from '../../src/net/mac-address.ts';
import { formatMark, formatMaskedMark, parseMaskedMark, parseUnsigned32 } from '../../src/net/masked-mark.ts';
import { formatPortRange, parsePortRange } from '../../src/net/port-range.ts';

const word = fc.integer({ min: 0, max: 0xffffffff });

describe('parseIpProtocol', () => {
  it.each<[text: string, want: number | undefined]>([
    ['tcp', 6],
    ['TCP', 6],
    ['udp', 17],
    ['icmp', 1],
    ['icmpv6', 58],
    ['ipv6-icmp', 58],
    ['ipencap', 4],
    ['ipip', 94],
    ['0', 0],
    ['255', 255],
    ['256', undefined],
    ['-1', undefined],
    ['6 ', undefined],
    ['tcpp', undefined],
    ['', undefined],
  ])('of %j is %j', (text, want) => {
    expect(parseIpProtocol(text)).toBe(want);
  });

  it('reads what formatIpProtocol prints', () => {
    for (let number = 0; number < 256; number++) expect(parseIpProtocol(formatIpProtocol(number))).toBe(number);
  });

  it('knows the protocols that the code names', () => {
    for (const number of [
      IpProtocol.tcp,
      IpProtocol.udp,
      IpProtocol.icmp,
      IpProtocol.icmpv6,
      IpProtocol.gre,
      IpProtocol.esp,
    ])
      expect(formatIpProtocol(number)).toMatch(/^[a-z]/);
  });
});

describe('parseMac', () => {
  it.each<[text: string, want: number | undefined]>([
    ['02:00:c0:a8:00:fe', 0x0200c0a800fe],
    ['02-00-C0-A8-00-FE', 0x0200c0a800fe],
    ['ff:ff:ff:ff:ff:ff', 0xffffffffffff],
    ['00:00:00:00:00:00', 0],
    ['2:0:c0:a8:0:fe', undefined],
    ['02:00:c0:a8:00', undefined],
    ['02:00:c0:a8:00:fe:00', undefined],
    ['0200c0a800fe', undefined],
    ['02:00:c0:a8:00:fg', undefined],
    ['', undefined],
  ])('of %j is %j', (text, want) => {
    expect(parseMac(text)).toBe(want);
  });

  it('reads what formatMac prints', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffffffffffff }), (mac) => {
        expect(formatMac(mac)).toMatch(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/);
        expect(parseMac(formatMac(mac))).toBe(mac);
      }),
    );
  });
});

describe('parseUnsigned32 reads as strtoul with base 0', () => {
  it.each<[text: string, want: number | undefined]>([
    ['0', 0],
    ['1', 1],
    ['0x1f', 31],
    ['0X1F', 31],
    ['010', 8],
    ['00', 0],
    ['08', undefined],
    ['0x', undefined],
    ['4294967295', 0xffffffff],
    ['0xffffffff', 0xffffffff],
    ['4294967296', undefined],
    ['0x100000000', undefined],
    ['-1', undefined],
    ['+1', undefined],
    ['1.5', undefined],
    ['1e3', undefined],
    ['', undefined],
    [' 1', undefined],
  ])('%j is %j', (text, want) => {
    expect(parseUnsigned32(text)).toBe(want);
  });
});

describe('parseMaskedMark', () => {
  it.each<[text: string, want: { value: number; mask: number } | undefined]>([
    ['1', { value: 1, mask: 0xffffffff }],
    ['0x1', { value: 1, mask: 0xffffffff }],
    ['0x1/0xff', { value: 1, mask: 0xff }],
    ['0x80000000/0x80000000', { value: 0x80000000, mask: 0x80000000 }],
    // Bits outside the mask stay: such a match never holds.
    ['0x3/0x1', { value: 3, mask: 1 }],
    ['0/0', { value: 0, mask: 0 }],
    ['1/', undefined],
    ['/1', undefined],
    ['1/2/3', undefined],
    ['x', undefined],
  ])('of %j is %j', (text, want) => {
    expect(parseMaskedMark(text)).toEqual(want);
  });

  it('reads what formatMaskedMark prints', () => {
    fc.assert(
      fc.property(word, fc.oneof(fc.constant(0xffffffff), word), (value, mask) => {
        expect(parseMaskedMark(formatMaskedMark({ value, mask }))).toEqual({ value, mask });
      }),
    );
  });

  it('prints marks unsigned', () => {
    expect(formatMark(0x80000000 | 0)).toBe('0x80000000');
    expect(formatMark(0)).toBe('0x0');
    expect(formatMaskedMark({ value: 1, mask: 0xffffffff })).toBe('0x1');
  });
});

describe('parsePortRange', () => {
  it.each<[text: string, want: { first: number; last: number } | undefined]>([
    ['80', { first: 80, last: 80 }],
    ['80-90', { first: 80, last: 90 }],
    ['80:90', { first: 80, last: 90 }],
    [':90', { first: 0, last: 90 }],
    ['80:', { first: 80, last: 65535 }],
    [':', { first: 0, last: 65535 }],
    ['0', { first: 0, last: 0 }],
    ['65535', { first: 65535, last: 65535 }],
    ['65536', undefined],
    ['1-65536', undefined],
    ['90-80', undefined],
    ['80,90', undefined],
    ['80-90-100', undefined],
    ['http', undefined],
    ['', undefined],
    [' 80', undefined],
    ['-80 ', undefined],
  ])('of %j is %j', (text, want) => {
    expect(parsePortRange(text)).toEqual(want);
  });

  it('reads what formatPortRange prints', () => {
    const port = fc.integer({ min: 0, max: 65535 });
    fc.assert(
      fc.property(port, port, (a, b) => {
        const range = { first: Math.min(a, b), last: Math.max(a, b) };
        expect(parsePortRange(formatPortRange(range))).toEqual(range);
      }),
    );
  });
});
