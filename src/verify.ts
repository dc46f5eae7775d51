import { openCaptureSet } from './capture/open-capture.ts';
import type { CaptureInput } from './capture/capture-set.ts';
import type { Where } from './diagnostic/diagnostic.ts';
import { DIAGNOSIS_ORDER, FINDINGS } from './findings/index.ts';
import type { Intent } from './model/intent.ts';
import { buildReport, type ReportOptions } from './report/build-report.ts';
import type { Report } from './report/report.ts';
import { assess } from './verification/assess.ts';
import { diagnose, diagnoseEither } from './verification/diagnose.ts';
import { addUncovered, collectFailures, decider } from './verification/failures.ts';
import { resolveIntent, type StatedIntent } from './verification/intent.ts';
import type { JudgedConnection, JudgedWay } from './verification/judged.ts';
import { type ReplayOptions, replay } from './verification/replay.ts';
import type { Router } from './verification/router.ts';
import type { SessionSpec } from './verification/session.ts';
import { untranslatedFix } from './verification/translation.ts';
import type { Verification } from './verification/verification.ts';

export interface VerifyOptions extends ReplayOptions, ReportOptions {
  readonly requireObserved?: boolean;
  /** Called with the bytes read and, where known, the bytes to read. */
  readonly onBytes?: (read: number, total: number | undefined) => void;
}

/**
 * Does every monitored connection in these captures traverse SPS both ways, on this router?
 *
 * Throws InputError where a capture cannot be read at all, or the intent cannot be known.
 */
export async function verify(
  captures: readonly CaptureInput[],
  router: Router,
  stated: StatedIntent,
  options: VerifyOptions,
): Promise<Report> {
  return buildReport(await runVerification(captures, router, stated, options), FINDINGS, options);
}

/** The run behind {@link verify}, before its findings are told. */
export async function runVerification(
  inputs: readonly CaptureInput[],
  router: Router,
  stated: StatedIntent,
  options: VerifyOptions,
): Promise<Verification> {
  const resolved = resolveIntent(stated, router);
  const captures = await openCaptureSet(inputs, { verifyChecksums: options.verifyChecksums ?? false });
  try {
    const onProgress = () => {
      const { read, total } = captures.progress();
      options.onBytes?.(read, total);
    };
    const run = await replay(captures, router, resolved, { ...options, onProgress });
    const lossy = captures.files().some((file) => file.dropped > 0);
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
    const interfaceName = (position: number): string =>
      run.forwarder.interfaceNames[position] ?? 'an unknown interface';
    const files = captures.files();
    const specs = failingSpecs(connections, assessment.specOf);
    const diagnosers = DIAGNOSIS_ORDER.flatMap((finding) => finding.diagnose ?? []);
    const diagnosis = assessment.snatKnown
      ? diagnose(router, intent, [...specs.keys()], diagnosers)
      : diagnoseEither(router, intent, [...specs.keys()], diagnosers);
    const uncovered = diagnosis.uncovered.map(({ probe, spec }) => ({ probe, connections: specs.get(spec) ?? [] }));
    return {
      mode: options.whatIf ? 'what-if' : 'observed',
      requireObserved: options.requireObserved ?? false,
      router,
      intent,
      ambiguousSps: resolved.ambiguousSps,
      replay: run,
      captures: files,
      captureInterfaces: captures.interfaces,
      problems: [...captures.problems(), ...router.problems],
      connections,
      failures: addUncovered(collectFailures(connections, run.forwarder), uncovered, run.forwarder),
      diagnosis,
      spsSideCaptured:
        run.senders.spsInterfaces.some((position) => run.vantage.wasCaptured(position)) || run.sawAnyInterface,
      lossy,
      everythingObserved: connections.every(isObserved),
      fragmentsMayBeMonitored: run.fragments.count > 0,
      interfaceName,
      placeOf: (frame, position): Where => ({
        kind: 'frame',
        path: files[frame.file]?.path ?? '',
        frame: frame.frame,
        ...(position >= 0 && { interface: interfaceName(position) }),
      }),
      connectionsAt: (path, line) =>
        connections.filter((item) => meets(item, `${path}:${line}:`)).map((item) => item.connection.id),
      untranslatedFix: (way: JudgedWay) => untranslatedFix(router, intent, way, connections, assessment.specOf),
    };
  } finally {
    await captures.close();
  }
}

/** One session for each kind of failure, with the connections it stands for: what mends it mends its like. */
function failingSpecs(
  connections: readonly JudgedConnection[],
  specOf: (item: JudgedConnection) => readonly SessionSpec[],
): Map<SessionSpec, number[]> {
  const byKind = new Map<string, { spec: SessionSpec; connections: number[] }>();
  for (const item of connections) {
    const failing = [
      ...item.ways
        .filter((way) => way.category !== 'viaSps' && !way.stray)
        .map((way) => `${way.path.toServer}/${way.category}/${decider(way.path.walk)}`),
      ...item.probes.problems.map((probe) => `${probe.toServer}/${probe.category}/${decider(probe.walk)}`),
    ];
    if (failing.length === 0) continue;
    for (const spec of specOf(item)) {
      const key = `${[...new Set(failing)].join()}/${spec.spoofing}/${spec.clientInterface}/${spec.serverPort}`;
      const known = byKind.get(key) ?? { spec, connections: [] };
      known.connections.push(item.connection.id);
      byKind.set(key, known);
    }
  }
  return new Map([...byKind.values()].map((item) => [item.spec, item.connections]));
}

function isObserved(item: JudgedConnection): boolean {
  return (
    item.probes.toServer + item.probes.toClient === 0 &&
    item.ways.every((way) => !way.path.synthetic && way.count.observed.length > 0)
  );
}

function meets(item: JudgedConnection, place: string): boolean {
  const walks = [...item.ways.map((way) => way.path.walk), ...item.probes.problems.map((probe) => probe.walk)];
  return walks.some((walk) =>
    walk.steps.some(
      (step) => 'origin' in step && step.origin !== undefined && `${step.origin.path}:${step.origin.line}:` === place,
    ),
  );
}
