import { wentAstray } from './live-progress.ts';
import type { FindingReport, Report, Verdict } from './report.ts';

/** Connections that a live run has forgotten, by their last verdict. */
export interface GivenUp {
  readonly connections: number;
  readonly verified: number;
  readonly failed: number;
  readonly inconclusive: number;
}

/** Findings of forgotten connections that are kept; a router has few defects, and messages name no connection. */
const MOST_FINDINGS = 200;

/** What is remembered of connections that were forgotten: how many of each verdict, and the findings that concerned them. */
export class GivenUpTally {
  #counts = { connections: 0, verified: 0, failed: 0, inconclusive: 0 };
  #packets = 0;
  readonly #findings = new Map<string, FindingReport>();

  get counts(): GivenUp {
    return this.#counts;
  }

  /**
   * `report` lists all connections; those with these ids are forgotten after it. Of those under way, what is missing might still have come: only
   * what was seen to go astray fails them.
   */
  add(report: Report, ids: ReadonlySet<number>, underWay: ReadonlySet<number> = new Set()): void {
    const doubtful = new Set<number>();
    for (const item of report.connections) {
      if (!ids.has(item.id)) continue;
      const isDoubtful = item.verdict === 'failed' && underWay.has(item.id) && !wentAstray(item);
      if (isDoubtful) doubtful.add(item.id);
      this.#counts.connections++;
      this.#counts[isDoubtful ? 'inconclusive' : item.verdict]++;
      this.#packets += item.clientToServer.packets + item.serverToClient.packets;
    }
    for (const finding of report.findings) {
      const concerned = finding.connections.filter((id) => ids.has(id) && !doubtful.has(id)).length;
      if (concerned === 0) continue;
      const key = keyOf(finding);
      const known = this.#findings.get(key);
      if (known === undefined && this.#findings.size >= MOST_FINDINGS) continue;
      const count = (known?.count ?? 0) + concerned;
      this.#findings.set(key, { ...(known ?? finding), count, causes: [], connections: [] });
    }
  }

  /** The report with what was forgotten counted in. */
  applyTo(report: Report): Report {
    const gone = this.#counts;
    if (gone.connections === 0) return report;
    const { summary } = report;
    const present = new Map(report.findings.map((finding) => [keyOf(finding), finding]));
    const further = [...this.#findings].filter(([key]) => !present.has(key)).map(([, finding]) => finding);
    const findings = [
      ...report.findings,
      ...further.map((finding, index) => ({ ...finding, id: report.findings.length + index + 1 })),
    ];
    const severity = (name: string): number => findings.filter((finding) => finding.severity === name).length;
    return {
      ...report,
      verdict: verdictOf(report, gone),
      summary: {
        ...summary,
        monitoredPackets: summary.monitoredPackets + this.#packets,
        connections: summary.connections + gone.connections,
        verified: summary.verified + gone.verified,
        failed: summary.failed + gone.failed,
        inconclusive: summary.inconclusive + gone.inconclusive,
        findings: { error: severity('error'), warning: severity('warning'), note: severity('note') },
      },
      findings,
      connectionsOmitted: (report.connectionsOmitted ?? 0) + gone.connections,
      givenUp: gone,
    };
  }
}

function verdictOf(report: Report, gone: GivenUp): Verdict {
  if (report.verdict === 'failed' || gone.failed > 0) return 'failed';
  return report.verdict === 'inconclusive' || gone.inconclusive > 0 ? 'inconclusive' : 'verified';
}

function keyOf(finding: FindingReport): string {
  return `${finding.code} ${finding.message}`;
}
