import { attemptPlace, attemptWords, flowKey, impossibleCode, proofOfFlow } from '../join/describe-join.ts';
import type { AssessedFlow, JoinRun } from '../join/join-run.ts';
import { type Detected, detected, type Finding } from './finding.ts';

/** RV701. */
export const joinPortUnreachable: Finding = {
  kind: {
    code: 'RV701',
    slug: 'join-port-unreachable',
    severity: 'error',
    saidWhen: 'a connection that joining SPS to SPP needs is not forwarded, or was tried and refused or not answered',
    meaning:
      'Joining needs tcp 443 from SPS to SPP once, and tcp 8649 between SPP and every SPS node, opened by either side, for good. One of these connections does not come about.',
    whyItMatters:
      'Without tcp 443 the join fails; without tcp 8649 in both directions the joined clusters lose each other.',
    example: 'A filter that forwards tcp 443 and forgets tcp 8649.',
    whatToDo:
      'Where the router drops it, let it pass. Where the router forwards it and nothing answers, look at other firewalls on the way and whether the service runs.',
    references: ['One Identity: Joining SPS to SPP'],
  },
  detect: () => [],
  detectJoin: (run) => run.flows.flatMap((item) => (impossibleCode(item) === 'RV701' ? [describe(run, item)] : [])),
};

function describe(run: JoinRun, { flow, expected, attempts, last }: AssessedFlow): Detected {
  const key = flowKey('RV701', flow);
  const seen =
    last === undefined ? [] : [{ message: `in the capture: ${attemptWords(last)}`, where: attemptPlace(run, last) }];
  if (expected?.fate === 'blocked') {
    const { notes, where } = proofOfFlow(expected);
    return detected({
      key,
      message: `${flow.label}: ${expected.detail}`,
      notes: [...notes, ...seen],
      fix: expected.fix,
      ...(where !== undefined && { where }),
    });
  }
  const failed = attempts.filter((attempt) => attempt.state === last?.state).length;
  const where = last === undefined ? undefined : attemptPlace(run, last);
  const elsewhere =
    expected?.fate === 'forwarded'
      ? [{ message: 'this router forwards it by its configuration: it is lost, or refused, further on' }]
      : [];
  const passed = last?.wasForwarded === true ? [{ message: 'the capture shows it leaving a router on the way' }] : [];
  return detected({
    key,
    message: `${flow.label}: ${last === undefined ? 'impossible' : attemptWords(last)}`,
    count: Math.max(failed, 1),
    notes: [...elsewhere, ...passed],
    ...(where !== undefined && { where }),
  });
}
