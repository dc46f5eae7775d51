import { describe, expect, it } from 'vitest';
import { DecisionFlag } from '../../src/forwarding/decision.ts';
import { device, Lab, type PacketParts, type RouterParts } from './builders.ts';

const LINKS = ['eth0 192.168.0.254/24', 'eth1 172.16.0.254/24', 'eth2 10.0.0.254/24'];
const SYN: PacketParts = { from: '192.168.0.10:40000', to: '8.8.8.8:80' };

interface Case {
  readonly name: string;
  readonly parts: Partial<RouterParts>;
  readonly ingress?: string;
  readonly packet?: Partial<PacketParts>;
  readonly want: string;
}

function check(cases: readonly Case[]): void {
  for (const { name, parts, ingress, packet, want } of cases) {
    it(name, () => {
      const lab = new Lab({ links: LINKS, ...parts });
      expect(lab.send(ingress ?? 'eth0', { ...SYN, ...packet })).toBe(want);
    });
  }
}

const LOCAL = '0: from all lookup 255';
const MAIN = '32766: from all lookup 254';
const T1 = 'default via 172.16.0.1 dev eth1 table 1';
const T2 = 'default via 10.0.0.1 dev eth2 table 2';
const VIA1 = 'eth1 172.16.0.1';
const VIA2 = 'eth2 10.0.0.1';
const mark = (value: string): Partial<RouterParts>['tables'] => ({
  mangle: [`-A PREROUTING -j MARK --set-xmark ${value}/0xffffffff`],
});

describe('policy rules (linux-forwarding 3)', () => {
  check([
    {
      name: '3.1 lower priority first',
      parts: { rules: [LOCAL, '10: from all lookup 1', '20: from all lookup 2'], routes: [T1, T2] },
      want: VIA1,
    },
    {
      name: '3.1 no match in the table: next rule',
      parts: { rules: [LOCAL, '10: from all lookup 3', '20: from all lookup 2'], routes: [T2] },
      want: VIA2,
    },
    {
      name: '3.1 throw: next rule',
      parts: {
        rules: [LOCAL, '10: from all lookup 1', '20: from all lookup 2'],
        routes: ['throw default table 1', T2],
      },
      want: VIA2,
    },
    { name: '3.1 the end of the list is no route', parts: { rules: [LOCAL] }, want: 'no-route' },
    {
      name: '3.5 a mark rule before the local one takes packets to the router itself',
      parts: {
        rules: ['0: from all fwmark 0x1 lookup 1', '1: from all lookup 255'],
        routes: [T1],
        tables: mark('0x1')!,
      },
      packet: { to: '10.0.0.254:22' },
      want: VIA1,
    },
    {
      name: '3.6 from and to',
      parts: { rules: [LOCAL, '10: from 192.168.0.0/24 to 8.0.0.0/8 lookup 1'], routes: [T1] },
      want: VIA1,
    },
    {
      name: '3.6 not inverts the conjunction',
      parts: { rules: [LOCAL, '10: not from 192.168.0.0/24 to 9.0.0.0/8 lookup 1'], routes: [T1] },
      want: VIA1,
    },
    {
      name: '3.6 fwmark masks its value',
      parts: { rules: [LOCAL, '10: from all fwmark 0x5/0x1 lookup 1'], routes: [T1], tables: mark('0x3')! },
      want: VIA1,
    },
    {
      name: '3.6 fwmark 0x100/0xff matches mark 0',
      parts: { rules: [LOCAL, '10: from all fwmark 0x100/0xff lookup 1'], routes: [T1] },
      want: VIA1,
    },
    {
      name: '3.6 fwmark of another value',
      parts: { rules: [LOCAL, '10: from all fwmark 0x2 lookup 1'], routes: [T1], tables: mark('0x3')! },
      want: 'no-route',
    },
    { name: '3.6 iif', parts: { rules: [LOCAL, '10: from all iif eth0 lookup 1'], routes: [T1] }, want: VIA1 },
    {
      name: '3.6 oif never matches',
      parts: { rules: [LOCAL, '10: from all oif eth1 lookup 1'], routes: [T1] },
      want: 'no-route',
    },
    {
      name: '3.6 not of what never matches always matches',
      parts: { rules: [LOCAL, '10: not from all oif eth1 lookup 1'], routes: [T1] },
      want: VIA1,
    },
    {
      name: '3.6 iif of a missing device',
      parts: { rules: [LOCAL, '10: from all iif eth9 lookup 1'], routes: [T1] },
      want: 'no-route',
    },
    {
      name: '3.6 tos ignores upper bits',
      parts: { rules: [LOCAL, '10: from all tos 0x10 lookup 1'], routes: [T1] },
      packet: { tos: 0xf0 },
      want: VIA1,
    },
    {
      name: '3.7 ports',
      parts: { rules: [LOCAL, '10: from all ipproto tcp dport 80 lookup 1'], routes: [T1] },
      want: VIA1,
    },
    {
      name: '3.7 ICMP has ports 0',
      parts: { rules: [LOCAL, '10: not from all dport 80 lookup 1'], routes: [T1] },
      packet: { icmp: [8, 0] },
      want: VIA1,
    },
    {
      name: '3.7 a lone iif lo rule does not make protocols known',
      parts: { rules: [LOCAL, '10: not from all iif lo ipproto udp lookup 1'], routes: [T1] },
      want: VIA1,
    },
    {
      name: '3.7 ports of a first fragment are 0',
      parts: { rules: [LOCAL, '10: from all dport 80 lookup 1'], routes: [T1] },
      packet: { status: 256 },
      want: 'no-route',
    },
    { name: '3.8 blackhole', parts: { rules: [LOCAL, '10: from all blackhole'] }, want: 'blackhole' },
    { name: '3.8 unreachable', parts: { rules: [LOCAL, '10: from all unreachable'] }, want: 'unreachable' },
    { name: '3.8 prohibit', parts: { rules: [LOCAL, '10: from all prohibit'] }, want: 'prohibited' },
    {
      name: '3.8 nop goes on',
      parts: { rules: [LOCAL, '10: from all nop', '20: from all lookup 2'], routes: [T2] },
      want: VIA2,
    },
    {
      name: '3.8 goto skips',
      parts: {
        rules: [LOCAL, '10: from all goto 30', '20: from all lookup 1', '30: from all lookup 2'],
        routes: [T1, T2],
      },
      want: VIA2,
    },
    {
      name: '3.8 goto nowhere is ignored',
      parts: { rules: [LOCAL, '10: from all goto 30', '20: from all lookup 1'], routes: [T1] },
      want: VIA1,
    },
    {
      name: '3.9 suppressed by prefix length',
      parts: {
        rules: [LOCAL, '10: from all lookup 1 suppress_prefixlength 0', '20: from all lookup 2'],
        routes: [T1, T2],
      },
      want: VIA2,
    },
    {
      name: '3.9 not suppressed above it',
      parts: {
        rules: [LOCAL, '10: from all lookup 1 suppress_prefixlength 0', '20: from all lookup 2'],
        routes: ['8.0.0.0/8 via 172.16.0.1 dev eth1 table 1', T2],
      },
      want: VIA1,
    },
    {
      name: '3.9 suppressed by group',
      parts: {
        rules: [LOCAL, '10: from all lookup 1 suppress_ifgroup default', '20: from all lookup 2'],
        routes: [T1, T2],
      },
      want: VIA2,
    },
    {
      name: '3.9 error routes are not suppressed',
      parts: {
        rules: [LOCAL, '10: from all lookup 1 suppress_prefixlength 0', '20: from all lookup 2'],
        routes: ['blackhole default table 1', T2],
      },
      want: 'blackhole',
    },
    {
      name: 'an unmodelled selector that matters',
      parts: { rules: [LOCAL, '10: from all unmodelled dscp lookup 1', '20: from all lookup 2'], routes: [T1, T2] },
      want: 'undetermined: rule selector dscp is not modelled',
    },
    {
      name: 'an unmodelled selector of a rule that cannot match',
      parts: {
        rules: [LOCAL, '10: from 9.9.9.9/32 unmodelled dscp lookup 1', '20: from all lookup 2'],
        routes: [T1, T2],
      },
      want: VIA2,
    },
    {
      name: 'rules that were not given',
      parts: { known: { policyRules4: false } },
      want: "undetermined: policy rules (ip rule) are not in the router's state",
    },
  ]);
});

describe('tables (linux-forwarding 4)', () => {
  const d = (more: string): string => `8.8.8.8/32 ${more}`;
  check([
    {
      name: '4.1 longest prefix',
      parts: { routes: ['8.0.0.0/8 via 172.16.0.1 dev eth1', '8.8.0.0/16 via 10.0.0.1 dev eth2'] },
      want: VIA2,
    },
    {
      name: '4.1 tos before metric',
      parts: { routes: [d('via 172.16.0.1 dev eth1'), d('via 10.0.0.1 dev eth2 tos 16 metric 9')] },
      packet: { tos: 0x10 },
      want: VIA2,
    },
    {
      name: '4.1 another tos is skipped',
      parts: { routes: [d('via 172.16.0.1 dev eth1 tos 8'), 'default via 10.0.0.1 dev eth2'] },
      want: VIA2,
    },
    {
      name: '4.1 tos outside 0x1c never matches',
      parts: { routes: [d('via 172.16.0.1 dev eth1 tos 184'), 'default via 10.0.0.1 dev eth2'] },
      packet: { tos: 0xb8 },
      want: VIA2,
    },
    {
      name: '4.2 lower metric, missing is 0',
      parts: { routes: [d('via 172.16.0.1 dev eth1 metric 5'), d('via 10.0.0.1 dev eth2')] },
      want: VIA2,
    },
    {
      name: '4.2 equal metric: the first',
      parts: { routes: [d('via 172.16.0.1 dev eth1'), d('via 10.0.0.1 dev eth2')] },
      want: VIA1,
    },
    { name: '4.3 blackhole', parts: { routes: ['blackhole 8.8.8.8/32'] }, want: 'blackhole' },
    { name: '4.3 unreachable', parts: { routes: ['unreachable 8.8.8.8/32'] }, want: 'unreachable' },
    { name: '4.3 prohibit', parts: { routes: ['prohibit 8.8.8.8/32'] }, want: 'prohibited' },
    {
      name: '4.5 an own address as gateway is on-link',
      parts: { routes: [d('via 172.16.0.254 dev eth1')] },
      want: 'eth1 8.8.8.8',
    },
    { name: '4.5 no gateway: the destination', parts: { routes: [d('dev eth1')] }, want: 'eth1 8.8.8.8' },
    { name: '4.5 an IPv6 gateway', parts: { routes: [d('via fe80::1 dev eth1')] }, want: 'eth1 fe80::1' },
    {
      name: '4.6 a dead next hop is not used',
      parts: { routes: [d('via 172.16.0.1 dev eth1 dead'), 'default via 10.0.0.1 dev eth2'] },
      want: VIA2,
    },
    {
      name: '4.7 linkdown is used',
      parts: { routes: [d('via 172.16.0.1 dev eth1 linkdown'), 'default via 10.0.0.1 dev eth2'] },
      want: VIA1,
    },
    {
      name: '4.7 unless it is to be ignored',
      parts: {
        routes: [d('via 172.16.0.1 dev eth1 linkdown'), 'default via 10.0.0.1 dev eth2'],
        sysctls: { 'eth1.ignore_routes_with_linkdown': 1 },
      },
      want: VIA2,
    },
    {
      name: '4.8 several next hops',
      parts: { routes: [d('nexthop via 172.16.0.1 dev eth1 nexthop via 10.0.0.1 dev eth2')] },
      want: 'undetermined: which of the next hops of a multipath route is taken is not predicted',
    },
    {
      name: '4.8 one of them alive',
      parts: { routes: [d('nexthop via 172.16.0.1 dev eth1 dead nexthop via 10.0.0.1 dev eth2')] },
      want: VIA2,
    },
    {
      name: '4.8 all to one place',
      parts: { routes: [d('nexthop via 10.0.0.1 dev eth2 nexthop via 10.0.0.1 dev eth2')] },
      want: VIA2,
    },
    {
      name: '4.9 whether a rule was ever changed decides between main and a local network',
      parts: { routes: ['local 8.0.0.0/8 dev lo', '8.8.8.0/24 via 10.0.0.1 dev eth2'] },
      want: 'undetermined: whether a policy rule was ever added or deleted cannot be seen',
    },
    {
      name: '4.9 with rules, local is first',
      parts: {
        rules: [LOCAL, '5: from all iif eth9 lookup 7', MAIN],
        routes: ['local 8.0.0.0/8 dev lo', '8.8.8.0/24 via 10.0.0.1 dev eth2'],
      },
      want: 'delivered',
    },
    { name: '4.10 any own address on any interface', parts: {}, packet: { to: '10.0.0.254:22' }, want: 'delivered' },
    { name: '4.10 the network address is ordinary', parts: {}, packet: { to: '10.0.0.0:22' }, want: 'eth2 10.0.0.0' },
    { name: '4.11 directed broadcast is delivered', parts: {}, packet: { to: '10.0.0.255:9' }, want: 'delivered' },
    {
      name: '4.11 and forwarded with bc_forwarding on both',
      parts: { sysctls: { 'all.bc_forwarding': 1, 'eth0.bc_forwarding': 1 } },
      packet: { to: '10.0.0.255:9' },
      want: 'eth2 10.0.0.255',
    },
    { name: '4.12 limited broadcast', parts: {}, packet: { to: '255.255.255.255:9' }, want: 'delivered' },
    { name: '4.12 to 0.0.0.0', parts: {}, packet: { to: '0.0.0.0:9' }, want: 'martian' },
    { name: '4.12 from and to 0.0.0.0', parts: {}, packet: { from: '0.0.0.0:9', to: '0.0.0.0:9' }, want: 'delivered' },
    { name: '4.12 to loopback', parts: {}, packet: { to: '127.0.0.1:9' }, want: 'martian' },
    {
      name: '4.12 240/4 is routed',
      parts: { routes: ['default via 10.0.0.1 dev eth2'] },
      packet: { to: '240.1.2.3:9' },
      want: VIA2,
    },
    {
      name: '4.12 0.1.2.3 is routed',
      parts: { routes: ['default via 10.0.0.1 dev eth2'] },
      packet: { to: '0.1.2.3:9' },
      want: VIA2,
    },
    {
      name: 'multicast is not modelled',
      parts: {},
      packet: { to: '224.1.2.3:9' },
      want: 'undetermined: multicast forwarding is not modelled',
    },
    {
      name: 'a route of unknown encapsulation',
      parts: { routes: ['default via 10.0.0.1 dev eth2 encap mpls'] },
      want: 'undetermined: route attribute encap is not modelled',
    },
    {
      name: 'a miss in a table that was not given',
      parts: {
        known: { routeTables4: new Set([255, 254]) },
        rules: [LOCAL, '5: from all lookup 9', MAIN],
        routes: ['default via 10.0.0.1 dev eth2'],
      },
      want: "undetermined: routing table 9 is not in the router's state",
    },
    {
      name: 'a hit in it',
      parts: {
        known: { routeTables4: new Set([255, 254]) },
        rules: [LOCAL, '5: from all lookup 9', MAIN],
        routes: ['default via 10.0.0.1 dev eth2 table 9'],
      },
      want: VIA2,
    },
  ]);

  it('agrees with a linear search on random tables', () => {
    let seed = 7;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    const ip = (word: number): string => [24, 16, 8, 0].map((shift) => (word >>> shift) & 255).join('.');
    for (let round = 0; round < 40; round++) {
      const routes = Array.from({ length: 60 }, (_, number) => {
        const length = random(33);
        const mask = length === 0 ? 0 : (-1 << (32 - length)) >>> 0;
        // Few different addresses, so that prefixes meet.
        const network = (((100 + random(2)) << 24) | (random(4) << 16) | (random(4) << 8) | random(4)) & mask;
        const via = `172.16.0.${number + 1}`;
        return { network: network >>> 0, mask, length, tos: random(3) * 8, metric: random(3), via };
      });
      const lab = new Lab({
        links: LINKS,
        routes: routes.map((r) => `${ip(r.network)}/${r.length} via ${r.via} dev eth1 tos ${r.tos} metric ${r.metric}`),
      });
      for (let packet = 0; packet < 50; packet++) {
        const to = (((100 + random(2)) << 24) | (random(4) << 16) | (random(4) << 8) | random(5)) >>> 0;
        const tos = random(4) * 8;
        const fitting = routes.filter(
          (r) => ((to ^ r.network) & r.mask) === 0 && (r.tos === 0 || r.tos === (tos & 0x1c)),
        );
        const best = fitting
          .map((r, index) => ({ ...r, index }))
          .sort((a, b) => b.length - a.length || b.tos - a.tos || a.metric - b.metric || a.index - b.index)[0];
        const want = best === undefined ? 'no-route' : `eth1 ${best.via}`;
        expect(lab.send('eth0', { ...SYN, to: `${ip(to)}:80`, tos })).toBe(want);
      }
    }
  });
});

describe('on the way (linux-forwarding 1)', () => {
  const routes = ['default via 10.0.0.1 dev eth2'];
  check([
    { name: '1.7 TTL 1', parts: { routes }, packet: { ttl: 1 }, want: 'ttl-expired' },
    {
      name: '1.7 TTL 1 to the router itself',
      parts: { routes },
      packet: { ttl: 1, to: '10.0.0.254:22' },
      want: 'delivered',
    },
    {
      name: '1.7 rp_filter comes before TTL',
      parts: { routes, sysctls: { 'all.rp_filter': 1 } },
      packet: { ttl: 1, from: '1.2.3.4:5' },
      want: 'dropped-by-reverse-path',
    },
    {
      name: '1.8 a unicast packet in a broadcast frame',
      parts: { routes },
      packet: { linkDestination: 2 },
      want: 'not-forwarding',
    },
    {
      name: '1.8 UDP above the MTU with DF',
      parts: { routes },
      packet: { protocol: 'udp', length: 1501, status: 1024 },
      want: 'too-big',
    },
    {
      name: '1.8 UDP above the MTU without DF is fragmented',
      parts: { routes },
      packet: { protocol: 'udp', length: 1501 },
      want: VIA2,
    },
    {
      name: '1.8 TCP above the MTU is an aggregate of the network card',
      parts: { routes },
      packet: { length: 9000, status: 1024 },
      want: VIA2,
    },
    {
      name: '1.9 forwarding of the ingress interface',
      parts: { routes, sysctls: { 'eth0.forwarding': 0 } },
      want: 'not-forwarding',
    },
    {
      name: '1.9 that of the egress does not matter',
      parts: { routes, sysctls: { 'eth2.forwarding': 0 } },
      want: VIA2,
    },
    {
      name: '1.9 comes before routes that refuse',
      parts: { routes: ['blackhole default'], sysctls: { 'eth0.forwarding': 0 } },
      want: 'not-forwarding',
    },
    {
      name: 'forwarding that is not in the state',
      parts: { routes, without: ['eth0.forwarding', 'all.forwarding'] },
      want: "undetermined: net.ipv4.conf.eth0.forwarding is not in the router's state",
    },
    { name: 'frames for another host', parts: { routes }, packet: { linkDestination: 4 }, want: 'not-forwarding' },
    {
      name: 'an unknown interface',
      parts: { routes },
      ingress: 'eth77',
      want: 'undetermined: the interface that the packet came in on is not known',
    },
  ]);

  it('1.6 a mark set in FORWARD does not change the route', () => {
    const lab = new Lab({
      links: LINKS,
      rules: [LOCAL, '10: from all fwmark 0x1 lookup 1', MAIN],
      routes: [...routes, T1],
      tables: { filter: ['-A FORWARD -j MARK --set-xmark 0x1/0xffffffff'] },
    });
    expect([lab.send('eth0', SYN), lab.mark]).toEqual([VIA2, 0]);
  });

  it('1.10 redirects: only to sources on link', () => {
    const lab = new Lab({
      links: LINKS,
      routes: ['default via 192.168.0.1 dev eth0', '9.0.0.0/8 via 192.168.0.2 dev eth0'],
    });
    lab.send('eth0', SYN);
    expect(lab.flags).toBe(DecisionFlag.icmpRedirect);
    lab.send('eth0', { ...SYN, from: '9.9.9.9:1' });
    expect(lab.flags).toBe(0);
  });

  it('IPv6 of which the state says nothing is undetermined', () => {
    const lab = new Lab({ links: LINKS });
    lab.send('eth0', SYN);
    lab.batch.family[0] = 6;
    lab.forwarder.decide(lab.batch, 0, 0, lab.decisions, 0);
    expect(lab.result()).toMatch(/^undetermined: net\.ipv6\.conf\.\w+\.disable_ipv6 is not in/);
  });

  it('fresh() has the configuration and no connections', () => {
    const lab = new Lab({ links: LINKS, routes, tables: { mangle: ['-A PREROUTING -m conntrack --ctstate NEW'] } });
    lab.send('eth0', SYN);
    const other = lab.forwarder.fresh();
    lab.batch.tcpFlags[0] = 0x12;
    other.decide(lab.batch, 0, other.interfaceIndex('eth0'), lab.decisions, 0);
    expect(lab.state).toBe('invalid');
  });

  it('isLocal()', () => {
    const { forwarder } = new Lab(device({ links: [...LINKS, 'eth3 fe80::1/64'] }));
    const words = Uint32Array.of(0, 0x0a0000fe, 0xfe800000, 0, 0, 1);
    expect([forwarder.isLocal(4, words, 1), forwarder.isLocal(4, words, 0), forwarder.isLocal(6, words, 2)]).toEqual([
      true,
      false,
      true,
    ]);
  });
});

describe('reverse path (linux-forwarding 5)', () => {
  const routes = ['default via 10.0.0.1 dev eth2'];
  const RP = 'dropped-by-reverse-path';
  const rp = (eth0: number, all = 0): Record<string, number> => ({ 'eth0.rp_filter': eth0, 'all.rp_filter': all });
  const foreign: Partial<PacketParts> = { from: '1.2.3.4:5' };
  check([
    { name: '5.1 all=1, interface 2 is loose', parts: { routes, sysctls: rp(2, 1) }, packet: foreign, want: VIA2 },
    { name: '5.1 all=1, interface 0 is strict', parts: { routes, sysctls: rp(0, 1) }, packet: foreign, want: RP },
    { name: '5.1 3 is loose', parts: { routes, sysctls: rp(3) }, packet: foreign, want: VIA2 },
    {
      name: '5.1 negative is loose where both are',
      parts: { sysctls: rp(-1, -1), routes: ['10.9.0.0/16 via 10.0.0.1 dev eth2'] },
      packet: { ...foreign, to: '10.9.1.1:5' },
      want: RP,
    },
    {
      name: '5.3 iif of a reverse lookup is the egress',
      parts: {
        rules: [LOCAL, '10: from all iif eth2 lookup 1', MAIN],
        routes: [...routes, '1.0.0.0/8 via 192.168.0.1 dev eth0 table 1'],
        sysctls: rp(1),
      },
      packet: foreign,
      want: VIA2,
    },
    {
      name: '5.3 iif lo to the router itself',
      parts: {
        rules: [LOCAL, '10: from all iif lo lookup 1', MAIN],
        routes: [...routes, '1.0.0.0/8 via 192.168.0.1 dev eth0 table 1'],
        sysctls: rp(1),
      },
      packet: { ...foreign, to: '10.0.0.254:1' },
      want: 'delivered',
    },
    {
      name: '5.3 ports are exchanged',
      parts: {
        rules: [LOCAL, '10: from all sport 80 lookup 1', MAIN],
        routes: [...routes, '1.0.0.0/8 via 192.168.0.1 dev eth0 table 1'],
        sysctls: rp(1),
      },
      packet: foreign,
      want: VIA2,
    },
    {
      name: '5.4 the mark does not count',
      parts: {
        tables: mark('0x1')!,
        rules: [LOCAL, '10: from all fwmark 0x1 lookup 1', MAIN],
        routes: [...routes, '1.0.0.0/8 via 192.168.0.1 dev eth0 table 1', '8.0.0.0/8 via 10.0.0.1 dev eth2 table 1'],
        sysctls: rp(1),
      },
      packet: foreign,
      want: RP,
    },
    {
      name: '5.4 unless src_valid_mark',
      parts: {
        tables: mark('0x1')!,
        rules: [LOCAL, '10: from all fwmark 0x1 lookup 1', MAIN],
        routes: [...routes, '1.0.0.0/8 via 192.168.0.1 dev eth0 table 1', '8.0.0.0/8 via 10.0.0.1 dev eth2 table 1'],
        sysctls: { ...rp(1), 'all.src_valid_mark': 1 },
      },
      packet: foreign,
      want: VIA2,
    },
    {
      name: '5.5 loose: only blackhole to the source',
      parts: { routes: [...routes, 'blackhole 1.0.0.0/8'], sysctls: rp(2) },
      packet: foreign,
      want: RP,
    },
    {
      name: '5.5 loose on an interface without address is strict',
      parts: { links: [...LINKS, 'eth5'], routes, sysctls: { 'eth5.rp_filter': 2 } },
      ingress: 'eth5',
      packet: foreign,
      want: RP,
    },
    {
      name: '5.6 a worse metric over the ingress does not help',
      parts: {
        routes: [...routes, '1.0.0.0/8 via 10.0.0.1 dev eth2 metric 1', '1.0.0.0/8 via 192.168.0.1 dev eth0 metric 2'],
        sysctls: rp(1),
      },
      packet: foreign,
      want: RP,
    },
    {
      name: '5.6 every member of a multipath route passes',
      parts: {
        routes: [...routes, '1.0.0.0/8 nexthop via 10.0.0.1 dev eth2 nexthop via 192.168.0.1 dev eth0'],
        sysctls: rp(1),
      },
      packet: foreign,
      want: VIA2,
    },
    { name: '5.7 own address as source', parts: { routes }, packet: { from: '192.168.0.254:1' }, want: 'martian' },
    {
      name: '5.7 with accept_local',
      parts: { routes, sysctls: { 'eth0.accept_local': 1 } },
      packet: { from: '10.0.0.254:1' },
      want: VIA2,
    },
    {
      name: '5.7 accept_local, strict, address of the ingress',
      parts: { routes, sysctls: { ...rp(1), 'eth0.accept_local': 1 } },
      packet: { from: '192.168.0.254:1' },
      want: VIA2,
    },
    {
      name: '5.7 accept_local, strict, address of another interface',
      parts: { routes, sysctls: { ...rp(1), 'eth0.accept_local': 1 } },
      packet: { from: '10.0.0.254:1' },
      want: RP,
    },
    { name: '5.8 multicast source', parts: { routes }, packet: { from: '224.0.0.1:1' }, want: 'martian' },
    { name: '5.8 broadcast source', parts: { routes }, packet: { from: '255.255.255.255:1' }, want: 'martian' },
    { name: '5.8 source 0.0.0.0', parts: { routes }, packet: { from: '0.0.0.0:1' }, want: 'martian' },
    {
      name: '5.8 source 0.0.0.0 to the limited broadcast',
      parts: { routes },
      packet: { from: '0.0.0.0:1', to: '255.255.255.255:1' },
      want: 'delivered',
    },
    { name: '5.8 loopback source', parts: { routes }, packet: { from: '127.0.0.1:1' }, want: 'martian' },
    {
      name: '5.9 broadcast address as source, r = 0, rules as by default: history unknown',
      parts: { routes },
      packet: { from: '192.168.0.255:1' },
      want: 'undetermined: whether a policy rule was ever added or deleted cannot be seen',
    },
    {
      name: '5.9 with rules changed',
      parts: { routes, rules: [LOCAL, '9: from all iif eth9 lookup 7', MAIN] },
      packet: { from: '192.168.0.255:1' },
      want: 'martian',
    },
    { name: '5.9 r = 1', parts: { routes, sysctls: rp(1) }, packet: { from: '192.168.0.255:1' }, want: 'martian' },
    { name: '5.10 no route comes first', parts: { sysctls: rp(1) }, packet: foreign, want: 'no-route' },
    {
      name: 'a missing rp_filter that does not matter',
      parts: { routes, without: ['eth0.rp_filter', 'all.rp_filter'] },
      want: VIA2,
    },
    {
      name: 'a missing rp_filter that matters',
      parts: { routes, without: ['eth0.rp_filter'] },
      packet: foreign,
      want: "undetermined: net.ipv4.conf.eth0.rp_filter is not in the router's state",
    },
    {
      name: 'a missing one below all=2',
      parts: { routes, sysctls: { 'all.rp_filter': 2 }, without: ['eth0.rp_filter'] },
      packet: foreign,
      want: VIA2,
    },
    {
      name: 'a missing src_valid_mark without mark',
      parts: { routes, sysctls: rp(1), without: ['eth0.src_valid_mark', 'all.src_valid_mark'] },
      want: VIA2,
    },
    {
      name: 'a missing src_valid_mark that matters',
      parts: {
        tables: mark('0x1')!,
        rules: [LOCAL, '10: from all fwmark 0x1 lookup 1', MAIN],
        routes: [...routes, T1],
        sysctls: rp(1),
        without: ['eth0.src_valid_mark'],
      },
      want: "undetermined: net.ipv4.conf.eth0.src_valid_mark is not in the router's state",
    },
  ]);
});
