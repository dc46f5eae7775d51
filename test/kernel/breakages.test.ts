import { describe, expect, it } from 'vitest';
import { BREAKAGES, broken, sourceText } from './breakages.ts';

describe('mistakes made on purpose', () => {
  it.each(BREAKAGES)('$name stands in the sources as they are: $mistake', ({ edits }) => {
    for (const edit of edits) expect(broken(edit, sourceText(edit.file))).toContain(edit.to);
  });

  it('are refused where the sources have changed', () => {
    const edit = { file: 'a.ts', from: 'old', to: 'new' };
    expect(() => broken(edit, 'something else')).toThrow(/a\.ts has 0 times/);
    expect(() => broken(edit, 'old old')).toThrow(/a\.ts has 2 times/);
  });
});
