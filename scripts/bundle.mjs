/**
 * Puts the compiled command line tool with its libraries into a few files, from which it starts in half the time:
 * `node scripts/bundle.mjs [DIST]`, behind the compiler. DIST/bin holds them and the licences of what is in them.
 */
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const dist = process.argv[2] ?? 'dist';
const target = join(dist, 'bin');

rmSync(target, { recursive: true, force: true });
const { metafile } = await build({
  entryPoints: {
    cli: join(dist, 'cli.js'),
    'live-cap-child': join(dist, 'commands', 'live-cap-child.js'),
    'read-ahead-worker': join(dist, 'capture', 'read-ahead-worker.js'),
  },
  outdir: target,
  bundle: true,
  // Commands stay apart: each is loaded when it is asked for.
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  // Names stay, for stack traces.
  minifyWhitespace: true,
  minifySyntax: true,
  external: ['cap'],
  // What the libraries in CommonJS call for Node's own modules.
  banner: {
    js: "import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);",
  },
  metafile: true,
  logLevel: 'warning',
});
// A link that an installation made before there was this bundle leads here, too.
chmodSync(join(dist, 'cli.js'), 0o755);
writeFileSync(join(target, 'LICENSES.txt'), licences(Object.keys(metafile.inputs)));

/** Of every package of which something was taken. */
function licences(inputs) {
  const folders = new Set(inputs.flatMap((path) => path.match(/^.*node_modules\/(?!\.)(?:@[^/]+\/)?[^/]+/)?.[0] ?? []));
  return [...folders]
    .sort()
    .map((folder) => {
      const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
      const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
      const text = file !== undefined && existsSync(join(folder, file)) ? readFileSync(join(folder, file), 'utf8') : '';
      return `${name} ${version}, ${license}\n\n${text.trim()}\n`;
    })
    .join(`\n${'-'.repeat(80)}\n\n`);
}
