/**
 * Prints packets per second and peak memory of a whole run over generated sessions: `npx tsx test/bench/verify.ts [sessions] [exchanges]`.
 * The compiled program is measured (npm run build first), in a process of its own.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateCapture } from './generate.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const sessions = Number(process.argv[2] ?? 1500);
const exchanges = Number(process.argv[3] ?? 163);
const folder = mkdtempSync(join(tmpdir(), 'redirect-verify-bench-'));
try {
  const path = join(folder, 'capture.pcap');
  const frames = generateCapture(path, { sessions, exchanges, payload: 520 });
  const router = join(ROOT, 'captures', 'seed-own-address', 'router');
  const site = join(ROOT, 'captures', 'seed-own-address', 'redirect-verify.yaml');
  const cli = join(ROOT, 'dist', 'cli.js');
  const started = process.hrtime.bigint();
  const peak =
    "data:text/javascript,process.on('exit',()=>console.error('peak resident memory',Math.round(process.resourceUsage().maxRSS/1024),'MiB'))";
  const run = spawnSync(
    process.execPath,
    ['--import', peak, cli, path, '--router', router, '--site', site, '--quiet'],
    { encoding: 'utf8' },
  );
  const elapsed = Number(process.hrtime.bigint() - started) / 1e9;
  console.log(run.stdout.trim(), run.stderr.trim());
  console.log(
    `${frames} frames, ${(statSync(path).size / 2 ** 20).toFixed(0)} MiB, ${elapsed.toFixed(2)} s, ${Math.round(frames / elapsed)} frames/s`,
  );
} finally {
  rmSync(folder, { recursive: true });
}
