import { CtState } from '../../model/netfilter.ts';
import { IpProtocol } from '../../net/ip-protocol.ts';
import { LinkDestination, Status } from '../../wire/packet-batch.ts';
import { ConntrackView } from '../decision.ts';
import { addressType, UNKNOWN_TYPE } from './address-type.ts';
import { Answer } from './answer.ts';
import { matchEntry } from './match-entry.ts';
import { matchRpfilter, matchRpfilter6 } from './match-reverse-path.ts';
import { matchSet } from './match-set.ts';
import { MatchKind, type Program, RulesVariant } from './program.ts';
import { EntryUse, type Run } from './run.ts';

/** Where a chain runs: which interfaces its packets have. */
export interface HookPlace {
  /** Number of the interface row column; −1 none. */
  ingress: number;
  egress: number;
}

const PORTS_LENGTH = 4;

/** Whether (value & mask) == wanted, for a value of which some bits (0 in it) are unknown. `wanted` is not masked, as in xt_mark. */
export function matchMark(value: number, unknown: number, wanted: number, mask: number): number {
  if ((((value & mask) ^ wanted) & ~(unknown & mask)) !== 0) return Answer.no;
  return (unknown & mask) === 0 ? Answer.yes : Answer.unknown;
}

/** One match against the packet as it is now. Ref: the match() functions of net/netfilter/xt_*.c and ip_tables.c: ip_packet_match(). */
export function matches(run: Run, program: Program, match: number, place: HookPlace): number {
  const a = program.matchA[match]!;
  const b = program.matchB[match]!;
  let holds: boolean;
  switch (program.matchKind[match]) {
    case MatchKind.inInterface:
      holds = program.interfaceRows[a + column(program, place.ingress)] === 1;
      break;
    case MatchKind.outInterface:
      holds = program.interfaceRows[a + column(program, place.egress)] === 1;
      break;
    case MatchKind.source:
      holds = (run.currentSource & b) === a;
      break;
    case MatchKind.destination:
      holds = (run.currentDestination & b) === a;
      break;
    case MatchKind.protocol:
      holds = run.protocol === a;
      break;
    case MatchKind.fragment:
      holds = run.laterFragment;
      break;
    case MatchKind.transportHeader:
      if (run.protocol !== a) return Answer.no;
      return a === IpProtocol.tcp && overlapsHeader(run) ? Answer.drop : hasHeader(run);
    case MatchKind.sourcePort:
    case MatchKind.destinationPort: {
      const header = hasHeader(run);
      const isReadable = header === Answer.unknown && run.rulesVariant === RulesVariant.nft && isPortsOnly(run);
      if (header !== Answer.yes && !isReadable) return header;
      const port =
        program.matchKind[match] === MatchKind.sourcePort ? run.currentSourcePort : run.currentDestinationPort;
      holds = port >= a && port <= b;
      break;
    }
    case MatchKind.tcpFlags: {
      const header = hasHeader(run);
      // Flags are asked for by `-m ecn`, too, which does not drop. Ref: xt_ecn.c: match_tcp()
      if (header === Answer.drop && run.choose(2, run.router.reasons.shortHeader) === 1) return Answer.no;
      if (header !== Answer.yes) return header;
      holds = (run.tcpFlags & a) === b;
      break;
    }
    case MatchKind.multiport: {
      const header = isPortsOnly(run) ? Answer.yes : hasHeader(run);
      if (header !== Answer.yes) return header;
      holds = matchMultiport(run, program, a, b >> 2, b & 3);
      break;
    }
    case MatchKind.mark: {
      const answer = matchMark(run.mark, run.markUnknown, a, b);
      if (answer === Answer.unknown) return answer;
      holds = answer === Answer.yes;
      break;
    }
    case MatchKind.connmark: {
      // Without an entry it is false, inverted or not (linux-forwarding 2.2).
      if (run.use === EntryUse.none) {
        if (!hasTemplate(run)) return Answer.no;
        const answer = matchMark(0, program.marksTemplates ? -1 : 0, a, b);
        if (answer === Answer.unknown) return answer;
        holds = answer === Answer.yes;
        break;
      }
      const answer = matchMark(run.connmark, run.connmarkUnknown, a, b);
      if (answer === Answer.unknown) return answer;
      holds = answer === Answer.yes;
      break;
    }
    case MatchKind.ctstate:
      holds = (stateBits(run) & a) !== 0;
      break;
    case MatchKind.macSource:
      if (run.sourceMac < 0) return Answer.unknown;
      holds = run.sourceMac === program.macs[a];
      break;
    case MatchKind.ttl:
      holds = a === 0 ? run.currentTtl === b : a === 1 ? run.currentTtl < b : run.currentTtl > b;
      break;
    case MatchKind.length:
      holds = run.networkLength >= a && run.networkLength <= b;
      break;
    case MatchKind.tos:
      holds = (run.tos & b) === a;
      break;
    case MatchKind.icmpType: {
      const header = hasHeader(run);
      if (header !== Answer.yes) return header;
      holds = a === 0xff || (run.icmpType === a && run.icmpCode >= b >> 8 && run.icmpCode <= (b & 0xff));
      break;
    }
    case MatchKind.packetType:
      if (run.linkDestination === LinkDestination.unknown && !run.isUnicastFrame) return Answer.unknown;
      holds = a === LinkDestination.host ? run.isUnicastFrame : run.linkDestination === a;
      break;
    case MatchKind.addressRange: {
      const { extras } = program;
      const address = (extras[a] === 0 ? run.currentSource : run.currentDestination) >>> 0;
      holds = address >= extras[a + 1]! && address <= extras[a + 2]!;
      break;
    }
    case MatchKind.addressType: {
      const { extras } = program;
      const limit = extras[a + 2]!;
      const device = limit === 0 ? -1 : limit === 1 ? place.ingress : place.egress;
      const type = addressType(run, extras[a] === 0 ? run.currentSource : run.currentDestination, device);
      if (type === UNKNOWN_TYPE) return Answer.unknown;
      holds = (extras[a + 1]! & (1 << type)) !== 0;
      break;
    }
    case MatchKind.source6:
      holds = run.router.addresses.isIn(run.currentSource, program.extras, a);
      break;
    case MatchKind.destination6:
      holds = run.router.addresses.isIn(run.currentDestination, program.extras, a);
      break;
    case MatchKind.addressRange6: {
      const { extras } = program;
      const { addresses } = run.router;
      const address = extras[a] === 0 ? run.currentSource : run.currentDestination;
      holds = addresses.compare(address, extras, a + 1) >= 0 && addresses.compare(address, extras, a + 5) <= 0;
      break;
    }
    case MatchKind.never:
      return Answer.no;
    case MatchKind.rpfilter: {
      const answer = run.family === 4 ? matchRpfilter(run, a, place.ingress) : matchRpfilter6(run, a, place.ingress);
      if (answer === Answer.unknown) return answer;
      holds = answer === Answer.yes;
      break;
    }
    case MatchKind.set: {
      const answer = matchSet(run, program.sets[a]!, b, place);
      if (answer === Answer.unknown) return answer;
      holds = answer === Answer.yes;
      break;
    }
    case MatchKind.ctTuple:
    case MatchKind.ctDirection:
    case MatchKind.ctStatus:
      return matchEntry(run, program, match);
    default:
      return Answer.unknown;
  }
  return holds === (program.matchNegated[match] === 0) ? Answer.yes : Answer.no;
}

/** Whether the packet carries the template of a CT rule in place of an entry: between that rule in raw and conntrack. */
export function hasTemplate(run: Run): boolean {
  return run.templated && !run.tracked && run.use === EntryUse.none;
}

function column(program: Program, index: number): number {
  return index < 0 ? program.interfaceRowLength - 1 : index;
}

/**
 * A later fragment has no header: legacy iptables says no, also to negated matches; the nft variant reads its payload as one, which no
 * capture column holds (linux-forwarding 8.5). A header that the capture cut is unknown.
 */
function hasHeader(run: Run): number {
  if (run.hasTransport) return Answer.yes;
  if (run.laterFragment) return run.rulesVariant !== RulesVariant.legacy ? Answer.unknown : Answer.no;
  const { protocol } = run;
  const carries = protocol === IpProtocol.tcp || protocol === IpProtocol.udp || protocol === run.icmp;
  if (!carries) return Answer.no;
  if ((run.status & Status.malformed) === 0) return Answer.unknown;
  // Legacy iptables drops what is too short to be looked at. The nft variant reads what there is of it where it has an expression of its
  // own for the match, which differs from version to version, and else has legacy's.
  if (run.rulesVariant === RulesVariant.legacy) return Answer.drop;
  return run.choose(2, run.router.reasons.shortHeader) === 1 ? Answer.drop : Answer.unknown;
}

/** A TCP segment that ends behind its ports, so that these are all that can be read of it. */
function isPortsOnly(run: Run): boolean {
  const isShort = !run.hasTransport && !run.laterFragment && (run.status & Status.malformed) !== 0;
  return isShort && run.protocol === IpProtocol.tcp && run.payloadLength >= PORTS_LENGTH;
}

/** A fragment that would write over the flags of the first one. Ref: xt_tcpudp.c: tcp_mt(); linux-forwarding 8.5. */
function overlapsHeader(run: Run): boolean {
  return run.fragmentOffset === 8 && run.rulesVariant !== RulesVariant.nft;
}

function matchMultiport(run: Run, program: Program, start: number, end: number, which: number): boolean {
  for (let range = start; range < end; range += 2) {
    const first = program.portRanges[range]!;
    const last = program.portRanges[range + 1]!;
    if (which !== 1 && run.currentSourcePort >= first && run.currentSourcePort <= last) return true;
    if (which !== 0 && run.currentDestinationPort >= first && run.currentDestinationPort <= last) return true;
  }
  return false;
}

/** Ref: xt_conntrack.c: conntrack_mt(). In raw, before conntrack, everything is INVALID (linux-forwarding 2.4). */
function stateBits(run: Run): number {
  if (run.use === EntryUse.none) {
    // To the match a template is an entry like any other. Ref: xt_CT.c: xt_ct_target() sets IP_CT_NEW.
    if (hasTemplate(run)) return CtState.new;
    return run.untracked ? CtState.untracked : CtState.invalid;
  }
  const bits =
    run.view === ConntrackView.new
      ? CtState.new
      : run.view === ConntrackView.established
        ? CtState.established
        : CtState.related;
  return bits | (run.sourceTranslated ? CtState.snat : 0) | (run.destinationTranslated ? CtState.dnat : 0);
}
