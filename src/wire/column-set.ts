const CACHE_LINE_BYTES = 64;

/** Cache lines of a page. */
const SKEWS = 64;

/**
 * Rows that are kept one by one (fragments that are held) are many: their columns share memory, which the skew would make a hundred times
 * as much.
 */
const FEW_ROWS = 16;
const SHARED_BYTES = 1024;

/** Cells of an address. */
const WORDS = 4;

type Column = Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Float64Array;

interface Clearing {
  readonly column: Column;
  readonly cells: number;
  readonly absent: number;
}

/**
 * Allocates the columns of a batch and moves rows between the same columns of two batches. Columns are allocated so that the cells of one row
 * do not all fall into the same few sets of the processor's cache: memory of this size begins at a page, and a frame's cells would lie at the
 * same place of some dozen pages.
 *
 * Rows are moved column by column: a loop over one column has few places in memory to follow, a row is spread over all of them. Each loop
 * is written out for its type of array, because a loop that meets several is several times slower.
 */
export class ColumnSet {
  private readonly capacity: number;
  private readonly bytes: Uint8Array[] = [];
  private readonly signedBytes: Int8Array[] = [];
  private readonly halves: Uint16Array[] = [];
  private readonly signedHalves: Int16Array[] = [];
  private readonly words: Uint32Array[] = [];
  private readonly doubles: Float64Array[] = [];
  private readonly addresses: Uint32Array[] = [];
  private readonly all: Column[] = [];
  private readonly clearings: Clearing[] = [];
  private shared = new ArrayBuffer(0);
  private sharedUsed = 0;
  /** Of columns that two threads see: made by the one, found by the other. */
  private readonly memories: SharedArrayBuffer[] = [];
  private readonly between: 'threads' | readonly SharedArrayBuffer[] | undefined;

  /** `between`: memory that another thread sees is allocated, or is that of the columns of another set, in the order of theirs. */
  constructor(capacity: number, between?: 'threads' | readonly SharedArrayBuffer[]) {
    this.capacity = capacity;
    this.between = between;
  }

  /** The memory of columns between threads, in their order. */
  get sharedMemory(): readonly SharedArrayBuffer[] {
    return this.memories;
  }

  /** A column. `absent` is what its cells hold in a row without that field; undefined keeps it from being cleared. */
  uint8(absent: number | undefined): Uint8Array {
    const column = new Uint8Array(...this.place(1), this.capacity);
    this.bytes.push(column);
    return this.register(column, absent, 1);
  }

  int8(absent: number | undefined): Int8Array {
    const column = new Int8Array(...this.place(1), this.capacity);
    this.signedBytes.push(column);
    return this.register(column, absent, 1);
  }

  uint16(absent: number | undefined): Uint16Array {
    const column = new Uint16Array(...this.place(2), this.capacity);
    this.halves.push(column);
    return this.register(column, absent, 1);
  }

  int16(absent: number | undefined): Int16Array {
    const column = new Int16Array(...this.place(2), this.capacity);
    this.signedHalves.push(column);
    return this.register(column, absent, 1);
  }

  uint32(absent: number | undefined): Uint32Array {
    const column = new Uint32Array(...this.place(4), this.capacity);
    this.words.push(column);
    return this.register(column, absent, 1);
  }

  float64(absent: number | undefined): Float64Array {
    const column = new Float64Array(...this.place(8), this.capacity);
    this.doubles.push(column);
    return this.register(column, absent, 1);
  }

  /** A column of four words a row. */
  address(absent: number | undefined): Uint32Array {
    const column = new Uint32Array(...this.place(4 * WORDS), WORDS * this.capacity);
    this.addresses.push(column);
    return this.register(column, absent, WORDS);
  }

  /** Sets the cells of the rows from `first` up to but not including `end` to "absent". */
  clear(first: number, end: number): void {
    for (const { column, cells, absent } of this.clearings) column.fill(absent, cells * first, cells * end);
  }

  /** Copies `count` rows that follow one another. */
  copy(from: ColumnSet, sourceRow: number, row: number, count: number): void {
    for (let index = 0; index < this.all.length; index++) {
      const column = this.all[index]!;
      const cells = column.length / this.capacity;
      const source = from.all[index]!;
      column.set(source.subarray(cells * sourceRow, cells * (sourceRow + count)), cells * row);
    }
  }

  /** Copies the rows whose numbers are `rows[first]` … `rows[first + count − 1]`, in this order. */
  gather(from: ColumnSet, rows: Uint32Array, first: number, count: number, row: number): void {
    for (let at = 0; at < this.bytes.length; at++) gather8(this.bytes[at]!, from.bytes[at]!, rows, first, count, row);
    for (let at = 0; at < this.signedBytes.length; at++) {
      gatherSigned8(this.signedBytes[at]!, from.signedBytes[at]!, rows, first, count, row);
    }
    for (let at = 0; at < this.halves.length; at++) {
      gather16(this.halves[at]!, from.halves[at]!, rows, first, count, row);
    }
    for (let at = 0; at < this.signedHalves.length; at++) {
      gatherSigned16(this.signedHalves[at]!, from.signedHalves[at]!, rows, first, count, row);
    }
    for (let at = 0; at < this.words.length; at++) gather32(this.words[at]!, from.words[at]!, rows, first, count, row);
    for (let at = 0; at < this.doubles.length; at++) {
      gatherDouble(this.doubles[at]!, from.doubles[at]!, rows, first, count, row);
    }
    for (let at = 0; at < this.addresses.length; at++) {
      gatherAddress(this.addresses[at]!, from.addresses[at]!, rows, first, count, row);
    }
  }

  private register<A extends Column>(column: A, absent: number | undefined, cells: number): A {
    this.all.push(column);
    if (absent !== undefined) this.clearings.push({ column, cells, absent });
    return column;
  }

  /** Memory for a column, and where in it the column begins. */
  private place(cellBytes: number): [memory: ArrayBufferLike, offset: number] {
    const length = cellBytes * this.capacity;
    if (this.between !== undefined) {
      const memory = this.between === 'threads' ? new SharedArrayBuffer(length) : this.between[this.memories.length]!;
      this.memories.push(memory);
      return [memory, 0];
    }
    if (this.capacity > FEW_ROWS) {
      const skew = (this.all.length % SKEWS) * CACHE_LINE_BYTES;
      return [new ArrayBuffer(skew + length), skew];
    }
    if (this.shared.byteLength - this.sharedUsed < length) {
      this.shared = new ArrayBuffer(Math.max(SHARED_BYTES * this.capacity, length));
      this.sharedUsed = 0;
    }
    const offset = this.sharedUsed;
    // The next column may have cells of eight bytes.
    this.sharedUsed += (length + 7) & ~7;
    return [this.shared, offset];
  }
}

function gather8(to: Uint8Array, from: Uint8Array, rows: Uint32Array, first: number, count: number, row: number): void {
  for (let index = 0; index < count; index++) to[row + index] = from[rows[first + index]!]!;
}

function gatherSigned8(
  to: Int8Array,
  from: Int8Array,
  rows: Uint32Array,
  first: number,
  count: number,
  row: number,
): void {
  for (let index = 0; index < count; index++) to[row + index] = from[rows[first + index]!]!;
}

function gather16(
  to: Uint16Array,
  from: Uint16Array,
  rows: Uint32Array,
  first: number,
  count: number,
  row: number,
): void {
  for (let index = 0; index < count; index++) to[row + index] = from[rows[first + index]!]!;
}

function gatherSigned16(
  to: Int16Array,
  from: Int16Array,
  rows: Uint32Array,
  first: number,
  count: number,
  row: number,
): void {
  for (let index = 0; index < count; index++) to[row + index] = from[rows[first + index]!]!;
}

function gather32(
  to: Uint32Array,
  from: Uint32Array,
  rows: Uint32Array,
  first: number,
  count: number,
  row: number,
): void {
  for (let index = 0; index < count; index++) to[row + index] = from[rows[first + index]!]!;
}

function gatherDouble(
  to: Float64Array,
  from: Float64Array,
  rows: Uint32Array,
  first: number,
  count: number,
  row: number,
): void {
  for (let index = 0; index < count; index++) to[row + index] = from[rows[first + index]!]!;
}

function gatherAddress(
  to: Uint32Array,
  from: Uint32Array,
  rows: Uint32Array,
  first: number,
  count: number,
  row: number,
): void {
  for (let index = 0; index < count; index++) {
    const at = WORDS * (row + index);
    const source = WORDS * rows[first + index]!;
    to[at] = from[source]!;
    to[at + 1] = from[source + 1]!;
    to[at + 2] = from[source + 2]!;
    to[at + 3] = from[source + 3]!;
  }
}
