import { readUint16, readUint32, readUint48 } from './bytes.ts';
import { type PacketBatch, Status } from './packet-batch.ts';
import { markShort } from './short-header.ts';

const HARDWARE_TYPE = 0;
const PROTOCOL_TYPE = 2;
const HARDWARE_LENGTH = 4;
const PROTOCOL_LENGTH = 5;
const OPERATION = 6;
const SENDER_MAC = 8;
const SENDER_ADDRESS = 14;
const TARGET_ADDRESS = 24;
const MESSAGE_LENGTH = 28;

const ETHERNET = 1;
/** Linux takes it on Ethernet as well. Ref: net/ipv4/arp.c: arp_process() */
const IEEE_802 = 6;
const IPV4 = 0x0800;

/** Decodes ARP for IPv4 over Ethernet; other hardware and protocols are left alone. Ref: RFC 826 */
export function decodeArp(
  bytes: Uint8Array,
  at: number,
  end: number,
  wireEnd: number,
  batch: PacketBatch,
  row: number,
): void {
  if (end - at < MESSAGE_LENGTH) {
    markShort(at, MESSAGE_LENGTH, wireEnd, batch, row);
    return;
  }
  const hardware = readUint16(bytes, at + HARDWARE_TYPE);
  if (hardware !== ETHERNET && hardware !== IEEE_802) return;
  if (readUint16(bytes, at + PROTOCOL_TYPE) !== IPV4) return;
  if (bytes[at + HARDWARE_LENGTH] !== 6 || bytes[at + PROTOCOL_LENGTH] !== 4) {
    batch.status[row]! |= Status.malformed;
    return;
  }
  batch.status[row]! |= Status.arp;
  batch.arpOperation[row] = readUint16(bytes, at + OPERATION);
  batch.arpSenderMac[row] = readUint48(bytes, at + SENDER_MAC);
  batch.source[4 * row] = readUint32(bytes, at + SENDER_ADDRESS);
  batch.destination[4 * row] = readUint32(bytes, at + TARGET_ADDRESS);
}
