import { ConntrackView } from '../forwarding/decision.ts';
import { lastStep } from '../verification/failures.ts';
import { type Finding, fromFailures, packetWords } from './finding.ts';

/** RV510. */
export const invalidStateEscapesRedirect: Finding = {
  kind: {
    code: 'RV510',
    slug: 'invalid-state-escapes-redirect',
    severity: 'error',
    saidWhen:
      'conntrack calls packets of the connection INVALID (two TCP sessions on one five-tuple, half-seen handshake): they carry no mark and go straight on',
    meaning:
      'A packet that conntrack takes for INVALID has no connection entry, so no connection mark, so no packet mark: it is routed by its destination.',
    whyItMatters: 'Single packets of a session go around SPS while the session seems to work.',
    example:
      "SPS uses the client's address and port: both TCP sessions share one entry, and their sequence numbers do not fit together.",
    whatToDo:
      'Redirect by packet mark alone (MARK under the conditions of the CONNMARK rule), give the two sides conntrack zones of their own, let SPS use another port, or set net.netfilter.nf_conntrack_tcp_be_liberal=1.',
    references: ['kernel net/netfilter/nf_conntrack_proto_tcp.c: tcp_in_window()'],
  },
  detect: (run) =>
    fromFailures(run, 'RV510', (failure) => {
      const detail = lastStep(failure.walk, 'conntrack')?.detail;
      return `${packetWords(run, failure)} is INVALID for conntrack${detail === undefined ? '' : ` (${detail})`} and leaves by ${run.interfaceName(failure.key.egress)} without SPS`;
    }),
  diagnose: (failing) => {
    const { probe, router } = failing;
    if (probe.category !== 'bypassed' || probe.key.conntrack !== ConntrackView.invalid) return undefined;
    if (probe.spec.spoofing !== 'client-same-port') return undefined;
    const fix = failing.firstThatHelps(router.remedies.tolerateSequences());
    if (fix === undefined) return undefined;
    return {
      code: 'RV510',
      key: `RV510:${probe.role}`,
      message: `SPS uses the client's address and port, so both TCP connections of a session share one entry, and their sequence numbers do not fit together`,
      notes: [],
      fix,
      role: probe.role,
      category: probe.category,
    };
  },
};
