import type { Intent } from '../model/intent.ts';
import type { IpAddress } from '../net/ip-address.ts';
import { equalIpAddress } from '../net/ip-address.ts';
import { prefixContains, prefixCovers } from '../net/prefix.ts';
import type { PacketBatch } from '../wire/packet-batch.ts';
import type { Router } from './router.ts';

/**
 * Who sent a frame: SPS or somebody else. SPS is its MAC address on an interface that faces it; a source address decides nothing, since
 * SPS may use any. MAC addresses come from the neighbour table, ARP in the capture, copies of redirected frames, or, where all of these
 * are missing, from the only host that answered redirected frames.
 */
export class Senders {
  /** Router interfaces that face SPS. */
  readonly spsInterfaces: readonly number[];
  readonly #macs = new Set<number>();
  readonly #responders = new Set<number>();
  readonly #possible = new Set<number>();
  /** MAC addresses of other hosts on SPS's segments, by neighbour table and ARP. */
  readonly #others = new Set<number>();
  /** Of every neighbour, by family and address. */
  readonly #macByAddress = new Map<string, number>();
  /** MAC addresses of each of SPS's IPv4 addresses: several where a node took over. */
  readonly #nodes = new Map<number, Set<number>>();
  readonly #sps: readonly IpAddress[];
  readonly #segmentHasClients: boolean;
  #sawSpsMac = false;

  constructor(
    router: Router,
    intent: Intent,
    interfaceIndex: (name: string) => number,
    clientInterface: string | undefined,
  ) {
    this.#sps = intent.sps;
    this.spsInterfaces = intent.spsInterfaces.map(interfaceIndex).filter((index) => index >= 0);
    for (const neighbour of router.neighbours) {
      if (neighbour.mac === undefined || neighbour.mac === 0) continue;
      this.#macByAddress.set(keyOf(neighbour.address), neighbour.mac);
      if (!intent.spsInterfaces.includes(neighbour.device)) continue;
      if (this.#isSps(neighbour.address)) {
        if (neighbour.address.family === 4) this.#learnNode(neighbour.address.words[0], neighbour.mac);
        else this.#macs.add(neighbour.mac);
      } else this.#others.add(neighbour.mac);
    }
    this.#segmentHasClients = segmentHasClients(router, intent, clientInterface);
  }

  /** Keeps what is known now; the function that it gives forgets what was learnt since. */
  checkpoint(): () => void {
    const sets = [this.#macs, this.#responders, this.#possible, this.#others].map((set) => [set, [...set]] as const);
    const nodes = [...this.#nodes].map(([address, macs]) => [address, new Set(macs)] as const);
    const sawSpsMac = this.#sawSpsMac;
    return () => {
      for (const [set, kept] of sets) {
        set.clear();
        for (const mac of kept) set.add(mac);
      }
      this.#nodes.clear();
      for (const [address, macs] of nodes) this.#nodes.set(address, macs);
      this.#sawSpsMac = sawSpsMac;
    };
  }

  /** One MAC address of SPS for packets that we make, −1 where none is known. */
  get anyMac(): number {
    return [...this.#macs, ...this.#responders][0] ?? -1;
  }

  /** The MAC address of a host by the neighbour table, −1 where it is not there. */
  macOf(address: IpAddress): number {
    return this.#macByAddress.get(keyOf(address)) ?? -1;
  }

  /** MAC addresses that belong to SPS. */
  get macs(): ReadonlySet<number> {
    return this.#macs;
  }

  /** Whether a frame from SPS's MAC address came in. */
  get sawSps(): boolean {
    return this.#sawSpsMac || this.#responders.size > 0;
  }

  /** Whether a copy that was sent to this MAC address went to SPS: `false` to another host, `undefined` cannot be told. */
  isSpsMac(mac: number): boolean | undefined {
    if (mac < 0 || this.#macs.has(mac) || this.#macs.size === 0) return true;
    return this.#others.has(mac) ? false : undefined;
  }

  facesSps(position: number): boolean {
    return this.spsInterfaces.includes(position);
  }

  /** Learns from an ARP frame on an interface that faces SPS; whether SPS sent it. */
  learnArp(batch: PacketBatch, row: number, position: number): boolean {
    if (!this.facesSps(position) || batch.arpSenderMac[row]! <= 0) return false;
    const sender = batch.source[4 * row]!;
    if (!this.#sps.some((address) => address.family === 4 && address.words[0] === sender)) {
      this.#others.add(batch.arpSenderMac[row]!);
      return false;
    }
    this.#learnNode(sender, batch.arpSenderMac[row]!);
    return true;
  }

  #learnNode(address: number, mac: number): void {
    this.#macs.add(mac);
    const known = this.#nodes.get(address);
    if (known === undefined) this.#nodes.set(address, new Set([mac]));
    else known.add(mac);
  }

  /**
   * Whether two of SPS's IPv4 addresses (first words) are at one node: they are where they share a MAC address, and not where their MAC
   * addresses differ; undefined where one's is not known.
   */
  areOneNode(a: number, b: number): boolean | undefined {
    const [one, other] = [this.#nodes.get(a), this.#nodes.get(b)];
    if (a === b) return true;
    if (one === undefined || other === undefined) return undefined;
    return [...one].some((mac) => other.has(mac));
  }

  /** The IPv4 addresses of SPS (first words) that a MAC address was seen with. */
  addressesOf(mac: number): number[] {
    return [...this.#nodes].filter(([, macs]) => macs.has(mac)).map(([address]) => address);
  }

  /** The router sent a frame for SPS's address to this MAC. */
  learnNextHop(mac: number): void {
    if (mac > 0) this.#macs.add(mac);
  }

  /**
   * The router sent a frame for SPS's address to this MAC, which is neither one of SPS that is known nor another host's: a second node
   * that took over, or a host that the router takes for SPS.
   */
  notePossible(mac: number): void {
    if (mac > 0) this.#possible.add(mac);
  }

  /** A host on SPS's segment answered frames that were redirected. */
  learnResponder(mac: number): void {
    if (mac > 0) this.#responders.add(mac);
  }

  noteSender(mac: number): void {
    if (this.#macs.has(mac)) this.#sawSpsMac = true;
  }

  /**
   * `true` from SPS, `false` from another host, `undefined` cannot be told. `isBeside`: the packet's source is an address of the segment. A MAC
   * address that nobody is known to have, with a source that is none of the segment's, may be that of a node which took over.
   */
  isSps(ingress: number, sourceMac: number, isBeside = true): boolean | undefined {
    if (!this.facesSps(ingress)) return false;
    if (sourceMac >= 0 && this.#macs.size > 0) {
      if (this.#macs.has(sourceMac)) return true;
      return this.#possible.has(sourceMac) || (!isBeside && !this.#others.has(sourceMac)) ? undefined : false;
    }
    if (sourceMac >= 0 && this.#responders.size === 1) return this.#responders.has(sourceMac);
    return this.#segmentHasClients ? undefined : true;
  }

  #isSps(address: IpAddress): boolean {
    return this.#sps.some((known) => equalIpAddress(known, address));
  }
}

function keyOf(address: IpAddress): string {
  return `${address.family}/${address.words.join()}`;
}

/** Whether monitored clients may sit on a segment that faces SPS, so that the interface alone does not prove the sender. */
function segmentHasClients(router: Router, intent: Intent, clientInterface: string | undefined): boolean {
  if (clientInterface !== undefined && intent.spsInterfaces.includes(clientInterface)) return true;
  if (intent.clients.length === 0) return clientInterface === undefined;
  return router.interfaces.some(
    (item) =>
      intent.spsInterfaces.includes(item.name) &&
      item.addresses.some(({ prefix }) =>
        intent.clients.some((clients) => prefixContains(clients, prefix) || prefixCovers(prefix, clients)),
      ),
  );
}

/** Whether a host is on a segment that SPS is on, so that the two reach each other without the router. */
export function isOnSpsSegment(router: Router, intent: Intent, address: IpAddress): boolean {
  return router.interfaces.some(
    (item) =>
      intent.spsInterfaces.includes(item.name) && item.addresses.some(({ prefix }) => prefixContains(prefix, address)),
  );
}
