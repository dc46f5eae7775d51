/** The recipes of the README do what it says: they are run as they stand there. */
import { spawnSync } from 'node:child_process';
import { chmodSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { compiledCli, ROOT } from '../cli/compiled-cli.ts';
import { makeScratch, STORED } from '../cli/scratch.ts';

const scratch = makeScratch();
afterAll(() => scratch.remove());

const hasParallel = spawnSync('parallel', ['--version']).status === 0;
// .ci/run installs it; elsewhere it may be missing.
const required = process.env.REDIRECT_VERIFY_LAB === '1';
if (!hasParallel && !required) console.warn('the recipe with GNU parallel is skipped: it is not installed');

function recipe(name: string): string {
  const text = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const found = new RegExp(`<!-- recipe: ${name} -->\n\`\`\`sh\n([\\s\\S]*?)\n\`\`\``).exec(text)?.[1];
  if (found === undefined) throw new Error(`the README has no recipe ${name}`);
  return found;
}

/** A folder first in PATH whose `redirect-verify` is the compiled one. */
function toolOnPath(): string {
  const script = scratch.write(
    'bin/redirect-verify',
    `#!/bin/sh\nexec '${process.execPath}' '${join(compiledCli(), 'dist', 'cli.js')}' "$@"\n`,
  );
  chmodSync(script, 0o755);
  return join(scratch.path, 'bin');
}

describe.skipIf(!hasParallel && !required)('GNU parallel', () => {
  it('spreads captures, and merge makes one report of theirs', () => {
    for (const name of ['one', 'two', 'three']) scratch.copy(STORED.good, `work/day/${name}.pcapng`);
    scratch.copy(STORED.goodRouter, 'work/router.txt');
    scratch.copy(STORED.site, 'work/site.yaml');
    const { status, stdout, stderr } = spawnSync('sh', ['-ec', recipe('parallel')], {
      cwd: join(scratch.path, 'work'),
      encoding: 'utf8',
      env: { ...process.env, PATH: `${toolOnPath()}${delimiter}${process.env.PATH}`, HOME: scratch.path },
    });
    expect({ status, stderr: stderr.replaceAll(/^(Academic|.*citation|.*parallel).*\n?/gim, '') }).toMatchObject({
      status: 0,
    });
    expect(stdout).toMatch(/^VERIFIED {2}24 connections: 24 verified\n/);
    for (const name of ['one', 'two', 'three']) expect(stdout).toContain(`day/${name}.pcapng`);
  });
});
