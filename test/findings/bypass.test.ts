import { describe, expect, it } from 'vitest';
import { parseIpAddress } from '../../src/net/ip-address.ts';
import {
  CLIENT_HOST,
  CLIENT_TO_SPS,
  Conversation,
  clientLeg,
  direct,
  lost,
  Mac,
  NEIGHBOUR_HOST,
  SERVER_HOST,
  SERVER_TO_CLIENT,
  serverLeg,
  session,
  Traffic,
} from './build-capture.ts';
import { Rule, routerOf, routerState, type StateParts } from './router-state.ts';
import { causesOf, expectAbsent, INTENT, report, SPOOFING, the, expectMended } from './run-verify.ts';

const WRONG_PORT: StateParts = { mangle: [Rule.requests.replace('3389', '3390'), Rule.mark] };
const whole = (): Traffic => session(new Traffic());

function request(way = lost(CLIENT_TO_SPS)): Traffic {
  const traffic = new Traffic();
  clientLeg(traffic).request('S', 0, way);
  return traffic;
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
