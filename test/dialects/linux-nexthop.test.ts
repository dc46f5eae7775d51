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
