import { CtState, type Match } from '../../model/netfilter.ts';
import { IpProtocol } from '../../net/ip-protocol.ts';
import { parseMac } from '../../net/mac-address.ts';
import { parseMaskedMark } from '../../net/masked-mark.ts';
import { conntrackMatch } from './iptables-conntrack-match.ts';
import {
  argumentOf,
  type OptionUse,
  parseServiceRange,
  refuseNegation,
  RuleError,
  type RuleContext,
  type SimulationStatus,
} from './iptables-extension.ts';
import { HEADER_MATCHES } from './iptables-header-matches.ts';
import { SET_MATCH } from './iptables-set-match.ts';

/** A match extension that is modelled at least in part. */
export interface MatchExtension extends SimulationStatus {
  /** Long options without dashes and how many arguments each takes. */
  readonly options: Readonly<Record<string, number>>;
  /** The conditions that the options make; throws {@link RuleError} where iptables would refuse them. */
  build(uses: readonly OptionUse[], context: RuleContext): Match[];
}

/** An option of a modelled extension whose own effect is not modelled. */
function unmodelledOption(extension: string, use: OptionUse): Match {
  const text = [...(use.negated ? ['!'] : []), `--${use.name}`, ...use.arguments].join(' ');
  return { kind: 'unmodelled', name: `${extension} --${use.name}`, text };
}

function requireProtocol(context: RuleContext, extension: string, allowed: readonly number[]): number {
  const { protocol } = context;
  if (protocol === undefined || protocol.negated || !allowed.includes(protocol.number)) {
    throw new RuleError(`-m ${extension} needs -p ${extension === 'multiport' ? 'tcp or udp' : extension}`);
  }
  return protocol.number;
}

function portMatch(kind: 'source-port' | 'destination-port', use: OptionUse, context: RuleContext): Match[] {
  const range = parseServiceRange(argumentOf(use), ':', context.dumped);
  // iptables stores no condition for the full range; inverted it is kept, and never matches.
  if (range.first === 0 && range.last === 65535 && !use.negated) return [];
  return [{ kind, range, negated: use.negated }];
}

const TCP_FLAGS: Readonly<Record<string, number>> = {
  FIN: 0x01,
  SYN: 0x02,
  RST: 0x04,
  PSH: 0x08,
  ACK: 0x10,
  URG: 0x20,
  ALL: 0x3f,
  NONE: 0,
};

function parseTcpFlags(text: string): number {
  let flags = 0;
  for (const name of text.split(',')) {
    const bit = TCP_FLAGS[name.toUpperCase()];
    if (bit === undefined) throw new RuleError(`"${name}" is no TCP flag`);
    flags |= bit;
  }
  return flags;
}

const PORT_OPTIONS = { 'source-port': 1, sport: 1, 'destination-port': 1, dport: 1 } as const;

function transport(name: string, context: RuleContext, use: OptionUse): Match[] {
  switch (use.name) {
    case 'source-port':
    case 'sport':
      return portMatch('source-port', use, context);
    case 'destination-port':
    case 'dport':
      return portMatch('destination-port', use, context);
    case 'syn':
      // SYN set; RST, ACK and FIN clear. Ref: iptables-extensions(8), tcp --syn.
      return [{ kind: 'tcp-flags', mask: 0x17, set: 0x02, negated: use.negated }];
    case 'tcp-flags': {
      const [mask = '', set = ''] = use.arguments;
      return [{ kind: 'tcp-flags', mask: parseTcpFlags(mask), set: parseTcpFlags(set), negated: use.negated }];
    }
    default:
      return [unmodelledOption(name, use)];
  }
}

function transportExtension(
  name: 'tcp' | 'udp',
  protocols: readonly number[],
  options: Record<string, number>,
): MatchExtension {
  return {
    options: { ...PORT_OPTIONS, ...options },
    unmodelled: name === 'tcp' ? ['tcp-option'] : [],
    synonyms: { 'source-port': 'sport', 'destination-port': 'dport' },
    build: (uses, context) => [
      { kind: 'transport-header', protocol: requireProtocol(context, name, protocols) },
      ...uses.flatMap((use) => transport(name, context, use)),
    ],
  };
}

function buildMultiport(uses: readonly OptionUse[], context: RuleContext): Match[] {
  requireProtocol(context, 'multiport', [
    IpProtocol.tcp,
    IpProtocol.udp,
    IpProtocol.udplite,
    IpProtocol.sctp,
    IpProtocol.dccp,
  ]);
  if (uses.length !== 1) throw new RuleError('-m multiport takes exactly one of --sports, --dports, --ports');
  return uses.map((use) => {
    const which = use.name === 'ports' ? 'either' : use.name.startsWith('s') ? 'source' : 'destination';
    const ranges = argumentOf(use)
      .split(',')
      .map((part) => parseServiceRange(part, ':'));
    const slots = ranges.reduce((sum, range) => sum + (range.first === range.last ? 1 : 2), 0);
    if (slots > 15) throw new RuleError('-m multiport takes at most 15 ports, a range counts as two');
    return { kind: 'multiport', which, ranges, negated: use.negated };
  });
}

function markExtension(kind: 'mark' | 'connmark'): MatchExtension {
  return {
    options: { mark: 1 },
    build: (uses) => {
      if (uses.length !== 1) throw new RuleError(`-m ${kind} needs --mark once`);
      return uses.map((use) => {
        const mark = parseMaskedMark(argumentOf(use));
        if (mark === undefined) throw new RuleError(`"${argumentOf(use)}" is no mark of 32 bits`);
        return { kind, mark, negated: use.negated };
      });
    },
  };
}

const STATES: Readonly<Record<string, number>> = {
  INVALID: CtState.invalid,
  NEW: CtState.new,
  ESTABLISHED: CtState.established,
  RELATED: CtState.related,
  UNTRACKED: CtState.untracked,
};

const TRANSLATION_STATES: Readonly<Record<string, number>> = { SNAT: CtState.snat, DNAT: CtState.dnat };

function stateMatch(use: OptionUse, known: Readonly<Record<string, number>>): Match {
  let states = 0;
  for (const name of argumentOf(use).split(',')) {
    const bit = known[name.toUpperCase()];
    if (bit === undefined) throw new RuleError(`"${name}" is no connection state`);
    states |= bit;
  }
  return { kind: 'ctstate', states, negated: use.negated };
}

const CONNTRACK_OPTIONS = {
  ctstate: 1,
  ctproto: 1,
  ctorigsrc: 1,
  ctorigdst: 1,
  ctreplsrc: 1,
  ctrepldst: 1,
  ctorigsrcport: 1,
  ctorigdstport: 1,
  ctreplsrcport: 1,
  ctrepldstport: 1,
  ctstatus: 1,
  ctexpire: 1,
  ctdir: 1,
} as const;

/** Match extensions that are modelled, by name. Ref: iptables-extensions(8). */
export const MATCH_EXTENSIONS: ReadonlyMap<string, MatchExtension> = new Map<string, MatchExtension>([
  ['tcp', transportExtension('tcp', [IpProtocol.tcp], { syn: 0, 'tcp-flags': 2, 'tcp-option': 1 })],
  ['udp', transportExtension('udp', [IpProtocol.udp, IpProtocol.udplite], {})],
  [
    'multiport',
    {
      options: { sports: 1, 'source-ports': 1, dports: 1, 'destination-ports': 1, ports: 1 },
      build: buildMultiport,
      synonyms: { 'source-ports': 'sports', 'destination-ports': 'dports' },
    },
  ],
  ['mark', markExtension('mark')],
  ['connmark', markExtension('connmark')],
  [
    'conntrack',
    {
      options: CONNTRACK_OPTIONS,
      unmodelled: ['ctexpire'],
      build: (uses, context) => {
        if (uses.length === 0) throw new RuleError('-m conntrack needs at least one option');
        const besideState = uses.some((use) => use.name === 'ctstate');
        return uses.map((use) =>
          use.name === 'ctstate'
            ? stateMatch(use, { ...STATES, ...TRANSLATION_STATES })
            : (conntrackMatch(use, context, besideState) ?? unmodelledOption('conntrack', use)),
        );
      },
    },
  ],
  [
    'state',
    {
      options: { state: 1 },
      build: (uses) => {
        if (uses.length !== 1) throw new RuleError('-m state needs --state once');
        return uses.map((use) => stateMatch(use, STATES));
      },
    },
  ],
  [
    'mac',
    {
      options: { 'mac-source': 1 },
      build: (uses) => {
        if (uses.length !== 1) throw new RuleError('-m mac needs --mac-source once');
        return uses.map((use) => {
          // An address that was blotted out for others to read.
          if (/^[Xx*]{2}(?::[Xx*0-9A-Fa-f]{2}){5}$/.test(argumentOf(use))) return unmodelledOption('mac', use);
          const mac = parseMac(argumentOf(use));
          if (mac === undefined) throw new RuleError(`"${argumentOf(use)}" is no MAC address`);
          return { kind: 'mac-source', mac, negated: use.negated };
        });
      },
    },
  ],
  ...HEADER_MATCHES,
  ['set', SET_MATCH],
  [
    // A comment matches everything; the rule keeps it apart.
    'comment',
    {
      options: { comment: 1 },
      build: (uses) => {
        for (const use of uses) refuseNegation(use);
        if (uses.length !== 1) throw new RuleError('-m comment needs --comment once');
        return [];
      },
    },
  ],
]);

/** Match extensions of iptables that are recognised and not modelled. Ref: iptables-extensions(8), xtables-addons(8). */
export const UNMODELLED_MATCHES: ReadonlySet<string> = new Set(
  (
    'ah bpf cgroup cluster condition connbytes connlabel connlimit cpu dccp devgroup dhcpmac dst esp eui64 frag ' +
    'fuzzy geoip gradm hashlimit hbh helper iface icmpv6 ipcomp ipp2p ipv4options ipv6header ipvs layer7 ' +
    'length2 limit lscan mh ndpi nfacct nth osf owner physdev policy psd qtaguid quota quota2 random rateest realm ' +
    'recent rt sctp socket srh statistic string tcpmss time u32 udplite unclean webstr'
  ).split(' '),
);
