import type { IpAddress } from '../net/ip-address.ts';
import type { Span } from '../text/span.ts';

/** One direction's addresses and ports; for ICMP queries the identifier is in both ports. */
export interface ConnectionTuple {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly icmpType?: number;
  readonly icmpCode?: number;
}

/** A connection entry as `conntrack -L` or /proc/net/nf_conntrack prints it. */
export interface DumpedConnection {
  readonly protocol: number;
  /** Seconds that were left; absent for offloaded entries. */
  readonly timeout?: number;
  /** TCP's, e.g. `ESTABLISHED`. */
  readonly state?: string;
  readonly original: ConnectionTuple;
  readonly reply: ConnectionTuple;
  /** No `[UNREPLIED]`. */
  readonly seenReply: boolean;
  readonly assured: boolean;
  /** Absent where none is printed. */
  readonly mark?: number;
  readonly zoneOriginal: number;
  readonly zoneReply: number;
  readonly helper?: string;
  readonly origin: Span;
}
