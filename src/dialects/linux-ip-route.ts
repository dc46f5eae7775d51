import type { NextHop, Route } from '../model/routing.ts';
import { type Family, formatIpAddress } from '../net/ip-address.ts';
import { formatPrefix, networkOf } from '../net/prefix.ts';
import { type SourceLine, scanWords, spanOfLine, type Word } from '../text/line-scanner.ts';
import type { Span } from '../text/span.ts';
import type { DeviceDraft } from './base/device-draft.ts';
import type { Dialect } from './base/dialect.ts';
import { readRouteWords } from './base/ip-route-words.ts';
import { WordCursor } from './base/ip-words.ts';
import type { Section } from './base/section.ts';

const TYPE = '(?:unicast|local|broadcast|multicast|anycast|blackhole|unreachable|prohibit|throw)';
const ROUTE = new RegExp(
  `^(?:${TYPE} +)?(?:default|[0-9][0-9.]*(?:/[0-9]+)?|[0-9a-f]*:[0-9a-f:.]*(?:/[0-9]+)?)(?= |$).* ?(?:dev|via|proto|metric|nhid|scope|table)\\b`,
  'i',
);
const ROUTE_WITHOUT_DEVICE = /^(?:blackhole|unreachable|prohibit|throw) (?:default|[0-9a-f:.]+(?:\/\d+)?)(?= |$)/i;
/** With its next hops on the lines that follow; within a list only. */
const BARE_ROUTE =
  /^(?:default|\d+(?:\.\d+){3}(?:\/\d+)?|[0-9a-f]*:[0-9a-f:]*(?:\/\d+)?)(?: linkdown| dead| tos \S+)*\s*$/;
const HEADING = /^ip (?:-([46]) )?(?:-d )?route show(?: table (\S+))?$/;
/** A neighbour ends with its state, or says its link address. */
const NEIGHBOUR = /\blladdr\b|\b(?:REACHABLE|STALE|DELAY|PROBE|FAILED|INCOMPLETE|PERMANENT|NOARP|NONE)\s*$/;

/** Which tables of which families the section shows completely. */
interface Extent {
  readonly families: readonly Family[];
  readonly table: 'all' | string;
}

function extentOf(section: Section): Extent {
  const heading = section.heading === undefined ? null : HEADING.exec(section.heading.command);
  if (heading === null) {
    const text = section.lines.map((line) => line.text);
    const all = text.some((line) => / table \S/.test(line) || /^(?:local|broadcast) /.test(line));
    return { families: [4], table: all ? 'all' : 'main' };
  }
  const [, family, written = 'main'] = heading;
  const table = written === '0' || written === 'unspec' ? 'all' : written;
  if (family !== undefined) return { families: [family === '6' ? 6 : 4], table };
  // Without a family `table all` prints both, a single table IPv4. Ref: iproute2 ip/iproute.c iproute_list_flush_or_save().
  return { families: table === 'all' ? [4, 6] : [4], table };
}

/** A route with the lines of its next hops. */
function groupLines(lines: readonly SourceLine[]): SourceLine[][] {
  const groups: SourceLine[][] = [];
  for (const line of lines) {
    // What `ip` says about a table that has no route.
    if (line.text.trim() === '' || /FIB table does not exist|^Dump terminated/.test(line.text)) continue;
    const last = groups.at(-1);
    if (/^\s/.test(line.text) && last !== undefined) last.push(line);
    else groups.push([line]);
  }
  return groups;
}

/** Words of a group; remarks of the route cache, and what an object holds, stand on lines of their own and are no part of a route. */
function wordsOf(group: readonly SourceLine[]): Word[] {
  const words: Word[] = [];
  for (const [index, line] of group.entries()) {
    if (index > 0 && /^\s*(?:cache|nh_info)\b/.test(line.text)) continue;
    for (const word of scanWords(line, 'none') ?? []) words.push(word);
  }
  return words;
}

const isError = (type: Route['type']): boolean => ['blackhole', 'unreachable', 'prohibit', 'throw'].includes(type);

function parseRoute(
  group: readonly SourceLine[],
  family: Family,
  table: string,
  draft: DeviceDraft,
): Route | undefined {
  const origin = spanOfLine(group[0]!);
  const read = readRouteWords(new WordCursor(wordsOf(group)), family);
  if (read.error !== undefined) draft.unparsed(`route not understood: ${read.error}`, origin);
  if (read.prefix === undefined) {
    draft.unknown('a route that is not understood', origin);
    return undefined;
  }
  if (read.error === undefined && read.unmodelled.length > 0) {
    draft.unmodelled(`where this route leads is not modelled: ${read.unmodelled.join(', ')}`, origin);
  }
  const id = draft.tableId(read.table ?? table, origin, false);
  return {
    family: read.prefix.family,
    table: id,
    type: read.type,
    prefix: networkOf(read.prefix),
    tos: read.tos,
    metric: read.metric ?? 0,
    // `blackhole … nhid 3 dev lo`: the interface is the kernel's own matter.
    nextHops: isError(read.type) ? [] : read.nextHops,
    ...(read.scope === undefined ? {} : { scope: read.scope }),
    ...(read.protocol === undefined ? {} : { protocol: read.protocol }),
    ...(read.preferredSource === undefined ? {} : { preferredSource: read.preferredSource }),
    ...(read.preference === undefined ? {} : { preference: read.preference }),
    ...(read.nextHopObject === undefined ? {} : { nextHopObject: read.nextHopObject }),
    unmodelled: read.error === undefined ? read.unmodelled : [...read.unmodelled, `not understood: ${read.error}`],
    origin,
  };
}

/** A table holds a destination with a metric once: where it comes twice without a heading, the routes are of several tables. */
function refuseMixture(draft: DeviceDraft, routes: readonly Route[]): void {
  const seen = new Set<string>();
  for (const route of routes) {
    const key = [
      formatPrefix(route.prefix),
      route.tos,
      route.metric,
      route.family === 6 ? fingerprint(route) : '',
    ].join(' ');
    if (seen.has(key) && route.origin !== undefined) {
      draft.unparsed(
        'routes of which table? give `ip route show table all`, or put `### ip route show table NAME` before each',
        route.origin,
      );
      draft.unknown('routes of unknown tables', route.origin);
      return;
    }
    seen.add(key);
  }
}

/** The route as it is compared between two dumps: what decides about packets, without the state of its links. */
function fingerprint(route: Route): string {
  const hop = ({ gateway, device, weight }: NextHop): string =>
    `${gateway === undefined ? '' : formatIpAddress(gateway)}%${device ?? ''}*${weight}`;
  return [
    route.table,
    route.type,
    formatPrefix(route.prefix),
    route.tos,
    route.metric,
    ...route.nextHops.map(hop),
  ].join(' ');
}

function addRoutes(
  draft: DeviceDraft,
  family: Family,
  table: 'all' | number,
  routes: readonly Route[],
  at: Span,
): void {
  const tables = draft.given.routeTables;
  const before = tables.get(family);
  const own = routes.filter((route) => route.family === family);
  const names = new Map([...draft.tableNames].map(([text, id]) => [id, text]));
  // Each table by itself, so that a single table and the same within `table all` are held against each other.
  const byTable = new Map<number, string[]>(table === 'all' ? [] : [[table, []]]);
  for (const route of own) {
    const lines = byTable.get(route.table);
    if (lines === undefined) byTable.set(route.table, [fingerprint(route)]);
    else lines.push(fingerprint(route));
  }
  const fresh = new Set<number>();
  for (const [id, lines] of byTable) {
    if (draft.isNew(`ip route (IPv${family}, table ${names.get(id) ?? id})`, lines.join('\n'), at)) fresh.add(id);
  }
  if (table === 'all') draft.isNew(`ip route (IPv${family}, all tables)`, [...byTable.keys()].sort().join(' '), at);
  for (const route of own) if (fresh.has(route.table)) draft.routes.push(route);
  if (table === 'all' || before === 'all') tables.set(family, 'all');
  else tables.set(family, new Set([...(before ?? []), table]));
}

/** `ip route show`, of one table or all. Ref: ip-route(8); linux-forwarding 4. */
export const linuxIpRoute: Dialect = {
  name: 'linux-ip-route',
  stage: 2,

  recognise({ heading, lines }) {
    if (heading !== undefined) return /^ip (?:-[46] )?(?:-d )?route show(?: |$)/.test(heading.command);
    const text = lines[0]?.text ?? '';
    return (ROUTE.test(text) || ROUTE_WITHOUT_DEVICE.test(text)) && !NEIGHBOUR.test(text);
  },

  extent: () => (line, recognised) =>
    recognised || BARE_ROUTE.test(line.text) || /^\s+(?:nexthop|cache|via|dev|nh_info)\b/.test(line.text),

  parse(section, draft) {
    const { families, table } = extentOf(section);
    const at = section.lines.find((line) => line.text.trim() !== '') ?? section.heading?.at;
    if (at === undefined) return;
    if (section.heading !== undefined && !HEADING.test(section.heading.command)) {
      draft.unparsed(
        'a filtered list does not show a whole table; give `ip route show table all`',
        spanOfLine(section.heading.at),
      );
      return;
    }
    const routes = groupLines(section.lines).flatMap((group) => {
      const route = parseRoute(group, families[0]!, table === 'all' ? 'main' : table, draft);
      return route === undefined ? [] : [route];
    });
    if (section.heading === undefined && table === 'main') refuseMixture(draft, routes);
    const id = table === 'all' ? table : draft.tableId(table, spanOfLine(at), false);
    const shown = new Set<Family>([...families, ...routes.map((route) => route.family)]);
    for (const family of shown) addRoutes(draft, family, id, routes, spanOfLine(at));
  },
};
