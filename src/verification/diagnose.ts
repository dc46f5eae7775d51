import type { Note, Where } from '../diagnostic/diagnostic.ts';
import type { Intent } from '../model/intent.ts';
import { formatIpAddress } from '../net/ip-address.ts';
import { formatIpProtocol } from '../net/ip-protocol.ts';
import { formatPrefix, hostPrefix, prefixContains } from '../net/prefix.ts';
import { decider } from './failures.ts';
import type { Category } from './judge.ts';
import { type FlowOfInterest, ofFamily, type Remedy, type Router } from './router.ts';
import { type Probe, type Role, runSession, type SessionSpec } from './session.ts';

/** Why packets of one flow fail, by the configuration, with a change that was shown to mend it. */
export interface Diagnosis {
  readonly code: string;
  /** Equal for equal causes. */
  readonly key: string;
  readonly message: string;
  readonly where?: Where;
  readonly notes: readonly Note[];
  readonly fix: Remedy;
  /** The flow that fails for it, and how. */
  readonly role: Role;
  readonly category: Category;
  /** Where the packet came in, and the statement that decided about it: other flows that end there end for the same cause. */
  readonly ingress?: number;
  readonly decidedBy?: string;
  /** Further findings that explain this one, e.g. RV415 behind RV407. */
  readonly because?: readonly {
    readonly code: string;
    readonly key: string;
    readonly message: string;
    readonly where?: Where;
  }[];
}

/** A failing packet, for those who look for its cause. */
export interface Case {
  readonly router: Router;
  readonly intent: Intent;
  readonly probe: Probe;
  /** The session up to and with the failing packet. */
  readonly session: readonly Probe[];
  readonly interfaceNames: readonly string[];
  readonly spsInterface: string;
  /** The packet as remedies need it. */
  readonly flow: FlowOfInterest;
  /** The first of the changes after which this packet goes where it should, and no packet before it fails. */
  firstThatHelps(remedies: readonly Remedy[]): Remedy | undefined;
}

/** Recognises one cause; undefined where it is not this one. */
export type Diagnoser = (failing: Case) => Diagnosis | undefined;

/** A failure that no diagnoser explains. */
export interface Unexplained {
  readonly probe: Probe;
}

/** A failure that shows once what stood before it is mended. */
export interface Uncovered {
  readonly probe: Probe;
  /** The session in which it shows. */
  readonly spec: SessionSpec;
}

export interface DiagnosisResult {
  readonly diagnoses: readonly Diagnosis[];
  readonly uncovered: readonly Uncovered[];
  readonly unexplained: readonly Unexplained[];
}

const MAX_ROUNDS = 10;
const MAX_SESSIONS = 12;

/**
 * Finds the causes of failing sessions one after the other: the first failing packet is explained, its remedy is applied to a copy of
 * the configuration, and the session runs again, until it succeeds. So every printed fix was tried in the simulation, and defects that
 * hide behind others come to light. `healthy`: sessions that succeed and must go on doing so.
 */
export function diagnose(
  router: Router,
  intent: Intent,
  specs: readonly SessionSpec[],
  diagnosers: readonly Diagnoser[],
  healthy: readonly SessionSpec[],
): DiagnosisResult {
  const diagnoses = new Map<string, Diagnosis>();
  const unexplained: Unexplained[] = [];
  const uncovered: Uncovered[] = [];
  // What mends one session often mends the others: each starts from the configuration that the ones before it left.
  let current = router;
  for (const spec of specs.slice(0, MAX_SESSIONS)) {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const session = runSession(current.forwarder(), spec);
      const index = session.findIndex((probe) => probe.category !== 'viaSps');
      const probe = session[index];
      if (probe === undefined) break;
      const checked = healthy.slice(0, MAX_SESSIONS);
      const failing = caseOf(current, intent, session, probe, checked);
      // Two defects may stop the same packet: then a change that leaves it to the second one helps, if that one is known, too.
      const found =
        firstDiagnosis(failing, diagnosers) ??
        firstDiagnosis(
          { ...failing, firstThatHelps: (remedies) => firstStep(failing, session, checked, diagnosers, remedies) },
          diagnosers,
        );
      const altered = found === undefined || found.fix.length === 0 ? undefined : current.altered(found.fix);
      if (found !== undefined && !diagnoses.has(found.key)) diagnoses.set(found.key, found);
      uncovered.push({ probe, spec });
      if (found === undefined) unexplained.push({ probe });
      if (altered === undefined) break;
      current = altered;
    }
  }
  return { diagnoses: [...diagnoses.values()], unexplained, uncovered };
}

/** The same where it is not known which address SPS uses toward servers: only what is so with its own and with the client's. */
export function diagnoseEither(
  router: Router,
  intent: Intent,
  specs: readonly SessionSpec[],
  diagnosers: readonly Diagnoser[],
  healthy: readonly SessionSpec[],
): DiagnosisResult {
  const own = diagnose(
    router,
    intent,
    specs.filter((spec) => spec.spoofing === 'own'),
    diagnosers,
    healthy,
  );
  const spoofed = diagnose(
    router,
    intent,
    specs.filter((spec) => spec.spoofing !== 'own'),
    diagnosers,
    healthy,
  );
  const fate = ({ probe }: Uncovered): string => `${probe.role}/${probe.category}`;
  return {
    diagnoses: own.diagnoses.filter((item) => spoofed.diagnoses.some((other) => other.key === item.key)),
    uncovered: own.uncovered.filter((item) => spoofed.uncovered.some((other) => fate(other) === fate(item))),
    unexplained: own.unexplained,
  };
}

function firstDiagnosis(failing: Case, diagnosers: readonly Diagnoser[]): Diagnosis | undefined {
  for (const diagnoser of diagnosers) {
    const found = diagnoser(failing);
    if (found !== undefined)
      return { ...found, ingress: failing.probe.key.ingress, decidedBy: decider(failing.probe.walk) };
  }
  return undefined;
}

function caseOf(
  router: Router,
  intent: Intent,
  session: readonly Probe[],
  probe: Probe,
  healthy: readonly SessionSpec[],
): Case {
  const names = router.forwarder().interfaceNames;
  return {
    router: ofFamily(router, probe.spec.client.family),
    intent,
    probe,
    session: session.slice(0, session.indexOf(probe) + 1),
    interfaceNames: names,
    spsInterface: names[probe.spec.spsInterface] ?? '',
    flow: flowOf(intent, probe, names),
    firstThatHelps: (remedies) => remedies.find((remedy) => helps(router.altered(remedy), session, probe, healthy)),
  };
}

/** The first of the changes after which the packet meets another fate, of which the cause is known and can be mended. */
function firstStep(
  failing: Case,
  session: readonly Probe[],
  healthy: readonly SessionSpec[],
  diagnosers: readonly Diagnoser[],
  remedies: readonly Remedy[],
): Remedy | undefined {
  const { router, intent, probe } = failing;
  return remedies.find((remedy) => {
    const altered = router.altered(remedy);
    if (altered === undefined) return false;
    const after = runSession(altered.forwarder(), probe.spec);
    const again = after.find((candidate) => isSame(candidate, probe));
    if (again === undefined || !meetsAnotherFate(again, probe)) return false;
    if (
      !session
        .filter(isRight)
        .every((before) => after.some((candidate) => isSame(candidate, before) && isRight(candidate)))
    )
      return false;
    return firstDiagnosis(caseOf(altered, intent, after, again, healthy), diagnosers) !== undefined;
  });
}

function meetsAnotherFate(after: Probe, before: Probe): boolean {
  const [a, b] = [after.key, before.key];
  return (
    a.disposition !== b.disposition ||
    a.egress !== b.egress ||
    a.table !== b.table ||
    decider(after.walk) !== decider(before.walk)
  );
}

/** Whether on the altered router the packet goes where it should, and everything that did so before still does. */
function helps(
  altered: Router | undefined,
  session: readonly Probe[],
  probe: Probe,
  healthy: readonly SessionSpec[],
): boolean {
  if (altered === undefined) return false;
  const after = runSession(altered.forwarder(), probe.spec);
  const index = after.findIndex((candidate) => isSame(candidate, probe));
  if (index < 0 || !after.slice(0, index + 1).every(isRight)) return false;
  const kept = session
    .filter(isRight)
    .every((before) => after.some((candidate) => isSame(candidate, before) && isRight(candidate)));
  return kept && healthy.every((spec) => runSession(altered.forwarder(), spec).every(isRight));
}

function isSame(a: Probe, b: Probe): boolean {
  return a.role === b.role && a.label === b.label && a.phase === b.phase;
}

function isRight(probe: Probe): boolean {
  return probe.category === 'viaSps';
}

/**
 * A change that redirects packets of hosts beside SPS: by packet mark, because the router sees one direction of their connections only,
 * and with ICMP redirects off, which would teach them to leave the router aside.
 */
export function statelessFix({ router, probe, flow, firstThatHelps }: Case): Remedy | undefined {
  const { remedies } = router;
  const macs = probe.spec.spsMac < 0 ? [] : [probe.spec.spsMac];
  const quiet = remedies.stopIcmpRedirects(flow.ingress)[0] ?? [];
  return firstThatHelps(
    remedies
      .redirectWithoutState(flow, macs)
      .map((remedy) => (flow.ingress === flow.egress ? [...remedy, ...quiet] : remedy)),
  );
}

/** The failing packet's flow in words of the intent: networks and service ports rather than one host's. */
export function flowOf(intent: Intent, probe: Probe, names: readonly string[]): FlowOfInterest {
  const { spec, role } = probe;
  const service = intent.services.find(
    ({ protocol, ports }) =>
      protocol === spec.protocol && ports.first <= spec.serverPort && spec.serverPort <= ports.last,
  );
  const port =
    service === undefined || service.ports.first === service.ports.last
      ? `${spec.serverPort}`
      : `${service.ports.first}:${service.ports.last}`;
  const serverPrefix = intent.servers.find((prefix) => prefix.family === spec.server.family && prefix.prefixLength > 0);
  const servers =
    serverPrefix === undefined ? undefined : `${formatIpAddress(serverPrefix)}/${serverPrefix.prefixLength}`;
  const toServer = role === 'client-request' || role === 'sps-request';
  const own = spec.spoofing === 'own' && (role === 'sps-request' || role === 'server-reply');
  const clientSide = own ? formatPrefix(hostPrefix(spec.sps)) : undefined;
  const egress = expectedEgress(probe, names);
  const clients = intent.clients.find((prefix) => prefixContains(prefix, spec.client));
  const atClient = role === 'client-request' || (role === 'server-reply' && !own);
  return {
    ingress: names[probe.key.ingress] ?? '',
    egress,
    protocol: formatIpProtocol(spec.protocol),
    ...(toServer ? servers !== undefined && { to: servers } : servers !== undefined && { from: servers }),
    ...(clientSide !== undefined && (toServer ? { from: clientSide } : { to: clientSide })),
    ...(toServer ? { destinationPort: port } : { sourcePort: port }),
    ...(atClient && clients !== undefined && { clients: formatPrefix(clients) }),
    sps: formatIpAddress(spec.sps),
  };
}

/** The interface by which the packet should leave. */
function expectedEgress(probe: Probe, names: readonly string[]): string {
  const { spec } = probe;
  switch (probe.role) {
    case 'client-request':
    case 'server-reply':
      return names[spec.spsInterface] ?? '';
    case 'sps-reply':
      return names[spec.clientInterface] ?? '';
    case 'sps-request':
      return names[spec.serverInterface] ?? '';
  }
}
