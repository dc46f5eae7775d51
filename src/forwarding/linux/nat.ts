import { formatIpv4 } from '../../net/ip-address.ts';
import { IpProtocol } from '../../net/ip-protocol.ts';
import { Status } from '../../wire/packet-batch.ts';
import { unknownReplyKey } from './connection-lookup.ts';
import { CONFLICT, Entry, EntryFlag } from './connection-table.ts';
import { endsOf } from './connection-tuple.ts';
import { tupleKey } from './dumped-connections.ts';
import { HasAddress } from './links.ts';
import { baseIndex, HookNumber, HOOKS, type Program, TableNumber, TargetKind, type Translation } from './program.ts';
import { EntryUse, type Run } from './run.ts';
import { NO_ZONE } from './zones.ts';

const ICMP_REDIRECT = 5;

/** Whether the nat chains of a hook see the packet: only an entry's first one does (linux-forwarding 1.3). */
export function meetsNatRules(run: Run): boolean {
  return run.use === EntryUse.fresh || run.mayBeFirst;
}

/** Whether it makes a difference that a packet is an entry's first one. */
export function hasNatRules({ bases, chainStart, chainEnd }: Program): boolean {
  for (let hook = 0; hook < HOOKS.length; hook++) {
    for (const chain of bases[baseIndex(hook, TableNumber.nat)]!)
      if (chainEnd[chain]! > chainStart[chain]!) return true;
  }
  return false;
}

/**
 * Applies an SNAT, DNAT or MASQUERADE rule to the first packet of an entry. False where the translated address is not known and
 * could matter: then the run's `unknown` is set.
 * Ref: nf_nat_core.c: nf_nat_setup_info(), get_unique_tuple(); nf_nat_masquerade.c.
 */
export function translateFirst(run: Run, hook: number, rule: number): boolean {
  const { program } = run.router;
  const kind = program.target[rule]!;
  const translation = program.translations[program.operandA[rule]!]!;
  if (run.use !== EntryUse.fresh) return true;
  if (kind === TargetKind.redirect) {
    const { links, reasons } = run.router;
    if (links.hasAddress[run.ingress] === HasAddress.unknown) {
      run.unknown = reasons.interfaceAddresses;
      return false;
    }
    const address = links.addresses[run.ingress]![0]!.address;
    return translateDestination(run, hook, program, rule, { ...translation, address });
  }
  if (kind === TargetKind.netmap) {
    const ofDestination = hook === HookNumber.prerouting || hook === HookNumber.output;
    const before = ofDestination ? run.currentDestination : run.currentSource;
    const address = (before & ~translation.mask) | (translation.address! & translation.mask);
    const mapped = { ...translation, address };
    return ofDestination
      ? translateDestination(run, hook, program, rule, mapped)
      : translateSource(run, hook, program, rule, mapped, kind);
  }
  return kind === TargetKind.dnat
    ? translateDestination(run, hook, program, rule, translation)
    : translateSource(run, hook, program, rule, translation, kind);
}

/** A masqueraded connection whose packets would leave elsewhere is ended. Ref: nf_nat_core.c: nf_nat_oif_changed(). */
export function endsMasquerade(run: Run): boolean {
  const isKnown = run.use === EntryUse.existing || run.use === EntryUse.dying;
  if (!isKnown || run.isError || run.direction !== 0) return false;
  const { words } = run.table;
  const former = words[run.base + Entry.masquerade]!;
  if (former !== 0) return former !== run.egress + 1;
  const { links, program, reasons } = run.router;
  // A listing does not tell who translated.
  const isListed = (words[run.base + Entry.flags]! & EntryFlag.dumped) !== 0 && run.sourceTranslated;
  if (!isListed || !program.target.includes(TargetKind.masquerade)) return false;
  const address = words[run.base + Entry.replyDestination]!;
  if ((links.addresses[run.egress] ?? []).some((own) => own.address === address)) return false;
  return run.choose(2, reasons.dumpedEntry) === 1;
}

/** REDIRECT on an interface without an address drops. Ref: nf_nat_redirect.c: nf_nat_redirect_ipv4(). */
export function dropsRedirected(run: Run, rule: number): boolean {
  const { program, links } = run.router;
  if (program.target[rule] !== TargetKind.redirect || run.use !== EntryUse.fresh) return false;
  return links.hasAddress[run.ingress] === HasAddress.no;
}

/** Translates a packet that is not its entry's first, before routing (destination) or behind it (source). */
export function translateKnown(run: Run, beforeRouting: boolean): void {
  if (!isTranslated(run, beforeRouting)) return;
  const { words } = run.table;
  const original = run.direction === 0;
  const other = run.base + (original ? Entry.replySource : Entry.source);
  const ports = words[other + 2]!;
  const hasPorts = !run.isError && run.protocol !== IpProtocol.icmp;
  if (beforeRouting) {
    run.currentDestination = words[other]!;
    if (hasPorts) run.currentDestinationPort = ports >>> 16;
  } else {
    run.currentSource = words[other + 1]!;
    if (hasPorts) run.currentSourcePort = ports & 0xffff;
  }
}

/** Whether the packet, which is not its entry's first, is translated before or behind routing. */
function isTranslated(run: Run, beforeRouting: boolean): boolean {
  if (run.use === EntryUse.none || run.use === EntryUse.fresh) return false;
  const flags = run.table.words[run.base + Entry.flags]!;
  // A packet of the original direction gets its destination from a DNAT and its source from an SNAT; a reply the other way round.
  const byDestination = (run.direction === 0) === beforeRouting;
  return (flags & (byDestination ? EntryFlag.destinationTranslated : EntryFlag.sourceTranslated)) !== 0;
}

/**
 * ICMP errors about translated connections that are dropped: redirects, which would become nonsense, and those that quote less than
 * the header in which ports are translated. Ref: nf_nat_proto.c: nf_nat_icmp_reply_translation(), tcp_manip_pkt()
 */
export function dropsError(run: Run, beforeRouting: boolean): boolean {
  if (!run.isError) return false;
  if (beforeRouting && run.icmpType === ICMP_REDIRECT && (run.sourceTranslated || run.destinationTranslated))
    return true;
  return (run.status & Status.malformed) !== 0 && isTranslated(run, beforeRouting);
}

/** The address that MASQUERADE takes: the egress interface's on the next hop's network, else its first; undefined where unknown. */
export function masqueradeAddress(run: Run): number | undefined {
  const { links } = run.router;
  const addresses = links.addresses[run.egress];
  if (!links.known || addresses === undefined) return undefined;
  const primary = addresses.filter(({ secondary }) => !secondary);
  const onNetwork = primary.find(({ address, mask }) => ((address ^ run.nextHop) & mask) === 0);
  return (onNetwork ?? primary[0])?.address;
}

/**
 * Before an entry is confirmed: its reply must not look like that of another one. Where it would, the kernel takes another source port
 * at random, so replies come back to a port that is not known; where the rule names one port, or the protocol has none, there is
 * nothing to change, and the entry is refused with its packet. Ref: nf_nat_core.c: nf_nat_alloc_null_binding(); nf_conntrack_core.c: __nf_conntrack_confirm().
 */
export function settleReplyPort(run: Run): number {
  const settled = findReplyTuple(run);
  if (settled !== SettledReply.unique && HAVE_PORTS.has(run.protocol) && !run.sourcePortFixed) {
    run.table.words[run.base + Entry.flags]! |= EntryFlag.replyPortUnknown;
    return SettledReply.unique;
  }
  return settled;
}

/**
 * Where nothing translates, and zones let two entries have one reply tuple, the second cannot be confirmed. Of UDP and the like, the
 * kernel keeps it in some cases. Ref: nf_conntrack_core.c: __nf_conntrack_confirm(), nf_ct_resolve_clash().
 */
export function settleReplyTuple(run: Run): number {
  const settled = findReplyTuple(run);
  const mayClash = run.protocol !== IpProtocol.tcp && HAVE_PORTS.has(run.protocol);
  if (settled !== SettledReply.taken || !mayClash) return settled;
  run.unknown = run.router.reasons.ambiguousEntry;
  return SettledReply.unknown;
}

/** Whether another entry has the reply tuple of the packet's own. */
function findReplyTuple(run: Run): number {
  const { words } = run.table;
  const found = run.table.find(
    run.protocol,
    words[run.base + Entry.replySource]!,
    words[run.base + Entry.replyDestination]!,
    words[run.base + Entry.replyPorts]!,
    // The kernel looks in the bucket of the reply's zone only.
    run.zoneOriginal === run.zoneReply ? run.zoneOriginal : NO_ZONE,
    run.zoneReply,
  );
  if (found === -1) {
    if (!mayBeTaken(run)) return SettledReply.unique;
    run.unknown = run.router.reasons.ambiguousEntry;
    return SettledReply.unknown;
  }
  const slot = found >> 1;
  // The packet's own entry, which this one replaces.
  for (let index = 0; index < run.candidateCount; index++) {
    if (found !== CONFLICT && run.candidates[index] === slot) return SettledReply.unique;
  }
  const certain = found !== CONFLICT && run.table.nextVariant(slot) === slot;
  if (certain && run.table.expires[slot]! <= run.now) return SettledReply.unique;
  if (certain) return SettledReply.taken;
  run.unknown = run.router.reasons.ambiguousEntry;
  return SettledReply.unknown;
}

/** Whether a connection of which too little is known may have the reply tuple of the packet's own. */
function mayBeTaken(run: Run): boolean {
  const { words, unknownReplies, lost } = run.table;
  const source = words[run.base + Entry.replySource]!;
  const destination = words[run.base + Entry.replyDestination]!;
  const ports = words[run.base + Entry.replyPorts]!;
  if (unknownReplies.size > 0 && unknownReplies.has(unknownReplyKey(run.protocol, source, destination, ports >>> 16)))
    return true;
  const listed = run.router.dumped?.byTuple.get(tupleKey(run.protocol, source, destination, ports, run.zoneReply));
  if (listed !== undefined && !run.table.restored.has(listed)) return true;
  if (lost.isEmpty) return false;
  const ends = endsOf(run.protocol, ports);
  return lost.has(run.protocol, source, destination, ends) || lost.hasEnd(run.protocol, source, ends);
}

/** Whether an entry's reply can be told from those of others. */
export const SettledReply = { unique: 0, taken: 1, unknown: 2 } as const;

/** Protocols with something in the header that the kernel can change to tell connections apart. */
export const HAVE_PORTS: ReadonlySet<number> = new Set([
  IpProtocol.tcp,
  IpProtocol.udp,
  IpProtocol.udplite,
  IpProtocol.icmp,
  IpProtocol.icmpv6,
  IpProtocol.sctp,
  IpProtocol.dccp,
]);

function translateDestination(
  run: Run,
  hook: number,
  program: Program,
  rule: number,
  translation: Translation,
): boolean {
  const ports = translation.ports;
  const portUnknown = translation.random || (ports !== undefined && ports.first !== ports.last);
  if (translation.severalAddresses || portUnknown) {
    run.unknown = run.router.reasons.translation;
    return false;
  }
  const { words } = run.table;
  const address = translation.address ?? run.currentDestination;
  const hasPorts = run.protocol !== IpProtocol.icmp;
  const port = hasPorts && ports !== undefined ? ports.first : run.currentDestinationPort;
  recordTranslation(run, hook, program, rule, 'destination', run.currentDestination, address, port);
  if (address === run.currentDestination && port === run.currentDestinationPort) return true;
  run.currentDestination = address;
  run.currentDestinationPort = port;
  words[run.base + Entry.replySource] = address;
  if (hasPorts) words[run.base + Entry.replyPorts] = (port << 16) | (words[run.base + Entry.replyPorts]! & 0xffff);
  words[run.base + Entry.flags]! |= EntryFlag.destinationTranslated;
  run.destinationTranslated = true;
  return true;
}

function translateSource(
  run: Run,
  hook: number,
  program: Program,
  rule: number,
  translation: Translation,
  kind: number,
): boolean {
  const { words } = run.table;
  const ports = translation.ports;
  const hasPorts = run.protocol !== IpProtocol.icmp;
  const address = kind === TargetKind.masquerade ? masqueradeAddress(run) : (translation.address ?? run.currentSource);
  if (address === undefined || translation.severalAddresses) {
    run.unknown = address === undefined ? run.router.reasons.interfaceAddresses : run.router.reasons.translation;
    return false;
  }
  if (kind === TargetKind.masquerade) words[run.base + Entry.masquerade] = run.egress + 1;
  let port = run.currentSourcePort;
  let portUnknown = translation.random;
  run.sourcePortFixed = hasPorts && ports !== undefined && ports.first === ports.last;
  if (hasPorts && ports !== undefined && (port < ports.first || port > ports.last)) {
    port = ports.first;
    if (ports.first !== ports.last) portUnknown = true;
  }
  recordTranslation(run, hook, program, rule, 'source', run.currentSource, address, port);
  if (portUnknown) words[run.base + Entry.flags]! |= EntryFlag.replyPortUnknown;
  if (address === run.currentSource && port === run.currentSourcePort && !portUnknown) return true;
  run.currentSource = address;
  run.currentSourcePort = port;
  words[run.base + Entry.replyDestination] = address;
  if (hasPorts) words[run.base + Entry.replyPorts] = (words[run.base + Entry.replyPorts]! & ~0xffff) | port;
  words[run.base + Entry.flags]! |= EntryFlag.sourceTranslated;
  run.sourceTranslated = true;
  return true;
}

function recordTranslation(
  run: Run,
  hook: number,
  program: Program,
  rule: number,
  which: string,
  from: number,
  to: number,
  port: number,
): void {
  if (run.steps === null) return;
  const { origin } = program.places[rule]!.rule;
  run.steps.push({
    kind: 'translation',
    hook: HOOKS[hook]!,
    effect: `${which} ${formatIpv4(from >>> 0)} > ${formatIpv4(to >>> 0)} port ${port}`,
    origin,
  });
}
