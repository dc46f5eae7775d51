import { markWords } from '../verification/failures.ts';
import { type Finding, fromFailures, packetWords } from './finding.ts';

/** RV601. */
export const replyTrafficBypassesSps: Finding = {
  kind: {
    code: 'RV601',
    slug: 'reply-traffic-bypasses-sps',
    severity: 'error',
    saidWhen: 'a server→client packet went, or would go, to the client without SPS: an asymmetric route',
    meaning:
      "A server's packet to a client leaves the router toward the client. SPS, which uses the client's address toward servers, waits for it in vain.",
    whyItMatters:
      'Either the session goes around SPS altogether, or it breaks: the client answers an unexpected SYN-ACK with a reset.',
    example: "SPS uses the client's address, and no rule on the servers' interface marks what comes from port 3389.",
    whatToDo:
      "Redirect the servers' answers, too: a CONNMARK rule with the source port on the interface that faces the servers.",
    references: ['iptables-extensions(8): CONNMARK'],
  },
  detect: (run) =>
    fromFailures(
      run,
      'RV601',
      (failure) =>
        `${packetWords(run, failure)} leaves by ${run.interfaceName(failure.key.egress)} to the client without SPS${markWords(failure.key)}`,
    ),
};
