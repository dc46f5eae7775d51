import { readUint16, readUint32 } from '../wire/bytes.ts';
import { LinkType } from '../wire/link-type.ts';
import type { PacketBatch } from '../wire/packet-batch.ts';

const ETHERNET_TYPE = 12;
const COOKED_TYPE = 14;
const COOKED_LENGTH = 16;
const COOKED_V2_LENGTH = 20;
const NULL_LENGTH = 4;
const ETHER_TYPE_IPV4 = 0x0800;
const ETHER_TYPE_PPPOE = 0x8864;
const PPP_IPV4 = 0x0021;
const VLAN_TYPES: readonly number[] = [0x8100, 0x88a8, 0x9100, 0x9200];
const MAX_TAGS = 4;
const SOURCE_ADDRESS = 12;
const IPV4_LENGTH = 20;
const TCP_LENGTH = 20;
const TCP_DATA_OFFSET = 12;

/**
 * The captured payload of a TCP segment over IPv4 that row 0 of the batch holds decoded; a view of the frame's bytes. Undefined where the
 * payload is not found in the frame: then the addresses and ports at the place computed are not those of the row.
 */
export function tcpPayload(bytes: Uint8Array, linkType: number, batch: PacketBatch): Uint8Array | undefined {
  const at = ipv4Offset(bytes, linkType);
  if (at === undefined || at + IPV4_LENGTH > bytes.length || bytes[at]! >>> 4 !== 4) return undefined;
  const tcp = at + (bytes[at]! & 15) * 4;
  if (tcp + TCP_LENGTH > bytes.length) return undefined;
  const agrees =
    readUint32(bytes, at + SOURCE_ADDRESS) === batch.source[0] &&
    readUint32(bytes, at + SOURCE_ADDRESS + 4) === batch.destination[0] &&
    readUint16(bytes, tcp) === batch.sourcePort[0] &&
    readUint16(bytes, tcp + 2) === batch.destinationPort[0];
  if (!agrees) return undefined;
  const start = tcp + (bytes[tcp + TCP_DATA_OFFSET]! >>> 4) * 4;
  // What the headers say ends the payload: behind it may be padding of a short frame.
  return bytes.subarray(Math.min(start, bytes.length), Math.min(start + batch.payloadLength[0]!, bytes.length));
}

function ipv4Offset(bytes: Uint8Array, linkType: number): number | undefined {
  switch (linkType) {
    case LinkType.ethernet:
      return behindEtherType(bytes, ETHERNET_TYPE);
    case LinkType.linuxCooked:
      return behindEtherType(bytes, COOKED_TYPE, COOKED_LENGTH);
    case LinkType.linuxCookedV2:
      return behindEtherType(bytes, 0, COOKED_V2_LENGTH);
    case LinkType.null:
    case LinkType.loop:
      return NULL_LENGTH;
    default:
      return 0;
  }
}

/** From the type field on, past VLAN tags and a PPPoE header; `payload` is where what is not tagged begins. */
function behindEtherType(bytes: Uint8Array, typeAt: number, payload = typeAt + 2): number | undefined {
  let type = typeAt + 2 <= bytes.length ? readUint16(bytes, typeAt) : 0;
  let at = payload;
  for (let tags = 0; VLAN_TYPES.includes(type) && tags < MAX_TAGS && at + 4 <= bytes.length; tags++) {
    type = readUint16(bytes, at + 2);
    at += 4;
  }
  if (type === ETHER_TYPE_PPPOE && at + 8 <= bytes.length && readUint16(bytes, at + 6) === PPP_IPV4) return at + 8;
  return type === ETHER_TYPE_IPV4 ? at : undefined;
}
