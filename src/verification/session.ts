import { DecisionBatch, Disposition } from '../forwarding/decision.ts';
import type { Forwarder } from '../forwarding/forwarder.ts';
import type { Walk } from '../forwarding/walk.ts';
import { formatEndpoint, type IpAddress, ipv4 } from '../net/ip-address.ts';
import { formatIpProtocol, IpProtocol } from '../net/ip-protocol.ts';
import { PacketBatch } from '../wire/packet-batch.ts';
import { type Category, judge } from './judge.ts';
import { Hop, keyOfDecision, newPathKey, type PathKey } from './path-table.ts';
import { Flag, makePacket } from './probe-packet.ts';

/** Which of the four flows of a redirected session a packet belongs to. */
export type Role = 'client-request' | 'sps-reply' | 'sps-request' | 'server-reply';

/** How SPS appears toward the server. `client-same-port`: both legs share one five-tuple. */
export type Spoofing = 'own' | 'client-other-port' | 'client-same-port';

/** One session to synthesize. */
export interface SessionSpec {
  readonly protocol: number;
  readonly client: IpAddress;
  readonly clientPort: number;
  readonly clientInterface: number;
  /** −1 where it is not known. */
  readonly clientMac: number;
  readonly server: IpAddress;
  readonly serverPort: number;
  /** −1 where it is not known. */
  readonly serverMac: number;
  /** Where the server's replies enter, if SPS's request does not show it. */
  readonly serverInterface: number;
  /** The address that SPS uses toward servers where it does not use the client's. */
  readonly sps: IpAddress;
  /** All addresses that packets are redirected to. */
  readonly spsAddresses: readonly IpAddress[];
  readonly spsInterface: number;
  readonly spsMac: number;
  readonly spoofing: Spoofing;
  /** With one five-tuple for both legs: the client's sequence numbers lie beyond those of SPS, as they may between machines. */
  readonly unrelatedSequences?: boolean;
  /** The session's client is not known: only SPS and the server talk. */
  readonly serverLegOnly?: boolean;
  /** SPS and the client, or SPS and the server, share a segment: what SPS sends there does not pass the router. */
  readonly clientOnSpsSegment?: boolean;
  readonly serverOnSpsSegment?: boolean;
}

/** A synthesized packet and what becomes of it. */
export interface Probe {
  readonly role: Role;
  readonly phase: 'opening' | 'established' | 'closing';
  /** For people: `SYN of SPS to the server`. */
  readonly label: string;
  readonly toServer: boolean;
  readonly fromSps: boolean;
  readonly spoofing: Spoofing;
  readonly spec: SessionSpec;
  /** `tcp 192.168.0.10:40000 > 10.0.0.10:3389`. */
  readonly flow: string;
  readonly key: Readonly<PathKey>;
  readonly category: Category;
  readonly walk: Walk;
  /** Index in {@link Forwarder.unknowns} made readable; absent where determined. */
  readonly unknown?: string;
}

const START = 1_700_000_000e9;
const STEP = 1e6;

/**
 * Runs one session of client, SPS and server through a router without connection entries. A leg ends at its first packet that does not
 * go where it should: what would come after it could not happen.
 */
export function runSession(router: Forwarder, spec: SessionSpec): Probe[] {
  return new SessionRun(router.fresh(), spec, true).run();
}

/** The same, without the walks of the packets and their flows in words, on a router whose entries all go. */
export function runSessionUnexplained(router: Forwarder, spec: SessionSpec): Probe[] {
  router.forget();
  return new SessionRun(router, spec, false).run();
}

const NO_WALK: Walk = { steps: [] };

interface Leg {
  readonly requester: {
    readonly role: Role;
    readonly address: IpAddress;
    readonly port: number;
    readonly mac: number;
    readonly interface: number;
  };
  readonly responder: { readonly role: Role; readonly mac: number; interface: number };
  requestSequence: number;
  replySequence: number;
  alive: boolean;
  /** How the requests arrive at the responder, where the router translates them: its answers go back that way. */
  arrivesAs: { source: IpAddress; sourcePort: number; destination: IpAddress; destinationPort: number } | undefined;
}

/** The packet at hand: nothing keeps it, and its many columns take longer to make than it takes to decide about it. */
const PACKET = new PacketBatch(1);
const DECISIONS = new DecisionBatch(1);

class SessionRun {
  readonly #router: Forwarder;
  readonly #spec: SessionSpec;
  readonly #explains: boolean;
  readonly #decisions = DECISIONS;
  readonly #probes: Probe[] = [];
  #time = START;

  constructor(router: Forwarder, spec: SessionSpec, explains: boolean) {
    this.#router = router;
    this.#spec = spec;
    this.#explains = explains;
  }

  run(): Probe[] {
    const spec = this.#spec;
    const clientLeg: Leg = {
      requester: {
        role: 'client-request',
        address: spec.client,
        port: spec.clientPort,
        mac: spec.clientMac,
        interface: spec.clientInterface,
      },
      responder: { role: 'sps-reply', mac: spec.spsMac, interface: spec.spsInterface },
      requestSequence: spec.unrelatedSequences === true ? 1_000_000_000 : 1000,
      replySequence: 200_000,
      alive: true,
      arrivesAs: undefined,
    };
    const own = spec.spoofing === 'own';
    const serverLeg: Leg = {
      requester: {
        role: 'sps-request',
        address: own ? spec.sps : spec.client,
        port: spec.spoofing === 'client-same-port' ? spec.clientPort : otherPort(spec.clientPort),
        mac: spec.spsMac,
        interface: spec.spsInterface,
      },
      responder: { role: 'server-reply', mac: spec.serverMac, interface: spec.serverInterface },
      // Later in sequence space than the client leg, so that on a shared five-tuple conntrack takes the client leg's packets as old ones.
      requestSequence: 1_000_000,
      replySequence: 2_000_000,
      alive: true,
      arrivesAs: undefined,
    };
    const legs = spec.serverLegOnly === true ? [serverLeg] : [clientLeg, serverLeg];
    for (const leg of legs) this.#open(leg);
    for (const leg of legs) this.#exchange(leg);
    for (const leg of legs.reverse()) this.#close(leg);
    return this.#probes;
  }

  #open(leg: Leg): void {
    if (this.#spec.protocol !== IpProtocol.tcp) return;
    this.#request(leg, 'opening', 'SYN', Flag.syn, 0);
    this.#reply(leg, 'opening', 'SYN-ACK', Flag.syn | Flag.ack, 0);
    this.#request(leg, 'opening', 'ACK', Flag.ack, 0);
  }

  #exchange(leg: Leg): void {
    this.#request(leg, 'established', 'data', Flag.push | Flag.ack, 100);
    this.#reply(leg, 'established', 'data', Flag.push | Flag.ack, 200);
    if (this.#spec.protocol === IpProtocol.tcp) this.#request(leg, 'established', 'ACK', Flag.ack, 0);
  }

  #close(leg: Leg): void {
    if (this.#spec.protocol !== IpProtocol.tcp) return;
    this.#request(leg, 'closing', 'FIN', Flag.fin | Flag.ack, 0);
    this.#reply(leg, 'closing', 'FIN', Flag.fin | Flag.ack, 0);
    this.#request(leg, 'closing', 'ACK', Flag.ack, 0);
  }

  #request(leg: Leg, phase: Probe['phase'], what: string, flags: number, payload: number): void {
    if (!leg.alive) return;
    const { requester } = leg;
    if (requester.role === 'sps-request' && this.#spec.serverOnSpsSegment === true) {
      this.#tick();
      leg.requestSequence += payload + ((flags & (Flag.syn | Flag.fin)) !== 0 ? 1 : 0);
      return;
    }
    const packet = makePacket(
      {
        protocol: this.#spec.protocol,
        source: requester.address,
        sourcePort: requester.port,
        destination: this.#spec.server,
        destinationPort: this.#spec.serverPort,
        sourceMac: requester.mac,
        ttl: requester.role === 'sps-request' ? 64 : 128,
        time: this.#tick(),
        flags,
        sequence: leg.requestSequence,
        acknowledgement: (flags & Flag.ack) === 0 ? 0 : leg.replySequence,
        payloadLength: payload,
      },
      PACKET,
    );
    leg.requestSequence += payload + ((flags & (Flag.syn | Flag.fin)) !== 0 ? 1 : 0);
    const probe = this.#decide(packet, requester.role, phase, what, requester.interface, requester.mac);
    if (probe.category === 'viaSps' && requester.role === 'sps-request' && probe.key.egress >= 0)
      leg.responder.interface = probe.key.egress;
    if (translationOf(this.#decisions, 0, packet, 0) !== 0) {
      leg.arrivesAs = {
        source: ipv4(this.#decisions.leavingSource[0]!),
        sourcePort: this.#decisions.leavingSourcePort[0]!,
        destination: ipv4(this.#decisions.leavingDestination[0]!),
        destinationPort: this.#decisions.leavingDestinationPort[0]!,
      };
    }
    if (probe.category !== 'viaSps') leg.alive = false;
  }

  #reply(leg: Leg, phase: Probe['phase'], what: string, flags: number, payload: number): void {
    if (!leg.alive || leg.responder.interface < 0) return;
    if (this.#staysOnSegment(leg.responder.role)) {
      this.#tick();
      leg.replySequence += payload + ((flags & (Flag.syn | Flag.fin)) !== 0 ? 1 : 0);
      return;
    }
    const packet = makePacket(
      {
        protocol: this.#spec.protocol,
        source: leg.arrivesAs?.destination ?? this.#spec.server,
        sourcePort: leg.arrivesAs?.destinationPort ?? this.#spec.serverPort,
        destination: leg.arrivesAs?.source ?? leg.requester.address,
        destinationPort: leg.arrivesAs?.sourcePort ?? leg.requester.port,
        sourceMac: leg.responder.mac,
        ttl: 64,
        time: this.#tick(),
        flags,
        sequence: leg.replySequence,
        acknowledgement: leg.requestSequence,
        payloadLength: payload,
      },
      PACKET,
    );
    leg.replySequence += payload + ((flags & (Flag.syn | Flag.fin)) !== 0 ? 1 : 0);
    const probe = this.#decide(packet, leg.responder.role, phase, what, leg.responder.interface, leg.responder.mac);
    if (probe.category !== 'viaSps') leg.alive = false;
  }

  /** A server answers SPS's own address on their segment; a client's address it reaches by the router. */
  #staysOnSegment(role: Role): boolean {
    if (role === 'sps-reply') return this.#spec.clientOnSpsSegment === true;
    return role === 'server-reply' && this.#spec.serverOnSpsSegment === true && this.#spec.spoofing === 'own';
  }

  #decide(packet: PacketBatch, role: Role, phase: Probe['phase'], what: string, ingress: number, mac: number): Probe {
    this.#router.decide(packet, 0, ingress, this.#decisions, 0);
    const fromSps = role === 'sps-reply' || role === 'sps-request';
    const key = newPathKey();
    keyOfDecision(key, this.#decisions, 0);
    key.toServer = role === 'client-request' || role === 'sps-request';
    key.synthetic = true;
    key.ingress = ingress;
    key.sourceMac = fromSps ? mac : -1;
    key.hop = hopOf(this.#decisions, 0, packet, 0, this.#spec.spsAddresses);
    const unknown = key.unknown >= 0 ? this.#router.unknowns[key.unknown]?.reason : undefined;
    const probe: Probe = {
      role,
      phase,
      label: `${what} of ${SENDERS[role]}`,
      toServer: key.toServer,
      fromSps,
      spoofing: this.#spec.spoofing,
      spec: this.#spec,
      flow: this.#explains ? flowOf(packet) : '',
      key,
      category: judge(key, fromSps),
      walk: this.#explains ? this.#router.explainLast() : NO_WALK,
      ...(unknown !== undefined && { unknown }),
    };
    this.#probes.push(probe);
    return probe;
  }

  #tick(): number {
    this.#time += STEP;
    return this.#time;
  }
}

const SENDERS: Readonly<Record<Role, string>> = {
  'client-request': 'the client',
  'sps-reply': 'SPS to the client',
  'sps-request': 'SPS to the server',
  'server-reply': 'the server',
};

/** Bit 0: the source leaves translated; bit 1: the destination. */
export function translationOf(decisions: DecisionBatch, into: number, batch: PacketBatch, row: number): number {
  if (batch.family[row] !== 4 || decisions.flags[into] === 0) return 0;
  const source =
    decisions.leavingSource[into] !== batch.source[4 * row] ||
    decisions.leavingSourcePort[into] !== batch.sourcePort[row];
  const destination =
    decisions.leavingDestination[into] !== batch.destination[4 * row] ||
    decisions.leavingDestinationPort[into] !== batch.destinationPort[row];
  return (source ? 1 : 0) | (destination ? 2 : 0);
}

function flowOf(packet: PacketBatch): string {
  const end = (column: Uint32Array, port: number): string =>
    formatEndpoint(
      { family: packet.family[0] as 4 | 6, words: [column[0]!, column[1]!, column[2]!, column[3]!] },
      port,
    );
  const source = end(packet.source, packet.sourcePort[0]!);
  return `${formatIpProtocol(packet.protocol[0]!)} ${source} > ${end(packet.destination, packet.destinationPort[0]!)}`;
}

function otherPort(port: number): number {
  return port === 50001 ? 50002 : 50001;
}

/** A {@link Hop} number: to whom the decision in a row sends the packet. */
export function hopOf(
  decisions: DecisionBatch,
  into: number,
  batch: PacketBatch,
  row: number,
  sps: readonly IpAddress[],
): number {
  if (decisions.disposition[into] !== Disposition.forwarded) return Hop.none;
  const offset = 4 * into;
  const hop = decisions.nextHop;
  for (const address of sps) {
    const { words } = address;
    if (
      words[0] === hop[offset] &&
      words[1] === hop[offset + 1] &&
      words[2] === hop[offset + 2] &&
      words[3] === hop[offset + 3]
    )
      return Hop.sps;
  }
  for (let word = 0; word < 4; word++) if (hop[offset + word] !== batch.destination[4 * row + word]) return Hop.gateway;
  return Hop.onLink;
}
