import type { Words } from '../net/ip-address.ts';
import { IpProtocol } from '../net/ip-protocol.ts';
import type { PacketBatch } from '../wire/packet-batch.ts';
import { ServerEnd } from './monitored.ts';

const FIN = 0x01;
const SYN = 0x02;
const RST = 0x04;
const ACK = 0x10;

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
  packets: number;
  readonly observed: ObservedEgress[];
  readonly firstFile: number;
  readonly firstFrame: number;
  readonly firstTime: number;
  lastTime: number;
}

/** Bits of {@link Connection.seen}. */
export const Seen = {
  synToServer: 1,
  synToClient: 2,
  finToServer: 4,
  finToClient: 8,
  reset: 16,
  /** Beyond a handshake: an ACK or data of the client. */
  establishedByClient: 32,
  /** The server's SYN-ACK is not in the capture and was made up for connection tracking. */
  answerMade: 64,
  /** A reset toward the client. */
  refused: 128,
} as const;

/** One lifetime of a monitored five-tuple. */
export interface Connection {
  /** From 1, in the order first seen. */
  id: number;
  readonly family: 4 | 6;
  readonly protocol: number;
  readonly client: Words;
  readonly clientPort: number;
  readonly server: Words;
  readonly serverPort: number;
  readonly firstTime: number;
  readonly firstFile: number;
  readonly firstFrame: number;
  lastTime: number;
  seen: number;
  /** Which flows were seen, which of them closed, which sessions were reset: see {@link hasEnded}. */
  flows: number;
  /** Sequence number of the last SYN toward the server. */
  synSequence: number;
  /** For each flow (as in `flows`) the sequence number that its next segment has, −1 where none was seen. */
  readonly nextSequences: [number, number, number, number];
  /** By its sequence numbers, segments of it are missing from the capture. */
  lacksSegments: boolean;
  /** When the first FIN or reset was seen; infinite where none was. */
  closingTime: number;
  /** Tokens into {@link ConnectionLog.counts}. */
  readonly paths: number[];
  /** Frames that left the router and whose entry was not captured. */
  unpairedEgress: number;
  /** The router itself opened it. */
  isRouters: boolean;
}

/**
 * The monitored connections of a capture. State grows with connections only. The lookup table is open-addressed over the live
 * lifetime of each five-tuple; ended lifetimes stay in `connections`.
 */
export class ConnectionLog {
  readonly connections: Connection[] = [];
  /** All path counts, by the token that pairing keeps. */
  readonly counts: PathCount[] = [];
  #slots = new Int32Array(1 << 10).fill(-1);
  #live = 0;
  #opened = 0;
  /** Tokens of connections that were forgotten, oldest first, with the time up to which a copy may still come for them. */
  readonly #freed: { readonly token: number; readonly until: number }[] = [];

  /** Of the packet that {@link find} or {@link peek} was last asked about: toward the server. */
  toServer = true;
  /** Of the packet that {@link find} was last asked about: every TCP session on its five-tuple had ended before it. */
  wasEnded = false;

  /**
   * The connection a monitored packet belongs to, made where it is new. `spsSide`: it came in where SPS is, which tells the two TCP
   * sessions apart that may share a five-tuple.
   */
  find(batch: PacketBatch, row: number, end: number, spsSide = false): Connection {
    const tcp = batch.protocol[row] === IpProtocol.tcp;
    const flags = batch.tcpFlags[row]!;
    const time = timeOf(batch, row);
    let connection = this.peek(batch, row, end);
    const { toServer } = this;
    if (connection === undefined || this.#isNewLifetime(connection, batch, row, time, tcp, flags)) {
      connection = this.#open(batch, row, toServer, time);
    }
    connection.lastTime = time;
    if (tcp) {
      this.wasEnded = hasEnded(connection.flows);
      note(connection, toServer, spsSide, flags, batch.tcpSequence[row]!, batch.payloadLength[row]!);
      if ((flags & (FIN | RST)) !== 0 && time < connection.closingTime) connection.closingTime = time;
      if ((flags & RST) === 0) followSequence(connection, toServer, spsSide, flags, batch, row);
    } else {
      this.wasEnded = false;
    }
    return connection;
  }

  /** The known connection of a packet, by its five-tuple alone; notes nothing but {@link toServer}. */
  peek(batch: PacketBatch, row: number, end: number): Connection | undefined {
    let toServer = end !== ServerEnd.source;
    if (end === ServerEnd.both) {
      const flags = batch.tcpFlags[row]!;
      const known = this.#lookup(batch, row, true) ?? this.#lookup(batch, row, false);
      if (known !== undefined) toServer = this.#isToServer(known, batch, row);
      else if (batch.protocol[row] === IpProtocol.tcp && (flags & (SYN | ACK)) === (SYN | ACK)) toServer = false;
    }
    this.toServer = toServer;
    return this.#lookup(batch, row, toServer);
  }

  /** Adds one packet of a way to a connection; returns the token under which its egress copy is reported. */
  count(connection: Connection, path: number, batch: PacketBatch, row: number): number {
    const time = timeOf(batch, row);
    for (const token of connection.paths) {
      const known = this.counts[token]!;
      if (known.path !== path) continue;
      known.packets++;
      known.lastTime = time;
      return token;
    }
    const token = this.#freeToken(time);
    this.counts[token] = {
      path,
      packets: 1,
      observed: [],
      firstFile: batch.file[row]!,
      firstFrame: batch.frameNumber[row]!,
      firstTime: time,
      lastTime: time,
    };
    connection.paths.push(token);
    return token;
  }

  /** Notes that the packet behind a token was seen leaving. */
  observe(token: number, position: number, destinationMac: number): void {
    const { observed } = this.counts[token]!;
    for (const item of observed) {
      if (item.interface === position && item.destinationMac === destinationMac) {
        item.packets++;
        return;
      }
    }
    observed.push({ interface: position, destinationMac, packets: 1 });
  }

  /** Forgets connections. What comes for them later belongs to new ones, of which the opening is missing. */
  forget(connections: ReadonlySet<Connection>, now: number): void {
    for (const connection of connections)
      for (const token of connection.paths) this.#freed.push({ token, until: now + COPY_NANOSECONDS });
    // What a slot holds is the latest lifetime of its five-tuple; older ones have none.
    const latest = new Set<Connection>();
    for (const index of this.#slots) if (index >= 0) latest.add(this.connections[index]!);
    const kept = this.connections.filter((connection) => !connections.has(connection));
    this.connections.length = 0;
    for (const connection of kept) this.connections.push(connection);
    this.#slots.fill(-1);
    this.#live = 0;
    kept.forEach((connection, index) => {
      if (!latest.has(connection)) return;
      this.#slots[this.#freeSlot(connection)] = index;
      this.#live++;
    });
  }

  #freeToken(now: number): number {
    const [first] = this.#freed;
    if (first === undefined || first.until > now) return this.counts.length;
    this.#freed.shift();
    return first.token;
  }

  #isNewLifetime(
    connection: Connection,
    batch: PacketBatch,
    row: number,
    time: number,
    tcp: boolean,
    flags: number,
  ): boolean {
    if (!tcp) return time - connection.lastTime > IDLE_NANOSECONDS.other;
    if ((flags & (SYN | ACK | RST | FIN)) !== SYN) return false;
    if (batch.tcpSequence[row] === connection.synSequence) return false;
    return hasEnded(connection.flows) || time - connection.lastTime > IDLE_NANOSECONDS.tcp;
  }

  #open(batch: PacketBatch, row: number, toServer: boolean, time: number): Connection {
    const [clients, servers] = toServer ? [batch.source, batch.destination] : [batch.destination, batch.source];
    const [clientPorts, serverPorts] = toServer
      ? [batch.sourcePort, batch.destinationPort]
      : [batch.destinationPort, batch.sourcePort];
    const connection: Connection = {
      id: ++this.#opened,
      family: batch.family[row] as 4 | 6,
      protocol: batch.protocol[row]!,
      client: wordsAt(clients, row),
      clientPort: clientPorts[row]!,
      server: wordsAt(servers, row),
      serverPort: serverPorts[row]!,
      firstTime: time,
      firstFile: batch.file[row]!,
      firstFrame: batch.frameNumber[row]!,
      lastTime: time,
      seen: 0,
      flows: 0,
      synSequence: -1,
      nextSequences: [-1, -1, -1, -1],
      lacksSegments: false,
      closingTime: Number.POSITIVE_INFINITY,
      paths: [],
      unpairedEgress: 0,
      isRouters: false,
    };
    this.connections.push(connection);
    const slot = this.#slot(batch, row, toServer);
    if (this.#slots[slot] === -1) this.#live++;
    this.#slots[slot] = this.connections.length - 1;
    if (this.#live * 2 > this.#slots.length) this.#grow();
    return connection;
  }

  #lookup(batch: PacketBatch, row: number, toServer: boolean): Connection | undefined {
    const index = this.#slots[this.#slot(batch, row, toServer)]!;
    return index < 0 ? undefined : this.connections[index];
  }

  /** The slot that holds the five-tuple, or the free one where it belongs. */
  #slot(batch: PacketBatch, row: number, toServer: boolean): number {
    const client = toServer ? batch.source : batch.destination;
    const server = toServer ? batch.destination : batch.source;
    const clientPort = toServer ? batch.sourcePort[row]! : batch.destinationPort[row]!;
    const serverPort = toServer ? batch.destinationPort[row]! : batch.sourcePort[row]!;
    const mask = this.#slots.length - 1;
    const offset = 4 * row;
    let slot =
      mixTuple(
        client[offset]! ^ client[offset + 1]! ^ client[offset + 2]! ^ client[offset + 3]!,
        server[offset]! ^ server[offset + 1]! ^ server[offset + 2]! ^ server[offset + 3]!,
        clientPort,
        serverPort,
        batch.protocol[row]!,
      ) & mask;
    for (;;) {
      const index = this.#slots[slot]!;
      if (index < 0) return slot;
      const item = this.connections[index]!;
      if (
        item.clientPort === clientPort &&
        item.serverPort === serverPort &&
        item.protocol === batch.protocol[row] &&
        item.family === batch.family[row] &&
        sameWords(item.client, client, offset) &&
        sameWords(item.server, server, offset)
      ) {
        return slot;
      }
      slot = (slot + 1) & mask;
    }
  }

  #isToServer(connection: Connection, batch: PacketBatch, row: number): boolean {
    return connection.clientPort === batch.sourcePort[row] && sameWords(connection.client, batch.source, 4 * row);
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Int32Array(old.length * 2).fill(-1);
    for (const index of old) if (index >= 0) this.#slots[this.#freeSlot(this.connections[index]!)] = index;
  }

  /** Where a connection whose five-tuple is not in the table belongs. */
  #freeSlot({ client, server, clientPort, serverPort, protocol }: Connection): number {
    const mask = this.#slots.length - 1;
    let slot =
      mixTuple(
        client[0] ^ client[1] ^ client[2] ^ client[3],
        server[0] ^ server[1] ^ server[2] ^ server[3],
        clientPort,
        serverPort,
        protocol,
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

function note(
  connection: Connection,
  toServer: boolean,
  spsSide: boolean,
  flags: number,
  sequence: number,
  payload: number,
): void {
  if ((flags & (SYN | ACK)) === SYN && toServer) connection.synSequence = sequence;
  if ((flags & SYN) !== 0) connection.seen |= toServer ? Seen.synToServer : Seen.synToClient;
  if ((flags & FIN) !== 0) connection.seen |= toServer ? Seen.finToServer : Seen.finToClient;
  if ((flags & RST) !== 0) connection.seen |= toServer ? Seen.reset : Seen.reset | Seen.refused;
  if (toServer && (flags & (SYN | RST)) === 0 && (payload > 0 || (flags & ACK) !== 0))
    connection.seen |= Seen.establishedByClient;
  // Client and SPS are one session, SPS and server the other: a packet toward the server is of the first unless SPS sent it.
  const session = toServer !== spsSide ? 0 : 1;
  const flow = 1 << (2 * session + (toServer ? 0 : 1));
  if ((flags & RST) !== 0) connection.flows |= RESET << session;
  else if ((flags & FIN) !== 0) connection.flows |= (flow << CLOSED_SHIFT) | flow;
  else connection.flows |= flow;
}

/**
 * Follows the sequence numbers of a flow: a segment that begins behind the end of those before it, or acknowledges what was not seen, tells
 * that the capture lacks segments, or that they did not pass the router.
 */
function followSequence(
  connection: Connection,
  toServer: boolean,
  spsSide: boolean,
  flags: number,
  batch: PacketBatch,
  row: number,
): void {
  const { nextSequences } = connection;
  const session = toServer !== spsSide ? 0 : 2;
  const flow = session + (toServer ? 0 : 1);
  const other = session + (toServer ? 1 : 0);
  const sequence = batch.tcpSequence[row]!;
  const end = (sequence + batch.payloadLength[row]! + ((flags & SYN) >> 1) + (flags & FIN)) >>> 0;
  const next = nextSequences[flow]!;
  if (next >= 0 && (flags & SYN) === 0 && ((sequence - next) | 0) > 0) connection.lacksSegments = true;
  if (next < 0 || ((end - next) | 0) > 0 || (flags & SYN) !== 0) nextSequences[flow] = end;
  if ((flags & ACK) === 0) return;
  const answered = nextSequences[other]!;
  if (answered < 0 || ((batch.tcpAcknowledgement[row]! - answered) | 0) > 0) connection.lacksSegments = true;
}

/** Bits 0–3 of {@link Connection.flows}: flows seen; then the same four, closed by a FIN; then the two sessions, reset. */
const CLOSED_SHIFT = 4;
const RESET = 1 << 8;
const SENT_BY_SPS = 0b0110;
/** The flows of a session past SPS, or of one of which the side of SPS was not captured. */
const PLAIN = 0b1001;

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

/** Whether every session that was seen on the five-tuple was reset, or closed by both of its ends. */
function hasEnded(flows: number): boolean {
  if (flows === 0) return false;
  if ((flows & SENT_BY_SPS) === 0)
    return (flows & (RESET * 3)) !== 0 || (flows & (PLAIN << CLOSED_SHIFT)) === PLAIN << CLOSED_SHIFT;
  for (let session = 0; session < 2; session++) {
    const pair = 3 << (2 * session);
    const isReset = (flows & (RESET << session)) !== 0;
    if ((flows & pair) === 0 && !isReset) continue;
    if (!isReset && (flows & (pair << CLOSED_SHIFT)) !== pair << CLOSED_SHIFT) return false;
  }
  return true;
}

function wordsAt(column: Uint32Array, row: number): Words {
  return [column[4 * row]!, column[4 * row + 1]!, column[4 * row + 2]!, column[4 * row + 3]!];
}

function sameWords(words: Words, column: Uint32Array, offset: number): boolean {
  return (
    words[0] === column[offset] &&
    words[1] === column[offset + 1] &&
    words[2] === column[offset + 2] &&
    words[3] === column[offset + 3]
  );
}

function timeOf(batch: PacketBatch, row: number): number {
  return batch.seconds[row]! * 1e9 + batch.nanoseconds[row]!;
}
