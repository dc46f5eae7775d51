import { IpProtocol } from '../../net/ip-protocol.ts';
import { LinkDestination, Status } from '../../wire/packet-batch.ts';
import { ConntrackView, DecisionFlag, Disposition } from '../decision.ts';
import { blurByError } from './answer-marks.ts';
import { loseConnection } from './connection-lookup.ts';
import { CONFLICT, ENTRY_LENGTH, Entry, EntryFlag } from './connection-table.ts';
import { invertPorts, isIcmpError, portsOf } from './connection-tuple.ts';
import { blurEntry, isRefused, storeMarks, track } from './conntrack.ts';
import { answerDelivered } from './local-answers.ts';
import type { HookPlace } from './match.ts';
import {
  dropsError,
  endsMasquerade,
  meetsNatRules,
  SettledReply,
  settleReplyPort,
  settleReplyTuple,
  translateKnown,
} from './nat.ts';
import { baseIndex, HookNumber, TableNumber } from './program.ts';
import { recordConntrack, recordEnd } from './recording.ts';
import { passesForwardChecks, Routed, routeInput } from './route-input.ts';
import { isRefusedAtOnce, passesForwardChecks6, routeInput6 } from './route-input6.ts';
import { EntryUse, type Run } from './run.ts';
import { TcpState } from './tcp-state.ts';
import { traverse, Verdict } from './traverse.ts';

const RST = 0x04;
const ANY_OPTIONS = Status.badOptions | Status.sourceRoute;

const place: HookPlace = { ingress: -1, egress: -1 };

/** Takes the packet through the router in one world, by the order of linux-forwarding 1.1. What becomes of it is in the run. */
export function walkPacket(run: Run): void {
  run.restart();
  pass(run);
  if (run.sourceTranslated) run.flags |= DecisionFlag.sourceTranslated;
  if (run.destinationTranslated) run.flags |= DecisionFlag.destinationTranslated;
  if (run.router.program.tracks) loseAnswered(run);
  if (run.use !== EntryUse.none && run.router.program.ownErrorsMark) markByAnswer(run);
  if (run.disposition === Disposition.undetermined && !run.leaves && run.router.program.tracks) leaveUnknown(run);
  if (run.remembered !== null) run.remembered.keep(run);
  storeMarks(run);
  if (run.steps !== null) recordEnd(run);
}

/** A redirect has been sent already, on the way. */
function markByAnswer(run: Run): void {
  if (run.disposition === Disposition.delivered || run.rejectedByReset) {
    run.connmark = 0;
    run.connmarkUnknown = -1;
  } else if (isAnsweredByError(run)) {
    blurByError(run);
  }
}

/**
 * Where the packet's fate is not known, neither is what becomes of its connection: it may have been translated or marked by rules that
 * it did not meet here, and its entry may have been made or not (linux-forwarding 2.5).
 */
function leaveUnknown(run: Run): void {
  if (!run.tracked) {
    if (!isRefused(run)) loseConnection(run);
  } else if (run.use === EntryUse.existing) {
    run.connmarkUnknown = -1;
  } else if (run.use === EntryUse.fresh) {
    run.connmarkUnknown = -1;
    if (run.router.program.translates) loseConnection(run);
    else run.maySurvive = run.choose(2, run.unknown) === 1;
  }
}

function pass(run: Run): void {
  const { program } = run.router;
  if (run.linkDestination === LinkDestination.otherHost) {
    run.disposition = Disposition.notForwarding;
    return;
  }
  if ((run.status & Status.badNetworkChecksum) !== 0) {
    run.disposition = Disposition.martian;
    return;
  }
  if (run.family === 6 && isRefusedAtOnce(run)) return;
  place.ingress = run.ingress;
  place.egress = -1;
  if (!runTable(run, HookNumber.prerouting, TableNumber.raw)) return;
  if (program.tracks) {
    track(run);
    if (run.steps !== null) recordConntrack(run);
    if (program.translates && run.use !== EntryUse.none && isLost(run)) {
      run.unknown = run.router.reasons.ambiguousEntry;
      run.disposition = Disposition.undetermined;
      return;
    }
  }
  if (run.remembered?.recall(run) === true) return;
  if (!runTable(run, HookNumber.prerouting, TableNumber.mangle)) return;
  if (meetsNatRules(run)) {
    if (!runTable(run, HookNumber.prerouting, TableNumber.nat)) return;
  } else {
    if (dropsError(run, true)) {
      run.disposition = Disposition.droppedByRule;
      return;
    }
    translateKnown(run, true);
  }
  const routed = run.family === 4 ? routeInput(run) : routeInput6(run);
  // Where it is not known how the packet is routed, it may be dropped before its options are looked at.
  if (routed === Routed.ended && run.disposition === Disposition.undetermined) return;
  if (run.family === 4 && (run.status & ANY_OPTIONS) !== 0 && !passesOptions(run)) return;
  if (routed === Routed.ended) return;
  if (routed === Routed.local) deliver(run);
  else forward(run);
}

/**
 * What the router does about IP options once it has routed the packet, and before it says what became of that; false where the packet ends
 * here. Ref: ip_input.c: ip_rcv_finish_core(), ip_rcv_options(); net/ipv4/ip_options.c: ip_options_rcv_srr()
 */
function passesOptions(run: Run): boolean {
  // Of these the lookup itself drops the packet; of the others it makes a route that refuses it.
  const { disposition, router } = run;
  if (disposition === Disposition.martian || disposition === Disposition.droppedByReversePath) return false;
  const isBad = (run.status & Status.badOptions) !== 0;
  const isRouted = (run.status & Status.sourceRoute) !== 0;
  const accepts = isRouted && !isBad && run.setting(router.settings.acceptSourceRoute[run.ingress]!) !== 0;
  run.flags &= ~DecisionFlag.icmpRedirect;
  run.egress = -1;
  run.decidingTable = -1;
  run.cause = isRouted && !isBad && !accepts ? router.settings.acceptSourceRoute[run.ingress]!.origin : -1;
  if (isRouted && (isBad || accepts)) {
    run.unknown = isBad ? router.reasons.securityOption : router.reasons.sourceRoute;
    run.disposition = Disposition.undetermined;
  } else {
    run.disposition = Disposition.martian;
  }
  return false;
}

function forward(run: Run): void {
  if (!(run.family === 4 ? passesForwardChecks(run) : passesForwardChecks6(run))) return;
  const isRedirected = (run.flags & DecisionFlag.icmpRedirect) !== 0;
  if (isRedirected && run.use !== EntryUse.none && run.router.program.ownErrorsMark) blurByError(run);
  run.currentTtl--;
  place.egress = run.egress;
  if (!runTable(run, HookNumber.forward, TableNumber.mangle)) return;
  if (!runTable(run, HookNumber.forward, TableNumber.filter)) return;
  if (!runTable(run, HookNumber.forward, TableNumber.security)) return;
  // -i is refused in POSTROUTING, and a user chain that tests it there sees none.
  place.ingress = -1;
  if (!runTable(run, HookNumber.postrouting, TableNumber.mangle)) return;
  if (meetsNatRules(run)) {
    if (!runTable(run, HookNumber.postrouting, TableNumber.nat)) return;
    if (!settleReply(run)) return;
  } else if (endsMasquerade(run)) {
    run.use = EntryUse.dying;
    run.oldGone = true;
    run.disposition = Disposition.droppedByRule;
    run.egress = -1;
    return;
  } else if (dropsError(run, false)) {
    run.disposition = Disposition.droppedByRule;
    run.egress = -1;
    return;
  } else {
    translateKnown(run, false);
  }
  run.leaves = true;
  run.disposition = Disposition.forwarded;
  if (run.router.links.lacksCarrier[run.egress] === 1 && run.choose(2, run.router.reasons.noCarrier) === 1) {
    // Its entry is confirmed by then.
    run.disposition = Disposition.blackhole;
    run.egress = -1;
  }
}

function deliver(run: Run): void {
  // The router puts what is for itself together before its rules see it. Ref: ip_input.c: ip_local_deliver()
  if ((run.status & Status.fragment) !== 0 && INPUT_TABLES.some((table) => hasRules(run, table))) {
    run.unknown = run.router.reasons.fragment;
    run.disposition = Disposition.undetermined;
    return;
  }
  if (!runTable(run, HookNumber.input, TableNumber.mangle)) return;
  if (!runTable(run, HookNumber.input, TableNumber.filter)) return;
  if (!runTable(run, HookNumber.input, TableNumber.security)) return;
  if (meetsNatRules(run)) {
    if (!runTable(run, HookNumber.input, TableNumber.nat)) return;
    if (!settleReply(run)) return;
  }
  if (!run.router.program.translates && !settleReply(run)) return;
  run.disposition = Disposition.delivered;
  if (run.router.program.tracks) run.answered = answerDelivered(run);
}

const INPUT_TABLES = [TableNumber.mangle, TableNumber.filter, TableNumber.security];

function hasRules(run: Run, table: number): boolean {
  return run.router.program.bases[baseIndex(HookNumber.input, table)]!.length > 0;
}

/** False where the packet ends because its entry cannot be. */
function settleReply(run: Run): boolean {
  const { translates, zones } = run.router.program;
  if (!translates && !(zones && run.use === EntryUse.fresh)) return true;
  const settled = translates ? settleReplyPort(run) : settleReplyTuple(run);
  if (settled === SettledReply.unique) return true;
  run.disposition = settled === SettledReply.taken ? Disposition.droppedByRule : Disposition.undetermined;
  run.egress = -1;
  return false;
}

/** False where the packet ends in this table. */
function runTable(run: Run, hook: number, table: number): boolean {
  const verdict = traverse(run, hook, table, place);
  if (verdict === Verdict.accept) return true;
  run.disposition = verdict === Verdict.drop ? Disposition.droppedByRule : Disposition.undetermined;
  run.egress = -1;
  if (run.rejectedByReset) closeRejected(run);
  return false;
}

/** A connection that REJECT resets counts as closed. Ref: nf_conntrack_proto_tcp.c: nf_conntrack_tcp_set_closing(). */
function closeRejected(run: Run): void {
  if (run.use !== EntryUse.existing || run.isError || run.protocol !== IpProtocol.tcp) return;
  const { table, router } = run;
  if (table.words[run.base + Entry.tcpState] !== TcpState.close) {
    table.expires[run.work] = run.now + router.settings.timeouts[TcpState.close]!;
  }
  table.words[run.base + Entry.tcpState] = TcpState.close;
}

function isLost(run: Run): boolean {
  return (run.table.words[run.base + Entry.flags]! & EntryFlag.lost) !== 0;
}

/**
 * What the router answers to an INVALID packet is tracked by itself: a reset, which is not translated, may end the connection whose tuple
 * it has, and an error is related to that of the same tuple. Where addresses are translated, that is not always the packet's own.
 * Ref: nf_conntrack_core.c: nf_conntrack_in(); nf_conntrack_proto_icmp.c: nf_conntrack_inet_error()
 */
function loseAnswered(run: Run): void {
  if (run.view !== ConntrackView.invalid || isIcmpError(run)) return;
  const isTaken = run.disposition === Disposition.delivered || (run.flags & DecisionFlag.rejected) !== 0;
  const resets = isTaken && mayBeReset(run);
  const marks = run.router.program.ownErrorsMark && causesOwnPacket(run);
  if (!resets && !marks) return;
  const { table } = run;
  const { zones, bases } = run.router.program;
  // Rules of raw may give the answer a zone.
  if (zones && bases[baseIndex(HookNumber.output, TableNumber.raw)]!.length > 0) {
    loseConnection(run);
    return;
  }
  const ports = invertPorts(run.protocol, portsOf(run));
  const node = table.find(run.protocol, run.destination, run.source, ports, 0, 0);
  if (node === -1) return;
  const slot = node >> 1;
  if (node === CONFLICT || table.nextVariant(slot) !== slot) {
    loseConnection(run);
    return;
  }
  const stands = slot === run.chosen ? run.work : slot;
  if (resets) blurEntry(run, stands);
  if (marks) blurMark(run, stands);
}

function blurMark(run: Run, slot: number): void {
  const { words } = run.table;
  words[slot * ENTRY_LENGTH + Entry.connmark] = 0;
  words[slot * ENTRY_LENGTH + Entry.connmarkUnknown] = -1;
}

/** Neither resets nor damaged segments are answered with one. Ref: tcp_ipv4.c: tcp_v4_rcv(), tcp_v4_send_reset(); nf_reject_ipv4.c. */
function mayBeReset(run: Run): boolean {
  const isDamaged = (run.status & (Status.badTransportChecksum | Status.malformed)) !== 0;
  return run.protocol === IpProtocol.tcp && run.hasTransport && !isDamaged && (run.tcpFlags & RST) === 0;
}

/**
 * The router's own answers, ICMP errors and resets about the packet carry its entry through OUTPUT and POSTROUTING, where CONNMARK rules
 * may change the mark (linux-forwarding 13).
 */
function causesOwnPacket(run: Run): boolean {
  const isRedirected = (run.flags & DecisionFlag.icmpRedirect) !== 0;
  return isRedirected || run.disposition === Disposition.delivered || isAnsweredByError(run);
}

function isAnsweredByError(run: Run): boolean {
  if ((run.flags & DecisionFlag.rejected) !== 0) return true;
  switch (run.disposition) {
    case Disposition.ttlExpired:
    case Disposition.tooBig:
    case Disposition.noRoute:
    case Disposition.unreachable:
    case Disposition.prohibited:
      return true;
    case Disposition.martian:
      return (run.status & Status.badOptions) !== 0;
    default:
      return false;
  }
}
