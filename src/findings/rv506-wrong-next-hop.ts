import { lastStep } from '../verification/failures.ts';
import { type Finding, fromFailures, packetWords } from './finding.ts';

/** RV506. */
export const wrongNextHop: Finding = {
  kind: {
    code: 'RV506',
    slug: 'wrong-next-hop',
    severity: 'error',
    saidWhen: 'redirected, but not to SPS',
    meaning:
      "A table that only a policy rule reaches decides about the packet, and its next hop is none of SPS's addresses.",
    whyItMatters: 'Sessions end at another host, or go on to the server through it, without SPS.',
    example: 'default via 172.16.0.2 dev eth1 table scb        (SPS is 172.16.0.1)',
    whatToDo: "Correct the next hop in the redirect's table, or the SPS address that you stated.",
    references: ['ip-route(8)'],
  },
  detect: (run) =>
    fromFailures(run, 'RV506', (failure) => {
      const hop = lastStep(failure.walk, 'end')?.nextHop ?? 'its destination';
      return `${packetWords(run, failure)} is redirected to ${hop}, which is not SPS`;
    }),
};
