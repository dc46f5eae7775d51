import type { Run } from './run.ts';

const MOST_SLOTS = 2048;
const KEY_LENGTH = 7;
const RESULT_LENGTH = 4;

/**
 * Results of lookups in the policy rules and tables by everything that they depend on. The configuration does not change, so neither do
 * they; what depended on something unknown is never kept. Direct-mapped: a newer flow takes the place of an older one.
 */
export class LookupCache {
  readonly #keys: Int32Array;
  readonly #results: Int32Array;
  readonly #mask: number;
  #slot = 0;

  /** `slots`: results that are kept at most, a power of two. */
  constructor(slots = MOST_SLOTS) {
    this.#mask = slots - 1;
    this.#keys = new Int32Array(slots * KEY_LENGTH);
    this.#results = new Int32Array(slots * RESULT_LENGTH).fill(-1);
  }

  /** Takes the result over into the run; false where it is not known. */
  recall(run: Run): boolean {
    const mark = run.flowUsesMark ? run.mark : 0;
    const ports = (run.flowSourcePort << 16) | run.flowDestinationPort;
    let mixed = Math.imul(run.flowDestination ^ (run.flowSource >>> 16), 0x9e3779b1);
    mixed = Math.imul(mixed ^ (mixed >>> 15) ^ run.flowSource ^ run.flowIif, 0x85ebca6b);
    mixed = mixed ^ (mixed >>> 13) ^ mark ^ Math.imul(ports, 0xc2b2ae35);
    this.#slot = (mixed ^ (mixed >>> 16)) & this.#mask;
    const keys = this.#keys;
    const key = this.#slot * KEY_LENGTH;
    const result = this.#slot * RESULT_LENGTH;
    if (
      this.#results[result] === -1 ||
      keys[key] !== run.flowSource ||
      keys[key + 1] !== run.flowDestination ||
      keys[key + 2] !== run.flowIif ||
      keys[key + 3] !== mark ||
      keys[key + 4] !== run.tos ||
      keys[key + 5] !== run.flowProtocol ||
      keys[key + 6] !== ports
    ) {
      return false;
    }
    run.lookup = this.#results[result]!;
    run.foundRoute = this.#results[result + 1]!;
    run.foundTable = this.#results[result + 2]!;
    run.foundRule = this.#results[result + 3]!;
    return true;
  }

  /** Keeps the run's result for the flow that {@link recall} was asked for just before. */
  keep(run: Run): void {
    const keys = this.#keys;
    const key = this.#slot * KEY_LENGTH;
    const result = this.#slot * RESULT_LENGTH;
    keys[key] = run.flowSource;
    keys[key + 1] = run.flowDestination;
    keys[key + 2] = run.flowIif;
    keys[key + 3] = run.flowUsesMark ? run.mark : 0;
    keys[key + 4] = run.tos;
    keys[key + 5] = run.flowProtocol;
    keys[key + 6] = (run.flowSourcePort << 16) | run.flowDestinationPort;
    this.#results[result] = run.lookup;
    this.#results[result + 1] = run.foundRoute;
    this.#results[result + 2] = run.foundTable;
    this.#results[result + 3] = run.foundRule;
  }
}
