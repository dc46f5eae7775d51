import { diagnoseDefect, type Finding, fromDiagnoses } from './finding.ts';

/** RV411. */
export const replyRedirectMissing: Finding = {
  kind: {
    code: 'RV411',
    slug: 'reply-redirect-missing',
    severity: 'error',
    saidWhen: 'SPS uses the client’s address, and nothing redirects the servers’ replies',
    meaning: "Servers answer to the client's address. No rule selects these answers for the redirect.",
    whyItMatters:
      'They go straight to the client, which knows nothing of that connection and resets it. Some sessions seem to work after a second, because the reset itself marks the connection.',
    example: 'The rule with -i INTERFACE-OF-SERVERS -s SERVERS --sport 3389 -j CONNMARK is missing.',
    whatToDo: 'Add the rule for the replies on the interface facing the servers, before the MARK rule.',
    references: ['iptables-extensions(8): CONNMARK'],
  },
  detect: (run) => fromDiagnoses(run, 'RV411'),
  diagnose: (failing) => {
    const { probe, router, flow } = failing;
    if (probe.role !== 'server-reply' || probe.category !== 'bypassed' || probe.spec.spoofing === 'own')
      return undefined;
    const written = diagnoseDefect(failing, 'selection', 'RV411');
    if (written !== undefined) return written;
    const fix = failing.firstThatHelps(router.remedies.redirect(flow));
    if (fix === undefined) return undefined;
    return {
      code: 'RV411',
      key: `RV411:${flow.ingress}:${flow.sourcePort}`,
      message: `nothing redirects the servers' answers that enter on ${flow.ingress}, although SPS uses the clients' addresses`,
      notes: [],
      fix,
      role: probe.role,
      category: probe.category,
    };
  },
};
