import { type Intent, USUAL_PORTS } from '../model/intent.ts';
import { formatIpAddress } from '../net/ip-address.ts';
import { formatIpProtocol, IpProtocol } from '../net/ip-protocol.ts';

/** Of fragments but the first; they have no ports. */
const LATER_FRAGMENTS = 'ip[6:2] & 0x1fff != 0';
/** Tells an outer header of a fragment in IPv6, too. */
const IPV6_FRAGMENTS = 'ip6[6] = 44';

/**
 * The capture filter (pcap-filter syntax) that lets through what a verification of an intent needs: monitored services, everything of
 * SPS, ARP, ICMP errors, later fragments, and, where services are inferred, those that are usually monitored (RV903).
 */
export function filterOf(intent: Intent): string {
  const terms = new Set<string>(['arp', 'icmp', 'icmp6', LATER_FRAGMENTS, IPV6_FRAGMENTS]);
  for (const sps of intent.sps) terms.add(`host ${formatIpAddress(sps)}`);
  for (const { protocol, ports } of intent.services) {
    const name = formatIpProtocol(protocol);
    const hasPorts = protocol === IpProtocol.tcp || protocol === IpProtocol.udp;
    if (!hasPorts) terms.add(/^\d+$/.test(name) ? `ip proto ${name}` : name);
    else if (ports.first === ports.last) terms.add(`${name} port ${ports.first}`);
    else terms.add(`${name} portrange ${ports.first}-${ports.last}`);
  }
  if (intent.inferred.includes('services')) for (const port of USUAL_PORTS) terms.add(`tcp port ${port}`);
  return [...terms].join(' or ');
}
