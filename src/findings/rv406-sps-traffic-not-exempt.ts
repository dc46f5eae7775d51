import { diagnoseDefect, type Finding, fromDiagnoses, whereOf } from './finding.ts';

/** RV406. */
export const spsTrafficNotExempt: Finding = {
  kind: {
    code: 'RV406',
    slug: 'sps-traffic-not-exempt',
    severity: 'error',
    saidWhen: 'packets coming from SPS get the redirect mark too',
    meaning: 'The rule that sets the packet mark also matches packets that come in by the interface of SPS.',
    whyItMatters: 'What SPS sends is redirected to SPS: a loop.',
    example: '-A PREROUTING -m connmark --mark 0x1 -j MARK --set-mark 0x1',
    whatToDo: 'Add `! -i INTERFACE-OF-SPS` to the rule.',
    references: ['iptables(8): --in-interface'],
  },
  detect: (run) => fromDiagnoses(run, 'RV406'),
  diagnose: (failing) => {
    const { probe, router, spsInterface } = failing;
    if (probe.category !== 'looped' || !probe.fromSps) return undefined;
    const entry = diagnoseDefect(failing, 'RV406');
    if (entry !== undefined) return entry;
    const marking = probe.walk.steps.filter(
      (step) => step.kind === 'rule' && step.outcome === 'matched' && step.effect.startsWith('MARK'),
    );
    for (const step of marking) {
      if (step.kind !== 'rule') continue;
      const fix = failing.firstThatHelps(router.remedies.exemptInterface(step, spsInterface));
      if (fix === undefined) continue;
      return {
        code: 'RV406',
        key: `RV406:${step.table}:${step.chain}:${step.number}`,
        message: `rule ${step.number} of ${step.table} ${step.chain} marks packets from SPS, too (${spsInterface} is not exempt)`,
        ...whereOf(step.origin),
        notes: [],
        fix,
        role: probe.role,
        category: probe.category,
      };
    }
    return undefined;
  },
};
