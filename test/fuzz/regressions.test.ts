/** What the fuzzer found once stays found: each stored case runs, and nothing is wrong with its end. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Runner } from './runner.ts';
import { readCase } from './stored-case.ts';

const FOLDER = join(import.meta.dirname, 'regressions');
const runner = new Runner();
afterAll(() => runner.close());

describe('stored cases', () => {
  it.each(readdirSync(FOLDER).sort())('%s', async (name) => {
    const { wrong, crash } = await runner.one(readCase(join(FOLDER, name)));
    expect({ wrong, crash }).toEqual({ wrong: undefined, crash: undefined });
  });
});
