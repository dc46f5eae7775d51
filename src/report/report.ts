import type { Note, Severity, Where } from '../diagnostic/diagnostic.ts';
import type { GivenUp } from './given-up.ts';
import type { VantageName } from '../verification/verification.ts';

export type { FindingKind } from '../findings/finding.ts';

/** Verdict of a connection or a run. */
export type Verdict = 'verified' | 'failed' | 'inconclusive';

/** What became of the packets of one direction. `packets` is the sum of the five that follow it. */
export interface DirectionReport {
  readonly packets: number;
  readonly viaSps: number;
  readonly bypassed: number;
  readonly dropped: number;
  readonly looped: number;
  readonly undetermined: number;
  /** Of the packets, those with an egress copy in the capture. */
  readonly observed: number;
  /** Synthesized packets judged. */
  readonly probes: number;
  readonly basis: 'captured' | 'synthesized' | 'mixed';
}

export interface ConnectionReport {
  readonly id: number;
  readonly protocol: string;
  readonly client: string;
  readonly server: string;
  readonly leg: 'client' | 'server' | 'both';
  readonly session?: number;
  readonly verdict: Verdict;
  readonly clientToServer: DirectionReport;
  readonly serverToClient: DirectionReport;
  /** Codes. */
  readonly findings: readonly string[];
}

export interface FindingReport {
  readonly id: number;
  readonly code: string;
  readonly slug: string;
  readonly severity: Severity;
  readonly message: string;
  readonly count: number;
  readonly where?: Where;
  /** Ids of the findings that explain this one. */
  readonly causes: readonly number[];
  /** Ids of connections, at most 100. */
  readonly connections: readonly number[];
  readonly notes: readonly Note[];
  readonly fix: readonly string[];
  /** Takes the fix back; absent where there is no fix, or where that cannot be told. */
  readonly undo?: readonly string[];
  /** Makes the fix outlast a restart. */
  readonly persist?: readonly string[];
}

export interface CaptureReport {
  readonly path: string;
  readonly format: string;
  readonly packets: number;
  readonly bytes: number;
  readonly interfaces: readonly string[];
  readonly truncated: boolean;
  /** Where it was taken; absent in reports of older versions. */
  readonly vantage?: VantageName;
  readonly firstTimestamp?: string;
  readonly lastTimestamp?: string;
  /** What is to be known of how it was captured, for people. */
  readonly note?: string;
}

/** What the captures can show of the router. */
export interface VantageReport {
  /** Whether the user said where the captures were taken; otherwise it is told by what is in them. */
  readonly stated: boolean;
  /** Interfaces of the router of whose frames some are in the captures. */
  readonly interfaces: readonly string[];
  /** Interfaces that monitored connections can use, and of which nothing is there. */
  readonly missing: readonly string[];
  /** Whether what goes past SPS would be in the captures. */
  readonly showsBypass: boolean;
}

/** What joining SPS to SPP needs, and what is known of it. */
export interface JoinReport {
  readonly spp: string;
  readonly sps: readonly string[];
  /** What is, or would be, entered as SPP's address; absent where neither said nor seen. */
  readonly entered?: string;
  readonly flows: readonly JoinFlowReport[];
  readonly certificates: readonly JoinCertificateReport[];
}

export interface JoinFlowReport {
  readonly client: string;
  /** Address and port. */
  readonly server: string;
  readonly verdict: Verdict;
  /** What the router does with it; absent without a router. */
  readonly expected?: 'forwarded' | 'redirected' | 'blocked' | 'beside' | 'unknown';
  /** In words: why, or by which interfaces. */
  readonly expectedDetail?: string;
  /** How it was last seen to go; absent where it was not tried in a capture. */
  readonly observed?: 'answered' | 'refused' | 'reset' | 'silent' | 'one-sided' | 'open';
  readonly attempts: number;
}

/** SPP's certificate in one handshake. */
export interface JoinCertificateReport {
  readonly path: string;
  readonly frame: number;
  readonly version?: string;
  /** `encrypted`: TLS 1.3 hides it. `none`: the capture does not hold it. */
  readonly certificate: 'visible' | 'encrypted' | 'none';
  readonly entered: string;
  readonly match?: 'subject-alt-name' | 'common-name' | 'none';
  readonly names?: string;
  readonly issuer?: string;
  readonly validity?: 'valid' | 'expired' | 'not-yet' | 'unreadable';
  /** What SPS made of it. */
  readonly outcome: 'went-on' | 'rejected' | 'unknown';
  readonly notes: readonly string[];
}

/** The result of a run as plain data, in the contract's words. */
export interface Report {
  readonly schema: 'redirect-verify/report/1';
  readonly verdict: Verdict;
  /** check: no capture; sessions were made up at the edges of what is monitored. */
  readonly mode: 'observed' | 'what-if' | 'check';
  readonly captures: readonly CaptureReport[];
  /** Of a merged report: what every part shows. Absent in reports of older versions. */
  readonly vantage?: VantageReport;
  readonly router: {
    readonly dialects: readonly string[];
    readonly sources: readonly { readonly path: string; readonly sha256: string }[];
    readonly hostname?: string;
    readonly collectedAt?: string;
    /** Liberties taken in reading, for people. */
    readonly notices?: readonly string[];
  };
  readonly intent: {
    readonly sps: readonly string[];
    readonly spsInterfaces: readonly string[];
    readonly snat: 'own' | 'client' | 'fixed' | 'unknown';
    readonly services: readonly string[];
    readonly clients: readonly string[];
    readonly servers: readonly string[];
    readonly inferred: readonly string[];
  };
  /** Of a check: what was made up. */
  readonly check?: {
    readonly sessions: number;
    readonly clients: readonly string[];
    readonly servers: readonly string[];
    readonly services: readonly string[];
    /** Services next to the monitored ones that go to SPS all the same. */
    readonly alsoRedirected: readonly string[];
    /** What the configuration allows to happen, depending on what only traffic shows; no finding, and no part of the verdict. */
    readonly possible?: readonly {
      /** The finding that it would be. */
      readonly code: string;
      readonly message: string;
      readonly connections: readonly number[];
      readonly fix: readonly string[];
    }[];
  };
  /** Of `join`: the connections that SPS and SPP need of each other; `summary` counts these. */
  readonly join?: JoinReport;
  readonly summary: {
    readonly packets: number;
    readonly monitoredPackets: number;
    readonly connections: number;
    readonly verified: number;
    readonly failed: number;
    readonly inconclusive: number;
    readonly findings: { readonly error: number; readonly warning: number; readonly note: number };
  };
  readonly connections: readonly ConnectionReport[];
  /** How many connections are not listed; absent where all are. */
  readonly connectionsOmitted?: number;
  readonly findings: readonly FindingReport[];
  /** Of a live run that forgot connections to bound its memory: how many, which the summary counts in. */
  readonly givenUp?: GivenUp;
  /** Of a live run whose router's state was read again: what was judged by the states before, oldest first. */
  readonly earlier?: readonly Report[];
}

/** From which severity on a finding makes the run end with 1. */
export type FailOn = 'error' | 'warning' | 'never';

/** The exit code of a report: the first that holds of the contract's table. */
export function exitCodeOf(report: Report, failOn: FailOn): number {
  if (failOn === 'never') return 0;
  const { error, warning } = report.summary.findings;
  if (report.verdict === 'failed' || error > 0 || (failOn === 'warning' && warning > 0)) return 1;
  return report.verdict === 'inconclusive' ? 3 : 0;
}
