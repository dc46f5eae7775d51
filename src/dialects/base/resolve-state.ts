import { configPlace } from '../../diagnostic/diagnostic.ts';
import type { Known, LinuxDevice } from '../../model/linux-device.ts';
import { type NextHop, type PolicyRule, type Route, RouteTableId } from '../../model/routing.ts';
import type { Family } from '../../net/ip-address.ts';
import { checkChains } from './chain-references.ts';
import { routesOfInterfaces } from './derived-routes.ts';
import type { DeviceDraft } from './device-draft.ts';
import { resolveObjects } from './next-hop-objects.ts';
import { checkSets } from './set-references.ts';
import { resolveDevices } from './resolve-devices.ts';
import { isTableName } from './netfilter-draft.ts';

const FAMILIES: readonly Family[] = [4, 6];

/** The rules of a router on which nobody changed any. Ref: linux-forwarding 3.5; IPv6 has no table default. */
function defaultRules(family: Family): PolicyRule[] {
  const rule = (priority: number, table: number): PolicyRule => ({
    family,
    priority,
    inverted: false,
    action: { kind: 'lookup', table },
    unmodelled: [],
  });
  const rules = [rule(0, RouteTableId.local), rule(32766, RouteTableId.main)];
  return family === 4 ? [...rules, rule(32767, RouteTableId.default)] : rules;
}

/** Whether a dump showed the whole table. */
export function tableGiven(draft: DeviceDraft, family: Family, table: number): boolean {
  const tables = draft.given.routeTables.get(family);
  return tables === 'all' || tables?.has(table) === true;
}

/** Whether nothing but commands, and what names interfaces and tables, was given. */
function onlyCommands(draft: DeviceDraft): boolean {
  const { given } = draft;
  return (
    draft.changed.any &&
    given.netfilter.size === 0 &&
    given.policyRules.size === 0 &&
    given.routeTables.size === 0 &&
    !given.sysctls
  );
}

/**
 * What commands find where no dump says otherwise: the default policy rules, and in tables that no dump showed the routes of the
 * interfaces' addresses. To be called when the dumps were read, before commands are applied.
 */
export function prepareForCommands(draft: DeviceDraft): void {
  draft.routes = draft.routes.map((route) => withoutDumpedDead(route, draft));
  fillFromObjects(draft);
  for (const family of FAMILIES) {
    if (!draft.given.policyRules.has(family)) draft.policyRules.push(...defaultRules(family));
  }
  for (const route of routesOfInterfaces(
    draft.interfaces.values(),
    (family, table) => !tableGiven(draft, family, table),
  )) {
    draft.routes.push(route);
  }
}

/**
 * Where routes without carrier are ignored, a dump calls their hops dead, too; that goes with the setting, not with the interface.
 * Ref: linux fib_semantics.c: fib_nexthop_info().
 */
function withoutDumpedDead(route: Route, draft: DeviceDraft): Route {
  const isMeant = ({ dead, linkDown, device }: NextHop): boolean =>
    dead && linkDown && device !== undefined && draft.interfaces.get(device)?.up === true;
  if (!route.nextHops.some(isMeant)) return route;
  return { ...route, nextHops: route.nextHops.map((hop) => (isMeant(hop) ? { ...hop, dead: false } : hop)) };
}

/** Completes the state when everything was read, reports what is missing, and makes the device. */
export function resolveState(draft: DeviceDraft): LinuxDevice {
  const commandsOnly = onlyCommands(draft);
  dropUnknownDefaults(draft, commandsOnly);
  dropPeers(draft);
  draft.routes = resolveDevices(draft.routes, draft.given.interfaces || draft.changed.addresses);
  checkChains(draft);
  checkSets(draft);
  checkTableNames(draft);
  checkVariants(draft);
  checkNftTables(draft);
  if (commandsOnly) assumeDefaults(draft);
  else reportMissing(draft);
  draft.policyRules.sort((a, b) => a.priority - b.priority);
  return draft.finish(knownOf(draft, commandsOnly));
}

/** Completes a device to which commands were applied; what of it is known stays as it was. */
export function finishCommands(draft: DeviceDraft, known: Known): LinuxDevice {
  fillFromObjects(draft);
  draft.routes = resolveDevices(draft.routes, known.interfaces);
  checkChains(draft);
  checkSets(draft);
  checkTableNames(draft);
  const tables = (family: Family, before: Known['routeTables4']): Known['routeTables4'] =>
    before === 'all' ? before : new Set([...before, ...(draft.changed.flushedTables.get(family) ?? [])]);
  return draft.finish({
    ...known,
    routeTables4: tables(4, known.routeTables4),
    routeTables6: tables(6, known.routeTables6),
  });
}

function fillFromObjects(draft: DeviceDraft): void {
  draft.routes = resolveObjects(draft.routes, draft.nextHopObjects, (message, { origin }) => {
    if (origin !== undefined) draft.unmodelled(message, origin);
  });
}

/** Default rules are a guess where other dumps were given and these were not: the rules are unknown then. */
function dropUnknownDefaults(draft: DeviceDraft, commandsOnly: boolean): void {
  for (const family of FAMILIES) {
    if (draft.given.policyRules.has(family) || draft.changed.policyRules.has(family) || commandsOnly) continue;
    draft.policyRules = draft.policyRules.filter((rule) => rule.family !== family);
  }
}

/** `veth1@veth0` names the other end of a cable, not a lower device: only real lower devices stay as parents. */
function dropPeers(draft: DeviceDraft): void {
  const links = new Map(draft.interfaces);
  for (const [name, link] of links) {
    if (link.parent === undefined) continue;
    if (link.linkKind !== 'veth' && links.get(link.parent)?.parent !== name) continue;
    const { parent: _, ...rest } = link;
    draft.interfaces.set(name, rest);
  }
}

function checkTableNames(draft: DeviceDraft): void {
  for (const { name, id, origin, byCommand } of draft.unnamedTables) {
    const dumped = draft.routes.some((route) => route.table === id && route.origin !== undefined);
    if (!byCommand && dumped) continue;
    draft.report({
      code: 'RV303',
      message: byCommand
        ? `no rt_tables defines the table name ${name}: the router refuses this command`
        : `no rt_tables defines the table name ${name}, and no route of that table is in the router's state`,
      where: configPlace(origin),
    });
  }
}

/** A warning that the other variant has tables too makes everything unknown where those were not given. */
function checkVariants(draft: DeviceDraft): void {
  for (const { family, variant, origin } of draft.otherVariantWarnings) {
    if (draft.rulesets.some((ruleset) => ruleset.family === family && ruleset.variant === variant)) continue;
    const command = `ip${family === 6 ? '6' : ''}tables-${variant}-save`;
    draft.report({
      code: 'RV304',
      message: `the router has ${variant} iptables tables too, which are not in its state: add the output of ${command}`,
      where: configPlace(origin),
    });
    draft.unknown(`${variant} iptables tables that are not in the router's state`, origin);
  }
}

/** Tables of `nft list ruleset` that iptables-save has shown are known; all others are not modelled. */
function checkNftTables(draft: DeviceDraft): void {
  for (const { family, name, managed, origin } of draft.nftTables) {
    const version = family === 'ip' ? 4 : family === 'ip6' ? 6 : undefined;
    const shown =
      isTableName(name) &&
      draft.rulesets.some((set) => set.family === version && set.variant !== 'legacy' && set.tables.has(name));
    if (managed && shown) continue;
    // What iptables made for IPv6 is unknown like all of IPv6's filter where it was not given, and touches nothing else.
    if (managed && version === 6 && isTableName(name) && !draft.given.netfilter.has(6)) continue;
    draft.unmodelled(`the nftables table ${family} ${name} is not modelled`, origin);
    draft.unknown(`nftables table ${family} ${name}`, origin);
  }
}

/** Interface names that occur anywhere. */
function interfaceNames(draft: DeviceDraft): Set<string> {
  const names = new Set(draft.interfaces.keys());
  for (const route of draft.routes)
    for (const hop of route.nextHops) if (hop.device !== undefined) names.add(hop.device);
  for (const ruleset of draft.rulesets) {
    for (const table of ruleset.tables.values()) {
      for (const chain of table.chains.values()) {
        for (const rule of chain.rules) {
          for (const match of rule.matches) {
            if ((match.kind === 'in-interface' || match.kind === 'out-interface') && !match.prefix)
              names.add(match.name);
          }
        }
      }
    }
  }
  for (const path of draft.sysctls.keys()) {
    const name = /^net\/ipv4\/conf\/([^/]+)\//.exec(path)?.[1];
    if (name !== undefined && name !== 'all' && name !== 'default') names.add(name);
  }
  return names;
}

/** Whether commands redirect IPv6: then of that, too, nothing else is taken as configured. */
function concernsIpv6({ changed }: DeviceDraft): boolean {
  return changed.netfilter.has(6) || changed.policyRules.has(6);
}

/** Where only commands are given the kernel's defaults hold, but forwarding is on: the router routes. rp_filter stays unknown. */
function assumeDefaults(draft: DeviceDraft): void {
  const assume = (path: string, value: string): void => {
    if (!draft.sysctls.has(path)) draft.sysctls.set(path, { value });
  };
  const forwarding = draft.sysctls.get('net/ipv4/ip_forward')?.value ?? '1';
  assume('net/ipv4/ip_forward', forwarding);
  for (const name of ['all', 'default', ...interfaceNames(draft)]) {
    assume(`net/ipv4/conf/${name}/forwarding`, forwarding);
    assume(`net/ipv4/conf/${name}/src_valid_mark`, '0');
    assume(`net/ipv4/conf/${name}/accept_local`, '0');
  }
  if (concernsIpv6(draft)) assume('net/ipv6/conf/all/forwarding', '1');
  draft.report({
    code: 'RV304',
    message:
      'only commands are given, no dump of the router: forwarding is taken as on, src_valid_mark and accept_local as 0, and nothing ' +
      'else as configured; `redirect-verify collect linux` prints what shows the real state',
  });
}

const MISSING = {
  interfaces: ['the addresses of its interfaces', 'ip addr show'],
  netfilter: ['the packet filter (IPv4)', 'iptables-save'],
  policyRules: ['the policy rules (IPv4)', 'ip rule show'],
  routes: ['the routing tables (IPv4)', 'ip route show table all'],
  sysctls: ['the kernel settings', 'sysctl -a'],
} as const;

function reportMissing(draft: DeviceDraft): void {
  const { given, changed } = draft;
  const missing = (part: keyof typeof MISSING, assumed: boolean): void => {
    const [what, command] = MISSING[part];
    const rest = assumed ? 'nothing is taken as configured but what the given commands do' : 'it is unknown';
    draft.report({
      code: 'RV304',
      message: `the router's state lacks ${what}: ${rest}; add the output of \`${command}\``,
    });
  };
  if (!given.interfaces) missing('interfaces', false);
  if (!netfilterGiven(draft, 4)) missing('netfilter', changed.netfilter.has(4));
  if (!given.policyRules.has(4)) missing('policyRules', changed.policyRules.has(4));
  const tables = given.routeTables.get(4);
  if (tables !== 'all') {
    const lacking = [RouteTableId.main, ...referencedTables(draft, 4)].filter((table) => tables?.has(table) !== true);
    // Local follows from the addresses, and default is empty on every router in practice: neither is worth a warning by itself.
    if (lacking.some((table) => table !== RouteTableId.local && table !== RouteTableId.default))
      missing('routes', false);
  }
  if (!given.sysctls) missing('sysctls', false);
}

/** The tables that an IPv4 packet can meet, `iptables-save -t` of each counted together. */
function netfilterGiven(draft: DeviceDraft, family: Family): boolean {
  const given = draft.given.netfilter.get(family);
  if (given === 'all') return true;
  return given !== undefined && (['raw', 'mangle', 'nat', 'filter'] as const).every((table) => given.has(table));
}

/** Tables that a policy rule or a route of a family names. */
function referencedTables(draft: DeviceDraft, family: Family): Set<number> {
  const tables = new Set<number>();
  for (const rule of draft.policyRules) {
    if (rule.family === family && rule.action.kind === 'lookup') tables.add(rule.action.table);
  }
  for (const route of draft.routes) if (route.family === family) tables.add(route.table);
  return tables;
}

function knownTables(
  draft: DeviceDraft,
  family: Family,
  commandsOnly: boolean,
  interfaces: boolean,
): 'all' | Set<number> {
  const given = draft.given.routeTables.get(family);
  if (given === 'all') return 'all';
  const known = new Set([...(given ?? []), ...(draft.changed.flushedTables.get(family) ?? [])]);
  if (interfaces) known.add(RouteTableId.local);
  if (commandsOnly && (family === 4 || concernsIpv6(draft))) {
    // Tables that the commands made are complete; main and default may hold what was there before.
    const refused = new Set(draft.unnamedTables.map((table) => table.id));
    for (const table of referencedTables(draft, family)) {
      if (
        table !== RouteTableId.main &&
        table !== RouteTableId.default &&
        table !== RouteTableId.local &&
        !refused.has(table)
      ) {
        known.add(table);
      }
    }
  }
  return known;
}

function knownOf(draft: DeviceDraft, commandsOnly: boolean): Known {
  const { given, changed } = draft;
  const interfaces = given.interfaces || (commandsOnly && changed.addresses);
  const rules = (family: Family): boolean => given.policyRules.has(family) || changed.policyRules.has(family);
  return {
    interfaces,
    netfilter4: netfilterGiven(draft, 4) || changed.netfilter.has(4) || commandsOnly,
    netfilter6: netfilterGiven(draft, 6) || changed.netfilter.has(6) || (commandsOnly && concernsIpv6(draft)),
    policyRules4: rules(4) || commandsOnly,
    policyRules6: rules(6) || (commandsOnly && concernsIpv6(draft)),
    routeTables4: knownTables(draft, 4, commandsOnly, interfaces),
    routeTables6: knownTables(draft, 6, commandsOnly, interfaces),
    sysctls: given.sysctls,
  };
}
