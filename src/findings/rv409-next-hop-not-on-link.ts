import type { Walk } from '../forwarding/walk.ts';
import { parseIpAddress } from '../net/ip-address.ts';
import { prefixContains } from '../net/prefix.ts';
import { isPolicyRouted, lastStep } from '../verification/failures.ts';
import type { Verification } from '../verification/verification.ts';
import { type Detected, detected, diagnoseDefect, type Finding, fromDiagnoses, whereOf } from './finding.ts';

/** RV409. */
export const nextHopNotOnLink: Finding = {
  kind: {
    code: 'RV409',
    slug: 'next-hop-not-on-link',
    severity: 'error',
    saidWhen: 'the next hop is on no connected network',
    meaning: 'The redirect’s next hop lies in no network that the egress interface is connected to.',
    whyItMatters:
      'The router asks for it by ARP where nobody has that address. Linux refuses such a route unless it is marked `onlink`.',
    example: 'default via 172.17.0.1 dev eth1 onlink, while eth1 has 172.16.0.254/24.',
    whatToDo: 'Use the address that SPS has on the segment of that interface, or correct the interface’s address.',
    references: ['kernel net/ipv4/fib_semantics.c: fib_check_nh()'],
  },
  detect: (run) => {
    const found = new Map<string, Detected>();
    for (const item of run.connections) {
      for (const way of item.ways) if (isPolicyRouted(way.path)) add(run, found, way.path.walk, item.connection.id);
      for (const probe of item.probes.problems)
        if (isPolicyRouted(probe.key)) add(run, found, probe.walk, item.connection.id);
    }
    // What a router makes of such a next hop may be uncertain: then nothing is known to have failed.
    const recognised = fromDiagnoses(run, 'RV409').map((item, index) =>
      run.diagnosis.diagnoses.filter(({ code }) => code === 'RV409')[index]?.category === 'undetermined'
        ? { ...item, connections: [] }
        : item,
    );
    return [...found.values(), ...recognised];
  },
  diagnose: (failing) => diagnoseDefect(failing, 'RV409'),
};

function add(run: Verification, found: Map<string, Detected>, walk: Walk, connection: number): void {
  const route = lastStep(walk, 'route');
  const address = route?.nextHop === undefined ? undefined : parseIpAddress(route.nextHop);
  // A router by its link-local address is on every link, and Linux takes no other gateway of IPv6 that is on none.
  if (route?.egress === undefined || address?.family !== 4) return;
  const egress = run.router.interfaces.find((candidate) => candidate.name === route.egress);
  if (egress === undefined || egress.addresses.length === 0) return;
  if (
    egress.addresses.some(
      ({ prefix, peer }) => prefixContains(prefix, address) || (peer !== undefined && prefixContains(peer, address)),
    )
  )
    return;
  const key = `RV409:${route.table}:${route.nextHop}`;
  const known = found.get(key);
  found.set(
    key,
    detected({
      message: `next hop ${route.nextHop} is in no network of ${route.egress}`,
      key,
      count: (known?.count ?? 0) + 1,
      connections: [...new Set([...(known?.connections ?? []), connection])],
      ...whereOf(route.origin),
    }),
  );
}
