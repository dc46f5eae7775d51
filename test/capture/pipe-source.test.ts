import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { PipeSource } from '../../src/capture/pipe-source.ts';

const scratch = mkdtempSync(join(tmpdir(), 'redirect-verify-pipe-'));
afterEach(() => rmSync(scratch, { recursive: true, force: true }));

function pipe(name: string): { readonly source: PipeSource; readonly writing: number } {
  execFileSync('mkdir', ['-p', scratch]);
  const path = join(scratch, name);
  execFileSync('mkfifo', [path]);
  const reading = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  return { source: new PipeSource(reading), writing: openSync(path, constants.O_WRONLY) };
}

describe('a pipe that is read as it fills', () => {
  it('gives what was written one by one in few pieces, then waits, then ends', async () => {
    const { source, writing } = pipe('bytes');
    const target = new Uint8Array(1000);
    for (let n = 0; n < 100; n++) writeSync(writing, Uint8Array.of(n));
    expect(await source.read(target, 10, 990)).toBe(100);
    expect(Array.from(target.subarray(9, 13))).toEqual([0, 0, 1, 2]);
    let drained = 0;
    source.onDrained = () => drained++;
    const next = source.read(target, 0, 1000);
    await new Promise((resolve) => setTimeout(resolve, 40));
    // It was asked several times, and nothing was there.
    expect(drained).toBeGreaterThan(1);
    writeSync(writing, Uint8Array.of(7, 8));
    expect(await next).toBe(2);
    closeSync(writing);
    expect(await source.read(target, 0, 1000)).toBe(0);
    expect([source.bytesRead, source.failure]).toEqual([102, undefined]);
    await source.close();
  });

  it('reads on without a pause, and calls the pipe full, while there is more than is asked for', async () => {
    const { source, writing } = pipe('more');
    writeSync(writing, new Uint8Array(10_000).fill(3));
    const target = new Uint8Array(4096);
    let drained = 0;
    source.onDrained = () => drained++;
    expect([await source.read(target, 0, 4096), drained]).toEqual([4096, 0]);
    expect([await source.read(target, 0, 4096), drained]).toEqual([4096, 0]);
    expect([await source.read(target, 0, 4096), drained]).toEqual([10_000 - 8192, 1]);
    closeSync(writing);
    await source.close();
  });

  it('ends a read that waits when it is closed', async () => {
    const { source, writing } = pipe('closed');
    const waiting = source.read(new Uint8Array(10), 0, 10);
    await source.close();
    expect(await waiting).toBe(0);
    closeSync(writing);
    await source.close();
  });
});
