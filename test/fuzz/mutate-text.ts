/** Mutations of texts: by line, by word, by character, of numbers, and of JSON by its structure. */
import type { Random } from './random.ts';

/** What must not get through to a page, a terminal, a table or a test report; and what breaks parsers. */
export const INJECTIONS = [
  '\u001b[31mred\u001b[0m',
  '\u001b]0;title\u0007',
  '\u009b31m',
  '<img src=x onerror=alert(1)>',
  '</script><script>alert(1)</script>',
  ']]>',
  '-->',
  '&lt;&#x3c;',
  '"><b>',
  "'><b>",
  '| a | b |',
  '\\|',
  '`x`',
  '```',
  '[x](javascript:alert(1))',
  '![x](http://192.0.2.1/)',
  '# heading',
  '\r',
  '\u2028',
  '\u202e',
  '\ufeff',
  '\ufffe',
  '\ud800',
  '%s%n',
  '$(x)',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
] as const;

const NUMBERS = [
  '0',
  '-1',
  '1',
  '00',
  '007',
  '0x',
  '0x0',
  '0xffffffff',
  '0x100000000',
  '255',
  '256',
  '65535',
  '65536',
  '2147483648',
  '4294967295',
  '4294967296',
  '18446744073709551616',
  '1e309',
  'NaN',
  'Infinity',
  '1.5',
  '99999999999999999999999999999999',
  '',
] as const;

const WORDS = [
  '0.0.0.0/0',
  '255.255.255.255',
  '10.0.0.0/33',
  '10.0.0.1/0.0.255.255',
  '::/0',
  '::ffff:1.2.3.4',
  'fe80::1%eth0',
  '10.0.0.1,10.0.0.2,10.0.0.3',
  '10.0.0.9-10.0.0.1',
  '0:65535',
  '65535:0',
  '!',
  '"',
  "'",
  '\\',
  '--',
  '-',
  '*',
  '$(x)',
  '`x`',
  '<<EOF',
  '&&',
  '|',
  ';',
  '#',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '&a',
  '*a',
  '!!binary',
  '? a',
  '- - - a',
  '|+',
  '%YAML 9.9',
  '\u0000',
  '\t',
] as const;

/** A text that was changed in a few places. `other` is one to take lines from, `words` are those of all stored texts. */
export function mutateText(random: Random, text: string, other: string, words: readonly string[]): string {
  const newline = random.chance(0.05) ? random.pick(['\r\n', '\r', '\n\n', ' \n']) : '\n';
  let lines = text.split('\n');
  for (let count = random.few(12); count > 0; count--) lines = mutateLines(random, lines, other, words);
  let changed = lines.join(newline);
  if (random.chance(0.05)) changed = changed.slice(0, random.below(changed.length + 1));
  if (random.chance(0.02)) changed = `\ufeff${changed}`;
  if (random.chance(0.03)) changed += random.bytes(random.below(40)).toString('latin1');
  return changed;
}

function mutateLines(random: Random, lines: string[], other: string, words: readonly string[]): string[] {
  const at = random.below(lines.length);
  const line = lines[at] ?? '';
  const changed = [...lines];
  switch (random.below(12)) {
    case 0:
      changed.splice(at, random.few(10));
      return changed;
    case 1:
      changed.splice(at, 0, line);
      return changed;
    case 2: {
      const with_ = random.below(lines.length);
      changed[at] = lines[with_] ?? '';
      changed[with_] = line;
      return changed;
    }
    case 3: {
      const taken = other.split('\n');
      const from = random.below(taken.length);
      changed.splice(random.below(lines.length + 1), 0, ...taken.slice(from, from + random.few(20)));
      return changed;
    }
    case 4:
      changed.splice(at, 2, `${line}${random.pick(['', ' ', ' \\'])}${lines[at + 1] ?? ''}`);
      return changed;
    case 5:
      changed[at] = line.slice(0, random.below(line.length + 1));
      return changed;
    case 6:
      changed[at] = line.repeat(random.pick([2, 3, 50]));
      return changed;
    default:
      changed[at] = mutateLine(random, line, words);
      return changed;
  }
}

function mutateLine(random: Random, line: string, words: readonly string[]): string {
  const parts = line.split(/(\s+)/);
  const at = random.below(parts.length);
  const part = parts[at] ?? '';
  switch (random.below(9)) {
    case 0:
      parts[at] = random.pick(words);
      break;
    case 1:
      parts[at] = random.pick(WORDS);
      break;
    case 2:
      parts[at] = random.pick(INJECTIONS);
      break;
    case 3:
      parts[at] = `${part}${random.pick(INJECTIONS)}`;
      break;
    case 4:
      parts.splice(at, 1);
      break;
    case 5:
      parts.splice(at, 0, ` ${random.pick(words)} `);
      break;
    case 6:
      parts[at] = mutateCharacters(random, part);
      break;
    default:
      return mutateNumber(random, line);
  }
  return parts.join('');
}

function mutateNumber(random: Random, line: string): string {
  const found = [...line.matchAll(/\d+/g)];
  if (found.length === 0) return `${line} ${random.pick(NUMBERS)}`;
  const match = random.pick(found);
  const number = random.chance(0.5) ? random.pick(NUMBERS) : String(Number(match[0]) + random.between(-2, 2));
  return `${line.slice(0, match.index)}${number}${line.slice(match.index + match[0].length)}`;
}

function mutateCharacters(random: Random, text: string): string {
  const at = random.below(text.length + 1);
  switch (random.below(4)) {
    case 0:
      return text.slice(0, at) + text.slice(at + 1);
    case 1:
      return text.slice(0, at) + String.fromCharCode(random.below(random.pick([128, 256, 65536]))) + text.slice(at);
    case 2:
      return text.slice(at) + text.slice(0, at);
    default:
      return text.slice(0, at) + text.slice(at).repeat(random.pick([2, 30]));
  }
}

/** A text of words of all languages, in lines. */
export function randomText(random: Random, words: readonly string[], lines: readonly string[]): string {
  const made: string[] = [];
  for (let count = random.below(30) + 1; count > 0; count--) {
    if (random.chance(0.4)) made.push(random.pick(lines));
    else {
      const line: string[] = [];
      for (let length = random.below(10); length > 0; length--)
        line.push(random.chance(0.85) ? random.pick(words) : random.pick(random.chance(0.5) ? WORDS : INJECTIONS));
      made.push(line.join(' '));
    }
  }
  return made.join('\n');
}

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** JSON with values deleted, doubled, swapped for others and for ones of other types. Text that is none is mutated as text. */
export function mutateJson(random: Random, text: string, words: readonly string[]): string {
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch {
    return mutateText(random, text, text, words);
  }
  for (let count = random.few(10); count > 0; count--) mutateValue(random, value, words);
  const written = JSON.stringify(value, null, random.pick([0, 2]));
  const changed = random.chance(0.05) ? nest(random, written) : written;
  return random.chance(0.1) ? mutateText(random, changed, text, words) : changed;
}

/** Puts lists or objects in one another, where a value stood or as a value of a key that nobody knows. */
function nest(random: Random, text: string): string {
  const isMore = random.chance(0.5);
  const places = [...text.matchAll(isMore ? /(?<=\{)(?=\s*")/g : /(?<=: ?)(?:\d+|"[^"\\]*")(?=[,\n}])/g)];
  if (places.length === 0) return text;
  const place = random.pick(places);
  const [open, close] = random.pick([
    ['[', ']'],
    ['{"a":', '}'],
  ] as const);
  const count = random.pick([50, 1000, 100_000]);
  const nested = `${open.repeat(count)}0${close.repeat(count)}`;
  return `${text.slice(0, place.index)}${isMore ? `"more":${nested},` : nested}${text.slice(place.index + place[0].length)}`;
}

function mutateValue(random: Random, root: Json, words: readonly string[]): void {
  const places: { holder: Json[] | { [key: string]: Json }; key: string }[] = [];
  const walk = (value: Json): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const key of Object.keys(value)) {
      places.push({ holder: value, key });
      walk((value as { [key: string]: Json })[key] ?? null);
    }
  };
  walk(root);
  if (places.length === 0) return;
  const { holder, key } = random.pick(places);
  const other = random.pick(places);
  const target = holder as { [key: string]: Json };
  switch (random.below(6)) {
    case 0:
      if (Array.isArray(holder)) holder.splice(Number(key), 1);
      else delete target[key];
      return;
    case 1:
      // A copy, so that what is JSON stays a tree.
      target[key] = structuredClone((other.holder as { [key: string]: Json })[other.key] ?? null);
      return;
    case 2:
      if (Array.isArray(holder)) holder.push(structuredClone(target[key] ?? null));
      else target[random.pick([...INJECTIONS, ...words])] = structuredClone(target[key] ?? null);
      return;
    case 3:
      target[key] = typeof target[key] === 'string' ? mutateCharacters(random, target[key]) : random.pick(words);
      return;
    case 4:
      target[key] = random.pick([...INJECTIONS, ...NUMBERS]);
      return;
    default:
      target[key] = structuredClone(
        random.pick<Json>([null, true, false, 0, -1, 1.5, 1e308, 2 ** 32, '', [], {}, [[]], [null], { a: [] }]),
      );
  }
}
