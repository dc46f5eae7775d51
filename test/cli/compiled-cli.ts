/** The compiled command line tool, always of the sources as they are, and a way to run it that sees its memory, too. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Below node_modules, so that the compiled files find their dependencies, and nothing of it is ever committed or packed. */
const CACHE = join(ROOT, 'node_modules', '.cache', 'redirect-verify-cli');
const BUNDLE = join(ROOT, 'scripts', 'bundle.mjs');
const OUTDATED_MILLISECONDS = 3_600_000;
/** The contract of tests about bad input is seconds; this is for a hang. */
const HANG_MILLISECONDS = 30_000;

export interface CliResult {
  /** Exit code; null where a signal ended it. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly milliseconds: number;
  /** Of the processor, all threads together: says more than the clock on a machine that does other things, too. */
  readonly processorMilliseconds: number;
  /** Peak resident memory in MiB. */
  readonly mebibytes: number;
}

export interface CliOptions {
  /** Default: the repository's root. */
  readonly cwd?: string;
  readonly input?: Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs the compiled tool to its end. */
export function runCli(args: readonly string[], options: CliOptions = {}): CliResult {
  const cli = compiledCli();
  const started = performance.now();
  const result = spawnSync(
    process.execPath,
    ['--require', join(cli, 'measure.cjs'), join(cli, 'dist', 'bin', 'cli.js'), ...args],
    {
      cwd: options.cwd ?? ROOT,
      input: options.input ?? '',
      env: { ...withoutColour(process.env), ...options.env },
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
      timeout: HANG_MILLISECONDS,
      maxBuffer: 1 << 28,
    },
  );
  if (result.error !== undefined) throw result.error;
  const [kibibytes, processorMicroseconds] = (result.output[3]?.toString() ?? '').split(' ');
  return {
    status: result.status,
    stdout: result.stdout.toString(),
    stderr: result.stderr.toString(),
    milliseconds: performance.now() - started,
    processorMilliseconds: Number(processorMicroseconds) / 1000,
    mebibytes: Number(kibibytes) / 1024,
  };
}

/** The folder with `dist/` and `package.json`, compiled where the sources are not those of the last time. */
export function compiledCli(): string {
  compiled ??= attempt(compile);
  if (compiled instanceof Error) throw compiled;
  return compiled;
}

/** What came of compiling, kept: a failure would cost its seconds again in every test. */
let compiled: string | Error | undefined;

function attempt(action: () => string): string | Error {
  try {
    return action();
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function compile(): string {
  const target = join(CACHE, sourceHash());
  if (existsSync(target)) return target;
  mkdirSync(CACHE, { recursive: true });
  for (const name of readdirSync(CACHE)) {
    const path = join(CACHE, name);
    if (Date.now() - statSync(path).mtimeMs > OUTDATED_MILLISECONDS) rmSync(path, { recursive: true, force: true });
  }
  // Two test files may compile at the same time: the one that is ready first stays.
  const folder = mkdtempSync(join(CACHE, 'compiling-'));
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const argv = [
    tsc,
    '-p',
    join(ROOT, 'tsconfig.build.json'),
    '--outDir',
    join(folder, 'dist'),
    '--declaration',
    'false',
  ];
  for (const command of [argv, [BUNDLE, join(folder, 'dist')]]) {
    const { status, stdout, stderr } = spawnSync(process.execPath, command, { encoding: 'utf8' });
    if (status === 0) continue;
    rmSync(folder, { recursive: true, force: true });
    throw new Error(`the sources do not compile: ${stdout}${stderr}`);
  }
  for (const name of ['package.json', 'redirect-verify.schema.json'])
    copyFileSync(join(ROOT, name), join(folder, name));
  writeFileSync(
    join(folder, 'measure.cjs'),
    "process.on('exit', () => { const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage(); require('node:fs').writeSync(3, `${maxRSS} ${userCPUTime + systemCPUTime}`); });\n",
  );
  try {
    renameSync(folder, target);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    if (!existsSync(target)) throw error;
  }
  return target;
}

/** Of everything that the compiled tool is made of, and of this file. */
function sourceHash(): string {
  const hash = createHash('sha256');
  const src = join(ROOT, 'src');
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .sort()
    .map((name) => join(src, name));
  const others = ['package.json', 'redirect-verify.schema.json', 'tsconfig.json', 'tsconfig.build.json'].map((name) =>
    join(ROOT, name),
  );
  for (const path of [...files, ...others, BUNDLE, fileURLToPath(import.meta.url)])
    hash.update(path).update(readFileSync(path));
  return hash.digest('hex').slice(0, 16);
}

/** Whatever the developer's terminal says about colours is no part of a test. */
function withoutColour(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { NO_COLOR: _no, FORCE_COLOR: _force, NODE_OPTIONS: _options, ...others } = environment;
  return others;
}
