import { equalIpAddress, formatIpAddress } from '../net/ip-address.ts';
import { bypassingIpv6, type Ipv6Bypass } from '../verification/ipv6-ways.ts';
import type { Verification } from '../verification/verification.ts';
import { connectionsWhere, type Detected, detected, type Finding } from './finding.ts';

/** RV508. */
export const ipv6NotRedirected: Finding = {
  kind: {
    code: 'RV508',
    slug: 'ipv6-not-redirected',
    severity: 'error',
    saidWhen: 'IPv6 traffic of a monitored service has no redirect',
    meaning:
      'Packets of a monitored port came in as IPv6, and the router sends them out by an interface that does not face SPS.',
    whyItMatters:
      'Redirects are per address family. Where clients and servers have IPv6 addresses, their sessions prefer them, and SPS sees none of them.',
    example:
      'iptables marks tcp/3389 and `ip rule` selects the mark, while `ip -6 rule` shows the two rules of every Linux.',
    whatToDo:
      'Redirect IPv6 as IPv4 is (ip6tables, ip -6 rule, ip -6 route, an IPv6 address of SPS), or refuse these services in ip6tables FORWARD, so that clients fall back to IPv4.',
    references: ['RFC 6724 section 2.1', 'ip-rule(8)', 'kernel net/ipv6/ip6_output.c: ip6_forward()'],
  },
  detect: (run) => bypassingIpv6(run.router, run.replay).bypasses.map((way) => bypassOf(run, way)),
};

function bypassOf(run: Verification, way: Ipv6Bypass): Detected {
  const { destination, ingress, egress, nextHop, tally } = way;
  const via = nextHop === undefined ? '' : ` via ${formatIpAddress(nextHop)}`;
  const address = formatIpAddress(destination);
  const { ids } = connectionsWhere(run, ({ connection: { family, client, server } }) =>
    [client, server].some((words) => equalIpAddress({ family, words }, destination)),
  );
  return detected({
    message: `${tally.count} IPv6 ${tally.count === 1 ? 'packet' : 'packets'} of monitored ports to ${address}: no redirect, the router sends them out ${egress}${via}`,
    key: `RV508:${ingress}:${address}`,
    count: tally.count,
    connections: ids,
    ...(tally.first !== undefined && { where: run.placeOf(tally.first, ingress) }),
  });
}
