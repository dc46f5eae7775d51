import type { Step, Walk } from '../forwarding/walk.ts';
import { formatMark } from '../net/masked-mark.ts';
import { formatPlace, type Span } from '../text/span.ts';

/** A packet's walk, one step a line, each with its configuration line. */
export function renderWalk(walk: Walk): string[] {
  return walk.steps.flatMap((step) => {
    const origin = 'origin' in step ? step.origin : undefined;
    return [`  ${stepWords(step)}`, ...placeLines(origin)];
  });
}

function placeLines(origin: Span | undefined): string[] {
  return origin === undefined ? [] : [`      ${formatPlace(origin)}  ${origin.text}`];
}

function stepWords(step: Step): string {
  switch (step.kind) {
    case 'conntrack': {
      const direction = step.direction === undefined ? '' : `, ${step.direction} direction`;
      const mark = step.connmark === undefined ? '' : `, connection mark ${formatMark(step.connmark)}`;
      return `conntrack     ${step.state}${direction}${mark}${step.detail === undefined ? '' : `, ${step.detail}`}`;
    }
    case 'rule':
      return `${step.hook.padEnd(13)} ${step.table} ${step.chain} rule ${step.number}: ${step.outcome === 'matched' ? '' : `${step.outcome}: `}${step.effect}`;
    case 'chain-policy':
      return `${step.hook.padEnd(13)} ${step.table} ${step.chain} policy: ${step.policy}`;
    case 'translation':
      return `${step.hook.padEnd(13)} ${step.effect}`;
    case 'policy-rule':
      return `policy rule   ${step.priority} ${step.outcome}: ${step.effect}`;
    case 'route':
      return `route         table ${step.table} ${step.prefix}${step.egress === undefined ? '' : ` dev ${step.egress}`}${step.nextHop === undefined ? '' : ` via ${step.nextHop}`}`;
    case 'reverse-path': {
      const value =
        step.effective === undefined ? 'value not known' : ['off', 'strict', 'loose'][Math.min(step.effective, 2)];
      const parts =
        step.all === undefined || step.own === undefined ? '' : ` (all ${step.all}, ${step.ingress} ${step.own})`;
      return `reverse path  ${step.ingress} ${value}${parts}: ${step.effect}: ${step.outcome}`;
    }
    case 'unknown':
      return `unknown       ${step.reason}`;
    case 'end': {
      const to =
        step.egress === undefined ? '' : ` by ${step.egress}${step.nextHop === undefined ? '' : ` to ${step.nextHop}`}`;
      return `=> ${step.disposition}${to}${step.detail === undefined ? '' : ` (${step.detail})`}`;
    }
  }
}
