/** From so many rows on, copying and clearing go column by column, below row by row: each is the cheaper one there. */
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
  /** ICMP error whose quoted packet's addresses (and, where long enough, ports) were decoded. */
  quoted: 2048,
  /** IPv4 options or IPv6 extension headers are there. */
  options: 4096,
  /** A strict or loose source route option. */
  sourceRoute: 8192,
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

  constructor(capacity: number) {
    this.capacity = capacity;
    this.file = new Uint16Array(capacity);
    this.frameNumber = new Uint32Array(capacity);
    this.captureInterface = new Uint32Array(capacity);
    this.seconds = new Float64Array(capacity);
    this.nanoseconds = new Uint32Array(capacity);
    this.capturedLength = new Uint32Array(capacity);
    this.originalLength = new Uint32Array(capacity);
    this.direction = new Uint8Array(capacity);
    this.linkDestination = new Uint8Array(capacity);
    this.sourceMac = new Float64Array(capacity);
    this.destinationMac = new Float64Array(capacity);
    this.vlan = new Int16Array(capacity);
    this.innerVlan = new Int16Array(capacity);
    this.etherType = new Uint16Array(capacity);
    this.status = new Uint16Array(capacity);
    this.family = new Uint8Array(capacity);
    this.protocol = new Uint8Array(capacity);
    this.ttl = new Uint8Array(capacity);
    this.tos = new Uint8Array(capacity);
    this.identification = new Uint32Array(capacity);
    this.fragmentOffset = new Uint16Array(capacity);
    this.networkLength = new Uint32Array(capacity);
    this.source = new Uint32Array(4 * capacity);
    this.destination = new Uint32Array(4 * capacity);
    this.sourcePort = new Uint16Array(capacity);
    this.destinationPort = new Uint16Array(capacity);
    this.tcpFlags = new Uint8Array(capacity);
    this.tcpSequence = new Uint32Array(capacity);
    this.tcpAcknowledgement = new Uint32Array(capacity);
    this.tcpWindow = new Uint16Array(capacity);
    this.tcpWindowScale = new Int8Array(capacity);
    this.tcpSackPermitted = new Uint8Array(capacity);
    this.tcpSackRightEdge = new Uint32Array(capacity);
    this.payloadLength = new Uint32Array(capacity);
    this.transportChecksum = new Uint16Array(capacity);
    this.icmpType = new Uint8Array(capacity);
    this.icmpCode = new Uint8Array(capacity);
    this.icmpIdentifier = new Uint16Array(capacity);
    this.icmpSequence = new Uint16Array(capacity);
    this.icmpGateway = new Uint32Array(capacity);
    this.quotedProtocol = new Uint8Array(capacity);
    this.quotedSource = new Uint32Array(4 * capacity);
    this.quotedDestination = new Uint32Array(4 * capacity);
    this.quotedSourcePort = new Uint16Array(capacity);
    this.quotedDestinationPort = new Uint16Array(capacity);
    this.quotedIcmpType = new Uint8Array(capacity);
    this.arpOperation = new Uint16Array(capacity);
    this.arpSenderMac = new Float64Array(capacity);
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
    if (end - first < BLOCK_ROWS) {
      for (let row = first; row < end; row++) this.clearRow(row);
      return;
    }
    this.direction.fill(0, first, end);
    this.linkDestination.fill(0, first, end);
    this.sourceMac.fill(-1, first, end);
    this.destinationMac.fill(-1, first, end);
    this.vlan.fill(-1, first, end);
    this.innerVlan.fill(-1, first, end);
    this.etherType.fill(0, first, end);
    this.status.fill(0, first, end);
    this.family.fill(0, first, end);
    this.protocol.fill(0, first, end);
    this.ttl.fill(0, first, end);
    this.tos.fill(0, first, end);
    this.identification.fill(0, first, end);
    this.fragmentOffset.fill(0, first, end);
    this.networkLength.fill(0, first, end);
    this.source.fill(0, 4 * first, 4 * end);
    this.destination.fill(0, 4 * first, 4 * end);
    this.sourcePort.fill(0, first, end);
    this.destinationPort.fill(0, first, end);
    this.tcpFlags.fill(0, first, end);
    this.tcpSequence.fill(0, first, end);
    this.tcpAcknowledgement.fill(0, first, end);
    this.tcpWindow.fill(0, first, end);
    this.tcpWindowScale.fill(-1, first, end);
    this.tcpSackPermitted.fill(0, first, end);
    this.tcpSackRightEdge.fill(0, first, end);
    this.payloadLength.fill(0, first, end);
    this.transportChecksum.fill(0, first, end);
    this.icmpType.fill(0, first, end);
    this.icmpCode.fill(0, first, end);
    this.icmpIdentifier.fill(0, first, end);
    this.icmpSequence.fill(0, first, end);
    this.icmpGateway.fill(0, first, end);
    this.quotedProtocol.fill(0, first, end);
    this.quotedSource.fill(0, 4 * first, 4 * end);
    this.quotedDestination.fill(0, 4 * first, 4 * end);
    this.quotedSourcePort.fill(0, first, end);
    this.quotedDestinationPort.fill(0, first, end);
    this.quotedIcmpType.fill(0, first, end);
    this.arpOperation.fill(0, first, end);
    this.arpSenderMac.fill(-1, first, end);
  }

  /** Copies `count` rows of another batch, all columns, from its row `sourceRow` on, to this one's rows from `row` on. */
  copyRows(from: PacketBatch, sourceRow: number, row: number, count: number): void {
    if (count < BLOCK_ROWS) {
      for (let index = 0; index < count; index++) this.copyRow(from, sourceRow + index, row + index);
      return;
    }
    const sourceEnd = sourceRow + count;
    this.file.set(from.file.subarray(sourceRow, sourceEnd), row);
    this.frameNumber.set(from.frameNumber.subarray(sourceRow, sourceEnd), row);
    this.captureInterface.set(from.captureInterface.subarray(sourceRow, sourceEnd), row);
    this.seconds.set(from.seconds.subarray(sourceRow, sourceEnd), row);
    this.nanoseconds.set(from.nanoseconds.subarray(sourceRow, sourceEnd), row);
    this.capturedLength.set(from.capturedLength.subarray(sourceRow, sourceEnd), row);
    this.originalLength.set(from.originalLength.subarray(sourceRow, sourceEnd), row);
    this.direction.set(from.direction.subarray(sourceRow, sourceEnd), row);
    this.linkDestination.set(from.linkDestination.subarray(sourceRow, sourceEnd), row);
    this.sourceMac.set(from.sourceMac.subarray(sourceRow, sourceEnd), row);
    this.destinationMac.set(from.destinationMac.subarray(sourceRow, sourceEnd), row);
    this.vlan.set(from.vlan.subarray(sourceRow, sourceEnd), row);
    this.innerVlan.set(from.innerVlan.subarray(sourceRow, sourceEnd), row);
    this.etherType.set(from.etherType.subarray(sourceRow, sourceEnd), row);
    this.status.set(from.status.subarray(sourceRow, sourceEnd), row);
    this.family.set(from.family.subarray(sourceRow, sourceEnd), row);
    this.protocol.set(from.protocol.subarray(sourceRow, sourceEnd), row);
    this.ttl.set(from.ttl.subarray(sourceRow, sourceEnd), row);
    this.tos.set(from.tos.subarray(sourceRow, sourceEnd), row);
    this.identification.set(from.identification.subarray(sourceRow, sourceEnd), row);
    this.fragmentOffset.set(from.fragmentOffset.subarray(sourceRow, sourceEnd), row);
    this.networkLength.set(from.networkLength.subarray(sourceRow, sourceEnd), row);
    this.source.set(from.source.subarray(4 * sourceRow, 4 * sourceEnd), 4 * row);
    this.destination.set(from.destination.subarray(4 * sourceRow, 4 * sourceEnd), 4 * row);
    this.sourcePort.set(from.sourcePort.subarray(sourceRow, sourceEnd), row);
    this.destinationPort.set(from.destinationPort.subarray(sourceRow, sourceEnd), row);
    this.tcpFlags.set(from.tcpFlags.subarray(sourceRow, sourceEnd), row);
    this.tcpSequence.set(from.tcpSequence.subarray(sourceRow, sourceEnd), row);
    this.tcpAcknowledgement.set(from.tcpAcknowledgement.subarray(sourceRow, sourceEnd), row);
    this.tcpWindow.set(from.tcpWindow.subarray(sourceRow, sourceEnd), row);
    this.tcpWindowScale.set(from.tcpWindowScale.subarray(sourceRow, sourceEnd), row);
    this.tcpSackPermitted.set(from.tcpSackPermitted.subarray(sourceRow, sourceEnd), row);
    this.tcpSackRightEdge.set(from.tcpSackRightEdge.subarray(sourceRow, sourceEnd), row);
    this.payloadLength.set(from.payloadLength.subarray(sourceRow, sourceEnd), row);
    this.transportChecksum.set(from.transportChecksum.subarray(sourceRow, sourceEnd), row);
    this.icmpType.set(from.icmpType.subarray(sourceRow, sourceEnd), row);
    this.icmpCode.set(from.icmpCode.subarray(sourceRow, sourceEnd), row);
    this.icmpIdentifier.set(from.icmpIdentifier.subarray(sourceRow, sourceEnd), row);
    this.icmpSequence.set(from.icmpSequence.subarray(sourceRow, sourceEnd), row);
    this.icmpGateway.set(from.icmpGateway.subarray(sourceRow, sourceEnd), row);
    this.quotedProtocol.set(from.quotedProtocol.subarray(sourceRow, sourceEnd), row);
    this.quotedSource.set(from.quotedSource.subarray(4 * sourceRow, 4 * sourceEnd), 4 * row);
    this.quotedDestination.set(from.quotedDestination.subarray(4 * sourceRow, 4 * sourceEnd), 4 * row);
    this.quotedSourcePort.set(from.quotedSourcePort.subarray(sourceRow, sourceEnd), row);
    this.quotedDestinationPort.set(from.quotedDestinationPort.subarray(sourceRow, sourceEnd), row);
    this.quotedIcmpType.set(from.quotedIcmpType.subarray(sourceRow, sourceEnd), row);
    this.arpOperation.set(from.arpOperation.subarray(sourceRow, sourceEnd), row);
    this.arpSenderMac.set(from.arpSenderMac.subarray(sourceRow, sourceEnd), row);
  }

  private copyRow(from: PacketBatch, sourceRow: number, row: number): void {
    this.file[row] = from.file[sourceRow]!;
    this.frameNumber[row] = from.frameNumber[sourceRow]!;
    this.captureInterface[row] = from.captureInterface[sourceRow]!;
    this.seconds[row] = from.seconds[sourceRow]!;
    this.nanoseconds[row] = from.nanoseconds[sourceRow]!;
    this.capturedLength[row] = from.capturedLength[sourceRow]!;
    this.originalLength[row] = from.originalLength[sourceRow]!;
    this.direction[row] = from.direction[sourceRow]!;
    this.linkDestination[row] = from.linkDestination[sourceRow]!;
    this.sourceMac[row] = from.sourceMac[sourceRow]!;
    this.destinationMac[row] = from.destinationMac[sourceRow]!;
    this.vlan[row] = from.vlan[sourceRow]!;
    this.innerVlan[row] = from.innerVlan[sourceRow]!;
    this.etherType[row] = from.etherType[sourceRow]!;
    this.status[row] = from.status[sourceRow]!;
    this.family[row] = from.family[sourceRow]!;
    this.protocol[row] = from.protocol[sourceRow]!;
    this.ttl[row] = from.ttl[sourceRow]!;
    this.tos[row] = from.tos[sourceRow]!;
    this.identification[row] = from.identification[sourceRow]!;
    this.fragmentOffset[row] = from.fragmentOffset[sourceRow]!;
    this.networkLength[row] = from.networkLength[sourceRow]!;
    this.sourcePort[row] = from.sourcePort[sourceRow]!;
    this.destinationPort[row] = from.destinationPort[sourceRow]!;
    this.tcpFlags[row] = from.tcpFlags[sourceRow]!;
    this.tcpSequence[row] = from.tcpSequence[sourceRow]!;
    this.tcpAcknowledgement[row] = from.tcpAcknowledgement[sourceRow]!;
    this.tcpWindow[row] = from.tcpWindow[sourceRow]!;
    this.tcpWindowScale[row] = from.tcpWindowScale[sourceRow]!;
    this.tcpSackPermitted[row] = from.tcpSackPermitted[sourceRow]!;
    this.tcpSackRightEdge[row] = from.tcpSackRightEdge[sourceRow]!;
    this.payloadLength[row] = from.payloadLength[sourceRow]!;
    this.transportChecksum[row] = from.transportChecksum[sourceRow]!;
    this.icmpType[row] = from.icmpType[sourceRow]!;
    this.icmpCode[row] = from.icmpCode[sourceRow]!;
    this.icmpIdentifier[row] = from.icmpIdentifier[sourceRow]!;
    this.icmpSequence[row] = from.icmpSequence[sourceRow]!;
    this.icmpGateway[row] = from.icmpGateway[sourceRow]!;
    this.quotedProtocol[row] = from.quotedProtocol[sourceRow]!;
    this.quotedSourcePort[row] = from.quotedSourcePort[sourceRow]!;
    this.quotedDestinationPort[row] = from.quotedDestinationPort[sourceRow]!;
    this.quotedIcmpType[row] = from.quotedIcmpType[sourceRow]!;
    this.arpOperation[row] = from.arpOperation[sourceRow]!;
    this.arpSenderMac[row] = from.arpSenderMac[sourceRow]!;
    for (let word = 0; word < 4; word++) {
      const at = 4 * row + word;
      const sourceAt = 4 * sourceRow + word;
      this.source[at] = from.source[sourceAt]!;
      this.destination[at] = from.destination[sourceAt]!;
      this.quotedSource[at] = from.quotedSource[sourceAt]!;
      this.quotedDestination[at] = from.quotedDestination[sourceAt]!;
    }
  }
}
