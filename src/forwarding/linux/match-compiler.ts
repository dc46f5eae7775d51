import type { Match, Rule } from '../../model/netfilter.ts';
import type { Family } from '../../net/ip-address.ts';
import { IpProtocol } from '../../net/ip-protocol.ts';
import { LinkDestination } from '../../wire/packet-batch.ts';
import type { Links } from './links.ts';
import { SetMatchBits } from './match-set.ts';
import type { Program } from './program.ts';
import { CT_FIELDS, MatchKind } from './program-kinds.ts';
import type { Registry } from './reasons.ts';
import type { CompiledSet } from './sets.ts';

/** The columns of a program's matches, with what their operands refer to. */
export type MatchColumns = Pick<
  Program,
  | 'matchKind'
  | 'matchNegated'
  | 'matchA'
  | 'matchB'
  | 'matchReason'
  | 'macs'
  | 'interfaceRows'
  | 'interfaceRowLength'
  | 'portRanges'
  | 'extras'
  | 'sets'
>;

const PACKET_TYPES = { unicast: 'host', broadcast: 'broadcast', multicast: 'multicast' } as const;

/** Matches that are not modelled and make the kernel track connections. */
const TRACKING_MATCHES = new Set(['conntrack', 'state', 'connmark', 'connbytes', 'connlabel', 'connlimit', 'helper']);

const ANY_ICMP_TYPE = 255;

/** Matches of ip6tables that need an extension header: packets with one are not followed at all. */
const EXTENSION_MATCHES: ReadonlySet<string> = new Set(['frag', 'rt', 'hbh', 'dst']);

/** Compiles the matches of one family's rules, in their order, into columns. */
export class MatchCompiler {
  /** Some match needs connection tracking (linux-forwarding 1.5). */
  tracks = false;
  /** Some match makes the kernel put fragments together, beside what tracking does. */
  defragments = false;
  readonly #links: Links;
  readonly #family: Family;
  readonly #registry: Registry;
  readonly #setsByName: ReadonlyMap<string, CompiledSet>;
  readonly #matchKind: number[] = [];
  readonly #matchNegated: number[] = [];
  readonly #matchA: number[] = [];
  readonly #matchB: number[] = [];
  readonly #matchReason: number[] = [];
  readonly #macs: number[] = [];
  readonly #interfaceRows: number[] = [];
  readonly #portRanges: number[] = [];
  readonly #extras: number[] = [];
  readonly #sets: CompiledSet[] = [];

  constructor(links: Links, registry: Registry, sets: ReadonlyMap<string, CompiledSet>, family: Family) {
    this.#links = links;
    this.#registry = registry;
    this.#setsByName = sets;
    this.#family = family;
  }

  /** How many matches were added. */
  get length(): number {
    return this.#matchKind.length;
  }

  /** Whether a match, by its position, tests the header of TCP. */
  testsTcpHeader(match: number): boolean {
    return this.#matchKind[match] === MatchKind.transportHeader && this.#matchA[match] === IpProtocol.tcp;
  }

  /** The columns of all matches that were added. */
  columns(): MatchColumns {
    return {
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
    };
  }

  add(match: Match, rule: Rule): void {
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
        this.tracks = true;
        push(MatchKind.connmark, match.negated, match.mark.value, match.mark.mask, this.#unknownMark('connmark', rule));
        return;
      case 'ctstate':
        this.tracks = true;
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
        this.tracks = true;
        const start = this.#extras.push(CT_FIELDS.indexOf(match.field)) - 1;
        this.#extras.push(match.first, match.last, match.mask, match.besideState ? 1 : 0);
        push(MatchKind.ctTuple, match.negated, start, 0, this.#unknownEntry(rule));
        return;
      }
      case 'ct-direction':
        this.tracks = true;
        push(MatchKind.ctDirection, false, match.reply ? 1 : 0, match.besideState ? 1 : 0);
        return;
      case 'ct-status':
        this.tracks = true;
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
        if (match.name === 'socket') this.defragments = true;
        if (TRACKING_MATCHES.has(match.name)) this.tracks = true;
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
}
