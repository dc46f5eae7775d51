import type { Severity } from '../diagnostic/diagnostic.ts';
import type { Detected, Finding, FindingKind } from '../findings/finding.ts';
import { formatService } from '../model/intent.ts';
import { formatIpAddress } from '../net/ip-address.ts';
import { formatPrefix } from '../net/prefix.ts';
import type { JudgedConnection } from '../verification/judged.ts';
import type { Router } from '../verification/router.ts';
import type { Verification } from '../verification/verification.ts';
import { ConnectionReports } from './connection-reports.ts';
import type { CaptureReport, ConnectionReport, FindingReport, Report, VantageReport, Verdict } from './report.ts';
import { SaidOfConnections } from './said-of-connections.ts';

const LISTED_CONNECTIONS = 10_000;
export const CONNECTIONS_OF_A_FINDING = 100;
const RANK: Readonly<Record<Severity, number>> = { error: 0, warning: 1, note: 2 };

export interface ReportOptions {
  /** Which connections to list; absent: all up to 10,000, beyond that the failed ones. */
  readonly connections?: 'all' | 'failed' | 'none';
  readonly sources: readonly { readonly path: string; readonly sha256: string }[];
}

/** A finding with what places it in a report. */
export interface Placed extends Detected {
  readonly kind: FindingKind;
  readonly rank: Severity;
}

/** Makes the report of a run: detects every finding, gives each connection and the run their verdicts. */
export function buildReport(run: Verification, registry: readonly Finding[], options: ReportOptions): Report {
  const placed = orderFindings(
    registry.flatMap((finding) =>
      finding
        .detect(run)
        .map((item): Placed => ({ ...item, kind: finding.kind, rank: item.severity ?? finding.kind.severity })),
    ),
  );
  const findings = numberFindings(placed, run.router);
  const said = new SaidOfConnections(run.connections.length, placed);
  const { counts, monitoredPackets, listed } = judgeConnections(run, said, options.connections);
  const failed = counts.failed > 0 || placed.some((item) => item.rank === 'error' && item.connections.length === 0);
  const inconclusive = said.ofRun || counts.inconclusive > 0 || run.connections.length === 0;
  const severity = (rank: Severity): number => placed.filter((item) => item.rank === rank).length;
  return {
    schema: 'redirect-verify/report/1',
    verdict: failed ? 'failed' : inconclusive ? 'inconclusive' : 'verified',
    mode: run.mode,
    captures: captureReports(run),
    vantage: vantageReport(run),
    router: {
      dialects: run.router.dialects,
      sources: options.sources,
      ...(run.router.hostname !== undefined && { hostname: run.router.hostname }),
      ...(run.router.collectedAt !== undefined && { collectedAt: run.router.collectedAt }),
      ...(run.router.notices.length > 0 && { notices: run.router.notices }),
    },
    intent: {
      sps: run.intent.sps.map(formatIpAddress),
      spsInterfaces: run.intent.spsInterfaces,
      snat: run.intent.snat,
      services: run.intent.services.map(formatService),
      clients: run.intent.clients.map(formatPrefix),
      servers: run.intent.servers.map(formatPrefix),
      inferred: run.intent.inferred,
    },
    summary: {
      packets: run.replay.frames,
      monitoredPackets,
      connections: run.connections.length,
      verified: counts.verified,
      failed: counts.failed,
      inconclusive: counts.inconclusive,
      findings: { error: severity('error'), warning: severity('warning'), note: severity('note') },
    },
    connections: listed,
    ...(listed.length < run.connections.length && { connectionsOmitted: run.connections.length - listed.length }),
    findings,
  };
}

/** Errors first, then by code, then the most frequent. */
export function orderFindings(items: Placed[]): Placed[] {
  return items
    .map((item, index) => ({ item, index }))
    .sort(
      (a, b) =>
        RANK[a.item.rank] - RANK[b.item.rank] ||
        (a.item.kind.code < b.item.kind.code ? -1 : a.item.kind.code > b.item.kind.code ? 1 : 0) ||
        a.index - b.index,
    )
    .map(({ item }) => item);
}

/** With numbers, and with causes by number; `router`: whose configuration the fixes change. */
export function numberFindings(placed: readonly Placed[], router?: Router): FindingReport[] {
  const ids = new Map(placed.map((item, index) => [item.key, index + 1]));
  return placed.map((item, index) => ({
    id: index + 1,
    code: item.kind.code,
    slug: item.kind.slug,
    severity: item.rank,
    message: item.message,
    count: item.count,
    ...(item.where !== undefined && { where: item.where }),
    causes: item.causes.flatMap((key) => {
      const id = ids.get(key);
      return id === undefined ? [] : [id];
    }),
    connections: firstOf(item.connections),
    notes: item.notes,
    fix: item.fix,
    ...(router !== undefined && afterwards(router, item.fix)),
  }));
}

/** The first connections by number, of lists that mostly are in order. */
function firstOf(connections: readonly number[]): number[] {
  const isInOrder = connections.every((id, at) => at === 0 || connections[at - 1]! < id);
  const inOrder = isInOrder ? connections : [...connections].sort((a, b) => a - b);
  return inOrder.slice(0, CONNECTIONS_OF_A_FINDING);
}

/** How a fix is taken back, and how it lasts. */
function afterwards(router: Router, fix: readonly string[]): Pick<FindingReport, 'undo' | 'persist'> {
  // What is no change of this router, e.g. how to take its state, has neither.
  if (fix.length === 0 || router.altered(fix) === undefined) return {};
  const undo = router.undo?.(fix);
  const persist = router.lasting?.(fix) ?? [];
  return { ...(undo !== undefined && { undo }), ...(persist.length > 0 && { persist }) };
}

/** Counts verdicts and packets of all connections, and makes reports of those that are to be listed. */
function judgeConnections(run: Verification, said: SaidOfConnections, which: ReportOptions['connections']) {
  const counts: Record<Verdict, number> = { verified: 0, failed: 0, inconclusive: 0 };
  const listed: ConnectionReport[] = [];
  let monitoredPackets = 0;
  const isListed = listing(run.connections.length, which);
  const reports = new ConnectionReports();
  for (const item of run.connections) {
    const verdict = verdictOf(item, said);
    counts[verdict]++;
    for (const { path, count } of item.ways) if (!path.synthetic) monitoredPackets += count.packets;
    if (isListed(verdict)) listed.push(reports.of(item, verdict, said.codesOf(item.connection.id)));
  }
  return { counts, monitoredPackets, listed };
}

function verdictOf(item: JudgedConnection, said: SaidOfConnections): Verdict {
  const { id } = item.connection;
  if (said.isFailed(id)) return 'failed';
  const isUnknown =
    said.ofRun ||
    said.isUndetermined(id) ||
    item.ways.some(({ category, path, count }) => category === 'undetermined' && !path.synthetic && count.packets > 0);
  return isUnknown ? 'inconclusive' : 'verified';
}

export function listConnections(
  connections: readonly ConnectionReport[],
  which: ReportOptions['connections'],
): readonly ConnectionReport[] {
  const isListed = listing(connections.length, which);
  return connections.filter((item) => isListed(item.verdict));
}

/** Whether connections with a verdict are listed, of so many. */
function listing(count: number, which: ReportOptions['connections']): (verdict: Verdict) => boolean {
  if (which === 'none') return () => false;
  return which === 'all' || (which === undefined && count <= LISTED_CONNECTIONS)
    ? () => true
    : (verdict) => verdict === 'failed';
}

function vantageReport(run: Verification): VantageReport {
  const { vantage, forwarder, neededInterfaces } = run.replay;
  const names = forwarder.interfaceNames;
  const name = (position: number): string => run.interfaceName(position);
  return {
    stated: run.vantageStated,
    interfaces: names.filter((_, position) => vantage.wasCaptured(position)),
    missing: neededInterfaces.filter((position) => !vantage.wasCaptured(position)).map(name),
    showsBypass: run.showsBypass,
  };
}

function captureReports(run: Verification): CaptureReport[] {
  return run.captures.map((file, index) => {
    const vantage = run.replay.vantage.kindOf(index);
    // Indexes are those of the host that captured.
    const interfaces = vantage === 'router' ? run.router.interfaces : [];
    const names = run.captureInterfaces
      .filter((item) => item.file === index)
      .map(
        (item) =>
          item.name ?? interfaces.find((candidate) => item.index !== undefined && candidate.index === item.index)?.name,
      )
      .filter((name) => name !== undefined);
    return {
      path: file.path,
      format: file.format,
      packets: file.packets,
      bytes: file.bytes,
      interfaces: [...new Set(names)],
      truncated: file.truncated,
      vantage,
      ...(file.first !== undefined && { firstTimestamp: formatTimestamp(file.first.seconds, file.first.nanoseconds) }),
      ...(file.last !== undefined && { lastTimestamp: formatTimestamp(file.last.seconds, file.last.nanoseconds) }),
      ...(file.note !== undefined && { note: file.note }),
    };
  });
}

/** RFC 3339 in UTC with nine digits. */
export function formatTimestamp(seconds: number, nanoseconds: number): string {
  const date = new Date(seconds * 1000);
  const whole = Number.isNaN(date.getTime()) ? '1970-01-01T00:00:00' : date.toISOString().slice(0, 19);
  return `${whole}.${String(nanoseconds).padStart(9, '0')}Z`;
}
