import { ColumnSet } from './column-set.ts';

/** From so many rows on, clearing goes column by column, below row by row: each is the cheaper one there. */
const BLOCK_ROWS = 96;

/** Bits of {@link PacketBatch.status}. */
export const Status = {
  /** An IP header was decoded: the network columns hold. */
  ip: 1,
  /** The transport header (ports, or ICMP type) was decoded. Not set on later fragments. */
  transport: 2,
  /** ARP: the arp columns hold. */
  arp: 4,
  /** The snap length cut a header that a decision may need (RV105). */
  cut: 8,
  /** A header lies about its length, a version is impossible, and the like (RV201). */
  malformed: 16,
  /** The link type is not decoded (RV106). */
  unsupportedLink: 32,
  /** The IP header checksum is wrong. Set only where the batch was decoded with checksum verification. */
  badNetworkChecksum: 64,
  /** The TCP, UDP or ICMP checksum is wrong; never for a segment cut by the snap length or an unfinished (offloaded) checksum. */
  badTransportChecksum: 128,
  /** A fragment: offset ≠ 0 or more fragments follow. */
  fragment: 256,
  moreFragments: 512,
  dontFragment: 1024,
  /** ICMP error whose quoted packet's addresses were decoded. */
  quoted: 2048,
  /** IPv4 options or IPv6 extension headers are there. */
  options: 4096,
  /**
   * A strict or loose source route option. Beside {@link badOptions}: an option that a router refuses or not by settings of its own
   * (CIPSO labels).
   */
  sourceRoute: 8192,
  /** The quoted packet's whole tuple was decoded: ports or ICMP identifier too, unless its protocol has none. Never of a later fragment.
   * Malformed beside it: less of the transport header is quoted than the eight bytes that RFC 792 asks for. */
  quotedTuple: 16384,
  /** An IPv4 option lies about its length or points out of itself, or stands there twice: Linux refuses the packet (RV201). */
  badOptions: 32768,
} as const;

/** {@link PacketBatch.direction}: what the capture itself says. */
export const Direction = { unknown: 0, inbound: 1, outbound: 2 } as const;

/** {@link PacketBatch.linkDestination}: to whom the frame was sent, by the capture's packet type or by its destination MAC. */
export const LinkDestination = { unknown: 0, host: 1, broadcast: 2, multicast: 3, otherHost: 4 } as const;

/**
 * A fixed number of decoded frames, one typed array per field, reused for the whole run: whoever fills it next overwrites all rows.
 * Rows are 0 … length−1 in time order. Fields that a frame does not have hold 0 unless said otherwise; {@link Status} says which hold.
 */
export class PacketBatch {
  readonly capacity: number;
  private readonly columns: ColumnSet;
  length = 0;

  /** Index of the capture file, in command line order. */
  readonly file: Uint16Array;
  /** Number of the frame in its file, from 1, as Wireshark counts. */
  readonly frameNumber: Uint32Array;
  /** Index into the capture set's interfaces. */
  readonly captureInterface: Uint32Array;
  /** Seconds since 1970 and the nanoseconds within the second. */
  readonly seconds: Float64Array;
  readonly nanoseconds: Uint32Array;
  /** Bytes, link header included. */
  readonly capturedLength: Uint32Array;
  readonly originalLength: Uint32Array;

  readonly direction: Uint8Array;
  readonly linkDestination: Uint8Array;
  /** 48-bit numbers, −1 where the capture has none (raw IP; cooked captures have no destination). */
  readonly sourceMac: Float64Array;
  readonly destinationMac: Float64Array;
  /** Outermost VLAN id, −1 untagged. 0 is a priority tag, which leaves the frame on the device itself. */
  readonly vlan: Int16Array;
  readonly innerVlan: Int16Array;
  /**
   * After the VLAN tags; 0 where the link has none (802.3 with a length field). A PPPoE session keeps 0x8864 although its IP packet is
   * decoded: that packet belongs to the PPP device, not to the one that the frame was captured on.
   */
  readonly etherType: Uint16Array;

  readonly status: Uint16Array;
  /** 4, 6, or 0 where no IP header was decoded. */
  readonly family: Uint8Array;
  /** Of the IP header; for IPv6 after the extension headers. */
  readonly protocol: Uint8Array;
  readonly ttl: Uint8Array;
  /** TOS or traffic class byte. */
  readonly tos: Uint8Array;
  readonly identification: Uint32Array;
  /** Bytes. */
  readonly fragmentOffset: Uint16Array;
  /** IP packet length in bytes, header included, as the header says; for a length of 0 (offloaded super-frames) what the frame held. */
  readonly networkLength: Uint32Array;
  /** Four words a row, `source[4 * row]` first; IPv4 uses the first. For ARP the sender's protocol address. */
  readonly source: Uint32Array;
  /** For ARP the target's protocol address. */
  readonly destination: Uint32Array;

  readonly sourcePort: Uint16Array;
  readonly destinationPort: Uint16Array;
  /** CWR ECE URG ACK PSH RST SYN FIN = 0x80 … 0x01. */
  readonly tcpFlags: Uint8Array;
  readonly tcpSequence: Uint32Array;
  readonly tcpAcknowledgement: Uint32Array;
  readonly tcpWindow: Uint16Array;
  /** Shift count of the window scale option, −1 where absent. */
  readonly tcpWindowScale: Int8Array;
  /** 1 where the SACK-permitted option is there. */
  readonly tcpSackPermitted: Uint8Array;
  /** Right edge of the highest SACK block; equals the acknowledgement number where there is none. */
  readonly tcpSackRightEdge: Uint32Array;
  /** Bytes after the transport header, by the IP length (not by what was captured). */
  readonly payloadLength: Uint32Array;
  /** Checksum field of TCP, UDP or ICMP as captured. */
  readonly transportChecksum: Uint16Array;
  /** Length field of UDP. */
  readonly udpLength: Uint16Array;
  /** IPv4 fragments: bytes behind the IP header. */
  readonly fragmentLength: Uint16Array;
  /** IPv4 fragments: 0x10000 plus the ones' complement sum of what they carry; 0 where it was not captured whole. */
  readonly fragmentSum: Uint32Array;

  readonly icmpType: Uint8Array;
  readonly icmpCode: Uint8Array;
  /** Echo and the like. */
  readonly icmpIdentifier: Uint16Array;
  readonly icmpSequence: Uint16Array;
  /** Redirects: the gateway they name; needs Status.transport. */
  readonly icmpGateway: Uint32Array;

  readonly quotedProtocol: Uint8Array;
  readonly quotedSource: Uint32Array;
  readonly quotedDestination: Uint32Array;
  /** For quoted ICMP: the identifier in both. */
  readonly quotedSourcePort: Uint16Array;
  readonly quotedDestinationPort: Uint16Array;
  readonly quotedIcmpType: Uint8Array;

  /** 1 request, 2 reply. */
  readonly arpOperation: Uint16Array;
  readonly arpSenderMac: Float64Array;

  /** `between`: as of {@link ColumnSet}. */
  constructor(capacity: number, between?: 'threads' | readonly SharedArrayBuffer[]) {
    this.capacity = capacity;
    const columns = new ColumnSet(capacity, between);
    this.columns = columns;
    this.file = columns.uint16(undefined);
    this.frameNumber = columns.uint32(undefined);
    this.captureInterface = columns.uint32(undefined);
    this.seconds = columns.float64(undefined);
    this.nanoseconds = columns.uint32(undefined);
    this.capturedLength = columns.uint32(undefined);
    this.originalLength = columns.uint32(undefined);
    this.direction = columns.uint8(0);
    this.linkDestination = columns.uint8(0);
    this.sourceMac = columns.float64(-1);
    this.destinationMac = columns.float64(-1);
    this.vlan = columns.int16(-1);
    this.innerVlan = columns.int16(-1);
    this.etherType = columns.uint16(0);
    this.status = columns.uint16(0);
    this.family = columns.uint8(0);
    this.protocol = columns.uint8(0);
    this.ttl = columns.uint8(0);
    this.tos = columns.uint8(0);
    this.identification = columns.uint32(0);
    this.fragmentOffset = columns.uint16(0);
    this.networkLength = columns.uint32(0);
    this.source = columns.address(0);
    this.destination = columns.address(0);
    this.sourcePort = columns.uint16(0);
    this.destinationPort = columns.uint16(0);
    this.tcpFlags = columns.uint8(0);
    this.tcpSequence = columns.uint32(0);
    this.tcpAcknowledgement = columns.uint32(0);
    this.tcpWindow = columns.uint16(0);
    this.tcpWindowScale = columns.int8(-1);
    this.tcpSackPermitted = columns.uint8(0);
    this.tcpSackRightEdge = columns.uint32(0);
    this.payloadLength = columns.uint32(0);
    this.transportChecksum = columns.uint16(0);
    this.udpLength = columns.uint16(0);
    this.fragmentLength = columns.uint16(0);
    this.fragmentSum = columns.uint32(0);
    this.icmpType = columns.uint8(0);
    this.icmpCode = columns.uint8(0);
    this.icmpIdentifier = columns.uint16(0);
    this.icmpSequence = columns.uint16(0);
    this.icmpGateway = columns.uint32(0);
    this.quotedProtocol = columns.uint8(0);
    this.quotedSource = columns.address(0);
    this.quotedDestination = columns.address(0);
    this.quotedSourcePort = columns.uint16(0);
    this.quotedDestinationPort = columns.uint16(0);
    this.quotedIcmpType = columns.uint8(0);
    this.arpOperation = columns.uint16(0);
    this.arpSenderMac = columns.float64(-1);
  }

  /** Memory that another thread makes the same batch of; empty unless it was made for that. */
  get sharedMemory(): readonly SharedArrayBuffer[] {
    return this.columns.sharedMemory;
  }

  /** Sets every decoded column of a row to "not there"; the provenance columns are left alone. */
  clearRow(row: number): void {
    this.direction[row] = 0;
    this.linkDestination[row] = 0;
    this.sourceMac[row] = -1;
    this.destinationMac[row] = -1;
    this.vlan[row] = -1;
    this.innerVlan[row] = -1;
    this.etherType[row] = 0;
    this.status[row] = 0;
    this.family[row] = 0;
    this.protocol[row] = 0;
    this.ttl[row] = 0;
    this.tos[row] = 0;
    this.identification[row] = 0;
    this.fragmentOffset[row] = 0;
    this.networkLength[row] = 0;
    this.source[4 * row] = 0;
    this.source[4 * row + 1] = 0;
    this.source[4 * row + 2] = 0;
    this.source[4 * row + 3] = 0;
    this.destination[4 * row] = 0;
    this.destination[4 * row + 1] = 0;
    this.destination[4 * row + 2] = 0;
    this.destination[4 * row + 3] = 0;
    this.sourcePort[row] = 0;
    this.destinationPort[row] = 0;
    this.tcpFlags[row] = 0;
    this.tcpSequence[row] = 0;
    this.tcpAcknowledgement[row] = 0;
    this.tcpWindow[row] = 0;
    this.tcpWindowScale[row] = -1;
    this.tcpSackPermitted[row] = 0;
    this.tcpSackRightEdge[row] = 0;
    this.payloadLength[row] = 0;
    this.transportChecksum[row] = 0;
    this.udpLength[row] = 0;
    this.fragmentLength[row] = 0;
    this.fragmentSum[row] = 0;
    this.icmpType[row] = 0;
    this.icmpCode[row] = 0;
    this.icmpIdentifier[row] = 0;
    this.icmpSequence[row] = 0;
    this.icmpGateway[row] = 0;
    this.quotedProtocol[row] = 0;
    this.quotedSource[4 * row] = 0;
    this.quotedSource[4 * row + 1] = 0;
    this.quotedSource[4 * row + 2] = 0;
    this.quotedSource[4 * row + 3] = 0;
    this.quotedDestination[4 * row] = 0;
    this.quotedDestination[4 * row + 1] = 0;
    this.quotedDestination[4 * row + 2] = 0;
    this.quotedDestination[4 * row + 3] = 0;
    this.quotedSourcePort[row] = 0;
    this.quotedDestinationPort[row] = 0;
    this.quotedIcmpType[row] = 0;
    this.arpOperation[row] = 0;
    this.arpSenderMac[row] = -1;
  }

  /** {@link clearRow} for the rows from `first` up to but not including `end`. */
  clearRows(first: number, end: number): void {
    if (end - first >= BLOCK_ROWS) this.columns.clear(first, end);
    else for (let row = first; row < end; row++) this.clearRow(row);
  }

  /** Copies `count` rows of another batch, all columns, from its row `sourceRow` on, to this one's rows from `row` on. */
  copyRows(from: PacketBatch, sourceRow: number, row: number, count: number): void {
    this.columns.copy(from.columns, sourceRow, row, count);
  }

  /** Copies the `count` rows of another batch that `rows` lists from its place `first` on, all columns, to this one's rows from `row` on. */
  gatherRows(from: PacketBatch, rows: Uint32Array, first: number, row: number, count: number): void {
    this.columns.gather(from.columns, rows, first, count, row);
  }
}
