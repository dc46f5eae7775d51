import type { ConnectionTuple, DumpedConnection } from '../model/dumped-connection.ts';
import { type IpAddress, parseIpAddress } from '../net/ip-address.ts';
import { parseUnsigned32 } from '../net/masked-mark.ts';
import { spanOfLine } from '../text/line-scanner.ts';
import type { Span } from '../text/span.ts';
import type { Dialect } from './base/dialect.ts';

const ENTRY = /^(?:ipv[46]\s+\d+\s+)?[a-z0-9]+\s+\d+\s+(?:\d+\s+)?.*\bsrc=\S+ dst=\S+/;
const HEAD = /^(?:ipv[46]\s+\d+\s+)?[a-z0-9]+\s+(\d+)(?:\s+(\d+))?(?:\s+([A-Z][A-Z_0-9]*))?\s/;
/** What conntrack says on standard error, where that stands in the text too. */
const COUNT = /^conntrack v\S+ \(conntrack-tools\):/;

/** `conntrack -L` (also `-o extended`, `-o id`) and /proc/net/nf_conntrack: the entries that there were. */
export const linuxConntrack: Dialect = {
  name: 'linux-conntrack',
  stage: 1,
  recognise: ({ heading, lines }) =>
    heading === undefined
      ? ENTRY.test(lines[0]?.text ?? '')
      : /^(?:conntrack -L(?: |$)|cat \/proc\/net\/nf_conntrack)/.test(heading.command),
  parse(section, draft) {
    for (const line of section.lines) {
      if (line.text.trim() === '' || COUNT.test(line.text)) continue;
      const origin = spanOfLine(line);
      const entry = parseEntry(line.text, origin);
      if (entry === undefined) draft.unparsed('this is no line of `conntrack -L`', origin);
      else if (entry.original.source.family === 4) draft.connections.push(entry);
    }
  },
};

type Pairs = ReadonlyMap<string, string>;

/** Words that are not known change nothing: new versions print more of them. Ref: libnetfilter_conntrack snprintf_default.c */
function parseEntry(text: string, origin: Span): DumpedConnection | undefined {
  const head = HEAD.exec(text);
  if (head === null) return undefined;
  const [, protocol, timeout, state] = head;
  const words = text.trim().split(/\s+/);
  // Each `src=` opens the next direction's words; what belongs to the whole entry stands behind the second.
  const starts = words.flatMap((word, index) => (word.startsWith('src=') ? [index] : []));
  const [first, second] = starts;
  if (first === undefined || second === undefined || starts.length !== 2) return undefined;
  const front = pairsOf(words.slice(first, second));
  const back = pairsOf(words.slice(second));
  const original = tupleOf(front);
  const reply = tupleOf(back);
  if (original === undefined || reply === undefined) return undefined;
  const both = numberOf(back, 'zone') ?? 0;
  const mark = numberOf(back, 'mark');
  const helper = back.get('helper');
  return {
    protocol: Number(protocol),
    ...(timeout === undefined ? {} : { timeout: Number(timeout) }),
    ...(state === undefined ? {} : { state }),
    original,
    reply,
    seenReply: !words.includes('[UNREPLIED]'),
    assured: words.includes('[ASSURED]'),
    ...(mark === undefined ? {} : { mark }),
    zoneOriginal: numberOf(front, 'zone-orig') ?? numberOf(back, 'zone-orig') ?? both,
    zoneReply: numberOf(back, 'zone-reply') ?? both,
    ...(helper === undefined ? {} : { helper }),
    origin,
  };
}

/** The first value of each key: an entry's own `id=` stands behind an ICMP tuple's. */
function pairsOf(words: readonly string[]): Pairs {
  const pairs = new Map<string, string>();
  for (const word of words) {
    const at = word.indexOf('=');
    if (at > 0 && !pairs.has(word.slice(0, at))) pairs.set(word.slice(0, at), word.slice(at + 1));
  }
  return pairs;
}

function numberOf(pairs: Pairs, key: string): number | undefined {
  const text = pairs.get(key);
  return text === undefined ? undefined : parseUnsigned32(text);
}

function tupleOf(pairs: Pairs): ConnectionTuple | undefined {
  const source = addressOf(pairs, 'src');
  const destination = addressOf(pairs, 'dst');
  if (source === undefined || destination === undefined || source.family !== destination.family) return undefined;
  const icmpType = numberOf(pairs, 'type');
  if (icmpType !== undefined) {
    const identifier = numberOf(pairs, 'id') ?? 0;
    const icmpCode = numberOf(pairs, 'code') ?? 0;
    return { source, destination, sourcePort: identifier, destinationPort: identifier, icmpType, icmpCode };
  }
  const sourcePort = numberOf(pairs, 'sport') ?? 0;
  const destinationPort = numberOf(pairs, 'dport') ?? 0;
  if (sourcePort > 0xffff || destinationPort > 0xffff) return undefined;
  return { source, destination, sourcePort, destinationPort };
}

function addressOf(pairs: Pairs, key: string): IpAddress | undefined {
  return parseIpAddress(pairs.get(key) ?? '');
}
