import type { PacketBatch } from '../wire/packet-batch.ts';
import {
  FLOWS,
  HAS_SYN,
  KIND,
  KNOWN_SEQUENCES,
  LACKS_SEGMENTS,
  NEXT_SEQUENCES,
  SEEN,
  SYN_SEQUENCE,
} from './connection-rows.ts';

const FIN = 0x01;
const SYN = 0x02;
const RST = 0x04;
const ACK = 0x10;

/** Bits of {@link Connection.seen}. */
export const Seen = {
  synToServer: 1,
  synToClient: 2,
  finToServer: 4,
  finToClient: 8,
  reset: 16,
  /** Beyond a handshake: an ACK or data of the client. */
  establishedByClient: 32,
  /** The server's SYN-ACK is not in the capture and was made up for connection tracking. */
  answerMade: 64,
  /** A reset toward the client. */
  refused: 128,
} as const;

/** Bits 0–3 of {@link Connection.flows}: flows seen; then the same four, closed by a FIN; then the two sessions, reset. */
const CLOSED_SHIFT = 4;
const RESET = 1 << 8;
const SENT_BY_SPS = 0b0110;
/** The flows of a session past SPS, or of one of which the side of SPS was not captured. */
const PLAIN = 0b1001;

/** Notes in a connection's words (from `at` on) what a segment's flags say. */
export function noteFlags(
  words: Int32Array,
  at: number,
  toServer: boolean,
  spsSide: boolean,
  flags: number,
  sequence: number,
  payload: number,
): void {
  if ((flags & (SYN | ACK)) === SYN && toServer) {
    words[at + SYN_SEQUENCE] = sequence;
    words[at + KIND]! |= HAS_SYN;
  }
  let seen = words[at + SEEN]!;
  if ((flags & SYN) !== 0) seen |= toServer ? Seen.synToServer : Seen.synToClient;
  if ((flags & FIN) !== 0) seen |= toServer ? Seen.finToServer : Seen.finToClient;
  if ((flags & RST) !== 0) seen |= toServer ? Seen.reset : Seen.reset | Seen.refused;
  if (toServer && (flags & (SYN | RST)) === 0 && (payload > 0 || (flags & ACK) !== 0)) seen |= Seen.establishedByClient;
  words[at + SEEN] = seen;
  // Client and SPS are one session, SPS and server the other: a packet toward the server is of the first unless SPS sent it.
  const session = toServer !== spsSide ? 0 : 1;
  const flow = 1 << (2 * session + (toServer ? 0 : 1));
  if ((flags & RST) !== 0) words[at + FLOWS]! |= RESET << session;
  else if ((flags & FIN) !== 0) words[at + FLOWS]! |= (flow << CLOSED_SHIFT) | flow;
  else words[at + FLOWS]! |= flow;
}

/**
 * Follows the sequence numbers of a flow: a segment that begins behind the end of those before it, or acknowledges what was not seen, tells
 * that the capture lacks segments, or that they did not pass the router.
 */
export function followSequence(
  words: Int32Array,
  at: number,
  toServer: boolean,
  spsSide: boolean,
  flags: number,
  batch: PacketBatch,
  row: number,
): void {
  const session = toServer !== spsSide ? 0 : 2;
  const flow = session + (toServer ? 0 : 1);
  const other = session + (toServer ? 1 : 0);
  const sequence = batch.tcpSequence[row]! | 0;
  const end = (sequence + batch.payloadLength[row]! + ((flags & SYN) >> 1) + (flags & FIN)) | 0;
  const known = words[at + KNOWN_SEQUENCES]!;
  const isKnown = ((known >> flow) & 1) === 1;
  const next = words[at + NEXT_SEQUENCES + flow]!;
  if (isKnown && (flags & SYN) === 0 && ((sequence - next) | 0) > 0) words[at + KIND]! |= LACKS_SEGMENTS;
  if (!isKnown || ((end - next) | 0) > 0 || (flags & SYN) !== 0) {
    words[at + NEXT_SEQUENCES + flow] = end;
    words[at + KNOWN_SEQUENCES] = known | (1 << flow);
  }
  if ((flags & ACK) === 0) return;
  const isAnswerable = ((known >> other) & 1) === 1;
  const answered = words[at + NEXT_SEQUENCES + other]!;
  if (!isAnswerable || ((batch.tcpAcknowledgement[row]! - answered) | 0) > 0) words[at + KIND]! |= LACKS_SEGMENTS;
}

/** Whether every session that was seen on the five-tuple was reset, or closed by both of its ends. */
export function hasEnded(flows: number): boolean {
  if (flows === 0) return false;
  if ((flows & SENT_BY_SPS) === 0)
    return (flows & (RESET * 3)) !== 0 || (flows & (PLAIN << CLOSED_SHIFT)) === PLAIN << CLOSED_SHIFT;
  for (let session = 0; session < 2; session++) {
    const pair = 3 << (2 * session);
    const isReset = (flows & (RESET << session)) !== 0;
    if ((flows & pair) === 0 && !isReset) continue;
    if (!isReset && (flows & (pair << CLOSED_SHIFT)) !== pair << CLOSED_SHIFT) return false;
  }
  return true;
}
