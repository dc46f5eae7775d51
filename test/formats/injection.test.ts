/** Whatever the words of an input are, an output keeps its structure: it is that of the same output with harmless words. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { diffMarkdown, diffText } from '../../src/commands/diff-output.ts';
import { eventWords, lineDisplay, ndjsonDisplay, ndjsonEnd } from '../../src/commands/live-display.ts';
import { metricsText } from '../../src/commands/live-metrics.ts';
import { tableLines } from '../../src/commands/live-table.ts';
import { recogniseJoinErrors } from '../../src/join/recognise-join-errors.ts';
import type { LiveEvent } from '../../src/report/live-progress.ts';
import type { Report } from '../../src/report/report.ts';
import { jsonText } from '../../src/text/visible.ts';
import {
  evilCheck,
  evilDiff,
  evilEvidence,
  evilJoin,
  evilReport,
  HARMFUL,
  HARMLESS,
  PIECES,
  type Words,
} from './evil.ts';
import { render } from './rendered.ts';
import {
  jsonStructure,
  markdownStructure,
  markupStructure,
  metricsStructure,
  STEERING,
  sarifMarks,
  textStructure,
  withoutRawText,
} from './structure.ts';

const RUNS = 150;

/** Every piece alone, before and behind each word, then some at random. */
function always(holds: (words: Words) => void): void {
  for (const piece of PIECES) {
    holds((place) => `${piece}${place}`);
    holds((place) => `${place}${piece}`);
  }
  fc.assert(fc.property(HARMFUL, holds), { numRuns: RUNS });
}

/** Line ends are the output's own. */
function expectCalm(text: string): void {
  expect(STEERING.exec(text.replaceAll('\n', ''))).toBeNull();
}

const REPORTS = [
  { name: 'a run', make: evilReport },
  { name: 'a check', make: evilCheck },
  { name: 'a join', make: evilJoin },
] as const;

describe.each(REPORTS)('the report of $name', ({ make }) => {
  /** Renders with harmless and with harmful words. */
  const compare = (
    format: string,
    structure: (text: string) => unknown,
    options: (words: Words) => Parameters<typeof render>[2] = () => ({ verbose: true }),
  ): void => {
    const want = structure(render(format, make(HARMLESS), options(HARMLESS)));
    always((words) => {
      const text = render(format, make(words), options(words));
      expectCalm(text);
      expect(structure(text)).toEqual(want);
    });
  };

  it('as text', () => compare('text', textStructure));

  it('as text with colours, which are its own', () => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours
    const plain = (text: string): string => text.replace(/\u001b\[\d{1,2}m/g, '');
    const colours = (text: string): number => text.length - plain(text).length;
    const want = render('text', make(HARMLESS), { color: true, verbose: true });
    always((words) => {
      const got = render('text', make(words), { color: true, verbose: true });
      expectCalm(plain(got));
      expect(colours(got)).toBe(colours(want));
    });
  });

  it('as JSON, whose values are those of the report', () => {
    always((words) => {
      const text = render('json', make(words));
      expectCalm(text);
      expect(JSON.parse(text)).toEqual(make(words));
    });
  });

  it('as NDJSON', () =>
    compare('ndjson', (text) =>
      text
        .trimEnd()
        .split('\n')
        .map((line) => jsonStructure(JSON.parse(line))),
    ));

  it('as SARIF, without links and placeholders in its messages', () =>
    compare('sarif', (text) => {
      const log = JSON.parse(text) as {
        runs: { results: { message: { text: string }; relatedLocations?: { message: { text: string } }[] }[] }[];
      };
      const messages = log.runs.flatMap((run) =>
        run.results.flatMap((result) => [
          result.message.text,
          ...(result.relatedLocations ?? []).map((related) => related.message.text),
        ]),
      );
      return [jsonStructure(log), messages.flatMap(sarifMarks), messages.map((message) => message.split('\n').length)];
    }));

  it('as JUnit', () => compare('junit', markupStructure));

  it('as Markdown', () => compare('markdown', markdownStructure));

  it('as HTML', () =>
    compare(
      'html',
      (text) => {
        const { html, raw } = withoutRawText(text);
        const [style, data = '', script] = raw;
        return [raw.length, style, jsonStructure(JSON.parse(data)), script, markupStructure(html)];
      },
      (words) => ({ verbose: true, evidence: evilEvidence(words) }),
    ));
});

describe('diff', () => {
  it('as text', () => {
    const want = textStructure(diffText(evilDiff(HARMLESS)));
    always((words) => {
      const text = diffText(evilDiff(words));
      expectCalm(text);
      expect(textStructure(text)).toEqual(want);
    });
  });

  it('as Markdown', () => {
    const want = markdownStructure(diffMarkdown(evilDiff(HARMLESS)));
    always((words) => {
      const text = diffMarkdown(evilDiff(words));
      expectCalm(text);
      expect(markdownStructure(text)).toEqual(want);
    });
  });

  it('as JSON', () => {
    always((words) => {
      const text = jsonText(evilDiff(words), 2);
      expectCalm(text);
      expect(JSON.parse(text)).toEqual(evilDiff(words));
    });
  });
});

describe('live', () => {
  const eventsOf = (report: Report): LiveEvent[] => [
    ...report.connections.map((connection): LiveEvent => ({ event: 'connection', connection })),
    ...report.connections.map((connection): LiveEvent => ({ event: 'verdict', connection, was: 'verified' })),
    ...report.findings.map((finding): LiveEvent => ({ event: 'finding', finding })),
  ];
  const stateOf = (words: Words) => ({
    report: evilReport(words),
    sources: [{ path: words('source'), packets: 3, lost: 1 }],
    frames: 3,
    seconds: 12,
    lagMilliseconds: 5,
    last: eventWords(eventsOf(evilReport(words)).at(-1)!),
    givenUp: 1,
  });

  it('as lines: one for each event and notice', () => {
    always((words) => {
      const said: string[] = [];
      const display = lineDisplay((text) => said.push(text));
      const events = eventsOf(evilReport(words));
      display.events(events, stateOf(words));
      display.notice({ event: 'source', message: words('notice') });
      expect(said).toHaveLength(events.length + 1);
      for (const line of said) {
        expectCalm(line);
        expect(line).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z [^\n]+\n$/);
      }
    });
  });

  it('as NDJSON', () => {
    const linesOf = (words: Words): string[] => {
      const said: string[] = [];
      const display = ndjsonDisplay((text) => said.push(text), evilReport(words));
      display.events(eventsOf(evilReport(words)), stateOf(words));
      display.notice({ event: 'state', message: words('notice') });
      return [...said, ndjsonEnd(evilReport(words))];
    };
    const structure = (words: Words): unknown =>
      linesOf(words)
        .join('')
        .trimEnd()
        .split('\n')
        .map((line) => jsonStructure(JSON.parse(line)));
    const want = structure(HARMLESS);
    always((words) => {
      for (const line of linesOf(words)) expectCalm(line);
      expect(structure(words)).toEqual(want);
    });
  });

  it.each([80, 200])('as a table of %i columns: as many lines, none longer', (columns) => {
    const want = tableLines(stateOf(HARMLESS), columns, 24, false).length;
    always((words) => {
      const lines = tableLines(stateOf(words), columns, 24, false);
      expect(lines).toHaveLength(want);
      for (const line of lines) {
        expect(STEERING.exec(line)).toBeNull();
        expect(line.length).toBeLessThanOrEqual(columns);
      }
    });
  });

  it('as metrics', () => {
    const textOf = (words: Words): string =>
      metricsText({ ...stateOf(words), lagSeconds: 1, report: evilReport(words) });
    const want = metricsStructure(textOf(HARMLESS));
    expect(want.filter((line) => line.startsWith('not'))).toEqual([]);
    always((words) => {
      expectCalm(textOf(words));
      expect(metricsStructure(textOf(words))).toEqual(want);
    });
  });
});

it('of the text of an error only names and numbers are repeated', () => {
  const text = (words: Words): string =>
    [
      `javax.net.ssl.SSLHandshakeException: ${words('a')} CertificateException: No subject alternative names matching IP address 10.0.0.20 found ${words('b')}`,
      `No name matching ${words('entered')} found`,
      `requests.exceptions.SSLError: hostname '${words('host')}' doesn't match '${words('named')}'`,
      `HTTPSConnectionPool(host='${words('pool')}', port=443): ${words('c')}`,
      words('unknown'),
    ].join('\n');
  always((words) => {
    for (const found of recogniseJoinErrors(text(words)))
      expect(STEERING.exec(Object.values(found).flat().join(' '))).toBeNull();
  });
});
