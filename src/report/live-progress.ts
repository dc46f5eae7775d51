import type { ConnectionReport, FindingReport, Report, Verdict } from './report.ts';

/** A verdict is told when it has held for so long: what is on its way across the router is not missing yet. */
const SETTLE_MILLISECONDS = 1000;
/** As long as something may still be answered, silence proves nothing. */
const SILENCE_MILLISECONDS = 5000;

/** Something that is worth a line. */
export type LiveEvent =
  | { readonly event: 'connection'; readonly connection: ConnectionReport }
  | { readonly event: 'verdict'; readonly connection: ConnectionReport; readonly was?: Verdict }
  | { readonly event: 'finding'; readonly finding: FindingReport };

/** Why a run that waits for connections may end. */
export type Outcome = 'verified' | 'failed';

interface Known {
  verdict: Verdict;
  isHard: boolean;
  since: number;
  told: Verdict | undefined;
}

/**
 * Tells from one report to the next what is new. A verdict, or a finding, counts when it has held for a while: a packet that left toward SPS
 * a moment ago has not failed because no answer is there yet. What was seen to go astray needs less time than what is only missing.
 */
export class LiveProgress {
  #connections = new Map<string, Known>();
  #findings = new Map<string, { since: number; told: boolean }>();

  /** `now`: milliseconds of a clock that goes on while nothing comes. */
  update(report: Report, now: number): LiveEvent[] {
    const events: LiveEvent[] = [];
    const connections = new Map<string, Known>();
    for (const connection of report.connections) {
      const key = keyOf(connection);
      let known = this.#connections.get(key);
      const isHard = wentAstray(connection);
      if (known === undefined) {
        known = { verdict: connection.verdict, isHard, since: now, told: undefined };
        events.push({ event: 'connection', connection });
      } else if (known.verdict !== connection.verdict || (isHard && !known.isHard)) {
        known.verdict = connection.verdict;
        known.since = now;
      }
      known.isHard = isHard;
      connections.set(key, known);
      if (known.told === known.verdict || !isSettled(known, now)) continue;
      events.push({ event: 'verdict', connection, ...(known.told !== undefined && { was: known.told }) });
      known.told = known.verdict;
    }
    this.#connections = connections;
    this.#updateFindings(report, now, events);
    return events;
  }

  /** Whether so many connections of each service were verified both ways, or one failed; undefined while neither is so. */
  outcome(report: Report, count: number, now: number): Outcome | undefined {
    const failed = report.connections.some((item) => item.verdict === 'failed' && this.#told(item) === 'failed');
    if (failed || this.#runFailed(report, now)) return 'failed';
    const { services } = report.intent;
    const verified = report.connections.filter((item) => this.#told(item) === 'verified' && isVerifiedBothWays(item));
    const enough = services.every((service) => verified.filter((item) => isOfService(item, service)).length >= count);
    return enough && services.length > 0 ? 'verified' : undefined;
  }

  #told(connection: ConnectionReport): Verdict | undefined {
    return this.#connections.get(keyOf(connection))?.told;
  }

  /** An error of the intent itself fails the run without any connection. */
  #runFailed(report: Report, now: number): boolean {
    return report.findings.some((finding) => {
      const known = this.#findings.get(findingKey(finding));
      const isOfRun = finding.severity === 'error' && finding.connections.length === 0 && finding.causes.length === 0;
      // A cause is as sure as the failures that it explains.
      const explains = report.findings.some((other) => other.causes.includes(finding.id));
      return isOfRun && !explains && known !== undefined && now - known.since >= SILENCE_MILLISECONDS;
    });
  }

  #updateFindings(report: Report, now: number, events: LiveEvent[]): void {
    const findings = new Map<string, { since: number; told: boolean }>();
    for (const finding of report.findings) {
      const key = findingKey(finding);
      const known = this.#findings.get(key) ?? { since: now, told: false };
      findings.set(key, known);
      // A finding is as sure as the connections that it concerns.
      const concerned = report.connections.filter((item) => finding.connections.includes(item.id));
      const isSure =
        concerned.length === 0
          ? now - known.since >= SILENCE_MILLISECONDS
          : concerned.some((item) => item.verdict === this.#told(item)) && now - known.since >= SETTLE_MILLISECONDS;
      if (known.told || !isSure) continue;
      known.told = true;
      events.push({ event: 'finding', finding });
    }
    this.#findings = findings;
  }
}

/** Whether packets of it were seen, or are known, to go where they should not; otherwise something is only missing so far. */
export function wentAstray({ clientToServer, serverToClient }: ConnectionReport): boolean {
  return [clientToServer, serverToClient].some(({ bypassed, dropped, looped }) => bypassed + dropped + looped > 0);
}

/** Of a client: both directions were captured, and all of them went where they should. */
export function isVerifiedBothWays(item: ConnectionReport): boolean {
  const { clientToServer, serverToClient } = item;
  return item.verdict === 'verified' && item.leg !== 'server' && clientToServer.viaSps > 0 && serverToClient.viaSps > 0;
}

/** Whether a connection is of a service as reports print it: `tcp/3389`, `tcp/22-23`. */
export function isOfService({ protocol, server }: ConnectionReport, service: string): boolean {
  const [name, ports = ''] = service.split('/');
  const [first = '', last = first] = ports.split('-');
  const port = Number(server.slice(server.lastIndexOf(':') + 1));
  return name === protocol && (ports === '' || (port >= Number(first) && port <= Number(last)));
}

function isSettled(known: Known, now: number): boolean {
  const isFast = known.verdict === 'verified' || known.isHard;
  return now - known.since >= (isFast ? SETTLE_MILLISECONDS : SILENCE_MILLISECONDS);
}

function keyOf(connection: ConnectionReport): string {
  return `${connection.id} ${connection.protocol} ${connection.client} ${connection.server}`;
}

function findingKey(finding: FindingReport): string {
  const { where } = finding;
  const place = where?.kind === 'config' ? `${where.path}:${where.line}` : '';
  return `${finding.code} ${place} ${finding.message}`;
}
