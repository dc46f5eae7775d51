import { parseDevice } from '../dialects/index.ts';
import { clean } from '../formats/format.ts';
import type { Report } from '../report/report.ts';
import { InputError } from '../text/input-error.ts';
import { scanShell } from '../text/shell-scanner.ts';
import { visible } from '../text/visible.ts';
import { undoable } from '../verification/linux-undo.ts';
import { readText } from './inputs.ts';
import { type OutputFile, writeFilesWhole } from './write-output.ts';

const OPTION = '--fix-script';

/** Name of the rollback beside a fix script: `fix.sh` and `fix.rollback.sh`. */
export function rollbackPath(path: string): string {
  return /\.[^./]+$/.test(path) ? path.replace(/(\.[^./]+)$/, '.rollback$1') : `${path}.rollback`;
}

/** What {@link writeFixScript} writes; nothing where no path is given. */
export function fixScriptFiles(path: string | undefined): OutputFile[] {
  return path === undefined ? [] : [path, rollbackPath(path)].map((file) => ({ option: OPTION, path: file }));
}

/** Whether a shell reads one command of plain words in a line, and expands nothing in it. */
function isSimpleCommand(text: string): boolean {
  const { tokens, comment, error } = scanShell({ path: '', line: 1, column: 1, text }, new Map());
  const isPlain = tokens.every((token) => token.kind === 'word' && (token.quoted || !/[*?[\]~]/.test(token.text)));
  return visible(text) === text && error === undefined && comment === undefined && isPlain && !text.endsWith('\\');
}

/** The commands of a report's fixes, in its order, each once, with the findings that they are for. */
export function fixCommands(report: Report): { readonly command: string; readonly findings: readonly string[] }[] {
  const commands = new Map<string, string[]>();
  for (const { id, code, slug, fix } of report.findings) {
    for (const command of fix) {
      const known = commands.get(command) ?? [];
      known.push(`#${id} ${code} ${slug}`);
      commands.set(command, known);
    }
  }
  return [...commands].map(([command, findings]) => ({ command, findings }));
}

/**
 * Writes the fixes of a Linux router as one commented script, and beside it a script that takes them back. Nothing is run. Returns the commands,
 * none where there is nothing to fix: then no file is written. Throws InputError.
 */
export function writeFixScript(report: Report, path: string, inputs: readonly string[]): readonly string[] {
  const fixes = fixCommands(report);
  if (fixes.length === 0) return [];
  const device = parseDevice(
    report.router.sources.map((source) => ({ path: source.path, text: readText(source.path) })),
  );
  if (!('rulesets' in device))
    throw new InputError(`${OPTION}: only the fixes of a Linux router are written as a script`);
  const steps = undoable(
    device,
    fixes.map((item) => item.command),
  );
  const odd = fixes.find((item) => !isSimpleCommand(item.command));
  if (odd !== undefined) throw new InputError(`${OPTION}: a shell would read more than one command in: ${odd.command}`);
  const rollback = rollbackPath(path);
  const files = [
    { path, text: scriptText(report, fixes, rollback) },
    { path: rollback, text: rollbackText(report, steps, path) },
  ];
  writeFilesWhole(files, inputs, OPTION);
  return steps.map((step) => step.command);
}

function head(report: Report, what: string): string[] {
  const { hostname, collectedAt, sources } = report.router;
  return clean([
    '#!/bin/sh',
    `# ${what}`,
    `# Router ${hostname ?? 'without a name'}, state of ${collectedAt ?? 'unknown time'}:`,
    ...sources.map(({ path, sha256 }) => `#   ${path}  SHA-256 ${sha256}`),
    '# Written by redirect-verify, which has not run it. Read it, run it as root on the router, and keep a second way in.',
  ]);
}

function scriptText(report: Report, fixes: ReturnType<typeof fixCommands>, rollback: string): string {
  const lines = [
    ...head(report, 'Mends what a report found.'),
    `# ${clean(rollback)} takes it back. It stops at the first command that fails.`,
    '# None of this outlives a reboot: write it where this router keeps its settings once it has proved right.',
    'set -e',
  ];
  let before = '';
  for (const { command, findings } of fixes) {
    const said = findings.join(', ');
    if (said !== before) {
      const [id] = findings.map((text) => Number(/^#(\d+)/.exec(text)?.[1]));
      const finding = report.findings.find((item) => item.id === id);
      lines.push('', `# ${said}`, `#   ${clean(finding?.message ?? '')}`);
      before = said;
    }
    lines.push(command);
  }
  return `${lines.join('\n')}\n`;
}

function rollbackText(report: Report, steps: ReturnType<typeof undoable>, path: string): string {
  const lines = [
    ...head(report, `Takes back what ${clean(path)} did, the last change first.`),
    '# It goes on where a command fails, and says so by its exit code.',
    'status=0',
  ];
  for (const { command, undo } of [...steps].reverse()) {
    lines.push('', `# undoes: ${clean(command)}`);
    // What stood there before is the router's text, and nobody has tried it.
    if (undo.length === 0 || !undo.every(isSimpleCommand)) {
      lines.push(
        "echo 'not undone, the state before is not known:' >&2",
        `echo '  ${command.replaceAll("'", `'\\''`)}' >&2`,
        'status=1',
      );
      continue;
    }
    for (const line of undo) lines.push(`${line} || status=1`);
  }
  return `${[...lines, '', 'exit $status'].join('\n')}\n`;
}
