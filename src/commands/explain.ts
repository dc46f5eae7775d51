import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { CATALOG } from '../catalog.ts';
import { JOIN_ERROR_ADVICE, type FoundJoinError, type UnknownJoinError } from '../join/join-error.ts';
import { recogniseJoinErrors } from '../join/recognise-join-errors.ts';
import { InputError } from '../text/input-error.ts';
import { readText } from './inputs.ts';
import { writeOut } from './write-output.ts';

const NOTHING_RECOGNISED = 3;

/** `redirect-verify explain CODE` and `explain --error FILE`. */
export function addExplain(program: Command): void {
  program
    .command('explain')
    .description('what does this finding, or this join error, mean, and what do I do?')
    .argument('[code]', 'a code such as RV602, or its name; without one all are listed')
    .option('--error <file>', 'a log, or the raw error text of a failed join of SPS to SPP; - for standard input')
    .action((code: string | undefined, { error }: { error?: string }) => {
      if (error === undefined) {
        writeOut(code === undefined ? listAll() : explain(code));
        return;
      }
      if (code !== undefined) throw new InputError('explain: give either a code or --error FILE');
      const found = recogniseJoinErrors(error === '-' ? readStandardInput() : readText(error));
      writeOut(joinErrorsText(found));
      process.exitCode = found.some((item) => item.kind !== 'unknown') ? 0 : NOTHING_RECOGNISED;
    });
}

function readStandardInput(): string {
  try {
    return readFileSync(0, 'utf8');
  } catch (error) {
    throw new InputError(
      `-: standard input cannot be read (${error instanceof Error && 'code' in error ? error.code : error})`,
    );
  }
}

/** What is known of each error, in the order of the text; nothing of the text itself but names and numbers. */
function joinErrorsText(found: readonly (FoundJoinError | UnknownJoinError)[]): string {
  if (found.length === 0) return 'The text is empty.\n';
  const parts = found.map((item, index) => {
    const times = item.count > 1 ? `, ${item.count} times` : '';
    const head = `${index + 1}. line ${item.line}${times}: `;
    return item.kind === 'unknown' ? `${head}${unknownText(item)}` : `${head}${foundText(item)}`;
  });
  return parts.join('\n');
}

function foundText(item: FoundJoinError): string {
  const advice = JOIN_ERROR_ADVICE[item.kind];
  const lines = [`${advice.title}`, ...detailLines(item).map((line) => `   ${line}`), `   ${advice.meaning}`];
  lines.push('   What to do', `     ${adviceOf(item) ?? advice.whatToDo}`);
  lines.push('   When to try again', `     ${advice.tryAgain}`);
  if (item.kind === 'certificate-mismatch') lines.push('   See also: redirect-verify explain RV703');
  return `${lines.join('\n')}\n`;
}

function detailLines({ entered, named, host, status }: FoundJoinError): string[] {
  const lines: string[] = [];
  if (entered !== undefined) lines.push(`SPS connected to: ${entered}`);
  if (named !== undefined) lines.push(`the certificate names: ${named.join(', ')}`);
  else if (entered !== undefined) lines.push('the text does not say what the certificate names');
  if (host !== undefined) lines.push(`SPP: ${host}${status === undefined ? '' : `, HTTP status ${status}`}`);
  else if (status !== undefined) lines.push(`HTTP status ${status}`);
  return lines;
}

/** With the certificate's own names the advice can be exact. */
function adviceOf({ kind, named = [] }: FoundJoinError): string | undefined {
  if (kind !== 'certificate-mismatch' || named.length === 0) return undefined;
  const address = named.find((name) => /^\d{1,3}(?:\.\d{1,3}){3}$/.test(name));
  const wanted = address ?? named.find((name) => !name.startsWith('*')) ?? `a host name that ${named[0]} covers`;
  return `Enter ${wanted} when joining, if that is SPP. Otherwise set up an SSL certificate for SPP that names its IPv4 address.`;
}

function unknownText({ code, status }: UnknownJoinError): string {
  const what = [
    ...(code === undefined ? [] : [`code ${code}`]),
    ...(status === undefined ? [] : [`HTTP status ${status}`]),
  ].join(', ');
  return `unknown${what === '' ? '' : ` (${what})`}: this is none of the documented join errors; nothing is guessed about it\n`;
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
