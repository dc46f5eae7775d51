import type { AddressItem, FlagCondition, ServiceItem } from '../../model/access-list.ts';
import { parseIpv4 } from '../../net/ip-address.ts';
import type { PortRange } from '../../net/port-range.ts';
import { maskOfLength, parsePrefix } from '../../net/prefix.ts';
import type { Span } from '../../text/span.ts';
import { ciscoDscp, ciscoPort, ciscoPrecedence, ciscoProtocol, ICMP_MESSAGES } from './cisco-names.ts';
import type { Statement } from './cisco-words.ts';

/** An address of an entry: items, or the name of an object group that is looked up when everything was read. */
export type AddressSpec = { readonly items: readonly AddressItem[] } | { readonly group: string };

/** The protocol and ports of an entry, or a group of them. */
export type ServiceSpec = { readonly items: readonly ServiceItem[] } | { readonly group: string };

/** An entry as written; groups not yet looked up. */
export interface EntrySpec {
  readonly permit: boolean;
  readonly sequence?: number;
  readonly services: ServiceSpec;
  readonly source: AddressSpec;
  readonly destination: AddressSpec;
  readonly laterFragments: boolean;
  readonly flags?: FlagCondition;
  readonly tos?: { readonly mask: number; readonly values: readonly number[] };
  readonly unmodelled: readonly string[];
  readonly origin: Span;
}

const ANY: AddressSpec = { items: [{ kind: 'masked', address: 0, wildcard: 0xffffffff }] };
const FLAG_BITS: Readonly<Record<string, number>> = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32 };

/** Parses a standard entry behind `permit` or `deny`; undefined where it is none. */
export function parseStandardEntry(statement: Statement, permit: boolean, sequence?: number): EntrySpec | undefined {
  const source = parseAddress(statement, true);
  if (source === undefined) return undefined;
  const unmodelled = parseTrailer(statement);
  if (unmodelled === undefined) return undefined;
  return {
    permit,
    ...(sequence !== undefined && { sequence }),
    services: { items: [{}] },
    source,
    destination: ANY,
    laterFragments: false,
    unmodelled,
    origin: statement.span,
  };
}

/** What may stand behind a standard entry. */
function parseTrailer(statement: Statement): string[] | undefined {
  while (!statement.done) {
    if (statement.takeOne('log', 'log-input') === undefined) return undefined;
    if (!statement.done) statement.next();
  }
  return [];
}

/** Parses an extended entry behind `permit` or `deny`; undefined where it is none. */
export function parseExtendedEntry(statement: Statement, permit: boolean, sequence?: number): EntrySpec | undefined {
  const head = parseProtocol(statement);
  if (head === undefined) return undefined;
  const source = parseAddress(statement, false);
  if (source === undefined) return undefined;
  const sourcePorts = parsePorts(statement, head.protocol);
  const destination = sourcePorts === 'wrong' ? undefined : parseAddress(statement, false);
  if (destination === undefined || sourcePorts === 'wrong') return undefined;
  const destinationPorts = parsePorts(statement, head.protocol);
  if (destinationPorts === 'wrong') return undefined;
  const options = parseOptions(statement, head.protocol);
  if (options === undefined) return undefined;
  const unmodelled = [...options.unmodelled];
  if (sourcePorts === 'group' || destinationPorts === 'group') unmodelled.push('portgroup');
  const ports: ServiceItem = {
    ...(Array.isArray(sourcePorts) && { sourcePorts }),
    ...(Array.isArray(destinationPorts) && { destinationPorts }),
    ...(options.icmp !== undefined && { icmpType: options.icmp[0] }),
    ...(options.icmp?.[1] !== undefined && { icmpCode: options.icmp[1] }),
  };
  return {
    permit,
    ...(sequence !== undefined && { sequence }),
    services:
      head.group === undefined
        ? { items: [{ ...(head.protocol !== undefined && { protocol: head.protocol }), ...ports }] }
        : { group: head.group },
    source,
    destination,
    laterFragments: options.laterFragments,
    ...(options.flags !== undefined && { flags: options.flags }),
    ...(options.tos !== undefined && { tos: options.tos }),
    unmodelled,
    origin: statement.span,
  };
}

function parseProtocol(statement: Statement): { protocol?: number; group?: string } | undefined {
  if (statement.take('object-group')) return { group: statement.next() };
  const protocol = ciscoProtocol(statement.peek());
  if (protocol === undefined) return undefined;
  statement.next();
  return protocol === 'any' ? {} : { protocol };
}

/** Parses `any`, `host A`, `A WILDCARD`, `A/LENGTH`, a group. In a standard entry the wildcard may be left out: one host. */
export function parseAddress(statement: Statement, standard: boolean): AddressSpec | undefined {
  if (statement.takeOne('any', 'any4') !== undefined) return ANY;
  if (statement.takeOne('object-group', 'addrgroup') !== undefined) {
    const group = statement.next();
    return group === '' ? undefined : { group };
  }
  const host = statement.take('host');
  const text = statement.next();
  if (text.includes('/')) {
    const prefix = parsePrefix(text);
    return prefix?.family === 4 ? masked(prefix.words[0], ~maskOfLength(prefix.prefixLength) >>> 0) : undefined;
  }
  const address = parseIpv4(text);
  if (address === undefined) {
    // A name that the router resolved when it was typed.
    return host && /^[A-Za-z][\w.-]*$/.test(text)
      ? { items: [{ kind: 'unknown', reason: `the address of host ${text} is not in the router's state` }] }
      : undefined;
  }
  if (host) return masked(address, 0);
  const wildcard = parseIpv4(statement.peek());
  if (wildcard === undefined) return standard ? masked(address, 0) : undefined;
  statement.next();
  return masked(address, wildcard);
}

function masked(address: number, wildcard: number): AddressSpec {
  return { items: [{ kind: 'masked', address, wildcard }] };
}

/** Parses a port operator, if one stands next. `eq` and `neq` take several ports. */
export function parsePorts(
  statement: Statement,
  protocol: number | undefined,
): readonly PortRange[] | undefined | 'wrong' | 'group' {
  if (statement.take('portgroup')) {
    statement.next();
    return 'group';
  }
  const operator = statement.takeOne('eq', 'neq', 'gt', 'lt', 'range');
  if (operator === undefined) return undefined;
  const ports: number[] = [];
  while (!statement.done) {
    const port = ciscoPort(statement.peek(), protocol);
    if (port === undefined) break;
    ports.push(port);
    statement.next();
    if (operator !== 'eq' && operator !== 'neq' && ports.length === (operator === 'range' ? 2 : 1)) break;
  }
  const [first, second] = ports;
  if (first === undefined) return 'wrong';
  switch (operator) {
    case 'eq':
      return ports.map((port) => ({ first: port, last: port }));
    case 'neq':
      return allBut(ports);
    case 'gt':
      return first === 65535 ? [] : [{ first: first + 1, last: 65535 }];
    case 'lt':
      return first === 0 ? [] : [{ first: 0, last: first - 1 }];
    case 'range':
      if (second === undefined) return 'wrong';
      // IOS puts the ends in order. Ref: Cisco IOS command reference.
      return [{ first: Math.min(first, second), last: Math.max(first, second) }];
  }
}

function allBut(ports: readonly number[]): PortRange[] {
  const ranges: PortRange[] = [];
  let next = 0;
  for (const port of [...ports].sort((a, b) => a - b)) {
    if (port > next) ranges.push({ first: next, last: port - 1 });
    next = port + 1;
  }
  if (next <= 65535) ranges.push({ first: next, last: 65535 });
  return ranges;
}

interface Options {
  laterFragments: boolean;
  flags?: FlagCondition;
  tos?: { readonly mask: number; readonly values: readonly number[] };
  icmp?: readonly [number, number?];
  readonly unmodelled: string[];
}

/** Options of which nothing more is known than their name, with the words that belong to them. */
const UNMODELLED: Readonly<Record<string, number>> = {
  'time-range': 1,
  option: 1,
  ttl: 2,
  'packet-length': 2,
  reflect: 1,
  tos: 1,
  udf: 3,
};

function parseOptions(statement: Statement, protocol: number | undefined): Options | undefined {
  const options: Options = { laterFragments: false, unmodelled: [] };
  const bits: { bit: number; set: boolean }[] = [];
  let any = true;
  while (!statement.done) {
    const word = statement.next().toLowerCase();
    const flag = FLAG_BITS[word];
    if (word === 'log' || word === 'log-input') {
      if (/^\w+$/.test(statement.peek()) && !isOption(statement.peek())) statement.next();
    } else if (word === 'fragments') options.laterFragments = true;
    else if (word === 'established') bits.push({ bit: 16, set: true }, { bit: 4, set: true });
    else if (flag !== undefined && protocol === 6) bits.push({ bit: flag, set: true });
    else if (word === 'match-all' || word === 'match-any') {
      any = word === 'match-any';
      if (!takeSignedFlags(statement, bits)) return undefined;
    } else if (word === 'dscp' || word === 'precedence') {
      const value = word === 'dscp' ? ciscoDscp(statement.next()) : ciscoPrecedence(statement.next());
      if (value === undefined) return undefined;
      options.tos = word === 'dscp' ? { mask: 0xfc, values: [value << 2] } : { mask: 0xe0, values: [value << 5] };
    } else if (protocol === 1 && options.icmp === undefined && takeIcmp(statement, word, options)) continue;
    else if (protocol === 2 && /^[\w-]+$/.test(word)) options.unmodelled.push(`igmp ${word}`);
    else if (word in UNMODELLED) {
      const count = UNMODELLED[word]!;
      const rest = Array.from({ length: count }, () => statement.next());
      options.unmodelled.push([word, ...rest].join(' ').trim());
      if (word === 'reflect' && statement.take('timeout')) statement.next();
    } else return undefined;
  }
  if (bits.length > 0) options.flags = { any, bits };
  return options;
}

function isOption(word: string): boolean {
  return word.toLowerCase() in UNMODELLED || /^(?:log|fragments|established|dscp|precedence|match-)/i.test(word);
}

/** `+syn -ack`: flags that are set and flags that are not. */
function takeSignedFlags(statement: Statement, bits: { bit: number; set: boolean }[]): boolean {
  let count = 0;
  while (/^[+-][a-z]{3}$/i.test(statement.peek())) {
    const word = statement.next().toLowerCase();
    const bit = FLAG_BITS[word.slice(1)];
    if (bit === undefined) return false;
    bits.push({ bit, set: word.startsWith('+') });
    count++;
  }
  return count > 0;
}

function takeIcmp(statement: Statement, word: string, options: Options): boolean {
  const named = ICMP_MESSAGES[word];
  if (named !== undefined) {
    options.icmp = named;
    return true;
  }
  if (!/^\d{1,3}$/.test(word)) return false;
  const code = statement.takeNumber();
  options.icmp = code === undefined ? [Number(word)] : [Number(word), code];
  return true;
}

/** The kind of a numbered list; undefined where the number is of another protocol's lists. */
export function kindOfNumber(name: string): 'standard' | 'extended' | undefined {
  const number = Number(name);
  if ((number >= 1 && number <= 99) || (number >= 1300 && number <= 1999)) return 'standard';
  if ((number >= 100 && number <= 199) || (number >= 2000 && number <= 2699)) return 'extended';
  return undefined;
}
