/** The structure of an output apart from its words: what a reader, a browser, a viewer or a shell makes of it. */

/** Characters that no output sends: they steer terminals, end lines elsewhere, or turn text around. */
export const STEERING = /[\p{Cc}\u2028\u2029\p{Bidi_Control}\p{Surrogate}\ufffe\uffff]/u;

/** Lines of text: how far each is indented, and the label that it begins with at the margin. */
export function textStructure(text: string): unknown {
  return text.split('\n').map((line) => {
    const indent = /^ */.exec(line)![0].length;
    return indent > 0 || line === '' ? Math.min(indent, 3) : line.split(' ')[0];
  });
}

/** Keys, and of what kind the values are. */
export function jsonStructure(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(jsonStructure);
  if (typeof value !== 'object' || value === null) return typeof value === 'string' ? 'text' : value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, jsonStructure(item)]));
}

/** Elements with the names of their attributes, in order; what stands between them must be text, and references whole. */
export function markupStructure(text: string): string[] {
  const token =
    /<!doctype html>|<\?xml [^?<>]*\?>|<\/([A-Za-z][\w-]*)>|<([A-Za-z][\w-]*)((?:\s+[\w:-]+(?:="[^"<>]*")?)*)\s*\/?>|[^<>]+/gy;
  const found: string[] = [];
  let at = 0;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    at = token.lastIndex;
    const [all, closing, opening, attributes = ''] = match;
    const words = closing === undefined && opening === undefined ? all : attributes;
    if (!all.startsWith('<?') && /&(?!(?:amp|lt|gt|quot|#39|#10);)/.test(words)) found.push(`a bare & in ${words}`);
    if (closing !== undefined) found.push(`/${closing}`);
    if (opening !== undefined)
      found.push(
        [opening, ...[...attributes.matchAll(/([\w:-]+)=?/g)].flatMap((item) => named(item, attributes))].join(' '),
      );
  }
  return at === text.length ? found : [...found, `not markup: ${text.slice(at, at + 80)}`];
}

/** Whether the match is an attribute's name and not a part of a value. */
function named(match: RegExpExecArray, attributes: string): string[] {
  const quotes = attributes.slice(0, match.index).split('"').length - 1;
  return quotes % 2 === 0 ? [match[1]!] : [];
}

/** Content of elements whose text is no markup, taken out. */
export function withoutRawText(html: string): { html: string; raw: string[] } {
  const raw: string[] = [];
  const rest = html.replace(
    /<(script|style)([^>]*)>(.*?)<\/\1>/gs,
    (_, name: string, attributes: string, text: string) => {
      raw.push(text);
      return `<${name}${attributes}></${name}>`;
    },
  );
  return { html: rest, raw };
}

/**
 * Blocks of Markdown line by line, and the marks of inline structure that are left where code spans and escaped characters are taken out.
 *
 * Ref: CommonMark 0.31 (4 leaf blocks, 6.1 code spans), GitHub Flavored Markdown 0.29 (4.10 tables, 6.9 autolinks)
 */
export function markdownStructure(text: string): unknown[] {
  let fence: string | undefined;
  return text.split('\n').map((line) => {
    if (fence !== undefined) {
      const closes = new RegExp(`^ {0,3}${fence[0] === '`' ? '`' : '~'}{${fence.length},}\\s*$`).test(line);
      if (closes) fence = undefined;
      return closes ? 'fence' : 'code';
    }
    const opens = /^ {0,3}(`{3,}(?=[^`]*$)|~{3,})/.exec(line)?.[1];
    if (opens !== undefined) {
      fence = opens;
      return 'fence';
    }
    const table = line.startsWith('| ');
    return [blockOf(line), ...(table ? cellsOf(line) : [line]).map(inlineMarks)];
  });
}

function blockOf(line: string): string {
  if (line.trim() === '') return 'blank';
  if (/^ {4}|^ {0,3}\t/.test(line)) return 'indented code';
  const text = line.replace(/^ {0,3}/, '');
  if (/^#{1,6}(\s|$)/.test(text)) return 'heading';
  if (/^([-*_])\s*(?:\1\s*){2,}$/.test(text)) return 'break';
  if (/^(=+|-+)\s*$/.test(text)) return 'underline';
  const item = /^(?:[-+*]|\d{1,9}[.)])(?:\s|$)/.exec(text)?.[0];
  if (item !== undefined) return `${item.replace(/\d+/, '1')}(${blockOf(text.slice(item.length))})`;
  if (text.startsWith('>')) return 'quote';
  if (text.startsWith('<')) return 'html';
  if (/^\[[^\]]*\]:/.test(text)) return 'definition';
  if (/^\|?\s*:?-+:?\s*(\||$)/.test(text) && line.includes('|')) return 'table head';
  return text.startsWith('|') ? 'row' : 'paragraph';
}

/** A bar that no backslash precedes ends a cell, in code spans, too; one that it precedes is text. */
function cellsOf(line: string): string[] {
  return line.split(/(?<!\\)\|/).map((cell) => cell.replaceAll('\\|', '|'));
}

function inlineMarks(text: string): string {
  let marks = '';
  for (let at = 0; at < text.length; ) {
    const rest = text.slice(at);
    const ticks = /^`+/.exec(rest)?.[0];
    if (rest[0] === '\\' && /^\\[!-/:-@[-`{-~]/.test(rest)) at += 2;
    else if (ticks !== undefined) {
      const close = new RegExp(`(?<!\`)\`{${ticks.length}}(?!\`)`).exec(rest.slice(ticks.length));
      marks += close === null ? ticks : 'C';
      at += close === null ? ticks.length : ticks.length + close.index + ticks.length;
    } else {
      const found = /^(?:&(?:amp|lt|gt);|https?:\/\/|ftp:\/\/|www\.)/.exec(rest)?.[0];
      if (found !== undefined) {
        // References of characters are text; addresses become links.
        if (!found.startsWith('&')) marks += found;
        at += found.length;
      } else {
        if (/[*_[\]<>&!#~@$]/.test(rest[0]!)) marks += rest[0];
        at++;
      }
    }
  }
  return marks;
}

/** Links and placeholders that a viewer of SARIF makes of a message. Ref: SARIF 2.1.0, 3.11.5 and 3.11.6 */
export function sarifMarks(text: string): string[] {
  return [
    ...[...text.matchAll(/(?<!\\)\[(?:[^\]\\]|\\.)*\]\([^)]*\)/g)].map(([link]) => link),
    ...[...text.replace(/\{\{|\}\}/g, '').matchAll(/[{}]/g)].map(([brace]) => brace),
  ];
}

/** Lines of Prometheus' text; one that is none stands as it is. Ref: prometheus.io, exposition formats */
export function metricsStructure(text: string): string[] {
  return text.split('\n').map((line) => {
    if (line === '' || /^# (HELP|TYPE) \w+ /.test(line)) return line;
    const match = /^(\w+)(?:\{((?:\w+="(?:[^"\\]|\\[\\"n])*",?)*)\})? (-?[\d.]+)$/.exec(line);
    if (match === null) return `not a sample: ${line}`;
    const labels = [...(match[2] ?? '').matchAll(/(\w+)="(?:[^"\\]|\\.)*"/g)].map(([, name]) => name);
    return `${match[1]} ${labels.join(' ')} ${match[3]}`;
  });
}
