import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InputError } from '../text/input-error.ts';
import type { ByteSource } from './byte-source.ts';
import { type LiveSource, StreamSource } from './live-source.ts';
import { PipeSource } from './pipe-source.ts';

/** Holds Ethernet with two tags, or cooked, IP and TCP with all their options, and the packet that an ICMP error quotes. */
export const LIVE_SNAP_LENGTH = 256;

/** The kernel's buffer in KiB: a pause of more than a second at 100,000 packets/s. */
const KERNEL_BUFFER_KIBIBYTES = 64 * 1024;

/** How often tcpdump is asked for its counts. */
const STATISTICS_MILLISECONDS = 2000;

/** After this long an end is no longer asked for. */
const KILL_MILLISECONDS = 3000;

/** A line is as long as its words need; a program that prints more is not listened to. */
const MOST_WORDS = 16_384;

/** A `tcpdump` child that captures on one interface, or on `any`. */
export class TcpdumpSource implements LiveSource {
  readonly path: string;
  readonly interface?: string;
  readonly reopens = true;
  /** Several of them run side by side, and on a busy machine not each at every moment. */
  readonly patienceMilliseconds: number;
  readonly #name: string;
  readonly #filter: string;
  readonly #program: string;
  #child: ChildProcess | undefined;
  #lostBefore = 0;
  #lostNow = 0;
  #ended: string | undefined;

  constructor(name: string, filter: string, program = 'tcpdump') {
    this.#name = name;
    this.#filter = filter;
    this.#program = program;
    this.path = `live:${name}`;
    if (name !== 'any') this.interface = name;
    this.patienceMilliseconds = name === 'any' ? 100 : 500;
  }

  open(): Promise<ByteSource> {
    const all = this.#name === 'any' ? ['-y', 'LINUX_SLL2'] : [];
    const options = ['--immediate-mode', '-U', '-n', '--nano', '-s', String(LIVE_SNAP_LENGTH)];
    const buffer = ['-B', String(KERNEL_BUFFER_KIBIBYTES)];
    const pipe = openPipe();
    const child = spawn(this.#program, [...options, ...buffer, '-i', this.#name, ...all, '-w', '-', this.#filter], {
      stdio: ['ignore', pipe?.writing ?? 'pipe', 'pipe'],
      // A Ctrl-C at the terminal is ours to pass on: what was captured before it must come to its end.
      detached: true,
    });
    if (pipe !== undefined) closeSync(pipe.writing);
    const output = pipe?.source ?? new StreamSource(child.stdout!);
    this.#child = child;
    this.#lostBefore += this.#lostNow;
    this.#lostNow = 0;
    return this.#begun(child, output);
  }

  stop(): void {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGINT');
    setTimeout(() => child.kill('SIGKILL'), KILL_MILLISECONDS).unref();
  }

  lost(): number {
    return this.#lostBefore + this.#lostNow;
  }

  trouble(): string | undefined {
    return this.#ended ?? (this.interface === undefined ? undefined : interfaceTrouble(this.interface));
  }

  #begun(child: ChildProcess, output: PipeSource | StreamSource): Promise<ByteSource> {
    let words = '';
    return new Promise((resolve, reject) => {
      // A signal may cut a write short that waits for us: only where nothing waits.
      let isDue = false;
      const ask = setInterval(() => {
        if (output instanceof PipeSource) isDue = true;
        else if (output.isDrained) child.kill('SIGUSR1');
      }, STATISTICS_MILLISECONDS);
      if (output instanceof PipeSource)
        output.onDrained = () => {
          if (isDue) child.kill('SIGUSR1');
          isDue = false;
        };
      ask.unref();
      child.on('error', (error) => {
        clearInterval(ask);
        const missing = 'code' in error && error.code === 'ENOENT';
        reject(new InputError(missing ? NO_TCPDUMP : `tcpdump: cannot be started (${error.message})`));
      });
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        words = (words + text).slice(-MOST_WORDS);
        const lost = lostIn(words);
        if (lost !== undefined) this.#lostNow = lost;
        if (!/listening on .*\n/.test(words)) return;
        this.#ended = undefined;
        resolve(output);
      });
      child.on('close', () => {
        clearInterval(ask);
        this.#ended = endedWords(this.#name, words);
        reject(new InputError(openFailure(this.#name, this.#filter, words)));
      });
    });
  }
}

/**
 * A pipe of the kernel's. What node gives a child is a socket, which keeps every frame that is written as a piece of its own: at 100,000
 * frames/s that alone made tcpdump lose a third. Undefined where none can be made; then the socket does.
 */
function openPipe(): { readonly source: PipeSource; readonly writing: number } | undefined {
  let folder: string | undefined;
  try {
    folder = mkdtempSync(join(tmpdir(), 'redirect-verify-'));
    const path = join(folder, 'pipe');
    execFileSync('mkfifo', ['-m', '600', path], { stdio: 'ignore' });
    const reading = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    return { source: new PipeSource(reading), writing: openSync(path, constants.O_WRONLY) };
  } catch {
    return undefined;
  } finally {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  }
}

/** Said where neither capture program is there. */
export const NO_TCPDUMP =
  'nothing is installed that captures: apt-get install tcpdump (or apt-get install libpcap-dev g++ make python3 and npm install cap)';

/** The last counts that tcpdump printed, of the kernel's buffer and of the interface; undefined where it printed none. */
export function lostIn(words: string): number | undefined {
  let kernel: number | undefined;
  for (const match of words.matchAll(/(\d+) packets? dropped by kernel/g)) kernel = Number(match[1]);
  if (kernel === undefined) return undefined;
  let device = 0;
  for (const match of words.matchAll(/(\d+) packets? dropped by interface/g)) device = Number(match[1]);
  return kernel + device;
}

/** What keeps tcpdump from capturing, in one line. */
export function openFailure(
  name: string,
  filter: string,
  words: string,
  program: 'tcpdump' | 'cap' = 'tcpdump',
): string {
  if (/permission|not permitted/i.test(words)) return program === 'tcpdump' ? NO_PERMISSION : NO_PERMISSION_FOR_CAP;
  if (/No such device|does ?n.t exist/i.test(words)) return `-i ${name}: there is no such interface on this machine`;
  if (/is not up/.test(words)) return `-i ${name}: the interface is down; set it up first: ip link set ${name} up`;
  if (/syntax error|filter|expression|unknown|illegal/i.test(words))
    return `--filter '${filter}': is refused by ${program} (${lastLine(words)})`;
  return `-i ${name}: ${program} cannot capture (${lastLine(words)})`;
}

/** Said where the rights to capture are missing. */
export const NO_PERMISSION =
  'capturing needs root or CAP_NET_RAW: run with sudo, or once setcap cap_net_raw,cap_net_admin=eip $(command -v tcpdump)';

/** As {@link NO_PERMISSION}, where it is node that captures. */
const NO_PERMISSION_FOR_CAP =
  'capturing needs root or CAP_NET_RAW: run with sudo, or install tcpdump and give it the right once: setcap cap_net_raw,cap_net_admin=eip $(command -v tcpdump)';

function endedWords(name: string, words: string): string {
  if (/disappeared/.test(words)) return `the interface ${name} has gone away`;
  if (/went down/.test(words)) return `the interface ${name} went down`;
  return `the capture on ${name} has ended`;
}

function lastLine(words: string): string {
  const lines = words
    .split('\n')
    .map((line) => line.replace(/^tcpdump: /, '').trim())
    .filter((line) => line !== '' && !line.startsWith('data link type'));
  return lines.at(-1) ?? 'it says nothing';
}

/** Why nothing comes on an interface, by the kernel's own word; undefined where nothing is wrong, or that cannot be told. */
export function interfaceTrouble(name: string): string | undefined {
  try {
    const flags = Number(readFileSync(`/sys/class/net/${name}/flags`, 'utf8'));
    return (flags & 1) === 0 ? `the interface ${name} is down` : undefined;
  } catch {
    return undefined;
  }
}
