/** Runs programs: to their end, or beside us with one JSON object per line on stdout. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** A program that ended badly; the message names it and carries what it printed on stderr. */
export class CommandError extends Error {}

/** Runs a program and returns its stdout. Throws {@link CommandError}. */
export function run(argv: readonly string[], input = ''): string {
  const [program, ...args] = argv;
  try {
    return execFileSync(program!, args, {
      input,
      encoding: 'utf8',
      stdio: 'pipe',
      maxBuffer: 64 * 1024 * 1024,
      // Dates and numbers that read the same wherever the recording was made.
      env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' },
    });
  } catch (error) {
    const { stderr } = error as { stderr?: string };
    throw new CommandError(`${argv.join(' ')}: ${(stderr ?? String(error)).trim()}`);
  }
}

/** As {@link run}, but a failure is not one: for cleaning up. */
export function attempt(argv: readonly string[]): void {
  try {
    run(argv);
  } catch {
    // Nothing to clean up is clean.
  }
}

/** One line that a peer program logged. */
export type PeerEvent = Readonly<Record<string, unknown>>;

/** A program that runs beside us. */
export interface Background {
  readonly child: ChildProcess;
  readonly events: readonly PeerEvent[];
  /** Everything it wrote to stderr so far. */
  errors(): string;
  /** Resolves once the predicate holds; rejects when the program ends before, or after ten seconds. */
  until(predicate: () => boolean, what: string): Promise<void>;
  /** Sends a signal and waits for the end. */
  stop(signal: NodeJS.Signals): Promise<void>;
  /** Waits for the program to end by itself. */
  finished(): Promise<void>;
}

const READY_MILLISECONDS = 10_000;
const POLL_MILLISECONDS = 20;

/** Starts a program whose stdout, if any, is one JSON object per line. */
export function start(argv: readonly string[]): Background {
  const [program, ...args] = argv;
  const child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, LC_ALL: 'C' } });
  const events: PeerEvent[] = [];
  let stderr = '';
  createInterface({ input: child.stdout }).on('line', (line) => events.push(JSON.parse(line) as PeerEvent));
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const closed = once(child, 'close');
  const ended = () => child.exitCode !== null || child.signalCode !== null;
  return {
    child,
    events,
    errors: () => stderr,
    until: async (predicate, what) => {
      const deadline = Date.now() + READY_MILLISECONDS;
      while (!predicate()) {
        if (ended() || Date.now() > deadline)
          throw new CommandError(`${argv.join(' ')}: not ${what}: ${stderr.trim()}`);
        await sleep(POLL_MILLISECONDS);
      }
    },
    stop: async (signal) => {
      if (!ended()) child.kill(signal);
      await closed;
    },
    finished: async () => {
      await closed;
      if (child.exitCode !== 0) throw new CommandError(`${argv.join(' ')}: ${stderr.trim()}`);
    },
  };
}

export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
