import { describe, expect, it } from 'vitest';
import { exitCodeOf } from '../../src/report/report.ts';
import { clientLeg, direct, lost, SPS_TO_SERVER, serverLeg, session, Traffic } from '../findings/build-capture.ts';
import { Rule, routerOf, routerState, type StateParts } from '../findings/router-state.ts';
import { codesOf, INTENT, report, SPOOFING, the, unstated } from '../findings/run-verify.ts';

const REPLIES: StateParts = { mangle: [Rule.replies, Rule.requests, Rule.mark] };

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
