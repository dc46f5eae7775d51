/** Lays out the frames that are injected, from words that say what matters. */

export interface PacketWords {
  readonly source: string;
  readonly destination: string;
  readonly protocol: 'tcp' | 'udp' | 'icmp' | number;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  /** CWR ECE URG ACK PSH RST SYN FIN. */
  readonly flags?: number;
  readonly sequence?: number;
  readonly acknowledgement?: number;
  readonly window?: number;
  readonly windowScale?: number;
  readonly sackPermitted?: boolean;
  /** Edges of a SACK block. */
  readonly sack?: readonly [number, number];
  readonly icmpType?: number;
  readonly icmpCode?: number;
  readonly icmpIdentifier?: number;
  /** An IP packet that an ICMP error is about. */
  readonly quoted?: Buffer;
  readonly payload?: number;
  readonly ttl?: number;
  readonly tos?: number;
  readonly identification: number;
  readonly dontFragment?: boolean;
  /** Offset and length in bytes. */
  readonly fragment?: { readonly offset: number; readonly more: boolean; readonly length?: number };
  readonly badChecksum?: 'network' | 'transport';
  readonly oddity?: Oddity;
}

/** IP options, and headers that are not all there or not true. */
export const ODDITIES = [
  'no-operation',
  'router-alert',
  'record-route',
  'timestamp',
  'unknown-option',
  'option-too-long',
  'record-route-beyond',
  'record-route-twice',
  'record-route-full',
  'timestamp-full',
  'timestamp-overflown',
  'short-router-alert',
  'loose-source-route',
  'strict-source-route',
  'transport-cut',
  'trailing-bytes',
  'length-beyond-frame',
  'length-below-header',
  'version-6',
  'header-length-4',
] as const;
export type Oddity = (typeof ODDITIES)[number];

const IP_OPTIONS: Partial<Record<Oddity, readonly number[]>> = {
  'no-operation': [1, 1, 1, 0],
  'router-alert': [148, 4, 0, 0],
  'record-route': [7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  timestamp: [68, 12, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  'unknown-option': [30, 4, 0, 0],
  'option-too-long': [7, 40, 4, 0],
  'record-route-beyond': [7, 11, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  'record-route-twice': [7, 7, 4, 0, 0, 0, 0, 7, 7, 4, 0, 0, 0, 0, 1, 1],
  'record-route-full': [7, 7, 8, 10, 0, 0, 1, 0],
  'timestamp-full': [68, 8, 9, 0, 0, 0, 0, 0],
  'timestamp-overflown': [68, 8, 9, 0xf0, 0, 0, 0, 0],
  'short-router-alert': [148, 3, 0, 0],
  'loose-source-route': [131, 7, 4, 10, 0, 0, 20, 0],
  'strict-source-route': [137, 7, 4, 10, 0, 0, 20, 0],
};

const NUMBERS = { icmp: 1, tcp: 6, udp: 17 } as const;

/** An IPv4 packet with right lengths and checksums, unless told otherwise. */
export function packetBytes(words: PacketWords): Buffer {
  const protocol = typeof words.protocol === 'number' ? words.protocol : NUMBERS[words.protocol];
  let transport = transportBytes(words, protocol);
  finishTransport(words, protocol, transport);
  if (words.badChecksum === 'transport') transport[checksumAt(protocol)]! ^= 0x5a;
  if (words.fragment !== undefined) {
    const { offset, more, length = more ? 24 : undefined } = words.fragment;
    transport = transport.subarray(offset, length === undefined ? undefined : offset + length);
  }
  const { oddity } = words;
  const options = (oddity === undefined ? undefined : IP_OPTIONS[oddity]) ?? [];
  if (oddity === 'transport-cut')
    transport = transport.subarray(0, Math.min(transport.length, 4 + (words.identification % 12)));
  const header = Buffer.alloc(20 + options.length);
  header[0] = oddity === 'version-6' ? 0x65 : oddity === 'header-length-4' ? 0x44 : 0x40 + header.length / 4;
  header[1] = words.tos ?? 0;
  const told = oddity === 'length-beyond-frame' ? 100 : oddity === 'length-below-header' ? -transport.length - 8 : 0;
  header.writeUInt16BE(header.length + transport.length + told, 2);
  header.writeUInt16BE(words.identification & 0xffff, 4);
  const flags = (words.dontFragment === true ? 0x4000 : 0) | (words.fragment?.more === true ? 0x2000 : 0);
  header.writeUInt16BE(flags | ((words.fragment?.offset ?? 0) >> 3), 6);
  header[8] = words.ttl ?? 64;
  header[9] = protocol;
  addressBytes(words.source).copy(header, 12);
  addressBytes(words.destination).copy(header, 16);
  Buffer.from(options).copy(header, 20);
  header.writeUInt16BE(checksum(header), 10);
  if (words.badChecksum === 'network') header[10]! ^= 0x5a;
  return Buffer.concat([header, transport, Buffer.alloc(oddity === 'trailing-bytes' ? 9 : 0, 0x99)]);
}

function transportBytes(words: PacketWords, protocol: number): Buffer {
  const payload = Buffer.alloc(words.payload ?? 0, 0x78);
  if (protocol === NUMBERS.tcp) return Buffer.concat([tcpHeader(words), payload]);
  if (protocol === NUMBERS.udp) {
    const header = Buffer.alloc(8);
    header.writeUInt16BE(words.sourcePort ?? 0, 0);
    header.writeUInt16BE(words.destinationPort ?? 0, 2);
    header.writeUInt16BE(8 + payload.length, 4);
    return Buffer.concat([header, payload]);
  }
  if (protocol === NUMBERS.icmp) {
    const header = Buffer.alloc(8);
    header[0] = words.icmpType ?? 8;
    header[1] = words.icmpCode ?? 0;
    header.writeUInt16BE(words.icmpIdentifier ?? 0, 4);
    return Buffer.concat([header, words.quoted ?? payload]);
  }
  return Buffer.concat([Buffer.alloc(8), payload]);
}

function tcpHeader(words: PacketWords): Buffer {
  const options: number[] = [];
  if (words.windowScale !== undefined) options.push(3, 3, words.windowScale, 1);
  if (words.sackPermitted === true) options.push(4, 2, 1, 1);
  if (words.sack !== undefined) {
    const edges = Buffer.alloc(8);
    edges.writeUInt32BE(words.sack[0] >>> 0, 0);
    edges.writeUInt32BE(words.sack[1] >>> 0, 4);
    options.push(1, 1, 5, 10, ...edges);
  }
  const header = Buffer.alloc(20 + options.length);
  header.writeUInt16BE(words.sourcePort ?? 0, 0);
  header.writeUInt16BE(words.destinationPort ?? 0, 2);
  header.writeUInt32BE((words.sequence ?? 0) >>> 0, 4);
  header.writeUInt32BE((words.acknowledgement ?? 0) >>> 0, 8);
  header[12] = (header.length / 4) << 4;
  header[13] = words.flags ?? 0;
  header.writeUInt16BE(words.window ?? 0xffff, 14);
  Buffer.from(options).copy(header, 20);
  return header;
}

function checksumAt(protocol: number): number {
  return protocol === NUMBERS.tcp ? 16 : protocol === NUMBERS.udp ? 6 : 2;
}

function finishTransport(words: PacketWords, protocol: number, transport: Buffer): void {
  if (protocol === NUMBERS.icmp) {
    transport.writeUInt16BE(checksum(transport), 2);
  } else if (protocol === NUMBERS.tcp || protocol === NUMBERS.udp) {
    const pseudo = Buffer.alloc(12);
    addressBytes(words.source).copy(pseudo, 0);
    addressBytes(words.destination).copy(pseudo, 4);
    pseudo[9] = protocol;
    pseudo.writeUInt16BE(transport.length, 10);
    const sum = checksum(Buffer.concat([pseudo, transport]));
    transport.writeUInt16BE(protocol === NUMBERS.udp && sum === 0 ? 0xffff : sum, checksumAt(protocol));
  }
}

/** The Internet checksum. Ref: RFC 1071. */
function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += (bytes[at]! << 8) | (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** Of an IPv4 address. */
export function addressBytes(address: string): Buffer {
  return Buffer.from(address.split('.').map(Number));
}

/** `02:00:00:00:00:01` for interface 0. */
export function interfaceMac(index: number): string {
  return `02:00:00:00:00:0${index + 1}`;
}

/** An Ethernet frame to the router's interface, or to another MAC address; the sender's is made of the packet's source. */
export function frameHex(
  interfaceIndex: number,
  packet: Buffer,
  destinationMac = interfaceMac(interfaceIndex),
): string {
  const destination = Buffer.from(destinationMac.replaceAll(':', ''), 'hex');
  const source = Buffer.concat([Buffer.from([6, 0]), packet.subarray(12, 16)]);
  return Buffer.concat([destination, source, Buffer.from([8, 0]), packet]).toString('hex');
}
