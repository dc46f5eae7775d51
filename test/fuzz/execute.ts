/** Runs a command line in this process, by the same commands as the tool, and tells what became of it. */
import { closeSync, fstatSync, ftruncateSync, openSync, readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { addCheck } from '../../src/commands/check.ts';
import { addDiff } from '../../src/commands/diff.ts';
import { addExplain } from '../../src/commands/explain.ts';
import { addInit } from '../../src/commands/init.ts';
import { addJoin } from '../../src/commands/join.ts';
import { addMerge } from '../../src/commands/merge.ts';
import { addTest } from '../../src/commands/test.ts';
import { addTrace } from '../../src/commands/trace.ts';
import { addVerify } from '../../src/commands/verify.ts';
import { InputError } from '../../src/text/input-error.ts';
import { visible } from '../../src/text/visible.ts';

export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** What a defect threw. */
  readonly crash?: string;
  /** Of the processor. */
  readonly seconds: number;
  readonly mebibytes: number;
}

/** The tool's own commands; standard output is whatever this process has, which {@link executeHere} reads back. */
function program(): Command {
  const root = new Command('redirect-verify')
    .enablePositionalOptions()
    .configureOutput({
      outputError: (text, write) => write(`redirect-verify: ${text.trimEnd().split('\n').map(visible).join(' ')}\n`),
    })
    .exitOverride();
  for (const add of [addVerify, addTrace, addCheck, addDiff, addTest, addMerge, addInit, addJoin, addExplain])
    add(root);
  for (const command of root.commands) command.exitOverride();
  return root;
}

/** Runs in this process, whose standard output is the file named, opened to append. Not to be called while another run is under way. */
export async function executeHere(argv: readonly string[], stdoutPath: string): Promise<Outcome> {
  let stderr = '';
  let crash: string | undefined;
  const write = process.stderr.write;
  const note = (reason: unknown): void => {
    crash ??= reason instanceof Error ? (reason.stack ?? reason.message) : String(reason);
  };
  process.stderr.write = ((text: string | Uint8Array) => {
    stderr += typeof text === 'string' ? text : Buffer.from(text).toString();
    return true;
  }) as typeof process.stderr.write;
  process.on('unhandledRejection', note);
  process.on('uncaughtException', note);
  process.exitCode = 0;
  emptyStdout(stdoutPath);
  const before = process.cpuUsage();
  try {
    await program().parseAsync(argv, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
    else if (error instanceof InputError) {
      stderr += `redirect-verify: ${visible(error.message)}\n`;
      process.exitCode = 2;
    } else note(error);
  }
  // What a forgotten promise rejects with comes in the turn after.
  await new Promise((resolve) => setImmediate(resolve));
  const { user, system } = process.cpuUsage(before);
  process.off('unhandledRejection', note);
  process.off('uncaughtException', note);
  process.stderr.write = write;
  const status = Number(process.exitCode);
  process.exitCode = 0;
  return {
    status,
    stdout: readFileSync(stdoutPath, 'utf8'),
    stderr,
    ...(crash !== undefined && { crash }),
    seconds: (user + system) / 1e6,
    mebibytes: process.memoryUsage.rss() / 2 ** 20,
  };
}

function emptyStdout(path: string): void {
  const descriptor = openSync(path, 'r+');
  if (fstatSync(descriptor).size > 0) ftruncateSync(descriptor, 0);
  closeSync(descriptor);
}
