import { stepPlace, stepWords } from './step-words.ts';
import type { Walk } from '../forwarding/walk.ts';
import { formatPrefix } from '../net/prefix.ts';
import { roleOf } from '../verification/failures.ts';
import type { Category } from '../verification/judge.ts';
import type { PacketSequence } from '../verification/sequences.ts';
import { type Role, runSession } from '../verification/session.ts';
import type { Verification } from '../verification/verification.ts';
import type { Report } from './report.ts';

/** One step of a walk, in words. */
export interface LadderStep {
  readonly words: string;
  readonly place?: { readonly path: string; readonly line: number; readonly text: string };
}

/** How the packets of one of a session's four flows went; synthesized ones are counted by themselves. */
export interface LegEvidence {
  readonly role: Role;
  readonly viaSps: number;
  readonly bypassed: number;
  readonly dropped: number;
  readonly looped: number;
  readonly undetermined: number;
  readonly synthesized: number;
}

/** What a report that draws shows beyond the report itself. */
export interface Evidence {
  readonly interfaces: readonly {
    readonly name: string;
    readonly addresses: readonly string[];
    readonly facesSps: boolean;
  }[];
  readonly clientInterface?: string;
  readonly serverInterface?: string;
  readonly legs: readonly LegEvidence[];
  /** By the id of a finding: the walk of its first packet. */
  readonly walks: readonly { readonly finding: number; readonly steps: readonly LadderStep[] }[];
  readonly sequences: readonly PacketSequence[];
  /** Failed connections whose packets are not shown. */
  readonly sequencesOmitted: number;
}

const ROLES: readonly Role[] = ['client-request', 'sps-reply', 'sps-request', 'server-reply'];

/** Collects what a run shows of its topology and of its packets' ways. */
export function buildEvidence(run: Verification, report: Report, sequences: readonly PacketSequence[]): Evidence {
  const facing = new Set(report.intent.spsInterfaces);
  const side = (toServer: boolean): string | undefined => {
    for (const { ways } of run.connections) {
      const way = ways.find(({ path, fromSps }) => path.toServer === toServer && fromSps === false);
      if (way !== undefined) return run.interfaceName(way.path.ingress);
    }
    return undefined;
  };
  const clientInterface = side(true);
  const [server] = run.intent.servers;
  const serverInterface = server === undefined ? side(false) : run.router.interfaceToward(server);
  return {
    interfaces: run.router.interfaces
      .filter((item) => item.linkType !== 'loopback')
      .map((item) => ({
        name: item.name,
        addresses: item.addresses.map(({ prefix }) => formatPrefix(prefix)),
        facesSps: facing.has(item.name),
      })),
    ...(clientInterface !== undefined && { clientInterface }),
    ...(serverInterface !== undefined && { serverInterface }),
    legs: ROLES.map((role) => legOf(run, role)),
    walks: walksOf(run, report),
    sequences,
    sequencesOmitted: Math.max(0, report.summary.failed - sequences.length),
  };
}

function legOf(run: Verification, role: Role): LegEvidence {
  const counts: Record<Category, number> = { viaSps: 0, bypassed: 0, dropped: 0, looped: 0, undetermined: 0 };
  let synthesized = 0;
  for (const { ways, probes } of run.connections) {
    for (const way of ways) {
      if (way.stray || roleOf(way.path.toServer, way.fromSps === true) !== role) continue;
      counts[way.category] += way.count.packets;
      if (way.path.synthetic) synthesized += way.count.packets;
    }
    for (const probe of probes.problems) {
      if (probe.role !== role) continue;
      counts[probe.category]++;
      synthesized++;
    }
  }
  if (Object.values(counts).every((count) => count === 0)) synthesized = countRight(run, role, counts);
  return { role, ...counts, synthesized };
}

/** Sessions that stand for all others where nothing of a flow was captured, and nothing of it failed. */
const MOST_SESSIONS = 50;

function countRight(run: Verification, role: Role, counts: Record<Category, number>): number {
  let total = 0;
  for (const item of run.connections.first(MOST_SESSIONS)) {
    const [spec] = run.sessionsOf(item);
    if (spec === undefined) continue;
    for (const probe of runSession(run.replay.forwarder, spec)) {
      if (probe.role !== role) continue;
      counts[probe.category]++;
      total++;
    }
  }
  return total;
}

/** The findings of packets stand in the order of the failures that they tell. */
function walksOf(run: Verification, report: Report): Evidence['walks'] {
  const walks: { finding: number; steps: LadderStep[] }[] = [];
  for (const code of new Set(run.failures.map((failure) => failure.code))) {
    const failures = run.failures.filter((failure) => failure.code === code);
    const findings = report.findings.filter((finding) => finding.code === code);
    if (failures.length !== findings.length) continue;
    findings.forEach((finding, index) => {
      walks.push({ finding: finding.id, steps: ladder(failures[index]!.walk) });
    });
  }
  return walks;
}

function ladder(walk: Walk): LadderStep[] {
  return walk.steps.map((step) => {
    const place = stepPlace(step);
    return {
      words: stepWords(step),
      ...(place !== undefined && { place: { path: place.path, line: place.line, text: place.text } }),
    };
  });
}
