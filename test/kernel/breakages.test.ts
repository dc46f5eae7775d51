import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { BREAKAGES, broken, sourceText } from './breakages.ts';
import { inTwos, replayAll } from './power.ts';
import { recordedOf, type StoredCase } from './scenario.ts';

const FOLDER = fileURLToPath(new URL('cases', import.meta.url));

describe('mistakes made on purpose', () => {
  it.each(BREAKAGES)('$name stands in the sources as they are: $mistake', ({ edits }) => {
    for (const edit of edits) expect(broken(edit, sourceText(edit.file))).toContain(edit.to);
  });

  it('are refused where the sources have changed', () => {
    const edit = { file: 'a.ts', from: 'old', to: 'new' };
    expect(() => broken(edit, 'something else')).toThrow(/a\.ts has 0 times/);
    expect(() => broken(edit, 'old old')).toThrow(/a\.ts has 2 times/);
  });

  it('are noticed with the stored cases, each with its own', async () => {
    const noticed = await inTwos(BREAKAGES, async (breakage) => {
      const file = join(tmpdir(), `redirect-verify-${process.pid}-${breakage.name}.ndjson`);
      const stored = JSON.parse(readFileSync(join(FOLDER, `shows-${breakage.name}.json`), 'utf8')) as StoredCase;
      writeFileSync(file, `${JSON.stringify({ title: breakage.name, recorded: recordedOf(stored) })}\n`);
      try {
        const [replayed] = await replayAll(breakage, [file]);
        return [breakage.name, replayed!.packets, replayed!.found !== undefined, stored.frames.length];
      } finally {
        rmSync(file);
      }
    });
    // With the last frame, at which the case ends for that reason; cases.test.ts shows that the verifier as it is agrees.
    expect(noticed).toEqual(noticed.map(([name, , , length]) => [name, length, true, length]));
  });
});
