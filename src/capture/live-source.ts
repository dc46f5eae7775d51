import type { Readable } from 'node:stream';
import type { ByteSource } from './byte-source.ts';

/** Bytes that wait for their reader, from which on the writer is made to wait: then the kernel counts what is lost, and we do not grow. */
const MOST_WAITING_BYTES = 8 * 1024 * 1024;

/** Something that captures as long as it is asked to, and gives a capture's bytes. */
export interface LiveSource {
  /** For messages and reports: `live:eth0`, or `-`. */
  readonly path: string;
  /** The router's interface, where all frames are of one. */
  readonly interface?: string;
  /** Whether {@link open} may be tried again after its bytes have ended unasked: an interface comes back. */
  readonly reopens: boolean;
  /** So long a frame of it may be on its way while later ones, of this or another source, are here. */
  readonly patienceMilliseconds: number;
  /** Times of frames are those of their arrival here, not the kernel's. */
  readonly timesAreArrivals?: boolean;
  /** Begins to capture; resolves once it does. Throws an InputError of one line where it cannot. */
  open(): Promise<ByteSource>;
  /** Asks for an end: what was captured before still comes, then the bytes end. */
  stop(): void;
  /** Frames lost so far, in all that was opened; undefined where the source cannot know. */
  lost(): number | undefined;
  /** Whether frames may be lost at the moment, in words: the interface is down, or gone. */
  trouble(): string | undefined;
}

/** A byte source over a stream that gives its bytes as they come: a child's output, standard input, a named pipe. */
export class StreamSource implements ByteSource {
  bytesRead = 0;
  failure: string | undefined;
  readonly size = undefined;
  readonly #stream: Readable;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #ended = false;
  #wake: () => void = () => {};

  constructor(stream: Readable) {
    this.#stream = stream;
    stream.on('data', (chunk: Uint8Array) => {
      this.#waiting.push(chunk);
      this.#waitingBytes += chunk.length;
      if (this.#waitingBytes > MOST_WAITING_BYTES) stream.pause();
      this.#wake();
    });
    stream.on('end', () => this.#end(undefined));
    stream.on('close', () => this.#end(undefined));
    stream.on('error', (error) =>
      this.#end(`cannot be read any further (${'code' in error ? String(error.code) : error.message})`),
    );
  }

  /** Whether everything that came was read. */
  get isDrained(): boolean {
    return this.#waitingBytes === 0;
  }

  async read(target: Uint8Array, offset: number, length: number): Promise<number> {
    while (this.#waiting.length === 0) {
      if (this.#ended) return 0;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    let count = 0;
    while (count < length && this.#waiting.length > 0) {
      const [chunk] = this.#waiting as [Uint8Array];
      const part = Math.min(chunk.length, length - count);
      target.set(part === chunk.length ? chunk : chunk.subarray(0, part), offset + count);
      count += part;
      if (part === chunk.length) this.#waiting.shift();
      else this.#waiting[0] = chunk.subarray(part);
    }
    this.#waitingBytes -= count;
    this.bytesRead += count;
    if (this.#waitingBytes <= MOST_WAITING_BYTES / 2 && this.#stream.isPaused()) this.#stream.resume();
    return count;
  }

  /** No more bytes come; those that have come are still given. */
  cutOff(): void {
    this.#stream.destroy();
    this.#end(undefined);
  }

  async close(): Promise<void> {
    this.#stream.destroy();
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#end(undefined);
  }

  #end(failure: string | undefined): void {
    if (!this.#ended) this.failure = failure;
    this.#ended = true;
    this.#wake();
  }
}

/** A capture that somebody else makes and writes to a stream. */
export class StreamedCapture implements LiveSource {
  readonly path: string;
  readonly reopens = false;
  /** dumpcap leaves what it captured on one interface unwritten for up to a second. */
  readonly patienceMilliseconds = 2000;
  readonly #source: StreamSource;

  constructor(path: string, stream: Readable) {
    this.path = path;
    this.#source = new StreamSource(stream);
  }

  async open(): Promise<ByteSource> {
    return this.#source;
  }

  stop(): void {
    this.#source.cutOff();
  }

  /** Its own statistics, where it has any, are in its bytes. */
  lost(): undefined {
    return undefined;
  }

  trouble(): undefined {
    return undefined;
  }
}
