/** What another thread reads ahead is what reading in this one gives: compiled, as threads run nothing else. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { CaptureInput, CaptureSet } from '../../src/capture/capture-set.ts';
import { compiledCli } from '../cli/compiled-cli.ts';
import { makeScratch } from '../cli/scratch.ts';

const scratch = makeScratch();
afterAll(() => scratch.remove());

/** Not divisible by anything that a capture has of frames. */
const ROWS = 37;

const compiled = async (file: string) => await import(join(compiledCli(), 'dist', file));

/** Everything that a capture set says, batch by batch. */
async function* sayings(captures: CaptureSet): AsyncGenerator<unknown> {
  const { PacketBatch } = await compiled('wire/packet-batch.js');
  const batch = new PacketBatch(ROWS);
  const state = () =>
    structuredClone([captures.files(), captures.problems(), captures.progress(), captures.interfaces]);
  yield state();
  while (await captures.next(batch)) {
    const cells = (column: Uint8Array): number => (column.length / ROWS) * batch.length;
    const columns = Object.entries(batch).filter((entry): entry is [string, Uint8Array] =>
      ArrayBuffer.isView(entry[1]),
    );
    expect(columns.length).toBeGreaterThan(40);
    yield [columns.map(([name, column]) => [name, [...column.subarray(0, cells(column))]]), state()];
  }
  yield state();
}

async function both(inputs: readonly CaptureInput[], verifyChecksums = false): Promise<readonly unknown[][]> {
  const { openReadingAhead } = await compiled('capture/read-ahead.js');
  const { openCaptureSet } = await compiled('capture/open-capture.js');
  const results: unknown[][] = [];
  for (const open of [openReadingAhead, openCaptureSet]) {
    const captures: CaptureSet = await open(inputs, { verifyChecksums }, 0);
    expect(captures.constructor.name).toBe(open === openReadingAhead ? 'ReadAhead' : 'MergedCaptures');
    const said: unknown[] = [];
    for await (const saying of sayings(captures)) said.push(saying);
    await captures.close();
    results.push(said);
  }
  return results;
}

describe('frames that another thread reads', () => {
  it('are the same in the same batches, with the same said of the files in between', async () => {
    const folders = ['seed-spoofing', 'offloads-on', 'ipv6-own-address'].map((name) => join('captures', name));
    for (const folder of folders) {
      const files = readdirSync(folder).filter((name) => /\.pcap(ng)?$/.test(name));
      for (const name of files) {
        const [ahead, here] = await both([{ path: join(folder, name) }], name.startsWith('any'));
        expect(ahead, join(folder, name)).toEqual(here);
        expect(here!.length, name).toBeGreaterThan(2);
      }
      const single = files.filter((name) => name.startsWith('eth'));
      const [ahead, here] = await both(
        single.map((name) => ({ path: join(folder, name), interface: name.slice(0, 4) })),
      );
      expect(ahead, folder).toEqual(here);
    }
  });

  it('end where the file is cut off, which is said', async () => {
    const whole = readFileSync('captures/seed-spoofing/capture.pcapng');
    const path = scratch.write('cut.pcapng', whole.subarray(0, whole.length - 7));
    const [ahead, here] = await both([{ path }]);
    expect(ahead).toEqual(here);
    expect(JSON.stringify(ahead!.at(-1))).toContain('RV101');
  });

  it('are refused in the same words', async () => {
    const { openReadingAhead } = await compiled('capture/read-ahead.js');
    const { openCaptureSet } = await compiled('capture/open-capture.js');
    const path = scratch.write('no-capture.pcap', 'this is no capture at all, only some words');
    const failure = async (open: typeof openCaptureSet): Promise<string> =>
      await open([{ path }], {}, 0).then(
        () => 'opened',
        (error: Error) => `${error.name}: ${error.message}`,
      );
    expect(await failure(openReadingAhead)).toMatch(/^InputError: .*no-capture\.pcap/);
    expect(await failure(openReadingAhead)).toBe(await failure(openCaptureSet));
  });

  it('need not be taken to the end', async () => {
    const { openReadingAhead } = await compiled('capture/read-ahead.js');
    const { PacketBatch } = await compiled('wire/packet-batch.js');
    const captures: CaptureSet = await openReadingAhead([{ path: 'captures/seed-spoofing/capture.pcapng' }], {}, 0);
    const batch = new PacketBatch(2);
    expect(await captures.next(batch)).toBe(true);
    expect(batch.frameNumber[1]).toBe(2);
    await captures.close();
  });
});
