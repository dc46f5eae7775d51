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

describe('a run without monitored traffic', () => {
  it('ends with 3', async () => {
    const made = await report({ capture: direct(new Traffic(), { serverPort: 80 }) });
    expect(made.verdict).toBe('inconclusive');
    expect(exitCodeOf(made, 'error')).toBe(3);
  });
});
