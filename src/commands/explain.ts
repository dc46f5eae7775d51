import type { Command } from 'commander';
import { CATALOG } from '../catalog.ts';
import { InputError } from '../text/input-error.ts';
import { writeOut } from './write-output.ts';

/** `redirect-verify explain CODE`. */
export function addExplain(program: Command): void {
  program
    .command('explain')
    .description('what does this finding mean, and what do I do?')
    .argument('[code]', 'a code such as RV602, or its name; without one all are listed')
    .action((code: string | undefined) => {
      writeOut(code === undefined ? listAll() : explain(code));
    });
}

function listAll(): string {
  return CATALOG.map(
    (kind) => `${kind.code}  ${kind.slug.padEnd(34)} ${kind.severity.padEnd(8)} ${kind.saidWhen}\n`,
  ).join('');
}

function explain(code: string): string {
  const wanted = code.toLowerCase();
  const kind = CATALOG.find((item) => item.code.toLowerCase() === wanted || item.slug === wanted);
  if (kind === undefined)
    throw new InputError(`explain: no finding is called '${code}'; 'redirect-verify explain' lists them all`);
  const references =
    kind.references.length === 0 ? '' : `\nReferences\n${kind.references.map((item) => `  ${item}\n`).join('')}`;
  return `${kind.code} ${kind.slug} (${kind.severity})

Said when ${kind.saidWhen}.

${kind.meaning}

Why it matters
  ${kind.whyItMatters}

Example
  ${kind.example}

What to do
  ${kind.whatToDo}
${references}`;
}
