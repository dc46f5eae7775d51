import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCaptureSet } from '../../src/capture/open-capture.ts';
import { prepare } from '../../src/commands/verify-files.ts';
import { resolveIntent } from '../../src/verification/intent.ts';
import { ReplayRun } from '../../src/verification/replay-run.ts';
import { PacketBatch } from '../../src/wire/packet-batch.ts';
import { generateCapture } from './generate.ts';
import { seedRouter } from './seed-router.ts';

const SESSIONS = 20;
const EXCHANGES = 250;
/** Of the least of several rounds, as many as it takes: on a busy machine a round may be long by chance, but none is short. */
const MOST_ROUNDS = 25;
const MOST_GROWTH = 2.3;
/** Frames of a batch; the first ones tell where the capture was taken. */
const ROWS = 4096;

const folder = mkdtempSync(join(tmpdir(), 'redirect-verify-shape-'));
const captures = { once: join(folder, 'once.pcap'), twice: join(folder, 'twice.pcap') };

beforeAll(() => {
  const plan = { seed: 7, sessions: SESSIONS, open: SESSIONS };
  generateCapture(captures.once, { ...plan, exchanges: EXCHANGES });
  generateCapture(captures.twice, { ...plan, exchanges: 2 * EXCHANGES });
});

afterAll(() => rmSync(folder, { recursive: true }));

/** The decoded batches of a capture, so that running them is measured alone. */
async function batchesOf(path: string): Promise<{ batches: PacketBatch[]; run: () => ReplayRun; frames: number }> {
  const { loaded, stated } = prepare({ captures: [path], router: [seedRouter.state], site: seedRouter.site });
  const set = await openCaptureSet([{ path }]);
  const batches: PacketBatch[] = [];
  let frames = 0;
  for (;;) {
    const batch = new PacketBatch(ROWS);
    if (!(await set.next(batch))) break;
    frames += batch.length;
    batches.push(batch);
  }
  await set.close();
  const resolved = resolveIntent(stated, loaded.router);
  const run = () => new ReplayRun(set, loaded.router, resolved, { whatIf: false }, batches[0]!);
  return { batches, run, frames };
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Seconds of processor time: what else the machine does counts for little. */
function secondsOf(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

describe('a run over packets of long connections', () => {
  it('allocates next to nothing for each packet', async () => {
    const { batches, run, frames } = await batchesOf(captures.twice);
    const [first, second, ...others] = batches;
    const count = others.reduce((sum, batch) => sum + batch.length, 0);
    const grown = (): number => {
      const replay = run();
      for (const batch of [first!, second!]) replay.consume(batch);
      // What is allocated from here on fits the young generation: nothing of it is collected before it is counted.
      collectGarbage();
      const before = process.memoryUsage().heapUsed;
      for (const batch of others) replay.consume(batch);
      return process.memoryUsage().heapUsed - before;
    };
    // Code that is still interpreted allocates more, and on a busy machine it is compiled late: the rounds in the middle count.
    const rounds = Array.from({ length: 9 }, grown).sort((a, b) => a - b);
    expect(frames).toBeGreaterThan(100_000);
    // Bytes a packet, of which 10 to 19 are known, by what the compiler makes of it: an object for each packet is 40 more.
    expect(rounds[4]).toBeGreaterThan(0);
    expect(rounds[4]! / count).toBeLessThan(32);
  });

  it('takes time by the number of packets', async () => {
    const once = await batchesOf(captures.once);
    const twice = await batchesOf(captures.twice);
    const cost = ({ batches, run }: typeof once): number => {
      const replay = run();
      return secondsOf(() => {
        for (const batch of batches) replay.consume(batch);
      });
    };
    cost(twice);
    let [least, leastTwice] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
    for (let round = 0; round < MOST_ROUNDS && !(leastTwice / least < MOST_GROWTH); round++) {
      least = Math.min(least, cost(once));
      leastTwice = Math.min(leastTwice, cost(twice));
    }
    expect(leastTwice / least).toBeLessThan(MOST_GROWTH);
  });
});
