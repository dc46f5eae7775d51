import type { PolicyRouteDevice } from '../../model/policy-route.ts';
import { formatIpv4 } from '../../net/ip-address.ts';
import type { Span } from '../../text/span.ts';
import { type PacketBatch, Status } from '../../wire/packet-batch.ts';
import { AddressClasses } from '../address-classes.ts';
import { ConntrackView, type DecisionBatch, DecisionFlag, DISPOSITIONS, Disposition } from '../decision.ts';
import type { Forwarder, ForwarderOptions, Unknown } from '../forwarder.ts';
import { WORLD_LIMIT } from '../linux/worlds.ts';
import type { Step, Walk } from '../walk.ts';
import { addressBoundsOf } from './address-bounds.ts';
import { walkPacket } from './packet-walk.ts';
import { type CompiledPolicyRouter, compilePolicyRouter, POLICY_TABLE_BASE } from './router.ts';
import { Run } from './run.ts';

/** A router with policy routes in operation. Never reports: what is missing becomes unknown per packet. */
export function createPolicyRouteForwarder(device: PolicyRouteDevice, options: ForwarderOptions = {}): Forwarder {
  return new PolicyRouteForwarder(compilePolicyRouter(device, options.nextHopsDown ?? []));
}

/** It keeps no state between packets: each is decided by itself, in every world that what is unknown allows. */
class PolicyRouteForwarder implements Forwarder {
  readonly interfaceNames: readonly string[];
  readonly unknowns: Unknown[] = [];
  readonly causes: Span[] = [];
  readonly #router: CompiledPolicyRouter;
  readonly #run: Run;
  readonly #unknownIndex = new Map<number, number>();
  readonly #causeIndex = new Map<number, number>();
  /** Why the last packet was undetermined, −1. */
  #lastReason = -1;
  #refused = false;

  constructor(router: CompiledPolicyRouter) {
    this.#router = router;
    this.interfaceNames = router.names;
    this.#run = new Run(router);
  }

  interfaceIndex(name: string): number {
    return this.#router.indexOf.get(name) ?? -1;
  }

  isLocal(family: number, words: Uint32Array, offset: number): boolean {
    if (family === 4) return this.#router.own.has(words[offset]! | 0);
    return this.#router.own6.some((address) => address.words.every((word, index) => word === words[offset + index]));
  }

  fresh(): Forwarder {
    return new PolicyRouteForwarder(this.#router);
  }

  forget(): void {
    // There is nothing but the configuration.
  }

  addressClasses(): AddressClasses | undefined {
    const four = addressBoundsOf(this.#router).four();
    return four && new AddressClasses(four, undefined);
  }

  tableName(table: number): string | undefined {
    return this.#router.entryTitles[table - POLICY_TABLE_BASE];
  }

  decide(batch: PacketBatch, row: number, ingress: number, decisions: DecisionBatch, into: number): void {
    const run = this.#run;
    const refused = this.#refusal(batch, row, ingress);
    this.#refused = refused !== -1;
    this.#lastReason = refused;
    if (refused !== -1) {
      run.restart();
      run.source = batch.source[4 * row]!;
      run.destination = batch.destination[4 * row]!;
      this.#write(decisions, into);
      return;
    }
    run.load(batch, row, ingress);
    run.worlds.begin();
    walkPacket(run);
    if (run.disposition === Disposition.undetermined) this.#lastReason = run.unknown;
    this.#write(decisions, into);
    if (run.worlds.depth > 0) this.#walkOtherWorlds(decisions, into);
  }

  explainLast(): Walk {
    const run = this.#run;
    const steps: Step[] = [];
    const reason = this.#lastReason === -1 ? undefined : this.#router.registry.unknowns[this.#lastReason]!;
    if (!this.#refused) {
      run.worlds.begin();
      run.steps = steps;
      walkPacket(run);
      run.steps = null;
    }
    if (reason === undefined) {
      const forwarded = run.disposition === Disposition.forwarded;
      steps.push({
        kind: 'end',
        disposition: DISPOSITIONS[run.disposition]!,
        ...(forwarded && { egress: this.interfaceNames[run.egress]!, nextHop: formatIpv4(run.nextHop) }),
      });
      return { steps };
    }
    // The first world's way is shown; what of it does not hold in the others is said at its end.
    steps.push({ kind: 'unknown', ...reason }, { kind: 'end', disposition: 'undetermined', detail: reason.reason });
    return { steps };
  }

  /** Id of why nothing can be said about the packet before its way begins, −1. */
  #refusal(batch: PacketBatch, row: number, ingress: number): number {
    const { reasons, blockingReason, ports, device } = this.#router;
    const status = batch.status[row]!;
    if ((status & Status.ip) === 0) return reasons.notIp;
    if (batch.family[row] !== 4) return reasons.ipv6;
    if (blockingReason !== -1) return blockingReason;
    const port = ports[ingress];
    if (port === undefined) return reasons.ingress;
    if (port.port.up === false) return reasons.shutdown;
    if ((status & Status.malformed) !== 0) return reasons.malformed;
    if ((status & Status.options) !== 0) return reasons.options;
    if ((status & Status.fragment) !== 0 && device.filter !== undefined) return reasons.fragment;
    return -1;
  }

  #walkOtherWorlds(decisions: DecisionBatch, into: number): void {
    const run = this.#run;
    const { worlds } = run;
    const { disposition, egress, nextHop, table, cause } = run;
    const firstReason = worlds.reasonAt(0);
    let flags = run.flags;
    let count = 1;
    for (let bumped = worlds.next(); bumped !== -1; bumped = worlds.next()) {
      if (++count > WORLD_LIMIT) {
        worlds.overflow = true;
        break;
      }
      const reason = worlds.reasonAt(bumped);
      walkPacket(run);
      flags |= run.flags;
      if (run.table !== table) decisions.table[into] = -1;
      if (run.cause !== cause) decisions.cause[into] = -1;
      const same = run.disposition === disposition && run.egress === egress && run.nextHop === nextHop;
      if (this.#lastReason !== -1) continue;
      if (run.disposition === Disposition.undetermined) this.#lastReason = run.unknown;
      else if (!same) this.#lastReason = reason;
    }
    if (worlds.overflow && this.#lastReason === -1) this.#lastReason = firstReason;
    decisions.flags[into] = flags | DecisionFlag.noMarks;
    if (this.#lastReason !== -1) this.#writeUndetermined(decisions, into);
  }

  #write(decisions: DecisionBatch, into: number): void {
    const run = this.#run;
    decisions.disposition[into] = run.disposition;
    decisions.egress[into] = run.egress;
    decisions.nextHop.fill(0, 4 * into, 4 * into + 4);
    decisions.nextHop[4 * into] = run.nextHop;
    decisions.fwmark[into] = 0;
    decisions.connmark[into] = 0;
    decisions.hasConnmark[into] = 0;
    decisions.table[into] = run.table;
    decisions.conntrack[into] = ConntrackView.none;
    decisions.flags[into] = run.flags | DecisionFlag.noMarks;
    decisions.isReply[into] = 0;
    decisions.leavingSource[into] = run.source;
    decisions.leavingDestination[into] = run.destination;
    decisions.leavingSourcePort[into] = run.sourcePort;
    decisions.leavingDestinationPort[into] = run.destinationPort;
    decisions.unknown[into] = -1;
    decisions.cause[into] = run.cause === -1 ? -1 : this.#publicCause(run.cause);
    if (this.#lastReason !== -1) this.#writeUndetermined(decisions, into);
  }

  #writeUndetermined(decisions: DecisionBatch, into: number): void {
    decisions.disposition[into] = Disposition.undetermined;
    decisions.egress[into] = -1;
    decisions.nextHop.fill(0, 4 * into, 4 * into + 4);
    decisions.table[into] = -1;
    decisions.cause[into] = -1;
    let index = this.#unknownIndex.get(this.#lastReason);
    if (index === undefined) {
      index = this.unknowns.push(this.#router.registry.unknowns[this.#lastReason]!) - 1;
      this.#unknownIndex.set(this.#lastReason, index);
    }
    decisions.unknown[into] = index;
  }

  #publicCause(origin: number): number {
    let index = this.#causeIndex.get(origin);
    if (index === undefined) {
      index = this.causes.push(this.#router.registry.origins[origin]!) - 1;
      this.#causeIndex.set(origin, index);
    }
    return index;
  }
}
