/** Random sets for `ipset restore`, and rules that look into them. */
import fc from 'fast-check';

type Text = fc.Arbitrary<string>;

const one = (...values: readonly string[]): Text => fc.constantFrom(...values);
const words = (...parts: readonly Text[]): Text =>
  fc.tuple(...parts).map((list) => list.filter((part) => part !== '').join(' '));
const joined = (...parts: readonly Text[]): Text => fc.tuple(...parts).map((list) => list.join(','));
const seldom = (text: Text): Text =>
  fc.oneof({ weight: 4, arbitrary: fc.constant('') }, { weight: 1, arbitrary: text });

const IP = one(
  '192.168.0.10',
  '192.168.0.11',
  '10.0.0.10',
  '10.0.0.20',
  '10.9.1.5',
  '172.16.0.1',
  '10.0.0.254',
  '203.0.113.5',
  '8.8.8.8',
);
const NET = one(
  '192.168.0.0/24',
  '192.168.0.0/16',
  '192.168.0.10',
  '10.0.0.0/8',
  '10.0.0.0/24',
  '10.0.0.0/28',
  '10.0.0.20',
  '172.16.0.0/12',
  '128.0.0.0/1',
  '203.0.113.0/24',
);
const WIDE = fc.oneof({ weight: 8, arbitrary: NET }, { weight: 1, arbitrary: one('0.0.0.0/0') });
const PORT = one(
  'tcp:3389',
  'tcp:22',
  'tcp:40000',
  'udp:3389',
  'udp:22',
  'udp:53',
  'icmp:8/0',
  'icmp:echo-reply',
  'icmp:3/1',
  '50:0',
  'ospf:0',
);
const INTERFACE = one('eth0', 'eth1', 'eth2', 'eth3');
const NOMATCH = seldom(one('nomatch'));

interface Kind {
  readonly type: string;
  readonly options?: Text;
  readonly member: Text;
  /** Directions that a rule gives it. */
  readonly directions: Text;
}

const D = one('src', 'dst');
const KINDS: Readonly<Record<string, Kind>> = {
  ip: { type: 'hash:ip', options: one('', '', 'netmask 24', 'netmask 28', 'counters'), member: IP, directions: D },
  net: { type: 'hash:net', member: words(NET, NOMATCH), directions: D },
  ipport: { type: 'hash:ip,port', member: joined(IP, PORT), directions: joined(D, D) },
  netport: { type: 'hash:net,port', member: words(joined(NET, PORT), NOMATCH), directions: joined(D, D) },
  ipportip: { type: 'hash:ip,port,ip', member: joined(IP, PORT, IP), directions: joined(D, D, D) },
  ipportnet: { type: 'hash:ip,port,net', member: words(joined(IP, PORT, NET), NOMATCH), directions: joined(D, D, D) },
  netiface: {
    type: 'hash:net,iface',
    member: fc.oneof(
      { weight: 4, arbitrary: words(joined(WIDE, INTERFACE), NOMATCH) },
      { weight: 1, arbitrary: words(joined(WIDE, one('eth', 'e', 'eth1')), fc.constant('wildcard')) },
    ),
    directions: joined(D, D),
  },
  bitip: {
    type: 'bitmap:ip',
    options: one('range 10.0.0.0/24', 'range 10.0.0.0/16 netmask 28', 'range 192.168.0.0-192.168.0.200'),
    member: one('10.0.0.10', '10.0.0.20', '192.168.0.10', '192.168.0.11'),
    directions: D,
  },
  bitport: {
    type: 'bitmap:port',
    options: one('range 0-65535', 'range 22-4000'),
    member: one('22', '3389', '53', '40000', '3000-3500'),
    directions: D,
  },
  list: { type: 'list:set', member: one('ip', 'net', 'ipport', 'bitport', 'netiface'), directions: joined(D, D) },
};

/** Lines that create every kind of set, with members. Members that a set does not take are not there: its dump says what is. */
export const SETS: fc.Arbitrary<string[]> = fc
  .tuple(
    ...Object.entries(KINDS).map(([name, kind]) =>
      fc
        .tuple(kind.options ?? fc.constant(''), fc.array(kind.member, { maxLength: 8, size: 'max' }))
        .map(([options, members]) => [
          `create ${name} ${kind.type} ${options}`.trim(),
          ...members.filter((member) => fits(kind, options, member)).map((member) => `add ${name} ${member}`),
        ]),
    ),
  )
  .map((lists) => lists.flat());

/** A bitmap refuses what is outside its range, and takes the whole file down with it. */
function fits(kind: Kind, options: string, member: string): boolean {
  if (kind.type === 'bitmap:ip') return member.startsWith('10.') === options.startsWith('range 10.');
  return kind.type !== 'bitmap:port' || options === 'range 0-65535' || member !== '40000';
}

/** Conditions that look into one of {@link SETS}. */
export const SET_MATCHES: Text = fc.constantFrom(...Object.keys(KINDS)).chain((name) => {
  const kind = KINDS[name]!;
  const directions = fc.oneof(
    { weight: 12, arbitrary: kind.directions },
    { weight: 1, arbitrary: one('src', 'src,dst', 'dst,dst,src,src') },
  );
  return words(
    fc.constant('-m set'),
    one('', '', '!'),
    fc.constant(`--match-set ${name}`),
    directions,
    seldom(one('--return-nomatch')),
  );
});

/** Targets that change the packet itself; in mangle only. */
export const PACKET_TARGETS: Text = fc.oneof(
  words(
    one('-j TTL'),
    one('--ttl-set 1', '--ttl-set 64', '--ttl-dec 1', '--ttl-dec 63', '--ttl-dec 200', '--ttl-inc 5', '--ttl-inc 250'),
  ),
  words(
    one('-j TOS'),
    one(
      '--set-tos 0x10',
      '--set-tos 0x08/0x1c',
      '--set-tos Minimize-Delay',
      '--and-tos 0x1c',
      '--or-tos 0x10',
      '--xor-tos 0x18',
      '--set-tos 0',
    ),
  ),
  words(one('-j DSCP'), one('--set-dscp 0x2e', '--set-dscp-class CS1', '--set-dscp 4', '--set-dscp 0')),
  one(
    '-p tcp -j ECN --ecn-tcp-remove',
    '-j CLASSIFY --set-class 1:2',
    '-p tcp -j TCPOPTSTRIP --strip-options mss',
    '-j SET --map-set ip src --map-prio',
  ),
);

/** Targets of nat chains that replace the network part of an address. */
export const NETMAP_TARGETS: Text = one(
  '-j NETMAP --to 10.0.0.0/24',
  '-j NETMAP --to 10.0.0.16/28',
  '-j NETMAP --to 172.16.0.0/24',
  '-j NETMAP --to 10.9.0.0/16',
);
