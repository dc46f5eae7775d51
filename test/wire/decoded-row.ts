import { decodeFrame } from '../../src/wire/decode-frame.ts';
import { PacketBatch, Status } from '../../src/wire/packet-batch.ts';

/** Columns of a batch by name. */
export type Row = Readonly<Record<string, number | readonly number[]>>;

type Column = Float64Array | Uint32Array | Uint16Array | Int16Array | Uint8Array | Int8Array;

/** Every column of a row; those of four words as a list. */
export function rowOf(batch: PacketBatch, row: number): Row {
  const values: Record<string, number | readonly number[]> = {};
  for (const [name, column] of columnsOf(batch)) {
    values[name] = column.length === 4 * batch.capacity ? [...column.subarray(4 * row, 4 * row + 4)] : column[row]!;
  }
  return values;
}

/** The columns of a batch, by reflection: a column that is added is seen by the tests. */
export function columnsOf(batch: PacketBatch): readonly [string, Column][] {
  const known = columnsByBatch.get(batch);
  if (known !== undefined) return known;
  const columns = Object.entries(batch).filter((entry): entry is [string, Column] => ArrayBuffer.isView(entry[1]));
  columnsByBatch.set(batch, columns);
  return columns;
}

const columnsByBatch = new WeakMap<PacketBatch, readonly [string, Column][]>();

/** Decodes a frame that lies in the midst of `filler` bytes, into a row that holds rubbish. */
export function decode(
  frame: Uint8Array,
  given: {
    readonly linkType?: number;
    readonly capturedLength?: number;
    readonly originalLength?: number;
    readonly filler?: number;
    readonly verifyChecksums?: boolean;
  } = {},
): Row {
  const margin = 64;
  const buffer = new Uint8Array(frame.length + 2 * margin).fill(given.filler ?? 0xaa);
  const capturedLength = given.capturedLength ?? frame.length;
  buffer.set(frame.subarray(0, capturedLength), margin);
  const batch = new PacketBatch(3);
  for (const [, column] of columnsOf(batch)) column.fill(77);
  const originalLength = given.originalLength ?? frame.length;
  const verifyChecksums = given.verifyChecksums ?? false;
  decodeFrame(buffer, margin, capturedLength, originalLength, given.linkType ?? 1, batch, 1, verifyChecksums);
  for (const [name, column] of columnsOf(batch)) {
    const width = column.length / batch.capacity;
    if (column[0] !== 77 || column[width - 1] !== 77 || column[2 * width] !== 77) {
      throw new Error(`another row's ${name} was written`);
    }
  }
  return rowOf(batch, 1);
}

/** The names of the status bits that are set. */
export function statusNames(status: number): string[] {
  return Object.entries(Status)
    .filter(([, bit]) => (status & bit) !== 0)
    .map(([name]) => name);
}
