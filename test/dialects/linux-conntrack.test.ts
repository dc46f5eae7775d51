import { describe, expect, it } from 'vitest';
import type { ConnectionTuple } from '../../src/model/dumped-connection.ts';
import { formatIpAddress } from '../../src/net/ip-address.ts';
import { codesOf, stateOf } from './state-text.ts';

const TCP = 'src=192.168.0.10 dst=10.0.0.10 sport=40000 dport=22 src=10.0.0.10 dst=192.168.0.10 sport=22 dport=40000';

function tuple({ source, destination, sourcePort, destinationPort, icmpType }: ConnectionTuple): string {
  const type = icmpType === undefined ? '' : ` type ${icmpType}`;
  return `${formatIpAddress(source)}:${sourcePort} > ${formatIpAddress(destination)}:${destinationPort}${type}`;
}

function read(line: string): unknown {
  const device = stateOf(`### conntrack -L\n${line}\n`);
  const { connections = [] } = device;
  return [
    ...codesOf(device).filter((code) => code === 'RV302'),
    ...connections.map((entry) => ({
      protocol: entry.protocol,
      timeout: entry.timeout,
      ...(entry.state === undefined ? {} : { state: entry.state }),
      tuples: [tuple(entry.original), tuple(entry.reply)],
      flags: `${entry.seenReply ? 'replied' : 'unreplied'}${entry.assured ? ' assured' : ''}`,
      mark: entry.mark,
      zones: [entry.zoneOriginal, entry.zoneReply],
      ...(entry.helper === undefined ? {} : { helper: entry.helper }),
    })),
  ];
}

const ENTRY = {
  protocol: 6,
  timeout: 431999,
  state: 'ESTABLISHED',
  tuples: ['192.168.0.10:40000 > 10.0.0.10:22', '10.0.0.10:22 > 192.168.0.10:40000'],
  flags: 'replied assured',
  mark: 1,
  zones: [0, 0],
};

// Lines as conntrack 1.4.7 and Linux 6.18 print them.
describe('conntrack -L', () => {
  const cases: readonly { name: string; line: string; want: readonly unknown[] }[] = [
    { name: 'TCP', line: `tcp      6 431999 ESTABLISHED ${TCP} [ASSURED] mark=1 use=1`, want: [ENTRY] },
    {
      name: 'extended, with the id',
      line: `ipv4     2 tcp      6 431999 ESTABLISHED ${TCP} [ASSURED] mark=1 use=1 id=3341001573`,
      want: [ENTRY],
    },
    {
      name: '/proc/net/nf_conntrack',
      line: `ipv4     2 tcp      6 431999 ESTABLISHED ${TCP} [ASSURED] mark=1 zone=7 use=2`,
      want: [{ ...ENTRY, zones: [7, 7] }],
    },
    {
      name: 'counters, a helper and words that are not known',
      line: `tcp      6 431999 ESTABLISHED ${TCP} [ASSURED] [NEWER] secctx=x mark=1 helper=ftp packets=3 use=1`,
      want: [{ ...ENTRY, helper: 'ftp' }],
    },
    {
      name: 'without a reply, the zone of one direction, no mark',
      line: 'udp      17 29 src=1.0.0.1 dst=1.0.0.2 sport=5 dport=54 zone-orig=4 [UNREPLIED] src=1.0.0.2 dst=1.0.0.1 sport=54 dport=5 use=1',
      want: [
        {
          protocol: 17,
          timeout: 29,
          tuples: ['1.0.0.1:5 > 1.0.0.2:54', '1.0.0.2:54 > 1.0.0.1:5'],
          flags: 'unreplied',
          zones: [4, 0],
        },
      ],
    },
    {
      name: 'the zone of the reply',
      line: 'udp      17 29 src=1.0.0.1 dst=1.0.0.2 sport=5 dport=55 [UNREPLIED] src=1.0.0.2 dst=1.0.0.1 sport=55 dport=5 zone-reply=4 mark=5 use=1',
      want: [
        {
          protocol: 17,
          timeout: 29,
          tuples: ['1.0.0.1:5 > 1.0.0.2:55', '1.0.0.2:55 > 1.0.0.1:5'],
          flags: 'unreplied',
          mark: 5,
          zones: [0, 4],
        },
      ],
    },
    {
      name: "a ping, whose identifier is not the entry's",
      line: 'icmp     1 29 src=1.0.0.1 dst=1.0.0.2 type=8 code=0 id=7 src=1.0.0.2 dst=1.0.0.1 type=0 code=0 id=7 mark=5 use=1 id=1562',
      want: [
        {
          protocol: 1,
          timeout: 29,
          tuples: ['1.0.0.1:7 > 1.0.0.2:7 type 8', '1.0.0.2:7 > 1.0.0.1:7 type 0'],
          flags: 'replied',
          mark: 5,
          zones: [0, 0],
        },
      ],
    },
    {
      name: 'a protocol without a name',
      line: 'unknown  50 599 src=1.0.0.1 dst=1.0.0.2 [UNREPLIED] src=1.0.0.2 dst=1.0.0.1 mark=0 use=1',
      want: [
        {
          protocol: 50,
          timeout: 599,
          tuples: ['1.0.0.1:0 > 1.0.0.2:0', '1.0.0.2:0 > 1.0.0.1:0'],
          flags: 'unreplied',
          mark: 0,
          zones: [0, 0],
        },
      ],
    },
    { name: 'the count', line: 'conntrack v1.4.7 (conntrack-tools): 5 flow entries have been shown.', want: [] },
    {
      name: 'IPv6',
      line: 'ipv6     10 tcp 6 1 ESTABLISHED src=a::1 dst=a::2 sport=1 dport=2 src=a::2 dst=a::1 sport=2 dport=1 mark=0',
      want: [],
    },
    {
      name: 'one direction only',
      line: 'tcp 6 1 ESTABLISHED src=1.0.0.1 dst=1.0.0.2 sport=1 dport=2',
      want: ['RV302'],
    },
    {
      name: 'an address that is none',
      line: `tcp 6 1 ${TCP.replace('10.0.0.10', '10.0.0.999')} mark=0`,
      want: ['RV302'],
    },
    { name: 'a port that is none', line: `tcp 6 1 ${TCP.replace('dport=22', 'dport=65536')} mark=0`, want: ['RV302'] },
    { name: 'something else', line: 'permission denied', want: ['RV302'] },
  ];
  it.each(cases)('$name', ({ line, want }) => {
    expect(read(line)).toEqual(want);
  });

  it('without the time at which it was taken is not used, and that is said', () => {
    expect(stateOf(`### conntrack -L\ntcp 6 9 ESTABLISHED ${TCP} mark=1\n`).notices.join()).toMatch(/is not used/);
  });
});
