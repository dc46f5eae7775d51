import { createReadStream, openSync, statSync, constants } from 'node:fs';
import { Socket } from 'node:net';
import { type LiveSource, StreamedCapture } from '../capture/live-source.ts';
import { TcpdumpSource } from '../capture/live-tcpdump.ts';
import { InputError } from '../text/input-error.ts';

/** What captures. */
export const VIAS = ['auto', 'cap', 'tcpdump'] as const;
export type Via = (typeof VIAS)[number];

/** What a live run listens to, as the command line says it. */
export interface SourceRequest {
  /** `-`, or a named pipe; empty: this machine's interfaces. */
  readonly streams: readonly string[];
  /** Empty: all of them. */
  readonly interfaces: readonly string[];
  readonly via: Via;
  readonly filter: string;
}

/** The sources of a live run. Throws InputError where they cannot be. */
export function liveSources(request: SourceRequest): LiveSource[] {
  const { streams, interfaces, filter } = request;
  const [stream] = streams;
  if (stream !== undefined) {
    if (interfaces.length > 0) throw new InputError(`live: give either ${stream} or -i, not both`);
    if (streams.length > 1) throw new InputError('live: give one stream; several captures are merged by mergecap');
    return [streamed(stream)];
  }
  const names = [...new Set(interfaces.length > 0 ? interfaces : ['any'])];
  if (names.length > 1 && names.includes('any'))
    throw new InputError('-i any: has all interfaces; give no other beside it');
  for (const name of names)
    if (!/^[^\s/-][^\s/]{0,63}$/.test(name)) throw new InputError(`-i '${name}': is no interface's name`);
  return names.map((name) => new TcpdumpSource(name, filter));
}

/** Standard input or a named pipe: both are read as their bytes come, and can be left at any time. */
function streamed(path: string): LiveSource {
  if (path === '-') {
    if (process.stdin.isTTY === true)
      throw new InputError(
        'live -: standard input is a terminal; pipe a capture into it: tcpdump -i any -U -w - | redirect-verify live -',
      );
    return new StreamedCapture('-', process.stdin);
  }
  let isPipe = false;
  try {
    const stat = statSync(path);
    isPipe = stat.isFIFO();
    if (!isPipe && !stat.isCharacterDevice())
      throw new InputError(`live ${path}: is no pipe; redirect-verify ${path} verifies a capture that is complete`);
    // Opening a pipe would else wait for its writer, and nothing could end that.
    const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stream = isPipe
      ? new Socket({ fd: descriptor, readable: true, writable: false })
      : createReadStream('', { fd: descriptor });
    return new StreamedCapture(path, stream);
  } catch (error) {
    if (error instanceof InputError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new InputError(
      code === 'ENOENT'
        ? `live ${path}: no such pipe; - is standard input`
        : `live ${path}: cannot be opened (${code})`,
    );
  }
}
