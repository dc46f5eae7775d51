import { describe, expect, it } from 'vitest';
import { Side, Vantage, type VantageCapture, type VantageInterface } from '../../src/observation/vantage.ts';
import { Direction, LinkDestination } from '../../src/wire/packet-batch.ts';
import { type RowParts, rows } from './rows.ts';

const ETH0 = 0x0200c0a800fe;
const ETH1 = 0x0200ac1000fe;
const CLIENT = 0x0200c0a8000a;
const SPS = 0x0200ac100001;
const STRANGER = 0x020000000077;
const VRRP = 0x00005e000105;

const INTERFACES: readonly VantageInterface[] = [
  { name: 'lo', index: 1, mac: 0 },
  { name: 'eth0', index: 2, mac: ETH0 },
  { name: 'eth1', index: 3, mac: ETH1 },
];
/** Two VLANs on one card share its MAC address. */
const SHARED: readonly VantageInterface[] = [
  { name: 'eth0', index: 2, mac: ETH0 },
  { name: 'eth0.10', index: 3, mac: ETH0 },
  { name: 'eth0.20', index: 4, mac: ETH0 },
];
const NO_MACS: readonly VantageInterface[] = [
  { name: 'eth0', index: 2 },
  { name: 'eth1', index: 3 },
];
const SIDES = ['foreign', 'ingress', 'egress', 'ambiguous'] as const;

interface Case {
  readonly name: string;
  readonly interfaces?: readonly VantageInterface[];
  readonly capture: VantageCapture;
  readonly row: RowParts;
  readonly want: readonly [side: (typeof SIDES)[number], name: string | undefined];
}

const MAC_CASES: readonly Case[] = [
  {
    name: 'to the router’s MAC enters',
    capture: { name: 'eth0' },
    row: { sourceMac: CLIENT, destinationMac: ETH0 },
    want: ['ingress', 'eth0'],
  },
  {
    name: 'from the router’s MAC leaves',
    capture: { name: 'eth0' },
    row: { sourceMac: ETH0, destinationMac: CLIENT },
    want: ['egress', 'eth0'],
  },
  {
    name: 'between other hosts is foreign',
    capture: { name: 'eth0' },
    row: { sourceMac: CLIENT, destinationMac: STRANGER },
    want: ['foreign', 'eth0'],
  },
  {
    name: 'to a group enters',
    capture: { name: 'eth0' },
    row: { sourceMac: CLIENT, destinationMac: 0xffffffffffff },
    want: ['ingress', 'eth0'],
  },
  {
    name: 'to a group from the router leaves',
    capture: { name: 'eth0' },
    row: { sourceMac: ETH0, destinationMac: 0x01005e000001 },
    want: ['egress', 'eth0'],
  },
  {
    name: 'to a virtual router’s MAC enters',
    capture: { name: 'eth0' },
    row: { sourceMac: CLIENT, destinationMac: VRRP },
    want: ['ingress', 'eth0'],
  },
  {
    name: 'of an unnamed capture is told by the router’s MAC',
    capture: {},
    row: { sourceMac: SPS, destinationMac: ETH1 },
    want: ['ingress', 'eth1'],
  },
  {
    name: 'that leaves, of an unnamed capture, likewise',
    capture: {},
    row: { sourceMac: ETH1, destinationMac: SPS },
    want: ['egress', 'eth1'],
  },
  {
    name: 'between other hosts of an unnamed capture is foreign',
    capture: {},
    row: { sourceMac: CLIENT, destinationMac: STRANGER },
    want: ['foreign', undefined],
  },
  {
    name: 'to a group of an unnamed capture is ambiguous',
    capture: {},
    row: { sourceMac: CLIENT, destinationMac: 0xffffffffffff },
    want: ['ambiguous', undefined],
  },
  {
    name: 'without MAC addresses (raw IP) of a named capture is ambiguous',
    capture: { name: 'eth0' },
    row: {},
    want: ['ambiguous', 'eth0'],
  },
  {
    name: 'where no MAC of the router is known is ambiguous',
    interfaces: NO_MACS,
    capture: { name: 'eth0' },
    row: { sourceMac: CLIENT, destinationMac: ETH0 },
    want: ['ambiguous', 'eth0'],
  },
  {
    name: 'of a name that the router has not, told by MAC',
    capture: { name: 'wan' },
    row: { sourceMac: CLIENT, destinationMac: ETH0 },
    want: ['ingress', 'eth0'],
  },
  {
    name: 'to a MAC of several interfaces of an unnamed capture is ambiguous',
    interfaces: SHARED,
    capture: {},
    row: { sourceMac: CLIENT, destinationMac: ETH0 },
    want: ['ambiguous', undefined],
  },
  {
    name: 'to a MAC of several interfaces is told by the capture’s name',
    interfaces: SHARED,
    capture: { name: 'eth0.20' },
    row: { sourceMac: CLIENT, destinationMac: ETH0 },
    want: ['ingress', 'eth0.20'],
  },
  {
    name: 'from a MAC of several interfaces likewise',
    interfaces: SHARED,
    capture: { name: 'eth0.20' },
    row: { sourceMac: ETH0, destinationMac: CLIENT },
    want: ['egress', 'eth0.20'],
  },
  {
    name: 'with a tag on the parent belongs to the VLAN interface',
    interfaces: SHARED,
    capture: { name: 'eth0' },
    row: { sourceMac: CLIENT, destinationMac: ETH0, vlan: 10 },
    want: ['ingress', 'eth0.10'],
  },
  {
    name: 'without a tag on the parent stays there',
    interfaces: SHARED,
    capture: { name: 'eth0' },
    row: { sourceMac: CLIENT, destinationMac: ETH0 },
    want: ['ingress', 'eth0'],
  },
  {
    name: 'with a priority tag stays there',
    interfaces: SHARED,
    capture: { name: 'eth0' },
    row: { sourceMac: CLIENT, destinationMac: ETH0, vlan: 0 },
    want: ['ingress', 'eth0'],
  },
];

const DIRECTION_CASES: readonly Case[] = [
  {
    name: 'cooked v2: entering by an interface index',
    capture: { index: 3 },
    row: { direction: Direction.inbound, linkDestination: LinkDestination.host, sourceMac: SPS },
    want: ['ingress', 'eth1'],
  },
  {
    name: 'cooked v2: leaving by an interface index',
    capture: { index: 2 },
    row: { direction: Direction.outbound, sourceMac: ETH0 },
    want: ['egress', 'eth0'],
  },
  {
    name: 'cooked v2: an index that the router has not is told by the MAC of who sent it',
    capture: { index: 77 },
    row: { direction: Direction.inbound, linkDestination: LinkDestination.host, sourceMac: SPS },
    want: ['ingress', 'eth1'],
  },
  {
    name: 'cooked v2: an index that the router has not, from a stranger, is ambiguous',
    capture: { index: 77 },
    row: { direction: Direction.inbound, linkDestination: LinkDestination.host, sourceMac: STRANGER },
    want: ['ambiguous', undefined],
  },
  {
    name: 'to another host is foreign, whatever the direction flag says',
    capture: { index: 2 },
    row: { direction: Direction.inbound, linkDestination: LinkDestination.otherHost, sourceMac: CLIENT },
    want: ['foreign', 'eth0'],
  },
  {
    name: 'cooked v1: entering is told by the neighbour',
    capture: {},
    row: { direction: Direction.inbound, linkDestination: LinkDestination.host, sourceMac: CLIENT },
    want: ['ingress', 'eth0'],
  },
  {
    name: 'cooked v1: entering from a stranger is ambiguous',
    capture: {},
    row: { direction: Direction.inbound, linkDestination: LinkDestination.host, sourceMac: STRANGER },
    want: ['ambiguous', undefined],
  },
  {
    name: 'cooked v1: leaving is told by the router’s own MAC',
    capture: {},
    row: { direction: Direction.outbound, sourceMac: ETH1 },
    want: ['egress', 'eth1'],
  },
  {
    name: 'cooked v1: leaving with a shared MAC is ambiguous',
    interfaces: SHARED,
    capture: {},
    row: { direction: Direction.outbound, sourceMac: ETH0 },
    want: ['ambiguous', undefined],
  },
  {
    name: 'pcapng flags decide without any MAC',
    interfaces: NO_MACS,
    capture: { name: 'eth1' },
    row: { direction: Direction.inbound, sourceMac: SPS, destinationMac: ETH1 },
    want: ['ingress', 'eth1'],
  },
  {
    name: 'a broadcast that entered',
    capture: { index: 2 },
    row: { direction: Direction.inbound, linkDestination: LinkDestination.broadcast, sourceMac: CLIENT },
    want: ['ingress', 'eth0'],
  },
];

describe('a frame', () => {
  it.each([...MAC_CASES, ...DIRECTION_CASES])('$name', ({ interfaces = INTERFACES, capture, row, want }) => {
    const neighbours = new Map([
      [CLIENT, interfaces.findIndex((item) => item.name === 'eth0')],
      [SPS, interfaces.findIndex((item) => item.name === 'eth1')],
    ]);
    const vantage = new Vantage(interfaces, (mac) => neighbours.get(mac) ?? -1);
    vantage.learn([capture]);
    vantage.place(rows(row), 0);
    expect([SIDES[vantage.side], interfaces[vantage.interface]?.name]).toEqual(want);
  });
});

describe('wasCaptured', () => {
  it('holds for interfaces that captures name, by name or index', () => {
    const vantage = new Vantage(INTERFACES, () => -1);
    vantage.learn([{ name: 'eth0' }, { index: 3 }]);
    expect([0, 1, 2].map((position) => vantage.wasCaptured(position))).toEqual([false, true, true]);
  });

  it('holds for interfaces that frames showed, and grows with the captures', () => {
    const vantage = new Vantage(INTERFACES, () => -1);
    vantage.learn([{}]);
    expect(vantage.wasCaptured(1)).toBe(false);
    vantage.place(rows({ sourceMac: CLIENT, destinationMac: ETH0 }), 0);
    expect(vantage.wasCaptured(1)).toBe(true);
    vantage.learn([{}, { name: 'eth1' }]);
    expect(vantage.wasCaptured(2)).toBe(true);
    expect(Side.foreign).toBe(0);
  });

  it('does not hold for frames of others', () => {
    const vantage = new Vantage(INTERFACES, () => -1);
    vantage.learn([{}]);
    vantage.place(rows({ sourceMac: CLIENT, destinationMac: STRANGER }), 0);
    expect([0, 1, 2].some((position) => vantage.wasCaptured(position))).toBe(false);
  });
});
