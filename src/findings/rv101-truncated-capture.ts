import { type Finding, fromProblems } from './finding.ts';

/** RV101. */
export const truncatedCapture: Finding = {
  kind: {
    code: 'RV101',
    slug: 'truncated-capture',
    severity: 'warning',
    saidWhen: 'the file ends inside a record',
    meaning: 'The capture file ends, or turns into garbage, inside a record. It was read up to there.',
    whyItMatters: 'What came later is not judged.',
    example: 'A capture copied while tcpdump was still writing it.',
    whatToDo: 'Stop the capture with Ctrl-C before copying it, or copy it again.',
    references: ['pcap-savefile(5)'],
  },
  detect: (run) => fromProblems(run, 'RV101'),
};
