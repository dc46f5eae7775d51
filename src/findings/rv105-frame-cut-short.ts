import { type Finding, fromProblems } from './finding.ts';

/** RV105. */
export const frameCutShort: Finding = {
  kind: {
    code: 'RV105',
    slug: 'frame-cut-short',
    severity: 'warning',
    saidWhen: 'the snap length cut headers that the decision needs',
    meaning: 'Frames were captured with too few bytes to hold their IP and transport headers.',
    whyItMatters: 'Without ports a frame belongs to no service, and nothing can be said of it.',
    example: 'tcpdump -s 34',
    whatToDo: 'Capture at least 128 bytes of each frame (-s 128).',
    references: ['tcpdump(8): -s'],
  },
  detect: (run) => fromProblems(run, 'RV105'),
};
