/**
 * Prints pieces of two lines of the sources of forwarding, drawn at random, as Stryker takes them:
 * `npx stryker run -m "$(node scripts/mutation-sample.mjs SEED SHARE)"`. The same ones for the same seed, share and sources.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const [seed = '1', share = '0.01', folder = 'src/forwarding'] = process.argv.slice(2);
const LINES = 2;
let state = Number(seed) | 0;

/** A number from 0 to 1. Ref: mulberry32 */
function random() {
  state = (state + 0x6d2b79f5) | 0;
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
}

const files = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith('.ts'));
const pieces = files.sort().flatMap((name) => {
  const path = join(folder, name);
  const count = readFileSync(path, 'utf8').split('\n').length;
  return Array.from({ length: Math.ceil(count / LINES) }, (_, index) => 1 + index * LINES)
    .filter(() => random() < Number(share))
    .map((first) => `${path}:${first}-${Math.min(count, first + LINES - 1)}`);
});
process.stdout.write(`${pieces.join(',')}\n`);
