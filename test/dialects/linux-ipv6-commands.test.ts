/** IPv6 commands pasted as shell text. What they do was asked of a kernel (6.18, iproute2 6.1), in random sequences, against its dumps. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseRouterState } from '../../src/dialects/index.ts';
import type { LinuxDevice } from '../../src/model/linux-device.ts';
import { formatIpAddress } from '../../src/net/ip-address.ts';
import { forIpv6, OWN_ADDRESS, SPOOFING } from '../lab/procedure.ts';
import { inputsOf, intentOf, storedScenario } from '../scenarios/stored-scenario.ts';
import { linuxRouter } from '../../src/verification/linux-router.ts';
import { verify } from '../../src/verify.ts';

/** The dumps of a router that redirects nothing of IPv6. */
const PLAIN = readFileSync('captures/ipv6-not-redirected/router/router.txt', 'utf8');

function deviceAfter(...commands: string[]): LinuxDevice {
  return parseRouterState([
    { path: 'router.txt', text: PLAIN },
    { path: 'commands.sh', text: `${commands.join('\n')}\n` },
  ]);
}

const routes6 = (device: LinuxDevice, table: number): string[] =>
  device.routes
    .filter((route) => route.family === 6 && route.table === table)
    .map(({ type, metric, nextHops: [hop] }) =>
      [type, hop?.gateway === undefined ? '-' : formatIpAddress(hop.gateway), hop?.device ?? '-', metric].join(' '),
    );

describe('IPv6 routing by commands', () => {
  it.each([
    ['a route', ['ip -6 route add default via 2001:db8:172::1 table 103'], ['unicast 2001:db8:172::1 eth1 1024']],
    [
      'a second one of the same metric is refused',
      [
        'ip -6 route add default via 2001:db8:172::1 table 103',
        'ip -6 route add default via 2001:db8:10::10 table 103',
      ],
      ['unicast 2001:db8:172::1 eth1 1024'],
    ],
    [
      'replace',
      [
        'ip -6 route add default via 2001:db8:172::1 table 103',
        'ip -6 route replace default via 2001:db8:172::2 dev eth1 table 103',
      ],
      ['unicast 2001:db8:172::2 eth1 1024'],
    ],
    [
      'delete takes the least metric, whatever its type',
      [
        'ip -6 route add unreachable default metric 7 table 103',
        'ip -6 route del blackhole default metric 7 table 103',
        'ip -6 route add default via 2001:db8:172::1 metric 9 table 103',
      ],
      ['unicast 2001:db8:172::1 eth1 9'],
    ],
  ])('%s', (_, commands, want) => {
    const device = deviceAfter(...commands);
    expect(routes6(device, 103)).toEqual(want);
    expect(device.ipv6ChangedBy).toBeUndefined();
  });

  it.each([
    ['a gateway on no network', 'ip -6 route add default via 2001:db8:77::1 table 103'],
    ['a gateway of the link', 'ip -6 route add default via fe80::1 dev eth1 table 103'],
    ['a gateway that is the router itself', 'ip -6 route add default via 2001:db8:172::fe table 103'],
    ['another interface than the gateway’s', 'ip -6 route add default via 2001:db8:172::1 dev eth2 table 103'],
    ['several next hops', 'ip -6 route add default nexthop via 2001:db8:172::1 nexthop via 2001:db8:172::2'],
    ['what would make a multipath of two routes', 'ip -6 route append default via 2001:db8:172::1 table 103'],
    ['a type of service', 'ip -6 rule add tos 4 table 103'],
    ['all rules at once', 'ip -6 rule flush'],
    ['an address', 'ip -6 addr add 2001:db8:1::1/64 dev eth0'],
    ['an interface that goes down', 'ip link set eth0 down'],
    ['an IPv6 rule that does not say so', 'ip rule add from 2001:db8:1::/64 table 103'],
    ['forwarding off', 'sysctl -w net.ipv6.conf.all.forwarding=0'],
  ])('%s is not followed, and all of IPv6 is unknown then', (_, command) => {
    expect(deviceAfter(command).ipv6ChangedBy?.text).toBe(command);
  });

  it('a rule whose addresses another has, too, exists already, of either family', () => {
    for (const [ip, from, to] of [
      ['ip -6', '2001:db8:1::/64', '2001:db8:2::/64'],
      ['ip', '10.1.0.0/24', '10.2.0.0/24'],
    ] as const) {
      const family = ip === 'ip' ? 4 : 6;
      const device = deviceAfter(
        `${ip} rule add from ${from} to ${to} pref 400 table 103`,
        `${ip} rule add from ${from} pref 400 table 103`,
        `${ip} rule add to ${to} pref 401 table 103`,
        `${ip} rule add from ${from} to ${to} pref 401 table 103`,
      );
      const priorities = device.policyRules.filter((rule) => rule.family === family).map((rule) => rule.priority);
      expect(priorities.filter((priority) => priority >= 400 && priority < 500)).toEqual([400, 401, 401]);
    }
  });
});

describe('a redirect of IPv6 that is pasted as commands', () => {
  const options = { whatIf: false, requireObserved: false, verifyChecksums: false, sources: [] };

  it.each([
    ['ipv6-own-address', OWN_ADDRESS],
    ['ipv6-spoofing', SPOOFING],
  ] as const)('%s, on top of dumps', async (name, procedure) => {
    const scenario = storedScenario(name);
    const commands = forIpv6(procedure).filter((command) => !/^\d/.test(command));
    // A name of a table stands in rt_tables.
    const router = linuxRouter(deviceAfter(...commands.map((command) => command.replace('table scb', 'table 103'))));
    const report = await verify(inputsOf(scenario, 'merged'), router, intentOf(scenario), options);
    expect(report).toMatchObject({ verdict: 'verified', intent: { sps: ['2001:db8:172::1'] } });
    const inferred = await verify(inputsOf(scenario, 'merged'), router, {}, options);
    expect(inferred.verdict).not.toBe('failed');
  });

  it('with nothing but ip addr', async () => {
    const scenario = storedScenario('ipv6-own-address');
    const addresses = /### ip addr show\n([\s\S]*?)\n###/.exec(PLAIN)![1]!;
    const device = parseRouterState([
      { path: 'ip-addr.txt', text: addresses },
      { path: 'procedure.txt', text: `${forIpv6(OWN_ADDRESS).join('\n')}\n` },
    ]);
    expect(device.ipv6ChangedBy).toBeUndefined();
    const report = await verify(inputsOf(scenario, 'merged'), linuxRouter(device), {}, options);
    const said = report.findings.map(({ code, message }) => `${code} ${message}`);
    expect({ verdict: report.verdict, sps: report.intent.sps, said }).toMatchObject({ sps: ['2001:db8:172::1'] });
    expect(report.verdict).not.toBe('failed');
  });
});
