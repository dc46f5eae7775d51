import { applyLinuxCommands } from '../dialects/index.ts';
import type { LinuxDevice } from '../model/linux-device.ts';
import type { Rule } from '../model/netfilter.ts';
import type { Route } from '../model/routing.ts';
import type { Family } from '../net/ip-address.ts';
import { parsePrefix } from '../net/prefix.ts';
import { InputError } from '../text/input-error.ts';

/** A command and the commands that take it back; none where the state does not say what was there before. */
export interface Undoable {
  readonly command: string;
  readonly undo: readonly string[];
}

/**
 * What takes commands back that are run one after the other on a router in this state. To undo them all, the last one's comes first.
 * Knows the commands that fixes are made of.
 */
export function undoable(device: LinuxDevice, commands: readonly string[]): Undoable[] {
  let current = device;
  return commands.map((command) => {
    const undo = undoOf(current, command);
    try {
      current = applyLinuxCommands(current, [command]);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
    }
    return { command, undo };
  });
}

function undoOf(device: LinuxDevice, command: string): string[] {
  const [first = '', ...others] = command.trim().split(/\s+/);
  const family = first.startsWith('ip6') || others[0] === '-6' ? 6 : 4;
  const words = others[0] === '-6' ? [first, ...others.slice(1)] : [first, ...others];
  const [tool, object, verb] = words;
  const ip = family === 6 ? 'ip -6' : 'ip';
  if (tool === 'sysctl') return undoSetting(device, words);
  if (/^ip6?tables(?:-legacy|-nft)?$/.test(first)) return undoRule(device, words, family);
  if (tool === 'ip' && object === 'rule' && verb === 'add') return [[ip, 'rule', 'del', ...words.slice(3)].join(' ')];
  if (tool === 'ip' && object === 'rule' && verb === 'del') return [[ip, 'rule', 'add', ...words.slice(3)].join(' ')];
  if (tool === 'ip' && object === 'route') return undoRoute(device, words, family);
  return [];
}

/** `sysctl -w net.ipv4.conf.eth0/5.rp_filter=2`: a slash in a name stands for a dot. */
function undoSetting(device: LinuxDevice, words: readonly string[]): string[] {
  const assignment = words.at(-1) ?? '';
  const name = assignment.slice(0, assignment.indexOf('='));
  const key = name
    .split('.')
    .map((part) => part.replaceAll('/', '.'))
    .join('/');
  const before = device.sysctls.get(key)?.value;
  return before === undefined ? [] : [`sysctl -w ${name}=${before}`];
}

interface RuleCommand {
  readonly tool: string;
  readonly table: string;
  readonly verb: string;
  readonly chain: string;
  readonly rest: readonly string[];
}

function undoRule(device: LinuxDevice, words: readonly string[], family: Family): string[] {
  const parsed = ruleCommand(words);
  if (parsed === undefined) return [];
  const { tool, table, verb, chain, rest } = parsed;
  const start = `${tool} -t ${table}`;
  switch (verb) {
    case '-A':
      return [`${start} -D ${chain} ${rest.join(' ')}`];
    case '-I':
      return [`${start} -D ${chain} ${rest.slice(/^\d+$/.test(rest[0] ?? '') ? 1 : 0).join(' ')}`];
    case '-D': {
      const rules = rulesOf(device, family, tool, table, chain);
      const spec = rest.join(' ');
      const index = /^\d+$/.test(spec) ? Number(spec) - 1 : rules.findIndex((rule) => specOf(rule, chain) === spec);
      const was = rules[index] === undefined ? undefined : specOf(rules[index], chain);
      return was === undefined ? [] : [`${start} -I ${chain} ${index + 1} ${was}`];
    }
    default:
      return [];
  }
}

function ruleCommand(words: readonly string[]): RuleCommand | undefined {
  const [tool = ''] = words;
  const at = words.findIndex((word) => ['-A', '-I', '-D'].includes(word));
  const chain = words[at + 1];
  if (at < 0 || chain === undefined) return undefined;
  const given = words.slice(1, at);
  const table = given[0] === '-t' ? (given[1] ?? 'filter') : 'filter';
  return { tool, table, verb: words[at]!, chain, rest: words.slice(at + 2) };
}

function rulesOf(device: LinuxDevice, family: Family, tool: string, table: string, chain: string): readonly Rule[] {
  const sets = device.rulesets.filter((ruleset) => ruleset.family === family);
  const wanted = tool.endsWith('-legacy') ? sets.filter((ruleset) => ruleset.variant === 'legacy') : sets;
  for (const ruleset of wanted) {
    const found = ruleset.tables.find((item) => item.name === table)?.chains.find((item) => item.name === chain);
    if (found !== undefined && found.rules.length > 0) return found.rules;
  }
  return [];
}

/** The rule as its command has it, without the chain; undefined where its line is no such command. */
function specOf({ origin }: Rule, chain: string): string | undefined {
  const text = origin.text.trim().replace(/^\[\d+:\d+\]\s*/, '');
  const words = text.split(/\s+/);
  const at = words.findIndex((word) => word === '-A' || word === '-I');
  if (at < 0 || words[at + 1] !== chain) return undefined;
  const rest = words.slice(at + 2);
  return rest.slice(words[at] === '-I' && /^\d+$/.test(rest[0] ?? '') ? 1 : 0).join(' ');
}

function undoRoute(device: LinuxDevice, words: readonly string[], family: Family): string[] {
  const ip = family === 6 ? 'ip -6' : 'ip';
  const [, , verb, ...rest] = words;
  const table = rest[rest.indexOf('table') + 1];
  const before =
    rest.includes('table') && table !== undefined ? routeBefore(device, family, rest[0] ?? '', table) : undefined;
  switch (verb) {
    case 'add':
      return [`${ip} route del ${rest.join(' ')}`];
    case 'replace':
    case 'change':
      return [
        before === undefined ? `${ip} route del ${rest.join(' ')}` : `${ip} route replace ${routeText(before, table!)}`,
      ];
    case 'del':
      return before === undefined ? [] : [`${ip} route add ${routeText(before, table!)}`];
    default:
      return [];
  }
}

function routeBefore(device: LinuxDevice, family: Family, destination: string, table: string): Route | undefined {
  const prefix =
    destination === 'default' ? parsePrefix(family === 6 ? '::/0' : '0.0.0.0/0') : parsePrefix(destination);
  const number = /^\d+$/.test(table) ? Number(table) : device.tableNames.get(table);
  return device.routes.find(
    (route) =>
      route.family === family &&
      route.table === number &&
      route.origin !== undefined &&
      route.prefix.prefixLength === prefix?.prefixLength &&
      route.prefix.words.join() === prefix.words.join(),
  );
}

/** The route as its line has it, with its table, which a dump of one table does not name. */
function routeText(route: Route, table: string): string {
  const text = route
    .origin!.text.trim()
    .replace(/^ip\s+(?:-6\s+)?route\s+(add|replace)\s+/, '')
    .replace(/\s+/g, ' ');
  return / table /.test(` ${text} `) ? text : `${text} table ${table}`;
}
