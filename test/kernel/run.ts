/** `npm run test:kernel`: random routers and packets, by the kernel and by the verifier. */
import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { BREAKAGES } from './breakages.ts';
import { PROFILES } from './generate.ts';
import { missingForOracle } from './oracle/oracle.ts';
import { measurePower } from './power.ts';
import { Totals } from './totals.ts';
import type { RoundResult, RunOptions } from './worker.ts';

const JOB = fileURLToPath(new URL('job.ts', import.meta.url));

/** When a run ends. */
interface Limits {
  readonly packets: number;
  readonly seconds: number;
  /** Scenarios that disagree. */
  readonly disagreeing: number;
  readonly jobs: number;
  readonly firstRound: number;
  readonly rounds: number;
}

const OPTIONS = {
  seed: { type: 'string', default: '1' },
  packets: { type: 'string' },
  profile: { type: 'string' },
  /** Ends by itself after so many seconds. */
  seconds: { type: 'string' },
  stop: { type: 'string', default: '5' },
  jobs: { type: 'string' },
  /** Runs this round alone. */
  round: { type: 'string' },
  /** One in so many scenarios goes through the command line tool, too; 0 for none. */
  'front-door': { type: 'string', default: '50' },
  /** One in so many scenarios is made of its commands by the shell dialect, too; 0 for none. */
  shell: { type: 'string', default: '4' },
  /** Of one in so many scenarios the second half is judged by a listing of the connections after the first one, too; 0 for none. */
  dumped: { type: 'string', default: '8' },
  /** Tells for each profile why packets are undetermined. */
  reasons: { type: 'boolean', default: false },
  /** Makes a mistake in a copy of the verifier, or one after the other, and counts the packets until it is noticed. */
  breakage: { type: 'string' },
  record: { type: 'string' },
  store: { type: 'boolean', default: false },
  'no-shrink': { type: 'boolean', default: false },
} as const;

async function main(): Promise<number> {
  const { values } = parseArgs({ options: OPTIONS });
  const missing = missingForOracle();
  if (missing.length > 0) return usage(`asks the running kernel, and here it lacks: ${missing.join('; ')}`);
  const profiles = values.profile?.split(',') ?? Object.keys(PROFILES);
  const unknown = profiles.find((name) => !Object.hasOwn(PROFILES, name));
  if (unknown !== undefined) return usage(`no profile ${unknown}; there are: ${Object.keys(PROFILES).join(' ')}`);
  const numbers = [
    'seed',
    'packets',
    'seconds',
    'stop',
    'jobs',
    'round',
    'front-door',
    'shell',
    'dumped',
    'record',
  ] as const;
  const wrong = numbers.find((name) => values[name] !== undefined && !/^\d+$/.test(values[name]));
  if (wrong !== undefined) return usage(`--${wrong} takes a number`);
  if (values.breakage !== undefined) {
    const breakages = BREAKAGES.filter(({ name }) => values.breakage === 'all' || values.breakage === name);
    if (breakages.length === 0)
      return usage(`no breakage ${values.breakage}; there are: all ${BREAKAGES.map(({ name }) => name).join(' ')}`);
    const seed = Number(values.seed);
    const packets = Number(values.packets ?? 20_000);
    return (await measurePower(breakages, {
      seeds: [seed, seed + 1, seed + 2],
      profiles,
      packets,
      store: values.store,
    }))
      ? 0
      : 1;
  }
  const options: RunOptions = {
    seed: Number(values.seed),
    profiles,
    shrink: !values['no-shrink'],
    store: values.store,
    record: values.record === undefined ? undefined : Number(values.record),
    frontDoor: Number(values['front-door']),
    shell: Number(values.shell),
    dumped: Number(values.dumped),
  };
  const limits: Limits = {
    packets: Number(values.packets ?? (values.seconds === undefined ? 20_000 : Number.POSITIVE_INFINITY)),
    seconds: Number(values.seconds ?? Number.POSITIVE_INFINITY),
    disagreeing: Number(values.stop),
    // Half of the time is waiting for the kernel to take namespaces apart.
    jobs: values.round === undefined ? Number(values.jobs ?? 2 * availableParallelism()) : 1,
    firstRound: Number(values.round ?? 0),
    rounds: values.round === undefined ? Number.POSITIVE_INFINITY : 1,
  };
  const totals = new Totals(profiles);
  const started = performance.now();
  const kernel = await runRounds(options, limits, (result) => {
    totals.add(result);
    process.stdout.write(result.text);
  });
  process.stdout.write(totals.table());
  process.stdout.write(totals.reasons(values.reasons));
  const seconds = (performance.now() - started) / 1000;
  process.stdout.write(`seed ${values.seed}, kernel ${kernel}, ${seconds.toFixed(1)} s\n`);
  return totals.sum.disagreements > 0 || totals.sum.packets === 0 ? 1 : 0;
}

function usage(line: string): number {
  process.stderr.write(`test:kernel ${line}\n`);
  return 2;
}

/** Rounds are handed out one by one, so what a round is does not depend on how many processes run them. */
async function runRounds(options: RunOptions, limits: Limits, take: (result: RoundResult) => void): Promise<string> {
  const started = performance.now();
  let round = limits.firstRound;
  let packets = 0;
  let disagreeing = 0;
  let kernel = '';
  const isDone = (): boolean =>
    round - limits.firstRound >= limits.rounds ||
    packets >= limits.packets ||
    disagreeing >= limits.disagreeing ||
    performance.now() - started >= limits.seconds * 1000;
  const job = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const child = fork(JOB, [JSON.stringify(options)]);
      child.on('message', (message: RoundResult | { readonly kernel: string }) => {
        if ('kernel' in message) kernel = message.kernel;
        else {
          packets += message.packets;
          if (message.disagreements > 0) disagreeing++;
          take(message);
        }
        if (isDone()) child.disconnect();
        else child.send(round++);
      });
      child.once('error', reject);
      child.once('exit', (code) => {
        if (code === 0) resolve();
        else reject(new Error(`a job ended with ${code}`));
      });
    });
  await Promise.all(Array.from({ length: limits.jobs }, job));
  return kernel;
}

process.exitCode = await main().catch((error: unknown) =>
  usage(error instanceof Error ? error.message : String(error)),
);
