import type { Hook, Rule, TableName } from '../../model/netfilter.ts';
import type { PortRange } from '../../net/port-range.ts';
import { CT_FIELDS, MatchKind, RulesVariant, TargetKind, ZoneFlag } from './program-kinds.ts';
import type { CompiledSet } from './sets.ts';

export { CT_FIELDS, MatchKind, RulesVariant, TargetKind, ZoneFlag };

/** What an SNAT, DNAT or MASQUERADE target was given. */
export interface Translation {
  /** Signed; undefined where the address stays, or is the egress interface's. */
  readonly address?: number;
  /** The address is one of several: which one is unknown. */
  readonly severalAddresses: boolean;
  /** NETMAP: the bits of the address that are replaced; −1 all. */
  readonly mask: number;
  readonly ports?: PortRange;
  /** `--random` and the like: the port is unknown. */
  readonly random: boolean;
}

/** A rule's place, for the recorded walk. */
export interface RulePlace {
  readonly table: TableName;
  readonly chain: string;
  /** From 1. */
  readonly number: number;
  readonly rule: Rule;
}

/**
 * All rule sets of one family as flat arrays: chains are ranges of rules, rules are ranges of matches. A rule's target and up to two
 * operands are beside it. Immutable.
 */
export interface Program {
  readonly chainStart: Int32Array;
  readonly chainEnd: Int32Array;
  /** 0 user chain, 1 ACCEPT, 2 DROP. */
  readonly chainPolicy: Uint8Array;
  readonly chainOrigin: Int32Array;
  readonly chainNames: readonly string[];
  readonly chainTables: readonly TableName[];
  /** 1 where packets leave the chain as they entered it: nothing in it touches them. */
  readonly chainInert: Uint8Array;
  /** A {@link RulesVariant} number. */
  readonly chainVariant: Uint8Array;

  readonly matchStart: Int32Array;
  readonly target: Uint8Array;
  readonly operandA: Int32Array;
  readonly operandB: Int32Array;
  readonly ruleOrigin: Int32Array;
  /** Id of what is unknown about an unmodelled target, −1. */
  readonly ruleReason: Int32Array;
  readonly places: readonly RulePlace[];
  readonly translations: readonly Translation[];

  readonly matchKind: Uint8Array;
  readonly matchNegated: Uint8Array;
  readonly matchA: Int32Array;
  readonly matchB: Int32Array;
  readonly matchReason: Int32Array;
  readonly macs: Float64Array;
  /** Rows of names.length + 1 bytes: which interfaces an interface match takes; the last is "none". */
  readonly interfaceRows: Uint8Array;
  readonly interfaceRowLength: number;
  /** Pairs first, last. */
  readonly portRanges: Int32Array;
  /** Operands of matches that have more than two, from `matchA` on; addresses unsigned. */
  readonly extras: Float64Array;
  readonly sets: readonly CompiledSet[];

  /** Base chains that do something, by {@link baseIndex}; more than one where several rule sets have one. */
  readonly bases: readonly (readonly number[])[];
  /** Some rule needs connection tracking (linux-forwarding 1.5). */
  readonly tracks: boolean;
  /** Some rule gives packets a conntrack zone of their own. */
  readonly zones: boolean;
  /** Some rule of raw may write to the mark that all packets share which CT has met there. */
  readonly marksTemplates: boolean;
  /** Some rule makes the kernel put fragments together. */
  readonly defragments: boolean;
  /** Some rule translates addresses. */
  readonly translates: boolean;
  /** A CONNMARK in OUTPUT or POSTROUTING: the router's own ICMP errors may change the mark of the connection they are about. */
  readonly ownErrorsMark: boolean;
}

/** By {@link HookNumber}. */
export const HOOKS: readonly Hook[] = ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'];
/** By {@link TableNumber}. */
export const TABLES: readonly TableName[] = ['raw', 'mangle', 'nat', 'filter', 'security'];

/** Hooks and tables by number, in the order of {@link HOOKS} and {@link TABLES}. */
export const HookNumber = { prerouting: 0, input: 1, forward: 2, output: 3, postrouting: 4 } as const;
export const TableNumber = { raw: 0, mangle: 1, nat: 2, filter: 3, security: 4 } as const;

/** Place of a hook's chains of a table in {@link Program.bases}. */
export function baseIndex(hook: number, table: number): number {
  return hook * 5 + table;
}
