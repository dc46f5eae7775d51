import { statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { InputError } from '../text/input-error.ts';
import { PacketBatch } from '../wire/packet-batch.ts';
import type { CaptureInput, CaptureInterface, CaptureSet, OpenOptions } from './capture-set.ts';
import { openCaptureSet } from './open-capture.ts';
import {
  BATCHES_TOGETHER,
  type CaptureState,
  type FilledBatch,
  type FromReader,
  type ReadAheadRequest,
  type ToReader,
} from './read-ahead-messages.ts';

/** Below this a thread takes longer to begin than it saves. */
const WORTHWHILE_BYTES = 48 << 20;

/** The program of the reading thread: beside this one. Sources that were not compiled have none. */
const READER = new URL(`read-ahead-worker${extname(import.meta.url)}`, import.meta.url);

/** Opens captures as {@link openCaptureSet} does; large files are read and decoded by another thread, ahead of who takes the frames. */
export async function openReadingAhead(
  inputs: readonly CaptureInput[],
  options: OpenOptions = {},
  worthwhileBytes = WORTHWHILE_BYTES,
): Promise<CaptureSet> {
  const isWorthwhile =
    READER.pathname.endsWith('.js') && availableParallelism() > 1 && bytesOf(inputs) >= worthwhileBytes;
  return isWorthwhile ? await ReadAhead.open({ inputs, options }) : await openCaptureSet(inputs, options);
}

/** Of all the files; 0 where one is no file. */
function bytesOf(inputs: readonly CaptureInput[]): number {
  let sum = 0;
  for (const { path } of inputs) {
    const status = path === '-' ? undefined : statSync(path, { throwIfNoEntry: false });
    if (status?.isFile() !== true) return 0;
    sum += status.size;
  }
  return sum;
}

/** Captures that another thread reads. */
class ReadAhead implements CaptureSet {
  readonly interfaces: CaptureInterface[] = [];
  readonly #reader: Worker;
  /** As of the batch that was taken last. */
  #state: CaptureState | undefined;
  #batches: readonly PacketBatch[] = [];
  #rows = 0;
  readonly #filled: FilledBatch[] = [];
  /** Taken, and not yet given back. */
  #taken: number[] = [];
  #end: CaptureState | undefined;
  #failure: Error | undefined;
  #wake = (): void => {};

  static async open(request: ReadAheadRequest): Promise<ReadAhead> {
    const captures = new ReadAhead(request);
    await captures.#until(() => captures.#state !== undefined);
    return captures;
  }

  private constructor(request: ReadAheadRequest) {
    this.#reader = new Worker(READER, { workerData: request });
    this.#reader.on('message', (message: FromReader) => this.#take(message));
    this.#reader.on('error', (error: Error) => this.#fail(error));
    this.#reader.on('exit', () => this.#fail(new Error('the reading thread has ended')));
  }

  async next(batch: PacketBatch): Promise<boolean> {
    batch.length = 0;
    if (this.#rows === 0) {
      this.#rows = batch.capacity;
      this.#tell({ kind: 'begin', rows: batch.capacity });
    }
    if (batch.capacity !== this.#rows) throw new Error('batches of one size are read ahead');
    await this.#until(() => this.#filled.length > 0 || this.#end !== undefined);
    const filled = this.#filled.shift();
    if (filled === undefined) {
      this.#learn(this.#end!);
      return false;
    }
    batch.copyRows(this.#batches[filled.batch]!, 0, 0, filled.length);
    batch.length = filled.length;
    this.#learn(filled.state);
    this.#taken.push(filled.batch);
    if (this.#taken.length === BATCHES_TOGETHER) {
      this.#tell({ kind: 'free', batches: this.#taken });
      this.#taken = [];
    }
    return true;
  }

  files(): CaptureState['files'] {
    return this.#state!.files;
  }

  problems(): CaptureState['problems'] {
    return this.#state!.problems;
  }

  progress(): CaptureState['progress'] {
    return this.#state!.progress;
  }

  async close(): Promise<void> {
    await this.#reader.terminate();
  }

  #tell(message: ToReader): void {
    this.#reader.postMessage(message);
  }

  #take(message: FromReader): void {
    if (message.kind === 'opened') this.#learn(message.state);
    else if (message.kind === 'batches')
      this.#batches = message.memory.map((memory) => new PacketBatch(this.#rows, memory));
    else if (message.kind === 'filled') this.#filled.push(...message.filled);
    else if (message.kind === 'end') this.#end = message.state;
    else this.#failure = message.isInput ? new InputError(message.message) : new Error(message.message);
    this.#wake();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#wake();
  }

  #learn(state: CaptureState): void {
    this.#state = state;
    this.interfaces.push(...state.newInterfaces);
  }

  async #until(isReached: () => boolean): Promise<void> {
    while (!isReached()) {
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
