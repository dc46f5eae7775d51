import { describe, expect, it } from 'vitest';
import { memberLength } from '../../src/model/ip-set.ts';
import { placesOf, rulesOf, showRule, stateOf } from './state-text.ts';

const HEAD = 'hashsize 1024 maxelem 65536 bucketsize 12 initval 0x00f9aac8';

function show(text: string): { members: string[]; unknown?: string } {
  const device = stateOf(`### ipset save\n${text}\n### iptables-save\n`);
  const set = device.sets!.get('a')!;
  const length = memberLength(set.parts);
  const members: string[] = [];
  for (let at = 0; at < set.members.length; at += length) {
    members.push([...set.members.subarray(at, at + length)].map((word) => (word >>> 0).toString(16)).join(' '));
  }
  return { members, ...(set.unknown === undefined ? {} : { unknown: set.unknown }) };
}

describe('members of every type of set', () => {
  const cases: { name: string; lines: readonly string[]; want: readonly string[] }[] = [
    { name: 'addresses', lines: [`create a hash:ip family inet ${HEAD}`, 'add a 10.0.0.1'], want: ['a000001 20 0'] },
    {
      name: 'addresses under a mask, with everything that a set can keep beside',
      lines: [
        'create a hash:ip family inet hashsize 1024 maxelem 65536 netmask 24 timeout 100 counters comment skbinfo bucketsize 12 initval 0x1',
        'add a 10.2.1.9 timeout 0 packets 3 bytes 4 comment "add b nomatch" skbmark 0x1/0xff skbprio 1:2 skbqueue 3',
        'add a 10.3.1.0 timeout 99 packets 0 bytes 0',
      ],
      want: ['a020100 20 0', 'a030100 20 2'],
    },
    {
      name: 'networks and their exceptions',
      lines: [`create a hash:net family inet ${HEAD}`, 'add a 10.0.0.0/8', 'add a 10.0.0.1 nomatch'],
      want: ['a000000 8 0', 'a000001 20 1'],
    },
    {
      name: 'ports of protocols that have them and of those that have none',
      lines: [
        `create a hash:ip,port family inet ${HEAD}`,
        ...['tcp:80', 'udp:53', 'icmp:host-unreachable', 'icmp:8/3', 'gre:0', '200:0', 'ospf:0'].map(
          (port) => `add a 10.0.0.1,${port}`,
        ),
      ],
      want: ['6 50', '11 35', '1 301', '1 803', '2f 0', 'c8 0', '59 0'].map((port) => `a000001 20 ${port} 0`),
    },
    {
      name: 'three parts',
      lines: [`create a hash:ip,port,net family inet ${HEAD}`, 'add a 10.0.0.1,tcp:80,10.1.0.0/16'],
      want: ['a000001 20 6 50 a010000 10 0'],
    },
    {
      name: 'interfaces, also by prefix',
      lines: [
        `create a hash:net,iface family inet ${HEAD}`,
        'add a 10.0.0.0/8,eth0',
        'add a 0.0.0.0/0,eth wildcard',
        'add a 10.1.0.0/16,eth0',
      ],
      want: ['a000000 8 0 0 0', '0 0 1 1 0', 'a010000 10 0 0 0'],
    },
    {
      name: 'marks',
      lines: [`create a hash:ip,mark family inet markmask 0x000000ff ${HEAD}`, 'add a 10.0.0.1,0x00000010'],
      want: ['a000001 20 10 0 0'],
    },
    {
      name: 'MAC addresses',
      lines: [`create a hash:mac ${HEAD}`, 'add a F1:02:03:04:05:06'],
      want: ['f102 3040506 0'],
    },
    {
      name: 'addresses with MAC addresses',
      lines: ['create a bitmap:ip,mac range 10.0.0.0-10.0.0.255', 'add a 10.0.0.6,01:02:03:04:05:06'],
      want: ['a000006 20 102 3040506 0'],
    },
    {
      name: 'ports without protocol',
      lines: ['create a bitmap:port range 0-65535', 'add a 80'],
      want: ['0 50 0'],
    },
    {
      name: 'sets, of both formats of ipset',
      lines: [
        'Name: b',
        'Type: hash:ip',
        'Revision: 6',
        `Header: family inet ${HEAD}`,
        'Size in memory: 200',
        'References: 1',
        'Number of entries: 1',
        'Members:',
        '10.0.0.1 timeout 5',
        '',
        'Name: a',
        'Type: list:set',
        'Revision: 3',
        'Header: size 8',
        'Members:',
        'b',
      ],
      want: ['0 0 0'],
    },
    {
      name: 'IPv6 members, which nothing looks up yet',
      lines: [`create a hash:net family inet6 ${HEAD}`, 'add a fe80::/64'],
      want: [],
    },
  ];
  it.each(cases)('$name', ({ lines, want }) => {
    expect(show(lines.join('\n'))).toEqual({ members: want });
  });

  const unknown: { name: string; lines: readonly string[]; want: RegExp }[] = [
    { name: 'a type that is not modelled', lines: [`create a hash:vlan ${HEAD}`], want: /type hash:vlan/ },
    {
      name: 'a member for several addresses',
      lines: [`create a hash:ip ${HEAD}`, 'add a 10.0.0.1', 'add a 10.0.0.0/30'],
      want: /10\.0\.0\.0\/30/,
    },
    {
      name: 'a member of another shape',
      lines: [`create a hash:ip,port ${HEAD}`, 'add a 10.0.0.1'],
      want: /not understood/,
    },
    {
      name: 'an address that learns its MAC address',
      lines: ['create a bitmap:ip,mac range 10.0.0.0-10.0.0.255', 'add a 10.0.0.5'],
      want: /first packet/,
    },
    {
      name: 'a bridge port',
      lines: [`create a hash:net,iface ${HEAD}`, 'add a 10.0.0.0/8,physdev:eth0'],
      want: /physdev/,
    },
    {
      name: 'a mask of two networks',
      lines: [`create a hash:ip,port bitmask 255.255.0.255 ${HEAD}`],
      want: /bitmask/,
    },
    { name: 'an option that nobody knows', lines: [`create a hash:ip sticky 3 ${HEAD}`], want: /sticky/ },
  ];
  it.each(unknown)('$name makes the set unknown', ({ lines, want }) => {
    const shown = show(lines.join('\n'));
    expect(shown.members).toEqual([]);
    expect(shown.unknown).toMatch(want);
  });
});

describe('sets and the rules that use them', () => {
  const rules =
    '*mangle\n-A PREROUTING -m set ! --match-set a src,dst --return-nomatch ! --update-counters -j DROP\nCOMMIT\n';

  it('a rule names its set, the directions and what counts', () => {
    const device = stateOf(`### ipset save\ncreate a hash:ip,port ${HEAD}\n### iptables-save\n${rules}`);
    expect(rulesOf(device, 'mangle', 'PREROUTING').map(showRule)).toEqual([
      '! set {"set":"a","directions":["source","destination"],"returnNomatch":true,"negated":true} > drop',
    ]);
    expect(placesOf(device).filter((place) => !place.startsWith('RV304'))).toEqual([]);
  });

  it('a set that the dump does not have is undefined, said once', () => {
    const twice = rules.replace('COMMIT', '-A PREROUTING -m set --match-set a src -j ACCEPT\nCOMMIT');
    const device = stateOf(`### ipset save\n### iptables-save\n${twice}`);
    const found = device.problems.filter(({ code }) => code === 'RV303');
    expect(found.map(({ message }) => message)).toEqual(['nothing defines set a']);
  });

  it('without a dump of sets, the state is incomplete', () => {
    const device = stateOf(`### iptables-save\n${rules}`);
    expect(device.sets).toBeUndefined();
    expect(device.problems.some(({ code, message }) => code === 'RV304' && message.includes('ipset save'))).toBe(true);
  });

  it('two dumps may differ in counters and times, and in nothing else', () => {
    const dump = (time: number, member: string): string =>
      `### ipset save\ncreate a hash:ip timeout 9 ${HEAD}\nadd a ${member} timeout ${time}\n`;
    expect(stateOf(`${dump(5, '10.0.0.1')}${dump(3, '10.0.0.1')}`).sets!.size).toBe(1);
    expect(() => stateOf(`${dump(5, '10.0.0.1')}${dump(5, '10.0.0.2')}`)).toThrow(/two different states of ipset/);
  });

  it('counters are not modelled', () => {
    const counted = rules.replace('--return-nomatch', '--packets-gt 3');
    const device = stateOf(`### ipset save\ncreate a hash:ip,port ${HEAD}\n### iptables-save\n${counted}`);
    expect(device.problems.map(({ message }) => message).join('\n')).toContain('-m set --packets-gt is not modelled');
  });

  it('text that is no line of ipset is said', () => {
    const device = stateOf('### ipset save\nflush a\nadd b 10.0.0.1\n');
    expect(placesOf(device).filter((place) => place.startsWith('RV302'))).toEqual(['RV302 2:1', 'RV302 3:1']);
  });
});
