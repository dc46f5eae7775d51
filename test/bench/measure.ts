import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');
const CLI = join(ROOT, 'dist', 'bin', 'cli.js');
const STAGES = join(ROOT, 'test', 'bench', 'stages.ts');
/** Prints a process's own peak of resident memory when it ends. */
const TELL_PEAK =
  "data:text/javascript,process.on('exit',()=>console.error('PEAK',Math.round(process.resourceUsage().maxRSS/1024)))";

/** What one run took: seconds of wall clock and of processors; MiB of resident memory at most, where it was asked for. */
export interface Cost {
  readonly wall: number;
  readonly user: number;
  readonly system: number;
  readonly peak?: number;
}

/** Runs a command in a shell of its own, which tells the times; what it prints goes nowhere. Throws where it fails otherwise than by verdict. */
export function timed(command: string, args: readonly string[] = [], mayFail = false): Cost {
  const run = spawnSync(
    'bash',
    ['-c', `TIMEFORMAT='TIME %R %U %S'; time { ${command}; } > /dev/null`, 'bash', ...args],
    {
      encoding: 'utf8',
    },
  );
  const times = /TIME ([\d.]+) ([\d.]+) ([\d.]+)/.exec(run.stderr);
  if (times === null || (run.status !== 0 && !mayFail)) throw new Error(`${command}: ${run.stderr}`);
  const peak = /PEAK (\d+)/.exec(run.stderr)?.[1];
  const [wall, user, system] = times.slice(1).map(Number) as [number, number, number];
  return { wall, user, system, ...(peak !== undefined && { peak: Number(peak) }) };
}

/** A whole run of the compiled program. */
export function program(args: readonly string[]): Cost {
  return timed('node --import "$@"', [TELL_PEAK, CLI, ...args]);
}

/** The compiled program's time alone, as a user has it. */
export function start(args: readonly string[]): Cost {
  return timed('node "$@"', [CLI, ...args]);
}

/** One stage over a capture, without the start of its process. */
export function stage(name: 'read' | 'decode' | 'decide', capture: string, state: string, site: string): Cost {
  const run = spawnSync(process.execPath, ['--import', 'tsx', STAGES, name, capture, state, site], {
    encoding: 'utf8',
    cwd: ROOT,
  });
  if (run.status !== 0) throw new Error(run.stderr);
  return JSON.parse(run.stdout) as Cost;
}

export function isInstalled(tool: string): boolean {
  return spawnSync('which', [tool]).status === 0;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length % 2 === 1
    ? sorted[(sorted.length - 1) / 2]!
    : (sorted[sorted.length / 2 - 1]! + sorted[sorted.length / 2]!) / 2;
}
