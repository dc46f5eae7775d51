import type { Step, Walk } from '../forwarding/walk.ts';
import { stepPlace, stepWords } from '../report/step-words.ts';
import { formatPlace, type Span } from '../text/span.ts';
import { visible } from '../text/visible.ts';

/** How much of a walk is told: every step with its configuration line, the steps that had a part in its end, or the end alone. */
export type WalkDetail = 'detailed' | 'summary' | 'minimal';

/** A packet's walk, one step a line; `detailed` with each step's configuration line below it. */
export function renderWalk(walk: Walk, detail: WalkDetail = 'detailed'): string[] {
  if (detail === 'detailed') {
    return walk.steps.flatMap((step) => {
      return [`  ${visible(stepWords(step))}`, ...placeLines(stepPlace(step))];
    });
  }
  const steps = detail === 'minimal' ? walk.steps.filter((step) => step.kind === 'end') : walk.steps.filter(decides);
  return steps.map((step) => `  ${visible(stepWords(step))}`);
}

/** Whether a step changed something or had a part in the packet's end. */
function decides(step: Step): boolean {
  switch (step.kind) {
    case 'rule':
    case 'policy-rule':
      return step.outcome !== 'missed';
    case 'chain-policy':
      return step.policy !== 'ACCEPT';
    default:
      return true;
  }
}

function placeLines(origin: Span | undefined): string[] {
  return origin === undefined ? [] : [`      ${visible(`${formatPlace(origin)}  ${origin.text}`)}`];
}
