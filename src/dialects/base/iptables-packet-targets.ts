/** Targets that change the packet itself. Ref: iptables-extensions(8). */
import type { Target } from '../../model/netfilter.ts';
import { argumentOf, type OptionUse, refuseNegation, RuleError, type RuleContext } from './iptables-extension.ts';
import { parseMaskedAddress } from './iptables-address.ts';
import { dscpClass, tosName } from './iptables-header-matches.ts';
import { setDirections } from './iptables-set-match.ts';
import type { TargetExtension } from './iptables-targets.ts';
import { parseMaskedMark } from '../../net/masked-mark.ts';

function only(name: string, uses: readonly OptionUse[]): OptionUse {
  const [use] = uses;
  if (use === undefined || uses.length > 1) throw new RuleError(`-j ${name} needs exactly one of its options`);
  refuseNegation(use);
  return use;
}

function byte(use: OptionUse, text: string, last = 255): number {
  const value = /^(?:0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : Number.NaN;
  if (!(value <= last)) throw new RuleError(`--${use.name}: "${text}" is no number up to ${last}`);
  return value;
}

const TTL_CHANGES = {
  'ttl-set': 'set',
  'ttl-inc': 'increase',
  'ttl-dec': 'decrease',
  'hl-set': 'set',
  'hl-inc': 'increase',
  'hl-dec': 'decrease',
} as const;

function buildTtl(name: string, uses: readonly OptionUse[]): Target {
  const use = only(name, uses);
  const how = TTL_CHANGES[use.name as keyof typeof TTL_CHANGES];
  return { kind: 'ttl', how, value: byte(use, argumentOf(use)) };
}

/** Every form is stored as value and mask of tos = (tos & ~mask) ^ value. Ref: libxt_TOS.c. */
function buildTos(uses: readonly OptionUse[]): Target {
  const use = only('TOS', uses);
  const text = argumentOf(use);
  if (use.name !== 'set-tos') {
    const bits = byte(use, text);
    if (use.name === 'and-tos') return { kind: 'tos', value: 0, mask: ~bits & 0xff };
    return { kind: 'tos', value: bits, mask: use.name === 'or-tos' ? bits : 0 };
  }
  const named = tosName(text);
  if (named !== undefined) return { kind: 'tos', value: named, mask: 0x3f };
  const [value = '', mask = '0xff'] = text.split('/');
  return { kind: 'tos', value: byte(use, value), mask: byte(use, mask) };
}

function buildDscp(uses: readonly OptionUse[]): Target {
  const use = only('DSCP', uses);
  const text = argumentOf(use);
  const value = use.name === 'set-dscp' ? byte(use, text, 63) : dscpClass(text);
  if (value === undefined) throw new RuleError(`"${text}" is no DSCP class`);
  return { kind: 'tos', value: value << 2, mask: 0xfc };
}

function buildEcn(uses: readonly OptionUse[]): Target {
  for (const use of uses) refuseNegation(use);
  if (uses.length === 0) throw new RuleError('-j ECN needs one of its options');
  const other = uses.find((use) => use.name !== 'ecn-tcp-remove');
  if (other === undefined) return { kind: 'ecn-tcp-remove' };
  return { kind: 'unmodelled', name: `ECN --${other.name}`, text: `--${other.name} ${argumentOf(other)}` };
}

function buildNetmap(uses: readonly OptionUse[], context: RuleContext): Target {
  const use = only('NETMAP', uses);
  const { address, mask } = parseMaskedAddress(argumentOf(use), context.family);
  if (context.family === 6) return { kind: 'unmodelled', name: 'NETMAP', text: `--to ${argumentOf(use)}` };
  return { kind: 'netmap', address: address[0], mask: mask[0] };
}

function buildTproxy(uses: readonly OptionUse[]): Target {
  for (const use of uses) refuseNegation(use);
  if (!uses.some((use) => use.name === 'on-port')) throw new RuleError('-j TPROXY needs --on-port');
  const use = uses.find((other) => other.name === 'tproxy-mark');
  const mark = use === undefined ? { value: 0, mask: 0 } : parseMaskedMark(argumentOf(use));
  if (mark === undefined) throw new RuleError(`"${argumentOf(use!)}" is no mark of 32 bits`);
  return { kind: 'tproxy', value: mark.value, mask: mark.mask };
}

function buildSet(uses: readonly OptionUse[]): Target {
  for (const use of uses) refuseNegation(use);
  const named = uses.filter((use) => use.arguments.length === 2);
  if (named.length === 0) throw new RuleError('-j SET needs --add-set, --del-set or --map-set');
  for (const use of named) setDirections(use.arguments[1]!);
  // What a member says about the mark is in no set that is modelled.
  if (uses.some((use) => use.name === 'map-mark')) {
    const text = uses.map((use) => `--${use.name} ${use.arguments.join(' ')}`).join(' ');
    return { kind: 'unmodelled', name: 'SET --map-mark', text };
  }
  const changed = named.filter((use) => use.name !== 'map-set');
  return { kind: 'set-change', sets: changed.map((use) => use.arguments[0]!) };
}

/** By name. */
export const PACKET_TARGETS: readonly (readonly [string, TargetExtension])[] = [
  ['TTL', { options: { 'ttl-set': 1, 'ttl-inc': 1, 'ttl-dec': 1 }, build: (uses) => buildTtl('TTL', uses) }],
  ['HL', { options: { 'hl-set': 1, 'hl-inc': 1, 'hl-dec': 1 }, build: (uses) => buildTtl('HL', uses) }],
  ['TOS', { options: { 'set-tos': 1, 'and-tos': 1, 'or-tos': 1, 'xor-tos': 1 }, build: buildTos }],
  [
    'DSCP',
    {
      options: { 'set-dscp': 1, 'set-dscp-class': 1 },
      build: buildDscp,
      synonyms: { 'set-dscp-class': 'set-dscp' },
    },
  ],
  [
    'ECN',
    {
      options: { 'ecn-tcp-remove': 0, 'ecn-tcp-cwr': 1, 'ecn-tcp-ece': 1, 'ecn-ip-ect': 1 },
      build: buildEcn,
      unmodelled: ['ecn-tcp-cwr', 'ecn-tcp-ece', 'ecn-ip-ect'],
    },
  ],
  ['NETMAP', { options: { to: 1 }, build: buildNetmap }],
  ['TPROXY', { options: { 'on-port': 1, 'on-ip': 1, 'tproxy-mark': 1 }, build: buildTproxy, documented: 'all' }],
  [
    'SET',
    {
      options: {
        'add-set': 2,
        'del-set': 2,
        'map-set': 2,
        exist: 0,
        timeout: 1,
        'map-mark': 0,
        'map-prio': 0,
        'map-queue': 0,
      },
      build: buildSet,
      documented: ['add-set', 'del-set', 'exist', 'timeout', 'map-queue'],
      unmodelled: ['map-mark'],
    },
  ],
];
