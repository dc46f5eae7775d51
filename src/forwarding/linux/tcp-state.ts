/** Conntrack's TCP states. Ref: include/uapi/linux/netfilter/nf_conntrack_tcp.h. */
export const TcpState = {
  none: 0,
  synSent: 1,
  synReceived: 2,
  established: 3,
  finWait: 4,
  closeWait: 5,
  lastAck: 6,
  timeWait: 7,
  close: 8,
  synSent2: 9,
  /** Not states but answers of {@link nextTcpState}. */
  invalid: 10,
  ignored: 11,
} as const;

export const TCP_STATE_NAMES = [
  'NONE',
  'SYN_SENT',
  'SYN_RECV',
  'ESTABLISHED',
  'FIN_WAIT',
  'CLOSE_WAIT',
  'LAST_ACK',
  'TIME_WAIT',
  'CLOSE',
  'SYN_SENT2',
] as const;

/** What a segment is to the state machine, by its flags. */
export const SegmentKind = { syn: 0, synAck: 1, fin: 2, ack: 3, reset: 4, none: 5 } as const;

const FIN = 0x01;
const SYN = 0x02;
const RST = 0x04;
const ACK = 0x10;
const URG = 0x20;

/** PSH, ECE and CWR never matter. Ref: nf_conntrack_proto_tcp.c: tcp_valid_flags. */
const VALID_FLAGS = new Uint8Array(64);
for (const flags of [SYN, SYN | URG, SYN | ACK, RST, RST | ACK, FIN | ACK, FIN | ACK | URG, ACK, ACK | URG]) {
  VALID_FLAGS[flags] = 1;
}

/** Whether conntrack takes the combination of flags at all. */
export function areTcpFlagsValid(flags: number): boolean {
  return VALID_FLAGS[flags & (FIN | SYN | RST | ACK | URG)] === 1;
}

/** Ref: nf_conntrack_proto_tcp.c: get_conntrack_index(). */
export function segmentKind(flags: number): number {
  if ((flags & RST) !== 0) return SegmentKind.reset;
  if ((flags & SYN) !== 0) return (flags & ACK) !== 0 ? SegmentKind.synAck : SegmentKind.syn;
  if ((flags & FIN) !== 0) return SegmentKind.fin;
  return (flags & ACK) !== 0 ? SegmentKind.ack : SegmentKind.none;
}

const { invalid: IV, ignored: IG } = TcpState;

/**
 * Rows: segment kind; columns: state from none to synSent2. Original direction first. Measured against a kernel: linux-forwarding
 * 2.11. Ref: nf_conntrack_proto_tcp.c: tcp_conntracks.
 */
// biome-ignore format: a table
const TRANSITIONS = Uint8Array.from([
  // none SS  SR  ES  FW  CW  LA  TW  CL  S2
     1,   1,  IG, IG, IG, IG, IG, 1,  1,  9,
     IV,  IV, 2,  IV, IV, IV, IV, IV, IV, 2,
     IV,  IV, 4,  4,  6,  6,  6,  7,  8,  IV,
     3,   IV, 3,  3,  5,  5,  7,  7,  8,  IV,
     IV,  8,  8,  8,  8,  8,  8,  8,  8,  8,
     IV,  IV, IV, IV, IV, IV, IV, IV, IV, IV,
  // reply
     IV,  9,  IV, IV, IV, IV, IV, 1,  IV, 9,
     IV,  2,  IG, IG, IG, IG, IG, IG, IG, 2,
     IV,  IV, 4,  4,  6,  6,  6,  7,  8,  IV,
     IV,  IG, 2,  3,  5,  5,  7,  7,  8,  IG,
     IV,  8,  8,  8,  8,  8,  8,  8,  8,  8,
     IV,  IV, IV, IV, IV, IV, IV, IV, IV, IV,
]);

/** The state after a segment of a kind in a direction (0 original, 1 reply), or {@link TcpState}.invalid or .ignored. */
export function nextTcpState(direction: number, kind: number, state: number): number {
  return TRANSITIONS[(direction * 6 + kind) * 10 + state]!;
}

/** Whether sequence number a lies before b; a distance of exactly 2³¹ is both before and after, as in the kernel. */
export function isBefore(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}
