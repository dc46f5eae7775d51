import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { layOut } from '../wire/frame-bytes.ts';
import { numberedFrame, pcapFile, readAll, temporaryFolder } from './capture-bytes.ts';

const folder = temporaryFolder();

/** Bytes that gzip cannot make small, so that a cut falls where we put it. */
function noise(length: number): Uint8Array {
  let state = 1;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state >>> 24;
  });
}

const FRAME_COUNT = 3000;
const CAPTURE = pcapFile(
  Array.from({ length: FRAME_COUNT }, (_, index) => ({
    fraction: index,
    bytes: layOut(numberedFrame(index), noise(200)),
  })),
);

describe('gzip', () => {
  it('is recognised by its content and read like the file in it', async () => {
    const plain = folder.write('plain.bin', CAPTURE);
    const compressed = folder.write('compressed.bin', gzipSync(CAPTURE));
    const want = await readAll([{ path: plain }]);
    const got = await readAll([{ path: compressed }]);
    expect(got.rows).toEqual(want.rows);
    expect(got.captures.problems()).toEqual([]);
    expect(got.captures.files()[0]).toMatchObject({ format: 'pcap', packets: FRAME_COUNT });
  });

  it('holds several members one after the other, wherever they meet', async () => {
    // The second one begins at many places relative to what is read at once.
    for (const cut of [10, 600, 65_535, 65_536, 65_537, CAPTURE.length - 1]) {
      const members = layOut(gzipSync(CAPTURE.subarray(0, cut)), gzipSync(CAPTURE.subarray(cut)));
      const path = folder.write('members.pcap.gz', members);
      const { rows, captures } = await readAll([{ path }]);
      expect(rows, `cut at ${cut}`).toHaveLength(FRAME_COUNT);
      expect(captures.problems()).toEqual([]);
    }
    // A first member, not compressed, that ends right where a piece of input does.
    for (const length of [65_536, 65_536 + 512, 131_072 + 512]) {
      const overhead = gzipSync(noise(length), { level: 0 }).length - length;
      for (const slack of [-1, 0, 1]) {
        const first = gzipSync(CAPTURE.subarray(0, length - overhead + slack), { level: 0 });
        const path = folder.write(
          'aligned.pcap.gz',
          layOut(first, gzipSync(CAPTURE.subarray(length - overhead + slack))),
        );
        const { rows, captures } = await readAll([{ path }]);
        expect(rows, `first member of ${first.length} bytes`).toHaveLength(FRAME_COUNT);
        expect(captures.problems()).toEqual([]);
      }
    }
  });

  it('that is cut short is read as far as it goes, and that is said', async () => {
    const compressed = gzipSync(CAPTURE, { level: 0 });
    for (const keep of [2000, 70_000, 300_000, compressed.length - 9, compressed.length - 1]) {
      const path = folder.write('cut.pcap.gz', compressed.subarray(0, keep));
      const { rows, captures } = await readAll([{ path }]);
      // Stored blocks: what is there of a frame is its own length, but for some bytes of framing.
      const want = Math.min(FRAME_COUNT, Math.floor((keep - 24) / 270));
      expect(rows.length, `${keep} bytes`).toBeGreaterThanOrEqual(want - 2);
      expect(rows.length, `${keep} bytes`).toBeLessThanOrEqual(want);
      expect(captures.files()[0]?.truncated).toBe(true);
      expect(captures.problems()).toMatchObject([
        { code: 'RV101', message: expect.stringContaining('the compressed data ends early') },
      ]);
    }
  });

  it('with broken data in the middle is read up to about there, and that is said', async () => {
    const compressed = gzipSync(CAPTURE);
    const broken = layOut(compressed.subarray(0, 40_000), noise(40_000));
    const path = folder.write('broken.pcap.gz', broken);
    const { rows, captures } = await readAll([{ path }]);
    expect(rows.length).toBeLessThan(FRAME_COUNT);
    expect(captures.problems()).toMatchObject([{ code: 'RV101' }]);
  });

  it('followed by garbage is no silent end', async () => {
    const path = folder.write('tail.pcap.gz', layOut(gzipSync(CAPTURE), noise(1000).fill(7)));
    const { rows, captures } = await readAll([{ path }]);
    // What the decompressor had in hand when it met the garbage is lost.
    expect(rows.length).toBeGreaterThan(FRAME_COUNT - 65_536 / 270 - 1);
    expect(captures.problems()).toMatchObject([{ code: 'RV101', message: expect.stringContaining('broken') }]);
  });

  it('that holds far more than its size is read up to there, and how to go on is said', async () => {
    // Frames of zeros over and over: gzip makes a thousandth of them.
    const record = pcapFile([{ fraction: 0, bytes: new Uint8Array(200_000) }]).subarray(24);
    const many = Buffer.concat(Array.from({ length: 1000 }, () => record));
    const bomb = layOut(gzipSync(CAPTURE), gzipSync(many));
    const path = folder.write('bomb.pcap.gz', bomb);
    const { rows, captures } = await readAll([{ path }]);
    // 64 MiB are always read.
    expect(rows.length).toBeGreaterThan(FRAME_COUNT + (0x400_0000 - CAPTURE.length) / 200_016 - 10);
    expect(rows.length).toBeLessThan(FRAME_COUNT + 600);
    expect(captures.files()[0]?.truncated).toBe(true);
    expect(captures.problems()).toMatchObject([
      {
        code: 'RV101',
        message: expect.stringMatching(/more than 50 times its size.*gzip -dc FILE \| redirect-verify -/),
      },
    ]);
  });

  it('that shrinks by so much is read whole where it is small', async () => {
    const record = pcapFile([{ fraction: 0, bytes: new Uint8Array(200_000) }]).subarray(24);
    const many = Buffer.concat(Array.from({ length: 200 }, () => record));
    const path = folder.write('small.pcap.gz', gzipSync(layOut(CAPTURE, many)));
    const { rows, captures } = await readAll([{ path }]);
    expect(rows).toHaveLength(FRAME_COUNT + 200);
    expect(captures.problems()).toEqual([]);
  });

  it('inside gzip is refused', async () => {
    const path = folder.write('twice.gz', gzipSync(gzipSync(CAPTURE)));
    await expect(readAll([{ path }])).rejects.toThrow(`${path}: is gzip inside gzip`);
  });

  it('closing before the end leaves nothing behind', async () => {
    const { openCaptureSet } = await import('../../src/capture/open-capture.ts');
    const path = folder.write('unread.pcap.gz', gzipSync(CAPTURE));
    const captures = await openCaptureSet([{ path }]);
    await captures.close();
    expect(captures.progress().total).toBeGreaterThan(0);
  });
});
