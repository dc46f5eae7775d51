import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decode, type Row } from '../wire/decoded-row.ts';
import { arp, ethernet, icmp, ipv4, ipv6, layOut, tcp, udp, vlanTag } from '../wire/frame-bytes.ts';
import {
  enhancedPacket,
  interfaceDescription,
  numberedFrame,
  pcapFile,
  readAll,
  sectionHeader,
  temporaryFolder,
  writerOf,
} from './capture-bytes.ts';

const folder = temporaryFolder();

/** A file of frames at these times (microseconds), numbered in file order. */
function fileOf(times: readonly number[]): Uint8Array {
  return pcapFile(
    times.map((time, index) => ({
      seconds: Math.floor(time / 1_000_000),
      fraction: time % 1_000_000,
      bytes: numberedFrame(index & 0xffff),
    })),
  );
}

interface Delivered {
  readonly file: number;
  readonly frame: number;
  readonly time: number;
}

function delivered(rows: readonly Row[]): Delivered[] {
  return rows.map((row) => ({
    file: Number(row.file),
    frame: Number(row.frameNumber),
    time: Number(row.seconds) * 1_000_000 + Number(row.nanoseconds) / 1000,
  }));
}

/** All frames of the files by time, then file, then place in the file. */
function sorted(files: readonly (readonly number[])[]): Delivered[] {
  return files
    .flatMap((times, file) => times.map((time, index) => ({ file, frame: index + 1, time })))
    .sort((a, b) => a.time - b.time || a.file - b.file || a.frame - b.frame);
}

/** What decoding sets. */
function withoutProvenance(row: Row): Row {
  return { ...row, file: 0, frameNumber: 0, captureInterface: 0, seconds: 0, nanoseconds: 0 };
}

/** The columns are those of the frame that the row says it is. */
function expectRowsWhole(rows: readonly Row[]): void {
  const isWhole = (row: Row): boolean =>
    row.tcpWindow === ((Number(row.frameNumber) - 1) & 0xffff) && row.destinationPort === 3389 && row.status === 1027;
  expect(rows.filter((row) => !isWhole(row))).toEqual([]);
}

/** Times that rise, each then moved within `reach` places, with many equal ones. */
function shuffledWithin(reach: number): fc.Arbitrary<number[]> {
  return fc.array(fc.tuple(fc.nat(3), fc.nat(reach)), { maxLength: 9000 }).map((steps) => {
    let time = 5_000_000;
    const moved = steps.map(([step, delay], index) => {
      time += step;
      return { time, place: index + delay };
    });
    return moved.sort((a, b) => a.place - b.place).map((frame) => frame.time);
  });
}

let counter = 0;
function write(content: Uint8Array): string {
  counter++;
  return folder.write(`order-${counter % 8}.pcap`, content);
}

describe('time order', () => {
  it('frames out of order within the window come as from a sorted file, whatever the batch', async () => {
    await fc.assert(
      fc.asyncProperty(shuffledWithin(40), fc.integer({ min: 1, max: 300 }), async (times, capacity) => {
        const path = write(fileOf(times));
        const { rows, captures } = await readAll([{ path }], { reorderWindow: 64 }, capacity);
        expect(delivered(rows)).toEqual(sorted([times]));
        expect(captures.problems()).toEqual([]);
        expectRowsWhole(rows);
      }),
      { numRuns: 25 },
    );
  });

  it('several files, each out of order within the window, are merged by time', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(shuffledWithin(20), { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 1, max: 300 }),
        async (files, capacity) => {
          const inputs = files.map((times) => ({ path: write(fileOf(times)) }));
          const { rows, captures } = await readAll(inputs, { reorderWindow: 32 }, capacity);
          expect(delivered(rows)).toEqual(sorted(files));
          expect(captures.problems()).toEqual([]);
          expectRowsWhole(rows);
        },
      ),
      { numRuns: 25 },
    );
  });

  it('any order at all loses no frame, and each that comes too late is counted', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(100_000), { minLength: 4097, maxLength: 12_000 }),
        fc.integer({ min: 0, max: 50 }),
        async (times, reorderWindow) => {
          const { rows, captures } = await readAll([{ path: write(fileOf(times)) }], { reorderWindow }, 500);
          const got = delivered(rows);
          expect([...got].sort((a, b) => a.frame - b.frame)).toEqual(
            times.map((time, index) => ({ file: 0, frame: index + 1, time })),
          );
          let latest = Number.NEGATIVE_INFINITY;
          let late = 0;
          for (const { time } of got) {
            if (time < latest) late++;
            latest = Math.max(latest, time);
          }
          expect(captures.problems()[0]?.count ?? 0).toBe(late);
          expectRowsWhole(rows);
        },
      ),
      { numRuns: 20 },
    );
  });

  it('a frame beyond the window is delivered, and said with its number', async () => {
    const times = Array.from({ length: 20_000 }, (_, index) => 1_000_000 + index);
    times[15_000] = 1_000_000;
    const path = write(fileOf(times));
    const { rows, captures } = await readAll([{ path }], { reorderWindow: 100 });
    expect(rows).toHaveLength(20_000);
    expect(captures.problems()).toEqual([
      {
        code: 'RV901',
        message: expect.stringContaining('1 frame of'),
        count: 1,
        where: { kind: 'frame', path, frame: 15_001 },
        fix: [expect.stringContaining('reordercap')],
      },
    ]);
    expect((await readAll([{ path }])).captures.problems()).toEqual([]);
  });

  it('interfaces that dumpcap wrote in batches come in the order of events', async () => {
    const writer = writerOf(true);
    const blocks = [sectionHeader(writer), interfaceDescription(writer), interfaceDescription(writer, [], 1, 96)];
    // A frame comes in on one interface and leaves by the other a microsecond later; they are written 500 at a time.
    for (let batch = 0; batch < 40; batch++) {
      for (const interfaceId of [1, 0]) {
        for (let index = 0; index < 500; index++) {
          const time = BigInt(1_000_000 + 10 * (batch * 500 + index) + (interfaceId === 0 ? 0 : 1));
          blocks.push(enhancedPacket(writer, { interfaceId, time }));
        }
      }
    }
    const path = folder.write('batches.pcapng', layOut(...blocks));
    const { rows, captures } = await readAll([{ path }], { reorderWindow: 2000 }, 4096);
    expect(rows.map((row) => row.captureInterface)).toEqual(rows.map((_, index) => index % 2));
    expect(captures.problems()).toEqual([]);
  });

  it('equal times keep the order of the files, then that of the file', async () => {
    const times = Array.from({ length: 5000 }, () => 7_000_000);
    const inputs = [0, 1, 2].map(() => ({ path: write(fileOf(times)) }));
    const { rows } = await readAll(inputs, { reorderWindow: 10 }, 77);
    expect(delivered(rows)).toEqual(sorted([times, times, times]));
  });

  it.each([0, 50, 20_000])(
    'each row is as if decoded alone, with a window of %i, whatever stood there before',
    async (reorderWindow) => {
      const kinds = [
        ethernet(0x8100, vlanTag(7, 0x0800, ipv4({}, tcp({ options: layOut([3, 0x030305], [1, 0]) })))),
        ethernet(0x0806, arp(2)),
        ethernet(0x88cc, layOut([40, 1])),
        ethernet(0x86dd, ipv6({ nextHeader: 58 }, icmp(1, 0, 0, ipv6({}, tcp())))),
        ethernet(0x0800, ipv4({ protocol: 1 }, icmp(5, 0, 0xac100001, ipv4({ protocol: 17 }, udp(layOut([9, 1])))))),
        ethernet(0x0800, ipv4({}, tcp())).subarray(0, 20),
      ];
      const want = kinds.map((frame) => withoutProvenance(decode(frame)));
      const kindOf = (index: number): number => Math.floor(((index * 2_654_435_761) % 4_294_967_296) / 715_827_883);
      const path = write(
        pcapFile(
          Array.from({ length: 12_000 }, (_, index) => ({
            seconds: 1_000_000 + Math.floor(index / 1000),
            // In order, then in batches of forty turned around, then in order.
            fraction: (index % 1000) + (index > 4000 && index < 9000 && index % 80 < 40 ? 40 : 0),
            bytes: kinds[kindOf(index)]!,
          })),
        ),
      );
      const { rows } = await readAll([{ path }], { reorderWindow }, 700);
      const wrong = rows.filter((row) => {
        const expected = want[kindOf(Number(row.frameNumber) - 1)];
        return JSON.stringify(withoutProvenance(row)) !== JSON.stringify(expected);
      });
      expect(rows).toHaveLength(12_000);
      expect(wrong).toEqual([]);
    },
  );

  it('falling times are sorted in good time', async () => {
    const count = 40_000;
    const times = Array.from({ length: count }, (_, index) => 1_000_000 + count - index);
    const { rows, captures } = await readAll([{ path: write(fileOf(times)) }], {}, 4096);
    expect(delivered(rows)).toEqual(sorted([times]));
    expect(captures.problems()).toEqual([]);
  });
});
