import type { DecisionBatch } from '../forwarding/decision.ts';
import type { Forwarder } from '../forwarding/forwarder.ts';
import { type IpAddress, ipv4 } from '../net/ip-address.ts';
import { IpProtocol } from '../net/ip-protocol.ts';
import { type ConnectionLog, Seen } from '../observation/connection-log.ts';
import { type MonitoredServices, ServerEnd } from '../observation/monitored.ts';
import type { PacketBatch } from '../wire/packet-batch.ts';
import type { ResolvedIntent } from './intent.ts';
import { Flag, makePacket } from './probe-packet.ts';
import type { Router } from './router.ts';
import { isOnSpsSegment, type Senders } from './senders.ts';

interface Endpoint {
  readonly address: number;
  readonly port: number;
}

interface Translation {
  /** Of the connection: another one may stand in its row later. */
  readonly serial: number;
  readonly source: Endpoint;
  readonly destination: Endpoint;
}

/** What SPS does that the capture does not show: in a what-if, and where no interface that faces it was captured. */
export class UnseenSps {
  readonly #router: Router;
  readonly #resolved: ResolvedIntent;
  readonly #monitored: MonitoredServices;
  readonly #senders: Senders;
  readonly #log: ConnectionLog;
  /** By row, how the requests of connections leave that the router translates: answers come back to that. */
  readonly #translations = new Map<number, Translation>();

  constructor(
    router: Router,
    resolved: ResolvedIntent,
    monitored: MonitoredServices,
    senders: Senders,
    log: ConnectionLog,
  ) {
    this.#router = router;
    this.#resolved = resolved;
    this.#monitored = monitored;
    this.#senders = senders;
    this.#log = log;
  }

  #translationOf(connection: number): Translation | undefined {
    const known = this.#translations.get(connection);
    return known?.serial === this.#log.serialAt(connection) ? known : undefined;
  }

  /** The request of the connection in a row leaves translated, as the decision's first row says. */
  rememberTranslation(connection: number, decisions: DecisionBatch): void {
    this.#translations.set(connection, {
      serial: this.#log.serialAt(connection),
      source: { address: decisions.leavingSource[0]!, port: decisions.leavingSourcePort[0]! },
      destination: { address: decisions.leavingDestination[0]!, port: decisions.leavingDestinationPort[0]! },
    });
  }

  /** What-if: what a server sent to a client on SPS's segment, SPS would send there itself: the router would not see it. */
  passesUnseen(batch: PacketBatch, row: number, spsSide: boolean): boolean {
    if (spsSide || this.#monitored.serverEnd(batch, row, false) !== ServerEnd.source) return false;
    return isOnSpsSegment(this.#router, this.#resolved.intent, addressAt(batch.family[row]!, batch.destination, row));
  }

  /**
   * What-if: what a server answered then is what SPS would answer now: the same segment, from SPS's interface. Alters the row and says
   * so; leaves alone what goes to SPS itself.
   */
  takeAsAnswerOfSps(batch: PacketBatch, row: number): boolean {
    if (this.#monitored.isSps(batch.family[row]!, batch.destination, 4 * row)) return false;
    const end = this.#monitored.serverEnd(batch, row, false);
    if (end === ServerEnd.none) return false;
    const connection = this.#log.peek(batch, row, end);
    if (this.#log.toServer) return false;
    batch.sourceMac[row] = this.#senders.anyMac;
    batch.ttl[row] = 64;
    const translation = connection < 0 ? undefined : this.#translationOf(connection);
    if (translation !== undefined) {
      batch.source[4 * row] = translation.destination.address;
      batch.sourcePort[row] = translation.destination.port;
      batch.destination[4 * row] = translation.source.address;
      batch.destinationPort[row] = translation.source.port;
    }
    return true;
  }

  /**
   * Where no interface that faces SPS was captured, its SYN-ACK cannot be in the capture although the client acknowledges it: the
   * router saw it. Without it the entry would stay half open and the client's packets be taken for INVALID. The answer that is made up
   * for a client's ACK is given to the router.
   */
  completeHandshake(batch: PacketBatch, row: number, forwarder: Forwarder, decisions: DecisionBatch): void {
    const end = this.#monitored.serverEnd(batch, row, false);
    if (end !== ServerEnd.destination) return;
    const at = this.#log.peek(batch, row, end);
    if (at < 0) return;
    const connection = this.#log.atRow(at);
    if ((connection.seen & Seen.synToServer) === 0) return;
    if ((connection.seen & (Seen.synToClient | Seen.answerMade)) !== 0) return;
    connection.seen |= Seen.answerMade;
    const client = addressAt(batch.family[row]!, batch.source, row);
    if (isOnSpsSegment(this.#router, this.#resolved.intent, client)) return;
    const position = this.#senders.spsInterfaces[0];
    if (position === undefined) return;
    const translation = this.#translationOf(at);
    const packet = makePacket({
      protocol: IpProtocol.tcp,
      source:
        translation === undefined
          ? addressAt(batch.family[row]!, batch.destination, row)
          : ipv4(translation.destination.address),
      sourcePort: translation?.destination.port ?? batch.destinationPort[row]!,
      destination: translation === undefined ? client : ipv4(translation.source.address),
      destinationPort: translation?.source.port ?? batch.sourcePort[row]!,
      sourceMac: this.#senders.anyMac,
      ttl: 64,
      time: batch.seconds[row]! * 1e9 + batch.nanoseconds[row]!,
      flags: Flag.syn | Flag.ack,
      sequence: (batch.tcpAcknowledgement[row]! - 1) >>> 0,
      acknowledgement: batch.tcpSequence[row]!,
    });
    forwarder.decide(packet, 0, position, decisions, 0);
  }
}

function addressAt(family: number, column: Uint32Array, row: number): IpAddress {
  return {
    family: family === 6 ? 6 : 4,
    words: [column[4 * row]!, column[4 * row + 1]!, column[4 * row + 2]!, column[4 * row + 3]!],
  };
}
