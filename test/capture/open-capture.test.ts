import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { openCaptureSet, readRawFrames } from '../../src/capture/open-capture.ts';
import { InputError } from '../../src/text/input-error.ts';
import { PacketBatch } from '../../src/wire/packet-batch.ts';
import { layOut, text } from '../wire/frame-bytes.ts';
import { FRAME, pcapFile, readAll, sectionHeader, temporaryFolder, writerOf } from './capture-bytes.ts';

const folder = temporaryFolder();

describe('input that is no capture', () => {
  const capture = pcapFile([{}]);
  it.each([
    { name: 'an empty file', content: new Uint8Array(0), says: 'is empty; a pcap or pcapng capture' },
    { name: 'one byte', content: Uint8Array.of(0xd4), says: 'is not a capture' },
    { name: 'text', content: text('12:00:00.000 IP a > b: Flags [S]\n'), says: 'looks like text' },
    { name: 'JSON', content: text(' [ {"frame": 1} ]'), says: 'looks like JSON' },
    {
      name: "a router's state",
      content: text('### iptables-save\n*mangle\n:PREROUTING ACCEPT [0:0]\n'),
      says: "a router's state; give it with --router",
    },
    { name: 'zip', content: layOut([4, 0x504b0304], [20, 0]), says: 'a zip archive; unpack it' },
    { name: 'zstd', content: layOut([4, 0x28b52ffd], [20, 0]), says: 'a zstd archive; unpack it' },
    { name: 'ELF', content: layOut([4, 0x7f454c46], [20, 0]), says: 'a program' },
    { name: 'snoop', content: layOut(text('snoop\0\0\0'), [8, 2]), says: 'snoop capture; convert it' },
    { name: 'garbage', content: layOut([4, 0x01020304], [60, 0]), says: 'is not a capture' },
    { name: 'a modified pcap', content: pcapFile([{}], { magic: 0xa1b2cd34 }), says: 'patched libpcap; convert it' },
    { name: 'pcap 2.2', content: pcapFile([{}], { minor: 2 }), says: 'pcap version 2.2 is not supported' },
    { name: 'pcap 3.4', content: pcapFile([{}], { major: 3 }), says: 'pcap version 3.4' },
    { name: 'a cut pcap header', content: capture.subarray(0, 23), says: 'ends inside the pcap file header' },
    { name: 'a pcapng magic alone', content: layOut([4, 0x0a0d0d0a]), says: 'ends inside the pcapng file header' },
    { name: 'a pcapng magic and noise', content: layOut([4, 0x0a0d0d0a], [40, 1]), says: 'without a byte order' },
    { name: 'pcapng 2.0', content: sectionHeader(writerOf(true), 2), says: 'version 2.0' },
    {
      name: 'gzip of text',
      content: gzipSync('hello'),
      says: 'is gzip that holds no capture but what looks like text',
    },
    { name: 'gzip of nothing', content: gzipSync(''), says: 'holds nothing' },
    { name: 'a gzip magic alone', content: layOut([2, 0x1f8b]), says: 'holds nothing: the compressed data ends early' },
    { name: 'a gzip magic and noise', content: layOut([2, 0x1f8b], [40, 1]), says: 'the compressed data is broken' },
  ])('$name', async ({ name, content, says }) => {
    const path = folder.write(name.replace(/\W+/g, '-'), content);
    await expectRefusal([{ path }], path, says);
  });

  it('a missing file', () => expectRefusal([{ path: '/no/such.pcap' }], '/no/such.pcap', 'no such file'));

  it('a path through a file', async () => {
    const path = join(folder.write('file', capture), 'x.pcap');
    await expectRefusal([{ path }], path, 'not a directory');
  });

  it('a directory', async () => {
    const path = join(folder.path, 'captures');
    mkdirSync(path);
    await expectRefusal([{ path }], path, 'is a directory; name the capture files in it');
  });

  it('one bad file among good ones', async () => {
    const path = folder.write('good.pcap', capture);
    await expectRefusal([{ path }, { path: '/no/such.pcap' }], '/no/such.pcap', 'no such file');
  });
});

describe('the capture set', () => {
  it('numbers files and interfaces over all files, and names those that the user named', async () => {
    const paths = [1, 2].map((seconds) =>
      folder.write(`set-${seconds}.pcap`, pcapFile([{ seconds }, { seconds: 10 - seconds }])),
    );
    const { rows, captures } = await readAll([{ path: paths[1]!, interface: 'eth1' }, { path: paths[0]! }]);
    expect(rows.map((row) => [row.seconds, row.file, row.captureInterface, row.frameNumber])).toEqual([
      [1, 1, 1, 1],
      [2, 0, 0, 1],
      [8, 0, 0, 2],
      [9, 1, 1, 2],
    ]);
    expect(captures.interfaces).toEqual([
      { file: 0, name: 'eth1', linkType: 1, snapLength: 262_144 },
      { file: 1, linkType: 1, snapLength: 262_144 },
    ]);
    expect(captures.files().map(({ path, packets }) => [path, packets])).toEqual([
      [paths[1], 2],
      [paths[0], 2],
    ]);
  });

  it('keeps the problems of each file apart', async () => {
    const cut = { bytes: FRAME.subarray(0, 20), originalLength: 54 };
    const paths = [1, 2].map((count) =>
      folder.write(`apart-${count}.pcap`, pcapFile(Array.from({ length: count }, () => cut))),
    );
    const { captures } = await readAll(paths.map((path) => ({ path })));
    expect(captures.problems()).toMatchObject([
      { code: 'RV105', count: 1, where: { path: paths[0], frame: 1 } },
      { code: 'RV105', count: 2, where: { path: paths[1], frame: 1 } },
    ]);
  });

  it('tells how far it is', async () => {
    const content = pcapFile(Array.from({ length: 1000 }, () => ({})));
    const path = folder.write('progress.pcap', content);
    const { captures } = await readAll([{ path }, { path }]);
    expect(captures.progress()).toEqual({ read: 2 * content.length, total: 2 * content.length });
  });

  it('judges checksums only where asked to', async () => {
    const path = folder.write('checksums.pcap', pcapFile([{}]));
    expect((await readAll([{ path }])).rows[0]?.status).toBe(1027);
    expect((await readAll([{ path }], { verifyChecksums: true })).rows[0]?.status).toBe(1027 + 128);
  });

  it('gives nothing after the end, however often it is asked', async () => {
    const path = folder.write('end.pcap', pcapFile([{}]));
    const captures = await openCaptureSet([{ path }]);
    const batch = new PacketBatch(4);
    const got: [boolean, number][] = [];
    for (let turn = 0; turn < 3; turn++) got.push([await captures.next(batch), batch.length]);
    await captures.close();
    expect(got).toEqual([
      [true, 1],
      [false, 0],
      [false, 0],
    ]);
  });

  it('of many files shares the window, and merges them all the same', async () => {
    const inputs = Array.from({ length: 12 }, (_, file) => ({
      path: folder.write(`many-${file}.pcap`, pcapFile([{ seconds: 100 - file }, { seconds: 200 + file }])),
    }));
    const { rows } = await readAll(inputs);
    expect(rows.map((row) => row.seconds)).toEqual([
      ...Array.from({ length: 12 }, (_, index) => 89 + index),
      ...Array.from({ length: 12 }, (_, index) => 200 + index),
    ]);
  });

  it('heap use does not grow with the number of packets', async () => {
    const piece = pcapFile(Array.from({ length: 20_000 }, (_, index) => ({ fraction: index }))).subarray(24);
    const used = async (pieces: number): Promise<number> => {
      const path = folder.write('growth.pcap', layOut(pcapFile([]), ...Array.from({ length: pieces }, () => piece)));
      const captures = await openCaptureSet([{ path }], { reorderWindow: 1000 });
      const batch = new PacketBatch(1024);
      await captures.next(batch);
      const before = process.memoryUsage();
      let count = 0;
      while (await captures.next(batch)) count += batch.length;
      const after = process.memoryUsage();
      await captures.close();
      expect(count).toBeGreaterThan(pieces * 20_000 - 2000);
      return after.arrayBuffers - before.arrayBuffers;
    };
    await used(1);
    expect(await used(30)).toBeLessThan(8_000_000);
  });
});

describe('readRawFrames', () => {
  it('gives the frames as they stand in the file', async () => {
    const path = folder.write(
      'raw.pcap',
      pcapFile(
        [
          { seconds: 9, fraction: 5, originalLength: 20 },
          { seconds: 3, bytes: FRAME.subarray(0, 7), originalLength: 80 },
        ],
        {
          linkType: 113,
        },
      ),
    );
    const frames = [];
    for await (const frame of readRawFrames({ path })) frames.push(frame);
    expect(frames).toEqual([
      {
        frameNumber: 1,
        seconds: 9,
        nanoseconds: 5000,
        capturedLength: 54,
        originalLength: 20,
        linkType: 113,
        bytes: FRAME,
      },
      {
        frameNumber: 2,
        seconds: 3,
        nanoseconds: 1000,
        capturedLength: 7,
        originalLength: 80,
        linkType: 113,
        bytes: FRAME.subarray(0, 7),
      },
    ]);
  });

  it('refuses what openCaptureSet refuses', async () => {
    await expect(readRawFrames({ path: '/no/such.pcap' }).next()).rejects.toBeInstanceOf(InputError);
  });
});

async function expectRefusal(inputs: Parameters<typeof openCaptureSet>[0], path: string, says: string): Promise<void> {
  const error: unknown = await openCaptureSet(inputs).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(InputError);
  const { message } = error as InputError;
  expect(message.startsWith(`${path}: `)).toBe(true);
  expect(message).toContain(says);
  expect(message).not.toContain('\n');
}
