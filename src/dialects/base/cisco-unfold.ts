import { lineFrom, type SourceLine } from '../../text/line-scanner.ts';

const INTERFACE =
  '(?:(?:Fast|Gigabit|TenGigabit|TwoGigabit|FortyGigabit)?Ethernet|HundredGigE|TwentyFiveGigE|Serial|Loopback|Vlan|Tunnel|Port-channel|Dialer|BVI|BDI)\\s?\\d[\\d/.:]*';
const ADDRESS = '\\d+\\.\\d+\\.\\d+\\.\\d+';
const PROTOCOL = '(?:ip|tcp|udp|icmp|igmp|gre|esp|ahp|ospf|eigrp|pim|sctp|object-group)';

/** How statements of a whole configuration begin. Strict, because remarks hold the same words: `… external interface route-map x permit 10`. */
const TOP = [
  `interface ${INTERFACE}(?=\\s|$)`,
  'ip access-list (?:standard|extended) [\\w.-]+',
  'route-map [\\w.-]+ (?:permit|deny) \\d+',
  'access-list \\d+ (?:permit|deny|remark)',
  `ip route (?:vrf \\S+ )?${ADDRESS} ${ADDRESS} `,
  'ip local policy route-map \\S+',
  'object-group (?:network|service) \\S+',
  'hostname \\S+',
  'version \\d+\\.\\d+',
  'track \\d+ ',
  'ip sla \\d+',
];

/** How statements within a block begin. */
const SUB = [
  `(?:no )?ip address (?:${ADDRESS} ${ADDRESS}|dhcp)`,
  'no ip address',
  '(?:no )?ip policy route-map \\S+',
  '(?:no )?ip access-group \\S+ (?:in|out)',
  '(?:no )?ip verify unicast ',
  '(?:no )?ip redirects',
  '(?:no )?ip (?:proxy-arp|unreachables|directed-broadcast|route-cache|mroute-cache)',
  'ip nat (?:inside|outside)(?=\\s|$)',
  'ip (?:mtu|virtual-reassembly)',
  'duplex (?:full|half|auto)',
  'speed (?:auto|\\d+)',
  'negotiation auto',
  '(?:no )?mop (?:enabled|sysid)',
  '(?:no )?cdp enable',
  '(?:no )?shutdown(?=\\s|$)',
  'encapsulation dot1Q \\d+',
  'standby \\d+ ',
  'vrrp \\d+ ',
  '(?:ip )?vrf forwarding \\S+',
  `(?:\\d+ )?(?:permit|deny) (?:${PROTOCOL}|any|host|${ADDRESS})(?=\\s|$)`,
  'match (?:ip address|length) ',
  'set ip (?:default )?next-hop ',
  'set (?:default )?interface ',
  'set ip (?:precedence|dscp|tos|df) ',
  'set (?:vrf|global)(?=\\s|$)',
];

const TOP_START = new RegExp(`(?:^|(?<=\\s))(?:${TOP.join('|')})`, 'i');
const ANY_START = new RegExp(`(?:^|(?<=\\s))(?:${[...TOP, ...SUB].join('|')})`, 'gi');
const LINE_START = new RegExp(
  `^\\s*(?:${[...TOP, ...SUB].join('|')}|interface \\S+\\s*$|ip access-list|route-map \\S+\\s*$|ip policy|match |set )`,
  'i',
);

/**
 * Whether a text is a configuration whose line ends were lost, as when copied from a page: no line begins with a statement, and
 * statements stand in the middle of lines. Elsewhere a line with `!` is a comment and nothing else.
 */
export function isUnfoldable(lines: readonly SourceLine[]): boolean {
  if (lines.some((line) => LINE_START.test(line.text) || /\(config[\w-]*\)|^###|^\S+[#>]\s*\S/.test(line.text)))
    return false;
  return lines.some((line) => /(?:^|\s)!/.test(line.text) && TOP_START.test(line.text));
}

/**
 * Puts the statements back on lines of their own. Between `!` and the first statement after it stands a remark, of any words; from
 * there to the next `!` all is configuration. What begins no statement stays with the one before it, so nothing is lost.
 */
export function unfold(lines: readonly SourceLine[]): SourceLine[] {
  return lines.flatMap((line) => segments(line).flatMap(statements));
}

/** The parts between the `!` that stand alone. */
function segments(line: SourceLine): SourceLine[] {
  const parts: SourceLine[] = [];
  let start = 0;
  for (const match of line.text.matchAll(/(?:^|(?<=\s))!(?=\s|$)/g)) {
    if (match.index > start) parts.push({ ...lineFrom(line, start), text: line.text.slice(start, match.index) });
    start = match.index + 1;
  }
  parts.push(lineFrom(line, start));
  return parts;
}

function statements(segment: SourceLine): SourceLine[] {
  const first = TOP_START.exec(segment.text)?.index;
  if (first === undefined) return [];
  const configuration = lineFrom(segment, first);
  const starts = [...configuration.text.matchAll(ANY_START)].map((match) => match.index);
  return starts.map((start, index) => ({
    ...lineFrom(configuration, start),
    text: configuration.text.slice(start, starts[index + 1]).trimEnd(),
  }));
}
