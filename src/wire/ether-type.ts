import { decodeArp } from './arp.ts';
import { decodeIpv4 } from './ipv4.ts';
import { decodeIpv6 } from './ipv6.ts';
import type { PacketBatch } from './packet-batch.ts';
import { decodePppoe } from './pppoe.ts';
import { decodeVlanTags } from './vlan.ts';

/** EtherTypes that are decoded. Ref: IEEE 802 numbers. */
export const EtherType = { ipv4: 0x0800, arp: 0x0806, ipv6: 0x86dd, pppoeSession: 0x8864 } as const;

/** A smaller number in the place of the EtherType is the length of an 802.3 frame. Ref: IEEE 802.3, 3.2.6 */
const FIRST_ETHER_TYPE = 0x0600;

/**
 * Decodes what follows a link header that ends with an EtherType: VLAN tags, then the packet. `at` is behind the EtherType; `end` and
 * `wireEnd` are where the captured and the original frame end. Other EtherTypes are noted in the column and left alone.
 */
export function decodeEtherType(
  bytes: Uint8Array,
  at: number,
  end: number,
  wireEnd: number,
  etherType: number,
  batch: PacketBatch,
  row: number,
  verifyChecksums: boolean,
): void {
  let next = at;
  let type = etherType;
  if (type !== EtherType.ipv4 && type !== EtherType.ipv6) {
    // 802.3 with LLC: Linux hands none of these to IP, not even SNAP with EtherType 0x0800.
    if (type < FIRST_ETHER_TYPE) return;
    next = decodeVlanTags(bytes, at, end, wireEnd, type, batch, row);
    if (next < 0) return;
    if (next !== at) type = batch.etherType[row]!;
  }
  batch.etherType[row] = type < FIRST_ETHER_TYPE ? 0 : type;
  switch (type) {
    case EtherType.ipv4:
      decodeIpv4(bytes, next, end, wireEnd, batch, row, verifyChecksums);
      break;
    case EtherType.ipv6:
      decodeIpv6(bytes, next, end, wireEnd, batch, row, verifyChecksums);
      break;
    case EtherType.arp:
      decodeArp(bytes, next, end, wireEnd, batch, row);
      break;
    case EtherType.pppoeSession:
      decodePppoe(bytes, next, end, wireEnd, batch, row, verifyChecksums);
      break;
  }
}
