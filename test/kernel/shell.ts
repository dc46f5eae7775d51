/** A scenario as the commands that make it, run by the shell dialect, against what the kernel's dumps say afterwards. */
import { parseRouterState } from '../../src/dialects/index.ts';
import type { LinuxDevice } from '../../src/model/linux-device.ts';
import type { Rule } from '../../src/model/netfilter.ts';
import type { PolicyRule, Route } from '../../src/model/routing.ts';
import { formatIpAddress } from '../../src/net/ip-address.ts';
import { formatPrefix } from '../../src/net/prefix.ts';
import { type Oracle, OracleError } from './oracle/oracle.ts';
import { restoreText, type Scenario } from './scenario.ts';

/** The router before anything but its addresses was set up. */
export function bareScenario(scenario: Scenario): Scenario {
  return { ...scenario, sysctls: {}, dropPolicies: [], rules: [], sets: [], commands: [], frames: [] };
}

/** What the oracle does for a scenario, as somebody would type it. */
export function shellText(scenario: Scenario): string {
  const lines: string[] = [];
  Object.entries(scenario.sysctls).forEach(([path, value], index) => {
    // Both ways in which procedures write them.
    if (index % 2 === 0) lines.push(`sysctl -w ${path.replaceAll('/', '.')}=${value}`);
    else lines.push(`echo ${value} > /proc/sys/${path}`);
  });
  for (const line of scenario.sets) lines.push(`ipset ${line}`);
  for (const variant of ['nft', 'legacy'] as const) {
    let table = '';
    const program = scenario.family === 6 ? 'ip6tables' : 'iptables';
    for (const line of restoreText(scenario, variant).split('\n')) {
      const command = `${program}-${variant} -t ${table}`;
      const chain = /^:(\S+) (\S+)/.exec(line);
      if (line.startsWith('*')) table = line.slice(1);
      else if (chain !== null)
        lines.push(`${command} ${chain[2] === '-' ? `-N ${chain[1]}` : `-P ${chain[1]} ${chain[2]}`}`);
      else if (line.startsWith('-A')) lines.push(`${command} ${line}`);
    }
  }
  for (const command of scenario.commands) lines.push(`ip ${command}`);
  return `${lines.join('\n')}\n`;
}

/** Without places, and with sorted keys. `! --dport 0:21` is printed as `--dport 22:65535`. */
const plain = (_key: string, value: unknown): unknown => {
  if (value instanceof Map) return [...value];
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const { origin: _, ...rest } = value as Record<string, unknown>;
  const range = rest.range as { first: number; last: number } | undefined;
  if (range?.last !== undefined && rest.negated === true) {
    const { first, last } = range;
    if (first === 0) Object.assign(rest, { range: { first: last + 1, last: 65535 }, negated: false });
    else if (last === 65535) Object.assign(rest, { range: { first: 0, last: first - 1 }, negated: false });
  }
  return Object.fromEntries(Object.entries(rest).sort(([a], [b]) => (a < b ? -1 : 1)));
};

const show = (value: Rule | PolicyRule): string => JSON.stringify(value, plain);

function showRoute(route: Route): string {
  const hops = route.nextHops.map(({ gateway, device, weight, dead, linkDown }) =>
    [
      gateway === undefined ? '' : formatIpAddress(gateway),
      device,
      weight,
      dead ? 'dead' : '',
      linkDown ? 'linkdown' : '',
    ].join(' '),
  );
  const { type, tos, metric, unmodelled, nextHopObject } = route;
  return `${type} tos ${tos} metric ${metric} ${hops.join(' | ')} ${unmodelled.join()} ${nextHopObject ?? ''}`;
}

/** What decides about packets, part by part, so that two devices can be compared. */
function partsOf(device: LinuxDevice): Map<string, string> {
  const parts = new Map<string, string>();
  const add = (part: string, line: string): void => {
    parts.set(part, `${parts.get(part) ?? ''}${line}\n`);
  };
  for (const rule of device.policyRules) add(`policy rules of IPv${rule.family}`, show(rule));
  // Of one prefix the order of insertion counts, after type of service and metric.
  const routes = [...device.routes].sort((a, b) => b.tos - a.tos || a.metric - b.metric);
  for (const route of routes) add(`routes ${route.table} ${formatPrefix(route.prefix)}`, showRoute(route));
  for (const { family, variant, tables } of device.rulesets) {
    for (const table of tables) {
      for (const chain of table.chains) {
        const part = `${variant} IPv${family} ${table.name} ${chain.name}`;
        if (chain.policy !== 'ACCEPT') add(part, chain.policy ?? 'user chain');
        for (const rule of chain.rules) add(part, show(rule));
      }
    }
  }
  for (const link of device.interfaces) {
    add(`interface ${link.name}`, `up ${link.up} carrier ${link.lowerUp} mtu ${link.mtu} master ${link.master}`);
    for (const { prefix, secondary } of link.addresses)
      add(`interface ${link.name}`, `${formatPrefix(prefix)} ${secondary}`);
  }
  for (const [path, { value }] of device.sysctls) {
    if (/^net\/ipv4\/(?:conf|ip_forward|fib)|^net\/ipv6\/conf/.test(path)) parts.set(`sysctl ${path}`, value);
  }
  return parts;
}

/** Where the commands end in another router than the dumps show; empty where they end in the same. */
export function shellDifferences(before: string, commands: string, after: string): string[] {
  const dumped = partsOf(parseRouterState([{ path: 'after.txt', text: after }]));
  const typed = parseRouterState([
    { path: 'before.txt', text: before },
    { path: 'commands.sh', text: commands },
  ]);
  const made = partsOf(typed);
  const differences: string[] = [];
  for (const { name } of typed.runWideUnknowns) differences.push(`not followed: ${name}`);
  for (const part of new Set([...dumped.keys(), ...made.keys()])) {
    // A sysctl that appears with a module.
    if (part.startsWith('sysctl') && (!made.has(part) || !dumped.has(part))) continue;
    // What commands make of IPv6 routing is not modelled, and the device says so.
    if (typed.ipv6ChangedBy !== undefined && /^routes \d+ \S*:|^policy rules of IPv6|^sysctl net\/ipv6/.test(part))
      continue;
    const [want, got] = [dumped.get(part) ?? '', made.get(part) ?? ''];
    if (want !== got) differences.push(`${part}\n  kernel:   ${want.trim()}\n  commands: ${got.trim()}`);
  }
  return differences;
}

/** Asks the kernel for the router before, and compares. Sets that commands make are not modelled: nothing is said of those. */
export async function compareShell(oracle: Oracle, scenario: Scenario, after: string): Promise<string[]> {
  if (scenario.sets.length > 0) return [];
  try {
    const before = await oracle.ask(bareScenario(scenario));
    return shellDifferences(before.dump, shellText(scenario), after);
  } catch (error) {
    if (error instanceof OracleError) return [];
    throw error;
  }
}
