import { describe, expect, it } from 'vitest';
import { PacketBatch } from '../../src/wire/packet-batch.ts';
import { columnsOf, rowOf } from './decoded-row.ts';

const PROVENANCE = new Set([
  'file',
  'frameNumber',
  'captureInterface',
  'seconds',
  'nanoseconds',
  'capturedLength',
  'originalLength',
]);

/** Every cell of every column holds a number of its own, as far as the column is wide enough. */
function filledBatch(capacity: number): PacketBatch {
  const batch = new PacketBatch(capacity);
  let value = 1;
  for (const [, column] of columnsOf(batch)) for (let at = 0; at < column.length; at++) column[at] = value++;
  return batch;
}

describe('PacketBatch', () => {
  it('has four words a row for addresses and one cell a row for everything else', () => {
    for (const [name, column] of columnsOf(new PacketBatch(5))) {
      expect(column.length, name).toBe(/^(?:source|destination|quotedSource|quotedDestination)$/.test(name) ? 20 : 5);
    }
  });

  // Few rows are cleared one by one, many column by column.
  it.each([1, 2, 95, 96, 300])('copies %i rows, every column, and nothing beside them', (count) => {
    const from = filledBatch(400);
    const to = new PacketBatch(350);
    to.copyRows(from, 50, 20, count);
    const empty = rowOf(new PacketBatch(1), 0);
    for (let row = 0; row < 350; row++) {
      const isCopied = row >= 20 && row < 20 + count;
      expect(rowOf(to, row), `row ${row}`).toEqual(isCopied ? rowOf(from, row + 30) : empty);
    }
  });

  it.each([0, 1, 2, 7, 300])('gathers %i rows in any order, every column, and nothing beside them', (count) => {
    const from = filledBatch(400);
    const to = new PacketBatch(350);
    const rows = Uint32Array.from({ length: 320 }, (_, index) => (index * 37 + 5) % 400);
    to.gatherRows(from, rows, 11, 20, count);
    const empty = rowOf(new PacketBatch(1), 0);
    for (let row = 0; row < 350; row++) {
      const isCopied = row >= 20 && row < 20 + count;
      expect(rowOf(to, row), `row ${row}`).toEqual(isCopied ? rowOf(from, rows[11 + row - 20]!) : empty);
    }
  });

  it.each([1, 2, 95, 96, 300])('clears %i rows, every decoded column, and nothing beside them', (count) => {
    const batch = filledBatch(350);
    const before = filledBatch(350);
    batch.clearRows(20, 20 + count);
    for (let row = 0; row < 350; row++) {
      const want = { ...rowOf(before, row) };
      if (row >= 20 && row < 20 + count) {
        for (const name of Object.keys(want)) {
          if (PROVENANCE.has(name)) continue;
          const isAbsentBelowZero = /Mac$|^vlan$|^innerVlan$|^tcpWindowScale$/.test(name);
          want[name] = Array.isArray(want[name]) ? [0, 0, 0, 0] : isAbsentBelowZero ? -1 : 0;
        }
      }
      expect(rowOf(batch, row), `row ${row}`).toEqual(want);
    }
  });
});
