import type { Severity } from '../diagnostic/diagnostic.ts';
import type { Detected, FindingKind } from '../findings/finding.ts';

/** Bits of a connection. */
const FAILED = 1;
const UNDETERMINED = 2;

/** A finding, as far as it says something of connections. */
type Statement = Pick<Detected, 'connections' | 'undetermines'> & {
  readonly kind: Pick<FindingKind, 'code'>;
  readonly rank: Severity;
};

/** What the findings of a run say of each connection: some bytes for each, and its codes once for all connections that have the same. */
export class SaidOfConnections {
  /** A finding leaves the whole run undetermined. */
  readonly ofRun: boolean;
  readonly #bits: Uint8Array;
  /** By id, the number of its list of codes. */
  readonly #lists: Int32Array;
  readonly #codes: (readonly string[])[] = [[]];

  /** Of `count` connections with ids from 1 on. */
  constructor(count: number, findings: readonly Statement[]) {
    this.ofRun = findings.some((item) => item.undetermines === 'run');
    this.#bits = new Uint8Array(count + 1);
    this.#lists = new Int32Array(count + 1);
    for (const item of findings) this.#add(item);
  }

  isFailed(id: number): boolean {
    return (this.#bits[id]! & FAILED) !== 0;
  }

  isUndetermined(id: number): boolean {
    return (this.#bits[id]! & UNDETERMINED) !== 0;
  }

  /** In order, each once. */
  codesOf(id: number): readonly string[] {
    return this.#codes[this.#lists[id]!]!;
  }

  #add({ kind: { code }, rank, undetermines, connections }: Statement): void {
    const bits = (rank === 'error' ? FAILED : 0) | (undetermines === 'connections' ? UNDETERMINED : 0);
    // What happened to it; the configuration causes (RV4xx) behind that are reported once and linked there.
    const isItsOwn = !code.startsWith('RV4');
    const longer = new Map<number, number>();
    for (const id of connections) {
      this.#bits[id] = this.#bits[id]! | bits;
      if (!isItsOwn) continue;
      const list = this.#lists[id]!;
      const next = longer.get(list) ?? this.#with(list, code);
      longer.set(list, next);
      this.#lists[id] = next;
    }
  }

  /** The number of the list with one more code. */
  #with(list: number, code: string): number {
    const codes = this.#codes[list]!;
    if (codes.includes(code)) return list;
    return this.#codes.push([...codes, code].sort()) - 1;
  }
}
