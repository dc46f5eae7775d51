import { describe, expect, it } from 'vitest';
import { layOut } from '../wire/frame-bytes.ts';
import {
  FRAME,
  numberedFrame,
  type PcapOptions,
  pcapFile,
  readAll,
  temporaryFolder,
  writerOf,
} from './capture-bytes.ts';

const folder = temporaryFolder();

describe('classic pcap', () => {
  it.each<{ name: string; file: PcapOptions; nanoseconds: number }>([
    { name: 'little-endian microseconds', file: {}, nanoseconds: 123_456_000 },
    { name: 'big-endian microseconds', file: { littleEndian: false }, nanoseconds: 123_456_000 },
    { name: 'little-endian nanoseconds', file: { magic: 0xa1b23c4d }, nanoseconds: 123_456 },
    { name: 'big-endian nanoseconds', file: { magic: 0xa1b23c4d, littleEndian: false }, nanoseconds: 123_456 },
  ])('$name', async ({ name, file, nanoseconds }) => {
    const path = folder.write(
      `${name}.pcap`,
      pcapFile(
        [
          { seconds: 0xfffffff0, fraction: 123_456, bytes: FRAME, originalLength: 1514 },
          { seconds: 0xfffffff1, fraction: 0, bytes: FRAME.subarray(0, 20), originalLength: 60 },
        ],
        { ...file, snapLength: 0 },
      ),
    );
    const { rows, captures } = await readAll([{ path }]);
    expect(rows).toHaveLength(2);
    expect(rows[0]).toMatchObject({
      file: 0,
      frameNumber: 1,
      captureInterface: 0,
      seconds: 0xfffffff0,
      nanoseconds,
      capturedLength: 54,
      originalLength: 1514,
      destinationPort: 3389,
    });
    expect(rows[1]).toMatchObject({ frameNumber: 2, seconds: 0xfffffff1, nanoseconds: 0, capturedLength: 20 });
    expect(captures.interfaces).toEqual([{ file: 0, linkType: 1, snapLength: 0 }]);
    expect(captures.files()).toEqual([
      {
        path,
        format: 'pcap',
        packets: 2,
        bytes: 1574,
        truncated: false,
        dropped: 0,
        first: { seconds: 0xfffffff0, nanoseconds },
        last: { seconds: 0xfffffff1, nanoseconds: 0 },
      },
    ]);
  });

  it('a file without frames is an empty capture', async () => {
    const path = folder.write('none.pcap', pcapFile([]));
    const { rows, captures } = await readAll([{ path }]);
    expect(rows).toEqual([]);
    expect(captures.problems()).toEqual([]);
    expect(captures.files()).toEqual([{ path, format: 'pcap', packets: 0, bytes: 0, truncated: false, dropped: 0 }]);
  });

  it('the upper bits of the link type tell of a frame check sequence, which is no payload', async () => {
    const path = folder.write(
      'fcs.pcap',
      pcapFile([{ bytes: layOut(FRAME, [4, 0xdeadbeef]) }], { linkType: 0x24000001 }),
    );
    const { rows, captures } = await readAll([{ path }]);
    expect(captures.interfaces[0]?.linkType).toBe(1);
    expect(rows[0]).toMatchObject({ networkLength: 40, payloadLength: 0 });
  });

  it('a cooked v2 file has an interface for each kernel index that occurs', async () => {
    const cooked = (index: number): Uint8Array =>
      layOut([2, 0x0800], [2, 0], [4, index], [2, 1], [1, 0], [1, 6], [8, 0], FRAME.subarray(14));
    const frames = [7, 7, 2, 7, 0xffffffff].map((index) => ({ bytes: cooked(index) }));
    const path = folder.write('any.pcap', pcapFile([...frames, { bytes: FRAME.subarray(0, 6) }], { linkType: 276 }));
    const { rows, captures } = await readAll([{ path }]);
    expect(captures.interfaces).toEqual([
      { file: 0, linkType: 276, snapLength: 262_144, index: 7 },
      { file: 0, linkType: 276, snapLength: 262_144, index: 2 },
      { file: 0, linkType: 276, snapLength: 262_144, index: 0xffffffff },
      { file: 0, linkType: 276, snapLength: 262_144 },
    ]);
    expect(rows.map((row) => row.captureInterface)).toEqual([0, 0, 1, 0, 2, 3]);
  });

  it('frames around the borders of what is read at once are whole', async () => {
    // Lengths chosen so that headers and frames fall on the border in many ways.
    const frames = Array.from({ length: 60_000 }, (_, index) => ({
      seconds: 1_700_000_000 + Math.floor(index / 1000),
      fraction: index % 1000,
      bytes: numberedFrame(index & 0xffff),
      originalLength: 54 + (index % 7),
    }));
    const path = folder.write('borders.pcap', pcapFile(frames));
    const { rows, captures } = await readAll([{ path }], {}, 1000);
    expect(rows.map((row) => row.tcpWindow)).toEqual(frames.map((_, index) => index & 0xffff));
    expect(rows.map((row) => row.frameNumber)).toEqual(frames.map((_, index) => index + 1));
    expect(captures.problems()).toEqual([]);
  });

  it('a frame longer than what is read at once is whole', async () => {
    const long = layOut(FRAME, new Uint8Array(5_000_000));
    const path = folder.write(
      'long.pcap',
      pcapFile([{}, { bytes: long }, { bytes: numberedFrame(7) }], { snapLength: 0x7fffffff }),
    );
    const { rows, captures } = await readAll([{ path }]);
    expect(rows.map((row) => row.capturedLength)).toEqual([54, 5_000_054, 54]);
    expect(rows[2]).toMatchObject({ tcpWindow: 7 });
    expect(captures.problems()).toEqual([]);
  });
});

it('a classic pcap file that is cut off anywhere is read as far as it goes, and that is said', async () => {
  const whole = pcapFile([{}, {}, {}]);
  for (let length = 24; length <= whole.length; length++) {
    const path = folder.write('cut.pcap', whole.subarray(0, length));
    const { rows, captures } = await readAll([{ path }]);
    const frames = Math.floor((length - 24) / 70);
    const isBetweenFrames = (length - 24) % 70 === 0;
    const want = {
      code: 'RV101',
      message: expect.stringContaining(`ends inside the record of frame ${frames + 1}`),
      where: { kind: 'frame', path, frame: frames + 1 },
    };
    expect(rows, `${length} bytes`).toHaveLength(frames);
    expect(captures.files()[0]?.truncated, `${length} bytes`).toBe(!isBetweenFrames);
    expect(captures.problems(), `${length} bytes`).toEqual(isBetweenFrames ? [] : [want]);
  }
});

describe('a classic pcap file with lies', () => {
  const { u32 } = writerOf(true);
  it.each([
    { name: 'captured length 0xffffffff', frame: { capturedLength: 0xffffffff }, says: 'a frame of 4294967295 bytes' },
    { name: 'captured length beyond the snap length', frame: { capturedLength: 262_145 }, says: '262145 bytes' },
    { name: 'microseconds of more than a second', frame: { fraction: 1_000_000 }, says: '1000000 microseconds' },
    { name: 'no bytes of no frame', frame: { capturedLength: 0, originalLength: 0 }, says: 'a frame of 0 bytes' },
  ])('$name', async ({ name, frame, says }) => {
    const path = folder.write(`${name}.pcap`, pcapFile([{}, {}, frame, {}]));
    const { rows, captures } = await readAll([{ path }]);
    expect(rows).toHaveLength(2);
    expect(captures.files()[0]?.truncated).toBe(true);
    expect(captures.problems()).toEqual([
      { code: 'RV101', message: expect.stringContaining(says), where: { kind: 'frame', path, frame: 3 } },
    ]);
    expect(captures.problems()[0]?.message).toContain('corrupt at byte 164');
  });

  it('far into a file the place is right as well', async () => {
    const frames = Array.from({ length: 50_000 }, () => ({}));
    const path = folder.write('far.pcap', pcapFile([...frames, { capturedLength: 0xffffffff }]));
    const { captures } = await readAll([{ path }], {}, 4096);
    expect(captures.problems()).toMatchObject([
      { message: expect.stringContaining(`at byte ${24 + 50_000 * 70}, where frame 50001`), where: { frame: 50_001 } },
    ]);
  });

  it('a larger snap length allows longer frames', async () => {
    const bytes = layOut(FRAME, new Uint8Array(300_000));
    const path = folder.write('snap.pcap', pcapFile([{ bytes }, {}], { snapLength: 400_000 }));
    expect((await readAll([{ path }])).rows).toHaveLength(2);
  });

  it('more bytes captured than the frame had: the frame is used, and it is said', async () => {
    const path = folder.write('more.pcap', pcapFile([{}, { originalLength: 20 }, { originalLength: 20 }]));
    const { rows, captures } = await readAll([{ path }]);
    expect(rows[1]).toMatchObject({ capturedLength: 54, originalLength: 54, destinationPort: 3389 });
    expect(captures.problems()).toEqual([
      { code: 'RV201', message: expect.any(String), count: 2, where: { kind: 'frame', path, frame: 2 } },
    ]);
  });

  it('garbage in the middle ends the reading, and nothing is made up', async () => {
    const good = pcapFile([{}, {}]);
    const garbage = Uint8Array.from({ length: 4096 }, (_, index) => (index * 37 + 11) & 255);
    const path = folder.write('garbage.pcap', layOut(good, garbage, pcapFile([{}]).subarray(24)));
    const { rows, captures } = await readAll([{ path }]);
    expect(rows).toHaveLength(2);
    expect(captures.problems().map(({ code }) => code)).toEqual(['RV101']);
  });

  it('a tail of zeros, as a crash leaves it, holds no frames', async () => {
    const path = folder.write('zeros.pcap', layOut(pcapFile([{}]), new Uint8Array(100_000)));
    const { rows, captures } = await readAll([{ path }]);
    expect(rows).toHaveLength(1);
    expect(captures.problems()[0]?.message).toContain('a frame of 0 bytes');
  });

  it('an unbelievable snap length does not make unbelievable frames believed', async () => {
    const path = folder.write(
      'huge.pcap',
      layOut(pcapFile([{}], { snapLength: 0xffffffff }), u32(0), u32(0), u32(0x7fffffff), u32(0x7fffffff)),
    );
    const { rows, captures } = await readAll([{ path }]);
    expect(rows).toHaveLength(1);
    expect(captures.problems()[0]?.message).toContain('corrupt');
  });
});

describe('problems of frames', () => {
  it('are one entry for each kind, counted, with the first frame as place', async () => {
    const malformed = FRAME.slice();
    malformed[14] = 0x65;
    const path = folder.write(
      'problems.pcap',
      pcapFile([
        {},
        { bytes: FRAME.subarray(0, 30), originalLength: 54 },
        { bytes: malformed },
        { bytes: FRAME.subarray(0, 40), originalLength: 54 },
        { bytes: malformed },
        { bytes: malformed },
      ]),
    );
    const { captures } = await readAll([{ path, interface: 'eth0' }]);
    expect(captures.problems()).toEqual([
      {
        code: 'RV105',
        message: expect.any(String),
        count: 2,
        where: { kind: 'frame', path, frame: 2, interface: 'eth0' },
        fix: [expect.stringContaining('-s 0')],
      },
      {
        code: 'RV201',
        message: expect.any(String),
        count: 3,
        where: { kind: 'frame', path, frame: 3, interface: 'eth0' },
      },
    ]);
  });

  it('a link type that is not decoded is named with its number, and the frames are delivered', async () => {
    const path = folder.write('radio.pcap', pcapFile([{}, {}], { linkType: 127 }));
    const { rows, captures } = await readAll([{ path }]);
    expect(rows.map((row) => row.status)).toEqual([32, 32]);
    expect(captures.problems()).toEqual([
      {
        code: 'RV106',
        message: expect.stringContaining('LINKTYPE_IEEE802_11_RADIOTAP (127)'),
        count: 2,
        where: { kind: 'frame', path, frame: 1 },
      },
    ]);
  });
});
