/** `npm run test:kernel -- --breakage NAME|all`: how many packets it takes to notice a mistake. */
import { spawn } from 'node:child_process';
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Breakage, withBreakage } from './breakages.ts';
import { Oracle, OracleError } from './oracle/oracle.ts';
import type { Replayed } from './replay.ts';
import { scenarioOf, store } from './worker.ts';

/** What is measured with. */
export interface PowerOptions {
  readonly seeds: readonly number[];
  readonly profiles: readonly string[];
  /** Of each seed. */
  readonly packets: number;
  /** Keeps the shortest scenario that shows each mistake as a case. */
  readonly store: boolean;
}

/**
 * Asks the kernel once for each seed, and each broken verifier about the same. Prints a line for each mistake; false where one was not
 * noticed with one of the seeds, or where the verifier as it is disagrees, too.
 */
export async function measurePower(breakages: readonly Breakage[], options: PowerOptions): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'redirect-verify-power-'));
  try {
    const files = await inTwos(options.seeds, (seed) => recordSeed(seed, options, join(folder, `${seed}.ndjson`)));
    const whole = await replayAll(undefined, files);
    const wrong = whole.find(({ found }) => found !== undefined);
    if (wrong !== undefined) {
      process.stdout.write(`the verifier as it is disagrees with the kernel: ${wrong.found}\n`);
      return false;
    }
    process.stdout.write(
      `seeds ${options.seeds.join(', ')}: ${whole.map(({ packets }) => packets).join(', ')} packets\n`,
    );
    const results = await inTwos(breakages, async (breakage) => {
      const replayed = await replayAll(breakage, files);
      const counts = replayed.map(({ packets, found }) => (found === undefined ? 'not noticed' : packets));
      process.stdout.write(`${breakage.name.padEnd(15)} ${breakage.mistake}: ${counts.join(', ')}\n`);
      for (const { found } of replayed) if (found !== undefined) process.stdout.write(`    ${found}\n`);
      const shown = replayed
        .flatMap(({ scenario }) => scenario ?? [])
        .sort((a, b) => a.frames.length - b.frames.length);
      if (options.store && shown[0] !== undefined) store(`shows-${breakage.name}`, shown[0], Number.POSITIVE_INFINITY);
      return replayed.every(({ found }) => found !== undefined);
    });
    return results.every((noticed) => noticed);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The kernel's answers to a seed's scenarios, one a line. */
async function recordSeed(seed: number, options: PowerOptions, path: string): Promise<string> {
  const oracle = await Oracle.start();
  const file = createWriteStream(path);
  try {
    let packets = 0;
    for (let round = 0; packets < options.packets; round++) {
      try {
        const recorded = await oracle.ask(scenarioOf({ seed, profiles: options.profiles }, round));
        packets += recorded.frames.length;
        file.write(`${JSON.stringify({ title: `${recorded.profile}-${seed}-${round}`, recorded })}\n`);
      } catch (error) {
        if (!(error instanceof OracleError)) throw error;
      }
    }
  } finally {
    await oracle.stop();
    await new Promise((resolve) => file.end(resolve));
  }
  return path;
}

/** Each file's replay by a copy of the sources with the mistake in it, or as they are. */
export function replayAll(breakage: Breakage | undefined, files: readonly string[]): Promise<Replayed[]> {
  return withBreakage(breakage, async (folder) => {
    const results: Replayed[] = [];
    for (const file of files) results.push(await replayIn(folder, file));
    return results;
  });
}

/** In a process of its own, which has the sources of that folder. */
function replayIn(folder: string, file: string): Promise<Replayed> {
  return new Promise((resolve, reject) => {
    const script = join(folder, 'test/kernel/replay.ts');
    const child = spawn(process.execPath, ['--import', 'tsx', script, file], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.on('data', (part: Buffer) => {
      text += part.toString();
    });
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(JSON.parse(text) as Replayed);
      else reject(new Error(`a replay ended with ${code}`));
    });
  });
}

/** Two at a time, results in order. */
export async function inTwos<T, R>(items: readonly T[], action: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < items.length) {
      const index = next++;
      results[index] = await action(items[index]!);
    }
  };
  await Promise.all([lane(), lane()]);
  return results;
}
