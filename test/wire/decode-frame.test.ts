import { describe, expect, it } from 'vitest';
import { LinkType } from '../../src/wire/link-type.ts';
import { decode, type Row, statusNames } from './decoded-row.ts';
import {
  arp,
  CLIENT,
  CLIENT_MAC,
  CLIENT_V6,
  ethernet,
  type Field,
  icmp,
  ipv4,
  ipv6,
  layOut,
  ROUTER_MAC,
  SERVER,
  SERVER_V6,
  tcp,
  text,
  udp,
  vlanTag,
} from './frame-bytes.ts';

interface Case {
  readonly name: string;
  readonly frame: Uint8Array;
  readonly linkType?: number;
  readonly originalLength?: number;
  readonly status: readonly string[];
  readonly want: Row;
}

const SYN_OPTIONS = layOut(
  [4, 0x020405b4], // maximum segment size
  [2, 0x0402], // SACK permitted
  [2, 0x0101], // two no-operations
  [3, 0x030307], // window scale 7
  [1, 0], // end
);

const HTTP = text('GET / HTTP/1.0\r\n');

/** An extension header of eight bytes. */
function extension(next: number, ...rest: readonly Field[]): Uint8Array {
  return layOut([1, next], ...rest);
}

const PADDING_OPTION: readonly Field[] = [
  [1, 0], // length: none beyond the first eight bytes
  [2, 0x0104], // pad by four
  [4, 0],
];

/** So many tags of VLAN 1 before an IPv4 packet. */
function stackedTags(count: number): Uint8Array {
  let payload = vlanTag(1, 0x0800, ipv4({}, tcp()));
  for (let index = 1; index < count; index++) payload = vlanTag(1, 0x8100, payload);
  return payload;
}

describe('link headers', () => {
  it.each<Case>([
    {
      name: 'Ethernet: the MAC addresses are 48-bit numbers, unicast is to nobody known',
      frame: ethernet(0x0800, ipv4({}, tcp())),
      status: ['ip', 'transport', 'dontFragment'],
      want: {
        sourceMac: CLIENT_MAC,
        destinationMac: ROUTER_MAC,
        etherType: 0x0800,
        linkDestination: 0,
        direction: 0,
        vlan: -1,
        innerVlan: -1,
      },
    },
    {
      name: 'Ethernet broadcast',
      frame: ethernet(0x0800, ipv4({ protocol: 17 }, udp(HTTP)), 0xffffffffffff),
      status: ['ip', 'transport', 'dontFragment'],
      want: { linkDestination: 2, destinationMac: 0xffffffffffff },
    },
    {
      name: 'Ethernet multicast',
      frame: ethernet(0x0800, ipv4({ protocol: 17 }, udp(HTTP)), 0x01005e000001),
      status: ['ip', 'transport', 'dontFragment'],
      want: { linkDestination: 3 },
    },
    {
      name: '802.3 with a length has no EtherType',
      frame: ethernet(38, layOut([3, 0x424203], [4, 0], [31, 0])),
      status: [],
      want: { etherType: 0, family: 0 },
    },
    {
      name: '802.1Q',
      frame: ethernet(0x8100, vlanTag(103, 0x0800, ipv4({}, tcp()))),
      status: ['ip', 'transport', 'dontFragment'],
      want: { vlan: 103, innerVlan: -1, etherType: 0x0800, source: [CLIENT, 0, 0, 0] },
    },
    {
      name: '802.1ad over 802.1Q',
      frame: ethernet(0x88a8, vlanTag(4095, 0x8100, vlanTag(1, 0x86dd, ipv6({}, tcp())))),
      status: ['ip', 'transport'],
      want: { vlan: 4095, innerVlan: 1, etherType: 0x86dd },
    },
    {
      name: 'three tags: the two outer ids are kept',
      frame: ethernet(0x9100, vlanTag(1, 0x88a8, vlanTag(2, 0x8100, vlanTag(3, 0x0800, ipv4({}, tcp()))))),
      status: ['ip', 'transport', 'dontFragment'],
      want: { vlan: 1, innerVlan: 2, sourcePort: 40_000 },
    },
    {
      name: 'a priority tag has id 0',
      frame: ethernet(0x8100, vlanTag(0, 0x0800, ipv4({}, tcp()))),
      status: ['ip', 'transport', 'dontFragment'],
      want: { vlan: 0 },
    },
    {
      name: 'a tag before an 802.3 length',
      frame: ethernet(0x8100, vlanTag(5, 40, layOut([40, 0]))),
      status: [],
      want: { vlan: 5, etherType: 0 },
    },
    {
      name: 'eight tags are read',
      frame: ethernet(0x8100, stackedTags(8)),
      status: ['ip', 'transport', 'dontFragment'],
      want: { vlan: 1, innerVlan: 1, family: 4 },
    },
    {
      name: 'more tags than anyone stacks are malformed',
      frame: ethernet(0x8100, stackedTags(9)),
      status: ['malformed'],
      want: { vlan: 1, family: 0 },
    },
    {
      name: 'PPPoE keeps its EtherType beside the IP packet',
      frame: ethernet(
        0x8864,
        layOut(
          [1, 0x11], // version 1, type 1
          [1, 0], // session data
          [2, 7], // session
          [2, 42], // PPP frame of 2 + 40 bytes
          [2, 0x0021], // IPv4
          ipv4({}, tcp()),
          [6, 0], // Ethernet padding
        ),
      ),
      status: ['ip', 'transport', 'dontFragment'],
      want: { etherType: 0x8864, destinationPort: 3389, payloadLength: 0 },
    },
    {
      name: 'PPPoE whose length exceeds the frame',
      frame: ethernet(0x8864, layOut([2, 0x1100], [2, 7], [2, 43], [2, 0x0021], ipv4({}, tcp()))),
      status: ['malformed'],
      want: { family: 0 },
    },
    {
      name: 'cooked v1, sent to this host',
      linkType: LinkType.linuxCooked,
      frame: layOut(
        [2, 0], // packet type: host
        [2, 1], // ARPHRD_ETHER
        [2, 6], // address length
        [6, CLIENT_MAC],
        [2, 0], // unused
        [2, 0x0800],
        ipv4({}, tcp()),
      ),
      status: ['ip', 'transport', 'dontFragment'],
      want: { direction: 1, linkDestination: 1, sourceMac: CLIENT_MAC, destinationMac: -1, etherType: 0x0800 },
    },
    {
      name: 'cooked v1, sent by this host, without an address',
      linkType: LinkType.linuxCooked,
      frame: layOut([2, 4], [2, 65534], [2, 0], [8, 0], [2, 0x0800], ipv4({}, tcp())),
      status: ['ip', 'transport', 'dontFragment'],
      want: { direction: 2, linkDestination: 0, sourceMac: -1 },
    },
    {
      name: 'cooked v1 with the VLAN tag put back in',
      linkType: LinkType.linuxCooked,
      frame: layOut([2, 0], [2, 1], [2, 6], [6, CLIENT_MAC], [2, 0], [2, 0x8100], vlanTag(9, 0x0800, ipv4({}, tcp()))),
      status: ['ip', 'transport', 'dontFragment'],
      want: { vlan: 9, etherType: 0x0800 },
    },
    {
      name: 'cooked v1 of a netlink device: its protocol is no EtherType',
      linkType: LinkType.linuxCooked,
      frame: layOut([2, 4], [2, 824], [2, 0], [8, 0], [2, 0x0800], ipv4({}, tcp())),
      status: [],
      want: { family: 0 },
    },
    {
      name: 'cooked v1 of a frame relay device: its protocol is no EtherType',
      linkType: LinkType.linuxCooked,
      frame: layOut([2, 4], [2, 770], [2, 0], [8, 0], [2, 0x0800], ipv4({}, tcp())),
      status: [],
      want: { family: 0 },
    },
    ...(
      [
        [1, 'broadcast', 2],
        [2, 'multicast', 3],
        [3, 'other host', 4],
      ] as const
    ).map(
      ([packetType, name, linkDestination]): Case => ({
        name: `cooked v2, ${name}`,
        linkType: LinkType.linuxCookedV2,
        frame: layOut(
          [2, 0x0800],
          [2, 0], // reserved
          [4, 3], // interface index
          [2, 1], // ARPHRD_ETHER
          [1, packetType],
          [1, 6], // address length
          [6, CLIENT_MAC],
          [2, 0], // unused
          ipv4({}, tcp()),
        ),
        status: ['ip', 'transport', 'dontFragment'],
        want: { direction: 1, linkDestination, sourceMac: CLIENT_MAC, destinationMac: -1 },
      }),
    ),
    {
      name: 'cooked v2, sent by this host',
      linkType: LinkType.linuxCookedV2,
      frame: layOut([2, 0x86dd], [2, 0], [4, 3], [2, 1], [1, 4], [1, 6], [6, ROUTER_MAC], [2, 0], ipv6({}, tcp())),
      status: ['ip', 'transport'],
      want: { direction: 2, linkDestination: 0, sourceMac: ROUTER_MAC, family: 6 },
    },
    {
      name: 'cooked v2, a copy that the kernel made for itself',
      linkType: LinkType.linuxCookedV2,
      frame: layOut([2, 0x0800], [2, 0], [4, 1], [2, 772], [1, 5], [1, 6], [8, 0], ipv4({}, tcp())),
      status: ['ip', 'transport', 'dontFragment'],
      want: { direction: 0, linkDestination: 0 },
    },
    {
      name: 'null: little-endian AF_INET',
      linkType: LinkType.null,
      frame: layOut([4, 0x02000000], ipv4({}, tcp())),
      status: ['ip', 'transport', 'dontFragment'],
      want: { family: 4, sourceMac: -1 },
    },
    {
      name: 'null: big-endian AF_INET6 of FreeBSD',
      linkType: LinkType.null,
      frame: layOut([4, 28], ipv6({}, tcp())),
      status: ['ip', 'transport'],
      want: { family: 6 },
    },
    {
      name: 'null: little-endian AF_INET6 of Darwin',
      linkType: LinkType.null,
      frame: layOut([4, 0x1e000000], ipv6({}, tcp())),
      status: ['ip', 'transport'],
      want: { family: 6 },
    },
    {
      name: 'null: another family',
      linkType: LinkType.null,
      frame: layOut([4, 7], ipv4({}, tcp())),
      status: [],
      want: { family: 0 },
    },
    {
      name: 'loop: OpenBSD AF_INET6',
      linkType: LinkType.loop,
      frame: layOut([4, 24], ipv6({}, tcp())),
      status: ['ip', 'transport'],
      want: { family: 6 },
    },
    ...[LinkType.raw, LinkType.ipv4, 12, 14].map(
      (linkType): Case => ({
        name: `raw IPv4, link type ${linkType}`,
        linkType,
        frame: ipv4({}, tcp()),
        status: ['ip', 'transport', 'dontFragment'],
        want: { family: 4, etherType: 0x0800, sourceMac: -1, vlan: -1 },
      }),
    ),
    {
      name: 'raw IPv6',
      linkType: LinkType.ipv6,
      frame: ipv6({}, tcp()),
      status: ['ip', 'transport'],
      want: { family: 6, etherType: 0x86dd },
    },
    {
      name: 'raw of neither version',
      linkType: LinkType.raw,
      frame: ipv6({ version: 5 }, tcp()),
      status: ['malformed'],
      want: { family: 0 },
    },
    {
      name: 'a link type that is not decoded',
      linkType: 127,
      frame: ethernet(0x0800, ipv4({}, tcp())),
      status: ['unsupportedLink'],
      want: { family: 0, sourceMac: -1, etherType: 0 },
    },
    {
      name: 'an unknown EtherType is noted',
      frame: ethernet(0x8847, layOut([4, 0x000641ff], ipv4({}, tcp()))),
      status: [],
      want: { etherType: 0x8847, family: 0 },
    },
  ])('$name', check);
});

describe('ARP', () => {
  it.each<Case>([
    {
      name: 'request',
      frame: ethernet(0x0806, layOut(arp(1), [18, 0]), 0xffffffffffff),
      status: ['arp'],
      want: {
        arpOperation: 1,
        arpSenderMac: CLIENT_MAC,
        source: [CLIENT, 0, 0, 0],
        destination: [0xc0a800fe, 0, 0, 0],
        family: 0,
        linkDestination: 2,
      },
    },
    { name: 'reply', frame: ethernet(0x0806, arp(2)), status: ['arp'], want: { arpOperation: 2 } },
    {
      name: 'of other hardware is left alone',
      frame: ethernet(0x0806, layOut([2, 32], arp(1).subarray(2))),
      status: [],
      want: { arpOperation: 0, arpSenderMac: -1 },
    },
    {
      name: 'of another protocol is left alone',
      frame: ethernet(0x0806, layOut(arp(1).subarray(0, 2), [2, 0x809b], arp(1).subarray(4))),
      status: [],
      want: { arpOperation: 0 },
    },
    {
      name: 'with impossible address lengths',
      frame: ethernet(0x0806, layOut(arp(1).subarray(0, 4), [2, 0x0610], arp(1).subarray(6))),
      status: ['malformed'],
      want: { arpOperation: 0 },
    },
  ])('$name', check);
});

describe('IPv4', () => {
  it.each<Case>([
    {
      name: 'every field',
      frame: ethernet(0x0800, ipv4({}, tcp({ payload: HTTP }))),
      status: ['ip', 'transport', 'dontFragment'],
      want: {
        family: 4,
        protocol: 6,
        ttl: 64,
        tos: 0x10,
        identification: 0x1234,
        fragmentOffset: 0,
        networkLength: 56,
        source: [CLIENT, 0, 0, 0],
        destination: [SERVER, 0, 0, 0],
        payloadLength: 16,
      },
    },
    {
      name: 'Ethernet padding is no payload',
      frame: ethernet(0x0800, layOut(ipv4({}, tcp()), [6, 0])),
      status: ['ip', 'transport', 'dontFragment'],
      want: { networkLength: 40, payloadLength: 0 },
    },
    {
      name: 'a total length of 0 is that of an offloaded super-frame: what the frame held',
      frame: ethernet(0x0800, ipv4({ totalLength: 0 }, tcp({ payload: HTTP }))),
      originalLength: 70_000,
      status: ['ip', 'transport', 'dontFragment'],
      want: { networkLength: 69_986, payloadLength: 69_946 },
    },
    {
      name: 'the payload counts by the IP length, not by what was captured',
      frame: ethernet(0x0800, ipv4({ totalLength: 1500 }, tcp())),
      originalLength: 1514,
      status: ['ip', 'transport', 'dontFragment'],
      want: { networkLength: 1500, payloadLength: 1460 },
    },
    {
      name: 'a loose source route',
      frame: ethernet(0x0800, ipv4({ options: layOut([3, 0x830704], [4, SERVER], [1, 0]) }, tcp())),
      status: ['ip', 'transport', 'dontFragment', 'options', 'sourceRoute'],
      want: { sourcePort: 40_000 },
    },
    {
      name: 'a strict source route behind a no-operation',
      frame: ethernet(0x0800, ipv4({ options: layOut([1, 1], [3, 0x890704], [4, SERVER]) }, tcp())),
      status: ['ip', 'transport', 'dontFragment', 'options', 'sourceRoute'],
      want: {},
    },
    {
      name: 'a router alert is no source route',
      frame: ethernet(0x0800, ipv4({ options: layOut([4, 0x94040000]) }, tcp())),
      status: ['ip', 'transport', 'dontFragment', 'options'],
      want: {},
    },
    {
      name: 'a source route behind the end of the options is none',
      frame: ethernet(0x0800, ipv4({ options: layOut([1, 0], [3, 0x830704]) }, tcp())),
      status: ['ip', 'transport', 'dontFragment', 'options'],
      want: {},
    },
    {
      name: 'an option of length 1',
      frame: ethernet(0x0800, ipv4({ options: layOut([4, 0x94010000]) }, tcp())),
      status: ['ip', 'transport', 'dontFragment', 'options', 'badOptions'],
      want: { sourcePort: 40_000 },
    },
    {
      name: 'an option beyond the header',
      frame: ethernet(0x0800, ipv4({ options: layOut([4, 0x94050000]) }, tcp())),
      status: ['ip', 'transport', 'dontFragment', 'options', 'badOptions'],
      want: {},
    },
    {
      name: 'a record route whose pointer is before its data',
      frame: ethernet(0x0800, ipv4({ options: layOut([4, 0x07040300]) }, tcp())),
      status: ['ip', 'transport', 'dontFragment', 'options', 'badOptions'],
      want: { sourcePort: 40_000 },
    },
    {
      name: 'a record route with less room than an address needs',
      frame: ethernet(0x0800, ipv4({ options: layOut([4, 0x07050400], [4, 0]) }, tcp())),
      status: ['ip', 'transport', 'dontFragment', 'options', 'badOptions'],
      want: { sourcePort: 40_000 },
    },
    {
      name: 'a record route that is full',
      frame: ethernet(0x0800, ipv4({ options: layOut([4, 0x07070800], [4, 0]) }, tcp())),
      status: ['ip', 'transport', 'dontFragment', 'options'],
      want: { sourcePort: 40_000 },
    },
    {
      name: 'two record routes',
      frame: ethernet(0x0800, ipv4({ options: layOut([4, 0x07030401], [4, 0x07030400]) }, tcp())),
      status: ['ip', 'transport', 'dontFragment', 'options', 'badOptions'],
      want: { sourcePort: 40_000 },
    },
    {
      name: 'a timestamp whose pointer is before its data',
      frame: ethernet(0x0800, ipv4({ options: layOut([4, 0x44080400], [4, 0]) }, tcp())),
      status: ['ip', 'transport', 'dontFragment', 'options', 'badOptions'],
      want: { sourcePort: 40_000 },
    },
    {
      name: 'a timestamp without room for address and time',
      frame: ethernet(0x0800, ipv4({ options: layOut([4, 0x44080501], [4, 0]) }, tcp())),
      status: ['ip', 'transport', 'dontFragment', 'options', 'badOptions'],
      want: { sourcePort: 40_000 },
    },
    {
      name: 'a full timestamp',
      frame: ethernet(0x0800, ipv4({ options: layOut([4, 0x44080900], [4, 0]) }, tcp())),
      status: ['ip', 'transport', 'dontFragment', 'options'],
      want: { sourcePort: 40_000 },
    },
    {
      name: 'a full timestamp that has counted all overflows',
      frame: ethernet(0x0800, ipv4({ options: layOut([4, 0x440809f0], [4, 0]) }, tcp())),
      status: ['ip', 'transport', 'dontFragment', 'options', 'badOptions'],
      want: { sourcePort: 40_000 },
    },
    {
      name: 'two timestamps',
      frame: ethernet(0x0800, ipv4({ options: layOut([4, 0x44040500], [4, 0x44040500]) }, tcp())),
      status: ['ip', 'transport', 'dontFragment', 'options', 'badOptions'],
      want: { sourcePort: 40_000 },
    },
    {
      name: 'two timestamps of which the first is of no known kind',
      frame: ethernet(0x0800, ipv4({ options: layOut([4, 0x44080502], [4, 0], [4, 0x44080500], [4, 0]) }, tcp())),
      status: ['ip', 'transport', 'dontFragment', 'options'],
      want: { sourcePort: 40_000 },
    },
    {
      name: 'a source route whose pointer is before its data',
      frame: ethernet(0x0800, ipv4({ options: layOut([4, 0x83070300], [4, 0]) }, tcp())),
      status: ['ip', 'transport', 'dontFragment', 'options', 'badOptions'],
      want: { sourcePort: 40_000 },
    },
    {
      name: 'a loose and a strict source route',
      frame: ethernet(0x0800, ipv4({ options: layOut([4, 0x83030401], [4, 0x89030400]) }, tcp())),
      status: ['ip', 'transport', 'dontFragment', 'options', 'badOptions'],
      want: { sourcePort: 40_000 },
    },
    {
      name: 'an option of which only the kind is there',
      frame: ethernet(0x0800, ipv4({ options: layOut([4, 0x0101011e]) }, tcp())),
      status: ['ip', 'transport', 'dontFragment', 'options', 'badOptions'],
      want: { sourcePort: 40_000 },
    },
    {
      name: 'an option that nobody knows',
      frame: ethernet(0x0800, ipv4({ options: layOut([4, 0x1e040000]) }, tcp())),
      status: ['ip', 'transport', 'dontFragment', 'options'],
      want: { sourcePort: 40_000 },
    },
    {
      name: 'a security label, which routers judge by settings of their own',
      frame: ethernet(0x0800, ipv4({ options: layOut([4, 0x86060000], [4, 0x00010000]) }, tcp())),
      status: ['ip', 'transport', 'dontFragment', 'options', 'sourceRoute', 'badOptions'],
      want: {},
    },
    {
      name: 'the first fragment has the ports',
      frame: ethernet(0x0800, ipv4({ flagsAndOffset: 0x2000 }, tcp({ payload: HTTP }))),
      status: ['ip', 'transport', 'fragment', 'moreFragments'],
      want: { sourcePort: 40_000, fragmentOffset: 0 },
    },
    {
      name: 'later fragments have none',
      frame: ethernet(0x0800, ipv4({ flagsAndOffset: 0x2003 }, tcp())),
      status: ['ip', 'fragment', 'moreFragments'],
      want: { sourcePort: 0, destinationPort: 0, tcpFlags: 0, fragmentOffset: 24, payloadLength: 20 },
    },
    {
      name: 'the last fragment',
      frame: ethernet(0x0800, ipv4({ flagsAndOffset: 0x1fff }, HTTP)),
      status: ['ip', 'fragment'],
      want: { fragmentOffset: 65_528, payloadLength: 16 },
    },
    {
      name: 'a first fragment too short for the TCP header',
      frame: ethernet(0x0800, layOut(ipv4({ flagsAndOffset: 0x2000 }, tcp().subarray(0, 8)), [18, 0])),
      status: ['ip', 'malformed', 'fragment', 'moreFragments'],
      want: { sourcePort: 40_000, tcpFlags: 0 },
    },
    {
      name: 'version 6 under the EtherType of IPv4',
      frame: ethernet(0x0800, ipv6({}, tcp())),
      status: ['malformed'],
      want: { family: 0, source: [0, 0, 0, 0] },
    },
    {
      name: 'a header of 16 bytes',
      frame: ethernet(0x0800, ipv4({ versionAndLength: 0x44 }, tcp())),
      status: ['malformed'],
      want: { family: 0 },
    },
    {
      name: 'a header longer than the packet',
      frame: ethernet(0x0800, ipv4({ versionAndLength: 0x4f }, tcp())),
      status: ['malformed'],
      want: { family: 0 },
    },
    {
      name: 'a total length below the header',
      frame: ethernet(0x0800, ipv4({ totalLength: 19 }, tcp())),
      status: ['malformed'],
      want: { family: 0, networkLength: 0 },
    },
    {
      name: 'a total length beyond the frame',
      frame: ethernet(0x0800, ipv4({ totalLength: 41 }, tcp())),
      status: ['malformed'],
      want: { family: 0 },
    },
    {
      name: 'a protocol without a decoder: the payload is what follows the IP header',
      frame: ethernet(0x0800, ipv4({ protocol: 47 }, HTTP)),
      status: ['ip', 'dontFragment'],
      want: { protocol: 47, payloadLength: 16, sourcePort: 0 },
    },
    {
      name: 'ICMPv6 in IPv4 has no meaning',
      frame: ethernet(0x0800, ipv4({ protocol: 58 }, icmp(128, 0, 0x00070001, HTTP))),
      status: ['ip', 'dontFragment'],
      want: { icmpType: 0 },
    },
  ])('$name', check);
});

describe('IPv6', () => {
  it.each<Case>([
    {
      name: 'every field',
      frame: ethernet(0x86dd, ipv6({}, tcp({ payload: HTTP }))),
      status: ['ip', 'transport'],
      want: {
        family: 6,
        protocol: 6,
        ttl: 63,
        tos: 0xa2,
        networkLength: 76,
        source: [...CLIENT_V6],
        destination: [...SERVER_V6],
        payloadLength: 16,
        sourcePort: 40_000,
      },
    },
    {
      name: 'hop-by-hop and destination options',
      frame: ethernet(
        0x86dd,
        ipv6({ nextHeader: 0 }, layOut(extension(60, ...PADDING_OPTION), extension(6, ...PADDING_OPTION), tcp())),
      ),
      status: ['ip', 'transport', 'options'],
      want: { protocol: 6, destinationPort: 3389, payloadLength: 0, networkLength: 76 },
    },
    {
      name: 'a source route',
      frame: ethernet(
        0x86dd,
        ipv6({ nextHeader: 43 }, layOut(extension(6, [1, 2], [1, 0], [1, 1], [4, 0], [16, 1]), tcp())),
      ),
      status: ['ip', 'transport', 'options', 'sourceRoute'],
      want: { protocol: 6 },
    },
    {
      name: 'segment routing is none',
      frame: ethernet(0x86dd, ipv6({ nextHeader: 43 }, layOut(extension(6, [1, 0], [1, 4], [1, 0], [4, 0]), tcp()))),
      status: ['ip', 'transport', 'options'],
      want: { protocol: 6 },
    },
    {
      name: 'an authentication header counts in units of four bytes',
      frame: ethernet(0x86dd, ipv6({ nextHeader: 51 }, layOut(extension(6, [1, 4], [2, 0], [20, 1]), tcp()))),
      status: ['ip', 'transport', 'options'],
      want: { protocol: 6, sourcePort: 40_000, payloadLength: 0 },
    },
    {
      name: 'the first fragment has the ports',
      frame: ethernet(
        0x86dd,
        ipv6({ nextHeader: 44 }, layOut(extension(6, [1, 0], [2, 1], [4, 0xdeadbeef]), tcp({ payload: HTTP }))),
      ),
      status: ['ip', 'transport', 'fragment', 'moreFragments', 'options'],
      want: { protocol: 6, identification: 0xdeadbeef, fragmentOffset: 0, sourcePort: 40_000 },
    },
    {
      name: 'later fragments have none',
      frame: ethernet(0x86dd, ipv6({ nextHeader: 44 }, layOut(extension(6, [1, 0], [2, 1448], [4, 1]), tcp()))),
      status: ['ip', 'fragment', 'options'],
      want: { protocol: 6, fragmentOffset: 1448, sourcePort: 0, payloadLength: 20 },
    },
    {
      name: 'a fragment header on a whole packet makes no fragment',
      frame: ethernet(0x86dd, ipv6({ nextHeader: 44 }, layOut(extension(6, [1, 0], [2, 0], [4, 1]), tcp()))),
      status: ['ip', 'transport', 'options'],
      want: { sourcePort: 40_000 },
    },
    {
      name: 'no next header',
      frame: ethernet(0x86dd, layOut(ipv6({ nextHeader: 59 }, new Uint8Array(0)), [6, 0])),
      status: ['ip'],
      want: { protocol: 59, networkLength: 40, payloadLength: 0 },
    },
    {
      name: 'encrypted payload ends the walk',
      frame: ethernet(0x86dd, ipv6({ nextHeader: 50 }, HTTP)),
      status: ['ip'],
      want: { protocol: 50, payloadLength: 16 },
    },
    {
      name: 'a payload length of 0 is that of an offloaded super-frame: what the frame held',
      frame: ethernet(0x86dd, ipv6({ payloadLength: 0 }, tcp({ payload: HTTP }))),
      originalLength: 80_054,
      status: ['ip', 'transport'],
      want: { networkLength: 80_040, payloadLength: 79_980 },
    },
    {
      name: 'Ethernet padding is no payload',
      frame: ethernet(0x86dd, layOut(ipv6({ nextHeader: 17 }, udp(new Uint8Array(0))), [4, 0])),
      status: ['ip', 'transport'],
      want: { networkLength: 48, payloadLength: 0 },
    },
    {
      name: 'a payload length beyond the frame',
      frame: ethernet(0x86dd, ipv6({ payloadLength: 21 }, tcp())),
      status: ['malformed'],
      want: { family: 0 },
    },
    {
      name: 'version 4 under the EtherType of IPv6',
      frame: ethernet(0x86dd, ipv6({ version: 4 }, tcp())),
      status: ['malformed'],
      want: { family: 0 },
    },
    {
      name: 'an extension header longer than the packet',
      frame: ethernet(0x86dd, ipv6({ nextHeader: 60 }, layOut(extension(6, [1, 200], [6, 0]), tcp()))),
      status: ['ip', 'malformed', 'options'],
      want: { sourcePort: 0, protocol: 60 },
    },
    {
      name: 'a chain of extension headers without end',
      frame: ethernet(
        0x86dd,
        ipv6({ nextHeader: 60 }, layOut(...Array.from({ length: 40 }, () => extension(60, ...PADDING_OPTION)))),
      ),
      status: ['ip', 'malformed', 'options'],
      want: { sourcePort: 0 },
    },
    {
      name: 'ICMP of version 4 in IPv6 has no meaning',
      frame: ethernet(0x86dd, ipv6({ nextHeader: 1 }, icmp(8, 0, 0x00070001, HTTP))),
      status: ['ip'],
      want: { icmpType: 0, icmpIdentifier: 0 },
    },
  ])('$name', check);
});

describe('transport headers', () => {
  it.each<Case>([
    {
      name: 'TCP: every field',
      frame: ethernet(0x0800, ipv4({}, tcp({ payload: HTTP }))),
      status: ['ip', 'transport', 'dontFragment'],
      want: {
        sourcePort: 40_000,
        destinationPort: 3389,
        tcpSequence: 0xfedcba98,
        tcpAcknowledgement: 0x89abcdef,
        tcpFlags: 0x18,
        tcpWindow: 501,
        tcpWindowScale: -1,
        tcpSackPermitted: 0,
        tcpSackRightEdge: 0x89abcdef,
        payloadLength: 16,
      },
    },
    {
      name: 'TCP SYN with window scale and SACK permitted',
      frame: ethernet(0x0800, ipv4({}, tcp({ flags: 0x02, options: SYN_OPTIONS }))),
      status: ['ip', 'transport', 'dontFragment'],
      want: { tcpFlags: 2, tcpWindowScale: 7, tcpSackPermitted: 1, payloadLength: 0 },
    },
    {
      name: 'TCP: a window scale above 14 counts as 14',
      frame: ethernet(0x0800, ipv4({}, tcp({ options: layOut([3, 0x0303ff], [1, 0]) }))),
      status: ['ip', 'transport', 'dontFragment'],
      want: { tcpWindowScale: 14 },
    },
    {
      name: 'TCP: the highest right edge of the SACK blocks, across the wrap of sequence numbers',
      frame: ethernet(
        0x0800,
        ipv4(
          {},
          tcp({
            options: layOut(
              [2, 0x0101],
              [2, 0x0512], // two blocks
              [4, 0xf0000000],
              [4, 0xf0000100],
              [4, 0x00000010],
              [4, 0x00000020],
            ),
          }),
        ),
      ),
      status: ['ip', 'transport', 'dontFragment'],
      want: { tcpSackRightEdge: 0x20 },
    },
    {
      name: 'TCP: an edge behind the acknowledgement (a duplicate SACK) does not count',
      frame: ethernet(0x0800, ipv4({}, tcp({ options: layOut([4, 0x0101050a], [4, 0x89ab0000], [4, 0x89ab1000]) }))),
      status: ['ip', 'transport', 'dontFragment'],
      want: { tcpSackRightEdge: 0x89abcdef },
    },
    {
      name: 'TCP: an option of length 0 ends the options',
      frame: ethernet(0x0800, ipv4({}, tcp({ options: layOut([2, 0x0800], [3, 0x030307], [3, 0]) }))),
      status: ['ip', 'transport', 'dontFragment'],
      want: { tcpWindowScale: -1 },
    },
    {
      name: 'TCP: an option beyond the header is not read',
      frame: ethernet(0x0800, ipv4({}, tcp({ options: layOut([4, 0x01010303]), payload: HTTP }))),
      status: ['ip', 'transport', 'dontFragment'],
      want: { tcpWindowScale: -1, payloadLength: 16 },
    },
    {
      name: 'TCP: a data offset below 20 bytes',
      frame: ethernet(0x0800, ipv4({}, tcp({ dataOffset: 4, payload: HTTP }))),
      status: ['ip', 'transport', 'malformed', 'dontFragment'],
      want: { sourcePort: 40_000, tcpFlags: 0x18, payloadLength: 0 },
    },
    {
      name: 'TCP: a data offset beyond the segment',
      frame: ethernet(0x0800, ipv4({}, tcp({ dataOffset: 15 }))),
      status: ['ip', 'transport', 'malformed', 'dontFragment'],
      want: { sourcePort: 40_000, payloadLength: 0 },
    },
    {
      name: 'TCP: of a first fragment the options may lie in the next one',
      frame: ethernet(0x0800, ipv4({ flagsAndOffset: 0x2000 }, layOut(tcp({ dataOffset: 15 }), [4, 0]))),
      status: ['ip', 'transport', 'fragment', 'moreFragments'],
      want: { sourcePort: 40_000, payloadLength: 0 },
    },
    {
      name: 'TCP: ten bytes are too few',
      frame: ethernet(0x0800, layOut(ipv4({}, tcp().subarray(0, 10)), [16, 0])),
      status: ['ip', 'malformed', 'dontFragment'],
      want: { sourcePort: 40_000, tcpSequence: 0 },
    },
    {
      name: 'UDP',
      frame: ethernet(0x0800, ipv4({ protocol: 17 }, udp(HTTP, 24, 0xabcd))),
      status: ['ip', 'transport', 'dontFragment'],
      want: { sourcePort: 40_001, destinationPort: 53, payloadLength: 16, transportChecksum: 0xabcd },
    },
    {
      name: 'UDP with a length below 8',
      frame: ethernet(0x0800, ipv4({ protocol: 17 }, udp(HTTP, 7))),
      status: ['ip', 'transport', 'malformed', 'dontFragment'],
      want: { destinationPort: 53 },
    },
    {
      name: 'UDP with a length beyond the packet',
      frame: ethernet(0x0800, ipv4({ protocol: 17 }, udp(HTTP, 25))),
      status: ['ip', 'transport', 'malformed', 'dontFragment'],
      want: { destinationPort: 53 },
    },
    {
      name: 'UDP: of a first fragment the length is that of the datagram',
      frame: ethernet(0x0800, ipv4({ protocol: 17, flagsAndOffset: 0x2000 }, udp(HTTP, 3000))),
      status: ['ip', 'transport', 'fragment', 'moreFragments'],
      want: { destinationPort: 53, payloadLength: 16 },
    },
    {
      name: 'UDP: seven bytes are too few',
      frame: ethernet(0x0800, layOut(ipv4({ protocol: 17 }, HTTP.subarray(0, 7)), [19, 0])),
      status: ['ip', 'malformed', 'dontFragment'],
      want: { sourcePort: 0 },
    },
    ...(
      [
        [132, 'SCTP', 12],
        [33, 'DCCP', 12],
        [136, 'UDP-Lite', 8],
      ] as const
    ).map(
      ([protocol, name, length]): Case => ({
        name: `${name}: the ports`,
        frame: ethernet(0x0800, ipv4({ protocol }, layOut([2, 2905], [2, 2906], [28, 0]))),
        status: ['ip', 'transport', 'dontFragment'],
        want: { sourcePort: 2905, destinationPort: 2906, payloadLength: 32 - length },
      }),
    ),
    {
      name: 'ICMP echo',
      frame: ethernet(0x0800, ipv4({ protocol: 1 }, icmp(8, 0, 0x00070002, HTTP))),
      status: ['ip', 'transport', 'dontFragment'],
      want: { icmpType: 8, icmpCode: 0, icmpIdentifier: 7, icmpSequence: 2, payloadLength: 16, sourcePort: 0 },
    },
    {
      name: 'ICMP of four bytes',
      frame: ethernet(0x0800, layOut(ipv4({ protocol: 1 }, layOut([4, 0x08000000])), [22, 0])),
      status: ['ip', 'malformed', 'dontFragment'],
      want: { icmpType: 0 },
    },
    {
      name: 'ICMPv6 echo reply',
      frame: ethernet(0x86dd, ipv6({ nextHeader: 58 }, icmp(129, 0, 0x00070002, HTTP))),
      status: ['ip', 'transport'],
      want: { icmpType: 129, icmpIdentifier: 7, icmpSequence: 2 },
    },
    {
      name: 'ICMPv6 neighbour solicitation has no identifier',
      frame: ethernet(0x86dd, ipv6({ nextHeader: 58 }, icmp(135, 0, 0x00070002, layOut([16, 1])))),
      status: ['ip', 'transport'],
      want: { icmpType: 135, icmpIdentifier: 0 },
    },
  ])('$name', check);
});

describe('quoted packets of ICMP errors', () => {
  const quotedTcp = ipv4({ totalLength: 1500, source: SERVER, destination: CLIENT }, tcp().subarray(0, 8));
  it.each<Case>([
    {
      name: 'time exceeded: addresses and ports, whatever the quoted lengths say',
      frame: ethernet(0x0800, ipv4({ protocol: 1 }, icmp(11, 0, 0, quotedTcp))),
      status: ['ip', 'transport', 'dontFragment', 'quoted', 'quotedTuple'],
      want: {
        icmpType: 11,
        quotedProtocol: 6,
        quotedSource: [SERVER, 0, 0, 0],
        quotedDestination: [CLIENT, 0, 0, 0],
        quotedSourcePort: 40_000,
        quotedDestinationPort: 3389,
        icmpIdentifier: 0,
        sourcePort: 0,
      },
    },
    {
      name: 'a redirect names its gateway',
      frame: ethernet(0x0800, ipv4({ protocol: 1 }, icmp(5, 1, 0xac100001, quotedTcp))),
      status: ['ip', 'transport', 'dontFragment', 'quoted', 'quotedTuple'],
      want: { icmpType: 5, icmpCode: 1, icmpGateway: 0xac100001 },
    },
    {
      name: 'a quoted echo: the identifier stands for both ports',
      frame: ethernet(
        0x0800,
        ipv4({ protocol: 1 }, icmp(3, 1, 0, ipv4({ protocol: 1 }, icmp(8, 0, 0x00070002, HTTP)))),
      ),
      status: ['ip', 'transport', 'dontFragment', 'quoted', 'quotedTuple'],
      want: { quotedProtocol: 1, quotedIcmpType: 8, quotedSourcePort: 7, quotedDestinationPort: 7 },
    },
    {
      name: 'a quoted header with options',
      frame: ethernet(
        0x0800,
        ipv4({ protocol: 1 }, icmp(3, 3, 0, ipv4({ protocol: 17, options: layOut([4, 0x94040000]) }, udp(HTTP)))),
      ),
      status: ['ip', 'transport', 'dontFragment', 'quoted', 'quotedTuple'],
      want: { quotedProtocol: 17, quotedDestinationPort: 53 },
    },
    {
      name: 'a quoted later fragment has no ports',
      frame: ethernet(0x0800, ipv4({ protocol: 1 }, icmp(11, 1, 0, ipv4({ flagsAndOffset: 0x00b9 }, tcp())))),
      status: ['ip', 'transport', 'dontFragment', 'quoted'],
      want: { quotedSourcePort: 0, quotedProtocol: 6 },
    },
    {
      name: 'fewer than four bytes behind the quoted header',
      frame: ethernet(0x0800, ipv4({ protocol: 1 }, icmp(11, 0, 0, quotedTcp.subarray(0, 23)))),
      status: ['ip', 'transport', 'malformed', 'dontFragment', 'quoted'],
      want: { quotedSource: [SERVER, 0, 0, 0], quotedSourcePort: 0 },
    },
    {
      name: 'four bytes behind the quoted header: the ports',
      frame: ethernet(0x0800, ipv4({ protocol: 1 }, icmp(11, 0, 0, quotedTcp.subarray(0, 24)))),
      status: ['ip', 'transport', 'malformed', 'dontFragment', 'quoted', 'quotedTuple'],
      want: { quotedSourcePort: 40_000, quotedDestinationPort: 3389 },
    },
    {
      name: 'seven bytes of a quoted echo',
      frame: ethernet(
        0x0800,
        ipv4(
          { protocol: 1 },
          icmp(11, 0, 0, ipv4({ protocol: 1 }, icmp(8, 0, 0x00070001, new Uint8Array())).subarray(0, 27)),
        ),
      ),
      status: ['ip', 'transport', 'malformed', 'dontFragment', 'quoted'],
      want: { quotedProtocol: 1, quotedSourcePort: 0 },
    },
    {
      name: 'fewer than twenty bytes quoted',
      frame: ethernet(0x0800, ipv4({ protocol: 1 }, icmp(11, 0, 0, quotedTcp.subarray(0, 19)))),
      status: ['ip', 'transport', 'malformed', 'dontFragment'],
      want: { quotedSource: [0, 0, 0, 0] },
    },
    {
      name: 'a quoted packet of another version',
      frame: ethernet(0x0800, ipv4({ protocol: 1 }, icmp(11, 0, 0, ipv6({}, tcp())))),
      status: ['ip', 'transport', 'malformed', 'dontFragment'],
      want: { quotedProtocol: 0 },
    },
    {
      name: 'packet too big, with extension headers quoted',
      frame: ethernet(
        0x86dd,
        ipv6(
          { nextHeader: 58 },
          icmp(2, 0, 1280, ipv6({ nextHeader: 60 }, layOut(extension(6, ...PADDING_OPTION), tcp()))),
        ),
      ),
      status: ['ip', 'transport', 'quoted', 'quotedTuple'],
      want: {
        icmpType: 2,
        quotedProtocol: 6,
        quotedSource: [...CLIENT_V6],
        quotedDestination: [...SERVER_V6],
        quotedDestinationPort: 3389,
      },
    },
    {
      name: 'a quoted ICMPv6 echo',
      frame: ethernet(
        0x86dd,
        ipv6({ nextHeader: 58 }, icmp(1, 0, 0, ipv6({ nextHeader: 58 }, icmp(128, 0, 0x00090001, HTTP)))),
      ),
      status: ['ip', 'transport', 'quoted', 'quotedTuple'],
      want: { quotedProtocol: 58, quotedIcmpType: 128, quotedSourcePort: 9 },
    },
    {
      name: 'a quoted later IPv6 fragment has no ports',
      frame: ethernet(
        0x86dd,
        ipv6(
          { nextHeader: 58 },
          icmp(3, 0, 0, ipv6({ nextHeader: 44 }, layOut(extension(6, [1, 0], [2, 8], [4, 1]), tcp()))),
        ),
      ),
      status: ['ip', 'transport', 'quoted'],
      want: { quotedProtocol: 6, quotedSourcePort: 0 },
    },
  ])('$name', check);
});

describe('the frame', () => {
  it('an original length below the captured one is raised to it', () => {
    const frame = ethernet(0x0800, ipv4({}, tcp()));
    const row = decode(frame, { originalLength: 10 });
    expect(row.originalLength).toBe(frame.length);
    expect(row.capturedLength).toBe(frame.length);
    expect(statusNames(Number(row.status))).toEqual(['ip', 'transport', 'dontFragment']);
  });

  it('an empty frame is cut where there was more, malformed where there was not', () => {
    expect(statusNames(Number(decode(new Uint8Array(0), { originalLength: 60 }).status))).toEqual(['cut']);
    expect(statusNames(Number(decode(new Uint8Array(0)).status))).toEqual(['malformed']);
  });
});

function check({ frame, linkType = 1, originalLength = frame.length, status, want }: Case): void {
  const got = decode(frame, { linkType, originalLength });
  expect(got).toMatchObject(want);
  expect(statusNames(Number(got.status))).toEqual(status);
  // The same whatever lies around the frame, and with checksums judged but for their bits.
  expect(decode(frame, { linkType, originalLength, filler: 0x55 })).toEqual(got);
  const judged = decode(frame, { linkType, originalLength, verifyChecksums: true });
  expect({ ...judged, status: 0 }).toEqual({ ...got, status: 0 });
}
