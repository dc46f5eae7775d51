import type { Match, Rule, Target } from '../../model/netfilter.ts';
import type { Family } from '../../net/ip-address.ts';
import type { Word } from '../../text/line-scanner.ts';
import { parseMaskedAddress } from './iptables-address.ts';
import { type OptionUse, RuleError, type RuleContext } from './iptables-extension.ts';
import type { MatchExtension } from './iptables-matches.ts';
import { PASS_THROUGH_TARGETS, type TargetExtension, UNMODELLED_TARGETS } from './iptables-targets.ts';

/** A rule without its place. */
export type RuleBody = Omit<Rule, 'origin'>;

/** An extension that the rule has loaded and the options that it was given. `extension` is absent where it is not modelled. */
export interface Loaded<E> {
  readonly name: string;
  readonly extension?: E;
  readonly uses: OptionUse[];
  /** Of unmodelled ones: the words as written. */
  readonly words: string[];
}

/** A value as written, and whether an exclamation mark stands before it. */
export interface Invertible {
  readonly text: string;
  readonly negated: boolean;
}

/** What a line says of its rule, read and not put together. */
export interface RuleParts {
  readonly chain: string;
  readonly sources: Invertible | undefined;
  readonly destinations: Invertible | undefined;
  readonly inInterface: Match | undefined;
  readonly outInterface: Match | undefined;
  /** `-i +`: given, and no condition. */
  readonly matchesAllIn: boolean;
  readonly protocol: { readonly number: number; readonly negated: boolean } | undefined;
  readonly fragment: { readonly negated: boolean } | undefined;
  readonly matches: readonly Loaded<MatchExtension>[];
  readonly target: Loaded<TargetExtension> | undefined;
  readonly goto: string | undefined;
  readonly comment: string | undefined;
}

/** What rules are put together under. */
export interface RuleLimits {
  readonly family: Family;
  readonly innerNegation: boolean;
  readonly expansionLimit: number;
}

/** Makes rules of what was read of one: one for each pair of addresses. Adds names of extensions that nobody has heard of. Throws RuleError. */
export function buildRules(
  parts: RuleParts,
  { family, innerNegation, expansionLimit }: RuleLimits,
  unheard: string[],
): RuleBody[] {
  assertInterfaces(parts);
  const { protocol, inInterface, outInterface, fragment } = parts;
  const context: RuleContext = {
    family,
    dumped: innerNegation,
    ...(protocol === undefined ? {} : { protocol }),
  };
  const rest: Match[] = [];
  if (inInterface !== undefined) rest.push(inInterface);
  if (outInterface !== undefined) rest.push(outInterface);
  if (protocol !== undefined) {
    rest.push({ kind: 'protocol', protocol: protocol.number, negated: protocol.negated });
  }
  if (fragment !== undefined) rest.push({ kind: 'fragment', negated: fragment.negated });
  for (const loaded of parts.matches) {
    if (loaded.extension !== undefined) rest.push(...loaded.extension.build(loaded.uses, context));
    else rest.push({ kind: 'unmodelled', name: loaded.name, text: ['-m', loaded.name, ...loaded.words].join(' ') });
  }
  const target = buildTarget(parts, context, unheard);
  const comment = parts.comment === undefined ? {} : { comment: parts.comment };
  return expandAddresses(parts, family, expansionLimit).map((addresses) => ({
    matches: dedupeHeaders([...addresses, ...rest]),
    target,
    ...comment,
  }));
}

/** Ref: iptables refuses `-o` where no egress is known yet and `-i` where no ingress is any more. */
function assertInterfaces({ chain, inInterface, outInterface, matchesAllIn }: RuleParts): void {
  if (outInterface !== undefined && ['PREROUTING', 'INPUT'].includes(chain)) {
    throw new RuleError(`-o cannot be used in ${chain}`);
  }
  if ((inInterface !== undefined || matchesAllIn) && ['POSTROUTING', 'OUTPUT'].includes(chain)) {
    throw new RuleError(`-i cannot be used in ${chain}`);
  }
}

function buildTarget({ goto, target }: RuleParts, context: RuleContext, unheard: string[]): Target {
  if (goto !== undefined) return { kind: 'goto', chain: goto };
  if (target === undefined) return { kind: 'none' };
  if (target.extension !== undefined) return target.extension.build(target.uses, context);
  const text = ['-j', target.name, ...target.words].join(' ');
  if (PASS_THROUGH_TARGETS.has(target.name)) return { kind: 'pass-through', name: target.name };
  if (UNMODELLED_TARGETS.has(target.name)) return { kind: 'unmodelled', name: target.name, text };
  if (target.words.length > 0) {
    unheard.push(`-j ${target.name}`);
    return { kind: 'unmodelled', name: target.name, text };
  }
  return { kind: 'jump', chain: target.name };
}

function expandAddresses(parts: RuleParts, family: Family, limit: number): Match[][] {
  const sources = expandOption('source', parts.sources, family, limit);
  const destinations = expandOption('destination', parts.destinations, family, limit);
  if (sources.length * destinations.length > limit) {
    throw new RuleError(`the rule expands to ${sources.length * destinations.length} rules, more than this tool takes`);
  }
  if (
    sources.length * destinations.length > 1 &&
    (parts.sources?.negated === true || parts.destinations?.negated === true)
  ) {
    throw new RuleError('several addresses cannot stand beside an inverted one');
  }
  return sources.flatMap((source) => destinations.map((destination) => [...source, ...destination]));
}

function expandOption(
  kind: 'source' | 'destination',
  given: Invertible | undefined,
  family: Family,
  limit: number,
): Match[][] {
  if (given === undefined) return [[]];
  const parts = given.text.split(',');
  if (parts.length > limit) {
    throw new RuleError(`the rule expands to ${parts.length} rules, more than this tool takes`);
  }
  return parts.map((part) => {
    const { address, mask } = parseMaskedAddress(part, family);
    const everything = mask.every((word) => word === 0);
    return everything && !given.negated ? [] : [{ kind, address, mask, negated: given.negated }];
  });
}

/** One condition on the transport header is enough, however often the extension was loaded. */
function dedupeHeaders(matches: readonly Match[]): Match[] {
  const seen = new Set<number>();
  return matches.filter((match) => {
    if (match.kind !== 'transport-header') return true;
    if (seen.has(match.protocol)) return false;
    seen.add(match.protocol);
    return true;
  });
}

/** What of a rule is not modelled, in the words of its command. */
export function unmodelledNames(rules: readonly RuleBody[]): string[] {
  const first = rules[0];
  if (first === undefined) return [];
  const names = first.matches.flatMap((match) => (match.kind === 'unmodelled' ? [`-m ${match.name}`] : []));
  if (first.target.kind === 'ct' && first.target.helper !== undefined) return [...names, '-j CT --helper'];
  return first.target.kind === 'unmodelled' ? [...names, `-j ${first.target.name}`] : names;
}

/** Name of match and target of a rule that could not be read. */
export const NOT_UNDERSTOOD = 'not understood';

/** The rule that stands for one that could not be read: whether it matches and what it then does are both unknown. */
export function unknownRule(words: readonly Word[]): RuleBody {
  const text = words.map((word) => word.text).join(' ');
  return {
    matches: [{ kind: 'unmodelled', name: NOT_UNDERSTOOD, text }],
    target: { kind: 'unmodelled', name: NOT_UNDERSTOOD, text },
  };
}
