import { attemptPlace, flowKey, impossibleCode } from '../join/describe-join.ts';
import { CLUSTER_PORT } from '../join/join-flow.ts';
import type { AssessedFlow, JoinRun } from '../join/join-run.ts';
import { type Detected, detected, type Finding } from './finding.ts';

/** RV707. */
export const joinOneDirection: Finding = {
  kind: {
    code: 'RV707',
    slug: 'join-one-direction',
    severity: 'error',
    saidWhen: 'tcp 8649 is possible in one direction only, or a capture shows one direction of a connection only',
    meaning:
      'SPP and SPS both open connections to tcp 8649 of each other. Or of one connection the packets of one direction alone pass here, though there was a conversation: the other direction takes another way.',
    whyItMatters:
      'A join may seem to succeed and the clusters stay apart. Where one direction takes another way, a stateful firewall on either way drops it.',
    example: 'A filter accepts tcp 8649 from SPS and nothing that SPP opens.',
    whatToDo: 'Let both directions pass; make both take the same way.',
    references: ['One Identity: Joining SPS to SPP'],
  },
  detect: () => [],
  detectJoin: (run) => [...oneWayPairs(run), ...run.flows.flatMap((item) => oneSided(run, item))],
};

function oneWayPairs(run: JoinRun): Detected[] {
  return run.intent.sps.flatMap((_, node) => {
    const pair = run.flows.filter(({ flow }) => flow.node === node && flow.port === CLUSTER_PORT);
    const works = pair.find((item) => item.verdict === 'possible');
    const fails = pair.find((item) => item.verdict === 'impossible');
    const code = fails === undefined ? undefined : impossibleCode(fails);
    if (works === undefined || fails === undefined || code === undefined) return [];
    return [
      detected({
        key: flowKey('RV707', fails.flow),
        message: `tcp ${CLUSTER_PORT} is possible in one direction only: ${works.flow.label} is, ${fails.flow.label} is not`,
        causes: [flowKey(code, fails.flow)],
      }),
    ];
  });
}

function oneSided(run: JoinRun, { flow, last }: AssessedFlow): Detected[] {
  if (last?.state !== 'one-sided') return [];
  return [
    detected({
      key: `${flowKey('RV707', flow)}:seen`,
      severity: 'warning',
      message: `${flow.label}: packets of one direction only are in the capture, though the two talked: the other direction takes another way`,
      where: attemptPlace(run, last),
    }),
  ];
}
