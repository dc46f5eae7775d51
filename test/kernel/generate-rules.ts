/** Random iptables rules over what the simulator models. */
import fc from 'fast-check';
import type { ScenarioRule } from './scenario.ts';

type Text = fc.Arbitrary<string>;

const one = (...values: readonly string[]): Text => fc.constantFrom(...values);
/** Joins the parts that are not empty. */
const words = (...parts: readonly Text[]): Text =>
  fc.tuple(...parts).map((list) => list.filter((part) => part !== '').join(' '));
const maybeNot = fc.oneof({ weight: 3, arbitrary: fc.constant('') }, { weight: 1, arbitrary: fc.constant('!') });

const MARKS = [
  '0x0',
  '0x1',
  '0x2',
  '0x3',
  '0x7',
  '0x1/0x1',
  '0x2/0x2',
  '0x0/0x1',
  '0x3/0x3',
  '0x4/0x4',
  // These never match: their values are not within their masks.
  '0x5/0x4',
  '0x5/0x1',
  '0x3/0x1',
  '0x3/0x2',
  '0x7/0x3',
  '0x10/0xf0',
  '0x0/0xf0',
];
const SET_MARKS = [
  '0x1',
  '0x2',
  '0x3',
  '0x7',
  '0x1/0x1',
  '0x2/0x2',
  '0x5/0x5',
  '0x1/0x3',
  '0x4/0x0',
  '0x3/0x0',
  '0x7/0x1',
  '0x11/0xff',
  '0xff/0xf0',
  '0x80000001/0x80000000',
];
const MASKS = ['0x1', '0x2', '0x3', '0x7', '0x5', '0xff', '0xffffffff', '0xf0', '0x0', '0x80000000'];
const SOURCES = [
  '192.168.0.0/24',
  '192.168.0.10',
  '10.0.0.0/24',
  '10.0.0.10',
  '172.16.0.0/24',
  '203.0.113.0/24',
  '0.0.0.10/0.0.0.255',
  '0.0.0.0/0',
];
const DESTINATIONS = [...SOURCES, '10.0.0.0/8', '10.0.0.254', '10.0.0.255', '198.51.100.0/30'];
const STATES = [
  'NEW',
  'ESTABLISHED',
  'RELATED',
  'INVALID',
  'UNTRACKED',
  'RELATED,ESTABLISHED',
  'NEW,INVALID',
  'SNAT',
  'DNAT',
  'ESTABLISHED,DNAT',
];
const FLAGS = [
  'SYN SYN',
  'FIN,SYN,RST,ACK SYN',
  'ALL ACK',
  'RST RST',
  'SYN,ACK SYN,ACK',
  'ALL NONE',
  'FIN FIN',
  'ACK,PSH ACK',
];

const port = one('3389', '22', '40000', '40001', '1:1024', '3000:4000', '0:3388', '40000:65535', ':100');
const ports = one('22,3389', '40000', '22,80,3000:4000', '1:65535', '80,443');

const anyMatch: Text = fc.oneof(
  { weight: 4, arbitrary: words(maybeNot, fc.constant('-s'), one(...SOURCES)) },
  { weight: 4, arbitrary: words(maybeNot, fc.constant('-d'), one(...DESTINATIONS)) },
  { weight: 5, arbitrary: words(fc.constant('-m mark'), maybeNot, fc.constant('--mark'), one(...MARKS)) },
  { weight: 2, arbitrary: words(maybeNot, fc.constant('-p'), one('tcp', 'udp', 'icmp', '50', '89')) },
  { weight: 3, arbitrary: words(fc.constant('-p tcp -m tcp'), maybeNot, fc.constant('--dport'), port) },
  { weight: 2, arbitrary: words(fc.constant('-p tcp -m tcp'), maybeNot, fc.constant('--sport'), port) },
  { weight: 2, arbitrary: words(fc.constant('-p tcp -m tcp'), maybeNot, fc.constant('--tcp-flags'), one(...FLAGS)) },
  { weight: 1, arbitrary: one('-p tcp -m tcp', '-p udp -m udp', '-p tcp -m tcp ! --syn', '-p tcp -m tcp --syn') },
  { weight: 1, arbitrary: words(fc.constant('-p udp -m udp'), maybeNot, one('--dport', '--dport', '--sport'), port) },
  {
    weight: 2,
    arbitrary: words(
      one('-p tcp -m multiport', '-p udp -m multiport'),
      maybeNot,
      one('--dports', '--sports', '--ports'),
      ports,
    ),
  },
  {
    weight: 1,
    arbitrary: words(
      fc.constant('-m mac'),
      maybeNot,
      one('--mac-source 06:00:c0:a8:00:0a', '--mac-source 06:00:0a:00:00:0a'),
    ),
  },
  { weight: 1, arbitrary: one('-m comment --comment "one two"', '-f', '! -f') },
);
const inMatch = words(maybeNot, fc.constant('-i'), one('eth0', 'eth1', 'eth2', 'eth+', 'lo', 'eth0+', 'e+'));
const outMatch = words(maybeNot, fc.constant('-o'), one('eth0', 'eth1', 'eth2', 'eth3', 'eth+'));
const stateMatch = words(one('-m conntrack'), maybeNot, fc.constant('--ctstate'), one(...STATES));
const oldStateMatch = words(
  one('-m state'),
  maybeNot,
  fc.constant('--state'),
  one('NEW', 'ESTABLISHED', 'INVALID', 'RELATED,ESTABLISHED', 'UNTRACKED'),
);
const connmarkMatch = words(fc.constant('-m connmark'), maybeNot, fc.constant('--mark'), one(...MARKS));

const markTarget: Text = fc.oneof(
  { weight: 4, arbitrary: words(one('-j MARK --set-mark', '-j MARK --set-xmark'), one(...SET_MARKS)) },
  { weight: 2, arbitrary: words(one('-j MARK --and-mark', '-j MARK --or-mark', '-j MARK --xor-mark'), one(...MASKS)) },
);
const connmarkTarget: Text = fc.oneof(
  { weight: 3, arbitrary: words(one('-j CONNMARK --set-mark', '-j CONNMARK --set-xmark'), one(...SET_MARKS)) },
  {
    weight: 1,
    arbitrary: words(one('-j CONNMARK --and-mark', '-j CONNMARK --or-mark', '-j CONNMARK --xor-mark'), one(...MASKS)),
  },
  { weight: 3, arbitrary: one('-j CONNMARK --save-mark', '-j CONNMARK --restore-mark') },
  {
    weight: 2,
    arbitrary: words(one('-j CONNMARK --save-mark --mask', '-j CONNMARK --restore-mark --mask'), one(...MASKS)),
  },
  {
    weight: 2,
    arbitrary: words(
      one('-j CONNMARK --save-mark', '-j CONNMARK --restore-mark'),
      fc.constant('--nfmask'),
      one(...MASKS),
      fc.constant('--ctmask'),
      one(...MASKS),
    ),
  },
);

/** Matches on headers and addresses that not every profile uses. */
export const HEADER_MATCHES: Text = fc.oneof(
  words(
    fc.constant('-m ttl'),
    one('--ttl-eq 64', '! --ttl-eq 64', '--ttl-lt 64', '--ttl-gt 1', '--ttl-eq 63', '--ttl-lt 3'),
  ),
  words(fc.constant('-m length'), maybeNot, fc.constant('--length'), one('0:100', '40', '28:128', '1000:', ':60')),
  words(
    fc.constant('-m tos'),
    maybeNot,
    fc.constant('--tos'),
    one('0x10', '0x10/0x3f', 'Minimize-Delay', '0x08/0x1c', '0x03/0x03'),
  ),
  words(fc.constant('-m dscp'), maybeNot, one('--dscp 0x2e', '--dscp-class EF', '--dscp 4', '--dscp-class BE')),
  words(
    fc.constant('-p icmp -m icmp'),
    maybeNot,
    fc.constant('--icmp-type'),
    one('8', '0', '3/1', '3', 'echo-request', 'any', '11/0', '13'),
  ),
  words(fc.constant('-m pkttype'), maybeNot, fc.constant('--pkt-type'), one('unicast', 'broadcast', 'multicast')),
  words(
    fc.constant('-m iprange'),
    maybeNot,
    one(
      '--src-range 192.168.0.5-192.168.0.10',
      '--dst-range 10.0.0.0-10.0.0.15',
      '--src-range 10.0.0.0-10.255.255.255',
      '--dst-range 172.16.0.1-203.0.113.5',
    ),
  ),
  words(
    fc.constant('-m addrtype'),
    maybeNot,
    one(
      '--dst-type LOCAL',
      '--src-type LOCAL',
      '--dst-type BROADCAST',
      '--dst-type UNICAST',
      '--src-type UNICAST,BROADCAST',
      '--dst-type LOCAL,MULTICAST',
      '--src-type BLACKHOLE,PROHIBIT',
    ),
  ),
  words(
    fc.constant('-m addrtype'),
    maybeNot,
    one(
      '--dst-type LOCAL --limit-iface-in',
      '--dst-type UNICAST --limit-iface-in',
      '--src-type BROADCAST --limit-iface-in',
      '--dst-type UNICAST --limit-iface-out',
      '--src-type LOCAL --limit-iface-out',
    ),
  ),
  words(fc.constant('-m ecn'), maybeNot, one('--ecn-ip-ect 3', '--ecn-ip-ect 0')),
  words(fc.constant('-p tcp -m ecn'), maybeNot, one('--ecn-tcp-cwr', '--ecn-tcp-ece')),
);

/** The reverse path filter of iptables, which only some chains take. */
export const RPFILTER_MATCHES: Text = words(
  fc.constant('-m rpfilter'),
  one('', '--loose'),
  one('', '', '--validmark'),
  one('', '', '--accept-local'),
  one('', '--invert'),
);

/** Matches on the connection entry beyond its state. */
export const ENTRY_MATCHES: Text = fc.oneof(
  words(fc.constant('-m conntrack'), maybeNot, one('--ctproto tcp', '--ctproto udp', '--ctproto 1', '--ctproto 50')),
  words(
    fc.constant('-m conntrack'),
    maybeNot,
    one(
      '--ctorigsrc 192.168.0.0/24',
      '--ctorigdst 10.0.0.0/24',
      '--ctreplsrc 10.0.0.20',
      '--ctrepldst 192.168.0.0/16',
      '--ctreplsrc 10.0.0.0/24',
      '--ctrepldst 10.0.0.254',
      '--ctorigdst 203.0.113.5',
    ),
  ),
  words(
    fc.constant('-m conntrack'),
    maybeNot,
    one(
      '--ctorigsrcport 40000',
      '--ctorigdstport 22:3389',
      '--ctreplsrcport 3389',
      '--ctrepldstport 40000:40001',
      '--ctorigsrcport 0:1024',
      '--ctreplsrcport 3390',
    ),
  ),
  words(fc.constant('-m conntrack'), one('--ctdir ORIGINAL', '--ctdir REPLY')),
  words(
    fc.constant('-m conntrack'),
    maybeNot,
    one(
      '--ctstatus SEEN_REPLY',
      '--ctstatus ASSURED',
      '--ctstatus CONFIRMED',
      '--ctstatus NONE',
      '--ctstatus EXPECTED',
      '--ctstatus ASSURED,EXPECTED',
    ),
  ),
  words(
    fc.constant('-m conntrack'),
    one(
      '--ctstate INVALID --ctorigsrc 10.0.0.0/24',
      '--ctstate NEW --ctproto tcp',
      '--ctstate INVALID,ESTABLISHED --ctdir REPLY',
      '! --ctstate NEW --ctstatus ASSURED',
    ),
  ),
);

/** Which parts of iptables a profile's rules use. */
export interface RuleStyle {
  readonly tables: readonly string[];
  readonly conntrack: boolean;
  readonly variants: readonly ('nft' | 'legacy')[];
  readonly most: number;
  /** Further matches and targets. */
  readonly matches?: Text;
  readonly preroutingMatches?: Text;
  readonly mangleTargets?: Text;
  readonly rawTargets?: Text;
  readonly natTargets?: readonly Text[];
  /** DROP as often as this, out of 10. */
  readonly drops?: number;
}

const CHAINS: Readonly<Record<string, readonly string[]>> = {
  raw: ['PREROUTING', 'PREROUTING', 'u0', 'u1'],
  mangle: ['PREROUTING', 'PREROUTING', 'PREROUTING', 'PREROUTING', 'FORWARD', 'POSTROUTING', 'INPUT', 'u0', 'u1', 'u2'],
  nat: ['PREROUTING', 'POSTROUTING', 'POSTROUTING', 'INPUT'],
  filter: ['FORWARD', 'FORWARD', 'INPUT', 'u0', 'u1', 'u2'],
};

function matchesFor(style: RuleStyle, chain: string): Text {
  const pool = [
    { weight: 6, arbitrary: anyMatch },
    ...(chain === 'PREROUTING' || chain === 'INPUT' || chain === 'FORWARD' ? [{ weight: 3, arbitrary: inMatch }] : []),
    ...(chain === 'FORWARD' || chain === 'POSTROUTING' ? [{ weight: 3, arbitrary: outMatch }] : []),
    ...(style.conntrack
      ? [
          { weight: 3, arbitrary: stateMatch },
          { weight: 1, arbitrary: oldStateMatch },
          { weight: 4, arbitrary: connmarkMatch },
        ]
      : []),
    ...(style.matches === undefined ? [] : [{ weight: 9, arbitrary: style.matches }]),
    ...(style.preroutingMatches === undefined || chain !== 'PREROUTING'
      ? []
      : [{ weight: 5, arbitrary: style.preroutingMatches }]),
  ];
  // Options of one kind cannot stand twice in a rule.
  return fc.array(fc.oneof(...pool), { maxLength: 2 }).map((list) => {
    const kept: string[] = [];
    const seen = new Set<string>();
    for (const text of list) {
      const kinds = text
        .split(' ')
        .filter((word) => /^-[a-z]$/.test(word) && word !== '-m')
        .concat(/-m (\w+)/.exec(text)?.[1] ?? []);
      if (kinds.some((kind) => seen.has(kind)) || (seen.has('-f') && text.includes('-p '))) continue;
      for (const kind of kinds) seen.add(kind);
      kept.push(text);
    }
    return kept.join(' ');
  });
}

function jumps(chain: string): Text[] {
  const later = ['u0', 'u1', 'u2'].filter((name) => !chain.startsWith('u') || name > chain);
  return later.length === 0 ? [] : [words(one('-j', '-g', '-g'), one(...later))];
}

function targetFor(style: RuleStyle, table: string, chain: string): Text {
  const marks = style.conntrack ? [markTarget, markTarget, connmarkTarget, connmarkTarget] : [markTarget];
  const verdicts = one('-j ACCEPT', '-j RETURN', '-j RETURN', '', '-j LOG');
  const drop = { weight: style.drops ?? 1, arbitrary: fc.constant('-j DROP') };
  const even = (list: readonly Text[], weight: number) => list.map((arbitrary) => ({ weight, arbitrary }));
  if (table === 'mangle') {
    return fc.oneof(
      drop,
      ...even(marks, 4),
      ...even(jumps(chain), 3),
      { weight: 2, arbitrary: verdicts },
      ...(style.mangleTargets === undefined ? [] : [{ weight: 4, arbitrary: style.mangleTargets }]),
    );
  }
  if (table === 'raw') {
    const notrack = style.conntrack ? ['-j NOTRACK', '-j CT --notrack'] : [];
    return fc.oneof(
      drop,
      { weight: 3, arbitrary: one(...notrack, '-j ACCEPT', '-j RETURN') },
      { weight: 3, arbitrary: markTarget },
      ...even(jumps(chain), 2),
      ...(style.rawTargets === undefined ? [] : [{ weight: 6, arbitrary: style.rawTargets }]),
    );
  }
  const rejects = one(
    '-j REJECT',
    '-j REJECT --reject-with icmp-host-prohibited',
    '-j REJECT --reject-with icmp-net-unreachable',
    '-p tcp -j REJECT --reject-with tcp-reset',
  );
  return fc.oneof(
    drop,
    { weight: 4, arbitrary: verdicts },
    { weight: 1, arbitrary: rejects },
    { weight: 2, arbitrary: fc.oneof(...marks) },
    ...even(jumps(chain), 3),
  );
}

const NAT_TARGETS: Readonly<Record<string, readonly string[]>> = {
  PREROUTING: [
    '-j DNAT --to-destination 10.0.0.20',
    '-j DNAT --to-destination 172.16.0.1',
    '-p tcp -j DNAT --to-destination 10.0.0.20:3390',
    '-p tcp -j DNAT --to-destination :3390',
    '-j DNAT --to-destination 10.0.0.254',
    '-j REDIRECT',
    '-p tcp -j REDIRECT --to-ports 3390',
  ],
  POSTROUTING: [
    '-j SNAT --to-source 10.0.0.254',
    '-j SNAT --to-source 172.16.0.9',
    '-j MASQUERADE',
    '-j MASQUERADE',
    '-p tcp -j SNAT --to-source 10.0.0.254:50000',
  ],
  INPUT: ['-j SNAT --to-source 10.0.0.9'],
};

function natRule(style: RuleStyle): fc.Arbitrary<{ chain: string; text: string }> {
  return fc.constantFrom(...CHAINS.nat!).chain((chain) => {
    const own = style.natTargets ?? [];
    const target = fc.oneof(
      { weight: 6, arbitrary: one(...NAT_TARGETS[chain]!) },
      { weight: 2, arbitrary: fc.oneof(markTarget, connmarkTarget, one('-j ACCEPT', '-j RETURN')) },
      ...(chain === 'INPUT' ? [] : own.map((arbitrary) => ({ weight: 5, arbitrary }))),
    );
    return words(matchesFor({ ...style, matches: fc.constant('-p tcp') }, chain), target).map((text) => ({
      chain,
      text,
    }));
  });
}

/** One rule; some combinations iptables refuses, which {@link tidy} takes care of. */
function rule(style: RuleStyle): fc.Arbitrary<ScenarioRule> {
  return fc.tuple(fc.constantFrom(...style.variants), fc.constantFrom(...style.tables)).chain(([variant, table]) => {
    if (table === 'nat') return natRule(style).map((made) => ({ variant, table, ...made }));
    return fc.constantFrom(...CHAINS[table]!).chain((chain) =>
      words(matchesFor(style, chain), targetFor(style, table, chain)).map((text) => ({
        variant,
        table,
        chain,
        text,
      })),
    );
  });
}

/** A rule whose options stand twice is left without the second; ports go with their protocol only. */
function tidy(made: ScenarioRule): ScenarioRule {
  const protocols = [...made.text.matchAll(/(! )?-p (\w+)/g)];
  if (protocols.length < 2) return made;
  const text = made.text.replace(/^(.*) (?:! )?-p \w+ (-j .*)$/, '$1 $2');
  const [, negated, first] = protocols[0]!;
  if (/--to-|tcp-reset|TCPOPTSTRIP|--ecn-tcp/.test(made.text) && (negated !== undefined || first !== 'tcp')) {
    return { ...made, text: text.replace(/-j .*$/, '-j RETURN') };
  }
  return { ...made, text };
}

/** Rules of a router. */
export function rules(style: RuleStyle): fc.Arbitrary<ScenarioRule[]> {
  return fc.array(rule(style).map(tidy), { minLength: 1, maxLength: style.most, size: 'max' });
}
