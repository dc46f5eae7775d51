import type { LinuxDevice } from '../../model/linux-device.ts';
import type { Span } from '../../text/span.ts';
import type { PacketBatch } from '../../wire/packet-batch.ts';
import { AddressClasses } from '../address-classes.ts';
import type { DecisionBatch } from '../decision.ts';
import type { Forwarder, ForwarderOptions, SettledFragment, Unknown } from '../forwarder.ts';
import type { Walk } from '../walk.ts';
import type { ConnectionTable } from './connection-table.ts';
import { Explanations } from './decision-writer.ts';
import { FamilyForwarder } from './family-forwarder.ts';
import { compileRouter } from './router.ts';

/** Makes a Linux router work: the model compiled once, no connections yet. Never reports: what is missing becomes unknown per packet. */
export function createLinuxForwarder(device: LinuxDevice, options: ForwarderOptions = {}): Forwarder {
  return new LinuxForwarder(device, options);
}

/** A Linux router: two routers, one for each family, that share nothing but their interfaces. That of IPv6 is made when a packet needs it. */
class LinuxForwarder implements Forwarder {
  readonly #device: LinuxDevice;
  readonly #options: ForwarderOptions;
  readonly #shared: Explanations;
  readonly #four: FamilyForwarder;
  #six: FamilyForwarder | undefined;
  #last: FamilyForwarder;
  #mark = 0;

  constructor(device: LinuxDevice, options: ForwarderOptions, shared = new Explanations(), four?: FamilyForwarder) {
    this.#device = device;
    this.#options = options;
    this.#shared = shared;
    this.#four = four ?? new FamilyForwarder(compileRouter(device), options, shared);
    this.#last = this.#four;
  }

  get interfaceNames(): readonly string[] {
    return this.#four.interfaceNames;
  }

  /** Connections of IPv4; readable for tests of what it holds. */
  get table(): ConnectionTable {
    return this.#four.table;
  }

  get unknowns(): readonly Unknown[] {
    return this.#shared.unknowns;
  }

  get causes(): readonly Span[] {
    return this.#shared.causes;
  }

  arriveWithMark(mark: number): void {
    this.#mark = mark;
    this.#four.arriveWithMark(mark);
    this.#six?.arriveWithMark(mark);
  }

  interfaceIndex(name: string): number {
    return this.#four.interfaceIndex(name);
  }

  isLocal(family: number, words: Uint32Array, offset: number): boolean {
    return this.#four.isLocal(family, words, offset);
  }

  decide(batch: PacketBatch, row: number, ingress: number, decisions: DecisionBatch, into: number): void {
    this.#last = batch.family[row] === 6 ? this.#forIpv6() : this.#four;
    this.#last.decide(batch, row, ingress, decisions, into);
  }

  #forIpv6(): FamilyForwarder {
    this.#six ??= new FamilyForwarder(compileRouter(this.#device, 6), this.#options, this.#shared);
    this.#six.arriveWithMark(this.#mark);
    return this.#six;
  }

  get settled(): readonly SettledFragment[] | undefined {
    const settled = this.#four.settled;
    return settled === undefined || this.#last === this.#four ? settled : [];
  }

  explainLast(): Walk {
    return this.#last.explainLast();
  }

  fresh(): Forwarder {
    const shared = new Explanations();
    const four = this.#four.fresh(shared);
    const made = new LinuxForwarder(this.#device, this.#options, shared, four);
    made.#six = this.#six?.fresh(shared);
    return made;
  }

  forget(): void {
    this.arriveWithMark(0);
    this.#four.forget();
    this.#six?.forget();
  }

  addressClasses(): AddressClasses | undefined {
    const bounds = this.#four.addressBounds();
    const bounds6 = this.#six?.addressBounds();
    const four = bounds.four();
    const macs = new Set([...bounds.macs(), ...(bounds6?.macs() ?? [])]);
    return four && new AddressClasses(four, bounds6?.six(), [...macs]);
  }

  replacedBy(next: Forwarder): Forwarder | undefined {
    if (!(next instanceof LinuxForwarder)) return undefined;
    const shared = new Explanations();
    const four = this.#four.replacedBy(next.#four, shared);
    if (four === undefined) return undefined;
    const made = new LinuxForwarder(next.#device, next.#options, shared, four);
    if (this.#six === undefined) return made;
    // Its entries name addresses by the numbers of its own pool.
    const router = compileRouter(next.#device, 6, this.#six.addresses);
    const six = this.#six.replacedBy(new FamilyForwarder(router, next.#options, shared), shared);
    if (six === undefined) return undefined;
    made.#six = six;
    return made;
  }
}
