import { memberLength } from '../../model/ip-set.ts';
import { parsePrefix } from '../../net/prefix.ts';
import { AddressBounds } from '../address-classes.ts';
import { CT_FIELDS, MatchKind } from './program.ts';
import type { CompiledRouter } from './router.ts';

/** Networks that the kernel treats in their own way. Ref: net/ipv4/route.c: ip_route_input_slow(); addrconf_core.c: __ipv6_addr_type(). */
const SPECIAL = [
  '0.0.0.0/8',
  '0.0.0.0',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '255.255.255.255',
  '::',
  '::1',
  '::/96',
  '::ffff:0:0/96',
  'fc00::/7',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
].map((text) => parsePrefix(text)!);

const ADDRESS_FIELDS: ReadonlySet<(typeof CT_FIELDS)[number]> = new Set([
  'original-source',
  'original-destination',
  'reply-source',
  'reply-destination',
]);

/**
 * The ranges of addresses that a router of one family tells apart: by its rules, sets, translations, policy rules, routes, own addresses
 * and listed connections. Beyond ranges are masks with gaps, hashes over addresses, translations that depend on the address, and sets of
 * MAC addresses.
 */
export function addressBoundsOf(router: CompiledRouter): AddressBounds {
  const bounds = new AddressBounds();
  for (const prefix of SPECIAL) bounds.prefix(prefix);
  for (let first = 0xff00; first <= 0xffff; first++) {
    // Scopes of multicast.
    bounds.prefix({ family: 6, words: [first * 0x10000, 0, 0, 0], prefixLength: 16 });
  }
  addRules(bounds, router);
  addSets(bounds, router);
  addRouting(bounds, router);
  for (const entry of router.dumped?.byTuple.values() ?? []) {
    for (const tuple of [entry.original, entry.reply]) {
      bounds.address(tuple.source);
      bounds.address(tuple.destination);
    }
  }
  return bounds;
}

function addRules(bounds: AddressBounds, { program }: CompiledRouter): void {
  const { matchKind, matchA, matchB, extras, macs, translations } = program;
  for (let match = 0; match < matchKind.length; match++) {
    const a = matchA[match]!;
    const b = matchB[match]!;
    switch (matchKind[match]) {
      case MatchKind.source:
      case MatchKind.destination:
        bounds.masked(a, b);
        break;
      case MatchKind.macSource:
        bounds.mac(macs[a]!);
        break;
      case MatchKind.addressRange:
        bounds.range(extras[a + 1]!, extras[a + 2]!);
        break;
      case MatchKind.source6:
      case MatchKind.destination6:
        bounds.masked6(extras.subarray(a, a + 4), extras.subarray(a + 4, a + 8));
        break;
      case MatchKind.addressRange6: {
        const words = extras.subarray(a + 1, a + 9) as unknown as number[];
        bounds.range6([words[0]!, words[1]!, words[2]!, words[3]!], [words[4]!, words[5]!, words[6]!, words[7]!]);
        break;
      }
      case MatchKind.ctTuple:
        if (ADDRESS_FIELDS.has(CT_FIELDS[extras[a]!]!)) addTupleTest(bounds, extras.subarray(a + 1, a + 4));
        break;
    }
  }
  for (const { address, severalAddresses, mask } of translations) {
    if (severalAddresses || mask !== -1) bounds.giveUp();
    if (address !== undefined) bounds.range(address, address);
  }
}

/** Addresses of which what a mask leaves lies between two values. */
function addTupleTest(bounds: AddressBounds, [first, last, mask]: ArrayLike<number> & Iterable<number>): void {
  const step = 2 ** 32 - (mask! >>> 0);
  if (step > 1 && (step & (step - 1)) !== 0) bounds.giveUp();
  const from = Math.ceil(first! / step) * step;
  const to = Math.floor(last! / step) * step + step - 1;
  if (from < 2 ** 32 && to >= from) bounds.range(from, Math.min(to, 2 ** 32 - 1));
}

function addSets(bounds: AddressBounds, { program, device }: CompiledRouter): void {
  if (program.sets.length === 0) return;
  for (const { parts, addressMask, range, members } of device.sets?.values() ?? []) {
    if (parts.includes('mac')) bounds.giveUp();
    if (range !== undefined) bounds.range(range.first, range.last);
    bounds.masked(0, addressMask);
    const length = memberLength(parts);
    for (let at = 0; at < members.length; at += length) {
      parts.forEach((part, index) => {
        const first = members[at + 2 * index]!;
        const second = members[at + 2 * index + 1]!;
        if (part === 'net') bounds.prefix({ family: 4, words: [first >>> 0, 0, 0, 0], prefixLength: second });
        if (part === 'ip') bounds.masked(first, addressMask);
      });
    }
  }
}

function addRouting(bounds: AddressBounds, { fib, rpdb, device }: CompiledRouter): void {
  const { model, hopStart } = fib.routes;
  model.forEach(({ prefix, nextHops }, number) => {
    bounds.prefix(prefix);
    for (const { gateway } of nextHops) if (gateway !== undefined) bounds.address(gateway);
    // Which of several next hops is taken depends on a hash over the addresses.
    if (hopStart[number + 1]! - hopStart[number]! > 1) bounds.giveUp();
  });
  for (const { model: rule } of rpdb.rules) {
    if (rule.from !== undefined) bounds.prefix(rule.from);
    if (rule.to !== undefined) bounds.prefix(rule.to);
  }
  for (const { addresses } of device.interfaces) {
    for (const { prefix } of addresses) {
      bounds.prefix(prefix);
      bounds.address(prefix);
    }
  }
}
