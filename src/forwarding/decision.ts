/** What becomes of a packet. Ref: contract, `trace --format ndjson`. */
export const DISPOSITIONS = [
  'undetermined',
  'forwarded',
  'delivered',
  'dropped-by-rule',
  'dropped-by-reverse-path',
  'martian',
  'no-route',
  'blackhole',
  'unreachable',
  'prohibited',
  'ttl-expired',
  'too-big',
  'not-forwarding',
] as const;

export type DispositionName = (typeof DISPOSITIONS)[number];

/** Numbers of {@link DISPOSITIONS}, for columns. */
export const Disposition = {
  undetermined: 0,
  forwarded: 1,
  delivered: 2,
  droppedByRule: 3,
  droppedByReversePath: 4,
  martian: 5,
  noRoute: 6,
  blackhole: 7,
  unreachable: 8,
  prohibited: 9,
  ttlExpired: 10,
  tooBig: 11,
  notForwarding: 12,
} as const;

/** How conntrack sees the packet where its rules run. */
export const ConntrackView = {
  none: 0,
  new: 1,
  established: 2,
  related: 3,
  invalid: 4,
  untracked: 5,
  unknown: 6,
} as const;

/**
 * Decisions about packets, one typed array per field; rows as the caller chooses. Owned by the caller.
 * Where the disposition is `undetermined`, `egress`, `nextHop` and `table` hold −1 or 0 and `unknowns` says why.
 */
export class DecisionBatch {
  readonly capacity: number;
  readonly disposition: Uint8Array;
  /** Index into the forwarder's interface names, −1 where the packet does not leave. */
  readonly egress: Int16Array;
  /** Four words a row: the address that the frame is sent to; the destination itself where it is on-link. As after DNAT. */
  readonly nextHop: Uint32Array;
  /** As routing saw it. */
  readonly fwmark: Uint32Array;
  readonly connmark: Uint32Array;
  /** 1 where the packet belongs to a connection entry whose mark is known, so that `connmark` holds. */
  readonly hasConnmark: Uint8Array;
  /** Number of the table that decided, −1 where none did. */
  readonly table: Int32Array;
  /** A {@link ConntrackView} number, as in mangle PREROUTING. */
  readonly conntrack: Uint8Array;
  /** Bits of {@link DecisionFlag}. */
  readonly flags: Uint8Array;
  /** 1 where the packet is of the reply direction of its entry. */
  readonly isReply: Uint8Array;
  /** The packet's IPv4 addresses and ports as it leaves, after every translation; as it came in where nothing translates it. */
  readonly leavingSource: Uint32Array;
  readonly leavingDestination: Uint32Array;
  readonly leavingSourcePort: Uint16Array;
  readonly leavingDestinationPort: Uint16Array;
  /** Index into the forwarder's `unknowns` list (what made it undetermined), −1 where determined. */
  readonly unknown: Int32Array;
  /** Identifies the configuration statement that decided (rule, route, policy rule, sysctl) by an index into the forwarder's `causes`; −1 none. */
  readonly cause: Int32Array;
  /**
   * Where the decision is the same as the last one with this record and this stamp, and about a packet of the same addresses and ports: the
   * record, a small number; −1 otherwise.
   */
  readonly record: Int32Array;
  /** Above 0. */
  readonly recordStamp: Int32Array;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.disposition = new Uint8Array(capacity);
    this.egress = new Int16Array(capacity);
    this.nextHop = new Uint32Array(4 * capacity);
    this.fwmark = new Uint32Array(capacity);
    this.connmark = new Uint32Array(capacity);
    this.hasConnmark = new Uint8Array(capacity);
    this.table = new Int32Array(capacity);
    this.conntrack = new Uint8Array(capacity);
    this.flags = new Uint8Array(capacity);
    this.isReply = new Uint8Array(capacity);
    this.leavingSource = new Uint32Array(capacity);
    this.leavingDestination = new Uint32Array(capacity);
    this.leavingSourcePort = new Uint16Array(capacity);
    this.leavingDestinationPort = new Uint16Array(capacity);
    this.unknown = new Int32Array(capacity);
    this.cause = new Int32Array(capacity);
    this.record = new Int32Array(capacity).fill(-1);
    this.recordStamp = new Int32Array(capacity);
  }
}

/** Bits of {@link DecisionBatch.flags}. */
export const DecisionFlag = {
  /** The router would send an ICMP redirect to the source. */
  icmpRedirect: 1,
  /** Source address or port are translated on the way out. */
  sourceTranslated: 2,
  /** Destination address or port were translated on the way in. */
  destinationTranslated: 4,
  /** The drop was a REJECT: the source gets an answer. */
  rejected: 8,
  /** The mark that routing saw is not known; `fwmark` is one that it may have been. */
  markUnknown: 16,
  /** The packet's connection is older than the capture, and its entry is known from a dump. */
  dumpedEntry: 32,
  /** The router knows no marks: `fwmark` and `connmark` say nothing. */
  noMarks: 64,
  /** A fragment that waits for the rest of its datagram: its decision comes with the last piece (see Forwarder.settled). */
  held: 128,
} as const;
