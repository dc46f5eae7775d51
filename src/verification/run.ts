import type { CaptureSet } from '../capture/capture-set.ts';
import type { Problem, Where } from '../diagnostic/diagnostic.ts';
import type { Step } from '../forwarding/walk.ts';
import type { Intent } from '../model/intent.ts';
import type { JoinIntent } from '../model/join-intent.ts';
import type { IpAddress } from '../net/ip-address.ts';
import type { Listing } from '../observation/listing.ts';
import { type Assessment, assess } from './assess.ts';
import { type Diagnoser, diagnose, diagnoseEither } from './diagnose.ts';
import { addUncovered, collectFailures, decider } from './failures.ts';
import { type ResolvedIntent, resolveSite, type StatedIntent } from './intent.ts';
import type { JudgedConnection, JudgedWay } from './judged.ts';
import { type Replay, type ReplayOptions, replay } from './replay.ts';
import type { Router } from './router.ts';
import type { SessionSpec } from './session.ts';
import { untranslatedFix } from './translation.ts';
import type { Verification } from './verification.ts';

export interface RunOptions extends ReplayOptions {
  readonly requireObserved?: boolean;
  /** Whether findings are to tell what happens when SPS is lost; default no. */
  readonly asksAboutLoss?: boolean;
  /** Recognise the causes of failures, in the order in which they are to be asked. */
  readonly diagnosers: readonly Diagnoser[];
}

/** Replays captures through a router, judges every connection and looks for the causes of what fails. Throws InputError. */
export async function runVerification(
  captures: CaptureSet,
  given: Router,
  stated: StatedIntent,
  options: RunOptions,
): Promise<Verification> {
  const { resolved, router } = resolveSite(stated, given);
  return conclude(await replay(captures, router, resolved, options), captures, router, { stated, resolved }, options);
}

/** Judges every connection of a replay and looks for the causes of what fails. */
export function conclude(
  run: Replay,
  captures: CaptureSet,
  router: Router,
  { stated, resolved }: { readonly stated: StatedIntent; readonly resolved: ResolvedIntent },
  options: RunOptions,
): Verification {
  const lossy = captures.files().some((file) => file.dropped > 0 || file.truncated || file.lossUnknown === true);
  const assessment = assess(run, router, resolved, options.whatIf, lossy);
  const { connections } = assessment;
  const intent: Intent = {
    ...resolved.intent,
    snat: assessment.snat,
    inferred:
      assessment.snatInferred && assessment.snat !== 'unknown'
        ? [...resolved.intent.inferred, 'snat']
        : resolved.intent.inferred,
  };
  const interfaceName = (position: number): string => run.forwarder.interfaceNames[position] ?? 'an unknown interface';
  const files = captures.files();
  const specs = failingSpecs(connections, assessment);
  const { diagnosers } = options;
  const healthy = healthySpecs(connections, assessment);
  const diagnosis = assessment.snatKnown
    ? diagnose(router, intent, [...specs.keys()], diagnosers, healthy)
    : diagnoseEither(router, intent, [...specs.keys()], diagnosers, healthy);
  const uncovered = diagnosis.uncovered.map(({ probe, spec }) => ({ probe, connections: specs.get(spec) ?? [] }));
  const { vantage } = run;
  const showsBypass =
    vantage.showsAll ||
    (vantage.kinds.every((kind) => kind === 'router' || kind === 'mirror') &&
      run.neededInterfaces.every((position) => vantage.wasCaptured(position)));
  return {
    mode: options.whatIf ? 'what-if' : 'observed',
    requireObserved: options.requireObserved ?? false,
    asksAboutLoss: options.asksAboutLoss ?? false,
    router,
    intent,
    ...(stated.join !== undefined && { join: { ...stated.join, sps: joinedNodes(stated.join, resolved.intent) } }),
    ambiguousSps: resolved.ambiguousSps,
    replay: run,
    captures: files,
    captureInterfaces: captures.interfaces,
    problems: [...captures.problems(), ...floodProblem(run, captures), ...router.problems],
    connections,
    failures: addUncovered(collectFailures(connections, run.forwarder), uncovered, run.forwarder),
    diagnosis,
    showsBypass,
    vantageStated: options.vantage !== undefined,
    spsSideCaptured:
      run.senders.spsInterfaces.some((position) => run.vantage.wasCaptured(position)) || run.sawAnyInterface,
    lossy,
    everythingObserved: showsBypass && connections.every(isObserved),
    fragmentsMayBeMonitored: run.fragments.count > 0,
    interfaceName,
    placeOf: (frame, position): Where => ({
      kind: 'frame',
      path: files[frame.file]?.path ?? '',
      frame: frame.frame,
      ...(position >= 0 && { interface: interfaceName(position) }),
    }),
    sessionsOf: assessment.specOf,
    sessionKindOf: assessment.kindOf,
    connectionsAt: (path, line) => {
      const ids: number[] = [];
      for (const item of connections) if (meets(item, `${path}:${line}:`)) ids.push(item.connection.id);
      return ids;
    },
    untranslatedFix: (way: JudgedWay) => untranslatedFix(router, intent, way, connections, assessment.specOf),
  };
}

/** What follows is not judged: neither that it is as it should be nor that it is not. */
function floodProblem({ gaveUpAfter, log }: Replay, captures: CaptureSet): Problem[] {
  if (gaveUpAfter === undefined) return [];
  const { file, frame } = gaveUpAfter;
  const path = captures.files()[file]?.path ?? '';
  return [
    {
      code: 'RV901',
      message: `${log.connections.length} connections of monitored services are more than a run takes, as in a flood: what follows frame ${frame} of ${path} is not judged`,
      where: { kind: 'frame', path, frame },
      fix: [
        'redirect-verify --max-connections NUMBER …  # where memory allows; else state --clients and --servers, or cut the capture with editcap -A, -B',
      ],
    },
  ];
}

/** The nodes as stated, else the SPS of the intent. */
function joinedNodes({ sps }: JoinIntent, intent: Intent): readonly IpAddress[] {
  return sps.length > 0 ? sps : intent.sps;
}

/** One session for each kind of failure, with the connections it stands for: what mends it mends its like. */
function failingSpecs(
  connections: Listing<JudgedConnection>,
  { specOf, kindOf }: Pick<Assessment, 'specOf' | 'kindOf'>,
): Map<SessionSpec, number[]> {
  const byKind = new Map<string, { spec: SessionSpec; connections: number[] }>();
  // Of connections of one kind that fail alike, the lists that they belong to.
  const listsOf = new Map<object, Map<string, readonly number[][]>>();
  for (const item of connections) {
    if (!fails(item)) continue;
    const failing = [
      ...item.ways
        .filter((way) => way.category !== 'viaSps' && !way.stray)
        .map((way) => `${way.path.toServer}/${way.category}/${decider(way.path.walk)}`),
      ...item.probes.problems.map((probe) => `${probe.toServer}/${probe.category}/${decider(probe.walk)}`),
    ];
    const failure = [...new Set(failing)].join();
    const kind = kindOf(item);
    const alike = listsOf.get(kind) ?? new Map<string, readonly number[][]>();
    listsOf.set(kind, alike);
    const lists = alike.get(failure);
    if (lists !== undefined) {
      for (const list of lists) list.push(item.connection.id);
      continue;
    }
    const joined = specOf(item).map((spec) => {
      const key = `${failure}/${spec.client.family}/${spec.spoofing}/${spec.clientInterface}/${spec.serverPort}`;
      const known = byKind.get(key) ?? { spec, connections: [] };
      known.connections.push(item.connection.id);
      byKind.set(key, known);
      return known.connections;
    });
    alike.set(failure, joined);
  }
  return new Map([...byKind.values()].map((item) => [item.spec, item.connections]));
}

/** A session for each kind of connection that goes where it should: no fix may break it. */
function healthySpecs(
  connections: Listing<JudgedConnection>,
  { specOf, kindOf }: Pick<Assessment, 'specOf' | 'kindOf'>,
): SessionSpec[] {
  const specs = new Map<string, SessionSpec>();
  const asked = new Set<object>();
  for (const item of connections) {
    if (item.leg === 'server' || fails(item) || !isNew(asked, kindOf(item))) continue;
    for (const spec of specOf(item)) {
      const key = `${spec.client.family}/${spec.protocol}/${spec.serverPort}/${spec.clientInterface}/${spec.serverInterface}/${spec.spoofing}`;
      if (!specs.has(key)) specs.set(key, spec);
    }
  }
  return [...specs.values()];
}

function fails(item: JudgedConnection): boolean {
  return item.probes.problems.length > 0 || item.ways.some((way) => way.category !== 'viaSps' && !way.stray);
}

function isNew(known: Set<object>, value: object): boolean {
  return known.size < known.add(value).size;
}

function isObserved(item: JudgedConnection): boolean {
  return (
    item.probes.toServer + item.probes.toClient === 0 &&
    item.ways.every((way) => !way.path.synthetic && way.count.wasObserved)
  );
}

function meets(item: JudgedConnection, place: string): boolean {
  const walks = [...item.ways.map((way) => way.path.walk), ...item.probes.problems.map((probe) => probe.walk)];
  return walks.some((walk) => walk.steps.some((step) => isAt(step, place)));
}

/** Whether a step that had a part in the packet's fate stands at a place. */
function isAt(step: Step, place: string): boolean {
  if (!('origin' in step) || step.origin === undefined || ('outcome' in step && step.outcome === 'missed'))
    return false;
  return `${step.origin.path}:${step.origin.line}:` === place;
}
