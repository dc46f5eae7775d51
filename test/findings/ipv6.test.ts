import { describe, expect, it } from 'vitest';
import { parseIpAddress } from '../../src/net/ip-address.ts';
import { parsePrefix } from '../../src/net/prefix.ts';
import { layOut } from '../wire/frame-bytes.ts';
import { CLIENT_HOST, type Host, Mac, SERVER_HOST, SPS_HOST, session, Traffic } from './build-capture.ts';
import { CONNECTED, routerState } from './router-state.ts';
import { codesOf, expectAbsent, INTENT, report, the } from './run-verify.ts';

interface Ipv6State {
  readonly filter?: readonly string[];
  readonly mangle?: readonly string[];
  readonly rules?: readonly string[];
  readonly routes?: readonly string[];
  readonly forwarding?: number;
  readonly without?: string;
}

const ROUTES = [
  '2001:db8:1::/64 dev eth0 proto kernel metric 256 pref medium',
  '2001:db8:2::/64 dev eth2 proto kernel metric 256 pref medium',
  'fe80::/64 dev eth0 proto kernel metric 256 pref medium',
  'local ::1 dev lo table local proto kernel metric 0 pref medium',
  'local 2001:db8:1::fe dev eth0 table local proto kernel metric 0 pref medium',
  'multicast ff00::/8 dev eth0 table local proto kernel metric 256 pref medium',
];

const TAKEN = ['eth0', 'eth1', 'eth2'].map((name) => `net.ipv6.conf.${name}.disable_ipv6 = 0`);

/** The seed's correct set-up for IPv4, and a state of IPv6 beside it. */
function stateWith({
  filter = [],
  mangle = [],
  rules = [],
  routes = ROUTES,
  forwarding = 1,
  without,
}: Ipv6State = {}): string {
  const sections: Readonly<Record<string, readonly string[]>> = {
    'ip6tables-save': [
      ...['*mangle', ':PREROUTING ACCEPT [0:0]', ...mangle, 'COMMIT'],
      ...['*filter', ':FORWARD ACCEPT [0:0]', ...filter, 'COMMIT'],
    ],
    'ip -6 rule show': ['0:\tfrom all lookup local', ...rules, '32766:\tfrom all lookup main'],
    'sysctl net.ipv6.conf.all.forwarding': [`net.ipv6.conf.all.forwarding = ${forwarding}`],
    'sysctl -a': TAKEN,
  };
  const more = Object.entries(sections)
    .filter(([heading]) => heading !== without)
    .map(([heading, lines]) => [`### ${heading}`, ...lines].join('\n'));
  return routerState({ mainRoutes: [...CONNECTED, ...routes], more: more.join('\n') });
}

const words = (text: string): [number, number][] => parseIpAddress(text)!.words.map((word) => [4, word]);

interface Given {
  readonly source?: string;
  readonly destination?: string;
  readonly port?: number;
  readonly sourcePort?: number;
  readonly flags?: number;
  readonly sequence?: number;
  readonly acknowledgement?: number;
  readonly hops?: number;
  readonly from?: Host;
}

/** The seed's session over IPv4, then a SYN over IPv6. */
function traffic(...packets: readonly Given[]): Traffic {
  const made = session(new Traffic());
  for (const {
    source = '2001:db8:1::10',
    destination = '2001:db8:2::10',
    port = 3389,
    sourcePort = 40_000,
    flags = 2,
    sequence = 1,
    acknowledgement = 0,
    hops = 64,
    from = CLIENT_HOST,
  } of packets) {
    const frame = layOut(
      [6, Mac.router[from.at]],
      [6, from.mac],
      [2, 0x86dd],
      [4, 0x60000000],
      [2, 20], // payload length
      [1, 6], // TCP
      [1, hops],
      ...words(source),
      ...words(destination),
      [2, sourcePort],
      [2, port],
      [4, sequence],
      [4, acknowledgement],
      [2, 0x5000 | flags],
      [2, 0xffff],
      [4, 0],
    );
    made.frame(from.at, frame);
  }
  return made;
}

const SPS6 = '2001:db8:f::1';
const ALL_ROUTES = [
  ...ROUTES,
  '2001:db8:f::/64 dev eth1 proto kernel metric 256 pref medium',
  `default via ${SPS6} dev eth1 table 106 metric 1024 pref medium`,
];
const REDIRECT: Ipv6State = {
  mangle: [
    '-A PREROUTING -i eth0 -p tcp -m tcp --dport 3389 -j CONNMARK --set-xmark 0x1/0xffffffff',
    '-A PREROUTING ! -i eth1 -m connmark --mark 0x1 -j MARK --set-xmark 0x1/0xffffffff',
  ],
  rules: ['100:\tfrom all fwmark 0x1 lookup 106'],
  routes: ALL_ROUTES,
};
const INTENT6 = {
  ...INTENT,
  sps: [...INTENT.sps!, parseIpAddress(SPS6)!],
  clients: [...INTENT.clients!, parsePrefix('2001:db8:1::/64')!],
  servers: [...INTENT.servers!, parsePrefix('2001:db8:2::/64')!],
};

/** Both legs of a session over IPv6, as far as it opens. */
function session6(): Given[] {
  const [client, server] = ['2001:db8:1::10', '2001:db8:2::10'];
  const leg = (own: string, ownPort: number, there: Host, back: Host): Given[] => [
    { source: own, sourcePort: ownPort, from: there, flags: 2 },
    {
      source: server,
      sourcePort: 3389,
      destination: own,
      port: ownPort,
      from: back,
      flags: 0x12,
      sequence: 9,
      acknowledgement: 2,
    },
    { source: own, sourcePort: ownPort, from: there, flags: 0x10, sequence: 2, acknowledgement: 10 },
  ];
  return [...leg(client, 40_000, CLIENT_HOST, SPS_HOST), ...leg(SPS6, 50_000, SPS_HOST, SERVER_HOST)];
}

describe('a redirect of IPv6', () => {
  it('is verified where it is right', async () => {
    const made = await report({ capture: traffic(...session6()), state: stateWith(REDIRECT), intent: INTENT6 });
    expect(made.connections.filter(({ client }) => client.startsWith('[')).map(({ verdict }) => verdict)).toEqual([
      'verified',
      'verified',
    ]);
    expect(made.findings.filter(({ severity }) => severity === 'error')).toEqual([]);
    expect(made.verdict).toBe('verified');
  });

  it.each<[name: string, state: Ipv6State, code: string]>([
    ['its mark is selected by no rule', { ...REDIRECT, rules: [] }, 'RV501'],
    [
      'its next hop is somebody else',
      { ...REDIRECT, routes: ALL_ROUTES.map((route) => route.replace(`via ${SPS6}`, 'via 2001:db8:f::2')) },
      'RV506',
    ],
    [
      'what SPS sends is redirected, too',
      { ...REDIRECT, mangle: REDIRECT.mangle!.map((rule) => rule.replace('! -i eth1 ', '')) },
      'RV502',
    ],
    ['a filter drops it', { ...REDIRECT, filter: ['-A FORWARD -o eth1 -j DROP'] }, 'RV503'],
  ])('fails where %s', async (_name, state, code) => {
    const made = await report({ capture: traffic(...session6()), state: stateWith(state), intent: INTENT6 });
    expect(codesOf(made)).toContain(`${code} error`);
    expect(made.verdict).toBe('failed');
  });

  it.each<[name: string, state: Ipv6State]>([
    ['its rules are not in the state', { ...REDIRECT, without: 'ip6tables-save' }],
    [
      'a translation is not modelled',
      { ...REDIRECT, mangle: [...REDIRECT.mangle!, '-A PREROUTING -j NFQUEUE --queue-num 1'] },
    ],
  ])('is undetermined where %s', async (_name, state) => {
    const made = await report({ capture: traffic(...session6()), state: stateWith(state), intent: INTENT6 });
    expect(made.verdict).toBe('inconclusive');
  });

  it('toward an address that nobody called SPS is no failure: that could be it', async () => {
    const made = await report({
      capture: traffic(...session6()),
      state: stateWith(REDIRECT),
      intent: { ...INTENT6, sps: INTENT.sps! },
    });
    expectAbsent(made, 'RV508');
    expect(made.verdict).toBe('inconclusive');
  });
});

describe('RV508 ipv6-not-redirected', () => {
  it('is said where IPv6 is forwarded by destination alone', async () => {
    const made = await report({ capture: traffic({}, {}), state: stateWith() });
    const found = the(made, 'RV508');
    expect(found).toMatchObject({ severity: 'error', count: 2, where: { kind: 'frame', interface: 'eth0' } });
    expect(found.message).toContain('to 2001:db8:2::10: no redirect, the router sends them out eth2');
    expect(made.verdict).toBe('failed');
    // What it proves needs no doubt besides, and the IPv4 sessions are what they were.
    expectAbsent(made, 'RV901');
    expect(
      made.connections.filter(({ client }) => !client.startsWith('[')).map(({ verdict }) => verdict),
    ).not.toContain('failed');
  });

  it('is said of rules that mark what no policy rule selects', async () => {
    const mangle = ['-A PREROUTING -p tcp -m tcp --dport 3389 -j MARK --set-xmark 0x1/0xffffffff'];
    the(await report({ capture: traffic({}), state: stateWith({ mangle }) }), 'RV508');
  });

  it('names the connection where the intent has servers of IPv6', async () => {
    const intent = {
      ...INTENT,
      clients: [...INTENT.clients!, parsePrefix('2001:db8:1::/64')!],
      servers: [...INTENT.servers!, parsePrefix('2001:db8:2::/64')!],
    };
    const made = await report({ capture: traffic({}), state: stateWith(), intent });
    expect(the(made, 'RV508').connections).toHaveLength(1);
    expect(made.connections.find(({ client }) => client.startsWith('['))?.verdict).toBe('failed');
  });

  it('is said of what the simulation sends past SPS, whatever rules there are', async () => {
    const state = stateWith({
      rules: ['100:\tfrom all fwmark 0x1 lookup 106'],
      routes: ALL_ROUTES,
      mangle: ['-A PREROUTING -p tcp -m tcp --dport 22 -j MARK --set-xmark 0x1/0xffffffff'],
    });
    the(await report({ capture: traffic({}), state }), 'RV508');
  });

  it('is said of two routes that are equally good, of which neither leads to SPS', async () => {
    const state = stateWith({ routes: [...ROUTES, '2001:db8:2::/64 dev eth0 metric 256 pref medium'] });
    the(await report({ capture: traffic({}), state }), 'RV508');
  });

  const unsaid: readonly { name: string; state?: Ipv6State; packet?: Given }[] = [
    { name: 'ip6tables was not given', state: { without: 'ip6tables-save' } },
    { name: 'the policy rules were not given', state: { without: 'ip -6 rule show' } },
    { name: 'the routes were not given', state: { routes: [] } },
    { name: 'whether IPv6 is forwarded was not given', state: { without: 'sysctl net.ipv6.conf.all.forwarding' } },
    { name: 'IPv6 is not forwarded', state: { forwarding: 0 } },
    { name: 'a filter drops', state: { filter: ['-A FORWARD -p tcp -m tcp --dport 3389 -j DROP'] } },
    { name: 'a filter rejects', state: { filter: ['-A FORWARD -j REJECT --reject-with icmp6-port-unreachable'] } },
    { name: 'the policy is to drop', state: { filter: [':FORWARD DROP [0:0]'] } },
    { name: 'a target is not known', state: { mangle: ['-A PREROUTING -j NFQUEUE --queue-num 1'] } },
    { name: 'no route leads there', state: { routes: ROUTES.filter((route) => !route.includes('eth2')) } },
    {
      name: 'the route leads toward SPS',
      state: { routes: [...ROUTES, '2001:db8:2::10 via fe80::1 dev eth1 metric 1024 pref medium'] },
    },
    {
      name: 'a more specific route is not modelled',
      state: { routes: [...ROUTES, '2001:db8:2::10 from 2001:db8:1::/64 dev eth2 metric 1024 pref medium'] },
    },
    { name: 'the router itself is meant', packet: { destination: '2001:db8:1::fe' } },
    { name: 'the destination is on the link', packet: { destination: 'fe80::10' } },
    { name: 'the source is on the link', packet: { source: 'fe80::10' } },
    { name: 'it travels no further', packet: { hops: 1 } },
    { name: 'SPS sent it', packet: { from: SPS_HOST } },
  ];
  it.each(unsaid)('is not said where $name; the run is inconclusive', async ({ state = {}, packet = {} }) => {
    const made = await report({ capture: traffic(packet), state: stateWith(state) });
    expectAbsent(made, 'RV508');
    expect(codesOf(made)).toContain('RV901 warning');
    expect(made.verdict).toBe('inconclusive');
  });

  it('is not said of other ports, nor where nothing is IPv6', async () => {
    for (const capture of [traffic({ port: 80 }), traffic()]) {
      const made = await report({ capture, state: stateWith() });
      expectAbsent(made, 'RV508');
      expectAbsent(made, 'RV901');
      expect(made.verdict).toBe('verified');
    }
  });

  it('is said of what servers answer, too', async () => {
    const answer = { source: '2001:db8:2::10', destination: '2001:db8:1::10', from: SERVER_HOST };
    the(await report({ capture: traffic(answer), state: stateWith() }), 'RV508');
  });
});
