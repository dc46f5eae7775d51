import type { CaptureSet } from '../capture/capture-set.ts';
import { DecisionBatch, DecisionFlag, Disposition } from '../forwarding/decision.ts';
import type { Forwarder } from '../forwarding/forwarder.ts';
import { IpProtocol } from '../net/ip-protocol.ts';
import { ConnectionLog } from '../observation/connection-log.ts';
import { MonitoredServices, ServerEnd } from '../observation/monitored.ts';
import { Pairing, Repeats } from '../observation/pairing.ts';
import { Side, type Vantage } from '../observation/vantage.ts';
import { ICMP_REDIRECT } from '../wire/icmp-type.ts';
import { LinkType } from '../wire/link-type.ts';
import { PacketBatch, Status } from '../wire/packet-batch.ts';
import { FlowMemory } from './flow-memory.ts';
import { type FrameTally, tally } from './frame-tally.ts';
import { type HeldFragment, HeldFragments } from './held-fragments.ts';
import type { ResolvedIntent } from './intent.ts';
import { Ipv6Ways, isLinkLocal6, isOrdinaryIpv6 } from './ipv6-ways.ts';
import { Hop, keyOfDecision, newPathKey, PacketKind, PathTable } from './path-table.ts';
import { Flag } from './probe-packet.ts';
import type { Replay, ReplayOptions } from './replay.ts';
import type { Router } from './router.ts';
import { Senders } from './senders.ts';
import { hopOf, translationOf } from './session.ts';
import { SideTraffic } from './side-traffic.ts';
import { hostRoles, interfacesInUse, vantageOf } from './surroundings.ts';
import { Unmonitored } from './unmonitored.ts';
import { UnseenSps } from './unseen-sps.ts';

const RECENT_EGRESS = 4096;

/** A router that frames are run through as they come. */
export class ReplayRun implements Replay {
  frames = 0;
  ipFrames = 0;
  readonly log = new ConnectionLog();
  gaveUpAfter?: { readonly file: number; readonly frame: number };
  readonly paths = new PathTable();
  readonly forwarder: Forwarder;
  readonly vantage: Vantage;
  readonly senders: Senders;
  readonly ambiguous: FrameTally = { count: 0 };
  readonly foreign: FrameTally = { count: 0 };
  sawEgress = false;
  readonly pieces: FrameTally = { count: 0 };
  readonly icmpRedirects: FrameTally = { count: 0 };
  readonly side = new SideTraffic(this.log);
  readonly ipv6: FrameTally = { count: 0 };
  readonly ipv6Ways = new Ipv6Ways();
  unansweredArp = 0;
  lastTime = 0;
  readonly neededInterfaces: readonly number[];

  readonly #captures: CaptureSet;
  readonly #resolved: ResolvedIntent;
  readonly #options: ReplayOptions;
  readonly #monitored: MonitoredServices;
  readonly #knowsIpv6OfSps: boolean;
  readonly #pairing = new Pairing();
  /** Frames that left a moment ago: of copies on two devices the second counts for nothing. */
  readonly #left = new Pairing(RECENT_EGRESS);
  readonly #decisions = new DecisionBatch(1);
  readonly covers: boolean;
  readonly #key = newPathKey();
  readonly #scratch = new PacketBatch(1);
  readonly #unmonitored: Unmonitored;
  readonly #unseen: UnseenSps;
  readonly #held = new HeldFragments((batch) => {
    if (this.#monitored.mayBeMonitored(batch, 0)) tally(this.pieces, batch, 0);
  });
  readonly #flows = new FlowMemory();
  /** An interface that faces SPS was captured. */
  #sawSpsSide = false;
  /** Of the packet at hand. */
  #end: number = ServerEnd.none;
  /** Its row in the log. */
  #connection = -1;
  #path = -1;
  #translated = 0;
  readonly #explain: () => ReturnType<Forwarder['explainLast']>;

  /**
   * `first`: the frames with which the captures begin, by which it is told where they were taken. `previous`: what forwarded until now, if
   * the router's configuration changes while it forwards; it is not to be used any more.
   */
  constructor(
    captures: CaptureSet,
    router: Router,
    resolved: ResolvedIntent,
    options: ReplayOptions,
    first: PacketBatch,
    previous?: Forwarder,
  ) {
    this.#captures = captures;
    this.#resolved = resolved;
    this.#options = options;
    // Names, for telling which interfaces were captured; how far sequence numbers are trusted depends on that.
    const { interfaceNames } = router.forwarder();
    const interfaceIndex = (name: string): number => interfaceNames.indexOf(name);
    this.senders = new Senders(router, resolved.intent, interfaceIndex, resolved.clientInterface);
    this.vantage = vantageOf(router, interfaceNames);
    this.vantage.learn(captures.interfaces);
    this.vantage.tell(first, captures.files().length, hostRoles(router, resolved, this.senders), options.vantage);
    const needed = interfacesInUse(router, resolved);
    this.neededInterfaces = [...needed].map((name) => (name === undefined ? -1 : interfaceIndex(name)));
    this.covers = coversConnections(captures, this.vantage, needed);
    const configured = router.forwarder({
      verifyChecksums: options.verifyChecksums ?? false,
      trustSequence: this.covers,
    });
    this.forwarder = previous?.replacedBy?.(configured) ?? configured;
    const { forwarder } = this;
    this.#explain = () => forwarder.explainLast();
    // Nodes of SPS are told apart by the first word of their addresses, which IPv6 neighbours share.
    this.#knowsIpv6OfSps = resolved.intent.sps.filter(({ family }) => family === 6).length === 1;
    this.#monitored = new MonitoredServices(resolved.intent, (family, words, offset) =>
      forwarder.isLocal(family, words, offset),
    );
    this.#unseen = new UnseenSps(router, resolved, this.#monitored, this.senders, this.log);
    this.#unmonitored = new Unmonitored(resolved, this.#monitored, this.senders, this.side, options.whatIf);
  }

  get cut(): FrameTally {
    return this.#unmonitored.cut;
  }

  get fragments(): FrameTally {
    return this.#unmonitored.fragments;
  }

  get usualPorts(): ReadonlyMap<number, FrameTally> {
    return this.#unmonitored.usualPorts;
  }

  get sawAnyInterface(): boolean {
    return this.vantage.showsAll;
  }

  consume(batch: PacketBatch): void {
    this.vantage.learn(this.#captures.interfaces);
    for (let row = 0; row < batch.length; row++) this.#frame(batch, row);
    this.frames += batch.length;
    if (batch.length > 0) this.lastTime = batch.seconds[batch.length - 1]! * 1e9 + batch.nanoseconds[batch.length - 1]!;
  }

  /** Learns who is who from the ARP frames of an earlier batch, and judges nothing by it. */
  recall(batch: PacketBatch): void {
    for (let row = 0; row < batch.length; row++) {
      if ((batch.status[row]! & Status.arp) === 0) continue;
      this.vantage.place(batch, row);
      this.#arp(batch, row);
    }
    this.unansweredArp = 0;
  }

  #frame(batch: PacketBatch, row: number): void {
    const status = batch.status[row]!;
    if ((status & (Status.ip | Status.arp)) === 0) return;
    const { vantage } = this;
    vantage.place(batch, row);
    if ((status & Status.arp) !== 0) {
      this.#arp(batch, row);
      return;
    }
    this.ipFrames++;
    switch (vantage.side) {
      case Side.ingress:
        this.#ingress(batch, row, vantage.interface);
        break;
      case Side.egress:
        this.#egress(batch, row, vantage.interface);
        break;
      case Side.ambiguous:
        if (this.#monitored.hasServicePort(batch, row)) tally(this.ambiguous, batch, row);
        break;
      case Side.lower:
        break;
      default:
        if (vantage.interface >= 0 && !this.#isOfSps(batch, row)) this.#foreign(batch, row);
    }
  }

  #isForRouter(batch: PacketBatch, row: number): boolean {
    return this.forwarder.isLocal(batch.family[row]!, batch.destination, 4 * row);
  }

  /** SPS and the hosts on its segment need no router between them. */
  #isOfSps(batch: PacketBatch, row: number): boolean {
    const { macs } = this.senders;
    return macs.has(batch.sourceMac[row]!) || macs.has(batch.destinationMac[row]!);
  }

  #foreign(batch: PacketBatch, row: number): void {
    if (this.#monitored.serverEnd(batch, row, true) !== ServerEnd.none) tally(this.foreign, batch, row);
  }

  #arp(batch: PacketBatch, row: number): void {
    const { side, interface: position } = this.vantage;
    if (side === Side.egress) this.sawEgress = true;
    if (!this.senders.facesSps(position)) return;
    if (side === Side.ingress) {
      if (this.senders.learnArp(batch, row, position)) this.unansweredArp = 0;
    } else if (
      side === Side.egress &&
      batch.arpOperation[row] === 1 &&
      this.#monitored.isSps(4, batch.destination, 4 * row)
    ) {
      this.unansweredArp++;
    }
  }

  #ingress(batch: PacketBatch, row: number, position: number): void {
    if (this.#pairing.isDuplicate(batch, row, position, this.vantage.repeats(batch, row))) return;
    if (this.#takesFragment(batch, row)) {
      this.#fragment(batch, row, position);
      return;
    }
    if (!this.#monitored.hasServicePort(batch, row)) {
      this.#unmonitored.take(batch, row, position, this.forwarder, this.#decisions);
      return;
    }
    const spsSide = this.senders.facesSps(position);
    if (this.#options.whatIf && this.#unseen.passesUnseen(batch, row, spsSide)) return;
    const wasReply = this.#options.whatIf && !spsSide && this.#unseen.takeAsAnswerOfSps(batch, row);
    const ingress = wasReply ? (this.senders.spsInterfaces[0] ?? position) : position;
    this.#completeHandshake(batch, row, spsSide);
    this.forwarder.decide(batch, row, ingress, this.#decisions, 0);
    if (!this.#options.whatIf && this.#goesOn(batch, row, position, spsSide)) return;
    if (!this.#judge(batch, row, ingress, spsSide, wasReply)) return;
    this.#count(batch, row, position);
    if (!this.#options.whatIf && this.#end !== ServerEnd.both) this.#beginFlow(batch, row, spsSide);
  }

  /** Counts a packet about which was decided as about the last one of its flow; false where it has to be judged. */
  #goesOn(batch: PacketBatch, row: number, position: number, spsSide: boolean): boolean {
    const flows = this.#flows;
    if (!flows.find(this.#decisions, 0, batch, row, spsSide)) return false;
    const { toServer } = flows;
    if (!this.log.goOn(flows.connection, flows.serial, batch, row, toServer, spsSide)) return false;
    const kind = kindOf(batch, row, this.log.wasEnded);
    let token = flows.tokenOf(kind);
    if (token >= 0) {
      this.log.countAgain(token, batch, row);
    } else {
      const path = this.#intern(batch, row, position, toServer, false);
      token = this.log.count(flows.connection, path, batch, row);
      flows.setToken(kind, token);
    }
    this.#awaitCopy(batch, row, position, token, flows.translated);
    return true;
  }

  #beginFlow(batch: PacketBatch, row: number, spsSide: boolean): void {
    const connection = this.#connection;
    this.#flows.begin(
      this.#decisions,
      0,
      batch,
      row,
      spsSide,
      connection,
      this.log.serialAt(connection),
      this.log.toServer,
      spsSide,
      this.#translated,
    );
  }

  /** Which connection the packet that was just decided about belongs to, and its way; false where to none that is monitored. */
  #judge(batch: PacketBatch, row: number, ingress: number, spsSide: boolean, wasReply: boolean): boolean {
    const translated = translationOf(this.#decisions, 0, batch, row);
    const identity = translated !== 0 && this.#decisions.isReply[0] === 1 ? this.#leaving(batch, row) : batch;
    const identityRow = identity === batch ? row : 0;
    const end = this.#endOf(identity, identityRow, spsSide || wasReply);
    this.#end = end;
    const isJudged = end !== ServerEnd.none && (batch.family[row] !== 6 || this.#knowsIpv6OfSps);
    if (batch.family[row] === 6 && !isJudged) {
      const isPast = this.#noteIpv6(batch, row, ingress, spsSide);
      if (end === ServerEnd.none || !isPast) {
        tally(this.ipv6, batch, row);
        return false;
      }
    }
    if (end === ServerEnd.none) return false;
    const connection = this.log.find(identity, identityRow, end, spsSide || wasReply);
    const { toServer } = this.log;
    if (toServer && translated !== 0) this.#unseen.rememberTranslation(connection, this.#decisions);
    this.#connection = connection;
    this.#path = this.#intern(batch, row, ingress, toServer, wasReply);
    this.#translated = translated;
    if ((batch.status[row]! & Status.fragment) !== 0 && this.#key.hop === Hop.sps)
      this.side.noteFirstFragment(batch, row, connection);
    return true;
  }

  /**
   * An IPv6 packet of a monitored port that no session of the intent explains; whether it certainly goes past SPS: out by an interface
   * that does not face it.
   */
  #noteIpv6(batch: PacketBatch, row: number, ingress: number, spsSide: boolean): boolean {
    const decisions = this.#decisions;
    const egress = decisions.egress[0]!;
    // What is for the sender's own link needs no router, and passes nothing by.
    const isOfLink = isLinkLocal6(batch.destination[4 * row]!);
    const isForwarded = decisions.disposition[0] === Disposition.forwarded && egress >= 0 && !isOfLink;
    const { sps } = this.#resolved.intent;
    if (isForwarded && !spsSide && hopOf(decisions, 0, batch, row, sps) !== Hop.sps && !this.senders.facesSps(egress)) {
      this.ipv6Ways.addPast(batch, row, ingress, this.forwarder.interfaceNames[egress]!, decisions.nextHop);
      return true;
    }
    const isOrdinary = !spsSide && isOrdinaryIpv6(batch, row) && !this.#isForRouter(batch, row);
    this.ipv6Ways.add(batch, row, ingress, isOrdinary && decisions.disposition[0] === Disposition.undetermined);
    return false;
  }

  /** Counts the packet on its connection. */
  #count(batch: PacketBatch, row: number, position: number): void {
    const token = this.log.count(this.#connection, this.#path, batch, row);
    if (!this.#options.whatIf) this.#awaitCopy(batch, row, position, token, this.#translated);
  }

  /** Its copy that leaves is still to come, or came at the same time before it. */
  #awaitCopy(batch: PacketBatch, row: number, position: number, token: number, translated: number): void {
    if (this.#pairing.takeEarly(batch, row, translated))
      this.log.observe(token, this.#pairing.earlyInterface, this.#pairing.earlyMac);
    else this.#pairing.remember(batch, row, position, token, translated);
  }

  /** Whether the router puts the datagram of this fragment together before it decides, and it may be of a monitored service. */
  #takesFragment(batch: PacketBatch, row: number): boolean {
    if ((batch.status[row]! & Status.fragment) === 0 || batch.family[row] !== 4 || this.#options.whatIf) return false;
    return this.forwarder.settled !== undefined && this.#monitored.hasProtocol(batch, row);
  }

  /** All pieces of a datagram go the way of the whole, which is known with the last of them. */
  #fragment(batch: PacketBatch, row: number, position: number): void {
    this.forwarder.decide(batch, row, position, this.#decisions, 0);
    const last = { batch: this.#held.rowFor(batch, row), position };
    if ((this.#decisions.flags[0]! & DecisionFlag.held) !== 0) {
      this.#held.hold(last);
      return;
    }
    const pieces = this.#held.settle(this.forwarder.settled!);
    this.#datagram(pieces, last);
    this.#held.giveBack([...pieces, last]);
  }

  /** What became of a datagram with its last piece; of that piece alone, where there are no others. */
  #datagram(others: readonly HeldFragment[], last: HeldFragment): void {
    const { batch: own, position } = last;
    const spsSide = this.senders.facesSps(position);
    if (others.length === 0) {
      // Not understood; or thrown away, which is no way of the connection.
      if (this.#decisions.disposition[0] !== Disposition.undetermined) return;
      if (this.#judge(own, 0, position, spsSide, false)) this.#count(own, 0, position);
      else if (this.#monitored.mayBeMonitored(own, 0)) tally(this.pieces, own, 0);
      return;
    }
    const pieces = [...others, last];
    const first = pieces.find((piece) => piece.batch.fragmentOffset[0] === 0)!;
    const whole = new PacketBatch(1);
    whole.copyRows(first.batch, 0, 0, 1);
    whole.status[0]! &= ~(Status.fragment | Status.moreFragments);
    for (const piece of pieces) if (piece !== first) whole.payloadLength[0]! += piece.batch.fragmentLength[0]!;
    if (!this.#judge(whole, 0, position, spsSide, false)) return;
    for (const piece of pieces) this.#count(piece.batch, 0, piece.position);
  }

  /** The captures have ended. */
  finish(): void {
    this.#held.finish();
  }

  /** Answers of servers to a fixed address that SPS uses are told by the connection that it opened: no client has that address. */
  #endOf(batch: PacketBatch, row: number, spsSide: boolean): number {
    const end = this.#monitored.serverEnd(batch, row, spsSide);
    if (end !== ServerEnd.none || spsSide) return end;
    const anybody = this.#monitored.serverEnd(batch, row, true);
    if (anybody !== ServerEnd.source) return ServerEnd.none;
    return this.log.peek(batch, row, anybody) < 0 ? ServerEnd.none : ServerEnd.source;
  }

  /** The packet as it leaves: a reply to a translated connection belongs to the connection as its client knows it. */
  #leaving(batch: PacketBatch, row: number): PacketBatch {
    const copy = this.#scratch;
    const decisions = this.#decisions;
    copy.file[0] = batch.file[row]!;
    copy.frameNumber[0] = batch.frameNumber[row]!;
    copy.seconds[0] = batch.seconds[row]!;
    copy.nanoseconds[0] = batch.nanoseconds[row]!;
    copy.status[0] = batch.status[row]!;
    copy.family[0] = 4;
    copy.protocol[0] = batch.protocol[row]!;
    copy.source[0] = decisions.leavingSource[0]!;
    copy.destination[0] = decisions.leavingDestination[0]!;
    copy.sourcePort[0] = decisions.leavingSourcePort[0]!;
    copy.destinationPort[0] = decisions.leavingDestinationPort[0]!;
    copy.tcpFlags[0] = batch.tcpFlags[row]!;
    copy.tcpSequence[0] = batch.tcpSequence[row]!;
    copy.payloadLength[0] = batch.payloadLength[row]!;
    return copy;
  }

  /** The SYN-ACK that the router saw and the capture cannot show: {@link UnseenSps.completeHandshake}. */
  #completeHandshake(batch: PacketBatch, row: number, spsSide: boolean): void {
    if (
      spsSide ||
      batch.protocol[row] !== IpProtocol.tcp ||
      (batch.tcpFlags[row]! & (Flag.syn | Flag.ack)) !== Flag.ack
    )
      return;
    if (!this.#options.whatIf && this.#showsSpsSide()) return;
    this.#unseen.completeHandshake(batch, row, this.forwarder, this.#decisions);
  }

  #showsSpsSide(): boolean {
    // What was captured once remains so.
    this.#sawSpsSide ||= this.senders.spsInterfaces.some((position) => this.#isCaptured(position));
    return this.#sawSpsSide;
  }

  #isCaptured(position: number): boolean {
    return this.vantage.wasCaptured(position);
  }

  #intern(batch: PacketBatch, row: number, ingress: number, toServer: boolean, synthetic: boolean): number {
    const key = this.#key;
    keyOfDecision(key, this.#decisions, 0);
    key.toServer = toServer;
    key.synthetic = synthetic;
    key.kind = kindOf(batch, row, this.log.wasEnded);
    key.ingress = ingress;
    key.sourceMac = this.senders.facesSps(ingress) ? batch.sourceMac[row]! : -1;
    key.hop = hopOf(this.#decisions, 0, batch, row, this.#resolved.intent.sps);
    // SPS's address by another interface than those that face it is somebody else.
    if (key.hop === Hop.sps && !this.senders.facesSps(key.egress)) key.hop = Hop.gateway;
    // Which of SPS's addresses it is counts; of other hosts on the link there may be many.
    if (key.hop !== Hop.gateway && key.hop !== Hop.sps) key.gateway = 0;
    if (this.#resolved.anyNode === true && toServer && key.hop === Hop.sps) key.gateway = 0;
    return this.paths.intern(key, batch.file[row]!, batch.frameNumber[row]!, this.#explain);
  }

  #egress(batch: PacketBatch, row: number, position: number): void {
    this.sawEgress = true;
    const repeats = this.vantage.repeats(batch, row);
    if (!this.vantage.showsOnce || repeats !== Repeats.never) {
      if (this.#left.isDuplicate(batch, row, position, repeats)) return;
      this.#left.remember(batch, row, position, 0, 0);
    }
    if (batch.protocol[row] === IpProtocol.icmp && batch.icmpType[row] === ICMP_REDIRECT)
      tally(this.icmpRedirects, batch, row);
    const token = this.#pairing.take(batch, row);
    if (token >= 0) {
      this.log.observe(token, position, batch.destinationMac[row]!);
      return;
    }
    const end = this.#monitored.serverEnd(batch, row, true);
    if (end === ServerEnd.none || this.#options.whatIf) return;
    this.#pairing.keepEarly(batch, row, position);
    if (this.forwarder.isLocal(batch.family[row]!, batch.source, 4 * row)) {
      this.#noteOwnSession(batch, row, end);
      return;
    }
    this.#feedUncaptured(batch, row, position, end);
  }

  /** A SYN from the router's own address that did not come in anywhere is the router's own. */
  #noteOwnSession(batch: PacketBatch, row: number, end: number): void {
    const flags = batch.tcpFlags[row]! & (Flag.syn | Flag.ack);
    if (!this.covers || end !== ServerEnd.destination || batch.protocol[row] !== IpProtocol.tcp || flags !== Flag.syn)
      return;
    this.log.atRow(this.log.find(batch, row, end)).isRouters = true;
  }

  /** A frame that left without having been captured on its way in: the router's state knows it, and nothing is judged by it. */
  #feedUncaptured(batch: PacketBatch, row: number, position: number, end: number): void {
    this.log.atRow(this.log.find(batch, row, end, !this.senders.facesSps(position))).unpairedEgress++;
    const spsPosition = this.senders.spsInterfaces[0];
    if (this.senders.facesSps(position) || spsPosition === undefined || this.#isCaptured(spsPosition)) return;
    batch.ttl[row] = batch.ttl[row]! + 1;
    batch.sourceMac[row] = this.senders.anyMac;
    this.forwarder.decide(batch, row, spsPosition, this.#decisions, 0);
  }
}

/**
 * Whether every interface that monitored connections can use was captured on the router: only then does a packet that does not fit into
 * its connection prove anything.
 */
function coversConnections(captures: CaptureSet, vantage: Vantage, needed: ReadonlySet<string | undefined>): boolean {
  if (!vantage.onRouter) return false;
  if (captures.interfaces.some((item) => item.linkType === LinkType.linuxCookedV2)) return true;
  const captured = new Set(captures.interfaces.map((item) => item.name));
  return [...needed].every((name) => name !== undefined && captured.has(name));
}

function kindOf(batch: PacketBatch, row: number, wasEnded: boolean): number {
  if (batch.protocol[row] !== IpProtocol.tcp) return PacketKind.ordinary;
  const flags = batch.tcpFlags[row]!;
  const reset = (flags & Flag.reset) !== 0;
  if (!reset && ((flags & Flag.syn) !== 0 || batch.payloadLength[row]! > 0)) return PacketKind.ordinary;
  if (wasEnded) return PacketKind.late;
  return reset ? PacketKind.reset : PacketKind.bare;
}
