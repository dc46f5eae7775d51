import type { CaptureSet } from '../capture/capture-set.ts';
import type { Intent } from '../model/intent.ts';
import { type Connection, expiryOf } from '../observation/connection-log.ts';
import { PacketBatch } from '../wire/packet-batch.ts';
import { type ResolvedIntent, resolveSite, type StatedIntent } from './intent.ts';
import { BATCH_ROWS, type Replay } from './replay.ts';
import { ReplayRun } from './replay-run.ts';
import type { Router } from './router.ts';
import { conclude, type RunOptions } from './run.ts';
import type { Verification } from './verification.ts';

const UNDER_WAY_NANOSECONDS = 10e9;

/**
 * A verification of frames that are still coming. At any time it can say what a verification of the frames so far would; that leaves
 * the run as it was, so that the last word is the same as that of one over the whole capture.
 *
 * Where a capture was taken is told by its first batch of frames. Until so many have come, each answer begins anew with those that have.
 */
export class LiveRun {
  readonly router: Router;
  readonly #captures: CaptureSet;
  readonly #stated: StatedIntent;
  readonly #resolved: ResolvedIntent;
  readonly #options: RunOptions;
  /** The frames with which the capture began; complete once {@link #run} is there. */
  readonly #first = new PacketBatch(BATCH_ROWS);
  readonly #mostConnections: number;
  #run: ReplayRun | undefined;
  frames = 0;

  /**
   * `previous`: a run of the same captures until now, of the router before its configuration changed. Its connection entries outlive the
   * change, its judgements do not; it is not to be used any more. Throws an InputError where the intent cannot be known.
   */
  constructor(
    captures: CaptureSet,
    router: Router,
    stated: StatedIntent,
    options: RunOptions & { readonly mostConnections: number },
    previous?: LiveRun,
  ) {
    this.#mostConnections = options.mostConnections;
    const site = resolveSite(stated, router);
    this.router = site.router;
    this.#captures = captures;
    this.#stated = stated;
    this.#resolved = site.resolved;
    this.#options = options;
    if (previous === undefined) return;
    const first = previous.#first;
    const { forwarder } = previous.#run ?? previous.#begin();
    this.#run = new ReplayRun(captures, site.router, this.#resolved, options, first, forwarder);
    this.#run.recall(first);
    // Kept for the next change.
    this.#first.copyRows(first, 0, 0, first.length);
    this.#first.length = first.length;
  }

  get intent(): Intent {
    return this.#resolved.intent;
  }

  /** Runs the next frames, in time order, through the router. */
  consume(batch: PacketBatch): void {
    this.frames += batch.length;
    if (this.#run !== undefined) {
      this.#run.consume(batch);
      return;
    }
    const first = this.#first;
    const taken = Math.min(batch.length, first.capacity - first.length);
    first.copyRows(batch, 0, first.length, taken);
    first.length += taken;
    if (first.length < Math.min(first.capacity, this.#mostConnections)) return;
    this.#run = this.#begin();
    if (taken === batch.length) return;
    const rest = new PacketBatch(batch.length - taken);
    rest.copyRows(batch, taken, 0, rest.capacity);
    rest.length = rest.capacity;
    this.#run.consume(rest);
  }

  /** Tells what a verification of the frames so far says; the run goes on as if it had not been asked. */
  look<Result>(use: (verification: Verification) => Result): Result {
    const run = this.#run;
    if (run === undefined) return use(this.#conclude(this.#begin()));
    // Judging learns addresses of SPS from what it sees; at the end it will do so from all frames.
    const restore = run.senders.checkpoint();
    try {
      return use(this.#conclude(run));
    } finally {
      restore();
    }
  }

  /** More connections are remembered than may be. */
  get isTooLarge(): boolean {
    return this.#run !== undefined && this.#run.log.connections.length > this.#mostConnections;
  }

  /**
   * Serial numbers of the connections to forget, a fifth of what may be remembered: those first of which conntrack would first have no entry any more, and those
   * in which something happened a moment ago last. Empty where not too many are remembered.
   */
  excess(): ReadonlySet<number> {
    if (!this.isTooLarge) return new Set();
    const { connections } = this.#run!.log;
    const count = connections.length - Math.floor(this.#mostConnections * 0.8);
    const order = (a: Connection, b: Connection): number =>
      Number(this.isUnderWay(a)) - Number(this.isUnderWay(b)) || expiryOf(a) - expiryOf(b);
    const first = [...connections].sort(order).slice(0, count);
    return new Set(first.map(({ serial }) => serial));
  }

  /** Whether something happened in a connection a moment ago, so that what is missing may still come. */
  isUnderWay(connection: Connection): boolean {
    return connection.lastTime > (this.#run?.lastTime ?? 0) - UNDER_WAY_NANOSECONDS;
  }

  /** Forgets connections by their serial numbers; what of them may still be needed is the caller's to keep. */
  forget(serials: ReadonlySet<number>): void {
    this.#run?.log.forget(serials, this.#run.lastTime);
  }

  /** Nothing comes any more: the next answer is the last. */
  finish(): void {
    this.#run ??= this.#begin();
    this.#run.finish();
  }

  #conclude(run: Replay): Verification {
    const intent = { stated: this.#stated, resolved: this.#resolved };
    return conclude(run, this.#captures, this.router, intent, this.#options);
  }

  /** A run of the first frames. Running them changes them, so it gets copies. */
  #begin(): ReplayRun {
    const first = this.#first;
    const copy = new PacketBatch(Math.max(first.length, 1));
    copy.copyRows(first, 0, 0, first.length);
    copy.length = first.length;
    const run = new ReplayRun(this.#captures, this.router, this.#resolved, this.#options, copy);
    run.consume(copy);
    return run;
  }
}
