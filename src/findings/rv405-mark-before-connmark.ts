import { formatPlace } from '../text/span.ts';
import { type Finding, fromDiagnoses, whereOf } from './finding.ts';

/** RV405. */
export const markBeforeConnmark: Finding = {
  kind: {
    code: 'RV405',
    slug: 'mark-before-connmark',
    severity: 'error',
    saidWhen: 'the packet mark is read before the rule that sets the connection mark: first packets bypass',
    meaning:
      'The rule that turns the connection mark into a packet mark stands before the rule that sets the connection mark.',
    whyItMatters:
      'The first packet of each connection goes straight to the server, all later ones to SPS. The session breaks, or is only half seen.',
    example: 'iptables -I … -j MARK where -A was meant: -I puts a rule at the top.',
    whatToDo: 'Move the MARK rule behind the CONNMARK rules.',
    references: ['iptables(8): -I, -A'],
  },
  detect: (run) => fromDiagnoses(run, 'RV405'),
  diagnose: (failing) => {
    const { probe, router } = failing;
    if (probe.category !== 'bypassed') return undefined;
    const { steps } = probe.walk;
    const setAt = steps.findLastIndex(
      (step) => step.kind === 'rule' && step.outcome === 'matched' && step.effect.startsWith('CONNMARK'),
    );
    if (setAt < 0) return undefined;
    const set = steps[setAt]!;
    for (const step of steps.slice(0, setAt)) {
      if (step.kind !== 'rule' || step.outcome !== 'missed' || step.table !== (set.kind === 'rule' ? set.table : ''))
        continue;
      const fix = failing.firstThatHelps(router.remedies.moveBehind(step));
      if (fix === undefined) continue;
      const later =
        set.kind === 'rule' && set.origin !== undefined ? `, which stands at ${formatPlace(set.origin)}` : '';
      return {
        code: 'RV405',
        key: `RV405:${step.table}:${step.chain}:${step.number}`,
        message: `rule ${step.number} of ${step.table} ${step.chain} reads the connection mark before the rule that sets it${later}`,
        ...whereOf(step.origin),
        notes:
          set.kind === 'rule'
            ? [{ message: `the connection mark is set here: ${set.effect}`, ...whereOf(set.origin) }]
            : [],
        fix,
        role: probe.role,
        category: probe.category,
      };
    }
    return undefined;
  },
};
