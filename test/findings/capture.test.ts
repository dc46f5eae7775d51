import { describe, expect, it } from 'vitest';
import { layOut } from '../wire/frame-bytes.ts';
import { Cut, cutShort } from './damaged-capture.ts';
import { clientLeg, CLIENT_TO_SPS, ethernet, lost, Mac, session, SPS_TO_CLIENT, Traffic } from './build-capture.ts';
import { routerState } from './router-state.ts';
import { codesOf, expectAbsent, report, the } from './run-verify.ts';

const whole = (): Traffic => session(new Traffic());

describe('RV101 truncated-capture', () => {
  it('is said of a file that ends inside a record, and what came before is judged', async () => {
    const bytes = whole().pcapng();
    const made = await report({ capture: bytes.subarray(0, bytes.length - 10) });
    const found = the(made, 'RV101');
    expect(found).toMatchObject({ severity: 'warning' });
    expect(made.captures[0]).toMatchObject({ truncated: true, packets: 35 });
    expect(made.summary.connections).toBe(2);
  });

  it('is not said of one that ends with its last record', async () => {
    const bytes = whole().pcapng();
    const made = await report({ capture: bytes });
    expectAbsent(made, 'RV101');
    expect(made.captures[0]).toMatchObject({ truncated: false, packets: 36 });
  });
});

describe('RV109 stale-router-state', () => {
  /** The capture begins on 2026-05-28 at 20:26:40 and takes less than a second. */
  const stateOf = (date: string): string => `### date -u\n${date}\n${routerState()}`;

  it.each([
    ['Thu May 28 19:26:00 UTC 2026', '1 hour before the capture begins'],
    ['Tue May 26 19:26:40 UTC 2026', '2 days before the capture begins'],
    ['Thu May 28 23:26:42 UTC 2026', '3 hours after the capture ends'],
  ])('is said of a state of %s: %s', async (date, words) => {
    const made = await report({ capture: whole(), state: stateOf(date) });
    const found = the(made, 'RV109');
    expect(found).toMatchObject({ severity: 'note', count: 1, connections: [] });
    expect(found.message).toContain(words);
    expect(made.verdict).toBe('verified');
  });

  it.each(['Thu May 28 19:27:00 UTC 2026', 'Thu May 28 20:26:40 UTC 2026', 'Thu May 28 21:26:00 UTC 2026'])(
    'is not said of a state of %s',
    async (date) => {
      expectAbsent(await report({ capture: whole(), state: stateOf(date) }), 'RV109');
    },
  );

  it('is not said of a state without a time, nor where the capture predates the configuration', async () => {
    expectAbsent(await report({ capture: whole() }), 'RV109');
    const state = stateOf('Tue May 26 19:26:40 UTC 2026');
    expectAbsent(await report({ capture: whole(), state, whatIf: true }), 'RV109');
  });
});

describe('RV102 ambiguous-ingress', () => {
  it('is said where neither names nor MAC addresses tell the interface', async () => {
    const made = await report({
      capture: { 'capture.pcap': whole().pcap() },
      state: routerState().replaceAll(/link\/ether .*/g, 'link/none'),
    });
    const found = the(made, 'RV102');
    expect(found).toMatchObject({ severity: 'warning', count: 36 });
    expect(found.where).toMatchObject({ kind: 'frame', frame: 1 });
    expect(made.verdict).toBe('inconclusive');
  });

  it('is not said of a classic file where the router’s MAC addresses tell', async () => {
    const made = await report({ capture: { 'capture.pcap': whole().pcap() } });
    expectAbsent(made, 'RV102');
    expect(made.verdict).toBe('verified');
  });

  it('is not said of frames of other services', async () => {
    const traffic = new Traffic();
    const icmp = layOut([1, 8], [1, 0], [2, 0], [4, 1]);
    traffic.frame('eth0', ethernet(Mac.client, 0x02_00_00_00_00_77, 0x0800, icmp));
    const made = await report({ capture: { 'capture.pcap': traffic.pcap() }, state: { without: ['ip addr show'] } });
    expectAbsent(made, 'RV102');
  });
});

describe('RV103 one-direction-captured', () => {
  it('is said of connections of which one interface was captured only', async () => {
    const made = await report({ capture: whole().pcapng(['eth0']) });
    const found = the(made, 'RV103');
    expect(found).toMatchObject({ severity: 'note', count: 1, connections: [1] });
    expect(made.connections[0]?.serverToClient).toMatchObject({ packets: 0, basis: 'synthesized' });
    expect(made.connections[0]?.serverToClient.probes).toBeGreaterThan(0);
  });

  it('is not said where all interfaces were captured', async () => {
    expectAbsent(await report({ capture: whole() }), 'RV103');
  });

  it('is not said where SPS did not answer: nothing is missing in the capture', async () => {
    const traffic = new Traffic();
    clientLeg(traffic).request('S');
    expectAbsent(await report({ capture: traffic }), 'RV103');
  });
});

describe('RV104 capture-lost-packets', () => {
  it('is said where the capture counts frames that it dropped', async () => {
    const made = await report({ capture: whole().pcapng(undefined, { dropped: 1200 }) });
    const found = the(made, 'RV104');
    expect(found.severity).toBe('warning');
    expect(found.message).toContain('1200');
  });

  it('is not said where it counts none', async () => {
    expectAbsent(await report({ capture: whole().pcapng(undefined, { dropped: 0 }) }), 'RV104');
  });
});

describe('RV105 frame-cut-short', () => {
  it('is said where the ports were cut off', async () => {
    const traffic = whole();
    cutShort(traffic, 35);
    const made = await report({ capture: traffic });
    const found = the(made, 'RV105');
    expect(found).toMatchObject({ severity: 'warning', count: 36 });
    expect(made.verdict).not.toBe('verified');
  });

  it('is not said where only the payload was cut off', async () => {
    const traffic = whole();
    cutShort(traffic, 54);
    const made = await report({ capture: traffic });
    expectAbsent(made, 'RV105');
    expect(made.verdict).toBe('verified');
  });
});

describe('RV106 unsupported-link-type', () => {
  it('is said of frames with a link header that is not decoded, and nothing is verified by them', async () => {
    const made = await report({ capture: { 'capture.pcap': whole().pcap(undefined, 127) } });
    const found = the(made, 'RV106');
    expect(found).toMatchObject({ severity: 'warning', count: 36 });
    expect(made.verdict).toBe('inconclusive');
  });

  it('is not said of Ethernet and cooked captures', async () => {
    for (const bytes of [whole().pcap(), whole().cooked(1), whole().cooked(2)]) {
      const made = await report({ capture: { 'capture.pcap': bytes } });
      expectAbsent(made, 'RV106');
      expect(made.verdict).toBe('verified');
    }
  });
});

describe('RV107 connection-began-before-capture', () => {
  it('is a note where the capture shows the packets on their way', async () => {
    const traffic = new Traffic();
    clientLeg(traffic).talk(2);
    const made = await report({ capture: traffic });
    expect(the(made, 'RV107')).toMatchObject({ severity: 'note', count: 1, connections: [1] });
    expect(the(made, 'RV107').where).toMatchObject({ kind: 'frame', frame: 1, interface: 'eth0' });
    expectAbsent(made, 'RV512');
  });

  it('leaves the connection open where it does not: the mark of its entry is unknown', async () => {
    const traffic = new Traffic();
    const conversation = clientLeg(traffic);
    conversation.requests = lost(CLIENT_TO_SPS);
    conversation.replies = lost(SPS_TO_CLIENT);
    conversation.talk(2);
    const made = await report({ capture: traffic });
    expect(the(made, 'RV107')).toMatchObject({ severity: 'note', connections: [1] });
    expect(made.connections[0]?.verdict).toBe('inconclusive');
    expect(made.verdict).toBe('inconclusive');
  });

  it('is not said of a connection with its SYN', async () => {
    expectAbsent(await report({ capture: whole() }), 'RV107');
  });
});

describe('RV201 malformed-packet', () => {
  it('is said of a header that lies', async () => {
    const traffic = whole();
    traffic.frame('eth0', ethernet(Mac.client, Mac.router.eth0, 0x0800, new Uint8Array(20).fill(0x42)));
    const made = await report({ capture: traffic });
    expect(the(made, 'RV201')).toMatchObject({ severity: 'note', count: 1 });
    expect(the(made, 'RV201').where).toMatchObject({ kind: 'frame', frame: 37 });
    expect(made.verdict).toBe('verified');
  });

  it('is not said of a short frame that is padded', async () => {
    const traffic = whole();
    const padded = ethernet(
      Mac.client,
      Mac.router.eth0,
      0x0800,
      layOut(Cut.emptyUdp, new Uint8Array(18)), // Ethernet's shortest payload is 46 bytes
    );
    traffic.frame('eth0', padded);
    const made = await report({ capture: traffic });
    expectAbsent(made, 'RV201');
    expect(codesOf(made)).toEqual([]);
  });
});
