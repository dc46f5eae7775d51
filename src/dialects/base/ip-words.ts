import { type Family, parseIpAddress } from '../../net/ip-address.ts';
import { type IpPrefix, parsePrefix } from '../../net/prefix.ts';
import type { Word } from '../../text/line-scanner.ts';

/** Words of an `ip` command or dump, taken one after the other. */
export class WordCursor {
  private readonly words: readonly Word[];
  private index: number;

  constructor(words: readonly Word[], index = 0) {
    this.words = words;
    this.index = index;
  }

  get atEnd(): boolean {
    return this.index >= this.words.length;
  }

  peek(): string | undefined {
    return this.words[this.index]?.text;
  }

  /** The next word; undefined at the end. */
  take(): string | undefined {
    return this.words[this.index++]?.text;
  }

  /** The rest as text, for messages and unmodelled attributes. */
  rest(): string {
    return this.words
      .slice(this.index)
      .map((word) => word.text)
      .join(' ');
  }
}

/**
 * A prefix as iproute2 takes it: `all`, `any` and `default` are everything, IPv4 may leave out octets at the end (`10/8`).
 * Host bits are kept. The family decides for the words without an address; undefined where it is no prefix.
 */
export function parseIpPrefix(text: string, family: Family): IpPrefix | undefined {
  if (text === 'all' || text === 'any' || text === 'default') return { family, words: [0, 0, 0, 0], prefixLength: 0 };
  const short = /^(\d+(?:\.\d+){0,2})\/(\d{1,2}|\d+\.\d+\.\d+\.\d+)$/.exec(text);
  const padded =
    short === null ? text : `${[...short[1]!.split('.'), '0', '0', '0'].slice(0, 4).join('.')}/${short[2]}`;
  const dotted = /^([^/]+)\/(\d+\.\d+\.\d+\.\d+)$/.exec(padded);
  if (dotted !== null) {
    const mask = parseIpAddress(dotted[2]!)?.words[0];
    if (mask === undefined || ((~mask >>> 0) & (~mask + 1)) !== 0) return undefined;
    return parsePrefix(`${dotted[1]}/${32 - Math.log2((~mask >>> 0) + 1)}`);
  }
  return parsePrefix(padded);
}

/** Names of DS fields in iproute2's rt_dsfield, old and new. */
const DS_FIELDS: ReadonlyMap<string, number> = new Map([
  ['default', 0x00],
  ['mincost', 0x02],
  ['reliability', 0x04],
  ['throughput', 0x08],
  ['lowdelay', 0x10],
  ['AF11', 0x28],
  ['AF12', 0x30],
  ['AF13', 0x38],
  ['AF21', 0x48],
  ['AF22', 0x50],
  ['AF23', 0x58],
  ['AF31', 0x68],
  ['AF32', 0x70],
  ['AF33', 0x78],
  ['AF41', 0x88],
  ['AF42', 0x90],
  ['AF43', 0x98],
  ['CS1', 0x20],
  ['CS2', 0x40],
  ['CS3', 0x60],
  ['CS4', 0x80],
  ['CS5', 0xa0],
  ['CS6', 0xc0],
  ['CS7', 0xe0],
  ['EF', 0xb8],
]);

/** A TOS value: a name, or a number that iproute2 reads as hexadecimal with or without `0x`. Ref: iproute2 lib/rt_names.c. */
export function parseTos(text: string): number | undefined {
  // Names first: `EF` is one, and no number.
  const named = DS_FIELDS.get(text);
  if (named !== undefined) return named;
  return /^(?:0x)?[0-9a-f]{1,2}$/i.test(text) ? Number.parseInt(text.replace(/^0x/i, ''), 16) : undefined;
}
