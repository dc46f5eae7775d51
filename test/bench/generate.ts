import { closeSync, openSync, writeSync } from 'node:fs';

/** Cooked v2 header length, then IPv4 and TCP without options. */
const SLL2 = 20;
const RECORD = 16;
const HEADERS = SLL2 + 40;

const INTERFACE = { eth0: 2, eth1: 3, eth2: 4 } as const;
const CLIENTS = 0xc0a80001;
const SPS = 0xac100001;
const SERVERS = 0x0a00000a;
/** Ports that SPS uses toward one server. */
const SPS_PORTS = 60_000;
const FULL_SEGMENT = 1420;
/** Bytes that payload is taken from: as hard to compress as text in base64. */
const POOL_BYTES = 1 << 22;

const MAC = { client: [2, 0, 0xc0, 0xa8, 0, 10], sps: [2, 0, 0xac, 0x10, 0, 1], server: [2, 0, 10, 0, 0, 10] } as const;

export interface GeneratedCapture {
  readonly seed: number;
  readonly sessions: number;
  /** Sessions that are open at one time. */
  readonly open: number;
  /** Request and answer exchanges in each session, of eight frames a leg: mean frame 580 bytes. */
  readonly exchanges: number;
}

/**
 * Writes a classic pcap (cooked v2, all interfaces) of sessions through the seed's correct set-up with SPS's own address: every packet as
 * it enters the router and as it leaves it. A session is two connections. Returns the number of frames.
 */
export function generateCapture(path: string, plan: GeneratedCapture): number {
  const writer = new Writer(path, plan.seed);
  for (let first = 0; first < plan.sessions; first += plan.open) {
    const sessions = Array.from(
      { length: Math.min(plan.open, plan.sessions - first) },
      (_, index) => new Session(writer, first + index),
    );
    for (const session of sessions) session.open();
    for (let round = 0; round < plan.exchanges; round++) for (const session of sessions) session.exchange();
    for (const session of sessions) session.close();
  }
  writer.end();
  return writer.frames;
}

interface Leg {
  readonly client: number;
  readonly port: number;
  readonly viaSps: boolean;
  readonly server: number;
  sequence: number;
  answer: number;
}

class Session {
  readonly #writer: Writer;
  readonly #legs: readonly Leg[];

  constructor(writer: Writer, index: number) {
    this.#writer = writer;
    const server = SERVERS + Math.floor(index / SPS_PORTS);
    this.#legs = [
      {
        client: CLIENTS + (index % 200),
        port: 20_000 + Math.floor(index / 200),
        viaSps: false,
        server,
        sequence: 1000 + index,
        answer: 5_000_000 + index,
      },
      {
        client: SPS,
        port: 1024 + (index % SPS_PORTS),
        viaSps: true,
        server,
        sequence: 9000 + index,
        answer: 7_000_000 + index,
      },
    ];
  }

  open(): void {
    for (const leg of this.#legs) {
      this.#request(leg, 0x02, 0);
      leg.sequence++;
      this.#answer(leg, 0x12, 0);
      leg.answer++;
      this.#request(leg, 0x10, 0);
    }
  }

  /** A request, an answer of two segments, and its acknowledgement: 520 bytes of payload a packet in the mean. */
  exchange(): void {
    for (const leg of this.#legs) {
      const request = 20 + this.#writer.random(201);
      const rest = 340 + this.#writer.random(401);
      this.#request(leg, 0x18, request);
      leg.sequence += request;
      this.#answer(leg, 0x10, FULL_SEGMENT);
      leg.answer += FULL_SEGMENT;
      this.#answer(leg, 0x18, rest);
      leg.answer += rest;
      this.#request(leg, 0x10, 0);
    }
  }

  close(): void {
    for (const leg of this.#legs) {
      this.#request(leg, 0x11, 0);
      leg.sequence++;
      this.#answer(leg, 0x11, 0);
      leg.answer++;
      this.#request(leg, 0x10, 0);
    }
  }

  #request(leg: Leg, flags: number, payload: number): void {
    const [from, to, mac] = leg.viaSps
      ? [INTERFACE.eth1, INTERFACE.eth2, MAC.sps]
      : [INTERFACE.eth0, INTERFACE.eth1, MAC.client];
    const acknowledgement = (flags & 0x10) !== 0 ? leg.answer : 0;
    this.#writer.packet(
      from,
      to,
      mac,
      leg.client,
      leg.port,
      leg.server,
      3389,
      leg.sequence,
      acknowledgement,
      flags,
      payload,
    );
  }

  #answer(leg: Leg, flags: number, payload: number): void {
    const [from, to, mac] = leg.viaSps
      ? [INTERFACE.eth2, INTERFACE.eth1, MAC.server]
      : [INTERFACE.eth1, INTERFACE.eth0, MAC.sps];
    this.#writer.packet(
      from,
      to,
      mac,
      leg.server,
      3389,
      leg.client,
      leg.port,
      leg.answer,
      leg.sequence,
      flags,
      payload,
    );
  }
}

class Writer {
  frames = 0;
  readonly #file: number;
  readonly #buffer = Buffer.alloc(1 << 22);
  #used = 0;
  #microseconds = 0;
  #identification = 0;
  #random: number;
  readonly #pool = Buffer.alloc(POOL_BYTES);

  constructor(path: string, seed: number) {
    this.#random = seed;
    for (let at = 0; at < POOL_BYTES; at++) this.#pool[at] = 48 + this.random(64);
    this.#file = openSync(path, 'w');
    const header = Buffer.alloc(24);
    header.writeUInt32LE(0xa1b2c3d4, 0);
    header.writeUInt16LE(2, 4);
    header.writeUInt16LE(4, 6);
    header.writeUInt32LE(262_144, 16);
    header.writeUInt32LE(276, 20);
    writeSync(this.#file, header);
  }

  /** 0 … below − 1, the same for the same seed. Ref: xorshift32, Marsaglia 2003 */
  random(below: number): number {
    let value = this.#random;
    value ^= value << 13;
    value ^= value >>> 17;
    value ^= value << 5;
    this.#random = value;
    return (value >>> 0) % below;
  }

  packet(
    from: number,
    to: number,
    mac: readonly number[],
    source: number,
    sourcePort: number,
    destination: number,
    destinationPort: number,
    sequence: number,
    acknowledgement: number,
    flags: number,
    payload: number,
  ): void {
    this.#identification = (this.#identification + 1) & 0xffff;
    const payloadAt = this.random(POOL_BYTES - 2048);
    for (const leaves of [false, true]) {
      if (this.#used + RECORD + HEADERS + payload > this.#buffer.length) this.#flush();
      const buffer = this.#buffer;
      let at = this.#used;
      this.#microseconds += 5;
      buffer.writeUInt32LE(1_700_000_000 + Math.floor(this.#microseconds / 1e6), at);
      buffer.writeUInt32LE(this.#microseconds % 1e6, at + 4);
      buffer.writeUInt32LE(HEADERS + payload, at + 8);
      buffer.writeUInt32LE(HEADERS + payload, at + 12);
      at += RECORD;
      buffer.fill(0, at, at + HEADERS);
      buffer.writeUInt16BE(0x0800, at);
      buffer.writeUInt16BE(0, at + 2);
      buffer.writeUInt32BE(leaves ? to : from, at + 4);
      buffer.writeUInt16BE(1, at + 8);
      buffer[at + 10] = leaves ? 4 : 0;
      buffer[at + 11] = 6;
      for (let octet = 0; octet < 6; octet++) buffer[at + 12 + octet] = mac[octet]!;
      at += SLL2;
      buffer[at] = 0x45;
      buffer.writeUInt16BE(40 + payload, at + 2);
      buffer.writeUInt16BE(this.#identification, at + 4);
      buffer.writeUInt16BE(0x4000, at + 6);
      buffer[at + 8] = leaves ? 63 : 64;
      buffer[at + 9] = 6;
      buffer.writeUInt32BE(source, at + 12);
      buffer.writeUInt32BE(destination, at + 16);
      at += 20;
      buffer.writeUInt16BE(sourcePort, at);
      buffer.writeUInt16BE(destinationPort, at + 2);
      buffer.writeUInt32BE(sequence >>> 0, at + 4);
      buffer.writeUInt32BE(acknowledgement >>> 0, at + 8);
      buffer[at + 12] = 0x50;
      buffer[at + 13] = flags;
      buffer.writeUInt16BE(64_240, at + 14);
      this.#pool.copy(buffer, at + 20, payloadAt, payloadAt + payload);
      this.#used += RECORD + HEADERS + payload;
      this.frames++;
    }
  }

  end(): void {
    this.#flush();
    closeSync(this.#file);
  }

  #flush(): void {
    writeSync(this.#file, this.#buffer, 0, this.#used);
    this.#used = 0;
  }
}
