/** Everything that the verifier tells of a scenario, as text: for noticing that it tells anything else. */
import { type DecisionBatch, ConntrackView } from '../../src/forwarding/decision.ts';
import type { Forwarder } from '../../src/forwarding/forwarder.ts';
import type { Step } from '../../src/forwarding/walk.ts';
import { formatWords } from '../../src/net/ip-address.ts';
import { stepWords } from '../../src/report/step-words.ts';
import { formatPlace } from '../../src/text/span.ts';
import type { Router } from '../../src/verification/router.ts';
import { type VerifierAnswer, verifierAnswers } from './compare.ts';
import type { RecordedScenario } from './scenario.ts';

export interface Told {
  /** One text a frame: the decision, every column of it, and the walk; and one of how many decisions were taken over from earlier ones. */
  readonly texts: readonly string[];
  readonly answers: readonly (VerifierAnswer | undefined)[];
}

/** Lets the verifier answer for a recorded scenario and explain each answer. */
export async function tell(recorded: RecordedScenario): Promise<Told> {
  const columns = recorded.frames.map(() => '');
  let remembered = 0;
  const watched = (router: Router): Router => ({
    ...router,
    forwarder: (options) => {
      const forwarder = router.forwarder(options);
      const decide: Forwarder['decide'] = (batch, row, ingress, decisions, into) => {
        forwarder.decide(batch, row, ingress, decisions, into);
        columns[batch.frameNumber[row]! - 1] = columnsOf(forwarder, decisions, into);
        if (decisions.record[into]! >= 0) remembered++;
      };
      return new Proxy(forwarder, {
        get: (target, name) => {
          if (name === 'decide') return decide;
          const value: unknown = Reflect.get(target, name, target);
          return typeof value === 'function' ? value.bind(target) : value;
        },
      });
    },
  });
  const answers = await verifierAnswers(recorded, true, watched);
  const texts = answers.map((answer, index) => [columns[index], ...linesOf(answer)].join('\n'));
  return { texts: [...texts, `${remembered} of ${answers.length} remembered`], answers };
}

/** A step in words, and all that it holds. */
export function stepText(step: Step): string {
  const { origin, ...rest } = 'origin' in step ? step : { ...step, origin: undefined };
  const place = origin === undefined ? '' : `${formatPlace(origin)} ${origin.text}`;
  return `${stepWords(step)}\n   ${JSON.stringify(rest)} ${place}`;
}

const VIEWS = Object.keys(ConntrackView);

/** What a decision holds that no frame of a trace shows. */
function columnsOf(forwarder: Forwarder, decisions: DecisionBatch, row: number): string {
  const cause = forwarder.causes[decisions.cause[row]!];
  const end = (address: Uint32Array, port: Uint16Array): string =>
    `${formatWords(4, address[row]!, 0, 0, 0)}:${port[row]}`;
  return [
    VIEWS[decisions.conntrack[row]!],
    decisions.isReply[row] === 1 ? 'reply' : 'original',
    `flags ${decisions.flags[row]}`,
    `leaves ${end(decisions.leavingSource, decisions.leavingSourcePort)} > ${end(decisions.leavingDestination, decisions.leavingDestinationPort)}`,
    cause === undefined ? 'no cause' : `by ${formatPlace(cause)}`,
  ].join(', ');
}

function linesOf(answer: VerifierAnswer | undefined): string[] {
  if (answer === undefined) return ['does not enter'];
  const { disposition, egress, nextHop, fwmark, fwmarkUnknown, connmark, table, icmpRedirect, rejected } = answer;
  const said = { disposition, egress, nextHop, fwmark, fwmarkUnknown, connmark, table, icmpRedirect, rejected };
  return [JSON.stringify({ ...said, unknown: answer.unknown }), ...(answer.walk?.steps ?? []).map(stepText)];
}
