import { describe, expect, it } from 'vitest';
import { mergeReports } from '../../src/report/merge-reports.ts';
import type { Report } from '../../src/report/report.ts';
import { STORED_REPORTS } from '../formats/rendered.ts';
import { connection, finding, madeReport } from './made-report.ts';

const named = (...reports: Report[]) => reports.map((report, index) => ({ path: `part-${index}.json`, report }));
const merge = (...reports: Report[]): Report => mergeReports(named(...reports), undefined);

/** The same from another capture, so many years later. */
function elsewhere(report: Report, name: string, years: number): Report {
  const text = JSON.stringify(report).replaceAll(/capture\.pcapng|any\.pcap/g, name);
  return JSON.parse(
    text.replaceAll(/"(\d{4})(-\d\d-\d\dT)/g, (_, year: string, rest: string) => `"${Number(year) + years}${rest}`),
  ) as Report;
}

describe('merging', () => {
  it.each(STORED_REPORTS)('one report alone is that report: $name', ({ report }) => {
    expect(merge(report)).toEqual(report);
  });

  it.each(STORED_REPORTS)(
    'two recordings of the same are twice the counts and the same findings: $name',
    ({ report }) => {
      const got = merge(elsewhere(report, 'second.pcapng', 1), report);
      expect(got.verdict).toBe(report.verdict);
      expect(got.captures.map((capture) => capture.path.split('/').at(-1))).toEqual([
        report.captures[0]!.path.split('/').at(-1),
        'second.pcapng',
      ]);
      const twice = ({ findings: _, ...counts }: Report['summary']) =>
        Object.fromEntries(Object.entries(counts).map(([key, value]) => [key, 2 * value]));
      expect(got.summary).toMatchObject(twice(report.summary));
      expect(got.connections.map((item) => item.id)).toEqual(got.connections.map((_, index) => index + 1));
      expect(new Set(got.connections.flatMap((item) => item.session ?? [])).size).toBe(
        2 * new Set(report.connections.flatMap((item) => item.session ?? [])).size,
      );
      const ofPackets = (of: Report) => of.findings.filter((item) => !/^RV[12]/.test(item.code));
      expect(
        ofPackets(got).map((item) => [item.code, item.count, item.causes.map((id) => got.findings[id - 1]?.code)]),
      ).toEqual(
        ofPackets(report).map((item) => [
          item.code,
          item.code.startsWith('RV3') ? item.count : 2 * item.count,
          item.causes.map((id) => report.findings[id - 1]?.code),
        ]),
      );
      for (const item of ofPackets(got))
        expect(item.connections).toHaveLength(
          2 *
            report.findings.find((known) => known.code === item.code && known.message === item.message)!.connections
              .length,
        );
    },
  );

  const at = (firstTimestamp: string, path: string) => [
    { path, format: 'pcap', packets: 1, bytes: 1, interfaces: [], truncated: false, firstTimestamp },
  ];
  const early = madeReport('verified', { captures: at('2026-01-01T00:00:00.000000000Z', 'a.pcap') });
  const late = madeReport('failed', {
    captures: at('2026-01-02T00:00:00.000000000Z', 'b.pcap'),
    findings: [finding(1, { connections: [1] })],
  });

  it('numbers connections by the order of the captures, and counts those that no report lists', () => {
    const unlisted = {
      ...early,
      connections: [],
      connectionsOmitted: 5,
      summary: { ...early.summary, connections: 5, verified: 5 },
    };
    const got = merge(late, unlisted);
    expect(got.captures.map((capture) => capture.path)).toEqual(['a.pcap', 'b.pcap']);
    expect(got.connections.map((item) => item.id)).toEqual([6]);
    expect(got.findings[0]?.connections).toEqual([6]);
    expect(got.connectionsOmitted).toBe(5);
  });

  it.each([
    ['verified', 'verified', 'verified'],
    ['verified', 'inconclusive', 'inconclusive'],
    ['inconclusive', 'failed', 'failed'],
  ] as const)('%s and %s are %s', (a, b, want) => {
    expect(merge(madeReport(a, { captures: early.captures }), madeReport(b, { captures: late.captures })).verdict).toBe(
      want,
    );
  });

  const nothing = finding(1, { code: 'RV902', slug: 'no-monitored-traffic', severity: 'warning', message: 'nothing' });

  it('a capture without monitored traffic says nothing against the others', () => {
    const empty = madeReport('inconclusive', { captures: late.captures, connections: [], findings: [nothing] });
    expect(merge(early, empty)).toMatchObject({ verdict: 'verified', findings: [] });
    expect(merge({ ...empty, captures: early.captures }, empty)).toMatchObject({
      verdict: 'inconclusive',
      findings: [{ code: 'RV902' }],
    });
  });

  it('but what else it does not know counts', () => {
    const unknown = finding(2, { code: 'RV901', slug: 'undetermined-verdict', severity: 'warning' });
    const empty = madeReport('inconclusive', {
      captures: late.captures,
      connections: [],
      findings: [nothing, unknown],
    });
    expect(merge(early, empty).verdict).toBe('inconclusive');
  });

  it('lists failed connections alone where there are too many', () => {
    const many = (verdict: 'verified', path: string, year: string) =>
      madeReport(verdict, {
        captures: at(`${year}-01-01T00:00:00.000000000Z`, path),
        connections: Array.from({ length: 6000 }, (_, index) => connection(index + 1)),
      });
    const got = merge(many('verified', 'a.pcap', '2024'), many('verified', 'b.pcap', '2025'), late);
    expect(got.connections.map((item) => item.id)).toEqual([12_001]);
    expect(got.connectionsOmitted).toBe(12_000);
    expect(mergeReports(named(early, late), 'none').connections).toEqual([]);
  });

  it('keeps the SNAT mode that one of them saw', () => {
    const unseen = { ...early, intent: { ...early.intent, snat: 'unknown' as const } };
    const seen = { ...late, intent: { ...late.intent, inferred: ['snat'] } };
    expect(merge(unseen, seen).intent).toMatchObject({ snat: 'own', inferred: ['snat'] });
  });

  it.each([
    {
      name: 'another router',
      parts: { router: { dialects: [], sources: [{ path: 'router.txt', sha256: '11' }] } },
      says: /router's state/,
    },
    {
      name: 'another intent',
      parts: { intent: { ...early.intent, services: ['tcp/22'] } },
      says: /intent \(services\)/,
    },
    {
      name: 'another stated SNAT mode',
      parts: { intent: { ...early.intent, snat: 'client' as const } },
      says: /intent \(snat\)/,
    },
    { name: 'another mode', parts: { mode: 'what-if' as const }, says: /mode/ },
    {
      name: 'the same capture',
      parts: { captures: early.captures },
      says: /a\.pcap is in part-0\.json and in part-1\.json/,
    },
  ])('refuses $name', ({ parts, says }) => {
    expect(() => merge(early, { ...late, ...parts })).toThrow(says);
  });
});
