/** What `npm pack` makes installs globally and runs in another folder. */
import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ROOT } from './compiled-cli.ts';
import { makeScratch, STORED } from './scratch.ts';

const scratch = makeScratch();
afterAll(() => scratch.remove());

const LONGEST_MILLISECONDS = 180_000;
/** The registry or the way to it, and not the package, is what is wrong. */
const UNREACHABLE = /ENOTCACHED|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|network/;

interface Packed {
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

function npm(args: readonly string[], cwd: string): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync('npm', args, { cwd, encoding: 'utf8', timeout: LONGEST_MILLISECONDS });
  return { status, stdout, stderr };
}

/** A copy of what the package is made of: packing builds, and must not build into the working tree. */
function pack(): { folder: string; packed: Packed } {
  const folder = scratch.folder('package');
  for (const name of [
    'src',
    'scripts',
    'package.json',
    'redirect-verify.schema.json',
    'tsconfig.json',
    'tsconfig.build.json',
    'README.md',
    'LICENSE',
  ])
    cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  // What must not get in.
  for (const name of ['test', 'captures']) scratch.write(`package/${name}/file.txt`, 'not for users');
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const { status, stdout, stderr } = npm(['pack', '--json', '--foreground-scripts=false'], folder);
  if (status !== 0) throw new Error(`npm pack: ${stderr}`);
  const [packed] = JSON.parse(stdout.slice(stdout.indexOf('['))) as Packed[];
  return { folder, packed: packed! };
}

describe('the package', () => {
  it(
    'holds what users need and nothing else, installs globally, and runs in another folder',
    (context) => {
      const { folder, packed } = pack();
      const paths = packed.files.map((file) => file.path);
      expect(paths).toEqual(
        expect.arrayContaining([
          'package.json',
          'README.md',
          'LICENSE',
          'redirect-verify.schema.json',
          'dist/bin/cli.js',
          'dist/bin/live-cap-child.js',
          'dist/bin/LICENSES.txt',
          'dist/index.js',
          'dist/index.d.ts',
        ]),
      );
      expect(
        paths.filter(
          (path) =>
            !/^((package|redirect-verify\.schema)\.json|README\.md|LICENSE|dist\/.*\.(js|d\.ts)|dist\/bin\/LICENSES\.txt)$/.test(
              path,
            ),
        ),
      ).toEqual([]);

      const prefix = scratch.folder('prefix');
      const tarball = join(folder, packed.filename);
      const installed = npm(
        ['install', '--global', '--prefix', prefix, '--prefer-offline', '--no-audit', '--no-fund', tarball],
        scratch.path,
      );
      if (installed.status !== 0 && UNREACHABLE.test(installed.stderr)) {
        console.warn(`the package was not installed: ${installed.stderr.split('\n')[0]}`);
        context.skip();
      }
      expect(installed).toMatchObject({ status: 0 });

      const elsewhere = scratch.folder('elsewhere');
      const command = join(prefix, 'bin', 'redirect-verify');
      const capture = join(ROOT, STORED.good);
      const run = spawnSync(command, [capture], { cwd: elsewhere, encoding: 'utf8' });
      expect({ status: run.status, stdout: run.stdout }).toEqual({
        status: 0,
        stdout: expect.stringMatching(/^VERIFIED /),
      });
      const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
      expect(spawnSync(command, ['--version'], { cwd: elsewhere, encoding: 'utf8' }).stdout).toBe(`${version}\n`);

      // And as a library.
      const script = `import * as api from 'redirect-verify'; console.log(typeof api.verify);`;
      const library = join(prefix, 'lib', 'node_modules', 'redirect-verify');
      const imported = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
        cwd: library,
        encoding: 'utf8',
      });
      expect(imported).toMatchObject({ status: 0, stdout: 'function\n' });
    },
    LONGEST_MILLISECONDS,
  );
});
