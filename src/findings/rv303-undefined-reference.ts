import type { Problem } from '../diagnostic/diagnostic.ts';
import type { Verification } from '../verification/verification.ts';
import { detected, diagnoseDefect, type Finding } from './finding.ts';

/** RV303. */
export const undefinedReference: Finding = {
  kind: {
    code: 'RV303',
    slug: 'undefined-reference',
    severity: 'warning',
    saidWhen: 'a table name, chain, set, ACL, route-map or object that nothing defines',
    meaning:
      'A statement names something that is nowhere in the given state. An error where monitored traffic meets it, else a warning.',
    whyItMatters:
      'What the router does with it is not what the text suggests; often the command was refused when it was typed.',
    example: 'ip rule: from all fwmark 0x1 lookup scb, and no rt_tables with the name scb.',
    whatToDo: 'Define it, or correct the name. For table names: give the router’s /etc/iproute2/rt_tables along.',
    references: ['ip-rule(8)', 'iptables(8)'],
  },
  detect: (run) =>
    run.problems
      .filter((problem) => problem.code === 'RV303')
      .map((problem, index) => {
        const connections =
          problem.where?.kind === 'config' ? run.connectionsAt(problem.where.path, problem.where.line) : [];
        return detected({
          message: problem.message,
          key: `RV303:${index}`,
          severity: connections.length > 0 ? 'error' : 'warning',
          connections,
          notes: problem.notes ?? [],
          fix: problem.fix ?? fixOf(run, problem),
          ...(problem.where !== undefined && { where: problem.where }),
        });
      }),
  diagnose: (failing) => diagnoseDefect(failing, 'RV303'),
};

/** What was found to help where the name is used. */
function fixOf(run: Verification, { where }: Problem): readonly string[] {
  const found = run.diagnosis.diagnoses.find(
    (item) =>
      item.code === 'RV303' &&
      item.where?.kind === 'config' &&
      where?.kind === 'config' &&
      item.where.path === where.path &&
      item.where.line === where.line,
  );
  return found?.fix ?? [];
}
