import { describe, expect, it } from 'vitest';
import { exitCodeOf } from '../../src/report/report.ts';
import {
  CLIENT,
  CLIENT_TO_SPS,
  clientLeg,
  direct,
  lost,
  Mac,
  SERVER,
  session,
  Traffic,
} from '../findings/build-capture.ts';
import { Rule, type StateParts } from '../findings/router-state.ts';
import { codesOf, INTENT, report, SPOOFING } from '../findings/run-verify.ts';

const REPLIES: StateParts = { mangle: [Rule.replies, Rule.requests, Rule.mark] };

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
    const alarms = made.findings.filter((item) => item.severity !== 'note');
    // Where no capture shows that SPS uses another port than the client, conntrack might take packets for INVALID.
    const mayShare = snat !== 'own' && (!names.includes('eth1') || snat === 'client-same-port');
    expect(alarms.filter((item) => !(mayShare && /the client's address and port/.test(item.message)))).toEqual([]);
    expect(made.verdict).toBe(alarms.length > 0 ? 'inconclusive' : 'verified');
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

describe('datagrams in pieces', () => {
  const request = { protocol: 17, source: CLIENT, sourcePort: 40_000, destination: SERVER, destinationPort: 3389 };
  const first = { ...request, ttl: 128, identification: 77, payload: 800, flagsAndOffset: 0x2000 };
  const last = { ...first, sourcePort: 0, destinationPort: 0, payload: 100, flagsAndOffset: 101 };
  const udp = { intent: { ...INTENT, services: [{ protocol: 17, ports: { first: 3389, last: 3389 } }] } };
  const marked: StateParts = {
    mangle: [Rule.requests.replace('tcp', 'udp').replace('-m tcp', '-m udp'), Rule.mark],
  };

  it('go the way of the whole, each counted once', async () => {
    const traffic = new Traffic();
    traffic.pass(first, lost(CLIENT_TO_SPS));
    traffic.pass(last, CLIENT_TO_SPS);
    const made = await report({ capture: traffic, state: marked, ...udp });
    expect(made.connections[0]?.clientToServer).toMatchObject({ packets: 2, viaSps: 2, observed: 1, undetermined: 0 });
  });

  it('do not hide a bypass', async () => {
    const traffic = new Traffic();
    traffic.pass(last, lost(CLIENT_TO_SPS));
    traffic.pass(first, lost(CLIENT_TO_SPS));
    const made = await report({ capture: traffic, state: { mangle: [Rule.mark] }, ...udp });
    expect(made.connections[0]?.clientToServer).toMatchObject({ packets: 2, bypassed: 2 });
    expect(made.verdict).toBe('failed');
  });

  it('of which one is missing leave the run open', async () => {
    const traffic = session(new Traffic());
    traffic.pass({ ...last, protocol: 6 }, lost(CLIENT_TO_SPS));
    const made = await report({ capture: traffic });
    expect(made.findings.filter(({ code }) => code === 'RV901').map(({ message }) => message)).toEqual([
      expect.stringMatching(/^1 fragments between monitored hosts whose datagrams are not whole/),
    ]);
  });
});

describe('a run without monitored traffic', () => {
  it('ends with 3', async () => {
    const made = await report({ capture: direct(new Traffic(), { serverPort: 80 }) });
    expect(made.verdict).toBe('inconclusive');
    expect(exitCodeOf(made, 'error')).toBe(3);
  });
});
