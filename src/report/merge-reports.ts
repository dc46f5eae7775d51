import { InputError } from '../text/input-error.ts';
import { CONNECTIONS_OF_A_FINDING, listConnections, type ReportOptions } from './build-report.ts';
import type { FindingReport, Report } from './report.ts';

/** A report with the file it came from, for messages. */
export interface NamedReport {
  readonly path: string;
  readonly report: Report;
}

/**
 * One report of several on different captures of the same router and the same intent. Connections are numbered through in the order
 * of the captures' first moments; findings that say the same are one entry. A report without monitored traffic says nothing against the
 * others. A connection of which two captures hold a part stays two.
 *
 * Throws InputError where the reports are not about one thing, or one capture is in two of them.
 */
export function mergeReports(given: readonly NamedReport[], which: ReportOptions['connections']): Report {
  const sorted = [...given].sort((a, b) =>
    firstMoment(a.report) < firstMoment(b.report) ? -1 : firstMoment(a.report) > firstMoment(b.report) ? 1 : 0,
  );
  const [first] = sorted;
  if (first === undefined) throw new InputError('merge: give at least one report');
  const ofJoin = sorted.find((item) => item.report.join !== undefined);
  if (ofJoin !== undefined)
    throw new InputError(`merge: ${ofJoin.path} is a report of join; give join all captures of the attempt at once`);
  for (const other of sorted.slice(1)) checkSame(first, other);
  checkCaptures(sorted);
  const reports = sorted.map((item) => item.report);
  const total = sum(reports, (report) => report.summary.connections);
  const findings = mergeFindings(reports, total);
  const connections = renumbered(reports);
  const listed = listConnections(connections, which);
  const count = (severity: string): number => findings.filter((finding) => finding.severity === severity).length;
  const summary = {
    packets: sum(reports, (report) => report.summary.packets),
    monitoredPackets: sum(reports, (report) => report.summary.monitoredPackets),
    connections: total,
    verified: sum(reports, (report) => report.summary.verified),
    failed: sum(reports, (report) => report.summary.failed),
    inconclusive: sum(reports, (report) => report.summary.inconclusive),
    findings: { error: count('error'), warning: count('warning'), note: count('note') },
  };
  // A notice may have equal lines: those of the first report stay as they are.
  const own = reports[0]!.router.notices ?? [];
  const others = reports.slice(1).flatMap((report) => report.router.notices ?? []);
  const notices = [...own, ...new Set(others.filter((notice) => !own.includes(notice)))];
  const { notices: _, ...router } = first.report.router;
  return {
    schema: 'redirect-verify/report/1',
    verdict: verdictOf(reports, total),
    mode: first.report.mode,
    captures: reports.flatMap((report) => report.captures),
    ...vantageOf(reports),
    router: { ...router, ...(notices.length > 0 && { notices }) },
    intent: { ...first.report.intent, snat: snatOf(reports), inferred: inferredOf(reports) },
    summary,
    connections: listed,
    ...(listed.length < total && { connectionsOmitted: total - listed.length }),
    findings,
  };
}

function firstMoment(report: Report): string {
  return report.captures.flatMap((capture) => capture.firstTimestamp ?? []).sort()[0] ?? '';
}

function sum(reports: readonly Report[], value: (report: Report) => number): number {
  return reports.reduce((total, report) => total + value(report), 0);
}

/** What was merged is compared by content: the paths may differ from machine to machine. */
function checkSame(first: NamedReport, other: NamedReport): void {
  const differ = (what: string): never => {
    throw new InputError(`merge: ${first.path} and ${other.path} are not about the same ${what}`);
  };
  const state = ({ report }: NamedReport): string =>
    report.router.sources
      .map((source) => source.sha256)
      .sort()
      .join();
  if (state(first) !== state(other)) differ("router's state (the sums of its files differ)");
  if (first.report.mode !== other.report.mode) differ('mode: observed and what-if do not mix');
  for (const part of ['sps', 'spsInterfaces', 'services', 'clients', 'servers'] as const)
    if (first.report.intent[part].join() !== other.report.intent[part].join()) differ(`intent (${part})`);
  const stated = ({ report }: NamedReport): string =>
    report.intent.inferred.includes('snat') ? 'unknown' : report.intent.snat;
  const [a, b] = [stated(first), stated(other)];
  if (a !== 'unknown' && b !== 'unknown' && a !== b) differ('intent (snat)');
}

function checkCaptures(given: readonly NamedReport[]): void {
  const seen = new Map<string, string>();
  for (const { path, report } of given) {
    for (const capture of report.captures) {
      // The same name on two machines may be two files: what they hold tells.
      const key = [capture.path, capture.packets, capture.bytes, capture.firstTimestamp, capture.lastTimestamp].join();
      const other = seen.get(key);
      if (other !== undefined) throw new InputError(`merge: the capture ${capture.path} is in ${other} and in ${path}`);
      seen.set(key, path);
    }
  }
}

/** What each of them shows; absent where one of an older version does not say. */
function vantageOf(reports: readonly Report[]): Pick<Report, 'vantage'> {
  const all = reports.flatMap((report) => report.vantage ?? []);
  const [first] = all;
  if (first === undefined || all.length < reports.length) return {};
  return {
    vantage: {
      stated: all.every((one) => one.stated),
      interfaces: first.interfaces.filter((name) => all.every((one) => one.interfaces.includes(name))),
      missing: [...new Set(all.flatMap((one) => one.missing))],
      showsBypass: all.every((one) => one.showsBypass),
    },
  };
}

function snatOf(reports: readonly Report[]): Report['intent']['snat'] {
  const known = [...new Set(reports.map((report) => report.intent.snat).filter((snat) => snat !== 'unknown'))];
  return known.length === 1 ? known[0]! : 'unknown';
}

function inferredOf(reports: readonly Report[]): readonly string[] {
  return [...new Set(reports.flatMap((report) => report.intent.inferred))];
}

function verdictOf(reports: readonly Report[], connections: number): Report['verdict'] {
  if (reports.some((report) => report.verdict === 'failed')) return 'failed';
  if (connections === 0) return 'inconclusive';
  return reports.some((report) => report.verdict === 'inconclusive' && !isEmpty(report)) ? 'inconclusive' : 'verified';
}

/** Inconclusive for no other reason than that its capture has no monitored traffic. */
function isEmpty(report: Report): boolean {
  return (
    report.summary.connections === 0 &&
    report.findings.every((finding) => finding.code === 'RV902' || finding.severity === 'note')
  );
}

/** Ids and sessions begin where those of the report before end, listed or not. */
function renumbered(reports: readonly Report[]): Report['connections'] {
  const connections: Report['connections'][number][] = [];
  let offset = 0;
  for (const report of reports) {
    for (const item of report.connections)
      connections.push({
        ...item,
        id: item.id + offset,
        ...(item.session !== undefined && { session: item.session + offset }),
      });
    offset += report.summary.connections;
  }
  return connections;
}

interface Entry {
  finding: FindingReport;
  readonly causes: Set<string>;
}

function mergeFindings(reports: readonly Report[], total: number): FindingReport[] {
  const entries = new Map<string, Entry>();
  let offset = 0;
  for (const report of reports) {
    const keys = new Map(report.findings.map((finding) => [finding.id, keyOf(finding)]));
    for (const finding of report.findings) {
      if (finding.code === 'RV902' && total > 0 && isEmpty(report)) continue;
      const moved = { ...finding, connections: finding.connections.map((id) => id + offset) };
      const key = keyOf(finding);
      const entry = entries.get(key);
      if (entry === undefined) entries.set(key, { finding: moved, causes: new Set() });
      else entry.finding = joined(entry.finding, moved);
      for (const id of finding.causes) entries.get(key)?.causes.add(keys.get(id) ?? '');
    }
    offset += report.summary.connections;
  }
  const ordered = [...entries].sort(
    ([, a], [, b]) => RANK[a.finding.severity] - RANK[b.finding.severity] || compare(a.finding.code, b.finding.code),
  );
  const ids = new Map(ordered.map(([key], index) => [key, index + 1]));
  return ordered.map(([, { finding, causes }], index) => ({
    ...finding,
    id: index + 1,
    causes: [...causes].flatMap((key) => ids.get(key) ?? []).sort((a, b) => a - b),
  }));
}

const RANK = { error: 0, warning: 1, note: 2 } as const;

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * Equal for findings that say the same. What is said of the configuration (RV3xx, RV4xx) is known by its line: the packet in its words is
 * an example. What is said of a capture (RV1xx, RV2xx) is known by the capture, what is said of packets by its words and its proof.
 */
function keyOf(finding: FindingReport): string {
  const { code, slug, severity, where, message, fix, notes } = finding;
  const place = where?.kind === 'config' ? `${where.path}:${where.line}:${where.text}` : '';
  if (/^RV[34]/.test(code) && place !== '') return [code, slug, severity, place, ...fix].join('\n');
  const capture = /^RV[12]/.test(code) && where?.kind === 'frame' ? where.path : '';
  const proof = notes.map((note) => `${note.message} ${note.where?.kind === 'config' ? note.where.line : ''}`);
  return [code, slug, severity, place, capture, message, ...fix, ...proof].join('\n');
}

function joined(known: FindingReport, more: FindingReport): FindingReport {
  // A statement is no more often there for having been read twice.
  const count = known.code.startsWith('RV3') ? Math.max(known.count, more.count) : known.count + more.count;
  return {
    ...known,
    count,
    connections: [...known.connections, ...more.connections].slice(0, CONNECTIONS_OF_A_FINDING),
  };
}
