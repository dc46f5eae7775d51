import { accessSync, constants, createReadStream, openSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Socket } from 'node:net';
import { delimiter, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CapSource } from '../capture/live-cap.ts';
import { type LiveSource, StreamedCapture } from '../capture/live-source.ts';
import { NO_TCPDUMP, TcpdumpSource } from '../capture/live-tcpdump.ts';
import { InputError } from '../text/input-error.ts';

/** The program that captures with cap: beside this one, compiled or not. */
const CAP_CHILD = new URL(`live-cap-child${extname(import.meta.url)}`, import.meta.url);

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
  const program = chosen(request.via);
  if (program === 'tcpdump') return names.map((name) => new TcpdumpSource(name, filter));
  // Frames get their times when they are read, so those of two sockets cannot be put in order: an answer could come before its request.
  if (names.length > 1)
    throw new InputError(
      '--via cap: cannot put frames of several interfaces in order; give one, or any, or install tcpdump',
    );
  return names.map((name) => new CapSource(name, filter, fileURLToPath(CAP_CHILD)));
}

/** tcpdump has the kernel's times and counts of losses, so it goes first. Throws InputError where nothing captures. */
function chosen(via: Via): 'tcpdump' | 'cap' {
  if (via !== 'cap' && isInstalled('tcpdump')) return 'tcpdump';
  if (via === 'tcpdump') throw new InputError('--via tcpdump: is not installed: apt-get install tcpdump');
  if (isBuilt('cap')) return 'cap';
  throw new InputError(
    via === 'cap'
      ? '--via cap: is not installed, or could not be built: apt-get install libpcap-dev g++ make python3, then npm install cap'
      : NO_TCPDUMP,
  );
}

function isInstalled(program: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Whether an optional dependency is there with what was compiled of it; it is not loaded here. */
function isBuilt(name: string): boolean {
  try {
    createRequire(import.meta.url).resolve(`${name}/build/Release/${name}.node`);
    return true;
  } catch {
    return false;
  }
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
