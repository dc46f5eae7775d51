import { lineFrom, type SourceLine, splitLines, trimLine } from '../../text/line-scanner.ts';
import { isUnfoldable, unfold } from './cisco-unfold.ts';
import type { RouterSource } from './split-sections.ts';

/** Where a statement may belong: `global` ends the block before it, `sub` belongs to that block, `either` is told by its words. */
export type Level = 'global' | 'sub' | 'either';

/** One statement of a configuration. */
export interface ConfigLine {
  readonly line: SourceLine;
  readonly level: Level;
}

/** What a command of the router printed. */
export interface ShowOutput {
  /** `ip route`, without `show`; as told by a prompt, a heading, or the output itself. */
  readonly command: string;
  readonly lines: SourceLine[];
}

/** A text of an IOS router, taken apart. */
export interface CiscoText {
  readonly config: readonly ConfigLine[];
  readonly shows: readonly ShowOutput[];
  /** Host names of its prompts. */
  readonly hosts: readonly string[];
  /** The statements of a configuration that stood in one line; absent where nothing was unfolded. */
  readonly unfolded?: readonly SourceLine[];
}

/** `#(config-if) `, `Router(config-if)#`: where such a prompt stands, another statement begins, in the middle of a line, too. */
const CONFIG_PROMPT = /(?:^|(?<=\s))[\w.-]*(?:#\s?\((config[\w-]*)\)|\((config[\w-]*)\)\s?#)[ \t]*/g;
const EXEC_PROMPT = /^\s*([A-Za-z][\w.-]{0,62})[#>]\s*(?=\S)/;
const BUNDLE_HEADING = /^### *(\S.*?)\s*$/;

/** What begins the output of a command that nothing names. */
const SIGNATURES: readonly (readonly [RegExp, string])[] = [
  [/^\s*(?:Codes:\s|Routing Table: )/, 'ip route'],
  [/^Gateway of last resort is /, 'ip route'],
  [/^Track \d+\s*$/, 'track'],
  [/^Track\s+(?:Object|Type)\s/, 'track brief'],
  [/^Protocol\s+Address\s+Age/, 'arp'],
  [/^\S+ is (?:administratively )?(?:up|down|reset|deleted)(?: \(.*\))?, line protocol is /, 'interfaces'],
  [/^Interface\s+IP-Address\s+OK\?/, 'ip interface brief'],
  [/^(?:Standard|Extended) IP access list /, 'access-lists'],
  [/^route-map \S+, (?:permit|deny), sequence \d+/, 'route-map'],
  [/^Cisco (?:IOS|Internetwork Operating System) Software/, 'version'],
];

/** What begins a configuration where no prompt and no heading says so. */
const CONFIG_START =
  /^(?:Building configuration|Current configuration|!|version \d|hostname \S|interface \S|ip access-list |access-list \d|route-map \S+(?: (?:permit|deny)(?: \d+)?)?\s*$)/;

/** Takes a text apart: outputs by prompts, headings and their own first lines, the rest is configuration. */
export function splitCiscoText(source: RouterSource): CiscoText {
  const lines = splitLines(source.path, source.text);
  if (isUnfoldable(lines)) {
    const unfolded = unfold(lines);
    return { config: unfolded.map((line) => ({ line, level: 'either' })), shows: [], hosts: [], unfolded };
  }
  const splitter = new Splitter();
  for (const line of lines) splitter.take(line);
  return { config: withLevels(splitter.config), shows: splitter.shows, hosts: [...splitter.hosts] };
}

interface RawLine {
  readonly line: SourceLine;
  /** The mode that its prompt names: `config`, `config-if` … */
  readonly mode?: string;
}

class Splitter {
  readonly config: RawLine[] = [];
  readonly shows: ShowOutput[] = [];
  readonly hosts = new Set<string>();
  #show: ShowOutput | undefined;
  /** The delimiter that ends a banner. */
  #banner: string | undefined;

  take(line: SourceLine): void {
    if (this.#banner !== undefined) {
      if (line.text.includes(this.#banner)) this.#banner = undefined;
      return;
    }
    if (line.text.trim() === '') return;
    const heading = BUNDLE_HEADING.exec(line.text)?.[1];
    if (heading !== undefined && /^(?:sh|show|redirect-verify)\b/i.test(heading)) {
      this.#command(heading);
      return;
    }
    CONFIG_PROMPT.lastIndex = 0;
    const prompts = [...line.text.matchAll(CONFIG_PROMPT)];
    if (prompts.length > 0) {
      this.#show = undefined;
      this.#prompted(line, prompts);
      return;
    }
    const exec = EXEC_PROMPT.exec(line.text);
    if (
      exec !== null &&
      /^(?:sh(?:ow?)?|conf\w*|term\w*|en\w*|exit|end|wr\w*|copy|ping|do)\b/i.test(line.text.slice(exec[0].length))
    ) {
      this.hosts.add(exec[1]!);
      this.#command(line.text.slice(exec[0].length));
      return;
    }
    if (/^\s*[A-Za-z][\w.-]{0,62}[#>]\s*$/.test(line.text)) return;
    this.#plain(line);
  }

  #plain(line: SourceLine): void {
    const signature = SIGNATURES.find(([pattern]) => pattern.test(line.text));
    if (signature !== undefined && this.#show?.command.startsWith(signature[1]) !== true) {
      // The codes of a routing table are followed by its gateway of last resort.
      this.#show = { command: signature[1], lines: [] };
      this.shows.push(this.#show);
    } else if (this.#show !== undefined && CONFIG_START.test(line.text)) this.#show = undefined;
    if (this.#show !== undefined) this.#show.lines.push(line);
    else this.#configLine({ line });
  }

  #command(text: string): void {
    const words = text.trim().toLowerCase().split(/\s+/);
    this.#show = undefined;
    if (words[0] === 'show' || words[0] === 'sh' || words[0] === 'sho') {
      const rest = words
        .slice(1)
        .join(' ')
        .replace(/\s*\|.*$/, '');
      if (/^(?:run|startup|start|config)/.test(rest)) return;
      this.#show = { command: showCommand(rest), lines: [] };
      this.shows.push(this.#show);
    }
  }

  #prompted(line: SourceLine, prompts: readonly RegExpMatchArray[]): void {
    prompts.forEach((match, index) => {
      const start = match.index! + match[0].length;
      const end = prompts[index + 1]?.index ?? line.text.length;
      const text = line.text.slice(start, end).trimEnd();
      if (text === '') return;
      this.#configLine({ line: { ...lineFrom(line, start), text }, mode: match[1] ?? match[2]! });
    });
  }

  #configLine(raw: RawLine): void {
    const banner = /^\s*banner\s+\S+\s+(\^C|\S)(.*)$/.exec(raw.line.text);
    if (banner !== null) {
      if (!banner[2]!.includes(banner[1]!)) this.#banner = banner[1]!;
      return;
    }
    this.config.push(raw);
  }
}

/** Commands abbreviated as they are typed. */
function showCommand(rest: string): string {
  if (/^ip ro/.test(rest)) return 'ip route';
  if (/^(?:ip )?arp/.test(rest)) return 'arp';
  if (/^tr\w* br/.test(rest)) return 'track brief';
  if (/^tr/.test(rest)) return 'track';
  if (/^ip int\w* br/.test(rest)) return 'ip interface brief';
  if (/^ip int/.test(rest)) return 'ip interface';
  if (/^int\w* (?:des|sta|sum|tr)/.test(rest)) return 'interfaces status';
  if (/^int/.test(rest)) return 'interfaces';
  if (/^(?:ip )?acc/.test(rest)) return 'access-lists';
  if (/^clo/.test(rest)) return 'clock';
  return rest;
}

/** A running configuration indents what belongs to a block; pasted commands may not. */
function withLevels(raw: readonly RawLine[]): ConfigLine[] {
  const plain = raw.filter((item) => item.mode === undefined && !/^\s*!/.test(item.line.text));
  const indents = plain.map((item) => /^\s*/.exec(item.line.text)![0].length);
  const least = indents.reduce((smallest, indent) => Math.min(smallest, indent), Number.MAX_SAFE_INTEGER);
  const indented = indents.some((indent) => indent > least);
  return raw.map(({ line, mode }) => {
    const trimmed = trimLine(line);
    if (mode !== undefined) return { line: trimmed, level: mode === 'config' ? 'global' : 'either' };
    if (!indented) return { line: trimmed, level: 'either' };
    return { line: trimmed, level: /^\s*/.exec(line.text)![0].length > least ? 'sub' : 'global' };
  });
}
