import { DecisionFlag, Disposition } from '../forwarding/decision.ts';
import { type Finding, fromFailures, packetWords, whereOf } from './finding.ts';

/** RV503. */
export const droppedByRule: Finding = {
  kind: {
    code: 'RV503',
    slug: 'dropped-by-rule',
    severity: 'error',
    saidWhen: 'a filter drops or rejects a monitored packet',
    meaning:
      'A packet filter rule, or the policy of a chain, drops a packet of a monitored session on its way to or from SPS.',
    whyItMatters:
      'Filters are often written for the direct way between clients and servers. The detour enters and leaves by the interface of SPS, which such rules do not permit.',
    example: ':FORWARD DROP with -A FORWARD -i eth0 -o eth2 -j ACCEPT, while redirected packets leave by eth1.',
    whatToDo:
      'Permit the flows client→SPS, SPS→client, SPS→server and server→SPS for the monitored service, or correct the rule that drops.',
    references: ['iptables(8)'],
  },
  detect: (run) =>
    fromFailures(run, 'RV503', (failure) => {
      const verb = (failure.key.flags & DecisionFlag.rejected) !== 0 ? 'rejected' : 'dropped';
      return `${packetWords(run, failure)} is ${verb} by the packet filter`;
    }),
  diagnose: (failing) => {
    const { probe, flow } = failing;
    if (probe.key.disposition !== Disposition.droppedByRule) return undefined;
    // Chains that were passed before have their policies in the walk, too: the last statement is the one that dropped.
    const step = probe.walk.steps.findLast(
      (candidate) =>
        candidate.kind === 'chain-policy' ||
        (candidate.kind === 'rule' && candidate.outcome === 'matched') ||
        (candidate.kind === 'filter' && candidate.outcome === 'denied'),
    );
    if (step === undefined) return undefined;
    if (step.kind !== 'filter' && (!('hook' in step) || step.hook !== 'FORWARD')) return undefined;
    if (step.kind !== 'filter' && (!('table' in step) || step.table !== 'filter')) return undefined;
    const fix = failing.firstThatHelps(failing.router.remedies.permit(flow));
    if (fix === undefined) return undefined;
    return {
      code: 'RV503',
      key: `RV503:${flow.ingress}>${flow.egress}:${probe.role}`,
      message: `nothing permits ${flow.ingress} → ${flow.egress} for this flow`,
      ...whereOf(step.origin),
      notes: [],
      fix,
      role: probe.role,
      category: probe.category,
    };
  },
};
