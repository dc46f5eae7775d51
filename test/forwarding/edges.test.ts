/** Where one thing that is not known, or one end of a bound, decides about several. */
import { describe, expect, it } from 'vitest';
import { parseIpAddress } from '../../src/net/ip-address.ts';
import { makePacket } from '../../src/verification/probe-packet.ts';
import { Lab, type PacketParts, type RouterParts } from './builders.ts';
import { fate, policy } from './policy-route/decide.ts';

const LINKS = ['eth0 192.168.0.254/24', 'eth1 172.16.0.254/24', 'eth2 10.0.0.254/24'];
const C = '192.168.0.10:40000';
const S = '10.0.0.10:80';
const SYN: PacketParts = { from: C, to: S, flags: 'S', sequence: 1000 };
const SYN_ACK: PacketParts = { from: S, to: C, flags: 'SA', sequence: 5000, acknowledgement: 1001 };
const ACK: PacketParts = { from: C, to: S, flags: 'A', sequence: 1001, acknowledgement: 5001 };

describe('policy rules about a mark that may be set or not', () => {
  const MAYBE = { mangle: ['-A PREROUTING -m set -j MARK --set-xmark 0x1/0x1'] };
  const routed = (rules: readonly string[], parts: Partial<RouterParts> = {}): string =>
    new Lab({
      links: LINKS,
      tables: MAYBE,
      rules: ['0: from all lookup 255', ...rules, '32766: from all lookup 254'],
      routes: ['default via 172.16.0.1 dev eth1 table 103', 'default via 172.16.0.9 dev eth1 table 104'],
      ...parts,
    }).send('eth0', SYN);

  it('agree with each other about it', () => {
    expect(
      routed([
        '100: from all fwmark 0x1/0x1 lookup 200',
        '101: from all fwmark 0x1/0x1 lookup 103',
        '102: not from all fwmark 0x1/0x1 lookup 103',
      ]),
    ).toBe('eth1 172.16.0.1');
    expect(routed(['101: from all fwmark 0x1/0x1 lookup 103'])).toMatch(/^undetermined/);
  });

  it('that ask for something else, too, say nothing about it where they do not hold', () => {
    const direct = 'default via 10.0.0.10 dev eth2 table 105';
    expect(
      routed(['100: from all fwmark 0x1/0x1 unmodelled dscp lookup 105', '101: from all fwmark 0x1/0x1 lookup 104'], {
        routes: [direct, 'default via 172.16.0.9 dev eth1 table 104'],
      }),
    ).toMatch(/^undetermined/);
    expect(
      routed(
        [
          '100: from all fwmark 0x1/0x1 unmodelled dscp lookup 104',
          '101: from all fwmark 0x1/0x1 lookup 104',
          '102: not from all fwmark 0x1/0x1 lookup 104',
        ],
        { routes: ['default via 172.16.0.9 dev eth1 table 104'] },
      ),
    ).toBe('eth1 172.16.0.9');
  });
});

describe('REJECT of a packet in a connection', () => {
  const mac = 0x020000000001;
  const stateBehind = (how: string): string => {
    const lab = new Lab({
      links: LINKS,
      tables: {
        mangle: ['-A PREROUTING -m conntrack --ctstate NEW'],
        filter: [`-A FORWARD -m mac --mac-source 02:00:00:00:00:05 -j REJECT ${how}`],
      },
    });
    lab.send('eth0', { ...SYN, mac });
    lab.send('eth2', { ...SYN_ACK, mac });
    lab.send('eth0', { ...ACK, mac });
    expect(lab.send('eth0', { ...ACK, flags: 'PA', payload: 5, mac: 0x020000000005 })).toBe('dropped-by-rule');
    lab.send('eth2', { ...SYN_ACK, mac, flags: 'A', sequence: 5001, acknowledgement: 1006 });
    const [seen] = lab.forwarder.explainLast().steps.filter((step) => step.kind === 'conntrack');
    return seen?.kind === 'conntrack' ? (seen.detail ?? '') : '';
  };
  it('by a reset closes it', () => expect(stateBehind('--reject-with tcp-reset')).toMatch(/^CLOSE/));
  it('by an ICMP error does not', () =>
    expect(stateBehind('--reject-with icmp-port-unreachable')).toMatch(/^ESTABLISHED/));
});

describe('fragments that were settled', () => {
  it('are told behind the packet that settled them, not behind one of IPv6', () => {
    const lab = new Lab({ links: LINKS, tables: { mangle: ['-A PREROUTING -m conntrack --ctstate NEW'] } });
    const piece: PacketParts = { protocol: 'udp', from: C, to: S };
    lab.send('eth0', { ...piece, fragment: [0, 800, true], frame: 1 });
    expect(lab.forwarder.settled).toEqual([]);
    lab.send('eth0', { ...piece, fragment: [800, 8, false], frame: 2 });
    expect(lab.forwarder.settled).toEqual([{ file: 0, frame: 1, whole: true }]);
    const six = makePacket({
      protocol: 17,
      source: parseIpAddress('2001:db8::1')!,
      sourcePort: 5,
      destination: parseIpAddress('2001:db8::2')!,
      destinationPort: 6,
      sourceMac: -1,
      ttl: 64,
      time: 1e12,
    });
    lab.forwarder.decide(six, 0, 0, lab.decisions, 0);
    expect(lab.forwarder.settled).toEqual([]);
    lab.send('eth0', SYN);
    expect(lab.forwarder.settled).toEqual([]);
  });
  it('are none where the router puts none together', () => {
    expect(new Lab({ links: LINKS }).forwarder.settled).toBeUndefined();
  });
});

describe('more ways than can be followed', () => {
  const entries = (count: number): string =>
    policy(
      Array.from({ length: count }, (_, index) => [
        `route-map m permit ${10 + index}`,
        ` match ip address l${index}`,
        ' set ip next-hop 172.16.0.1',
      ]).flat(),
      [
        ...Array.from({ length: count }, (_, index) => [
          `ip access-list extended l${index}`,
          ' permit tcp any any eq 22 time-range office',
        ]).flat(),
        'route-map m permit 999',
        ' set ip next-hop 172.16.0.1',
      ],
    );
  it('leave a packet undetermined, although all that were followed agree', () => {
    const sent = { packet: 'tcp 192.168.0.10:40000 > 10.0.0.10:22' };
    expect(fate(entries(3), sent)).toBe('FastEthernet0/1 172.16.0.1');
    expect(fate(entries(23), sent)).toBe('FastEthernet0/1 172.16.0.1');
    expect(fate(entries(30), sent)).toMatch(/^undetermined/);
  });
});

describe('which of several next hops a packet takes', () => {
  const sent = (policy: number, packet: Partial<PacketParts>): string =>
    new Lab({
      links: LINKS,
      routes: ['default nexthop via 172.16.0.1 dev eth1 nexthop via 10.0.0.1 dev eth2'],
      sysctls: {
        'net/ipv4/fib_multipath_hash_policy': policy,
        'net/ipv4/fib_multipath_hash_seed': 7,
        'net/ipv4/fib_multipath_hash_fields': 7,
        'net/ipv4/fib_multipath_use_neigh': 0,
      },
    }).send('eth0', { from: C, to: '8.8.8.8:80', ...packet });
  const isKnown = /^eth[12] /;
  const isOpen = /^undetermined: which of the next hops/;

  it.each([1, 2, 3])('policy %i knows it of plain packets', (policy) => {
    expect(sent(policy, {})).toMatch(isKnown);
    expect(sent(policy, { protocol: 'udp' })).toMatch(isKnown);
    expect(sent(policy, { protocol: 'icmp' })).toMatch(isKnown);
    expect(sent(policy, { protocol: 'udp', fragment: [800, 8, false] })).toMatch(isKnown);
    expect(sent(policy, { protocol: 'udp', fragment: [0, 800, true] })).toMatch(isKnown);
  });
  it.each([1, 2, 3])('policy %i does not know it of what may hold another packet, or is cut short', (policy) => {
    expect(sent(policy, { protocol: 'gre' })).toMatch(isOpen);
    expect(sent(policy, { short: 2 })).toMatch(isOpen);
  });
});

describe('chains that jump in circles, which no kernel takes', () => {
  const sent = (mangle: readonly string[]): string => new Lab({ links: LINKS, tables: { mangle } }).send('eth0', SYN);

  it.each([
    ['itself', [':a -', '-A PREROUTING -j a', '-A a -j a']],
    ['one another', [':a -', ':b -', '-A PREROUTING -j a', '-A a -j b', '-A b -j a']],
    ['one another by goto', [':a -', ':b -', '-A PREROUTING -g a', '-A a -g b', '-A b -g a']],
    [
      'one behind another rule',
      [':a -', ':b -', '-A PREROUTING -j b', '-A b -p udp -j DROP', '-A b -j a', '-A a -j b'],
    ],
  ])('leave open what they do: into %s', (_name, rules) => {
    expect(sent(rules)).toBe('undetermined: this jump closes a circle of chains');
  });

  it('are none where two ways lead to one chain', () => {
    const rules = [':a -', ':b -', ':c -', '-A PREROUTING -j a', '-A PREROUTING -j b', '-A a -j c', '-A b -j c'];
    expect(sent([...rules, '-A c -p tcp -j DROP'])).toBe('dropped-by-rule');
    expect(sent([...rules, '-A c -p udp -j DROP'])).toBe('eth2 10.0.0.10');
  });

  it('are nothing to a packet that does not meet them', () => {
    expect(sent([':a -', '-A PREROUTING -p udp -j a', '-A a -j a'])).toBe('eth2 10.0.0.10');
  });
});
