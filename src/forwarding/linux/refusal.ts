import { IpProtocol } from '../../net/ip-protocol.ts';
import { type PacketBatch, Status } from '../../wire/packet-batch.ts';
import type { CompiledRouter } from './router.ts';

/** ICMPv6 messages. Ref: IANA, ICMPv6 type numbers */
const LAST_ICMPV6_ERROR = 4;
const FIRST_ICMPV6_QUERY = 128;
const ICMPV6_REDIRECT = 137;
/** fe80::/10 */
const LINK_LOCAL = 0x3fa;
/** Their identifiers are not decoded. */
const NODE_INFORMATION: ReadonlySet<number> = new Set([139, 140]);

/** Of a message whose quoted packet is not decoded. Ref: nf_conntrack_proto_icmpv6.c: nf_conntrack_icmpv6_error(). */
export function isUnreadError(batch: PacketBatch, row: number): boolean {
  const type = batch.icmpType[row]!;
  // Others that are no neighbour's are INVALID.
  const isNear = batch.ttl[row] === 255 && batch.icmpCode[row] === 0 && batch.source[4 * row]! >>> 22 === LINK_LOCAL;
  return (type === ICMPV6_REDIRECT && isNear) || type === 0 || (type > LAST_ICMPV6_ERROR && type < FIRST_ICMPV6_QUERY);
}

/** Id of why nothing can be said about the packet before its way begins, −1. */
export function refusalOf(router: CompiledRouter, batch: PacketBatch, row: number, ingress: number): number {
  const { reasons, blockingReason, links } = router;
  const status = batch.status[row]!;
  if ((status & Status.ip) === 0) return reasons.notIp;
  if (blockingReason !== -1) return blockingReason;
  if (ingress < 0 || ingress >= links.names.length) return reasons.ingress;
  if (router.family === 6) return refusalOf6(router, batch, row);
  if ((status & Status.cut) !== 0 && (status & Status.transport) === 0) return reasons.cut;
  return -1;
}

/** Headers of IPv6 that are not followed. */
function refusalOf6(router: CompiledRouter, batch: PacketBatch, row: number): number {
  const { reasons } = router;
  const status = batch.status[row]!;
  if ((status & Status.options) !== 0) return reasons.extensionHeaders;
  const isMessage = batch.protocol[row] === IpProtocol.icmpv6 && (status & Status.transport) !== 0;
  if ((status & Status.cut) !== 0 && (status & Status.transport) === 0) return reasons.cut;
  const protocol = batch.protocol[row];
  if (protocol === IpProtocol.icmp) return reasons.unmodelledProtocol;
  if (!isMessage) return -1;
  const isOther = isUnreadError(batch, row) || NODE_INFORMATION.has(batch.icmpType[row]!);
  return isOther ? reasons.unmodelledProtocol : -1;
}
