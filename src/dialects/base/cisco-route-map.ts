import type { PolicyAction, PolicyHop } from '../../model/policy-route.ts';
import { parseIpv4 } from '../../net/ip-address.ts';
import type { CiscoDraft, MapEntryDraft } from './cisco-draft.ts';
import { type Statement, takeInterface } from './cisco-words.ts';

/** Reads `route-map NAME [permit|deny] [SEQUENCE]`; returns the entry that follows. */
export function openRouteMap(draft: CiscoDraft, statement: Statement, removes: boolean): MapEntryDraft | undefined {
  const name = statement.next();
  const action = statement.takeOne('permit', 'deny');
  const given = statement.takeNumber();
  if (name === '' || (!statement.done && statement.peek() !== 'ordering-seq')) {
    draft.unparsed('this is no route-map statement', statement.span);
    return undefined;
  }
  if (removes) {
    if (given === undefined) draft.maps.delete(name);
    else draft.maps.get(name)?.delete(given);
    return undefined;
  }
  const map = draft.maps.get(name) ?? new Map<number, MapEntryDraft>();
  draft.maps.set(name, map);
  // Without a number it is the map's only entry, or a first one with the number 10.
  const sequence = given ?? (map.size === 1 ? [...map.keys()][0]! : 10);
  let entry = map.get(sequence);
  if (entry === undefined) {
    entry = {
      sequence,
      permit: true,
      matches: [],
      actions: [],
      verifiesAvailability: false,
      origin: statement.span,
    };
    map.set(sequence, entry);
  }
  if (action !== undefined) entry.permit = action === 'permit';
  return entry;
}

/** Reads a statement within an entry; whether its words are of a route-map at all. */
export function readRouteMapLine(
  draft: CiscoDraft,
  entry: MapEntryDraft,
  statement: Statement,
  removes: boolean,
): boolean {
  if (statement.take('description')) return true;
  if (statement.take('match')) {
    readMatch(draft, entry, statement, removes);
    return true;
  }
  if (statement.take('set')) {
    if (removes) removeSet(entry, statement);
    else readSet(draft, entry, statement);
    return true;
  }
  if (statement.take('continue')) {
    if (!removes) {
      entry.actions.push({ kind: 'unmodelled', name: 'continue', origin: statement.span });
      draft.unmodelled('continue in a route-map is not modelled', statement.span);
    }
    return true;
  }
  return false;
}

function readMatch(draft: CiscoDraft, entry: MapEntryDraft, statement: Statement, removes: boolean): void {
  const origin = statement.span;
  if (statement.take('ip', 'address') && statement.peek() !== 'prefix-list') {
    const names = statement.rest().split(' ').filter(Boolean);
    if (removes) {
      const gone = (name: string): boolean => names.length === 0 || names.includes(name);
      for (const [index, match] of [...entry.matches.entries()].reverse()) {
        if (match.kind !== 'access-lists') continue;
        const left = match.names.filter((name) => !gone(name));
        if (left.length === 0) entry.matches.splice(index, 1);
        else entry.matches[index] = { ...match, names: left };
      }
    } else if (names.length === 0) draft.unparsed('match ip address names no access list', origin);
    else entry.matches.push({ kind: 'access-lists', names, origin });
    return;
  }
  if (statement.take('length')) {
    const first = statement.takeNumber();
    const last = statement.takeNumber();
    if (removes) {
      const index = entry.matches.findIndex((match) => match.kind === 'length');
      if (index >= 0) entry.matches.splice(index, 1);
    } else if (first === undefined || last === undefined) draft.unparsed('match length takes two numbers', origin);
    else entry.matches.push({ kind: 'length', first, last, origin });
    return;
  }
  const name = origin.text.replace(/^no\s+/i, '');
  if (removes) {
    const index = entry.matches.findIndex((match) => match.kind === 'unmodelled' && match.name === name);
    if (index >= 0) entry.matches.splice(index, 1);
    return;
  }
  entry.matches.push({ kind: 'unmodelled', name, origin });
  draft.unmodelled(`"${name}" is not modelled for policy routing`, origin);
}

/** What a set clause writes into a packet, which steers nothing; or into a route that is announced. */
const MARKS =
  /^(?:ip (?:precedence|tos|dscp|df|qos-group)|dscp|precedence|qos-group|cos|discard-class|mpls experimental)\b/i;

function readSet(draft: CiscoDraft, entry: MapEntryDraft, statement: Statement): void {
  const { span: origin } = statement;
  const words = statement.rest();
  if (MARKS.test(words)) return;
  const action = parseSet(entry, statement);
  if (action === 'done') return;
  if (action !== undefined) {
    addAction(entry, action);
    return;
  }
  const name = origin.text;
  entry.actions.push({ kind: 'unmodelled', name, origin });
  draft.unmodelled(`"${name}" is not modelled for policy routing`, origin);
}

/** Next hops of one kind in several lines are one list, in their order. */
function addAction(entry: MapEntryDraft, action: PolicyAction): void {
  if (action.kind === 'next-hops') {
    const index = entry.actions.findIndex(
      (other) => other.kind === 'next-hops' && other.isDefault === action.isDefault,
    );
    const known = entry.actions[index];
    if (known?.kind === 'next-hops') {
      const added = action.hops.filter((hop) => !known.hops.some((other) => other.address === hop.address));
      entry.actions[index] = { ...known, hops: [...known.hops, ...added] };
      return;
    }
  }
  entry.actions.push(action);
}

function parseSet(entry: MapEntryDraft, statement: Statement): PolicyAction | 'done' | undefined {
  const origin = statement.span;
  if (statement.take('ip', 'next-hop')) return parseNextHop(entry, statement, false);
  if (statement.take('ip', 'default', 'next-hop')) return parseNextHop(entry, statement, true);
  if (statement.take('interface')) return parseInterfaces(statement, false);
  if (statement.take('default', 'interface')) return parseInterfaces(statement, true);
  if (statement.take('vrf')) return { kind: 'table', vrf: statement.next(), origin };
  if (statement.take('global') && statement.done) return { kind: 'table', vrf: '', origin };
  return undefined;
}

function parseNextHop(
  entry: MapEntryDraft,
  statement: Statement,
  isDefault: boolean,
): PolicyAction | 'done' | undefined {
  const origin = statement.span;
  if (statement.take('recursive')) {
    const address = parseIpv4(statement.next());
    return address === undefined || !statement.done || isDefault ? undefined : { kind: 'recursive', address, origin };
  }
  const verified = statement.take('verify-availability');
  if (verified && statement.done) {
    entry.verifiesAvailability = true;
    return 'done';
  }
  const hops: PolicyHop[] = [];
  while (!statement.done) {
    const address = parseIpv4(statement.next());
    if (address === undefined) return undefined;
    if (verified && statement.takeNumber() !== undefined) {
      if (!statement.take('track')) return undefined;
      hops.push({ address, availability: { track: statement.next() }, origin });
    } else hops.push({ address, availability: verified ? 'discovery' : 'none', origin });
  }
  return hops.length === 0 ? undefined : { kind: 'next-hops', hops, isDefault, origin };
}

function parseInterfaces(statement: Statement, isDefault: boolean): PolicyAction | undefined {
  const origin = statement.span;
  const names: string[] = [];
  while (!statement.done) {
    const name = takeInterface(statement);
    if (name === undefined) return undefined;
    names.push(name);
  }
  return names.length === 0 ? undefined : { kind: 'interfaces', names, isDefault, origin };
}

function removeSet(entry: MapEntryDraft, statement: Statement): void {
  const scratch: MapEntryDraft = { ...entry, actions: [], matches: [], verifiesAvailability: false };
  const words = statement.rest();
  const action = parseSet(scratch, statement);
  if (action === 'done') {
    entry.verifiesAvailability = false;
    return;
  }
  // `no set ip next-hop` without an address takes them all.
  if (action === undefined) {
    const isDefault = /^ip default next-hop$/i.test(words);
    if (isDefault || /^ip next-hop$/i.test(words)) {
      const kept = entry.actions.filter((other) => other.kind !== 'next-hops' || other.isDefault !== isDefault);
      entry.actions.splice(0, entry.actions.length, ...kept);
    } else {
      const index = entry.actions.findIndex((other) => other.kind === 'unmodelled' && other.name.endsWith(words));
      if (index >= 0) entry.actions.splice(index, 1);
    }
    return;
  }
  for (const [index, other] of [...entry.actions.entries()].reverse()) {
    if (other.kind !== action.kind) continue;
    if (other.kind === 'next-hops' && action.kind === 'next-hops') {
      if (other.isDefault !== action.isDefault) continue;
      const hops = other.hops.filter((hop) => !action.hops.some((gone) => gone.address === hop.address));
      if (hops.length === 0) entry.actions.splice(index, 1);
      else entry.actions[index] = { ...other, hops };
    } else if (sameTarget(other, action)) entry.actions.splice(index, 1);
  }
}

function sameTarget(a: PolicyAction, b: PolicyAction): boolean {
  if (a.kind === 'recursive' && b.kind === 'recursive') return a.address === b.address;
  if (a.kind === 'interfaces' && b.kind === 'interfaces')
    return a.isDefault === b.isDefault && a.names.join() === b.names.join();
  return a.kind === 'table' && b.kind === 'table' && a.vrf === b.vrf;
}
