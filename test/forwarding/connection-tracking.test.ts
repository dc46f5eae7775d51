import { describe, expect, it } from 'vitest';
import { Lab, type PacketParts, type RouterParts } from './builders.ts';

const LINKS = ['eth0 192.168.0.254/24', 'eth2 10.0.0.254/24'];
const C = '192.168.0.10:40000';
const S = '10.0.0.10:80';

/** A router that tracks connections and gives every new one the mark 7. */
function tracking(parts: Partial<RouterParts> = {}): RouterParts {
  return {
    links: LINKS,
    tables: { mangle: ['-A PREROUTING -m conntrack --ctstate NEW -j CONNMARK --set-xmark 0x7/0xffffffff'] },
    ...parts,
  };
}

const SEQUENCES = { client: 1000, server: 5000 };

/** A segment in the middle of both windows. */
function segment(direction: 'C' | 'S', flags: string, more: Partial<PacketParts> = {}): PacketParts {
  const client = direction === 'C';
  const syn = flags.includes('S');
  return {
    from: client ? C : S,
    to: client ? S : C,
    flags,
    sequence: (client ? SEQUENCES.client : SEQUENCES.server) + (syn ? 0 : 1),
    acknowledgement: flags.includes('A') ? (client ? SEQUENCES.server : SEQUENCES.client) + 1 : 0,
    ...more,
  };
}

function send(lab: Lab, step: string, at?: number): string {
  const [direction, flags] = step.split(' ') as ['C' | 'S', string];
  lab.send(direction === 'C' ? 'eth0' : 'eth2', segment(direction, flags, at === undefined ? {} : { at }));
  return lab.state;
}

/** The entry's state, as the recorded walk of the last packet tells it. */
function tcpState(lab: Lab): string | undefined {
  const step = lab.forwarder.explainLast().steps.find(({ kind }) => kind === 'conntrack');
  return step?.kind === 'conntrack' ? step.detail : undefined;
}

const REACH: Readonly<Record<string, readonly string[]>> = {
  none: [],
  SYN_SENT: ['C S'],
  SYN_SENT2: ['C S', 'S S'],
  SYN_RECV: ['C S', 'S SA'],
  ESTABLISHED: ['C S', 'S SA', 'C A'],
  FIN_WAIT: ['C S', 'S SA', 'C A', 'C FA'],
  CLOSE_WAIT: ['C S', 'S SA', 'C A', 'C FA', 'S A'],
  LAST_ACK: ['C S', 'S SA', 'C A', 'C FA', 'S FA'],
  TIME_WAIT: ['C S', 'S SA', 'C A', 'C FA', 'S FA', 'C A'],
  CLOSE: ['C S', 'S SA', 'C A', 'C RA'],
};

// linux-forwarding 2.11; columns C SYN, C SYN/ACK, C FIN, C ACK, C RST, S SYN, S SYN/ACK, S FIN, S ACK, S RST.
const COLUMNS = ['C S', 'C SA', 'C FA', 'C A', 'C RA', 'S S', 'S SA', 'S FA', 'S A', 'S RA'];
const TABLE: readonly (readonly [string, string])[] = [
  ['none', 'NEW>SYN_SENT INV INV NEW>ESTABLISHED INV NEW>SYN_SENT INV INV NEW>ESTABLISHED INV'],
  ['SYN_SENT', 'NEW>SYN_SENT INV INV INV INV EST>SYN_SENT2 EST>SYN_RECV INV EST>SYN_SENT EST>deleted'],
  ['SYN_SENT2', 'EST>same EST>SYN_RECV INV INV EST>CLOSE EST>same EST>SYN_RECV INV EST>same EST>CLOSE'],
  ['SYN_RECV', 'EST>same EST>same EST>FIN_WAIT EST>ESTABLISHED EST>CLOSE INV EST>same EST>FIN_WAIT EST>same EST>CLOSE'],
  ['ESTABLISHED', 'EST>same INV EST>FIN_WAIT EST>same EST>CLOSE INV EST>same EST>FIN_WAIT EST>same EST>CLOSE'],
  ['FIN_WAIT', 'EST>same INV EST>LAST_ACK EST>CLOSE_WAIT EST>CLOSE INV EST>same EST>LAST_ACK EST>CLOSE_WAIT EST>CLOSE'],
  ['CLOSE_WAIT', 'EST>same INV EST>LAST_ACK EST>same EST>CLOSE INV EST>same EST>LAST_ACK EST>same EST>CLOSE'],
  ['LAST_ACK', 'EST>same INV EST>same EST>TIME_WAIT EST>CLOSE INV EST>same EST>same EST>TIME_WAIT EST>CLOSE'],
  ['TIME_WAIT', 'NEW>SYN_SENT INV EST>same EST>same EST>CLOSE NEW>SYN_SENT EST>same EST>same EST>same EST>CLOSE'],
  ['CLOSE', 'NEW>SYN_SENT INV EST>same EST>same EST>same INV EST>same EST>same EST>same EST>same'],
];
const VIEW: Readonly<Record<string, string>> = { NEW: 'new', EST: 'established', INV: 'invalid' };

describe('TCP states (linux-forwarding 2.11)', () => {
  for (const [state, cells] of TABLE) {
    cells.split(' ').forEach((cell, index) => {
      const step = COLUMNS[index]!;
      it(`${state}: ${step} gives ${cell}`, () => {
        const lab = new Lab(tracking());
        for (const before of REACH[state]!) send(lab, before);
        const [view, next] = cell.split('>');
        expect(send(lab, step)).toBe(VIEW[view!]);
        if (next === undefined) return;
        if (next === 'deleted') {
          expect(tcpState(lab)).toBe('the entry is deleted');
          expect(send(lab, 'S A')).toBe('new');
          return;
        }
        expect(tcpState(lab)?.replace(', a new entry', '').split(' > ')[1]).toBe(next === 'same' ? state : next);
      });
    });
  }

  it('a bare reset in the original direction is not INVALID in SYN_SENT, and deletes the entry', () => {
    const lab = new Lab(tracking());
    send(lab, 'C S');
    expect(send(lab, 'C R')).toBe('new');
    expect(send(lab, 'C S')).toBe('new');
  });

  it('loses the mark when TIME_WAIT is reopened', () => {
    const lab = new Lab({
      links: LINKS,
      tables: { mangle: ['-A PREROUTING -m conntrack --ctstate ESTABLISHED -j CONNMARK --set-xmark 0x7/0xffffffff'] },
    });
    for (const step of REACH['TIME_WAIT']!) send(lab, step);
    expect(lab.connmark).toBe(7);
    send(lab, 'C S');
    expect([lab.state, lab.connmark]).toEqual(['new', 0]);
  });
});

describe('flags without an entry (2.10)', () => {
  const cases: [string, 'new' | 'invalid', number][] = [
    ['S', 'new', 1],
    ['SP', 'new', 1],
    ['SUP', 'new', 1],
    ['SEC', 'new', 1],
    ['A', 'new', 1],
    ['AP', 'new', 1],
    ['AU', 'new', 1],
    ['SA', 'invalid', 1],
    ['F', 'invalid', 1],
    ['FA', 'invalid', 1],
    ['R', 'invalid', 1],
    ['RA', 'invalid', 1],
    ['', 'invalid', 1],
    ['SF', 'invalid', 1],
    ['SR', 'invalid', 1],
    ['FUP', 'invalid', 1],
    ['U', 'invalid', 1],
    ['P', 'invalid', 1],
    ['S', 'new', 0],
    ['A', 'invalid', 0],
    ['AP', 'invalid', 0],
  ];
  for (const [flags, want, loose] of cases) {
    it(`${flags || 'none'} with loose=${loose} is ${want}`, () => {
      const lab = new Lab(tracking({ sysctls: { 'net/netfilter/nf_conntrack_tcp_loose': loose } }));
      expect(send(lab, `C ${flags}`)).toBe(want);
    });
  }
});

describe('the window check (2.12 to 2.14)', () => {
  const established = (parts: Partial<RouterParts> = {}): Lab => {
    const lab = new Lab(tracking(parts));
    for (const step of REACH['ESTABLISHED']!) send(lab, step);
    return lab;
  };
  const beyond = segment('C', 'A', { sequence: 1001 + 200_000, payload: 10 });

  it('takes data beyond the window as INVALID', () => {
    const lab = established();
    lab.send('eth0', beyond);
    expect(lab.state).toBe('invalid');
  });

  it('does not with be_liberal', () => {
    const lab = established({ sysctls: { 'net/netfilter/nf_conntrack_tcp_be_liberal': 1 } });
    lab.send('eth0', beyond);
    expect(lab.state).toBe('established');
  });

  it('does not where packets may be missing from the capture', () => {
    const lab = new Lab(tracking(), { trustSequence: false });
    for (const step of REACH['ESTABLISHED']!) send(lab, step);
    lab.send('eth0', beyond);
    expect([lab.state, lab.connmark]).toEqual(['established', 7]);
  });

  it('takes an acknowledgement of data never seen as INVALID', () => {
    const lab = established();
    lab.send('eth0', segment('C', 'A', { acknowledgement: 5001 + 10 }));
    expect(lab.state).toBe('invalid');
  });

  it('accepts what is older than the window', () => {
    const lab = established();
    lab.send('eth0', segment('C', 'A', { sequence: 1001 - 100_000, payload: 10 }));
    expect([lab.state, lab.connmark]).toEqual(['established', 7]);
  });

  it('honours window scaling that both sides announced', () => {
    for (const [scale, want] of [
      [7, 'established'],
      [-1, 'invalid'],
    ] as const) {
      const lab = new Lab(tracking());
      lab.send('eth0', segment('C', 'S', { window: 1000, windowScale: 7 }));
      lab.send('eth2', segment('S', 'SA', { window: 1000, windowScale: scale }));
      lab.send('eth0', segment('C', 'A', { window: 1000 }));
      lab.send('eth2', segment('S', 'A', { window: 1000 }));
      lab.send('eth0', segment('C', 'A', { sequence: 1001 + 50_000, payload: 100 }));
      expect(lab.state).toBe(want);
    }
  });

  it('2.13 follows a SYN that the other side answers, and 2.14 then refuses the first session', () => {
    const lab = established();
    const second = { sequence: 900_000, acknowledgement: 0 };
    lab.send('eth0', segment('C', 'S', second));
    expect(lab.state).toBe('established');
    lab.send('eth2', segment('S', 'SA', { sequence: 800_000, acknowledgement: 900_001 }));
    expect([lab.state, tcpState(lab)]).toEqual(['established', 'ESTABLISHED > SYN_RECV']);
    lab.send('eth0', segment('C', 'A', { sequence: 900_001, acknowledgement: 800_001 }));
    expect(lab.state).toBe('established');
    // The old session lies before the new one in both directions: still accepted.
    expect(send(lab, 'C A')).toBe('established');
    lab.send('eth0', segment('C', 'A', { sequence: 3_000_000, acknowledgement: 900_000 }));
    expect(lab.state).toBe('invalid');
  });
});

describe('entries', () => {
  it('1.5 are made only where some rule needs them', () => {
    const lab = new Lab({ links: LINKS, tables: { mangle: ['-A PREROUTING -j MARK --set-xmark 0x1/0xffffffff'] } });
    expect(send(lab, 'C S')).toBe('none');
  });

  it('2.5 vanish with a first packet that is dropped anywhere', () => {
    const cases: Partial<RouterParts>[] = [
      { tables: { ...tracking().tables, filter: [':FORWARD DROP'] } },
      { sysctls: { 'eth0.forwarding': 0 } },
      { routes: ['blackhole 10.0.0.10/32'] },
    ];
    for (const parts of cases) {
      const lab = new Lab(tracking(parts));
      send(lab, 'C S');
      expect(send(lab, 'S SA')).toBe('invalid');
    }
    const expired = new Lab(tracking());
    expired.send('eth0', segment('C', 'S', { ttl: 1 }));
    expect(send(expired, 'S SA')).toBe('invalid');
  });

  it('2.6 are found by five-tuple, whatever the interface', () => {
    const lab = new Lab(tracking());
    send(lab, 'C S');
    lab.send('eth0', segment('S', 'SA'));
    expect([lab.state, lab.connmark]).toEqual(['established', 7]);
  });

  it('expire by capture time', () => {
    for (const [at, want] of [
      [1119, 'established'],
      [1121, 'invalid'],
    ] as const) {
      const lab = new Lab(tracking());
      send(lab, 'C S', 1000);
      expect(send(lab, 'S SA', at)).toBe(want);
    }
  });

  it('expire by the sysctls of the router', () => {
    const lab = new Lab(tracking({ sysctls: { 'net/netfilter/nf_conntrack_tcp_timeout_syn_sent': 5 } }));
    send(lab, 'C S', 1000);
    expect(send(lab, 'S SA', 1006)).toBe('invalid');
  });

  it('of repeated SYNs are not prolonged', () => {
    const lab = new Lab(tracking());
    send(lab, 'C S', 1000);
    send(lab, 'C S', 1100);
    expect(send(lab, 'S SA', 1130)).toBe('invalid');
  });

  it('picked up midway without an answer live for the unacknowledged timeout', () => {
    const lab = new Lab(tracking());
    send(lab, 'C A', 1000);
    expect(send(lab, 'S A', 1299)).toBe('established');
    const late = new Lab(tracking());
    send(late, 'C A', 1000);
    expect(send(late, 'S A', 1301)).toBe('new');
  });

  it('are freed: memory is that of live connections', () => {
    const lab = new Lab(tracking());
    for (let index = 0; index < 30_000; index++) {
      const from = `192.168.${index % 200}.${index % 250}:${1024 + (index % 60_000)}`;
      lab.send('eth0', { protocol: 'udp', from, to: S, at: 1000 + index });
    }
    const { words } = (lab.forwarder as unknown as { table: { words: Int32Array } }).table;
    expect(words.length).toBeLessThan(4096 * 40);
  });

  it('of UDP see ESTABLISHED with the first answer, and live 30 s, then 120 s as a stream', () => {
    const lab = new Lab(tracking());
    const there: PacketParts = { protocol: 'udp', from: C, to: S };
    const back: PacketParts = { protocol: 'udp', from: S, to: C };
    const states = (packets: [string, PacketParts, number][]): string[] =>
      packets.map(([ingress, packet, at]) => {
        lab.send(ingress, { ...packet, at });
        return lab.state;
      });
    expect(
      states([
        ['eth0', there, 0],
        ['eth0', there, 29],
        ['eth2', back, 58],
        ['eth0', there, 59],
        ['eth2', back, 170],
      ]),
    ).toEqual(['new', 'new', 'established', 'established', 'established']);
    expect(states([['eth2', back, 400]])).toEqual(['new']);
  });
});

describe('connections to the router itself', () => {
  const ssh: PacketParts = { from: C, to: '10.0.0.254:22' };

  it("do not depend on the router's own packets, which no capture of what enters it holds", () => {
    const lab = new Lab(tracking());
    expect(lab.send('eth0', ssh)).toBe('delivered');
    expect(lab.send('eth0', { ...ssh, flags: 'A', sequence: 1, acknowledgement: 1 })).toBe('delivered');
  });

  it('are undetermined where rules ask for their state', () => {
    const lab = new Lab(
      tracking({
        tables: {
          filter: [
            ':INPUT DROP',
            '-A INPUT -p tcp -m tcp --syn -j ACCEPT',
            '-A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT',
          ],
        },
      }),
    );
    expect(lab.send('eth0', ssh)).toBe('delivered');
    expect(lab.send('eth0', { ...ssh, flags: 'A', sequence: 1, acknowledgement: 1 })).toMatch(
      /^undetermined: the router's own packets/,
    );
  });
});

describe('ICMP (2.7, 2.8)', () => {
  it('queries make entries, replies without one are INVALID', () => {
    const lab = new Lab(tracking());
    const echo = { from: '192.168.0.10', to: '10.0.0.10', identifier: 9 };
    lab.send('eth2', { from: '10.0.0.10', to: '192.168.0.10', icmp: [0, 0], identifier: 9 });
    expect(lab.state).toBe('invalid');
    lab.send('eth0', { ...echo, icmp: [8, 0] });
    expect(lab.state).toBe('new');
    lab.send('eth2', { from: '10.0.0.10', to: '192.168.0.10', icmp: [0, 0], identifier: 9 });
    expect([lab.state, lab.connmark]).toEqual(['established', 7]);
    lab.send('eth0', { ...echo, icmp: [10, 0] });
    expect(lab.state).toBe('invalid');
  });

  it('errors share the entry of the packet they quote', () => {
    const lab = new Lab(tracking());
    send(lab, 'C S');
    const error: PacketParts = { icmp: [3, 3], from: '10.0.0.10', to: '192.168.0.10', quoted: { from: C, to: S } };
    lab.send('eth2', error);
    expect([lab.state, lab.connmark]).toEqual(['related', 7]);
    lab.send('eth2', { ...error, to: '192.168.0.11' });
    expect(lab.state).toBe('invalid');
    lab.send('eth2', { ...error, quoted: { from: '192.168.0.10:1', to: S } });
    expect(lab.state).toBe('invalid');
  });
});

describe('errors about connections of which nothing is known', () => {
  const tables = { filter: ['-A FORWARD -m conntrack --ctstate RELATED -j DROP'] };
  const error: PacketParts = { icmp: [3, 1], from: S, to: C, quoted: { protocol: 'sctp', from: C, to: S } };

  it('are RELATED or INVALID', () => {
    const lab = new Lab(tracking({ tables }));
    expect(lab.send('eth2', error)).toMatch(/^undetermined: /);
  });

  it('and not seen as packets of a connection', () => {
    const rules = { filter: ['-A FORWARD -m conntrack --ctstate NEW,ESTABLISHED -j DROP'] };
    expect(new Lab(tracking({ tables: rules })).send('eth2', error)).toBe('eth0 192.168.0.10');
  });
});
