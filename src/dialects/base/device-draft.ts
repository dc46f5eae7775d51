import { configPlace, type Problem } from '../../diagnostic/diagnostic.ts';
import type { ListeningSocket } from '../../model/listening-socket.ts';
import type { DumpedConnection } from '../../model/dumped-connection.ts';
import type { IpSet } from '../../model/ip-set.ts';
import type { LinuxDevice, RunWideUnknown, Sysctl } from '../../model/linux-device.ts';
import type { Ruleset, TableName } from '../../model/netfilter.ts';
import type { Neighbour, NetworkInterface } from '../../model/network-interface.ts';
import { type NextHopObject, type PolicyRule, type Route, RouteTableId } from '../../model/routing.ts';
import type { Family } from '../../net/ip-address.ts';
import { InputError } from '../../text/input-error.ts';
import { formatPlace, type Span } from '../../text/span.ts';
import { draftOfRuleset, type RulesetDraft, rulesetOfDraft } from './netfilter-draft.ts';

/** Where table numbers begin that stand for names of which nothing says the number. */
const PSEUDO_TABLE_BASE = 0x8000_0000;

/** A state with more problems than this is not worth listing one by one; the rest makes the whole run unknown. */
const PROBLEM_LIMIT = 2000;

/** How many rules `-s a,b -d c,d` may make beyond one for each statement, in the whole state. */
const EXPANSION_BUDGET = 100_000;

const UNTIMED = 'the list of connections is not used: when it was taken is not known';

/** A table name of which no rt_tables gives the number. */
export interface UnnamedTable {
  readonly name: string;
  readonly id: number;
  readonly origin: Span;
  /** Written in a command: the router would refuse it. A kernel's dump, by contrast, prints only names that are defined there. */
  readonly byCommand: boolean;
}

/** Which parts of the state dumps gave. */
export interface Given {
  interfaces: boolean;
  readonly netfilter: Map<Family, Set<TableName> | 'all'>;
  readonly policyRules: Set<Family>;
  readonly routeTables: Map<Family, Set<number> | 'all'>;
  nextHopObjects: boolean;
  sysctls: boolean;
  routingTableNames: boolean;
}

/** Which parts commands changed. */
export interface Changed {
  any: boolean;
  readonly netfilter: Set<Family>;
  readonly policyRules: Set<Family>;
  /** Tables that a command flushed: from there on they are completely known. */
  readonly flushedTables: Map<Family, Set<number>>;
  /** An address was given to an interface. */
  addresses: boolean;
  /** The first command that changed IPv6 routing. */
  ipv6?: Span;
}

/** A router's state while the dialects fill it. Mutable; {@link DeviceDraft.finish} makes the immutable device of it. */
export class DeviceDraft {
  readonly dialects = new Set<string>();
  hostname: string | undefined;
  kernelRelease: string | undefined;
  collectedAt: string | undefined;
  readonly rulesets: RulesetDraft[] = [];
  /** Rule set that plain `iptables` works on, where a dump told. */
  readonly defaultVariant = new Map<Family, Ruleset['variant']>();
  /** By name; undefined until a dump gives them. */
  sets: Map<string, IpSet> | undefined;
  policyRules: PolicyRule[] = [];
  routes: Route[] = [];
  readonly nextHopObjects = new Map<number, NextHopObject>();
  readonly interfaces = new Map<string, NetworkInterface>();
  readonly sysctls = new Map<string, Sysctl>();
  readonly neighbours: Neighbour[] = [];
  readonly tableNames = new Map<string, number>([
    ['local', RouteTableId.local],
    ['main', RouteTableId.main],
    ['default', RouteTableId.default],
  ]);
  readonly unnamedTables: UnnamedTable[] = [];
  readonly runWideUnknowns: RunWideUnknown[] = [];
  readonly problems: Problem[] = [];
  readonly notices: string[] = [];
  readonly connections: DumpedConnection[] = [];
  /** Undefined until a part of the state tells. */
  listening: ListeningSocket[] | undefined;
  /** Warnings in dumps that the other variant of iptables has tables too, by family. */
  readonly otherVariantWarnings: {
    readonly family: Family;
    readonly variant: 'legacy' | 'nft';
    readonly origin: Span;
  }[] = [];
  /** Tables of `nft list ruleset`, judged when every dump was read. */
  readonly nftTables: {
    readonly family: string;
    readonly name: string;
    readonly managed: boolean;
    readonly origin: Span;
  }[] = [];
  readonly given: Given = {
    interfaces: false,
    netfilter: new Map(),
    policyRules: new Set(),
    routeTables: new Map(),
    nextHopObjects: false,
    sysctls: false,
    routingTableNames: false,
  };
  readonly changed: Changed = {
    any: false,
    netfilter: new Set(),
    policyRules: new Set(),
    flushedTables: new Map(),
    addresses: false,
  };
  private readonly seen = new Map<string, { readonly content: string; readonly at: Span }>();
  private expansionBudget = EXPANSION_BUDGET;
  private problemsOmitted = false;

  report(problem: Problem): void {
    if (this.problems.length < PROBLEM_LIMIT) {
      this.problems.push(problem);
    } else if (!this.problemsOmitted) {
      this.problemsOmitted = true;
      const origin = problem.where?.kind === 'config' ? problem.where : undefined;
      this.problems.push({ ...problem, message: `${problem.message}; more problems follow that are not listed` });
      if (origin !== undefined) this.unknown(`more than ${PROBLEM_LIMIT} statements that are not understood`, origin);
    }
  }

  /** Reports text that is not of its dialect. */
  unparsed(message: string, at: Span): void {
    this.report({ code: 'RV302', message, where: configPlace(at) });
  }

  /** Reports a statement that is recognised and not modelled. */
  unmodelled(message: string, at: Span): void {
    this.report({ code: 'RV301', message, where: configPlace(at) });
  }

  /** Something that can change every packet's path. */
  unknown(name: string, origin: Span): void {
    if (this.runWideUnknowns.length < PROBLEM_LIMIT) this.runWideUnknowns.push({ name, origin });
  }

  /**
   * Whether a part of the state is new. The same part with the same content is not; with another content it is of another router,
   * or of another time, and the run cannot go on.
   */
  isNew(part: string, content: string, at: Span): boolean {
    const before = this.seen.get(part);
    if (before === undefined) {
      this.seen.set(part, { content, at });
      return true;
    }
    if (before.content === content) return false;
    throw new InputError(
      `two different states of ${part}: ${formatPlace(before.at)} and ${formatPlace(at)}; ` +
        `one run is about one router at one time, give the state of one only`,
    );
  }

  /** The number of a table given by name or number; of a name that nothing defines a number that nothing else has. */
  tableId(text: string, origin: Span, byCommand: boolean): number {
    const number = /^(?:0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : undefined;
    if (number !== undefined && number <= 0xffffffff) return number;
    const known = this.tableNames.get(text);
    if (known !== undefined) return known;
    const id = PSEUDO_TABLE_BASE + this.unnamedTables.length;
    this.tableNames.set(text, id);
    this.unnamedTables.push({ name: text, id, origin, byCommand });
    return id;
  }

  /** Takes rules beyond one from the budget for expanded statements; returns how many one statement may have. */
  expansionLimit(): number {
    return Math.min(256, this.expansionBudget);
  }

  spendExpansion(rules: number): void {
    if (rules > 1) this.expansionBudget = Math.max(1, this.expansionBudget - rules);
  }

  ruleset(family: Family, variant: Ruleset['variant']): RulesetDraft {
    let ruleset = this.rulesets.find((other) => other.family === family && other.variant === variant);
    if (ruleset === undefined) {
      ruleset = { family, variant, tables: new Map() };
      this.rulesets.push(ruleset);
    }
    return ruleset;
  }

  /** Interface by name, changed or made. */
  updateInterface(name: string, change: Partial<NetworkInterface>): void {
    const before: NetworkInterface = this.interfaces.get(name) ?? { name, addresses: [] };
    this.interfaces.set(name, { ...before, ...change });
  }

  /** The immutable device; `known` is the caller's, who has resolved what is missing. */
  finish(known: LinuxDevice['known']): LinuxDevice {
    return {
      kind: 'linux',
      dialects: [...this.dialects],
      ...(this.hostname === undefined ? {} : { hostname: this.hostname }),
      ...(this.kernelRelease === undefined ? {} : { kernelRelease: this.kernelRelease }),
      ...(this.collectedAt === undefined ? {} : { collectedAt: this.collectedAt }),
      known,
      interfaces: [...this.interfaces.values()],
      rulesets: this.rulesets.map(rulesetOfDraft),
      ...(this.sets === undefined ? {} : { sets: this.sets }),
      policyRules: this.policyRules,
      ...(this.changed.policyRules.size === 0 ? {} : { changedRules: [...this.changed.policyRules].sort() }),
      ...(this.changed.ipv6 === undefined ? {} : { ipv6ChangedBy: this.changed.ipv6 }),
      routes: this.routes,
      ...(this.nextHopObjects.size === 0 ? {} : { nextHopObjects: this.nextHopObjects }),
      tableNames: this.tableNames,
      sysctls: this.sysctls,
      neighbours: this.neighbours,
      runWideUnknowns: this.runWideUnknowns,
      problems: this.problems,
      notices:
        this.connections.length > 0 && this.collectedAt === undefined ? [...this.notices, UNTIMED] : this.notices,
      ...(this.connections.length === 0 ? {} : { connections: this.connections }),
      ...(this.listening === undefined ? {} : { listening: this.listening }),
    };
  }

  /** A draft that begins with a device's state, to apply commands on top. */
  static of(device: LinuxDevice): DeviceDraft {
    const draft = new DeviceDraft();
    for (const dialect of device.dialects) draft.dialects.add(dialect);
    draft.hostname = device.hostname;
    draft.kernelRelease = device.kernelRelease;
    draft.collectedAt = device.collectedAt;
    draft.rulesets.push(...device.rulesets.map(draftOfRuleset));
    if (device.sets !== undefined) draft.sets = new Map(device.sets);
    draft.policyRules = [...device.policyRules];
    draft.routes = [...device.routes];
    for (const family of device.changedRules ?? []) draft.changed.policyRules.add(family);
    if (device.ipv6ChangedBy !== undefined) draft.changed.ipv6 = device.ipv6ChangedBy;
    for (const [id, object] of device.nextHopObjects ?? []) draft.nextHopObjects.set(id, object);
    for (const networkInterface of device.interfaces) draft.interfaces.set(networkInterface.name, networkInterface);
    for (const [path, sysctl] of device.sysctls) draft.sysctls.set(path, sysctl);
    draft.neighbours.push(...device.neighbours);
    for (const [name, id] of device.tableNames) draft.tableNames.set(name, id);
    draft.runWideUnknowns.push(...device.runWideUnknowns);
    draft.problems.push(...device.problems);
    draft.notices.push(...device.notices);
    draft.connections.push(...(device.connections ?? []));
    if (device.listening !== undefined) draft.listening = [...device.listening];
    draft.given.interfaces = device.known.interfaces;
    draft.given.routeTables.set(4, device.known.routeTables4 === 'all' ? 'all' : new Set(device.known.routeTables4));
    draft.given.routeTables.set(6, device.known.routeTables6 === 'all' ? 'all' : new Set(device.known.routeTables6));
    return draft;
  }
}
