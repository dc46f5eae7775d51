/** Protocol numbers that the code names. Ref: IANA protocol numbers. */
export const IpProtocol = {
  icmp: 1,
  igmp: 2,
  ipip: 4,
  tcp: 6,
  udp: 17,
  dccp: 33,
  ipv6: 41,
  gre: 47,
  esp: 50,
  ah: 51,
  icmpv6: 58,
  sctp: 132,
  udplite: 136,
} as const;

/** Names as `/etc/protocols` and iptables print them. */
const NAMES: ReadonlyMap<string, number> = new Map([
  ['ip', 0],
  ['icmp', 1],
  ['igmp', 2],
  ['ipencap', 4],
  ['tcp', 6],
  ['egp', 8],
  ['igp', 9],
  ['udp', 17],
  ['dccp', 33],
  ['ipv6', 41],
  ['rsvp', 46],
  ['gre', 47],
  ['esp', 50],
  ['ah', 51],
  ['ipv6-icmp', 58],
  ['icmpv6', 58],
  ['eigrp', 88],
  ['ospf', 89],
  ['ipip', 94],
  ['pim', 103],
  ['vrrp', 112],
  ['l2tp', 115],
  ['sctp', 132],
  ['udplite', 136],
]);

/** The number of a protocol given by name or number (0–255); undefined where it is neither. */
export function parseIpProtocol(text: string): number | undefined {
  if (/^\d{1,3}$/.test(text)) return Number(text) <= 255 ? Number(text) : undefined;
  return NAMES.get(text.toLowerCase());
}

/** The usual name of a protocol number, else the number. */
export function formatIpProtocol(protocol: number): string {
  if (protocol === IpProtocol.icmpv6) return 'icmpv6';
  for (const [name, number] of NAMES) if (number === protocol && number !== 0) return name;
  return String(protocol);
}
