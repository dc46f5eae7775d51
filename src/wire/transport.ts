import { IpProtocol } from '../net/ip-protocol.ts';
import { readUint16 } from './bytes.ts';
import { decodeIcmp } from './icmp.ts';
import { decodeIcmpv6 } from './icmpv6.ts';
import { type PacketBatch, Status } from './packet-batch.ts';
import { markShort } from './short-header.ts';
import { decodeTcp } from './tcp.ts';
import { decodeUdp } from './udp.ts';

/** SCTP, DCCP and UDP-Lite begin with the ports too. */
const SOURCE_PORT = 0;
const DESTINATION_PORT = 2;
const SCTP_HEADER_LENGTH = 12;
const DCCP_HEADER_LENGTH = 12;
const UDP_LITE_HEADER_LENGTH = 8;

/**
 * Decodes the transport header of a packet or of its first fragment. `packetEnd` is where the IP length says that the packet ends, `end`
 * where the captured part of it does. Protocols without a decoder are left alone.
 */
export function decodeTransport(
  bytes: Uint8Array,
  at: number,
  end: number,
  packetEnd: number,
  protocol: number,
  batch: PacketBatch,
  row: number,
  verifyChecksums: boolean,
): void {
  switch (protocol) {
    case IpProtocol.tcp:
      decodeTcp(bytes, at, end, packetEnd, batch, row, verifyChecksums);
      break;
    case IpProtocol.udp:
      decodeUdp(bytes, at, end, packetEnd, batch, row, verifyChecksums);
      break;
    case IpProtocol.icmp:
      // In the other family the number has no meaning: the kernel's handlers are registered by family.
      if (batch.family[row] === 4) decodeIcmp(bytes, at, end, packetEnd, batch, row, verifyChecksums);
      break;
    case IpProtocol.icmpv6:
      if (batch.family[row] === 6) decodeIcmpv6(bytes, at, end, packetEnd, batch, row, verifyChecksums);
      break;
    case IpProtocol.sctp:
      decodePorts(bytes, at, end, packetEnd, SCTP_HEADER_LENGTH, batch, row);
      break;
    case IpProtocol.dccp:
      decodePorts(bytes, at, end, packetEnd, DCCP_HEADER_LENGTH, batch, row);
      break;
    case IpProtocol.udplite:
      decodePorts(bytes, at, end, packetEnd, UDP_LITE_HEADER_LENGTH, batch, row);
      break;
  }
}

/** Decodes the ports of a transport header whose other fields nothing needs. */
function decodePorts(
  bytes: Uint8Array,
  at: number,
  end: number,
  packetEnd: number,
  headerLength: number,
  batch: PacketBatch,
  row: number,
): void {
  if (end - at < headerLength) {
    markShort(at, headerLength, packetEnd, batch, row);
    return;
  }
  batch.status[row]! |= Status.transport;
  batch.sourcePort[row] = readUint16(bytes, at + SOURCE_PORT);
  batch.destinationPort[row] = readUint16(bytes, at + DESTINATION_PORT);
  batch.payloadLength[row] = packetEnd - at - headerLength;
}
