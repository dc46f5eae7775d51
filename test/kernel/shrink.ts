/** Makes a disagreement small: leaves out whatever can be left out while verifier and kernel still disagree. */
import { renderWalk } from '../../src/formats/walk.ts';
import { type Comparison, compare } from './compare.ts';
import { type Oracle, OracleError } from './oracle/oracle.ts';
import { type RecordedScenario, restoreText, type Scenario } from './scenario.ts';

export interface Shrunk {
  readonly scenario: Scenario;
  readonly recorded: RecordedScenario;
}

/** Asks the kernel again for every smaller router. At most this often. */
const ATTEMPTS = 400;

export async function shrink(oracle: Oracle, scenario: Scenario): Promise<Shrunk> {
  let attempts = 0;
  let best = scenario;
  const disagrees = async (candidate: Scenario): Promise<boolean> => {
    if (attempts++ > ATTEMPTS) return false;
    try {
      return (await compare(await oracle.ask(candidate))).disagreements.length > 0;
    } catch (error) {
      if (error instanceof OracleError) return false;
      throw error;
    }
  };
  const reduce = async <T>(items: readonly T[], rebuild: (kept: readonly T[]) => Scenario): Promise<void> => {
    let kept = items;
    for (let size = Math.max(1, kept.length >> 1); size >= 1; size = size === 1 ? 0 : size >> 1) {
      for (let at = kept.length - size; at > -size; at -= size) {
        const from = Math.max(0, at);
        const without = [...kept.slice(0, from), ...kept.slice(at + size)];
        if (without.length === kept.length || !(await disagrees(rebuild(without)))) continue;
        kept = without;
        best = rebuild(kept);
      }
    }
  };
  // Frames behind the first that disagrees do not matter.
  const first = (await compare(await oracle.ask(scenario))).disagreements[0];
  if (first !== undefined) best = { ...best, frames: best.frames.slice(0, first.frame + 1) };
  await reduce(best.frames, (frames) => ({ ...best, frames }));
  await reduce(best.rules, (rules) => ({ ...best, rules }));
  await reduce(best.commands, (commands) => ({ ...best, commands }));
  await reduce(Object.entries(best.sysctls), (entries) => ({ ...best, sysctls: Object.fromEntries(entries) }));
  await reduce(best.dropPolicies, (dropPolicies) => ({ ...best, dropPolicies }));
  await reduce(best.frames, (frames) => ({ ...best, frames }));
  return { scenario: best, recorded: await oracle.ask(best) };
}

/** The scenario as text, what both say, and the verifier's reasoning. */
export async function describeDisagreement(scenario: Scenario, recorded: RecordedScenario): Promise<string> {
  const comparison: Comparison = await compare(recorded, true);
  const lines: string[] = [];
  for (const { name, addresses } of scenario.interfaces) lines.push(`${name}: ${addresses.join(' ')}`);
  for (const [key, value] of Object.entries(scenario.sysctls)) lines.push(`${key} = ${value}`);
  for (const variant of ['nft', 'legacy'] as const) {
    const text = restoreText(scenario, variant);
    if (text !== '') lines.push(`${variant}:`, ...text.split('\n').filter((line) => /^(-A|\*|:.* DROP)/.test(line)));
  }
  lines.push(...scenario.commands.map((command) => `ip ${command}`));
  const dumped = recorded.dump.replace(/### sysctl[\s\S]*/, '').replace(/^[\s\S]*### ip rule/, '### ip rule');
  lines.push(...dumped.split('\n').filter((line) => !/^ +(valid_lft|link)|proto kernel|127\./.test(line)));
  recorded.frames.forEach((frame, index) => {
    const answer = comparison.answers[index];
    const found = comparison.disagreements.find((item) => item.frame === index);
    lines.push(
      `${index + 1} eth${frame.in} ${frame.label}: ${recorded.answers[index]!.fate} (${answer?.unknown ?? answer?.disposition})`,
    );
    if (found !== undefined) {
      lines.push(`   KERNEL ${found.kernel}`, `   VERIFIER ${found.verifier}`);
      if (answer?.walk !== undefined) lines.push(...renderWalk(answer.walk).map((line) => `      ${line}`));
    }
  });
  return lines.join('\n');
}
