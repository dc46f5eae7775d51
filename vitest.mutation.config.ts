import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The first test that fails ends a mutant's run: those that notice most come first. */
class CorpusFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => (moduleId.endsWith('corpus.test.ts') ? 0 : 1);
    return [...files].sort((a, b) => rank(a) - rank(b));
  }
}

/** The tests that mutants of src/forwarding meet: those of its behaviour that need neither root nor other programs. */
export default defineConfig({
  test: {
    include: [
      'test/forwarding/**/*.test.ts',
      'test/kernel/corpus.test.ts',
      'test/verification/address-classes.test.ts',
    ],
    sequence: { sequencer: CorpusFirst },
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
