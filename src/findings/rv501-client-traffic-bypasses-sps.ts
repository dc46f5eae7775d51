import { markWords } from '../verification/failures.ts';
import { diagnoseDefect, type Finding, fromFailures, packetWords } from './finding.ts';

/** RV501. */
export const clientTrafficBypassesSps: Finding = {
  kind: {
    code: 'RV501',
    slug: 'client-traffic-bypasses-sps',
    severity: 'error',
    saidWhen: 'a client→server packet went, or would go, to its destination without SPS',
    meaning:
      'A packet of a monitored service that did not come from SPS leaves the router toward the server. SPS does not see it.',
    whyItMatters:
      'The session works for its user and is not recorded, or its first packet goes astray and the session breaks.',
    example: 'The rule marks port 3390 while clients use 3389: every packet is routed by its destination.',
    whatToDo:
      'Look at the findings that explain it. Where there are none, no rule selects these packets: add one, or correct the network, port or interface of the rule that should.',
    references: ['iptables-extensions(8): CONNMARK, MARK', 'ip-rule(8)'],
  },
  detect: (run) =>
    fromFailures(
      run,
      'RV501',
      (failure) =>
        `${packetWords(run, failure)} leaves by ${run.interfaceName(failure.key.egress)} without SPS${markWords(failure.key)}`,
    ),
  /** The last resort: the packet is selected by nothing. A rule that selects it is tried. */
  diagnose: (failing) => {
    const { probe, flow } = failing;
    if (probe.role !== 'client-request' || probe.category !== 'bypassed') return undefined;
    const written = diagnoseDefect(failing, 'selection', 'RV501');
    if (written !== undefined) return written;
    const fix = failing.firstThatHelps(failing.router.remedies.redirect(flow));
    if (fix === undefined) return undefined;
    return {
      code: 'RV501',
      key: `RV501:${flow.ingress}:${flow.destinationPort}`,
      message: `no rule selects these packets for the redirect: ${probe.flow} on ${flow.ingress}`,
      notes: [],
      fix,
      role: probe.role,
      category: probe.category,
    };
  },
};
