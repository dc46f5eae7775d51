import { IpProtocol } from '../../net/ip-protocol.ts';
import type { Run } from './run.ts';

/** The other half of an ICMP query. Ref: nf_conntrack_proto_icmp.c: invmap. */
const ICMP_INVERSE: ReadonlyMap<number, number> = new Map([
  [8, 0],
  [0, 8],
  [13, 14],
  [14, 13],
  [15, 16],
  [16, 15],
  [17, 18],
  [18, 17],
]);

/** Ref: nf_conntrack_proto_icmpv6.c: invmap. */
const ICMPV6_INVERSE: ReadonlyMap<number, number> = new Map([
  [128, 129],
  [129, 128],
  [139, 140],
  [140, 139],
]);

/** The ports word of the inverse tuple. */
export function invertPorts(protocol: number, ports: number): number {
  if (protocol === IpProtocol.icmp || protocol === IpProtocol.icmpv6) {
    const type = (ports >>> 8) & 0xff;
    const inverse = (protocol === IpProtocol.icmp ? ICMP_INVERSE : ICMPV6_INVERSE).get(type) ?? type;
    return (ports & 0xffff00ff) | (inverse << 8);
  }
  return (ports << 16) | (ports >>> 16);
}

/** The ports word of the packet as it came. */
export function portsOf(run: Run): number {
  if (run.protocol === run.icmp) return (run.icmpIdentifier << 16) | (run.icmpType << 8) | run.icmpCode;
  if (run.protocol === IpProtocol.tcp || run.protocol === IpProtocol.udp || run.protocol === IpProtocol.udplite) {
    return (run.sourcePort << 16) | run.destinationPort;
  }
  return 0;
}

/** Whether the packet is an ICMP message about another one, which it quotes. */
export function isIcmpError(run: Run): boolean {
  if (run.protocol !== run.icmp) return false;
  const type = run.icmpType;
  if (run.family === 6) return type >= 1 && type <= 4;
  return (type >= 3 && type <= 5) || type === 11 || type === 12;
}

/** An ICMP query's identifier is the port of both of its ends. */
export function endsOf(protocol: number, ports: number): number {
  const isIcmp = protocol === IpProtocol.icmp || protocol === IpProtocol.icmpv6;
  return isIcmp ? (ports & ~0xffff) | (ports >>> 16) : ports;
}
