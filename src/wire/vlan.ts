import { readUint16 } from './bytes.ts';
import { markShort } from './short-header.ts';
import { type PacketBatch, Status } from './packet-batch.ts';

const TAG_CONTROL = 0;
const ETHER_TYPE = 2;
const TAG_LENGTH = 4;

const VLAN_ID_MASK = 0x0fff;

/** More tags than this are a crafted frame. Real ones have two, and three where a provider stacks onto a customer's two. */
const MAX_TAGS = 8;

/**
 * Decodes the stack of 802.1Q and 802.1ad tags: the two outer ids go into `vlan` and `innerVlan`, the EtherType behind the last tag into
 * `etherType`. Returns the position behind the last tag (`at` itself where there is none), −1 where the tags are cut or without end.
 * Ref: IEEE 802.1Q, 9.6
 */
export function decodeVlanTags(
  bytes: Uint8Array,
  at: number,
  end: number,
  wireEnd: number,
  etherType: number,
  batch: PacketBatch,
  row: number,
): number {
  let next = at;
  let type = etherType;
  let count = 0;
  while (isVlanTag(type)) {
    if (count === MAX_TAGS) {
      batch.status[row]! |= Status.malformed;
      return -1;
    }
    if (end - next < TAG_LENGTH) {
      markShort(next, TAG_LENGTH, wireEnd, batch, row);
      return -1;
    }
    const id = readUint16(bytes, next + TAG_CONTROL) & VLAN_ID_MASK;
    if (count === 0) batch.vlan[row] = id;
    else if (count === 1) batch.innerVlan[row] = id;
    type = readUint16(bytes, next + ETHER_TYPE);
    next += TAG_LENGTH;
    count++;
  }
  if (count > 0) batch.etherType[row] = type;
  return next;
}

/** 802.1Q, 802.1ad, and the two numbers that switches used for stacked tags before 802.1ad. */
function isVlanTag(etherType: number): boolean {
  return etherType === 0x8100 || etherType === 0x88a8 || etherType === 0x9100 || etherType === 0x9200;
}
