import type { Intent } from '../model/intent.ts';
import type { IpAddress } from '../net/ip-address.ts';
import { type IpPrefix, maskWords } from '../net/prefix.ts';
import { type PacketBatch, Status } from '../wire/packet-batch.ts';

/** Which end of a packet is the monitored server. */
export const ServerEnd = { none: 0, destination: 1, source: 2, both: 3 } as const;

/** Answers for each packet whether it belongs to a monitored service, without allocating. */
export class MonitoredServices {
  /** By protocol: one byte a port, 1 where monitored; undefined where the protocol has no monitored service. */
  readonly #ports: (Uint8Array | undefined)[] = new Array<Uint8Array | undefined>(256).fill(undefined);
  readonly #clients: readonly IpPrefix[];
  readonly #servers: readonly IpPrefix[];
  readonly #sps: readonly IpAddress[];
  readonly #isLocal: (family: number, words: Uint32Array, offset: number) => boolean;

  /** `isLocal`: whether an address is the router's own. */
  constructor(intent: Intent, isLocal: (family: number, words: Uint32Array, offset: number) => boolean) {
    for (const service of intent.services) {
      this.#ports[service.protocol] ??= new Uint8Array(65536);
      this.#ports[service.protocol]!.fill(1, service.ports.first, service.ports.last + 1);
    }
    this.#clients = intent.clients;
    this.#servers = intent.servers;
    this.#sps = intent.sps;
    this.#isLocal = isLocal;
  }

  /** Whether some service of the packet's protocol is monitored. */
  hasProtocol(batch: PacketBatch, row: number): boolean {
    return this.#ports[batch.protocol[row]!] !== undefined;
  }

  /** Whether the packet has ports of a monitored service at all, whatever its addresses. */
  hasServicePort(batch: PacketBatch, row: number): boolean {
    const ports = this.#ports[batch.protocol[row]!];
    if (ports === undefined || (batch.status[row]! & Status.transport) === 0) return false;
    return ports[batch.destinationPort[row]!] === 1 || ports[batch.sourcePort[row]!] === 1;
  }

  /** A {@link ServerEnd} number. `fromSpsSide`: the packet is on an interface that faces SPS, which may use any client address. */
  serverEnd(batch: PacketBatch, row: number, spsSide: boolean): number {
    if ((batch.status[row]! & (Status.ip | Status.transport)) !== (Status.ip | Status.transport)) return ServerEnd.none;
    const ports = this.#ports[batch.protocol[row]!];
    if (ports === undefined) return ServerEnd.none;
    const family = batch.family[row]!;
    let end: number = ServerEnd.none;
    if (ports[batch.destinationPort[row]!] === 1) {
      if (
        this.#isServer(family, batch.destination, 4 * row) &&
        (spsSide || this.#isClient(family, batch.source, 4 * row))
      )
        end |= ServerEnd.destination;
    }
    if (ports[batch.sourcePort[row]!] === 1) {
      if (
        this.#isServer(family, batch.source, 4 * row) &&
        (spsSide || this.#isClient(family, batch.destination, 4 * row))
      )
        end |= ServerEnd.source;
    }
    return end;
  }

  /** Whether a packet without ports may belong to a monitored service, by its protocol and addresses. */
  mayBeMonitored(batch: PacketBatch, row: number): boolean {
    const family = batch.family[row]!;
    if (this.#ports[batch.protocol[row]!] === undefined) return false;
    const { source, destination } = batch;
    const offset = 4 * row;
    const forth = this.#isServer(family, destination, offset) && this.#isClient(family, source, offset);
    return forth || (this.#isServer(family, source, offset) && this.#isClient(family, destination, offset));
  }

  #isServer(family: number, words: Uint32Array, offset: number): boolean {
    if (this.#servers.length > 0) return inAny(this.#servers, family, words, offset);
    return !this.isSps(family, words, offset) && !this.#isLocal(family, words, offset);
  }

  #isClient(family: number, words: Uint32Array, offset: number): boolean {
    return (
      this.#clients.length === 0 || inAny(this.#clients, family, words, offset) || this.isSps(family, words, offset)
    );
  }

  /** Whether the address is one of SPS's own. */
  isSps(family: number, words: Uint32Array, offset: number): boolean {
    for (const address of this.#sps) {
      if (address.family !== family) continue;
      const own = address.words;
      if (
        own[0] === words[offset] &&
        own[1] === words[offset + 1] &&
        own[2] === words[offset + 2] &&
        own[3] === words[offset + 3]
      )
        return true;
    }
    return false;
  }
}

/** Whether an address in a column lies in one of the prefixes. */
export function inAny(prefixes: readonly IpPrefix[], family: number, words: Uint32Array, offset: number): boolean {
  for (const prefix of prefixes) {
    if (prefix.family !== family) continue;
    const mask = maskWords(prefix.family, prefix.prefixLength);
    let inside = true;
    for (let word = 0; word < 4; word++)
      if (((prefix.words[word]! ^ words[offset + word]!) & mask[word]!) !== 0) inside = false;
    if (inside) return true;
  }
  return false;
}
