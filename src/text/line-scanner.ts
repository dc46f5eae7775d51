import type { Span } from './span.ts';

/** A line of a text, without its line end. `column` is where `text` begins in the file's line, from 1. */
export interface SourceLine {
  readonly path: string;
  readonly line: number;
  readonly column: number;
  readonly text: string;
}

/** A word of a line. `column` is in the file; `quoted` where any of it stood in quotes, so that `"-j"` is no option. */
export interface Word {
  readonly text: string;
  readonly column: number;
  readonly quoted: boolean;
}

/** Which quotes a text knows: iptables-save only double ones, a shell all, plain dumps none. */
export type Quoting = 'none' | 'double' | 'shell';

/**
 * Splits a text into lines at LF, CR LF or a lone CR; a byte order mark is taken away.
 * A line end at the end of the text makes no further line.
 */
export function splitLines(path: string, text: string): SourceLine[] {
  const body = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  const parts = body.split(/\r\n|\n|\r/);
  if (parts.at(-1) === '') parts.pop();
  return parts.map((part, index) => ({ path, line: index + 1, column: 1, text: part }));
}

/** The line from an index of its text on. */
export function lineFrom(line: SourceLine, index: number): SourceLine {
  return { ...line, column: line.column + index, text: line.text.slice(index) };
}

/** The line without the blanks around it. */
export function trimLine(line: SourceLine): SourceLine {
  const start = line.text.search(/\S/);
  return start < 0 ? { ...line, text: '' } : { ...lineFrom(line, start), text: line.text.trim() };
}

/** The place of a whole line, without the blanks around it. */
export function spanOfLine(line: SourceLine): Span {
  const { path, line: number, column, text } = trimLine(line);
  return { path, line: number, column, text };
}

const isBlank = (character: string): boolean => character === ' ' || character === '\t';

/**
 * Splits a line into words with their columns. Quotes are taken away and backslashes resolved as the quoting says.
 * Undefined where a quote is never closed.
 */
export function scanWords(line: SourceLine, quoting: Quoting): Word[] | undefined {
  const words: Word[] = [];
  const { text } = line;
  let index = 0;
  while (index < text.length) {
    if (isBlank(text[index]!)) {
      index++;
      continue;
    }
    const word = quoting === 'none' ? scanPlain(text, index) : scanQuoted(text, index, quoting);
    if (word === undefined) return undefined;
    words.push({ text: word.text, column: line.column + index, quoted: word.quoted });
    index = word.end;
  }
  return words;
}

interface Scanned {
  readonly text: string;
  readonly end: number;
  readonly quoted: boolean;
}

function scanPlain(text: string, start: number): Scanned {
  let end = start;
  while (end < text.length && !isBlank(text[end]!)) end++;
  return { text: text.slice(start, end), end, quoted: false };
}

function scanQuoted(text: string, start: number, quoting: 'double' | 'shell'): Scanned | undefined {
  const parts: string[] = [];
  let quoted = false;
  let index = start;
  while (index < text.length) {
    const character = text[index]!;
    if (isBlank(character)) break;
    if (character === '"') {
      const inner = scanDoubleQuotes(text, index + 1, quoting);
      if (inner === undefined) return undefined;
      parts.push(inner.text);
      quoted = true;
      index = inner.end;
    } else if (character === "'" && quoting === 'shell') {
      const close = text.indexOf("'", index + 1);
      if (close < 0) return undefined;
      parts.push(text.slice(index + 1, close));
      quoted = true;
      index = close + 1;
    } else if (character === '\\' && quoting === 'shell') {
      parts.push(text[index + 1] ?? '');
      index += 2;
    } else {
      let end = index + 1;
      while (end < text.length && !/[\s"'\\]/.test(text[end]!)) end++;
      parts.push(text.slice(index, end));
      index = end;
    }
  }
  return { text: parts.join(''), end: Math.min(index, text.length), quoted };
}

function scanDoubleQuotes(text: string, start: number, quoting: 'double' | 'shell'): Scanned | undefined {
  const parts: string[] = [];
  let index = start;
  for (;;) {
    let end = index;
    while (end < text.length && text[end] !== '"' && text[end] !== '\\') end++;
    if (end >= text.length) return undefined;
    parts.push(text.slice(index, end));
    if (text[end] === '"') return { text: parts.join(''), end: end + 1, quoted: true };
    const next = text[end + 1] ?? '';
    // A shell keeps the backslash before characters that it does not escape; iptables-restore takes it away always.
    parts.push(quoting === 'shell' && !/["\\$`]/.test(next) ? `\\${next}` : next);
    index = end + 2;
  }
}
