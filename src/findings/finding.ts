import { configPlace, type Note, type Severity, type Where } from '../diagnostic/diagnostic.ts';
import type { JoinRun } from '../join/join-run.ts';
import type { Case, Diagnoser, Diagnosis } from '../verification/diagnose.ts';
import { decider, type Failure, proofOf } from '../verification/failures.ts';
import type { JudgedConnection } from '../verification/judged.ts';
import type { Defect } from '../verification/router.ts';
import { isOnSpsSegment } from '../verification/senders.ts';
import type { SessionSpec } from '../verification/session.ts';
import type { Stray } from '../verification/side-traffic.ts';
import type { Verification } from '../verification/verification.ts';

/** A kind of finding: its code and its documentation, from which `explain` and the README's table are made. */
export interface FindingKind {
  readonly code: string;
  readonly slug: string;
  readonly severity: Severity;
  /** One line for tables: said when … */
  readonly saidWhen: string;
  /** What it means, for the person who reads it in a report. */
  readonly meaning: string;
  readonly whyItMatters: string;
  /** Configuration or traffic that shows it. */
  readonly example: string;
  readonly whatToDo: string;
  readonly references: readonly string[];
}

/** A finding of one run. Equal packets are one entry, counted. */
export interface Detected {
  readonly message: string;
  /** How many packets, statements or frames. */
  readonly count: number;
  readonly where?: Where;
  /** Ids of the connections it concerns. */
  readonly connections: readonly number[];
  readonly notes: readonly Note[];
  readonly fix: readonly string[];
  /** For links between findings of a run. */
  readonly key: string;
  /** Keys of the findings that explain this one. */
  readonly causes: readonly string[];
  /** Where it differs from the kind's. */
  readonly severity?: Severity;
  /** `run`: nothing can be verified in this run; `connections`: not in those named. */
  readonly undetermines?: 'run' | 'connections';
}

/** One file of the registry. */
export interface Finding {
  readonly kind: FindingKind;
  /** What of this kind the run shows; called once, after everything was judged. */
  readonly detect: (run: Verification) => readonly Detected[];
  /** What of this kind a run of `join` shows. */
  readonly detectJoin?: (run: JoinRun) => readonly Detected[];
  /** For configuration causes: recognises a failing packet's cause. */
  readonly diagnose?: Diagnoser;
}

/** A finding without connections, notes, fix or causes: the parts that are there replace these. */
export function detected(parts: Pick<Detected, 'message' | 'key'> & Partial<Detected>): Detected {
  return { count: 1, connections: [], notes: [], fix: [], causes: [], ...parts };
}

/** The problems with one code that readers of captures and configurations met. */
export function fromProblems(run: Verification, code: string): Detected[] {
  return run.problems
    .filter((problem) => problem.code === code)
    .map((problem, index) =>
      detected({
        message: problem.message,
        key: `${code}:${index}`,
        count: problem.count ?? 1,
        notes: problem.notes ?? [],
        fix: problem.fix ?? [],
        ...(problem.where !== undefined && { where: problem.where }),
      }),
    );
}

/** The diagnoses with one code; they concern the connections whose packets fail in that way. */
export function fromDiagnoses(run: Verification, code: string): Detected[] {
  return run.diagnosis.diagnoses.filter((item) => item.code === code).map((item) => ofDiagnosis(run, item));
}

function ofDiagnosis(run: Verification, item: Diagnosis): Detected {
  const failures = run.failures.filter((failure) => explains(item, failure));
  const packets = failures.reduce((sum, failure) => sum + failure.packets, 0);
  return detected({
    message: item.message,
    key: item.key,
    count: Math.max(packets, 1),
    connections: connectionsOf(failures),
    notes: item.notes,
    fix: item.fix,
    causes: (item.because ?? []).map((cause) => cause.key),
    ...(item.where !== undefined && { where: item.where }),
  });
}

/** Whether a diagnosis explains packets that fail in this way. */
export function explains(item: Diagnosis, failure: Failure): boolean {
  if (item.category !== failure.category) return false;
  // What a finding says of its own packets holds for their flow only.
  if (item.code === failure.code) return item.role === failure.role;
  return (
    item.role === failure.role ||
    (item.ingress === failure.key.ingress && item.decidedBy !== '' && item.decidedBy === decider(failure.walk))
  );
}

/** Whether SPS reaches the connection's server on a segment of their own: its requests do not pass the router, though the answers may. */
export function isServerBesideSps(run: Verification, { connection }: JudgedConnection): boolean {
  return isOnSpsSegment(run.router, run.intent, { family: connection.family, words: connection.server });
}

/** Ids of the connections that pass a test, ascending, and the first of them. */
export function connectionsWhere(
  run: Verification,
  test: (item: JudgedConnection) => boolean,
): { readonly ids: readonly number[]; readonly first: JudgedConnection | undefined } {
  const ids: number[] = [];
  for (const item of run.connections) if (test(item)) ids.push(item.connection.id);
  return { ids, first: ids[0] === undefined ? undefined : run.connections.at(ids[0] - 1) };
}

/** Ids of the monitored connections that packets beside them belong to. */
export function strayConnections(run: Verification, stray: Stray): readonly number[] {
  return connectionsWhere(run, ({ connection }) => stray.connections.has(connection.serial)).ids;
}

/** Ids of all connections that the failures concern, ascending. */
export function connectionsOf(failures: readonly Failure[]): number[] {
  const [only] = failures;
  if (only !== undefined && failures.length === 1) return only.connections.toArray();
  return [...new Set(failures.flatMap((failure) => failure.connections.toArray()))].sort((a, b) => a - b);
}

/** The failures with one code, told by `describe`; diagnoses that explain them become causes and lend their fix. */
export function fromFailures(run: Verification, code: string, describe: (failure: Failure) => string): Detected[] {
  return run.failures
    .filter((failure) => failure.code === code)
    .map((failure, index) => {
      const explained = explanationsOf(run, failure);
      const own = explained.filter((item) => item.code === code);
      const notes: Note[] = [
        ...own.flatMap((item) => [
          { message: item.message, ...(item.where !== undefined && { where: item.where }) },
          ...item.notes,
        ]),
        ...proofOf(failure.walk),
      ];
      const where = placeOf(run, failure, notes);
      return detected({
        message: `${describe(failure)}${failure.packets > 0 ? '' : ' (synthesized)'}`,
        key: `${code}:${index}`,
        count: failure.packets > 0 ? failure.packets : failure.probes,
        connections: connectionsOf([failure]),
        notes,
        fix: [...new Set(explained.flatMap((item) => item.fix))],
        causes: explained.filter((item) => item.code !== code).map((item) => item.key),
        ...(where !== undefined && { where }),
      });
    });
}

/** The diagnoses behind a failure. A server that was reached directly answers directly: the cause is that of the request. */
function explanationsOf(run: Verification, failure: Failure): Diagnosis[] {
  const own = run.diagnosis.diagnoses.filter((item) => explains(item, failure));
  if (own.length > 0 || failure.role !== 'server-reply' || failure.category !== 'bypassed') return own;
  const requests = run.failures.filter(
    (other) =>
      other.role === 'client-request' &&
      other.category === 'bypassed' &&
      [...failure.connections].every((id) => other.connections.has(id)),
  );
  return run.diagnosis.diagnoses.filter((item) => requests.some((request) => explains(item, request)));
}

function placeOf(run: Verification, failure: Failure, notes: readonly Note[]): Where | undefined {
  if (failure.frame !== undefined) return run.placeOf(failure.frame, failure.frame.interface);
  const decided = notes.findLast((note) => note.where !== undefined)?.where;
  if (decided !== undefined) return decided;
  const [first] = failure.connections;
  const connection = first === undefined ? undefined : run.connections.at(first - 1)?.connection;
  if (connection === undefined) return undefined;
  return run.placeOf({ file: connection.firstFile, frame: connection.firstFrame }, -1);
}

const ROLE_WORDS = {
  'client-request': 'from the client to the server',
  'sps-request': 'from SPS to the server',
  'sps-reply': 'from SPS to the client',
  'server-reply': 'from the server',
} as const;

/** `a packet from SPS to the client that entered on eth1`. */
export function packetWords(run: Verification, failure: Failure): string {
  return `a packet ${ROLE_WORDS[failure.role]} that entered on ${run.interfaceName(failure.key.ingress)}`;
}

/** A configuration place, or nothing where the statement is implied. */
export function whereOf(origin: Parameters<typeof configPlace>[0] | undefined): { where?: Where } {
  return origin === undefined ? {} : { where: configPlace(origin) };
}

/** The first statement of the router's that keeps a failing packet from the redirect, of those with a code, with a change that helps. */
export function diagnoseDefect(failing: Case, kind: Defect['code'], code: string = kind): Diagnosis | undefined {
  const { probe, router, flow } = failing;
  if (probe.category === 'viaSps' || probe.category === 'dropped') return undefined;
  for (const defect of router.remedies.defects?.(probe.walk, flow) ?? []) {
    if (defect.code !== kind) continue;
    const fix = failing.firstThatHelps([defect.remedy]);
    if (fix === undefined) continue;
    return {
      code,
      key: `${code}:${defect.where === undefined ? flow.ingress : `${defect.where.path}:${defect.where.line}:${defect.where.column}`}`,
      message: defect.message,
      ...whereOf(defect.where),
      notes: [],
      fix,
      role: probe.role,
      category: probe.category,
    };
  }
  return undefined;
}

/**
 * One session for each key, of the first connection that has it, with the connections whose sessions are like it. `concerns`: which
 * connections count; `keyOf`: undefined for sessions that do not; `most`: keys beyond these are left out.
 */
export function sessionsByKey(
  run: Verification,
  concerns: (item: JudgedConnection) => boolean,
  keyOf: (spec: SessionSpec) => string | undefined,
  most: number,
): Map<SessionSpec, number[]> {
  const byKey = new Map<string, { spec: SessionSpec; connections: number[] }>();
  // Of connections of one kind, the lists that they belong to.
  const listsOf = new Map<object, readonly number[][]>();
  for (const item of run.connections) {
    if (!concerns(item)) continue;
    const kind = run.sessionKindOf(item);
    const lists = listsOf.get(kind);
    if (lists !== undefined) {
      for (const list of lists) list.push(item.connection.id);
      continue;
    }
    const joined: number[][] = [];
    listsOf.set(kind, joined);
    for (const spec of run.sessionsOf(item)) {
      const key = keyOf(spec);
      if (key === undefined) continue;
      let known = byKey.get(key);
      if (known === undefined) {
        if (byKey.size >= most) continue;
        known = { spec, connections: [] };
        byKey.set(key, known);
      }
      known.connections.push(item.connection.id);
      joined.push(known.connections);
    }
  }
  return new Map([...byKey.values()].map(({ spec, connections }) => [spec, connections]));
}
