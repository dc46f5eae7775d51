/** Runs cases in a process of their own, and the same command lines by the compiled tool. */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compiledCli } from '../cli/compiled-cli.ts';
import type { Case } from './cases.ts';
import type { Outcome } from './execute.ts';
import { MOST_MEBIBYTES, violation } from './invariants.ts';
import { writeFiles } from './judge-case.ts';
import type { Answer, Order } from './worker.ts';

const WORKER = fileURLToPath(new URL('worker.ts', import.meta.url));
/** Of the clock, on a machine that does other things, too. What takes 5 s of the processor is a failure by itself. */
const HANG_MILLISECONDS = 30_000;

export type Done = Extract<Answer, { readonly kind: 'done' }>;

export class Runner {
  #child: ChildProcess | undefined;
  #folder = mkdtempSync(join(tmpdir(), 'redirect-verify-fuzz-out-'));
  #answer: (answer: Answer | { readonly kind: 'gone'; readonly how: string }) => void = () => {};

  /** Runs the cases of a range until `take` says that it is enough; one that does not end, or ends the process, is given with that. */
  async range(
    order: Extract<Order, { readonly kind: 'range' }>,
    take: (done: Done) => 'more' | 'enough',
  ): Promise<void> {
    let next = order.from;
    while (next < order.to) {
      await this.#start();
      this.#child?.send({ ...order, from: next } satisfies Order);
      for (;;) {
        const answer = await this.#wait();
        if (answer.kind === 'range-done') return;
        if (answer.kind === 'done') {
          next = answer.index + 1;
          if (take(answer) === 'more') continue;
          await this.stop();
          return;
        }
        if (answer.kind === 'gone') {
          const ended = gone(next, answer.how);
          next++;
          if (take(ended) === 'enough') return;
          break;
        }
      }
    }
  }

  /** Runs one case. */
  async one(item: Case): Promise<Done> {
    await this.#start();
    this.#child?.send({ kind: 'case', item } satisfies Order);
    const answer = await this.#wait();
    if (answer.kind === 'done') return answer;
    return gone(-1, answer.kind === 'gone' ? answer.how : 'the process ended');
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }

  async close(): Promise<void> {
    await this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #start(): Promise<void> {
    if (this.#child !== undefined) return;
    const path = join(this.#folder, 'stdout');
    writeFileSync(path, '');
    const descriptor = openSync(path, 'a');
    const child = fork(WORKER, [path], {
      execArgv: ['--import', 'tsx', '--max-old-space-size=1500'],
      stdio: ['ignore', descriptor, 'pipe', 'ipc'],
      serialization: 'advanced',
    });
    closeSync(descriptor);
    let said = '';
    child.stderr?.on('data', (text: Buffer) => {
      said = (said + text.toString()).slice(-2000);
    });
    child.on('message', (answer: Answer) => this.#answer(answer));
    child.on('exit', (code, signal) => {
      if (this.#child !== child) return;
      this.#child = undefined;
      const why = /JavaScript heap out of memory/.test(said) ? 'out of memory' : said.trim().split('\n')[0];
      this.#answer({ kind: 'gone', how: `the process ended (${signal ?? code}) ${why}` });
    });
    this.#child = child;
    const ready = await this.#wait();
    if (ready.kind !== 'ready') throw new Error(`the worker does not start: ${JSON.stringify(ready)} ${said}`);
  }

  /** The next answer. What comes without being waited for is kept. */
  readonly #pending: (Answer | { readonly kind: 'gone'; readonly how: string })[] = [];

  #wait(): Promise<Answer | { readonly kind: 'gone'; readonly how: string }> {
    const kept = this.#pending.shift();
    if (kept !== undefined) return Promise.resolve(kept);
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        const child = this.#child;
        this.#child = undefined;
        child?.kill('SIGKILL');
        finish({ kind: 'gone', how: `it does not end: ${HANG_MILLISECONDS / 1000} s` });
      }, HANG_MILLISECONDS);
      const finish = (answer: Answer | { readonly kind: 'gone'; readonly how: string }): void => {
        clearTimeout(timer);
        this.#answer = (later) => this.#pending.push(later);
        resolve(answer);
      };
      this.#answer = finish;
    });
  }
}

function gone(index: number, how: string): Done {
  return { kind: 'done', index, caseKind: '', wrong: how, crash: undefined, status: null, seconds: 0, isLarge: false };
}

/** Runs a case by the compiled command line; also tells what memory it takes at most. */
export async function runCompiled(
  item: Case,
): Promise<{ readonly wrong: string | undefined; readonly outcome: Outcome }> {
  const folder = mkdtempSync(join(tmpdir(), 'redirect-verify-fuzz-cli-'));
  try {
    writeFiles(folder, item.files);
    const outcome = await spawnCompiled(item.argv, folder);
    const wrong =
      violation(item, outcome) ??
      (outcome.mebibytes > MOST_MEBIBYTES ? `large: more than ${MOST_MEBIBYTES} MiB` : undefined);
    return { wrong, outcome };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function spawnCompiled(argv: readonly string[], cwd: string): Promise<Outcome> {
  const cli = compiledCli();
  return new Promise((resolve) => {
    const { NO_COLOR: _no, FORCE_COLOR: _force, NODE_OPTIONS: _options, ...env } = process.env;
    const child = spawn(
      process.execPath,
      ['--require', join(cli, 'measure.cjs'), join(cli, 'dist', 'bin', 'cli.js'), ...argv],
      {
        cwd,
        env,
        stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      },
    );
    const texts = ['', '', '', ''];
    for (const index of [1, 2, 3]) {
      const stream = child.stdio[index] as NodeJS.ReadableStream;
      stream.setEncoding('utf8');
      stream.on('data', (text: string) => {
        texts[index] += text;
      });
    }
    const timer = setTimeout(() => child.kill('SIGKILL'), HANG_MILLISECONDS);
    const started = performance.now();
    child.on('close', (status, signal) => {
      clearTimeout(timer);
      const hung = signal === 'SIGKILL' && performance.now() - started >= HANG_MILLISECONDS;
      resolve({
        status,
        stdout: texts[1] ?? '',
        stderr: texts[2] ?? '',
        ...(hung && { crash: `it does not end: ${HANG_MILLISECONDS / 1000} s` }),
        seconds: Number(texts[3]?.split(' ')[1] ?? 0) / 1e6,
        mebibytes: Number(texts[3]?.split(' ')[0]) / 1024,
      });
    });
  });
}
