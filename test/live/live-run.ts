/** Runs `live` beside the test, and reports without what differs between a capture and a copy of it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Report } from '../../src/report/report.ts';
import { compiledCli, ROOT } from '../cli/compiled-cli.ts';

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A `live` that runs. */
export interface LiveProcess {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** What it has written so far. */
  output(): Ended;
  /** Resolves once the text is there; rejects when it ends before, or after twenty seconds. */
  until(pattern: RegExp): Promise<void>;
}

/** `enter`: puts a program into a namespace. */
export function startLive(
  args: readonly string[],
  enter: (argv: readonly string[]) => readonly string[] = (argv) => argv,
  environment: Readonly<Record<string, string>> = {},
): LiveProcess {
  const [program, ...rest] = enter([process.execPath, join(compiledCli(), 'dist', 'bin', 'cli.js'), 'live', ...args]);
  const child = spawn(program!, rest, { cwd: ROOT, env: { ...process.env, NO_COLOR: '1', ...environment } });
  child.stdin.on('error', () => undefined);
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const output = (): Ended => ({ status: child.exitCode, stdout, stderr });
  return {
    child,
    ended: once(child, 'close').then(() => output()),
    output,
    until: async (pattern) => {
      for (const deadline = Date.now() + 20_000; !pattern.test(stdout + stderr); await pause(50))
        if (child.exitCode !== null || Date.now() > deadline) throw new Error(`not ${pattern}: ${stdout}${stderr}`);
    },
  };
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Verdicts, counters, connections and findings; not where in which file a frame stands. */
export function essence(report: Report): unknown {
  const { verdict, summary, connections, findings, intent } = report;
  return {
    verdict,
    summary,
    intent,
    connections,
    findings: findings.map(({ where: _, notes: __, ...rest }) => rest),
  };
}
