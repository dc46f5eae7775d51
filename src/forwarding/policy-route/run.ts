import type { Translation } from '../../model/policy-route.ts';
import type { Span } from '../../text/span.ts';
import type { PacketBatch } from '../../wire/packet-batch.ts';
import { Status } from '../../wire/packet-batch.ts';
import { Disposition } from '../decision.ts';
import { Worlds } from '../linux/worlds.ts';
import type { Step } from '../walk.ts';
import type { CompiledPolicyRouter, CompiledPort } from './router.ts';

/** The packet being decided, and what became of it so far. Reused for every packet. */
export class Run {
  readonly router: CompiledPolicyRouter;
  readonly worlds = new Worlds();
  /** Filled while a walk is recorded, else null. */
  steps: Step[] | null = null;

  port!: CompiledPort;
  protocol = 0;
  source = 0;
  destination = 0;
  sourcePort = 0;
  destinationPort = 0;
  tcpFlags = 0;
  icmpType = 0;
  icmpCode = 0;
  tos = 0;
  ttl = 0;
  length = 0;
  hasTransport = false;
  laterFragment = false;
  dontFragment = false;

  disposition: number = Disposition.undetermined;
  egress = -1;
  nextHop = 0;
  /** Number of the classifier's entry that routed the packet, −1. */
  table = -1;
  flags = 0;
  /** Id of why nothing can be said, −1. */
  unknown = -1;
  /** Id of the statement that decided, −1. */
  cause = -1;
  /** A translation that was met; the packet's fate is then unknown. */
  translation: Translation | undefined;

  constructor(router: CompiledPolicyRouter) {
    this.router = router;
  }

  /** Takes a packet from a row. */
  load(batch: PacketBatch, row: number, ingress: number): void {
    const status = batch.status[row]!;
    this.port = this.router.ports[ingress]!;
    this.protocol = batch.protocol[row]!;
    this.source = batch.source[4 * row]!;
    this.destination = batch.destination[4 * row]!;
    this.sourcePort = batch.sourcePort[row]!;
    this.destinationPort = batch.destinationPort[row]!;
    this.tcpFlags = batch.tcpFlags[row]!;
    this.icmpType = batch.icmpType[row]!;
    this.icmpCode = batch.icmpCode[row]!;
    this.tos = batch.tos[row]!;
    this.ttl = batch.ttl[row]!;
    this.length = batch.networkLength[row]!;
    this.hasTransport = (status & Status.transport) !== 0;
    this.laterFragment = (status & Status.fragment) !== 0 && batch.fragmentOffset[row] !== 0;
    this.dontFragment = (status & Status.dontFragment) !== 0;
  }

  /** Forgets what became of the packet before. */
  restart(): void {
    this.disposition = Disposition.undetermined;
    this.egress = -1;
    this.nextHop = 0;
    this.table = -1;
    this.flags = 0;
    this.unknown = -1;
    this.cause = -1;
  }

  /** Ends the walk: the packet does not leave. */
  end(disposition: number, origin?: Span): void {
    this.disposition = disposition;
    this.egress = -1;
    this.nextHop = 0;
    this.cause = this.router.registry.origin(origin);
  }

  /** Ends the walk: nothing can be said. */
  giveUp(reason: number): void {
    this.disposition = Disposition.undetermined;
    this.egress = -1;
    this.nextHop = 0;
    this.unknown = reason;
  }
}
