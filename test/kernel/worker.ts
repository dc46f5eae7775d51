/** Runs rounds of `npm run test:kernel`: each is one random router with its traffic, asked of the kernel and of the verifier. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { type Comparison, compare } from './compare.ts';
import { askDumped, hasDumped } from './dumped.ts';
import { frontDoorDifference } from './front-door.ts';
import { scenarios } from './generate.ts';
import { type Oracle, OracleError } from './oracle/oracle.ts';
import { bareScenario, compareShell, shellText } from './shell.ts';
import { describeDisagreement, shrink } from './shrink.ts';
import { type RecordedScenario, type Scenario, storedOf } from './scenario.ts';

const SHELL_CASES = fileURLToPath(new URL('shell-cases', import.meta.url));
const CASES = fileURLToPath(new URL('cases', import.meta.url));

/** What all rounds of a run have in common. */
export interface RunOptions {
  readonly seed: number;
  readonly profiles: readonly string[];
  /** Shrinks disagreements. */
  readonly shrink: boolean;
  /** Keeps what disagrees as a case. */
  readonly store: boolean;
  /** Keeps scenarios that agree, with so many frames at most. */
  readonly record: number | undefined;
  /** One in so many scenarios is asked of the command line tool, too; 0 for none. */
  readonly frontDoor: number;
  /** One in so many scenarios is made of its commands, too, and compared with its dumps; 0 for none. */
  readonly shell: number;
  /** Of one in so many scenarios the second half is judged by `conntrack -L`, too; 0 for none. */
  readonly dumped: number;
}

/** What a round came to. */
export interface RoundResult {
  readonly profile: string;
  readonly packets: number;
  readonly undetermined: number;
  readonly disagreements: number;
  /** Packets about which the kernel, asked a second time, answered otherwise, and as the verifier does. */
  readonly unsteady: number;
  /** What the kernel did not take. */
  readonly refused?: string;
  readonly throughFrontDoor: boolean;
  readonly milliseconds: number;
  readonly reasons: readonly (readonly [reason: string, count: number])[];
  /** What there is to tell about disagreements. */
  readonly text: string;
}

/** The profile and the random router of a round. */
export function scenarioOf(options: Pick<RunOptions, 'seed' | 'profiles'>, round: number): Scenario {
  const profile = options.profiles[round % options.profiles.length]!;
  return fc.sample(scenarios(profile), { seed: options.seed * 1_000_003 + round, numRuns: 1 })[0]!;
}

/** One round. */
export async function runRound(oracle: Oracle, options: RunOptions, round: number): Promise<RoundResult> {
  const started = performance.now();
  const scenario = scenarioOf(options, round);
  const { profile } = scenario;
  const nothing = {
    profile,
    packets: 0,
    undetermined: 0,
    disagreements: 0,
    unsteady: 0,
    throughFrontDoor: false,
    reasons: [],
  };
  const title = `${profile}-${options.seed}-${round}`;
  let asked: Asked;
  try {
    asked = await askSteadily(title, () => oracle.ask(scenario));
  } catch (error) {
    if (!(error instanceof OracleError)) throw error;
    return { ...nothing, refused: error.message, milliseconds: performance.now() - started, text: '' };
  }
  const { recorded, comparison } = asked;
  let { text, unsteady } = asked;
  let disagreements = comparison.disagreements.length;
  if (disagreements > 0) text += await tell(oracle, options, scenario, recorded, comparison, title);
  else if (options.record !== undefined) store(title, recorded, options.record);
  if (isTurn(round, options.shell)) {
    const differences = await compareShell(oracle, scenario, recorded.dump);
    if (differences.length === 0 && options.record !== undefined) await storeShell(oracle, title, scenario, recorded);
    if (differences.length > 0) {
      disagreements++;
      text += `\n== ${title}: the commands end in another router than the dumps show:\n${differences.join('\n')}\n`;
      text += shellText(scenario);
    }
  }
  if (isTurn(round, options.dumped) && hasDumped(scenario)) {
    const dumped = await askSteadily(`${title}, by a dump of connections`, () => askDumped(oracle, scenario));
    const { disagreements: found } = dumped.comparison;
    disagreements += found.length;
    unsteady += dumped.unsteady;
    text += dumped.text;
    if (found.length > 0)
      text += `\n== ${title}: by a dump of connections, ${found.length} packets disagree:\n${await describeDisagreement(scenario, dumped.recorded)}\n`;
  }
  const throughFrontDoor = isTurn(round, options.frontDoor);
  if (throughFrontDoor) {
    const difference = frontDoorDifference(recorded, comparison.answers);
    if (difference !== undefined) {
      disagreements++;
      text += `\n== ${title}: the command line tool does not say what the same code says in this process: ${difference}\n`;
    }
  }
  return {
    profile,
    packets: comparison.packets,
    undetermined: comparison.undetermined,
    disagreements,
    unsteady,
    throughFrontDoor,
    milliseconds: performance.now() - started,
    reasons: [...comparison.reasons],
    text,
  };
}

export interface Asked {
  readonly recorded: RecordedScenario;
  readonly comparison: Comparison;
  readonly unsteady: number;
  /** What there is to tell about answers that were others the second time. */
  readonly text: string;
}

/**
 * Where the verifier disagrees, the kernel is asked once more, and its second answers count: packets that loop, or a busy machine, can make
 * it answer by chance. What it said the first time is told and counted.
 */
export async function askSteadily(title: string, ask: () => Promise<RecordedScenario>): Promise<Asked> {
  const first = await ask();
  const before = await compare(first);
  if (before.disagreements.length === 0) return { recorded: first, comparison: before, unsteady: 0, text: '' };
  const recorded = await ask();
  const comparison = await compare(recorded);
  const others = before.disagreements.filter(
    ({ frame }) => !comparison.disagreements.some((disagreement) => disagreement.frame === frame),
  );
  const lines = others.map(
    ({ frame, kernel, verifier }) =>
      `== ${title}: frame ${frame + 1} ${first.frames[frame]!.label}: kernel ${kernel}, when asked again ${recorded.answers[frame]!.fate}, verifier ${verifier}\n`,
  );
  return { recorded, comparison, unsteady: others.length, text: lines.join('') };
}

/** One round in so many; not every N-th: with the number of profiles, that would leave most of them out. */
function isTurn(round: number, every: number): boolean {
  return every > 0 && (round + Math.floor(round / every)) % every === 0;
}

async function tell(
  oracle: Oracle,
  options: RunOptions,
  scenario: Scenario,
  recorded: RecordedScenario,
  comparison: Comparison,
  title: string,
): Promise<string> {
  const { disagreements } = comparison;
  if (!options.shrink) {
    const first = disagreements[0]!;
    const { label } = recorded.frames[first.frame]!;
    return `${title}: frame ${first.frame + 1} ${label}: kernel ${first.kernel}, verifier ${first.verifier}\n`;
  }
  const small = await shrink(oracle, scenario);
  if (options.store) store(title, small.recorded, Number.POSITIVE_INFINITY);
  const head = `\n== ${title}: ${disagreements.length} of ${comparison.packets} packets disagree; shrunk:\n`;
  return `${head}${await describeDisagreement(small.scenario, small.recorded)}\n`;
}

/** Keeps the commands of a scenario with the dumps before and after them. */
async function storeShell(oracle: Oracle, name: string, scenario: Scenario, after: RecordedScenario): Promise<void> {
  mkdirSync(SHELL_CASES, { recursive: true });
  const bare = await oracle.ask(bareScenario(scenario));
  const kept = {
    before: storedOf(bare).dump,
    commands: shellText(scenario).trimEnd().split('\n'),
    after: storedOf(after, 0).dump,
  };
  writeFileSync(`${SHELL_CASES}/${name}.json`, `${JSON.stringify(kept, undefined, 1)}\n`);
}

/** Keeps a recorded scenario, with as many frames at most. */
export function store(name: string, recorded: RecordedScenario, frames: number): void {
  mkdirSync(CASES, { recursive: true });
  const stored = storedOf(recorded, frames);
  const lines = stored.frames.map((frame) => `    ${JSON.stringify(frame)}`).join(',\n');
  const head = JSON.stringify({ ...stored, frames: [] }, undefined, 1).replace(/\[\]\s*\}$/, '');
  writeFileSync(`${CASES}/${name}.json`, `${head}[\n${lines}\n]}\n`);
}
