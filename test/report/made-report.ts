import type { ConnectionReport, DirectionReport, FindingReport, Report, Verdict } from '../../src/report/report.ts';

const DIRECTION: DirectionReport = {
  packets: 2,
  viaSps: 2,
  bypassed: 0,
  dropped: 0,
  looped: 0,
  undetermined: 0,
  observed: 2,
  probes: 0,
  basis: 'captured',
};

/** A connection of a report, verified unless said otherwise. */
export function connection(id: number, parts: Partial<ConnectionReport> = {}): ConnectionReport {
  return {
    id,
    protocol: 'tcp',
    client: `192.168.0.10:${40_000 + id}`,
    server: '10.0.0.10:3389',
    leg: 'client',
    verdict: 'verified',
    clientToServer: DIRECTION,
    serverToClient: DIRECTION,
    findings: [],
    ...parts,
  };
}

/** A finding of a report. */
export function finding(id: number, parts: Partial<FindingReport> = {}): FindingReport {
  return {
    id,
    code: 'RV602',
    slug: 'reverse-path-drop',
    severity: 'error',
    message: 'a packet is dropped',
    count: 1,
    causes: [],
    connections: [],
    notes: [],
    fix: [],
    ...parts,
  };
}

/** A whole report by its verdict, with counts that fit. */
export function madeReport(verdict: Verdict, parts: Partial<Report> = {}): Report {
  const connections = parts.connections ?? [connection(1, { verdict })];
  const findings = parts.findings ?? [];
  const count = (wanted: Verdict): number => connections.filter((item) => item.verdict === wanted).length;
  const severity = (wanted: string): number => findings.filter((item) => item.severity === wanted).length;
  return {
    schema: 'redirect-verify/report/1',
    verdict,
    mode: 'observed',
    captures: [
      {
        path: 'capture.pcapng',
        format: 'pcapng',
        packets: 8,
        bytes: 800,
        interfaces: ['eth0', 'eth1'],
        truncated: false,
      },
    ],
    router: { dialects: ['linux-iptables-save'], sources: [{ path: 'router.txt', sha256: '00' }] },
    intent: {
      sps: ['172.16.0.1'],
      spsInterfaces: ['eth1'],
      snat: 'own',
      services: ['tcp/3389'],
      clients: [],
      servers: ['10.0.0.0/24'],
      inferred: [],
    },
    summary: {
      packets: 8,
      monitoredPackets: 4 * connections.length,
      connections: connections.length,
      verified: count('verified'),
      failed: count('failed'),
      inconclusive: count('inconclusive'),
      findings: { error: severity('error'), warning: severity('warning'), note: severity('note') },
    },
    connections,
    findings,
    ...parts,
  };
}
