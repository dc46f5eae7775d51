/** Runs a case in this process and judges it. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Case } from './cases.ts';
import { executeHere, type Outcome } from './execute.ts';
import { violation } from './invariants.ts';

/** Writes the files of a case to a folder, which is emptied before. */
export function writeFiles(folder: string, files: ReadonlyMap<string, Buffer>): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [name, bytes] of files) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
  }
}

/** What is wrong with the case, if anything, and its outcome. Changes the working directory to `folder`. */
export async function judgeCase(
  item: Case,
  folder: string,
  stdoutPath: string,
): Promise<{ readonly wrong: string | undefined; readonly outcome: Outcome }> {
  writeFiles(folder, item.files);
  process.chdir(folder);
  const outcome = await executeHere(item.argv, stdoutPath);
  const wrong = violation(item, outcome) ?? (await claimViolation(item, outcome, stdoutPath));
  return { wrong, outcome };
}

interface Said {
  readonly verdict: string;
  readonly connections: readonly unknown[];
  readonly findings: readonly { readonly code: string; readonly message: string; readonly count: number }[];
  readonly summary: unknown;
}

async function claimViolation(item: Case, outcome: Outcome, stdoutPath: string): Promise<string | undefined> {
  if (item.claim === undefined || outcome.status === 2) return undefined;
  const said = JSON.parse(outcome.stdout) as Said;
  if (item.claim.kind === 'never-verified')
    return said.verdict === 'verified' ? 'a part of the capture of a failing set-up is verified' : undefined;
  const other = await executeHere(item.claim.argv, stdoutPath);
  const wrong = violation({ ...item, argv: item.claim.argv }, other);
  if (wrong !== undefined) return wrong;
  if (other.status === 2) return 'the same capture, written in another way, is refused';
  const again = JSON.parse(other.stdout) as Said;
  const part = (['verdict', 'summary', 'connections'] as const).find(
    (key) => JSON.stringify(said[key]) !== JSON.stringify(again[key]),
  );
  return part === undefined ? undefined : `the same capture, written in another way, has another ${part}`;
}
