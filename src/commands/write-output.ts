import { existsSync, realpathSync, renameSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { InputError } from '../text/input-error.ts';
import { visible } from '../text/visible.ts';

/** Writes to standard output to the end, also where a pipe takes it slowly; a reader that went away is no error. */
export function writeOut(text: string): void {
  const bytes = Buffer.from(text);
  for (let offset = 0; offset < bytes.length; ) {
    try {
      offset += writeSync(1, bytes, offset, Math.min(bytes.length - offset, 1 << 16));
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code === 'EAGAIN') continue;
      if (code === 'EPIPE') return;
      throw error;
    }
  }
}

/**
 * Writes a report to a file, whole or not at all, never over one of the run's inputs. What is there and no plain file (a device, a pipe) is
 * written to and not replaced; neither is a link.
 */
export function writeFileWhole(path: string, text: string, inputs: readonly string[]): void {
  refuseInput(path, inputs);
  try {
    const existing = statSync(path, { throwIfNoEntry: false });
    if (existing !== undefined && !existing.isFile()) writeFileSync(path, text);
    else replaceFile(existing === undefined ? path : realpathSync(path), text);
  } catch (error) {
    throw new InputError(
      `${path}: cannot be written (${error instanceof Error && 'code' in error ? error.code : error})`,
    );
  }
}

function replaceFile(path: string, text: string): void {
  const temporary = join(dirname(path), `.redirect-verify-${process.pid}.tmp`);
  try {
    writeFileSync(temporary, text);
    renameSync(temporary, path);
  } catch (error) {
    // Where the folder is none, there is nothing to remove, and saying so would hide what went wrong.
    if (existsSync(temporary)) rmSync(temporary, { force: true });
    throw error;
  }
}

/** A line on standard error, of words that may be an input's. */
export function sayToError(words: string): void {
  process.stderr.write(`${visible(words)}\n`);
}

/** Throws InputError where the output would overwrite an input. */
export function refuseInput(path: string, inputs: readonly string[], option = '--output'): void {
  if (!existsSync(path)) return;
  const real = realpathSync(path);
  for (const input of inputs) {
    if (existsSync(input) && realpathSync(input) === real)
      throw new InputError(`${option} ${path}: is an input of this run and is not overwritten`);
  }
}
