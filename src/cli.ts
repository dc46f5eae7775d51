#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { version } from './commands/version.ts';
import { writeOut } from './commands/write-output.ts';
import { InputError } from './text/input-error.ts';
import { visible } from './text/visible.ts';

const COULD_NOT_RUN = 2;

const EXAMPLES = `
Examples:
  redirect-verify capture.pcapng --router router.txt --sps 172.16.0.1 --service rdp
  redirect-verify plain.pcapng --router new-configuration/ --what-if
  redirect-verify trace capture.pcapng --frame 12
  redirect-verify collect linux > collect.sh

Ends with 0 verified, 1 failed, 3 inconclusive, 2 could not run.`;

/** Commands in the order in which help shows them. Each is loaded when it is asked for: all of them take longer than a small run. */
const COMMANDS: Readonly<Record<string, () => Promise<(program: Command) => void>>> = {
  verify: async () => (await import('./commands/verify.ts')).addVerify,
  trace: async () => (await import('./commands/trace.ts')).addTrace,
  check: async () => (await import('./commands/check.ts')).addCheck,
  diff: async () => (await import('./commands/diff.ts')).addDiff,
  test: async () => (await import('./commands/test.ts')).addTest,
  merge: async () => (await import('./commands/merge.ts')).addMerge,
  live: async () => (await import('./commands/live.ts')).addLive,
  init: async () => (await import('./commands/init.ts')).addInit,
  join: async () => (await import('./commands/join.ts')).addJoin,
  explain: async () => (await import('./commands/explain.ts')).addExplain,
  collect: async () => (await import('./commands/collect.ts')).addCollect,
};
const DEFAULT_COMMAND = 'verify';

async function program(given: readonly string[]): Promise<Command> {
  const root = new Command('redirect-verify')
    .description(
      'Verifies from captures and a router’s configuration that monitored connections traverse SPS in both directions.',
    )
    .version(version())
    .enablePositionalOptions()
    .configureOutput({
      writeOut,
      outputError: (text, write) => write(`redirect-verify: ${usageError(text)}\n`),
    })
    .addHelpText('after', EXAMPLES)
    .exitOverride();
  for (const name of neededCommands(given)) (await COMMANDS[name]!())(root);
  for (const command of root.commands) command.exitOverride();
  return root;
}

/** The command that is meant; all of them where help is. */
function neededCommands([first, ...others]: readonly string[]): readonly string[] {
  if (first === '--version' || first === '-V') return [];
  if (first === undefined || [first, ...others].some((word) => ['help', '--help', '-h'].includes(word)))
    return Object.keys(COMMANDS);
  return [Object.hasOwn(COMMANDS, first) ? first : DEFAULT_COMMAND];
}

/** One line of what commander says in one or two, with the words of the user in it. */
function usageError(text: string): string {
  const lines = text
    .trimEnd()
    .replace(/^error: /, '')
    .split('\n');
  return `${lines.map(visible).join(' ')} (redirect-verify --help shows how)`;
}

/** Ends with one line for what the user can mend; anything else is a defect of ours and says so. */
async function main(): Promise<void> {
  // Standard error that nobody reads, or that is full: there is no other place to say so, and the exit code stays.
  process.stderr.on('error', () => {});
  process.on('uncaughtException', endOfDefect);
  try {
    await (await program(process.argv.slice(2))).parseAsync(process.argv);
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : COULD_NOT_RUN;
      return;
    }
    if (error instanceof InputError) {
      process.stderr.write(`redirect-verify: ${visible(error.message)}\n`);
      process.exitCode = COULD_NOT_RUN;
      return;
    }
    endOfDefect(error);
  }
}

/** Node would end with 1, which is what a failed verdict ends with, and show a line of code that is a whole file. */
function endOfDefect(error: unknown): never {
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(
    `redirect-verify ${version()}: a defect of this tool; there is no verdict. Please report what follows:\n${stack.split('\n').map(visible).join('\n')}\n`,
  );
  process.exit(COULD_NOT_RUN);
}

await main();
