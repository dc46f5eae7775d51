import { describe, expect, it } from 'vitest';
import { Lab, type PacketParts } from './builders.ts';

const LINKS = ['eth0 192.168.0.254/24', 'eth1 172.16.0.254/24', 'eth2 10.0.0.254/24'];
const SYN: PacketParts = { from: '192.168.0.10:40000', to: '10.0.0.10:80', flags: 'S', sequence: 1000 };
const ANSWER: PacketParts = {
  from: '10.0.0.10:80',
  to: '192.168.0.10:40000',
  flags: 'SA',
  sequence: 5000,
  acknowledgement: 1001,
};

function lab(raw: readonly string[], mangle: readonly string[] = []): Lab {
  const marks = ['-A PREROUTING -m conntrack --ctstate NEW -j CONNMARK --set-xmark 0x7/0xffffffff'];
  return new Lab({ links: LINKS, tables: { raw, mangle: [...marks, ...mangle] } });
}

describe('conntrack zones (2.15)', () => {
  // A: the client's SYN on eth0; B: the same SYN on eth1, as a proxy that keeps the port sends it; R: the answer on eth2.
  const cases: readonly { name: string; raw: readonly string[]; want: readonly string[] }[] = [
    { name: 'without zones, both sessions are one entry', raw: [], want: ['A new', 'R established', 'B established'] },
    {
      name: 'each zone has an entry of its own',
      raw: ['-A PREROUTING -i eth0 -j CT --zone 1', '-A PREROUTING -i eth1 -j CT --zone 2'],
      want: ['A new', 'R invalid', 'B new'],
    },
    {
      name: 'the answer belongs to the zone that it is given',
      raw: ['-A PREROUTING -i eth0 -j CT --zone 1', '-A PREROUTING -i eth2 -j CT --zone 1'],
      want: ['A new', 'R established', 'B new'],
    },
    {
      name: 'a zone of the original direction leaves the reply in zone 0',
      raw: ['-A PREROUTING -i eth0 -j CT --zone-orig 1'],
      want: ['A new', 'R established', 'B new'],
    },
    {
      name: 'the first CT rule that the packet meets counts',
      raw: ['-A PREROUTING -i eth0 -j CT --zone 1', '-A PREROUTING -j CT --zone 2'],
      want: ['A new', 'R invalid', 'B new'],
    },
    {
      name: 'the mark is the zone, its lower 16 bits',
      raw: [
        '-A PREROUTING -i eth0 -j MARK --set-xmark 0x10003/0xffffffff',
        '-A PREROUTING -i eth2 -j MARK --set-xmark 0x20003/0xffffffff',
        '-A PREROUTING -j CT --zone mark',
      ],
      want: ['A new', 'R established', 'B new'],
    },
    {
      name: 'a CT rule behind NOTRACK does nothing',
      raw: ['-A PREROUTING -i eth0 -j NOTRACK', '-A PREROUTING -j CT --zone 1'],
      want: ['A untracked', 'R invalid', 'B new'],
    },
  ];
  it.each(cases)('$name', ({ raw, want }) => {
    const router = lab(raw);
    const got = want.map((step) => {
      const [who] = step.split(' ');
      if (who === 'R') router.send('eth2', ANSWER);
      else router.send(who === 'A' ? 'eth0' : 'eth1', SYN);
      return `${who} ${router.state}`;
    });
    expect(got).toEqual(want);
  });

  it('behind CT in raw the packet looks like NEW, and a connmark is there', () => {
    const router = lab([
      '-A PREROUTING -i eth0 -j CT --zone 1',
      '-A PREROUTING -m conntrack --ctstate NEW -j MARK --set-xmark 0x1/0x1',
      '-A PREROUTING -m connmark --mark 0x0 -j MARK --set-xmark 0x2/0x2',
    ]);
    router.send('eth0', SYN);
    expect(router.mark).toBe(3);
    router.send('eth1', SYN);
    expect(router.mark).toBe(0);
  });

  it('where the zone is not known, nothing is said about the connection', () => {
    const drops = '-A PREROUTING -m conntrack --ctstate INVALID -j DROP';
    const router = lab(['-A PREROUTING -i eth0 -m unheard -j CT --zone 1'], [drops]);
    expect(router.send('eth0', SYN)).toMatch(/^undetermined/);
    expect(router.send('eth2', ANSWER)).toMatch(/^undetermined/);
    expect(router.send('eth2', { ...ANSWER, to: '192.168.0.11:40000' })).toBe('dropped-by-rule');
  });
});

describe('a packet whose fate is not known', () => {
  const drops = '-A PREROUTING -m conntrack --ctstate INVALID -j DROP';

  it('may have made an entry', () => {
    const router = lab([], [drops, '-A FORWARD -p tcp --syn -j NFQUEUE']);
    expect(router.send('eth0', SYN)).toMatch(/^undetermined/);
    expect(router.send('eth2', ANSWER)).toMatch(/^undetermined/);
  });

  it('may have made an entry, though in raw', () => {
    const router = lab(['-A PREROUTING -p tcp --syn -j SET'], [drops]);
    expect(router.send('eth0', SYN)).toMatch(/^undetermined/);
    expect(router.send('eth2', ANSWER)).toMatch(/^undetermined/);
    expect(router.send('eth2', { ...ANSWER, from: '10.0.0.11:80' })).toBe('dropped-by-rule');
  });
});

describe('a connection with a helper (2.9)', () => {
  const drops = '-A PREROUTING -m conntrack --ctstate RELATED -j DROP';
  const first: PacketParts = { from: '192.168.0.10:40000', to: '10.0.0.10:21', flags: 'S', sequence: 1000 };
  const helped = (): Lab => lab(['-A PREROUTING -p tcp --dport 21 -j CT --helper ftp'], [drops]);

  it('may have another one between its hosts expected, in whichever direction', () => {
    const router = helped();
    expect(router.send('eth2', { from: '10.0.0.10:20', to: '192.168.0.10:5000', flags: 'S' })).toMatch(/^eth0/);
    expect(router.send('eth0', first)).toMatch(/^eth2/);
    expect(router.state).toBe('new');
    expect(router.send('eth2', { from: '10.0.0.10:20', to: '192.168.0.10:5001', flags: 'S' })).toMatch(/^undetermined/);
    expect(router.send('eth0', { ...first, to: '10.0.0.10:5002' })).toMatch(/^undetermined/);
  });

  it.each([
    [1, /^undetermined/],
    [0, /^eth0/],
  ])('has it by its port where nf_conntrack_helper is %s', (value, want) => {
    const sysctls = { 'net/netfilter/nf_conntrack_helper': value };
    const router = new Lab({ links: LINKS, tables: { mangle: [drops] }, sysctls });
    router.send('eth0', first);
    expect(router.send('eth2', { from: '10.0.0.10:20', to: '192.168.0.10:5001', flags: 'S' })).toMatch(want);
  });

  it('says nothing about those of other hosts', () => {
    const router = helped();
    router.send('eth0', first);
    expect(router.send('eth2', { from: '10.0.0.11:20', to: '192.168.0.10:5001', flags: 'S' })).toMatch(/^eth0/);
    expect(router.send('eth0', { ...first, from: '192.168.0.11:40000' })).toMatch(/^eth2/);
  });

  it('whose first packet was dropped expects nothing', () => {
    const router = lab(
      ['-A PREROUTING -p tcp --dport 21 -j CT --helper ftp'],
      [drops, '-A FORWARD -p tcp --dport 21 -j DROP'],
    );
    router.send('eth0', first);
    expect(router.send('eth2', { from: '10.0.0.10:20', to: '192.168.0.10:5001', flags: 'S' })).toMatch(/^eth0/);
  });
});
