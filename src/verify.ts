import type { CaptureInput, CaptureSet } from './capture/capture-set.ts';
import { openCaptureSet } from './capture/open-capture.ts';
import { openReadingAhead } from './capture/read-ahead.ts';
import { DIAGNOSIS_ORDER, FINDINGS } from './findings/index.ts';
import { type JoinOptions, joinReport } from './report/join-report.ts';
import { runJoin } from './join/join-run.ts';
import type { JoinIntent } from './model/join-intent.ts';
import type { Intent } from './model/intent.ts';
import { buildReport, type ReportOptions } from './report/build-report.ts';
import { checkReport } from './report/check-report.ts';
import { diffReport, type DiffReport } from './report/diff-report.ts';
import { buildEvidence, type Evidence } from './report/evidence.ts';
import { GivenUpTally } from './report/given-up.ts';
import type { Report } from './report/report.ts';
import { checkTraffic } from './verification/check-traffic.ts';
import { runDiff } from './verification/diff.ts';
import { resolveIntent, type StatedIntent } from './verification/intent.ts';
import { LiveRun } from './verification/live.ts';
import { possibilitiesOf } from './verification/possible.ts';
import type { Router } from './verification/router.ts';
import { type RunOptions, runVerification } from './verification/run.ts';
import { type PacketSequence, packetSequences } from './verification/sequences.ts';
import type { VantageName, Verification } from './verification/verification.ts';
import type { PacketBatch } from './wire/packet-batch.ts';

/** Of so many failed connections a report shows packets. */
const MOST_SEQUENCES = 200;

export interface VerifyOptions extends ReportOptions {
  /** The capture predates the configuration. */
  readonly whatIf: boolean;
  readonly verifyChecksums?: boolean;
  /** A verdict that rests on synthesized packets, too, is inconclusive. */
  readonly requireObserved?: boolean;
  /** Where the captures were taken; absent: told by what is in them. */
  readonly vantage?: VantageName;
  /** With more connections of monitored services the run ends there, and is inconclusive at best. Default 2,000,000. */
  readonly mostConnections?: number;
  /** Called now and then with the bytes read and, where known, the bytes to read. */
  readonly onBytes?: (read: number, total: number | undefined) => void;
}

/** As of {@link verify}; `sources` are with the router. */
export type LiveVerifyOptions = Pick<
  VerifyOptions,
  'verifyChecksums' | 'requireObserved' | 'vantage' | 'connections'
> & {
  /** Connections that are remembered at most. */
  readonly mostConnections: number;
};

/** Reports on earlier states that are kept. */
const MOST_EARLIER = 20;

/**
 * Does every monitored connection in these captures traverse SPS both ways, on this router?
 *
 * Throws InputError where a capture cannot be read at all, or the intent cannot be known.
 */
export async function verify(
  inputs: readonly CaptureInput[],
  router: Router,
  stated: StatedIntent,
  options: VerifyOptions,
): Promise<Report> {
  return (await runAndReport(inputs, router, stated, options)).report;
}

/** {@link verify}, with what a report that draws shows beyond it. Captures are read once more for the packets of failed connections. */
export async function verifyWithEvidence(
  inputs: readonly CaptureInput[],
  router: Router,
  stated: StatedIntent,
  options: VerifyOptions,
): Promise<{ report: Report; evidence: Evidence }> {
  const { run, report } = await runAndReport(inputs, router, stated, options);
  const failed = report.connections.filter((item) => item.verdict === 'failed').slice(0, MOST_SEQUENCES);
  // Standard input cannot be read again.
  const isAgain = failed.length > 0 && inputs.every((input) => input.path !== '-');
  const sequences = isAgain ? await sequencesOf(inputs, router, run, failed) : [];
  return { report, evidence: buildEvidence(run, report, sequences) };
}

async function sequencesOf(
  inputs: readonly CaptureInput[],
  router: Router,
  run: Verification,
  wanted: Report['connections'],
): Promise<PacketSequence[]> {
  const captures = await openCaptureSet(inputs, {});
  try {
    return await packetSequences(captures, router, run.intent, wanted);
  } finally {
    await captures.close();
  }
}

async function runAndReport(
  inputs: readonly CaptureInput[],
  router: Router,
  stated: StatedIntent,
  options: VerifyOptions,
): Promise<{ run: Verification; report: Report }> {
  const captures = await openReadingAhead(inputs, { verifyChecksums: options.verifyChecksums ?? false });
  try {
    const run = await runVerification(captures, router, stated, {
      whatIf: options.whatIf,
      verifyChecksums: options.verifyChecksums ?? false,
      requireObserved: options.requireObserved ?? false,
      ...(options.vantage !== undefined && { vantage: options.vantage }),
      ...(options.mostConnections !== undefined && { mostConnections: options.mostConnections }),
      diagnosers: DIAGNOSIS_ORDER.flatMap((finding) => finding.diagnose ?? []),
      onProgress: () => {
        const { read, total } = captures.progress();
        options.onBytes?.(read, total);
      },
    });
    return { run, report: buildReport(run, FINDINGS, options) };
  } finally {
    await captures.close();
  }
}

/** A verification of captures that are still growing; where the router's state is read again, of each state on its own. */
export class LiveVerification {
  readonly #captures: CaptureSet;
  readonly #stated: StatedIntent;
  readonly #options: LiveVerifyOptions;
  readonly #earlier: Report[] = [];
  #gone = new GivenUpTally();
  #source: DiffSource;
  #run: LiveRun;

  /** Throws InputError where the intent cannot be known. */
  constructor(captures: CaptureSet, source: DiffSource, stated: StatedIntent, options: LiveVerifyOptions) {
    this.#captures = captures;
    this.#stated = stated;
    this.#options = options;
    this.#source = source;
    this.#run = new LiveRun(captures, source.router, stated, this.#runOptions());
  }

  /** Frames since the router's state was read last. */
  get frames(): number {
    return this.#run.frames;
  }

  get intent(): Intent {
    return this.#run.intent;
  }

  /** Runs the next frames, in time order, through the router. */
  consume(batch: PacketBatch): void {
    this.#run.consume(batch);
    if (this.#run.isTooLarge) this.#giveUp();
  }

  /** Connections forgotten so far. */
  get givenUp(): number {
    return this.#gone.counts.connections;
  }

  #giveUp(): void {
    const excess = this.#run.excess();
    this.#run.look((run) => {
      const report = buildReport(run, FINDINGS, { sources: this.#source.sources, connections: 'all' });
      const forgotten = run.connections.filter((item) => excess.has(item.connection.serial));
      const idsOf = (items: typeof forgotten) => new Set(items.map((item) => item.connection.id));
      this.#gone.add(
        report,
        idsOf(forgotten),
        idsOf(forgotten.filter((item) => this.#run.isUnderWay(item.connection))),
      );
    });
    this.#run.forget(excess);
  }

  /** What a verification would say of the frames so far. */
  look(): Report {
    return this.#run.look((run) => this.#report(run, 'all'));
  }

  /**
   * From here on the router has another state. What was judged until now stays what it is and is told apart; connections that go on are
   * judged anew. Throws InputError where the intent cannot be known by the new state; then the old one holds on.
   */
  change(source: DiffSource): void {
    const { earlier: _, ...before } = this.#run.look((run) => this.#report(run, 'failed'));
    this.#run = new LiveRun(this.#captures, source.router, this.#stated, this.#runOptions(), this.#run);
    this.#source = source;
    this.#gone = new GivenUpTally();
    this.#earlier.push(before);
    if (this.#earlier.length > MOST_EARLIER) this.#earlier.shift();
  }

  /** The last word. */
  conclude(): { report: Report; evidence: Evidence } {
    this.#run.finish();
    return this.#run.look((run) => {
      const report = this.#report(run, this.#options.connections);
      return { report, evidence: buildEvidence(run, report, []) };
    });
  }

  #report(run: Verification, connections: ReportOptions['connections']): Report {
    const report = buildReport(run, FINDINGS, {
      sources: this.#source.sources,
      ...(connections !== undefined && { connections }),
    });
    return { ...this.#gone.applyTo(report), ...(this.#earlier.length > 0 && { earlier: [...this.#earlier] }) };
  }

  #runOptions(): RunOptions & { readonly mostConnections: number } {
    const { verifyChecksums, requireObserved, vantage, mostConnections } = this.#options;
    return {
      mostConnections,
      whatIf: false,
      verifyChecksums: verifyChecksums ?? false,
      requireObserved: requireObserved ?? false,
      ...(vantage !== undefined && { vantage }),
      diagnosers: DIAGNOSIS_ORDER.flatMap((finding) => finding.diagnose ?? []),
    };
  }
}

/**
 * What is wrong with this router's configuration, before any packet is seen? Sessions at the edges of what is monitored are made up and
 * simulated, both directions and SPS's own packets with them.
 *
 * Throws InputError where the intent, or a network to try, cannot be known.
 */
export async function check(router: Router, stated: StatedIntent, options: ReportOptions): Promise<Report> {
  const traffic = checkTraffic(router, resolveIntent(stated, router));
  const run = await runVerification(traffic.capture, traffic.router, stated, {
    whatIf: true,
    diagnosers: DIAGNOSIS_ORDER.flatMap((finding) => finding.diagnose ?? []),
  });
  return checkReport(buildReport(run, FINDINGS, { connections: 'all', ...options }), traffic, possibilitiesOf(run));
}

/** A router of a diff with the files of its state. */
export interface DiffSource {
  readonly router: Router;
  readonly sources: ReportOptions['sources'];
}

/**
 * Which connections of this traffic change when the configuration does, and what does loading the change do to those that are open?
 *
 * Throws InputError where a capture cannot be read at all, or the intent cannot be known.
 */
export async function diff(
  inputs: readonly CaptureInput[],
  before: DiffSource,
  after: DiffSource,
  stated: StatedIntent,
  options: Pick<VerifyOptions, 'verifyChecksums' | 'onBytes'>,
): Promise<DiffReport> {
  const verifyChecksums = options.verifyChecksums ?? false;
  const captures = await openReadingAhead(inputs, { verifyChecksums });
  try {
    const result = await runDiff(captures, before.router, after.router, stated, {
      verifyChecksums,
      diagnosers: DIAGNOSIS_ORDER.flatMap((finding) => finding.diagnose ?? []),
      onProgress: () => {
        const { read, total } = captures.progress();
        options.onBytes?.(read, total);
      },
    });
    const report = (run: typeof result.before, { sources }: DiffSource) =>
      buildReport(run, FINDINGS, { connections: 'all', sources });
    return diffReport(result, report(result.before, before), report(result.after, after));
  } finally {
    await captures.close();
  }
}

/**
 * Can SPP and SPS be joined across this router? What the configuration does with the connections that this needs, and what captures show of
 * them and of SPP's certificate; without a router, the captures alone.
 *
 * Throws InputError where a capture cannot be read.
 */
export async function verifyJoin(
  intent: JoinIntent,
  router: Router | undefined,
  inputs: readonly CaptureInput[],
  options: JoinOptions,
): Promise<Report> {
  return joinReport(await runJoin(intent, router, inputs), FINDINGS, options);
}
