/** Lays out frames field by field. Lengths and checksums are right unless a test says otherwise. */

/** One field: its width in bytes and its value. */
export type Field = readonly [width: number, value: number];

/** The fields one after the other, in network order. */
export function layOut(...parts: readonly (Field | Uint8Array)[]): Uint8Array {
  const lengthOf = (part: Field | Uint8Array): number => (part instanceof Uint8Array ? part.length : part[0]);
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + lengthOf(part), 0));
  let at = 0;
  for (const part of parts) {
    if (part instanceof Uint8Array) bytes.set(part, at);
    else
      for (let index = 0; index < part[0]; index++)
        bytes[at + index] = Math.floor(part[1] / 256 ** (part[0] - 1 - index)) % 256;
    at += lengthOf(part);
  }
  return bytes;
}

export const CLIENT_MAC = 0x02_00_c0_a8_00_0a;
export const ROUTER_MAC = 0x02_00_c0_a8_00_fe;
export const CLIENT = 0xc0a8000a;
export const SERVER = 0x0a00000a;
export const CLIENT_V6 = [0x20010db8, 0, 0, 0x0a] as const;
export const SERVER_V6 = [0x20010db8, 1, 0, 0xffff000a] as const;

export function ethernet(etherType: number, payload: Uint8Array, destination = ROUTER_MAC): Uint8Array {
  return layOut(
    [6, destination],
    [6, CLIENT_MAC], // source
    [2, etherType],
    payload,
  );
}

export function vlanTag(id: number, etherType: number, payload: Uint8Array): Uint8Array {
  return layOut(
    [2, 0x6000 | id], // priority 3, id
    [2, etherType],
    payload,
  );
}

export interface Ipv4Options {
  readonly protocol?: number;
  readonly source?: number;
  readonly destination?: number;
  readonly flagsAndOffset?: number;
  readonly totalLength?: number;
  readonly versionAndLength?: number;
  readonly options?: Uint8Array;
  readonly checksum?: number;
}

export function ipv4(given: Ipv4Options, payload: Uint8Array): Uint8Array {
  const options = given.options ?? new Uint8Array(0);
  const headerLength = 20 + options.length;
  const header = layOut(
    [1, given.versionAndLength ?? 0x40 | (headerLength / 4)],
    [1, 0x10], // TOS
    [2, given.totalLength ?? headerLength + payload.length],
    [2, 0x1234], // identification
    [2, given.flagsAndOffset ?? 0x4000], // don't fragment
    [1, 64], // TTL
    [1, given.protocol ?? 6],
    [2, 0], // checksum, below
    [4, given.source ?? CLIENT],
    [4, given.destination ?? SERVER],
    options,
  );
  putUint16(header, 10, given.checksum ?? ~onesSum(header) & 0xffff);
  return layOut(header, payload);
}

export interface Ipv6Options {
  readonly nextHeader?: number;
  readonly payloadLength?: number;
  readonly version?: number;
}

export function ipv6(given: Ipv6Options, payload: Uint8Array): Uint8Array {
  return layOut(
    [4, ((given.version ?? 6) * 0x1000_0000 + 0x0a20_0000) >>> 0], // version, traffic class 0xa2, flow label
    [2, given.payloadLength ?? payload.length],
    [1, given.nextHeader ?? 6],
    [1, 63], // hop limit
    ...CLIENT_V6.map((word): Field => [4, word]),
    ...SERVER_V6.map((word): Field => [4, word]),
    payload,
  );
}

export interface TcpOptions {
  readonly flags?: number;
  readonly dataOffset?: number;
  readonly options?: Uint8Array;
  readonly payload?: Uint8Array;
  readonly checksum?: number;
}

export function tcp(given: TcpOptions = {}): Uint8Array {
  const options = given.options ?? new Uint8Array(0);
  return layOut(
    [2, 40_000], // source port
    [2, 3389], // destination port
    [4, 0xfedcba98], // sequence number
    [4, 0x89abcdef], // acknowledgement number
    [1, (given.dataOffset ?? 5 + options.length / 4) << 4],
    [1, given.flags ?? 0x18], // PSH ACK
    [2, 501], // window
    [2, given.checksum ?? 0],
    [2, 0], // urgent pointer
    options,
    given.payload ?? new Uint8Array(0),
  );
}

export function udp(payload: Uint8Array, length = 8 + payload.length, checksum = 0): Uint8Array {
  return layOut(
    [2, 40_001], // source port
    [2, 53], // destination port
    [2, length],
    [2, checksum],
    payload,
  );
}

export function icmp(type: number, code: number, rest: number, payload: Uint8Array): Uint8Array {
  return layOut([1, type], [1, code], [2, 0], [4, rest], payload);
}

export function arp(operation: number): Uint8Array {
  return layOut(
    [2, 1], // Ethernet
    [2, 0x0800],
    [1, 6],
    [1, 4],
    [2, operation],
    [6, CLIENT_MAC], // sender
    [4, CLIENT],
    [6, 0], // target
    [4, 0xc0a800fe],
  );
}

/** Sets the checksum field of a transport header, `pseudo` being what else it covers; `unfinished` leaves the pseudo header's sum there. */
export function withChecksum(segment: Uint8Array, at: number, pseudo: Uint8Array, unfinished = false): Uint8Array {
  const copy = segment.slice();
  putUint16(copy, at, 0);
  const pseudoSum = onesSum(pseudo);
  putUint16(copy, at, unfinished ? pseudoSum : ~onesSum(layOut(evenLength(pseudo), copy)) & 0xffff);
  return copy;
}

export function pseudoV4(protocol: number, length: number): Uint8Array {
  return layOut([4, CLIENT], [4, SERVER], [2, protocol], [2, length]);
}

export function pseudoV6(protocol: number, length: number): Uint8Array {
  const words = [...CLIENT_V6, ...SERVER_V6].map((word): Field => [4, word]);
  return layOut(...words, [4, length], [4, protocol]);
}

export function putUint16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value & 255;
}

/** RFC 1071, as slow and plain as can be. */
export function onesSum(bytes: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) {
    sum += (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return sum;
}

function evenLength(bytes: Uint8Array): Uint8Array {
  return bytes.length % 2 === 0 ? bytes : layOut(bytes, [1, 0]);
}

/** Text in ASCII. */
export function text(content: string): Uint8Array {
  return new TextEncoder().encode(content);
}
