import { describe, expect, it } from 'vitest';
import { parseIpAddress } from '../../src/net/ip-address.ts';
import {
  CLIENT,
  CLIENT_HOST,
  CLIENT_TO_SERVER,
  CLIENT_TO_SPS,
  Conversation,
  clientLeg,
  direct,
  lost,
  Mac,
  NEIGHBOUR_HOST,
  type Packet,
  SERVER,
  SERVER_HOST,
  SERVER_TO_CLIENT,
  SERVER_TO_SPS,
  SPS_TO_CLIENT,
  SPS_TO_SERVER,
  serverLeg,
  session,
  Traffic,
} from './build-capture.ts';
import { CONNECTED, lineOf, Rule, routerOf, routerState, type StateParts } from './router-state.ts';
import { causesOf, codesOf, expectAbsent, INTENT, report, SPOOFING, the, unstated } from './run-verify.ts';

const REPLIES: StateParts = { mangle: [Rule.replies, Rule.requests, Rule.mark] };
const WRONG_PORT: StateParts = { mangle: [Rule.requests.replace('3389', '3390'), Rule.mark] };
const whole = (): Traffic => session(new Traffic());

function request(way = lost(CLIENT_TO_SPS)): Traffic {
  const traffic = new Traffic();
  clientLeg(traffic).request('S', 0, way);
  return traffic;
}

/** A fix, applied to the router, lets the plain traffic through SPS. */
async function expectMended(state: StateParts, fix: readonly string[], intent = INTENT): Promise<void> {
  const mended = routerOf(routerState(state)).altered(fix);
  expect(mended).toBeDefined();
  const after = await report({ capture: direct(new Traffic()), state: mended!, intent, whatIf: true });
  expect({ verdict: after.verdict, codes: codesOf(after) }).toEqual({ verdict: 'verified', codes: [] });
}

describe('RV501 client-traffic-bypasses-sps', () => {
  it('is said of every packet that goes straight to the server, with a rule that would mend it', async () => {
    const made = await report({ capture: direct(new Traffic()), state: WRONG_PORT });
    const found = the(made, 'RV501');
    expect(found).toMatchObject({ severity: 'error', count: 6, connections: [1], causes: [] });
    expect(found.where).toEqual({ kind: 'frame', path: 'capture.pcapng', frame: 1, interface: 'eth0' });
    expect(found.fix).toEqual([
      'iptables -t mangle -I PREROUTING -i eth0 -p tcp -d 10.0.0.0/24 --dport 3389 -j CONNMARK --set-mark 0x1',
    ]);
    expect(made.verdict).toBe('failed');
    expect(made.connections[0]?.clientToServer).toMatchObject({ packets: 6, bypassed: 6, viaSps: 0 });
    await expectMended(WRONG_PORT, found.fix);
  });

  it('is said of a host on the segment of SPS that is not SPS', async () => {
    const traffic = whole();
    new Conversation(traffic, {
      client: '172.16.0.99',
      requests: { from: NEIGHBOUR_HOST, to: SERVER_HOST },
      replies: { from: SERVER_HOST, to: NEIGHBOUR_HOST },
    }).open();
    const made = await report({ capture: traffic, intent: { ...INTENT, clients: [] } });
    expect(the(made, 'RV501')).toMatchObject({ count: 2, connections: [3] });
    expect(made.connections.map((item) => item.verdict)).toEqual(['verified', 'verified', 'failed']);
    // No printed change may break what works: what SPS sends would come back to it.
    for (const { fix } of made.findings) {
      if (fix.length === 0) continue;
      const after = await report({
        capture: direct(new Traffic()),
        state: routerOf(routerState()).altered(fix)!,
        whatIf: true,
      });
      expect(after.verdict).toBe('verified');
    }
  });

  it('is not said of such a host where the stated clients do not include it', async () => {
    const traffic = whole();
    new Conversation(traffic, {
      client: '172.16.0.99',
      requests: { from: NEIGHBOUR_HOST, to: SERVER_HOST },
      replies: { from: SERVER_HOST, to: NEIGHBOUR_HOST },
    }).open();
    const made = await report({ capture: traffic });
    expectAbsent(made, 'RV501');
    expect(made.verdict).toBe('verified');
  });

  it('is not said of packets of other services', async () => {
    const made = await report({ capture: direct(whole(), { serverPort: 80 }) });
    expectAbsent(made, 'RV501');
    expect(made.verdict).toBe('verified');
  });
});

describe('RV502 redirect-loop', () => {
  it('is not said of a copy of SPS’s packets on their way out', async () => {
    expectAbsent(await report({ capture: whole() }), 'RV502');
  });

  it('is said of SPS’s own requests where they are marked, too', async () => {
    const state = {
      mangle: [Rule.requests, '-A PREROUTING -p tcp -m tcp --dport 3389 -j MARK --set-xmark 0x1/0xffffffff'],
    };
    const traffic = new Traffic();
    clientLeg(traffic).open();
    serverLeg(traffic).request('S', 0, { from: { at: 'eth1', mac: Mac.sps }, to: { at: 'eth1', mac: Mac.sps } });
    const made = await report({ capture: traffic, state });
    expect(the(made, 'RV502')).toMatchObject({ severity: 'error', connections: [2] });
    expect(made.connections.map((item) => item.verdict)).toEqual(['verified', 'failed']);
  });
});

describe('RV503 dropped-by-rule', () => {
  const filter = (...rules: string[]): StateParts => ({
    tables: { filter: [':INPUT ACCEPT [0:0]', ':FORWARD DROP [0:0]', ':OUTPUT ACCEPT [0:0]', ...rules] },
  });
  const DIRECT_ONLY = filter('-A FORWARD -i eth0 -o eth2 -j ACCEPT', '-A FORWARD -i eth2 -o eth0 -j ACCEPT');

  it('is said where a policy drops the detour, with all that has to be permitted', async () => {
    const text = routerState(DIRECT_ONLY);
    const made = await report({ capture: request(), state: text });
    const found = made.findings.filter((finding) => finding.code === 'RV503');
    expect(found[0]).toMatchObject({
      severity: 'error',
      count: 1,
      connections: [1],
      where: { kind: 'frame', frame: 1, interface: 'eth0' },
    });
    expect(found[0]?.notes.some((note) => note.message.includes('filter FORWARD policy DROP'))).toBe(true);
    expect(made.connections[0]?.clientToServer).toMatchObject({ packets: 1, dropped: 1 });
    await expectMended(DIRECT_ONLY, [...new Set(found.flatMap((finding) => finding.fix))]);
  });

  it.each(['-A FORWARD -o eth1 -j REJECT --reject-with icmp-port-unreachable', '-A FORWARD -o eth1 -j DROP'])(
    'is said of a rule that drops: %s',
    async (rule) => {
      const state: StateParts = {
        tables: { filter: [':INPUT ACCEPT [0:0]', ':FORWARD ACCEPT [0:0]', ':OUTPUT ACCEPT [0:0]', rule] },
      };
      const text = routerState(state);
      const made = await report({ capture: request(), state: text });
      const found = made.findings.filter((finding) => finding.code === 'RV503');
      expect(found[0]).toMatchObject({ count: 1, where: { kind: 'frame', frame: 1 } });
      expect(found[0]?.message).toContain(rule.includes('REJECT') ? 'rejected' : 'dropped');
      expect(
        found[0]?.notes.some((note) => note.where?.kind === 'config' && note.where.line === lineOf(text, rule)),
      ).toBe(true);
      await expectMended(state, [...new Set(found.flatMap((finding) => finding.fix))]);
    },
  );

  it('is not said where the four flows of the detour are permitted', async () => {
    const state = filter(
      '-A FORWARD -i eth0 -o eth1 -j ACCEPT',
      '-A FORWARD -i eth1 -j ACCEPT',
      '-A FORWARD -i eth2 -o eth1 -m conntrack --ctstate ESTABLISHED -j ACCEPT',
    );
    const made = await report({ capture: whole(), state });
    expectAbsent(made, 'RV503');
    expect(made.verdict).toBe('verified');
  });
});

describe('RV504 no-route', () => {
  it.each<{ name: string; state: StateParts; traffic: () => Traffic; frame: number; interface: string; word: string }>([
    {
      name: 'forwarding is off',
      state: { settings: { 'eth0.forwarding': 0 } },
      traffic: request,
      frame: 1,
      interface: 'eth0',
      word: 'not-forwarding',
    },
    {
      name: 'the redirect’s route is a blackhole',
      state: { redirectRoutes: ['blackhole default'] },
      traffic: request,
      frame: 1,
      interface: 'eth0',
      word: 'blackhole',
    },
    {
      name: 'the redirect’s route is unreachable',
      state: { redirectRoutes: ['unreachable default'] },
      traffic: request,
      frame: 1,
      interface: 'eth0',
      word: 'unreachable',
    },
    {
      name: 'a policy rule prohibits',
      state: {
        policyRules: ['0:\tfrom all lookup local', '10:\tfrom all fwmark 0x1 prohibit', '32766:\tfrom all lookup main'],
      },
      traffic: request,
      frame: 1,
      interface: 'eth0',
      word: 'prohibited',
    },
    {
      name: 'there is no route back to the clients',
      state: { mainRoutes: CONNECTED.filter((route) => !route.includes('eth0')) },
      traffic: () => {
        const traffic = new Traffic();
        clientLeg(traffic).request('S').reply('SA', 0, lost(SPS_TO_CLIENT));
        return traffic;
      },
      frame: 3,
      interface: 'eth1',
      word: 'no-route',
    },
  ])('is said where $name', async ({ state, traffic, frame, interface: name, word }) => {
    const made = await report({ capture: traffic(), state });
    const found = made.findings.find((finding) => finding.code === 'RV504' && !finding.message.includes('synthesized'));
    expect(found).toMatchObject({
      severity: 'error',
      count: 1,
      connections: [1],
      where: { kind: 'frame', frame, interface: name },
    });
    expect(found?.message).toContain(word);
    expect(made.verdict).toBe('failed');
  });

  it('is not said where forwarding is off on an interface that nothing enters by', async () => {
    const made = await report({
      capture: whole(),
      state: { settings: { 'lo.forwarding': 0, 'all.forwarding': 0, 'default.forwarding': 0 } },
    });
    expectAbsent(made, 'RV504');
    expect(made.verdict).toBe('verified');
  });
});

describe('RV505 egress-mismatch', () => {
  it('is said where copies leave by another interface than the state gives', async () => {
    const made = await report({ capture: direct(new Traffic()) });
    const found = made.findings.filter((finding) => finding.code === 'RV505');
    expect(found.reduce((sum, finding) => sum + finding.count, 0)).toBe(9);
    expect(found[0]).toMatchObject({
      severity: 'error',
      connections: [1],
      where: { kind: 'frame', frame: 1, interface: 'eth0' },
    });
    expect(found[0]?.message).toContain('leaving by eth2');
    expect(made.verdict).toBe('failed');
  });

  it('is said where copies leave that the state drops', async () => {
    const made = await report({ capture: whole(), state: { settings: { 'eth1.rp_filter': 1 } } });
    const found = made.findings.filter((finding) => finding.code === 'RV505');
    expect(found.reduce((sum, finding) => sum + finding.count, 0)).toBe(3);
    for (const finding of found) expect(finding.message).toContain('dropped-by-reverse-path');
  });

  it('is said, or the run left open, where copies go to a host of which the state says that it is not SPS', async () => {
    const other = { from: CLIENT_HOST, to: NEIGHBOUR_HOST };
    const traffic = new Traffic();
    new Conversation(traffic, { requests: other, replies: { from: NEIGHBOUR_HOST, to: CLIENT_HOST } }).open().talk();
    const made = await report({
      capture: traffic,
      state: {
        neighbours: [
          '172.16.0.1 dev eth1 lladdr 02:00:ac:10:00:01 REACHABLE',
          '172.16.0.99 dev eth1 lladdr 02:00:ac:10:00:63 REACHABLE',
        ],
      },
    });
    expect(made.verdict).not.toBe('verified');
    expect(made.summary.verified).toBe(0);
  });

  it('is not said under what-if, where the capture predates the state', async () => {
    expectAbsent(await report({ capture: direct(new Traffic()), whatIf: true }), 'RV505');
  });

  it('is not said of a frame without a copy: it may have been lost behind the router', async () => {
    const made = await report({ capture: request() });
    expectAbsent(made, 'RV505');
  });
});

describe('RV506 wrong-next-hop', () => {
  it('is said of a redirect to a host that was not stated, on whichever interface', async () => {
    const state = { redirectRoutes: ['default via 10.0.0.77 dev eth2'] };
    const made = await report({ capture: request({ from: CLIENT_HOST, to: SERVER_HOST }), state });
    expect(the(made, 'RV506')).toMatchObject({ severity: 'error', count: 1, connections: [1] });
    expect(causesOf(made, the(made, 'RV506'))).toContain('RV408');
    expect(made.verdict).toBe('failed');
  });

  it('is not said where one of several addresses of SPS is the next hop', async () => {
    const sps = ['172.16.0.2', '172.16.0.1'].map((address) => parseIpAddress(address)!);
    const made = await report({ capture: whole(), intent: { ...INTENT, sps } });
    expectAbsent(made, 'RV506');
    expect(made.verdict).toBe('verified');
  });
});

describe('RV507 client-address-hidden', () => {
  const nat = (rule: string): StateParts => ({
    tables: {
      nat: [
        ':PREROUTING ACCEPT [0:0]',
        ':INPUT ACCEPT [0:0]',
        ':OUTPUT ACCEPT [0:0]',
        ':POSTROUTING ACCEPT [0:0]',
        rule,
      ],
    },
  });

  /** A session of which the client leg is translated to the router's address. */
  function hidden(): Traffic {
    const traffic = new Traffic();
    const router = { source: '172.16.0.254', sourcePort: 40_000 };
    const toServer = { source: CLIENT, sourcePort: 40_000, destination: SERVER, destinationPort: 3389, ttl: 128 };
    const toRouter: Packet = { source: SERVER, sourcePort: 3389, destination: '172.16.0.254', destinationPort: 40_000 };
    traffic.pass({ ...toServer, flags: 'S', sequence: 1000 }, CLIENT_TO_SPS, router);
    traffic.pass({ ...toRouter, flags: 'SA', sequence: 5000, acknowledgement: 1001 }, SPS_TO_CLIENT, {
      destination: CLIENT,
    });
    traffic.pass({ ...toServer, flags: 'A', sequence: 1001, acknowledgement: 5001 }, CLIENT_TO_SPS, router);
    serverLeg(traffic).open().talk().close();
    return traffic;
  }

  it('is said of masquerading toward SPS, with a fix; the session itself goes through SPS', async () => {
    const state = nat('-A POSTROUTING -o eth1 -j MASQUERADE');
    const made = await report({ capture: hidden(), state });
    const found = the(made, 'RV507');
    expect(found).toMatchObject({
      severity: 'warning',
      count: 2,
      connections: [1],
      where: { kind: 'frame', frame: 1 },
    });
    expect(found.fix).toEqual(['iptables -t nat -I POSTROUTING -o eth1 -p tcp -d 10.0.0.0/24 --dport 3389 -j ACCEPT']);
    expect(made.verdict).toBe('verified');
    expect(made.connections.map((item) => [item.leg, item.client])).toEqual([
      ['client', '192.168.0.10:40000'],
      ['server', '172.16.0.1:50000'],
    ]);
    await expectMended(state, found.fix);
  });

  it('is not said of masquerading toward elsewhere', async () => {
    const made = await report({ capture: whole(), state: nat('-A POSTROUTING -s 10.9.0.0/16 -o eth2 -j MASQUERADE') });
    expectAbsent(made, 'RV507');
    expect(made.verdict).toBe('verified');
  });
});

describe('RV510 invalid-state-escapes-redirect', () => {
  /** Two TCP sessions on one five-tuple, of which the client's is ahead in sequence numbers. */
  function shared(flags: string, payload: number, after: (server: Conversation) => void): Traffic {
    const traffic = new Traffic();
    clientLeg(traffic).open();
    const server = new Conversation(traffic, {
      requests: SPS_TO_SERVER,
      replies: SERVER_TO_SPS,
      sequence: 1_000_000,
      ttl: [64, 64],
    });
    server.open().talk();
    new Conversation(traffic, { requests: CLIENT_TO_SERVER, replies: SPS_TO_CLIENT, sequence: 2_000_000_000 }).request(
      flags,
      payload,
    );
    after(server);
    return traffic;
  }

  it.each<{ name: string; traffic: () => Traffic }>([
    { name: 'data', traffic: () => shared('PA', 20, () => {}) },
    { name: 'an empty ACK of a live connection', traffic: () => shared('A', 0, (server) => server.talk()) },
    {
      name: 'an empty ACK of a connection that closes later',
      traffic: () => shared('A', 0, (server) => server.close()),
    },
    {
      name: 'an empty ACK of a connection that is reset later',
      traffic: () => shared('A', 0, (server) => server.request('R')),
    },
  ])('is said of $name that is INVALID and goes straight on', async ({ traffic }) => {
    const made = await report({ capture: traffic(), state: REPLIES, intent: SPOOFING });
    const found = the(made, 'RV510');
    expect(found).toMatchObject({ severity: 'error', count: 1, connections: [1], where: { kind: 'frame', frame: 19 } });
    expect(made.connections[0]).toMatchObject({ leg: 'both', verdict: 'failed' });
    expect(made.connections[0]?.clientToServer.bypassed).toBe(1);
  });

  it('is not said where the sequence numbers fit, nor where conntrack is liberal', async () => {
    const fits = await report({
      capture: session(new Traffic(), { snat: 'client-same-port' }),
      state: REPLIES,
      intent: SPOOFING,
    });
    expect(codesOf(fits)).toEqual([]);
    const liberal = await report({
      capture: shared('PA', 20, () => {}),
      state: { ...REPLIES, settings: { 'net.netfilter.nf_conntrack_tcp_be_liberal': 1 } },
      intent: SPOOFING,
    });
    expectAbsent(liberal, 'RV510');
  });
});

describe('RV511 sps-does-not-answer', () => {
  it('is said where repeated SYNs leave toward SPS and nothing comes back', async () => {
    const traffic = new Traffic();
    const conversation = clientLeg(traffic).request('S');
    traffic.wait(1);
    conversation.repeatSyn();
    traffic.wait(2);
    conversation.repeatSyn();
    const made = await report({ capture: traffic });
    const found = the(made, 'RV511');
    expect(found).toMatchObject({
      severity: 'error',
      count: 3,
      connections: [1],
      where: { kind: 'frame', frame: 1, interface: 'eth0' },
    });
    expect(found.message).toContain('nothing came back');
    expect(made.connections).toHaveLength(1);
    expect(made.verdict).toBe('failed');
  });

  it('says that SPS does not answer ARP', async () => {
    const traffic = request();
    for (let attempt = 0; attempt < 3; attempt++)
      traffic.arp(1, 'eth1', { address: '172.16.0.254', mac: Mac.router.eth1 }, '172.16.0.1').wait(1);
    const made = await report({ capture: traffic, state: { neighbours: [] } });
    expect(the(made, 'RV511').message).toContain('does not answer ARP (3 requests unanswered)');
  });

  it('is said where only a reset came back', async () => {
    const traffic = new Traffic();
    clientLeg(traffic).request('S').reply('RA');
    const made = await report({ capture: traffic });
    expect(the(made, 'RV511').message).toContain('refuses');
    expect(made.verdict).toBe('failed');
  });

  it('is not said where the capture ends too soon to tell, nor where SPS answered late', async () => {
    expectAbsent(await report({ capture: request(CLIENT_TO_SPS) }), 'RV511');
    const traffic = new Traffic();
    const conversation = clientLeg(traffic).request('S');
    traffic.wait(3);
    conversation.repeatSyn().reply('SA').request('A');
    expectAbsent(await report({ capture: traffic }), 'RV511');
  });

  it('is not said where the side of SPS was not captured', async () => {
    const traffic = new Traffic();
    const conversation = clientLeg(traffic).request('S');
    traffic.wait(3);
    conversation.repeatSyn();
    expectAbsent(await report({ capture: traffic.pcapng(['eth0', 'eth2']) }), 'RV511');
  });
});

describe('RV512 server-leg-missing', () => {
  it('is said where SPS answered and opened nothing', async () => {
    const traffic = new Traffic();
    clientLeg(traffic).open().talk().close();
    const made = await report({ capture: traffic });
    expect(the(made, 'RV512')).toMatchObject({
      severity: 'warning',
      count: 1,
      connections: [1],
      where: { kind: 'frame', frame: 1 },
    });
  });

  it('is not said where SPS opened a connection, nor where that would not have been captured', async () => {
    expectAbsent(await report({ capture: whole() }), 'RV512');
    const traffic = new Traffic();
    clientLeg(traffic).open().talk().close();
    expectAbsent(await report({ capture: traffic.pcapng(['eth0']) }), 'RV512');
  });
});

describe('RV513 stray-packet', () => {
  const reset = {
    source: CLIENT,
    sourcePort: 40_000,
    destination: SERVER,
    destinationPort: 3389,
    flags: 'R',
    sequence: 1042,
    ttl: 128,
  };

  it('is a note about a reset long after the end, which decides nothing', async () => {
    const traffic = whole().wait(200).pass(reset, CLIENT_TO_SERVER);
    const made = await report({ capture: traffic });
    expect(the(made, 'RV513')).toMatchObject({
      severity: 'note',
      count: 1,
      connections: [1],
      where: { kind: 'frame', frame: 37 },
    });
    expect(made.verdict).toBe('verified');
    expect(made.connections[0]?.clientToServer).toMatchObject({ packets: 7, viaSps: 6, bypassed: 1 });
  });

  it('is not said of data after the end: that went around SPS', async () => {
    const data = { ...reset, flags: 'PA', acknowledgement: 1, payload: 20 };
    const made = await report({ capture: whole().wait(200).pass(data, CLIENT_TO_SERVER), state: WRONG_PORT });
    expectAbsent(made, 'RV513');
    expect(made.verdict).toBe('failed');
  });

  it('is not said of packets before the connection ended', async () => {
    const traffic = new Traffic();
    new Conversation(traffic, { requests: CLIENT_TO_SERVER, replies: SERVER_TO_CLIENT }).request('A').request('RA');
    const made = await report({ capture: traffic, state: WRONG_PORT });
    expect(the(made, 'RV501').connections).toEqual([1]);
    expect(made.verdict).toBe('failed');
  });
});

describe('RV601 reply-traffic-bypasses-sps', () => {
  it('is said where the server answers the client directly', async () => {
    const traffic = new Traffic();
    clientLeg(traffic).open();
    serverLeg(traffic, { snat: 'client' }).request('S').reply('SA', 0, SERVER_TO_CLIENT);
    const made = await report({ capture: traffic, intent: SPOOFING });
    expect(the(made, 'RV601')).toMatchObject({
      severity: 'error',
      count: 1,
      connections: [2],
      where: { kind: 'frame', frame: 9, interface: 'eth2' },
    });
    expect(causesOf(made, the(made, 'RV601'))).toEqual(['RV411']);
    expect(made.connections.map((item) => [item.leg, item.session, item.verdict])).toEqual([
      ['client', 1, 'verified'],
      ['server', 1, 'failed'],
    ]);
  });

  it('is not said of answers to SPS’s own address, which need no redirect', async () => {
    const made = await report({ capture: whole() });
    expectAbsent(made, 'RV601');
    expect(made.connections[1]?.serverToClient).toMatchObject({ packets: 3, viaSps: 3 });
  });
});

describe('RV602 reverse-path-drop', () => {
  it('is said of what SPS sends with the client’s address', async () => {
    const traffic = new Traffic();
    // Strict on eth1 also drops the answer to the client, so only the server leg is looked at.
    serverLeg(traffic, { snat: 'client' }).request('S', 0, lost(SPS_TO_SERVER));
    const made = await report({
      capture: traffic,
      intent: SPOOFING,
      state: { ...REPLIES, settings: { 'eth1.rp_filter': 1 } },
    });
    const found = made.findings.find((finding) => finding.code === 'RV602' && finding.where?.kind === 'frame');
    expect(found).toMatchObject({ severity: 'error', count: 1, where: { kind: 'frame', frame: 1, interface: 'eth1' } });
    expect(causesOf(made, found!)).toContain('RV407');
    expect(made.verdict).toBe('failed');
  });

  it('is not said of what SPS sends with its own address', async () => {
    const traffic = new Traffic();
    serverLeg(traffic).open();
    const made = await report({ capture: traffic, state: { settings: { 'eth1.rp_filter': 1 } } });
    expect(made.findings.filter((finding) => finding.code === 'RV602')).toEqual([]);
    expect(made.connections[0]?.verdict).toBe('verified');
  });
});

describe('RV603 mark-changes-reverse-path', () => {
  it('explains drops on a strict interface, and its fix mends them', async () => {
    const state: StateParts = { settings: { 'eth0.rp_filter': 1, 'eth0.src_valid_mark': 1 } };
    const made = await report({ capture: request(), state });
    expect(causesOf(made, the(made, 'RV602'))).toEqual(['RV603']);
    expect(the(made, 'RV603')).toMatchObject({
      severity: 'warning',
      connections: [1],
      fix: ['sysctl -w net.ipv4.conf.eth0.src_valid_mark=0'],
    });
    expect(made.verdict).toBe('failed');
    await expectMended(state, the(made, 'RV603').fix);
  });

  it.each<{ name: string; settings: Readonly<Record<string, number>> }>([
    { name: 'the mark is not used', settings: { 'eth0.rp_filter': 1 } },
    { name: 'another interface uses it', settings: { 'eth0.rp_filter': 1, 'eth1.src_valid_mark': 1 } },
  ])('is not said where $name', async ({ settings }) => {
    const made = await report({ capture: whole(), state: { settings } });
    expectAbsent(made, 'RV603');
    expect(made.verdict).toBe('verified');
  });

  it('does not fail a run where the filter is loose', async () => {
    const made = await report({
      capture: whole(),
      state: { settings: { 'eth0.rp_filter': 2, 'eth0.src_valid_mark': 1 } },
    });
    expect(made.findings.filter((finding) => finding.severity !== 'note')).toEqual([]);
    expect(made.verdict).toBe('verified');
  });
});

describe('RV902 no-monitored-traffic', () => {
  it('is said where nothing is monitored, and the run is inconclusive', async () => {
    const made = await report({ capture: direct(new Traffic(), { serverPort: 80 }) });
    expect(codesOf(made)).toEqual(['RV902 warning']);
    expect(the(made, 'RV902').message).toContain('none of 18 IP frames belongs to a monitored service (tcp/3389)');
    expect(made.verdict).toBe('inconclusive');
    expect(made.summary).toMatchObject({ connections: 0, monitoredPackets: 0, packets: 18 });
  });

  it('says that there is no IP at all', async () => {
    const traffic = new Traffic().arp(1, 'eth1', { address: '172.16.0.1', mac: Mac.sps }, '172.16.0.254');
    expect(the(await report({ capture: traffic }), 'RV902').message).toContain('no IP packet');
  });

  it('is not said where one packet is monitored', async () => {
    expectAbsent(await report({ capture: request() }), 'RV902');
  });
});

describe('RV903 unmonitored-service-seen', () => {
  const both = (): Traffic => direct(whole(), { serverPort: 22, clientPort: 41_000 });

  it('is said of a usual service that inferred rules leave out', async () => {
    const made = await report({ capture: both(), intent: unstated('services') });
    expect(the(made, 'RV903')).toMatchObject({ severity: 'warning', count: 1, where: { kind: 'frame', frame: 37 } });
    expect(the(made, 'RV903').message).toContain('tcp/22');
    expect(made.intent.inferred).toContain('services');
  });

  it('is not said where the services were stated, nor of a port that is not usually monitored', async () => {
    expectAbsent(await report({ capture: both() }), 'RV903');
    const other = direct(whole(), { serverPort: 8443, clientPort: 41_000 });
    expectAbsent(await report({ capture: other, intent: unstated('services') }), 'RV903');
  });
});
