import type { NextHop, RouteType } from '../../model/routing.ts';
import { type Family, type IpAddress, parseIpAddress } from '../../net/ip-address.ts';
import type { IpPrefix } from '../../net/prefix.ts';
import { parseIpPrefix, parseTos, type WordCursor } from './ip-words.ts';

/** What the words of a route say. */
export interface RouteWords {
  readonly type: RouteType;
  /** Absent where it could not be read. */
  readonly prefix?: IpPrefix;
  /** Table by name or number, where it is said. */
  readonly table?: string;
  readonly tos: number;
  readonly metric?: number;
  readonly nextHops: readonly NextHop[];
  readonly scope?: string;
  readonly protocol?: string;
  readonly preferredSource?: IpAddress;
  readonly preference?: 'low' | 'high';
  /** Of `nhid`. */
  readonly nextHopObject?: number;
  readonly unmodelled: readonly string[];
  /** Type as written; a command that deletes takes any type where none is. */
  readonly typeWritten: boolean;
  readonly error?: string;
}

type HopDraft = { -readonly [K in keyof NextHop]: NextHop[K] };

class RouteError extends Error {}

interface Reading {
  readonly cursor: WordCursor;
  family: Family;
  type: RouteType;
  typeWritten: boolean;
  prefix?: IpPrefix;
  table?: string;
  tos: number;
  metric?: number;
  scope?: string;
  protocol?: string;
  preferredSource?: IpAddress;
  preference?: 'low' | 'high';
  /** Of the route itself; absent where `nexthop` parts follow. */
  single?: HopDraft;
  readonly hops: HopDraft[];
  readonly unmodelled: string[];
  nextHopObject?: number;
}

const TYPES: ReadonlySet<string> = new Set([
  'unicast',
  'local',
  'broadcast',
  'multicast',
  'anycast',
  'blackhole',
  'unreachable',
  'prohibit',
  'throw',
]);

const isRouteType = (word: string): word is RouteType => TYPES.has(word);

/** Flags that say nothing about where packets go. */
const FLAGS: ReadonlySet<string> = new Set([
  'pervasive',
  'offload',
  'rt_offload',
  'rt_trap',
  'trap',
  'notify',
  'linkdown,dead',
  '\\',
]);

/** Attributes with one value that do not touch the path. */
const NEUTRAL: ReadonlySet<string> = new Set([
  'advmss',
  'hoplimit',
  'window',
  'rtt',
  'rttvar',
  'rto_min',
  'ssthresh',
  'cwnd',
  'initcwnd',
  'initrwnd',
  'quickack',
  'reordering',
  'features',
  'congctl',
  'fastopen_no_cookie',
  'pref',
  'expires',
  'error',
  'users',
  'age',
  'cache',
  'ttl-propagate',
]);

const newHop = (): HopDraft => ({ weight: 1, dead: false, linkDown: false, onLink: false });

/**
 * Reads one route, its `nexthop` parts included, as `ip route show` prints it and as `ip route add` takes it. Never throws; after an
 * error the fields read so far stand.
 * Ref: iproute2 ip/iproute.c: print_route(), iproute_modify().
 */
export function readRouteWords(cursor: WordCursor, family: Family): RouteWords {
  const reading: Reading = { cursor, family, type: 'unicast', typeWritten: false, tos: 0, hops: [], unmodelled: [] };
  let error: string | undefined;
  try {
    readDestination(reading);
    while (!cursor.atEnd) readAttribute(reading, cursor.take()!);
  } catch (thrown) {
    if (!(thrown instanceof RouteError)) throw thrown;
    error = thrown.message;
  }
  const { type, typeWritten, prefix, table, tos, metric, scope, protocol, preferredSource, unmodelled } = reading;
  return {
    type,
    typeWritten,
    ...(prefix === undefined ? {} : { prefix }),
    ...(table === undefined ? {} : { table }),
    tos,
    ...(metric === undefined ? {} : { metric }),
    nextHops: reading.hops.length > 0 ? reading.hops : reading.single === undefined ? [] : [reading.single],
    ...(scope === undefined ? {} : { scope }),
    ...(protocol === undefined ? {} : { protocol }),
    ...(preferredSource === undefined ? {} : { preferredSource }),
    ...(reading.preference === undefined ? {} : { preference: reading.preference }),
    ...(reading.nextHopObject === undefined ? {} : { nextHopObject: reading.nextHopObject }),
    unmodelled,
    ...(error === undefined ? {} : { error }),
  };
}

function value(reading: Reading, name: string): string {
  const text = reading.cursor.take();
  if (text === undefined) throw new RouteError(`${name} needs a value`);
  return text;
}

function readDestination(reading: Reading): void {
  let word = reading.cursor.take() ?? '';
  if (isRouteType(word)) {
    reading.type = word;
    reading.typeWritten = true;
    word = reading.cursor.take() ?? '';
  }
  if (word === 'to') word = reading.cursor.take() ?? '';
  const prefix = parseIpPrefix(word, reading.family);
  if (prefix === undefined) throw new RouteError(`"${word}" is no destination`);
  reading.prefix = prefix;
  reading.family = prefix.family;
}

function hopOf(reading: Reading): HopDraft {
  const last = reading.hops.at(-1);
  if (last !== undefined) return last;
  reading.single ??= newHop();
  return reading.single;
}

function readAttribute(reading: Reading, word: string): void {
  switch (word) {
    case 'via':
      readGateway(reading);
      return;
    case 'dev':
    case 'oif':
      hopOf(reading).device = value(reading, word);
      return;
    case 'nexthop':
      reading.hops.push(newHop());
      return;
    case 'weight': {
      const weight = Number(value(reading, word));
      if (!(weight >= 1 && weight <= 256)) throw new RouteError('a weight is a number from 1 to 256');
      hopOf(reading).weight = weight;
      return;
    }
    case 'onlink':
      hopOf(reading).onLink = true;
      return;
    case 'dead':
      hopOf(reading).dead = true;
      return;
    case 'linkdown':
      hopOf(reading).linkDown = true;
      return;
    case 'src':
      reading.preferredSource = readAddress(reading, word);
      return;
    case 'table':
      reading.table = value(reading, word);
      return;
    case 'scope':
      reading.scope = value(reading, word);
      return;
    case 'tos':
    case 'dsfield': {
      const text = value(reading, word);
      const tos = parseTos(text);
      if (tos === undefined) throw new RouteError(`${word} ${text} is no type of service`);
      reading.tos = tos;
      return;
    }
    case 'nhid': {
      const id = Number(value(reading, word));
      if (!Number.isInteger(id) || id < 1 || id > 0xffffffff) throw new RouteError('nhid is a number of 32 bits');
      reading.nextHopObject = id;
      return;
    }
    default:
      readRareAttribute(reading, word);
  }
}

function readRareAttribute(reading: Reading, word: string): void {
  if (FLAGS.has(word)) return;
  if (word === 'unresolved') {
    reading.unmodelled.push(word);
    return;
  }
  if (
    word === 'metric' ||
    (word.length >= 4 && ('priority'.startsWith(word) || 'preference'.startsWith(word)) && word !== 'pref')
  ) {
    const metric = Number(value(reading, word));
    if (!Number.isInteger(metric) || metric < 0 || metric > 0xffffffff)
      throw new RouteError('a metric is a number of 32 bits');
    reading.metric = metric;
    return;
  }
  if (word.length >= 5 && 'protocol'.startsWith(word)) {
    reading.protocol = value(reading, word);
    return;
  }
  // A route's own MTU decides about "too big", which only the device's is modelled for; realms touch the reverse path filter.
  if (word === 'mtu' || word === 'realm' || word === 'realms' || word === 'from') {
    const first = value(reading, word);
    reading.unmodelled.push(`${word} ${first === 'lock' ? `lock ${value(reading, word)}` : first}`);
    return;
  }
  if (word === 'encap') {
    readEncapsulation(reading);
    return;
  }
  if (word === 'pref') becomesIpv6(reading);
  if (NEUTRAL.has(word)) {
    const first = value(reading, word);
    if (word === 'pref' && (first === 'low' || first === 'high')) reading.preference = first;
    if (first === 'lock') value(reading, word);
    return;
  }
  if (word.length >= 1 && 'table'.startsWith(word)) {
    reading.table = value(reading, word);
    return;
  }
  throw new RouteError(`"${word}" is not understood`);
}

/** `default` says no family: a gateway or attribute that only IPv6 has decides where the family was not said. */
function becomesIpv6(reading: Reading): boolean {
  if (reading.family === 6 || reading.prefix === undefined || reading.prefix.prefixLength !== 0) return false;
  reading.family = 6;
  reading.prefix = { ...reading.prefix, family: 6 };
  return true;
}

function readGateway(reading: Reading): void {
  let text = value(reading, 'via');
  const explicit = text === 'inet' || text === 'inet6';
  if (explicit) text = value(reading, 'via');
  const gateway = parseIpAddress(text);
  if (gateway === undefined) throw new RouteError(`via ${text} is no address`);
  hopOf(reading).gateway = gateway;
  if (gateway.family !== reading.family && !(gateway.family === 6 && !explicit && becomesIpv6(reading))) {
    reading.unmodelled.push(`via inet${gateway.family === 6 ? '6' : ''} ${text}`);
  }
}

function readAddress(reading: Reading, name: string): IpAddress {
  const text = value(reading, name);
  const address = parseIpAddress(text);
  if (address === undefined) throw new RouteError(`${name} ${text} is no address`);
  return address;
}

/** `encap TYPE …` has words of its own for each type; they end where the route's next part begins. */
function readEncapsulation(reading: Reading): void {
  const words: string[] = [];
  for (
    let next = reading.cursor.peek();
    next !== undefined && next !== 'via' && next !== 'dev';
    next = reading.cursor.peek()
  ) {
    words.push(reading.cursor.take()!);
  }
  reading.unmodelled.push(`encap ${words.join(' ')}`);
}
