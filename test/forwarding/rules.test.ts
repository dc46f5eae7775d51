import { describe, expect, it } from 'vitest';
import { DecisionFlag } from '../../src/forwarding/decision.ts';
import { matchMark } from '../../src/forwarding/linux/match.ts';
import { DEFAULT_RULES, device, Lab, type PacketParts, type RouterParts, ruleset } from './builders.ts';

const LINKS = ['eth0 192.168.0.254/24', 'eth1 172.16.0.254/24', 'eth2 10.0.0.254/24'];
const SYN: PacketParts = { from: '192.168.0.10:40000', to: '10.0.0.10:3389' };
const REDIRECT: Partial<RouterParts> = {
  rules: [DEFAULT_RULES[0]!, '100: from all fwmark 0x1 lookup 103', DEFAULT_RULES[1]!, DEFAULT_RULES[2]!],
  routes: ['default via 172.16.0.1 dev eth1 table 103'],
};
const DIRECT = 'eth2 10.0.0.10';
const TO_SPS = 'eth1 172.16.0.1';

function mangle(lines: readonly string[], parts: Partial<RouterParts> = {}): Lab {
  return new Lab({ links: LINKS, tables: { mangle: lines }, ...parts });
}

/** The packet mark after these rules. */
function markAfter(lines: readonly string[]): string {
  const lab = mangle(lines);
  lab.send('eth0', SYN);
  return `0x${lab.mark.toString(16)}`;
}

describe('mark arithmetic (linux-forwarding 2.1) is exclusive or', () => {
  const cases: { name: string; lines: readonly string[]; want: string }[] = [
    { name: 'set', lines: ['-A PREROUTING -j MARK --set-xmark 0x5/0xffffffff'], want: '0x5' },
    {
      name: 'bits of the value outside the mask toggle',
      lines: ['-A PREROUTING -j MARK --set-xmark 0xff/0xffffffff', '-A PREROUTING -j MARK --set-xmark 0x1/0x0'],
      want: '0xfe',
    },
    {
      name: 'xmark keeps what the mask leaves',
      lines: ['-A PREROUTING -j MARK --set-xmark 0xf0/0xffffffff', '-A PREROUTING -j MARK --set-xmark 0x3/0xf'],
      want: '0xf3',
    },
    { name: 'high bits', lines: ['-A PREROUTING -j MARK --set-xmark 0x80000001/0xffffffff'], want: '0x80000001' },
    {
      name: 'save and restore',
      lines: [
        '-A PREROUTING -j MARK --set-xmark 0x12/0xffffffff',
        '-A PREROUTING -j CONNMARK --save-mark',
        '-A PREROUTING -j MARK --set-xmark 0x0/0xffffffff',
        '-A PREROUTING -j CONNMARK --restore-mark',
      ],
      want: '0x12',
    },
    {
      name: 'restore toggles bits that the nfmask leaves',
      lines: [
        '-A PREROUTING -j CONNMARK --set-xmark 0xff/0xffffffff',
        '-A PREROUTING -j MARK --set-xmark 0xf0/0xffffffff',
        '-A PREROUTING -j CONNMARK --restore-mark --nfmask 0xf --ctmask 0xff',
      ],
      want: '0xf',
    },
    {
      name: 'save toggles bits that the ctmask leaves',
      lines: [
        '-A PREROUTING -j CONNMARK --set-xmark 0xff/0xffffffff',
        '-A PREROUTING -j MARK --set-xmark 0xf0/0xffffffff',
        '-A PREROUTING -j CONNMARK --save-mark --nfmask 0xf0 --ctmask 0x0',
        '-A PREROUTING -j CONNMARK --restore-mark',
      ],
      want: '0xf',
    },
  ];
  for (const { name, lines, want } of cases) it(name, () => expect(markAfter(lines)).toBe(want));

  it('agrees with plain arithmetic on random lists, bits unknown or not', () => {
    let seed = 1;
    const random = (): number => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return seed;
    };
    for (let round = 0; round < 300; round++) {
      let nf = 0;
      let ct = 0;
      const lines = Array.from({ length: 6 }, () => {
        const [kind, v, m] = [random() % 4, random(), random()];
        if (kind === 0) nf = ((nf & ~m) ^ v) >>> 0;
        if (kind === 1) ct = ((ct & ~m) ^ v) >>> 0;
        if (kind === 2) ct = ((ct & ~m) ^ (nf & v)) >>> 0;
        if (kind === 3) nf = ((nf & ~v) ^ (ct & m)) >>> 0;
        if (kind === 0) return `-A PREROUTING -j MARK --set-xmark ${v}/${m}`;
        if (kind === 1) return `-A PREROUTING -j CONNMARK --set-xmark ${v}/${m}`;
        return `-A PREROUTING -j CONNMARK --${kind === 2 ? 'save' : 'restore'}-mark --nfmask ${v} --ctmask ${m}`;
      });
      const lab = mangle([...lines, '-A FORWARD -m connmark --mark 0x0 -j ACCEPT']);
      lab.send('eth0', SYN);
      expect([lab.mark, lab.connmark]).toEqual([nf, ct]);
    }
  });
});

describe('mark matches (2.2) do not mask their value', () => {
  const cases: [number, number, number, number, number][] = [
    // value, unknown bits, wanted, mask, answer (0 no, 1 yes, 2 unknown)
    [1, 0, 1, 0xffffffff, 1],
    [3, 0, 3, 1, 0],
    [5, 0, 5, 4, 0],
    [0x1ff, 0, 0x100, 0x100, 1],
    [0, 1, 1, 1, 2],
    [0, 1, 2, 2, 0],
    [0, 1, 0, 2, 1],
    [0, 1, 3, 1, 0],
    [-2147483648, 0, 0x80000000 | 0, 0x80000000 | 0, 1],
  ];
  for (const [value, unknown, wanted, mask, answer] of cases) {
    it(`${value} with unknown ${unknown} against ${wanted}/${mask}`, () => {
      expect(matchMark(value, unknown, wanted, mask)).toBe(answer);
    });
  }
});

describe('packets without an entry (2.4)', () => {
  const invalid: PacketParts = { ...SYN, flags: 'SA' };
  const cases: { name: string; match: string; want: boolean }[] = [
    { name: 'connmark never matches', match: '-m connmark --mark 0x0', want: false },
    { name: 'inverted connmark never matches either', match: '-m connmark ! --mark 0x1', want: false },
    { name: '! NEW matches', match: '-m conntrack ! --ctstate NEW', want: true },
    { name: '! DNAT matches', match: '-m conntrack ! --ctstate DNAT', want: true },
    { name: 'INVALID matches', match: '-m conntrack --ctstate INVALID', want: true },
  ];
  for (const { name, match, want } of cases) {
    it(name, () => {
      const lab = mangle([
        `-A PREROUTING ${match} -j MARK --set-xmark 0x9/0xffffffff`,
        '-A PREROUTING -j CONNMARK --set-xmark 0x1/0xffffffff',
      ]);
      lab.send('eth0', invalid);
      expect([lab.mark === 9, lab.decisions.hasConnmark[0]]).toEqual([want, 0]);
    });
  }

  it('raw runs before conntrack: INVALID matches all there, connmark nothing', () => {
    const raw = [
      '-A PREROUTING -m conntrack --ctstate INVALID -j MARK --set-xmark 0x1/0xffffffff',
      '-A PREROUTING -m connmark ! --mark 0x5 -j MARK --set-xmark 0x2/0xffffffff',
    ];
    const lab = new Lab({ links: LINKS, tables: { raw } });
    lab.send('eth0', SYN);
    expect(lab.mark).toBe(1);
  });

  it('NOTRACK leaves no entry, and INVALID does not match', () => {
    const lab = new Lab({
      links: LINKS,
      tables: {
        raw: ['-A PREROUTING -j NOTRACK'],
        mangle: [
          '-A PREROUTING -m conntrack --ctstate INVALID -j MARK --set-xmark 0x1/0xffffffff',
          '-A PREROUTING -m conntrack --ctstate UNTRACKED -j MARK --set-xmark 0x2/0x2',
        ],
      },
    });
    lab.send('eth0', SYN);
    expect([lab.mark, lab.state]).toEqual([2, 'untracked']);
  });
});

describe('traversal (8.1)', () => {
  const cases: { name: string; lines: readonly string[]; want: number }[] = [
    {
      name: 'ACCEPT in a user chain ends the table',
      lines: [
        ':u -',
        '-A u -j MARK --set-xmark 0x1/0xffffffff',
        '-A u -j ACCEPT',
        '-A PREROUTING -j u',
        '-A PREROUTING -j MARK --set-xmark 0x2/0xffffffff',
      ],
      want: 1,
    },
    {
      name: 'RETURN goes back and keeps the mark',
      lines: [
        ':u -',
        '-A u -j MARK --set-xmark 0x1/0xffffffff',
        '-A u -j RETURN',
        '-A u -j MARK --set-xmark 0x4/0x4',
        '-A PREROUTING -j u',
        '-A PREROUTING -j MARK --set-xmark 0x2/0x2',
      ],
      want: 3,
    },
    {
      name: 'RETURN in the base chain is the policy',
      lines: ['-A PREROUTING -j RETURN', '-A PREROUTING -j MARK --set-xmark 0x1/0xffffffff'],
      want: 0,
    },
    {
      name: 'goto returns behind the last jump',
      lines: [
        ':u -',
        ':v -',
        '-A v -j MARK --set-xmark 0x1/0x1',
        '-A u -g v',
        '-A u -j MARK --set-xmark 0x2/0x2',
        '-A PREROUTING -j u',
        '-A PREROUTING -j MARK --set-xmark 0x4/0x4',
      ],
      want: 5,
    },
    {
      name: 'goto without a jump ends at the policy',
      lines: [
        ':v -',
        '-A v -j MARK --set-xmark 0x1/0x1',
        '-A PREROUTING -g v',
        '-A PREROUTING -j MARK --set-xmark 0x2/0x2',
      ],
      want: 1,
    },
    {
      name: 'a rule without target only counts',
      lines: ['-A PREROUTING', '-A PREROUTING -j MARK --set-xmark 0x1/0x1'],
      want: 1,
    },
  ];
  for (const { name, lines, want } of cases) {
    it(name, () => {
      const lab = mangle(lines);
      lab.send('eth0', SYN);
      expect(lab.mark).toBe(want);
    });
  }

  it('a user chain that drops by policy of its hook names the policy line', () => {
    const lab = new Lab({ links: LINKS, tables: { filter: [':FORWARD DROP', '-A FORWARD -p udp -j ACCEPT'] } });
    expect([lab.send('eth0', SYN), lab.cause]).toEqual(['dropped-by-rule', ':FORWARD DROP']);
    expect(lab.send('eth0', { ...SYN, protocol: 'udp' })).toBe(DIRECT);
  });

  it('REJECT is a drop that answers', () => {
    const lab = new Lab({ links: LINKS, tables: { filter: ['-A FORWARD -p tcp -j REJECT --reject-with tcp-reset'] } });
    expect(lab.send('eth0', SYN)).toBe('dropped-by-rule');
    expect(lab.flags & DecisionFlag.rejected).toBe(DecisionFlag.rejected);
  });
});

describe('matches', () => {
  const cases: { name: string; match: string; ingress?: string; packet?: Partial<PacketParts>; want: boolean }[] = [
    { name: 'interface', match: '-i eth0', want: true },
    { name: 'other interface', match: '-i eth1', want: false },
    { name: 'negated interface', match: '! -i eth1', want: true },
    { name: '8.2 prefix', match: '-i eth+', want: true },
    { name: '8.2 prefix that is too long', match: '-i eth00+', want: false },
    { name: 'source', match: '-s 192.168.0.0/24', want: true },
    { name: 'negated destination', match: '! -d 10.0.0.0/24', want: false },
    { name: 'port range', match: '-p tcp -m tcp --dport 3000:4000', want: true },
    { name: 'negated port', match: '-p tcp -m tcp ! --dport 3389', want: false },
    { name: 'protocol', match: '-p udp', want: false },
    { name: 'SYN', match: '-p tcp -m tcp --syn', want: true },
    { name: 'SYN of an ACK', match: '-p tcp -m tcp --syn', packet: { flags: 'A' }, want: false },
    { name: '8.6 multiport', match: '-p tcp -m multiport --dports 22,3380:3390', want: true },
    { name: '8.6 negated multiport', match: '-p tcp -m multiport ! --ports 40000', want: false },
    { name: 'MAC', match: '-m mac --mac-source 02:00:00:00:00:01', packet: { mac: 0x020000000001 }, want: true },
    {
      name: '8.5 a later fragment has no ports',
      match: '-p tcp -m tcp --dport 3389',
      packet: { fragmentOffset: 8, status: 256 },
      want: false,
    },
    {
      name: '8.5 not even negated',
      match: '-p tcp -m tcp ! --dport 3389',
      packet: { fragmentOffset: 8, status: 256 },
      want: false,
    },
    { name: '8.5 -f', match: '-f', packet: { fragmentOffset: 8, status: 256 }, want: true },
  ];
  for (const { name, match, packet, want } of cases) {
    it(name, () => {
      const lab = mangle([`-A PREROUTING ${match} -j MARK --set-xmark 0x1/0xffffffff`]);
      lab.send('eth0', { ...SYN, ...packet });
      expect(lab.mark === 1).toBe(want);
    });
  }

  it('8.5 the nft variant reads a later fragment as a header: unknown', () => {
    const rules = ruleset(
      { mangle: ['-A PREROUTING -p tcp -m tcp --dport 3389 -j MARK --set-xmark 0x1/0xffffffff'] },
      'nft',
    );
    const lab = new Lab(device({ links: LINKS, rulesets: [rules], ...REDIRECT }));
    expect(lab.send('eth0', { ...SYN, fragmentOffset: 8, status: 256 })).toMatch(/^undetermined: /);
  });

  it('8.7 the egress is known in FORWARD and POSTROUTING', () => {
    const lab = new Lab({ links: LINKS, tables: { filter: ['-A FORWARD -i eth0 -o eth2 -j DROP'] } });
    expect(lab.send('eth0', SYN)).toBe('dropped-by-rule');
    expect(lab.send('eth0', { ...SYN, to: '172.16.0.5:3389' })).toBe('eth1 172.16.0.5');
  });
});

describe('what is not modelled is unknown, and only where it matters', () => {
  const UNMODELLED = '-m set';
  const cases: { name: string; tables: RouterParts['tables']; want: string }[] = [
    {
      name: 'an unmodelled match in front of MARK could redirect',
      tables: { mangle: [`-A PREROUTING ${UNMODELLED} -j MARK --set-xmark 0x1/0x1`] },
      want: 'undetermined: match set is not modelled',
    },
    {
      name: 'a rule that cannot match for another reason does not spoil it',
      tables: { mangle: [`-A PREROUTING ${UNMODELLED} -i eth2 -j MARK --set-xmark 0x1/0x1`] },
      want: DIRECT,
    },
    {
      name: 'a mark that no policy rule tests does not matter',
      tables: { mangle: [`-A PREROUTING ${UNMODELLED} -j MARK --set-xmark 0x2/0x2`] },
      want: DIRECT,
    },
    {
      name: 'a mark that is overwritten does not matter',
      tables: {
        mangle: [
          `-A PREROUTING ${UNMODELLED} -j MARK --set-xmark 0x1/0x1`,
          '-A PREROUTING -j MARK --set-xmark 0x1/0x1',
        ],
      },
      want: TO_SPS,
    },
    { name: 'LOG behind it does not matter', tables: { filter: [`-A FORWARD ${UNMODELLED} -j LOG`] }, want: DIRECT },
    {
      name: 'a chain of LOG and RETURN behind it does not matter',
      tables: { filter: [':l -', '-A l -j LOG', '-A l -j RETURN', `-A FORWARD ${UNMODELLED} -j l`] },
      want: DIRECT,
    },
    {
      name: 'DROP behind it matters',
      tables: { filter: [`-A FORWARD ${UNMODELLED} -j DROP`] },
      want: 'undetermined: match set is not modelled',
    },
    {
      name: 'ACCEPT behind it matters where the rest drops',
      tables: { filter: [':FORWARD DROP', `-A FORWARD ${UNMODELLED} -j ACCEPT`] },
      want: 'undetermined: match set is not modelled',
    },
    {
      name: 'ACCEPT behind it does not matter where the rest accepts',
      tables: { filter: [`-A FORWARD ${UNMODELLED} -j ACCEPT`] },
      want: DIRECT,
    },
    {
      name: 'both ways drop',
      tables: { filter: [':FORWARD DROP', `-A FORWARD ${UNMODELLED} -j DROP`] },
      want: 'dropped-by-rule',
    },
    {
      name: 'an unmodelled target can do anything',
      tables: { mangle: ['-A PREROUTING -p tcp -j HMARK'] },
      want: 'undetermined: target HMARK is not modelled',
    },
    {
      name: 'an unmodelled target that is not met does nothing',
      tables: { mangle: ['-A PREROUTING -p udp -j HMARK'] },
      want: DIRECT,
    },
    {
      name: 'a jump to a chain that nothing defines',
      tables: { mangle: ['-A PREROUTING -j nowhere'] },
      want: 'undetermined: chain nowhere is not defined',
    },
    {
      name: 'two unknown ways to one place',
      tables: {
        mangle: [
          `-A PREROUTING ${UNMODELLED} -j MARK --set-xmark 0x1/0x1`,
          `-A PREROUTING -m mark --mark 0x0/0x1 -j MARK --set-xmark 0x1/0x1`,
        ],
      },
      want: TO_SPS,
    },
    {
      name: 'an unmodelled RETURN in front of MARK',
      tables: { mangle: [`-A PREROUTING ${UNMODELLED} -j RETURN`, '-A PREROUTING -j MARK --set-xmark 0x1/0x1'] },
      want: 'undetermined: match set is not modelled',
    },
  ];
  for (const { name, tables, want } of cases) {
    it(name, () => expect(new Lab({ links: LINKS, tables: tables!, ...REDIRECT }).send('eth0', SYN)).toBe(want));
  }

  it('names the statement that matters, not the one before it', () => {
    const tables = {
      mangle: [
        '-A PREROUTING -m statistic -j MARK --set-xmark 0x2/0x2',
        '-A PREROUTING -m set -j MARK --set-xmark 0x1/0x1',
      ],
    };
    const lab = new Lab({ links: LINKS, tables, ...REDIRECT });
    expect(lab.send('eth0', SYN)).toBe('undetermined: match set is not modelled');
    expect(lab.forwarder.unknowns[0]?.origin?.text).toContain('-m set');
  });

  it('many unknown marks stay within bounds and join', () => {
    const bits = Array.from(
      { length: 20 },
      (_, bit) => `-A PREROUTING -m set -j MARK --set-xmark ${2 ** (bit + 1)}/${2 ** (bit + 1)}`,
    );
    const lab = new Lab({ links: LINKS, tables: { mangle: bits }, ...REDIRECT });
    expect(lab.send('eth0', SYN)).toBe(DIRECT);
    const marked = new Lab({
      links: LINKS,
      tables: { mangle: [...bits, '-A PREROUTING -m set -j MARK --set-xmark 0x1/0x1'] },
      ...REDIRECT,
    });
    expect(marked.send('eth0', SYN)).toMatch(/^undetermined/);
  });

  it('an unknown connection mark stays with the connection', () => {
    const lab = mangle([
      '-A PREROUTING -p tcp -m tcp --syn -m set -j CONNMARK --set-xmark 0x1/0xffffffff',
      '-A FORWARD -m conntrack --ctstate ESTABLISHED -m connmark --mark 0x1 -j DROP',
    ]);
    expect(lab.send('eth0', SYN)).toBe(DIRECT);
    const answer: PacketParts = { from: SYN.to, to: SYN.from, flags: 'SA', acknowledgement: 1 };
    expect(lab.send('eth2', answer)).toMatch(/^undetermined/);
    expect(lab.send('eth0', { ...SYN, flags: 'A', sequence: 1, acknowledgement: 1 })).toMatch(/^undetermined/);
    expect(lab.send('eth0', { from: '192.168.0.10:40001', to: '10.0.0.10:80', flags: 'A' })).toBe(DIRECT);
  });

  it('a first packet that may be dropped leaves an entry that may exist', () => {
    const lab = mangle([
      '-A FORWARD -p tcp -m tcp --syn -m set -j DROP',
      '-A FORWARD -m conntrack --ctstate INVALID -j DROP',
    ]);
    expect(lab.send('eth0', SYN)).toMatch(/^undetermined/);
    expect(lab.send('eth2', { from: SYN.to, to: SYN.from, flags: 'SA', acknowledgement: 1 })).toMatch(/^undetermined/);
    // In the world without an entry the answer was dropped; a repeated SYN ends as the first one.
    expect(lab.send('eth0', { ...SYN, from: '192.168.0.10:40001', flags: 'A' })).toBe(DIRECT);
  });

  it('8.14 legacy and nft rules of one table: their order matters only where it does', () => {
    const set = '-A PREROUTING -j MARK --set-xmark 0x1/0xffffffff';
    const clear = '-A PREROUTING -j MARK --set-xmark 0x0/0xffffffff';
    const both = (a: string, b: string): Lab =>
      new Lab(
        device({
          links: LINKS,
          rulesets: [ruleset({ mangle: [a] }, 'legacy'), ruleset({ mangle: [b] }, 'nft')],
          ...REDIRECT,
        }),
      );
    expect(both(set, clear).send('eth0', SYN)).toMatch(/^undetermined: which of the legacy/);
    expect(both(set, set).send('eth0', SYN)).toBe(TO_SPS);
  });

  it('8.14 what legacy or nft rules have translated, the others do not see', () => {
    const links = ['eth0 192.168.0.254/24', 'eth2 10.0.0.254/24'];
    const both = (a: string, b: string): string =>
      new Lab(device({ links, rulesets: [ruleset({ nat: [a] }, 'legacy'), ruleset({ nat: [b] }, 'nft')] })).send(
        'eth0',
        SYN,
      );
    const first = '-A PREROUTING -p tcp -j DNAT --to-destination 10.0.0.20';
    expect(both(first, '-A PREROUTING -d 10.0.0.20/32 -j DNAT --to-destination 10.0.0.30')).toBe('eth2 10.0.0.20');
    expect(both(first, '-A PREROUTING -p tcp -j DNAT --to-destination 10.0.0.30')).toMatch(/^undetermined: which of/);
    // Another one's ACCEPT ends nothing.
    expect(both(first, '-A PREROUTING -j ACCEPT')).toBe('eth2 10.0.0.20');
  });

  it('rules that were not given, and native nftables, leave everything undetermined', () => {
    const lab = new Lab({ links: LINKS, known: { netfilter4: false } });
    expect(lab.send('eth0', SYN)).toMatch(/^undetermined: packet filter rules/);
    const origin = { path: 'x', line: 1, column: 1, text: 'table ip nat' };
    const native = new Lab({ ...device({ links: LINKS }), runWideUnknowns: [{ name: 'table ip nat', origin }] });
    expect(native.send('eth0', SYN)).toBe('undetermined: table ip nat is not modelled');
  });
});

describe('translation', () => {
  const dnat = {
    nat: ['-A PREROUTING -d 192.168.0.254/32 -p tcp -m tcp --dport 33 -j DNAT --to-destination 10.0.0.10:3389'],
  };

  it('DNAT: routing sees the new destination, replies are translated back before routing', () => {
    const lab = new Lab({ links: LINKS, tables: dnat });
    expect(lab.send('eth0', { ...SYN, to: '192.168.0.254:33' })).toBe(DIRECT);
    expect(lab.flags & DecisionFlag.destinationTranslated).toBe(DecisionFlag.destinationTranslated);
    expect(lab.send('eth2', { from: '10.0.0.10:3389', to: SYN.from, flags: 'SA', acknowledgement: 1 })).toBe(
      'eth0 192.168.0.10',
    );
    expect(lab.state).toBe('established');
    expect(lab.send('eth0', { ...SYN, to: '192.168.0.254:33', flags: 'A', sequence: 1, acknowledgement: 1 })).toBe(
      DIRECT,
    );
  });

  it('MASQUERADE: replies to the egress address find the entry and go to the client', () => {
    const lab = new Lab({ links: LINKS, tables: { nat: ['-A POSTROUTING -o eth2 -j MASQUERADE'] } });
    expect(lab.send('eth0', SYN)).toBe(DIRECT);
    expect(lab.flags & DecisionFlag.sourceTranslated).toBe(DecisionFlag.sourceTranslated);
    expect(lab.send('eth2', { from: SYN.to, to: '10.0.0.254:40000', flags: 'SA', acknowledgement: 1 })).toBe(
      'eth0 192.168.0.10',
    );
  });

  it('a reply to a port that another entry holds comes back to one that is not known', () => {
    const lab = new Lab({ links: LINKS, tables: { nat: ['-A POSTROUTING -o eth2 -j SNAT --to-source 10.0.0.254'] } });
    lab.send('eth0', SYN);
    expect(lab.send('eth0', { ...SYN, from: '192.168.0.11:40000' })).toBe(DIRECT);
    const answer: PacketParts = { from: SYN.to, to: '10.0.0.254:40000', flags: 'SA', acknowledgement: 1 };
    expect(lab.send('eth2', answer)).toBe('eth0 192.168.0.10');
    expect(lab.send('eth2', { ...answer, to: '10.0.0.254:1234' })).toMatch(/^undetermined/);
  });

  it('1.3 the nat table sees only the first packet of an entry', () => {
    const lab = new Lab({ links: LINKS, tables: { ...dnat, mangle: ['-A FORWARD -p tcp -m tcp --syn -j ACCEPT'] } });
    const packet: PacketParts = { ...SYN, to: '192.168.0.254:33' };
    lab.send('eth0', packet);
    lab.send('eth0', packet);
    expect(lab.forwarder.explainLast().steps.some(({ kind }) => kind === 'translation')).toBe(false);
  });

  it('8.7 mangle PREROUTING sees DNAT from the second packet on', () => {
    const tables = { ...dnat, mangle: ['-A PREROUTING -m conntrack --ctstate DNAT -j MARK --set-xmark 0x8/0x8'] };
    const lab = new Lab({ links: LINKS, tables });
    lab.send('eth0', { ...SYN, to: '192.168.0.254:33' });
    expect(lab.mark).toBe(0);
    lab.send('eth0', { ...SYN, to: '192.168.0.254:33' });
    expect(lab.mark).toBe(8);
  });
});

describe('explainLast()', () => {
  it('records the walk with the state as before the packet, and changes nothing', () => {
    const lab = mangle(
      [
        '-A PREROUTING -i eth0 -p tcp -m tcp --dport 3389 -j CONNMARK --set-xmark 0x1/0xffffffff',
        '-A PREROUTING ! -i eth1 -m connmark --mark 0x1 -j MARK --set-xmark 0x1/0xffffffff',
        '-A PREROUTING -m mark --mark 0x4 -j DROP',
        '-A PREROUTING -p udp -m mark --mark 0x1 -j DROP',
      ],
      REDIRECT,
    );
    lab.send('eth0', SYN);
    const first = lab.forwarder.explainLast();
    expect(lab.forwarder.explainLast()).toEqual(first);
    const texts = first.steps.map((step) => {
      if (step.kind === 'conntrack') return `${step.state} ${step.connmark} ${step.detail}`;
      if (step.kind === 'rule') return `${step.number} ${step.outcome} ${step.effect}`;
      if (step.kind === 'policy-rule') return `${step.priority} ${step.outcome} ${step.effect}`;
      if (step.kind === 'route') return `${step.table} ${step.prefix} ${step.egress} ${step.nextHop}`;
      if (step.kind === 'reverse-path') return `${step.effective} ${step.outcome} ${step.effect}`;
      return step.kind === 'end' ? step.disposition : step.kind;
    });
    expect(texts).toEqual([
      'NEW 0 NONE > SYN_SENT',
      '1 matched CONNMARK 0x0 > 0x1',
      '2 matched MARK 0x0 > 0x1',
      '3 missed mark',
      'chain-policy',
      '0 matched lookup 255 (local): no route, next rule',
      '100 matched lookup 103 (scb): default via 172.16.0.1 dev eth1',
      '103 0.0.0.0/0 eth1 172.16.0.1',
      '0 passed 192.168.0.0/24 dev eth0',
      'forwarded',
    ]);
    lab.send('eth1', { from: SYN.to, to: SYN.from, flags: 'SA', acknowledgement: 1 });
    expect(lab.forwarder.explainLast().steps[0]).toMatchObject({
      state: 'ESTABLISHED',
      direction: 'reply',
      detail: 'SYN_SENT > SYN_RECV',
      connmark: 1,
    });
  });

  it('ends an undetermined walk with what is unknown', () => {
    const lab = mangle(['-A PREROUTING -m set -j MARK --set-xmark 0x1/0x1'], REDIRECT);
    lab.send('eth0', SYN);
    const { steps } = lab.forwarder.explainLast();
    expect(steps.at(-2)).toMatchObject({ kind: 'unknown', reason: 'match set is not modelled' });
    expect(steps.at(-1)).toMatchObject({ kind: 'end', disposition: 'undetermined' });
  });
});
