import { DecisionBatch, Disposition } from '../forwarding/decision.ts';
import type { Forwarder } from '../forwarding/forwarder.ts';
import type { IpAddress } from '../net/ip-address.ts';
import { ipv4 } from '../net/ip-address.ts';
import { IpProtocol } from '../net/ip-protocol.ts';
import { Seen } from '../observation/connection-log.ts';
import { Hop } from './path-table.ts';
import { Flag, makePacket } from './probe-packet.ts';
import type { JudgedConnection } from './judged.ts';
import { hopOf, type SessionSpec, translationOf } from './session.ts';
import type { Verification } from './verification.ts';

/** What loading a change does to a connection that is open: it goes on, is cut, stays on its old mark, or that cannot be told. */
export type EstablishedFate = 'unaffected' | 'cut' | 'oldMark' | 'unknown';

const UDP_IDLE_NANOSECONDS = 180e9;

/**
 * Counts what becomes of the connections that are open when the capture ends. The entry that connection tracking has of each, with its mark,
 * outlives the change: its next packets are decided by the new configuration with the old entry.
 */
export class EstablishedCount {
  readonly #before: Verification;
  readonly #after: Verification;
  readonly #cache = new Map<string, EstablishedFate>();

  constructor(before: Verification, after: Verification) {
    this.#before = before;
    this.#after = after;
  }

  count(): Record<EstablishedFate, number> {
    const counts: Record<EstablishedFate, number> = { unaffected: 0, cut: 0, oldMark: 0, unknown: 0 };
    for (const item of this.#before.connections) {
      if (!isOpen(item, this.#before.replay.lastTime)) continue;
      counts[this.#fateOf(item)]++;
    }
    return counts;
  }

  #fateOf(item: JudgedConnection): EstablishedFate {
    const key = `${item.ways
      .map((way) => way.path.index)
      .sort((a, b) => a - b)
      .join()}/${item.connection.serverPort}`;
    const known = this.#cache.get(key);
    if (known !== undefined) return known;
    const specs = this.#before.sessionsOf(item);
    // Of several ways in which SPS may appear the worst counts.
    const fates = specs.map((spec) => this.#try(spec, item));
    const fate =
      (['cut', 'unknown', 'oldMark', 'unaffected'] as const).find((value) => fates.includes(value)) ?? 'unknown';
    this.#cache.set(key, fate);
    return fate;
  }

  #try(spec: SessionSpec, item: JudgedConnection): EstablishedFate {
    const sps = this.#before.intent.sps;
    const fresh = new Talk(this.#after.replay.forwarder.fresh(), spec, sps);
    const old = new Talk(this.#before.replay.forwarder.fresh(), spec, sps);
    const opened = old.open();
    if (opened !== 'open') return 'unknown';
    const before = old.next();
    const forwarder = old.forwarder.replacedBy?.(this.#after.replay.forwarder);
    if (forwarder === undefined) return 'unknown';
    const after = old.continuedOn(forwarder).next();
    if ([...before, ...after].some((step) => step.disposition === Disposition.undetermined)) return 'unknown';
    if (before.some((step, index) => !goesAlike(step, after[index]!))) return 'cut';
    if (fresh.open() !== 'open') return wasVia(item) ? 'oldMark' : 'unaffected';
    const anew = fresh.next();
    const isAlike = after.every((step, index) => goesAlike(step, anew[index]!) && step.mark === anew[index]!.mark);
    return isAlike ? 'unaffected' : 'oldMark';
  }
}

function wasVia(item: JudgedConnection): boolean {
  return item.ways.some((way) => way.category === 'viaSps');
}

/** Neither closed nor reset in the capture, nor idle for longer than its entry lives. */
function isOpen({ connection }: JudgedConnection, end: number): boolean {
  if (connection.protocol !== IpProtocol.tcp) return end - connection.lastTime < UDP_IDLE_NANOSECONDS;
  return connection.closingTime === Number.POSITIVE_INFINITY && (connection.seen & Seen.establishedByClient) !== 0;
}

/** How a packet of an open connection went. */
interface Went {
  readonly disposition: number;
  readonly egress: number;
  readonly hop: string;
  readonly mark: number;
}

function goesAlike(a: Went, b: Went): boolean {
  return a.disposition === b.disposition && a.egress === b.egress && a.hop === b.hop;
}

/** The client's connection with whoever answers it, SPS or the server, packet by packet. */
class Talk {
  readonly forwarder: Forwarder;
  readonly #spec: SessionSpec;
  readonly #sps: readonly IpAddress[];
  readonly #decisions = new DecisionBatch(1);
  #time = 1_700_000_000e9;
  #sequence = 1000;
  #replySequence = 200_000;
  /** Where the answers come in, and who sends them. */
  #responder = { interface: -1, mac: -1 };
  #arrives: { source: IpAddress; sourcePort: number; destination: IpAddress; destinationPort: number };

  constructor(forwarder: Forwarder, spec: SessionSpec, sps: readonly IpAddress[]) {
    this.forwarder = forwarder;
    this.#spec = spec;
    this.#sps = sps;
    this.#arrives = {
      source: spec.client,
      sourcePort: spec.clientPort,
      destination: spec.server,
      destinationPort: spec.serverPort,
    };
  }

  /** The same conversation, of which another router decides from here on. */
  continuedOn(forwarder: Forwarder): Talk {
    const talk = new Talk(forwarder, this.#spec, this.#sps);
    talk.#time = this.#time;
    talk.#sequence = this.#sequence;
    talk.#replySequence = this.#replySequence;
    talk.#responder = this.#responder;
    talk.#arrives = this.#arrives;
    return talk;
  }

  /** Opens the connection; says whether every packet of the opening got through. */
  open(): 'open' | 'closed' {
    const tcp = this.#spec.protocol === IpProtocol.tcp;
    const first = this.#request(tcp ? Flag.syn : 0, tcp ? 0 : 100);
    if (first.disposition !== Disposition.forwarded) return 'closed';
    const steps = [
      this.#reply(tcp ? Flag.syn | Flag.ack : 0, tcp ? 0 : 100),
      ...(tcp ? [this.#request(Flag.ack, 0)] : []),
    ];
    return steps.every((step) => step.disposition === Disposition.forwarded) ? 'open' : 'closed';
  }

  /** The next data of both. */
  next(): Went[] {
    const push = this.#spec.protocol === IpProtocol.tcp ? Flag.push | Flag.ack : 0;
    return [this.#request(push, 100), this.#reply(push, 100)];
  }

  #request(flags: number, payload: number): Went {
    const { client, clientPort, clientMac, clientInterface, server, serverPort } = this.#spec;
    const packet = makePacket({
      ...this.#segment(flags, payload, this.#sequence, this.#replySequence),
      source: client,
      sourcePort: clientPort,
      destination: server,
      destinationPort: serverPort,
      sourceMac: clientMac,
    });
    this.#sequence += lengthOf(flags, payload);
    const went = this.#decide(packet, clientInterface);
    if (this.#responder.interface < 0 && went.disposition === Disposition.forwarded) {
      const viaSps = hopOf(this.#decisions, 0, packet, 0, this.#sps) === Hop.sps;
      this.#responder = viaSps
        ? { interface: this.#spec.spsInterface, mac: this.#spec.spsMac }
        : { interface: went.egress, mac: this.#spec.serverMac };
      if (translationOf(this.#decisions, 0, packet, 0) !== 0) {
        this.#arrives = {
          source: ipv4(this.#decisions.leavingSource[0]!),
          sourcePort: this.#decisions.leavingSourcePort[0]!,
          destination: ipv4(this.#decisions.leavingDestination[0]!),
          destinationPort: this.#decisions.leavingDestinationPort[0]!,
        };
      }
    }
    return went;
  }

  #reply(flags: number, payload: number): Went {
    const { source, sourcePort, destination, destinationPort } = this.#arrives;
    const packet = makePacket({
      ...this.#segment(flags, payload, this.#replySequence, this.#sequence),
      source: destination,
      sourcePort: destinationPort,
      destination: source,
      destinationPort: sourcePort,
      sourceMac: this.#responder.mac,
    });
    this.#replySequence += lengthOf(flags, payload);
    return this.#decide(packet, this.#responder.interface);
  }

  #segment(flags: number, payload: number, sequence: number, acknowledgement: number) {
    this.#time += 1e6;
    return {
      protocol: this.#spec.protocol,
      ttl: 64,
      time: this.#time,
      flags,
      sequence,
      acknowledgement: (flags & Flag.ack) === 0 ? 0 : acknowledgement,
      payloadLength: payload,
    };
  }

  #decide(packet: Parameters<Forwarder['decide']>[0], ingress: number): Went {
    const decisions = this.#decisions;
    this.forwarder.decide(packet, 0, ingress, decisions, 0);
    return {
      disposition: decisions.disposition[0]!,
      egress: decisions.egress[0]!,
      hop: decisions.nextHop.slice(0, 4).join(),
      mark: decisions.hasConnmark[0] === 1 ? decisions.connmark[0]! : -1,
    };
  }
}

function lengthOf(flags: number, payload: number): number {
  return payload + ((flags & (Flag.syn | Flag.fin)) === 0 ? 0 : 1);
}
