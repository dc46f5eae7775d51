import { describe, expect, it } from 'vitest';
import { DecisionFlag } from '../../src/forwarding/decision.ts';
import { DEFAULT_RULES, Lab, type PacketParts, type RouterParts } from './builders.ts';

const CLIENT = '192.168.0.10';
const SERVER = '10.0.0.10';
const SPS = '172.16.0.1';

const MARK_CLIENTS =
  '-A PREROUTING -i eth0 -d 10.0.0.0/24 -p tcp -m tcp --dport 3389 -j CONNMARK --set-xmark 0x1/0xffffffff';
const MARK_SERVERS =
  '-A PREROUTING -i eth2 -s 10.0.0.0/24 -p tcp -m tcp --sport 3389 -j CONNMARK --set-xmark 0x1/0xffffffff';
const RESTORE = '-A PREROUTING ! -i eth1 -m connmark --mark 0x1 -j MARK --set-xmark 0x1/0xffffffff';
const RESTORE_EVERYWHERE = '-A PREROUTING -m connmark --mark 0x1 -j MARK --set-xmark 0x1/0xffffffff';

function seed(
  parts: Partial<RouterParts> = {},
  mangle: readonly string[] = [MARK_SERVERS, MARK_CLIENTS, RESTORE],
): RouterParts {
  return {
    links: ['eth0 192.168.0.254/24', 'eth1 172.16.0.254/24', 'eth2 10.0.0.254/24'],
    tables: { mangle },
    rules: [DEFAULT_RULES[0]!, '32765: from all fwmark 0x1 lookup 103', DEFAULT_RULES[1]!, DEFAULT_RULES[2]!],
    ...parts,
    routes: [`default via ${SPS} dev eth1 table 103`, ...(parts.routes ?? [])],
  };
}

/** The first packets of a session: a client to server, b and c SPS to server (spoofed, own address), d and e the answers, f SPS to client. */
function session(lab: Lab, { port = 50000, client = CLIENT } = {}): Record<string, string> {
  const c = `${client}:40000`;
  const s = `${SERVER}:3389`;
  const spoofed = `${client}:${port}`;
  const own = `${SPS}:60000`;
  return {
    a: lab.send('eth0', { from: c, to: s, flags: 'S', sequence: 100 }),
    f: lab.send('eth1', { from: s, to: c, flags: 'SA', sequence: 500, acknowledgement: 101 }),
    a2: lab.send('eth0', { from: c, to: s, flags: 'A', sequence: 101, acknowledgement: 501 }),
    b: lab.send('eth1', { from: spoofed, to: s, flags: 'S', sequence: 900 }),
    d: lab.send('eth2', { from: s, to: spoofed, flags: 'SA', sequence: 700, acknowledgement: 901 }),
    c: lab.send('eth1', { from: own, to: s, flags: 'S', sequence: 300 }),
    e: lab.send('eth2', { from: s, to: own, flags: 'SA', sequence: 800, acknowledgement: 301 }),
  };
}

const CORRECT = {
  a: `eth1 ${SPS}`,
  f: `eth0 ${CLIENT}`,
  a2: `eth1 ${SPS}`,
  b: `eth2 ${SERVER}`,
  d: `eth1 ${SPS}`,
  c: `eth2 ${SERVER}`,
  e: `eth1 ${SPS}`,
};

describe('the SPS set-up (linux-forwarding 9)', () => {
  it('9.1 redirects both directions without rp_filter, with different ports', () => {
    expect(session(new Lab(seed()))).toEqual(CORRECT);
  });

  it('9.1 redirects both directions with the same port', () => {
    const lab = new Lab(seed());
    const c = `${CLIENT}:40000`;
    const s = `${SERVER}:3389`;
    expect(lab.send('eth0', { from: c, to: s, flags: 'S', sequence: 100 })).toBe(`eth1 ${SPS}`);
    expect(lab.send('eth1', { from: c, to: s, flags: 'S', sequence: 900 })).toBe(`eth2 ${SERVER}`);
    expect(lab.send('eth2', { from: s, to: c, flags: 'SA', sequence: 700, acknowledgement: 901 })).toBe(`eth1 ${SPS}`);
  });

  it('9.1 marks first packets on the client side and gives them to table 103', () => {
    const lab = new Lab(seed());
    lab.send('eth0', { from: `${CLIENT}:1`, to: `${SERVER}:3389` });
    expect([lab.mark, lab.connmark, lab.decisions.table[0], lab.state]).toEqual([1, 1, 103, 'new']);
    expect(lab.cause).toBe(`default via ${SPS} dev eth1 table 103`);
  });

  const matrix: { name: string; sysctls: Record<string, number>; want: Record<string, string> }[] = [
    { name: '9.2 off', sysctls: { 'eth1.rp_filter': 0 }, want: CORRECT },
    {
      name: '9.2 strict drops SPS packets with foreign sources, own address or not',
      sysctls: { 'eth1.rp_filter': 1 },
      want: { ...CORRECT, b: 'dropped-by-reverse-path', f: 'dropped-by-reverse-path' },
    },
    { name: '9.2 loose', sysctls: { 'eth1.rp_filter': 2 }, want: CORRECT },
    {
      name: '9.2, 9.9 all=1 beats eth1=0',
      sysctls: { 'all.rp_filter': 1, 'eth1.rp_filter': 0 },
      want: { ...CORRECT, b: 'dropped-by-reverse-path', f: 'dropped-by-reverse-path' },
    },
    {
      name: '9.2 all=1 with eth1=2 is loose on eth1',
      sysctls: { 'all.rp_filter': 1, 'eth1.rp_filter': 2 },
      want: CORRECT,
    },
    { name: '9.2 all=2 is loose everywhere', sysctls: { 'all.rp_filter': 2, 'eth1.rp_filter': 1 }, want: CORRECT },
    { name: '9.4 eth0 and eth2 strict pass', sysctls: { 'eth0.rp_filter': 1, 'eth2.rp_filter': 1 }, want: CORRECT },
    {
      name: '9.4 strict and src_valid_mark drop what is redirected',
      sysctls: { 'eth0.rp_filter': 1, 'eth2.rp_filter': 1, 'all.src_valid_mark': 1 },
      want: { ...CORRECT, a: 'dropped-by-reverse-path' },
    },
    {
      name: '9.4 loose and src_valid_mark pass',
      sysctls: { 'all.rp_filter': 2, 'all.src_valid_mark': 1 },
      want: CORRECT,
    },
  ];
  for (const { name, sysctls, want } of matrix) {
    it(name, () => {
      const got = session(new Lab(seed({ sysctls })));
      for (const key of ['a', 'b', 'c', 'f'] as const) {
        // Without the first packet's entry the answer of SPS is another packet.
        if (key === 'f' && got['a'] !== CORRECT.a) continue;
        expect([key, got[key]]).toEqual([key, want[key]]);
      }
    });
  }

  it('9.4 src_valid_mark on eth0 alone affects only packets from clients', () => {
    const sysctls = { 'eth0.rp_filter': 1, 'eth2.rp_filter': 1, 'eth0.src_valid_mark': 1 };
    const got = session(new Lab(seed({ sysctls })));
    expect([got['a'], got['e']]).toEqual(['dropped-by-reverse-path', CORRECT.e]);
  });

  describe('9.3 clients behind a gateway', () => {
    const remote = '192.168.7.7';
    const RP = 'dropped-by-reverse-path';
    const all = { a: `eth1 ${SPS}`, b: `eth2 ${SERVER}`, f: 'eth0 192.168.0.1' };
    const cases: [string, string | undefined, [number, number, number], Partial<typeof all>][] = [
      ['none', undefined, [0, 0, 0], { ...all, f: 'no-route' }],
      ['none', undefined, [0, 1, 0], { a: all.a, b: RP }],
      ['none', undefined, [0, 2, 0], { a: all.a, b: RP }],
      ['none', undefined, [1, 0, 1], { a: RP, b: all.b }],
      ['none', undefined, [2, 2, 2], { a: RP, b: RP }],
      ['via eth0', '192.168.0.1 dev eth0', [0, 0, 0], all],
      ['via eth0', '192.168.0.1 dev eth0', [0, 1, 0], { a: all.a, b: RP, f: RP }],
      ['via eth0', '192.168.0.1 dev eth0', [0, 2, 0], all],
      ['via eth0', '192.168.0.1 dev eth0', [1, 0, 1], all],
      ['via eth0', '192.168.0.1 dev eth0', [2, 2, 2], all],
      ['via eth2', '10.0.0.1 dev eth2', [0, 0, 0], { a: all.a, b: all.b, f: 'eth2 10.0.0.1' }],
      ['via eth2', '10.0.0.1 dev eth2', [0, 1, 0], { b: RP, f: RP }],
      ['via eth2', '10.0.0.1 dev eth2', [0, 2, 0], { a: all.a, b: all.b, f: 'eth2 10.0.0.1' }],
      ['via eth2', '10.0.0.1 dev eth2', [1, 0, 1], { a: RP }],
      ['via eth2', '10.0.0.1 dev eth2', [2, 2, 2], { a: all.a, b: all.b, f: 'eth2 10.0.0.1' }],
      ['via eth1', '172.16.0.1 dev eth1', [0, 0, 0], { a: all.a, b: all.b, f: 'eth1 172.16.0.1' }],
      ['via eth1', '172.16.0.1 dev eth1', [0, 1, 0], { b: all.b, f: RP }],
      ['via eth1', '172.16.0.1 dev eth1', [0, 2, 0], { b: all.b, f: 'eth1 172.16.0.1' }],
      ['via eth1', '172.16.0.1 dev eth1', [1, 0, 1], { a: RP }],
      ['via eth1', '172.16.0.1 dev eth1', [2, 2, 2], { a: all.a, b: all.b }],
    ];
    for (const [name, via, [eth0, eth1, eth2], want] of cases) {
      it(`default ${name}, rp_filter ${eth0} ${eth1} ${eth2}`, () => {
        const lab = new Lab(
          seed({
            routes: via === undefined ? [] : [`default via ${via}`],
            sysctls: { 'eth0.rp_filter': eth0, 'eth1.rp_filter': eth1, 'eth2.rp_filter': eth2 },
          }),
        );
        const got = session(lab, { client: remote });
        for (const [key, value] of Object.entries(want)) expect([key, got[key]]).toEqual([key, value]);
      });
    }
  });

  it('9.5 without ! -i eth1 SPS gets its own packets back', () => {
    const lab = new Lab(seed({}, [MARK_SERVERS, MARK_CLIENTS, RESTORE_EVERYWHERE]));
    const got = session(lab);
    expect([got['f'], got['b']]).toEqual([`eth1 ${SPS}`, `eth2 ${SERVER}`]);
    const third: PacketParts = {
      from: `${CLIENT}:50000`,
      to: `${SERVER}:3389`,
      flags: 'A',
      sequence: 901,
      acknowledgement: 701,
    };
    expect(lab.send('eth1', third)).toBe(`eth1 ${SPS}`);
  });

  it('9.5 strict and src_valid_mark let the loop through the filter', () => {
    const sysctls = { 'eth1.rp_filter': 1, 'eth1.src_valid_mark': 1 };
    const got = session(new Lab(seed({ sysctls }, [MARK_SERVERS, MARK_CLIENTS, RESTORE_EVERYWHERE])));
    expect(got['f']).toBe(`eth1 ${SPS}`);
  });

  it('9.6 MARK before CONNMARK: the first packet goes direct, later ones to SPS', () => {
    const lab = new Lab(seed({}, [RESTORE, MARK_SERVERS, MARK_CLIENTS]));
    const syn: PacketParts = { from: `${CLIENT}:40000`, to: `${SERVER}:3389` };
    expect(lab.send('eth0', syn)).toBe(`eth2 ${SERVER}`);
    expect(lab.send('eth0', syn)).toBe(`eth1 ${SPS}`);
  });

  it('9.7 without the rule for servers, answers to a spoofed client on another port go straight to it', () => {
    const got = session(new Lab(seed({}, [MARK_CLIENTS, RESTORE])));
    expect([got['d'], got['e']]).toEqual([`eth0 ${CLIENT}`, `eth1 ${SPS}`]);
  });

  it('9.7 without the rule for servers, the same port works: the client has marked the entry', () => {
    const lab = new Lab(seed({}, [MARK_CLIENTS, RESTORE]));
    const c = `${CLIENT}:40000`;
    const s = `${SERVER}:3389`;
    lab.send('eth0', { from: c, to: s, flags: 'S', sequence: 100 });
    lab.send('eth1', { from: c, to: s, flags: 'S', sequence: 900 });
    expect(lab.send('eth2', { from: s, to: c, flags: 'SA', sequence: 700, acknowledgement: 901 })).toBe(`eth1 ${SPS}`);
  });

  it('9.8 SPS on the client LAN, exempt by MAC: works, and the router would send redirects', () => {
    const sps = '192.168.0.9';
    const parts: RouterParts = {
      links: ['eth0 192.168.0.254/24', 'eth2 10.0.0.254/24'],
      tables: {
        mangle: [
          '-A PREROUTING -i eth0 -m mac ! --mac-source 02:00:00:00:00:09 -d 10.0.0.0/24 -p tcp -m tcp --dport 3389 -j MARK --set-xmark 0x1/0xffffffff',
        ],
      },
      rules: [DEFAULT_RULES[0]!, '32765: from all fwmark 0x1 lookup 103', DEFAULT_RULES[1]!, DEFAULT_RULES[2]!],
      routes: [`default via ${sps} dev eth0 table 103`],
    };
    const lab = new Lab(parts);
    const syn: PacketParts = { from: `${CLIENT}:40000`, to: `${SERVER}:3389`, mac: 0x020000000010 };
    expect(lab.send('eth0', syn)).toBe(`eth0 ${sps}`);
    expect(lab.flags & DecisionFlag.icmpRedirect).toBe(DecisionFlag.icmpRedirect);
    expect(lab.send('eth0', { ...syn, mac: 0x020000000009 })).toBe(`eth2 ${SERVER}`);
    const quiet = new Lab({ ...parts, sysctls: { 'all.send_redirects': 0, 'eth0.send_redirects': 0 } });
    expect(quiet.send('eth0', syn)).toBe(`eth0 ${sps}`);
    expect(quiet.flags & DecisionFlag.icmpRedirect).toBe(0);
  });

  it('9.10 what rp_filter drops leaves no entry: the answer on another path is INVALID', () => {
    const lab = new Lab(seed({ sysctls: { 'eth1.rp_filter': 1 } }));
    const spoofed = `${CLIENT}:50000`;
    lab.send('eth1', { from: spoofed, to: `${SERVER}:3389` });
    lab.send('eth2', { from: `${SERVER}:3389`, to: spoofed, flags: 'SA', acknowledgement: 1 });
    expect(lab.state).toBe('invalid');
  });
});
