import type { CtTupleField } from '../../model/netfilter.ts';

/** Kinds of a compiled match. */
export const MatchKind = {
  inInterface: 0,
  outInterface: 1,
  source: 2,
  destination: 3,
  protocol: 4,
  fragment: 5,
  transportHeader: 6,
  sourcePort: 7,
  destinationPort: 8,
  tcpFlags: 9,
  multiport: 10,
  mark: 11,
  connmark: 12,
  ctstate: 13,
  macSource: 14,
  unmodelled: 15,
  ttl: 16,
  length: 17,
  tos: 18,
  icmpType: 19,
  packetType: 20,
  addressRange: 21,
  addressType: 22,
  ctTuple: 23,
  ctDirection: 24,
  ctStatus: 25,
  rpfilter: 26,
  set: 27,
  source6: 28,
  destination6: 29,
  addressRange6: 30,
  /** A header that packets have not which get so far: false, negated or not. */
  never: 31,
} as const;

/** Kinds of a compiled target. */
export const TargetKind = {
  passThrough: 0,
  accept: 1,
  drop: 2,
  reject: 3,
  return: 4,
  jump: 5,
  goto: 6,
  mark: 7,
  connmarkSet: 8,
  connmarkSave: 9,
  connmarkRestore: 10,
  snat: 11,
  dnat: 12,
  masquerade: 13,
  notrack: 14,
  unmodelled: 15,
  redirect: 16,
  conntrack: 17,
  netmap: 18,
  ttl: 19,
  tos: 20,
  ecn: 21,
  tproxy: 22,
} as const;

/** Bits of a conntrack target's first operand, above its zone. */
export const ZoneFlag = { original: 0x10000, reply: 0x20000, fromMark: 0x40000, helper: 0x80000 } as const;

/** Which iptables a rule set is of: they differ about fragments. */
export const RulesVariant = { legacy: 0, nft: 1, unspecified: 2 } as const;

/** Fields of a ct-tuple match by number. */
export const CT_FIELDS: readonly CtTupleField[] = [
  'protocol',
  'original-source',
  'original-destination',
  'reply-source',
  'reply-destination',
  'original-source-port',
  'original-destination-port',
  'reply-source-port',
  'reply-destination-port',
];
