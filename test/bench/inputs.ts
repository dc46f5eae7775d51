import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type GeneratedCapture, generateCapture } from './generate.ts';
import { largeState } from './large-state.ts';
import { seedRouter } from './seed-router.ts';

/** Counts up where the inputs change. */
const VERSION = 2;
const SEED = 20_260_401;

/** Captures by what they are for; two connections a session. */
const PLANS = {
  twoMillion: { seed: SEED, sessions: 1500, open: 1500, exchanges: 82 },
  tenMillion: { seed: SEED, sessions: 1500, open: 1500, exchanges: 416 },
  millionConnections: { seed: SEED, sessions: 500_000, open: 1500, exchanges: 0 },
  small: { seed: SEED, sessions: 2, open: 2, exchanges: 2 },
} as const satisfies Record<string, GeneratedCapture>;

export type CaptureName = keyof typeof PLANS;

const folder = join(tmpdir(), `redirect-verify-bench-${VERSION}-${SEED}`);

/** Path of a generated capture, which is made where it is not there yet. */
export function captureInput(name: CaptureName): string {
  mkdirSync(folder, { recursive: true });
  return made(join(folder, `${name}.pcap`), (path) => generateCapture(path, PLANS[name]));
}

/** The same in gzip. */
export function gzipInput(name: CaptureName): string {
  const capture = captureInput(name);
  return made(`${capture}.gz`, (path) => execFileSync('sh', ['-c', 'gzip -6 -c "$1" > "$2"', 'sh', capture, path]));
}

export { seedRouter };

/** The seed's router with the rules, tables and routes of a large one. */
export function largeRouter(): typeof seedRouter {
  mkdirSync(folder, { recursive: true });
  const seed = readFileSync(join(seedRouter.state, 'router.txt'), 'utf8');
  const state = made(join(folder, 'large-router.txt'), (path) => writeFileSync(path, largeState(seed)));
  return { state, site: seedRouter.site };
}

/** Under another name first: what was interrupted is not taken for whole. */
function made(path: string, make: (path: string) => void): string {
  if (existsSync(path)) return path;
  make(`${path}.part`);
  renameSync(`${path}.part`, path);
  return path;
}
