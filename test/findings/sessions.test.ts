import { describe, expect, it } from 'vitest';
import {
  CLIENT,
  CLIENT_TO_SERVER,
  CLIENT_TO_SPS,
  Conversation,
  clientLeg,
  lost,
  Mac,
  type Packet,
  SERVER,
  SERVER_TO_CLIENT,
  SERVER_TO_SPS,
  SPS_TO_CLIENT,
  SPS_TO_SERVER,
  serverLeg,
  session,
  Traffic,
} from './build-capture.ts';
import { Rule, type StateParts } from './router-state.ts';
import { codesOf, expectAbsent, report, SPOOFING, the, expectMended } from './run-verify.ts';

const REPLIES: StateParts = { mangle: [Rule.replies, Rule.requests, Rule.mark] };
const WRONG_PORT: StateParts = { mangle: [Rule.requests.replace('3389', '3390'), Rule.mark] };
const whole = (): Traffic => session(new Traffic());

function request(way = lost(CLIENT_TO_SPS)): Traffic {
  const traffic = new Traffic();
  clientLeg(traffic).request('S', 0, way);
  return traffic;
}

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
