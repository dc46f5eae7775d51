/** `npm run fuzz`: mutated and random inputs by the thousand; none may crash, hang or fool the tool. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { compiledCli, ROOT } from '../cli/compiled-cli.ts';
import { type Case, KIND_NAMES, makeCase } from './cases.ts';
import { type Corpus, loadCorpus } from './corpus.ts';
import { type Done, Runner, runCompiled } from './runner.ts';
import { shrink } from './shrink.ts';
import { readCase, storeCase } from './stored-case.ts';

const OPTIONS = {
  seed: { type: 'string', default: '1' },
  seconds: { type: 'string', default: '60' },
  /** One kind of case. */
  only: { type: 'string' },
  /** The case of this number alone. */
  case: { type: 'string' },
  /** A stored case, by its folder. */
  replay: { type: 'string' },
  /** One in so many cases goes through the compiled command line, too; 0 for none. */
  'command-line': { type: 'string', default: '50' },
  /** Ends after so many different failures. */
  stop: { type: 'string', default: '5' },
  /** Where failing cases are stored. */
  store: { type: 'string', default: 'test/fuzz/failures' },
  'no-shrink': { type: 'boolean', default: false },
} as const;

interface Failure {
  readonly index: number;
  readonly wrong: string;
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: OPTIONS });
  const numbers = ['seed', 'seconds', 'case', 'command-line', 'stop'] as const;
  const bad = numbers.find((name) => values[name] !== undefined && !/^\d+$/.test(values[name]));
  if (bad !== undefined) return usage(`--${bad} takes a number`);
  if (values.only !== undefined && !KIND_NAMES.includes(values.only))
    return usage(`no kind ${values.only}; there are: ${KIND_NAMES.join(' ')}`);
  const runner = new Runner();
  try {
    if (values.replay !== undefined) {
      const done = await runner.one(readCase(values.replay));
      process.stdout.write(`${done.wrong ?? 'nothing is wrong'}\n${done.crash ?? ''}\n`);
      return done.wrong === undefined ? 0 : 1;
    }
    // Takes seconds that are not the cases'.
    compiledCli();
    const seed = Number(values.seed);
    const corpus = await loadCorpus();
    const make = (index: number): Case => makeCase(corpus, seed, index, values.only);
    const session = new Session(runner, make, {
      seed,
      only: values.only,
      milliseconds: Number(values.seconds) * 1000,
      commandLine: Number(values['command-line']),
      stop: Number(values.stop),
      store: join(ROOT, values.store),
      shrink: !values['no-shrink'],
    });
    const first = values.case === undefined ? 0 : Number(values.case);
    await session.run(first, values.case === undefined ? Number.MAX_SAFE_INTEGER : first + 1);
    process.stdout.write(session.summary(corpus));
    return session.failures.size > 0 || session.cases === 0 ? 1 : 0;
  } finally {
    await runner.close();
  }
}

function usage(line: string): number {
  process.stderr.write(`fuzz: ${line}\n`);
  return 2;
}

interface SessionOptions {
  readonly seed: number;
  readonly only: string | undefined;
  readonly milliseconds: number;
  readonly commandLine: number;
  readonly stop: number;
  readonly store: string;
  readonly shrink: boolean;
}

class Session {
  cases = 0;
  readonly failures = new Map<string, Failure>();
  readonly #runner: Runner;
  readonly #make: (index: number) => Case;
  readonly #options: SessionOptions;
  readonly #kinds = new Map<string, number>();
  readonly #statuses = new Map<string, number>();
  readonly #queue: Promise<void>[] = [];
  #compiled = 0;
  #isCompiledBusy = false;
  #slowest = { seconds: 0, index: 0 };
  readonly #started = performance.now();

  constructor(runner: Runner, make: (index: number) => Case, options: SessionOptions) {
    this.#runner = runner;
    this.#make = make;
    this.#options = options;
  }

  async run(from: number, to: number): Promise<void> {
    const { seed, only, milliseconds, stop } = this.#options;
    await this.#runner.range({ kind: 'range', seed, from, to, ...(only !== undefined && { only }) }, (done) => {
      this.#take(done, to - from === 1);
      const isEnough = performance.now() - this.#started >= milliseconds || this.failures.size >= stop;
      return isEnough ? 'enough' : 'more';
    });
    await Promise.all(this.#queue);
    for (const failure of this.failures.values()) await this.#tell(failure);
  }

  #take(done: Done, isAlone: boolean): void {
    this.cases++;
    const { commandLine } = this.#options;
    this.#kinds.set(done.caseKind, (this.#kinds.get(done.caseKind) ?? 0) + 1);
    this.#statuses.set(String(done.status), (this.#statuses.get(String(done.status)) ?? 0) + 1);
    if (done.seconds > this.#slowest.seconds) this.#slowest = { seconds: done.seconds, index: done.index };
    if (done.wrong !== undefined) this.#note({ index: done.index, wrong: done.wrong });
    else if (done.isLarge || isAlone || (commandLine > 0 && done.index % commandLine === 0 && !this.#isCompiledBusy))
      this.#queue.push(this.#runCompiled(done));
  }

  async #runCompiled(done: Done): Promise<void> {
    this.#isCompiledBusy = true;
    const { wrong, outcome } = await runCompiled(this.#make(done.index));
    this.#isCompiledBusy = false;
    this.#compiled++;
    const said =
      wrong ??
      (outcome.status === done.status
        ? undefined
        : `the compiled tool ends with ${outcome.status}, its parts with ${done.status}`);
    if (said !== undefined) this.#note({ index: done.index, wrong: said });
  }

  #note(failure: Failure): void {
    if (!this.failures.has(failure.wrong)) this.failures.set(failure.wrong, failure);
  }

  async #tell({ index, wrong }: Failure): Promise<void> {
    const { seed, only, store, shrink: isToShrink } = this.#options;
    const item = this.#make(index);
    const fails = async (smaller: Case): Promise<boolean> => (await this.#runner.one(smaller)).wrong === wrong;
    const isRepeated = await fails(item);
    const small = isToShrink && isRepeated ? await shrink(item, fails) : item;
    const { crash } = await this.#runner.one(small);
    const folder = join(store, `${item.kind}-${seed}-${index}`);
    rmSync(folder, { recursive: true, force: true });
    storeCase(folder, small, wrong);
    const again = `npm run fuzz -- --seed ${seed} --case ${index}${only === undefined ? '' : ` --only ${only}`}`;
    process.stdout.write(
      `FAILED ${wrong}\n  seed ${seed}, case ${index}: ${again}\n  ${small.argv.join(' ')}\n  stored in ${folder}\n`,
    );
    if (crash !== undefined) process.stdout.write(`${crash.split('\n').slice(0, 8).join('\n')}\n`);
  }

  summary(corpus: Corpus): string {
    const seconds = (performance.now() - this.#started) / 1000;
    const counts = (map: ReadonlyMap<string, number>): string =>
      [...map]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, count]) => `${name} ${count}`)
        .join(', ');
    const captures = corpus.folders.reduce((sum, folder) => sum + folder.captures.length, 0);
    return [
      `corpus: ${corpus.folders.length} folders, ${captures} captures, ${corpus.states.length} router texts`,
      `cases by kind: ${counts(this.#kinds)}`,
      `by exit code: ${counts(this.#statuses)}; slowest ${this.#slowest.seconds.toFixed(2)} s (case ${this.#slowest.index})`,
      `seed ${this.#options.seed}, ${this.cases} cases and ${this.#compiled} through the compiled tool, ${this.failures.size} different failures, ${seconds.toFixed(1)} s`,
      '',
    ].join('\n');
  }
}

process.exitCode = await main();
