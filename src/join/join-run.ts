import type { CaptureInput } from '../capture/capture-set.ts';
import type { JoinIntent } from '../model/join-intent.ts';
import { formatIpAddress, parseIpAddress } from '../net/ip-address.ts';
import type { Router } from '../verification/router.ts';
import { matchName, type NameMatch, readCertificate, type ServerCertificate } from './certificate.ts';
import type { Attempt } from './join-attempt.ts';
import { HTTPS_PORT, type JoinFlow, joinFlows } from './join-flow.ts';
import { type ObservedJoin, observeJoin } from './observe-join.ts';
import { type SimulatedFlow, simulateJoin } from './simulate-join.ts';
import type { TlsHandshake } from './tls-handshake.ts';

/** Whether a connection that the join needs is possible. */
export type FlowVerdict = 'possible' | 'impossible' | 'unknown';

/** A connection that the join needs, with everything known about it. */
export interface AssessedFlow {
  readonly flow: JoinFlow;
  readonly verdict: FlowVerdict;
  /** What the router does with it; absent without a router. */
  readonly expected?: SimulatedFlow;
  /** In the order of time. */
  readonly attempts: readonly Attempt[];
  /** The last that tells something: the state of things. */
  readonly last?: Attempt;
}

/** SPP's certificate as one handshake shows it. */
export interface SeenCertificate {
  readonly flow: JoinFlow;
  readonly attempt: Attempt;
  readonly tls: TlsHandshake;
  /** Absent where it is not visible, or not readable. */
  readonly certificate?: ServerCertificate;
  /** What was entered, and how that is known. */
  readonly entered: string;
  readonly enteredFrom: 'stated' | 'server-name' | 'address';
  readonly match?: NameMatch;
  /** By the time of the handshake. */
  readonly validity?: 'valid' | 'expired' | 'not-yet' | 'unreadable';
  readonly outcome: 'went-on' | 'rejected' | 'unknown';
}

/** Everything that is known about a join: what its findings look at. */
export interface JoinRun {
  readonly intent: JoinIntent;
  readonly router?: Router;
  readonly flows: readonly AssessedFlow[];
  /** Of each SPS node the handshake that tells most, the last of equals. */
  readonly certificates: readonly SeenCertificate[];
  readonly observed: ObservedJoin;
  /** Addresses, and what was entered, that are IPv6. */
  readonly notIpv4: readonly string[];
}

/** Simulates and observes what a join needs. Throws InputError where a capture cannot be read. */
export async function runJoin(
  intent: JoinIntent,
  router: Router | undefined,
  inputs: readonly CaptureInput[],
): Promise<JoinRun> {
  const flows = joinFlows(intent);
  const simulated = router === undefined ? [] : simulateJoin(router, intent);
  const observed = await observeJoin(inputs, flows);
  const assessed = flows.map((flow, index) => assessFlow(flow, simulated[index], observed.attempts[index] ?? []));
  const certificates = assessed.flatMap((item) => seenCertificate(intent, item));
  return {
    intent,
    ...(router !== undefined && { router }),
    flows: assessed,
    certificates,
    observed,
    notIpv4: notIpv4(intent),
  };
}

/** Whether nothing is known of what SPS made of a certificate that cannot be seen. */
export function isUnknownCertificate(seen: SeenCertificate): boolean {
  return seen.outcome === 'unknown' && seen.certificate === undefined;
}

const BAD: ReadonlySet<Attempt['state']> = new Set(['refused', 'reset', 'silent']);

function assessFlow(flow: JoinFlow, expected: SimulatedFlow | undefined, attempts: readonly Attempt[]): AssessedFlow {
  const last = attempts.findLast((attempt) => attempt.state !== 'open') ?? attempts.at(-1);
  return {
    flow,
    verdict: flowVerdict(expected, last),
    ...(expected !== undefined && { expected }),
    attempts,
    ...(last !== undefined && { last }),
  };
}

function flowVerdict(expected: SimulatedFlow | undefined, last: Attempt | undefined): FlowVerdict {
  if (expected?.fate === 'blocked' || expected?.fate === 'redirected') return 'impossible';
  if (last !== undefined && BAD.has(last.state)) return 'impossible';
  if (last?.state === 'answered') return 'possible';
  // One-sided or cut off: what the capture shows is no answer to the question.
  if (last !== undefined) return 'unknown';
  return expected?.fate === 'forwarded' || expected?.fate === 'beside' ? 'possible' : 'unknown';
}

/** The handshake to look at: the last with a visible certificate, else the last. */
function seenCertificate(intent: JoinIntent, { flow, attempts }: AssessedFlow): SeenCertificate[] {
  if (flow.port !== HTTPS_PORT) return [];
  const shaken = attempts.filter((attempt) => attempt.tls !== undefined);
  const last = shaken.at(-1);
  const visible = shaken.findLast((attempt) => attempt.tls?.certificate === 'visible');
  const chosen = last?.tls?.certificate === 'none' ? (visible ?? last) : last;
  return chosen === undefined ? [] : [judgeHandshake(intent, flow, chosen, chosen.tls!)];
}

function judgeHandshake(intent: JoinIntent, flow: JoinFlow, attempt: Attempt, tls: TlsHandshake): SeenCertificate {
  const [entered, enteredFrom] =
    intent.entered !== undefined
      ? ([intent.entered, 'stated'] as const)
      : tls.serverName !== undefined
        ? ([tls.serverName, 'server-name'] as const)
        : ([formatIpAddress(intent.spp), 'address'] as const);
  const [der] = tls.certificates;
  const certificate = der === undefined ? undefined : readCertificate(der);
  const rejected = tls.alerts.some((alert) => alert.fatal);
  return {
    flow,
    attempt,
    tls,
    ...(certificate !== undefined && {
      certificate,
      match: matchName(certificate, entered),
      validity: validityAt(certificate, attempt.time / 1e6),
    }),
    entered,
    enteredFrom,
    outcome: tls.clientWentOn ? 'went-on' : rejected ? 'rejected' : 'unknown',
  };
}

function validityAt(
  { validFrom, validTo }: ServerCertificate,
  time: number,
): 'valid' | 'expired' | 'not-yet' | 'unreadable' {
  if (Number.isNaN(validFrom) || Number.isNaN(validTo)) return 'unreadable';
  if (time > validTo) return 'expired';
  return time < validFrom ? 'not-yet' : 'valid';
}

function notIpv4({ spp, sps, entered }: JoinIntent): string[] {
  const addresses = [spp, ...sps].filter((address) => address.family !== 4).map(formatIpAddress);
  const typed = entered === undefined ? undefined : parseIpAddress(entered.replace(/^\[|\]$/g, ''));
  return [...new Set([...addresses, ...(typed?.family === 6 ? [formatIpAddress(typed)] : [])])];
}
