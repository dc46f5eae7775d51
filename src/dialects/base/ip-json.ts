import type { SourceLine } from '../../text/line-scanner.ts';
import { type JsonNode, readJsonList } from './json-text.ts';

type ObjectNode = Extract<JsonNode, { kind: 'object' }>;

/** Lines of an object, the first at the margin, the others indented. */
type Printer = (object: ObjectNode) => string[];

/** Objects of `ip -j`, told by their members. */
function printerOf(object: ObjectNode): Printer | undefined {
  const has = (...names: readonly string[]): boolean => names.every((name) => object.members.has(name));
  if (has('ifname')) return linkLines;
  if (has('priority', 'src')) return ruleLines;
  if (has('dst') && (has('lladdr') || (has('state', 'dev') && !has('flags')))) return neighbourLines;
  if (has('dst')) return routeLines;
  if (has('id') && (has('gateway') || has('via') || has('group') || has('blackhole') || has('dev'))) return objectLines;
  return undefined;
}

/**
 * The text that `ip` prints without `-j`, each line with the place of the JSON object that says it: one reader serves both forms.
 * Undefined where the lines do not begin with such a list. Ref: iproute2 ip/ip{address,route,rule,neigh,nexthop}.c, whose printing
 * functions make both.
 */
export function textOfJson(
  lines: readonly SourceLine[],
): { readonly text: SourceLine[]; readonly lineCount: number } | undefined {
  if (!/^\s*\[/.test(lines[0]?.text ?? '')) return undefined;
  const list = readJsonList(lines);
  if (list === undefined) return undefined;
  const text: SourceLine[] = [];
  for (const item of list.items) {
    if (item.kind !== 'object') return undefined;
    // A filtered list has empty objects for what was left out.
    if (item.members.size === 0) continue;
    const printer = printerOf(item);
    if (printer === undefined) return undefined;
    const { path, line, column } = item;
    for (const printed of printer(item)) {
      const indent = printed.length - printed.trimStart().length;
      text.push({ path, line, column: column - indent, text: printed });
    }
  }
  return { text, lineCount: list.lineCount };
}

/** A section's lines as text; as they are where they are no JSON of `ip`. */
export function asText(lines: readonly SourceLine[]): readonly SourceLine[] {
  const first = lines.findIndex((line) => line.text.trim() !== '');
  if (first < 0) return lines;
  const converted = textOfJson(lines.slice(first));
  const rest = converted === undefined ? [] : lines.slice(first + converted.lineCount);
  return converted === undefined || rest.some((line) => line.text.trim() !== '') ? lines : converted.text;
}

/** Lines in which the lists of `ip -j` were replaced by their text. */
export function withoutJson(lines: readonly SourceLine[]): readonly SourceLine[] {
  if (!lines.some((line) => /^\s*\[/.test(line.text))) return lines;
  const kept: SourceLine[] = [];
  for (let row = 0; row < lines.length; ) {
    const converted = textOfJson(lines.slice(row));
    if (converted === undefined || converted.text.length === 0) kept.push(lines[row++]!);
    else {
      for (const line of converted.text) kept.push(line);
      row += converted.lineCount;
    }
  }
  return kept;
}

const plainText = (node: JsonNode | undefined): string | undefined =>
  node?.kind === 'plain' && node.value !== null ? String(node.value) : undefined;

function membersOf(node: JsonNode | undefined): ObjectNode[] {
  return node?.kind === 'list' ? node.items.filter((item) => item.kind === 'object') : [];
}

/** `name value` for the members that are there, in this order; a name in parentheses is not printed. */
function words(object: ObjectNode, ...names: readonly (readonly [member: string, word: string])[]): string[] {
  return names.flatMap(([member, word]) => {
    const value = plainText(object.members.get(member));
    return value === undefined ? [] : word === '' ? [value] : [word, value];
  });
}

/** Members that no printing function above has used: as they stand, for the reader to say what it thinks of them. */
function others(object: ObjectNode, used: ReadonlySet<string>): string[] {
  return [...object.members].flatMap(([name, node]) => {
    if (used.has(name)) return [];
    const value = plainText(node);
    return value === undefined ? [name] : [name, value];
  });
}

function gatewayWords(object: ObjectNode): string[] {
  const via = object.members.get('via');
  const explicit = via?.kind === 'object' ? ['via', ...words(via, ['family', ''], ['host', ''])] : [];
  return [...words(object, ['gateway', 'via']), ...explicit];
}

function flagWords(object: ObjectNode): string[] {
  const flags = object.members.get('flags');
  return flags?.kind === 'list' ? flags.items.flatMap((item) => plainText(item) ?? []) : [];
}

const ROUTE_MEMBERS = new Set(
  'type dst from tos nhid gateway via dev table protocol scope prefsrc metric flags flow metrics nexthops nh_info encap cache'.split(
    ' ',
  ),
);

function routeLines(object: ObjectNode): string[] {
  const first = [
    ...words(object, ['type', ''], ['dst', ''], ['from', 'from'], ['tos', 'tos'], ['nhid', 'nhid']),
    ...gatewayWords(object),
    ...words(object, ['dev', 'dev'], ['table', 'table'], ['protocol', 'proto'], ['scope', 'scope'], ['prefsrc', 'src']),
    ...words(object, ['metric', 'metric']),
    ...flagWords(object),
    ...encapWords(object),
    ...others(object, ROUTE_MEMBERS),
  ];
  const flow = object.members.get('flow');
  if (flow?.kind === 'object') first.push('realm', ...words(flow, ['from', ''], ['to', '']).slice(-1));
  for (const metric of membersOf(object.members.get('metrics'))) first.push(...others(metric, new Set()));
  const hops = membersOf(object.members.get('nexthops')).map((hop) =>
    [
      '\tnexthop',
      ...gatewayWords(hop),
      ...words(hop, ['dev', 'dev'], ['weight', 'weight']),
      ...flagWords(hop),
      ...encapWords(hop),
    ].join(' '),
  );
  return [first.join(' '), ...hops];
}

/** What it holds touches nothing: it is unmodelled as a whole. */
function encapWords(object: ObjectNode): string[] {
  const encap = object.members.get('encap');
  return encap === undefined ? [] : ['encap', plainText(encap) ?? 'unknown'];
}

const RULE_MEMBERS = new Set(
  (
    'priority not src srclen dst dstlen tos fwmark fwmask iif iif_detached oif oif_detached uid_start uid_end l3mdev ipproto ' +
    'sport sport_start sport_end dport dport_start dport_end tun_id table suppress_prefixlen suppress_ifgroup goto unresolved nop ' +
    'action protocol'
  ).split(' '),
);

function ruleLines(object: ObjectNode): string[] {
  const value = (name: string): string | undefined => plainText(object.members.get(name));
  const flag = (name: string, word: string): string[] => (object.members.has(name) ? [word] : []);
  const prefix = (name: string, length: string): string => {
    const bits = value(length);
    return `${value(name)}${bits === undefined ? '' : `/${bits}`}`;
  };
  const range = (name: string): string[] => {
    const first = value(`${name}_start`);
    return first === undefined ? words(object, [name, name]) : [name, `${first}-${value(`${name}_end`)}`];
  };
  const mask = value('fwmask');
  const line = [
    `${value('priority')}:`,
    ...flag('not', 'not'),
    'from',
    prefix('src', 'srclen'),
    ...(object.members.has('dst') ? ['to', prefix('dst', 'dstlen')] : []),
    ...words(object, ['tos', 'tos']),
    ...(object.members.has('fwmark') ? ['fwmark', `${value('fwmark')}${mask === undefined ? '' : `/${mask}`}`] : []),
    ...words(object, ['iif', 'iif']),
    ...flag('iif_detached', '[detached]'),
    ...words(object, ['oif', 'oif']),
    ...flag('oif_detached', '[detached]'),
    ...(object.members.has('uid_start') ? ['uidrange', `${value('uid_start')}-${value('uid_end')}`] : []),
    ...words(object, ['ipproto', 'ipproto']),
    ...range('sport'),
    ...range('dport'),
    ...words(object, ['tun_id', 'tun_id']),
    ...others(object, RULE_MEMBERS),
    ...flag('l3mdev', 'lookup [l3mdev-table]'),
    ...words(object, ['table', 'lookup'], ['suppress_prefixlen', 'suppress_prefixlength']),
    ...words(object, ['suppress_ifgroup', 'suppress_ifgroup'], ['goto', 'goto']),
    ...flag('unresolved', '[unresolved]'),
    ...flag('nop', 'nop'),
    ...words(object, ['action', ''], ['protocol', 'proto']),
  ];
  return [line.join(' ')];
}

function neighbourLines(object: ObjectNode): string[] {
  const state = object.members.get('state');
  const states = state?.kind === 'list' ? state.items.flatMap((item) => plainText(item) ?? []) : [];
  const line = [...words(object, ['dst', ''], ['dev', 'dev'], ['lladdr', 'lladdr'])];
  for (const name of ['router', 'proxy', 'extern_learn', 'managed']) if (object.members.has(name)) line.push(name);
  return [[...line, ...states].join(' ')];
}

function objectLines(object: ObjectNode): string[] {
  const group = membersOf(object.members.get('group')).map((member) =>
    words(member, ['id', ''], ['weight', '']).join(','),
  );
  const line = [
    ...words(object, ['id', 'id']),
    ...(group.length === 0 ? [] : ['group', group.join('/')]),
    ...words(object, ['type', 'type']),
    ...encapWords(object),
    ...gatewayWords(object),
    ...words(object, ['dev', 'dev'], ['scope', 'scope']),
    ...(object.members.has('blackhole') ? ['blackhole'] : []),
    ...words(object, ['protocol', 'proto']),
    ...flagWords(object),
    ...(object.members.has('fdb') ? ['fdb'] : []),
  ];
  return [line.join(' ')];
}

function linkLines(object: ObjectNode): string[] {
  const value = (name: string): string | undefined => plainText(object.members.get(name));
  const link = value('link');
  const header = [
    `${value('ifindex') ?? 0}:`,
    `${value('ifname')}${link === undefined ? '' : `@${link}`}:`,
    `<${flagWords(object).join(',')}>`,
    ...words(object, ['mtu', 'mtu'], ['master', 'master'], ['operstate', 'state'], ['group', 'group']),
  ];
  const lines = [header.join(' ')];
  const type = value('link_type');
  if (type !== undefined)
    lines.push([`    link/${type}`, ...words(object, ['address', ''], ['broadcast', 'brd'])].join(' '));
  const info = object.members.get('linkinfo');
  const kind = info?.kind === 'object' ? plainText(info.members.get('info_kind')) : undefined;
  if (kind !== undefined) lines.push(`    ${kind}`);
  for (const address of membersOf(object.members.get('addr_info'))) lines.push(addressLine(address));
  return lines;
}

function addressLine(object: ObjectNode): string {
  const value = (name: string): string | undefined => plainText(object.members.get(name));
  const peer = value('address');
  const length = value('prefixlen');
  const written = peer === undefined ? `${value('local')}/${length}` : `${value('local')} peer ${peer}/${length}`;
  const line = [`    ${value('family')}`, written, ...words(object, ['broadcast', 'brd'], ['scope', 'scope'])];
  if (value('secondary') === 'true') line.push('secondary');
  return line.join(' ');
}
