import { type SourceLine, scanWords, spanOfLine } from '../text/line-scanner.ts';
import type { Dialect } from './base/dialect.ts';
import { readNextHopWords } from './base/ip-nexthop-words.ts';
import { WordCursor } from './base/ip-words.ts';

const OBJECT = /^id \d+ (?:via|dev|group|blackhole|encap)\b/;

const isObject = (line: SourceLine | undefined): boolean => OBJECT.test(line?.text ?? '');

const wordsOf = (line: SourceLine): WordCursor => new WordCursor(scanWords(line, 'none') ?? []);

/** `ip nexthop show`: the objects that routes name by `nhid`. Ref: ip-nexthop(8). */
export const linuxIpNexthop: Dialect = {
  name: 'linux-ip-nexthop',
  stage: 1,

  recognise: ({ heading, lines }) =>
    heading === undefined ? isObject(lines[0]) : /^ip (?:-[46] )?(?:-d )?nexthop show(?: |$)/.test(heading.command),

  parse(section, draft) {
    const lines = section.lines.filter((line) => line.text.trim() !== '');
    const at = lines[0] ?? section.heading?.at;
    if (at === undefined) return;
    if (section.heading === undefined || / nexthop show$/.test(section.heading.command)) {
      draft.given.nextHopObjects = true;
      const content = lines.map((line) => JSON.stringify(readNextHopWords(wordsOf(line)))).sort();
      if (!draft.isNew('ip nexthop', content.join('\n'), spanOfLine(at))) return;
    }
    for (const line of lines) {
      const { object, error } = readNextHopWords(wordsOf(line));
      if (object === undefined) draft.unparsed(`next hop object not understood: ${error}`, spanOfLine(line));
      else draft.nextHopObjects.set(object.id, object);
    }
  },
};
