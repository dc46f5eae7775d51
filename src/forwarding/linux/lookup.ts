import { RouteTableId } from '../../model/routing.ts';
import { describeRoute, HopFlag, RouteKind, tableLabel } from './fib.ts';
import { type FibTable, hashPrefix } from './fib-table.ts';
import { Answer } from './answer.ts';
import { lookupTable6, MISS, NO_SOURCE, Search6, UNKNOWN } from './lookup6.ts';
import { isUsable } from './next-hop.ts';
import { matchMark } from './match.ts';
import { type CompiledPolicyRule, RuleAction } from './rpdb.ts';
import type { Run } from './run.ts';
import { refinePacketMark } from './traverse.ts';

/** How a lookup in the routing policy database ended; numbers of {@link Run.lookup}. */
export const Found = {
  /** `foundRoute` is a unicast, local or broadcast route, `foundTable` its table's index. */
  route: 0,
  /** The end of the rules. */
  nothing: 1,
  blackhole: 2,
  unreachable: 3,
  prohibit: 4,
  /** The run's `unknown` says why. */
  unknown: 5,
} as const;

/**
 * Looks the run's flow up: policy rules in order, each one's table. Results are in the run's `lookup`, `foundRoute`, `foundTable`
 * and `foundRule`. Ref: fib_rules.c: fib_rules_lookup(); net/ipv4/fib_rules.c: fib4_rule_action(), fib4_rule_suppress().
 */
export function lookup(run: Run): void {
  const { fib } = run.router;
  // A recorded walk wants every rule, and what is unknown has to be met anew in each world.
  const keeps = run.steps === null && fib.pure && isPlain(run) && (!run.flowUsesMark || run.markUnknown === 0);
  if (keeps && run.lookups.recall(run)) return;
  const { position } = run.worlds;
  walkRules(run);
  if (keeps && run.worlds.position === position && run.lookup !== Found.unknown) run.lookups.keep(run);
}

/** The lookup depends on nothing that the cache does not know. */
function isPlain(run: Run): boolean {
  if (run.family === 4) return run.flowOutput === -1;
  return run.flowSearch === Search6.input && run.flowOif === run.flowIif && !run.flowReachable;
}

function walkRules(run: Run): void {
  const { rpdb, fib } = run.router;
  run.foundRoute = -1;
  run.foundTable = -1;
  run.foundRule = -1;
  if (rpdb.missingReason !== -1) {
    end(run, Found.unknown);
    run.unknown = rpdb.missingReason;
    return;
  }
  // As long as no rule was ever changed, main and local are one table: where that matters, both histories are possible.
  if (rpdb.pristine && fib.mergedTable !== -1 && run.choose(2, run.router.reasons.ruleHistory) === 1) {
    lookupTables(run, fib.mergedTable, fib.tableIndex.get(RouteTableId.default)!);
    return;
  }
  if (rpdb.maybeUnused && run.choose(2, run.router.reasons.ruleHistory) === 1) {
    lookupTables(run, fib.tableIndex.get(RouteTableId.local)!, fib.tableIndex.get(RouteTableId.main)!);
    return;
  }
  const { rules } = rpdb;
  for (let index = 0; index < rules.length; index++) {
    const rule = rules[index]!;
    if (!selects(run, rule)) continue;
    if (rule.action === RuleAction.nop || (rule.action === RuleAction.goto && rule.target === -1)) continue;
    if (rule.action === RuleAction.goto) {
      index = rule.target - 1;
      continue;
    }
    run.foundRule = index;
    if (rule.action !== RuleAction.lookup) {
      recordRule(run, rule, 'matched', rule.model.action.kind);
      end(
        run,
        rule.action === RuleAction.blackhole
          ? Found.blackhole
          : rule.action === RuleAction.unreachable
            ? Found.unreachable
            : Found.prohibit,
      );
      return;
    }
    const route = rule.table === -1 ? MISS : lookupTable(run, fib.tables[rule.table]!);
    if (route === UNKNOWN) {
      end(run, Found.unknown);
      return;
    }
    if (route === MISS || isSuppressed(run, rule, route)) {
      recordRule(run, rule, 'matched', route === MISS ? 'no route, next rule' : 'suppressed, next rule');
      run.foundRule = -1;
      continue;
    }
    if (run.steps !== null) recordRule(run, rule, 'matched', describeRoute(run.router.fib.routes.model[route]!));
    conclude(run, route, rule.table);
    return;
  }
  end(run, Found.nothing);
}

/** Without rules. Ref: include/net/ip_fib.h: fib_lookup() while fib_has_custom_rules is unset. */
function lookupTables(run: Run, ...tables: readonly number[]): void {
  const { fib } = run.router;
  for (const table of tables) {
    const route = lookupTable(run, fib.tables[table]!);
    if (route === UNKNOWN) {
      end(run, Found.unknown);
      return;
    }
    if (route === MISS) continue;
    conclude(run, route, table);
    return;
  }
  end(run, Found.nothing);
}

function end(run: Run, found: number): void {
  run.lookup = found;
}

function conclude(run: Run, route: number, table: number): void {
  const { routes } = run.router.fib;
  run.foundRoute = route;
  run.foundTable = table;
  switch (routes.kind[route]) {
    case RouteKind.blackhole:
      end(run, Found.blackhole);
      return;
    case RouteKind.unreachable:
      end(run, Found.unreachable);
      return;
    case RouteKind.prohibit:
      end(run, Found.prohibit);
      return;
    default:
      end(run, Found.route);
  }
}

/** Ref: fib_rules.c: fib_rule_match(); fib4_rule_match(). */
function selects(run: Run, rule: CompiledPolicyRule): boolean {
  let answer = matchSelectors(run, rule);
  if (answer === Answer.no) {
    if (!rule.inverted) recordRule(run, rule, 'missed', '');
    return rule.inverted;
  }
  if (answer === Answer.unknown || rule.selectorReason !== -1) {
    recordRule(run, rule, 'unknown', '');
    const markUnknown = answer === Answer.unknown;
    const reason = rule.selectorReason !== -1 ? rule.selectorReason : rule.markReason;
    const holds = run.choose(2, reason) === 1;
    if (markUnknown && (holds || rule.selectorReason === -1)) {
      refinePacketMark(run, rule.markValue & rule.markMask, rule.markMask, holds);
    }
    answer = holds ? Answer.yes : Answer.no;
  }
  const selected = (answer === Answer.yes) !== rule.inverted;
  if (!selected) recordRule(run, rule, 'missed', '');
  return selected;
}

function matchSelectors(run: Run, rule: CompiledPolicyRule): number {
  if (rule.oif !== -1 && rule.oif !== run.flowOutput) return Answer.no;
  if (rule.iif !== -1 && rule.iif !== run.flowIif) return Answer.no;
  if ((run.flowSource & rule.fromMask) !== rule.fromNetwork) return Answer.no;
  if ((run.flowDestination & rule.toMask) !== rule.toNetwork) return Answer.no;
  const { addresses, rpdb } = run.router;
  // A rule that names a source is not for who has none yet. Ref: fib6_rules.c: fib6_rule_match().
  if (rule.from6 !== undefined && (run.flowSource === NO_SOURCE || !addresses.isIn(run.flowSource, rule.from6, 0)))
    return Answer.no;
  if (rule.to6 !== undefined && !addresses.isIn(run.flowDestination, rule.to6, 0)) return Answer.no;
  if (rule.tos !== -1 && (run.tos & rpdb.tosMask) !== rule.tos) return Answer.no;
  if (rule.protocol !== -1 && run.flowProtocol !== rule.protocol) return Answer.no;
  if (rule.sourceFirst !== -1 && !within(run.flowSourcePort, rule.sourceFirst, rule.sourceLast)) return Answer.no;
  if (rule.destinationFirst !== -1 && !within(run.flowDestinationPort, rule.destinationFirst, rule.destinationLast)) {
    return Answer.no;
  }
  if (rule.markMask === 0) return Answer.yes;
  // A policy rule masks its value, unlike iptables (linux-forwarding 3.6).
  const wanted = rule.markValue & rule.markMask;
  return run.flowUsesMark
    ? matchMark(run.mark, run.markUnknown, wanted, rule.markMask)
    : matchMark(0, 0, wanted, rule.markMask);
}

function within(value: number, first: number, last: number): boolean {
  return value >= first && value <= last;
}

/** Error routes are not suppressed (linux-forwarding 3.9). */
function isSuppressed(run: Run, rule: CompiledPolicyRule, route: number): boolean {
  const { routes } = run.router.fib;
  const kind = routes.kind[route]!;
  if (kind === RouteKind.blackhole || kind === RouteKind.unreachable || kind === RouteKind.prohibit) return false;
  if (rule.suppressLength !== -1 && routes.prefixLength[route]! <= rule.suppressLength) return true;
  if (rule.suppressGroup === undefined) return false;
  const device = routes.hopDevice[routes.hopStart[route]!] ?? -1;
  if (device < 0) return false;
  const group = run.router.links.groups[device];
  if (group === undefined) return run.choose(2, rule.groupReason) === 1;
  return group === rule.suppressGroup;
}

/** The route of a table for an address, without type of service: −1 none, −2 unknown. Leaves the run as it was. */
export function lookupIn(run: Run, table: number, address: number): number {
  const { flowDestination, tos, unknown } = run;
  run.flowDestination = address;
  run.tos = 0;
  const route = lookupTable(run, run.router.fib.tables[table]!);
  run.flowDestination = flowDestination;
  run.tos = tos;
  run.unknown = unknown;
  return route;
}

/** Longest prefix match; the route's number, MISS or UNKNOWN. Ref: fib_trie.c: fib_table_lookup(). */
function lookupTable(run: Run, table: FibTable): number {
  if (run.family === 6) {
    const route = lookupTable6(run, table);
    if (route >= 0) return run.router.fib.routes.kind[route] === RouteKind.throw ? MISS : route;
    return route === UNKNOWN ? UNKNOWN : missed(run, table);
  }
  const { fib } = run.router;
  const { routes, order } = fib;
  const { tosMask } = run.router.rpdb;
  const destination = run.flowDestination;
  for (let index = 0; index < table.lengths.length; index++) {
    const hash = table.hashes[index]!;
    const network = destination & table.masks[index]!;
    let slot = hashPrefix(network, hash.mask);
    while (hash.first[slot] !== -1 && hash.keys[slot] !== network) slot = (slot + 1) & hash.mask;
    const first = hash.first[slot]!;
    if (first === -1) continue;
    for (let place = first; place < first + hash.count[slot]!; place++) {
      const route = order[place]!;
      const tos = routes.tos[route]!;
      if (tos !== 0 && (run.tos & tosMask) !== tos) continue;
      if (routes.kind[route] === RouteKind.throw) return MISS;
      if (routes.reason[route] !== -1) {
        run.unknown = routes.reason[route]!;
        return UNKNOWN;
      }
      const isError =
        routes.kind[route] === RouteKind.blackhole ||
        routes.kind[route] === RouteKind.unreachable ||
        routes.kind[route] === RouteKind.prohibit;
      if (isError || hasUsableHop(run, route)) return route;
    }
  }
  return missed(run, table);
}

/** What it means that a table has no route. */
function missed(run: Run, table: FibTable): number {
  if (table.missReason === -1) return MISS;
  run.unknown = table.missReason;
  return UNKNOWN;
}

function hasUsableHop(run: Run, route: number): boolean {
  const { routes } = run.router.fib;
  const start = routes.hopStart[route]!;
  const after = routes.hopStart[route + 1]!;
  // Routes to the router itself need no next hop in the dump.
  if (start === after) return routes.kind[route] !== RouteKind.unicast;
  for (let hop = start; hop < after; hop++) {
    if (run.flowOutput === -1 ? isUsable(run, hop) : leadsOut(run, hop)) return true;
  }
  return false;
}

/** Carriers do not count here. Ref: fib_frontend.c: __fib_validate_source(): FIB_LOOKUP_IGNORE_LINKSTATE. */
function leadsOut(run: Run, hop: number): boolean {
  const { routes } = run.router.fib;
  return routes.hopDevice[hop] === run.flowOutput && (routes.hopFlags[hop]! & HopFlag.dead) === 0;
}

function recordRule(
  run: Run,
  rule: CompiledPolicyRule,
  outcome: 'matched' | 'missed' | 'unknown',
  found: string,
): void {
  if (run.steps === null) return;
  const { model } = rule;
  const { action } = model;
  const table = action.kind === 'lookup' ? tableLabel(run.router.device, action.table) : undefined;
  const what = table === undefined ? action.kind : `lookup ${table}`;
  run.steps.push({
    kind: 'policy-rule',
    priority: model.priority,
    outcome,
    effect: found === '' || table === undefined ? what : `${what}: ${found}`,
    ...(action.kind === 'lookup' ? { table: action.table } : {}),
    ...(model.origin === undefined ? {} : { origin: model.origin }),
  });
}
