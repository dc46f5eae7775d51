/**
 * Captures as people have them, made from the stored ones: of some interfaces, of one half, lossy, cut, of one direction. The blocks of
 * dumpcap's pcapng are cut and glued; nothing of the tool under test has a part in it.
 */
import { ROUTER_INTERFACES } from '../lab/topology.ts';

const SECTION = 0x0a0d0d0a;
const INTERFACE = 1;
const STATISTICS = 5;
const PACKET = 6;
const HEADER_LENGTH = 28;
const ETHER_HEADER = 14;
/** ISB option: frames that the interface dropped. Ref: draft-ietf-opsawg-pcapng section 4.6 */
const OPTION_INTERFACE_DROPPED = 5;

/** A frame of the recording. */
interface Frame {
  /** Position among {@link ROUTER_INTERFACES}. */
  readonly interface: number;
  /** Microseconds or whatever the recording's unit is; only compared. */
  readonly time: bigint;
  readonly timeWords: readonly [number, number];
  readonly originalLength: number;
  readonly bytes: Buffer;
}

/** A recording on all interfaces of the router, taken to pieces. */
export interface Recording {
  readonly section: Buffer;
  readonly interfaces: readonly Buffer[];
  /** In time order. */
  readonly frames: readonly Frame[];
}

/** One way in which a capture shows less than everything. */
export interface Derivation {
  /** The derivations whose shares are told together. */
  readonly kind: string;
  readonly name: string;
  readonly derive: (recording: Recording) => Buffer;
}

/** Takes a little-endian pcapng of one section apart, as dumpcap writes it here. */
export function readRecording(bytes: Buffer): Recording {
  const interfaces: Buffer[] = [];
  const frames: Frame[] = [];
  let section: Buffer = Buffer.alloc(0);
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt32LE(at + 4);
    const block = bytes.subarray(at, at + length);
    const type = block.readUInt32LE(0);
    if (type === SECTION) section = block;
    else if (type === INTERFACE) interfaces.push(block);
    else if (type === PACKET) frames.push(readPacket(block));
    at += length;
  }
  frames.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
  return { section, interfaces, frames };
}

function readPacket(block: Buffer): Frame {
  const high = block.readUInt32LE(12);
  const low = block.readUInt32LE(16);
  return {
    interface: block.readUInt32LE(8),
    time: (BigInt(high) << 32n) | BigInt(low),
    timeWords: [high, low],
    originalLength: block.readUInt32LE(24),
    bytes: block.subarray(HEADER_LENGTH, HEADER_LENGTH + block.readUInt32LE(20)),
  };
}

interface Written {
  readonly interfaces?: readonly number[];
  /** Frames lost, as the capture says; absent: it says nothing. */
  readonly dropped?: number;
}

function write(recording: Recording, frames: readonly Frame[], written: Written = {}): Buffer {
  const { interfaces = recording.interfaces.map((_, index) => index), dropped } = written;
  const blocks = [recording.section, ...interfaces.map((index) => recording.interfaces[index]!)];
  for (const frame of frames) {
    const position = interfaces.indexOf(frame.interface);
    if (position >= 0) blocks.push(packetBlock(frame, position));
  }
  if (dropped !== undefined) blocks.push(...interfaces.map((_, position) => statisticsBlock(position, dropped)));
  return Buffer.concat(blocks);
}

function packetBlock(frame: Frame, position: number): Buffer {
  const padded = Math.ceil(frame.bytes.length / 4) * 4;
  const block = Buffer.alloc(HEADER_LENGTH + padded + 4);
  const words = [PACKET, block.length, position, ...frame.timeWords, frame.bytes.length, frame.originalLength];
  for (const [index, word] of words.entries()) block.writeUInt32LE(word, 4 * index);
  frame.bytes.copy(block, HEADER_LENGTH);
  block.writeUInt32LE(block.length, block.length - 4);
  return block;
}

function statisticsBlock(position: number, dropped: number): Buffer {
  const block = Buffer.alloc(40);
  for (const [index, word] of [STATISTICS, block.length, position, 0, 0].entries())
    block.writeUInt32LE(word, 4 * index);
  block.writeUInt16LE(OPTION_INTERFACE_DROPPED, 20);
  block.writeUInt16LE(8, 22);
  block.writeBigUInt64LE(BigInt(dropped), 24);
  block.writeUInt32LE(block.length, 36);
  return block;
}

const SUBSETS: readonly (readonly number[])[] = [[0], [1], [2], [0, 1], [0, 2], [1, 2]];
/** Every tenth frame, from each of these on: which frames are lost is chance. Whether they are counted changes less. */
const LOSS_PHASES = [0, 4, 7] as const;
const COUNTED_PHASES = [7] as const;

const etherType = ({ bytes }: Frame): number => bytes.readUInt16BE(ETHER_HEADER - 2);
const ICMPV6 = 58;
/** ARP, or what IPv6 has in its place. */
const isArp = (frame: Frame): boolean =>
  etherType(frame) === 0x0806 || (etherType(frame) === 0x86dd && frame.bytes[ETHER_HEADER + 6] === ICMPV6);
/** The router's MAC addresses end in fe: see test/lab/topology.ts. */
const leavesRouter = (frame: Frame): boolean => frame.bytes[11] === 0xfe;
/** Servers are 10.0.0.0/24 and 2001:db8:10::/64. */
const isTowardServer = (frame: Frame): boolean =>
  etherType(frame) === 0x86dd
    ? frame.bytes.readUInt16BE(ETHER_HEADER + 28) === 0x10
    : frame.bytes[ETHER_HEADER + 16] === 10;

const half = (frames: readonly Frame[], first: boolean): readonly Frame[] => {
  const middle = frames.length >> 1;
  return first ? frames.slice(0, middle) : frames.slice(middle);
};
const lossy = (frames: readonly Frame[], phase: number): readonly Frame[] =>
  frames.filter((_, index) => index % 10 !== phase);
const directed = (frames: readonly Frame[], wanted: (frame: Frame) => boolean): readonly Frame[] =>
  frames.filter((frame) => isArp(frame) || wanted(frame));

const cut = (frames: readonly Frame[], length: number): readonly Frame[] =>
  frames.map((frame) => ({ ...frame, bytes: frame.bytes.subarray(0, length) }));

/** All derivations, in the order of the table. */
export const DERIVATIONS: readonly Derivation[] = [
  ...SUBSETS.map((interfaces): Derivation => {
    const name = interfaces.map((index) => ROUTER_INTERFACES[index]).join(' and ');
    return { kind: `only ${name}`, name, derive: (whole) => write(whole, whole.frames, { interfaces }) };
  }),
  one('first half', (frames) => half(frames, true)),
  one('second half', (frames) => half(frames, false)),
  one('without ARP', (frames) => frames.filter((frame) => !isArp(frame))),
  ...LOSS_PHASES.map((phase) => one('every tenth frame lost', (frames) => lossy(frames, phase), `lost from ${phase}`)),
  ...COUNTED_PHASES.map(
    (phase): Derivation => ({
      kind: 'every tenth frame lost, and counted',
      name: `counted as lost from ${phase}`,
      derive: (whole) => write(whole, lossy(whole.frames, phase), { dropped: Math.ceil(whole.frames.length / 10) }),
    }),
  ),
  one('cut to 96 bytes', (frames) => cut(frames, 96)),
  one('cut to 68 bytes', (frames) => cut(frames, 68)),
  one('only toward servers', (frames) => directed(frames, isTowardServer)),
  one('only toward clients', (frames) => directed(frames, (frame) => !isTowardServer(frame))),
  one('only what entered', (frames) => frames.filter((frame) => !leavesRouter(frame))),
  one('only what left', (frames) => frames.filter(leavesRouter)),
];

function one(kind: string, select: (frames: readonly Frame[]) => readonly Frame[], name = kind): Derivation {
  return { kind, name, derive: (whole) => write(whole, select(whole.frames)) };
}

/** Everything at once, by chance: some interfaces, a part of the time, frames lost, cut or of one direction; the same for the same seed. */
export function randomly(recording: Recording, seed: number): { readonly name: string; readonly bytes: Buffer } {
  const chance = chances(seed);
  const pick = <Value>(values: readonly Value[]): Value => values[Math.floor(chance() * values.length)]!;
  const interfaces = pick([[0, 1, 2], ...SUBSETS, [0, 1, 2]]);
  const lost = pick([0, 0, 0.02, 0.1, 0.3]);
  const [from, to] = pick([
    [0, 1],
    [0, 1],
    [0, chance()],
    [chance(), 1],
    [chance() / 2, 0.5 + chance() / 2],
  ]);
  const length = pick([262_144, 262_144, 262_144, 96, 68]);
  const kept = pick<readonly [string, (frame: Frame) => boolean]>([
    ['all', () => true],
    ['all', () => true],
    ['no ARP', (frame) => !isArp(frame)],
    ['toward servers', (frame) => isArp(frame) || isTowardServer(frame)],
    ['toward clients', (frame) => isArp(frame) || !isTowardServer(frame)],
    ['entered', (frame) => !leavesRouter(frame)],
    ['left', leavesRouter],
  ]);
  const { frames } = recording;
  const selected = frames
    .slice(Math.floor(frames.length * from), Math.ceil(frames.length * to))
    .filter((frame) => kept[1](frame) && chance() >= lost)
    .map((frame) => ({ ...frame, bytes: frame.bytes.subarray(0, length) }));
  const counted = lost > 0 && chance() < 0.3 ? { dropped: Math.ceil(frames.length * lost) } : {};
  const window = `${from.toFixed(2)} to ${to.toFixed(2)}`;
  const counting = 'dropped' in counted ? ', counted' : '';
  return {
    name: `seed ${seed}: eth${interfaces.join(' eth')}, ${window}, ${lost} lost${counting}, ${length} bytes, ${kept[0]}`,
    bytes: write(recording, selected, { interfaces, ...counted }),
  };
}

/** Numbers from 0 to 1. Ref: Steele and others, Fast splittable pseudorandom number generators (mix of splitmix32). */
function chances(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}
