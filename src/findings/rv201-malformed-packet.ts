import { type Finding, fromProblems } from './finding.ts';

/** RV201. */
export const malformedPacket: Finding = {
  kind: {
    code: 'RV201',
    slug: 'malformed-packet',
    severity: 'note',
    saidWhen: 'a header that lies about its length, and the like',
    meaning: 'A frame’s header contradicts itself or the frame’s length.',
    whyItMatters: 'The kernel drops such packets before any rule sees them.',
    example: 'An IPv4 header length of 8 bytes.',
    whatToDo: 'Nothing, unless there are many: then look at who sends them.',
    references: ['RFC 791 section 3.1'],
  },
  detect: (run) => fromProblems(run, 'RV201'),
};
