import type { Span } from '../../text/span.ts';

/** A value of a JSON text; objects know where they stand. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject;

export interface JsonObject {
  readonly members: ReadonlyMap<string, JsonValue>;
  /** Where each member's name stands. */
  readonly places: ReadonlyMap<string, Span>;
  readonly origin: Span;
}

/** Values nested deeper than this are no export. */
const DEPTH_LIMIT = 64;
/** How much of an object's text a report shows. */
const SHOWN_LENGTH = 160;

/** Parses a JSON text; undefined where it is none. `firstLine` is the line that it begins at. */
export function parseJsonText(path: string, text: string, firstLine = 1): JsonValue | undefined {
  const parser = new JsonParser(path, text, firstLine);
  return parser.parse();
}

class JsonParser {
  readonly #path: string;
  readonly #text: string;
  readonly #lineStarts: number[] = [0];
  readonly #firstLine: number;
  #at = 0;

  constructor(path: string, text: string, firstLine: number) {
    this.#path = path;
    this.#text = text;
    this.#firstLine = firstLine;
    for (let index = text.indexOf('\n'); index >= 0; index = text.indexOf('\n', index + 1))
      this.#lineStarts.push(index + 1);
  }

  parse(): JsonValue | undefined {
    const value = this.#value(0);
    this.#skip();
    return this.#at === this.#text.length ? value : undefined;
  }

  #skip(): void {
    while (this.#at < this.#text.length && /[\s\ufeff]/.test(this.#text[this.#at]!)) this.#at++;
  }

  #value(depth: number): JsonValue | undefined {
    this.#skip();
    const character = this.#text[this.#at];
    if (depth > DEPTH_LIMIT) return undefined;
    if (character === '{') return this.#object(depth);
    if (character === '[') return this.#array(depth);
    if (character === '"') return this.#string();
    const word = /[-+\w.]+/y;
    word.lastIndex = this.#at;
    const found = word.exec(this.#text)?.[0];
    if (found === undefined) return undefined;
    this.#at += found.length;
    if (found === 'true') return true;
    if (found === 'false') return false;
    if (found === 'null') return null;
    const number = Number(found);
    return Number.isNaN(number) ? undefined : number;
  }

  #string(): string | undefined {
    const quoted = /"(?:[^"\\]|\\.)*"/sy;
    quoted.lastIndex = this.#at;
    const found = quoted.exec(this.#text)?.[0];
    if (found === undefined) return undefined;
    this.#at += found.length;
    try {
      const value: unknown = JSON.parse(found);
      return typeof value === 'string' ? value : undefined;
    } catch {
      return undefined;
    }
  }

  #array(depth: number): JsonValue[] | undefined {
    this.#at++;
    const items: JsonValue[] = [];
    for (;;) {
      this.#skip();
      if (this.#take(']')) return items;
      const item = this.#value(depth + 1);
      if (item === undefined) return undefined;
      items.push(item);
      this.#skip();
      if (!this.#take(',') && this.#text[this.#at] !== ']') return undefined;
    }
  }

  #object(depth: number): JsonObject | undefined {
    const start = this.#at++;
    const members = new Map<string, JsonValue>();
    const places = new Map<string, Span>();
    for (;;) {
      this.#skip();
      if (this.#take('}')) return { members, places, origin: this.#span(start) };
      const at = this.#at;
      const name = this.#string();
      this.#skip();
      if (name === undefined || !this.#take(':')) return undefined;
      const value = this.#value(depth + 1);
      if (value === undefined) return undefined;
      members.set(name, value);
      places.set(name, this.#span(at));
      this.#skip();
      if (!this.#take(',') && this.#text[this.#at] !== '}') return undefined;
    }
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  /** The place of the object that began there and ends here; its text in one line. */
  #span(start: number): Span {
    let low = 0;
    let high = this.#lineStarts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#lineStarts[middle]! <= start) low = middle;
      else high = middle - 1;
    }
    const whole = this.#text.slice(start, Math.min(this.#at, start + 4 * SHOWN_LENGTH)).replace(/\s+/g, ' ');
    const text = whole.length > SHOWN_LENGTH ? `${whole.slice(0, SHOWN_LENGTH)} …` : whole;
    return { path: this.#path, line: this.#firstLine + low, column: start - this.#lineStarts[low]! + 1, text };
  }
}

/** Whether a value is an object. */
export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && 'members' in value;
}
