/**
 * `npm run kernel:corpus`: asks the kernel about random scenarios and keeps those of them that are worth the most, for
 * corpus.test.ts: each piece of the forwarding code, and each text, that few of the others reach.
 */
import { Session } from 'node:inspector/promises';
import { parseArgs } from 'node:util';
import { ANSWERS, type CorpusLine, writeLines } from './corpus.ts';
import { askDumped, hasDumped } from './dumped.ts';
import { PROFILES } from './generate.ts';
import { missingForOracle, Oracle, OracleError } from './oracle/oracle.ts';
import { type RecordedScenario, recordedOf, storedOf } from './scenario.ts';
import { tell } from './told.ts';
import { type Asked, askSteadily, scenarioOf } from './worker.ts';

/** In texts and blocks. */
const PROFILE_WORTH = 30;

interface Candidate {
  readonly line: CorpusLine;
  /** Blocks of code that it runs, and texts that it shows. */
  readonly features: ReadonlySet<string>;
}

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    /** How many scenarios the kernel is asked about. */
    rounds: { type: 'string', default: '780' },
    /** How many are kept, in frames. */
    frames: { type: 'string', default: '9000' },
  },
});

async function main(): Promise<number> {
  const missing = missingForOracle();
  if (missing.length > 0) {
    process.stderr.write(`kernel:corpus asks the running kernel, and here it lacks: ${missing.join('; ')}\n`);
    return 2;
  }
  const seed = Number(values.seed);
  const oracle = await Oracle.start();
  const candidates: Candidate[] = [];
  let disagreeing = 0;
  try {
    for (let round = 0; round < Number(values.rounds); round++) {
      const scenario = scenarioOf({ seed, profiles: Object.keys(PROFILES) }, round);
      const asks: [title: string, ask: () => ReturnType<Oracle['ask']>][] = [
        [`${scenario.profile}-${seed}-${round}`, () => oracle.ask(scenario)],
      ];
      if (round % 5 === 0 && hasDumped(scenario))
        asks.push([`${scenario.profile}-${seed}-${round}-dumped`, () => askDumped(oracle, scenario)]);
      for (const [title, ask] of asks) {
        const asked = await steadily(title, ask);
        if (asked === undefined) continue;
        const { disagreements } = asked.comparison;
        if (disagreements.length === 0) candidates.push(await candidateOf(title, asked.recorded));
        else {
          disagreeing++;
          process.stdout.write(`${title} is not kept: ${JSON.stringify(disagreements[0])}\n`);
        }
      }
    }
  } finally {
    await oracle.stop();
  }
  const kept = choose(candidates, Number(values.frames));
  writeLines(
    ANSWERS,
    kept.map(({ line }) => line),
  );
  const frames = kept.reduce((sum, { line }) => sum + line.frames.length, 0);
  process.stdout.write(`${kept.length} of ${candidates.length} scenarios, ${frames} frames: ${ANSWERS}\n`);
  return disagreeing > 0 ? 1 : 0;
}

async function steadily(title: string, ask: () => ReturnType<Oracle['ask']>): Promise<Asked | undefined> {
  try {
    return await askSteadily(title, ask);
  } catch (error) {
    if (error instanceof OracleError) return undefined;
    throw error;
  }
}

async function candidateOf(title: string, recorded: RecordedScenario): Promise<Candidate> {
  const stored = storedOf(recorded);
  const features = new Set(Array.from({ length: PROFILE_WORTH }, (_, index) => `${recorded.profile} ${index}`));
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  // As it will be read.
  const { texts, answers } = await tell(recordedOf(stored));
  const { result } = await session.post('Profiler.takePreciseCoverage');
  session.disconnect();
  for (const { url, functions } of result) {
    if (!url.includes('/src/forwarding/')) continue;
    for (const { ranges } of functions)
      for (const { startOffset, endOffset, count } of ranges)
        if (count > 0) features.add(`${url} ${startOffset} ${endOffset}`);
  }
  for (const text of texts)
    for (const step of text.split('\n')) if (!step.startsWith('   ')) features.add(masked(step));
  const undetermined = answers.flatMap((answer, index) => (answer?.disposition === 'undetermined' ? [index] : []));
  return { line: { title, undetermined, ...stored }, features };
}

/** Without what differs from packet to packet. */
function masked(text: string): string {
  return text.replaceAll(/0x[0-9a-f]+|[0-9a-f]*:[0-9a-f:]+|\d+/g, '#').replaceAll(/[#.:/]{2,}/g, '#');
}

/**
 * The most worth for its length first, worth being what the ones before reach seldom or never, until there are so many frames. A profile
 * is a feature, too, of which a few are wanted.
 */
function choose(candidates: readonly Candidate[], most: number): Candidate[] {
  const reached = new Map<string, number>();
  const left = new Set(candidates);
  const kept: Candidate[] = [];
  for (let frames = 0; frames < most && left.size > 0; ) {
    let best: Candidate | undefined;
    let bestWorth = -1;
    for (const candidate of left) {
      let worth = 0;
      for (const feature of candidate.features) worth += 1 / (1 + (reached.get(feature) ?? 0)) ** 2;
      worth /= candidate.line.frames.length + 10;
      if (worth > bestWorth) [best, bestWorth] = [candidate, worth];
    }
    left.delete(best!);
    kept.push(best!);
    frames += best!.line.frames.length;
    for (const feature of best!.features) reached.set(feature, (reached.get(feature) ?? 0) + 1);
  }
  return kept.sort((a, b) => (a.line.title < b.line.title ? -1 : 1));
}

process.exitCode = await main();
