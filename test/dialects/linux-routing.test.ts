import { describe, expect, it } from 'vitest';
import { formatIpAddress } from '../../src/net/ip-address.ts';
import { formatMac } from '../../src/net/mac-address.ts';
import { formatPrefix } from '../../src/net/prefix.ts';
import { InputError } from '../../src/text/input-error.ts';
import { codesOf, placesOf, policyOf, routesOf, showRoute, stateOf, stateOfFiles } from './state-text.ts';

const withoutMissing = (places: readonly string[]): string[] => places.filter((place) => place !== 'RV304');

describe('ip rule show', () => {
  const cases: readonly { name: string; line: string; want: string; problem?: string }[] = [
    { name: 'a plain lookup', line: '0:\tfrom all lookup local', want: '0: lookup 255' },
    { name: 'a mark', line: '9:\tfrom all fwmark 0x1 lookup 103 ', want: '9: mark 0x1 lookup 103' },
    { name: 'a mark with a mask', line: '9:\tfrom all fwmark 0/0xff lookup main', want: '9: mark 0x0/0xff lookup 254' },
    { name: 'fwmark 0 matches everything', line: '9:\tfrom all fwmark 0 lookup main', want: '9: lookup 254' },
    {
      name: 'host bits stay',
      line: '9:\tnot from 10.1.1.1/24 to 10.2.0.0/16 lookup main',
      want: '9: not from 10.1.1.1/24 to 10.2.0.0/16 lookup 254',
    },
    {
      name: 'a detached interface',
      line: '9:\tfrom all iif eth9 [detached] oif lo lookup main',
      want: '9: iif eth9 oif lo lookup 254',
    },
    { name: 'a type of service', line: '9:\tfrom all tos 0x10 lookup main', want: '9: tos 16 lookup 254' },
    {
      name: 'protocol and ports',
      line: '9:\tfrom all ipproto tcp sport 5-7 dport 22 lookup main',
      want: '9: protocol 6 sport 5-7 dport 22 lookup 254',
    },
    { name: 'goto', line: '9:\tfrom all goto 100 [unresolved]', want: '9: goto 100' },
    { name: 'nop', line: '9:\tfrom all nop', want: '9: nop' },
    { name: 'blackhole', line: '9:\tfrom all blackhole', want: '9: blackhole' },
    { name: 'unreachable', line: '9:\tfrom all unreachable proto static', want: '9: unreachable' },
    { name: 'prohibit', line: '9:\tfrom 1.1.1.1 prohibit', want: '9: from 1.1.1.1/32 prohibit' },
    {
      name: 'suppressors',
      line: '9:\tfrom all lookup main suppress_prefixlength 0 suppress_ifgroup vpn',
      want: '9: lookup 254 suppress 0 suppress group vpn',
    },
    {
      name: 'a uid range is unmodelled',
      line: '9:\tfrom all uidrange 0-99 lookup main',
      want: '9: lookup 254 ? uidrange 0-99',
      problem: 'RV301 2:1',
    },
    {
      name: 'dscp is unmodelled',
      line: '9:\tfrom all dscp 10 lookup main',
      want: '9: lookup 254 ? dscp 10',
      problem: 'RV301 2:1',
    },
    {
      name: 'l3mdev is unmodelled',
      line: '1000:\tfrom all lookup [l3mdev-table]',
      want: '1000: blackhole ? l3mdev',
      problem: 'RV301 2:1',
    },
    {
      name: 'a word that nobody knows',
      line: '9:\tfrom all colour blue lookup main',
      want: '9: blackhole ? not understood: "colour" is not understood',
      problem: 'RV302 2:1',
    },
    {
      name: 'a missing action',
      line: '9:\tfrom all',
      want: '9: blackhole ? not understood: the action of the rule is missing',
      problem: 'RV302 2:1',
    },
  ];
  it.each(cases)('$name', ({ line, want, problem }) => {
    const device = stateOf(`### ip rule show\n${line}\n`);
    expect(policyOf(device)).toEqual([want]);
    expect(withoutMissing(placesOf(device))).toEqual(problem === undefined ? [] : [problem]);
  });

  it('equal priorities stay in the order of the dump, whatever the order of the sections', () => {
    const device = stateOf(
      '### ip rule show\n5:\tfrom 1.1.1.1 lookup 1\n5:\tfrom 2.2.2.2 lookup 2\n4:\tfrom all nop\n',
    );
    expect(policyOf(device)).toEqual(['4: nop', '5: from 1.1.1.1/32 lookup 1', '5: from 2.2.2.2/32 lookup 2']);
  });

  it('a line that is no rule makes the run unknown', () => {
    expect(stateOf('### ip rule show\nnonsense\n').runWideUnknowns).toHaveLength(1);
  });

  it('a name is looked up in rt_tables, wherever that stands', () => {
    const device = stateOf(
      '### ip rule show\n9:\tfrom all lookup scb\n### rt_tables\n# reserved\n255 local\n103 scb # SPS\n',
    );
    expect(policyOf(device)).toEqual(['9: lookup 103']);
    expect(device.tableNames.get('scb')).toBe(103);
  });

  it('a name that nothing defines is RV303 and a table that nothing else is', () => {
    const device = stateOf('### ip rule show\n9:\tfrom all lookup scb\n');
    expect(placesOf(device)).toContain('RV303 2:1');
    expect(policyOf(device)).toEqual(['9: lookup 2147483648']);
  });

  it('a name that the dump of routes knows is no problem', () => {
    const device = stateOf(
      '### ip rule show\n9:\tfrom all lookup scb\n### ip route show table all\ndefault dev eth1 table scb\n',
    );
    expect(codesOf(device)).not.toContain('RV303');
    expect(routesOf(device, 0x80000000)).toHaveLength(1);
  });

  it('two lists that differ are of two routers', () => {
    const other = '0:\tfrom all lookup local\n5:\tfrom all lookup 5\n';
    expect(() =>
      stateOfFiles({ a: `### ip rule show\n${other}`, b: '### ip rule show\n0:\tfrom all lookup local\n' }),
    ).toThrow(/a:2:1 and b:2:1/);
    expect(() => stateOf(`${other}0:\tfrom all lookup local\n`)).toThrow(InputError);
  });

  it('the list of IPv6 behind that of IPv4 is told apart', () => {
    const device = stateOf(
      '0:\tfrom all lookup local\n9:\tfrom all lookup 5\n0:\tfrom all lookup local\n32766:\tfrom all lookup main\n',
    );
    expect(policyOf(device)).toEqual(['0: lookup 255', '9: lookup 5']);
    expect(device.policyRules.filter((rule) => rule.family === 6)).toHaveLength(2);
  });
});

describe('ip route show', () => {
  const cases: readonly { name: string; text: string; want: string; problem?: string }[] = [
    {
      name: 'a default route',
      text: 'default via 172.16.0.1 dev eth1 proto static',
      want: '254 unicast 0.0.0.0/0 via 172.16.0.1 dev eth1',
    },
    {
      name: 'a connected network',
      text: '10.0.0.0/24 dev eth2 proto kernel scope link src 10.0.0.254',
      want: '254 unicast 10.0.0.0/24 dev eth2',
    },
    {
      name: 'a host',
      text: '10.0.0.9 via 10.0.0.1 dev eth2 onlink',
      want: '254 unicast 10.0.0.9/32 via 10.0.0.1 dev eth2 onlink',
    },
    {
      name: 'a metric and a type of service',
      text: '10.0.0.0/8 tos lowdelay dev eth0 metric 5',
      want: '254 unicast 10.0.0.0/8 tos 16 metric 5 dev eth0',
    },
    {
      name: 'a link that is down',
      text: '10.0.0.0/8 dev eth0 dead linkdown',
      want: '254 unicast 10.0.0.0/8 dev eth0 dead linkdown',
    },
    { name: 'a blackhole', text: 'blackhole 10.0.0.0/8', want: '254 blackhole 10.0.0.0/8' },
    { name: 'an unreachable', text: 'unreachable 10.0.0.0/8 metric 9', want: '254 unreachable 10.0.0.0/8 metric 9' },
    { name: 'a throw', text: 'throw default', want: '254 throw 0.0.0.0/0' },
    {
      name: 'next hops on lines of their own',
      text: 'default proto static\n\tnexthop via 10.0.0.1 dev eth0 weight 1\n\tnexthop via 10.0.1.1 dev eth1 weight 3 dead',
      want: '254 unicast 0.0.0.0/0 via 10.0.0.1 dev eth0 | via 10.0.1.1 dev eth1 weight 3 dead',
    },
    {
      name: 'next hops in one line',
      text: 'default proto static \\\tnexthop via 10.0.0.1 dev eth0 weight 1 \\\tnexthop dev ppp0 weight 1',
      want: '254 unicast 0.0.0.0/0 via 10.0.0.1 dev eth0 | dev ppp0',
    },
    {
      name: 'an object that is spelled out',
      text: 'default nhid 7 via 10.0.0.1 dev eth0',
      want: '254 unicast 0.0.0.0/0 via 10.0.0.1 dev eth0',
    },
    {
      name: 'an object that is not',
      text: 'default nhid 7 proto static',
      want: '254 unicast 0.0.0.0/0 ? nhid 7',
      problem: 'RV301 2:1',
    },
    {
      name: 'a gateway of the other family',
      text: '10.0.0.0/8 via inet6 fe80::1 dev eth0',
      want: '254 unicast 10.0.0.0/8 via fe80::1 dev eth0 ? via inet6 fe80::1',
      problem: 'RV301 2:1',
    },
    {
      name: 'an encapsulation',
      text: '10.0.0.0/8 encap mpls 100 via 10.0.0.1 dev eth0',
      want: '254 unicast 10.0.0.0/8 via 10.0.0.1 dev eth0 ? encap mpls 100',
      problem: 'RV301 2:1',
    },
    {
      name: 'an MTU of its own',
      text: '10.0.0.0/8 dev eth0 mtu lock 1400',
      want: '254 unicast 10.0.0.0/8 dev eth0 ? mtu lock 1400',
      problem: 'RV301 2:1',
    },
    {
      name: 'attributes that touch no path',
      text: '10.0.0.0/8 dev eth0 initcwnd 10 advmss 1400',
      want: '254 unicast 10.0.0.0/8 dev eth0',
    },
    {
      name: 'a word that nobody knows',
      text: '10.0.0.0/8 dev eth0 colour blue',
      want: '254 unicast 10.0.0.0/8 dev eth0 ? not understood: "colour" is not understood',
      problem: 'RV302 2:1',
    },
  ];
  it.each(cases)('$name', ({ text, want, problem }) => {
    const device = stateOf(`### ip route show\n${text}\n`);
    expect(device.routes.map(showRoute)).toEqual([want]);
    expect(withoutMissing(placesOf(device))).toEqual(problem === undefined ? [] : [problem]);
  });

  it('table all knows every table of both families', () => {
    const device = stateOf(
      '### ip route show table all\ndefault via 172.16.0.1 dev eth1 table 103\nlocal 10.0.0.1 dev eth0 table local\n10.0.0.0/24 dev eth0\nfe80::/64 dev eth0 metric 256\n',
    );
    expect(device.known.routeTables4).toBe('all');
    expect(device.known.routeTables6).toBe('all');
    expect(device.routes.map((route) => route.table)).toEqual([103, 255, 254, 254]);
  });

  it('single tables are known one by one, empty ones too', () => {
    const device = stateOf('### ip route show\n10.0.0.0/24 dev eth0\n### ip r s t scb\n### rt_tables\n103 scb\n');
    expect(device.known.routeTables4).toEqual(new Set([254, 103]));
    const refused = stateOf('### ip route show table 103\nError: ipv4: FIB table does not exist.\nDump terminated\n');
    expect(refused.known.routeTables4).toEqual(new Set([103]));
    expect(codesOf(refused)).not.toContain('RV302');
  });

  it('one table within all and by itself is the same, or of two routers', () => {
    const all = '### ip route show table all\n10.0.0.0/24 dev eth0\n1.0.0.0/8 dev eth1 table 7\n';
    expect(routesOf(stateOf(`### ip route show\n10.0.0.0/24 dev eth0\n${all}`), 254)).toHaveLength(1);
    expect(() => stateOf(`${all}### ip route show\n10.0.0.0/24 dev eth9\n`)).toThrow(InputError);
  });

  it('a filtered list is not taken for the table', () => {
    const device = stateOf('### ip route show dev eth0\n10.0.0.0/24 scope link\n');
    expect(codesOf(device)).toContain('RV302');
    expect(device.routes).toEqual([]);
  });

  it('without a heading two tables run together are not guessed', () => {
    const device = stateOf('default via 10.0.0.1 dev eth0\ndefault via 172.16.0.1 dev eth1\n');
    expect(device.runWideUnknowns).toHaveLength(1);
  });

  it('IPv6 is told by its gateway or its attributes', () => {
    const device = stateOf(
      '### ip -6 route show\ndefault via fe80::1 dev eth0 metric 1024 pref medium\n2001:db8::/32 dev eth0\n',
    );
    expect(device.routes.map((route) => route.family)).toEqual([6, 6]);
    expect(stateOf('### ip route show table all\ndefault via fe80::1 dev eth0\n').routes[0]!.family).toBe(6);
  });
});

const ADDRESSES = `1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000
    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00
    inet 127.0.0.1/8 scope host lo
       valid_lft forever preferred_lft forever
2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc mq master br0 state UP group lan qlen 1000
    link/ether 02:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff
    inet 192.168.0.254/24 brd 192.168.0.255 scope global eth0
       valid_lft forever preferred_lft forever
    inet 192.168.0.253/24 scope global secondary eth0
    inet6 fe80::1/64 scope link
3: eth0.100@eth0: <BROADCAST,MULTICAST> mtu 1400 qdisc noqueue state DOWN
    link/ether 02:00:00:00:00:02 brd ff:ff:ff:ff:ff:ff
    inet 10.0.0.254/24 scope global eth0.100
4: ppp0: <POINTOPOINT,UP,LOWER_UP> mtu 1492
    link/ppp
    inet 10.9.0.1 peer 10.9.0.2/32 scope global ppp0
`;

describe('ip addr show', () => {
  it('reads names, flags, addresses and what belongs to what', () => {
    const device = stateOf(`### ip addr show\n${ADDRESSES}`);
    expect(device.known.interfaces).toBe(true);
    const [lo, eth0, vlan, ppp] = device.interfaces;
    expect(lo).toMatchObject({ name: 'lo', index: 1, linkType: 'loopback', up: true });
    expect(eth0).toMatchObject({
      name: 'eth0',
      index: 2,
      mtu: 1500,
      master: 'br0',
      group: 'lan',
      up: true,
      lowerUp: true,
    });
    expect(formatMac(eth0!.mac!)).toBe('02:00:00:00:00:01');
    expect(eth0!.addresses.map((address) => [formatPrefix(address.prefix), address.secondary])).toEqual([
      ['192.168.0.254/24', false],
      ['192.168.0.253/24', true],
      ['fe80::1/64', false],
    ]);
    expect(vlan).toMatchObject({ name: 'eth0.100', parent: 'eth0', up: false, lowerUp: false });
    expect(formatPrefix(ppp!.addresses[0]!.peer!)).toBe('10.9.0.2/32');
    expect(formatIpAddress(ppp!.addresses[0]!.prefix)).toBe('10.9.0.1');
    expect(eth0!.origin).toMatchObject({ line: 6, column: 1 });
  });

  it('ip -d link adds the kind and keeps the addresses; the other end of a cable is no parent', () => {
    const device = stateOf(
      `### ip addr show\n${ADDRESSES}5: v1@v0: <UP> mtu 1500\n    link/ether 02:00:00:00:00:05 brd ff:ff:ff:ff:ff:ff\n` +
        '### ip -d link show\n3: eth0.100@eth0: <BROADCAST> mtu 1400\n    link/ether 02:00:00:00:00:02 brd ff:ff:ff:ff:ff:ff promiscuity 0\n    vlan protocol 802.1Q id 100 <REORDER_HDR>\n' +
        '5: v1@v0: <UP> mtu 1500\n    link/ether 02:00:00:00:00:05 brd ff:ff:ff:ff:ff:ff\n    veth\n',
    );
    expect(device.interfaces.find((link) => link.name === 'eth0.100')).toMatchObject({
      linkKind: 'vlan',
      vlan: 100,
      parent: 'eth0',
    });
    expect(device.interfaces.find((link) => link.name === 'eth0.100')!.addresses).toHaveLength(1);
    expect(device.interfaces.find((link) => link.name === 'v1')!.parent).toBeUndefined();
  });

  it('gives the routes that the kernel makes of addresses, where no dump shows the tables', () => {
    const device = stateOf(`### ip addr show\n${ADDRESSES}`);
    expect(routesOf(device, 254)).toEqual(['254 unicast 192.168.0.0/24 dev eth0', '254 unicast 10.9.0.2/32 dev ppp0']);
    expect(routesOf(device, 255)).toEqual([
      '255 local 127.0.0.1/32 dev lo',
      '255 local 127.0.0.0/8 dev lo',
      '255 broadcast 127.255.255.255/32 dev lo',
      '255 local 192.168.0.254/32 dev eth0',
      '255 broadcast 192.168.0.255/32 dev eth0',
      '255 local 192.168.0.253/32 dev eth0',
      '255 local 10.9.0.1/32 dev ppp0',
    ]);
    expect(device.known.routeTables4).toEqual(new Set([255]));
    expect(device.routes.every((route) => route.origin === undefined)).toBe(true);
  });

  it('two sets of addresses are of two routers', () => {
    const other = ADDRESSES.replace('192.168.0.254/24', '192.168.0.1/24');
    expect(() => stateOfFiles({ a: ADDRESSES, b: other })).toThrow(/ip addr.*a:1:1 and b:1:1/);
    expect(() => stateOf(ADDRESSES + ADDRESSES)).not.toThrow();
  });
});

describe('ip neigh, sysctl and the rest', () => {
  it('reads neighbours, two MAC addresses of one address included', () => {
    const device = stateOf(
      '172.16.0.1 dev eth1 lladdr 02:00:00:00:01:01 REACHABLE\n172.16.0.1 dev eth1 lladdr 02:00:00:00:01:02 STALE\n10.0.0.9 dev eth2  FAILED\n',
    );
    expect(device.dialects).toEqual(['linux-ip-neigh']);
    expect(
      device.neighbours.map((entry) => [
        formatIpAddress(entry.address),
        entry.device,
        entry.mac === undefined ? '' : formatMac(entry.mac),
        entry.state,
      ]),
    ).toEqual([
      ['172.16.0.1', 'eth1', '02:00:00:00:01:01', 'REACHABLE'],
      ['172.16.0.1', 'eth1', '02:00:00:00:01:02', 'STALE'],
      ['10.0.0.9', 'eth2', '', 'FAILED'],
    ]);
  });

  const sysctls: readonly { line: string; path: string; value: string }[] = [
    { line: 'net.ipv4.conf.eth0.rp_filter = 1', path: 'net/ipv4/conf/eth0/rp_filter', value: '1' },
    { line: 'net.ipv4.conf.eth0/100.rp_filter = 2', path: 'net/ipv4/conf/eth0.100/rp_filter', value: '2' },
    { line: 'net/ipv4/conf/eth0.100/rp_filter = 2', path: 'net/ipv4/conf/eth0.100/rp_filter', value: '2' },
    { line: '/proc/sys/net/ipv4/conf/eth0.100/rp_filter = 2', path: 'net/ipv4/conf/eth0.100/rp_filter', value: '2' },
    { line: '/proc/sys/net/ipv4/conf/all/rp_filter:0', path: 'net/ipv4/conf/all/rp_filter', value: '0' },
    {
      line: 'net.ipv4.ip_local_port_range = 32768\t60999',
      path: 'net/ipv4/ip_local_port_range',
      value: '32768\t60999',
    },
    { line: 'net.ipv4.ip_forward=1', path: 'net/ipv4/ip_forward', value: '1' },
  ];
  it.each(sysctls)('sysctl $line', ({ line, path, value }) => {
    const device = stateOf(`${line}\n`);
    expect(device.sysctls.get(path)?.value).toBe(value);
    expect(device.sysctls.get(path)?.origin?.line).toBe(1);
    expect(device.known.sysctls).toBe(true);
  });

  it('skips the messages of sysctl, and reports what is no setting', () => {
    const device = stateOf(
      "### sysctl -a\nsysctl: permission denied on key 'net.ipv4.route.flush'\nnet.ipv4.ip_forward = 1\nwhat is this\n",
    );
    expect(withoutMissing(placesOf(device))).toEqual(['RV302 4:1']);
  });

  it('settings that differ are of two routers', () => {
    expect(() =>
      stateOfFiles({ a: 'net.ipv4.conf.all.rp_filter = 0\n', b: 'net.ipv4.conf.all.rp_filter = 1\n' }),
    ).toThrow(InputError);
  });

  const dates: readonly { text: string; want: string | undefined }[] = [
    { text: '2026-11-21T20:01:02Z', want: '2026-11-21T20:01:02.000000000Z' },
    { text: '2026-11-21T20:01:02,5+01:00', want: '2026-11-21T19:01:02.500000000Z' },
    { text: '2026-11-21 20:01:02-0530', want: '2026-11-22T01:31:02.000000000Z' },
    { text: 'Sat Nov 21 20:01:02 UTC 2026', want: '2026-11-21T20:01:02.000000000Z' },
    { text: 'Sat Nov  1 08:01:02 PM CET 2026', want: '2026-11-01T19:01:02.000000000Z' },
    { text: 'Sat 21 Nov 2026 12:01:02 AM UTC', want: '2026-11-21T00:01:02.000000000Z' },
    { text: 'Sat, 21 Nov 2026 20:01:02 +0200', want: '2026-11-21T18:01:02.000000000Z' },
    { text: '1795291262', want: '2026-11-21T20:01:02.000000000Z' },
    { text: 'Sat Nov 21 20:01:02 IST 2026', want: undefined },
    { text: 'soon', want: undefined },
  ];
  it.each(dates)('date $text', ({ text, want }) => {
    const device = stateOf(`### date\n${text}\n### hostname\nr1\n### uname -r\n6.1.0\n### ip rule show\n`);
    expect(device.collectedAt).toBe(want);
    expect(device.hostname).toBe('r1');
    expect(device.kernelRelease).toBe('6.1.0');
    expect(codesOf(device).includes('RV302')).toBe(want === undefined);
  });
});
