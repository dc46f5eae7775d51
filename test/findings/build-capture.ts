import { parseIpv4 } from '../../src/net/ip-address.ts';
import {
  type BlockOption,
  block,
  enhancedPacket,
  interfaceDescription,
  pcapFile,
  sectionHeader,
  writerOf,
} from '../capture/capture-bytes.ts';
import { layOut, onesSum, putUint16 } from '../wire/frame-bytes.ts';

/** Interfaces of the seed's router: clients, SPS, servers. */
export type Interface = 'eth0' | 'eth1' | 'eth2';

export const INTERFACES: readonly Interface[] = ['eth0', 'eth1', 'eth2'];

/** MAC addresses of the seed's segments. */
export const Mac = {
  client: 0x02_00_c0_a8_00_0a,
  sps: 0x02_00_ac_10_00_01,
  /** Another host on the segment of SPS. */
  neighbour: 0x02_00_ac_10_00_63,
  server: 0x02_00_0a_00_00_0a,
  router: { eth0: 0x02_00_c0_a8_00_fe, eth1: 0x02_00_ac_10_00_fe, eth2: 0x02_00_0a_00_00_fe },
} as const;

export const CLIENT = '192.168.0.10';
export const SERVER = '10.0.0.10';
export const SPS = '172.16.0.1';

/** A host behind an interface of the router. */
export interface Host {
  readonly at: Interface;
  readonly mac: number;
}

export const CLIENT_HOST: Host = { at: 'eth0', mac: Mac.client };
export const SPS_HOST: Host = { at: 'eth1', mac: Mac.sps };
export const SERVER_HOST: Host = { at: 'eth2', mac: Mac.server };
export const NEIGHBOUR_HOST: Host = { at: 'eth1', mac: Mac.neighbour };

/** From whom a packet comes, and to whom the router sends it on; without `to` it goes nowhere. */
export interface Way {
  readonly from: Host;
  readonly to?: Host;
}

export const CLIENT_TO_SPS: Way = { from: CLIENT_HOST, to: SPS_HOST };
export const SPS_TO_CLIENT: Way = { from: SPS_HOST, to: CLIENT_HOST };
export const SPS_TO_SERVER: Way = { from: SPS_HOST, to: SERVER_HOST };
export const SERVER_TO_SPS: Way = { from: SERVER_HOST, to: SPS_HOST };
export const CLIENT_TO_SERVER: Way = { from: CLIENT_HOST, to: SERVER_HOST };
export const SERVER_TO_CLIENT: Way = { from: SERVER_HOST, to: CLIENT_HOST };

/** The same way with nothing leaving: the router drops it. */
export function lost(way: Way): Way {
  return { from: way.from };
}

const FLAG_BITS: Readonly<Record<string, number>> = { F: 1, S: 2, R: 4, P: 8, A: 16 };

/** An IPv4 packet; `flags` like `SA` make it TCP unless the protocol is given. */
export interface Packet {
  readonly source: string;
  readonly sourcePort: number;
  readonly destination: string;
  readonly destinationPort: number;
  readonly protocol?: number;
  readonly flags?: string;
  readonly sequence?: number;
  readonly acknowledgement?: number;
  readonly payload?: number;
  readonly ttl?: number;
  readonly identification?: number;
  /** Don't-fragment bit and fragment offset in units of eight bytes. */
  readonly flagsAndOffset?: number;
  /** Cuts what is captured to so many bytes of the frame. */
  readonly captured?: number;
}

interface Frame {
  readonly time: bigint;
  readonly at: Interface;
  readonly bytes: Uint8Array;
  readonly captured: number;
  /** By the kernel's packet type: 0 to us, 3 to another host, 4 sent by us. */
  readonly packetType: number;
}

const STEP = 1_000_000n; // nanoseconds between packets
const HOLD = 20_000n; // nanoseconds that the router needs

/** Frames that pass a router, and capture files of them. */
export class Traffic {
  readonly frames: Frame[] = [];
  #now = 1_780_000_000_000_000_000n;
  #identification = 1;

  /** Lets time pass. */
  wait(seconds: number): this {
    this.#now += BigInt(Math.round(seconds * 1e9));
    return this;
  }

  /** A packet that enters, and its copy that leaves where the way has a `to`. `alter`: what the router changed. */
  pass(packet: Packet, way: Way, alter: Partial<Packet> = {}): this {
    const sent = { ...packet, identification: packet.identification ?? this.#identification++ };
    this.enter(sent, way.from);
    if (way.to !== undefined) {
      this.#now += HOLD - STEP;
      this.leave({ ...sent, ttl: (sent.ttl ?? 64) - 1, ...alter }, way.to);
      this.#now -= HOLD;
      this.#now += STEP;
    }
    return this;
  }

  /** A frame that enters from a host. */
  enter(packet: Packet, from: Host): this {
    return this.frame(from.at, ethernet(from.mac, Mac.router[from.at], 0x0800, ipv4(packet)), 0, packet.captured);
  }

  /** A frame that leaves to a host. */
  leave(packet: Packet, to: Host): this {
    return this.frame(to.at, ethernet(Mac.router[to.at], to.mac, 0x0800, ipv4(packet)), 4, packet.captured);
  }

  /** An ARP frame; `sender` undefined: the router asks. */
  arp(operation: 1 | 2, at: Interface, sender: { address: string; mac: number }, target: string): this {
    const fromRouter = sender.mac === Mac.router[at];
    const message = layOut(
      [2, 1], // Ethernet
      [2, 0x0800],
      [1, 6],
      [1, 4],
      [2, operation],
      [6, sender.mac],
      [4, parseIpv4(sender.address)!],
      [6, 0],
      [4, parseIpv4(target)!],
    );
    const destination = operation === 1 ? 0xffffffffffff : fromRouter ? Mac.sps : Mac.router[at];
    return this.frame(at, ethernet(sender.mac, destination, 0x0806, message), fromRouter ? 4 : 0);
  }

  /** Any frame at all. */
  frame(at: Interface, bytes: Uint8Array, packetType = 0, captured = bytes.length): this {
    this.frames.push({ time: this.#now, at, bytes, captured: Math.min(captured, bytes.length), packetType });
    this.#now += STEP;
    return this;
  }

  /** A pcapng file with one interface for each of those named, in time order. */
  pcapng(names: readonly Interface[] = INTERFACES, extra: { readonly dropped?: number } = {}): Uint8Array {
    const writer = writerOf(true);
    const nanoseconds: BlockOption = [9, layOut([1, 9])];
    const parts = [
      sectionHeader(writer),
      ...names.map((name) => interfaceDescription(writer, [[2, new TextEncoder().encode(name)], nanoseconds])),
    ];
    for (const frame of this.#sorted()) {
      const interfaceId = names.indexOf(frame.at);
      if (interfaceId < 0) continue;
      parts.push(
        enhancedPacket(writer, {
          interfaceId,
          time: frame.time,
          bytes: frame.bytes.subarray(0, frame.captured),
          capturedLength: frame.captured,
          originalLength: frame.bytes.length,
        }),
      );
    }
    if (extra.dropped !== undefined) {
      const time = this.#now;
      parts.push(
        block(
          writer,
          5,
          layOut(
            writer.u32(0),
            writer.u32(Number(time >> 32n)),
            writer.u32(Number(time & 0xffff_ffffn)),
            writer.u16(5), // isb_ifdrop
            writer.u16(8),
            writer.u64(BigInt(extra.dropped)),
            writer.u32(0),
          ),
        ),
      );
    }
    return layOut(...parts);
  }

  /** A classic pcap file of the frames of one interface, or of all without telling them apart. */
  pcap(name?: Interface, linkType = 1): Uint8Array {
    const frames = this.#sorted().filter((frame) => name === undefined || frame.at === name);
    return pcapFile(
      frames.map((frame) => ({ ...stamp(frame.time), bytes: frame.bytes })),
      { magic: 0xa1b23c4d, linkType },
    );
  }

  /** What `tcpdump -i any` writes: cooked frames, version 2 with interface indexes, version 1 without. */
  cooked(version: 1 | 2): Uint8Array {
    const frames = this.#sorted().map((frame) => {
      const source = frame.bytes.subarray(6, 12);
      const payload = frame.bytes.subarray(14);
      const etherType = (frame.bytes[12]! << 8) | frame.bytes[13]!;
      const bytes =
        version === 2
          ? layOut(
              [2, etherType],
              [2, 0],
              [4, INTERFACES.indexOf(frame.at) + 2], // lo is 1
              [2, 1], // Ethernet
              [1, frame.packetType],
              [1, 6],
              source,
              [2, 0],
              payload,
            )
          : layOut([2, frame.packetType], [2, 1], [2, 6], source, [2, 0], [2, etherType], payload);
      return { ...stamp(frame.time), bytes };
    });
    return pcapFile(frames, { magic: 0xa1b23c4d, linkType: version === 2 ? 276 : 113 });
  }

  #sorted(): Frame[] {
    return [...this.frames].sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
  }
}

function stamp(time: bigint): { seconds: number; fraction: number } {
  return { seconds: Number(time / 1_000_000_000n), fraction: Number(time % 1_000_000_000n) };
}

/** One TCP connection, both sides with sequence numbers that fit. */
export class Conversation {
  readonly traffic: Traffic;
  readonly client: string;
  readonly clientPort: number;
  readonly server: string;
  readonly serverPort: number;
  requests: Way;
  replies: Way;
  #sequence: number;
  #answer: number;
  readonly #ttl: readonly [request: number, reply: number];

  constructor(
    traffic: Traffic,
    given: {
      readonly requests: Way;
      readonly replies: Way;
      readonly client?: string;
      readonly clientPort?: number;
      readonly server?: string;
      readonly serverPort?: number;
      readonly sequence?: number;
      readonly ttl?: readonly [request: number, reply: number];
    },
  ) {
    this.traffic = traffic;
    this.requests = given.requests;
    this.replies = given.replies;
    this.client = given.client ?? CLIENT;
    this.clientPort = given.clientPort ?? 40_000;
    this.server = given.server ?? SERVER;
    this.serverPort = given.serverPort ?? 3389;
    this.#sequence = given.sequence ?? 1000;
    this.#answer = (given.sequence ?? 1000) + 100_000;
    this.#ttl = given.ttl ?? [128, 64];
  }

  /** A packet toward the server. */
  request(flags: string, payload = 0, way: Way = this.requests): this {
    this.traffic.pass(
      {
        source: this.client,
        sourcePort: this.clientPort,
        destination: this.server,
        destinationPort: this.serverPort,
        flags,
        sequence: this.#sequence,
        acknowledgement: flags.includes('A') ? this.#answer : 0,
        payload,
        ttl: this.#ttl[0],
      },
      way,
    );
    this.#sequence += payload + (/[SF]/.test(flags) ? 1 : 0);
    return this;
  }

  /** A packet toward the client. */
  reply(flags: string, payload = 0, way: Way = this.replies): this {
    this.traffic.pass(
      {
        source: this.server,
        sourcePort: this.serverPort,
        destination: this.client,
        destinationPort: this.clientPort,
        flags,
        sequence: this.#answer,
        acknowledgement: this.#sequence,
        payload,
        ttl: this.#ttl[1],
      },
      way,
    );
    this.#answer += payload + (/[SF]/.test(flags) ? 1 : 0);
    return this;
  }

  /** The last SYN again, with the sequence number that it had. */
  repeatSyn(): this {
    this.#sequence -= 1;
    return this.request('S');
  }

  open(): this {
    return this.request('S').reply('SA').request('A');
  }

  talk(rounds = 1): this {
    for (let round = 0; round < rounds; round++) this.request('PA', 40).reply('PA', 120).request('A');
    return this;
  }

  close(): this {
    return this.request('FA').reply('FA').request('A');
  }
}

/** How SPS appears toward the server. */
export type Snat = 'own' | 'client' | 'client-same-port';

export interface SessionOptions {
  readonly snat?: Snat;
  readonly clientPort?: number;
  readonly client?: string;
  readonly server?: string;
  readonly serverPort?: number;
  readonly rounds?: number;
  readonly close?: boolean;
}

/** The client's connection to SPS as a correct router forwards it. */
export function clientLeg(traffic: Traffic, given: SessionOptions = {}): Conversation {
  return new Conversation(traffic, {
    requests: CLIENT_TO_SPS,
    replies: SPS_TO_CLIENT,
    clientPort: given.clientPort ?? 40_000,
    client: given.client ?? CLIENT,
    server: given.server ?? SERVER,
    serverPort: given.serverPort ?? 3389,
  });
}

/** SPS's connection to the server as a correct router forwards it. */
export function serverLeg(traffic: Traffic, given: SessionOptions = {}): Conversation {
  const snat = given.snat ?? 'own';
  const clientPort = given.clientPort ?? 40_000;
  return new Conversation(traffic, {
    requests: SPS_TO_SERVER,
    replies: SERVER_TO_SPS,
    client: snat === 'own' ? SPS : (given.client ?? CLIENT),
    clientPort: snat === 'client-same-port' ? clientPort : clientPort + 10_000,
    server: given.server ?? SERVER,
    serverPort: given.serverPort ?? 3389,
    // Later than the client leg's numbers, so that one entry serves both where they share a five-tuple.
    sequence: 1_000_000,
    ttl: [64, 64],
  });
}

/** A whole session through SPS. */
export function session(traffic: Traffic, given: SessionOptions = {}): Traffic {
  const first = clientLeg(traffic, given).open();
  const second = serverLeg(traffic, given).open();
  first.talk(given.rounds ?? 1);
  second.talk(given.rounds ?? 1);
  if (given.close !== false) {
    second.close();
    first.close();
  }
  return traffic;
}

/** A session past SPS: straight to the server and back. */
export function direct(traffic: Traffic, given: SessionOptions = {}): Traffic {
  new Conversation(traffic, {
    requests: CLIENT_TO_SERVER,
    replies: SERVER_TO_CLIENT,
    clientPort: given.clientPort ?? 40_000,
    client: given.client ?? CLIENT,
    server: given.server ?? SERVER,
    serverPort: given.serverPort ?? 3389,
  })
    .open()
    .talk(given.rounds ?? 1)
    .close();
  return traffic;
}

export function ethernet(source: number, destination: number, etherType: number, payload: Uint8Array): Uint8Array {
  return layOut([6, destination], [6, source], [2, etherType], payload);
}

/** An IPv4 packet with TCP (flags given), UDP (17) or whatever the protocol says. */
export function ipv4(packet: Packet): Uint8Array {
  const protocol = packet.protocol ?? (packet.flags === undefined ? 17 : 6);
  const offset = (packet.flagsAndOffset ?? 0) & 0x1fff;
  const content = new Uint8Array(packet.payload ?? 0);
  const body =
    offset > 0 ? content : protocol === 6 ? tcp(packet, content) : protocol === 17 ? udp(packet, content) : content;
  const header = layOut(
    [1, 0x45],
    [1, 0], // TOS
    [2, 20 + body.length],
    [2, packet.identification ?? 0],
    [2, packet.flagsAndOffset ?? 0x4000], // don't fragment
    [1, packet.ttl ?? 64],
    [1, protocol],
    [2, 0], // checksum, below
    [4, parseIpv4(packet.source)!],
    [4, parseIpv4(packet.destination)!],
  );
  putUint16(header, 10, ~onesSum(header) & 0xffff);
  return layOut(header, body);
}

function tcp(packet: Packet, payload: Uint8Array): Uint8Array {
  const bits = [...(packet.flags ?? '')].reduce((sum, letter) => sum | (FLAG_BITS[letter] ?? 0), 0);
  return layOut(
    [2, packet.sourcePort],
    [2, packet.destinationPort],
    [4, packet.sequence ?? 0],
    [4, packet.acknowledgement ?? 0],
    [1, 0x50], // five words
    [1, bits],
    [2, 64_240], // window
    [2, 0], // checksum: left to the network card
    [2, 0],
    payload,
  );
}

function udp(packet: Packet, payload: Uint8Array): Uint8Array {
  return layOut([2, packet.sourcePort], [2, packet.destinationPort], [2, 8 + payload.length], [2, 0], payload);
}
