import { Entry, EntryFlag, Side, TCP_SIDE_LENGTH } from './connection-table.ts';
import type { Run } from './run.ts';
import { Timeout } from './settings.ts';
import { areTcpFlagsValid, isBefore, nextTcpState, SegmentKind, segmentKind, TcpState } from './tcp-state.ts';

/** What tracking makes of a packet. */
export const Tracking = { accept: 0, invalid: 1, reopen: 2, deleted: 3 } as const;

/** Bits of a direction's flags. Ref: nf_conntrack_tcp.h: IP_CT_TCP_FLAG_*. */
export const SideFlag = {
  windowScale: 0x01,
  sackPermitted: 0x02,
  closeInit: 0x04,
  liberal: 0x08,
  unacknowledged: 0x10,
  maxAcknowledgedSet: 0x20,
  challengeExpected: 0x40,
  simultaneousOpen: 0x80,
} as const;

const SYN = 0x02;
const FIN = 0x01;
const RST = 0x04;
const ACK = 0x10;
const LARGEST_ACK_WINDOW = 66000;

const Window = { accept: 0, ignore: 1, invalid: 2 } as const;

/**
 * Takes a segment into the working entry. `fresh`: the entry is made by it, all words 0 but the tuple.
 * Ref: nf_conntrack_proto_tcp.c: nf_conntrack_tcp_packet(), tcp_new() (Linux 6.18).
 */
export function trackSegment(run: Run, direction: number, fresh: boolean): number {
  if (!areTcpFlagsValid(run.tcpFlags)) return Tracking.invalid;
  const w = run.table.words;
  const kind = segmentKind(run.tcpFlags);
  if (fresh && !beginEntry(run, w, kind)) return Tracking.invalid;
  const oldState = w[run.base + Entry.tcpState]!;
  let newState = nextTcpState(direction, kind, oldState);
  let effectiveOldState = oldState;
  let skipWindow = false;

  if (newState === TcpState.invalid) return Tracking.invalid;
  if (newState === TcpState.ignored || (newState === TcpState.synSent && oldState >= TcpState.timeWait)) {
    if (newState === TcpState.synSent && mayReopen(run, w, direction)) return Tracking.reopen;
    if (!answersIgnoredSyn(run, w, direction, kind)) {
      rememberIgnored(run, w, direction, kind, oldState);
      return Tracking.accept;
    }
    // The firewall lost track and the peers did not: take up the connection that the ignored SYN began.
    effectiveOldState = TcpState.synSent;
    newState = TcpState.synReceived;
    resynchronise(run, w, direction);
  } else if (newState === TcpState.timeWait) {
    if (isChallengeAcknowledgement(run, w, direction, kind, oldState)) {
      w[run.base + Entry.lastFlags]! &= ~SideFlag.challengeExpected;
      return Tracking.accept;
    }
  } else if (newState === TcpState.synSent2) {
    w[run.base + Entry.lastFlags]! |= SideFlag.simultaneousOpen;
  } else if (newState === TcpState.synReceived) {
    const simultaneous = (w[run.base + Entry.lastFlags]! & SideFlag.simultaneousOpen) !== 0;
    if (direction === 1 && kind === SegmentKind.ack && simultaneous) newState = TcpState.established;
  } else if (newState === TcpState.close && kind === SegmentKind.reset) {
    const judged = judgeReset(run, w, direction, oldState);
    if (judged === RESET_INVALID) return Tracking.invalid;
    if (judged === RESET_STATE_KEPT || judged === RESET_STATE_KEPT_IN_WINDOW) newState = oldState;
    skipWindow = judged === RESET_IN_WINDOW || judged === RESET_STATE_KEPT_IN_WINDOW;
  }

  if (!skipWindow) {
    const judged = checkWindow(run, w, direction, kind);
    if (judged === Window.ignore) return Tracking.accept;
    if (judged === Window.invalid) {
      handleInvalid(run, w, direction, kind);
      return Tracking.invalid;
    }
  }
  return enterState(run, w, direction, kind, effectiveOldState, newState);
}

/** Ref: tcp_new(). */
function beginEntry(run: Run, w: Int32Array, kind: number): boolean {
  const state = nextTcpState(0, kind, TcpState.none);
  if (state === TcpState.invalid || state === TcpState.ignored) return false;
  if (state !== TcpState.synSent && run.setting(run.router.settings.tcpLoose) === 0) return false;
  const side = run.base + Entry.tcp;
  const window = run.window === 0 ? 1 : run.window;
  const end = segmentEnd(run);
  w[side + Side.end] = end;
  w[side + Side.maxWindow] = window;
  if (state === TcpState.synSent) {
    w[side + Side.maxEnd] = end;
    takeOptions(run, w, side);
  } else {
    // Picked up midway: window scaling is not known, so both directions are believed.
    w[side + Side.maxEnd] = (end + window) | 0;
    w[side + Side.flags] = SideFlag.sackPermitted | SideFlag.liberal;
    w[side + TCP_SIDE_LENGTH + Side.flags] = SideFlag.sackPermitted | SideFlag.liberal;
  }
  w[run.base + Entry.lastKind] = SegmentKind.none;
  return true;
}

function mayReopen(run: Run, w: Int32Array, direction: number): boolean {
  const flags = w[run.base + Entry.tcp + Side.flags]! | w[run.base + Entry.tcp + TCP_SIDE_LENGTH + Side.flags]!;
  if ((flags & SideFlag.closeInit) !== 0) return true;
  return w[run.base + Entry.lastDirection] === direction && w[run.base + Entry.lastKind] === SegmentKind.reset;
}

function answersIgnoredSyn(run: Run, w: Int32Array, direction: number, kind: number): boolean {
  return (
    kind === SegmentKind.synAck &&
    w[run.base + Entry.lastKind] === SegmentKind.syn &&
    w[run.base + Entry.lastDirection] !== direction &&
    run.acknowledgement === w[run.base + Entry.lastEnd]
  );
}

function resynchronise(run: Run, w: Int32Array, direction: number): void {
  const asked = run.base + Entry.tcp + w[run.base + Entry.lastDirection]! * TCP_SIDE_LENGTH;
  const end = w[run.base + Entry.lastEnd]!;
  w[asked + Side.end] = end;
  w[asked + Side.maxEnd] = end;
  w[asked + Side.maxWindow] = w[run.base + Entry.lastWindow] === 0 ? 1 : w[run.base + Entry.lastWindow]!;
  w[asked + Side.scale] = w[run.base + Entry.lastScale]!;
  w[run.base + Entry.lastFlags]! &= ~SideFlag.challengeExpected;
  w[asked + Side.flags] = w[run.base + Entry.lastFlags]!;
  const answering = run.base + Entry.tcp + direction * TCP_SIDE_LENGTH;
  const liberal = w[answering + Side.flags]! & SideFlag.liberal;
  w.fill(0, answering, answering + TCP_SIDE_LENGTH);
  w[answering + Side.flags] = liberal;
}

function rememberIgnored(run: Run, w: Int32Array, direction: number, kind: number, oldState: number): void {
  w[run.base + Entry.lastKind] = kind;
  w[run.base + Entry.lastDirection] = direction;
  w[run.base + Entry.lastSequence] = run.sequence;
  w[run.base + Entry.lastEnd] = segmentEnd(run);
  w[run.base + Entry.lastWindow] = run.window;
  if (kind === SegmentKind.syn && direction === 0) {
    w[run.base + Entry.lastScale] = run.windowScale < 0 ? 0 : Math.min(run.windowScale, 14);
    w[run.base + Entry.lastFlags] =
      (run.windowScale < 0 ? 0 : SideFlag.windowScale) |
      (run.sackPermitted === 0 ? 0 : SideFlag.sackPermitted) |
      (oldState === TcpState.lastAck ? SideFlag.challengeExpected : 0);
  }
  if (oldState === TcpState.synSent && kind === SegmentKind.ack && direction === 1) {
    w[run.base + Entry.lastAcknowledgement] = run.acknowledgement;
  }
}

/** RFC 5961: an ACK that answers a stray SYN does not acknowledge the last FIN. */
function isChallengeAcknowledgement(
  run: Run,
  w: Int32Array,
  direction: number,
  kind: number,
  oldState: number,
): boolean {
  return (
    oldState === TcpState.lastAck &&
    kind === SegmentKind.ack &&
    w[run.base + Entry.lastDirection] !== direction &&
    w[run.base + Entry.lastKind] === SegmentKind.syn &&
    (w[run.base + Entry.lastFlags]! & SideFlag.challengeExpected) !== 0
  );
}

const RESET_CHECK_WINDOW = 0;
const RESET_IN_WINDOW = 1;
const RESET_INVALID = 2;
const RESET_STATE_KEPT = 3;
const RESET_STATE_KEPT_IN_WINDOW = 4;

function judgeReset(run: Run, w: Int32Array, direction: number, oldState: number): number {
  if (oldState >= TcpState.finWait && oldState <= TcpState.close) return RESET_IN_WINDOW;
  const flags = w[run.base + Entry.flags]!;
  const lastKind = w[run.base + Entry.lastKind]!;
  const peer = run.base + Entry.tcp + (1 - direction) * TCP_SIDE_LENGTH;
  let kept = false;
  if ((w[peer + Side.flags]! & SideFlag.maxAcknowledgedSet) !== 0 && lastKind !== SegmentKind.syn) {
    const established = oldState === TcpState.established && (flags & EntryFlag.assured) !== 0;
    const expected = w[peer + Side.maxAcknowledged]!;
    if (run.sequence === 0 && !established) return RESET_CHECK_WINDOW;
    if (isBefore(run.sequence, expected) && run.setting(run.router.settings.ignoreInvalidReset) === 0) {
      return RESET_INVALID;
    }
    if (!established || run.sequence === expected) return RESET_CHECK_WINDOW;
    const followsOwnData =
      lastKind === SegmentKind.ack &&
      w[run.base + Entry.lastDirection] === direction &&
      run.sequence === w[run.base + Entry.lastEnd];
    if (followsOwnData) return RESET_CHECK_WINDOW;
    kept = true;
  }
  // An ignored SYN counts only where the other side sent it: measured on 6.18, which older sources do not show.
  const fromPeer = w[run.base + Entry.lastDirection] !== direction;
  const answersIgnored =
    ((flags & EntryFlag.seenReply) !== 0 && lastKind === SegmentKind.syn && fromPeer) ||
    ((flags & EntryFlag.assured) === 0 && lastKind === SegmentKind.ack);
  if (answersIgnored && run.acknowledgement === w[run.base + Entry.lastEnd]) {
    return kept ? RESET_STATE_KEPT_IN_WINDOW : RESET_IN_WINDOW;
  }
  const answersChallenge =
    oldState === TcpState.synSent &&
    lastKind === SegmentKind.ack &&
    w[run.base + Entry.lastDirection] === 1 &&
    run.sequence === w[run.base + Entry.lastAcknowledgement];
  if (answersChallenge) return kept ? RESET_STATE_KEPT_IN_WINDOW : RESET_IN_WINDOW;
  return kept ? RESET_STATE_KEPT : RESET_CHECK_WINDOW;
}

/** The window check (linux-forwarding 2.12). Ref: tcp_in_window(). */
function checkWindow(run: Run, w: Int32Array, direction: number, kind: number): number {
  const sender = run.base + Entry.tcp + direction * TCP_SIDE_LENGTH;
  const receiver = run.base + Entry.tcp + (1 - direction) * TCP_SIDE_LENGTH;
  const flags = run.tcpFlags;
  const isSyn = (flags & SYN) !== 0;
  const state = w[run.base + Entry.tcpState]!;
  const rawWindow = run.window;
  let sequence = run.sequence;
  let end = segmentEnd(run);
  let acknowledged = run.acknowledgement;
  let selective = acknowledged;
  if ((w[receiver + Side.flags]! & SideFlag.sackPermitted) !== 0 && isBefore(selective, run.sackEdge)) {
    selective = run.sackEdge;
  }

  if (w[sender + Side.maxWindow] === 0) {
    if (isSyn) {
      beginSender(run, w, sender, receiver, end, direction);
      if ((flags & ACK) === 0) return Window.accept;
    } else {
      beginMidway(w, sender, receiver, end, rawWindow, selective);
    }
  } else if (
    isSyn &&
    isBefore(w[sender + Side.end]!, end) &&
    (state === TcpState.synSent || state === TcpState.synReceived)
  ) {
    beginSender(run, w, sender, receiver, end, direction);
    if (direction === 1 && (flags & ACK) === 0) return Window.accept;
  }

  if ((flags & ACK) === 0 || ((flags & RST) !== 0 && acknowledged === 0)) {
    acknowledged = w[receiver + Side.end]!;
    selective = acknowledged;
  }
  if ((flags & RST) !== 0 && sequence === 0 && state === TcpState.synSent) {
    sequence = w[sender + Side.end]!;
    end = sequence;
  }
  const judged = judgeWindow(run, w, sender, receiver, sequence, end, selective);
  if (judged !== WINDOW_FITS) return judged;
  updateWindow(run, w, direction, kind, sequence, end, acknowledged, selective);
  return Window.accept;
}

function beginSender(run: Run, w: Int32Array, sender: number, receiver: number, end: number, direction: number): void {
  w[sender + Side.end] = end;
  w[sender + Side.maxEnd] = end;
  w[sender + Side.maxWindow] = run.window === 0 ? 1 : run.window;
  takeOptions(run, w, sender);
  const both = w[sender + Side.flags]! & w[receiver + Side.flags]! & SideFlag.windowScale;
  if (direction === 1 && both === 0) {
    w[sender + Side.scale] = 0;
    w[receiver + Side.scale] = 0;
  }
}

function beginMidway(
  w: Int32Array,
  sender: number,
  receiver: number,
  end: number,
  rawWindow: number,
  selective: number,
): void {
  const window = rawWindow << w[sender + Side.scale]! || 1;
  w[sender + Side.end] = end;
  w[sender + Side.maxWindow] = window;
  w[sender + Side.maxEnd] = (end + window) | 0;
  if (w[receiver + Side.maxWindow] === 0) {
    w[receiver + Side.end] = selective;
    w[receiver + Side.maxEnd] = selective;
  } else if (selective === ((w[receiver + Side.end]! + 1) | 0)) {
    // The answer to a keep-alive.
    w[receiver + Side.end] = selective;
  }
}

const WINDOW_FITS = -1;

function judgeWindow(
  run: Run,
  w: Int32Array,
  sender: number,
  receiver: number,
  sequence: number,
  end: number,
  selective: number,
): number {
  const senderWindow = w[sender + Side.maxWindow]! >>> 0;
  const receiverWindow = w[receiver + Side.maxWindow]! >>> 0;
  const senderEnd = w[sender + Side.end]!;
  const receiverEnd = w[receiver + Side.end]!;
  const liberal =
    (w[sender + Side.flags]! & SideFlag.liberal) !== 0 || run.setting(run.router.settings.tcpLiberal) !== 0;
  const lowestAcknowledged = (receiverEnd - Math.max(senderWindow, LARGEST_ACK_WINDOW) - 1) | 0;
  const acknowledgementTooHigh = !isBefore(selective, (receiverEnd + 1) | 0);
  const lowestEnd = (senderEnd - receiverWindow - 1) | 0;
  if (!isBefore(sequence, (w[sender + Side.maxEnd]! + 1) | 0)) {
    const overshoot = (end - w[sender + Side.maxEnd]! + 1) >>> 0;
    const barely =
      receiverWindow !== 0 &&
      isBefore(lowestEnd, end) &&
      isBefore(lowestAcknowledged, selective) &&
      overshoot <= receiverWindow &&
      !acknowledgementTooHigh;
    if (barely) {
      w[sender + Side.end] = end;
      w[sender + Side.flags]! |= SideFlag.unacknowledged;
      return liberal ? Window.accept : Window.ignore;
    }
    return liberal ? Window.accept : Window.invalid;
  }
  if (acknowledgementTooHigh) return liberal ? Window.accept : Window.invalid;
  const old = receiverWindow !== 0 && !isBefore(lowestEnd, end);
  if (old || !isBefore(lowestAcknowledged, selective)) return liberal ? Window.accept : Window.ignore;
  return WINDOW_FITS;
}

function updateWindow(
  run: Run,
  w: Int32Array,
  direction: number,
  kind: number,
  sequence: number,
  end: number,
  acknowledged: number,
  selective: number,
): void {
  const sender = run.base + Entry.tcp + direction * TCP_SIDE_LENGTH;
  const receiver = run.base + Entry.tcp + (1 - direction) * TCP_SIDE_LENGTH;
  const window = (run.tcpFlags & SYN) === 0 ? run.window << w[sender + Side.scale]! : run.window;
  const reach = (window + (selective - acknowledged)) >>> 0;
  if (w[sender + Side.maxWindow]! >>> 0 < reach) w[sender + Side.maxWindow] = reach | 0;
  if (isBefore(w[sender + Side.end]!, end)) {
    w[sender + Side.end] = end;
    w[sender + Side.flags]! |= SideFlag.unacknowledged;
  }
  if ((run.tcpFlags & ACK) !== 0) {
    if ((w[sender + Side.flags]! & SideFlag.maxAcknowledgedSet) === 0) {
      w[sender + Side.maxAcknowledged] = acknowledged;
      w[sender + Side.flags]! |= SideFlag.maxAcknowledgedSet;
    } else if (isBefore(w[sender + Side.maxAcknowledged]!, acknowledged)) {
      w[sender + Side.maxAcknowledged] = acknowledged;
    }
  }
  if (w[receiver + Side.maxWindow] !== 0 && isBefore(w[sender + Side.maxEnd]!, end)) {
    w[receiver + Side.maxWindow]! += (end - w[sender + Side.maxEnd]!) | 0;
  }
  if (isBefore((w[receiver + Side.maxEnd]! - 1) | 0, (selective + window) | 0)) {
    w[receiver + Side.maxEnd] = (selective + window + (window === 0 ? 1 : 0)) | 0;
  }
  if (acknowledged === w[receiver + Side.end]) w[receiver + Side.flags]! &= ~SideFlag.unacknowledged;
  if (kind === SegmentKind.ack) countRetransmission(run, w, direction, sequence, end, acknowledged);
}

function countRetransmission(
  run: Run,
  w: Int32Array,
  direction: number,
  sequence: number,
  end: number,
  acknowledged: number,
): void {
  const again =
    w[run.base + Entry.lastDirection] === direction &&
    w[run.base + Entry.lastSequence] === sequence &&
    w[run.base + Entry.lastAcknowledgement] === acknowledged &&
    w[run.base + Entry.lastEnd] === end &&
    w[run.base + Entry.lastWindow] === run.window;
  if (again) {
    w[run.base + Entry.retransmissions]!++;
    return;
  }
  w[run.base + Entry.lastDirection] = direction;
  w[run.base + Entry.lastSequence] = sequence;
  w[run.base + Entry.lastAcknowledgement] = acknowledged;
  w[run.base + Entry.lastEnd] = end;
  w[run.base + Entry.lastWindow] = run.window;
  w[run.base + Entry.retransmissions] = 0;
}

/** A FIN or reset out of the window shortens the life of an entry that is out of step. Ref: nf_tcp_handle_invalid(). */
function handleInvalid(run: Run, w: Int32Array, direction: number, kind: number): void {
  if ((w[run.base + Entry.flags]! & EntryFlag.assured) === 0) return;
  if (kind !== SegmentKind.reset && kind !== SegmentKind.fin) return;
  const lastKind = w[run.base + Entry.lastKind]!;
  const answered = lastKind === SegmentKind.fin || lastKind === SegmentKind.reset;
  if (w[run.base + Entry.lastDirection] !== direction && answered) {
    const { table, router } = run;
    const left = table.expires[run.work]! - run.now;
    const shorter = router.settings.timeouts[Timeout.unacknowledged]!;
    if (left >= 120 && left > shorter) table.expires[run.work] = run.now + shorter;
  } else {
    w[run.base + Entry.lastKind] = kind;
    w[run.base + Entry.lastDirection] = direction;
  }
}

function enterState(
  run: Run,
  w: Int32Array,
  direction: number,
  kind: number,
  oldState: number,
  newState: number,
): number {
  const { settings } = run.router;
  const { timeouts } = settings;
  w[run.base + Entry.lastKind] = kind;
  w[run.base + Entry.lastDirection] = direction;
  w[run.base + Entry.tcpState] = newState;
  const sides = run.base + Entry.tcp;
  if (oldState !== newState && newState === TcpState.finWait) {
    w[sides + direction * TCP_SIDE_LENGTH + Side.flags]! |= SideFlag.closeInit;
  }
  const normal = timeouts[newState]!;
  const unacknowledged =
    ((w[sides + Side.flags]! | w[sides + TCP_SIDE_LENGTH + Side.flags]!) & SideFlag.unacknowledged) !== 0;
  let timeout = normal;
  if (
    w[run.base + Entry.retransmissions]! >= settings.maxRetransmissions &&
    normal > timeouts[Timeout.retransmission]!
  ) {
    timeout = timeouts[Timeout.retransmission]!;
  } else if (kind === SegmentKind.reset) {
    timeout = timeouts[TcpState.close]!;
  } else if (unacknowledged && normal > timeouts[Timeout.unacknowledged]!) {
    timeout = timeouts[Timeout.unacknowledged]!;
  } else if (w[run.base + Entry.lastWindow] === 0 && normal > timeouts[Timeout.retransmission]!) {
    timeout = timeouts[Timeout.retransmission]!;
  }

  const flags = w[run.base + Entry.flags]!;
  if ((flags & EntryFlag.seenReply) === 0) {
    // A connection whose only answer is a reset never was one.
    if (kind === SegmentKind.reset) return Tracking.deleted;
    // A repeated SYN does not prolong the entry.
    if (kind === SegmentKind.syn && oldState === TcpState.synSent) return Tracking.accept;
    if (newState === TcpState.established) timeout = Math.min(timeout, timeouts[Timeout.unacknowledged]!);
  } else if (
    (flags & EntryFlag.assured) === 0 &&
    (oldState === TcpState.synReceived || oldState === TcpState.established) &&
    newState === TcpState.established
  ) {
    w[run.base + Entry.flags] = flags | EntryFlag.assured;
  }
  run.table.expires[run.work] = run.now + timeout;
  return Tracking.accept;
}

function takeOptions(run: Run, w: Int32Array, side: number): void {
  const liberal = w[side + Side.flags]! & SideFlag.liberal;
  w[side + Side.scale] = run.windowScale < 0 ? 0 : Math.min(run.windowScale, 14);
  w[side + Side.flags] =
    liberal | (run.windowScale < 0 ? 0 : SideFlag.windowScale) | (run.sackPermitted === 0 ? 0 : SideFlag.sackPermitted);
}

function segmentEnd(run: Run): number {
  const flags = run.tcpFlags;
  return (run.sequence + run.payloadLength + ((flags & SYN) >> 1) + (flags & FIN)) | 0;
}
