/** What a fix prints beside it: how it is taken back, and how it lasts. */
import { describe, expect, it } from 'vitest';
import { routerOf, routerState, Rule } from '../findings/router-state.ts';
import { storedScenarios, verifyForm } from '../scenarios/stored-scenario.ts';

const router = routerOf(
  routerState({
    mangle: [Rule.requests, Rule.mark, '-A PREROUTING -i eth2 -j MARK --set-xmark 0x100/0xffffffff'],
    redirectRoutes: ['default via 172.16.0.9 dev eth1'],
    settings: { 'all.rp_filter': 1, 'eth2.rp_filter': undefined },
  }),
);

describe('undo', () => {
  it.each<{ name: string; fix: readonly string[]; want: readonly string[] | undefined }>([
    {
      name: 'gives a setting the value that it had',
      fix: ['sysctl -w net.ipv4.conf.eth1.rp_filter=2'],
      want: ['sysctl -w net.ipv4.conf.eth1.rp_filter=0'],
    },
    {
      name: 'is not known of a setting that the state does not hold',
      fix: ['sysctl -w net.ipv4.conf.eth2.rp_filter=2'],
      want: undefined,
    },
    {
      name: 'deletes what was added, the last first',
      fix: ['iptables -t mangle -A PREROUTING -i eth2 -j ACCEPT', 'ip rule add fwmark 0x2 table scb'],
      want: ['ip rule del fwmark 0x2 table scb', 'iptables -t mangle -D PREROUTING -i eth2 -j ACCEPT'],
    },
    {
      name: 'puts a rule back in its place',
      fix: [`iptables -t mangle -D PREROUTING ${Rule.mark.slice('-A PREROUTING '.length)}`],
      want: [`iptables -t mangle -I PREROUTING 2 ${Rule.mark.slice('-A PREROUTING '.length)}`],
    },
    {
      name: 'puts back a rule that another one replaced',
      fix: [
        'iptables -t mangle -I PREROUTING 3 -i eth2 -j MARK --set-xmark 0x100/0x100',
        'iptables -t mangle -D PREROUTING 4',
      ],
      want: [
        'iptables -t mangle -I PREROUTING 4 -i eth2 -j MARK --set-xmark 0x100/0xffffffff',
        'iptables -t mangle -D PREROUTING -i eth2 -j MARK --set-xmark 0x100/0x100',
      ],
    },
    {
      name: 'replaces a route by the one that was there',
      fix: ['ip route replace default via 172.16.0.1 dev eth1 table scb'],
      want: ['ip route replace default via 172.16.0.9 dev eth1 table scb'],
    },
    {
      name: 'is not known of a command that changes something else',
      fix: ['iptables -t mangle -F PREROUTING'],
      want: undefined,
    },
  ])('$name', ({ fix, want }) => {
    expect(router.undo?.(fix)).toEqual(want);
  });
});

describe('what makes a fix last', () => {
  it('is a file for each kind of command, once', () => {
    expect(
      router.lasting?.([
        'sysctl -w net.ipv4.conf.eth1.rp_filter=2',
        'iptables -t mangle -A PREROUTING -j ACCEPT',
        'iptables -A FORWARD -j ACCEPT',
        'ip rule add fwmark 0x1 table scb',
        'ip route add default via 172.16.0.1 dev eth1 table scb',
      ]),
    ).toEqual([
      "echo 'net.ipv4.conf.eth1.rp_filter = 2' >> /etc/sysctl.d/90-redirect.conf",
      'iptables-save > /etc/iptables/rules.v4',
      '# /etc/network/interfaces: up ip rule add fwmark 0x1 table scb',
      '# /etc/network/interfaces, iface eth1: up ip route add default via 172.16.0.1 dev eth1 table scb',
    ]);
  });
});

it('every fix that a stored scenario prints can be taken back, and lasts', async () => {
  const without: string[] = [];
  for (const scenario of storedScenarios()) {
    const report = await verifyForm(scenario, 'merged');
    if (!report.router.dialects.some((name) => name.startsWith('linux'))) continue;
    for (const { code, fix, undo, persist } of report.findings)
      if (fix.length > 0 && (undo === undefined || persist === undefined)) without.push(`${scenario.name} ${code}`);
  }
  expect(without).toEqual([]);
});
