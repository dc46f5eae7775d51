import { describe, expect, it } from 'vitest';
import { parseIpAddress } from '../../src/net/ip-address.ts';
import type { StatedIntent } from '../../src/verification/intent.ts';
import {
  CLIENT,
  CLIENT_HOST,
  CLIENT_TO_SERVER,
  CLIENT_TO_SPS,
  Conversation,
  clientLeg,
  direct,
  type Host,
  lost,
  Mac,
  NEIGHBOUR_HOST,
  SERVER,
  SERVER_TO_CLIENT,
  SERVER_TO_SPS,
  SPS_HOST,
  SPS_TO_CLIENT,
  serverLeg,
  session,
  Traffic,
} from './build-capture.ts';
import { lineOf, POLICY_RULES, Rule, routerOf, routerState, type StateParts } from './router-state.ts';
import { causesOf, codesOf, expectAbsent, INTENT, report, SPOOFING, the } from './run-verify.ts';

const WITHOUT_MARK_RULE = POLICY_RULES.filter((rule) => !rule.includes('fwmark'));
const REPLIES: StateParts = { mangle: [Rule.replies, Rule.requests, Rule.mark] };
const ALL_MARKED = Rule.mark.replace('! -i eth1 ', '');

/** The client's SYN goes to the server, the answer to SPS, which does not know it. */
function brokenByOrder(): Traffic {
  const traffic = new Traffic();
  const conversation = new Conversation(traffic, { requests: CLIENT_TO_SPS, replies: SERVER_TO_SPS });
  conversation.request('S', 0, CLIENT_TO_SERVER).reply('SA');
  return traffic;
}

/** SPS's answer goes round between router and SPS until its TTL ends, at SPS or, where that is odd, at the router. */
function loop(first = 64): Traffic {
  const traffic = new Traffic();
  clientLeg(traffic).request('S');
  for (let ttl = first; ttl >= 1; ttl -= 2) {
    const answer = { source: SERVER, sourcePort: 3389, destination: CLIENT, destinationPort: 40_000, flags: 'SA' };
    traffic.pass(
      { ...answer, sequence: 5000, acknowledgement: 1001, ttl, identification: 77 },
      ttl > 1 ? { from: SPS_HOST, to: SPS_HOST } : { from: SPS_HOST },
    );
  }
  return traffic;
}

/** The client's SYN reaches SPS, and its answer is lost in the router. */
function unanswered(): Traffic {
  const traffic = new Traffic();
  clientLeg(traffic).request('S').reply('SA', 0, lost(SPS_TO_CLIENT));
  return traffic;
}

function toHost(host: Host | undefined): Traffic {
  const traffic = new Traffic();
  const way = host === undefined ? { from: CLIENT_HOST } : { from: CLIENT_HOST, to: host };
  new Conversation(traffic, { requests: way, replies: SPS_TO_CLIENT }).request('S');
  return traffic;
}

/** With the client's address: the server's answer goes straight to the client. */
function answeredPastSps(): Traffic {
  const traffic = new Traffic();
  clientLeg(traffic).open();
  serverLeg(traffic, { snat: 'client' }).request('S').reply('SA', 0, SERVER_TO_CLIENT);
  return traffic;
}

interface Case {
  readonly code: string;
  readonly name: string;
  readonly state: StateParts;
  readonly traffic: () => Traffic;
  readonly intent?: StatedIntent;
  /** The finding about the packet that it explains. */
  readonly explains: string;
  readonly count: number;
  readonly connections?: readonly number[];
  /** Text of the statement that it points to. */
  readonly at?: string;
  readonly message: RegExp;
  readonly fix: readonly string[];
  /** A neighbouring set-up where all is well. */
  readonly absentIn: StateParts;
}

const CASES: readonly Case[] = [
  {
    code: 'RV401',
    name: 'no policy rule selects the mark',
    state: { policyRules: WITHOUT_MARK_RULE },
    traffic: () => direct(new Traffic()),
    explains: 'RV501',
    count: 6,
    at: Rule.mark,
    message: /marked 0x1, and no policy rule selects that mark; rule 32766 decides/,
    fix: ['ip rule add fwmark 0x1 table scb'],
    absentIn: { policyRules: POLICY_RULES.map((rule) => rule.replace('fwmark 0x1 ', 'fwmark 0x1/0xff ')) },
  },
  {
    code: 'RV402',
    name: 'the table of the redirect is empty',
    state: { redirectRoutes: [] },
    traffic: () => direct(new Traffic()),
    explains: 'RV501',
    count: 6,
    at: 'from all fwmark 0x1 lookup scb',
    message: /policy rule 32765 .* lookup 103 \(scb\): no route, next rule/,
    fix: ['ip route add default via 172.16.0.1 dev eth1 table scb'],
    absentIn: { redirectRoutes: ['10.0.0.0/24 via 172.16.0.1 dev eth1'] },
  },
  {
    code: 'RV402',
    name: 'the table of the redirect has a route for other destinations only',
    state: { redirectRoutes: ['10.9.0.0/24 via 172.16.0.1 dev eth1'] },
    traffic: () => direct(new Traffic()),
    explains: 'RV501',
    count: 6,
    at: 'from all fwmark 0x1 lookup scb',
    message: /a route for them: lookup 103/,
    fix: ['ip route add default via 172.16.0.1 dev eth1 table scb'],
    absentIn: { redirectRoutes: ['10.0.0.0/25 via 172.16.0.1 dev eth1'] },
  },
  {
    code: 'RV403',
    name: 'main decides before the rule of the redirect',
    state: { policyRules: [...WITHOUT_MARK_RULE, '40000:\tfrom all fwmark 0x1 lookup scb'] },
    traffic: () => direct(new Traffic()),
    explains: 'RV501',
    count: 6,
    at: '32766:\tfrom all lookup main',
    message: /policy rule 32766 decides before the rule of the redirect/,
    fix: ['ip rule add pref 32765 fwmark 0x1 table scb', 'ip rule del pref 40000 fwmark 0x1 table scb'],
    absentIn: { policyRules: [...POLICY_RULES, '40000:\tfrom all fwmark 0x1 lookup scb'] },
  },
  {
    code: 'RV404',
    name: 'no rule turns the connection mark into a packet mark',
    state: { mangle: [Rule.requests] },
    traffic: () => direct(new Traffic()),
    explains: 'RV501',
    count: 6,
    at: Rule.requests,
    message: /connection mark 0x1 never becomes a packet mark/,
    fix: ['iptables -t mangle -A PREROUTING ! -i eth1 -m connmark --mark 0x1 -j MARK --set-mark 0x1'],
    absentIn: { mangle: [Rule.requests, '-A PREROUTING ! -i eth1 -j CONNMARK --restore-mark'] },
  },
  {
    code: 'RV405',
    name: 'the mark is read before it is set',
    state: { mangle: [Rule.mark, Rule.requests] },
    traffic: brokenByOrder,
    explains: 'RV501',
    count: 1,
    at: Rule.mark,
    message: /rule 1 of mangle PREROUTING reads the connection mark before the rule that sets it/,
    fix: [
      'iptables -t mangle -D PREROUTING ! -i eth1 -m connmark --mark 0x1 -j MARK --set-xmark 0x1/0xffffffff',
      'iptables -t mangle -A PREROUTING ! -i eth1 -m connmark --mark 0x1 -j MARK --set-xmark 0x1/0xffffffff',
    ],
    absentIn: { mangle: [Rule.mark, Rule.requests, Rule.mark] },
  },
  {
    code: 'RV406',
    name: 'what SPS sends is marked, too',
    state: { mangle: [Rule.requests, ALL_MARKED] },
    traffic: () => loop(),
    explains: 'RV502',
    count: 32,
    at: ALL_MARKED,
    message: /rule 2 of mangle PREROUTING marks packets from SPS, too/,
    fix: [
      'iptables -t mangle -D PREROUTING -m connmark --mark 0x1 -j MARK --set-xmark 0x1/0xffffffff',
      'iptables -t mangle -A PREROUTING ! -i eth1 -m connmark --mark 0x1 -j MARK --set-xmark 0x1/0xffffffff',
    ],
    absentIn: { mangle: [Rule.requests, Rule.mark.replace('! -i eth1', '-i eth0')] },
  },
  {
    code: 'RV407',
    name: 'the filter on the interface of SPS is strict',
    state: { settings: { 'eth1.rp_filter': 1 } },
    traffic: unanswered,
    explains: 'RV602',
    count: 1,
    at: 'net.ipv4.conf.eth1.rp_filter = 1',
    message: /reverse path filter on eth1 is strict .* SYN-ACK of SPS to the client/,
    fix: ['sysctl -w net.ipv4.conf.eth1.rp_filter=2'],
    absentIn: { settings: { 'eth0.rp_filter': 1, 'eth1.rp_filter': 2, 'eth2.rp_filter': 1, 'all.rp_filter': 1 } },
  },
  {
    code: 'RV408',
    name: 'the next hop is another host',
    state: { redirectRoutes: ['default via 172.16.0.99 dev eth1'] },
    traffic: () => toHost(NEIGHBOUR_HOST),
    explains: 'RV506',
    count: 1,
    at: 'default via 172.16.0.99 dev eth1 table scb',
    message: /next hop is 172\.16\.0\.99; SPS is 172\.16\.0\.1/,
    fix: ['ip route replace default via 172.16.0.1 dev eth1 table scb'],
    absentIn: {
      redirectRoutes: ['default via 172.16.0.1 dev eth1', '10.77.0.0/16 via 172.16.0.99 dev eth1'],
    },
  },
  {
    code: 'RV411',
    name: 'nothing redirects the answers that SPS waits for',
    state: {},
    traffic: answeredPastSps,
    intent: SPOOFING,
    explains: 'RV601',
    count: 1,
    connections: [2],
    message: /nothing redirects the servers' answers that enter on eth2/,
    fix: ['iptables -t mangle -I PREROUTING -i eth2 -p tcp -s 10.0.0.0/24 --sport 3389 -j CONNMARK --set-mark 0x1'],
    absentIn: REPLIES,
  },
];

describe('a cause in the configuration', () => {
  it.each(CASES)('$code is said where $name', async (one) => {
    const text = routerState(one.state);
    const made = await report({ capture: one.traffic(), state: text, intent: one.intent ?? INTENT });
    expect(made.verdict).toBe('failed');
    const cause = the(made, one.code);
    expect(cause).toMatchObject({ severity: 'error', count: one.count, connections: one.connections ?? [1] });
    expect(cause.message).toMatch(one.message);
    expect(cause.fix).toEqual(one.fix);
    if (one.at !== undefined) {
      expect(cause.where).toMatchObject({ kind: 'config', path: 'router.txt', line: lineOf(text, one.at) });
    }
    const symptom = the(made, one.explains);
    expect(causesOf(made, symptom)).toContain(one.code);
    const [connection] = made.connections.filter((item) => item.id === cause.connections[0]);
    expect(connection?.verdict).toBe('failed');
    expect(connection?.findings).toContain(one.explains);
    expect(connection?.findings.filter((code) => code.startsWith('RV4'))).toEqual([]);
  });

  it.each(CASES)('$code is mended by its fix where $name', async ({ code, state, traffic, intent = INTENT }) => {
    const router = routerOf(routerState(state));
    const capture = direct(new Traffic());
    const broken = await report({ capture, state: router, intent, whatIf: true });
    expect(broken.verdict).toBe('failed');
    const observed = the(await report({ capture: traffic(), state: router, intent }), code);
    expect(the(broken, code).fix).toEqual(observed.fix);
    const mended = router.altered(observed.fix);
    expect(mended).toBeDefined();
    const after = await report({ capture, state: mended!, intent, whatIf: true });
    expect({ verdict: after.verdict, codes: codesOf(after) }).toEqual({ verdict: 'verified', codes: [] });
  });

  it.each(CASES)(
    '$code is not said in a neighbouring set-up of: $name',
    async ({ code, absentIn, intent = INTENT }) => {
      const snat = intent.snat === 'client' ? 'client' : 'own';
      const made = await report({ capture: session(new Traffic(), { snat }), state: absentIn, intent });
      expectAbsent(made, code);
      expect(made.verdict).toBe('verified');
      const whatIf = await report({ capture: direct(new Traffic()), state: absentIn, intent, whatIf: true });
      expectAbsent(whatIf, code);
      expect(whatIf.verdict).toBe('verified');
    },
  );
});

describe('what the other direction of the same cause does', () => {
  it('is counted in one entry: the end of a loop at the router', async () => {
    const made = await report({ capture: loop(63), state: { mangle: [Rule.requests, ALL_MARKED] } });
    expect(the(made, 'RV502')).toMatchObject({ count: 32, connections: [1] });
    expect(made.connections[0]?.serverToClient).toMatchObject({ packets: 32, looped: 32, dropped: 0 });
  });

  it('is linked to it: the answers of a server that was reached directly', async () => {
    const made = await report({ capture: direct(new Traffic()), state: { policyRules: WITHOUT_MARK_RULE } });
    expect(causesOf(made, the(made, 'RV601'))).toContain('RV401');
  });
});

describe('RV409 next-hop-not-on-link', () => {
  const ON_LINK: StateParts = { redirectRoutes: ['default via 172.17.0.1 dev eth1 onlink'] };

  it('is said where the next hop lies in no network of its interface', async () => {
    const text = routerState(ON_LINK);
    const made = await report({ capture: toHost(undefined), state: text });
    const found = the(made, 'RV409');
    expect(found).toMatchObject({ severity: 'error', count: 1, connections: [1] });
    expect(found.where).toMatchObject({ line: lineOf(text, '172.17.0.1') });
    expect(found.message).toContain('172.17.0.1 is in no network of eth1');
    const after = await report({
      capture: direct(new Traffic()),
      state: routerOf(text).altered(the(made, 'RV408').fix)!,
      whatIf: true,
    });
    expectAbsent(after, 'RV409');
    expect(after.verdict).toBe('verified');
  });

  it('is an error also where that next hop was stated to be SPS', async () => {
    const intent = { ...INTENT, sps: [parseIpAddress('172.17.0.1')!] };
    const made = await report({ capture: toHost(undefined), state: ON_LINK, intent });
    the(made, 'RV409');
    expect(made.verdict).toBe('failed');
  });

  it('is not said of a next hop in a second network of the interface', async () => {
    const text = routerState({
      redirectRoutes: ['default via 172.17.0.1 dev eth1'],
      mainRoutes: [
        '10.0.0.0/24 dev eth2 proto kernel scope link src 10.0.0.254',
        '172.16.0.0/24 dev eth1 proto kernel scope link src 172.16.0.254',
        '172.17.0.0/24 dev eth1 proto kernel scope link src 172.17.0.254',
        '192.168.0.0/24 dev eth0 proto kernel scope link src 192.168.0.254',
      ],
    }).replace(
      '    inet 172.16.0.254/24 brd 172.16.0.255 scope global eth1',
      '    inet 172.16.0.254/24 brd 172.16.0.255 scope global eth1\n    inet 172.17.0.254/24 brd 172.17.0.255 scope global eth1',
    );
    const intent = { ...INTENT, sps: [parseIpAddress('172.17.0.1')!] };
    const made = await report({ capture: direct(new Traffic()), state: text, intent, whatIf: true });
    expectAbsent(made, 'RV409');
    expect(made.verdict).toBe('verified');
  });
});

describe('RV413 icmp-redirects-enabled', () => {
  // SPS among the clients, exempted by its MAC; marks without connection marks, so that half-seen connections do no harm.
  const sps: Host = { at: 'eth0', mac: Mac.sps };
  const state: StateParts = {
    redirectRoutes: ['default via 192.168.0.20 dev eth0'],
    neighbours: ['192.168.0.20 dev eth0 lladdr 02:00:ac:10:00:01 REACHABLE'],
    mangle: [
      '-A PREROUTING -d 10.0.0.0/24 -i eth0 -p tcp -m tcp --dport 3389 -m mac ! --mac-source 02:00:ac:10:00:01 -j MARK --set-xmark 0x1/0xffffffff',
    ],
  };
  const intent: StatedIntent = { ...INTENT, spsInterfaces: ['eth0'], sps: [parseIpAddress('192.168.0.20')!] };

  function capture(): Traffic {
    const traffic = new Traffic();
    new Conversation(traffic, {
      requests: { from: CLIENT_HOST, to: sps },
      replies: { from: sps, to: CLIENT_HOST },
    }).request('S');
    return traffic;
  }

  it('is said where packets leave by the interface they came in on', async () => {
    const made = await report({ capture: capture(), state, intent });
    const found = the(made, 'RV413');
    expect(found).toMatchObject({ severity: 'warning', count: 1, connections: [1] });
    expect(found.where).toEqual({ kind: 'frame', path: 'capture.pcapng', frame: 1, interface: 'eth0' });
    expect(found.fix).toEqual([
      'sysctl -w net.ipv4.conf.all.send_redirects=0',
      'sysctl -w net.ipv4.conf.eth0.send_redirects=0',
    ]);
    const mended = routerOf(routerState(state)).altered(found.fix)!;
    expectAbsent(await report({ capture: capture(), state: mended, intent }), 'RV413');
  });

  it('needs both settings off, since either sends', async () => {
    for (const [settings, said] of [
      [{ 'all.send_redirects': 0 }, true],
      [{ 'eth0.send_redirects': 0 }, true],
      [{ 'all.send_redirects': 0, 'eth0.send_redirects': 0 }, false],
    ] as const) {
      const made = await report({ capture: capture(), state: { ...state, settings }, intent });
      expect(made.findings.some((finding) => finding.code === 'RV413')).toBe(said);
    }
  });

  it('is not said where SPS has a segment of its own, whatever send_redirects is', async () => {
    expectAbsent(await report({ capture: session(new Traffic()) }), 'RV413');
  });
});

describe('RV415 interface-setting-overridden', () => {
  it('explains RV407 where `all` makes the interface strict', async () => {
    const text = routerState({ settings: { 'all.rp_filter': 1 } });
    const made = await report({ capture: unanswered(), state: text });
    expect(codesOf(made)).toEqual(['RV407 error', 'RV602 error', 'RV415 note']);
    expect(causesOf(made, the(made, 'RV407'))).toEqual(['RV415']);
    expect(causesOf(made, the(made, 'RV602'))).toEqual(['RV407']);
    const found = the(made, 'RV415');
    expect(found.where).toMatchObject({ kind: 'config', line: lineOf(text, 'net.ipv4.conf.all.rp_filter = 1') });
    expect(found.message).toContain('all.rp_filter = 1 overrides net.ipv4.conf.eth1.rp_filter = 0');
    const mended = routerOf(text).altered(the(made, 'RV407').fix)!;
    const after = await report({ capture: direct(new Traffic()), state: mended, whatIf: true });
    expect({ verdict: after.verdict, codes: codesOf(after) }).toEqual({ verdict: 'verified', codes: [] });
  });

  it('is not said where the interface itself is as strict', async () => {
    const made = await report({
      capture: unanswered(),
      state: { settings: { 'all.rp_filter': 1, 'eth1.rp_filter': 1 } },
    });
    the(made, 'RV407');
    expectAbsent(made, 'RV415');
  });
});
