import { IpProtocol } from '../../net/ip-protocol.ts';
import { Status } from '../../wire/packet-batch.ts';
import { ConntrackView, DecisionFlag } from '../decision.ts';
import { NO_ENTRY, OTHER_TUPLE } from './connection-lookup.ts';
import { BEFORE_SLOT, CONFLICT, ENTRY_LENGTH, Entry, EntryFlag, WORKING_SLOT } from './connection-table.ts';
import { longestTimeout, shortestTimeout } from './connection-timeouts.ts';
import { invertPorts, isIcmpError, portsOf } from './connection-tuple.ts';
import { hasNatRules } from './nat.ts';
import { ZoneFlag } from './program-kinds.ts';
import { EntryUse, type Run } from './run.ts';
import { Timeout } from './settings.ts';
import { Tracking, trackSegment } from './tcp-tracking.ts';

/** ICMP queries that make an entry. Ref: nf_conntrack_proto_icmp.c: valid_new. */
const ICMP_QUERIES = new Set([8, 13, 15, 17]);
const HIGHEST_ICMP_TYPE = 18;

/** FTP, TFTP, NetBIOS, SNMP, H.323, PPTP, SIP, SANE, IRC, Amanda. Ref: net/netfilter/nf_conntrack_*.c: their default ports */
const HELPED_PORTS: ReadonlySet<number> = new Set([21, 69, 137, 161, 1719, 1720, 1723, 5060, 6566, 6667, 10080]);

/** Ref: nf_conntrack_proto_icmpv6.c: valid_new. */
const ICMPV6_QUERIES = new Set([128, 139]);
const ICMPV6_REDIRECT = 137;
/** Multicast listener discovery and neighbour discovery are never tracked. Ref: nf_conntrack_proto_icmpv6.c: noct_valid_new. */
const ICMPV6_UNTRACKED = new Set([130, 131, 132, 133, 134, 135, 136, 143]);

/** Conntrack's hook in PREROUTING: entry, state, mark. Ref: nf_conntrack_core.c: nf_conntrack_in(). */
export function track(run: Run): void {
  run.tracked = true;
  if (run.untracked) {
    run.view = ConntrackView.untracked;
    return;
  }
  if (isIcmpError(run) && (run.status & Status.quoted) !== 0 && hasOtherTracker(run.quotedProtocol)) {
    trackBlindly(run, run.router.reasons.unmodelledProtocol);
    return;
  }
  if (isRefused(run)) {
    run.view = ConntrackView.invalid;
    return;
  }
  if (isNeverTracked(run)) {
    run.untracked = true;
    run.view = ConntrackView.untracked;
    return;
  }
  if (run.found === CONFLICT || hasOtherTracker(run.protocol) || isHeaderMissing(run)) {
    const { ambiguousEntry, cut, unmodelledProtocol } = run.router.reasons;
    trackBlindly(run, run.found === CONFLICT ? ambiguousEntry : isHeaderMissing(run) ? cut : unmodelledProtocol);
    return;
  }
  const candidate = chooseCandidate(run);
  const direction = candidate < 0 ? NO_ENTRY : run.candidateDirections[candidate]!;
  if (direction === NO_ENTRY) {
    run.choseNone = candidate >= 0;
    begin(run);
    return;
  }
  const slot = run.candidates[candidate]!;
  if (direction === OTHER_TUPLE) {
    trackBlindly(run, run.router.reasons.ambiguousEntry);
    return;
  }
  run.chosen = slot;
  run.direction = direction;
  if (run.inPlace) {
    run.table.copy(slot, BEFORE_SLOT);
    run.workOn(slot);
  } else {
    run.table.copy(slot, WORKING_SLOT);
  }
  if (isIcmpError(run)) relate(run);
  else proceed(run);
}

/** Messages of IPv6 that connection tracking leaves alone. */
export function isNeverTracked(run: Run): boolean {
  return run.family === 6 && run.protocol === run.icmp && run.hasTransport && ICMPV6_UNTRACKED.has(run.icmpType);
}

/** Marks of the working entry back into it; called when the packet's way ends. */
export function storeMarks(run: Run): void {
  if (run.use === EntryUse.none) return;
  const { words } = run.table;
  words[run.base + Entry.connmark] = run.connmark;
  words[run.base + Entry.connmarkUnknown] = run.connmarkUnknown;
}

/** Protocols with a tracker of their own that is not modelled. */
function hasOtherTracker(protocol: number): boolean {
  return protocol === IpProtocol.sctp || protocol === IpProtocol.dccp || protocol === IpProtocol.gre;
}

function isHeaderMissing(run: Run): boolean {
  const { protocol } = run;
  const needed = protocol === IpProtocol.tcp || protocol === IpProtocol.udp || protocol === run.icmp;
  return (needed && !run.hasTransport) || isQuoteCut(run);
}

/** Packets that get no entry whatever entries there are. Ref: tcp_error(), udp_error(), nf_conntrack_icmpv4_error(). */
export function isRefused(run: Run): boolean {
  const checked = run.protocol === IpProtocol.tcp || run.protocol === IpProtocol.udp || run.protocol === run.icmp;
  if (checked && (run.status & Status.badTransportChecksum) !== 0 && run.setting(run.router.settings.checksum) !== 0) {
    return true;
  }
  // A header that lies, or of which too little is there. Of an ICMP error's it is the quoted packet's.
  const isMessage = run.protocol === run.icmp && run.hasTransport;
  if ((checked || run.protocol === IpProtocol.udplite) && (run.status & Status.malformed) !== 0 && !isMessage)
    return true;
  if (!isMessage) return false;
  // Of those that a neighbour could have sent nothing is said. Ref: nf_conntrack_proto_icmpv6.c: nf_conntrack_icmpv6_redirect()
  if (run.family === 6 && run.icmpType === ICMPV6_REDIRECT) return true;
  if (run.family === 4 && run.icmpType > HIGHEST_ICMP_TYPE) return true;
  return isIcmpError(run) && run.found === -1 && !isQuoteCut(run);
}

/** The capture does not hold what the error is about. */
function isQuoteCut(run: Run): boolean {
  return isIcmpError(run) && (run.status & (Status.quotedTuple | Status.cut | Status.malformed)) === Status.cut;
}

function chooseCandidate(run: Run): number {
  if (run.candidateCount <= 1) return run.candidateCount - 1;
  const reason = run.table.words[run.candidates[0]! * ENTRY_LENGTH + Entry.reason]!;
  return run.choose(run.candidateCount, reason);
}

const ERROR_VIEWS = [ConntrackView.related, ConntrackView.invalid] as const;
const VIEWS = [ConntrackView.established, ConntrackView.new, ConntrackView.invalid] as const;
const EXPECTED_VIEWS = [...VIEWS, ConntrackView.related] as const;

/** How a packet can be seen whose entry is not known. */
function viewsOf(run: Run): readonly number[] {
  if (isIcmpError(run)) return ERROR_VIEWS;
  return run.table.masters.size > 0 ? EXPECTED_VIEWS : VIEWS;
}

/** A packet whose entry is not known at all: any state, any mark. */
function trackBlindly(run: Run, reason: number): void {
  const views = viewsOf(run);
  run.view = views[run.choose(views.length, reason)]!;
  if (run.view === ConntrackView.invalid) return;
  run.isError = isIcmpError(run);
  run.use = EntryUse.existing;
  run.workOn(WORKING_SLOT);
  run.table.clear(WORKING_SLOT);
  run.table.words[run.base + Entry.flags] = EntryFlag.exists | EntryFlag.confirmed | EntryFlag.lost;
  run.connmarkUnknown = -1;
  const mayBegin = run.view === ConntrackView.new || (run.view === ConntrackView.related && !run.isError);
  run.mayBeFirst = mayBegin && hasNatRules(run.router.program) && run.choose(2, reason) === 1;
}

/** Ref: nf_conntrack_core.c: nf_conntrack_inet_error(). */
function relate(run: Run): void {
  const { words } = run.table;
  const flags = words[run.base + Entry.flags]!;
  const expected = words[run.base + (run.direction === 0 ? Entry.destination : Entry.replyDestination)]!;
  // The router's own answer may have ended the connection that the error is about.
  const isGone = (flags & EntryFlag.blurred) !== 0 && run.choose(2, run.router.reasons.localAnswers) === 1;
  if (isGone || expected !== run.destination) {
    run.chosen = -1;
    run.view = ConntrackView.invalid;
    return;
  }
  run.isError = true;
  run.view = ConntrackView.related;
  adopt(run, EntryUse.existing);
  if ((flags & EntryFlag.lost) !== 0) run.connmarkUnknown = -1;
}

function proceed(run: Run): void {
  const { words } = run.table;
  const flags = words[run.base + Entry.flags]!;
  if ((flags & EntryFlag.lost) !== 0) {
    run.chosen = -1;
    trackBlindly(run, words[run.base + Entry.reason]!);
    return;
  }
  if ((flags & EntryFlag.blurred) !== 0) {
    proceedBlurred(run);
    return;
  }
  const seenReply = (flags & EntryFlag.seenReply) !== 0;
  const unanswered = (flags & EntryFlag.expected) === 0 ? ConntrackView.new : ConntrackView.related;
  const view = run.direction === 1 || seenReply ? ConntrackView.established : unanswered;
  const result = trackTransport(run, run.direction, false);
  if (result === Tracking.reopen) {
    run.oldGone = true;
    begin(run);
    return;
  }
  if (result === Tracking.invalid) {
    if (run.trustSequence) {
      run.view = ConntrackView.invalid;
      return;
    }
    // Packets are missing from the capture, so the entry is not where the router's was: believe that this one belongs to it.
    run.table.copy(run.inPlace ? BEFORE_SLOT : run.chosen, run.work);
  }
  run.view = view;
  if (run.direction === 1 && result !== Tracking.deleted) words[run.base + Entry.flags]! |= EntryFlag.seenReply;
  adopt(run, result === Tracking.deleted ? EntryUse.dying : EntryUse.existing);
  if (result === Tracking.deleted) run.oldGone = true;
}

/** The other side's packets never came through: its state, or whether it is still there, is unknown; its mark is not. */
function proceedBlurred(run: Run): void {
  const { reasons } = run.router;
  const isTcp = run.protocol === IpProtocol.tcp;
  // Nothing but time ends the entries of other protocols, and none of their packets is INVALID.
  const longest = longestTimeout(run);
  const mayBeGone = isTcp || run.now >= run.table.expires[run.work]! - longest + shortestTimeout(run);
  const dumped = (run.table.words[run.base + Entry.flags]! & EntryFlag.dumped) !== 0;
  const reason = dumped ? reasons.dumpedEntry : reasons.localAnswers;
  const pick = run.choose(isTcp ? 4 : mayBeGone ? 3 : 2, reason);
  if (pick === 2) {
    run.oldGone = true;
    begin(run);
    return;
  }
  run.table.expires[run.work] = run.now + longest;
  if (pick === 3) {
    run.view = ConntrackView.invalid;
    return;
  }
  const isExpected = (run.table.words[run.base + Entry.flags]! & EntryFlag.expected) !== 0;
  const unanswered = isExpected ? ConntrackView.related : ConntrackView.new;
  run.view = pick === 0 ? ConntrackView.established : unanswered;
  adopt(run, EntryUse.existing);
}

function adopt(run: Run, use: number): void {
  const { words } = run.table;
  const flags = words[run.base + Entry.flags]!;
  run.use = use;
  run.connmark = words[run.base + Entry.connmark]!;
  run.connmarkUnknown = words[run.base + Entry.connmarkUnknown]!;
  if ((flags & EntryFlag.dumped) !== 0) run.flags |= DecisionFlag.dumpedEntry;
  run.sourceTranslated = (flags & EntryFlag.sourceTranslated) !== 0;
  run.destinationTranslated = (flags & EntryFlag.destinationTranslated) !== 0;
}

/** The packet finds no entry and makes one, if its kind may. Ref: nf_conntrack_core.c: init_conntrack(). */
function begin(run: Run): void {
  if (isIcmpError(run)) {
    run.view = ConntrackView.invalid;
    return;
  }
  const { table } = run;
  const { words } = table;
  const ports = portsOf(run);
  run.workOn(WORKING_SLOT);
  table.clear(WORKING_SLOT);
  words[run.base + Entry.flags] = EntryFlag.exists;
  words[run.base + Entry.protocol] = run.protocol;
  words[run.base + Entry.zones] = (run.zoneOriginal << 16) | run.zoneReply;
  words[run.base + Entry.source] = run.source;
  words[run.base + Entry.destination] = run.destination;
  words[run.base + Entry.ports] = ports;
  words[run.base + Entry.replySource] = run.destination;
  words[run.base + Entry.replyDestination] = run.source;
  words[run.base + Entry.replyPorts] = invertPorts(run.protocol, ports);
  run.direction = 0;
  const result = trackTransport(run, 0, true);
  if (result === Tracking.invalid) {
    run.view = ConntrackView.invalid;
    return;
  }
  run.view = ConntrackView.new;
  run.connmark = 0;
  run.connmarkUnknown = 0;
  run.sourceTranslated = false;
  run.destinationTranslated = false;
  run.use = result === Tracking.deleted ? EntryUse.dying : EntryUse.fresh;
  const given = run.templated && (run.template & ZoneFlag.helper) !== 0;
  const usual = run.router.assignsHelpers && HELPED_PORTS.has(ports & 0xffff);
  if (given || usual) words[run.base + Entry.flags]! |= EntryFlag.helper;
  if (mayBeExpected(run) && run.choose(2, run.router.reasons.expectation) === 1) expect(run);
}

/**
 * Whether a helper may expect the connection: what it reads out of its own connection's payload is not known, but it expects nothing
 * but connections between the same hosts. Ref: nf_conntrack_expect.c; linux-forwarding 2.9.
 */
function mayBeExpected(run: Run): boolean {
  const { masters } = run.table;
  if (masters.size === 0) return false;
  const key = hostsKey(run.source, run.destination);
  const until = masters.get(key);
  if (until === undefined) return false;
  if (until > run.now) return true;
  masters.delete(key);
  return false;
}

/** An expected connection has its master's mark; the helper may translate it, too. Ref: init_conntrack(), nf_nat_follow_master() */
function expect(run: Run): void {
  run.view = ConntrackView.related;
  run.connmarkUnknown = -1;
  run.table.words[run.base + Entry.flags]! |= EntryFlag.expected | (run.router.program.translates ? EntryFlag.lost : 0);
}

/** From here on nothing is said about an entry but its addresses and its mark. */
export function blurEntry(run: Run, slot: number): void {
  const { table } = run;
  const { words } = table;
  const base = slot * ENTRY_LENGTH;
  words[base + Entry.flags]! |= EntryFlag.blurred;
  // What of its state is not looked at any more is cleared, so that ways in which it may stand become the same one.
  words[base + Entry.flags]! &= ~(EntryFlag.seenReply | EntryFlag.assured);
  words.fill(0, base + Entry.tcpState, base + Entry.masquerade);
  table.streamSince[slot] = 0;
  table.expires[slot] = run.now + longestTimeout(run);
}

/** Notes that connections may be expected as long as this one, which has a helper, can live. */
export function rememberMaster(run: Run): void {
  const { words, masters } = run.table;
  const until = run.now + longestTimeout(run);
  for (const at of [Entry.source, Entry.replySource]) {
    masters.set(hostsKey(words[run.base + at]!, words[run.base + at + 1]!), until);
  }
}

function hostsKey(a: number, b: number): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}

function trackTransport(run: Run, direction: number, fresh: boolean): number {
  const { table } = run;
  const { timeouts } = run.router.settings;
  switch (run.protocol) {
    case IpProtocol.tcp:
      return trackSegment(run, direction, fresh);
    case IpProtocol.udp:
    case IpProtocol.udplite: {
      // Ref: nf_conntrack_proto_udp.c: nf_conntrack_udp_packet().
      if (fresh) table.streamSince[run.work] = run.now + 2;
      const replied = (table.words[run.base + Entry.flags]! & EntryFlag.seenReply) !== 0;
      const stream = replied && run.now > table.streamSince[run.work]!;
      table.expires[run.work] = run.now + timeouts[stream ? Timeout.udpStream : Timeout.udp]!;
      return Tracking.accept;
    }
    case run.icmp:
      if (fresh && !(run.family === 4 ? ICMP_QUERIES : ICMPV6_QUERIES).has(run.icmpType)) return Tracking.invalid;
      table.expires[run.work] = run.now + timeouts[Timeout.icmp]!;
      return Tracking.accept;
    default:
      table.expires[run.work] = run.now + timeouts[Timeout.generic]!;
      return Tracking.accept;
  }
}
