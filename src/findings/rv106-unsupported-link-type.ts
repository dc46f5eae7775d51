import { type Finding, fromProblems } from './finding.ts';

/** RV106. */
export const unsupportedLinkType: Finding = {
  kind: {
    code: 'RV106',
    slug: 'unsupported-link-type',
    severity: 'warning',
    saidWhen: 'frames of a link type that is not decoded',
    meaning: 'Frames were captured on a device whose link header this tool does not decode.',
    whyItMatters: 'They are not judged.',
    example: 'LINKTYPE_IEEE802_11_RADIOTAP, a wireless monitor interface.',
    whatToDo: 'Capture on the router itself: on its interfaces, or with tcpdump -i any.',
    references: ['tcpdump.org: LINKTYPE_ values'],
  },
  detect: (run) => fromProblems(run, 'RV106'),
};
