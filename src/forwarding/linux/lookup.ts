import { RouteTableId } from '../../model/routing.ts';
import { formatWords } from '../../net/ip-address.ts';
import { describeRoute, HopFlag, RouteKind, tableLabel } from './fib.ts';
import { type FibTable, findNetwork6, hashPrefix } from './fib-table.ts';
import { Answer } from './answer.ts';
import { multipathHash, UNKNOWN_HASH } from './multipath.ts';
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

const MISS = -1;
const UNKNOWN = -2;

/**
 * Looks the run's flow up: policy rules in order, each one's table. Results are in the run's `lookup`, `foundRoute`, `foundTable`
 * and `foundRule`. Ref: fib_rules.c: fib_rules_lookup(); net/ipv4/fib_rules.c: fib4_rule_action(), fib4_rule_suppress().
 */
export function lookup(run: Run): void {
  const { fib } = run.router;
  // A recorded walk wants every rule, and what is unknown has to be met anew in each world.
  const keeps = run.steps === null && fib.pure && run.flowOutput === -1 && (!run.flowUsesMark || run.markUnknown === 0);
  if (keeps && run.lookups.recall(run)) return;
  const { position } = run.worlds;
  walkRules(run);
  if (keeps && run.worlds.position === position && run.lookup !== Found.unknown) run.lookups.keep(run);
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
  if (rule.from6 !== undefined && (run.flowSource === 0 || !addresses.isIn(run.flowSource, rule.from6, 0)))
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

/** Longest prefix match; the route's number, MISS or UNKNOWN. Ref: fib_trie.c: fib_table_lookup(). */
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

function lookupTable(run: Run, table: FibTable): number {
  const { fib } = run.router;
  const { routes, order } = fib;
  const { tosMask } = run.router.rpdb;
  const destination = run.flowDestination;
  for (let index = 0; index < table.lengths.length; index++) {
    const hash = table.hashes[index]!;
    let slot: number;
    if (run.family === 4) {
      const network = destination & table.masks[index]!;
      slot = hashPrefix(network, hash.mask);
      while (hash.first[slot] !== -1 && hash.keys[slot] !== network) slot = (slot + 1) & hash.mask;
    } else {
      slot = findNetwork6(table, index, run.router.addresses.words, 4 * destination);
    }
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

/** Whether a next hop can be taken: not dead, and not without carrier where that is asked for. Ref: fib_lookup_good_nhc(). */
export function isUsable(run: Run, hop: number): boolean {
  const { routes } = run.router.fib;
  const flags = routes.hopFlags[hop]!;
  if ((flags & HopFlag.dead) !== 0) return false;
  if ((flags & HopFlag.linkDown) === 0) return true;
  const device = routes.hopDevice[hop]!;
  return device < 0 || run.setting(run.router.settings.ignoreLinkDown[device]!) === 0;
}

/** Takes one of a unicast route's next hops; where several are alive, each in a world of its own. */
export function selectHop(run: Run, route: number): number {
  const { routes } = run.router.fib;
  const start = routes.hopStart[route]!;
  const after = routes.hopStart[route + 1]!;
  if (after - start === 1) return start;
  let count = 0;
  let first = -1;
  for (let hop = start; hop < after; hop++) {
    if (!isUsable(run, hop)) continue;
    if (first === -1) first = hop;
    count++;
  }
  if (count <= 1) return first;
  const hash = routes.isGroup[route] === 1 ? UNKNOWN_HASH : multipathHash(run);
  if (hash !== UNKNOWN_HASH) return hopOfHash(run, route, hash);
  let pick = run.choose(count, routes.multipathReason[route]!);
  for (let hop = start; hop < after; hop++) if (isUsable(run, hop) && pick-- === 0) return hop;
  return first;
}

/** Each usable hop has its share of the hashes, by its weight. Ref: fib_semantics.c: fib_rebalance(), fib_select_multipath(). */
function hopOfHash(run: Run, route: number, hash: number): number {
  const { routes } = run.router.fib;
  const hops = routes.model[route]!.nextHops;
  const start = routes.hopStart[route]!;
  let total = 0;
  for (let index = 0; index < hops.length; index++) if (isUsable(run, start + index)) total += hops[index]!.weight;
  let sum = 0;
  let last = start;
  for (let index = 0; index < hops.length; index++) {
    if (!isUsable(run, start + index)) continue;
    last = start + index;
    sum += hops[index]!.weight;
    if (hash <= Math.floor((sum * 2 ** 31 + Math.floor(total / 2)) / total) - 1) break;
  }
  return last;
}

/** The address that a next hop's frames are sent to, in words. */
export function formatHop(run: Run, hop: number, destination: number): string {
  const { routes } = run.router.fib;
  const flags = routes.hopFlags[hop]!;
  if ((flags & HopFlag.gateway) === 0) return run.formatAddress(destination);
  const [a, b, c, d] = routes.hopGateway.subarray(4 * hop, 4 * hop + 4) as unknown as [number, number, number, number];
  return formatWords((flags & HopFlag.gateway6) !== 0 ? 6 : 4, a, b, c, d);
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
