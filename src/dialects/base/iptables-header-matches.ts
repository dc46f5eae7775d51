/** Match extensions that look at the packet's headers and addresses. Ref: iptables-extensions(8). */
import type { Match } from '../../model/netfilter.ts';
import { type IpAddress, parseIpAddress } from '../../net/ip-address.ts';
import { IpProtocol } from '../../net/ip-protocol.ts';
import { argumentOf, assertFamily, type OptionUse, refuseNegation, RuleError } from './iptables-extension.ts';
import type { MatchExtension } from './iptables-matches.ts';

function only(name: string, uses: readonly OptionUse[]): OptionUse {
  const [use] = uses;
  if (use === undefined || uses.length > 1) throw new RuleError(`-m ${name} needs exactly one of its options`);
  return use;
}

function small(use: OptionUse, text: string, last: number): number {
  const value = /^(?:0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : Number.NaN;
  if (!(value <= last)) throw new RuleError(`--${use.name}: "${text}" is no number up to ${last}`);
  return value;
}

const TTL_COMPARISONS: Readonly<Record<string, 'equal' | 'less' | 'greater'>> = {
  'ttl-lt': 'less',
  'ttl-gt': 'greater',
  'hl-lt': 'less',
  'hl-gt': 'greater',
};

/** Also the hop limit of IPv6. */
function buildTtl(name: string, uses: readonly OptionUse[]): Match[] {
  const use = only(name, uses);
  const compare = TTL_COMPARISONS[use.name] ?? 'equal';
  if (compare !== 'equal') refuseNegation(use);
  return [{ kind: 'ttl', compare, value: small(use, argumentOf(use), 255), negated: use.negated }];
}

function buildLength(uses: readonly OptionUse[]): Match[] {
  const use = only('length', uses);
  const [first = '', last = first] = argumentOf(use).split(':');
  const range = {
    first: first === '' ? 0 : small(use, first, 65_535),
    last: last === '' ? 65_535 : small(use, last, 65_535),
  };
  if (range.first > range.last) throw new RuleError(`--length: "${argumentOf(use)}" ends before it begins`);
  return [{ kind: 'length', range, negated: use.negated }];
}

const TOS_NAMES: Readonly<Record<string, number>> = {
  'normal-service': 0,
  'minimize-cost': 2,
  'maximize-reliability': 4,
  'maximize-throughput': 8,
  'minimize-delay': 16,
};

/** The value of a TOS name; undefined where it is none. */
export function tosName(text: string): number | undefined {
  return Object.hasOwn(TOS_NAMES, text.toLowerCase()) ? TOS_NAMES[text.toLowerCase()] : undefined;
}

/** A name covers the six lower bits, a number all eight. Ref: iptables extensions/tos_values.c. */
function buildTos(uses: readonly OptionUse[]): Match[] {
  const use = only('tos', uses);
  const text = argumentOf(use);
  const named = tosName(text);
  if (named !== undefined) return [{ kind: 'tos', value: named, mask: 0x3f, negated: use.negated }];
  const [value = '', mask = '0xff'] = text.split('/');
  return [{ kind: 'tos', value: small(use, value, 255), mask: small(use, mask, 255), negated: use.negated }];
}

/** The value of a DSCP class as the upper six bits hold it. Ref: RFC 2474, RFC 2597, RFC 3246. */
export function dscpClass(name: string): number | undefined {
  const text = name.toUpperCase();
  if (text === 'BE') return 0;
  if (text === 'EF') return 46;
  const selector = /^CS([0-7])$/.exec(text)?.[1];
  if (selector !== undefined) return Number(selector) * 8;
  const assured = /^AF([1-4])([1-3])$/.exec(text);
  return assured === null ? undefined : Number(assured[1]) * 8 + Number(assured[2]) * 2;
}

function buildDscp(uses: readonly OptionUse[]): Match[] {
  const use = only('dscp', uses);
  const text = argumentOf(use);
  const value = use.name === 'dscp' ? small(use, text, 63) : dscpClass(text);
  if (value === undefined) throw new RuleError(`"${text}" is no DSCP class`);
  return [{ kind: 'tos', value: value << 2, mask: 0xfc, negated: use.negated }];
}

function buildEcn(uses: readonly OptionUse[]): Match[] {
  return uses.map((use) => {
    if (use.name === 'ecn-ip-ect')
      return { kind: 'tos', value: small(use, argumentOf(use), 3), mask: 3, negated: use.negated };
    const bit = use.name === 'ecn-tcp-cwr' ? 0x80 : 0x40;
    return { kind: 'tcp-flags', mask: bit, set: bit, negated: use.negated };
  });
}

/** Type and codes by the names that iptables knows. */
const ICMP_NAMES: Readonly<Record<string, readonly [type: number, code?: number]>> = {
  any: [255],
  'echo-reply': [0],
  pong: [0],
  'destination-unreachable': [3],
  'network-unreachable': [3, 0],
  'host-unreachable': [3, 1],
  'protocol-unreachable': [3, 2],
  'port-unreachable': [3, 3],
  'fragmentation-needed': [3, 4],
  'source-route-failed': [3, 5],
  'network-unknown': [3, 6],
  'host-unknown': [3, 7],
  'network-prohibited': [3, 9],
  'host-prohibited': [3, 10],
  'tos-network-unreachable': [3, 11],
  'tos-host-unreachable': [3, 12],
  'communication-prohibited': [3, 13],
  'host-precedence-violation': [3, 14],
  'precedence-cutoff': [3, 15],
  'source-quench': [4],
  redirect: [5],
  'network-redirect': [5, 0],
  'host-redirect': [5, 1],
  'tos-network-redirect': [5, 2],
  'tos-host-redirect': [5, 3],
  'echo-request': [8],
  ping: [8],
  'router-advertisement': [9],
  'router-solicitation': [10],
  'time-exceeded': [11],
  'ttl-exceeded': [11],
  'ttl-zero-during-transit': [11, 0],
  'ttl-zero-during-reassembly': [11, 1],
  'parameter-problem': [12],
  'ip-header-bad': [12, 0],
  'required-option-missing': [12, 1],
  'timestamp-request': [13],
  'timestamp-reply': [14],
  'address-mask-request': [17],
  'address-mask-reply': [18],
};

/** The same of ip6tables. */
const ICMPV6_NAMES: typeof ICMP_NAMES = {
  'destination-unreachable': [1],
  'no-route': [1, 0],
  'communication-prohibited': [1, 1],
  'beyond-scope': [1, 2],
  'address-unreachable': [1, 3],
  'port-unreachable': [1, 4],
  'failed-policy': [1, 5],
  'reject-route': [1, 6],
  'packet-too-big': [2],
  'time-exceeded': [3],
  'ttl-exceeded': [3],
  'ttl-zero-during-transit': [3, 0],
  'ttl-zero-during-reassembly': [3, 1],
  'parameter-problem': [4],
  'bad-header': [4, 0],
  'unknown-header-type': [4, 1],
  'unknown-option': [4, 2],
  'echo-request': [128],
  ping: [128],
  'echo-reply': [129],
  pong: [129],
  'router-solicitation': [133],
  'router-advertisement': [134],
  'neighbour-solicitation': [135],
  'neighbor-solicitation': [135],
  'neighbour-advertisement': [136],
  'neighbor-advertisement': [136],
  redirect: [137],
};

function icmpName(use: OptionUse, text: string, names: typeof ICMP_NAMES): readonly [type: number, code?: number] {
  const wanted = text.toLowerCase();
  const found = names[wanted];
  if (Object.hasOwn(names, wanted) && found !== undefined) return found;
  const begun = Object.keys(names).filter((name) => name.startsWith(wanted));
  if (/^[a-z]/.test(wanted) && begun.length === 1) return names[begun[0]!]!;
  const [type = '', code] = text.split('/');
  return code === undefined ? [small(use, type, 255)] : [small(use, type, 255), small(use, code, 255)];
}

/** An ICMP message as sets name it, `echo-request` or `8/0`, as (type << 8) | code; undefined where it is none. */
export function icmpTypeAndCode(text: string): number | undefined {
  const name = text.toLowerCase();
  const named = Object.hasOwn(ICMP_NAMES, name) ? ICMP_NAMES[name] : undefined;
  if (named !== undefined) return (named[0] << 8) | (named[1] ?? 0);
  const [, type, code] = /^(\d{1,3})\/(\d{1,3})$/.exec(text) ?? [];
  if (type === undefined || code === undefined || Number(type) > 255 || Number(code) > 255) return undefined;
  return (Number(type) << 8) | Number(code);
}

function buildIcmp(uses: readonly OptionUse[], protocol: { number: number; negated: boolean } | undefined): Match[] {
  if (protocol === undefined || protocol.negated || protocol.number !== IpProtocol.icmp)
    throw new RuleError('-m icmp needs -p icmp');
  if (uses.length === 0) return [{ kind: 'icmp-type', type: 255, codes: { first: 0, last: 255 }, negated: false }];
  return icmpType(only('icmp', uses), ICMP_NAMES);
}

function buildIcmpv6(uses: readonly OptionUse[], protocol: { number: number; negated: boolean } | undefined): Match[] {
  if (protocol === undefined || protocol.negated || protocol.number !== IpProtocol.icmpv6)
    throw new RuleError('-m icmp6 needs -p ipv6-icmp');
  return icmpType(only('icmp6', uses), ICMPV6_NAMES);
}

function icmpType(use: OptionUse, names: typeof ICMP_NAMES): Match[] {
  // Some versions print the codes as a range.
  const [, ofType, first, last] = /^(\d+)\/(\d+):(\d+)$/.exec(argumentOf(use)) ?? [];
  if (ofType !== undefined) {
    const codes = { first: small(use, first!, 255), last: small(use, last!, 255) };
    return [{ kind: 'icmp-type', type: small(use, ofType, 255), codes, negated: use.negated }];
  }
  const [type, code] = icmpName(use, argumentOf(use), names);
  const codes = code === undefined ? { first: 0, last: 255 } : { first: code, last: code };
  return [{ kind: 'icmp-type', type, codes, negated: use.negated }];
}

const PACKET_TYPES: Readonly<Record<string, 'unicast' | 'broadcast' | 'multicast'>> = {
  unicast: 'unicast',
  host: 'unicast',
  broadcast: 'broadcast',
  bcast: 'broadcast',
  multicast: 'multicast',
  mcast: 'multicast',
};

function buildPacketType(uses: readonly OptionUse[]): Match[] {
  const use = only('pkttype', uses);
  const name = argumentOf(use).toLowerCase();
  const type = Object.hasOwn(PACKET_TYPES, name) ? PACKET_TYPES[name] : undefined;
  if (type === undefined) throw new RuleError(`"${argumentOf(use)}" is no packet type`);
  return [{ kind: 'packet-type', type, negated: use.negated }];
}

function rangeEnd(text: string): IpAddress {
  const address = parseIpAddress(text);
  if (address === undefined) throw new RuleError(`"${text}" is no address`);
  return address;
}

const RTN_NAMES = [
  'UNSPEC',
  'UNICAST',
  'LOCAL',
  'BROADCAST',
  'ANYCAST',
  'MULTICAST',
  'BLACKHOLE',
  'UNREACHABLE',
  'PROHIBIT',
  'THROW',
  'NAT',
  'XRESOLVE',
];

function buildAddressType(uses: readonly OptionUse[]): Match[] {
  const limits = uses.filter((use) => use.name.startsWith('limit-'));
  if (limits.length > 1) throw new RuleError('-m addrtype takes one interface to limit to');
  const limit = limits[0] === undefined ? 'none' : limits[0].name === 'limit-iface-in' ? 'in' : 'out';
  const types = uses.filter((use) => !use.name.startsWith('limit-'));
  if (types.length === 0) throw new RuleError('-m addrtype needs --src-type or --dst-type');
  return types.map((use) => {
    let bits = 0;
    for (const name of argumentOf(use).split(',')) {
      const bit = RTN_NAMES.indexOf(name.toUpperCase());
      if (bit < 0) throw new RuleError(`"${name}" is no type of address`);
      bits |= 1 << bit;
    }
    const which = use.name === 'src-type' ? 'source' : 'destination';
    return { kind: 'address-type', which, types: bits, limit, negated: use.negated };
  });
}

/** By name. */
export const HEADER_MATCHES: readonly (readonly [string, MatchExtension])[] = [
  [
    'ttl',
    {
      options: { ttl: 1, 'ttl-eq': 1, 'ttl-lt': 1, 'ttl-gt': 1 },
      build: (uses) => buildTtl('ttl', uses),
      synonyms: { ttl: 'ttl-eq' },
    },
  ],
  ['hl', { options: { 'hl-eq': 1, 'hl-lt': 1, 'hl-gt': 1 }, build: (uses) => buildTtl('hl', uses) }],
  ['length', { options: { length: 1 }, build: buildLength }],
  ['tos', { options: { tos: 1 }, build: buildTos }],
  ['dscp', { options: { dscp: 1, 'dscp-class': 1 }, build: buildDscp, synonyms: { 'dscp-class': 'dscp' } }],
  ['ecn', { options: { 'ecn-ip-ect': 1, 'ecn-tcp-cwr': 0, 'ecn-tcp-ece': 0 }, build: buildEcn }],
  ['icmp', { options: { 'icmp-type': 1 }, build: (uses, { protocol }) => buildIcmp(uses, protocol) }],
  ['icmp6', { options: { 'icmpv6-type': 1 }, build: (uses, { protocol }) => buildIcmpv6(uses, protocol) }],
  ['pkttype', { options: { 'pkt-type': 1 }, build: buildPacketType }],
  [
    'iprange',
    {
      options: { 'src-range': 1, 'dst-range': 1 },
      build: (uses, context) => {
        if (uses.length === 0) throw new RuleError('-m iprange needs --src-range or --dst-range');
        return uses.map((use) => {
          const [from = '', to = from] = argumentOf(use).split('-');
          const [first, last] = [rangeEnd(from), rangeEnd(to)];
          assertFamily(context, first, last);
          const which = use.name === 'src-range' ? 'source' : 'destination';
          return { kind: 'address-range', which, first, last, negated: use.negated };
        });
      },
    },
  ],
  [
    'rpfilter',
    {
      options: { loose: 0, validmark: 0, 'accept-local': 0, invert: 0 },
      build: (uses) => {
        for (const use of uses) refuseNegation(use);
        const has = (name: string): boolean => uses.some((use) => use.name === name);
        const negated = has('invert');
        return [
          {
            kind: 'rpfilter',
            loose: has('loose'),
            validMark: has('validmark'),
            acceptLocal: has('accept-local'),
            negated,
          },
        ];
      },
    },
  ],
  [
    'addrtype',
    {
      options: { 'src-type': 1, 'dst-type': 1, 'limit-iface-in': 0, 'limit-iface-out': 0 },
      build: buildAddressType,
    },
  ],
];
