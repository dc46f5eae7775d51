import { type Finding, fromProblems } from './finding.ts';

/** RV104. */
export const captureLostPackets: Finding = {
  kind: {
    code: 'RV104',
    slug: 'capture-lost-packets',
    severity: 'warning',
    saidWhen: 'the capture says that it dropped packets',
    meaning: 'The capturing program reports frames that it could not write.',
    whyItMatters: 'Packets are missing: their fate is unknown, and connection tracking is simulated without them.',
    example: 'dumpcap: 1200 packets dropped.',
    whatToDo:
      'Capture with a filter for the monitored service, a smaller snap length (-s 256) and a larger buffer (-B).',
    references: ['pcapng: Interface Statistics Block'],
  },
  detect: (run) => fromProblems(run, 'RV104'),
};
