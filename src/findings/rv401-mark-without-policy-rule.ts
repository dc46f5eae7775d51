import { formatMark } from '../net/masked-mark.ts';
import { lastStep } from '../verification/failures.ts';
import { type Finding, fromDiagnoses } from './finding.ts';

/** RV401. */
export const markWithoutPolicyRule: Finding = {
  kind: {
    code: 'RV401',
    slug: 'mark-without-policy-rule',
    severity: 'error',
    saidWhen: 'the redirect’s mark is set, and no policy rule selects it',
    meaning: 'Packets are marked as they should be, and no rule of the policy database looks at that mark.',
    whyItMatters: 'Marked packets are routed by their destination like all others: nothing is redirected.',
    example: '-j MARK --set-mark 1, and `ip rule` shows only local, main and default.',
    whatToDo: 'Add the policy rule, and make it permanent: rules added by hand are gone after a restart.',
    references: ['ip-rule(8)'],
  },
  detect: (run) => fromDiagnoses(run, 'RV401'),
  diagnose: ({ probe, router, firstThatHelps }) => {
    const { fwmark } = probe.key;
    if (probe.category !== 'bypassed' || fwmark === 0) return undefined;
    const selected = probe.walk.steps.some(
      (step) =>
        step.kind === 'policy-rule' &&
        step.outcome !== 'missed' &&
        step.effect !== '' &&
        step.table !== undefined &&
        !isCommon(step.table),
    );
    if (selected) return undefined;
    const fix = firstThatHelps(router.remedies.selectMark(fwmark));
    if (fix === undefined) return undefined;
    // A step's mark is the one before the rule, so the rule that set the mark is told by its effect.
    const set = probe.walk.steps.findLast(
      (step) => step.kind === 'rule' && step.outcome === 'matched' && /^MARK /.test(step.effect),
    );
    const origin = set?.kind === 'rule' ? set.origin : undefined;
    const decided = lastStep(probe.walk, 'policy-rule');
    return {
      code: 'RV401',
      key: `RV401:${fwmark}`,
      message: `packets are marked ${formatMark(fwmark)}, and no policy rule selects that mark${decided === undefined ? '' : `; rule ${decided.priority} decides`}`,
      ...(origin !== undefined && { where: { kind: 'config' as const, ...origin } }),
      notes: [],
      fix,
      role: probe.role,
      category: probe.category,
    };
  },
};

function isCommon(table: number): boolean {
  return table >= 253 && table <= 255;
}
