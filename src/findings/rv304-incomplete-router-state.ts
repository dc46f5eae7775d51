import { type Finding, fromProblems } from './finding.ts';

/** RV304. */
export const incompleteRouterState: Finding = {
  kind: {
    code: 'RV304',
    slug: 'incomplete-router-state',
    severity: 'warning',
    saidWhen:
      'a part of the state is missing. Its possible values are tried; where the results differ the verdict is undetermined and names it',
    meaning: 'A part of the state that decides about packets was not given. Each value that it can have is tried.',
    whyItMatters: 'Where results differ by it, the verdict is undetermined.',
    example: 'No sysctl lines: rp_filter may be 0, 1 or 2.',
    whatToDo: 'Give the missing part, best by running the script of redirect-verify collect linux on the router.',
    references: [],
  },
  detect: (run) => fromProblems(run, 'RV304'),
};
