import { describe, expect, it } from 'vitest';
import { parseRouterState } from '../../src/dialects/index.ts';
import { Answer } from '../../src/forwarding/linux/answer.ts';
import { compileLinks } from '../../src/forwarding/linux/links.ts';
import { matchSet, SetMatchBits } from '../../src/forwarding/linux/match-set.ts';
import type { Run } from '../../src/forwarding/linux/run.ts';
import { compileSets } from '../../src/forwarding/linux/sets.ts';
import { formatIpv4, parseIpv4 } from '../../src/net/ip-address.ts';
import { device } from './builders.ts';

const LINKS = compileLinks(device({ links: ['eth0 192.168.0.254/24', 'eth1 172.16.0.254/24', 'eth10 10.0.0.254/24'] }));
const NAMES = LINKS.names;

interface Packet {
  source: number;
  destination: number;
  protocol: number;
  sourcePort: number;
  destinationPort: number;
  ingress: number;
  egress: number;
  mark: number;
  sourceMac: number;
}

const EVERY: Packet = {
  source: parseIpv4('10.0.0.1')!,
  destination: parseIpv4('10.0.0.2')!,
  protocol: 6,
  sourcePort: 40_000,
  destinationPort: 3389,
  ingress: 1,
  egress: 2,
  mark: 0x10,
  sourceMac: 0xf10203040506,
};

/** What the simulation says of a packet. */
function ask(
  lines: readonly string[],
  set: string,
  directions: string,
  packet: Partial<Packet>,
  more: object = {},
): string {
  const text = `### ipset save\n${lines.join('\n')}\n### iptables-save\n`;
  const router = parseRouterState([{ path: 'router.txt', text }]);
  const compiled = compileSets(router, LINKS).get(set)!;
  return answerOf(compiled, directions, packet, more);
}

function answerOf(
  compiled: Parameters<typeof matchSet>[1],
  directions: string,
  packet: Partial<Packet>,
  more: { returnNomatch?: boolean; run?: Partial<Run> } = {},
): string {
  const all = { ...EVERY, ...packet };
  const run = {
    currentSource: all.source | 0,
    currentDestination: all.destination | 0,
    currentSourcePort: all.sourcePort,
    currentDestinationPort: all.destinationPort,
    protocol: all.protocol,
    hasTransport: true,
    laterFragment: false,
    status: 0,
    icmpType: 8,
    icmpCode: 0,
    mark: all.mark,
    markUnknown: 0,
    sourceMac: all.sourceMac,
    ...more.run,
  } as Run;
  const words = directions.split(',');
  let operand = words.length << SetMatchBits.countShift;
  words.forEach((word, part) => {
    if (word === 'src') operand |= 1 << part;
  });
  if (more.returnNomatch === true) operand |= SetMatchBits.returnNomatch;
  const answer = matchSet(run, compiled, operand, { ingress: all.ingress, egress: all.egress });
  return answer === Answer.yes ? 'yes' : answer === Answer.no ? 'no' : 'unknown';
}

const ip = (text: string): number => parseIpv4(text)!;

describe('which packets are in a set', () => {
  const cases: {
    name: string;
    lines: readonly string[];
    directions: string;
    packet?: Partial<Packet>;
    more?: { returnNomatch?: boolean; run?: Partial<Run> };
    want: string;
  }[] = [
    { name: 'by source', lines: ['create a hash:ip', 'add a 10.0.0.1'], directions: 'src', want: 'yes' },
    { name: 'by destination', lines: ['create a hash:ip', 'add a 10.0.0.1'], directions: 'dst', want: 'no' },
    {
      name: 'a member that may have gone',
      lines: ['create a hash:ip timeout 9', 'add a 10.0.0.1 timeout 3'],
      directions: 'src',
      want: 'unknown',
    },
    {
      name: 'a member that stays beside those that go',
      lines: ['create a hash:net timeout 9', 'add a 10.0.0.1 timeout 3', 'add a 10.0.0.0/8 timeout 0'],
      directions: 'src',
      want: 'yes',
    },
    {
      name: 'an exception that may have gone',
      lines: ['create a hash:net timeout 9', 'add a 10.0.0.1 timeout 3 nomatch', 'add a 10.0.0.0/8 timeout 0'],
      directions: 'src',
      want: 'unknown',
    },
    {
      name: 'an exception',
      lines: ['create a hash:net', 'add a 10.0.0.0/24 nomatch', 'add a 10.0.0.0/8'],
      directions: 'src',
      want: 'no',
    },
    {
      name: 'an exception, when exceptions are asked for',
      lines: ['create a hash:net', 'add a 10.0.0.0/24 nomatch', 'add a 10.0.0.0/8'],
      directions: 'src',
      more: { returnNomatch: true },
      want: 'yes',
    },
    {
      name: 'a member, when exceptions are asked for',
      lines: ['create a hash:net', 'add a 10.0.0.0/24'],
      directions: 'src',
      more: { returnNomatch: true },
      want: 'no',
    },
    {
      name: 'exceptions asked of a set that cannot have any',
      lines: ['create a hash:ip', 'add a 10.0.0.1'],
      directions: 'src',
      more: { returnNomatch: true },
      want: 'yes',
    },
    {
      name: 'a protocol without ports, also of a later fragment',
      lines: ['create a hash:ip,port', 'add a 10.0.0.1,50:0'],
      directions: 'src,dst',
      packet: { protocol: 50 },
      more: { run: { laterFragment: true, hasTransport: false } },
      want: 'yes',
    },
    {
      name: 'a later fragment has no port',
      lines: ['create a hash:ip,port', 'add a 10.0.0.1,tcp:0'],
      directions: 'src,dst',
      more: { run: { laterFragment: true, hasTransport: false } },
      want: 'no',
    },
    {
      name: 'a port that the capture cut off',
      lines: ['create a hash:ip,port', 'add a 10.0.0.1,tcp:3389'],
      directions: 'src,dst',
      more: { run: { hasTransport: false } },
      want: 'unknown',
    },
    {
      name: 'too few directions never match',
      lines: ['create a hash:ip,port', 'add a 10.0.0.1,tcp:3389'],
      directions: 'src',
      want: 'no',
    },
    {
      name: 'a port of any protocol that has them',
      lines: ['create a bitmap:port range 0-65535', 'add a 3389'],
      directions: 'dst',
      packet: { protocol: 17 },
      want: 'yes',
    },
    {
      name: 'ICMP is no port',
      lines: ['create a bitmap:port range 0-65535', 'add a 2048'],
      directions: 'dst',
      packet: { protocol: 1 },
      want: 'no',
    },
    {
      name: 'a pair of networks, the most special first',
      lines: ['create a hash:net,net', 'add a 10.0.0.0/8,10.0.0.0/24 nomatch', 'add a 10.0.0.0/24,0.0.0.0/0'],
      directions: 'src,dst',
      want: 'yes',
    },
    {
      name: 'a mark under the mask of the set',
      lines: ['create a hash:ip,mark markmask 0xf0', 'add a 10.0.0.1,0x10'],
      directions: 'src,src',
      packet: { mark: 0x1f },
      want: 'yes',
    },
    {
      name: 'a mark that is not known',
      lines: ['create a hash:ip,mark', 'add a 10.0.0.1,0x10'],
      directions: 'src,src',
      more: { run: { markUnknown: 1 } },
      want: 'unknown',
    },
    {
      name: 'a MAC address',
      lines: ['create a hash:mac', 'add a F1:02:03:04:05:06'],
      directions: 'src',
      want: 'yes',
    },
    {
      name: 'a MAC address of which the frame tells nothing',
      lines: ['create a hash:mac', 'add a F1:02:03:04:05:06'],
      directions: 'src',
      more: { run: { sourceMac: -1 } },
      want: 'unknown',
    },
    {
      name: 'a network for another interface hides wider ones',
      lines: ['create a hash:net,iface', 'add a 10.0.0.0/24,eth1', 'add a 0.0.0.0/0,eth0'],
      directions: 'src,src',
      want: 'no',
    },
    {
      name: 'interfaces by prefix',
      lines: ['create a hash:net,iface', 'add a 10.0.0.0/24,eth1 wildcard'],
      directions: 'src,src',
      packet: { ingress: NAMES.indexOf('eth10') },
      want: 'yes',
    },
    {
      name: 'no interface in that direction',
      lines: ['create a hash:net,iface', 'add a 10.0.0.0/24,eth1'],
      directions: 'src,dst',
      packet: { egress: -1 },
      want: 'no',
    },
    { name: 'a set of IPv6', lines: ['create a hash:ip family inet6'], directions: 'src', want: 'no' },
    { name: 'a set that is not modelled', lines: ['create a hash:vlan'], directions: 'src', want: 'unknown' },
    {
      name: 'a list of sets, some of which need more directions',
      lines: [
        'create b hash:ip,port',
        'add b 10.0.0.1,tcp:3389',
        'create c hash:ip',
        'add c 10.0.0.2',
        'create a list:set',
        'add a b',
        'add a c',
      ],
      directions: 'dst',
      want: 'yes',
    },
    {
      name: 'a list with a set that may have left it',
      lines: ['create c hash:ip', 'add c 10.0.0.1', 'create a list:set timeout 9', 'add a c timeout 3'],
      directions: 'src',
      want: 'unknown',
    },
  ];
  it.each(cases)('$name', ({ lines, directions, packet, more, want }) => {
    expect(ask(lines, 'a', directions, packet ?? {}, more ?? {})).toBe(want);
  });

  it('a set that rules change is unknown', () => {
    const text =
      '### ipset save\ncreate a hash:ip\nadd a 10.0.0.1\n### iptables-save\n*mangle\n' +
      '-A PREROUTING -j SET --add-set a dst --exist\nCOMMIT\n';
    const sets = compileSets(parseRouterState([{ path: 'r', text }]), LINKS);
    expect(answerOf(sets.get('a')!, 'src', {})).toBe('unknown');
  });
});

interface PlainMember {
  readonly nets: readonly { address: number; length: number }[];
  readonly port?: readonly [protocol: number, port: number];
  readonly nomatch: boolean;
}

/** The obvious way: all members that cover the packet, longest prefixes first. */
function plainly(members: readonly PlainMember[], addresses: readonly number[], port: number | undefined): string {
  const covers = (net: { address: number; length: number }, address: number): boolean =>
    net.length === 0 || net.address >>> (32 - net.length) === address >>> (32 - net.length);
  const found = members
    .filter(({ nets }) => nets.every((net, index) => covers(net, addresses[index]!)))
    .filter((member) => member.port === undefined || (member.port[0] === 6 && member.port[1] === port))
    .sort((a, b) => {
      const part = a.nets.findIndex((net, index) => net.length !== b.nets[index]!.length);
      return part < 0 ? 0 : b.nets[part]!.length - a.nets[part]!.length;
    });
  return found.length === 0 || found[0]!.nomatch ? 'no' : 'yes';
}

describe('random sets of networks', () => {
  let seed = 7;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return (seed >>> 8) % below;
  };
  const address = (): number => (ip('10.0.0.0') + random(4) * 0x10000 + random(4) * 0x100 + random(4)) >>> 0;
  const net = (): { address: number; length: number } => {
    const length = [0, 8, 14, 16, 22, 24, 30, 31, 32][random(9)]!;
    const mask = length === 0 ? 0 : (-1 << (32 - length)) >>> 0;
    return { address: (address() & mask) >>> 0, length };
  };
  it.each([
    ['hash:net', 1, false],
    ['hash:net,port', 1, true],
    ['hash:net,net', 2, false],
    ['hash:net,port,net', 2, true],
  ] as const)('%s holds what going through its members finds', (type, netCount, hasPort) => {
    let inside = 0;
    for (let round = 0; round < 60; round++) {
      const members = new Map<string, PlainMember>();
      for (let count = random(30); count >= 0; count--) {
        const nets = Array.from({ length: netCount }, net);
        const parts = nets.map(({ address: first, length }) => `${formatIpv4(first)}/${length}`);
        const port = hasPort ? ([6, 3388 + random(2)] as const) : undefined;
        if (port !== undefined) parts.splice(1, 0, `tcp:${port[1]}`);
        members.set(parts.join(), { nets, ...(port === undefined ? {} : { port }), nomatch: random(4) === 0 });
      }
      const lines = [...members].map(([text, { nomatch }]) => `add a ${text}${nomatch ? ' nomatch' : ''}`);
      const text = `### ipset save\ncreate a ${type}\n${lines.join('\n')}\n### iptables-save\n`;
      const compiled = compileSets(parseRouterState([{ path: 'r', text }]), LINKS).get('a')!;
      for (let packet = 0; packet < 40; packet++) {
        const [source, destination] = [address(), address()];
        const directions = hasPort ? 'src,dst,dst' : 'src,dst';
        const got = answerOf(compiled, directions, { source, destination, destinationPort: 3389 });
        expect(got).toBe(plainly([...members.values()], [source, destination], 3389));
        if (got === 'yes') inside++;
      }
    }
    expect(inside).toBeGreaterThan(100);
  });
});
