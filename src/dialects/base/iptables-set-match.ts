/** `-m set`. Ref: iptables-extensions(8), set. */
import type { Match } from '../../model/netfilter.ts';
import type { MatchExtension } from './iptables-matches.ts';
import { argumentOf, type OptionUse, refuseNegation, RuleError } from './iptables-extension.ts';

const OPTIONS = {
  'match-set': 2,
  set: 2,
  'return-nomatch': 0,
  'update-counters': 0,
  'update-subcounters': 0,
  'packets-eq': 1,
  'packets-lt': 1,
  'packets-gt': 1,
  'bytes-eq': 1,
  'bytes-lt': 1,
  'bytes-gt': 1,
} as const;

const DIRECTIONS: Readonly<Record<string, 'source' | 'destination'>> = { src: 'source', dst: 'destination' };

/** The directions `src,dst` of a set's parts. */
export function setDirections(text: string): ('source' | 'destination')[] {
  const words = text.split(',');
  if (words.length > 6) throw new RuleError('a set takes at most six directions');
  return words.map((word) => {
    const direction = Object.hasOwn(DIRECTIONS, word) ? DIRECTIONS[word] : undefined;
    if (direction === undefined) throw new RuleError(`"${word}" is neither src nor dst`);
    return direction;
  });
}

/** The condition of one `-m set`. Tests of the set's counters, which no dump tells for the time of a packet, are not modelled. */
function buildSet(uses: readonly OptionUse[]): Match[] {
  const named = uses.filter((use) => use.name === 'match-set' || use.name === 'set');
  const [use] = named;
  if (use === undefined || named.length > 1) throw new RuleError('-m set needs --match-set once');
  const [set = '', directions = ''] = use.arguments;
  const flag = uses.find((other) => other.name === 'return-nomatch');
  if (flag !== undefined) refuseNegation(flag);
  const counted = uses.filter((other) => /^(?:packets|bytes)-/.test(other.name));
  return [
    {
      kind: 'set',
      set,
      directions: setDirections(directions),
      returnNomatch: flag !== undefined,
      negated: use.negated,
    },
    ...counted.map((other): Match => {
      const text = `${other.negated ? '! ' : ''}--${other.name} ${argumentOf(other)}`;
      return { kind: 'unmodelled', name: `set --${other.name}`, text };
    }),
  ];
}

/** The extension. */
export const SET_MATCH: MatchExtension = {
  options: OPTIONS,
  build: buildSet,
  documented: ['update-counters', 'update-subcounters'],
  unmodelled: ['packets-eq', 'packets-lt', 'packets-gt', 'bytes-eq', 'bytes-lt', 'bytes-gt'],
  synonyms: { set: 'match-set' },
};
