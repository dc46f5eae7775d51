/** Numbers of connections, each once and ascending. Meant for numbers that mostly come in order, by the hundred thousand. */
export class ConnectionIds implements Iterable<number> {
  #ids: number[] = [];
  /** What stands behind these came out of order, and may be there twice. */
  #settled = 0;

  get size(): number {
    this.#settle();
    return this.#ids.length;
  }

  add(id: number): void {
    const ids = this.#ids;
    const isInOrder = this.#settled === ids.length && (ids.length === 0 || ids[ids.length - 1]! < id);
    if (!isInOrder && ids[ids.length - 1] === id) return;
    ids.push(id);
    if (isInOrder) this.#settled = ids.length;
    else if (ids.length > 2 * this.#settled + 1024) this.#settle();
  }

  has(id: number): boolean {
    this.#settle();
    const ids = this.#ids;
    let low = 0;
    let high = ids.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (ids[middle]! < id) low = middle + 1;
      else high = middle;
    }
    return ids[low] === id;
  }

  [Symbol.iterator](): Iterator<number> {
    this.#settle();
    return this.#ids[Symbol.iterator]();
  }

  /** As they stand now. */
  toArray(): number[] {
    this.#settle();
    return this.#ids.slice();
  }

  #settle(): void {
    if (this.#settled === this.#ids.length) return;
    this.#ids = this.#ids.sort((a, b) => a - b).filter((id, at, ids) => at === 0 || ids[at - 1] !== id);
    this.#settled = this.#ids.length;
  }
}
