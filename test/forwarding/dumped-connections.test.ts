import { describe, expect, it } from 'vitest';
import { parseRouterState } from '../../src/dialects/index.ts';
import { device, Lab, type PacketParts } from './builders.ts';

const LINKS = ['eth0 192.168.0.254/24', 'eth2 10.0.0.254/24'];
const TAKEN_AT = '2026-01-01T00:00:00Z';
const SECONDS = Date.parse(TAKEN_AT) / 1000;
const RULES = { mangle: ['-A PREROUTING -m conntrack --ctstate NEW -j CONNMARK --set-xmark 0x7/0xffffffff'] };
const DATA: PacketParts = {
  from: '192.168.0.10:40000',
  to: '10.0.0.10:22',
  flags: 'PA',
  sequence: 77,
  acknowledgement: 99,
};
const ANSWER: PacketParts = {
  from: '10.0.0.10:22',
  to: '192.168.0.10:40000',
  flags: 'A',
  sequence: 99,
  acknowledgement: 78,
};

/** `SECONDS STATE`, and what stands behind the tuples. */
function line(head: string, tail = '[ASSURED] mark=5'): string {
  return `tcp 6 ${head} src=192.168.0.10 dst=10.0.0.10 sport=40000 dport=22 src=10.0.0.10 dst=192.168.0.10 sport=22 dport=40000 ${tail}`;
}

function lab(dump: string, tables: Parameters<typeof device>[0]['tables'] = RULES, collectedAt?: string): Lab {
  const { connections } = parseRouterState([{ path: 'c', text: `### conntrack -L\n${dump}\n` }]);
  return new Lab({
    ...device({ links: LINKS, tables }),
    connections: connections!,
    collectedAt: collectedAt ?? TAKEN_AT,
  });
}

describe('a connection that the dump has', () => {
  it('goes on with its mark, in both directions, whatever its sequence numbers', () => {
    const router = lab(line('431999 ESTABLISHED'));
    router.send('eth0', { ...DATA, at: SECONDS + 60 });
    expect([router.state, router.connmark]).toEqual(['established', 5]);
    router.send('eth2', { ...ANSWER, at: SECONDS + 61 });
    expect([router.state, router.connmark]).toEqual(['established', 5]);
    router.send('eth0', { ...DATA, sequence: 1_000_000, at: SECONDS + 62 });
    expect([router.state, router.connmark]).toEqual(['established', 5]);
  });

  const marks = { mangle: [...RULES.mangle, '-A PREROUTING -m connmark --mark 0x5 -j DROP'] };
  const cases: readonly { name: string; dump: string; at: number; packet?: Partial<PacketParts>; want: RegExp }[] = [
    { name: 'is used within its time', dump: line('100 ESTABLISHED'), at: 99, want: /^dropped-by-rule/ },
    { name: 'may be gone when its time is over', dump: line('100 ESTABLISHED'), at: 101, want: /^undetermined/ },
    {
      name: 'is not used for what was captured before the dump',
      dump: line('100 ESTABLISHED'),
      at: -1,
      want: /^eth2/,
    },
    {
      name: 'is not used where the first frame is a SYN',
      dump: line('100 ESTABLISHED'),
      at: 1,
      packet: { flags: 'S' },
      want: /^eth2/,
    },
    {
      name: 'may have moved on where it was not established',
      dump: line('60 SYN_RECV', 'mark=5'),
      at: 1,
      want: /^undetermined/,
    },
    {
      name: 'may have been replied to since',
      dump: line('60 SYN_SENT', '[UNREPLIED] mark=5'),
      at: 1,
      want: /^undetermined/,
    },
    {
      name: 'has an unknown mark where none is printed',
      dump: line('100 ESTABLISHED', ''),
      at: 1,
      want: /^undetermined/,
    },
    { name: 'is of its zone', dump: line('100 ESTABLISHED', 'mark=5 zone=1'), at: 1, want: /^eth2/ },
    {
      name: 'is not another one',
      dump: line('100 ESTABLISHED'),
      at: 1,
      packet: { from: '192.168.0.10:40001' },
      want: /^eth2/,
    },
  ];
  it.each(cases)('$name', ({ dump, at, packet, want }) => {
    expect(lab(dump, marks).send('eth0', { ...DATA, ...packet, at: SECONDS + at })).toMatch(want);
  });

  it('of UDP without an answer is there for the shortest time behind each packet, and gone behind the longest', () => {
    const dump =
      'udp 17 25 src=192.168.0.10 dst=10.0.0.10 sport=40000 dport=22 [UNREPLIED] src=10.0.0.10 dst=192.168.0.10 sport=22 dport=40000 mark=5';
    const drops = { mangle: ['-A PREROUTING -m connmark --mark 0x5 -j DROP'] };
    const behind = (...seconds: number[]): string => {
      const router = lab(dump, drops);
      const { flags: _, sequence: __, acknowledgement: ___, ...parts } = DATA;
      const fates = seconds.map((at) => router.send('eth0', { ...parts, protocol: 'udp', at: SECONDS + at }));
      return fates.at(-1)!.replace(/:.*/, '');
    };
    expect(behind(1)).toBe('dropped-by-rule');
    expect(behind(1, 30)).toBe('dropped-by-rule');
    expect(behind(1, 30, 59)).toBe('dropped-by-rule');
    expect(behind(1, 32)).toBe('undetermined');
    expect(behind(1, 30, 61)).toBe('undetermined');
    expect(behind(1, 119)).toBe('undetermined');
    expect(behind(1, 122)).toBe('eth2 10.0.0.10');
  });

  it('is used once: what ended within the capture does not come back', () => {
    const router = lab(line('431999 ESTABLISHED'), marks);
    const reset = { flags: 'RA', sequence: 77, acknowledgement: 99 };
    const accepting = lab(line('431999 ESTABLISHED'));
    accepting.send('eth0', { ...DATA, ...reset, at: SECONDS + 1 });
    accepting.send('eth0', { ...DATA, at: SECONDS + 600 });
    expect([accepting.state, accepting.connmark]).toEqual(['new', 7]);
    router.send('eth0', { ...DATA, flags: 'S', at: SECONDS + 1 });
    expect(router.send('eth0', { ...DATA, at: SECONDS + 500 })).toMatch(/^eth2/);
  });

  it('is translated as its tuples say', () => {
    const translated =
      'tcp 6 431999 ESTABLISHED src=192.168.0.10 dst=192.168.0.254 sport=40000 dport=22 src=10.0.0.10 dst=192.168.0.10 sport=2222 dport=40000 mark=5';
    const router = lab(translated, { nat: ['-A PREROUTING -p tcp --dport 81 -j DNAT --to-destination 10.0.0.20'] });
    expect(router.send('eth0', { ...DATA, to: '192.168.0.254:22', at: SECONDS + 1 })).toBe('eth2 10.0.0.10');
  });

  it('ends where it leaves elsewhere, if it was masqueraded, which no listing tells', () => {
    const masqueraded =
      'tcp 6 431999 ESTABLISHED src=192.168.0.10 dst=10.0.0.10 sport=40000 dport=22 src=10.0.0.10 dst=172.16.0.254 sport=22 dport=40000 [ASSURED] mark=5';
    const nat = (rule: string) => lab(masqueraded, { nat: [`-A POSTROUTING ${rule}`] });
    const data = { ...DATA, to: '10.0.0.10:22', at: SECONDS + 1 };
    expect(nat('-j MASQUERADE').send('eth0', data)).toMatch(/^undetermined/);
    expect(nat('-j SNAT --to-source 172.16.0.254').send('eth0', data)).toBe('eth2 10.0.0.10');
  });

  it('has its reply, which no other of a protocol without ports may have', () => {
    const listed = 'unknown 50 599 src=192.168.0.11 dst=10.0.0.10 [UNREPLIED] src=10.0.0.10 dst=192.168.0.9 mark=5';
    const router = lab(listed, { nat: ['-A POSTROUTING -j SNAT --to-source 192.168.0.9'] });
    const other = { protocol: 'esp', from: '192.168.0.10', to: '10.0.0.11', at: SECONDS + 1 } as const;
    expect(router.send('eth0', other)).toBe('eth2 10.0.0.11');
    expect(router.send('eth0', { ...other, to: '10.0.0.10' })).toMatch(/^undetermined/);
  });
});
