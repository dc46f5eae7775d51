/** The recipes of the README do what it says: they are run as they stand there. */
import { spawnSync } from 'node:child_process';
import { chmodSync, readFileSync, symlinkSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { compiledCli, ROOT } from '../cli/compiled-cli.ts';
import { makeScratch, STORED } from '../cli/scratch.ts';

/** Of a vitest in a vitest, twice, on a busy machine. */
const LONGEST_MILLISECONDS = 180_000;

const scratch = makeScratch();
afterAll(() => scratch.remove());

const hasParallel = spawnSync('parallel', ['--version']).status === 0;
// .ci/run installs it; elsewhere it may be missing.
const required = process.env.REDIRECT_VERIFY_LAB === '1';
if (!hasParallel && !required) console.warn('the recipe with GNU parallel is skipped: it is not installed');

function recipe(name: string, language = 'sh'): string {
  const text = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const found = new RegExp(`<!-- recipe: ${name} -->\n\`\`\`${language}\n([\\s\\S]*?)\n\`\`\``).exec(text)?.[1];
  if (found === undefined) throw new Error(`the README has no recipe ${name}`);
  return found;
}

/** A folder first in PATH whose `redirect-verify` is the compiled one. */
function toolOnPath(): string {
  const script = scratch.write(
    'bin/redirect-verify',
    `#!/bin/sh\nexec '${process.execPath}' '${join(compiledCli(), 'dist', 'bin', 'cli.js')}' "$@"\n`,
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

describe('vitest', () => {
  it(
    'runs the test of the README against the package as it is installed',
    () => {
      const folder = scratch.folder('vitest');
      scratch.folder('vitest/node_modules');
      symlinkSync(compiledCli(), join(folder, 'node_modules', 'redirect-verify'));
      symlinkSync(join(ROOT, 'node_modules', 'vitest'), join(folder, 'node_modules', 'vitest'));
      scratch.write('vitest/package.json', '{ "type": "module" }');
      scratch.write('vitest/rdp.test.ts', recipe('vitest', 'ts'));
      const run = (capture: string, router: string) => {
        scratch.copy(capture, 'vitest/rdp.pcapng');
        scratch.copy(router, 'vitest/router.txt');
        const vitest = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs');
        return spawnSync(process.execPath, [vitest, 'run', '--root', folder], {
          cwd: folder,
          encoding: 'utf8',
          env: { ...process.env, NO_COLOR: '1' },
        });
      };
      const good = run(STORED.good, STORED.goodRouter);
      expect({ status: good.status, stderr: good.stderr }).toEqual({ status: 0, stderr: '' });
      expect(good.stdout).toMatch(/Tests {2}1 passed/);
      const bad = run(STORED.bad, STORED.badRouter);
      expect(bad.status).toBe(1);
      expect(bad.stderr).toContain(
        'expected every monitored connection to traverse SPS both ways, but the report is failed',
      );
    },
    LONGEST_MILLISECONDS,
  );
});
