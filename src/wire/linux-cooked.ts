import { readUint16, readUint32, readUint48 } from './bytes.ts';
import { decodeEtherType } from './ether-type.ts';
import { markShort } from './short-header.ts';
import { Direction, LinkDestination, type PacketBatch } from './packet-batch.ts';

/** Version 1. Ref: tcpdump.org, LINKTYPE_LINUX_SLL */
const V1_PACKET_TYPE = 0;
const V1_HARDWARE_TYPE = 2;
const V1_ADDRESS_LENGTH = 4;
const V1_ADDRESS = 6;
const V1_PROTOCOL = 14;
const V1_LENGTH = 16;

/** Version 2. Ref: tcpdump.org, LINKTYPE_LINUX_SLL2 */
const V2_PROTOCOL = 0;
const V2_INTERFACE_INDEX = 4;
const V2_HARDWARE_TYPE = 8;
const V2_PACKET_TYPE = 10;
const V2_ADDRESS_LENGTH = 11;
const V2_ADDRESS = 12;
const V2_LENGTH = 20;

/** Devices whose protocol field is no EtherType. Ref: linux/if_arp.h */
const ARPHRD_NETLINK = 824;
const ARPHRD_FRAD = 770;

const MAC_LENGTH = 6;

/** Decodes a frame of a cooked capture (`tcpdump -i any` of old). It has no destination MAC and does not name the interface. */
export function decodeLinuxCooked(
  bytes: Uint8Array,
  at: number,
  end: number,
  wireEnd: number,
  batch: PacketBatch,
  row: number,
  verifyChecksums: boolean,
): void {
  if (end - at < V1_LENGTH) {
    markShort(at, V1_LENGTH, wireEnd, batch, row);
    return;
  }
  decodePacketType(readUint16(bytes, at + V1_PACKET_TYPE), batch, row);
  if (readUint16(bytes, at + V1_ADDRESS_LENGTH) === MAC_LENGTH) {
    batch.sourceMac[row] = readUint48(bytes, at + V1_ADDRESS);
  }
  if (hasNoEtherType(readUint16(bytes, at + V1_HARDWARE_TYPE))) return;
  const protocol = readUint16(bytes, at + V1_PROTOCOL);
  decodeEtherType(bytes, at + V1_LENGTH, end, wireEnd, protocol, batch, row, verifyChecksums);
}

/** Decodes a frame of a cooked capture, version 2. Its interface index is read by {@link cookedInterfaceIndex}. */
export function decodeLinuxCookedV2(
  bytes: Uint8Array,
  at: number,
  end: number,
  wireEnd: number,
  batch: PacketBatch,
  row: number,
  verifyChecksums: boolean,
): void {
  if (end - at < V2_LENGTH) {
    markShort(at, V2_LENGTH, wireEnd, batch, row);
    return;
  }
  decodePacketType(bytes[at + V2_PACKET_TYPE]!, batch, row);
  if (bytes[at + V2_ADDRESS_LENGTH] === MAC_LENGTH) batch.sourceMac[row] = readUint48(bytes, at + V2_ADDRESS);
  if (hasNoEtherType(readUint16(bytes, at + V2_HARDWARE_TYPE))) return;
  const protocol = readUint16(bytes, at + V2_PROTOCOL);
  decodeEtherType(bytes, at + V2_LENGTH, end, wireEnd, protocol, batch, row, verifyChecksums);
}

/** The kernel's index of the interface that a cooked v2 frame was captured on; −1 where the frame is too short to hold it. */
export function cookedInterfaceIndex(bytes: Uint8Array, at: number, end: number): number {
  return end - at < V2_INTERFACE_INDEX + 4 ? -1 : readUint32(bytes, at + V2_INTERFACE_INDEX);
}

/**
 * The kernel's packet type tells both the direction and to whom the frame was sent. Types past "outgoing" are copies that the kernel
 * makes for itself: they say nothing. Ref: linux/if_packet.h PACKET_HOST … PACKET_OUTGOING
 */
function decodePacketType(packetType: number, batch: PacketBatch, row: number): void {
  switch (packetType) {
    case 0:
      batch.direction[row] = Direction.inbound;
      batch.linkDestination[row] = LinkDestination.host;
      break;
    case 1:
      batch.direction[row] = Direction.inbound;
      batch.linkDestination[row] = LinkDestination.broadcast;
      break;
    case 2:
      batch.direction[row] = Direction.inbound;
      batch.linkDestination[row] = LinkDestination.multicast;
      break;
    case 3:
      batch.direction[row] = Direction.inbound;
      batch.linkDestination[row] = LinkDestination.otherHost;
      break;
    case 4:
      batch.direction[row] = Direction.outbound;
      break;
  }
}

function hasNoEtherType(hardwareType: number): boolean {
  return hardwareType === ARPHRD_NETLINK || hardwareType === ARPHRD_FRAD;
}
