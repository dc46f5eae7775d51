import type { ConntrackTarget, Target } from '../../model/netfilter.ts';
import { type IpAddress, parseIpAddress } from '../../net/ip-address.ts';
import { IpProtocol } from '../../net/ip-protocol.ts';
import { parseMaskedMark, parseUnsigned32 } from '../../net/masked-mark.ts';
import type { PortRange } from '../../net/port-range.ts';
import {
  argumentOf,
  assertFamily,
  type OptionUse,
  parseServiceRange,
  refuseNegation,
  RuleError,
  type RuleContext,
  type SimulationStatus,
} from './iptables-extension.ts';
import { PACKET_TARGETS } from './iptables-packet-targets.ts';

/** A target extension that is modelled. */
export interface TargetExtension extends SimulationStatus {
  /** Long options without dashes and how many arguments each takes. */
  readonly options: Readonly<Record<string, number>>;
  /** What the options make; throws {@link RuleError} where iptables would refuse them. */
  build(uses: readonly OptionUse[], context: RuleContext): Target;
}

const MARK_OPTIONS = { 'set-mark': 1, 'set-xmark': 1, 'and-mark': 1, 'or-mark': 1, 'xor-mark': 1 } as const;

/** Reduces a MARK option to value and mask of nf = (nf & ~mask) ^ value. Ref: linux libxt_MARK mark_tg_parse(). */
function reduceMark(use: OptionUse): { value: number; mask: number } {
  const text = argumentOf(use);
  const marked = use.name.startsWith('set-') ? parseMaskedMark(text) : undefined;
  const bits = use.name.startsWith('set-') ? undefined : parseUnsigned32(text);
  const fail = (): never => {
    throw new RuleError(`"${text}" is no mark of 32 bits`);
  };
  switch (use.name) {
    case 'set-xmark':
      return marked ?? fail();
    case 'set-mark': {
      const { value, mask } = marked ?? fail();
      return { value, mask: (value | mask) >>> 0 };
    }
    case 'and-mark':
      return { value: 0, mask: ~(bits ?? fail()) >>> 0 };
    case 'or-mark':
      return { value: bits ?? fail(), mask: bits ?? fail() };
    default:
      return { value: bits ?? fail(), mask: 0 };
  }
}

function buildMark(uses: readonly OptionUse[]): Target {
  const [use] = uses;
  if (use === undefined || uses.length > 1) throw new RuleError('-j MARK needs exactly one of its options');
  refuseNegation(use);
  return { kind: 'mark', ...reduceMark(use) };
}

function buildConnmark(uses: readonly OptionUse[]): Target {
  for (const use of uses) refuseNegation(use);
  const shift = uses.find((use) => use.name.endsWith('-shift-mark'));
  if (shift !== undefined) {
    return { kind: 'unmodelled', name: `CONNMARK --${shift.name}`, text: `--${shift.name} ${argumentOf(shift)}` };
  }
  const actions = uses.filter((use) => !['mask', 'nfmask', 'ctmask'].includes(use.name));
  const [action] = actions;
  if (action === undefined || actions.length > 1) throw new RuleError('-j CONNMARK needs exactly one action');
  const masks = uses.filter((use) => use !== action);
  if (action.name in MARK_OPTIONS) {
    if (masks.length > 0) throw new RuleError(`--${action.name} takes its mask as VALUE/MASK`);
    return { kind: 'connmark-set', ...reduceMark(action) };
  }
  let nfmask = 0xffffffff;
  let ctmask = 0xffffffff;
  for (const use of masks) {
    const mask = parseUnsigned32(argumentOf(use));
    if (mask === undefined) throw new RuleError(`"${argumentOf(use)}" is no mask of 32 bits`);
    if (use.name !== 'ctmask') nfmask = mask;
    if (use.name !== 'nfmask') ctmask = mask;
  }
  return { kind: action.name === 'save-mark' ? 'connmark-save' : 'connmark-restore', nfmask, ctmask };
}

/** Splits `ADDRESS[-ADDRESS][:PORT[-PORT]]`; IPv6 addresses before a port stand in brackets. */
function splitTranslation(text: string): { addresses: string[]; ports?: string } {
  const bracketed = /^\[([^\]]*)\](?:-\[([^\]]*)\])?(?::(.*))?$/.exec(text);
  if (bracketed !== null) {
    const [, first = '', last, ports] = bracketed;
    return { addresses: last === undefined ? [first] : [first, last], ...(ports === undefined ? {} : { ports }) };
  }
  const colons = text.split(':').length - 1;
  if (colons > 1) return { addresses: text.split('-') };
  const [addresses = '', ports] = text.split(':');
  return { addresses: addresses === '' ? [] : addresses.split('-'), ...(ports === undefined ? {} : { ports }) };
}

function parseTranslation(
  text: string,
  context: RuleContext,
): { addresses?: { first: IpAddress; last: IpAddress }; ports?: PortRange } {
  const { addresses, ports } = splitTranslation(text);
  const parsed = addresses.map((address) => parseIpAddress(address));
  if (
    parsed.length > 2 ||
    parsed.some((address) => address === undefined) ||
    (parsed.length === 0 && ports === undefined)
  ) {
    throw new RuleError(`"${text}" is no address, range of addresses or port to translate to`);
  }
  const [first, last = first] = parsed;
  if (first !== undefined && last !== undefined) assertFamily(context, first, last);
  return {
    ...(first === undefined || last === undefined ? {} : { addresses: { first, last } }),
    ...(ports === undefined ? {} : { ports: parseTranslationPorts(ports) }),
  };
}

/** Ports of a translation must be a number or a closed range. */
function parseTranslationPorts(text: string): PortRange {
  if (text.startsWith('-') || text.endsWith('-')) throw new RuleError(`"${text}" is no port or range of ports`);
  return parseServiceRange(text, '-');
}

/** Ports are translated only where the rule is about a protocol that has them. */
function requirePorts({ protocol }: RuleContext): void {
  if (protocol === undefined || protocol.negated || !WITH_PORTS.has(protocol.number)) {
    throw new RuleError('ports can be translated only with -p tcp, udp, sctp or dccp');
  }
}

const WITH_PORTS: ReadonlySet<number> = new Set([
  IpProtocol.tcp,
  IpProtocol.udp,
  IpProtocol.udplite,
  IpProtocol.sctp,
  IpProtocol.dccp,
  IpProtocol.icmp,
]);

const NAT_FLAGS = { random: 0, 'random-fully': 0, persistent: 0 } as const;

function natExtension(kind: 'snat' | 'dnat', option: string): TargetExtension {
  return {
    options: { [option]: 1, ...NAT_FLAGS },
    documented: Object.keys(NAT_FLAGS),
    build: (uses, context) => {
      for (const use of uses) refuseNegation(use);
      const to = uses.filter((use) => use.name === option);
      const flags = uses.filter((use) => use.name !== option).map((use) => use.name);
      const [use] = to;
      if (use === undefined || to.length > 1) throw new RuleError(`--${option} must be given once`);
      const text = argumentOf(use);
      if (text.slice(text.lastIndexOf(':')).includes('/') && kind === 'dnat') {
        // A shifted port map `first-last/base`: which port becomes which is not modelled.
        return { kind: 'unmodelled', name: 'DNAT to a shifted port range', text: `--${option} ${text}` };
      }
      const translation = parseTranslation(text, context);
      if (translation.ports !== undefined) requirePorts(context);
      return { kind, ...translation, flags };
    },
  };
}

function buildOwnAddress(kind: 'masquerade' | 'redirect', uses: readonly OptionUse[], context: RuleContext): Target {
  for (const use of uses) refuseNegation(use);
  const ports = uses.find((use) => use.name === 'to-ports');
  if (ports !== undefined) requirePorts(context);
  return {
    kind,
    ...(ports === undefined ? {} : { ports: parseTranslationPorts(argumentOf(ports)) }),
    flags: uses.filter((use) => use.name !== 'to-ports').map((use) => use.name),
  };
}

const ZONE_DIRECTIONS = { zone: 'both', 'zone-orig': 'original', 'zone-reply': 'reply' } as const;

/** A later zone option replaces an earlier one, as in iptables. Ref: libxt_CT.c: ct_parse_v1(), notrack_ct2_tg_init(). */
function buildConntrackTarget(uses: readonly OptionUse[]): Target {
  for (const use of uses) refuseNegation(use);
  if (uses.some((use) => use.name === 'notrack')) return { kind: 'notrack' };
  const timeout = uses.find((use) => use.name === 'timeout');
  if (timeout !== undefined) {
    return { kind: 'unmodelled', name: 'CT --timeout', text: `--timeout ${argumentOf(timeout)}` };
  }
  let zone: number | 'mark' = 0;
  let zoneDirection: ConntrackTarget['zoneDirection'] = 'both';
  for (const use of uses) {
    if (use.name !== 'zone' && use.name !== 'zone-orig' && use.name !== 'zone-reply') continue;
    const text = argumentOf(use);
    const number = parseUnsigned32(text);
    if (text !== 'mark' && (number === undefined || number > 0xffff)) throw new RuleError(`"${text}" is no zone`);
    zone = number ?? 'mark';
    zoneDirection = ZONE_DIRECTIONS[use.name];
  }
  const helper = uses.find((use) => use.name === 'helper');
  return { kind: 'ct', zone, zoneDirection, ...(helper === undefined ? {} : { helper: argumentOf(helper) }) };
}

const verdict = (kind: 'accept' | 'drop' | 'return'): TargetExtension => ({ options: {}, build: () => ({ kind }) });

/** Targets that are modelled, by name. Ref: iptables(8), iptables-extensions(8). */
export const TARGET_EXTENSIONS: ReadonlyMap<string, TargetExtension> = new Map<string, TargetExtension>([
  ['ACCEPT', verdict('accept')],
  ['DROP', verdict('drop')],
  ['RETURN', verdict('return')],
  [
    'REJECT',
    {
      options: { 'reject-with': 1 },
      // Without --reject-with it is the port that is said to be unreachable.
      build: ([use], { family }) => ({
        kind: 'reject',
        with: use === undefined ? `icmp${family === 6 ? '6' : ''}-port-unreachable` : argumentOf(use),
      }),
    },
  ],
  ['MARK', { options: MARK_OPTIONS, build: buildMark }],
  [
    'CONNMARK',
    {
      options: {
        ...MARK_OPTIONS,
        'save-mark': 0,
        'restore-mark': 0,
        mask: 1,
        nfmask: 1,
        ctmask: 1,
        'left-shift-mark': 1,
        'right-shift-mark': 1,
      },
      build: buildConnmark,
      unmodelled: ['left-shift-mark', 'right-shift-mark'],
    },
  ],
  ['NOTRACK', { options: {}, build: () => ({ kind: 'notrack' }) }],
  [
    'CT',
    {
      options: {
        notrack: 0,
        helper: 1,
        timeout: 1,
        // Which events are told to listeners changes no packet's way.
        ctevents: 1,
        expevents: 1,
        zone: 1,
        'zone-orig': 1,
        'zone-reply': 1,
      },
      build: buildConntrackTarget,
      documented: ['expevents'],
      unmodelled: ['helper', 'timeout'],
    },
  ],
  ['SNAT', natExtension('snat', 'to-source')],
  ['DNAT', natExtension('dnat', 'to-destination')],
  [
    'MASQUERADE',
    {
      options: { 'to-ports': 1, random: 0, 'random-fully': 0 },
      build: (uses, context) => buildOwnAddress('masquerade', uses, context),
      documented: ['to-ports', 'random', 'random-fully'],
    },
  ],
  [
    'REDIRECT',
    {
      options: { 'to-ports': 1, random: 0, 'random-fully': 0 },
      build: (uses, context) => buildOwnAddress('redirect', uses, context),
      documented: ['random', 'random-fully'],
    },
  ],
  ...PACKET_TARGETS,
]);

/**
 * Targets after which evaluation goes on and that change nothing that a later decision looks at. TEE sends a copy elsewhere and leaves
 * the packet alone; TCPMSS and TCPOPTSTRIP change TCP options, which no rule that is modelled tests. Not here: HMARK (changes the mark).
 */
export const PASS_THROUGH_TARGETS: ReadonlySet<string> = new Set(
  'LOG NFLOG ULOG TCPMSS CLASSIFY TRACE AUDIT SECMARK CONNSECMARK CHECKSUM LED RATEEST TEE TCPOPTSTRIP IDLETIMER ACCOUNT LOGMARK'.split(
    ' ',
  ),
);

/** Targets that are recognised and not modelled: they decide or change something that decisions look at. */
export const UNMODELLED_TARGETS: ReadonlySet<string> = new Set(
  (
    'BALANCE CHAOS CLUSTERIP DELUDE DHCPMAC DNETMAP DNPT ECHO FLOWOFFLOAD FULLCONENAT HMARK IMQ IPMARK ' +
    'IPV4OPTSSTRIP MIRROR NDPI NFQUEUE PROTO QUEUE RAWDNAT RAWSNAT ROUTE SAME SNPT SYNPROXY SYSRQ TARPIT'
  ).split(' '),
);
