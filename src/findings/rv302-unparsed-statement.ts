import { type Finding, fromProblems } from './finding.ts';

/** RV302. */
export const unparsedStatement: Finding = {
  kind: {
    code: 'RV302',
    slug: 'unparsed-statement',
    severity: 'warning',
    saidWhen: 'text that is not of the dialect; on the path of monitored traffic it makes the run inconclusive',
    meaning: 'A line of the router’s state was not understood. A rule with such a line may match, and do, anything.',
    whyItMatters: 'Where it could change the path of monitored traffic, nothing is verified.',
    example: '-A PREROUTING --frobnicate -j ACCEPT',
    whatToDo:
      'Look whether the line is complete: a wrapped line, an editor’s mark, another tool’s output. Collect the state with redirect-verify collect linux.',
    references: [],
  },
  detect: (run) => fromProblems(run, 'RV302'),
};
