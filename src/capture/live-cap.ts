import { type ChildProcess, fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { InputError } from '../text/input-error.ts';
import type { ByteSource } from './byte-source.ts';
import { type LiveSource, StreamSource } from './live-source.ts';
import { interfaceTrouble, LIVE_SNAP_LENGTH, openFailure } from './live-tcpdump.ts';

/** What the capturing process tells: that it captures, why it cannot, or how many frames it threw away since its reader was too slow. */
export type CapMessage = { readonly listening: true } | { readonly refused: string } | { readonly lost: number };

const KILL_MILLISECONDS = 3000;

/**
 * A child that captures with the package `cap`, where tcpdump cannot be had: on one interface, or on `any`, whose frames are of all interfaces
 * in their order (cooked v1, which tells the direction and not the interface).
 */
export class CapSource implements LiveSource {
  readonly path: string;
  readonly interface?: string;
  readonly reopens = true;
  readonly timesAreArrivals = true;
  /** One process reads one socket: its frames are in order. */
  readonly patienceMilliseconds = 100;
  readonly #name: string;
  readonly #program: string;
  readonly #filter: string;
  #child: ChildProcess | undefined;
  #ended: string | undefined;
  #thrownAwayBefore = 0;
  #thrownAway = 0;

  /** `program`: the module that captures. */
  constructor(name: string, filter: string, program: string) {
    this.#name = name;
    if (name !== 'any') this.interface = name;
    this.path = `live:${name}`;
    this.#filter = filter;
    this.#program = program;
  }

  open(): Promise<ByteSource> {
    this.#thrownAwayBefore += this.#thrownAway;
    this.#thrownAway = 0;
    const child = fork(this.#program, [this.#name, this.#filter, String(LIVE_SNAP_LENGTH)], {
      stdio: ['ignore', 'pipe', 'ignore', 'ipc'],
      detached: true,
    });
    this.#child = child;
    const output = new StreamSource(child.stdout!);
    return new Promise((resolve, reject) => {
      const refuse = (words: string): void => {
        reject(new InputError(openFailure(this.#name, this.#filter, words, 'cap')));
      };
      child.on('message', (message: CapMessage) => {
        if ('refused' in message) refuse(message.refused);
        else if ('lost' in message) this.#thrownAway = message.lost;
        else {
          this.#ended = undefined;
          resolve(output);
        }
      });
      child.on('error', (error) => refuse(error.message));
      child.on('close', () => {
        this.#ended = `the capture on ${this.#name} has ended`;
        refuse('');
      });
    });
  }

  stop(): void {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    if (child.connected) child.send('stop', () => {});
    setTimeout(() => child.kill('SIGKILL'), KILL_MILLISECONDS).unref();
  }

  /** What the kernel dropped is not known; what the child threw away is. */
  lost(): number | undefined {
    const known = this.#thrownAwayBefore + this.#thrownAway;
    return known > 0 ? known : undefined;
  }

  trouble(): string | undefined {
    const name = this.interface;
    if (name === undefined) return this.#ended;
    // The child does not say why it ended: what became of its interface does.
    if (this.#ended !== undefined && !existsSync(`/sys/class/net/${name}`))
      return `the interface ${name} has gone away`;
    return interfaceTrouble(name) ?? this.#ended;
  }
}
