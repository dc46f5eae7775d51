import { parseIpAddress } from '../../src/net/ip-address.ts';
import { PacketBatch, Status } from '../../src/wire/packet-batch.ts';

/** What a row of a batch is to hold; the rest is as of a plain TCP segment of the seed's client. */
export interface RowParts {
  readonly source?: string;
  readonly destination?: string;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly protocol?: number;
  readonly flags?: number;
  readonly sequence?: number;
  readonly acknowledgement?: number;
  readonly payload?: number;
  readonly ttl?: number;
  readonly identification?: number;
  readonly fragmentOffset?: number;
  readonly seconds?: number;
  readonly nanoseconds?: number;
  readonly frame?: number;
  readonly captureInterface?: number;
  readonly direction?: number;
  readonly linkDestination?: number;
  readonly sourceMac?: number;
  readonly destinationMac?: number;
  readonly vlan?: number;
}

/** A batch with rows as told. */
export function rows(...list: readonly RowParts[]): PacketBatch {
  const batch = new PacketBatch(Math.max(list.length, 1));
  batch.length = list.length;
  for (const [row, parts] of list.entries()) fillRow(batch, row, parts);
  return batch;
}

function fillRow(batch: PacketBatch, row: number, parts: RowParts): void {
  batch.clearRow(row);
  const source = parseIpAddress(parts.source ?? '192.168.0.10')!;
  const destination = parseIpAddress(parts.destination ?? '10.0.0.10')!;
  batch.file[row] = 0;
  batch.frameNumber[row] = parts.frame ?? row + 1;
  batch.captureInterface[row] = parts.captureInterface ?? 0;
  batch.seconds[row] = parts.seconds ?? 1_700_000_000;
  batch.nanoseconds[row] = parts.nanoseconds ?? 0;
  batch.direction[row] = parts.direction ?? 0;
  batch.linkDestination[row] = parts.linkDestination ?? 0;
  batch.sourceMac[row] = parts.sourceMac ?? -1;
  batch.destinationMac[row] = parts.destinationMac ?? -1;
  batch.vlan[row] = parts.vlan ?? -1;
  batch.status[row] = Status.ip | (parts.fragmentOffset === undefined ? Status.transport : Status.fragment);
  batch.family[row] = source.family;
  batch.protocol[row] = parts.protocol ?? 6;
  batch.ttl[row] = parts.ttl ?? 64;
  batch.identification[row] = parts.identification ?? 1;
  batch.fragmentOffset[row] = parts.fragmentOffset ?? 0;
  batch.networkLength[row] = 40 + (parts.payload ?? 0);
  batch.source.set(source.words, 4 * row);
  batch.destination.set(destination.words, 4 * row);
  batch.sourcePort[row] = parts.sourcePort ?? 40_000;
  batch.destinationPort[row] = parts.destinationPort ?? 3389;
  batch.tcpFlags[row] = parts.flags ?? 0x10;
  batch.tcpSequence[row] = parts.sequence ?? 1000;
  batch.tcpAcknowledgement[row] = parts.acknowledgement ?? 0;
  batch.payloadLength[row] = parts.payload ?? 0;
}
