import { lastStep } from '../verification/failures.ts';
import { diagnoseDefect, type Finding, fromDiagnoses, whereOf } from './finding.ts';

/** RV403. */
export const shadowedPolicyRule: Finding = {
  kind: {
    code: 'RV403',
    slug: 'shadowed-policy-rule',
    severity: 'error',
    saidWhen: 'an earlier policy rule decides before the redirect’s',
    meaning: 'The policy rule of the redirect is there, and a rule with a smaller priority number finds a route first.',
    whyItMatters: 'Marked packets never reach the redirect’s table.',
    example: '32766: from all lookup main / 40000: from all fwmark 0x1 lookup scb',
    whatToDo:
      'Give the redirect’s rule a smaller number than the rule that decides. Without `pref`, ip takes the number before the second rule of the list, which moves with what others add.',
    references: ['ip-rule(8)', 'kernel net/core/fib_rules.c: fib_default_rule_pref()'],
  },
  detect: (run) => fromDiagnoses(run, 'RV403'),
  diagnose: (failing) => {
    const entry = diagnoseDefect(failing, 'RV403');
    if (entry !== undefined) return entry;
    const { probe, router } = failing;
    if (probe.category !== 'bypassed' || probe.key.fwmark === 0) return undefined;
    const decided = lastStep(probe.walk, 'policy-rule');
    if (decided === undefined) return undefined;
    const fix = failing.firstThatHelps(router.remedies.raisePolicyRule(probe.key.fwmark, decided.priority));
    if (fix === undefined) return undefined;
    return {
      code: 'RV403',
      key: `RV403:${decided.priority}`,
      message: `policy rule ${decided.priority} decides before the rule of the redirect: ${decided.effect}`,
      ...whereOf(decided.origin),
      notes: [],
      fix,
      role: probe.role,
      category: probe.category,
    };
  },
};
