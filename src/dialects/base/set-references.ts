import { configPlace, type Problem } from '../../diagnostic/diagnostic.ts';
import type { DeviceDraft } from './device-draft.ts';

/**
 * Reports rules that look into sets of which nothing is known: RV303 where the dump of sets does not have one, RV304 where there is no
 * such dump. Each set is said once, at the first rule that uses it.
 */
export function checkSets(draft: DeviceDraft): void {
  const said = new Set(draft.problems.map((problem) => problem.message));
  const say = (problem: Problem): void => {
    if (said.has(problem.message)) return;
    said.add(problem.message);
    draft.report(problem);
  };
  for (const ruleset of draft.rulesets) {
    for (const table of ruleset.tables.values()) {
      for (const chain of table.chains.values()) {
        for (const { matches, origin } of chain.rules) {
          for (const match of matches) {
            if (match.kind !== 'set' || draft.sets?.has(match.set) === true) continue;
            const where = configPlace(origin);
            if (draft.sets !== undefined) {
              say({ code: 'RV303', message: `nothing defines set ${match.set}`, where });
            } else {
              const message = "rules use sets, which are not in the router's state: add the output of ipset save";
              say({ code: 'RV304', message, where });
            }
          }
        }
      }
    }
  }
}
