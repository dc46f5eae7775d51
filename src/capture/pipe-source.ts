import { closeSync, readSync } from 'node:fs';
import type { ByteSource } from './byte-source.ts';

/**
 * After a read that emptied the pipe the next one waits so long, so that its bytes come in large pieces: a program that writes every frame
 * by itself would wake us for each. A pipe holds 64 KiB, which 100,000 frames/s of 270 bytes fill in 2.4 ms.
 */
const GATHER_MILLISECONDS = 2;
/** What an idle pipe is waited for, at most. */
const IDLE_MILLISECONDS = 16;

/** The reading end of a pipe of the kernel's, non-blocking. Ref: pipe(7). */
export class PipeSource implements ByteSource {
  bytesRead = 0;
  failure: string | undefined;
  readonly size = undefined;
  /** Called when a read has emptied the pipe: a writer that is disturbed now is not in the middle of a write that waits for us. */
  onDrained: () => void = () => {};
  readonly #descriptor: number;
  #isOpen = true;
  #drained = true;
  #idle = GATHER_MILLISECONDS;
  #wake: () => void = () => {};

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  async read(target: Uint8Array, offset: number, length: number): Promise<number> {
    if (length === 0) return 0;
    if (this.#drained) await this.#sleep(GATHER_MILLISECONDS);
    while (this.#isOpen) {
      const count = this.#readNow(target, offset, length);
      if (count !== undefined) {
        this.#drained = count < length;
        this.#idle = GATHER_MILLISECONDS;
        this.bytesRead += count;
        if (this.#drained) this.onDrained();
        return count;
      }
      this.onDrained();
      await this.#sleep(this.#idle);
      this.#idle = Math.min(this.#idle * 2, IDLE_MILLISECONDS);
    }
    return 0;
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#wake();
    closeSync(this.#descriptor);
  }

  /** Undefined where nothing is there yet; 0 at the end. */
  #readNow(target: Uint8Array, offset: number, length: number): number | undefined {
    try {
      return readSync(this.#descriptor, target, offset, length, null);
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : '';
      if (code === 'EAGAIN' || code === 'EINTR') return undefined;
      this.failure = `cannot be read any further (${code})`;
      return 0;
    }
  }

  #sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      setTimeout(resolve, milliseconds);
    });
  }
}
