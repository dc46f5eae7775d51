import { type DecisionBatch, DecisionFlag, Disposition } from '../forwarding/decision.ts';
import type { Forwarder } from '../forwarding/forwarder.ts';
import { USUAL_PORTS } from '../model/intent.ts';
import { IpProtocol } from '../net/ip-protocol.ts';
import type { MonitoredServices } from '../observation/monitored.ts';
import { type PacketBatch, Status } from '../wire/packet-batch.ts';
import { type FrameTally, tally } from './frame-tally.ts';
import type { ResolvedIntent } from './intent.ts';
import { Hop } from './path-table.ts';
import { Flag } from './probe-packet.ts';
import type { Senders } from './senders.ts';
import { hopOf } from './session.ts';
import type { SideTraffic } from './side-traffic.ts';

/** Packets that came in without ports of a monitored service, of which only what is worth telling is noted. */
export class Unmonitored {
  /** Frames between monitored hosts that the snap length cut before their ports. */
  readonly cut: FrameTally = { count: 0 };
  /** Later fragments between monitored hosts, which have no ports. */
  readonly fragments: FrameTally = { count: 0 };
  /** Unmonitored connections on usually monitored ports, by port. */
  readonly usualPorts = new Map<number, FrameTally>();
  readonly #resolved: ResolvedIntent;
  readonly #monitored: MonitoredServices;
  readonly #senders: Senders;
  readonly #side: SideTraffic;
  readonly #whatIf: boolean;

  constructor(
    resolved: ResolvedIntent,
    monitored: MonitoredServices,
    senders: Senders,
    side: SideTraffic,
    whatIf: boolean,
  ) {
    this.#resolved = resolved;
    this.#monitored = monitored;
    this.#senders = senders;
    this.#side = side;
    this.#whatIf = whatIf;
  }

  /** ICMP errors may concern a monitored connection's entry, so the router decides about them (into the first row); of the rest only what is worth telling is noted. */
  take(batch: PacketBatch, row: number, position: number, forwarder: Forwarder, decisions: DecisionBatch): void {
    const protocol = batch.protocol[row]!;
    if ((batch.status[row]! & Status.transport) === 0) {
      const isCut = batch.fragmentOffset[row] === 0 && (batch.status[row]! & Status.cut) !== 0;
      if (isCut && this.#monitored.mayBeMonitored(batch, row)) tally(this.cut, batch, row);
    } else if (protocol === IpProtocol.tcp && (batch.tcpFlags[row]! & (Flag.syn | Flag.ack)) === Flag.syn) {
      const port = batch.destinationPort[row]!;
      if (USUAL_PORTS.includes(port) && this.#betweenMonitoredNetworks(batch, row, position, forwarder)) {
        const known = this.usualPorts.get(port) ?? { count: 0 };
        tally(known, batch, row);
        this.usualPorts.set(port, known);
      }
    }
    const isLater = batch.fragmentOffset[row] !== 0 && this.#monitored.mayBeMonitored(batch, row);
    const isIcmpv6 = protocol === IpProtocol.icmpv6 && batch.family[row] === 6;
    if (protocol !== IpProtocol.icmp && !isIcmpv6 && !isLater) return;
    forwarder.decide(batch, row, position, decisions, 0);
    if (isIcmpv6 && !isLater) return;
    if (isLater && !this.#isAccountedFor(batch, row, position, decisions)) tally(this.fragments, batch, row);
    if (this.#whatIf || this.#senders.facesSps(position)) return;
    if (hopOf(decisions, 0, batch, row, this.#resolved.intent.sps) === Hop.sps) return;
    if (isLater) this.#side.noteFragment(batch, row, position, decisions);
    else this.#side.noteError(batch, row, position, decisions);
  }

  /**
   * Whether the way of a later fragment is certain, and right or else told of by RV509: on routers that decide about each packet by
   * itself. Elsewhere fragments may be put together on their way.
   */
  #isAccountedFor(batch: PacketBatch, row: number, position: number, decisions: DecisionBatch): boolean {
    if ((decisions.flags[0]! & DecisionFlag.noMarks) === 0 || decisions.disposition[0] !== Disposition.forwarded)
      return false;
    const toSps = hopOf(decisions, 0, batch, row, this.#resolved.intent.sps) === Hop.sps;
    const fromSps = this.#senders.isSps(position, batch.sourceMac[row]!);
    if (fromSps === undefined) return false;
    return fromSps ? !toSps : toSps || this.#side.knowsFirst(batch, row);
  }

  #betweenMonitoredNetworks(batch: PacketBatch, row: number, position: number, forwarder: Forwarder): boolean {
    if (this.#senders.facesSps(position) || forwarder.isLocal(batch.family[row]!, batch.destination, 4 * row))
      return false;
    const { clients, servers } = this.#resolved.intent;
    const source = batch.source[4 * row]!;
    const destination = batch.destination[4 * row]!;
    const inside = (prefixes: typeof clients, address: number): boolean =>
      prefixes.length === 0 ||
      prefixes.some(
        (prefix) =>
          prefix.family === 4 &&
          (prefix.prefixLength === 0 || (prefix.words[0] ^ address) >>> (32 - prefix.prefixLength) === 0),
      );
    return batch.family[row] === 4 && inside(clients, source) && inside(servers, destination);
  }
}
