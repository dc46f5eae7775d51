import { type Family, formatIpv4, formatWords } from '../../net/ip-address.ts';
import { IpProtocol } from '../../net/ip-protocol.ts';
import { LinkDestination, type PacketBatch, Status } from '../../wire/packet-batch.ts';
import { ConntrackView } from '../decision.ts';
import type { Step } from '../walk.ts';
import { type AddressPool, NO_ID } from './address-pool.ts';
import { type ConnectionTable, ENTRY_LENGTH, WORKING_SLOT } from './connection-table.ts';
import { LookupCache } from './lookup-cache.ts';
import type { DecisionCache } from './decision-cache.ts';
import type { CompiledRouter } from './router.ts';
import type { Setting } from './settings.ts';
import { Worlds } from './worlds.ts';

/** How far the packet's connection entry is. */
export const EntryUse = {
  /** No entry: conntrack inactive, INVALID, UNTRACKED. */
  none: 0,
  /** A confirmed entry. */
  existing: 1,
  /** An entry that this packet makes; in the table only when the packet survives. */
  fresh: 2,
  /** The packet's entry is deleted, but the packet still carries it. */
  dying: 3,
} as const;

/** Ways in which an entry may stand at most. */
export const CANDIDATE_LIMIT = 8;

/**
 * One packet on its way: its header fields as it came, as translations change it, its marks, its entry, and what becomes of it.
 * One object for all packets; 32-bit fields are signed so that V8 keeps them unboxed. IPv6 addresses are numbers of the router's pool.
 */
export class Run {
  readonly router: CompiledRouter;
  readonly table: ConnectionTable;
  readonly family: Family;
  /** ICMP's protocol number in this family. */
  readonly icmp: number;
  readonly worlds = new Worlds();
  readonly lookups: LookupCache;
  /** What was decided about packets like this one; null where nothing is remembered. */
  remembered: DecisionCache | null = null;
  /** False: packets are missing from the capture, so that INVALID is not asserted for packets of an entry. */
  trustSequence = true;
  /** Where the walk is recorded, null while deciding. */
  steps: Step[] | null = null;

  // The packet as it came; constant during all worlds.
  now = 0.5;
  ingress = 0;
  status = 0;
  protocol = 0;
  source = 0;
  destination = 0;
  sourcePort = 0;
  destinationPort = 0;
  arrivedTos = 0;
  ttl = 0;
  networkLength = 0;
  linkDestination = 0;
  /** By packet type, or, as it entered the router, by a destination MAC address that is not a group's. */
  isUnicastFrame = false;
  sourceMac = 0.5;
  arrivedTcpFlags = 0;
  sequence = 0;
  acknowledgement = 0;
  window = 0;
  windowScale = -1;
  sackPermitted = 0;
  sackEdge = 0;
  payloadLength = 0;
  icmpType = 0;
  icmpCode = 0;
  icmpIdentifier = 0;
  quotedProtocol = 0;
  quotedSource = 0;
  quotedDestination = 0;
  quotedPorts = 0;
  /** An IPv6 address has no number, as there are too many: nothing can be said about the packet. */
  lacksAddress = false;
  /** The transport header is there: ports and flags hold. */
  hasTransport = false;
  laterFragment = false;
  /** Bytes. */
  fragmentOffset = 0;
  /** The packet was put together: the length of the largest of its fragments; else 0. */
  largestFragment = 0;
  /** Conntrack zones in which the packet's entry is looked up, by direction of the tuple (linux-forwarding 2.15). */
  zoneOriginal = 0;
  zoneReply = 0;
  /** The entry may be worked on where it stands, which saves copying it: there is no other world to see it as it was. */
  inPlace = false;
  /** What conntrack's lookup found, before any world: node, −1, or CONFLICT. */
  found = -1;
  /** Variants to choose from: slots; the tuple is that of the direction, −1 where the variant has not this tuple. */
  readonly candidates = new Int32Array(CANDIDATE_LIMIT);
  readonly candidateDirections = new Int32Array(CANDIDATE_LIMIT);
  candidateCount = 0;

  // The packet in this world.
  currentTtl = 0;
  tos = 0;
  tcpFlags = 0;
  currentSource = 0;
  currentDestination = 0;
  currentSourcePort = 0;
  currentDestinationPort = 0;
  mark = 0;
  /** The packet's mark before any rule: 0 where nothing in front of netfilter set one. Stays from packet to packet. */
  arrivingMark = 0;
  markUnknown = 0;
  untracked = false;
  /** A CT rule of raw gave the packet a template, which looks like an entry until conntrack's hook: its operand. */
  templated = false;
  template = 0;
  /** TPROXY gave it to a local program. */
  hasSocket = false;
  /** Conntrack's hook was passed. */
  tracked = false;
  view: number = ConntrackView.none;
  use: number = EntryUse.none;
  /** 0 original, 1 reply. */
  direction = 0;
  /** Slot of the variant that was taken, −1. */
  chosen = -1;
  /** Slot of the entry as this world changes it, and its first word. */
  work: number = WORKING_SLOT;
  base: number = WORKING_SLOT * ENTRY_LENGTH;
  /** The variant "no such entry" was taken. */
  choseNone = false;
  /** The entry that was found is gone in this world. */
  oldGone = false;
  /** What becomes of the packet is not known, and in this world it leaves its entry behind. */
  maySurvive = false;
  /** The packet's entry is not known, and it is taken as the one that makes it. */
  mayBeFirst = false;
  /** The packet is an ICMP error about the entry's connection: it has no part in the entry's state. */
  isError = false;
  connmark = 0;
  connmarkUnknown = 0;
  sourceTranslated = false;
  destinationTranslated = false;
  /** The rule that translates the source leaves no choice of port. */
  sourcePortFixed = false;
  readonly settingPicks: Int8Array;

  // Flow of the lookup at hand, and its result.
  flowSource = 0;
  flowDestination = 0;
  flowIif = 0;
  /** Only next hops of this interface, and rules that name it as output, count; −1 any. */
  flowOutput = -1;
  /** IPv6: the interface that routes are preferred for, or, with flowStrict, have to be of; −1 none. */
  flowOif = -1;
  flowStrict = false;
  /** IPv6: routers that do not answer are passed over. */
  flowReachable = false;
  /** A {@link import('./lookup6.ts').Search6} number. */
  flowSearch = 0;
  flowProtocol = 0;
  flowSourcePort = 0;
  flowDestinationPort = 0;
  flowUsesMark = false;
  /** A {@link import('./lookup.ts').Found} number. */
  lookup = 0;
  foundRoute = -1;
  foundTable = -1;
  foundRule = -1;
  foundHop = -1;

  // What becomes of it in this world.
  disposition = 0;
  egress = -1;
  nextHop = 0;
  /** The hop whose IPv6 gateway is the next hop, −1: then `nextHop` holds an IPv4 address. */
  nextHop6 = -1;
  decidingTable = -1;
  cause = -1;
  flags = 0;
  unknown = -1;
  routedMark = 0;
  routedMarkUnknown = 0;
  routedConnmark = 0;
  routedConnmarkUnknown = 0;
  routedHasConnmark = 0;
  /** Every hook was passed: an entry that the packet made is in the table, whatever becomes of the packet behind them. */
  leaves = false;
  /** What the router answers to the packet is known, and the entry is as it is behind that. */
  answered = false;
  /** The rule that rejected answers with a TCP reset. */
  rejectedByReset = false;
  /** A {@link import('./program.ts').RulesVariant} number: of the rules at hand. */
  rulesVariant = 0;

  #hasPicks = false;
  readonly #addresses: AddressPool;

  /** `lookups`: results of route lookups that are remembered, a power of two. */
  constructor(router: CompiledRouter, table: ConnectionTable, lookups?: number) {
    this.router = router;
    this.table = table;
    this.lookups = new LookupCache(lookups);
    this.family = router.family;
    this.icmp = router.family === 4 ? IpProtocol.icmp : IpProtocol.icmpv6;
    this.#addresses = router.addresses;
    this.settingPicks = new Int8Array(router.settings.count).fill(-1);
  }

  /** Takes a packet from a row. */
  load(batch: PacketBatch, row: number, ingress: number): void {
    const status = batch.status[row]!;
    this.now = batch.seconds[row]! + batch.nanoseconds[row]! / 1e9;
    this.ingress = ingress;
    this.status = status;
    this.protocol = batch.protocol[row]!;
    this.lacksAddress = false;
    this.source = this.#address(batch.source, 4 * row);
    this.destination = this.#address(batch.destination, 4 * row);
    this.arrivedTos = batch.tos[row]!;
    this.ttl = batch.ttl[row]!;
    this.networkLength = batch.networkLength[row]! | 0;
    this.linkDestination = batch.linkDestination[row]!;
    this.isUnicastFrame =
      this.linkDestination === LinkDestination.host ||
      (this.linkDestination === LinkDestination.unknown && batch.destinationMac[row]! >= 0);
    this.sourceMac = batch.sourceMac[row]!;
    this.hasTransport = (status & Status.transport) !== 0;
    this.fragmentOffset = (status & Status.fragment) !== 0 ? batch.fragmentOffset[row]! : 0;
    this.laterFragment = this.fragmentOffset !== 0;
    this.sourcePort = batch.sourcePort[row]!;
    this.destinationPort = batch.destinationPort[row]!;
    this.payloadLength = batch.payloadLength[row]! | 0;
    if (this.protocol === IpProtocol.tcp) {
      this.arrivedTcpFlags = batch.tcpFlags[row]!;
      this.sequence = batch.tcpSequence[row]! | 0;
      this.acknowledgement = batch.tcpAcknowledgement[row]! | 0;
      this.window = batch.tcpWindow[row]!;
      this.windowScale = batch.tcpWindowScale[row]!;
      this.sackPermitted = batch.tcpSackPermitted[row]!;
      this.sackEdge = batch.tcpSackRightEdge[row]! | 0;
    } else if (this.protocol === this.icmp) {
      this.icmpType = batch.icmpType[row]!;
      this.icmpCode = batch.icmpCode[row]!;
      this.icmpIdentifier = batch.icmpIdentifier[row]!;
      this.sourcePort = 0;
      this.destinationPort = 0;
      if ((status & Status.quoted) !== 0) this.#loadQuoted(batch, row);
    }
  }

  #loadQuoted(batch: PacketBatch, row: number): void {
    this.quotedProtocol = batch.quotedProtocol[row]!;
    this.quotedSource = this.#address(batch.quotedSource, 4 * row);
    this.quotedDestination = this.#address(batch.quotedDestination, 4 * row);
    this.quotedPorts =
      this.quotedProtocol === this.icmp
        ? (batch.quotedSourcePort[row]! << 16) | (batch.quotedIcmpType[row]! << 8)
        : (batch.quotedSourcePort[row]! << 16) | batch.quotedDestinationPort[row]!;
  }

  #address(words: Uint32Array, offset: number): number {
    if (this.family === 4) return words[offset]! | 0;
    const id = this.#addresses.intern(words, offset);
    if (id === NO_ID) this.lacksAddress = true;
    return id;
  }

  /** Prints one of the packet's addresses. */
  formatAddress(address: number): string {
    if (this.family === 4) return formatIpv4(address >>> 0);
    const { words } = this.#addresses;
    const at = 4 * address;
    return formatWords(6, words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!);
  }

  /** The start of a world. */
  restart(): void {
    this.currentTtl = this.ttl;
    this.tos = this.arrivedTos;
    this.tcpFlags = this.arrivedTcpFlags;
    this.hasSocket = false;
    this.currentSource = this.source;
    this.currentDestination = this.destination;
    this.currentSourcePort = this.sourcePort;
    this.currentDestinationPort = this.destinationPort;
    this.mark = this.arrivingMark;
    this.markUnknown = 0;
    this.untracked = false;
    this.templated = false;
    this.tracked = false;
    this.view = ConntrackView.none;
    this.use = EntryUse.none;
    this.direction = 0;
    this.chosen = -1;
    this.work = WORKING_SLOT;
    this.base = WORKING_SLOT * ENTRY_LENGTH;
    this.choseNone = false;
    this.oldGone = false;
    this.maySurvive = false;
    this.mayBeFirst = false;
    this.isError = false;
    this.connmark = 0;
    this.connmarkUnknown = 0;
    this.sourceTranslated = false;
    this.sourcePortFixed = false;
    this.destinationTranslated = false;
    this.disposition = 0;
    this.egress = -1;
    this.nextHop = 0;
    this.nextHop6 = -1;
    this.decidingTable = -1;
    this.cause = -1;
    this.flags = 0;
    this.unknown = -1;
    this.routedMark = 0;
    this.routedMarkUnknown = 0;
    this.routedConnmark = 0;
    this.routedConnmarkUnknown = 0;
    this.routedHasConnmark = 0;
    this.rejectedByReset = false;
    this.leaves = false;
    this.answered = false;
    if (this.#hasPicks) this.settingPicks.fill(-1);
    this.#hasPicks = false;
  }

  /** Makes a slot the one that this world works on. */
  workOn(slot: number): void {
    this.work = slot;
    this.base = slot * ENTRY_LENGTH;
  }

  /** One of 0 … count − 1, each in a world of its own; `reason` is the id of what is unknown. */
  choose(count: number, reason: number): number {
    const pick = this.worlds.choose(count, reason);
    if (this.steps !== null) this.steps.push({ kind: 'unknown', ...this.router.registry.unknowns[reason]! });
    return pick;
  }

  /** The value of a setting in this world. */
  setting(setting: Setting): number {
    if (setting.reason === -1) return setting.values[0]!;
    const picked = this.settingPicks[setting.id]!;
    if (picked !== -1) return setting.values[picked]!;
    const pick = this.choose(setting.values.length, setting.reason);
    this.settingPicks[setting.id] = pick;
    this.#hasPicks = true;
    return setting.values[pick]!;
  }
}
