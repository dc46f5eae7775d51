import type { Severity } from '../diagnostic/diagnostic.ts';
import type { Detected, Finding, FindingKind } from '../findings/finding.ts';
import { formatService } from '../model/intent.ts';
import { formatEndpoint, formatIpAddress } from '../net/ip-address.ts';
import { formatIpProtocol } from '../net/ip-protocol.ts';
import { formatPrefix } from '../net/prefix.ts';
import type { JudgedConnection } from '../verification/judged.ts';
import type { Router } from '../verification/router.ts';
import type { Verification } from '../verification/verification.ts';
import type {
  CaptureReport,
  ConnectionReport,
  DirectionReport,
  FindingReport,
  Report,
  VantageReport,
  Verdict,
} from './report.ts';

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
  const byConnection = codesByConnection(placed);
  const runUndetermined = placed.some((item) => item.undetermines === 'run');
  const connections = run.connections.map((item) => connectionReport(item, byConnection, runUndetermined));
  const count = (verdict: Verdict): number => connections.filter((item) => item.verdict === verdict).length;
  const failed = count('failed') > 0 || placed.some((item) => item.rank === 'error' && item.connections.length === 0);
  const inconclusive = runUndetermined || count('inconclusive') > 0 || connections.length === 0;
  const listed = listConnections(connections, options.connections);
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
      monitoredPackets: connections.reduce(
        (sum, item) => sum + item.clientToServer.packets + item.serverToClient.packets,
        0,
      ),
      connections: connections.length,
      verified: count('verified'),
      failed: count('failed'),
      inconclusive: count('inconclusive'),
      findings: { error: severity('error'), warning: severity('warning'), note: severity('note') },
    },
    connections: listed,
    ...(listed.length < connections.length && { connectionsOmitted: connections.length - listed.length }),
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
    connections: [...item.connections].sort((a, b) => a - b).slice(0, CONNECTIONS_OF_A_FINDING),
    notes: item.notes,
    fix: item.fix,
    ...(router !== undefined && afterwards(router, item.fix)),
  }));
}

/** How a fix is taken back, and how it lasts. */
function afterwards(router: Router, fix: readonly string[]): Pick<FindingReport, 'undo' | 'persist'> {
  // What is no change of this router, e.g. how to take its state, has neither.
  if (fix.length === 0 || router.altered(fix) === undefined) return {};
  const undo = router.undo?.(fix);
  const persist = router.lasting?.(fix) ?? [];
  return { ...(undo !== undefined && { undo }), ...(persist.length > 0 && { persist }) };
}

interface Said {
  readonly codes: Set<string>;
  failed: boolean;
  undetermined: boolean;
}

function codesByConnection(placed: readonly Placed[]): Map<number, Said> {
  const said = new Map<number, Said>();
  for (const item of placed) {
    for (const id of item.connections) {
      const entry = said.get(id) ?? { codes: new Set(), failed: false, undetermined: false };
      entry.codes.add(item.kind.code);
      entry.failed ||= item.rank === 'error';
      entry.undetermined ||= item.undetermines === 'connections';
      said.set(id, entry);
    }
  }
  return said;
}

function connectionReport(
  item: JudgedConnection,
  said: ReadonlyMap<number, Said>,
  runUndetermined: boolean,
): ConnectionReport {
  const { connection } = item;
  const entry = said.get(connection.id);
  const clientToServer = directionReport(item, true);
  const serverToClient = directionReport(item, false);
  const unknown =
    runUndetermined ||
    entry?.undetermined === true ||
    clientToServer.undetermined > 0 ||
    serverToClient.undetermined > 0;
  return {
    id: connection.id,
    protocol: formatIpProtocol(connection.protocol),
    client: formatEndpoint({ family: connection.family, words: connection.client }, connection.clientPort),
    server: formatEndpoint({ family: connection.family, words: connection.server }, connection.serverPort),
    leg: item.leg,
    ...(item.session !== undefined && { session: item.session }),
    verdict: entry?.failed === true ? 'failed' : unknown ? 'inconclusive' : 'verified',
    clientToServer,
    serverToClient,
    // What happened to it; the configuration causes (RV4xx) behind that are reported once and linked there.
    findings: [...(entry?.codes ?? [])].filter((code) => !code.startsWith('RV4')).sort(),
  };
}

function directionReport(item: JudgedConnection, toServer: boolean): DirectionReport {
  const counts = { viaSps: 0, bypassed: 0, dropped: 0, looped: 0, undetermined: 0 };
  let packets = 0;
  let observed = 0;
  let probes = toServer ? item.probes.toServer : item.probes.toClient;
  for (const way of item.ways) {
    if (way.path.toServer !== toServer) continue;
    if (way.path.synthetic) {
      probes += way.count.packets;
      continue;
    }
    packets += way.count.packets;
    counts[way.category] += way.count.packets;
    observed += way.count.observed.reduce((sum, egress) => sum + egress.packets, 0);
  }
  return {
    packets,
    ...counts,
    observed,
    probes,
    basis: packets === 0 ? 'synthesized' : probes === 0 ? 'captured' : 'mixed',
  };
}

export function listConnections(
  connections: readonly ConnectionReport[],
  which: ReportOptions['connections'],
): readonly ConnectionReport[] {
  switch (which) {
    case 'none':
      return [];
    case 'all':
      return connections;
    case 'failed':
      return connections.filter((item) => item.verdict === 'failed');
    default:
      return connections.length <= LISTED_CONNECTIONS
        ? connections
        : connections.filter((item) => item.verdict === 'failed');
  }
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
