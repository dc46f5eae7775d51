/** Beyond so many, every connection counts as lost: memory is bounded, and so much unknown leaves little to say. */
const LIMIT = 1 << 16;

/**
 * Connections that a packet of which too little is known may have begun, changed or ended: an entry is neither believed nor denied.
 * Their tuples are known by both ends; where addresses may have been translated, each end by itself, as the sender of what follows.
 */
export class LostConnections {
  readonly #tuples = new Set<string>();
  readonly #ends = new Set<string>();
  readonly #hosts = new Set<string>();
  #all = false;

  /** Whether nothing was lost: what every packet asks first. */
  get isEmpty(): boolean {
    return this.#tuples.size === 0 && this.#hosts.size === 0 && !this.#all;
  }

  clear(): void {
    this.#tuples.clear();
    this.#ends.clear();
    this.#hosts.clear();
    this.#all = false;
  }

  /** Ports as source << 16 | destination; of an ICMP query the identifier twice. */
  add(protocol: number, source: number, destination: number, ports: number, maybeTranslated: boolean): void {
    if (this.#tuples.size >= LIMIT) this.#all = true;
    if (this.#all) return;
    this.#tuples.add(tupleKey(protocol, source, destination, ports));
    if (!maybeTranslated) return;
    this.#ends.add(endKey(protocol, source, ports >>> 16));
    this.#ends.add(endKey(protocol, destination, ports & 0xffff));
  }

  /** Every connection. */
  addAll(): void {
    this.#all = true;
  }

  /** Any connection of a protocol between two hosts. Where addresses may be translated, its other side can be anybody's. */
  addHosts(protocol: number, source: number, destination: number, maybeTranslated: boolean): void {
    if (maybeTranslated || this.#hosts.size >= LIMIT) this.#all = true;
    if (this.#all) return;
    this.#hosts.add(hostsKey(protocol, source, destination));
  }

  /** The tuple itself, in whichever direction. */
  has(protocol: number, source: number, destination: number, ports: number): boolean {
    if (this.#all || this.#tuples.has(tupleKey(protocol, source, destination, ports))) return true;
    return this.#hosts.size > 0 && this.#hosts.has(hostsKey(protocol, source, destination));
  }

  /** The sender is an end of a lost connection that may have other addresses on its other side. */
  hasEnd(protocol: number, source: number, ports: number): boolean {
    return this.#ends.has(endKey(protocol, source, ports >>> 16));
  }
}

function hostsKey(protocol: number, a: number, b: number): string {
  return a >>> 0 < b >>> 0 ? `${protocol} ${a >>> 0} ${b >>> 0}` : `${protocol} ${b >>> 0} ${a >>> 0}`;
}

function endKey(protocol: number, address: number, port: number): string {
  return `${protocol} ${address >>> 0} ${port}`;
}

function tupleKey(protocol: number, source: number, destination: number, ports: number): string {
  const a = `${source >>> 0} ${ports >>> 16}`;
  const b = `${destination >>> 0} ${ports & 0xffff}`;
  return a < b ? `${protocol} ${a} ${b}` : `${protocol} ${b} ${a}`;
}
