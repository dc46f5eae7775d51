import type { SourceLine, Word } from './line-scanner.ts';

/** What a line of a shell script is made of. */
export type ShellToken =
  | ({ readonly kind: 'word' } & Word)
  /** `;` `&&` `||` `|` `&`, or a redirection like `>` `>>` `2>` `<`; `column` is in the file. */
  | { readonly kind: 'operator'; readonly text: string; readonly column: number };

/** A scanned line. After an error the tokens before it stand. */
export interface ShellLine {
  readonly tokens: readonly ShellToken[];
  /** Index in the line's text where a comment begins. */
  readonly comment?: number;
  /** A construct that is not followed: a substitution, a subshell, an undefined variable, an open quote. */
  readonly error?: string;
}

/** Values of variables that the script itself has set. */
export type ShellVariables = ReadonlyMap<string, string>;

const OPERATOR = /^(?:&>>?|[0-9]?>>|[0-9]?>&[0-9-]|[0-9]?>\|?|[0-9]?<<?<?-?|&&|\|\||;;|[;|&])/;
/** What ends an unquoted run of plain characters. */
const PLAIN = /^[^\s"'\\$`;&|<>(){}]+/;

/** How many characters the variables of one line may expand to. */
const EXPANSION_LIMIT = 100_000;

class ScanError extends Error {}

/** Reads one line as a POSIX shell would, as far as simple commands go; everything else is an error, never a guess. */
class ShellScanner {
  private readonly text: string;
  private readonly column: number;
  private readonly variables: ShellVariables;
  private index = 0;
  private readonly tokens: ShellToken[] = [];
  private parts: string[] | undefined;
  private start = 0;
  private quoted = false;
  private expanded = 0;

  constructor(line: SourceLine, variables: ShellVariables) {
    this.text = line.text;
    this.column = line.column;
    this.variables = variables;
  }

  scan(): ShellLine {
    try {
      while (this.index < this.text.length) {
        if (this.parts === undefined && this.text[this.index] === '#') {
          return { tokens: this.tokens, comment: this.index };
        }
        this.step();
      }
      this.endWord();
    } catch (thrown) {
      if (!(thrown instanceof ScanError)) throw thrown;
      return { tokens: this.tokens, error: thrown.message };
    }
    return { tokens: this.tokens };
  }

  private step(): void {
    const character = this.text[this.index]!;
    if (/\s/.test(character)) {
      this.endWord();
      this.index++;
      return;
    }
    switch (character) {
      case '"':
        this.readDoubleQuotes();
        return;
      case "'": {
        const close = this.text.indexOf("'", this.index + 1);
        if (close < 0) throw new ScanError('a quote is opened and never closed');
        this.add(this.text.slice(this.index + 1, close), true);
        this.index = close + 1;
        return;
      }
      case '\\':
        this.add(this.text[this.index + 1] ?? '', true);
        this.index += 2;
        return;
      case '$':
        this.addExpansion();
        return;
      case '`':
        throw new ScanError('a command substitution is not followed');
      case '(':
      case ')':
        throw new ScanError('subshells, functions and arrays are not followed');
      case '{':
      case '}':
        this.readBrace();
        return;
      default:
        this.readPlainOrOperator();
    }
  }

  private begin(): string[] {
    if (this.parts === undefined) {
      this.parts = [];
      this.start = this.index;
      this.quoted = false;
    }
    return this.parts;
  }

  private add(text: string, quoted: boolean): void {
    this.begin().push(text);
    if (quoted) this.quoted = true;
  }

  private endWord(): void {
    if (this.parts === undefined) return;
    this.tokens.push({
      kind: 'word',
      text: this.parts.join(''),
      column: this.column + this.start,
      quoted: this.quoted,
    });
    this.parts = undefined;
  }

  private readPlainOrOperator(): void {
    const rest = this.text.slice(this.index, this.index + 8);
    const operator = OPERATOR.exec(rest)?.[0];
    // A digit belongs to a redirection only at the beginning of a word.
    if (operator !== undefined && (this.parts === undefined || !/^\d/.test(operator))) {
      this.endWord();
      this.tokens.push({ kind: 'operator', text: operator, column: this.column + this.index });
      this.index += operator.length;
      return;
    }
    let end = this.index;
    while (end < this.text.length && PLAIN.test(this.text[end]!)) end++;
    this.add(this.text.slice(this.index, end), false);
    this.index = end;
  }

  /** `{}` alone are words; `{a,b}` would expand. */
  private readBrace(): void {
    const close = this.text.indexOf('}', this.index);
    const inner = close < 0 ? '' : this.text.slice(this.index, close);
    if (this.text[this.index] === '{' && /,|\.\./.test(inner)) throw new ScanError('a brace expansion is not followed');
    this.add(this.text[this.index]!, false);
    this.index++;
  }

  private readDoubleQuotes(): void {
    this.add('', true);
    this.index++;
    for (;;) {
      const character = this.text[this.index];
      if (character === undefined) throw new ScanError('a quote is opened and never closed');
      if (character === '"') break;
      if (character === '`') throw new ScanError('a command substitution is not followed');
      if (character === '$') {
        this.add(this.expand() ?? '$', true);
      } else if (character === '\\' && /["\\$`]/.test(this.text[this.index + 1] ?? '')) {
        this.add(this.text[this.index + 1]!, true);
        this.index += 2;
      } else {
        let end = this.index + 1;
        while (end < this.text.length && !/["\\$`]/.test(this.text[end]!)) end++;
        this.add(this.text.slice(this.index, end), true);
        this.index = end;
      }
    }
    this.index++;
  }

  /** An unquoted value is split at its blanks, as a shell does. */
  private addExpansion(): void {
    this.begin();
    const value = this.expand();
    if (value === undefined) {
      this.add('$', false);
      return;
    }
    const pieces = value.split(/\s+/);
    for (const [index, piece] of pieces.entries()) {
      if (index > 0) this.endWord();
      if (piece !== '') this.add(piece, false);
    }
    if (this.parts !== undefined && this.parts.length === 0) this.parts = undefined;
  }

  /** The value of the variable at the index, which moves behind it; undefined for a lone dollar sign. */
  private expand(): string | undefined {
    const match = /^\$(?:(\w+)|\{(\w+)\}|([({#@*?$!-]))?/.exec(this.text.slice(this.index, this.index + 200))!;
    const name = match[1] ?? match[2];
    if (match[3] !== undefined) throw new ScanError('this expansion is not followed');
    this.index += match[0].length;
    if (name === undefined) return undefined;
    const value = this.variables.get(name);
    if (value === undefined) throw new ScanError(`the variable ${name} is not set in this text`);
    this.expanded += value.length;
    if (this.expanded > EXPANSION_LIMIT) throw new ScanError('the variables expand to more than this tool takes');
    return value;
  }
}

/** Scans a line of a shell script into words and operators, its variables expanded. */
export function scanShell(line: SourceLine, variables: ShellVariables): ShellLine {
  return new ShellScanner(line, variables).scan();
}
