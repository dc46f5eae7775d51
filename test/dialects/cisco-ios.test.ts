/** How texts of Cisco IOS routers are read: configurations in every form, outputs, and what is wrong with them. */
import { describe, expect, it } from 'vitest';
import { parseDevice } from '../../src/dialects/index.ts';
import { applyCiscoCommands } from '../../src/dialects/cisco-ios.ts';
import type { PolicyRouteDevice } from '../../src/model/policy-route.ts';
import { formatIpAddress, formatIpv4 } from '../../src/net/ip-address.ts';
import { formatPrefix } from '../../src/net/prefix.ts';
import {
  runningConfiguration,
  SEED_IN_ONE_LINE,
  SEED_STEPS,
  showArp,
  showInterfaces,
} from '../lab/policy-router-configurations.ts';

function read(...texts: readonly string[]): PolicyRouteDevice {
  const device = parseDevice(texts.map((text, index) => ({ path: `${index + 1}.txt`, text })));
  if (device.kind !== 'policy-route') throw new Error('this was read as a Linux router');
  return device;
}

/** What decides where packets go, without places. */
function decides(device: PolicyRouteDevice): unknown {
  const strip = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(strip);
    if (value instanceof Map) return [...value].map(strip);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value)
        .filter(([key]) => key !== 'origin')
        .map(([key, inner]) => [key, strip(inner)]),
    );
  };
  const { lists, maps, routes, ports } = device;
  return strip({
    lists,
    maps,
    routes,
    ports: [...ports.values()].map(({ name, policy, up }) => ({ name, policy, up })),
  });
}

const codes = (device: PolicyRouteDevice): string[] => device.problems.map(({ code, message }) => `${code} ${message}`);

describe('a configuration without line ends', () => {
  it("the seed's is read as if its lines were there", () => {
    const folded = read(SEED_IN_ONE_LINE);
    expect(codes(folded)).toEqual([]);
    expect(decides(folded)).toEqual(decides(read(runningConfiguration())));
  });

  it('is shown as it was read, with the place where it stands', () => {
    const { notices } = read(SEED_IN_ONE_LINE);
    expect(notices[0]).toMatch(/^1\.txt:1:\d+: a configuration without line ends, read as$/);
    expect(notices).toContain('    interface FastEthernet0/1');
    expect(notices).toContain('    route-map scb-outbound permit 10');
    expect(notices.filter((line) => /redirecting|facing/.test(line))).toEqual([]);
  });

  it('its statements keep their columns', () => {
    const { origin } = read(SEED_IN_ONE_LINE).maps.get('scb-inbound')!.entries[0]!;
    expect(SEED_IN_ONE_LINE.slice(origin.column - 1)).toMatch(/^route-map scb-inbound permit 10 match/);
    expect(origin).toMatchObject({ line: 1, text: 'route-map scb-inbound permit 10' });
  });

  it('elsewhere a line with ! is a comment, whatever it says', () => {
    const text = runningConfiguration().replace('!\nend', '! interface FastEthernet0/0 ip policy route-map other\nend');
    expect(decides(read(text))).toEqual(decides(read(runningConfiguration())));
  });
});

describe("the seed's steps at their prompts", () => {
  it('set the router up as the whole configuration does', () => {
    const steps = read(SEED_STEPS, showInterfaces());
    expect(codes(steps)).toEqual([]);
    const whole = decides(read(runningConfiguration())) as { maps: unknown; lists: unknown };
    expect(decides(steps)).toMatchObject({ maps: whole.maps, lists: whole.lists });
    expect(steps.routes.map((route) => formatPrefix(route.prefix)).sort()).toEqual([
      '10.0.0.0/24',
      '172.16.0.0/24',
      '192.168.0.0/24',
    ]);
  });

  it('without addresses the routing table is not known', () => {
    expect(
      read(SEED_STEPS)
        .routesUnknown.map((item) => item.reason)
        .join(),
    ).toMatch(/addresses/);
  });

  it('a placeholder that was left is refused with its place', () => {
    expect(() => read('#(config) route-map m\n#(config-route-map) set ip next-hop <SPS IP address>\n')).toThrow(
      /1\.txt:2:\d+: <SPS IP address> is a placeholder/,
    );
  });
});

describe('prompts, banners and indentation', () => {
  it.each([
    ['a usual prompt', (line: string) => `Router(config)#${line}`],
    ['indented as a whole', (line: string) => `    ${line}`],
    ['with CR LF', (line: string) => `${line}\r`],
  ])('%s', (_, wrap) => {
    const text = runningConfiguration().split('\n').filter(Boolean).map(wrap).join('\n');
    expect(decides(read(text))).toEqual(decides(read(runningConfiguration())));
  });

  it('without any indentation blocks end where another begins', () => {
    const flat = runningConfiguration().replaceAll(/^ +/gm, '');
    expect(decides(read(flat))).toEqual(decides(read(runningConfiguration())));
    expect(codes(read(flat))).toEqual([]);
  });

  it('what a banner says is no configuration', () => {
    const banner = 'banner motd ^C\ninterface FastEthernet0/0\n no ip policy route-map scb-inbound\n^C\n';
    expect(decides(read(banner + runningConfiguration()))).toEqual(decides(read(runningConfiguration())));
  });
});

describe('statements that take others back', () => {
  const apply = (...commands: string[]): PolicyRouteDevice =>
    applyCiscoCommands(read(runningConfiguration()), commands);

  it('no ip policy', () => {
    expect(
      apply('interface FastEthernet0/0', 'no ip policy route-map scb-inbound').ports.get('FastEthernet0/0')?.policy,
    ).toBeUndefined();
  });

  it('an entry of a list, by its number and by its words', () => {
    const byNumber = apply('ip access-list extended ssh-inbound', 'no 10');
    const byWords = apply(
      'ip access-list extended ssh-inbound',
      'no permit tcp 192.168.0.0 0.0.0.255 10.0.0.0 0.0.0.255 eq 22',
    );
    for (const device of [byNumber, byWords]) expect(device.lists.get('ssh-inbound')?.entries).toEqual([]);
  });

  it('a next hop, and another in its place', () => {
    const device = apply(
      'route-map scb-inbound permit 10',
      'no set ip next-hop 172.16.0.1',
      'set ip next-hop 172.16.0.3',
    );
    const [action] = device.maps.get('scb-inbound')!.entries[0]!.actions;
    expect(action?.kind === 'next-hops' && action.hops.map((hop) => formatIpv4(hop.address))).toEqual(['172.16.0.3']);
  });

  it('an entry of a map, a map, a list, an address', () => {
    const device = apply(
      'no route-map scb-inbound permit 10',
      'no route-map scb-outbound',
      'no ip access-list extended ssh-inbound',
      'interface FastEthernet0/1',
      'no ip address',
    );
    expect(device.maps.get('scb-inbound')?.entries).toEqual([]);
    expect(device.maps.has('scb-outbound')).toBe(false);
    expect(device.lists.has('ssh-inbound')).toBe(false);
    expect(device.routes.map((route) => route.interface)).not.toContain('FastEthernet0/1');
  });

  it('resequence', () => {
    const device = applyCiscoCommands(read('ip access-list extended a\n permit tcp any any\n deny ip any any\n'), [
      'ip access-list resequence a 100 5',
    ]);
    expect(device.lists.get('a')?.entries.map((entry) => entry.sequence)).toEqual([100, 105]);
  });
});

describe('names that nothing defines', () => {
  it.each([
    [
      'a route-map',
      'interface Vlan1\n ip address 10.0.0.1 255.255.255.0\n ip policy route-map gone\n',
      'RV303 route-map gone is not defined: nothing is redirected on Vlan1',
      3,
    ],
    [
      'a list of an interface',
      'interface Vlan1\n ip address 10.0.0.1 255.255.255.0\n ip access-group gone in\n',
      'RV303 access list gone is not defined: it lets everything pass',
      3,
    ],
    [
      'a list of a route-map',
      'route-map m permit 10\n match ip address gone\n',
      'RV303 access list gone is not defined',
      2,
    ],
    [
      'a track',
      'route-map m permit 10\n set ip next-hop verify-availability 10.0.0.2 1 track 7\n',
      'RV303 track 7 is not defined',
      2,
    ],
    [
      'an object group',
      'ip access-list extended a\n permit tcp object-group gone any\n',
      'RV303 object group gone is not defined',
      2,
    ],
  ])('%s', (_, text, want, line) => {
    const { problems } = read(text);
    expect(problems.map(({ code, message }) => `${code} ${message}`)).toContain(want);
    const place = problems.find((problem) => problem.code === 'RV303')?.where;
    expect(place).toMatchObject({ kind: 'config', line });
  });
});

describe('what is not understood', () => {
  it.each([
    ['text of nothing', 'interface Vlan1\n frobnicate the packets!\n', /RV30[12]/],
    ['an entry of a list', 'ip access-list extended a\n permit tcp any any sometimes\n', /^RV302 this is no entry/],
    ['a service policy', 'interface Vlan1\n service-policy input police\n', /^RV301 "service-policy input police"/],
    ['a time-range', 'ip access-list extended a\n permit ip any any time-range t\n', /^RV301 "time-range t"/],
    ['a reflexive list', 'ip access-list extended a\n evaluate back\n', /^RV301 "evaluate back"/],
    [
      'NAT',
      'interface Vlan1\n ip nat inside\nip nat inside source static 10.0.0.1 1.1.1.1\n',
      /^RV301 translation of addresses/,
    ],
    ['an address from DHCP', 'interface Vlan1\n ip address dhcp\n', /^RV301 the address of Vlan1/],
  ])('%s is reported with its line', (_, text, want) => {
    const { problems } = read(text);
    expect(problems.some((problem) => want.test(`${problem.code} ${problem.message}`))).toBe(true);
    expect(problems.every((problem) => problem.where !== undefined)).toBe(true);
  });
});

describe('outputs of show', () => {
  it('show ip route takes the place of what the configuration gives', () => {
    const table = `router#show ip route
Codes: L - local, C - connected, S - static, R - RIP, M - mobile, B - BGP
       D - EIGRP, EX - EIGRP external, O - OSPF, IA - OSPF inter area

Gateway of last resort is 203.0.113.1 to network 0.0.0.0

S*    0.0.0.0/0 [1/0] via 203.0.113.1
      10.0.0.0/8 is variably subnetted, 3 subnets, 2 masks
C        10.0.0.0/24 is directly connected, FastEthernet1/0
L        10.0.0.254/32 is directly connected, FastEthernet1/0
O        10.9.0.0/16 [110/20] via 10.0.0.2, 00:01:22, FastEthernet1/0
                     [110/20] via 10.0.0.3, 00:01:22, FastEthernet1/0
C     203.0.113.0/24 is directly connected, FastEthernet0/1
`;
    const device = read('router ospf 1\n network 10.0.0.0 0.0.0.255 area 0\n', table);
    expect(device.routesUnknown).toEqual([]);
    expect(
      device.routes.map(
        (route) =>
          `${route.kind} ${formatPrefix(route.prefix)} ${route.nextHop === undefined ? route.interface : formatIpv4(route.nextHop)}`,
      ),
    ).toEqual([
      'learned 0.0.0.0/0 203.0.113.1',
      'connected 10.0.0.0/24 FastEthernet1/0',
      'connected 10.0.0.254/32 FastEthernet1/0',
      'learned 10.9.0.0/16 10.0.0.2',
      'learned 10.9.0.0/16 10.0.0.3',
      'connected 203.0.113.0/24 FastEthernet0/1',
    ]);
  });

  it('the old form of show ip route has the mask in the line above', () => {
    const device = read(
      'Codes: C - connected, S - static\n\nGateway of last resort is not set\n\n     10.0.0.0/24 is subnetted, 1 subnets\nC       10.0.0.0 is directly connected, FastEthernet1/0\n',
    );
    expect(device.routes.map((route) => formatPrefix(route.prefix))).toEqual(['10.0.0.0/24']);
  });

  it('show arp gives neighbours, and the MAC addresses of the router', () => {
    const device = read(runningConfiguration(), showArp());
    expect(device.neighbours.map((item) => `${formatIpAddress(item.address)} ${item.device}`)).toEqual([
      '192.168.0.10 FastEthernet0/0',
      '172.16.0.1 FastEthernet0/1',
      '10.0.0.10 FastEthernet1/0',
    ]);
    expect(device.interfaces.map((item) => item.mac)).toEqual([0x0200c0a800fe, 0x0200ac1000fe, 0x02000a0000fe]);
  });

  it('show interfaces says which are down', () => {
    const device = read(
      runningConfiguration(),
      'router>show interfaces\nFastEthernet0/1 is up, line protocol is down (notconnect)\n',
    );
    expect(device.ports.get('FastEthernet0/1')?.up).toBe(false);
    expect(device.ports.get('FastEthernet0/0')?.up).toBe(true);
  });

  it.each([
    ['long', 'Track 1\n  IP SLA 1 reachability\n  Reachability is Down\n    2 changes, last change 00:00:33\n'],
    [
      'brief',
      'router#show track brief\nTrack   Object          Parameter        Value Last Change\n1       ip sla  1       reachability     Down  00:00:33\n',
    ],
  ])('show track, %s', (_, text) => {
    expect(read('track 1 ip sla 1 reachability\n', text).tracks.get('1')?.state).toBe('down');
  });

  it('show clock is when the state was taken', () => {
    expect(read(runningConfiguration(), 'router#show clock\n*22:10:03.105 UTC Sat Nov 21 2026\n').collectedAt).toBe(
      '2026-11-21T22:10:03.105000000Z',
    );
  });
});

describe('one run is about one router', () => {
  it.each([
    [
      'two host names',
      ['hostname a\ninterface Vlan1\n', 'hostname b\ninterface Vlan1\n'],
      /the state of two routers: a .* and b/,
    ],
    ['prompts of two', ['a#show arp\n', 'b#show arp\n'], /the state of two routers/],
    [
      'a Linux router beside it',
      [runningConfiguration(), '*mangle\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n'],
      /is no text of cisco-ios/,
    ],
  ])('%s: refused', (_, texts, want) => {
    expect(() => read(...texts)).toThrow(want);
  });
});

describe('hostile text ends soon', () => {
  it.each([
    ['a very long line', `interface Vlan1\n description ${'x'.repeat(500_000)}\n`],
    ['prompts without end', `${'#(config) '.repeat(50_000)}\n`],
    ['exclamation marks', `${'! '.repeat(100_000)}interface Vlan1 ip address 10.0.0.1 255.255.255.0\n`],
    ['many entries', `ip access-list extended a\n${' permit tcp any any eq 22\n'.repeat(50_000)}`],
  ])('%s', (_, text) => {
    const start = process.cpuUsage();
    read(text.includes('interface') || text.includes('access-list') ? text : `${text}interface Vlan1\n`);
    const { user, system } = process.cpuUsage(start);
    expect(user + system).toBeLessThan(5_000_000);
  });
});
