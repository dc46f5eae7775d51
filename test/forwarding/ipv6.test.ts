import { describe, expect, it } from 'vitest';
import { parseRouterState } from '../../src/dialects/index.ts';
import { DecisionBatch, DecisionFlag, DISPOSITIONS, ConntrackView } from '../../src/forwarding/decision.ts';
import type { Forwarder } from '../../src/forwarding/forwarder.ts';
import { AddressPool, NO_ID } from '../../src/forwarding/linux/address-pool.ts';
import { createLinuxForwarder } from '../../src/forwarding/linux/linux-forwarder.ts';
import { formatIpAddress, formatWords, parseIpAddress } from '../../src/net/ip-address.ts';
import { IpProtocol } from '../../src/net/ip-protocol.ts';
import { formatPrefix, networkOf, parsePrefix, prefixContains } from '../../src/net/prefix.ts';
import { makePacket, type PacketSpec } from '../../src/verification/probe-packet.ts';
import { Status } from '../../src/wire/packet-batch.ts';

const ADDRESSES = `### ip addr show
2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 state UP group default
    inet6 2001:db8:1::fe/64 scope global
    inet6 fe80::1/64 scope link
3: eth1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1400 state UP group default
    inet6 2001:db8:f::fe/64 scope global
    inet6 fe80::2/64 scope link
4: eth2: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 state UP group default
    inet6 2001:db8:2::fe/64 scope global
    inet6 fe80::3/64 scope link
`;
const MANGLE = `*mangle
-A PREROUTING -i eth0 -p tcp -m tcp --dport 3389 -j CONNMARK --set-xmark 0x1/0xffffffff
-A PREROUTING ! -i eth1 -m connmark --mark 0x1 -j MARK --set-xmark 0x1/0xffffffff
COMMIT
`;
const RULES = ['0:\tfrom all lookup local', '100:\tfrom all fwmark 0x1 lookup 100', '32766:\tfrom all lookup main'];
const LOCAL = [
  'local 2001:db8:1::fe dev eth0 table local proto kernel metric 0 pref medium',
  'anycast 2001:db8:1:: dev eth0 table local proto kernel metric 0 pref medium',
  'multicast ff00::/8 dev eth0 table local proto kernel metric 256 pref medium',
];
const MAIN = [
  '2001:db8:1::/64 dev eth0 proto kernel metric 256 pref medium',
  '2001:db8:f::/64 dev eth1 proto kernel metric 256 pref medium',
  '2001:db8:2::/64 dev eth2 proto kernel metric 256 pref medium',
  'default via fe80::9 dev eth2 proto ra metric 1024 expires 1700sec pref medium',
];
const FORCED = 'net.ipv6.conf.all.forwarding = 0\nnet.ipv6.conf.eth0.force_forwarding = 1';
const REDIRECT = 'default via 2001:db8:f::1 dev eth1 table 100 metric 1024 pref medium';

interface State {
  readonly rules?: readonly string[];
  readonly routes?: readonly string[];
  readonly tables?: string;
  readonly sysctls?: string;
}

function stateText(state: State): string {
  const { rules = RULES, routes = [REDIRECT, ...MAIN, ...LOCAL], tables = MANGLE } = state;
  const { sysctls = 'net.ipv6.conf.all.forwarding = 1' } = state;
  return `${ADDRESSES}### ip6tables-nft-save
${tables}### ip -6 rule show
${rules.join('\n')}
### ip -6 route show table all
${routes.join('\n')}
### sysctl -a
${sysctls}
`;
}

class Router6 {
  readonly forwarder: Forwarder;
  readonly decisions = new DecisionBatch(1);

  constructor(state: State = {}) {
    this.forwarder = createLinuxForwarder(parseRouterState([{ path: 'router.txt', text: stateText(state) }]));
  }

  /** `eth0`, `2001:db8:1::10:40000`, `2001:db8:2::10:3389`: what becomes of the packet, in one line. */
  send(ingress: string, from: string, to: string, spec: Partial<PacketSpec> = {}, status = 0): string {
    const [source, sourcePort] = splitPort(from);
    const [destination, destinationPort] = splitPort(to);
    const flags = spec.flags ?? 2;
    const batch = makePacket({
      protocol: IpProtocol.tcp,
      source,
      sourcePort,
      destination,
      destinationPort,
      sourceMac: 1,
      ttl: 64,
      time: 1e18,
      ...spec,
      flags,
    });
    batch.status[0]! |= status;
    const { decisions, forwarder } = this;
    forwarder.decide(batch, 0, forwarder.interfaceIndex(ingress), decisions, 0);
    const disposition = DISPOSITIONS[decisions.disposition[0]!]!;
    if (disposition === 'undetermined') return `undetermined: ${forwarder.unknowns[decisions.unknown[0]!]!.reason}`;
    if (disposition !== 'forwarded') return disposition;
    const [a, b, c, d] = decisions.nextHop as unknown as [number, number, number, number];
    return `${forwarder.interfaceNames[decisions.egress[0]!]} ${formatWords(6, a, b, c, d)}`;
  }
}

function splitPort(text: string): [NonNullable<ReturnType<typeof parseIpAddress>>, number] {
  const at = text.lastIndexOf(':');
  return [parseIpAddress(text.slice(0, at))!, Number(text.slice(at + 1))];
}

const CLIENT = '2001:db8:1::10:40000';
const SERVER = '2001:db8:2::10:3389';

describe('IPv6 is simulated by the same machinery', () => {
  it('marks lead to the redirect, and the replies that carry them, too', () => {
    const router = new Router6();
    expect(router.send('eth0', CLIENT, SERVER)).toBe('eth1 2001:db8:f::1');
    expect(router.decisions.fwmark[0]).toBe(1);
    expect(router.decisions.table[0]).toBe(100);
    expect(router.send('eth1', CLIENT, SERVER)).toBe('eth2 2001:db8:2::10');
    expect(router.send('eth2', SERVER, CLIENT, { flags: 0x12 })).toBe('eth1 2001:db8:f::1');
    expect(router.decisions.conntrack[0]).toBe(ConntrackView.established);
    expect(router.decisions.isReply[0]).toBe(1);
    expect(router.send('eth0', '2001:db8:1::10:40001', '2001:db8:2::10:22')).toBe('eth2 2001:db8:2::10');
  });

  it('the walk names rules, tables and addresses', () => {
    const router = new Router6();
    router.send('eth0', CLIENT, SERVER);
    const { steps } = router.forwarder.explainLast();
    expect(steps.at(-1)).toEqual({ kind: 'end', disposition: 'forwarded', egress: 'eth1', nextHop: '2001:db8:f::1' });
    expect(steps.filter((step) => step.kind === 'rule').map((step) => step.effect)).toEqual([
      'CONNMARK 0x0 > 0x1',
      'MARK 0x0 > 0x1',
    ]);
  });

  it.each<[name: string, state: State, packet: [string, string, string, Partial<PacketSpec>?, number?], want: string]>([
    ['own addresses are delivered to', {}, ['eth0', CLIENT, '2001:db8:1::fe:22'], 'delivered'],
    ['so are the first ones of the networks', {}, ['eth0', CLIENT, '2001:db8:1:::22'], 'delivered'],
    [
      'no source check: own addresses come in',
      {},
      ['eth0', '2001:db8:1::fe:1', '2001:db8:2::1:2'],
      'eth2 2001:db8:2::1',
    ],
    ['the default route of a router advertisement', {}, ['eth0', CLIENT, '2001:db8:9::1:80'], 'eth2 fe80::9'],
    [
      'no route is refused before forwarding counts',
      { routes: LOCAL, sysctls: 'net.ipv6.conf.all.forwarding = 0' },
      ['eth0', CLIENT, '2001:db8:9::1:80'],
      'no-route',
    ],
    [
      'forwarding off',
      { sysctls: 'net.ipv6.conf.all.forwarding = 0\nnet.ipv6.conf.eth0.force_forwarding = 0' },
      ['eth0', CLIENT, '2001:db8:9::1:80'],
      'not-forwarding',
    ],
    ['forwarding forced', { sysctls: FORCED }, ['eth0', CLIENT, '2001:db8:9::1:80'], 'eth2 fe80::9'],
    [
      'forwarding forced, with another route if the next router does not answer',
      {
        routes: ['2001:db8:9::/64 via fe80::8 dev eth1 metric 1024 pref medium', ...MAIN, ...LOCAL],
        sysctls: FORCED,
      },
      ['eth0', CLIENT, '2001:db8:9::1:80'],
      'undetermined: whether the next router answers, which counts where force_forwarding alone makes this one forward, is not known',
    ],
    [
      'forwarding forced, with another route and a next router that always answers',
      {
        routes: ['2001:db8:9::/64 via fe80::8 dev eth1 metric 1024 pref medium', ...MAIN, ...LOCAL],
        sysctls: `${FORCED}\n### ip neigh show\nfe80::8 dev eth1 lladdr 02:00:00:00:00:08 PERMANENT`,
      },
      ['eth0', CLIENT, '2001:db8:9::1:80'],
      'eth1 fe80::8',
    ],
    [
      'forwarding not known',
      { sysctls: 'net.ipv4.ip_forward = 1' },
      ['eth0', CLIENT, '2001:db8:9::1:80'],
      "undetermined: net.ipv6.conf.all.forwarding is not in the router's state",
    ],
    ['link-local sources stay on their link', {}, ['eth0', 'fe80::5:1', '2001:db8:2::1:2'], 'unreachable'],
    ['no packet for the loopback address comes in', {}, ['eth0', CLIENT, '::1:22'], 'martian'],
    ['nor one from an IPv4 address', {}, ['eth0', '::ffff:192.168.0.1:1', '2001:db8:2::1:2'], 'martian'],
    ['groups', {}, ['eth0', CLIENT, 'ff0e::1:22'], 'undetermined: multicast forwarding is not modelled'],
    ['the hop limit', {}, ['eth0', CLIENT, '2001:db8:2::1:80', { ttl: 1 }], 'ttl-expired'],
    ['the MTU', {}, ['eth0', CLIENT, '2001:db8:f::5:80', { protocol: IpProtocol.udp, payloadLength: 1380 }], 'too-big'],
    [
      'extension headers',
      {},
      ['eth0', CLIENT, SERVER, {}, Status.options],
      'undetermined: IPv6 packets with extension headers are not modelled',
    ],
    [
      'routes by source',
      {
        routes: [
          '2001:db8:2::/64 from 2001:db8:1::/64 via fe80::7 dev eth2 metric 2048 pref medium',
          ...MAIN,
          ...LOCAL,
        ],
      },
      ['eth0', '2001:db8:1::10:1', '2001:db8:2::10:22'],
      'undetermined: which of several routes to this destination is taken is not modelled',
    ],
    [
      'two routes of one metric and different preferences',
      { routes: ['default via fe80::8 dev eth1 metric 1024 pref high', ...MAIN, ...LOCAL] },
      ['eth0', CLIENT, '2001:db8:9::1:80'],
      'undetermined: which of several routes to this destination is taken is not modelled',
    ],
    [
      'two routes of one metric: the one back where the packet came from',
      { routes: [...MAIN, 'default via fe80::8 dev eth0 metric 1024 pref medium', ...LOCAL] },
      ['eth0', CLIENT, '2001:db8:9::1:80'],
      'eth0 fe80::8',
    ],
    [
      'two routes of one metric over other interfaces: the first',
      { routes: [...MAIN, 'default via fe80::8 dev eth1 metric 1024 pref medium', ...LOCAL] },
      ['eth0', CLIENT, '2001:db8:9::1:80'],
      'eth2 fe80::9',
    ],
    [
      'a route that ends the search, and one of its metric back where the packet came from',
      {
        routes: ['throw default dev lo metric 1024 pref medium', 'default dev eth0 metric 1024 pref medium', ...LOCAL],
      },
      ['eth0', CLIENT, '2001:db8:9::1:80'],
      'eth0 2001:db8:9::1',
    ],
    ['nobody is no source beyond its link', {}, ['eth0', ':::1', '2001:db8:2::1:2'], 'not-forwarding'],
    [
      'link-local destinations are looked for on the link that the packet came by',
      { routes: ['fe80::/64 dev eth2 metric 256 pref medium', 'fe80::/64 dev eth0 metric 256 pref medium', ...LOCAL] },
      ['eth0', CLIENT, 'fe80::77:2'],
      'eth0 fe80::77',
    ],
    [
      'and are nowhere else',
      { routes: ['fe80::/64 dev eth2 metric 256 pref medium', ...LOCAL] },
      ['eth0', CLIENT, 'fe80::77:2'],
      'no-route',
    ],
    [
      'a gateway with the link-local address that the router has on another link',
      { routes: ['default via fe80::1 dev eth2 metric 1024 pref medium', ...LOCAL] },
      ['eth0', CLIENT, '2001:db8:9::1:80'],
      'eth2 fe80::1',
    ],
    [
      'a lower metric wins',
      { routes: ['default via fe80::8 dev eth1 metric 1 pref low', ...MAIN, ...LOCAL] },
      ['eth0', CLIENT, '2001:db8:9::1:80'],
      'eth1 fe80::8',
    ],
    [
      'rules by address',
      {
        rules: [
          '0:\tfrom all lookup local',
          '5:\tfrom 2001:db8:1::/120 to 2001:db8:2::/64 lookup 100',
          '32766:\tfrom all lookup main',
        ],
      },
      ['eth0', CLIENT, '2001:db8:2::1:80'],
      'eth1 2001:db8:f::1',
    ],
    [
      'rules by address, not this one',
      { rules: ['0:\tfrom all lookup local', '5:\tfrom 2001:db8:1::/125 lookup 100', '32766:\tfrom all lookup main'] },
      ['eth0', CLIENT, '2001:db8:2::1:80'],
      'eth2 2001:db8:2::1',
    ],
    [
      'matches of extension headers never hold',
      { tables: '*filter\n-A FORWARD -m rt --rt-type 0 -j DROP\n-A FORWARD -m frag --fragmore -j DROP\nCOMMIT\n' },
      ['eth0', CLIENT, '2001:db8:2::1:80'],
      'eth2 2001:db8:2::1',
    ],
    [
      'addresses under a mask',
      { tables: '*filter\n-A FORWARD -s 2001:db8:1::10/ffff:ffff::ff -j DROP\nCOMMIT\n' },
      ['eth0', CLIENT, '2001:db8:2::1:80'],
      'dropped-by-rule',
    ],
    [
      'address ranges',
      { tables: '*filter\n-A FORWARD -m iprange --dst-range 2001:db8:2::1-2001:db8:2::f -j DROP\nCOMMIT\n' },
      ['eth0', CLIENT, '2001:db8:2::e:80'],
      'dropped-by-rule',
    ],
    [
      'address ranges end',
      { tables: '*filter\n-A FORWARD -m iprange --dst-range 2001:db8:2::1-2001:db8:2::d -j DROP\nCOMMIT\n' },
      ['eth0', CLIENT, '2001:db8:2::e:80'],
      'eth2 2001:db8:2::e',
    ],
    [
      'translations',
      { tables: '*nat\n-A POSTROUTING -o eth2 -j MASQUERADE\nCOMMIT\n' },
      ['eth0', CLIENT, '2001:db8:2::e:80'],
      'undetermined: target MASQUERADE of ip6tables is not modelled',
    ],
    [
      'the hop limit set by a rule',
      { tables: '*mangle\n-A PREROUTING -j HL --hl-set 1\nCOMMIT\n' },
      ['eth0', CLIENT, '2001:db8:2::e:80'],
      'ttl-expired',
    ],
  ])('%s', (_name, state, packet, want) => {
    expect(new Router6(state).send(...packet)).toBe(want);
  });

  it('only neighbours and routers with link-local addresses are redirected to', () => {
    const router = new Router6();
    router.send('eth2', '2001:db8:2::7:1', '2001:db8:2::8:2');
    expect(router.decisions.flags[0]).toBe(DecisionFlag.icmpRedirect);
    router.send('eth2', '2001:db8:2::7:1', '2001:db8:9::8:2');
    expect(router.decisions.flags[0]).toBe(DecisionFlag.icmpRedirect);
    router.send('eth1', '2001:db8:f::7:1', '2001:db8:2::8:3389');
    expect(router.decisions.flags[0]).toBe(0);
  });

  it('what a refused packet may have done to its connection is not known', () => {
    const router = new Router6();
    expect(router.send('eth0', CLIENT, SERVER)).toBe('eth1 2001:db8:f::1');
    router.send('eth2', SERVER, CLIENT, { flags: 0x12 }, Status.options);
    expect(router.send('eth2', SERVER, CLIENT, { flags: 0x10 })).toMatch(/^undetermined: /);
  });

  it('connections outlive a change of the configuration', () => {
    const before = new Router6();
    before.send('eth0', CLIENT, SERVER);
    const rules = ['0:\tfrom all lookup local', '32766:\tfrom all lookup main'];
    const after = new Router6({ rules });
    const taken = before.forwarder.replacedBy!(after.forwarder)!;
    Object.assign(after, { forwarder: taken });
    expect(after.send('eth2', SERVER, CLIENT, { flags: 0x12 })).toBe('eth0 2001:db8:1::10');
    expect(after.decisions.connmark[0]).toBe(1);
    expect(after.decisions.isReply[0]).toBe(1);
  });

  it('packets of IPv4 do not meet its rules', () => {
    const router = new Router6();
    const ipv4 = { family: 4, words: [0x0a000001, 0, 0, 0] } as const;
    expect(router.send('eth0', CLIENT, SERVER, { source: ipv4, destination: ipv4 })).toMatch(/\(iptables-save\)/);
  });
});

describe('the longest prefix wins', () => {
  it('among random ones, as by looking at each', () => {
    let seed = 1;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      return (seed >>> 8) % below;
    };
    // Few bits differ, so that prefixes of all lengths cover others.
    const address = (): string => {
      const groups = Array.from({ length: 8 }, () => (1 << random(16)).toString(16));
      return ['2001', ...groups.slice(1).map((group) => (random(2) === 0 ? '0' : group))].join(':');
    };
    for (let round = 0; round < 20; round++) {
      const prefixes = Array.from({ length: 60 }, () => parsePrefix(`${address()}/${4 + random(125)}`)!);
      const unique = [
        ...new Map(prefixes.map((prefix) => [formatPrefix(networkOf(prefix)), networkOf(prefix)])).values(),
      ];
      const via = (index: number): string => `fe80::${(index + 1).toString(16)}`;
      const routes = unique.map((prefix, index) => `${formatPrefix(prefix)} via ${via(index)} dev eth2 metric 1024`);
      const router = new Router6({
        routes: [...routes, ...LOCAL],
        tables: '*filter\nCOMMIT\n',
        rules: [RULES[0]!, RULES[2]!],
      });
      for (let packet = 0; packet < 60; packet++) {
        const near = unique[random(unique.length)]!;
        const destination = packet % 2 === 0 ? parseIpAddress(address())! : { family: 6 as const, words: near.words };
        const fitting = unique.filter((prefix) => prefixContains(prefix, destination));
        const best = fitting.sort((a, b) => b.prefixLength - a.prefixLength)[0];
        const want = best === undefined ? 'no-route' : `eth2 ${via(unique.indexOf(best))}`;
        expect(router.send('eth0', CLIENT, `${formatIpAddress(destination)}:80`)).toBe(want);
      }
    }
  });
});

describe('a pool of addresses', () => {
  it('gives equal addresses one number, and different ones different numbers', () => {
    const pool = new AddressPool();
    const words = Uint32Array.from({ length: 4000 }, (_, at) => Math.imul(at >> 2, 0x9e3779b1) ^ at);
    const ids = Array.from({ length: 1000 }, (_, at) => pool.intern(words, 4 * at));
    expect(new Set(ids).size).toBe(1000);
    expect(Array.from({ length: 1000 }, (_, at) => pool.intern(words, 4 * at))).toEqual(ids);
    for (const [at, id] of ids.entries()) {
      expect([...pool.words.subarray(4 * id, 4 * id + 4)]).toEqual([...words.subarray(4 * at, 4 * at + 4)]);
    }
    expect(pool.intern([0, 0, 0, 0], 0)).toBe(0);
  });

  it('is bounded: what it knows it keeps, what is new has no number', () => {
    const pool = new AddressPool(3);
    const [one, two] = [pool.intern([1, 0, 0, 0], 0), pool.intern([2, 0, 0, 0], 0)];
    expect(pool.intern([3, 0, 0, 0], 0)).toBe(NO_ID);
    expect([pool.intern([1, 0, 0, 0], 0), pool.intern([2, 0, 0, 0], 0)]).toEqual([one, two]);
  });
});
