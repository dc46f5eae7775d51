import type { DecisionBatch } from '../forwarding/decision.ts';
import type { Walk } from '../forwarding/walk.ts';

/** What kind of packet took a way: a finding may rest on it. */
export const PacketKind = {
  ordinary: 0,
  reset: 1,
  /** A FIN, or an ACK without data. */
  bare: 2,
  /** A reset, a FIN or an ACK without data after the connection had ended. */
  late: 3,
} as const;

/** To whom the router sends a packet. */
export const Hop = {
  /** It does not leave. */
  none: 0,
  /** An address of SPS. */
  sps: 1,
  /** The packet's destination itself. */
  onLink: 2,
  /** A gateway: {@link PathKey.gateway}. */
  gateway: 3,
} as const;

/** A frame of a capture. */
export interface FrameRef {
  readonly file: number;
  readonly frame: number;
}

/** What tells one way of packets from another. Addresses of hosts do not, so a run has a handful of ways, whatever its size. */
export interface PathKey {
  /** Toward the server of the monitored connection. */
  toServer: boolean;
  /** Made by us, not captured. */
  synthetic: boolean;
  /** A {@link PacketKind} number. */
  kind: number;
  /** Router interface. */
  ingress: number;
  /** Only on interfaces that face SPS, where it tells who sent the packet; else −1. */
  sourceMac: number;
  /** A Disposition number. */
  disposition: number;
  /** Router interface, −1 none. */
  egress: number;
  /** A {@link Hop} number. */
  hop: number;
  /** First word of the gateway's address. */
  gateway: number;
  fwmark: number;
  /** −1 where the packet has no entry. */
  connmark: number;
  table: number;
  /** A ConntrackView number. */
  conntrack: number;
  /** DecisionFlag bits. */
  flags: number;
  unknown: number;
  cause: number;
}

/** A way, with the first packet that took it and that packet's recorded walk. */
export interface Path extends Readonly<PathKey> {
  readonly index: number;
  readonly example: FrameRef;
  readonly walk: Walk;
}

/** An empty key to fill. */
export function newPathKey(): PathKey {
  return {
    toServer: true,
    synthetic: false,
    kind: 0,
    ingress: -1,
    sourceMac: -1,
    disposition: 0,
    egress: -1,
    hop: 0,
    gateway: 0,
    fwmark: 0,
    connmark: -1,
    table: -1,
    conntrack: 0,
    flags: 0,
    unknown: -1,
    cause: -1,
  };
}

/** Copies what the router decided into the key; `hop` and the packet's own fields are the caller's. */
export function keyOfDecision(key: PathKey, decisions: DecisionBatch, row: number): void {
  key.disposition = decisions.disposition[row]!;
  key.egress = decisions.egress[row]!;
  key.gateway = decisions.nextHop[4 * row]!;
  key.fwmark = decisions.fwmark[row]!;
  key.connmark = decisions.hasConnmark[row] === 1 ? decisions.connmark[row]! : -1;
  key.table = decisions.table[row]!;
  key.conntrack = decisions.conntrack[row]!;
  key.flags = decisions.flags[row]!;
  key.unknown = decisions.unknown[row]!;
  key.cause = decisions.cause[row]!;
}

/** Interned ways. */
export class PathTable {
  readonly paths: Path[] = [];
  #slots = new Int32Array(1 << 8).fill(-1);

  /** The index of the way that equals the key; `explain` is asked for the walk only where the way is new. */
  intern(key: PathKey, file: number, frame: number, explain: () => Walk): number {
    const mask = this.#slots.length - 1;
    let slot = hashOf(key) & mask;
    for (;;) {
      const index = this.#slots[slot]!;
      if (index < 0) break;
      if (same(this.paths[index]!, key)) return index;
      slot = (slot + 1) & mask;
    }
    const index = this.paths.length;
    this.paths.push({ ...key, index, example: { file, frame }, walk: explain() });
    this.#slots[slot] = index;
    if (this.paths.length * 2 > this.#slots.length) this.#grow();
    return index;
  }

  #grow(): void {
    this.#slots = new Int32Array(this.#slots.length * 2).fill(-1);
    const mask = this.#slots.length - 1;
    for (const path of this.paths) {
      let slot = hashOf(path) & mask;
      while (this.#slots[slot]! >= 0) slot = (slot + 1) & mask;
      this.#slots[slot] = path.index;
    }
  }
}

function hashOf(key: Readonly<PathKey>): number {
  let hash =
    (key.toServer ? 1 : 0) | (key.synthetic ? 2 : 0) | (key.kind << 2) | (key.ingress << 4) | (key.disposition << 12);
  hash = Math.imul(hash, 0x9e3779b1) ^ (key.egress << 8) ^ key.hop ^ key.gateway;
  hash =
    Math.imul(hash, 0x85ebca6b) ^
    key.fwmark ^
    Math.imul(key.connmark, 31) ^
    (key.table << 4) ^
    (key.conntrack << 20) ^
    (key.flags << 24);
  hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2ae35) ^ key.unknown ^ (key.cause << 8) ^ (key.sourceMac % 0x7fffffff);
  return (hash ^ (hash >>> 13)) >>> 0;
}

function same(a: Readonly<PathKey>, b: Readonly<PathKey>): boolean {
  return (
    a.toServer === b.toServer &&
    a.synthetic === b.synthetic &&
    a.kind === b.kind &&
    a.ingress === b.ingress &&
    a.sourceMac === b.sourceMac &&
    a.disposition === b.disposition &&
    a.egress === b.egress &&
    a.hop === b.hop &&
    a.gateway === b.gateway &&
    a.fwmark === b.fwmark &&
    a.connmark === b.connmark &&
    a.table === b.table &&
    a.conntrack === b.conntrack &&
    a.flags === b.flags &&
    a.unknown === b.unknown &&
    a.cause === b.cause
  );
}
