import { formatMark } from '../net/masked-mark.ts';
import { type Finding, fromDiagnoses, whereOf } from './finding.ts';

/** RV404. */
export const connmarkNeverRestored: Finding = {
  kind: {
    code: 'RV404',
    slug: 'connmark-never-restored',
    severity: 'error',
    saidWhen: 'the connection mark never becomes a packet mark (by restore, or by MARK under a connmark match)',
    meaning:
      'The connection is marked. Routing looks at the mark of the packet, and no rule copies the one to the other.',
    whyItMatters: 'Packets are routed by their destination: nothing is redirected.',
    example: '-A PREROUTING … -j CONNMARK --set-mark 1, and no rule with -m connmark or --restore-mark behind it.',
    whatToDo:
      'Add the rule that turns the connection mark into a packet mark, behind those that set it, not for packets from the interface of SPS.',
    references: ['iptables-extensions(8): CONNMARK'],
  },
  detect: (run) => fromDiagnoses(run, 'RV404'),
  diagnose: (failing) => {
    const { probe, router, spsInterface } = failing;
    const { connmark, fwmark } = probe.key;
    if (probe.category !== 'bypassed' || connmark <= 0 || fwmark !== 0) return undefined;
    const fix = failing.firstThatHelps(router.remedies.restoreMark(connmark, spsInterface));
    if (fix === undefined) return undefined;
    const set = probe.walk.steps.findLast(
      (step) => step.kind === 'rule' && step.outcome === 'matched' && step.effect.startsWith('CONNMARK'),
    );
    return {
      code: 'RV404',
      key: `RV404:${connmark}`,
      message: `the connection mark ${formatMark(connmark)} never becomes a packet mark`,
      ...whereOf(set?.kind === 'rule' ? set.origin : undefined),
      notes: [],
      fix,
      role: probe.role,
      category: probe.category,
    };
  },
};
