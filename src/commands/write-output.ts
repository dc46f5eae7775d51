import { randomBytes } from 'node:crypto';
import {
  accessSync,
  type BigIntStats,
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  openSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { InputError } from '../text/input-error.ts';
import { visible } from '../text/visible.ts';

const STANDARD_INPUT = 0;
const STANDARD_OUTPUT = 1;
/** Bytes in one write: a pipe takes no more at once. */
const MOST_AT_ONCE = 1 << 16;
/** Time in which a slow reader of a pipe that does not block may take something. */
const PATIENCE_MILLISECONDS = 5;
/** Links to a link, as many as the kernel follows. Ref: path_resolution(7) */
const MOST_LINKS = 40;
const PERMISSIONS = 0o7777n;

/** What is written: at once, or in pieces that are made as they are written. */
export type Text = string | Iterable<string>;

/** A file that a run writes, and the option that names it; without a path the option is not given. */
export interface OutputFile {
  readonly option: string;
  readonly path: string | undefined;
}

/**
 * Writes to standard output to the end, also where a pipe takes it slowly. False where the reader went away, which is no error: nothing
 * more needs to be made for it. Throws InputError where it cannot be written.
 */
export function writeOut(text: Text): boolean {
  try {
    writeAll(STANDARD_OUTPUT, text);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EPIPE') return false;
    throw isOfSystem(error) ? new InputError(`standard output cannot be written (${codeOf(error)})`) : error;
  }
}

/** {@link writeFilesWhole} of one. */
export function writeFileWhole(path: string, text: Text, inputs: readonly string[], option = '--output'): void {
  writeFilesWhole([{ path, text }], inputs, option);
}

/**
 * Writes files that belong together, whole or not at all, never over one of the run's inputs; what was there before stays whole where that
 * fails. What is there and no plain file (a device, a pipe, a descriptor such as /dev/stdout) is written to and not replaced; neither is a
 * link. Throws InputError.
 */
export function writeFilesWhole(
  files: readonly { readonly path: string; readonly text: Text }[],
  inputs: readonly string[],
  option: string,
): void {
  refuseOutputs(
    files.map(({ path }) => ({ option, path })),
    inputs,
  );
  const staged: Staged[] = [];
  try {
    for (const { path, text } of files) staged.push(attempt(path, () => stage(path, text)));
    files.forEach(({ path }, index) => {
      attempt(path, staged[index]!.commit);
    });
  } catch (error) {
    for (const { discard } of staged) discard();
    throw error;
  }
}

/**
 * Throws InputError where one of the outputs is an input or another output, by whatever name: a link, a hard link, another spelling, what
 * standard input is redirected from. To be asked before anything is read for long.
 */
export function refuseOutputs(outputs: readonly OutputFile[], inputs: readonly string[]): void {
  const read = new Set(inputs.flatMap((input) => identityOfInput(input) ?? []));
  const written = new Map<string, string>();
  for (const { option, path } of outputs) {
    const identity = path === undefined ? undefined : identityOf(path);
    if (identity === undefined) continue;
    if (read.has(identity)) throw new InputError(`${option} ${path}: is an input of this run and is not overwritten`);
    const other = written.get(identity);
    if (other !== undefined) throw new InputError(`${option} ${path}: is the file that ${other} writes`);
    written.set(identity, option);
  }
}

/** Throws InputError where a file of that name cannot be written; nothing is made or changed. */
export function refuseUnwritable(option: string, path: string): void {
  try {
    const existing = statSync(path, { throwIfNoEntry: false });
    accessSync(existing === undefined ? dirname(followed(path)) : path, constants.W_OK);
  } catch (error) {
    throw new InputError(`${option} ${path}: cannot be written (${codeOf(error)})`);
  }
}

/** A line on standard error, of words that may be an input's. */
export function sayToError(words: string): void {
  process.stderr.write(`${visible(words)}\n`);
}

/** A file that is written and has yet to take its place. */
interface Staged {
  readonly commit: () => void;
  /** Of what was committed nothing is taken back. */
  readonly discard: () => void;
}

function attempt<Value>(path: string, action: () => Value): Value {
  try {
    return action();
  } catch (error) {
    throw isOfSystem(error) ? new InputError(`${path}: cannot be written (${codeOf(error)})`) : error;
  }
}

function stage(path: string, text: Text): Staged {
  const descriptor = descriptorOf(path);
  const existing = statSync(path, { bigint: true, throwIfNoEntry: false });
  // A file that may not be written is not replaced, either.
  if (existing !== undefined) accessSync(path, constants.W_OK);
  if (descriptor === undefined && existing === undefined) return stageBeside(followed(path), text);
  if (descriptor === undefined && existing?.isFile()) return stageBeside(realpathSync(path), text, existing);
  // A folder cannot be opened so, and a pipe would wait for its reader.
  if (existing?.isDirectory()) closeSync(openSync(path, constants.O_WRONLY));
  return {
    commit: () => {
      try {
        if (descriptor === undefined) writeInto(path, text);
        else writeAll(descriptor, text);
      } catch (error) {
        // A pipe whose reader has seen enough.
        if (codeOf(error) !== 'EPIPE') throw error;
      }
    },
    discard: () => {},
  };
}

/** In a new file beside it, which then takes its place, with the rights of the old one. */
function stageBeside(path: string, text: Text, old?: BigIntStats): Staged {
  // Nobody can have put a link there: the name cannot be foreseen, and what exists is not opened.
  const temporary = join(dirname(path), `.redirect-verify-${randomBytes(6).toString('hex')}.tmp`);
  const discard = (): void => rmSync(temporary, { force: true });
  const descriptor = openSync(temporary, 'wx', old === undefined ? 0o666 : 0o600);
  try {
    try {
      writeAll(descriptor, text);
      // Some file systems tell only now that they are full.
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    if (old !== undefined) keepRights(temporary, old);
  } catch (error) {
    discard();
    throw error;
  }
  return { commit: () => renameSync(temporary, path), discard };
}

function keepRights(path: string, { uid, gid, mode }: BigIntStats): void {
  try {
    chownSync(path, Number(uid), Number(gid));
  } catch {
    // Only root can give a file away; then it is the writer's.
  }
  chmodSync(path, Number(mode & PERMISSIONS));
}

/** A device or a pipe. */
function writeInto(path: string, text: Text): void {
  const descriptor = openSync(path, 'w');
  try {
    writeAll(descriptor, text);
  } finally {
    closeSync(descriptor);
  }
}

function writeAll(descriptor: number, text: Text): void {
  for (const piece of typeof text === 'string' ? [text] : text) writePiece(descriptor, piece);
}

function writePiece(descriptor: number, piece: string): void {
  const bytes = Buffer.from(piece);
  for (let offset = 0; offset < bytes.length; ) {
    try {
      offset += writeSync(descriptor, bytes, offset, Math.min(bytes.length - offset, MOST_AT_ONCE));
    } catch (error) {
      if (codeOf(error) !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PATIENCE_MILLISECONDS);
    }
  }
}

/**
 * The descriptor of this process that a name stands for, as /dev/stdout and /dev/fd/3 do. Such a name is not opened anew: a file that a shell
 * appends to would lose what is in it. Ref: proc_pid_fd(5)
 */
function descriptorOf(path: string): number | undefined {
  const own = `/proc/${process.pid}/fd`;
  const name = [...linksFrom(path)].find((link) => realFolder(link) === own);
  return name === undefined ? undefined : Number(basename(name));
}

/** Where a file of that name would be made: a link to what is not there yet is followed, as open(2) does. */
function followed(path: string): string {
  return [...linksFrom(path)].at(-1) ?? path;
}

/** The path, what it is a link to, and so on. */
function* linksFrom(path: string): Generator<string> {
  let at = path;
  for (let left = MOST_LINKS; left > 0; left--) {
    yield at;
    try {
      at = resolve(realFolder(at), readlinkSync(at));
    } catch {
      return;
    }
  }
}

function realFolder(path: string): string {
  try {
    return realpathSync(dirname(path));
  } catch {
    return dirname(path);
  }
}

/** Tells files apart, whatever they are called. Undefined: where nothing can be overwritten, or nothing can be told. */
function identityOf(path: string): string | undefined {
  const stat = statOf(() => statSync(path, { bigint: true }));
  if (stat !== undefined) return identityOfStat(stat);
  const target = followed(path);
  const folder = statOf(() => statSync(dirname(target), { bigint: true }));
  return folder === undefined ? undefined : `${identityOfStat(folder)}/${basename(target)}`;
}

function identityOfInput(path: string): string | undefined {
  const stat = statOf(() =>
    path === '-' ? fstatSync(STANDARD_INPUT, { bigint: true }) : statSync(path, { bigint: true }),
  );
  return stat === undefined ? undefined : identityOfStat(stat);
}

function identityOfStat(stat: BigIntStats): string | undefined {
  return stat.isCharacterDevice() ? undefined : `${stat.dev}:${stat.ino}`;
}

function statOf(look: () => BigIntStats): BigIntStats | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}

/** Whether the system refused; what goes wrong while a text is made is a defect, and says so. */
function isOfSystem(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
