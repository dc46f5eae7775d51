/** Choices in one world; a packet that meets more is given up as undetermined. */
const DEPTH_LIMIT = 24;

/** Worlds tried for one packet; beyond, it is given up as undetermined. */
export const WORLD_LIMIT = 96;

/**
 * The ways a packet could go where something about the router is unknown. A walk asks {@link Worlds.choose} at each unknown and gets
 * one of the possible answers; the walk is then repeated until every combination was taken. What holds in all of them is certain.
 *
 * Repeating the one walk, instead of carrying "unknown" through all of its arithmetic, leaves the known case free of cost, keeps
 * correlated unknowns together (a sysctl has one value per world) and cannot forget an unknown on the way.
 */
export class Worlds {
  /** Choices met in the present world. */
  depth = 0;
  /** More choices than can be followed were met: the union of the worlds seen is not all of them. */
  overflow = false;
  #position = 0;
  readonly #picks = new Int32Array(DEPTH_LIMIT);
  readonly #arity = new Int32Array(DEPTH_LIMIT);
  readonly #reasons = new Int32Array(DEPTH_LIMIT);

  /** Forgets everything: the first world of a new packet. */
  begin(): void {
    this.depth = 0;
    this.#position = 0;
    this.overflow = false;
  }

  /** One of 0 … count − 1; `reason` is the id of what is unknown. */
  choose(count: number, reason: number): number {
    const position = this.#position;
    if (position >= DEPTH_LIMIT) {
      this.overflow = true;
      return 0;
    }
    if (position === this.depth) {
      this.#picks[position] = 0;
      this.#arity[position] = count;
      this.#reasons[position] = reason;
      this.depth++;
    }
    this.#position = position + 1;
    return this.#picks[position]!;
  }

  /**
   * Goes on to the next world: the last choice that has another answer takes it, later ones are met anew. Returns the position of
   * that choice, −1 when all worlds were taken.
   */
  next(): number {
    this.#position = 0;
    while (this.depth > 0) {
      const last = this.depth - 1;
      if (this.#picks[last]! + 1 < this.#arity[last]!) {
        this.#picks[last]!++;
        return last;
      }
      this.depth = last;
    }
    return -1;
  }

  /** Of a choice in the present world. */
  reasonAt(position: number): number {
    return this.#reasons[position]!;
  }

  /** Choices that the walk has passed so far. */
  get position(): number {
    return this.#position;
  }
}
