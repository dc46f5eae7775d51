/** A leg that was open when the capture began: when it was seen, nanoseconds. */
export interface OpenLeg {
  readonly firstTime: number;
  readonly lastTime: number;
  /** It is somebody's, and nobody else's any more. */
  isTaken: boolean;
}

/** So many are looked at one by one. */
const FEW = 16;

/**
 * Legs in the order in which they came, of which the first is asked for that was open at some time of an interval. Asking takes the
 * logarithm of their number.
 */
export class OpenLegs<Leg extends OpenLeg> {
  #legs: Leg[] = [];
  /** A binary tree of the least first times, its leaves from the middle on; infinite where nothing is left. */
  #tree: Float64Array | undefined;
  /** Places by last time, and how many of them are over. */
  #byEnd: Uint32Array | undefined;
  #over = 0;

  get legs(): readonly Leg[] {
    return this.#legs;
  }

  /** The leg's place. */
  add(leg: Leg): number {
    this.#tree = undefined;
    // Mostly it is the only one: an array that is made with it has no room for more.
    if (this.#legs.length === 0) this.#legs = [leg];
    else this.#legs.push(leg);
    return this.#legs.length - 1;
  }

  /** Nobody else gets the leg at a place. */
  take(place: number): void {
    this.legs[place]!.isTaken = true;
    this.#remove(place);
  }

  #remove(place: number): void {
    const tree = this.#tree;
    if (tree === undefined) return;
    let node = tree.length / 2 + place;
    tree[node] = Number.POSITIVE_INFINITY;
    for (node >>= 1; node > 0; node >>= 1) tree[node] = Math.min(tree[2 * node]!, tree[2 * node + 1]!);
  }

  /** The first place, from one on, of a leg that was open between two times; −1 where there is none. `first` may never become less. */
  find(first: number, last: number, from = 0): number {
    if (this.legs.length <= FEW) return this.#findAmongFew(first, last, from);
    const tree = this.#tree ?? this.#plant();
    const byEnd = this.#byEnd!;
    for (; this.#over < byEnd.length; this.#over++) {
      const place = byEnd[this.#over]!;
      if (this.legs[place]!.lastTime >= first) break;
      this.#remove(place);
    }
    const leaves = tree.length / 2;
    if (from >= leaves) return -1;
    let node = leaves + from;
    // Up, until something at or right of the place is early enough, and down to the first that is.
    while (tree[node]! > last) {
      while ((node & 1) === 1) node >>= 1;
      if (node === 0) return -1;
      node++;
    }
    while (node < leaves) node = tree[2 * node]! <= last ? 2 * node : 2 * node + 1;
    return node - leaves;
  }

  #findAmongFew(first: number, last: number, from: number): number {
    for (let place = from; place < this.legs.length; place++) {
      const { firstTime, lastTime, isTaken } = this.legs[place]!;
      if (!isTaken && first <= lastTime && firstTime <= last) return place;
    }
    return -1;
  }

  #plant(): Float64Array {
    let leaves = 1;
    while (leaves < this.legs.length) leaves *= 2;
    const tree = new Float64Array(2 * leaves).fill(Number.POSITIVE_INFINITY);
    this.legs.forEach(({ firstTime, isTaken }, place) => {
      if (!isTaken) tree[leaves + place] = firstTime;
    });
    for (let node = leaves - 1; node > 0; node--) tree[node] = Math.min(tree[2 * node]!, tree[2 * node + 1]!);
    this.#tree = tree;
    this.#byEnd = Uint32Array.from(this.legs.keys()).sort((a, b) => this.legs[a]!.lastTime - this.legs[b]!.lastTime);
    this.#over = 0;
    return tree;
  }
}
