import { flowKey, impossibleCode, proofOfFlow } from '../join/describe-join.ts';
import { type SimulatedFlow, simulateJoin } from '../join/simulate-join.ts';
import { type Detected, detected, type Finding } from './finding.ts';

/** RV702. */
export const joinTrafficRedirected: Finding = {
  kind: {
    code: 'RV702',
    slug: 'join-traffic-redirected',
    severity: 'error',
    saidWhen: 'the redirect catches the traffic between SPS and SPP themselves; `verify` warns of it',
    meaning:
      'The redirect for monitored services also selects packets that SPS and SPP exchange: it sends them to an SPS that they are not for, usually the one that sent them.',
    whyItMatters: 'SPS cannot be joined to SPP, or loses it as soon as the redirect is switched on.',
    example:
      'https is monitored, SPP is in the servers’ network, and SPS’s own connection to tcp 443 of SPP is sent back to SPS.',
    whatToDo:
      'Narrow the redirect’s networks and interfaces, or exempt the traffic between SPS and SPP in front of it.',
    references: ['One Identity: Joining SPS to SPP', 'iptables-extensions(8): MARK'],
  },
  // It is not monitored traffic: what is verified stays verified.
  detect: (run) =>
    run.join === undefined
      ? []
      : simulateJoin(run.router, run.join)
          .filter((item) => item.fate === 'redirected')
          .map((item) => describe(item, 'warning')),
  detectJoin: (run) =>
    run.flows.flatMap((item) =>
      item.expected !== undefined && impossibleCode(item) === 'RV702' ? [describe(item.expected, 'error')] : [],
    ),
};

function describe(item: SimulatedFlow, severity: 'error' | 'warning'): Detected {
  const { notes, where } = proofOfFlow(item);
  return detected({
    key: flowKey('RV702', item.flow),
    message: `${item.flow.label}: ${item.detail}`,
    severity,
    notes,
    fix: item.fix,
    ...(where !== undefined && { where }),
  });
}
