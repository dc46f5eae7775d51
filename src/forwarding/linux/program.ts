import type { LinuxDevice } from '../../model/linux-device.ts';
import type {
  Chain,
  ConntrackTarget,
  Hook,
  Match,
  Rule,
  Ruleset,
  Table,
  TableName,
  Target,
} from '../../model/netfilter.ts';
import type { Family } from '../../net/ip-address.ts';
import { IpProtocol } from '../../net/ip-protocol.ts';
import type { PortRange } from '../../net/port-range.ts';
import { LinkDestination } from '../../wire/packet-batch.ts';
import type { Links } from './links.ts';
import { CT_FIELDS, MatchKind, RulesVariant, TargetKind, ZoneFlag } from './program-kinds.ts';
import { SetMatchBits } from './match-set.ts';
import type { Registry } from './reasons.ts';
import { type CompiledSet, compileSets } from './sets.ts';

export { CT_FIELDS, MatchKind, RulesVariant, TargetKind, ZoneFlag };

/** What an SNAT, DNAT or MASQUERADE target was given. */
export interface Translation {
  /** Signed; undefined where the address stays, or is the egress interface's. */
  readonly address?: number;
  /** The address is one of several: which one is unknown. */
  readonly severalAddresses: boolean;
  /** NETMAP: the bits of the address that are replaced; −1 all. */
  readonly mask: number;
  readonly ports?: PortRange;
  /** `--random` and the like: the port is unknown. */
  readonly random: boolean;
}

/** A rule's place, for the recorded walk. */
export interface RulePlace {
  readonly table: TableName;
  readonly chain: string;
  /** From 1. */
  readonly number: number;
  readonly rule: Rule;
}

/**
 * All rule sets of one family as flat arrays: chains are ranges of rules, rules are ranges of matches. A rule's target and up to two
 * operands are beside it. Immutable.
 */
export interface Program {
  readonly chainStart: Int32Array;
  readonly chainEnd: Int32Array;
  /** 0 user chain, 1 ACCEPT, 2 DROP. */
  readonly chainPolicy: Uint8Array;
  readonly chainOrigin: Int32Array;
  readonly chainNames: readonly string[];
  readonly chainTables: readonly TableName[];
  /** 1 where packets leave the chain as they entered it: nothing in it touches them. */
  readonly chainInert: Uint8Array;
  /** A {@link RulesVariant} number. */
  readonly chainVariant: Uint8Array;

  readonly matchStart: Int32Array;
  readonly target: Uint8Array;
  readonly operandA: Int32Array;
  readonly operandB: Int32Array;
  readonly ruleOrigin: Int32Array;
  /** Id of what is unknown about an unmodelled target, −1. */
  readonly ruleReason: Int32Array;
  readonly places: readonly RulePlace[];
  readonly translations: readonly Translation[];

  readonly matchKind: Uint8Array;
  readonly matchNegated: Uint8Array;
  readonly matchA: Int32Array;
  readonly matchB: Int32Array;
  readonly matchReason: Int32Array;
  readonly macs: Float64Array;
  /** Rows of names.length + 1 bytes: which interfaces an interface match takes; the last is "none". */
  readonly interfaceRows: Uint8Array;
  readonly interfaceRowLength: number;
  /** Pairs first, last. */
  readonly portRanges: Int32Array;
  /** Operands of matches that have more than two, from `matchA` on; addresses unsigned. */
  readonly extras: Float64Array;
  readonly sets: readonly CompiledSet[];

  /** Base chains that do something, by {@link baseIndex}; more than one where several rule sets have one. */
  readonly bases: readonly (readonly number[])[];
  /** Some rule needs connection tracking (linux-forwarding 1.5). */
  readonly tracks: boolean;
  /** Some rule gives packets a conntrack zone of their own. */
  readonly zones: boolean;
  /** Some rule of raw may write to the mark that all packets share which CT has met there. */
  readonly marksTemplates: boolean;
  /** Some rule makes the kernel put fragments together. */
  readonly defragments: boolean;
  /** Some rule translates addresses. */
  readonly translates: boolean;
  /** A CONNMARK in OUTPUT or POSTROUTING: the router's own ICMP errors may change the mark of the connection they are about. */
  readonly ownErrorsMark: boolean;
}

const PACKET_TYPES = { unicast: 'host', broadcast: 'broadcast', multicast: 'multicast' } as const;

/** By {@link HookNumber}. */
export const HOOKS: readonly Hook[] = ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'];
const TABLES: readonly TableName[] = ['raw', 'mangle', 'nat', 'filter', 'security'];

/** Hooks and tables by number, in the order of {@link HOOKS} and {@link TABLES}. */
export const HookNumber = { prerouting: 0, input: 1, forward: 2, output: 3, postrouting: 4 } as const;
export const TableNumber = { raw: 0, mangle: 1, nat: 2, filter: 3, security: 4 } as const;

/** Place of a hook's chains of a table in {@link Program.bases}. */
export function baseIndex(hook: number, table: number): number {
  return hook * 5 + table;
}

/** Matches that are not modelled and make the kernel track connections. */
const TRACKING_MATCHES = new Set(['conntrack', 'state', 'connmark', 'connbytes', 'connlabel', 'connlimit', 'helper']);
/** Targets that are not modelled and make the kernel track connections. */
const TRACKING_TARGETS = new Set([
  'CONNMARK',
  'CONNSECMARK',
  'CT --timeout',
  'DNAT',
  'SNAT',
  'MASQUERADE',
  'NETMAP',
  'REDIRECT',
]);

/** Compiles a device's rule sets of a family. Chains that jump in a circle, which no kernel loads, count as unmodelled. */
export function compileProgram(device: LinuxDevice, links: Links, registry: Registry, family: Family = 4): Program {
  const sets = family === 4 ? compileSets(device, links) : new Map<string, CompiledSet>();
  const builder = new ProgramBuilder(links, registry, sets, family);
  for (const ruleset of device.rulesets) if (ruleset.family === family) builder.addRuleset(ruleset);
  return builder.finish();
}

const ANY_ICMP_TYPE = 255;

/** Matches of ip6tables that need an extension header: packets with one are not followed at all. */
const EXTENSION_MATCHES: ReadonlySet<string> = new Set(['frag', 'rt', 'hbh', 'dst']);

const isSocketMark = (text: string): boolean => text.startsWith('-m socket ') && text.includes('--restore-skmark');

class ProgramBuilder {
  readonly #links: Links;
  readonly #family: Family;
  readonly #registry: Registry;
  readonly #chains: { table: TableName; chain: Chain; start: number; end: number; variant: number }[] = [];
  readonly #chainOrigin: number[] = [];
  readonly #bases: Record<Hook, Record<TableName, number[]>>;
  readonly #matchStart: number[] = [];
  readonly #target: number[] = [];
  readonly #operandA: number[] = [];
  readonly #operandB: number[] = [];
  readonly #ruleOrigin: number[] = [];
  readonly #ruleReason: number[] = [];
  readonly #places: RulePlace[] = [];
  readonly #translations: Translation[] = [];
  readonly #matchKind: number[] = [];
  readonly #matchNegated: number[] = [];
  readonly #matchA: number[] = [];
  readonly #matchB: number[] = [];
  readonly #matchReason: number[] = [];
  readonly #macs: number[] = [];
  readonly #interfaceRows: number[] = [];
  readonly #portRanges: number[] = [];
  readonly #extras: number[] = [];
  readonly #setsByName: ReadonlyMap<string, CompiledSet>;
  readonly #sets: CompiledSet[] = [];
  #defragments = false;
  #tracks = false;
  #zones = false;
  #translates = false;

  constructor(links: Links, registry: Registry, sets: ReadonlyMap<string, CompiledSet>, family: Family) {
    this.#links = links;
    this.#family = family;
    this.#setsByName = sets;
    this.#registry = registry;
    const perTable = (): Record<TableName, number[]> => ({ raw: [], mangle: [], nat: [], filter: [], security: [] });
    this.#bases = {
      PREROUTING: perTable(),
      INPUT: perTable(),
      FORWARD: perTable(),
      OUTPUT: perTable(),
      POSTROUTING: perTable(),
    };
  }

  addRuleset(ruleset: Ruleset): void {
    const variant = RulesVariant[ruleset.variant];
    for (const table of ruleset.tables) this.#addTable(table, variant);
  }

  #addTable(table: Table, variant: number): void {
    const first = this.#chains.length;
    const numbers = new Map<string, number>();
    table.chains.forEach((chain, position) => {
      if (!numbers.has(chain.name)) numbers.set(chain.name, first + position);
    });
    for (const chain of table.chains) {
      const start = this.#target.length;
      chain.rules.forEach((rule, position) => {
        this.#addRule(table, chain, rule, position + 1, numbers);
      });
      this.#chainOrigin.push(this.#registry.origin(chain.origin));
      const number = this.#chains.push({ table: table.name, chain, start, end: this.#target.length, variant }) - 1;
      const hook = HOOKS.find((name) => name === chain.name);
      const acts = chain.rules.length > 0 || chain.policy === 'DROP';
      if (hook !== undefined && acts) this.#bases[hook][table.name].push(number);
    }
  }

  #addRule(table: Table, chain: Chain, rule: Rule, number: number, chains: ReadonlyMap<string, number>): void {
    this.#matchStart.push(this.#matchKind.length);
    // A socket's mark is taken over as soon as its match holds, whatever the matches behind it say and the target does.
    const restores = rule.matches.findIndex((match) => match.kind === 'unmodelled' && isSocketMark(match.text));
    const tested = restores < 0 ? rule.matches : rule.matches.slice(0, restores + 1);
    for (const match of tested) this.#addMatch(match, rule);
    this.#ruleOrigin.push(this.#registry.origin(rule.origin));
    this.#places.push({ table: table.name, chain: chain.name, number, rule });
    const [kind, a, b, reason] =
      restores < 0
        ? this.#compileTarget(rule, chains)
        : this.#unmodelled('match socket --restore-skmark is not modelled', rule);
    this.#target.push(kind);
    this.#operandA.push(a | 0);
    this.#operandB.push(b | 0);
    this.#ruleReason.push(reason);
  }

  #compileTarget(rule: Rule, chains: ReadonlyMap<string, number>): [number, number, number, number] {
    const target: Target = rule.target;
    switch (target.kind) {
      case 'none':
      case 'set-change':
        return [TargetKind.passThrough, 0, 0, -1];
      case 'pass-through':
        if (TRACKING_TARGETS.has(target.name)) this.#tracks = true;
        return [TargetKind.passThrough, 0, 0, -1];
      case 'accept':
        return [TargetKind.accept, 0, 0, -1];
      case 'drop':
        return [TargetKind.drop, 0, 0, -1];
      case 'return':
        return [TargetKind.return, 0, 0, -1];
      case 'reject':
        return [TargetKind.reject, target.with === 'tcp-reset' ? 1 : 0, 0, -1];
      case 'jump':
      case 'goto': {
        const chain = chains.get(target.chain);
        if (chain === undefined) {
          return this.#unmodelled(`chain ${target.chain} is not defined`, rule);
        }
        return [target.kind === 'jump' ? TargetKind.jump : TargetKind.goto, chain, 0, -1];
      }
      case 'mark':
        return [TargetKind.mark, target.value, target.mask, -1];
      case 'connmark-set':
        this.#tracks = true;
        return [TargetKind.connmarkSet, target.value, target.mask, -1];
      case 'connmark-save':
        this.#tracks = true;
        return [TargetKind.connmarkSave, target.nfmask, target.ctmask, -1];
      case 'connmark-restore':
        this.#tracks = true;
        return [TargetKind.connmarkRestore, target.nfmask, target.ctmask, -1];
      case 'snat':
      case 'dnat':
      case 'redirect':
      case 'masquerade':
      case 'netmap':
        if (this.#family === 6) return this.#compileTranslation6(target.kind, rule);
        // The kind first: it appends the translation that is counted behind it.
        return [this.#translationKind(target), this.#translations.length - 1, 0, -1];
      case 'notrack':
        return [TargetKind.notrack, 0, 0, -1];
      case 'ct':
        return this.#compileConntrack(target);
      case 'ttl':
        return [TargetKind.ttl, ['set', 'increase', 'decrease'].indexOf(target.how), target.value, -1];
      case 'tos':
        return [TargetKind.tos, target.value, target.mask, -1];
      case 'ecn-tcp-remove':
        return [TargetKind.ecn, 0, 0, -1];
      case 'tproxy':
        this.#defragments = true;
        return [
          TargetKind.tproxy,
          target.value,
          target.mask,
          this.#registry.unknown('whether a local program waits for what TPROXY takes is not known', rule.origin),
        ];
      case 'unmodelled':
        return this.#compileUnmodelled(target.name, rule);
    }
  }

  /** What it makes of the packet is not known, nor what comes back. */
  #compileTranslation6(kind: string, rule: Rule): [number, number, number, number] {
    this.#tracks = true;
    this.#translates = true;
    return this.#unmodelled(`target ${kind.toUpperCase()} of ip6tables is not modelled`, rule);
  }

  #compileConntrack(target: ConntrackTarget): [number, number, number, number] {
    this.#tracks = true;
    const { helper, zone, zoneDirection } = target;
    if (zone !== 0) this.#zones = true;
    const directions =
      (zoneDirection === 'reply' ? 0 : ZoneFlag.original) | (zoneDirection === 'original' ? 0 : ZoneFlag.reply);
    const flags = directions | (helper === undefined ? 0 : ZoneFlag.helper);
    return [TargetKind.conntrack, flags | (zone === 'mark' ? ZoneFlag.fromMark : zone), 0, -1];
  }

  #translationKind(target: Extract<Target, { kind: 'snat' | 'dnat' | 'redirect' | 'masquerade' | 'netmap' }>): number {
    this.#tracks = true;
    this.#translates = true;
    if (target.kind === 'netmap') {
      this.#translations.push({
        address: target.address | 0,
        mask: target.mask | 0,
        severalAddresses: false,
        random: false,
      });
      return TargetKind.netmap;
    }
    const range = target.kind === 'masquerade' || target.kind === 'redirect' ? undefined : target.addresses;
    this.#translations.push({
      ...(range === undefined ? {} : { address: range.first.words[0] | 0 }),
      mask: -1,
      severalAddresses: range !== undefined && range.first.words[0] !== range.last.words[0],
      ...(target.ports === undefined ? {} : { ports: target.ports }),
      random: target.flags.some((flag) => flag.includes('random')),
    });
    if (target.kind === 'snat') return TargetKind.snat;
    if (target.kind === 'redirect') return TargetKind.redirect;
    return target.kind === 'dnat' ? TargetKind.dnat : TargetKind.masquerade;
  }

  #compileUnmodelled(name: string, rule: Rule): [number, number, number, number] {
    if (TRACKING_TARGETS.has(name)) this.#tracks = true;
    return this.#unmodelled(`target ${name} is not modelled`, rule);
  }

  #unmodelled(reason: string, rule: Rule): [number, number, number, number] {
    return [TargetKind.unmodelled, 0, 0, this.#registry.unknown(reason, rule.origin)];
  }

  #addMatch(match: Match, rule: Rule): void {
    const push = (kind: number, negated: boolean, a: number, b: number, reason = -1): void => {
      this.#matchKind.push(kind);
      this.#matchNegated.push(negated ? 1 : 0);
      this.#matchA.push(a | 0);
      this.#matchB.push(b | 0);
      this.#matchReason.push(reason);
    };
    switch (match.kind) {
      case 'in-interface':
      case 'out-interface': {
        const kind = match.kind === 'in-interface' ? MatchKind.inInterface : MatchKind.outInterface;
        push(kind, match.negated, this.#interfaceRow(match.name, match.prefix), 0);
        return;
      }
      case 'source':
      case 'destination': {
        if (this.#family === 6) {
          const start = this.#extras.push(...match.address.map((word, at) => (word & match.mask[at]!) >>> 0)) - 4;
          this.#extras.push(...match.mask);
          push(match.kind === 'source' ? MatchKind.source6 : MatchKind.destination6, match.negated, start, 0);
          return;
        }
        const kind = match.kind === 'source' ? MatchKind.source : MatchKind.destination;
        push(kind, match.negated, match.address[0], match.mask[0]);
        return;
      }
      case 'protocol':
        push(MatchKind.protocol, match.negated, match.protocol, 0);
        return;
      case 'fragment':
        push(MatchKind.fragment, match.negated, 0, 0);
        return;
      case 'transport-header':
        push(MatchKind.transportHeader, false, match.protocol, 0);
        return;
      case 'source-port':
      case 'destination-port': {
        const kind = match.kind === 'source-port' ? MatchKind.sourcePort : MatchKind.destinationPort;
        push(kind, match.negated, match.range.first, match.range.last);
        return;
      }
      case 'tcp-flags':
        push(MatchKind.tcpFlags, match.negated, match.mask, match.set);
        return;
      case 'multiport': {
        const which = match.which === 'source' ? 0 : match.which === 'destination' ? 1 : 2;
        const start = this.#portRanges.length;
        for (const range of match.ranges) this.#portRanges.push(range.first, range.last);
        push(MatchKind.multiport, match.negated, start, this.#portRanges.length * 4 + which);
        return;
      }
      case 'mark':
        push(MatchKind.mark, match.negated, match.mark.value, match.mark.mask, this.#unknownMark('mark', rule));
        return;
      case 'connmark':
        this.#tracks = true;
        push(MatchKind.connmark, match.negated, match.mark.value, match.mark.mask, this.#unknownMark('connmark', rule));
        return;
      case 'ctstate':
        this.#tracks = true;
        push(MatchKind.ctstate, match.negated, match.states, 0);
        return;
      case 'mac-source': {
        const reason = this.#registry.unknown('the frame has no source MAC address', rule.origin);
        push(MatchKind.macSource, match.negated, this.#macs.push(match.mac) - 1, 0, reason);
        return;
      }
      case 'ttl':
        push(
          MatchKind.ttl,
          match.negated,
          match.compare === 'equal' ? 0 : match.compare === 'less' ? 1 : 2,
          match.value,
        );
        return;
      case 'length':
        push(MatchKind.length, match.negated, match.range.first, match.range.last);
        return;
      case 'tos':
        push(MatchKind.tos, match.negated, match.value, match.mask);
        return;
      case 'icmp-type':
        if (this.#family === 6 && match.type === ANY_ICMP_TYPE) {
          // To ip6tables it is a type as any other.
          const reason = this.#registry.unknown('match icmp6 of type 255 is not modelled', rule.origin);
          push(MatchKind.unmodelled, false, 0, 0, reason);
          return;
        }
        push(MatchKind.icmpType, match.negated, match.type, (match.codes.first << 8) | match.codes.last);
        return;
      case 'packet-type': {
        const reason = this.#registry.unknown('to whom the frame was sent is not known', rule.origin);
        push(MatchKind.packetType, match.negated, LinkDestination[PACKET_TYPES[match.type]], 0, reason);
        return;
      }
      case 'address-range': {
        const start = this.#extras.push(match.which === 'source' ? 0 : 1) - 1;
        if (this.#family === 6) {
          this.#extras.push(...match.first.words, ...match.last.words);
          push(MatchKind.addressRange6, match.negated, start, 0);
          return;
        }
        this.#extras.push(match.first.words[0], match.last.words[0]);
        push(MatchKind.addressRange, match.negated, start, 0);
        return;
      }
      case 'address-type': {
        const start = this.#extras.push(match.which === 'source' ? 0 : 1) - 1;
        this.#extras.push(match.types, match.limit === 'none' ? 0 : match.limit === 'in' ? 1 : 2);
        const reason = this.#registry.unknown('the type of the address tested here is not known', rule.origin);
        push(this.#family === 4 ? MatchKind.addressType : MatchKind.unmodelled, match.negated, start, 0, reason);
        return;
      }
      case 'rpfilter': {
        const flags = (match.loose ? 1 : 0) | (match.validMark ? 2 : 0) | (match.acceptLocal ? 4 : 0);
        const reason = this.#registry.unknown('the route back that is tested here is not known', rule.origin);
        push(MatchKind.rpfilter, match.negated, flags, 0, reason);
        return;
      }
      case 'ct-tuple': {
        this.#tracks = true;
        const start = this.#extras.push(CT_FIELDS.indexOf(match.field)) - 1;
        this.#extras.push(match.first, match.last, match.mask, match.besideState ? 1 : 0);
        push(MatchKind.ctTuple, match.negated, start, 0, this.#unknownEntry(rule));
        return;
      }
      case 'ct-direction':
        this.#tracks = true;
        push(MatchKind.ctDirection, false, match.reply ? 1 : 0, match.besideState ? 1 : 0);
        return;
      case 'ct-status':
        this.#tracks = true;
        push(MatchKind.ctStatus, match.negated, match.status, match.besideState ? 1 : 0, this.#unknownEntry(rule));
        return;
      case 'set':
        this.#addSetMatch(match, rule, push);
        return;
      case 'unmodelled':
        if (this.#family === 6 && EXTENSION_MATCHES.has(match.name)) {
          push(MatchKind.never, false, 0, 0);
          return;
        }
        if (match.name === 'socket') this.#defragments = true;
        if (TRACKING_MATCHES.has(match.name)) this.#tracks = true;
        push(
          MatchKind.unmodelled,
          false,
          0,
          0,
          this.#registry.unknown(`match ${match.name} is not modelled`, rule.origin),
        );
        return;
    }
  }

  #addSetMatch(
    match: Extract<Match, { kind: 'set' }>,
    rule: Rule,
    push: (kind: number, negated: boolean, a: number, b: number, reason: number) => void,
  ): void {
    const set = this.#setsByName.get(match.set);
    const reason = this.#registry.unknown(`what set ${match.set} holds is not known`, rule.origin);
    if (set === undefined) {
      push(MatchKind.unmodelled, false, 0, 0, reason);
      return;
    }
    let operand = match.directions.length << SetMatchBits.countShift;
    match.directions.forEach((direction, part) => {
      if (direction === 'source') operand |= 1 << part;
    });
    if (match.returnNomatch) operand |= SetMatchBits.returnNomatch;
    push(MatchKind.set, match.negated, this.#sets.push(set) - 1, operand, reason);
  }

  #unknownEntry(rule: Rule): number {
    return this.#registry.unknown('what is tested here of the connection entry is not known', rule.origin);
  }

  #unknownMark(which: string, rule: Rule): number {
    return this.#registry.unknown(`the ${which} tested here is not known`, rule.origin);
  }

  #interfaceRow(name: string, prefix: boolean): number {
    const start = this.#interfaceRows.length;
    for (const link of this.#links.names)
      this.#interfaceRows.push((prefix ? link.startsWith(name) : link === name) ? 1 : 0);
    this.#interfaceRows.push(prefix && name === '' ? 1 : 0);
    return start;
  }

  finish(): Program {
    this.#matchStart.push(this.#matchKind.length);
    this.#breakCircles();
    const inert = this.#findInert();
    const chainPolicy = Uint8Array.from(this.#chains, ({ chain }) => {
      if (chain.policy === undefined) return HOOKS.some((hook) => hook === chain.name) ? 1 : 0;
      return chain.policy === 'DROP' ? 2 : 1;
    });
    for (const hook of HOOKS) {
      for (const table of TABLES) {
        this.#bases[hook][table] = this.#bases[hook][table].filter(
          (chain) => inert[chain] === 0 || chainPolicy[chain] === 2,
        );
      }
    }
    return {
      chainStart: Int32Array.from(this.#chains, (chain) => chain.start),
      chainEnd: Int32Array.from(this.#chains, (chain) => chain.end),
      chainPolicy,
      chainOrigin: Int32Array.from(this.#chainOrigin),
      chainNames: this.#chains.map(({ chain }) => chain.name),
      chainTables: this.#chains.map(({ table }) => table),
      chainInert: inert,
      chainVariant: Uint8Array.from(this.#chains, ({ variant }) => variant),
      matchStart: Int32Array.from(this.#matchStart),
      target: Uint8Array.from(this.#target),
      operandA: Int32Array.from(this.#operandA),
      operandB: Int32Array.from(this.#operandB),
      ruleOrigin: Int32Array.from(this.#ruleOrigin),
      ruleReason: Int32Array.from(this.#ruleReason),
      places: this.#places,
      translations: this.#translations,
      matchKind: Uint8Array.from(this.#matchKind),
      matchNegated: Uint8Array.from(this.#matchNegated),
      matchA: Int32Array.from(this.#matchA),
      matchB: Int32Array.from(this.#matchB),
      matchReason: Int32Array.from(this.#matchReason),
      macs: Float64Array.from(this.#macs),
      interfaceRows: Uint8Array.from(this.#interfaceRows),
      interfaceRowLength: this.#links.names.length + 1,
      portRanges: Int32Array.from(this.#portRanges),
      extras: Float64Array.from(this.#extras),
      sets: this.#sets,
      bases: HOOKS.flatMap((hook) => TABLES.map((table) => this.#bases[hook][table])),
      tracks: this.#tracks,
      zones: this.#zones,
      marksTemplates: this.#marksTemplates(),
      defragments: this.#tracks || this.#defragments,
      translates: this.#translates,
      ownErrorsMark: this.#marksOwnErrors(),
    };
  }

  /** A jump that closes a circle would never end; the kernel refuses such rules, so what they do is unknown. */
  #breakCircles(): void {
    const state = new Uint8Array(this.#chains.length);
    const visit = (root: number): void => {
      const stack = [{ chain: root, rule: this.#chains[root]!.start }];
      state[root] = 1;
      while (stack.length > 0) {
        const top = stack[stack.length - 1]!;
        if (top.rule >= this.#chains[top.chain]!.end) {
          state[top.chain] = 2;
          stack.pop();
          continue;
        }
        const rule = top.rule++;
        if (this.#target[rule] !== TargetKind.jump && this.#target[rule] !== TargetKind.goto) continue;
        const next = this.#operandA[rule]!;
        if (state[next] === 1) {
          const { rule: statement } = this.#places[rule]!;
          this.#target[rule] = TargetKind.unmodelled;
          this.#ruleReason[rule] = this.#registry.unknown('this jump closes a circle of chains', statement.origin);
        } else if (state[next] === 0) {
          state[next] = 1;
          stack.push({ chain: next, rule: this.#chains[next]!.start });
        }
      }
    };
    for (let chain = 0; chain < this.#chains.length; chain++) if (state[chain] === 0) visit(chain);
  }

  /** A chain of LOG and RETURN rules leaves packets alone, whatever its matches say: unknown matches in it do not matter. */
  #findInert(): Uint8Array {
    const inert = new Uint8Array(this.#chains.length).fill(1);
    let changed = true;
    while (changed) {
      changed = false;
      this.#chains.forEach((chain, number) => {
        if (inert[number] === 0) return;
        for (let rule = chain.start; rule < chain.end; rule++) {
          const kind = this.#target[rule]!;
          const harmless =
            !(chain.variant !== RulesVariant.nft && this.#testsTcpHeader(rule)) &&
            (kind === TargetKind.passThrough ||
              kind === TargetKind.return ||
              (kind === TargetKind.jump && inert[this.#operandA[rule]!] === 1));
          if (harmless) continue;
          inert[number] = 0;
          changed = true;
          return;
        }
      });
    }
    return inert;
  }

  /** Then the rule drops fragments that would write over the header, whatever its target (linux-forwarding 8.5). */
  #testsTcpHeader(rule: number): boolean {
    for (let match = this.#matchStart[rule]!; match < this.#matchStart[rule + 1]!; match++) {
      if (this.#matchKind[match] === MatchKind.transportHeader && this.#matchA[match] === IpProtocol.tcp) return true;
    }
    return false;
  }

  #marksTemplates(): boolean {
    return this.#chains.some(({ table, start, end }) => {
      const kinds = table === 'raw' ? this.#target.slice(start, end) : [];
      return kinds.some((kind) => kind === TargetKind.connmarkSet || kind === TargetKind.connmarkSave);
    });
  }

  #marksOwnErrors(): boolean {
    const hooks: readonly Hook[] = ['OUTPUT', 'POSTROUTING'];
    const todo = hooks.flatMap((hook) => TABLES.flatMap((table) => this.#bases[hook][table]));
    const seen = new Set(todo);
    for (const number of todo) {
      const chain = this.#chains[number]!;
      for (let rule = chain.start; rule < chain.end; rule++) {
        const kind = this.#target[rule]!;
        if (kind === TargetKind.connmarkSet || kind === TargetKind.connmarkSave || kind === TargetKind.unmodelled)
          return true;
        if ((kind === TargetKind.jump || kind === TargetKind.goto) && !seen.has(this.#operandA[rule]!)) {
          seen.add(this.#operandA[rule]!);
          todo.push(this.#operandA[rule]!);
        }
      }
    }
    return false;
  }
}
