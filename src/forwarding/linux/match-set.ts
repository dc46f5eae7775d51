import { IpProtocol } from '../../net/ip-protocol.ts';
import { Status } from '../../wire/packet-batch.ts';
import { Answer } from './answer.ts';
import type { HookPlace } from './match.ts';
import type { Run } from './run.ts';
import { type CompiledSet, lookedUp, SetPart, SetResult } from './sets.ts';

/** Bits of a set match's second operand above the directions (bit n: part n is of the packet's source) and their count. */
export const SetMatchBits = { countShift: 8, returnNomatch: 1 << 16 } as const;

const ALL = SetResult.member | SetResult.exception | SetResult.none;

/** Whether a packet is in a set, for the rule's directions. Ref: ip_set_core.c: ip_set_test(). */
export function matchSet(run: Run, set: CompiledSet, operand: number, place: HookPlace): number {
  const count = (operand >> SetMatchBits.countShift) & 0xff;
  // Fewer directions than parts never match, nor do sets of the other family.
  if (count < set.dimension || set.family === 6) return Answer.no;
  if (set.list.length > 0 && !set.unknown) return matchList(run, set, operand, place);
  const result = set.unknown ? ALL : lookUp(run, set, operand, place);
  const wanted =
    (operand & SetMatchBits.returnNomatch) !== 0 && set.hasExceptions ? SetResult.exception : SetResult.member;
  if ((result & wanted) === 0) return Answer.no;
  return result === wanted ? Answer.yes : Answer.unknown;
}

/** In any of its sets. Ref: ip_set_list_set.c: list_set_ktest(). */
function matchList(run: Run, list: CompiledSet, operand: number, place: HookPlace): number {
  let answer: number = Answer.no;
  for (let index = 0; index < list.list.length; index++) {
    const { set, timed } = list.list[index]!;
    const found = matchSet(run, set, operand, place);
    if (found === Answer.yes && !timed) return Answer.yes;
    if (found !== Answer.no) answer = Answer.unknown;
  }
  return answer;
}

/** {@link SetResult} bits. */
function lookUp(run: Run, set: CompiledSet, operand: number, place: HookPlace): number {
  const { parts } = set;
  lookedUp.fill(0);
  for (let part = 0; part < parts.length; part++) {
    const filled = fillPart(run, set, part, ((operand >> part) & 1) === 1, place);
    if (filled !== Answer.yes) return filled === Answer.no ? SetResult.none : ALL;
  }
  return set.lookup();
}

/** No where the packet has no such part, which no set matches. */
function fillPart(run: Run, set: CompiledSet, part: number, ofSource: boolean, place: HookPlace): number {
  const at = 2 * part;
  switch (set.parts[part]) {
    case SetPart.address: {
      const address = ofSource ? run.currentSource : run.currentDestination;
      const unsigned = address >>> 0;
      if (!set.ignoresProtocol && (unsigned < set.rangeFirst || unsigned > set.rangeLast)) return Answer.no;
      lookedUp[at] = address & set.addressMask;
      return set.refusesZero && lookedUp[at] === 0 ? Answer.no : Answer.yes;
    }
    case SetPart.port:
      return fillPort(run, set, at, ofSource);
    case SetPart.mac:
      // Of a destination, no capture of forwarded frames tells more than that it is the router's own.
      if (!ofSource || run.sourceMac < 0) return Answer.unknown;
      lookedUp[at] = Math.floor(run.sourceMac / 2 ** 32);
      lookedUp[at + 1] = run.sourceMac | 0;
      return run.sourceMac === 0 ? Answer.no : Answer.yes;
    case SetPart.interface: {
      const index = ofSource ? place.ingress : place.egress;
      lookedUp[at] = index;
      return index < 0 ? Answer.no : Answer.yes;
    }
    default:
      if ((run.markUnknown & set.markMask) !== 0) return Answer.unknown;
      lookedUp[at] = run.mark & set.markMask;
      return Answer.yes;
  }
}

/** Ref: ip_set_getport.c: ip_set_get_ip4_port(), get_port(). */
function fillPort(run: Run, set: CompiledSet, at: number, ofSource: boolean): number {
  const { protocol } = run;
  if (protocol === 0) return Answer.no;
  const isTransport = protocol === IpProtocol.tcp || protocol === IpProtocol.udp;
  if (set.ignoresProtocol && !isTransport) return Answer.no;
  const hasPort =
    isTransport || protocol === IpProtocol.icmp || protocol === IpProtocol.sctp || protocol === IpProtocol.udplite;
  lookedUp[at] = set.ignoresProtocol ? 0 : protocol;
  if (!hasPort) return Answer.yes;
  if (run.laterFragment) return Answer.no;
  if (!run.hasTransport) return (run.status & Status.malformed) !== 0 ? Answer.no : Answer.unknown;
  if (protocol === IpProtocol.icmp) lookedUp[at + 1] = (run.icmpType << 8) | run.icmpCode;
  else lookedUp[at + 1] = ofSource ? run.currentSourcePort : run.currentDestinationPort;
  return Answer.yes;
}
