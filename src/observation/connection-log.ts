import type { Words } from '../net/ip-address.ts';
import { IpProtocol } from '../net/ip-protocol.ts';
import type { PacketBatch } from '../wire/packet-batch.ts';
import { followSequence, hasEnded, noteFlags, Seen } from './connection-flows.ts';
import {
  CLIENT,
  CLOSING,
  CONNECTION_TIMES,
  CONNECTION_WORDS,
  ConnectionOfRow,
  ConnectionRows,
  COUNT_TIMES,
  COUNT_WORDS,
  CountOfRow,
  CountRows,
  FIRST_TOKEN,
  FLOWS,
  HAS_SYN,
  KIND,
  LAST,
  NEXT_TOKEN,
  PACKETS,
  PATH,
  PORTS,
  REPLACED,
  SERIAL,
  SERVER,
  SYN_SEQUENCE,
  TUPLE_KIND,
} from './connection-rows.ts';
import { Listing } from './listing.ts';
import { ServerEnd } from './monitored.ts';

const FIN = 0x01;
const SYN = 0x02;
const RST = 0x04;
const ACK = 0x10;

export { Seen };

/** A five-tuple without traffic for this long is over: a UDP exchange, or a TCP connection that is opened anew. */
const IDLE_NANOSECONDS = { tcp: 300e9, other: 180e9 } as const;

/** Longer than a copy may come after its frame. */
const COPY_NANOSECONDS = 5e9;

/** How long conntrack keeps an entry, by default. Ref: kernel nf_conntrack_proto_tcp.c: tcp_timeouts[], nf_conntrack_proto_udp.c: udp_timeouts[] */
const KEPT_NANOSECONDS = { established: 432_000e9, opening: 120e9, ended: 120e9, reset: 10e9, other: 180e9 } as const;

/** Where packets of a connection left the router, by their copies in the capture. */
export interface ObservedEgress {
  readonly interface: number;
  /** −1 where the capture has none. */
  readonly destinationMac: number;
  packets: number;
}

/** How many packets of one connection took one way ({@link PathTable}). */
export interface PathCount {
  /** Index in the path table. */
  readonly path: number;
  readonly packets: number;
  readonly observed: readonly ObservedEgress[];
  /** There is at least one such place. */
  readonly wasObserved: boolean;
  readonly firstFile: number;
  readonly firstFrame: number;
  readonly firstTime: number;
  readonly lastTime: number;
}

/** One lifetime of a monitored five-tuple. */
export interface Connection {
  /** From 1, in the order first seen. */
  id: number;
  /** Of no other connection of the log, also of those that it forgets. */
  readonly serial: number;
  readonly family: 4 | 6;
  readonly protocol: number;
  readonly client: Words;
  readonly clientPort: number;
  readonly server: Words;
  readonly serverPort: number;
  readonly firstTime: number;
  readonly firstFile: number;
  readonly firstFrame: number;
  readonly lastTime: number;
  seen: number;
  /** Which flows were seen, which of them closed, which sessions were reset: see {@link hasEnded}. */
  readonly flows: number;
  /** For each flow (as in `flows`) the sequence number that its next segment has, −1 where none was seen. */
  readonly nextSequences: readonly [number, number, number, number];
  /** By its sequence numbers, segments of it are missing from the capture. */
  readonly lacksSegments: boolean;
  /** When the first FIN or reset was seen; infinite where none was. */
  readonly closingTime: number;
  /** Tokens for {@link ConnectionLog.countOf}, in the order in which the ways were first taken. */
  readonly paths: readonly number[];
  /** Frames that left the router and whose entry was not captured. */
  unpairedEgress: number;
  /** The router itself opened it. */
  isRouters: boolean;
}

/**
 * The monitored connections of a capture. State grows with connections only, and is kept in columns: a row a connection
 * ({@link ConnectionRows}), a row for each way of it ({@link CountRows}); a {@link Connection} is made of its row when it is asked for. The
 * lookup table is open-addressed over the live lifetime of each five-tuple; ended lifetimes stay in `connections`.
 */
export class ConnectionLog {
  readonly #rows = new ConnectionRows();
  readonly #counts = new CountRows();
  /** In the order first seen. */
  readonly connections = new Listing<Connection>(
    () => this.#order?.length ?? this.#used,
    (position) => this.atRow(this.rowAt(position)),
  );
  /** Rows in the order in which their connections were first seen; absent while they stand in it. */
  #order: number[] | undefined;
  /** Rows that were ever taken. */
  #used = 0;
  #slots = new Int32Array(1 << 10).fill(-1);
  #live = 0;
  #opened = 0;
  readonly #freeRows: number[] = [];
  /** Tokens of connections that were forgotten, oldest first, with the time up to which a copy may still come for them. */
  readonly #freed: { readonly token: number; readonly until: number }[] = [];

  /** Of the packet that {@link find} or {@link peek} was last asked about: toward the server. */
  toServer = true;
  /** Of the packet that {@link find} or {@link goOn} was last asked about: every TCP session on its five-tuple had ended before it. */
  wasEnded = false;

  /**
   * The row of the connection that a monitored packet belongs to, made where it is new. `spsSide`: it came in where SPS is, which tells the two TCP
   * sessions apart that may share a five-tuple.
   */
  find(batch: PacketBatch, row: number, end: number, spsSide = false): number {
    const tcp = batch.protocol[row] === IpProtocol.tcp;
    const time = timeOf(batch, row);
    let connection = this.#peek(batch, row, end);
    const { toServer } = this;
    if (connection < 0 || this.#isNewLifetime(connection, batch, row, time, tcp, batch.tcpFlags[row]!)) {
      if (connection >= 0) this.#rows.words[CONNECTION_WORDS * connection + KIND]! |= REPLACED;
      connection = this.#open(batch, row, toServer, time);
    }
    this.#follow(connection, batch, row, toServer, spsSide);
    return connection;
  }

  /** The row of a packet's known connection, by its five-tuple alone, −1 where there is none; notes nothing but {@link toServer}. */
  peek(batch: PacketBatch, row: number, end: number): number {
    return this.#peek(batch, row, end);
  }

  /** The connection in a row, as it stands there whenever it is read. */
  atRow(connection: number): Connection {
    return new ConnectionOfRow(this.#rows, this.#counts, connection);
  }

  /** The row of a connection by its position among {@link connections}. */
  rowAt(position: number): number {
    return this.#order === undefined ? position : this.#order[position]!;
  }

  /** Rows that were ever taken: from 0 on. */
  get rowLength(): number {
    return this.#used;
  }

  /** The number that tells whether a connection still stands in its row: for {@link goOn}. */
  serialAt(connection: number): number {
    return this.#rows.words[CONNECTION_WORDS * connection + SERIAL]!;
  }

  /**
   * What {@link find} does for a packet of which it is known that it belongs to the connection in a row, and in which direction: without
   * looking it up. False, and nothing done, where it may be that of another one by now, or begin one.
   */
  goOn(
    connection: number,
    serial: number,
    batch: PacketBatch,
    row: number,
    toServer: boolean,
    spsSide: boolean,
  ): boolean {
    const { words, times } = this.#rows;
    const at = CONNECTION_WORDS * connection;
    if (words[at + SERIAL] !== serial || (words[at + KIND]! & REPLACED) !== 0) return false;
    if (batch.protocol[row] === IpProtocol.tcp) {
      if ((batch.tcpFlags[row]! & SYN) !== 0) return false;
    } else if (timeOf(batch, row) - times[CONNECTION_TIMES * connection + LAST]! > IDLE_NANOSECONDS.other) {
      return false;
    }
    this.toServer = toServer;
    this.#follow(connection, batch, row, toServer, spsSide);
    return true;
  }

  /** Adds one packet of a way to the connection in a row; returns the token under which its egress copy is reported. */
  count(connection: number, path: number, batch: PacketBatch, row: number): number {
    const { words: rows } = this.#rows;
    const { words } = this.#counts;
    const head = CONNECTION_WORDS * connection + FIRST_TOKEN;
    let last = -1;
    for (let token = rows[head]!; token >= 0; token = words[COUNT_WORDS * token + NEXT_TOKEN]!) {
      if (words[COUNT_WORDS * token + PATH] === path) {
        this.countAgain(token, batch, row);
        return token;
      }
      last = token;
    }
    const time = timeOf(batch, row);
    const token = this.#counts.add(this.#freeToken(time), path, batch.file[row]!, batch.frameNumber[row]!, time);
    if (last < 0) rows[head] = token;
    else this.#counts.words[COUNT_WORDS * last + NEXT_TOKEN] = token;
    return token;
  }

  /** Adds one packet to what {@link count} gave a token for. */
  countAgain(token: number, batch: PacketBatch, row: number): void {
    const { words, times } = this.#counts;
    words[COUNT_WORDS * token + PACKETS]!++;
    times[COUNT_TIMES * token + LAST] = timeOf(batch, row);
  }

  /** How many packets took the way that a token stands for: as of when it is read. */
  countOf(token: number): PathCount {
    return new CountOfRow(this.#counts, token);
  }

  /** The ways of the connection in a row: the token of the first of them, −1 where there is none. */
  firstToken(connection: number): number {
    return this.#rows.words[CONNECTION_WORDS * connection + FIRST_TOKEN]!;
  }

  /** The token of the connection's next way, −1 where there is none. */
  nextToken(token: number): number {
    return this.#counts.words[COUNT_WORDS * token + NEXT_TOKEN]!;
  }

  /** Index of a token's way in the path table. */
  pathOf(token: number): number {
    return this.#counts.words[COUNT_WORDS * token + PATH]!;
  }

  /** How many tokens there are: from 0 on. */
  get countLength(): number {
    return this.#counts.length;
  }

  /** Notes that the packet behind a token was seen leaving. */
  observe(token: number, position: number, destinationMac: number): void {
    this.#counts.observe(token, position, destinationMac);
  }

  /** Forgets connections by their serial numbers. What comes for them later belongs to new ones, of which the opening is missing. */
  forget(serials: ReadonlySet<number>, now: number): void {
    // What a slot holds is the latest lifetime of its five-tuple; older ones have none.
    const latest = new Set(this.#slots);
    const kept: number[] = [];
    for (let position = 0, { length } = this.connections; position < length; position++) {
      const row = this.rowAt(position);
      if (!serials.has(this.serialAt(row))) {
        kept.push(row);
        continue;
      }
      for (const token of this.atRow(row).paths) this.#freed.push({ token, until: now + COPY_NANOSECONDS });
      this.#rows.words[CONNECTION_WORDS * row + SERIAL] = 0;
      this.#freeRows.push(row);
    }
    this.#order = kept;
    this.#slots.fill(-1);
    this.#live = 0;
    for (const row of kept) {
      if (!latest.has(row)) continue;
      this.#slots[this.#freeSlot(row)] = row;
      this.#live++;
    }
  }

  /** The time is not a parameter: a number with a fraction would be allocated for the call. */
  #follow(connection: number, batch: PacketBatch, row: number, toServer: boolean, spsSide: boolean): void {
    const { words, times } = this.#rows;
    const at = CONNECTION_WORDS * connection;
    const timeAt = CONNECTION_TIMES * connection;
    const time = timeOf(batch, row);
    times[timeAt + LAST] = time;
    if (batch.protocol[row] !== IpProtocol.tcp) {
      this.wasEnded = false;
      return;
    }
    const flags = batch.tcpFlags[row]!;
    this.wasEnded = hasEnded(words[at + FLOWS]!);
    noteFlags(words, at, toServer, spsSide, flags, batch.tcpSequence[row]!, batch.payloadLength[row]!);
    if ((flags & (FIN | RST)) !== 0 && time < times[timeAt + CLOSING]!) times[timeAt + CLOSING] = time;
    if ((flags & RST) === 0) followSequence(words, at, toServer, spsSide, flags, batch, row);
  }

  #peek(batch: PacketBatch, row: number, end: number): number {
    let toServer = end !== ServerEnd.source;
    if (end === ServerEnd.both) {
      const flags = batch.tcpFlags[row]!;
      let known = this.#lookup(batch, row, true);
      if (known < 0) known = this.#lookup(batch, row, false);
      if (known >= 0) toServer = this.#isToServer(known, batch, row);
      else if (batch.protocol[row] === IpProtocol.tcp && (flags & (SYN | ACK)) === (SYN | ACK)) toServer = false;
    }
    this.toServer = toServer;
    return this.#lookup(batch, row, toServer);
  }

  #freeToken(now: number): number {
    const [first] = this.#freed;
    if (first === undefined || first.until > now) return this.#counts.length;
    this.#freed.shift();
    return first.token;
  }

  #isNewLifetime(
    connection: number,
    batch: PacketBatch,
    row: number,
    time: number,
    tcp: boolean,
    flags: number,
  ): boolean {
    const { words, times } = this.#rows;
    const idle = time - times[CONNECTION_TIMES * connection + LAST]!;
    if (!tcp) return idle > IDLE_NANOSECONDS.other;
    if ((flags & (SYN | ACK | RST | FIN)) !== SYN) return false;
    const at = CONNECTION_WORDS * connection;
    const isAgain = (words[at + KIND]! & HAS_SYN) !== 0 && words[at + SYN_SEQUENCE] === (batch.tcpSequence[row]! | 0);
    if (isAgain) return false;
    return hasEnded(words[at + FLOWS]!) || idle > IDLE_NANOSECONDS.tcp;
  }

  #open(batch: PacketBatch, row: number, toServer: boolean, time: number): number {
    const slot = this.#slot(batch, row, toServer);
    const connection = this.#freeRows.pop() ?? this.#used++;
    this.#rows.open(connection, ++this.#opened, batch, row, toServer, time);
    this.#order?.push(connection);
    if (this.#slots[slot] === -1) this.#live++;
    this.#slots[slot] = connection;
    if (this.#live * 2 > this.#slots.length) this.#grow();
    return connection;
  }

  #lookup(batch: PacketBatch, row: number, toServer: boolean): number {
    return this.#slots[this.#slot(batch, row, toServer)]!;
  }

  /** The slot that holds the five-tuple, or the free one where it belongs. */
  #slot(batch: PacketBatch, row: number, toServer: boolean): number {
    const client = toServer ? batch.source : batch.destination;
    const server = toServer ? batch.destination : batch.source;
    const clientPort = toServer ? batch.sourcePort[row]! : batch.destinationPort[row]!;
    const serverPort = toServer ? batch.destinationPort[row]! : batch.sourcePort[row]!;
    const protocol = batch.protocol[row]!;
    const mask = this.#slots.length - 1;
    const offset = 4 * row;
    const ports = (clientPort << 16) | serverPort;
    const kind = protocol | (batch.family[row]! << 8);
    const { words } = this.#rows;
    let slot =
      mixTuple(
        client[offset]! ^ client[offset + 1]! ^ client[offset + 2]! ^ client[offset + 3]!,
        server[offset]! ^ server[offset + 1]! ^ server[offset + 2]! ^ server[offset + 3]!,
        clientPort,
        serverPort,
        protocol,
      ) & mask;
    for (;;) {
      const connection = this.#slots[slot]!;
      if (connection < 0) return slot;
      const at = CONNECTION_WORDS * connection;
      if (
        words[at + PORTS] === ports &&
        (words[at + KIND]! & TUPLE_KIND) === kind &&
        sameWords(words, at + CLIENT, client, offset) &&
        sameWords(words, at + SERVER, server, offset)
      ) {
        return slot;
      }
      slot = (slot + 1) & mask;
    }
  }

  #isToServer(connection: number, batch: PacketBatch, row: number): boolean {
    const { words } = this.#rows;
    const at = CONNECTION_WORDS * connection;
    return words[at + PORTS]! >>> 16 === batch.sourcePort[row] && sameWords(words, at + CLIENT, batch.source, 4 * row);
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Int32Array(old.length * 2).fill(-1);
    for (const row of old) if (row >= 0) this.#slots[this.#freeSlot(row)] = row;
  }

  /** Where a connection whose five-tuple is not in the table belongs. */
  #freeSlot(connection: number): number {
    const { words } = this.#rows;
    const at = CONNECTION_WORDS * connection;
    const mask = this.#slots.length - 1;
    const ports = words[at + PORTS]!;
    let slot =
      mixTuple(
        words[at + CLIENT]! ^ words[at + CLIENT + 1]! ^ words[at + CLIENT + 2]! ^ words[at + CLIENT + 3]!,
        words[at + SERVER]! ^ words[at + SERVER + 1]! ^ words[at + SERVER + 2]! ^ words[at + SERVER + 3]!,
        ports >>> 16,
        ports & 0xffff,
        words[at + KIND]! & 0xff,
      ) & mask;
    while (this.#slots[slot]! >= 0) slot = (slot + 1) & mask;
    return slot;
  }
}

function mixTuple(client: number, server: number, clientPort: number, serverPort: number, protocol: number): number {
  let hash =
    Math.imul(client, 0x9e3779b1) ^
    Math.imul(server, 0x85ebca6b) ^
    Math.imul((clientPort << 16) | serverPort, 0xc2b2ae35) ^
    protocol;
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}

/** Nanoseconds since 1970 from which on conntrack, left at its defaults, has no entry of the connection any more. */
export function expiryOf(connection: Connection): number {
  const { lastTime, protocol, flows, seen } = connection;
  if (protocol !== IpProtocol.tcp) return lastTime + KEPT_NANOSECONDS.other;
  if ((seen & Seen.reset) !== 0) return lastTime + KEPT_NANOSECONDS.reset;
  if (hasEnded(flows)) return lastTime + KEPT_NANOSECONDS.ended;
  return lastTime + (wasEstablished(connection) ? KEPT_NANOSECONDS.established : KEPT_NANOSECONDS.opening);
}

/** Whether a packet toward the client that is no reset was seen, coming in or going out. */
export function wasAnswered(connection: Connection): boolean {
  return (connection.flows & 0b1010) !== 0;
}

/** Whether the client was seen to go on as one who got an answer, though the answer itself may be missing. */
export function wasEstablished(connection: Connection): boolean {
  return wasAnswered(connection) || (connection.seen & Seen.establishedByClient) !== 0;
}

/** Whether a reset toward the client was seen. */
export function wasRefused(connection: Connection): boolean {
  return (connection.seen & Seen.refused) !== 0;
}

/** Whether the client reset it: something came back to it that it did not want. */
export function wasResetByClient(connection: Connection): boolean {
  return (connection.seen & (Seen.reset | Seen.refused)) === Seen.reset;
}

/** Whether the capture lacks a TCP connection's opening: its entry, and the mark of that, are older than what the capture shows. */
export function beganBefore(connection: Connection): boolean {
  return connection.protocol === IpProtocol.tcp && (connection.seen & Seen.synToServer) === 0;
}

function sameWords(words: Int32Array, at: number, column: Uint32Array, offset: number): boolean {
  return (
    words[at] === (column[offset]! | 0) &&
    words[at + 1] === (column[offset + 1]! | 0) &&
    words[at + 2] === (column[offset + 2]! | 0) &&
    words[at + 3] === (column[offset + 3]! | 0)
  );
}

function timeOf(batch: PacketBatch, row: number): number {
  return batch.seconds[row]! * 1e9 + batch.nanoseconds[row]!;
}
