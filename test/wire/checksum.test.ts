import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sumWords } from '../../src/wire/checksum.ts';
import { Status } from '../../src/wire/packet-batch.ts';
import { decode } from './decoded-row.ts';
import {
  ethernet,
  type Field,
  icmp,
  ipv4,
  ipv6,
  layOut,
  onesSum,
  pseudoV4,
  pseudoV6,
  tcp,
  text,
  udp,
  withChecksum,
} from './frame-bytes.ts';

const ODD = text('seven b');
const TCP_CHECKSUM = 16;
const UDP_CHECKSUM = 6;
const ICMP_CHECKSUM = 2;
const NONE = new Uint8Array(0);

const segment = tcp({ payload: ODD });
const datagram = udp(ODD);
const echo = icmp(8, 0, 0x00070001, ODD);
const goodTcp = withChecksum(segment, TCP_CHECKSUM, pseudoV4(6, segment.length));
const goodUdp = withChecksum(datagram, UDP_CHECKSUM, pseudoV4(17, datagram.length));

interface Case {
  readonly name: string;
  readonly frame: Uint8Array;
  readonly capturedLength?: number;
  readonly originalLength?: number;
  readonly bad: 'none' | 'network' | 'transport';
}

/** The bytes with one bit of one of them turned. */
function broken(bytes: Uint8Array, at: number): Uint8Array {
  const copy = bytes.slice();
  copy[at]! ^= 0x10;
  return copy;
}

const SEGMENT_ROUTING: readonly Field[] = [
  [1, 6], // next header
  [1, 2], // 24 bytes
  [1, 4], // segment routing
  [1, 1], // one segment left
  [4, 0],
  [16, 1],
];

describe('checksums', () => {
  it.each<Case>([
    { name: 'TCP over IPv4', frame: ethernet(0x0800, ipv4({}, goodTcp)), bad: 'none' },
    { name: 'TCP over IPv4, payload broken', frame: ethernet(0x0800, broken(ipv4({}, goodTcp), 45)), bad: 'transport' },
    {
      name: 'TCP over IPv4, its odd last byte broken',
      frame: ethernet(0x0800, broken(ipv4({}, goodTcp), 46)),
      bad: 'transport',
    },
    {
      name: 'TCP over IPv4, an address of the pseudo header broken',
      frame: ethernet(0x0800, ipv4({ source: 0xc0a8000b }, goodTcp)),
      bad: 'transport',
    },
    {
      name: 'a checksum of 0 of TCP is none too, but a wrong one',
      frame: ethernet(0x0800, ipv4({}, segment)),
      bad: 'transport',
    },
    {
      name: 'TCP, left to the network card',
      frame: ethernet(0x0800, ipv4({}, withChecksum(segment, TCP_CHECKSUM, pseudoV4(6, segment.length), true))),
      bad: 'none',
    },
    {
      name: 'Ethernet padding is not summed',
      frame: ethernet(0x0800, layOut(ipv4({}, goodTcp), [3, 0xffffff])),
      bad: 'none',
    },
    {
      name: 'TCP over IPv6',
      frame: ethernet(0x86dd, ipv6({}, withChecksum(segment, TCP_CHECKSUM, pseudoV6(6, segment.length)))),
      bad: 'none',
    },
    {
      name: 'TCP over IPv6 with the sum of IPv4',
      frame: ethernet(0x86dd, ipv6({}, goodTcp)),
      bad: 'transport',
    },
    {
      name: 'TCP over IPv6 behind a routing header with segments left: the sum is over another address',
      frame: ethernet(0x86dd, ipv6({ nextHeader: 43 }, layOut(...SEGMENT_ROUTING, segment))),
      bad: 'none',
    },
    { name: 'UDP over IPv4', frame: ethernet(0x0800, ipv4({ protocol: 17 }, goodUdp)), bad: 'none' },
    {
      name: 'UDP over IPv4, ports broken',
      frame: ethernet(0x0800, broken(ipv4({ protocol: 17 }, goodUdp), 21)),
      bad: 'transport',
    },
    {
      name: 'UDP with a checksum of 0 has none',
      frame: ethernet(0x0800, ipv4({ protocol: 17 }, datagram)),
      bad: 'none',
    },
    {
      name: 'UDP: bytes behind its length are not summed',
      frame: ethernet(0x0800, ipv4({ protocol: 17 }, layOut(goodUdp, [2, 0xffff]))),
      bad: 'none',
    },
    {
      name: 'UDP over IPv6, left to the network card',
      frame: ethernet(
        0x86dd,
        ipv6({ nextHeader: 17 }, withChecksum(datagram, UDP_CHECKSUM, pseudoV6(17, datagram.length), true)),
      ),
      bad: 'none',
    },
    {
      name: 'ICMP',
      frame: ethernet(0x0800, ipv4({ protocol: 1 }, withChecksum(echo, ICMP_CHECKSUM, NONE))),
      bad: 'none',
    },
    { name: 'ICMP with a checksum of 0', frame: ethernet(0x0800, ipv4({ protocol: 1 }, echo)), bad: 'transport' },
    {
      name: 'ICMPv6',
      frame: ethernet(0x86dd, ipv6({ nextHeader: 58 }, withChecksum(echo, ICMP_CHECKSUM, pseudoV6(58, echo.length)))),
      bad: 'none',
    },
    {
      name: 'ICMPv6 summed as ICMP is',
      frame: ethernet(0x86dd, ipv6({ nextHeader: 58 }, withChecksum(echo, ICMP_CHECKSUM, NONE))),
      bad: 'transport',
    },
    {
      name: 'a segment cut by the snap length counts as good',
      frame: ethernet(0x0800, ipv4({}, segment)),
      capturedLength: 60,
      bad: 'none',
    },
    {
      name: 'a fragment is not judged',
      frame: ethernet(0x0800, ipv4({ flagsAndOffset: 0x2000 }, segment)),
      bad: 'none',
    },
    { name: 'the IPv4 header', frame: ethernet(0x0800, ipv4({ checksum: 0x1234 }, goodTcp)), bad: 'network' },
    {
      name: 'the IPv4 header with its options',
      frame: ethernet(0x0800, broken(ipv4({ options: layOut([4, 0x94040000]) }, goodTcp), 23)),
      bad: 'network',
    },
  ])('$name: $bad wrong', ({ frame, capturedLength = frame.length, originalLength = frame.length, bad }) => {
    const want = bad === 'network' ? Status.badNetworkChecksum : bad === 'transport' ? Status.badTransportChecksum : 0;
    const mask = Status.badNetworkChecksum | Status.badTransportChecksum;
    const judged = decode(frame, { capturedLength, originalLength, verifyChecksums: true });
    expect(Number(judged.status) & mask).toBe(want);
    expect(Number(decode(frame, { capturedLength, originalLength }).status) & mask).toBe(0);
  });

  it('the checksum field is kept as captured', () => {
    const want = goodTcp[TCP_CHECKSUM]! * 256 + goodTcp[TCP_CHECKSUM + 1]!;
    expect(decode(ethernet(0x0800, ipv4({}, goodTcp))).transportChecksum).toBe(want);
  });

  it('sums as the plain definition does, over any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(sumWords(bytes, 0, bytes.length, 0)).toBe(onesSum(bytes));
      }),
    );
  });

  it('sums a super-frame without overflow', () => {
    const bytes = new Uint8Array(1_000_001).fill(0xff);
    expect(sumWords(bytes, 0, bytes.length, 0xffff)).toBe(onesSum(bytes));
  });
});
