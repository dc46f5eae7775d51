import { type Command, InvalidArgumentError } from 'commander';
import { InputError } from '../text/input-error.ts';
import { ciscoIosCollectCommands } from './collect-cisco-ios.ts';
import { linuxCollectScript } from './collect-linux.ts';
import { sophosUtmCollectScript } from './collect-sophos-utm.ts';
import { positive } from './options.ts';
import { writeOut } from './write-output.ts';

/** `redirect-verify collect KIND`: prints what to run on the router. */
export function addCollect(program: Command): void {
  program
    .command('collect')
    .description('what do I run on the router to get its state as one text?')
    .argument('<kind>', 'linux, cisco-ios or sophos-utm')
    .option('--capture <seconds>', 'record all interfaces for that time, too', seconds)
    .action((kind: string, options: { capture?: number }) => {
      writeOut(instructions(kind, options.capture));
    });
}

function instructions(kind: string, captureSeconds: number | undefined): string {
  if (kind === 'linux') return linuxCollectScript(captureSeconds === undefined ? {} : { captureSeconds });
  const text = { 'cisco-ios': ciscoIosCollectCommands, 'sophos-utm': sophosUtmCollectScript }[kind];
  if (text === undefined)
    throw new InputError(`collect: '${kind}' is not supported; expected linux, cisco-ios or sophos-utm`);
  if (captureSeconds !== undefined) throw new InputError(`collect: --capture records on Linux routers only`);
  return text();
}

function seconds(value: string): number {
  const number = positive(value);
  if (number > 86_400) throw new InvalidArgumentError('a day is the limit.');
  return number;
}
