import type { AddressItem, ServiceItem } from '../../model/access-list.ts';
import { parseIpv4 } from '../../net/ip-address.ts';
import { maskOfLength, parsePrefix } from '../../net/prefix.ts';
import { parsePorts } from './cisco-access-list.ts';
import type { CiscoDraft, GroupDraft } from './cisco-draft.ts';
import { ciscoProtocol, ICMP_MESSAGES } from './cisco-names.ts';
import type { Statement } from './cisco-words.ts';

/** Reads a member of an object group; whether it is one. */
export type GroupReader = (statement: Statement, removes: boolean) => boolean;

/** Reads `object-group network|service NAME …`; returns what reads its members, undefined for groups of other kinds. */
export function openObjectGroup(draft: CiscoDraft, statement: Statement, removes: boolean): GroupReader | undefined {
  const origin = statement.span;
  // NX-OS: `object-group ip address NAME`.
  const nexus = statement.take('ip', 'address');
  const kind = nexus ? 'network' : statement.takeOne('network', 'service');
  if (kind === undefined) {
    draft.unmodelled(`"${origin.text}" is not modelled`, origin);
    return () => true;
  }
  const name = statement.next();
  const groups = kind === 'network' ? draft.addressGroups : draft.serviceGroups;
  if (removes) {
    groups.delete(name);
    return undefined;
  }
  if (kind === 'network') {
    const group = draft.addressGroups.get(name) ?? { items: [], groups: [], unparsed: false };
    draft.addressGroups.set(name, group);
    return memberReader(draft, group, (member) => parseAddressMember(member, nexus));
  }
  const protocols = { tcp: [6], udp: [17], 'tcp-udp': [6, 17] }[statement.peek().toLowerCase()];
  const group = draft.serviceGroups.get(name) ?? { items: [], groups: [], unparsed: false };
  draft.serviceGroups.set(name, group);
  return memberReader(draft, group, (member) => parseServiceMember(member, protocols));
}

function memberReader<Item>(
  draft: CiscoDraft,
  group: GroupDraft<Item>,
  parse: (statement: Statement) => readonly Item[] | undefined,
): GroupReader {
  return (statement, removes) => {
    statement.takeNumber();
    if (statement.take('description')) return true;
    if (removes) {
      // Which member goes is not followed: the group is unknown from here on.
      group.unparsed = true;
      draft.unmodelled('taking members out of an object group is not modelled', statement.span);
      return true;
    }
    if (statement.take('group-object')) {
      group.groups.push({ name: statement.next(), origin: statement.span });
      return true;
    }
    const start = statement.position;
    const items = parse(statement);
    if (items !== undefined) {
      group.items.push(...items);
      return true;
    }
    statement.position = start;
    if (
      !/^(?:host|any|range|\d|eq|lt|gt|neq|tcp|udp|ip|icmp|source|destination|security-group|fqdn)/i.test(
        statement.peek(),
      )
    )
      return false;
    group.unparsed = true;
    draft.unmodelled('this member of an object group is not modelled', statement.span);
    return true;
  };
}

function parseAddressMember(statement: Statement, wildcards: boolean): readonly AddressItem[] | undefined {
  if (statement.take('any')) return [{ kind: 'masked', address: 0, wildcard: 0xffffffff }];
  if (statement.take('range')) {
    const first = parseIpv4(statement.next());
    const last = parseIpv4(statement.next());
    return first === undefined || last === undefined ? undefined : [{ kind: 'range', first, last }];
  }
  const host = statement.take('host');
  const text = statement.next();
  if (text.includes('/')) {
    const [address, length] = text.split('/');
    const prefix = parsePrefix(length === '' ? `${address}${statement.next()}` : text);
    return prefix?.family === 4
      ? [{ kind: 'masked', address: prefix.words[0], wildcard: ~maskOfLength(prefix.prefixLength) >>> 0 }]
      : undefined;
  }
  const address = parseIpv4(text);
  if (address === undefined) return undefined;
  if (host || statement.done) return [{ kind: 'masked', address, wildcard: 0 }];
  const mask = parseIpv4(statement.next());
  // Groups of IOS hold netmasks, unlike access lists; those of NX-OS hold wildcards.
  return mask === undefined ? undefined : [{ kind: 'masked', address, wildcard: wildcards ? mask : ~mask >>> 0 }];
}

function parseServiceMember(
  statement: Statement,
  given: readonly number[] | undefined,
): readonly ServiceItem[] | undefined {
  let protocols: readonly (number | undefined)[] | undefined = given;
  if (given === undefined) {
    const word = statement.next().toLowerCase();
    const protocol = ciscoProtocol(word);
    if (word === 'tcp-udp') protocols = [6, 17];
    else if (protocol === undefined) return undefined;
    else protocols = [protocol === 'any' ? undefined : protocol];
  }
  const [first] = protocols!;
  if (first === 1 && !statement.done) return parseIcmpMember(statement);
  const source = statement.take('source') ? portsOf(statement, first) : undefined;
  statement.take('destination');
  const destination = statement.done ? undefined : portsOf(statement, first);
  if (source === 'wrong' || destination === 'wrong' || !statement.done) return undefined;
  return protocols!.map((protocol) => ({
    ...(protocol !== undefined && { protocol }),
    ...(source !== undefined && { sourcePorts: source }),
    ...(destination !== undefined && { destinationPorts: destination }),
  }));
}

/** Ports of a member: with an operator, or bare. */
function portsOf(statement: Statement, protocol: number | undefined) {
  const ports = parsePorts(statement, protocol);
  if (ports !== undefined) return ports === 'group' ? 'wrong' : ports;
  if (statement.done) return undefined;
  const bare = /^\d+$/.test(statement.peek()) ? Number(statement.next()) : undefined;
  return bare === undefined ? 'wrong' : [{ first: bare, last: bare }];
}

function parseIcmpMember(statement: Statement): readonly ServiceItem[] | undefined {
  const word = statement.next().toLowerCase();
  const named = ICMP_MESSAGES[word] ?? (/^\d+$/.test(word) ? ([Number(word)] as const) : undefined);
  if (named === undefined) return undefined;
  return [{ protocol: 1, icmpType: named[0], ...(named[1] !== undefined && { icmpCode: named[1] }) }];
}
