import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FrameReader } from '../../src/capture/frame-reader.ts';
import { ReadResult } from '../../src/capture/frame-reader.ts';
import { LiveQueue } from '../../src/capture/live-queue.ts';
import { PacketBatch } from '../../src/wire/packet-batch.ts';

/** A reader of frames that have nothing but a time, and a number by which they are known again. */
function reader(times: readonly number[], file: number): FrameReader {
  let at = 0;
  return {
    next: (batch: PacketBatch, row: number) => {
      if (at === times.length) return ReadResult.end;
      batch.file[row] = file;
      batch.frameNumber[row] = at + 1;
      batch.seconds[row] = Math.floor(times[at]! / 10);
      batch.nanoseconds[row] = times[at]! % 10;
      at++;
      return ReadResult.frame;
    },
  } as FrameReader;
}

describe('frames of live sources are put in order', () => {
  const times = fc.array(fc.nat(60), { maxLength: 300 });
  it('as sorting them does, equal times by source and arrival', () => {
    fc.assert(
      fc.property(times, times, fc.integer({ min: 1, max: 64 }), (a, b, capacity) => {
        const queues = [new LiveQueue(), new LiveQueue()] as const;
        for (const [file, own] of [a, b].entries())
          expect(queues[file]!.readFrom(reader(own, file), undefined)).toBe(ReadResult.end);
        const got: string[] = [];
        const batch = new PacketBatch(capacity);
        while (queues[0].length + queues[1].length > 0) {
          const [first, second] = queues;
          const isFirst = second.length === 0 || (first.length > 0 && first.compareFirst(second) <= 0);
          const [chosen, other] = isFirst ? [first, second] : [second, first];
          const count = chosen.take(batch, 0, Number.POSITIVE_INFINITY, other.length > 0 ? other : undefined, isFirst);
          expect(count).toBeGreaterThan(0);
          for (let row = 0; row < count; row++) got.push(`${batch.file[row]}/${batch.frameNumber[row]}`);
        }
        const want = [a, b]
          .flatMap((own, file) => own.map((time, index) => ({ time, name: `${file}/${index + 1}` })))
          .sort((x, y) => x.time - y.time);
        expect(got).toEqual(want.map((item) => item.name));
      }),
      { numRuns: 60 },
    );
  });

  it('and none is given before its time', () => {
    const queue = new LiveQueue();
    queue.readFrom(reader([10, 20, 30], 0), undefined);
    const batch = new PacketBatch(8);
    expect(queue.take(batch, 0, 1.5e9, undefined, true)).toBe(1);
    expect(queue.take(batch, 0, 1.5e9, undefined, true)).toBe(0);
    expect([queue.length, queue.firstTime, queue.lastTime]).toEqual([2, 2e9, 3e9]);
  });
});
