import type { CheckTraffic } from '../verification/check-traffic.ts';
import type { Possibility } from '../verification/possible.ts';
import type { ConnectionReport, DirectionReport, FindingReport, Report } from './report.ts';

/** Said of captures (RV1xx, RV2xx), or of there being no traffic or other traffic than the monitored. */
const ABOUT_CAPTURES = /^RV(?:[12]\d\d|902|903)$/;

/** The report of a run on made-up traffic: no capture, every packet synthesized, no frame as a place. */
export function checkReport(report: Report, traffic: CheckTraffic, possible: readonly Possibility[]): Report {
  const kept = report.findings.filter((finding) => !ABOUT_CAPTURES.test(finding.code));
  const ids = new Map(kept.map((finding, index) => [finding.id, index + 1]));
  const findings = kept.map((finding): FindingReport => {
    const { where, notes, ...rest } = finding;
    const place = where?.kind === 'frame' ? notes.findLast((note) => note.where?.kind === 'config')?.where : where;
    return {
      ...rest,
      id: ids.get(finding.id)!,
      ...(place !== undefined && { where: place }),
      causes: finding.causes.flatMap((id) => ids.get(id) ?? []),
      notes,
    };
  });
  const count = (severity: string): number => findings.filter((finding) => finding.severity === severity).length;
  return {
    ...report,
    mode: 'check',
    captures: [],
    check: {
      sessions: traffic.sessions,
      clients: traffic.clients,
      servers: traffic.servers,
      services: traffic.ports,
      alsoRedirected: traffic.outside,
      ...(possible.length > 0 && { possible }),
    },
    summary: {
      ...report.summary,
      packets: 0,
      monitoredPackets: 0,
      findings: { error: count('error'), warning: count('warning'), note: count('note') },
    },
    connections: report.connections.map(synthesized),
    findings,
  };
}

function synthesized(item: ConnectionReport): ConnectionReport {
  return {
    ...item,
    clientToServer: asProbes(item.clientToServer),
    serverToClient: asProbes(item.serverToClient),
    findings: item.findings.filter((code) => !ABOUT_CAPTURES.test(code)),
  };
}

/** Nothing was captured: what the client sends is made up, too. */
function asProbes(direction: DirectionReport): DirectionReport {
  return {
    packets: 0,
    viaSps: 0,
    bypassed: 0,
    dropped: 0,
    looped: 0,
    undetermined: 0,
    observed: 0,
    probes: direction.packets + direction.probes,
    basis: 'synthesized',
  };
}
