import type { Span } from '../../text/span.ts';
import { type DecisionBatch, DecisionFlag, Disposition } from '../decision.ts';
import type { Unknown } from '../forwarder.ts';
import type { CompiledRouter } from './router.ts';
import { EntryUse, type Run } from './run.ts';

/** What both families' routers say, by common numbers. */
export class Explanations {
  readonly unknowns: Unknown[] = [];
  readonly causes: Span[] = [];
}

/** Writes what became of packets into rows of a batch. */
export class DecisionWriter {
  readonly #router: CompiledRouter;
  readonly #explanations: Explanations;
  readonly #unknownIndex: Int32Array;
  readonly #causeIndex: Int32Array;

  constructor(router: CompiledRouter, explanations: Explanations) {
    this.#router = router;
    this.#explanations = explanations;
    this.#unknownIndex = new Int32Array(router.registry.unknowns.length).fill(-1);
    this.#causeIndex = new Int32Array(router.registry.origins.length).fill(-1);
  }

  /** `reason`: why it is undetermined, an id of the registry; −1. */
  write(run: Run, reason: number, decisions: DecisionBatch, into: number): void {
    const { routes } = this.#router.fib;
    const forwarded = run.disposition === Disposition.forwarded;
    decisions.disposition[into] = run.disposition;
    decisions.egress[into] = forwarded ? run.egress : -1;
    const words = 4 * into;
    const gateway6 = forwarded ? run.nextHop6 : -1;
    const { addresses, family } = this.#router;
    const isWide = family === 6 && forwarded;
    decisions.nextHop[words] = gateway6 !== -1 ? routes.hopGateway[4 * gateway6]! : forwarded ? run.nextHop : 0;
    for (let word = isWide ? 0 : 1; word < 4; word++) {
      if (isWide) decisions.nextHop[words + word] = addresses.words[4 * run.nextHop + word]!;
      else decisions.nextHop[words + word] = gateway6 === -1 ? 0 : routes.hopGateway[4 * gateway6 + word]!;
    }
    decisions.fwmark[into] = run.routedMark;
    decisions.connmark[into] = run.routedConnmark;
    decisions.hasConnmark[into] = run.routedConnmarkUnknown === 0 ? run.routedHasConnmark : 0;
    decisions.table[into] = run.decidingTable;
    decisions.conntrack[into] = run.view;
    decisions.flags[into] = run.flags | (run.routedMarkUnknown === 0 ? 0 : DecisionFlag.markUnknown);
    decisions.isReply[into] = run.use !== EntryUse.none ? run.direction : 0;
    // IPv6 addresses are not translated.
    decisions.leavingSource[into] = family === 4 ? run.currentSource : 0;
    decisions.leavingDestination[into] = family === 4 ? run.currentDestination : 0;
    decisions.leavingSourcePort[into] = run.currentSourcePort;
    decisions.leavingDestinationPort[into] = run.currentDestinationPort;
    decisions.unknown[into] = -1;
    decisions.cause[into] = run.cause === -1 ? -1 : this.#publicCause(run.cause);
    if (reason !== -1) this.writeUndetermined(reason, decisions, into);
  }

  /** Nothing certain is left of the decision but marks and flags. */
  writeUndetermined(reason: number, decisions: DecisionBatch, into: number): void {
    decisions.disposition[into] = Disposition.undetermined;
    decisions.egress[into] = -1;
    decisions.nextHop.fill(0, 4 * into, 4 * into + 4);
    decisions.table[into] = -1;
    decisions.cause[into] = -1;
    let index = this.#unknownIndex[reason]!;
    if (index === -1) {
      index = this.#explanations.unknowns.push(this.#router.registry.unknowns[reason]!) - 1;
      this.#unknownIndex[reason] = index;
    }
    decisions.unknown[into] = index;
  }

  #publicCause(origin: number): number {
    let index = this.#causeIndex[origin]!;
    if (index === -1) {
      index = this.#explanations.causes.push(this.#router.registry.origins[origin]!) - 1;
      this.#causeIndex[origin] = index;
    }
    return index;
  }
}
