/** Recorded routers of which a part is not known: whatever the verifier still says has to be what the kernel did. */
import type { RecordedScenario } from './scenario.ts';

/** A way to know less, on a dump; the number picks where. Returns the dump as it is where there is nothing of the kind in it. */
type Loss = (dump: string, pick: number) => string;

const without =
  (pattern: RegExp): Loss =>
  (dump) =>
    dump.replaceAll(pattern, '');

/** Replaces one of the matches. */
function replaceOne(dump: string, pattern: RegExp, pick: number, by: (match: string) => string): string {
  const matches = [...dump.matchAll(pattern)];
  if (matches.length === 0) return dump;
  const match = matches[pick % matches.length]!;
  return dump.slice(0, match.index) + by(match[0]) + dump.slice(match.index + match[0].length);
}

/** A rule gets a match that the verifier cannot judge: it may hit or not, as the rule did without it. */
const unjudgedRule: Loss = (dump, pick) =>
  replaceOne(dump, /^-A \S+ (?=.*-[jg] )/gm, pick, (head) => `${head}-m time --timestart 01:00:00 `);

const allUnjudged: Loss = (dump) =>
  dump.replaceAll(/^-A \S+ (?=.*-[jg] )/gm, (head) => `${head}-m time --timestart 01:00:00 `);

export const LOSSES: Readonly<Record<string, Loss>> = {
  'a rule with a match that is not modelled': unjudgedRule,
  'only rules with matches that are not modelled': allUnjudged,
  'no rp_filter': without(/^net\.ipv4\.conf\.\w+\.rp_filter = .*\n/gm),
  'no src_valid_mark': without(/^net\.ipv4\.conf\.\w+\.src_valid_mark = .*\n/gm),
  'a setting less': (dump, pick) => replaceOne(dump, /^net\.\S+ = .*\n/gm, pick, () => ''),
  'no settings': without(/^net\.\S+ = .*\n/gm),
  'no policy rules': without(/^### ip (?:-6 )?rule show\n(?:.*\t.*\n)*/gm),
  'no rules of netfilter': without(/^### ip6?tables-\w+-save\n(?:(?!###).*\n)*/gm),
};

/**
 * The scenario with less known of its router; undefined where it has nothing of the kind. About ICMP errors nothing is compared then: a
 * redirect is foretold where there may be one.
 */
export function partly(recorded: RecordedScenario, loss: string, pick: number): RecordedScenario | undefined {
  const dump = LOSSES[loss]!(recorded.dump, pick);
  if (dump === recorded.dump) return undefined;
  return { ...recorded, dump, answers: recorded.answers.map(({ errors: _, ...answer }) => answer) };
}
