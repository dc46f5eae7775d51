import { markWords } from '../verification/failures.ts';
import { type Finding, fromFailures, packetWords } from './finding.ts';

/** RV502. */
export const redirectLoop: Finding = {
  kind: {
    code: 'RV502',
    slug: 'redirect-loop',
    severity: 'error',
    saidWhen: 'a packet from SPS is sent back to SPS',
    meaning:
      'The router redirects a packet that SPS itself sent. It goes round between router and SPS until its TTL ends.',
    whyItMatters:
      'The session never comes about, and each of its packets is multiplied some thirty times on the segment of SPS.',
    example: '-A PREROUTING -m connmark --mark 0x1 -j MARK --set-mark 0x1        (without ! -i INTERFACE-OF-SPS)',
    whatToDo: 'Exempt packets that come in by the interface facing SPS from the rule that sets the packet mark.',
    references: ['iptables-extensions(8): MARK'],
  },
  detect: (run) =>
    fromFailures(
      run,
      'RV502',
      (failure) =>
        `${packetWords(run, failure)} is sent back to SPS by ${run.interfaceName(failure.key.egress)}${markWords(failure.key)}`,
    ),
};
