import { IpProtocol } from '../../net/ip-protocol.ts';
import { Status } from '../../wire/packet-batch.ts';
import { CONFLICT, ENTRY_LENGTH, Entry, EntryFlag } from './connection-table.ts';
import { longestTimeoutOf } from './connection-timeouts.ts';
import { endsOf, invertPorts, isIcmpError, portsOf } from './connection-tuple.ts';
import { type DumpedConnections, restoreConnection, tupleKey } from './dumped-connections.ts';
import type { Run } from './run.ts';
import { SegmentKind, segmentKind } from './tcp-state.ts';
import { UNKNOWN_ZONE } from './zones.ts';

/** A candidate's direction where the variant is "no such entry". */
export const NO_ENTRY = -2;
/** A candidate's direction where the variant has other tuples than the packet's. */
export const OTHER_TUPLE = -1;

/** Looks the packet's entry up, before its worlds are walked: the same for all of them. Frees an entry that has expired. */
export function findCandidates(run: Run): void {
  const { table } = run;
  run.candidateCount = 0;
  run.found = findNode(run);
  if (run.found === -1 && run.router.dumped !== undefined && restoreDumped(run, run.router.dumped)) {
    run.found = findNode(run);
  }
  if (run.found < 0) return;
  const slot = run.found >> 1;
  if (table.nextVariant(slot) === slot) {
    if (table.expires[slot]! <= run.now) {
      table.remove(slot);
      run.found = -1;
      return;
    }
    run.candidates[0] = slot;
    run.candidateDirections[0] = run.found & 1;
    run.candidateCount = 1;
    return;
  }
  let variant = slot;
  do {
    const flags = table.words[variant * ENTRY_LENGTH]!;
    const exists = (flags & EntryFlag.exists) !== 0 && table.expires[variant]! > run.now;
    run.candidates[run.candidateCount] = variant;
    run.candidateDirections[run.candidateCount++] = exists ? directionIn(run, variant) : NO_ENTRY;
    variant = table.nextVariant(variant);
  } while (variant !== slot);
}

function findNode(run: Run): number {
  const { table, protocol } = run;
  if (run.zoneOriginal === UNKNOWN_ZONE) {
    loseConnection(run);
    return CONFLICT;
  }
  if (!table.lost.isEmpty && isLost(run, false)) return CONFLICT;
  if (isIcmpError(run)) {
    if ((run.status & Status.quotedTuple) === 0) return -1;
    const ports = invertPorts(run.quotedProtocol, run.quotedPorts);
    if (!table.lost.isEmpty && isLost(run, true)) return CONFLICT;
    const { quotedProtocol, quotedSource, quotedDestination, zoneOriginal, zoneReply } = run;
    return table.find(quotedProtocol, quotedDestination, quotedSource, ports, zoneOriginal, zoneReply);
  }
  const node = table.find(protocol, run.source, run.destination, portsOf(run), run.zoneOriginal, run.zoneReply);
  // An entry that the router may have ended leaves its tuple to another one.
  const isFree =
    node < 0 ||
    table.nextVariant(node >> 1) !== node >> 1 ||
    (table.words[(node >> 1) * ENTRY_LENGTH]! & EntryFlag.blurred) !== 0;
  if (isFree && table.unknownReplies.size > 0) {
    const key = unknownReplyKey(protocol, run.source, run.destination, run.sourcePort);
    if (table.unknownReplies.has(key)) return CONFLICT;
  }
  if (isFree && !table.lost.isEmpty && isLost(run, true)) return CONFLICT;
  return node;
}

/** Takes the packet's connection from the dump: once, and only where what is captured of it does not begin with its SYN. */
function restoreDumped(run: Run, { takenAt, byTuple }: DumpedConnections): boolean {
  const quoted = isIcmpError(run);
  if (run.now < takenAt || (quoted && (run.status & Status.quotedTuple) === 0)) return false;
  const protocol = quoted ? run.quotedProtocol : run.protocol;
  const source = quoted ? run.quotedDestination : run.source;
  const destination = quoted ? run.quotedSource : run.destination;
  const ports = quoted ? invertPorts(protocol, run.quotedPorts) : portsOf(run);
  for (const zone of new Set([run.zoneOriginal, run.zoneReply])) {
    const entry = byTuple.get(tupleKey(protocol, source, destination, ports, zone));
    if (entry === undefined || run.table.restored.has(entry)) continue;
    run.table.restored.add(entry);
    if (!quoted && protocol === IpProtocol.tcp && segmentKind(run.arrivedTcpFlags) === SegmentKind.syn) continue;
    restoreConnection(
      run.table,
      entry,
      takenAt,
      run.now,
      longestTimeoutOf(run, protocol),
      run.router.reasons.dumpedEntry,
    );
    return true;
  }
  return false;
}

/** From here on nothing is said about the packet's connection: whether it has an entry and what that holds. */
export function loseConnection(run: Run): void {
  const quoted = isIcmpError(run);
  const [protocol, source, destination, ports] = quoted
    ? [run.quotedProtocol, run.quotedSource, run.quotedDestination, endsOf(run.quotedProtocol, run.quotedPorts)]
    : [run.protocol, run.source, run.destination, endsOf(run.protocol, portsOf(run))];
  run.table.lost.add(protocol, source, destination, ports, run.router.program.translates);
}

/** `byEnd`: whether only its sender tells that it may be one of a lost connection. */
function isLost(run: Run, byEnd: boolean): boolean {
  const { lost } = run.table;
  if (!isIcmpError(run)) {
    const ports = endsOf(run.protocol, portsOf(run));
    return byEnd
      ? lost.hasEnd(run.protocol, run.source, ports)
      : lost.has(run.protocol, run.source, run.destination, ports);
  }
  const { quotedProtocol: protocol, quotedSource: source, quotedDestination: destination } = run;
  const ports = endsOf(protocol, run.quotedPorts);
  if (!byEnd) return lost.has(protocol, source, destination, ports);
  const swapped = (ports << 16) | (ports >>> 16);
  return lost.hasEnd(protocol, source, ports) || lost.hasEnd(protocol, destination, swapped);
}

/** Names the packets that could be replies to a connection whose translated port is not known. */
export function unknownReplyKey(protocol: number, source: number, destination: number, sourcePort: number): string {
  return `${protocol} ${source} ${destination} ${sourcePort}`;
}

function directionIn(run: Run, slot: number): number {
  const { words } = run.table;
  const base = slot * ENTRY_LENGTH;
  const quoted = isIcmpError(run);
  const source = quoted ? run.quotedDestination : run.source;
  const destination = quoted ? run.quotedSource : run.destination;
  const ports = quoted ? invertPorts(run.quotedProtocol, run.quotedPorts) : portsOf(run);
  if (
    run.table.hasEqualTuples(base) &&
    words[base + Entry.source] === source &&
    words[base + Entry.ports] === ports &&
    (words[base + Entry.zones]! & 0xffff) === run.zoneReply
  ) {
    return 1;
  }
  for (let direction = 0; direction < 2; direction++) {
    const tuple = base + (direction === 0 ? Entry.source : Entry.replySource);
    const zones = words[base + Entry.zones]!;
    if (direction === 0 ? zones >>> 16 !== run.zoneOriginal : (zones & 0xffff) !== run.zoneReply) continue;
    if (words[tuple] === source && words[tuple + 1] === destination && words[tuple + 2] === ports) return direction;
  }
  return OTHER_TUPLE;
}
