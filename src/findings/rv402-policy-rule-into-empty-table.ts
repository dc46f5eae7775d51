import { RouteTableId } from '../model/routing.ts';
import { type Finding, fromDiagnoses, whereOf } from './finding.ts';

/** RV402. */
export const policyRuleIntoEmptyTable: Finding = {
  kind: {
    code: 'RV402',
    slug: 'policy-rule-into-empty-table',
    severity: 'error',
    saidWhen: 'the redirect’s table has no route that serves the traffic: it falls through',
    meaning:
      'The policy rule selects marked packets, and the table it names has no route for them. The lookup goes on with the next rule.',
    whyItMatters: 'The packets are routed by the main table, straight to the servers. Nothing reports it.',
    example:
      'ip rule: from all fwmark 0x1 lookup scb; ip route show table scb: nothing. The route went when its interface was down.',
    whatToDo: 'Add the default route via SPS to the table, and have whatever brings the interface up add it again.',
    references: ['ip-route(8)', 'kernel net/ipv4/fib_rules.c: fib4_rule_action()'],
  },
  detect: (run) => fromDiagnoses(run, 'RV402'),
  diagnose: (failing) => {
    const { probe, router, spsInterface } = failing;
    if (probe.category !== 'bypassed' && probe.category !== 'dropped') return undefined;
    const step = probe.walk.steps.find(
      (candidate) =>
        candidate.kind === 'policy-rule' &&
        candidate.outcome === 'matched' &&
        candidate.table !== undefined &&
        candidate.table !== probe.key.table &&
        candidate.table !== RouteTableId.local &&
        candidate.table !== RouteTableId.main &&
        candidate.table !== RouteTableId.default,
    );
    if (step?.kind !== 'policy-rule' || step.table === undefined) return undefined;
    const fix = failing.firstThatHelps(router.remedies.fillTable(step.table, probe.spec.sps, spsInterface));
    if (fix === undefined) return undefined;
    return {
      code: 'RV402',
      key: `RV402:${step.table}`,
      message: `policy rule ${step.priority} sends marked packets to a table without a route for them: ${step.effect}`,
      ...whereOf(step.origin),
      notes: [],
      fix,
      role: probe.role,
      category: probe.category,
    };
  },
};
