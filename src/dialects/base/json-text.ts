import type { SourceLine } from '../../text/line-scanner.ts';

/** A JSON value with where it begins. */
export type JsonNode =
  | { readonly kind: 'plain'; readonly value: string | number | boolean | null }
  | { readonly kind: 'list'; readonly items: readonly JsonNode[] }
  | {
      readonly kind: 'object';
      readonly path: string;
      readonly line: number;
      readonly column: number;
      readonly members: ReadonlyMap<string, JsonNode>;
    };

/** A list at the start of a text, and how many lines it takes up. */
export interface JsonList {
  readonly items: readonly JsonNode[];
  readonly lineCount: number;
}

/** No dump of a router nests deeper. */
const DEPTH_LIMIT = 32;

class JsonError extends Error {}

/** Reads JSON that stands on several lines, and remembers where. */
class Reader {
  readonly #lines: readonly SourceLine[];
  /** Index of the line, and in its text. */
  #row = 0;
  #at = 0;

  constructor(lines: readonly SourceLine[]) {
    this.#lines = lines;
  }

  get row(): number {
    return this.#row;
  }

  /** Whether nothing but blanks follows on the line. */
  get isAtLineEnd(): boolean {
    return (this.#lines[this.#row]?.text.slice(this.#at) ?? '').trim() === '';
  }

  #skipBlanks(): string {
    for (;;) {
      const line = this.#lines[this.#row];
      if (line === undefined) throw new JsonError('the text ends early');
      while (/\s/.test(line.text[this.#at] ?? 'x')) this.#at++;
      const character = line.text[this.#at];
      if (character !== undefined) return character;
      this.#row++;
      this.#at = 0;
    }
  }

  #expect(character: string): void {
    if (this.#skipBlanks() !== character) throw new JsonError(`"${character}" is missing`);
    this.#at++;
  }

  /** True where another part follows; then the separator was taken. */
  #continues(close: string): boolean {
    const character = this.#skipBlanks();
    this.#at++;
    if (character === close) return false;
    if (character !== ',') throw new JsonError(`"${close}" is missing`);
    return true;
  }

  value(depth = 0): JsonNode {
    if (depth > DEPTH_LIMIT) throw new JsonError('it is nested too deep');
    const character = this.#skipBlanks();
    if (character === '[') return { kind: 'list', items: this.list(depth) };
    if (character === '{') return this.#object(depth);
    return { kind: 'plain', value: this.#plain() };
  }

  list(depth: number): JsonNode[] {
    this.#expect('[');
    const items: JsonNode[] = [];
    if (this.#skipBlanks() === ']') {
      this.#at++;
      return items;
    }
    do items.push(this.value(depth + 1));
    while (this.#continues(']'));
    return items;
  }

  #object(depth: number): JsonNode {
    const { path, line, column } = this.#lines[this.#row]!;
    const place = { path, line, column: column + this.#at };
    this.#expect('{');
    const members = new Map<string, JsonNode>();
    if (this.#skipBlanks() === '}') this.#at++;
    else {
      do {
        this.#skipBlanks();
        const key = this.#plain();
        if (typeof key !== 'string') throw new JsonError('a name is missing');
        this.#expect(':');
        members.set(key, this.value(depth + 1));
      } while (this.#continues('}'));
    }
    return { kind: 'object', ...place, members };
  }

  #plain(): string | number | boolean | null {
    const rest = this.#lines[this.#row]!.text.slice(this.#at);
    const token = /^(?:"(?:[^"\\]|\\.)*"|[-+.\w]+)/.exec(rest)?.[0];
    if (token === undefined) throw new JsonError('a value is missing');
    this.#at += token.length;
    try {
      return JSON.parse(token) as string | number | boolean | null;
    } catch {
      throw new JsonError(`${token} is no value`);
    }
  }
}

/** The JSON list that begins with the first line; undefined where there is none that is whole and ends with its line. */
export function readJsonList(lines: readonly SourceLine[]): JsonList | undefined {
  const reader = new Reader(lines);
  try {
    const items = reader.list(0);
    return reader.isAtLineEnd ? { items, lineCount: reader.row + 1 } : undefined;
  } catch (error) {
    if (error instanceof JsonError) return undefined;
    throw error;
  }
}
