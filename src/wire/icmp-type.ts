/** Ref: IANA, ICMP type numbers */
const ECHO_REPLY = 0;
const ECHO = 8;
const TIMESTAMP = 13;
const ADDRESS_MASK_REPLY = 18;

/** A gateway tells a host of a better one. */
export const ICMP_REDIRECT = 5;

/** Ref: IANA, ICMPv6 type numbers */
const ECHO_REQUEST_V6 = 128;
const ECHO_REPLY_V6 = 129;

/** Echo, timestamp, information and address mask, request and reply: the ICMP messages that have an identifier. */
export function isIcmpQuery(type: number): boolean {
  return type === ECHO_REPLY || type === ECHO || (type >= TIMESTAMP && type <= ADDRESS_MASK_REPLY);
}

/** Echo request and reply: the ICMPv6 messages that have an identifier. */
export function isIcmpv6Query(type: number): boolean {
  return type === ECHO_REQUEST_V6 || type === ECHO_REPLY_V6;
}
