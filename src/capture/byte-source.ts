import { close, constants, open, read, stat } from 'node:fs';
import { promisify } from 'node:util';
import { InputError } from '../text/input-error.ts';

/** Bytes that are read once, from the first to the last. */
export interface ByteSource {
  /** Reads at most `length` bytes to `offset` of the caller's buffer and tells how many: 0 only at the end. One call at a time. */
  read(target: Uint8Array, offset: number, length: number): Promise<number>;
  /** Bytes of the file read so far, as they are stored (compressed ones of a compressed file). */
  readonly bytesRead: number;
  /** All bytes, as they are stored; undefined where that is not known (standard input, pipes). */
  readonly size: number | undefined;
  /** Why the bytes ended before their end, once {@link read} gave 0; undefined where they did not. */
  readonly failure: string | undefined;
  close(): Promise<void>;
}

const STANDARD_INPUT = 0;

/** A pipe that its other user has made non-blocking gives EAGAIN instead of waiting; then we wait. */
const RETRY_MILLISECONDS = 10;

const openFile = promisify(open);
const closeFile = promisify(close);
const statFile = promisify(stat);

/**
 * Opens a file, or standard input for `-`. Throws an {@link InputError} of one line where it cannot be opened or is a directory.
 */
export async function openByteSource(path: string): Promise<ByteSource> {
  if (path === '-') return new DescriptorSource(STANDARD_INPUT, undefined, false);
  try {
    const status = await statFile(path);
    if (status.isDirectory()) {
      throw new InputError(
        `${path}: is a directory; name the capture files in it, e.g. ${path.replace(/\/+$/, '')}/*.pcapng`,
      );
    }
    const descriptor = await openFile(path, constants.O_RDONLY);
    return new DescriptorSource(descriptor, status.isFile() ? status.size : undefined, true);
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(`${path}: ${openFailure(error)}`);
  }
}

class DescriptorSource implements ByteSource {
  bytesRead = 0;
  failure: string | undefined;
  readonly size: number | undefined;
  private readonly descriptor: number;
  private readonly owned: boolean;
  private reading: Promise<number> | undefined;

  constructor(descriptor: number, size: number | undefined, owned: boolean) {
    this.descriptor = descriptor;
    this.size = size;
    this.owned = owned;
  }

  read(target: Uint8Array, offset: number, length: number): Promise<number> {
    this.reading = this.readOnce(target, offset, length);
    return this.reading;
  }

  /** Waits for the read under way, which still writes to the caller's buffer; on standard input that may take for ever, so it does not. */
  async close(): Promise<void> {
    if (!this.owned) return;
    await this.reading;
    await closeFile(this.descriptor);
  }

  private async readOnce(target: Uint8Array, offset: number, length: number): Promise<number> {
    for (;;) {
      try {
        const count = await readDescriptor(this.descriptor, target, offset, length);
        this.bytesRead += count;
        return count;
      } catch (error) {
        const code = errorCode(error);
        if (code === 'EOF') return 0;
        if (code !== 'EAGAIN') {
          this.failure = `cannot be read any further (${code})`;
          return 0;
        }
        await new Promise((resolve) => setTimeout(resolve, RETRY_MILLISECONDS));
      }
    }
  }
}

function readDescriptor(descriptor: number, target: Uint8Array, offset: number, length: number): Promise<number> {
  return new Promise((resolve, reject) => {
    read(descriptor, target, offset, length, null, (error, count) => {
      if (error === null) resolve(count);
      else reject(error);
    });
  });
}

function openFailure(error: unknown): string {
  const code = errorCode(error);
  switch (code) {
    case 'ENOENT':
      return 'no such file; a capture file, or - for standard input, is expected';
    case 'EACCES':
    case 'EPERM':
      return 'permission denied; captures taken as root are often readable by root only';
    case 'ENOTDIR':
      return 'no such file: a part of the path is not a directory';
    case 'EMFILE':
    case 'ENFILE':
      return 'too many open files; give fewer captures at once or merge them with mergecap';
    default:
      return `cannot be opened (${code})`;
  }
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
