#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { addCheck } from './commands/check.ts';
import { addCollect } from './commands/collect.ts';
import { addDiff } from './commands/diff.ts';
import { addExplain } from './commands/explain.ts';
import { addInit } from './commands/init.ts';
import { addJoin } from './commands/join.ts';
import { addLive } from './commands/live.ts';
import { addMerge } from './commands/merge.ts';
import { addTest } from './commands/test.ts';
import { addTrace } from './commands/trace.ts';
import { addVerify } from './commands/verify.ts';
import { version } from './commands/version.ts';
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

function program(): Command {
  const root = new Command('redirect-verify')
    .description(
      'Verifies from captures and a router’s configuration that monitored connections traverse SPS in both directions.',
    )
    .version(version())
    .enablePositionalOptions()
    .configureOutput({ outputError: (text, write) => write(`redirect-verify: ${usageError(text)}\n`) })
    .addHelpText('after', EXAMPLES)
    .exitOverride();
  for (const add of [
    addVerify,
    addTrace,
    addCheck,
    addDiff,
    addTest,
    addMerge,
    addLive,
    addInit,
    addJoin,
    addExplain,
    addCollect,
  ])
    add(root);
  for (const command of root.commands) command.exitOverride();
  return root;
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
  try {
    await program().parseAsync(process.argv);
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
    throw error;
  }
}

await main();
