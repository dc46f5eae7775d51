import type { Problem } from '../diagnostic/diagnostic.ts';
import type { Detected, Finding } from '../findings/finding.ts';
import { namesOf } from '../join/certificate.ts';
import { openQuestions } from '../join/describe-join.ts';
import { CLUSTER_PORT, HTTPS_PORT } from '../join/join-flow.ts';
import { type AssessedFlow, isUnknownCertificate, type JoinRun, type SeenCertificate } from '../join/join-run.ts';
import { formatEndpoint, formatIpAddress } from '../net/ip-address.ts';
import { formatPrefix, hostPrefix } from '../net/prefix.ts';
import { formatTimestamp, numberFindings, orderFindings, type Placed } from './build-report.ts';
import type { CaptureReport, JoinCertificateReport, JoinFlowReport, Report, Verdict } from './report.ts';

export interface JoinOptions {
  readonly sources: readonly { readonly path: string; readonly sha256: string }[];
}

const VERDICTS = { possible: 'verified', impossible: 'failed', unknown: 'inconclusive' } as const;
/** Problems of reading that say that something may have been missed. */
const TOLD_PROBLEMS: ReadonlySet<string> = new Set(['RV101', 'RV104', 'RV105', 'RV106', 'RV302', 'RV304']);

/** Makes the report of a run of `join`. Verified: every connection that the join needs is possible, and nothing seen speaks against it. */
export function joinReport(run: JoinRun, registry: readonly Finding[], options: JoinOptions): Report {
  const problems = [...run.observed.problems, ...(run.router?.problems ?? [])];
  const placed = orderFindings(
    registry.flatMap((finding) => {
      const found = [...(finding.detectJoin?.(run) ?? []), ...toldProblems(problems, finding.kind.code)];
      return found.map(
        (item): Placed => ({ ...item, kind: finding.kind, rank: item.severity ?? finding.kind.severity }),
      );
    }),
  );
  // What is wrong with a certificate keeps the join's own connection from being of use, though it comes about.
  const wrong = new Set(placed.filter((item) => item.rank === 'error').map((item) => item.key.slice('RV700:'.length)));
  const unseen = new Set(run.certificates.filter(isUnknownCertificate).map((seen) => seen.flow.label));
  const flows = run.flows.map((item) => flowReport(item, wrong.has(item.flow.label), unseen.has(item.flow.label)));
  const count = (verdict: Verdict): number => flows.filter((flow) => flow.verdict === verdict).length;
  const rank = (severity: Placed['rank']): number => placed.filter((item) => item.rank === severity).length;
  const inconclusive = openQuestions(run).length > 0 || count('inconclusive') > 0 || flows.length === 0;
  const { router, intent } = run;
  const [seen] = run.certificates;
  const entered = intent.entered ?? (seen?.enteredFrom === 'server-name' ? seen.entered : undefined);
  return {
    schema: 'redirect-verify/report/1',
    verdict: rank('error') > 0 ? 'failed' : inconclusive ? 'inconclusive' : 'verified',
    mode: 'observed',
    captures: captureReports(run),
    router: {
      dialects: router?.dialects ?? [],
      sources: options.sources,
      ...(router?.hostname !== undefined && { hostname: router.hostname }),
      ...(router?.collectedAt !== undefined && { collectedAt: router.collectedAt }),
      ...(router !== undefined && router.notices.length > 0 && { notices: router.notices }),
    },
    intent: {
      sps: intent.sps.map(formatIpAddress),
      spsInterfaces: [],
      snat: 'unknown',
      services: [HTTPS_PORT, CLUSTER_PORT].map((port) => `tcp/${port}`),
      clients: intent.sps.map((address) => formatPrefix(hostPrefix(address))),
      servers: [formatPrefix(hostPrefix(intent.spp))],
      inferred: [],
    },
    join: {
      spp: formatIpAddress(intent.spp),
      sps: intent.sps.map(formatIpAddress),
      ...(entered !== undefined && { entered }),
      flows,
      certificates: run.certificates.map((item) => certificateReport(run, item)),
    },
    summary: {
      packets: run.observed.frames,
      monitoredPackets: run.observed.packets,
      connections: flows.length,
      verified: count('verified'),
      failed: count('failed'),
      inconclusive: count('inconclusive'),
      findings: { error: rank('error'), warning: rank('warning'), note: rank('note') },
    },
    connections: [],
    findings: numberFindings(placed),
  };
}

function toldProblems(problems: readonly Problem[], code: string): Detected[] {
  if (!TOLD_PROBLEMS.has(code)) return [];
  return problems
    .filter((problem) => problem.code === code)
    .map((problem, index) => ({
      message: problem.message,
      key: `${code}:${index}`,
      count: problem.count ?? 1,
      connections: [],
      notes: problem.notes ?? [],
      fix: problem.fix ?? [],
      causes: [],
      ...(problem.where !== undefined && { where: problem.where }),
    }));
}

function flowReport(
  { flow, verdict, expected, attempts, last }: AssessedFlow,
  isWrong: boolean,
  isUnseen: boolean,
): JoinFlowReport {
  return {
    client: formatIpAddress(flow.client),
    server: formatEndpoint(flow.server, flow.port),
    verdict: isWrong ? 'failed' : isUnseen && verdict === 'possible' ? 'inconclusive' : VERDICTS[verdict],
    ...(expected !== undefined && { expected: expected.fate, expectedDetail: expected.detail }),
    ...(last !== undefined && { observed: last.state }),
    attempts: attempts.length,
  };
}

function certificateReport(run: JoinRun, seen: SeenCertificate): JoinCertificateReport {
  const { tls, attempt, certificate } = seen;
  const unreadable = tls.certificate === 'visible' && certificate === undefined;
  return {
    path: run.observed.captures[attempt.first.file]?.path ?? '',
    frame: attempt.first.frame,
    ...(tls.version !== undefined && { version: tls.version }),
    certificate: tls.certificate,
    entered: seen.entered,
    ...(seen.match !== undefined && { match: seen.match }),
    ...(certificate !== undefined && { names: namesOf(certificate), issuer: certificate.issuer }),
    ...(seen.validity !== undefined && { validity: seen.validity }),
    outcome: seen.outcome,
    notes: [...tls.notes, ...attempt.notes, ...(unreadable ? ['the certificate cannot be read'] : [])],
  };
}

function captureReports(run: JoinRun): CaptureReport[] {
  return run.observed.captures.map((file, index) => ({
    path: file.path,
    format: file.format,
    packets: file.packets,
    bytes: file.bytes,
    interfaces: [
      ...new Set(
        run.observed.interfaces.flatMap((item) => (item.file === index && item.name !== undefined ? [item.name] : [])),
      ),
    ],
    truncated: file.truncated,
    ...(file.first !== undefined && { firstTimestamp: formatTimestamp(file.first.seconds, file.first.nanoseconds) }),
    ...(file.last !== undefined && { lastTimestamp: formatTimestamp(file.last.seconds, file.last.nanoseconds) }),
  }));
}
