/** VLANs and bonds, which the recording of test/scenarios/lower-devices has not: the kernel that made it has neither. */
import { describe, expect, it } from 'vitest';
import { parsePrefix } from '../../src/net/prefix.ts';
import { Side, Vantage, type VantageCapture, type VantageInterface } from '../../src/observation/vantage.ts';
import { LinkType } from '../../src/wire/link-type.ts';
import { Direction, LinkDestination } from '../../src/wire/packet-batch.ts';
import { type RowParts, rows } from './rows.ts';

const MAC = 0x0200c0a800fe;
const CLIENT = 0x0200c0a8000a;
const SIDES = ['foreign', 'ingress', 'egress', 'ambiguous', 'lower'] as const;

const address = (text: string) => [{ prefix: parsePrefix(text)!, secondary: false }];

/** eth0 and eth1 are ports of bond0, which carries VLAN 10 (by its name) and VLAN 20 (by `ip -d`). */
const BOND: readonly VantageInterface[] = [
  { name: 'eth0', index: 2, mac: MAC, master: 'bond0' },
  { name: 'eth1', index: 3, mac: MAC, master: 'bond0' },
  { name: 'bond0', index: 4, mac: MAC, linkKind: 'bond' },
  { name: 'bond0.10', index: 5, mac: MAC, parent: 'bond0', addresses: address('192.168.0.254/24') },
  {
    name: 'servers',
    index: 6,
    mac: MAC,
    parent: 'bond0',
    linkKind: 'vlan',
    vlan: 20,
    addresses: address('10.0.0.254/24'),
  },
];
/** The parent has a network of its own, untagged. */
const NATIVE: readonly VantageInterface[] = [
  { name: 'eth0', index: 2, mac: MAC, addresses: address('172.16.0.254/24') },
  {
    name: 'eth0.10',
    index: 3,
    mac: MAC,
    parent: 'eth0',
    linkKind: 'vlan',
    vlan: 10,
    addresses: address('192.168.0.254/24'),
  },
];
const VRF: readonly VantageInterface[] = [
  { name: 'eth0', index: 2, mac: MAC, master: 'blue', addresses: address('192.168.0.254/24') },
  { name: 'blue', index: 3, linkKind: 'vrf' },
];
const ANY = { linkType: LinkType.linuxCookedV2 } as const;
const IN = { direction: Direction.inbound, linkDestination: LinkDestination.host, sourceMac: CLIENT } as const;
const OUT = { direction: Direction.outbound, sourceMac: MAC, ttl: 63 } as const;
const TO_ROUTER = { sourceMac: CLIENT, destinationMac: MAC } as const;

interface Case {
  readonly name: string;
  readonly interfaces: readonly VantageInterface[];
  readonly captures: readonly VantageCapture[];
  /** The last is the one that is placed unless `row` says another. */
  readonly rows: readonly RowParts[];
  readonly row?: number;
  readonly want: readonly [side: (typeof SIDES)[number], name: string];
}

const CASES: readonly Case[] = [
  {
    name: 'tagged, on a port of a bond, belongs to the VLAN on the bond',
    interfaces: BOND,
    captures: [{ name: 'eth1' }],
    rows: [{ ...TO_ROUTER, vlan: 20 }],
    want: ['ingress', 'servers'],
  },
  {
    name: 'tagged, on the bond, likewise, by the name of the VLAN’s device where `ip -d` was not given',
    interfaces: BOND,
    captures: [{ name: 'bond0' }],
    rows: [{ ...TO_ROUTER, vlan: 10 }],
    want: ['ingress', 'bond0.10'],
  },
  {
    name: 'tagged, of a capture that names no interface, is told by its tag where a MAC address is not enough',
    interfaces: BOND,
    captures: [{}],
    rows: [{ ...TO_ROUTER, vlan: 10 }],
    want: ['ingress', 'bond0.10'],
  },
  {
    name: 'on the bond is a copy where the VLAN was captured, too',
    interfaces: BOND,
    captures: [{ name: 'bond0.10' }, { name: 'bond0' }],
    rows: [{ ...TO_ROUTER, vlan: 10, captureInterface: 1 }],
    want: ['lower', 'bond0.10'],
  },
  {
    name: 'on a port of the bond, untagged, is a copy in a capture of all devices',
    interfaces: BOND,
    captures: [{ index: 2, ...ANY }],
    rows: [IN],
    want: ['lower', 'bond0'],
  },
  {
    name: 'on the bond, without its tag, is a copy in a capture of all devices: the bond has no address',
    interfaces: BOND,
    captures: [{ index: 4, ...ANY }],
    rows: [IN],
    want: ['lower', 'bond0'],
  },
  {
    name: 'on the VLAN itself is the frame',
    interfaces: BOND,
    captures: [{ index: 5, ...ANY }],
    rows: [IN],
    want: ['ingress', 'bond0.10'],
  },
  {
    name: 'on a parent with an address is a copy where the VLAN has it a moment later',
    interfaces: NATIVE,
    captures: [
      { index: 2, ...ANY },
      { index: 3, ...ANY },
    ],
    rows: [IN, { ...IN, captureInterface: 1, nanoseconds: 5000 }],
    row: 0,
    want: ['lower', 'eth0'],
  },
  {
    name: 'that leaves is on the VLAN before it is on the parent',
    interfaces: NATIVE,
    captures: [
      { index: 2, ...ANY },
      { index: 3, ...ANY },
    ],
    rows: [
      { ...OUT, captureInterface: 1 },
      { ...OUT, nanoseconds: 5000 },
    ],
    row: 1,
    want: ['lower', 'eth0'],
  },
  {
    name: 'on a parent with an address is its own where no VLAN has it',
    interfaces: NATIVE,
    captures: [
      { index: 2, ...ANY },
      { index: 3, ...ANY },
    ],
    rows: [
      { ...IN, source: '172.16.0.1', identification: 7, captureInterface: 1, nanoseconds: 0 },
      { ...IN, source: '172.16.0.1', nanoseconds: 3_000_000 },
      { ...IN, source: '172.16.0.1', identification: 9, captureInterface: 1, nanoseconds: 6_000_000 },
    ],
    row: 1,
    want: ['ingress', 'eth0'],
  },
  {
    name: 'at the end of what was read is told by its address: the copy may follow',
    interfaces: NATIVE,
    captures: [{ index: 2, ...ANY }],
    rows: [{ ...IN, source: '192.168.0.10' }],
    want: ['lower', 'eth0'],
  },
  {
    name: 'of a member of a VRF is the frame: members route for themselves',
    interfaces: VRF,
    captures: [{ index: 2, ...ANY }],
    rows: [IN],
    want: ['ingress', 'eth0'],
  },
];

describe('a frame', () => {
  it.each(CASES)('$name', ({ interfaces, captures, rows: parts, row = parts.length - 1, want }) => {
    const vantage = new Vantage(interfaces, () => -1);
    vantage.learn(captures);
    vantage.place(rows(...parts), row);
    expect([SIDES[vantage.side], interfaces[vantage.interface]?.name]).toEqual(want);
    expect(vantage.conflicts).toBe(0);
    expect(Side.lower).toBe(4);
  });
});
