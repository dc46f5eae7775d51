import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { pcapFile } from './capture-bytes.ts';

const SCRIPT = fileURLToPath(new URL('print-standard-input.ts', import.meta.url));
const CAPTURE = pcapFile(Array.from({ length: 30_000 }, (_, index) => ({ fraction: index })));

/** Runs the script with these pieces as its standard input, which stays open where `keepOpen` says so, and gives what it printed. */
function run(pieces: readonly Uint8Array[], mode: string, keepOpen = false): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--import', 'tsx', SCRIPT, mode], { stdio: ['pipe', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (data) => {
      output += String(data);
    });
    child.on('error', reject);
    child.on('close', () => {
      child.stdin.destroy();
      resolve(output);
    });
    // It may end before it has read everything.
    child.stdin.on('error', () => {});
    for (const piece of pieces) child.stdin.write(piece);
    if (!keepOpen) child.stdin.end();
  });
}

describe('standard input', () => {
  it('is read as a file is', async () => {
    const got = JSON.parse(await run([CAPTURE.subarray(0, 1000), CAPTURE.subarray(1000)], 'all'));
    expect(got).toEqual({ count: 30_000, problems: [], progress: { read: CAPTURE.length } });
  });

  it('may be compressed', async () => {
    expect(JSON.parse(await run([gzipSync(CAPTURE)], 'all'))).toMatchObject({ count: 30_000, problems: [] });
  });

  it('may be cut off', async () => {
    const got = JSON.parse(await run([CAPTURE.subarray(0, -1)], 'all'));
    expect(got).toMatchObject({ count: 29_999, problems: ['RV101'] });
  });

  it('may be empty, which is said', async () => {
    expect(await run([], 'all')).toContain('InputError: -: is empty');
  });

  it('cannot be given twice', async () => {
    expect(await run([CAPTURE], 'twice')).toContain('InputError: -: standard input can be read only once');
  });

  it('without a window gives frames as they come, and the program can end while more may follow', async () => {
    // Twelve frames and a part of the next; the pipe stays open.
    const got = JSON.parse(await run([CAPTURE.subarray(0, 24 + 12 * 70 + 5)], 'first', true));
    expect(got.count).toBeGreaterThan(0);
    expect(got.count).toBeLessThanOrEqual(12);
  });
});
