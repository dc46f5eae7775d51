import type { Step } from '../forwarding/walk.ts';
import { formatMark } from '../net/masked-mark.ts';
import type { Span } from '../text/span.ts';

/** The configuration line of a step; absent where its statement is implied. */
export function stepPlace(step: Step): Span | undefined {
  return 'origin' in step ? step.origin : undefined;
}

/** One step in words, without its configuration line. */
export function stepWords(step: Step): string {
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
    case 'route': {
      const [by, to] = step.by === undefined ? ['dev', 'via'] : ['by', 'to'];
      const egress = step.egress === undefined ? '' : ` ${by} ${step.egress}`;
      const nextHop = step.nextHop === undefined ? '' : ` ${to} ${step.nextHop}`;
      return `route         ${step.by ?? `table ${step.table} ${step.prefix}`}${egress}${nextHop}`;
    }
    case 'filter': {
      const at = step.interface === undefined ? '' : ` on ${step.interface}`;
      return `${FILTER_WORDS[step.stage]} ${step.list}${at}: ${step.effect}: ${step.outcome}`;
    }
    case 'classifier':
      return `policy        ${step.effect}`;
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

const FILTER_WORDS = {
  input: 'input list   ',
  output: 'output list  ',
  forward: 'packet filter',
  match: 'match        ',
} as const;
