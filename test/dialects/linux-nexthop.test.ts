import { describe, expect, it } from 'vitest';
import { codesOf, showRoute, stateOf } from './state-text.ts';

const OBJECTS = `### ip nexthop show
id 1 via 172.16.0.1 dev eth1 scope link
id 2 via 10.0.0.1 dev eth2 scope link proto static onlink
id 3 blackhole
id 10 group 1,3/2
id 11 group 1/2 type resilient buckets 32 idle_timer 120 unbalanced_timer 0 unbalanced_time 0
id 12 group 3
id 13 via 10.0.0.1 dev eth2 encap mpls 100
`;

describe('ip nexthop show', () => {
  const cases = [
    {
      name: 'one next hop',
      route: 'default nhid 1 proto static',
      want: '254 unicast 0.0.0.0/0 via 172.16.0.1 dev eth1',
    },
    { name: 'a black hole', route: 'default nhid 3', want: '254 blackhole 0.0.0.0/0' },
    {
      name: 'a group with weights',
      route: 'default nhid 10',
      want: '254 unicast 0.0.0.0/0 via 172.16.0.1 dev eth1 weight 3 | via 10.0.0.1 dev eth2 onlink',
    },
    { name: 'a group that is a black hole', route: 'default nhid 12', want: '254 blackhole 0.0.0.0/0' },
    {
      name: 'an encapsulation is unmodelled',
      route: 'default nhid 13',
      want: '254 unicast 0.0.0.0/0 via 10.0.0.1 dev eth2 ? encap mpls 100',
    },
    {
      name: 'a route that says its next hops keeps them',
      route:
        '10.9.0.0/16 nhid 11 \n\tnexthop via 172.16.0.1 dev eth1 weight 1 \n\tnexthop via 10.0.0.1 dev eth2 weight 1 ',
      want: '254 unicast 10.9.0.0/16 via 172.16.0.1 dev eth1 | via 10.0.0.1 dev eth2',
    },
    {
      name: 'details of the object in the list of routes',
      route:
        'unicast 5.0.0.0/8 nhid 1 table main proto boot scope global \n\tnh_info id 1 via 172.16.0.1 dev eth1 scope link proto unspec ',
      want: '254 unicast 5.0.0.0/8 via 172.16.0.1 dev eth1',
    },
  ];
  it.each(cases)('$name', ({ route, want }) => {
    const device = stateOf(`${OBJECTS}### ip route show\n${route}\n`);
    expect(device.routes.map(showRoute)).toEqual([want]);
    expect(device.routes[0]!.nextHopObject).toBeDefined();
    expect(codesOf(device)).not.toContain('RV302');
  });

  it('is told by its content', () => {
    const device = stateOf(`${OBJECTS.replace(/^###.*\n/, '')}\ndefault nhid 1 proto static\n`);
    expect(device.dialects).toContain('linux-ip-nexthop');
    expect(device.routes.map(showRoute)).toEqual(['254 unicast 0.0.0.0/0 via 172.16.0.1 dev eth1']);
  });

  it.each(['id x via 10.0.0.1 dev eth2', 'id 4 group 1,0', 'id 4 colour blue', 'id 4 via nowhere'])(
    'not understood: %s',
    (line) => {
      expect(codesOf(stateOf(`### ip nexthop show\n${line}\n`))).toContain('RV302');
    },
  );
});

const ROUTER = `### ip addr show
2: eth1: <BROADCAST,UP,LOWER_UP> mtu 1500
    inet 172.16.0.254/24 scope global eth1
3: eth2: <BROADCAST,UP,LOWER_UP> mtu 1500
    inet 10.0.0.254/24 scope global eth2
### ip rule show
0:	from all lookup local
32766:	from all lookup main
32767:	from all lookup default
### ip route show table all
local 172.16.0.254 dev eth1 table local proto kernel scope host src 172.16.0.254
local 10.0.0.254 dev eth2 table local proto kernel scope host src 10.0.0.254
172.16.0.0/24 dev eth1 proto kernel scope link src 172.16.0.254
10.0.0.0/24 dev eth2 proto kernel scope link src 10.0.0.254
`;
const FIRST = ['ip nexthop add id 1 via 172.16.0.1 dev eth1', 'ip nexthop add id 2 via 10.0.0.1 dev eth2'];

describe('commands about objects, gateways and carriers', () => {
  const cases: readonly { name: string; commands: readonly string[]; want: readonly string[]; refused?: number }[] = [
    {
      name: 'a route over a group',
      commands: [...FIRST, 'ip nexthop add id 9 group 1/2,4', 'ip route add default nhid 9 table 7'],
      want: ['7 unicast 0.0.0.0/0 via 172.16.0.1 dev eth1 | via 10.0.0.1 dev eth2 weight 4'],
    },
    { name: 'an object that is not there', commands: ['ip route add default nhid 9 table 7'], want: [], refused: 1 },
    { name: 'an object twice', commands: [...FIRST, FIRST[0]!], want: [], refused: 1 },
    {
      name: 'an object that is replaced changes its routes',
      commands: [...FIRST, 'ip route add default nhid 1 table 7', 'ip nexthop replace id 1 via 10.0.0.9 dev eth2'],
      want: ['7 unicast 0.0.0.0/0 via 10.0.0.9 dev eth2'],
    },
    {
      name: 'an object that goes takes its routes with it',
      commands: [...FIRST, 'ip route add default nhid 1 table 7', 'ip nexthop del id 1'],
      want: [],
    },
    {
      name: 'and a link without carrier its objects',
      commands: [
        ...FIRST,
        'ip nexthop add id 9 group 1/2',
        'ip route add default nhid 9 table 7',
        'ip route add 8.0.0.0/8 via 172.16.0.1 table 7',
        'ip link set eth1 carrier off',
      ],
      want: ['7 unicast 0.0.0.0/0 via 10.0.0.1 dev eth2', '7 unicast 8.0.0.0/8 via 172.16.0.1 dev eth1 linkdown'],
    },
    {
      name: 'a gateway on no link of the router',
      commands: ['ip route add default via 172.17.0.1 dev eth1 table 7'],
      want: [],
      refused: 1,
    },
    {
      name: 'a gateway behind a gateway',
      commands: ['ip route add 172.17.0.0/16 via 172.16.0.1 table 7', 'ip route add default via 172.17.0.1 table 7'],
      want: ['7 unicast 172.17.0.0/16 via 172.16.0.1 dev eth1'],
      refused: 1,
    },
    {
      name: 'a gateway that is only in a table of its own',
      commands: [
        'ip route add 172.17.0.0/16 dev eth1 table 7',
        'ip route add default via 172.17.0.1 table 7',
        'ip route add default via 172.17.0.1 table 8',
      ],
      want: ['7 unicast 172.17.0.0/16 dev eth1', '7 unicast 0.0.0.0/0 via 172.17.0.1 dev eth1'],
      refused: 1,
    },
    {
      name: 'onlink asks for no network, and not for the router itself',
      commands: [
        'ip route add default via 172.17.0.1 dev eth1 onlink table 7',
        'ip route add 8.0.0.0/8 via 10.0.0.254 dev eth1 onlink table 7',
      ],
      want: ['7 unicast 0.0.0.0/0 via 172.17.0.1 dev eth1 onlink'],
      refused: 1,
    },
    {
      name: 'a gateway that is the router itself, on the interface that has the address',
      commands: ['ip route append 10.0.0.128/25 dev eth1', 'ip route add 8.0.0.0/8 via 10.0.0.254 table 7'],
      want: ['7 unicast 8.0.0.0/8 via 10.0.0.254 dev eth2'],
    },
    {
      name: 'a source that is not the router’s',
      commands: ['ip route add default via 172.16.0.1 src 1.2.3.4 table 7'],
      want: [],
      refused: 1,
    },
    {
      name: 'an error route leads nowhere',
      commands: ['ip route add blackhole default dev eth1 table 7'],
      want: [],
      refused: 1,
    },
    {
      name: 'one route appended twice, and beside it one of another protocol',
      commands: [
        'ip route add 8.0.0.0/8 dev eth1 table 7',
        'ip route append 8.0.0.0/8 dev eth1 table 7',
        'ip route append 8.0.0.0/8 dev eth1 proto static table 7',
      ],
      want: ['7 unicast 8.0.0.0/8 dev eth1', '7 unicast 8.0.0.0/8 dev eth1'],
      refused: 1,
    },
  ];
  it.each(cases)('$name', ({ commands, want, refused = 0 }) => {
    const device = stateOf(`${ROUTER}### commands\n${commands.join('\n')}\n`);
    expect(device.routes.filter(({ table }) => table === 7).map(showRoute)).toEqual(want);
    expect(codesOf(device).filter((code) => code === 'RV302')).toHaveLength(refused);
    expect(device.runWideUnknowns).toEqual([]);
  });
});

describe('whether a policy rule was ever changed', () => {
  it.each([
    { name: 'is not known of dumps', commands: '', want: undefined },
    {
      name: 'is known of commands, even where they leave nothing behind',
      commands: 'ip rule add pref 9 fwmark 1 table 7\nip rule del pref 9\n',
      want: [4],
    },
  ])('$name', ({ commands, want }) => {
    const device = stateOf(`${ROUTER}${commands === '' ? '' : '### commands\n'}${commands}`);
    expect(device.changedRules).toEqual(want);
    expect(device.policyRules.filter(({ family }) => family === 4)).toHaveLength(3);
  });
});
