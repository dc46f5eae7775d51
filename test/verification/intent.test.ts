import { describe, expect, it } from 'vitest';
import { formatService } from '../../src/model/intent.ts';
import { formatIpAddress, parseIpAddress } from '../../src/net/ip-address.ts';
import { formatPrefix, parsePrefix } from '../../src/net/prefix.ts';
import { InputError } from '../../src/text/input-error.ts';
import { resolveIntent, type StatedIntent } from '../../src/verification/intent.ts';
import { clientLeg, direct, session, Traffic } from '../findings/build-capture.ts';
import { POLICY_RULES, Rule, routerOf, routerState, type StateParts } from '../findings/router-state.ts';
import { report, the, unstated } from '../findings/run-verify.ts';

interface Inferred {
  readonly sps: readonly string[];
  readonly interfaces: readonly string[];
  readonly services: readonly string[];
  readonly clients: readonly string[];
  readonly servers: readonly string[];
  readonly clientInterface?: string;
}

function infer(state: StateParts, stated: StatedIntent = {}): Inferred {
  const { intent, clientInterface } = resolveIntent(stated, routerOf(routerState(state)));
  return {
    sps: intent.sps.map(formatIpAddress),
    interfaces: intent.spsInterfaces,
    services: intent.services.map(formatService),
    clients: intent.clients.map(formatPrefix),
    servers: intent.servers.map(formatPrefix),
    ...(clientInterface !== undefined && { clientInterface }),
  };
}

const SEED: Inferred = {
  sps: ['172.16.0.1'],
  interfaces: ['eth1'],
  services: ['tcp/3389'],
  clients: [],
  servers: ['10.0.0.0/24'],
  clientInterface: 'eth0',
};
const MARK = '-j MARK --set-xmark 0x1/0xffffffff';

describe('what is not said is inferred from the redirect', () => {
  it.each<{ name: string; state: StateParts; want: Partial<Inferred> }>([
    { name: 'of the seed', state: {}, want: {} },
    {
      name: 'of the seed with the rule for answers',
      state: { mangle: [Rule.replies, Rule.requests, Rule.mark] },
      want: {},
    },
    {
      name: 'with packet marks alone',
      state: { mangle: [`-A PREROUTING -d 10.0.0.0/24 -i eth0 -p tcp -m tcp --dport 3389 ${MARK}`] },
      want: {},
    },
    {
      name: 'with several ports',
      state: { mangle: [`-A PREROUTING -i eth0 -p tcp -m multiport --dports 22,3389,5900:5910 ${MARK}`] },
      want: { services: ['tcp/22', 'tcp/3389', 'tcp/5900-5910'], servers: [] },
    },
    {
      name: 'with a source network',
      state: { mangle: [`-A PREROUTING -s 192.168.0.0/24 -d 10.0.0.0/24 -p tcp -m tcp --dport 3389 ${MARK}`] },
      want: { clients: ['192.168.0.0/24'], clientInterface: undefined as never },
    },
    {
      name: 'in a chain of its own',
      state: {
        mangle: [
          ':REDIRECT - [0:0]',
          '-A PREROUTING -i eth0 -j REDIRECT',
          `-A REDIRECT -d 10.0.0.0/24 -p tcp -m tcp --dport 3389 ${MARK}`,
        ],
      },
      want: { clientInterface: undefined as never },
    },
    {
      name: 'by policy rules without marks',
      state: {
        mangle: [],
        policyRules: [
          '0:\tfrom all lookup local',
          '100:\tfrom 192.168.0.0/24 to 10.0.0.0/24 iif eth0 ipproto tcp dport 3389 lookup scb',
          '32766:\tfrom all lookup main',
        ],
      },
      want: { clients: ['192.168.0.0/24'] },
    },
    {
      name: 'with masked marks',
      state: {
        mangle: [`-A PREROUTING -d 10.0.0.0/24 -i eth0 -p tcp -m tcp --dport 3389 -j MARK --set-xmark 0x10/0xf0`],
        policyRules: POLICY_RULES.map((rule) => rule.replace('0x1 ', '0x10/0xf0 ')),
      },
      want: {},
    },
    {
      name: 'without other marks, which lead elsewhere',
      state: {
        mangle: [
          Rule.requests,
          Rule.mark,
          '-A PREROUTING -i eth0 -p tcp -m tcp --dport 80 -j MARK --set-xmark 0x2/0xffffffff',
        ],
      },
      want: {},
    },
  ])('$name', ({ state, want }) => {
    const merged = Object.fromEntries(Object.entries({ ...SEED, ...want }).filter(([, value]) => value !== undefined));
    expect(infer(state)).toEqual(merged);
  });

  it('and what is said wins', () => {
    const stated: StatedIntent = {
      sps: [parseIpAddress('172.16.0.7')!],
      spsInterfaces: ['eth2'],
      snat: 'client',
      services: [{ protocol: 17, ports: { first: 53, last: 54 } }],
      clients: [parsePrefix('192.168.7.0/24')!],
      servers: [],
    };
    expect(infer({}, stated)).toEqual({
      sps: ['172.16.0.7'],
      interfaces: ['eth2'],
      services: ['udp/53-54'],
      clients: ['192.168.7.0/24'],
      servers: [],
      clientInterface: 'eth0',
    });
    expect(resolveIntent(stated, routerOf(routerState())).intent).toMatchObject({ snat: 'client', inferred: [] });
  });

  it.each<{ name: string; state: StateParts; stated: StatedIntent; want: RegExp }>([
    { name: 'no SPS', state: { redirectRoutes: [] }, stated: {}, want: /name its address with --sps/ },
    { name: 'no service', state: { mangle: [] }, stated: {}, want: /name it with --service/ },
    {
      name: 'an interface that is not there',
      state: {},
      stated: { spsInterfaces: ['eth9'] },
      want: /no interface eth9 \(it has lo, eth0, eth1, eth2\)/,
    },
    {
      name: 'an SPS that no route leads to',
      state: {},
      stated: { sps: [parseIpAddress('203.0.113.1')!] },
      want: /--sps-interface/,
    },
  ])('but $name is an error that says what to do', ({ state, stated, want }) => {
    expect(() => infer(state, stated)).toThrow(InputError);
    expect(() => infer(state, stated)).toThrow(want);
  });
});

describe('an inferred intent is treated with caution', () => {
  it('several next hops: which of them is SPS is not known, and nothing is verified', async () => {
    const state: StateParts = {
      policyRules: [...POLICY_RULES.slice(0, 2), '32000:\tfrom all fwmark 0x2 lookup other', ...POLICY_RULES.slice(2)],
      redirectRoutes: ['default via 172.16.0.1 dev eth1'],
      rtTables: ['255\tlocal', '254\tmain', '253\tdefault', '103 scb', '104 other'],
      localRoutes: ['default via 172.16.0.9 dev eth1 table other'],
    };
    const made = await report({ capture: session(new Traffic()), state, intent: unstated('sps') });
    expect(the(made, 'RV901').message).toContain('--sps');
    expect(made.verdict).toBe('inconclusive');
    expect(made.summary.verified).toBe(0);
    const stated = await report({ capture: session(new Traffic()), state });
    expect(stated.verdict).toBe('verified');
  });

  it('an SPS that never answers may be no SPS', async () => {
    const traffic = new Traffic();
    clientLeg(traffic).request('S');
    const made = await report({ capture: traffic, intent: unstated('sps') });
    expect(made.findings.some((item) => item.code === 'RV901' && item.message.includes('--sps'))).toBe(true);
    expect(made.verdict).toBe('inconclusive');
    const answered = await report({ capture: session(new Traffic()), intent: unstated('sps') });
    expect(answered.verdict).toBe('verified');
    expect(answered.intent.inferred).toEqual(['sps']);
  });

  it('a plain capture has no SPS that answers: what-if with an inferred SPS is not verified', async () => {
    const made = await report({ capture: direct(new Traffic()), intent: unstated('sps'), whatIf: true });
    expect(made.verdict).toBe('inconclusive');
  });

  it('cannot show a mistake in the rule: a stated service can', async () => {
    const state: StateParts = { mangle: [Rule.requests.replace('3389', '3390'), Rule.mark] };
    const inferred = await report({ capture: direct(new Traffic()), state, intent: {} });
    expect(inferred.verdict).toBe('inconclusive');
    expect(inferred.findings.map((item) => item.code)).toEqual(expect.arrayContaining(['RV902', 'RV903']));
    const stated = await report({ capture: direct(new Traffic()), state });
    expect(stated.verdict).toBe('failed');
  });

  it('reads the SNAT mode only from captured packets of SPS', async () => {
    const seen = async (snat: 'own' | 'client' | 'client-same-port') =>
      (
        await report({
          capture: session(new Traffic(), { snat }),
          state: { mangle: [Rule.replies, Rule.requests, Rule.mark] },
          intent: unstated('snat'),
        })
      ).intent;
    expect(await seen('own')).toMatchObject({ snat: 'own', inferred: ['snat'] });
    expect(await seen('client')).toMatchObject({ snat: 'client', inferred: ['snat'] });
    expect(await seen('client-same-port')).toMatchObject({ snat: 'client', inferred: ['snat'] });
    const unknown = await report({ capture: direct(new Traffic()), intent: unstated('snat'), whatIf: true });
    expect(unknown.intent).toMatchObject({ snat: 'unknown' });
  });
});
