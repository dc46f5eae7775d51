import { describe, expect, it } from 'vitest';
import { openingsOf } from '../../src/verification/loss-of-sps.ts';
import type { SessionSpec } from '../../src/verification/session.ts';
import { parseIpAddress } from '../../src/net/ip-address.ts';
import { direct, session, Traffic } from './build-capture.ts';
import { Rule, routerOf, routerState, type StateParts } from './router-state.ts';
import { causesOf, codesOf, expectAbsent, expectMended, report, the } from './run-verify.ts';

const FIRST = '-A PREROUTING -i eth0 -p tcp -m tcp --dport 3389 -j MARK --set-xmark 0x100/0x100';
const filter = (rule: string) => ({
  filter: [':INPUT ACCEPT [0:0]', ':FORWARD ACCEPT [0:0]', ':OUTPUT ACCEPT [0:0]', rule],
});

describe('RV412 unmasked-mark', () => {
  it.each<{ name: string; state: StateParts; explains: string }>([
    {
      name: 'the redirect takes away a bit without which a filter drops its packets',
      state: {
        mangle: [FIRST, Rule.requests, Rule.mark],
        tables: filter('-A FORWARD -i eth0 -m mark ! --mark 0x100/0x100 -j DROP'),
      },
      explains: 'RV503',
    },
    {
      name: 'another rule takes the redirect’s bit away',
      state: {
        mangle: [Rule.requests, Rule.mark, '-A PREROUTING -i eth0 -p tcp -j MARK --set-xmark 0x100/0xffffffff'],
      },
      explains: 'RV501',
    },
  ])('$name', async ({ state, explains }) => {
    const made = await report({ capture: direct(new Traffic()), state, whatIf: true });
    expect(made.verdict).toBe('failed');
    const found = the(made, 'RV412');
    expect(found.severity).toBe('warning');
    expect(causesOf(made, the(made, explains))).toContain('RV412');
    await expectMended(state, found.fix);
  });

  it('warns where the redirect works and another rule loses its bit', async () => {
    const state: StateParts = {
      mangle: [FIRST, Rule.requests, Rule.mark],
      tables: filter('-A FORWARD -m mark --mark 0x100/0x100 -j ACCEPT'),
    };
    const made = await report({ capture: session(new Traffic()), state });
    expect(made.verdict).toBe('verified');
    const found = the(made, 'RV412');
    expect(found.message).toContain('-A FORWARD -m mark --mark 0x100/0x100 -j ACCEPT does not apply');
    await expectMended(state, found.fix);
  });

  it.each<{ name: string; state: StateParts }>([
    { name: 'on a correct set-up', state: {} },
    { name: 'where nobody tests the bit that is lost', state: { mangle: [FIRST, Rule.requests, Rule.mark] } },
    {
      name: 'where the rule has a mask, and the policy rule, too',
      state: {
        mangle: [FIRST, Rule.requests, Rule.mark.replace('0x1/0xffffffff', '0x1/0x1')],
        policyRules: [
          '0:\tfrom all lookup local',
          '32765:\tfrom all fwmark 0x1/0x1 lookup scb',
          '32766:\tfrom all lookup main',
        ],
        tables: filter('-A FORWARD -m mark --mark 0x100/0x100 -j ACCEPT'),
      },
    },
  ])('is not said $name', async ({ state }) => {
    const made = await report({ capture: session(new Traffic()), state });
    expectAbsent(made, 'RV412');
    expect(codesOf(made)).toEqual([]);
  });
});

describe('RV410 redirect-fails-open', () => {
  const spec: SessionSpec = {
    protocol: 6,
    client: parseIpAddress('192.168.0.10')!,
    clientPort: 40_000,
    clientInterface: 1,
    clientMac: -1,
    server: parseIpAddress('10.0.0.10')!,
    serverPort: 3389,
    serverMac: -1,
    serverInterface: 3,
    sps: parseIpAddress('172.16.0.1')!,
    spsAddresses: [parseIpAddress('172.16.0.1')!],
    spsInterface: 2,
    spsMac: -1,
    spoofing: 'own',
  };
  const at = (state: StateParts) => {
    const router = routerOf(routerState(state));
    const index = (name: string) => router.forwarder().interfaceIndex(name);
    return openingsOf(router, {
      ...spec,
      clientInterface: index('eth0'),
      spsInterface: index('eth1'),
      serverInterface: index('eth2'),
    });
  };

  it('opens when the interface of SPS goes down, and says what keeps it closed', () => {
    const [opening, ...others] = at({});
    expect(others).toEqual([]);
    expect(opening?.how).toBe('interface-down');
    expect(opening?.fix).toEqual(['ip route add unreachable default metric 4278198272 table scb']);
  });

  it('stays closed with a route that refuses, and is not asked where nothing is redirected', () => {
    expect(
      at({ redirectRoutes: ['default via 172.16.0.1 dev eth1', 'unreachable default metric 4278198272'] }),
    ).toEqual([]);
    expect(at({ mangle: [] })).toEqual([]);
  });

  it('is not said unless it is asked for', async () => {
    expectAbsent(await report({ capture: session(new Traffic()) }), 'RV410');
  });
});

describe('failures that users of marks and policy rules have met', () => {
  const judged = (state: StateParts) => report({ capture: direct(new Traffic()), state, whatIf: true });
  const rules = (line: string): readonly string[] => [
    '0:\tfrom all lookup local',
    line,
    '32765:\tfrom all fwmark 0x1 lookup scb',
    '32766:\tfrom all lookup main',
  ];

  it.each<{ name: string; state: StateParts; codes: readonly string[] }>([
    {
      name: 'a mark for addresses behind DNAT selects nothing',
      state: {
        mangle: [Rule.requests.replace('10.0.0.0/24', '10.0.0.77/32'), Rule.mark],
        tables: {
          nat: [
            ':PREROUTING ACCEPT [0:0]',
            ':POSTROUTING ACCEPT [0:0]',
            '-A PREROUTING -d 10.0.0.10/32 -i eth0 -p tcp -m tcp --dport 3389 -j DNAT --to-destination 10.0.0.77',
          ],
        },
      },
      codes: ['RV501'],
    },
    {
      name: 'the restoring rule names another interface than the clients',
      state: { mangle: [Rule.requests, Rule.mark.replace('! -i eth1', '-i eth2')] },
      codes: ['RV404', 'RV501'],
    },
    {
      name: 'an exact policy rule fails once another bit is set',
      state: { mangle: [Rule.requests, Rule.mark, FIRST] },
      codes: ['RV401', 'RV501'],
    },
    {
      name: 'a rule too wide sends what SPS sends back to it',
      state: { mangle: [Rule.requests.replace('-i eth0 ', ''), Rule.mark.replace('! -i eth1 ', '')] },
      codes: ['RV406', 'RV502'],
    },
    {
      name: 'a rule that lost its fwmark decides before the redirect',
      state: { policyRules: rules('100:\tfrom all lookup main') },
      codes: ['RV403', 'RV501'],
    },
    {
      name: 'an rpfilter match in raw drops what SPS sends',
      state: {
        tables: {
          raw: [':PREROUTING ACCEPT [0:0]', ':OUTPUT ACCEPT [0:0]', '-A PREROUTING -m rpfilter --invert -j DROP'],
        },
      },
      codes: ['RV503'],
    },
  ])('$name', async ({ state, codes }) => {
    const made = await judged(state);
    expect(made.verdict).toBe('failed');
    expect(made.findings.map((item) => item.code)).toEqual(expect.arrayContaining([...codes]));
  });
});
