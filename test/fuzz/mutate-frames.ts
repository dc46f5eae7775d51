/** Mutations of captured frames by their structure: headers, order, times, fragments, tags, and frames that were never captured. */
import type { Random } from './random.ts';
import type { Frame } from './write-capture.ts';

const ETHERNET = 1;
const COOKED = 113;
const COOKED_V2 = 276;

/** Where the network header begins and where its type stands, in the link types that the stored captures have. */
function layout(frame: Frame): { readonly header: number; readonly type: number } | undefined {
  if (frame.linkType === ETHERNET && frame.bytes.length > 34) return { header: 14, type: 12 };
  if (frame.linkType === COOKED && frame.bytes.length > 36) return { header: 16, type: 14 };
  if (frame.linkType === COOKED_V2 && frame.bytes.length > 40) return { header: 20, type: 0 };
  return undefined;
}

const LINK_TYPES = [0, 1, 12, 14, 101, 108, 113, 228, 229, 276, 9, 105, 147, 65535];

/** Changes a few things in a list of frames; the list and its frames are new ones. */
export function mutateFrames(random: Random, stored: readonly Frame[], foreign: readonly Frame[]): Frame[] {
  let frames: Frame[] = stored.map((frame) => ({ ...frame, bytes: Buffer.from(frame.bytes) }));
  for (let count = random.few(12); count > 0; count--) {
    if (frames.length === 0) return frames;
    if (random.chance(0.35)) frames = mutateOrder(random, frames, foreign);
    else mutateFrame(random, random.pick(frames));
  }
  return frames;
}

function mutateOrder(random: Random, frames: Frame[], foreign: readonly Frame[]): Frame[] {
  const at = random.below(frames.length);
  const frame = frames[at]!;
  const copy = (): Frame => ({ ...frame, bytes: Buffer.from(frame.bytes) });
  switch (random.below(9)) {
    case 0:
      frames.splice(at, random.few(20));
      return frames;
    case 1:
      frames.splice(random.below(frames.length + 1), 0, copy());
      return frames;
    case 2: {
      const other = random.below(frames.length);
      frames[at] = frames[other]!;
      frames[other] = frame;
      return frames;
    }
    case 3:
      frames.splice(at, 0, ...fragments(random, copy()));
      return frames;
    case 4: {
      const taken = { ...random.pick(foreign) };
      frames.splice(at, 0, { ...taken, bytes: Buffer.from(taken.bytes), seconds: frame.seconds });
      return frames;
    }
    case 5:
      frames.splice(at, 0, { ...copy(), bytes: quoting(random, frame), originalLength: 70 });
      return frames;
    case 6:
      return frames.slice(at);
    case 7:
      frames.splice(at, 0, { ...copy(), bytes: random.bytes(random.below(120)) });
      return frames;
    default: {
      // Later frames are much later, or the clock is set back.
      const step = random.pick([1, 100, 3600, 86_400 * 6, -5, -86_400, 2 ** 31]);
      for (const later of frames.slice(at)) later.seconds = Math.max(0, (later.seconds + step) % 2 ** 32);
      return frames;
    }
  }
}

function mutateFrame(random: Random, frame: Frame): void {
  const place = layout(frame);
  const { bytes } = frame;
  switch (random.below(10)) {
    case 0:
      frame.bytes = Buffer.from(bytes.subarray(0, random.below(bytes.length + 1)));
      return;
    case 1:
      for (let count = random.few(20); count > 0 && bytes.length > 0; count--)
        bytes[random.below(bytes.length)] = random.chance(0.3)
          ? random.pick([0, 1, 0x7f, 0x80, 0xff])
          : random.below(256);
      return;
    case 2:
      frame.originalLength =
        random.pick([0, 1, bytes.length - 1, bytes.length + 1, 65_535, 2 ** 31, 0xffff_ffff]) >>> 0;
      return;
    case 3:
      frame.linkType = random.pick(LINK_TYPES);
      return;
    case 4:
      frame.nanoseconds = random.below(1_000_000_000);
      return;
    case 5:
      if (frame.linkType === ETHERNET && bytes.length > 14) tag(random, frame);
      return;
    case 6:
      frame.interface = random.pick([
        undefined,
        '',
        'eth0',
        'eth1',
        'eth2',
        'any',
        '\u001b[31m',
        '<b>',
        'x'.repeat(300),
      ]);
      return;
    default:
      if (place !== undefined) mutateHeader(random, bytes, place);
  }
}

/** One field of the IPv4 or the TCP header. */
function mutateHeader(random: Random, bytes: Buffer, { header, type }: { header: number; type: number }): void {
  const network = bytes.subarray(header);
  const length = (network[0]! & 0xf) * 4;
  const transport = network.subarray(Math.min(length, network.length));
  const half = (at: number, value: number, target = network): void => {
    if (at + 2 <= target.length) target.writeUInt16BE(value & 0xffff, at);
  };
  switch (random.below(14)) {
    case 0:
      bytes.writeUInt16BE(
        random.pick([0x0800, 0x0806, 0x86dd, 0x8100, 0x88a8, 0x8847, 0x8864, 0x05dc, random.below(65_536)]),
        type,
      );
      return;
    case 1:
      network[0] = random.below(256);
      return;
    case 2:
      half(2, random.pick([0, 19, 20, 39, 40, network.length - 1, network.length + 1, 65_535]));
      return;
    case 3:
      half(6, random.pick([0x2000, 0x2001, 1, 0x1fff, 0x3fff, 0x8000, 0xc000, random.below(65_536)]));
      return;
    case 4:
      network[8] = random.pick([0, 1, 2, 255]);
      return;
    case 5:
      network[9] = random.pick([0, 1, 2, 4, 6, 17, 33, 41, 44, 47, 50, 51, 58, 59, 132, 136, 255]);
      return;
    case 6:
    case 7: {
      const at = random.pick([12, 16]);
      network.writeUInt32BE(
        random.pick([0, 0xffff_ffff, 0x7f00_0001, 0xe000_0001, 0xac10_0001, 0xc0a8_0001, 0x0a00_0001, random.next()]),
        at,
      );
      return;
    }
    case 8:
    case 9:
      if (transport.length >= 14) transport[13] = random.below(256);
      return;
    case 10:
      half(random.pick([0, 2]), random.pick([0, 22, 3389, 65_535, random.below(65_536)]), transport);
      return;
    case 11:
      if (transport.length >= 12) transport.writeUInt32BE(random.next(), random.pick([4, 8]));
      return;
    case 12:
      if (transport.length >= 13) transport[12] = random.below(256);
      return;
    default:
      // Options of TCP, where there are some.
      for (let at = 20; at < Math.min(60, transport.length); at++)
        if (random.chance(0.2)) transport[at] = random.below(256);
  }
}

/** VLAN tags, or PPPoE, before what is there. */
function tag(random: Random, frame: Frame): void {
  const { bytes } = frame;
  const tags: Buffer[] = [];
  for (let count = random.pick([1, 1, 2, 3, 40]); count > 0; count--) {
    const one = Buffer.alloc(4);
    one.writeUInt16BE(random.pick([0x8100, 0x88a8, 0x9100]), 0);
    one.writeUInt16BE(random.below(65_536), 2);
    tags.push(one);
  }
  frame.bytes = Buffer.concat([bytes.subarray(0, 12), ...tags, bytes.subarray(12)]);
  frame.originalLength = frame.bytes.length;
}

/** The frame cut into fragments, some of which overlap, are missing, or come in another order. */
function fragments(random: Random, frame: Frame): Frame[] {
  const place = layout(frame);
  if (place === undefined) return [frame];
  const network = frame.bytes.subarray(place.header);
  const length = (network[0]! & 0xf) * 4;
  const payload = network.subarray(Math.min(length, network.length));
  const step = 8 * random.between(1, 4);
  const made: Frame[] = [];
  for (let offset = 0; offset < payload.length && made.length < 20; offset += step) {
    const size = random.chance(0.1) ? step + random.between(-7, 24) : step;
    const part = payload.subarray(offset, offset + size);
    const bytes = Buffer.concat([frame.bytes.subarray(0, place.header + length), part]);
    const header = bytes.subarray(place.header);
    if (header.length < 20) continue;
    header.writeUInt16BE(header.length & 0xffff, 2);
    const more = offset + step < payload.length ? 0x2000 : 0;
    header.writeUInt16BE(more | ((offset >> 3) & 0x1fff), 6);
    if (random.chance(0.9)) made.push({ ...frame, bytes, originalLength: bytes.length });
    if (random.chance(0.1)) made.push({ ...frame, bytes: Buffer.from(bytes), originalLength: bytes.length });
  }
  if (random.chance(0.3)) made.reverse();
  return made;
}

/** An ICMP error about the frame, whose quote may be cut. */
function quoting(random: Random, frame: Frame): Buffer {
  const place = layout(frame);
  if (place === undefined) return frame.bytes;
  const network = frame.bytes.subarray(place.header);
  const header = Buffer.from(network.subarray(0, 20));
  header[0] = 0x45;
  header[9] = 1;
  network.copy(header, 16, 12, 16);
  const icmp = Buffer.from([random.pick([3, 4, 5, 11, 12, 8]), random.below(16), 0, 0, 0, 0, 5, 220]);
  const quote = network.subarray(0, random.pick([0, 8, 19, 20, 24, 28, network.length]));
  header.writeUInt16BE(28 + quote.length, 2);
  return Buffer.concat([frame.bytes.subarray(0, place.header), header, icmp, quote]);
}

/** Frames of random bytes in every link type, with headers begun correctly now and then. */
export function randomFrames(random: Random, count: number): Frame[] {
  const frames: Frame[] = [];
  for (let index = 0; index < count; index++) {
    const linkType = random.pick(LINK_TYPES);
    const bytes = Buffer.concat([random.pick(BEGINNINGS), random.bytes(random.below(200))]);
    frames.push({
      seconds: 1_700_000_000 + index,
      nanoseconds: 0,
      linkType,
      interface: random.pick([undefined, 'eth0', 'eth1']),
      originalLength: random.chance(0.1) ? random.next() : bytes.length,
      bytes,
    });
  }
  return frames;
}

const MACS = '020000000001020000000002';
const BEGINNINGS = [
  '',
  `${MACS}0800`,
  `${MACS}080045`,
  `${MACS}86dd60000000`,
  `${MACS}86dd6000000000402c40`,
  `${MACS}86dd6000000000400040`,
  `${MACS}81000001`,
  `${MACS}88a8000181000002`,
  `${MACS}88641100`,
  `${MACS}08060001080006040001`,
  '45',
  '60000000',
  '02000000',
  '1c000000',
  '0000000100060200000000010000' + '0800',
  '0800000000000002000104060200000000010000',
].map((hex) => Buffer.from(hex, 'hex'));
