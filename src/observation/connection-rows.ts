import type { Words } from '../net/ip-address.ts';
import type { PacketBatch } from '../wire/packet-batch.ts';
import type { Connection, ObservedEgress, PathCount } from './connection-log.ts';

/** Words of a connection's row. */
export const CLIENT = 0;
export const SERVER = 4;
/** The client's port << 16 | the server's. */
export const PORTS = 8;
/** Protocol, family << 8, and the bits below. */
export const KIND = 9;
export const SEEN = 10;
export const FLOWS = 11;
/** Sequence number of the last SYN toward the server. */
export const SYN_SEQUENCE = 12;
/** For each flow (as in `flows`) the sequence number that its next segment has. */
export const NEXT_SEQUENCES = 13;
/** Bit n: that of flow n is known. */
export const KNOWN_SEQUENCES = 17;
const UNPAIRED_EGRESS = 18;
const FIRST_FILE = 19;
const FIRST_FRAME = 20;
export const FIRST_TOKEN = 21;
/** Of no other connection; 0 of none. */
export const SERIAL = 22;
const ID = 23;
export const CONNECTION_WORDS = 24;

/** Bits of {@link KIND}. */
export const TUPLE_KIND = 0xffff;
export const LACKS_SEGMENTS = 1 << 16;
const IS_ROUTERS = 1 << 17;
/** A later lifetime of the five-tuple is there. */
export const REPLACED = 1 << 18;
export const HAS_SYN = 1 << 19;

/** Times of a row, nanoseconds since 1970. */
const FIRST = 0;
export const LAST = 1;
export const CLOSING = 2;
export const CONNECTION_TIMES = 3;

/** Words of a way's row. */
export const PATH = 0;
export const PACKETS = 1;
export const NEXT_TOKEN = 2;
const COUNT_FRAME = 3;
/** File of the first packet << 16 | number of the place where packets were seen leaving, the first such place; others are in a map. */
const COUNT_PLACES = 4;
const SEEN_PACKETS = 5;
export const COUNT_WORDS = 6;
export const COUNT_TIMES = 2;

/** Places that have a number. Of further ones all are in the map. */
const MOST_PLACES = 0xffff;
const NO_PLACE = 0xffff;

const NOWHERE: readonly ObservedEgress[] = [];

const FEWEST_ROWS = 1 << 8;

/** Connections by row; grows, and what its arrays are changes with that. */
export class ConnectionRows {
  words = new Int32Array(FEWEST_ROWS * CONNECTION_WORDS);
  times = new Float64Array(FEWEST_ROWS * CONNECTION_TIMES);

  /** Begins a connection with a packet in a row that is free. */
  open(row: number, serial: number, batch: PacketBatch, packet: number, toServer: boolean, time: number): void {
    if ((row + 1) * CONNECTION_TIMES > this.times.length) {
      this.words = larger(this.words, Int32Array);
      this.times = larger(this.times, Float64Array);
    }
    const { words, times } = this;
    const at = CONNECTION_WORDS * row;
    const [clients, servers] = toServer ? [batch.source, batch.destination] : [batch.destination, batch.source];
    for (let word = 0; word < 4; word++) {
      words[at + CLIENT + word] = clients[4 * packet + word]!;
      words[at + SERVER + word] = servers[4 * packet + word]!;
    }
    const source = batch.sourcePort[packet]!;
    const destination = batch.destinationPort[packet]!;
    words[at + PORTS] = toServer ? (source << 16) | destination : (destination << 16) | source;
    words[at + KIND] = batch.protocol[packet]! | (batch.family[packet]! << 8);
    words.fill(0, at + SEEN, at + CONNECTION_WORDS);
    words[at + FIRST_FILE] = batch.file[packet]!;
    words[at + FIRST_FRAME] = batch.frameNumber[packet]!;
    words[at + FIRST_TOKEN] = -1;
    words[at + SERIAL] = serial;
    words[at + ID] = serial;
    times[CONNECTION_TIMES * row + FIRST] = time;
    times[CONNECTION_TIMES * row + LAST] = time;
    times[CONNECTION_TIMES * row + CLOSING] = Number.POSITIVE_INFINITY;
  }
}

/** A connection as its row stands: of no use any more once the log has forgotten it. */
export class ConnectionOfRow implements Connection {
  readonly row: number;
  readonly #rows: ConnectionRows;
  readonly #counts: CountRows;

  constructor(rows: ConnectionRows, counts: CountRows, row: number) {
    this.#rows = rows;
    this.#counts = counts;
    this.row = row;
  }

  get serial(): number {
    return this.#word(SERIAL);
  }

  get id(): number {
    return this.#word(ID);
  }

  set id(value: number) {
    this.#rows.words[CONNECTION_WORDS * this.row + ID] = value;
  }

  get family(): 4 | 6 {
    return ((this.#word(KIND) >> 8) & 0xff) === 6 ? 6 : 4;
  }

  get protocol(): number {
    return this.#word(KIND) & 0xff;
  }

  get client(): Words {
    return this.#address(CLIENT);
  }

  get server(): Words {
    return this.#address(SERVER);
  }

  get clientPort(): number {
    return this.#word(PORTS) >>> 16;
  }

  get serverPort(): number {
    return this.#word(PORTS) & 0xffff;
  }

  get firstTime(): number {
    return this.#time(FIRST);
  }

  get lastTime(): number {
    return this.#time(LAST);
  }

  get closingTime(): number {
    return this.#time(CLOSING);
  }

  get firstFile(): number {
    return this.#word(FIRST_FILE);
  }

  get firstFrame(): number {
    return this.#word(FIRST_FRAME) >>> 0;
  }

  get seen(): number {
    return this.#word(SEEN);
  }

  set seen(value: number) {
    this.#rows.words[CONNECTION_WORDS * this.row + SEEN] = value;
  }

  get flows(): number {
    return this.#word(FLOWS);
  }

  get nextSequences(): readonly [number, number, number, number] {
    return [this.#nextSequence(0), this.#nextSequence(1), this.#nextSequence(2), this.#nextSequence(3)];
  }

  get lacksSegments(): boolean {
    return (this.#word(KIND) & LACKS_SEGMENTS) !== 0;
  }

  get unpairedEgress(): number {
    return this.#word(UNPAIRED_EGRESS);
  }

  set unpairedEgress(value: number) {
    this.#rows.words[CONNECTION_WORDS * this.row + UNPAIRED_EGRESS] = value;
  }

  get isRouters(): boolean {
    return (this.#word(KIND) & IS_ROUTERS) !== 0;
  }

  set isRouters(value: boolean) {
    const at = CONNECTION_WORDS * this.row + KIND;
    this.#rows.words[at] = value ? this.#word(KIND) | IS_ROUTERS : this.#word(KIND) & ~IS_ROUTERS;
  }

  get paths(): readonly number[] {
    const { words } = this.#counts;
    const tokens: number[] = [];
    for (let token = this.#word(FIRST_TOKEN); token >= 0; token = words[COUNT_WORDS * token + NEXT_TOKEN]!)
      tokens.push(token);
    return tokens;
  }

  #nextSequence(flow: number): number {
    return ((this.#word(KNOWN_SEQUENCES) >> flow) & 1) === 1 ? this.#word(NEXT_SEQUENCES + flow) >>> 0 : -1;
  }

  #word(word: number): number {
    return this.#rows.words[CONNECTION_WORDS * this.row + word]!;
  }

  #time(which: number): number {
    return this.#rows.times[CONNECTION_TIMES * this.row + which]!;
  }

  #address(first: number): Words {
    const { words } = this.#rows;
    const at = CONNECTION_WORDS * this.row + first;
    return [words[at]! >>> 0, words[at + 1]! >>> 0, words[at + 2]! >>> 0, words[at + 3]! >>> 0];
  }
}

/** Where packets leave: an interface of the router, and to which MAC address. */
interface Place {
  readonly interface: number;
  readonly destinationMac: number;
}

/** Ways of connections by token; grows as {@link ConnectionRows} do. */
export class CountRows {
  words = new Int32Array(FEWEST_ROWS * COUNT_WORDS);
  times = new Float64Array(FEWEST_ROWS * COUNT_TIMES);
  length = 0;
  /** By token, the places where packets of a way were seen leaving, without the one in its row. */
  readonly further = new Map<number, ObservedEgress[]>();
  readonly #places: Place[] = [];
  /** By interface and one, numbers of places by MAC address. */
  readonly #numbers: Map<number, number>[] = [];

  /** Begins a way with its first packet, in a row that is free or the next; returns the row. */
  add(token: number, path: number, file: number, frame: number, time: number): number {
    if ((token + 1) * COUNT_TIMES > this.times.length) {
      this.words = larger(this.words, Int32Array);
      this.times = larger(this.times, Float64Array);
    }
    this.length = Math.max(this.length, token + 1);
    const { words, times } = this;
    const at = COUNT_WORDS * token;
    words[at + PATH] = path;
    words[at + PACKETS] = 1;
    words[at + NEXT_TOKEN] = -1;
    words[at + COUNT_FRAME] = frame;
    words[at + COUNT_PLACES] = (file << 16) | NO_PLACE;
    words[at + SEEN_PACKETS] = 0;
    this.further.delete(token);
    times[COUNT_TIMES * token + FIRST] = time;
    times[COUNT_TIMES * token + LAST] = time;
    return token;
  }

  observe(token: number, position: number, mac: number): void {
    const { words } = this;
    const at = COUNT_WORDS * token;
    const known = this.#places[words[at + COUNT_PLACES]! & NO_PLACE];
    if (known !== undefined && known.interface === position && known.destinationMac === mac) {
      words[at + SEEN_PACKETS]!++;
      return;
    }
    const place = this.#numberOf(position, mac);
    if (words[at + SEEN_PACKETS] === 0 && place !== NO_PLACE && !this.further.has(token))
      words[at + COUNT_PLACES] = (words[at + COUNT_PLACES]! & ~NO_PLACE) | place;
    if (place !== NO_PLACE && (words[at + COUNT_PLACES]! & NO_PLACE) === place) words[at + SEEN_PACKETS]!++;
    else this.#observeElsewhere(token, position, mac);
  }

  #numberOf(position: number, mac: number): number {
    const numbers = this.#numbers[position + 1] ?? new Map<number, number>();
    this.#numbers[position + 1] = numbers;
    const known = numbers.get(mac);
    if (known !== undefined) return known;
    if (this.#places.length >= MOST_PLACES) return NO_PLACE;
    const number = this.#places.push({ interface: position, destinationMac: mac }) - 1;
    numbers.set(mac, number);
    return number;
  }

  #observeElsewhere(token: number, position: number, mac: number): void {
    const others = this.further.get(token) ?? [];
    const known = others.find((item) => item.interface === position && item.destinationMac === mac);
    if (known === undefined) others.push({ interface: position, destinationMac: mac, packets: 1 });
    else known.packets++;
    this.further.set(token, others);
  }

  observedOf(token: number): readonly ObservedEgress[] {
    const at = COUNT_WORDS * token;
    const packets = this.words[at + SEEN_PACKETS]!;
    const others = this.further.get(token);
    if (packets === 0) return others ?? NOWHERE;
    const place = this.#places[this.words[at + COUNT_PLACES]! & NO_PLACE]!;
    const first = { interface: place.interface, destinationMac: place.destinationMac, packets };
    return others === undefined ? [first] : [first, ...others];
  }

  wasObserved(token: number): boolean {
    return this.words[COUNT_WORDS * token + SEEN_PACKETS]! > 0 || this.further.has(token);
  }

  fileOf(token: number): number {
    return this.words[COUNT_WORDS * token + COUNT_PLACES]! >>> 16;
  }

  frameOf(token: number): number {
    return this.words[COUNT_WORDS * token + COUNT_FRAME]! >>> 0;
  }

  firstTimeOf(token: number): number {
    return this.times[COUNT_TIMES * token + FIRST]!;
  }
}

/** A way as its row stands. */
export class CountOfRow implements PathCount {
  readonly #rows: CountRows;
  readonly #token: number;

  constructor(rows: CountRows, token: number) {
    this.#rows = rows;
    this.#token = token;
  }

  get path(): number {
    return this.#rows.words[COUNT_WORDS * this.#token + PATH]!;
  }

  get packets(): number {
    return this.#rows.words[COUNT_WORDS * this.#token + PACKETS]!;
  }

  get observed(): readonly ObservedEgress[] {
    return this.#rows.observedOf(this.#token);
  }

  get wasObserved(): boolean {
    return this.#rows.wasObserved(this.#token);
  }

  get firstFile(): number {
    return this.#rows.fileOf(this.#token);
  }

  get firstFrame(): number {
    return this.#rows.frameOf(this.#token);
  }

  get firstTime(): number {
    return this.#rows.firstTimeOf(this.#token);
  }

  get lastTime(): number {
    return this.#rows.times[COUNT_TIMES * this.#token + LAST]!;
  }
}

function larger<A extends Int32Array | Float64Array>(old: A, make: new (length: number) => A): A {
  const grown = new make(old.length * 2);
  grown.set(old);
  return grown;
}
