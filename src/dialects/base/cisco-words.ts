import { type SourceLine, scanWords, spanOfLine, type Word } from '../../text/line-scanner.ts';
import type { Span } from '../../text/span.ts';

/** A statement of a configuration, taken word by word. Keywords are compared in lower case, and may be abbreviated where asked so. */
export class Statement {
  readonly line: SourceLine;
  readonly words: readonly Word[];
  position = 0;

  constructor(line: SourceLine) {
    this.line = line;
    this.words = scanWords(line, 'none') ?? [];
  }

  get span(): Span {
    return spanOfLine(this.line);
  }

  get done(): boolean {
    return this.position >= this.words.length;
  }

  /** The word from here on, as written; empty at the end. */
  peek(offset = 0): string {
    return this.words[this.position + offset]?.text ?? '';
  }

  next(): string {
    return this.words[this.position++]?.text ?? '';
  }

  /** Takes keywords that stand next, one after the other; takes none where one is missing. */
  take(...keywords: readonly string[]): boolean {
    if (!keywords.every((keyword, index) => this.peek(index).toLowerCase() === keyword)) return false;
    this.position += keywords.length;
    return true;
  }

  /** Takes one of some keywords. */
  takeOne<Keyword extends string>(...keywords: readonly Keyword[]): Keyword | undefined {
    const word = this.peek().toLowerCase();
    const found = keywords.find((keyword) => keyword === word);
    if (found !== undefined) this.position++;
    return found;
  }

  /** Takes a whole number. */
  takeNumber(): number | undefined {
    if (!/^\d{1,10}$/.test(this.peek())) return undefined;
    return Number(this.next());
  }

  /** What is left, as written. */
  rest(): string {
    return this.words
      .slice(this.position)
      .map((word) => word.text)
      .join(' ');
  }
}

const TYPES = [
  'Ethernet',
  'FastEthernet',
  'GigabitEthernet',
  'TenGigabitEthernet',
  'TwoGigabitEthernet',
  'FiveGigabitEthernet',
  'TwentyFiveGigE',
  'FortyGigabitEthernet',
  'HundredGigE',
  'AppGigabitEthernet',
  'Serial',
  'Loopback',
  'Vlan',
  'Tunnel',
  'Port-channel',
  'Dialer',
  'Null',
  'BVI',
  'BDI',
  'BRI',
  'Multilink',
  'Async',
  'ATM',
  'POS',
  'Cellular',
  'Virtual-Template',
  'Virtual-Access',
  'Virtual-PPP',
  'Dot11Radio',
  'Management',
  'mgmt',
  'nve',
  'NVI',
  'TokenRing',
  'Fddi',
  'Hssi',
  'Group-Async',
  'Embedded-Service-Engine',
  'Service-Engine',
  'Wlan-GigabitEthernet',
  'wlan-ap',
  'LISP',
  'ucse',
  'pseudowire',
  'Bundle-Ether',
  'CEM',
] as const;

/** An interface's full name: `fa0/0` and `FastEthernet 0/0` are FastEthernet0/0. Undefined where it is no name of an interface. */
export function interfaceName(text: string): string | undefined {
  const match = /^([A-Za-z][A-Za-z-]*?)[ -]?(\d[\d/.:]*)$/.exec(text.trim());
  if (match === null) return undefined;
  const letters = match[1]!.toLowerCase();
  const type =
    TYPES.find((name) => name.toLowerCase() === letters) ??
    TYPES.find((name) => name.toLowerCase().startsWith(letters));
  return `${type ?? match[1]}${match[2]}`;
}

/** Takes an interface's name, which may stand in two words. */
export function takeInterface(statement: Statement): string | undefined {
  const one = interfaceName(statement.peek());
  if (one !== undefined) {
    statement.position++;
    return one;
  }
  const two = interfaceName(`${statement.peek()} ${statement.peek(1)}`);
  if (two === undefined || statement.peek(1) === '') return undefined;
  statement.position += 2;
  return two;
}

/** Whether what is sent by such an interface arrives at its one other end. */
export function isPointToPoint(name: string): boolean {
  return /^(?:Serial|Tunnel|Dialer|Multilink|Async|BRI|Cellular|Virtual-|POS|Hssi)/i.test(name);
}
