import { describe, expect, it } from 'vitest';
import { layOut, text } from '../wire/frame-bytes.ts';
import {
  block,
  enhancedPacket,
  FRAME,
  interfaceDescription,
  numberedFrame,
  options,
  readAll,
  sectionHeader,
  temporaryFolder,
  writerOf,
} from './capture-bytes.ts';

const folder = temporaryFolder();
const little = writerOf(true);
const big = writerOf(false);

const IF_NAME = 2;
const IF_TSRESOL = 9;
const IF_TSOFFSET = 14;
const EPB_FLAGS = 2;
const EPB_DROP_COUNT = 4;

async function readFile(name: string, ...blocks: readonly Uint8Array[]) {
  const path = folder.write(`${name.replace(/\W+/g, '-')}.pcapng`, layOut(...blocks));
  return { path, ...(await readAll([{ path }])) };
}

describe('pcapng', () => {
  it.each([
    ['little', little],
    ['big', big],
  ] as const)('%s-endian: interfaces with names, frames of each', async (name, writer) => {
    const { path, rows, captures } = await readFile(
      `endian ${name}`,
      sectionHeader(writer),
      interfaceDescription(writer, [[IF_NAME, text('eth0')]], 1, 96),
      interfaceDescription(writer, [[IF_NAME, text('eth1\0')]], 1, 0),
      enhancedPacket(writer, { interfaceId: 1, time: 1_700_000_000_123_456n, bytes: numberedFrame(1) }),
      enhancedPacket(writer, { interfaceId: 0, time: 1_700_000_001_000_000n, originalLength: 1514 }),
    );
    expect(captures.interfaces).toEqual([
      { file: 0, name: 'eth0', linkType: 1, snapLength: 96 },
      { file: 0, name: 'eth1', linkType: 1, snapLength: 0 },
    ]);
    expect(rows[0]).toMatchObject({
      frameNumber: 1,
      captureInterface: 1,
      seconds: 1_700_000_000,
      nanoseconds: 123_456_000,
      tcpWindow: 1,
    });
    expect(rows[1]).toMatchObject({ frameNumber: 2, captureInterface: 0, originalLength: 1514, capturedLength: 54 });
    expect(captures.files()).toEqual([
      {
        path,
        format: 'pcapng',
        packets: 2,
        bytes: 1568,
        truncated: false,
        dropped: 0,
        first: { seconds: 1_700_000_000, nanoseconds: 123_456_000 },
        last: { seconds: 1_700_000_001, nanoseconds: 0 },
      },
    ]);
    expect(captures.problems()).toEqual([]);
  });

  it('sections of both byte orders, each with its own interfaces; one of the same name is the same', async () => {
    const { rows, captures } = await readFile(
      'sections',
      sectionHeader(little),
      interfaceDescription(little, [[IF_NAME, text('eth0')]]),
      enhancedPacket(little, { time: 1n }),
      sectionHeader(big, 1, 2),
      interfaceDescription(big, [[IF_NAME, text('eth1')]]),
      interfaceDescription(big, [[IF_NAME, text('eth0')]]),
      enhancedPacket(big, { time: 2n, interfaceId: 0 }),
      enhancedPacket(big, { time: 3n, interfaceId: 1 }),
      sectionHeader(little),
      interfaceDescription(little),
      enhancedPacket(little, { time: 4n }),
    );
    expect(captures.interfaces.map(({ name }) => name)).toEqual(['eth0', 'eth1', undefined]);
    expect(rows.map((row) => row.captureInterface)).toEqual([0, 1, 0, 2]);
    expect(rows.map((row) => row.frameNumber)).toEqual([1, 2, 3, 4]);
    expect(captures.problems()).toEqual([]);
  });

  it('an interface of an earlier section is not one of this section', async () => {
    const { rows, captures } = await readFile(
      'stale interface',
      sectionHeader(little),
      interfaceDescription(little),
      enhancedPacket(little),
      sectionHeader(little),
      enhancedPacket(little),
    );
    expect(rows).toHaveLength(1);
    expect(captures.problems()[0]?.message).toContain('undescribed interface 0');
  });

  it('`any` is not the name of an interface, and the name that the user gives wins', async () => {
    const blocks = [
      sectionHeader(little),
      interfaceDescription(little, [[IF_NAME, text('any')]]),
      interfaceDescription(little, [[IF_NAME, text('eth7')]]),
      enhancedPacket(little),
    ];
    const { path, captures } = await readFile('any', ...blocks);
    expect(captures.interfaces.map(({ name }) => name)).toEqual([undefined, 'eth7']);
    const named = await readAll([{ path, interface: 'wan0' }]);
    expect(named.captures.interfaces.map(({ name }) => name)).toEqual(['wan0']);
  });

  it('cooked v2: an interface for each kernel index', async () => {
    const cooked = (index: number) =>
      layOut([2, 0x0800], [2, 0], [4, index], [2, 1], [1, 4], [1, 6], [8, 0], FRAME.subarray(14));
    const { rows, captures } = await readFile(
      'cooked',
      sectionHeader(little),
      interfaceDescription(little, [[IF_NAME, text('any')]], 276),
      ...[3, 2, 3].map((index, at) => enhancedPacket(little, { bytes: cooked(index), time: BigInt(at) })),
    );
    expect(captures.interfaces).toEqual([
      { file: 0, linkType: 276, snapLength: 262_144, index: 3 },
      { file: 0, linkType: 276, snapLength: 262_144, index: 2 },
    ]);
    expect(rows.map((row) => row.captureInterface)).toEqual([0, 1, 0]);
    expect(rows[0]?.direction).toBe(2);
  });

  it.each([
    { name: 'microseconds where nothing is said', list: [], time: 1_700_000_000_123_456n, nanoseconds: 123_456_000 },
    {
      name: 'nanoseconds',
      list: [[IF_TSRESOL, Uint8Array.of(9)]],
      time: 1_700_000_000_123_456_789n,
      nanoseconds: 123_456_789,
    },
    {
      name: 'units of 2^-20 seconds',
      list: [[IF_TSRESOL, Uint8Array.of(0x80 | 20)]],
      time: (1_700_000_000n << 20n) + (1n << 19n),
      nanoseconds: 500_000_000,
    },
    { name: 'whole seconds', list: [[IF_TSRESOL, Uint8Array.of(0)]], time: 1_700_000_000n, nanoseconds: 0 },
    {
      name: 'an offset of seconds',
      list: [
        [IF_TSOFFSET, little.u64(1_699_999_999n)],
        [IF_TSRESOL, Uint8Array.of(3)],
      ],
      time: 1_007n,
      nanoseconds: 7_000_000,
    },
    {
      name: 'a negative offset',
      list: [[IF_TSOFFSET, little.u64(-3600n)]],
      time: 1_700_003_600_000_001n,
      nanoseconds: 1_000,
    },
  ] as const)('time: $name', async ({ name, list, time, nanoseconds }) => {
    const { rows } = await readFile(
      name,
      sectionHeader(little),
      interfaceDescription(little, list),
      enhancedPacket(little, { time }),
    );
    expect(rows[0]).toMatchObject({ seconds: 1_700_000_000, nanoseconds });
  });

  it.each([
    { flags: 0x01, direction: 1, linkDestination: 0 },
    { flags: 0x02, direction: 2, linkDestination: 0 },
    { flags: 0x05, direction: 1, linkDestination: 1 },
    { flags: 0x09, direction: 1, linkDestination: 3 },
    { flags: 0x0d, direction: 1, linkDestination: 2 },
    { flags: 0x11, direction: 1, linkDestination: 4 },
    { flags: 0x06, direction: 2, linkDestination: 0 },
    { flags: 0x03, direction: 0, linkDestination: 0 },
  ])('direction flags $flags', async ({ flags, direction, linkDestination }) => {
    for (const writer of [little, big]) {
      const { rows } = await readFile(
        `flags ${flags}`,
        sectionHeader(writer),
        interfaceDescription(writer),
        enhancedPacket(writer, {
          options: [
            [1, text('a comment')],
            [EPB_FLAGS, writer.u32(flags)],
          ],
        }),
      );
      expect(rows[0]).toMatchObject({ direction, linkDestination });
    }
  });

  it('simple packet blocks have no time and end at the snap length', async () => {
    const simple = (originalLength: number, bytes: Uint8Array) =>
      block(little, 3, layOut(little.u32(originalLength), bytes));
    const { path, rows, captures } = await readFile(
      'simple',
      sectionHeader(little),
      interfaceDescription(little, [], 1, 34),
      enhancedPacket(little, { time: 5_000_000n, bytes: FRAME.subarray(0, 34) }),
      simple(54, FRAME.subarray(0, 36)),
      simple(34, FRAME.subarray(0, 36)),
    );
    expect(rows.map((row) => [row.seconds, row.capturedLength, row.originalLength])).toEqual([
      [5, 34, 34],
      [5, 34, 54],
      [5, 34, 34],
    ]);
    expect(captures.problems().find(({ code }) => code === 'RV901')).toMatchObject({
      count: 2,
      where: { kind: 'frame', path, frame: 2 },
    });
  });

  it('obsolete packet blocks, with the frames lost before each', async () => {
    const obsolete = (drops: number) =>
      block(
        little,
        2,
        layOut(
          little.u16(1), // interface
          little.u16(drops),
          little.u32(0), // time
          little.u32(7),
          little.u32(54),
          little.u32(60),
          FRAME,
          Uint8Array.of(0, 0),
        ),
      );
    const { rows, captures } = await readFile(
      'obsolete',
      sectionHeader(little),
      interfaceDescription(little),
      interfaceDescription(little),
      obsolete(3),
      obsolete(0xffff),
      obsolete(4),
    );
    expect(rows).toHaveLength(3);
    expect(rows[0]).toMatchObject({
      captureInterface: 1,
      nanoseconds: 7_000,
      originalLength: 60,
      destinationPort: 3389,
    });
    expect(captures.files()[0]?.dropped).toBe(7);
    expect(captures.problems()).toMatchObject([{ code: 'RV104', count: 7 }]);
  });

  it('losses: the statistics of each interface, the last ones, or the drop counts of packets where these are more', async () => {
    const statistics = (interfaceId: number, list: Parameters<typeof options>[1]) =>
      block(little, 5, layOut(little.u32(interfaceId), little.u64(0n), options(little, list)));
    const { captures } = await readFile(
      'statistics',
      sectionHeader(little),
      interfaceDescription(little, [[IF_NAME, text('eth0')]]),
      interfaceDescription(little, [[IF_NAME, text('eth1')]]),
      enhancedPacket(little, { options: [[EPB_DROP_COUNT, little.u64(100n)]] }),
      statistics(0, [
        [4, little.u64(1000n)], // received
        [5, little.u64(7n)], // dropped by the interface
        [7, little.u64(2n)], // dropped by the system
      ]),
      statistics(1, [[5, little.u64(20n)]]),
      statistics(1, [[5, little.u64(30n)]]),
      // Another section counts anew; all bits set is no count.
      sectionHeader(little),
      interfaceDescription(little, [[IF_NAME, text('eth0')]]),
      statistics(0, [
        [5, little.u64(5n)],
        [7, little.u64(-1n)],
      ]),
    );
    expect(captures.files()[0]?.dropped).toBe(100 + 30 + 5);
    expect(captures.problems()).toMatchObject([{ code: 'RV104', count: 135 }]);
  });

  it('names, secrets, custom and unknown blocks are stepped over, however long', async () => {
    const { rows, captures } = await readFile(
      'others',
      sectionHeader(little),
      block(little, 4, layOut([8, 0])),
      interfaceDescription(little),
      block(little, 10, text('secret')),
      enhancedPacket(little, { time: 1n }),
      block(little, 0xbad, new Uint8Array(3_000_000)),
      enhancedPacket(little, { time: 2n }),
      block(little, 0x7777, new Uint8Array(40_000_000)),
      enhancedPacket(little, { time: 3n }),
    );
    expect(rows.map((row) => row.frameNumber)).toEqual([1, 2, 3]);
    expect(captures.problems()).toEqual([]);
  });

  it('an interface without frames is known', async () => {
    const { captures } = await readFile(
      'idle',
      sectionHeader(little),
      interfaceDescription(little, [[IF_NAME, text('eth2')]]),
    );
    expect(captures.interfaces).toMatchObject([{ name: 'eth2' }]);
  });
});

describe('a pcapng file with lies', () => {
  const head = [sectionHeader(little), interfaceDescription(little), enhancedPacket(little)];
  const headLength = head.reduce((sum, { length }) => sum + length, 0);
  it.each([
    {
      name: 'block length 0xffffffff',
      lie: block(little, 6, layOut([32, 0]), { length: 0xffffffff }),
      says: 'a block of 4294967295 bytes',
    },
    {
      name: 'block length 0xfffffffc',
      lie: block(little, 6, layOut([32, 0]), { length: 0xfffffffc }),
      says: 'a block of 4294967292 bytes',
    },
    { name: 'block length 8', lie: block(little, 6, layOut([32, 0]), { length: 8 }), says: 'a block of 8 bytes' },
    { name: 'block length 0', lie: block(little, 9, layOut([32, 0]), { length: 0 }), says: 'a block of 0 bytes' },
    {
      name: 'block length not a multiple of four',
      lie: block(little, 6, layOut([32, 0]), { length: 46 }),
      says: '46 bytes',
    },
    { name: 'two lengths', lie: block(little, 4, layOut([32, 0]), { trailer: 40 }), says: 'two lengths differ' },
    {
      name: 'two lengths of a long block',
      lie: block(little, 4, new Uint8Array(4_000_000), { trailer: 40 }),
      says: 'two lengths differ',
    },
    { name: 'a packet block without room', lie: block(little, 6, layOut([16, 0])), says: 'a packet block of 28 bytes' },
    {
      name: 'frame beyond its block',
      lie: enhancedPacket(little, { capturedLength: 57 }),
      says: 'a frame of 57 bytes',
    },
    { name: 'frame of 4 GiB', lie: enhancedPacket(little, { capturedLength: 0xffffffff }), says: '4294967295 bytes' },
    { name: 'undescribed interface', lie: enhancedPacket(little, { interfaceId: 1 }), says: 'undescribed interface 1' },
    {
      name: 'statistics of an undescribed interface',
      lie: block(little, 5, layOut(little.u32(9), [8, 0])),
      says: 'undescribed interface 9',
    },
    { name: 'short statistics', lie: block(little, 5, layOut([4, 0])), says: 'statistics block of 16 bytes' },
    { name: 'short interface description', lie: block(little, 1, layOut([4, 0])), says: 'too short' },
    {
      name: 'interface options beyond the block',
      lie: block(little, 1, layOut([4, 0x01000000], [4, 0], little.u16(IF_NAME), little.u16(200))),
      says: 'options are longer',
    },
    { name: 'short simple packet', lie: block(little, 3, new Uint8Array(0)), says: 'a packet block of 12 bytes' },
    {
      name: 'a section without a byte order',
      lie: block(little, 0x0a0d0d0a, layOut([20, 0])),
      says: 'without a byte order',
    },
    { name: 'a section of version 2', lie: sectionHeader(little, 2, 0), says: 'version 2.0' },
  ])('$name', async ({ name, lie, says }) => {
    const { path, rows, captures } = await readFile(`lie ${name}`, ...head, lie, enhancedPacket(little));
    expect(rows).toHaveLength(1);
    expect(captures.files()[0]?.truncated).toBe(true);
    expect(captures.problems()).toEqual([
      {
        code: 'RV101',
        message: expect.stringContaining(says),
        where: { kind: 'frame', path, frame: 2 },
      },
    ]);
    expect(captures.problems()[0]?.message).toContain(`corrupt at byte ${headLength},`);
  });

  it('a block that is stepped over and longer than the file is said', async () => {
    const { rows, captures } = await readFile(
      'endless',
      ...head,
      block(little, 4, layOut([64, 0]), { length: 0xfffffff0 }),
    );
    expect(rows).toHaveLength(1);
    expect(captures.problems()).toMatchObject([{ code: 'RV101', message: expect.stringContaining('ends inside') }]);
  });

  it('a time beyond the year 9999 or before 1970 is said and kept printable', async () => {
    const { rows, captures } = await readFile(
      'times',
      sectionHeader(little),
      interfaceDescription(little, [[IF_TSRESOL, Uint8Array.of(0)]]),
      interfaceDescription(little, [[IF_TSOFFSET, little.u64(-10n)]]),
      enhancedPacket(little, { time: 0xffffffffffffffffn }),
      enhancedPacket(little, { time: 1n, interfaceId: 1 }),
    );
    expect(rows.map((row) => row.seconds).sort()).toEqual([0, 253_402_300_799]);
    expect(captures.problems()).toMatchObject([{ code: 'RV201', count: 2 }]);
  });

  it('cut off anywhere, it is read as far as it goes', async () => {
    const blocks = [...head, enhancedPacket(little), block(little, 4, text('names')), enhancedPacket(little)];
    const whole = layOut(...blocks);
    const ends = blocks.map((_, index) => blocks.slice(0, index + 1).reduce((sum, { length }) => sum + length, 0));
    for (let length = 28; length <= whole.length; length++) {
      const path = folder.write('cut.pcapng', whole.subarray(0, length));
      const { rows, captures } = await readAll([{ path }]);
      expect(rows.length, `${length} bytes`).toBe([2, 3, 5].filter((at) => ends[at]! <= length).length);
      const isBetween = ends.includes(length);
      expect(
        captures.problems().map(({ code }) => code),
        `${length} bytes`,
      ).toEqual(isBetween ? [] : ['RV101']);
    }
  });

  it('interfaces by the hundred thousand are refused, not kept', async () => {
    const description = interfaceDescription(little);
    const many = new Uint8Array(description.length * 70_000);
    for (let at = 0; at < many.length; at += description.length) many.set(description, at);
    const { captures } = await readFile('many', sectionHeader(little), many);
    expect(captures.interfaces.length).toBeLessThanOrEqual(65_536);
    expect(captures.problems()[0]?.message).toContain('too many interfaces');
  });
});
