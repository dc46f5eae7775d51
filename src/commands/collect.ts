import { type Command, InvalidArgumentError } from 'commander';
import { InputError } from '../text/input-error.ts';
import { linuxCollectScript } from './collect-linux.ts';
import { positive } from './options.ts';
import { writeOut } from './write-output.ts';

/** `redirect-verify collect KIND`: prints what to run on the router. */
export function addCollect(program: Command): void {
  program
    .command('collect')
    .description('what do I run on the router to get its state as one text?')
    .argument('<kind>', 'linux')
    .option('--capture <seconds>', 'record all interfaces for that time, too', seconds)
    .action((kind: string, options: { capture?: number }) => {
      if (kind !== 'linux') throw new InputError(`collect: '${kind}' is not supported; expected linux`);
      writeOut(linuxCollectScript(options.capture === undefined ? {} : { captureSeconds: options.capture }));
    });
}

function seconds(value: string): number {
  const number = positive(value);
  if (number > 86_400) throw new InvalidArgumentError('a day is the limit.');
  return number;
}
