/** Addresses of one class: sessions of one stand for those of the other, on every router that is stored, of kernels, IOS and UTM alike. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseDevice } from '../../src/dialects/index.ts';
import type { AddressClasses } from '../../src/forwarding/address-classes.ts';
import { DecisionBatch } from '../../src/forwarding/decision.ts';
import type { Forwarder } from '../../src/forwarding/forwarder.ts';
import { formatIpAddress, type IpAddress, parseIpAddress } from '../../src/net/ip-address.ts';
import { IpProtocol } from '../../src/net/ip-protocol.ts';
import { Hop } from '../../src/verification/path-table.ts';
import { routerOfDevice } from '../../src/verification/router-of-device.ts';
import { runSessionUnexplained, type SessionSpec } from '../../src/verification/session.ts';
import { PacketBatch, Status } from '../../src/wire/packet-batch.ts';
import type { StoredCase } from '../kernel/scenario.ts';
import { recordedOf } from '../kernel/scenario.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const CASES = join(ROOT, 'test', 'kernel', 'cases');
const COMPARISONS_OF_A_ROUTER = 150;

function routerTexts(): [string, { path: string; text: string }[]][] {
  const cases = readdirSync(CASES).map((name): [string, { path: string; text: string }[]] => {
    const { dump } = recordedOf(JSON.parse(readFileSync(join(CASES, name), 'utf8')) as StoredCase);
    return [name, [{ path: 'router.txt', text: dump }]];
  });
  const captures = readdirSync(join(ROOT, 'captures'), { withFileTypes: true }).flatMap((entry): typeof cases => {
    const folder = join(ROOT, 'captures', entry.name, 'router');
    if (!existsSync(folder)) return [];
    const files = readdirSync(folder).map((path) => ({ path, text: readFileSync(join(folder, path), 'utf8') }));
    return [[entry.name, files]];
  });
  return [...cases, ...captures];
}

/** A small generator of its own, so that a failure is seen again. */
function* numbers(seed: number): Generator<number, never> {
  let state = seed;
  for (;;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state;
  }
}

/** Addresses that the texts name, their neighbours, and others. */
function addressesIn(texts: readonly { text: string }[], random: Iterator<number, never>): IpAddress[] {
  const found = new Map<string, IpAddress>();
  const add = (address: IpAddress): void => {
    found.set(`${address.family} ${address.words.join()}`, address);
  };
  for (const { text } of texts) {
    for (const [word] of text.matchAll(/\d+\.\d+\.\d+\.\d+|[0-9a-f]*:[0-9a-f:]*:[0-9a-f]*/g)) {
      const address = parseIpAddress(word);
      if (address === undefined) continue;
      for (const step of [-1, 0, 1, 7, 0x100, random.next().value & 0xff, random.next().value & 0xffff]) {
        const at = address.family === 4 ? 0 : 3;
        const words: [number, number, number, number] = [...address.words];
        words[at] = (words[at]! + step) >>> 0;
        add({ family: address.family, words });
      }
    }
  }
  for (let count = 0; count < 40; count++) add({ family: 4, words: [random.next().value, 0, 0, 0] });
  return [...found.values()];
}

/** Addresses by class, of classes with more than one. */
function groupsOf(addresses: readonly IpAddress[], classes: AddressClasses): IpAddress[][] {
  const groups = new Map<string, IpAddress[]>();
  for (const address of addresses) {
    const number = classes.of(address);
    if (number < 0) continue;
    const key = `${address.family} ${number}`;
    groups.set(key, [...(groups.get(key) ?? []), address]);
  }
  return [...groups.values()].filter((group) => group.length > 1);
}

/** Neighbours in each group: were a bound missing, it would be between two of them. */
function pairsOf(groups: readonly IpAddress[][]): [IpAddress, IpAddress][] {
  return groups.flatMap((group) => {
    const sorted = [...group].sort((a, b) => {
      const at = a.words.findIndex((word, index) => word !== b.words[index]);
      return a.words[at]! - b.words[at]!;
    });
    return sorted.slice(1).map((address, index): [IpAddress, IpAddress] => [sorted[index]!, address]);
  });
}

/** What becomes of each packet of a session, without whose it is. */
function fateOf(forwarder: Forwarder, spec: SessionSpec): string[] {
  return runSessionUnexplained(forwarder, spec).map(({ label, category, key, unknown }) => {
    const { ingress, disposition, egress, hop, fwmark, connmark, table, conntrack, flags } = key;
    const isRouted = hop === Hop.gateway || hop === Hop.sps;
    // Behind a translation, the client itself is the neighbour of a packet to another address.
    const isHost = [spec.client, spec.server].some(({ words }) => words[0] === key.gateway);
    const gateway = isRouted ? (isHost ? 'host' : key.gateway) : 0;
    return `${label} ${category} ${unknown} ${[ingress, disposition, egress, hop, gateway, fwmark, connmark, table, conntrack, flags].join()}`;
  });
}

/** Compares a router's sessions for pairs of addresses; how many. */
function comparePairs(texts: { path: string; text: string }[], seed: number): number {
  const router = routerOfDevice(parseDevice(texts));
  const forwarder = router.forwarder();
  const random = numbers(seed);
  const addresses = addressesIn(texts, random);
  const pick = <Item>(items: readonly Item[]): Item => items[random.next().value % items.length]!;
  const specFor = (client: IpAddress, server: IpAddress, like: Partial<SessionSpec>): SessionSpec => ({
    protocol: IpProtocol.tcp,
    clientPort: 40_000,
    clientInterface: 0,
    clientMac: 0x02_00_00_00_00_01,
    serverPort: 22,
    serverMac: 0x02_00_00_00_00_02,
    serverInterface: 0,
    sps: parseIpAddress('172.16.0.1')!,
    spsAddresses: [parseIpAddress('172.16.0.1')!],
    spsInterface: 1,
    spsMac: 0x02_00_00_00_00_03,
    spoofing: 'own',
    ...like,
    client,
    server,
  });
  const six = addresses.find(({ family }) => family === 6);
  if (six !== undefined) {
    // Classes are of what packets have been seen of.
    const sps = parseIpAddress('fd00::1')!;
    runSessionUnexplained(forwarder, specFor(six, six, { sps, spsAddresses: [sps] }));
  }
  const classes = forwarder.addressClasses?.();
  if (classes === undefined) return 0;
  const groups = groupsOf(addresses, classes);
  if (groups.length === 0) return 0;
  const pairs = pairsOf(groups);
  let compared = 0;
  for (let count = 0; count < COMPARISONS_OF_A_ROUTER; count++) {
    // Each pair at least once, where there are not too many.
    const [one, other] = pairs.length <= COMPARISONS_OF_A_ROUTER ? pairs[count % pairs.length]! : pick(pairs);
    const peer = pick(addresses.filter(({ family }) => family === one.family));
    const sps = parseIpAddress(one.family === 4 ? '172.16.0.1' : 'fd00::1')!;
    // Those are told apart by themselves.
    const alone = [peer, sps].map(({ words }) => words.join());
    if ([one, other].some(({ words }) => alone.includes(words.join()))) continue;
    const like = {
      clientInterface: random.next().value % forwarder.interfaceNames.length,
      serverInterface: random.next().value % forwarder.interfaceNames.length,
      serverPort: pick([22, 80, 3389]),
      spoofing: pick(['own', 'client-other-port', 'client-same-port'] as const),
      sps,
      spsAddresses: [sps],
    };
    const words = (address: IpAddress): string => formatIpAddress(address);
    const which = `${words(one)} and ${words(other)}, with ${words(peer)}`;
    expect(fateOf(forwarder, specFor(other, peer, like)), `clients ${which}`).toEqual(
      fateOf(forwarder, specFor(one, peer, like)),
    );
    expect(fateOf(forwarder, specFor(peer, other, like)), `servers ${which}`).toEqual(
      fateOf(forwarder, specFor(peer, one, like)),
    );
    compared++;
  }
  return compared;
}

describe('addresses that a router does not tell apart', () => {
  it('have sessions that go the same ways', () => {
    let compared = 0;
    let routers = 0;
    for (const [index, [name, texts]] of routerTexts().entries()) {
      const count = comparePairs(texts, 1000 + index);
      compared += count;
      if (count > 0) routers++;
      expect(name).not.toBe('');
    }
    expect(routers).toBeGreaterThan(100);
    expect(compared).toBeGreaterThan(1000);
  });
});

const STATE = `### redirect-verify collect linux
### iptables-save
*mangle
:PREROUTING ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
RULES
COMMIT
### ip6tables-save
*mangle
:PREROUTING ACCEPT [0:0]
RULES6
COMMIT
### ip rule show
0:	from all lookup local
POLICY
32766:	from all lookup main
32767:	from all lookup default
### ip route show table all
10.0.0.0/24 dev eth2 proto kernel scope link src 10.0.0.254
ROUTES
fd00:1::/64 dev eth2 metric 256
### ip -6 rule show
0:	from all lookup local
32766:	from all lookup main
### ip addr show
2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 state UP
    link/ether 02:00:c0:a8:00:fe brd ff:ff:ff:ff:ff:ff
    inet 192.168.0.254/24 brd 192.168.0.255 scope global eth0
4: eth2: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 state UP
    link/ether 02:00:0a:00:00:fe brd ff:ff:ff:ff:ff:ff
    inet 10.0.0.254/24 brd 10.0.0.255 scope global eth2
### sysctl -a
net.ipv4.ip_forward = 1
`;

type Part = 'RULES' | 'RULES6' | 'POLICY' | 'ROUTES' | 'MORE';

function classesOfState(part?: Part, text = '', more = ''): AddressClasses | undefined {
  let state = STATE;
  for (const name of ['RULES6', 'RULES', 'POLICY', 'ROUTES'] as const) {
    state = state.replace(new RegExp(`^${name}\n`, 'm'), name === part ? `${text}\n` : '');
  }
  const forwarder = routerOfDevice(parseDevice([{ path: 'router.txt', text: `${state}${more}` }])).forwarder();
  const packet = new PacketBatch(1);
  packet.family[0] = 6;
  packet.status[0] = Status.ip;
  forwarder.decide(packet, 0, 0, new DecisionBatch(1), 0);
  return forwarder.addressClasses?.();
}

const SET = `### ipset save
create some hash:ip family inet hashsize 1024 maxelem 65536
add some 203.0.113.7
create nets hash:net family inet hashsize 1024 maxelem 65536
add nets 198.51.100.0/29
`;
const ENTRY = `### conntrack -L
tcp      6 431999 ESTABLISHED src=203.0.113.7 dst=10.0.0.10 sport=40000 dport=22 src=10.0.0.10 dst=10.0.0.254 sport=22 dport=40000 [ASSURED] mark=0 use=1
### date
Sat Nov 21 21:14:04 UTC 2026
`;
const IN = '203.0.113.7';
const BELOW = '203.0.113.6';
const ABOVE = '203.0.113.8';

describe('addresses that a statement tells apart are of two classes', () => {
  it.each<[string, Part | undefined, string, string, string, string?]>([
    ['a source', 'RULES', '-A PREROUTING -s 203.0.113.7/32 -j MARK --set-xmark 0x1/0x1', BELOW, IN],
    ['and what is above it', 'RULES', '-A PREROUTING -s 203.0.113.7/32 -j MARK --set-xmark 0x1/0x1', IN, ABOVE],
    ['all but a destination', 'RULES', '-A PREROUTING ! -d 203.0.113.0/29 -j MARK --set-xmark 0x1/0x1', IN, ABOVE],
    [
      'a range',
      'RULES',
      `-A PREROUTING -m iprange --src-range ${IN}-203.0.113.9 -j MARK --set-xmark 0x1/0x1`,
      BELOW,
      IN,
    ],
    [
      'its end',
      'RULES',
      `-A PREROUTING -m iprange --dst-range 203.0.113.1-${IN} -j MARK --set-xmark 0x1/0x1`,
      IN,
      ABOVE,
    ],
    [
      'an original source',
      'RULES',
      `-A PREROUTING -m conntrack --ctorigsrc ${IN} -j MARK --set-xmark 0x1/0x1`,
      BELOW,
      IN,
    ],
    [
      'an original network',
      'RULES',
      '-A PREROUTING -m conntrack --ctreplsrc 203.0.113.0/29 -j MARK --set-xmark 0x1/0x1',
      IN,
      ABOVE,
    ],
    [
      'a member of a set',
      'RULES',
      '-A PREROUTING -m set --match-set some src -j MARK --set-xmark 0x1/0x1',
      BELOW,
      IN,
      SET,
    ],
    [
      'a network of a set',
      'RULES',
      '-A PREROUTING -m set --match-set nets dst -j MARK --set-xmark 0x1/0x1',
      '198.51.100.7',
      '198.51.100.8',
      SET,
    ],
    ['a policy rule’s source', 'POLICY', `100:	from ${IN} lookup main`, BELOW, IN],
    ['a policy rule’s destination', 'POLICY', '100:	from all to 203.0.113.0/29 lookup main', IN, ABOVE],
    ['a route', 'ROUTES', '203.0.113.0/29 via 10.0.0.1 dev eth2', IN, ABOVE],
    ['a gateway', 'ROUTES', '198.51.100.0/24 via 10.0.0.7 dev eth2', '10.0.0.6', '10.0.0.7'],
    ['an address of the router', undefined, '', '192.168.0.253', '192.168.0.254'],
    ['a network of the router', undefined, '', '192.168.0.1', '192.168.1.1'],
    ['an end of a listed connection', undefined, '', BELOW, IN, ENTRY],
    ['loopback', undefined, '', '126.255.255.255', '127.0.0.1'],
    ['multicast', undefined, '', '223.0.0.1', '224.0.0.1'],
    [
      'a source of IPv6',
      'RULES6',
      '-A PREROUTING -s fd00:2::/64 -j MARK --set-xmark 0x1/0x1',
      'fd00:2::1',
      'fd00:3::1',
    ],
    [
      'a range of IPv6',
      'RULES6',
      '-A PREROUTING -m iprange --dst-range fd00:2::5-fd00:2::9 -j MARK --set-xmark 0x1/0x1',
      'fd00:2::4',
      'fd00:2::5',
    ],
    ['a route of IPv6', undefined, '', 'fd00:1::1', 'fd00:4::1'],
    ['link-local of IPv6', undefined, '', 'fe7f::1', 'fe80::1'],
  ])('by %s', (_name, part, text, one, other, more = '') => {
    const classes = classesOfState(part, text, more)!;
    expect(classes.of(parseIpAddress(one)!)).toBeGreaterThanOrEqual(0);
    expect(classes.of(parseIpAddress(one)!)).not.toBe(classes.of(parseIpAddress(other)!));
    // It is that statement.
    if (text === '' && more === '') return;
    const without = classesOfState()!;
    expect(without.of(parseIpAddress(one)!)).toBe(without.of(parseIpAddress(other)!));
  });

  it.each<[string, Part, string]>([
    ['a mask with gaps', 'RULES', '-A PREROUTING -s 10.0.0.10/255.0.0.255 -j MARK --set-xmark 0x1/0x1'],
    [
      'several next hops',
      'ROUTES',
      'default \n	nexthop via 10.0.0.1 dev eth2 weight 1 \n	nexthop via 10.0.0.2 dev eth2 weight 1 ',
    ],
  ])('there are none where %s counts', (_name, part, text) => {
    expect(classesOfState()).toBeDefined();
    expect(classesOfState(part, text)).toBeUndefined();
  });

  it('and MAC addresses that a rule asks for are told apart from others, and from none', () => {
    const asked = 0x0200_0000_0001;
    const classes = classesOfState(
      'RULES',
      '-A PREROUTING -m mac --mac-source 02:00:00:00:00:01 -j MARK --set-xmark 0x1/0x1',
    )!;
    const numbers = [-1, asked, asked + 1].map((mac) => classes.ofMac(mac));
    expect(new Set(numbers).size).toBe(3);
    expect(Math.max(...numbers)).toBeLessThan(classes.macCount);
    expect(classes.ofMac(asked + 2)).toBe(classes.ofMac(asked + 1));
    expect([-1, asked].map((mac) => classesOfState()!.ofMac(mac))).toEqual([0, 0]);
  });

  const IOS = `hostname router
interface FastEthernet0/0
 ip address 192.168.0.254 255.255.255.0
 ip policy route-map redirect
interface FastEthernet0/1
 ip address 172.16.0.254 255.255.255.0
ip route 203.0.113.0 255.255.255.248 172.16.0.9
ip access-list extended clients
 permit tcp host 198.51.100.7 any eq 22
route-map redirect permit 10
 match ip address clients
 set ip next-hop 172.16.0.1
`;
  it.each([
    ['a list', '198.51.100.6', '198.51.100.7'],
    ['a route', IN, ABOVE],
    ['a next hop of a route', '172.16.0.8', '172.16.0.9'],
    ['a next hop of a map', '172.16.0.1', '172.16.0.2'],
    ['an address of the router', '192.168.0.253', '192.168.0.254'],
    ['a broadcast', '192.168.0.255', '192.168.0.253'],
    ['a network of the router', '192.168.0.1', '192.168.1.1'],
    ['a source that is special', '223.0.0.1', '224.0.0.1'],
  ])('on Cisco by %s', (_name, one, other) => {
    const classes = routerOfDevice(parseDevice([{ path: 'running-config.txt', text: IOS }]))
      .forwarder()
      .addressClasses?.();
    expect(classes?.of(parseIpAddress(one)!)).not.toBe(classes?.of(parseIpAddress(other)!));
    expect(classes?.of(parseIpAddress('192.0.2.1')!)).toBe(classes?.of(parseIpAddress('192.0.2.200')!));
  });

  it('on Cisco there are none where a wildcard has gaps', () => {
    const text = IOS.replace('host 198.51.100.7', '198.51.100.7 0.255.0.255');
    const forwarder = routerOfDevice(parseDevice([{ path: 'running-config.txt', text }])).forwarder();
    expect(forwarder.addressClasses?.()).toBeUndefined();
  });
});
