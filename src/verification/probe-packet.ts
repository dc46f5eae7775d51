import type { IpAddress } from '../net/ip-address.ts';
import { IpProtocol } from '../net/ip-protocol.ts';
import { LinkDestination, PacketBatch, Status } from '../wire/packet-batch.ts';

/** TCP flag bits. */
export const Flag = { fin: 1, syn: 2, reset: 4, push: 8, ack: 16 } as const;

/** A packet to make. Times are nanoseconds since 1970. */
export interface PacketSpec {
  readonly protocol: number;
  readonly source: IpAddress;
  readonly sourcePort: number;
  readonly destination: IpAddress;
  readonly destinationPort: number;
  readonly sourceMac: number;
  readonly ttl: number;
  readonly time: number;
  readonly flags?: number;
  readonly sequence?: number;
  readonly acknowledgement?: number;
  readonly payloadLength?: number;
}

/** Makes a packet in row 0 of a batch, a new one where none is given. */
export function makePacket(spec: PacketSpec, batch: PacketBatch = new PacketBatch(1)): PacketBatch {
  batch.length = 1;
  batch.clearRow(0);
  const tcp = spec.protocol === IpProtocol.tcp;
  const payload = spec.payloadLength ?? 0;
  batch.seconds[0] = Math.floor(spec.time / 1e9);
  batch.nanoseconds[0] = spec.time - batch.seconds[0]! * 1e9;
  batch.linkDestination[0] = LinkDestination.host;
  batch.sourceMac[0] = spec.sourceMac;
  batch.etherType[0] = spec.source.family === 4 ? 0x0800 : 0x86dd;
  batch.status[0] = Status.ip | Status.transport | Status.dontFragment;
  batch.family[0] = spec.source.family;
  batch.protocol[0] = spec.protocol;
  batch.ttl[0] = spec.ttl;
  batch.networkLength[0] = (spec.source.family === 4 ? 20 : 40) + (tcp ? 20 : 8) + payload;
  batch.source.set(spec.source.words);
  batch.destination.set(spec.destination.words);
  batch.sourcePort[0] = spec.sourcePort;
  batch.destinationPort[0] = spec.destinationPort;
  batch.payloadLength[0] = payload;
  if (tcp) {
    batch.tcpFlags[0] = spec.flags ?? 0;
    batch.tcpSequence[0] = spec.sequence ?? 0;
    batch.tcpAcknowledgement[0] = spec.acknowledgement ?? 0;
    batch.tcpSackRightEdge[0] = spec.acknowledgement ?? 0;
    batch.tcpWindow[0] = 64240;
  }
  batch.capturedLength[0] = batch.networkLength[0]! + 14;
  batch.originalLength[0] = batch.networkLength[0]! + 14;
  return batch;
}
