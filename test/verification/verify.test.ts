import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePrefix } from '../../src/net/prefix.ts';
import type { ConnectionReport, DirectionReport, Report } from '../../src/report/report.ts';
import { exitCodeOf } from '../../src/report/report.ts';
import {
  CLIENT,
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
  SERVER_HOST,
  SERVER_TO_CLIENT,
  SERVER_TO_SPS,
  SPS_HOST,
  SPS_TO_CLIENT,
  SPS_TO_SERVER,
  serverLeg,
  session,
  Traffic,
} from '../findings/build-capture.ts';
import { Rule, routerOf, routerState, type StateParts } from '../findings/router-state.ts';
import { codesOf, INTENT, report, SPOOFING, the, unstated } from '../findings/run-verify.ts';

const REPLIES: StateParts = { mangle: [Rule.replies, Rule.requests, Rule.mark] };
const verdicts = (made: Report): string[] => made.connections.map((item) => item.verdict);
const legs = (made: Report): unknown[] => made.connections.map((item) => [item.leg, item.session]);

describe('who sent a frame', () => {
  const from = (host: Host): Traffic => {
    const traffic = session(new Traffic());
    new Conversation(traffic, {
      client: '192.168.0.10',
      clientPort: 44_000,
      requests: { from: host, to: SERVER_HOST },
      replies: SERVER_TO_SPS,
      ttl: [64, 64],
    }).request('S');
    return traffic;
  };

  it('is SPS by its MAC address, whatever source address it uses', async () => {
    const made = await report({ capture: from(SPS_HOST), intent: unstated('snat'), state: REPLIES });
    expect(made.connections[2]).toMatchObject({ leg: 'server', clientToServer: { viaSps: 1, bypassed: 0 } });
  });

  it('is not SPS with another MAC address on its segment, whatever source address it uses', async () => {
    const made = await report({ capture: from(NEIGHBOUR_HOST), state: REPLIES });
    expect(made.connections[2]).toMatchObject({
      leg: 'client',
      verdict: 'failed',
      clientToServer: { viaSps: 0, bypassed: 1 },
    });
    expect(the(made, 'RV501').connections).toEqual([3]);
  });

  it('is not known where the MAC address of SPS is not, and clients may sit on its segment', async () => {
    const traffic = new Traffic();
    // No copies: nothing shows which host the redirected frames go to.
    for (const mac of [Mac.sps, Mac.neighbour])
      new Conversation(traffic, {
        requests: { from: { at: 'eth1', mac } },
        replies: SERVER_TO_SPS,
        clientPort: (mac % 1000) + 2000,
      }).request('S');
    const clients = [parsePrefix('0.0.0.0/0')!];
    const made = await report({ capture: traffic, intent: { ...INTENT, clients }, state: { neighbours: [] } });
    expect(made.connections.map((item) => item.clientToServer.undetermined)).toEqual([1, 1]);
    expect(made.verdict).toBe('inconclusive');
    expect(made.findings.some((item) => item.code === 'RV901' && item.message.includes('MAC address of SPS'))).toBe(
      true,
    );
  });

  it('is told by ARP where the neighbour table is empty', async () => {
    const traffic = new Traffic().arp(2, 'eth1', { address: '172.16.0.1', mac: Mac.sps }, '172.16.0.254');
    for (const mac of [Mac.sps, Mac.neighbour])
      new Conversation(traffic, {
        requests: { from: { at: 'eth1', mac } },
        replies: SERVER_TO_SPS,
        clientPort: (mac % 1000) + 2000,
      }).request('S');
    const made = await report({ capture: traffic, intent: { ...INTENT, clients: [] }, state: { neighbours: [] } });
    expect(made.connections.map(({ clientToServer: { viaSps, bypassed } }) => [viaSps, bypassed])).toEqual([
      [1, 0],
      [0, 1],
    ]);
  });
});

describe('the legs of sessions', () => {
  it.each<{ snat: 'own' | 'client' | 'client-same-port'; want: unknown[] }>([
    {
      snat: 'own',
      want: [
        ['client', 1],
        ['server', 1],
      ],
    },
    {
      snat: 'client',
      want: [
        ['client', 1],
        ['server', 1],
      ],
    },
    { snat: 'client-same-port', want: [['both', 1]] },
  ])('are paired where SPS uses $snat', async ({ snat, want }) => {
    const made = await report({ capture: session(new Traffic(), { snat }), state: REPLIES, intent: unstated('snat') });
    expect(legs(made)).toEqual(want);
  });

  it('of sessions one after the other have numbers of their own', async () => {
    const traffic = new Traffic();
    for (const clientPort of [40_000, 40_100, 40_200]) session(traffic, { clientPort }).wait(1);
    expect(legs(await report({ capture: traffic }))).toEqual([
      ['client', 1],
      ['server', 1],
      ['client', 2],
      ['server', 2],
      ['client', 3],
      ['server', 3],
    ]);
  });

  it('of sessions at once that cannot be told apart have no number, and are judged', async () => {
    const traffic = new Traffic();
    const first = clientLeg(traffic, { clientPort: 40_000 }).open();
    const second = clientLeg(traffic, { clientPort: 40_001 }).open();
    const third = serverLeg(traffic, { clientPort: 40_000 }).open();
    const fourth = serverLeg(traffic, { clientPort: 40_001 }).open();
    for (const leg of [first, second, third, fourth]) leg.talk().close();
    const made = await report({ capture: traffic });
    expect(made.connections[0]?.session).toBeUndefined();
    expect(made.connections[2]?.session).toBeUndefined();
    expect(verdicts(made)).toEqual(['verified', 'verified', 'verified', 'verified']);
    expect(codesOf(made)).toEqual([]);
  });

  it('of different clients are told apart where SPS uses their addresses', async () => {
    const traffic = new Traffic();
    const of = (client: string) => ({ client, snat: 'client' as const });
    clientLeg(traffic, of('192.168.0.10')).open().talk();
    clientLeg(traffic, of('192.168.0.11')).open().talk();
    serverLeg(traffic, of('192.168.0.11')).open().talk();
    serverLeg(traffic, of('192.168.0.10')).open().talk();
    const made = await report({ capture: traffic, state: REPLIES, intent: SPOOFING });
    const numbers = made.connections.map((item) => item.session);
    expect(numbers[0]).toBe(numbers[3]);
    expect(numbers[1]).toBe(numbers[2]);
    expect(numbers[0]).not.toBe(numbers[1]);
  });

  it('stay what they are when the client resets what he did not open', async () => {
    const traffic = new Traffic();
    clientLeg(traffic).open();
    serverLeg(traffic, { snat: 'client' }).request('S').reply('SA', 0, SERVER_TO_CLIENT);
    const reset = {
      source: CLIENT,
      sourcePort: 50_000,
      destination: SERVER,
      destinationPort: 3389,
      flags: 'R',
      ttl: 128,
    };
    traffic.pass({ ...reset, sequence: 1_000_001 }, CLIENT_TO_SPS);
    const made = await report({ capture: traffic, intent: SPOOFING });
    expect(legs(made)).toEqual([
      ['client', 1],
      ['server', 1],
    ]);
    expect(verdicts(made)).toEqual(['verified', 'failed']);
  });

  it('a five-tuple that is used again after its end is another connection', async () => {
    const traffic = session(new Traffic()).wait(5);
    const again = (given: ConstructorParameters<typeof Conversation>[1]) =>
      new Conversation(traffic, given).open().talk().close();
    again({ requests: CLIENT_TO_SPS, replies: SPS_TO_CLIENT, sequence: 777_777 });
    again({ requests: SPS_TO_SERVER, replies: SERVER_TO_SPS, client: '172.16.0.1', clientPort: 51_111, ttl: [64, 64] });
    const made = await report({ capture: traffic });
    expect(made.connections.map((item) => item.client)).toEqual([
      '192.168.0.10:40000',
      '172.16.0.1:50000',
      '192.168.0.10:40000',
      '172.16.0.1:51111',
    ]);
    expect(verdicts(made)).toEqual(Array(4).fill('verified'));
  });
});

describe('a five-tuple of plain traffic that is used again', () => {
  it.each<{ name: string; end: (conversation: Conversation) => void }>([
    { name: 'both sides closed', end: (conversation) => void conversation.close() },
    { name: 'the server reset', end: (conversation) => void conversation.reply('RA') },
    { name: 'the client reset', end: (conversation) => void conversation.request('R') },
  ])('after $name is another connection', async ({ end }) => {
    const traffic = new Traffic();
    for (const sequence of [1000, 700_000]) {
      const ways = { requests: CLIENT_TO_SERVER, replies: SERVER_TO_CLIENT };
      const conversation = new Conversation(traffic, { ...ways, sequence }).open().talk();
      end(conversation);
      traffic.wait(20);
    }
    for (const whatIf of [true, false]) {
      const made = await report({ capture: traffic, whatIf });
      expect(made.summary.connections).toBe(2);
      expect(verdicts(made)).toEqual(whatIf ? ['verified', 'verified'] : ['failed', 'failed']);
    }
  });
});

describe('what the capture does not show is synthesized', () => {
  const opened = (): Traffic => {
    const traffic = new Traffic();
    clientLeg(traffic).open().talk();
    return traffic;
  };

  it('a missing answer of SPS meets its reverse path filter', async () => {
    const made = await report({ capture: opened().pcapng(['eth0']), state: { settings: { 'eth1.rp_filter': 1 } } });
    expect(made.verdict).toBe('failed');
    expect(the(made, 'RV602').message).toContain('(synthesized)');
    expect(made.connections[0]?.serverToClient).toMatchObject({ packets: 0, basis: 'synthesized' });
  });

  it('a missing server leg meets the filters, too', async () => {
    const state: StateParts = {
      tables: {
        filter: [
          ':INPUT ACCEPT [0:0]',
          ':FORWARD ACCEPT [0:0]',
          ':OUTPUT ACCEPT [0:0]',
          '-A FORWARD -s 172.16.0.1 -o eth2 -j DROP',
        ],
      },
    };
    const made = await report({ capture: opened(), state });
    expect(made.verdict).toBe('failed');
    expect(the(made, 'RV503').message).toContain('from SPS to the server');
    const captured = await report({ capture: session(new Traffic()), state: {} });
    expect(captured.connections[0]?.clientToServer.probes).toBe(0);
  });

  it('with the client’s address the missing answers of servers bypass', async () => {
    const made = await report({ capture: opened(), intent: SPOOFING });
    expect(the(made, 'RV601').message).toContain('(synthesized)');
    expect(made.verdict).toBe('failed');
    expect((await report({ capture: opened(), intent: SPOOFING, state: REPLIES })).verdict).toBe('verified');
  });

  it('an address of SPS that is not known is tried as both: what differs is open and asks for --snat', async () => {
    const open = await report({ capture: opened(), intent: unstated('snat') });
    expect(open.verdict).toBe('inconclusive');
    expect(exitCodeOf(open, 'error')).toBe(3);
    expect(the(open, 'RV901').message).toMatch(/--snat own or --snat client/);
    const same = await report({ capture: opened(), intent: unstated('snat'), state: REPLIES });
    expect(same.verdict).toBe('verified');
  });

  it('a fixed address that was not captured leaves the answers open', async () => {
    const made = await report({ capture: opened(), intent: { ...INTENT, snat: 'fixed' } });
    expect(made.verdict).toBe('inconclusive');
    expect(the(made, 'RV901').message).toContain('fixed address');
  });

  it('for the leg of SPS alone: its client is not SPS itself, so nothing else is said of it', async () => {
    const traffic = new Traffic();
    serverLeg(traffic).request('S', 0, lost(SPS_TO_SERVER));
    const state: StateParts = {
      tables: {
        filter: [
          ':INPUT ACCEPT [0:0]',
          ':FORWARD ACCEPT [0:0]',
          ':OUTPUT ACCEPT [0:0]',
          '-A FORWARD -s 172.16.0.1 -o eth2 -j DROP',
        ],
      },
    };
    const made = await report({ capture: traffic, state });
    expect(made.findings.filter((item) => item.severity === 'error').map((item) => item.code)).toEqual(['RV503']);
  });
});

describe('what-if', () => {
  const plain = (): Traffic => direct(new Traffic());

  it('takes observed egress and the servers’ direct answers for no evidence', async () => {
    const made = await report({ capture: plain(), whatIf: true });
    expect(made).toMatchObject({ verdict: 'verified', mode: 'what-if' });
    expect(made.connections).toHaveLength(1);
    expect(made.connections[0]).toMatchObject({
      leg: 'client',
      clientToServer: { packets: 6, viaSps: 6, observed: 0 },
      serverToClient: { packets: 0, observed: 0, basis: 'synthesized' },
    });
    const without = await report({ capture: plain() });
    expect(without.verdict).toBe('failed');
    expect(without.mode).toBe('observed');
  });

  it.each<{ name: string; state: StateParts; want: readonly string[] }>([
    {
      name: 'of other packets',
      state: { mangle: [Rule.requests], settings: { 'all.rp_filter': 1 } },
      want: ['RV404', 'RV407', 'RV411', 'RV415'],
    },
    {
      name: 'of the same packet',
      state: { mangle: [Rule.requests], redirectRoutes: ['default via 172.16.0.99 dev eth1'] },
      want: ['RV404', 'RV408', 'RV411'],
    },
  ])('finds defects behind defects $name, each with its fix, which together mend all', async ({ state, want }) => {
    const router = routerOf(routerState(state));
    const made = await report({ capture: plain(), state: router, intent: SPOOFING, whatIf: true });
    expect(made.verdict).toBe('failed');
    const causes = made.findings.filter((item) => item.code.startsWith('RV4'));
    expect(causes.map((item) => item.code).sort()).toEqual([...want]);
    const mended = router.altered(causes.flatMap((item) => item.fix));
    const after = await report({ capture: plain(), state: mended!, intent: SPOOFING, whatIf: true });
    expect({ verdict: after.verdict, codes: codesOf(after) }).toEqual({ verdict: 'verified', codes: [] });
  });

  it('follows answers to clients whom the router hides', async () => {
    const nat = [
      ':PREROUTING ACCEPT [0:0]',
      ':INPUT ACCEPT [0:0]',
      ':OUTPUT ACCEPT [0:0]',
      ':POSTROUTING ACCEPT [0:0]',
      '-A POSTROUTING -o eth1 -j MASQUERADE',
    ];
    const made = await report({ capture: plain(), state: { tables: { nat } }, whatIf: true });
    expect(made.findings.filter((item) => item.severity === 'error')).toEqual([]);
    the(made, 'RV507');
    expect(made.connections[0]?.serverToClient).toMatchObject({ dropped: 0, bypassed: 0 });
  });

  it('follows answers of servers whose address the router translates', async () => {
    const nat = [
      ':PREROUTING ACCEPT [0:0]',
      '-A PREROUTING -i eth0 -p tcp -m tcp --dport 3389 -j DNAT --to-destination 10.0.0.20:3389',
    ];
    const made = await report({ capture: plain(), state: { tables: { nat } }, whatIf: true });
    // SPS gets the packets for 10.0.0.20 and answers with that address; the router translates it back.
    expect(
      made.findings.filter((item) => item.severity === 'error').map((item) => `${item.code} ${item.message}`),
    ).toEqual([]);
    expect(made.verdict).not.toBe('failed');
  });

  it('marks that new packets alone get are lost on the rest', async () => {
    const request = (target: string): string =>
      `${Rule.requests.split(' -j ')[0]} -m conntrack --ctstate NEW -j ${target}`;
    const broken = await report({
      capture: plain(),
      state: { mangle: [request('MARK --set-xmark 0x1/0xffffffff')] },
      whatIf: true,
    });
    expect(broken.verdict).toBe('failed');
    expect(broken.connections[0]?.clientToServer).toMatchObject({ viaSps: 1, bypassed: 5 });
    const connmark = request('CONNMARK --set-xmark 0x1/0xffffffff');
    const kept = await report({ capture: plain(), state: { mangle: [connmark, Rule.mark] }, whatIf: true });
    expect(kept.verdict).toBe('verified');
  });

  it('does not verify SPS among the clients with connection marks: SPS answers them directly, so their ACK is INVALID', async () => {
    const mac = '02:00:ac:10:00:01';
    const state: StateParts = {
      redirectRoutes: ['default via 192.168.0.20 dev eth0'],
      neighbours: [`192.168.0.20 dev eth0 lladdr ${mac} REACHABLE`],
      mangle: [
        Rule.requests.replace('-p tcp', `-m mac ! --mac-source ${mac} -p tcp`),
        `-A PREROUTING -m mac ! --mac-source ${mac} -m connmark --mark 0x1 -j MARK --set-xmark 0x1/0xffffffff`,
      ],
    };
    const sps = [{ family: 4 as const, words: [0xc0a80014, 0, 0, 0] as const }];
    const made = await report({
      capture: plain(),
      state,
      intent: { ...INTENT, sps, spsInterfaces: ['eth0'] },
      whatIf: true,
    });
    expect(made.verdict).not.toBe('verified');
  });
});

describe('captures of some interfaces only', () => {
  it.each<{ names: readonly ('eth0' | 'eth1' | 'eth2')[]; snat: 'own' | 'client' | 'client-same-port' }>([
    { names: ['eth0'], snat: 'own' },
    { names: ['eth1'], snat: 'own' },
    { names: ['eth2'], snat: 'own' },
    { names: ['eth0', 'eth2'], snat: 'own' },
    { names: ['eth0', 'eth2'], snat: 'client' },
    { names: ['eth0', 'eth2'], snat: 'client-same-port' },
    { names: ['eth0'], snat: 'client-same-port' },
    { names: ['eth0', 'eth1'], snat: 'client' },
    { names: ['eth1', 'eth2'], snat: 'client' },
  ])('give no false alarm on a correct router: $names, $snat', async ({ names, snat }) => {
    const made = await report({
      capture: session(new Traffic(), { snat, rounds: 3 }).pcapng(names),
      state: REPLIES,
      intent: snat === 'own' ? INTENT : SPOOFING,
    });
    expect(
      made.findings.filter((item) => item.severity !== 'note').map((item) => `${item.code} ${item.message}`),
    ).toEqual([]);
    expect(made.summary.failed).toBe(0);
  });

  it('of files by interface say the same as one of all', async () => {
    const traffic = session(new Traffic(), { snat: 'client' });
    const parts = {
      'eth0=a.pcap': traffic.pcap('eth0'),
      'eth1=b.pcap': traffic.pcap('eth1'),
      'eth2=c.pcap': traffic.pcap('eth2'),
    };
    const views = await Promise.all(
      [traffic, parts, { 'any.pcap': traffic.cooked(2) }, { 'any1.pcap': traffic.cooked(1) }].map((capture) =>
        report({ capture, state: REPLIES, intent: SPOOFING }),
      ),
    );
    for (const view of views) {
      expect(view.verdict).toBe('verified');
      expect(view.connections).toEqual(views[0]?.connections);
      expect(codesOf(view)).toEqual([]);
    }
  });
});

describe('SPS with two nodes', () => {
  /** A second session, through the node that took over. */
  function takenOver(announced: boolean): Traffic {
    const traffic = session(new Traffic()).wait(5);
    const node: Host = { at: 'eth1', mac: 0x02_00_ac_10_00_02 };
    if (announced) traffic.arp(2, 'eth1', { address: '172.16.0.1', mac: node.mac }, '172.16.0.254');
    const toNode = { from: CLIENT_TO_SPS.from, to: node };
    new Conversation(traffic, { clientPort: 41_000, requests: toNode, replies: { from: node, to: CLIENT_TO_SPS.from } })
      .open()
      .talk();
    new Conversation(traffic, {
      client: '172.16.0.1',
      clientPort: 51_000,
      requests: { from: node, to: SERVER_HOST },
      replies: { from: SERVER_HOST, to: node },
      ttl: [64, 64],
    })
      .open()
      .talk();
    return traffic;
  }

  it('keeps its address and changes its MAC address, as ARP says', async () => {
    const made = await report({ capture: takenOver(true) });
    expect(codesOf(made)).toEqual([]);
    expect(verdicts(made)).toEqual(Array(4).fill('verified'));
  });

  it('keeps its address and changes its MAC address, as redirected frames show, which go to nobody else', async () => {
    const made = await report({ capture: takenOver(false) });
    expect(
      made.findings.filter((item) => item.severity === 'error').map((item) => `${item.code} ${item.message}`),
    ).toEqual([]);
    expect(made.summary.failed).toBe(0);
  });
});

describe('services without connections', () => {
  const intent = { ...INTENT, services: [{ protocol: 17, ports: { first: 3389, last: 3389 } }] };
  const state: StateParts = { mangle: [Rule.requests.replaceAll('tcp', 'udp'), Rule.mark] };
  const datagram = {
    sourcePort: 40_000,
    destinationPort: 3389,
    source: CLIENT,
    destination: SERVER,
    payload: 20,
    ttl: 128,
  };

  it('are verified by the packets of both legs', async () => {
    const traffic = new Traffic()
      .pass(datagram, CLIENT_TO_SPS)
      .pass({ ...datagram, source: '172.16.0.1', sourcePort: 50_000, ttl: 64 }, SPS_TO_SERVER)
      .pass(
        { ...datagram, source: SERVER, sourcePort: 3389, destination: '172.16.0.1', destinationPort: 50_000 },
        SERVER_TO_SPS,
      )
      .pass(
        { ...datagram, source: SERVER, sourcePort: 3389, destination: CLIENT, destinationPort: 40_000 },
        SPS_TO_CLIENT,
      );
    const made = await report({ capture: traffic, intent, state });
    expect(codesOf(made)).toEqual([]);
    expect(legs(made)).toEqual([
      ['client', 1],
      ['server', 1],
    ]);
    expect(made.connections[0]).toMatchObject({ protocol: 'udp', verdict: 'verified' });
  });

  it('fail where they go straight on', async () => {
    const made = await report({ capture: new Traffic().pass(datagram, CLIENT_TO_SERVER), intent });
    expect(the(made, 'RV501').fix[0]).toContain('-p udp');
    expect(made.verdict).toBe('failed');
  });
});

describe('frames that were captured twice', () => {
  const traffic = session(new Traffic());

  it.each<{ name: string; capture: Readonly<Record<string, Uint8Array>> }>([
    {
      name: 'on one interface, in two files',
      capture: { 'all.pcapng': traffic.pcapng(), 'eth0=again.pcap': traffic.pcap('eth0') },
    },
    {
      name: 'on all interfaces and on one',
      capture: { 'any.pcap': traffic.cooked(2), 'eth1=again.pcap': traffic.pcap('eth1') },
    },
  ])('count once: $name', async ({ capture }) => {
    const made = await report({ capture });
    expect(codesOf(made)).toEqual([]);
    expect(made.summary).toMatchObject({ monitoredPackets: 18, verified: 2, connections: 2 });
    expect(made.connections.map((item) => item.clientToServer.observed)).toEqual([6, 6]);
  });

  it('but packets that were sent twice count twice', async () => {
    const twice = new Traffic();
    clientLeg(twice).open();
    const data = {
      source: CLIENT,
      sourcePort: 40_000,
      destination: SERVER,
      destinationPort: 3389,
      flags: 'PA',
      ttl: 128,
    };
    for (let time = 0; time < 3; time++)
      twice.pass(
        { ...data, sequence: 1001, acknowledgement: 101_001, payload: 40, identification: 500 },
        CLIENT_TO_SPS,
      );
    const made = await report({ capture: twice });
    expect(made.connections[0]?.clientToServer).toMatchObject({ packets: 5, viaSps: 5, observed: 5 });
  });
});

describe('fragments', () => {
  const later = { sourcePort: 0, destinationPort: 0, payload: 64, flagsAndOffset: 100 };

  it('of other protocols between other hosts spoil nothing', async () => {
    const traffic = session(new Traffic());
    traffic.pass(
      { ...later, protocol: 17, source: '192.168.0.77', destination: '203.0.113.8' },
      { from: { at: 'eth0', mac: Mac.client } },
    );
    const made = await report({ capture: traffic });
    expect(codesOf(made)).toEqual([]);
    expect(made.verdict).toBe('verified');
  });

  it('that may belong to a monitored service leave the run open', async () => {
    const traffic = session(new Traffic());
    traffic.pass({ ...later, protocol: 6, source: CLIENT, destination: SERVER }, lost(CLIENT_TO_SPS));
    const made = await report({ capture: traffic });
    expect(made.verdict).toBe('inconclusive');
  });
});

describe('counts', () => {
  const parts = ['viaSps', 'bypassed', 'dropped', 'looped', 'undetermined'] as const;

  function expectSums(made: Report): void {
    const all: DirectionReport[] = made.connections.flatMap((item: ConnectionReport) => [
      item.clientToServer,
      item.serverToClient,
    ]);
    for (const direction of all) {
      expect(parts.reduce((sum, part) => sum + direction[part], 0)).toBe(direction.packets);
      expect(direction.observed).toBeLessThanOrEqual(direction.packets);
      expect(direction.basis === 'synthesized').toBe(direction.packets === 0);
    }
    expect(all.reduce((sum, direction) => sum + direction.packets, 0)).toBe(made.summary.monitoredPackets);
    const { connections, verified, failed, inconclusive } = made.summary;
    expect(verified + failed + inconclusive).toBe(connections);
    expect(connections).toBe(made.connections.length);
    if (made.verdict === 'verified') expect(verified).toBe(connections);
    for (const item of made.connections.filter((one) => one.verdict === 'verified')) {
      for (const direction of [item.clientToServer, item.serverToClient]) {
        expect(direction.looped + direction.undetermined).toBe(0);
        // Only stragglers after the end may go their own way.
        if (direction.bypassed > 0) expect(item.findings).toContain('RV513');
      }
    }
  }

  const ways = [
    CLIENT_TO_SPS,
    CLIENT_TO_SERVER,
    SPS_TO_SERVER,
    SPS_TO_CLIENT,
    SERVER_TO_SPS,
    SERVER_TO_CLIENT,
    lost(CLIENT_TO_SPS),
    lost(SPS_TO_CLIENT),
    { from: NEIGHBOUR_HOST, to: SERVER_HOST },
  ];
  const step = fc.record({
    way: fc.constantFrom(...ways),
    toServer: fc.boolean(),
    flags: fc.constantFrom('S', 'SA', 'A', 'PA', 'FA', 'R', 'RA'),
    clientPort: fc.constantFrom(40_000, 40_001),
    client: fc.constantFrom(CLIENT, '172.16.0.1'),
    sequence: fc.nat(5000),
    payload: fc.constantFrom(0, 0, 30),
    ttl: fc.constantFrom(1, 2, 64, 128),
  });
  const state = fc.constantFrom<StateParts>(
    {},
    REPLIES,
    { mangle: [Rule.mark, Rule.requests] },
    { mangle: [Rule.requests, Rule.mark.replace('! -i eth1 ', '')] },
    { settings: { 'eth1.rp_filter': undefined } },
    { redirectRoutes: [] },
    { neighbours: [] },
  );

  it('add up for any mixture of packets, what is verified has nothing that is not, and the same input gives the same bytes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 14 }),
        state,
        fc.boolean(),
        async (steps, parts_, whatIf) => {
          const traffic = new Traffic();
          for (const { way, toServer, client, clientPort, ...rest } of steps) {
            const ends = toServer
              ? { source: client, sourcePort: clientPort, destination: SERVER, destinationPort: 3389 }
              : { source: SERVER, sourcePort: 3389, destination: client, destinationPort: clientPort };
            traffic.pass({ ...ends, ...rest }, way);
          }
          const made = await report({ capture: traffic, state: parts_, whatIf });
          expectSums(made);
          const again = await report({ capture: traffic, state: parts_, whatIf });
          expect(JSON.stringify(again)).toBe(JSON.stringify(made));
        },
      ),
      { numRuns: 120 },
    );
  });

  it('hold each monitored packet that entered once: neither copies nor other services', async () => {
    const traffic = direct(session(new Traffic()), { serverPort: 80, clientPort: 41_000 });
    const made = await report({ capture: traffic });
    expect(made.summary).toMatchObject({ packets: 54, monitoredPackets: 18 });
    expectSums(made);
  });
});

describe('a run without monitored traffic', () => {
  it('ends with 3', async () => {
    const made = await report({ capture: direct(new Traffic(), { serverPort: 80 }) });
    expect(made.verdict).toBe('inconclusive');
    expect(exitCodeOf(made, 'error')).toBe(3);
  });
});
