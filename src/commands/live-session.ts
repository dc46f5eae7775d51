import type { Server } from 'node:http';
import { type LiveCaptures, openLiveCaptures } from '../capture/live-captures.ts';
import type { LiveSource } from '../capture/live-source.ts';
import { PcapngWriter } from '../capture/pcapng-writer.ts';
import { LiveProgress, type Outcome } from '../report/live-progress.ts';
import { exitCodeOf, type FailOn, type Report } from '../report/report.ts';
import { InputError } from '../text/input-error.ts';
import type { StatedIntent } from '../verification/intent.ts';
import type { VantageName } from '../verification/verification.ts';
import { LiveVerification } from '../verify.ts';
import { PacketBatch } from '../wire/packet-batch.ts';
import type { LoadedRouter } from './inputs.ts';
import { type LiveDisplay, lineDisplay, ndjsonDisplay, ndjsonEnd, QUIET, tableDisplay } from './live-display.ts';
import { serveMetrics } from './live-metrics.ts';
import type { Via } from './live-sources.ts';
import { rereadState, type StateReader } from './live-state.ts';
import type { TableState } from './live-table.ts';
import type { IntentOptions } from './stated-intent.ts';
import { refuseUnwritable, writeOut } from './write-output.ts';
import { type RenderingOptions, writeReport } from './write-report.ts';

const BATCH_ROWS = 4096;
/** How often the run is asked what it would say, at most; asking takes no more than a tenth of the time. */
const LOOK_MILLISECONDS = 500;
const LOOK_SHARE = 10;

/** Options of the command as commander gives them. */
export interface LiveOptions extends IntentOptions, RenderingOptions {
  readonly router?: readonly string[];
  readonly site?: string;
  readonly interface?: readonly string[];
  readonly via: Via;
  readonly filter?: string;
  readonly duration?: number;
  readonly packets?: number;
  readonly untilVerified?: number;
  readonly watch?: boolean;
  readonly write?: string;
  readonly metrics?: string;
  readonly maxConnections: number;
  readonly vantage?: VantageName;
  readonly require?: string;
  readonly failOn: FailOn;
  readonly connections?: 'all' | 'failed' | 'none';
  readonly verifyChecksums?: boolean;
  readonly progress: boolean;
}

/** What a run is about. */
interface Subject {
  readonly loaded: LoadedRouter;
  readonly stated: StatedIntent;
  readonly inputs: readonly string[];
}

/** One live run, from the first frame to the report. */
export class LiveSession {
  readonly #sources: readonly LiveSource[];
  readonly #subject: Subject;
  readonly #options: LiveOptions;
  readonly #progress = new LiveProgress();
  readonly #startedAt = Date.now();
  #captures: LiveCaptures | undefined;
  #verification: LiveVerification | undefined;
  #display: LiveDisplay = QUIET;
  #writer: PcapngWriter | undefined;
  #server: Server | undefined;
  #states: StateReader | undefined;
  #timers: NodeJS.Timeout[] = [];
  #latest: Report | undefined;
  #frames = 0;
  #isStale = true;
  #lookAt = 0;
  #stopAsked = false;
  #outcome: Outcome | undefined;
  /** What ended the run from outside of its loop. */
  #failure: Error | undefined;
  readonly #onSignal = () => {
    // Who asks twice does not want to wait.
    if (this.#stopAsked) process.exit(130);
    this.#stop();
  };

  /** Shows what happens; a reader that went away wants no more of it. Called from timers, too: throws nothing. */
  readonly #toOut = (text: string): void => {
    try {
      if (!writeOut(text)) this.#stop();
    } catch (error) {
      this.#fail(error);
    }
  };

  constructor(sources: readonly LiveSource[], subject: Subject, options: LiveOptions) {
    this.#sources = sources;
    this.#subject = subject;
    this.#options = options;
  }

  /** Begins to capture. Throws InputError where it cannot. */
  async open(): Promise<void> {
    const { write, metrics } = this.#options;
    process.on('SIGINT', this.#onSignal).on('SIGTERM', this.#onSignal);
    if (metrics !== undefined) this.#server = await serveMetrics(metrics, () => this.#measure());
    if (write !== undefined) refuseUnwritable('--write', write);
    this.#captures = await this.#openSources();
    // Only now, and before the first frame is asked for: where nothing can be captured, an earlier file of that name stays.
    if (write !== undefined) this.#writer = new PcapngWriter(write);
  }

  /** Judges what is captured until something ends it. */
  async run(): Promise<void> {
    const { duration } = this.#options;
    const captures = this.#captures!;
    this.#verification = new LiveVerification(captures, this.#subject.loaded, this.#subject.stated, {
      verifyChecksums: this.#options.verifyChecksums ?? false,
      requireObserved: this.#options.require === 'observed',
      mostConnections: this.#options.maxConnections,
      ...(this.#options.vantage !== undefined && { vantage: this.#options.vantage }),
      ...(this.#options.connections !== undefined && { connections: this.#options.connections }),
    });
    this.#latest = this.#verification.look();
    if (this.#options.quiet !== true && process.stderr.isTTY !== true) process.stderr.write('capturing\n');
    this.#display = this.#chooseDisplay(this.#latest);
    this.#states = this.#followState();
    if (duration !== undefined) this.#timers.push(setTimeout(() => this.#stop(), duration * 1000));
    this.#timers.push(setInterval(() => this.#tick(), LOOK_MILLISECONDS / 2));
    if (this.#stopAsked) captures.stop();
    await this.#follow(captures, this.#verification);
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Writes the report; the exit code. */
  report(): number {
    const { untilVerified, failOn, format, output } = this.#options;
    this.#endTimers();
    if (untilVerified !== undefined && this.#outcome === undefined) this.#settle(untilVerified);
    const { report, evidence } = this.#verification!.conclude();
    this.#display.end();
    this.#display = QUIET;
    if (format === 'ndjson' && output === undefined) writeOut(ndjsonEnd(report));
    else writeReport(report, this.#options, this.#subject.inputs, evidence);
    const code = exitCodeOf(report, failOn);
    if (untilVerified === undefined || failOn === 'never' || code === 1) return code;
    return this.#outcome === 'verified' ? 0 : 3;
  }

  async close(): Promise<void> {
    this.#endTimers();
    this.#display.end();
    this.#server?.close();
    this.#server?.closeAllConnections();
    await this.#captures?.close();
    const writer = this.#writer;
    this.#writer = undefined;
    writer?.close(this.#captures?.sources().map((source) => source.lost) ?? []);
    process.off('SIGINT', this.#onSignal).off('SIGTERM', this.#onSignal);
  }

  #openSources(): Promise<LiveCaptures> {
    return openLiveCaptures(this.#sources, {
      verifyChecksums: this.#options.verifyChecksums ?? false,
      ...(this.#options.write !== undefined && { onFrame: (frame) => this.#writer?.write(frame) }),
      onTrouble: ({ path, words }) =>
        this.#display.notice({
          event: 'source',
          message: words === undefined ? `${path} is being captured again` : `${path}: ${words}`,
        }),
    });
  }

  /** Runs what comes until it ends, or the packets that were asked for are there. */
  async #follow(captures: LiveCaptures, verification: LiveVerification): Promise<void> {
    const batch = new PacketBatch(BATCH_ROWS);
    let left = this.#options.packets ?? Number.POSITIVE_INFINITY;
    while (await captures.next(batch)) {
      if (batch.length >= left) batch.length = left;
      left -= batch.length;
      verification.consume(batch);
      this.#frames += batch.length;
      this.#isStale = true;
      if (left > 0 && this.#outcome === undefined) continue;
      captures.stop();
      return;
    }
  }

  /** Now and then the run is asked what it would say. */
  #tick(): void {
    const now = Date.now();
    if (this.#stopAsked) return;
    if (now < this.#lookAt) {
      this.#display.refresh(this.#state());
      return;
    }
    try {
      this.#look(now);
      this.#writer?.flush();
    } catch (error) {
      this.#fail(error);
    }
    this.#lookAt = now + Math.max(LOOK_MILLISECONDS, LOOK_SHARE * (Date.now() - now));
  }

  #look(now: number): void {
    // Without frames nothing changes but that verdicts settle.
    if (this.#isStale || this.#latest === undefined) this.#latest = this.#verification!.look();
    this.#isStale = false;
    const report = this.#latest;
    const events = this.#progress.update(report, now);
    const state = this.#state();
    if (events.length > 0) this.#display.events(events, state);
    this.#display.refresh(state);
    const { untilVerified } = this.#options;
    if (untilVerified === undefined) return;
    this.#outcome = this.#progress.outcome(report, untilVerified, now);
    if (this.#outcome !== undefined) this.#stop();
  }

  /** Nothing comes any more: what is known now is settled. */
  #settle(count: number): void {
    const report = this.#verification!.look();
    for (const now of [Date.now(), Number.POSITIVE_INFINITY]) this.#progress.update(report, now);
    this.#outcome = this.#progress.outcome(report, count, Number.POSITIVE_INFINITY);
  }

  #followState(): StateReader {
    const { loaded } = this.#subject;
    const given = this.#options.router ?? [];
    const paths = given.length > 0 ? given : [loaded.pickedUp ?? ''];
    return rereadState(
      paths,
      loaded,
      this.#options.watch ?? false,
      (next) => {
        try {
          this.#verification!.change(next);
        } catch (error) {
          if (!(error instanceof InputError)) return this.#fail(error);
          this.#display.notice({
            event: 'state',
            message: `the router's state was read again and not taken: ${error.message}`,
          });
          return;
        }
        this.#isStale = true;
        this.#display.notice({ event: 'state', message: "the router's state was read again; from here on it judges" });
      },
      (message) =>
        this.#display.notice({ event: 'state', message: `the router's state could not be read again: ${message}` }),
    );
  }

  #chooseDisplay(report: Report): LiveDisplay {
    const { quiet, format, output, progress, color } = this.#options;
    const toError = (text: string): void => {
      process.stderr.write(text);
    };
    if (format === 'ndjson' && output === undefined) return ndjsonDisplay(this.#toOut, report);
    if (quiet === true) return QUIET;
    if (format !== 'text' || output !== undefined) return lineDisplay(toError);
    if (process.stdout.isTTY !== true || !progress) return lineDisplay(this.#toOut);
    return tableDisplay(color && (process.env.NO_COLOR ?? '') === '', this.#onSignal, this.#toOut);
  }

  #state(): TableState {
    const captures = this.#captures!;
    return {
      report: this.#latest!,
      sources: captures.sources(),
      frames: this.#frames,
      seconds: (Date.now() - this.#startedAt) / 1000,
      lagMilliseconds: captures.lagMilliseconds,
      givenUp: this.#verification!.givenUp,
    };
  }

  #measure() {
    return {
      report: this.#latest,
      frames: this.#frames,
      lagSeconds: (this.#captures?.lagMilliseconds ?? 0) / 1000,
      sources: this.#captures?.sources() ?? [],
      givenUp: this.#verification?.givenUp ?? 0,
    };
  }

  #stop(): void {
    this.#stopAsked = true;
    if (this.#captures !== undefined) this.#captures.stop();
    else for (const source of this.#sources) source.stop();
  }

  #fail(error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new Error(String(error));
    this.#stop();
  }

  #endTimers(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers = [];
    this.#states?.dispose();
  }
}
