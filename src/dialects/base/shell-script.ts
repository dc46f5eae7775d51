import { InputError } from '../../text/input-error.ts';
import { lineFrom, type SourceLine, type Word } from '../../text/line-scanner.ts';
import { scanShell, type ShellToken } from '../../text/shell-scanner.ts';
import { formatPlace, type Span } from '../../text/span.ts';
import { promptLength } from './section.ts';
import { isSetupCommand } from './shell-lines.ts';

/** One simple command. */
export interface ShellCommand {
  readonly kind: 'command';
  /** Variables assigned before it stand apart. */
  readonly words: readonly Word[];
  readonly assignments: readonly { readonly name: string; readonly value: string }[];
  /** Redirections in their order: the operator and its file. */
  readonly redirections: readonly { readonly operator: string; readonly target: string }[];
  /** How it hangs on the one before: run always, if that went well, if it failed, or as its reader. */
  readonly after: ';' | '&&' | '||' | '|';
  readonly origin: Span;
}

/** Something that is not followed. */
export interface ShellUnknown {
  readonly kind: 'unknown';
  readonly reason: string;
  readonly origin: Span;
}

export type ShellItem = ShellCommand | ShellUnknown;

const PLACEHOLDER = /<[A-Za-z][^<>|&;]*>/;

/** Refuses a place that the reader of a procedure should have filled in. */
export function refusePlaceholder(line: SourceLine): void {
  const match = PLACEHOLDER.exec(line.text);
  if (match === null) return;
  const column = line.column + match.index;
  throw new InputError(
    `${formatPlace({ path: line.path, line: line.line, column, text: '' })}: ${match[0]} is a placeholder of the procedure: ` +
      `put your router's own value in its place, or leave the line out`,
  );
}

/** Joins lines that end with a backslash; the place is that of the first. */
export function joinContinuations(lines: readonly SourceLine[]): SourceLine[] {
  const joined: SourceLine[] = [];
  let parts: string[] | undefined;
  let first: SourceLine | undefined;
  for (const line of lines) {
    const comment = parts === undefined && line.text.trimStart().startsWith('#');
    const open = !comment && /(?:^|[^\\])(?:\\\\)*\\$/.test(line.text);
    const text = open ? line.text.slice(0, -1) : line.text;
    if (parts !== undefined) parts.push(text);
    else if (open) {
      parts = [text];
      first = line;
    } else joined.push(line);
    if (!open && parts !== undefined) {
      joined.push({ ...first!, text: parts.join(' ') });
      parts = undefined;
    }
  }
  if (parts !== undefined) joined.push({ ...first!, text: parts.join(' ') });
  return joined;
}

/**
 * The commands of a line behind its prompt. In the form `# CMD # CMD` the second is taken too, although a shell would take it for a
 * comment: procedures are printed like that. `taken` are the places of such.
 */
export function promptedCommands(line: SourceLine): { commands: SourceLine[]; taken: SourceLine[] } {
  const start = promptLength(line.text);
  if (start === undefined) return { commands: [], taken: [] };
  const commands: SourceLine[] = [];
  const taken: SourceLine[] = [];
  let rest = lineFrom(line, start);
  for (;;) {
    const { comment } = scanShell(rest, new Map());
    const behind = comment === undefined ? undefined : /^#\s+/.exec(rest.text.slice(comment));
    const next = comment === undefined || behind == null ? undefined : lineFrom(rest, comment + behind[0].length);
    if (comment === undefined || next === undefined || !isSetupCommand(next.text)) {
      commands.push(rest);
      return { commands, taken };
    }
    commands.push({ ...rest, text: rest.text.slice(0, comment) });
    taken.push(next);
    rest = next;
  }
}

const ASSIGNMENT = /^([A-Za-z_]\w*)=(.*)$/s;

interface Pending {
  words: Word[];
  assignments: { name: string; value: string }[];
  redirections: { operator: string; target: string }[];
  after: ShellCommand['after'];
  start?: number;
  redirect?: string;
}

const emptyPending = (after: ShellCommand['after']): Pending => ({
  words: [],
  assignments: [],
  redirections: [],
  after,
});

/** Splits a line into simple commands, with the variables that are set so far. */
export function readShellLine(line: SourceLine, variables: ReadonlyMap<string, string>): ShellItem[] {
  const items: ShellItem[] = [];
  const scanned = scanShell(line, variables);
  let pending = emptyPending(';');
  const finish = (end: number, after: ShellCommand['after']): void => {
    const { start } = pending;
    if (start !== undefined) {
      const text = line.text.slice(start - line.column, end - line.column).trim();
      const origin: Span = { path: line.path, line: line.line, column: start, text };
      const { words, assignments, redirections } = pending;
      items.push({ kind: 'command', words, assignments, redirections, after: pending.after, origin });
    }
    pending = emptyPending(after);
  };
  for (const token of scanned.tokens) {
    const separator = separatorOf(token);
    if (separator !== undefined) finish(token.column, separator);
    else addToken(pending, token);
  }
  const end = scanned.comment === undefined ? line.text.length : scanned.comment;
  if (scanned.error !== undefined) {
    const start = pending.start ?? line.column;
    const text = line.text.slice(start - line.column).trim();
    items.push({
      kind: 'unknown',
      reason: scanned.error,
      origin: { path: line.path, line: line.line, column: start, text },
    });
    return items;
  }
  finish(line.column + end, ';');
  return items;
}

function separatorOf(token: ShellToken): ShellCommand['after'] | undefined {
  if (token.kind !== 'operator') return undefined;
  switch (token.text) {
    case ';':
    case ';;':
    case '&':
      return ';';
    case '&&':
    case '||':
    case '|':
      return token.text;
    default:
      return undefined;
  }
}

function addToken(pending: Pending, token: ShellToken): void {
  pending.start ??= token.column;
  if (token.kind === 'operator') {
    if (/>&[0-9-]$/.test(token.text)) pending.redirections.push({ operator: token.text, target: '' });
    else pending.redirect = token.text;
    return;
  }
  if (pending.redirect !== undefined) {
    pending.redirections.push({ operator: pending.redirect, target: token.text });
    delete pending.redirect;
    return;
  }
  const assignment = pending.words.length === 0 ? ASSIGNMENT.exec(token.text) : null;
  if (assignment !== null) pending.assignments.push({ name: assignment[1]!, value: assignment[2]! });
  else pending.words.push({ text: token.text, column: token.column, quoted: token.quoted });
}
