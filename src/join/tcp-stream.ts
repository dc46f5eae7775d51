/** Pieces apart from each other that are kept; a capture that loses more segments than that gives no more. */
const MAX_PIECES = 64;

/** The beginning of one direction of a TCP connection, put together from segments in any order; bounded. */
export class TcpStream {
  readonly #limit: number;
  #bytes = new Uint8Array(0);
  /** What is there, as `[begin, end)` in ascending order, apart from each other. */
  #pieces: (readonly [number, number])[] = [];
  #base: number | undefined;
  /** More was sent than is kept. */
  isCut = false;
  /** A segment came while it was not known where the stream begins. */
  lacksBegin = false;

  /** @param limit Bytes kept. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The sequence number of the first byte; the first call counts. */
  beginAt(sequence: number): void {
    this.#base ??= sequence >>> 0;
  }

  /** Adds what a segment holds; of bytes that come twice the first are kept. */
  add(sequence: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.#base === undefined) {
      this.lacksBegin = true;
      return;
    }
    // Signed: a retransmission may begin before the stream (a keepalive does).
    let begin = (sequence - this.#base) | 0;
    let from = 0;
    if (begin < 0) {
      from = -begin;
      begin = 0;
    }
    if (from >= bytes.length) return;
    if (begin >= this.#limit) {
      this.isCut = true;
      return;
    }
    const end = Math.min(begin + bytes.length - from, this.#limit);
    if (begin + bytes.length - from > this.#limit) this.isCut = true;
    this.#write(begin, bytes.subarray(from, from + end - begin));
  }

  /** The bytes from the begin up to the first that is missing. A view; valid until the next segment. */
  get prefix(): Uint8Array {
    const [first] = this.#pieces;
    return first === undefined || first[0] > 0 ? this.#bytes.subarray(0, 0) : this.#bytes.subarray(0, first[1]);
  }

  /** Something is missing between bytes that are there. */
  get hasGap(): boolean {
    return this.#pieces.length > 1 || (this.#pieces[0]?.[0] ?? 0) > 0;
  }

  #write(begin: number, bytes: Uint8Array): void {
    const end = begin + bytes.length;
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.min(Math.max(end, 2 * this.#bytes.length), this.#limit));
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    let at = begin;
    for (const [from, to] of this.#pieces) {
      if (to <= at) continue;
      if (from >= end) break;
      if (from > at) this.#bytes.set(bytes.subarray(at - begin, from - begin), at);
      at = Math.max(at, to);
    }
    if (at < end) this.#bytes.set(bytes.subarray(at - begin), at);
    const pieces = mergePieces([...this.#pieces, [begin, end]]);
    if (pieces.length > MAX_PIECES) this.isCut = true;
    this.#pieces = pieces.slice(0, MAX_PIECES);
  }
}

function mergePieces(pieces: readonly (readonly [number, number])[]): (readonly [number, number])[] {
  const merged: (readonly [number, number])[] = [];
  for (const [begin, end] of pieces.toSorted((a, b) => a[0] - b[0])) {
    const last = merged.at(-1);
    if (last !== undefined && begin <= last[1]) merged[merged.length - 1] = [last[0], Math.max(last[1], end)];
    else merged.push([begin, end]);
  }
  return merged;
}
