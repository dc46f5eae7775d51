/**
 * Random scenarios with what the kernel did about them, in one compressed file: `npm run kernel:corpus` asks the kernel and writes it.
 * Beside it, in another, what the verifier tells of each, word by word.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { pack, unpack } from '../told-texts.ts';
import { type RecordedScenario, recordedOf, type StoredCase } from './scenario.ts';

export const ANSWERS = fileURLToPath(new URL('corpus/answers.jsonl.br', import.meta.url));
export const SEGMENTS = fileURLToPath(new URL('corpus/segments.jsonl.br', import.meta.url));
/** Seeds of connections by the settings under which they are asked about. */
export const SEGMENT_SEEDS = fileURLToPath(new URL('corpus/segment-seeds.json', import.meta.url));
export const TOLD = fileURLToPath(new URL('corpus/told.json.br', import.meta.url));

/** A line of the file. */
export interface CorpusLine extends StoredCase {
  /** Profile, seed and round. */
  readonly title: string;
  /** Frames, from 0, about which the verifier was undetermined when the kernel was asked: no others may be. */
  readonly undetermined: readonly number[];
}

export interface CorpusScenario {
  readonly title: string;
  readonly undetermined: readonly number[];
  readonly recorded: RecordedScenario;
}

export function readCorpus(path = ANSWERS): CorpusScenario[] {
  if (!existsSync(path)) return [];
  return unpack(path)
    .trimEnd()
    .split('\n')
    .map((line) => {
      const stored = JSON.parse(line) as CorpusLine;
      return { title: stored.title, undetermined: stored.undetermined, recorded: recordedOf(stored) };
    });
}

export function writeLines(path: string, lines: readonly CorpusLine[]): void {
  pack(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
}
