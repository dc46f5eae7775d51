import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { judge } from './compare.ts';
import { ToldTexts } from '../told-texts.ts';
import { type CorpusScenario, readCorpus, SEGMENTS, TOLD } from './corpus.ts';
import { PROFILES } from './generate.ts';
import { LOSSES, partly } from './partial.ts';
import { type RecordedScenario, recordedOf, type StoredCase } from './scenario.ts';
import { tell } from './told.ts';

const FOLDER = fileURLToPath(new URL('cases', import.meta.url));
const corpus = readCorpus();
const told = new ToldTexts(TOLD);

/** The kernel's answers hold first; then what the verifier tells of them is what is stored, frame by frame. */
async function check(title: string, recorded: RecordedScenario, undetermined?: readonly number[]): Promise<void> {
  const { texts, answers } = await tell(recorded);
  const { disagreements } = judge(recorded, answers);
  const labelled = disagreements.map((item) => ({ ...item, packet: recorded.frames[item.frame]!.label }));
  expect(labelled).toEqual([]);
  if (undetermined !== undefined) {
    const open = answers.flatMap((answer, index) => (answer?.disposition === 'undetermined' ? [index] : []));
    expect(open.filter((index) => !undetermined.includes(index))).toEqual([]);
  }
  told.expect(title, texts);
}

describe('random scenarios are answered as the kernel did, with the words that are stored', () => {
  it.each([...corpus, ...readCorpus(SEGMENTS)].map((scenario) => [scenario.title, scenario] as const))(
    '%s',
    async (title, { recorded, undetermined }) => check(title, recorded, undetermined),
  );
});

/** Every loss in some scenarios, and other scenarios for each. */
const partial = Object.keys(LOSSES).flatMap((loss, at) =>
  corpus
    .filter((_, index) => (index + at) % 8 === 0)
    .flatMap(({ title, recorded }: CorpusScenario, index) => {
      const less = partly(recorded, loss, 7 * index + at);
      return less === undefined ? [] : [[`${title}, ${loss}`, less] as const];
    }),
);

describe('where less is known of the router, what is still said is what the kernel did', () => {
  it.each(partial)('%s', async (title, recorded) => check(title, recorded));
});

describe('stored cases are told with the words that are stored', () => {
  const cases = readdirSync(FOLDER).filter((name) => name.endsWith('.json'));
  it.each(cases)('%s', async (name) => {
    const recorded = recordedOf(JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as StoredCase);
    await check(name, recorded);
  });
});

it('is of every profile', () => {
  const profiles = new Set(corpus.map(({ recorded }) => recorded.profile));
  expect([...profiles]).toEqual(expect.arrayContaining(Object.keys(PROFILES)));
});

afterAll(() => told.save());
