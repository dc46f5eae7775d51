import type { PolicyAction, PolicyRule } from '../../model/routing.ts';
import { RouteTableId } from '../../model/routing.ts';
import type { Family } from '../../net/ip-address.ts';
import { parseIpProtocol } from '../../net/ip-protocol.ts';
import { parseMaskedMark } from '../../net/masked-mark.ts';
import { parsePortRange } from '../../net/port-range.ts';
import type { IpPrefix } from '../../net/prefix.ts';
import { parseIpPrefix, parseTos, type WordCursor } from './ip-words.ts';

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** What the words of a rule say; priority and action are absent where they are not said. */
export interface RuleWords {
  readonly priority?: number;
  readonly action?: PolicyAction;
  readonly selectors: Omit<PolicyRule, 'family' | 'priority' | 'action' | 'origin'>;
  /** Which word or value is not understood. */
  readonly error?: string;
}

class RuleError extends Error {}

interface Reading {
  readonly cursor: WordCursor;
  readonly family: Family;
  readonly tableId: (name: string) => number;
  readonly selectors: Writable<Omit<PolicyRule, 'family' | 'priority' | 'action' | 'origin' | 'unmodelled'>>;
  readonly unmodelled: string[];
  priority?: number;
  action?: PolicyAction;
}

/** Selectors and attributes that are recognised and not modelled, with the number of their values. */
const UNMODELLED: Readonly<Record<string, number>> = {
  dscp: 1,
  flowlabel: 1,
  uidrange: 1,
  tun_id: 1,
  realms: 1,
  nat: 1,
  'map-to': 1,
};

/**
 * Reads the selectors and the action of one rule, as `ip rule show` prints them and as `ip rule add` takes them. Never throws; after an
 * error the fields read so far stand.
 * Ref: iproute2 ip/iprule.c; printing order: linux-forwarding 3.11.
 */
export function readRuleWords(cursor: WordCursor, family: Family, tableId: (name: string) => number): RuleWords {
  const reading: Reading = { cursor, family, tableId, selectors: { inverted: false }, unmodelled: [] };
  let error: string | undefined;
  try {
    while (!cursor.atEnd) readWord(reading, cursor.take()!);
  } catch (thrown) {
    if (!(thrown instanceof RuleError)) throw thrown;
    error = thrown.message;
  }
  return {
    ...(reading.priority === undefined ? {} : { priority: reading.priority }),
    ...(reading.action === undefined ? {} : { action: reading.action }),
    selectors: { ...reading.selectors, unmodelled: reading.unmodelled },
    ...(error === undefined ? {} : { error }),
  };
}

function value(reading: Reading, name: string): string {
  const text = reading.cursor.take();
  if (text === undefined) throw new RuleError(`${name} needs a value`);
  return text;
}

function number(reading: Reading, name: string): number {
  const text = value(reading, name);
  const parsed = /^(?:0x[0-9a-f]{1,8}|\d{1,10})$/i.test(text) ? Number(text) : Number.NaN;
  if (!(parsed <= 0xffffffff)) throw new RuleError(`${name} ${text} is no number`);
  return parsed;
}

function prefix(reading: Reading, name: string): IpPrefix | undefined {
  const text = value(reading, name);
  const parsed = parseIpPrefix(text, reading.family);
  if (parsed === undefined || parsed.family !== reading.family) {
    throw new RuleError(`${name} ${text} is no IPv${reading.family} prefix`);
  }
  return parsed.prefixLength === 0 ? undefined : parsed;
}

/** `[detached]`, `[unresolved]`: remarks of the kernel; the device or rule of that name may come later. */
const REMARKS = new Set(['[detached]', '[unresolved]']);

function readWord(reading: Reading, word: string): void {
  const { selectors } = reading;
  switch (word) {
    case 'not':
      selectors.inverted = true;
      return;
    case 'from': {
      const from = prefix(reading, word);
      if (from !== undefined) selectors.from = from;
      return;
    }
    case 'to': {
      const to = prefix(reading, word);
      if (to !== undefined) selectors.to = to;
      return;
    }
    case 'fwmark':
      readMark(reading);
      return;
    case 'iif':
    case 'dev':
      selectors.iif = value(reading, word);
      return;
    case 'oif':
      selectors.oif = value(reading, word);
      return;
    case 'tos':
    case 'dsfield': {
      const text = value(reading, word);
      const tos = parseTos(text);
      if (tos === undefined) throw new RuleError(`${word} ${text} is no type of service`);
      if (tos !== 0) selectors.tos = tos;
      return;
    }
    case 'ipproto': {
      const text = value(reading, word);
      const protocol = parseIpProtocol(text);
      if (protocol === undefined) throw new RuleError(`ipproto ${text} is no protocol`);
      selectors.ipProtocol = protocol;
      return;
    }
    case 'sport':
    case 'dport': {
      const text = value(reading, word);
      const range = parsePortRange(text);
      if (range === undefined) throw new RuleError(`${word} ${text} is no port or range of ports`);
      if (word === 'sport') selectors.sourcePorts = range;
      else selectors.destinationPorts = range;
      return;
    }
    default:
      if (!REMARKS.has(word) && !readAction(reading, word)) readAttribute(reading, word);
  }
}

function readMark(reading: Reading): void {
  const text = value(reading, 'fwmark');
  const mark = parseMaskedMark(text);
  if (mark === undefined) throw new RuleError(`fwmark ${text} is no mark of 32 bits`);
  // `fwmark 0` has mask 0 and matches everything. Ref: linux-forwarding 3.6.
  if (mark.value === 0 && !text.includes('/')) return;
  reading.selectors.fwmark = mark;
}

function readAction(reading: Reading, word: string): boolean {
  switch (word) {
    case 'lookup':
    case 'table': {
      const table = value(reading, word);
      if (table === '[l3mdev-table]') {
        reading.unmodelled.push('l3mdev');
        reading.action = { kind: 'blackhole' };
      } else reading.action = { kind: 'lookup', table: reading.tableId(table) };
      return true;
    }
    case 'goto':
      reading.action = { kind: 'goto', priority: number(reading, word) };
      return true;
    case 'type':
      if (!readAction(reading, value(reading, word))) throw new RuleError('the type is none of a rule');
      return true;
    case 'unicast':
      return true;
    case 'nop':
    case 'blackhole':
    case 'unreachable':
    case 'prohibit':
      reading.action = { kind: word };
      return true;
    case 'throw':
      // iproute2 accepts it, and the kernel takes it as blackhole. Ref: linux-forwarding 3.8.
      reading.action = { kind: 'blackhole' };
      return true;
    default:
      return false;
  }
}

function readAttribute(reading: Reading, word: string): void {
  const { selectors } = reading;
  if (word === 'suppress_prefixlength' || word === 'sup_pl') {
    selectors.suppressPrefixLength = number(reading, word);
    return;
  }
  if (word === 'suppress_ifgroup' || word === 'sup_group') {
    selectors.suppressInterfaceGroup = value(reading, word);
    return;
  }
  if (word === 'l3mdev') {
    reading.unmodelled.push(word);
    reading.action ??= { kind: 'blackhole' };
    return;
  }
  const values = Object.hasOwn(UNMODELLED, word) ? UNMODELLED[word] : undefined;
  if (values !== undefined) {
    reading.unmodelled.push([word, ...Array.from({ length: values }, () => value(reading, word))].join(' '));
    return;
  }
  // iproute2 takes abbreviations of these.
  if (/^(?:pref|prio|order)/.test(word) && ['preference', 'priority', 'order'].some((name) => name.startsWith(word))) {
    reading.priority = number(reading, word);
    return;
  }
  if (word.length >= 5 && 'protocol'.startsWith(word)) {
    selectors.protocol = value(reading, word);
    return;
  }
  if (word.length >= 1 && 'table'.startsWith(word)) {
    readAction(reading, 'table');
    return;
  }
  throw new RuleError(`"${word}" is not understood`);
}

/** The action of a rule that says none: `ip rule add` looks up main. */
export const DEFAULT_ACTION: PolicyAction = { kind: 'lookup', table: RouteTableId.main };
