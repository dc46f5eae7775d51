import { IpProtocol } from '../../net/ip-protocol.ts';
import type { Run } from './run.ts';
import { Timeout } from './settings.ts';

/** How long an entry can live whose packets are not all seen. */
export function longestTimeout(run: Run): number {
  return longestTimeoutOf(run, run.protocol);
}

/** Of a protocol. */
export function longestTimeoutOf(run: Run, protocol: number): number {
  const { timeouts } = run.router.settings;
  if (protocol === IpProtocol.tcp) return Math.max(...timeouts.subarray(1, 12));
  if (protocol === IpProtocol.udp) return Math.max(timeouts[Timeout.udp]!, timeouts[Timeout.udpStream]!);
  return timeouts[protocol === run.icmp ? Timeout.icmp : Timeout.generic]!;
}

/** How long an entry of a protocol other than TCP lives at least behind its last packet. */
export function shortestTimeout(run: Run): number {
  const { timeouts } = run.router.settings;
  if (run.protocol === IpProtocol.udp) return Math.min(timeouts[Timeout.udp]!, timeouts[Timeout.udpStream]!);
  return longestTimeout(run);
}
