/** Random traffic, partly coherent: flows that take turns, each with its natural course and deviations from it. */
import fc from 'fast-check';
import { frameHex, interfaceMac, ODDITIES, type Oddity, type PacketWords, packetBytes } from './frame.ts';
import type { ScenarioFrame } from './scenario.ts';

/** Hosts and the interface that they are behind. */
const HOSTS: readonly (readonly [address: string, behind: number])[] = [
  ['192.168.0.10', 0],
  ['192.168.0.11', 0],
  ['203.0.113.5', 0],
  ['10.0.0.10', 2],
  ['10.0.0.20', 2],
  ['10.9.1.5', 2],
  ['172.16.0.1', 1],
  ['198.51.100.1', 3],
];
const ODD = [
  '0.0.0.0',
  '255.255.255.255',
  '127.0.0.1',
  '240.1.2.3',
  '0.1.2.3',
  '10.0.0.255',
  '192.168.0.255',
  '192.168.0.0',
  '192.168.0.254',
  '10.0.0.254',
  '172.16.0.254',
  '8.8.8.8',
  '10.77.0.1',
];

const KINDS = [
  'next',
  'again',
  'rst',
  'rst-ack',
  'rst-off',
  'fin',
  'fin-bare',
  'old',
  'future',
  'ack-future',
  'restart-later',
  'restart-earlier',
  'restart',
  'flags',
  'error',
  'syn',
  'syn-ack',
  'sack',
  'ack',
  'reverse',
] as const;
type Kind = (typeof KINDS)[number];

interface Flow {
  readonly client: number;
  readonly server: number;
  readonly protocol: 'tcp' | 'udp' | 'icmp' | number;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly scale: boolean;
  readonly window: number;
  readonly tos: number;
  /** Where translated connections' replies come from and go to. */
  readonly replySource?: string | undefined;
  readonly replyDestination?: string | undefined;
  readonly replyPort?: number | undefined;
}

interface Event {
  readonly flow: number;
  readonly kind: Kind;
  /** 1: from the server. */
  readonly direction: number;
  /** Another interface than the one the sender is behind. */
  readonly via?: number | undefined;
  readonly size: number;
  readonly number: number;
  readonly ttl?: number | undefined;
  readonly bad?: 'network' | 'transport' | undefined;
  readonly mac?: string | undefined;
  readonly oddity?: Oddity | undefined;
  readonly fragment?: { readonly offset: number; readonly more: boolean } | undefined;
  readonly split?: Split | undefined;
}

interface Stray {
  readonly stray: PacketWords;
  readonly via: number;
}

/** What a profile's traffic is like. */
export interface TrafficStyle {
  /** Of 10: deviations from the flows' natural course. */
  readonly deviations: number;
  /** Of 10: packets that belong to nothing, with odd addresses. */
  readonly strays: number;
  /** Of 10: packets that come in elsewhere. */
  readonly elsewhere: number;
  readonly translated?: boolean;
  readonly fragments?: boolean;
  /** Datagrams in pieces, of which most come together. */
  readonly pieces?: boolean;
  readonly badChecksums?: boolean;
  /** Of 100: IP options, and headers that are cut or lie. */
  readonly oddities?: number;
  readonly most: number;
  readonly tcp: number;
}

const weighted = <T>(weight: number, arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 10 - weight, arbitrary: fc.constant(undefined) }, { weight, arbitrary });

function flow(style: TrafficStyle): fc.Arbitrary<Flow> {
  const translated = style.translated === true ? 5 : 0;
  return fc.record({
    client: fc.nat(HOSTS.length - 1),
    server: fc.integer({ min: 0, max: HOSTS.length - 1 }),
    protocol: fc.oneof(
      { weight: style.tcp, arbitrary: fc.constant('tcp' as const) },
      { weight: 3, arbitrary: fc.constantFrom('udp' as const, 'icmp' as const) },
      { weight: 1, arbitrary: fc.constantFrom(50, 89) },
    ),
    sourcePort: fc.constantFrom(40_000, 40_001, 22, 1000),
    destinationPort: fc.constantFrom(3389, 22, 80),
    scale: fc.boolean(),
    window: fc.constantFrom(0xffff, 1000, 0),
    tos: fc.constantFrom(0, 0, 0, 0x10, 0x08, 0xb8, 0x14, 0x03),
    replySource: weighted(translated, fc.constantFrom('10.0.0.20', '172.16.0.1', '10.0.0.254')),
    replyDestination: weighted(
      translated,
      fc.constantFrom('10.0.0.254', '172.16.0.9', '172.16.0.254', '10.0.0.9', '192.168.0.254'),
    ),
    replyPort: weighted(translated > 0 ? 3 : 0, fc.constantFrom(3390, 50_000)),
  });
}

const oddity: fc.Arbitrary<Oddity> = fc.constantFrom(...ODDITIES);

function event(style: TrafficStyle): fc.Arbitrary<Event> {
  return fc.record({
    flow: fc.nat(4),
    kind: fc.oneof(
      { weight: 10 - style.deviations, arbitrary: fc.constant('next' as Kind) },
      { weight: style.deviations, arbitrary: fc.constantFrom(...KINDS) },
    ),
    direction: fc.nat(1),
    via: weighted(style.elsewhere, fc.nat(3)),
    size: fc.constantFrom(0, 0, 1, 100, 1000, 1400),
    number: fc.nat(255),
    ttl: weighted(1, fc.constantFrom(0, 1, 2, 255)),
    bad: weighted(style.badChecksums === true ? 2 : 0, fc.constantFrom('network' as const, 'transport' as const)),
    oddity: fc.tuple(fc.nat(99), oddity).map(([lot, picked]) => (lot < (style.oddities ?? 0) ? picked : undefined)),
    mac: weighted(style.strays > 3 ? 1 : 0, fc.constantFrom('ff:ff:ff:ff:ff:ff', '01:00:5e:00:00:05')),
    fragment: weighted(
      style.fragments === true ? 4 : 0,
      fc.record({ offset: fc.constantFrom(0, 8, 16, 24), more: fc.boolean() }),
    ),
    split: weighted(style.pieces === true ? 6 : 0, split()),
  });
}

function stray(): fc.Arbitrary<Stray> {
  const address = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...HOSTS.map(([host]) => host)) },
    { weight: 2, arbitrary: fc.constantFrom(...ODD) },
  );
  const words = fc.record({
    source: address,
    destination: address,
    protocol: fc.constantFrom('tcp' as const, 'udp' as const, 'icmp' as const, 50),
    sourcePort: fc.constantFrom(40_000, 22, 0, 65_535),
    destinationPort: fc.constantFrom(3389, 22, 0, 65_535),
    flags: fc.constantFrom(2, 0x10, 0x12, 0x18, 4, 1),
    icmpType: fc.constantFrom(8, 0, 13, 17, 3, 11, 5, 30, 10),
    ttl: fc.constantFrom(64, 64, 64, 64, 1, 2),
    tos: fc.constantFrom(0, 0, 0x10, 0xb8, 0x1c),
    identification: fc.constant(0),
    payload: fc.constantFrom(0, 10, 1300, 1390, 1472),
    dontFragment: fc.boolean(),
  });
  return fc.record({ stray: words, via: fc.nat(3) });
}

/** Frames in the order of their injection. */
export function traffic(style: TrafficStyle): fc.Arbitrary<ScenarioFrame[]> {
  const item = fc.oneof(
    { weight: 10 - style.strays, arbitrary: event(style) },
    { weight: style.strays, arbitrary: stray() },
  );
  return fc
    .tuple(
      fc.array(flow(style), { minLength: 1, maxLength: 5, size: 'max' }),
      fc.array(item, { minLength: Math.floor(style.most / 2), maxLength: style.most, size: 'max' }),
    )
    .map(([flows, items]) => new Courses(flows).frames(items));
}

/** Where a flow is: sequence numbers of client and server, what was acknowledged, and how far its natural course is. */
class Course {
  readonly flow: Flow;
  readonly next: [number, number];
  step = 0;
  last: [PacketWords | undefined, PacketWords | undefined] = [undefined, undefined];

  constructor(flow: Flow, number: number) {
    this.flow = flow;
    this.next = [number * 1_000_003 + 0xfff0_0000, number * 77_777_777 + 5000];
  }

  restart(kind: Kind, number: number): void {
    const shift =
      kind === 'restart-later' ? 10_000_000 : kind === 'restart-earlier' ? -10_000_000 : number * 16_777_213;
    this.next[0] += shift;
    this.next[1] += kind === 'restart' ? number * 33_554_467 : shift;
    this.step = 0;
  }
}

/** The natural course of a TCP connection: who sends which flags, and how many bytes. */
const TCP_COURSE: readonly (readonly [direction: number, flags: number, bytes: number])[] = [
  [0, 0x02, 0],
  [1, 0x12, 0],
  [0, 0x10, 0],
  [0, 0x18, 1],
  [1, 0x10, 0],
  [1, 0x18, 1],
  [0, 0x10, 0],
  [0, 0x18, 1],
  [1, 0x18, 1],
  [0, 0x11, 0],
  [1, 0x10, 0],
  [1, 0x11, 0],
  [0, 0x10, 0],
];

class Courses {
  readonly #courses: readonly Course[];

  constructor(flows: readonly Flow[]) {
    this.#courses = flows.map((flow, index) => new Course(flow, index + 1));
  }

  frames(items: readonly (Event | Stray)[]): ScenarioFrame[] {
    const later: { at: number; frame: ScenarioFrame }[] = [];
    const made = items.flatMap((item, index) => {
      const due = later.filter(({ at }) => at === index).map(({ frame }) => frame);
      const now = this.#framesOf(item, index);
      const delay = 'split' in item ? (item.split?.delay ?? 0) : 0;
      const late = delay === 0 ? [] : now.splice(Math.max(1, now.length - 2));
      for (const frame of late) later.push({ at: index + delay, frame });
      return [...due, ...now];
    });
    return [...made, ...later.filter(({ at }) => at >= items.length).map(({ frame }) => frame)];
  }

  #framesOf(item: Event | Stray, index: number): ScenarioFrame[] {
    const identification = index + 1;
    if ('stray' in item) return [frameOf(item.via, { ...item.stray, identification }, 'stray')];
    const course = this.#courses[item.flow % this.#courses.length]!;
    const [made, direction] = this.#packet(course, item);
    const words: PacketWords = {
      ...made,
      identification,
      ...(item.ttl === undefined ? {} : { ttl: item.ttl }),
      ...(item.bad === undefined ? {} : { badChecksum: item.bad }),
      ...(item.oddity === undefined ? {} : { oddity: item.oddity }),
      ...(item.fragment === undefined ? {} : { fragment: item.fragment }),
    };
    const home = HOSTS[direction === 0 ? course.flow.client : course.flow.server]![1];
    const via = item.via ?? home;
    if (item.split === undefined) return [frameOf(via, words, item.kind, item.mac)];
    return piecesOf(words, item.split).map((piece, position) =>
      frameOf(position === item.split!.elsewhere ? (via + 1) % 4 : via, piece, item.kind, item.mac),
    );
  }

  /** The packet and who sends it. */
  #packet(course: Course, event: Event): [PacketWords, number] {
    const { flow } = course;
    if (event.kind === 'again') {
      const last = course.last[event.direction];
      if (last !== undefined) return [last, event.direction];
    }
    if (event.kind === 'error') {
      const about = course.last[1 - event.direction];
      if (about !== undefined) return [this.#error(course, event, about), event.direction];
    }
    const made = flow.protocol === 'tcp' ? this.#segment(course, event) : this.#datagram(course, event);
    course.last[made[1]] = made[0];
    return made;
  }

  #addresses(
    course: Course,
    direction: number,
  ): Pick<PacketWords, 'source' | 'destination' | 'sourcePort' | 'destinationPort' | 'tos' | 'identification'> {
    const { flow } = course;
    const client = HOSTS[flow.client]![0];
    const server = HOSTS[flow.server]![0];
    const common = { tos: flow.tos, identification: 0 };
    if (direction === 0) {
      return {
        ...common,
        source: client,
        destination: server,
        sourcePort: flow.sourcePort,
        destinationPort: flow.destinationPort,
      };
    }
    const port = flow.replyPort;
    return {
      ...common,
      source: flow.replySource ?? server,
      destination: flow.replyDestination ?? client,
      sourcePort: port === 3390 ? port : flow.destinationPort,
      destinationPort: port === 50_000 ? port : flow.sourcePort,
    };
  }

  #datagram(course: Course, event: Event): [PacketWords, number] {
    const direction = event.kind === 'next' && course.step === 0 ? 0 : event.direction;
    course.step++;
    const { protocol } = course.flow;
    const icmp =
      protocol !== 'icmp'
        ? {}
        : {
            icmpType: event.kind === 'flags' ? event.number % 20 : direction === 0 ? 8 : 0,
            icmpIdentifier: course.flow.sourcePort,
          };
    return [{ ...this.#addresses(course, direction), protocol, payload: event.size, ...icmp }, direction];
  }

  #error(course: Course, event: Event, about: PacketWords): PacketWords {
    const quoted = packetBytes({ ...about, ...(about.fragment === undefined ? {} : { fragment: undefined as never }) });
    const odd = event.number % 4 === 0;
    return {
      source: odd ? '192.168.0.1' : this.#addresses(course, event.direction).source,
      destination: event.number % 16 === 1 ? '10.0.0.20' : about.source,
      protocol: 'icmp',
      icmpType: [3, 11, 3, 12, 4, 5][event.number % 6]!,
      icmpCode: event.number % 6 === 0 ? 1 : 0,
      quoted: quoted.subarray(0, event.number % 8 === 7 ? 24 : 48),
      identification: 0,
    };
  }

  #segment(course: Course, event: Event): [PacketWords, number] {
    const { kind } = event;
    if (kind.startsWith('restart')) course.restart(kind, event.number);
    let direction = event.direction;
    let flags = 0x10;
    let payload = 0;
    if (kind === 'next' || kind.startsWith('restart')) {
      const step = TCP_COURSE[Math.min(course.step, TCP_COURSE.length - 1)]!;
      course.step++;
      direction = step[0];
      flags = step[1];
      payload = step[2] * event.size;
    } else if (kind === 'reverse') {
      flags = [0x02, 0x10, 0x12][event.number % 3]!;
    } else {
      flags = DEVIANT_FLAGS[kind] ?? (kind === 'flags' ? event.number & 0x3f : 0x10);
      payload = kind === 'old' || kind === 'future' || kind === 'sack' || kind === 'ack' ? event.size : 0;
    }
    const [mine, other] = [course.next[direction]!, course.next[1 - direction]!];
    const away = [1, 1000, 60_000, 66_000, 200_000, 0x7fffffff, 0x80000000][event.number % 7]!;
    const syn = (flags & 0x02) !== 0;
    const words: PacketWords = {
      ...this.#addresses(course, direction),
      protocol: 'tcp',
      flags,
      sequence: mine + (kind === 'old' ? -away : kind === 'future' || kind === 'rst-off' ? away : 0),
      acknowledgement: (flags & 0x10) === 0 ? 0 : other + (kind === 'ack-future' ? away : 0),
      window: course.flow.window,
      payload,
      ...(syn && course.flow.scale ? { windowScale: 7, sackPermitted: true } : {}),
      ...(kind === 'sack' ? { sack: [other + 10, other + 20] as const } : {}),
    };
    if (kind === 'next' || kind.startsWith('restart') || kind === 'ack' || kind === 'fin') {
      course.next[direction]! += payload + (syn ? 1 : 0) + ((flags & 0x01) !== 0 ? 1 : 0);
    }
    return [words, direction];
  }
}

/** How a datagram is cut to pieces, and what happens to these on their way. */
interface Split {
  /** Bytes, a multiple of eight. */
  readonly size: number;
  readonly order: 'forward' | 'backward' | 'middle first';
  readonly mishap:
    | 'missing'
    | 'duplicate'
    | 'overlap'
    | 'two as one'
    | 'longer'
    | 'shorter'
    | 'empty'
    | 'ttl'
    | 'tos'
    | 'huge'
    | undefined;
  /** The place of the piece that it happens to. */
  readonly victim: number;
  /** Packets that come before the last pieces. */
  readonly delay: number;
  /** The place of a piece that comes by another interface. */
  readonly elsewhere: number | undefined;
  readonly dontFragment: 'no' | 'all' | 'one';
}

function split(): fc.Arbitrary<Split> {
  return fc.record({
    size: fc.constantFrom(24, 32, 48, 400, 800, 1280),
    order: fc.constantFrom('forward', 'forward', 'backward', 'middle first'),
    mishap: weighted(
      3,
      fc.constantFrom(
        'missing',
        'duplicate',
        'overlap',
        'two as one',
        'longer',
        'shorter',
        'empty',
        'ttl',
        'tos',
        'huge',
      ),
    ),
    victim: fc.nat(3),
    delay: fc.constantFrom(0, 0, 1, 3),
    elsewhere: weighted(2, fc.nat(2)),
    dontFragment: fc.constantFrom('no', 'no', 'all', 'one'),
  });
}

/** The pieces of a datagram in the order of their arrival. */
function piecesOf(words: PacketWords, how: Split): PacketWords[] {
  const payload = Math.min(words.payload ?? 0, words.protocol === 'tcp' ? LARGEST_SEGMENT : 1472);
  const { fragment: _, ...whole } = { ...words, payload };
  const total = packetBytes(whole).length - 20;
  // What is not said of datagrams whose headers are in several pieces is said of little that follows, either.
  const least = how.victim === 3 || (words.protocol !== 'tcp' && words.quoted === undefined) ? 24 : 64;
  const size = Math.max(how.size, least, Math.ceil(total / 48) * 8);
  if (total <= size) return [whole];
  const pieces: PacketWords[] = [];
  for (let offset = 0; offset < total; offset += size) {
    const length = Math.min(size, total - offset);
    const dontFragment = how.dontFragment === 'all' || (how.dontFragment === 'one' && pieces.length === how.victim);
    pieces.push({ ...whole, dontFragment, fragment: { offset, length, more: offset + length < total } });
  }
  const victim = how.victim % pieces.length;
  const piece = pieces[victim]!;
  const { offset, length = 0, more } = piece.fragment!;
  const changed = (fragment: NonNullable<PacketWords['fragment']>): PacketWords => ({ ...piece, fragment });
  if (how.mishap === 'missing') pieces.splice(victim, 1);
  if (how.mishap === 'duplicate') pieces.splice(how.size % (pieces.length + 1), 0, piece);
  if (how.mishap === 'overlap') pieces[victim] = changed({ offset: Math.max(0, offset - 8), length, more });
  if (how.mishap === 'two as one') pieces.push(changed({ offset, length: total - offset, more: false }));
  if (how.mishap === 'longer') pieces[victim] = changed({ offset, length: length + 8, more });
  if (how.mishap === 'shorter') pieces[victim] = changed({ offset, length: Math.max(8, length - 8), more });
  if (how.mishap === 'empty') pieces[victim] = changed({ offset, length: 0, more });
  if (how.mishap === 'ttl') pieces[victim] = { ...piece, ttl: 1 };
  if (how.mishap === 'tos') pieces[victim] = { ...piece, tos: (piece.tos ?? 0) ^ 3 };
  if (how.mishap === 'huge') pieces[victim] = changed({ offset: 65_528, length: 0, more: false });
  if (how.order === 'backward') pieces.reverse();
  if (how.order === 'middle first') pieces.unshift(...pieces.splice(Math.floor(pieces.length / 2), 1));
  return pieces;
}

const DEVIANT_FLAGS: Partial<Record<Kind, number>> = {
  rst: 0x04,
  'rst-ack': 0x14,
  'rst-off': 0x04,
  fin: 0x11,
  'fin-bare': 0x01,
  syn: 0x02,
  'syn-ack': 0x12,
};

const SHORT = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG'];

/** A TCP segment above the MTU counts as put together by a network card, so none is sent. */
const LARGEST_SEGMENT = 1300;

function frameOf(via: number, given: PacketWords, kind: string, mac?: string): ScenarioFrame {
  const payload = Math.min(given.payload ?? 0, given.protocol === 'tcp' ? LARGEST_SEGMENT : 1472);
  const words = { ...given, payload };
  const packet = packetBytes(words);
  const flags = SHORT.filter((_, bit) => ((words.flags ?? 0) & (1 << bit)) !== 0).join('+');
  const label = [
    kind,
    words.protocol,
    `${words.source}:${words.sourcePort ?? 0}`,
    '>',
    `${words.destination}:${words.destinationPort ?? 0}`,
    words.protocol === 'tcp'
      ? `[${flags}] seq ${(words.sequence ?? 0) >>> 0} ack ${(words.acknowledgement ?? 0) >>> 0}`
      : '',
    words.protocol === 'icmp' ? `type ${words.icmpType ?? 8}` : '',
    words.payload ? `+${words.payload}` : '',
    words.ttl === undefined ? '' : `ttl ${words.ttl}`,
    words.tos ? `tos ${words.tos}` : '',
    words.badChecksum ?? '',
    words.oddity ?? '',
    words.fragment === undefined ? '' : `fragment ${words.fragment.offset}${words.fragment.more ? '+' : ''}`,
    mac === undefined ? '' : `to ${mac}`,
  ];
  return {
    in: via,
    hex: frameHex(via, packet, mac ?? interfaceMac(via)),
    label: label.filter((part) => part !== '').join(' '),
  };
}
