import type { Family, IpAddress } from '../../net/ip-address.ts';
import type { PortRange } from '../../net/port-range.ts';
import { parsePort } from './service-names.ts';

/** A rule that iptables would refuse, or that goes beyond this reader. Caught where the rule is read; never leaves `dialects/`. */
export class RuleError extends Error {}

/** One option as written, e.g. `! --dport 22`; the name is the long one without dashes. */
export interface OptionUse {
  readonly name: string;
  readonly arguments: readonly string[];
  readonly negated: boolean;
}

/** How far the options of an extension are simulated. What is in none of the lists is compared with a kernel, by test/kernel. */
export interface SimulationStatus {
  /** Options, or the whole extension, that are simulated as documents and the kernel's source say, and were not compared. */
  readonly documented?: readonly string[] | 'all';
  /** Options that are recognised, and whose effect is not simulated. */
  readonly unmodelled?: readonly string[];
  /** Other names of options, by the name that iptables-save prints. */
  readonly synonyms?: Readonly<Record<string, string>>;
}

/** What an extension may need of the rest of the rule. */
export interface RuleContext {
  readonly family: Family;
  /** Of `-p`; absent where there is none or it is 0. */
  readonly protocol?: { readonly number: number; readonly negated: boolean };
  /** The rule stands in a dump: what old versions took and new ones refuse is there all the same. */
  readonly dumped: boolean;
}

/** The only argument of an option that has exactly one. */
export function argumentOf(use: OptionUse): string {
  return use.arguments[0] ?? '';
}

/** Refuses `!` before an option that cannot be inverted. */
export function refuseNegation(use: OptionUse): void {
  if (use.negated) throw new RuleError(`--${use.name} cannot be inverted`);
}

/** A port or range `a[:b]` with names, open ends allowed. One that ends before it begins holds nothing, where such may be. */
export function parseServiceRange(text: string, separator: ':' | '-', mayBeEmpty = false): PortRange {
  const at = text.indexOf(separator);
  const range = (first: string, last: string): PortRange => {
    const low = first === '' ? 0 : parsePort(first);
    const high = last === '' ? 65535 : parsePort(last);
    if (low === undefined || high === undefined) throw new RuleError(`"${text}" is no port or range of ports`);
    if (low > high && !mayBeEmpty) throw new RuleError(`the port range "${text}" ends before it begins`);
    return { first: low, last: high };
  };
  if (text === '') throw new RuleError('a port is missing');
  // A name may hold the separator (`ms-wbt-server`).
  if (at < 0 || (separator === '-' && parsePort(text) !== undefined)) return range(text, text);
  return range(text.slice(0, at), text.slice(at + 1));
}

/** Whether both addresses are of the family of the rule. */
export function assertFamily(context: RuleContext, ...addresses: readonly IpAddress[]): void {
  if (addresses.some((address) => address.family !== context.family)) {
    throw new RuleError(`the address is not of IPv${context.family}`);
  }
}
