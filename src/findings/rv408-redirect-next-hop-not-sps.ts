import { formatIpAddress } from '../net/ip-address.ts';
import { isPolicyRouted, lastStep } from '../verification/failures.ts';
import { type Finding, fromDiagnoses, whereOf } from './finding.ts';

/** RV408. */
export const redirectNextHopNotSps: Finding = {
  kind: {
    code: 'RV408',
    slug: 'redirect-next-hop-not-sps',
    severity: 'error',
    saidWhen: 'the redirect’s next hop is not an SPS address',
    meaning: 'The route in the redirect’s table leads to another host than SPS.',
    whyItMatters: 'Redirected sessions go to a host that does not record them, or nowhere.',
    example: 'default via 172.16.0.2 dev eth1, while SPS has 172.16.0.1.',
    whatToDo: 'Replace the next hop, or correct the stated address of SPS.',
    references: ['ip-route(8)'],
  },
  detect: (run) => fromDiagnoses(run, 'RV408'),
  diagnose: (failing) => {
    const { probe, router, spsInterface } = failing;
    if (probe.category !== 'bypassed' || probe.fromSps || !isPolicyRouted(probe.key)) return undefined;
    const route = lastStep(probe.walk, 'route');
    if (route === undefined) return undefined;
    const fix = failing.firstThatHelps(router.remedies.replaceNextHop(route, probe.spec.sps, spsInterface));
    if (fix === undefined) return undefined;
    return {
      code: 'RV408',
      key: `RV408:${route.table}:${route.prefix}`,
      message: `the redirect's next hop is ${route.nextHop ?? 'the destination itself'}; SPS is ${formatIpAddress(probe.spec.sps)}`,
      ...whereOf(route.origin),
      notes: [],
      fix,
      role: probe.role,
      category: probe.category,
    };
  },
};
