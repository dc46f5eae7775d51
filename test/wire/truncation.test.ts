import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LinkType } from '../../src/wire/link-type.ts';
import { Status } from '../../src/wire/packet-batch.ts';
import { decode, type Row } from './decoded-row.ts';
import { arp, ethernet, icmp, ipv4, ipv6, layOut, tcp, text, udp, vlanTag } from './frame-bytes.ts';

interface Sample {
  readonly name: string;
  readonly frame: Uint8Array;
  readonly linkType?: number;
  /** From how many bytes on each bit is set, of a frame that the snap length cut. */
  readonly from: {
    readonly ip?: number;
    readonly transport?: number;
    readonly arp?: number;
    readonly quoted?: number;
    readonly quotedTuple?: number;
  };
  /** From how many bytes on no header is cut any more. */
  readonly whole: number;
}

const PAYLOAD = text('payload');
const OPTIONS = layOut([4, 0x0101080a], [4, 1], [4, 2]);
const COOKED_V1 = layOut([2, 0], [2, 1], [2, 6], [8, 1], [2, 0x0800]);
const COOKED_V2 = layOut([2, 0x86dd], [2, 0], [4, 2], [2, 1], [1, 0], [1, 6], [8, 1]);
const HOP_BY_HOP = layOut([1, 44], [1, 0], [2, 0x0104], [4, 0]);
const FRAGMENT = layOut([1, 6], [1, 0], [2, 1], [4, 9]);
const PPPOE = layOut([2, 0x1100], [2, 1], [2, 29 + 20], [2, 0x0021]);

const SAMPLES: readonly Sample[] = [
  {
    name: 'Ethernet, IPv4, TCP',
    frame: ethernet(0x0800, ipv4({}, tcp({ payload: PAYLOAD }))),
    from: { ip: 34, transport: 54 },
    whole: 54,
  },
  {
    name: 'TCP options',
    frame: ethernet(0x0800, ipv4({}, tcp({ options: OPTIONS, payload: PAYLOAD }))),
    from: { ip: 34, transport: 54 },
    whole: 66,
  },
  {
    name: 'IPv4 options',
    frame: ethernet(0x0800, ipv4({ options: layOut([4, 0x94040000]) }, tcp({ payload: PAYLOAD }))),
    from: { ip: 34, transport: 58 },
    whole: 58,
  },
  {
    name: 'two VLAN tags',
    frame: ethernet(0x88a8, vlanTag(1, 0x8100, vlanTag(2, 0x0800, ipv4({ protocol: 17 }, udp(PAYLOAD))))),
    from: { ip: 42, transport: 50 },
    whole: 50,
  },
  {
    name: 'PPPoE',
    frame: ethernet(0x8864, layOut(PPPOE, ipv4({}, tcp({ payload: PAYLOAD })))),
    from: { ip: 42, transport: 62 },
    whole: 62,
  },
  { name: 'ARP', frame: ethernet(0x0806, layOut(arp(1), [18, 0])), from: { arp: 42 }, whole: 42 },
  {
    name: 'cooked v1, SCTP',
    linkType: LinkType.linuxCooked,
    frame: layOut(COOKED_V1, ipv4({ protocol: 132 }, layOut([12, 1], PAYLOAD))),
    from: { ip: 36, transport: 48 },
    whole: 48,
  },
  {
    name: 'cooked v2, IPv6 with extension headers',
    linkType: LinkType.linuxCookedV2,
    frame: layOut(COOKED_V2, ipv6({ nextHeader: 0 }, layOut(HOP_BY_HOP, FRAGMENT, tcp({ payload: PAYLOAD })))),
    from: { ip: 60, transport: 96 },
    whole: 96,
  },
  {
    name: 'loopback',
    linkType: LinkType.null,
    frame: layOut([4, 0x02000000], ipv4({ protocol: 1 }, icmp(8, 0, 1, PAYLOAD))),
    from: { ip: 24, transport: 32 },
    whole: 32,
  },
  {
    name: 'raw, ICMP error that quotes TCP',
    linkType: LinkType.raw,
    frame: ipv4({ protocol: 1 }, icmp(3, 1, 0, ipv4({}, tcp()))),
    from: { ip: 20, transport: 28, quoted: 48, quotedTuple: 52 },
    whole: 56,
  },
  {
    name: 'ICMPv6 error that quotes UDP behind an extension header',
    linkType: LinkType.raw,
    frame: ipv6(
      { nextHeader: 58 },
      icmp(1, 0, 0, ipv6({ nextHeader: 60 }, layOut([1, 17], [1, 0], [2, 0x0104], [4, 0], udp(PAYLOAD)))),
    ),
    from: { ip: 40, transport: 48, quoted: 88, quotedTuple: 100 },
    whole: 104,
  },
];

function statusOf(row: Row): number {
  return Number(row.status);
}

describe.each(SAMPLES)('$name', ({ frame, linkType = 1, from, whole }) => {
  const lengths = Array.from({ length: frame.length + 1 }, (_, length) => length);

  it('of a frame cut by the snap length, each header shows from its last byte on, and nothing is called malformed', () => {
    for (const capturedLength of lengths) {
      const got = statusOf(decode(frame, { linkType, capturedLength }));
      const want =
        (capturedLength >= (from.ip ?? Number.POSITIVE_INFINITY) ? Status.ip : 0) |
        (capturedLength >= (from.transport ?? Number.POSITIVE_INFINITY) ? Status.transport : 0) |
        (capturedLength >= (from.arp ?? Number.POSITIVE_INFINITY) ? Status.arp : 0) |
        (capturedLength >= (from.quoted ?? Number.POSITIVE_INFINITY) ? Status.quoted : 0) |
        (capturedLength >= (from.quotedTuple ?? Number.POSITIVE_INFINITY) ? Status.quotedTuple : 0) |
        (capturedLength < whole ? Status.cut : 0);
      const headers = Status.ip | Status.transport | Status.arp | Status.quoted | Status.quotedTuple;
      const judged = headers | Status.cut | Status.malformed;
      expect(got & judged, `captured ${capturedLength} bytes`).toBe(want);
    }
  });

  it('of a frame that was so short on the wire, nothing is called cut', () => {
    for (const capturedLength of lengths) {
      const got = statusOf(decode(frame, { linkType, capturedLength, originalLength: capturedLength }));
      expect(got & Status.cut, `${capturedLength} bytes`).toBe(0);
      if (capturedLength < whole) expect(got & Status.malformed, `${capturedLength} bytes`).toBe(Status.malformed);
    }
  });

  it('nothing outside the captured bytes is read', () => {
    for (const capturedLength of lengths) {
      for (const verifyChecksums of [false, true]) {
        const given = { linkType, capturedLength, verifyChecksums };
        const got = decode(frame, { ...given, filler: 0x00 });
        expect(decode(frame, { ...given, filler: 0xff }), `captured ${capturedLength} bytes`).toEqual(got);
      }
    }
  });

  it('checksums of cut frames are not called wrong', () => {
    const bad = Status.badNetworkChecksum | Status.badTransportChecksum;
    for (const capturedLength of lengths.slice(0, -1)) {
      const got = statusOf(decode(frame, { linkType, capturedLength, verifyChecksums: true }));
      expect(got & bad, `captured ${capturedLength} bytes`).toBe(0);
    }
  });

  it('any byte may lie', () => {
    for (let at = 0; at < frame.length; at++) {
      for (const value of [0x00, 0x01, 0x7f, 0x80, 0xff, (frame[at]! + 1) & 255, (frame[at]! + 255) & 255]) {
        const lying = frame.slice();
        lying[at] = value;
        const given = { linkType, verifyChecksums: true };
        const got = decode(lying, { ...given, filler: 0x00 });
        expect(decode(lying, { ...given, filler: 0xff }), `byte ${at} = ${value}`).toEqual(got);
        expectSane(got);
      }
    }
  });
});

it('random bytes of any link type decode to something sane', () => {
  const linkTypes = [...Object.values(LinkType), 12, 14, 147];
  fc.assert(
    fc.property(
      fc.constantFrom(...linkTypes),
      fc.constantFrom(...SAMPLES.map(({ frame }) => frame)),
      fc.uint8Array({ maxLength: 120 }),
      fc.nat(70),
      fc.nat(2000),
      (linkType, sample, noise, keep, more) => {
        // A true begin, so that the noise reaches the inner decoders as well.
        const frame = layOut(sample.subarray(0, keep), noise);
        const given = { linkType, originalLength: frame.length + more, verifyChecksums: true };
        const got = decode(frame, { ...given, filler: 0x00 });
        expect(decode(frame, { ...given, filler: 0xff })).toEqual(got);
        expectSane(got);
      },
    ),
    { numRuns: 3000 },
  );
});

function expectSane(row: Row): void {
  const status = statusOf(row);
  const isIp = (status & Status.ip) !== 0;
  expect(isIp ? [4, 6] : [0]).toContain(row.family);
  if (!isIp) expect(status & (Status.transport | Status.quoted | Status.fragment | Status.options)).toBe(0);
  if ((status & Status.transport) !== 0) expect(row.fragmentOffset).toBe(0);
  expect(Number(row.networkLength)).toBeLessThanOrEqual(Number(row.originalLength));
  expect(Number(row.payloadLength)).toBeLessThanOrEqual(Number(row.networkLength));
}
