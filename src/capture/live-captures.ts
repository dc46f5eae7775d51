import type { Problem } from '../diagnostic/diagnostic.ts';
import type { PacketBatch } from '../wire/packet-batch.ts';
import type { ByteSource } from './byte-source.ts';
import { CaptureFile } from './capture-file.ts';
import type { CaptureFileSummary, CaptureInterface, CaptureSet } from './capture-set.ts';
import { type FrameReader, ReadResult } from './frame-reader.ts';
import { LiveQueue } from './live-queue.ts';
import type { LiveSource } from './live-source.ts';
import { openStream } from './open-capture.ts';

const TICK_MILLISECONDS = 20;
/** A turn counts for no more than this: while we were busy, nothing was read that may come first. */
const LONGEST_TURN_MILLISECONDS = 50;
/** How often a source that ended by itself is tried again, and how often it is asked what troubles it. */
const REOPEN_MILLISECONDS = 1000;

/** A frame as it was captured, for whoever keeps it. Valid during the call. */
export interface SniffedFrame {
  /** Index of the source. */
  readonly source: number;
  readonly interface: string;
  readonly linkType: number;
  readonly seconds: number;
  readonly nanoseconds: number;
  readonly bytes: Uint8Array;
  readonly originalLength: number;
}

/** What became of a source while it ran. */
export interface LiveTrouble {
  readonly path: string;
  /** What was wrong; absent: it is over. */
  readonly words?: string;
}

export interface LiveOptions {
  readonly verifyChecksums?: boolean;
  /** Gets every frame in the order of its arrival. */
  readonly onFrame?: (frame: SniffedFrame) => void;
  /** Called when a source falls silent, and when it is back. */
  readonly onTrouble?: (trouble: LiveTrouble) => void;
}

/** Live captures, merged by time: the same batches as those of files. */
export interface LiveCaptures extends CaptureSet {
  /** Asks all sources for an end; {@link CaptureSet.next} gives what was captured before, then no more. */
  stop(): void;
  /** Milliseconds for which the frame delivered last had waited, by this machine's clock. */
  readonly lagMilliseconds: number;
  /** By source: frames read and, where it knows, frames lost. */
  sources(): readonly { readonly path: string; readonly packets: number; readonly lost: number | undefined }[];
}

/** Begins to capture from all sources. Throws an InputError of one line where one cannot; then none does. */
export async function openLiveCaptures(sources: readonly LiveSource[], options: LiveOptions): Promise<LiveCaptures> {
  const interfaces: CaptureInterface[] = [];
  const feeds = sources.map((source, index) => new Feed(source, index, interfaces, options));
  try {
    await Promise.all(feeds.map((feed) => feed.open()));
  } catch (error) {
    for (const feed of feeds) feed.stop();
    await Promise.all(feeds.map((feed) => feed.close()));
    throw error;
  }
  return new MergedLive(interfaces, feeds);
}

/** One source with what was read of it. */
class Feed {
  readonly source: LiveSource;
  readonly queue = new LiveQueue();
  file: CaptureFile | undefined;
  isOver = false;
  /** Resolves when something changed: more bytes, an end. */
  #bytes: ByteSource | undefined;
  #reader: FrameReader | undefined;
  #busy = false;
  #stopping = false;
  #reopenAt = Number.POSITIVE_INFINITY;
  #askAt = 0;
  #trouble: string | undefined;
  #interruptions = 0;
  #firstInterruption: string | undefined;
  #firstInterruptedFrame = 1;
  readonly #index: number;
  readonly #interfaces: CaptureInterface[];
  readonly #options: LiveOptions;
  readonly #onFrame: ((reader: FrameReader, batch: PacketBatch, row: number) => void) | undefined;
  onChange: () => void = () => {};

  constructor(source: LiveSource, index: number, interfaces: CaptureInterface[], options: LiveOptions) {
    this.source = source;
    this.#index = index;
    this.#interfaces = interfaces;
    this.#options = options;
    const { onFrame } = options;
    if (onFrame !== undefined) {
      this.#onFrame = (reader, batch, row) =>
        onFrame({
          source: index,
          interface: source.interface ?? interfaces[batch.captureInterface[row]!]?.name ?? 'any',
          linkType: reader.frameLinkType,
          seconds: batch.seconds[row]!,
          nanoseconds: batch.nanoseconds[row]!,
          bytes: reader.frameBytes.subarray(reader.frameOffset, reader.frameOffset + reader.frameCapturedLength),
          originalLength: reader.frameOriginalLength,
        });
    }
  }

  /** Begins to capture; the format is told when the first bytes come, which may be later. */
  async open(): Promise<void> {
    const opened = await this.source.open();
    this.#bytes = opened;
    const { path, interface: name } = this.source;
    const input = { path, ...(name !== undefined && { interface: name }) };
    const begun = await openStream(input, opened, this.#options.verifyChecksums ?? false, (format) => {
      this.file ??= new CaptureFile(this.#index, input, format, this.#interfaces);
      return this.file;
    });
    this.#reader = begun.reader;
    this.#bytes = begun.source;
  }

  /** Decodes what has come. */
  pump(now: number): void {
    this.#watch(now);
    if (this.#busy || this.isOver) return;
    if (this.#reader === undefined) {
      if (now >= this.#reopenAt) this.#reopen(now);
      return;
    }
    const result = this.queue.readFrom(this.#reader, this.#onFrame);
    this.queue.report(this.file!);
    if (result === ReadResult.needsMore) {
      this.#busy = true;
      void this.#reader.advance().then(() => {
        this.#busy = false;
        this.onChange();
      });
    } else if (result === ReadResult.end) this.#ended(now);
  }

  stop(): void {
    this.#stopping = true;
    this.source.stop();
    if (this.#reader === undefined && !this.#busy) this.isOver = true;
  }

  async close(): Promise<void> {
    await this.#bytes?.close();
  }

  get bytesRead(): number {
    return this.#bytes?.bytesRead ?? 0;
  }

  problems(): Problem[] {
    const { file } = this;
    if (file === undefined) return [];
    const problems = [...file.problems()];
    const lost = this.source.lost() ?? 0;
    const frame = (number: number) => ({ kind: 'frame' as const, path: file.path, frame: number });
    if (lost > 0)
      problems.push({
        code: 'RV104',
        message: `${lost} ${lost === 1 ? 'frame was' : 'frames were'} lost while ${file.path} was captured`,
        count: lost,
        where: frame(file.packets + 1),
      });
    if (this.#interruptions > 0)
      problems.push({
        code: 'RV104',
        message: `the capture of ${file.path} was interrupted${this.#interruptions > 1 ? ` ${this.#interruptions} times` : ''}: ${this.#firstInterruption ?? ''}; what passed meanwhile is missing`,
        count: this.#interruptions,
        where: frame(this.#firstInterruptedFrame),
      });
    return problems;
  }

  summary(): CaptureFileSummary | undefined {
    const summary = this.file?.summary();
    if (summary === undefined) return undefined;
    return {
      ...summary,
      truncated: summary.truncated || this.#interruptions > 0,
      dropped: summary.dropped + (this.source.lost() ?? 0),
      ...(this.source.timesAreArrivals === true && {
        note: 'times are those of arrival here, and how many frames were lost is not known',
        lossUnknown: true,
      }),
    };
  }

  /** Notes an interface that goes down, and one that comes back. */
  #watch(now: number): void {
    if (now < this.#askAt || this.#stopping || this.isOver) return;
    this.#askAt = now + REOPEN_MILLISECONDS;
    const trouble = this.source.trouble();
    if (trouble === this.#trouble) return;
    if (trouble !== undefined && this.#trouble === undefined) {
      this.#interruptions++;
      if (this.#firstInterruption === undefined) {
        this.#firstInterruption = trouble;
        this.#firstInterruptedFrame = (this.file?.packets ?? 0) + 1;
      }
    }
    this.#trouble = trouble;
    this.#options.onTrouble?.({ path: this.source.path, ...(trouble !== undefined && { words: trouble }) });
  }

  #ended(now: number): void {
    this.#reader = undefined;
    if (this.#stopping || !this.source.reopens) {
      this.isOver = true;
      return;
    }
    this.#askAt = 0;
    this.#reopenAt = now + REOPEN_MILLISECONDS;
  }

  #reopen(now: number): void {
    this.#busy = true;
    const done = () => {
      this.#busy = false;
      if (this.#stopping) {
        if (this.#reader === undefined) this.isOver = true;
        else this.source.stop();
      }
      this.#askAt = 0;
      this.onChange();
    };
    this.#reopenAt = now + REOPEN_MILLISECONDS;
    // Not there yet: it is tried again, and the report says that it was gone.
    void this.open().then(done, done);
  }
}

/** Merges what the sources have, as soon as nothing earlier can come from any of them. */
class MergedLive implements LiveCaptures {
  readonly interfaces: readonly CaptureInterface[];
  lagMilliseconds = 0;
  readonly #feeds: readonly Feed[];
  readonly #patienceMilliseconds: number;
  #clock = 0;
  #turnedAt = Date.now();
  /** When, by our clock, frames up to which time had come, oldest first. */
  readonly #arrivals: { at: number; time: number }[] = [];
  #settled = Number.NEGATIVE_INFINITY;
  #latest = Number.NEGATIVE_INFINITY;
  #wake: () => void = () => {};
  #stopping = false;

  constructor(interfaces: readonly CaptureInterface[], feeds: readonly Feed[]) {
    this.interfaces = interfaces;
    this.#feeds = feeds;
    this.#patienceMilliseconds = Math.max(...feeds.map((feed) => feed.source.patienceMilliseconds));
    for (const feed of feeds) feed.onChange = () => this.#wake();
  }

  async next(batch: PacketBatch): Promise<boolean> {
    batch.length = 0;
    for (;;) {
      // Timers, children and streams have their turn, however much comes.
      await new Promise((resolve) => setImmediate(resolve));
      const now = Date.now();
      for (const feed of this.#feeds) feed.pump(now);
      this.#clock += Math.min(now - this.#turnedAt, LONGEST_TURN_MILLISECONDS);
      this.#turnedAt = now;
      this.#settle(this.#clock);
      this.#deliver(batch);
      if (batch.length > 0) {
        const last = batch.length - 1;
        this.lagMilliseconds = Math.max(0, now - (batch.seconds[last]! * 1e3 + batch.nanoseconds[last]! / 1e6));
        return true;
      }
      if (this.#feeds.every((feed) => feed.isOver && feed.queue.length === 0)) return false;
      await this.#change();
    }
  }

  stop(): void {
    this.#stopping = true;
    for (const feed of this.#feeds) feed.stop();
    this.#wake();
  }

  files(): readonly CaptureFileSummary[] {
    return this.#feeds.flatMap((feed) => feed.summary() ?? []);
  }

  problems(): readonly Problem[] {
    return this.#feeds.flatMap((feed) => feed.problems());
  }

  progress(): { readonly read: number } {
    return { read: this.#feeds.reduce((sum, feed) => sum + feed.bytesRead, 0) };
  }

  sources(): readonly { readonly path: string; readonly packets: number; readonly lost: number | undefined }[] {
    return this.#feeds.map((feed) => ({
      path: feed.source.path,
      packets: feed.file?.packets ?? 0,
      lost: feed.source.lost(),
    }));
  }

  async close(): Promise<void> {
    for (const feed of this.#feeds) feed.stop();
    await Promise.all(this.#feeds.map((feed) => feed.close()));
  }

  /** Up to which time nothing earlier is to be expected: what had come a while ago, or all where nothing comes any more. */
  #settle(now: number): void {
    for (const { queue } of this.#feeds) this.#latest = Math.max(this.#latest, queue.lastTime);
    const newest = this.#arrivals.at(-1);
    if (this.#latest > (newest?.time ?? Number.NEGATIVE_INFINITY)) {
      if (newest !== undefined && newest.at === now) newest.time = this.#latest;
      else this.#arrivals.push({ at: now, time: this.#latest });
    }
    while (this.#arrivals.length > 0 && this.#arrivals[0]!.at <= now - this.#patienceMilliseconds)
      this.#settled = Math.max(this.#settled, this.#arrivals.shift()!.time);
    const active = this.#feeds.filter((feed) => !feed.isOver);
    if (active.length === 0) this.#settled = Number.POSITIVE_INFINITY;
    // Memory is bounded: where a queue is full, its earlier half goes.
    for (const { queue } of this.#feeds) if (queue.isFull) this.#settled = Math.max(this.#settled, queue.middleTime);
  }

  #deliver(batch: PacketBatch): void {
    while (batch.length < batch.capacity) {
      // The earliest, and the earliest of the others: up to there it may go; through equal times only where it comes first.
      let chosen = -1;
      let limit = -1;
      for (let index = 0; index < this.#feeds.length; index++) {
        const { queue } = this.#feeds[index]!;
        if (queue.length === 0) continue;
        if (chosen < 0 || queue.compareFirst(this.#feeds[chosen]!.queue) < 0) {
          limit = chosen;
          chosen = index;
        } else if (limit < 0 || queue.compareFirst(this.#feeds[limit]!.queue) < 0) limit = index;
      }
      if (chosen < 0) return;
      const other = limit < 0 ? undefined : this.#feeds[limit]!.queue;
      const { queue } = this.#feeds[chosen]!;
      const count = queue.take(batch, batch.length, this.#settled, other, chosen < limit);
      if (count === 0) return;
      batch.length += count;
    }
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, this.#stopping ? 1 : TICK_MILLISECONDS);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
