import type { FoundJoinError, JoinErrorKind, UnknownJoinError } from './join-error.ts';

/**
 * Recognises the documented errors of joining in a log or in the raw error text (JSON or plain), in order; what tells of an error and is
 * none of them is `unknown`. Only names of hosts, numbers and lines are taken out of the text, never its words: it may hold passwords.
 */
export function recogniseJoinErrors(given: string): readonly (FoundJoinError | UnknownJoinError)[] {
  // Typographic apostrophes come with text that was copied from a page.
  const text = given.replace(/[‘’]/g, "'");
  const marks = attachHeadings(mergeSameError(findMarks(text)));
  const lineAt = lineCounter(text);
  const found = marks.map(({ start, end: _, until: __, signs: ___, ...mark }) => ({
    ...mark,
    line: lineAt(start),
    count: 1,
  }));
  const unknown = unknownLines(text, marks);
  const all: (FoundJoinError | UnknownJoinError)[] = [...found, ...unknown];
  return collapse(all.sort((a, b) => a.line - b.line));
}

/** How far what belongs to an error may stand from what tells it. */
const NEAR = 300;
/** A message "JoinFailed" and the error that it announces. */
const HEADING_REACH = 1500;
/** Host names and addresses, wildcards too; nothing else is ever repeated. */
const NAME = /^[A-Za-z0-9*](?:[A-Za-z0-9.*_:-]{0,252})$/;

/** A colon left in front of a host is that of a user name and a password that a slash cut off. */
const HOST = /^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$/;

interface Mark {
  readonly kind: JoinErrorKind;
  /** What told it. */
  readonly signs: readonly string[];
  readonly start: number;
  readonly end: number;
  /** To where the text belongs to this error. */
  readonly until: number;
  readonly entered?: string;
  readonly named?: readonly string[];
  readonly host?: string;
  readonly status?: number;
}

function findMarks(text: string): Mark[] {
  return [
    ...mismatches(text),
    ...logins(text),
    ...codes(text),
    ...validations(text),
    ...phrases(text, 'address-not-reached', /site can't be reached/gi),
    ...phrases(text, 'not-spp', /web site other than SPP's login/gi),
    ...phrases(text, 'login-refused', /Login to the SPP web interface fails/gi),
    ...phrases(text, 'request-failed', /Request failed\. Check the credentials and the IP address/gi),
    ...phrases(text, 'no-details', /SPS has failed to join to SPP|\(JoinFailed\)/g),
  ].sort((a, b) => a.start - b.start);
}

const MISMATCH =
  /hostname\s{1,20}[\\'"]{1,6}([^'"\\\s]{1,253})[\\'"]{1,6}\s{1,20}doesn[\\]{0,4}'t\s{1,20}match\s{1,20}(?:either\s{1,20}of\s{1,20})?((?:[\\'"]{1,6}[^'"\\\s]{1,253}[\\'"]{1,6}(?:,\s{0,20})?){1,64})/g;
/** As newer clients say it, without the names of the certificate. */
const NOT_VALID_FOR =
  /(?:hostname|IP address) mismatch,\s{1,20}certificate is not valid for\s{1,20}[\\'"]{1,6}([^'"\\\s]{1,253})[\\'"]/gi;

function mismatches(text: string): Mark[] {
  const old = [...text.matchAll(MISMATCH)].map((match): Mark => {
    const named = [...match[2]!.matchAll(/[^'"\\\s,]{1,253}/g)].map(([name]) => name).filter((name) => NAME.test(name));
    return {
      kind: 'certificate-mismatch',
      signs: ['names'],
      ...spanOf(text, match),
      ...nameOf(match[1]!),
      ...(named.length > 0 && { named }),
    };
  });
  const recent = [...text.matchAll(NOT_VALID_FOR)].map(
    (match): Mark => ({ kind: 'certificate-mismatch', signs: ['names'], ...spanOf(text, match), ...nameOf(match[1]!) }),
  );
  return [...old, ...recent];
}

function nameOf(name: string): { entered?: string } {
  return NAME.test(name) ? { entered: name } : {};
}

function logins(text: string): Mark[] {
  return [...text.matchAll(/\binvalid_request\b/g)]
    .filter((match) => /Access denied/i.test(around(text, match.index)))
    .map((match) => ({ kind: 'login-refused', signs: ['raw'], ...spanOf(text, match) }));
}

function codes(text: string): Mark[] {
  const matches = [...text.matchAll(/\bCode\W{1,8}(60108|60657)\b/gi)];
  return matches.map((match, index): Mark => {
    const span = spanOf(text, match);
    // What follows the code up to the end of its block, else what stands before it, but nothing of another error.
    const before = Math.max(match.index - NEAR, matches[index - 1] === undefined ? 0 : matches[index - 1]!.index + 1);
    const after = text.slice(span.end, span.until);
    const url = urlIn(after) ?? urlIn(text.slice(before, match.index), true);
    const status = statusIn(after) ?? statusIn(text.slice(before, match.index));
    return {
      kind: kindOfCode(match[1]!, url?.path),
      signs: ['code'],
      ...span,
      ...(url !== undefined && hostOf(url.host)),
      ...(status !== undefined && { status }),
    };
  });
}

function kindOfCode(code: string, path: string | undefined): JoinErrorKind {
  if (code === '60657') return 'node-already-known';
  if (path === undefined) return 'code-60108';
  if (/PsmValidation/i.test(path)) return 'validation-refused';
  return /Cluster\/SessionModules/i.test(path) ? 'not-authorised' : 'code-60108';
}

function validations(text: string): Mark[] {
  return [...text.matchAll(/https?:\/\/([^\s"'\\<>]{1,400})\/PsmValidation\b/gi)].flatMap((match): Mark[] => {
    const span = spanOf(text, match);
    const status = statusIn(text.slice(span.end, span.until));
    return status === 403
      ? [{ kind: 'validation-refused', signs: ['url'], ...span, ...hostOf(match[1]!.split('/')[0]!), status }]
      : [];
  });
}

function phrases(text: string, kind: JoinErrorKind, pattern: RegExp): Mark[] {
  return [...text.matchAll(pattern)].map((match) => ({
    kind,
    signs: [match[0].toLowerCase()],
    ...spanOf(text, match),
  }));
}

/** The match, and to where its block goes on: the closing brace, an empty line, or a little further. */
function spanOf(text: string, match: RegExpExecArray): { start: number; end: number; until: number } {
  const start = match.index;
  const end = start + match[0].length;
  const stop = /\}|\n\s*\n/.exec(text.slice(end, end + NEAR));
  return { start, end, until: Math.min(text.length, stop === null ? end + NEAR : end + stop.index + 1) };
}

function around(text: string, index: number): string {
  return text.slice(Math.max(0, index - NEAR), index + NEAR);
}

function urlIn(text: string, last = false): { host: string; path: string } | undefined {
  const matches = [...text.matchAll(/https?:\/\/([^\s"'\\<>/]{1,300})(\/[^\s"'\\<>]{0,300})?/gi)];
  const match = last ? matches.at(-1) : matches[0];
  return match === undefined ? undefined : { host: match[1]!, path: match[2] ?? '' };
}

/** The host without what may stand before it: a user name and a password. */
function hostOf(authority: string): { host?: string } {
  const host = authority.slice(authority.lastIndexOf('@') + 1).replace(/:\d{1,5}$/, '');
  return HOST.test(host) ? { host } : {};
}

function statusIn(text: string): number | undefined {
  const match = /\b(?:HTTP|Status)\W{1,6}([1-5]\d\d)\b/i.exec(text);
  return match === null ? undefined : Number(match[1]);
}

/** One error that several signs tell is one; the same sign again is another error. */
function mergeSameError(marks: readonly Mark[]): Mark[] {
  const merged: Mark[] = [];
  for (const mark of marks) {
    const last = merged.at(-1);
    const same = last !== undefined && last.kind === mark.kind && mark.start <= last.until;
    if (same && !last.signs.some((sign) => mark.signs.includes(sign))) {
      const signs = [...last.signs, ...mark.signs];
      merged[merged.length - 1] = { ...mark, ...last, signs, until: Math.max(last.until, mark.until) };
    } else merged.push(mark);
  }
  return merged;
}

/** "JoinFailed" only announces the error that follows it, or closes the one before it. */
function attachHeadings(marks: readonly Mark[]): Mark[] {
  const attached: Mark[] = [];
  marks.forEach((mark, index) => {
    const next = marks[index + 1];
    const last = attached.at(-1);
    const announced = marks[index - 1];
    if (mark.kind !== 'no-details') {
      const heading = announced?.kind === 'no-details' && mark.start - announced.end <= HEADING_REACH;
      attached.push(heading ? { ...mark, start: announced.start } : mark);
    } else if (next !== undefined && next.kind !== 'no-details' && next.start - mark.end <= HEADING_REACH) {
      return;
    } else if (last !== undefined && last.kind !== 'no-details' && mark.start - last.until <= NEAR) {
      attached[attached.length - 1] = { ...last, until: mark.until };
    } else attached.push(mark);
  });
  return attached;
}

const TELLS_OF_AN_ERROR =
  /\b(?:fatal|critical|exception|traceback)\b|\b\w{0,40}error\b\\?"?\s{0,4}[:=(\]]|\bHTTP\W{1,6}[45]\d\d\b|\bStatus\W{1,6}[45]\d\d\b|\bCode\W{1,8}\d{4,6}\b/i;
/** A heading without a word of its own, as it stands in documentation. */
const BARE_HEADING = /^\W{0,20}(?:raw )?error(?: message)?\W{0,20}$/i;
/** Longer lines tell an error near their begin, or not at all. */
const LINE_BEGIN = 4000;

/** Lines that tell of an error and belong to none that was recognised. Where nothing is recognised at all, the text as a whole is unknown. */
function unknownLines(text: string, marks: readonly Mark[]): UnknownJoinError[] {
  const unknown: UnknownJoinError[] = [];
  let offset = 0;
  text.split('\n').forEach((line, index) => {
    const start = offset;
    const end = offset + line.length;
    offset = end + 1;
    const begin = line.slice(0, LINE_BEGIN);
    if (BARE_HEADING.test(begin) || !TELLS_OF_AN_ERROR.test(begin)) return;
    if (marks.some((mark) => start <= mark.until && end >= mark.start - NEAR / 3)) return;
    const code = /\bCode\W{1,8}(\d{4,6})\b/i.exec(begin);
    const status = statusIn(begin);
    unknown.push({
      kind: 'unknown',
      line: index + 1,
      ...(code !== null && { code: Number(code[1]) }),
      ...(status !== undefined && { status }),
      count: 1,
    });
  });
  if (unknown.length === 0 && marks.length === 0 && text.trim() !== '')
    unknown.push({ kind: 'unknown', line: 1, count: 1 });
  return unknown;
}

/** The same error several times on end is one, counted. */
function collapse<Item extends FoundJoinError | UnknownJoinError>(items: readonly Item[]): Item[] {
  const kept: Item[] = [];
  for (const item of items) {
    const last = kept.at(-1);
    if (last !== undefined && identity(last) === identity(item))
      kept[kept.length - 1] = { ...last, count: last.count + 1 };
    else kept.push(item);
  }
  return kept;
}

function identity({ line: _, count: __, ...rest }: FoundJoinError | UnknownJoinError): string {
  return JSON.stringify(rest);
}

/** Line of an offset, from 1; offsets are asked for in any order. */
function lineCounter(text: string): (offset: number) => number {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (starts[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return low + 1;
  };
}
