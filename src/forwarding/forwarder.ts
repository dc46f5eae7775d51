import type { IpAddress } from '../net/ip-address.ts';
import type { Span } from '../text/span.ts';
import type { PacketBatch } from '../wire/packet-batch.ts';
import type { AddressClasses } from './address-classes.ts';
import type { DecisionBatch } from './decision.ts';
import type { Walk } from './walk.ts';

/** Something unknown that made a decision undetermined. */
export interface Unknown {
  /** One sentence part: `net.ipv4.conf.eth1.rp_filter is not in the router's state`. */
  readonly reason: string;
  readonly origin?: Span;
}

/** A fragment that the router held until it was settled what becomes of its datagram. */
export interface SettledFragment {
  readonly file: number;
  readonly frame: number;
  /** Its datagram was put together; else it was thrown away. */
  readonly whole: boolean;
}

/**
 * A router in operation: its configuration and the state that packets make in it (connection entries). Packets are given in time
 * order; each decision changes the state as the kernel's would.
 */
export interface Forwarder {
  /** Names by interface index; indexes are those of {@link DecisionBatch.egress} and of `ingress`. */
  readonly interfaceNames: readonly string[];
  /** Grows; indexes stay. */
  readonly unknowns: readonly Unknown[];
  /** Statements that decide, for grouping; grows. */
  readonly causes: readonly Span[];

  /** From here on packets arrive with this mark, as one set in front of netfilter would be; absent where packets have no marks. */
  arriveWithMark?(mark: number): void;
  /** −1 where the router has no such interface. */
  interfaceIndex(name: string): number;
  /** Whether the address (four words at offset in an array) is one of the router's own. */
  isLocal(family: number, words: Uint32Array, offset: number): boolean;

  /** Decides about the packet in a row that entered on an interface, writes row `into` of the decisions, updates the state. Never throws. */
  decide(batch: PacketBatch, row: number, ingress: number, decisions: DecisionBatch, into: number): void;
  /**
   * Fragments that were held, and whose fate the last decision settled: where whole, it is the decision about their datagram. Undefined
   * where the router puts no fragments together that it forwards.
   */
  readonly settled?: readonly SettledFragment[] | undefined;
  /** Takes the walk of the packet just decided again, recorded, with the state as it was before it; changes nothing. */
  explainLast(): Walk;

  /** What stands for a table's number in words; where absent, the number is the name. */
  tableName?(table: number): string | undefined;

  /**
   * Another configuration that takes over now: the other's rules with this one's connection entries, which outlive a change. Undefined where the
   * entries would mean nothing to it. This one is not to be used any more. Absent where a router has no entries.
   */
  replacedBy?(next: Forwarder): Forwarder | undefined;
  /** A router of the same configuration without any connection entries. */
  fresh(): Forwarder;
  /** Becomes as {@link fresh} makes one, but that `unknowns` and `causes` stay. */
  forget(): void;
  /** By what this router tells addresses apart; undefined where it may be by every bit of them. Takes as long as reading its configuration. */
  addressClasses?(): AddressClasses | undefined;
}

export interface ForwarderOptions {
  /** Judge the bad-checksum bits of the batch as the kernel does. */
  readonly verifyChecksums?: boolean;
  /**
   * False where packets of a connection may be missing from the capture, as from one of some interfaces only: then no packet that
   * belongs to an entry is taken as INVALID. Default true.
   */
  readonly trustSequence?: boolean;
  /** False: every packet is decided about anew, where a decision about one like it could be taken over. Default true. */
  readonly remembersDecisions?: boolean;
  /** Next hops that are taken to be down: their hosts answer nothing, and what watches over them has noticed. */
  readonly nextHopsDown?: readonly IpAddress[];
}
