import { configPlace } from '../diagnostic/diagnostic.ts';
import { detected, type Finding, fromProblems } from './finding.ts';

/** RV301. */
export const unmodelledStatement: Finding = {
  kind: {
    code: 'RV301',
    slug: 'unmodelled-statement',
    severity: 'warning',
    saidWhen: 'a statement that is recognised and not modelled: its effect is unknown, never skipped',
    meaning:
      'The statement is known by name, and what it does with a packet is not simulated. Wherever it could change a path, the result is undetermined.',
    whyItMatters: 'A tool that skipped it would say verified without knowing.',
    example: '-A PREROUTING -m recent --name seen --rcheck -j MARK --set-mark 1; any table of native nftables.',
    whatToDo: 'See whether a finding RV901 names it: only there does it matter. Otherwise nothing.',
    references: [],
  },
  detect: (run) => {
    const whole = run.router.runWideUnknowns.map((item, index) =>
      detected({
        message: `${item.name} is not modelled: its effect on any packet is unknown`,
        key: `RV301:run:${index}`,
        where: configPlace(item.origin),
        undetermines: 'run',
      }),
    );
    const places = new Set(run.router.runWideUnknowns.map((item) => `${item.origin.path}:${item.origin.line}`));
    const single = fromProblems(run, 'RV301').filter(
      (item) => item.where?.kind !== 'config' || !places.has(`${item.where.path}:${item.where.line}`),
    );
    return [...whole, ...single];
  },
};
