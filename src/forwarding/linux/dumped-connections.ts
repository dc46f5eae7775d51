import type { LinuxDevice } from '../../model/linux-device.ts';
import type { ConnectionTuple, DumpedConnection } from '../../model/dumped-connection.ts';
import { IpProtocol } from '../../net/ip-protocol.ts';
import { type ConnectionTable, ENTRY_LENGTH, Entry, EntryFlag, TCP_SIDE_LENGTH, Side } from './connection-table.ts';
import { TCP_STATE_NAMES, TcpState } from './tcp-state.ts';
import { SideFlag } from './tcp-tracking.ts';

/** Entries of a dump by their tuples, with the time at which the dump was taken, in seconds since 1970. */
export interface DumpedConnections {
  readonly takenAt: number;
  readonly byTuple: ReadonlyMap<string, DumpedConnection>;
}

/** Undefined where there is no dump of which it is known when it was taken. */
export function compileDumpedConnections(device: LinuxDevice): DumpedConnections | undefined {
  const takenAt = Date.parse(device.collectedAt ?? '') / 1000;
  if (Number.isNaN(takenAt) || device.connections === undefined) return undefined;
  const byTuple = new Map<string, DumpedConnection>();
  for (const entry of device.connections) {
    for (const tuple of [entry.original, entry.reply]) {
      const zone = tuple === entry.original ? entry.zoneOriginal : entry.zoneReply;
      byTuple.set(
        tupleKey(entry.protocol, tuple.source.words[0] | 0, tuple.destination.words[0] | 0, portsOfTuple(tuple), zone),
        entry,
      );
    }
  }
  return { takenAt, byTuple };
}

/** Names a tuple in a zone. */
export function tupleKey(protocol: number, source: number, destination: number, ports: number, zone: number): string {
  return `${protocol} ${source} ${destination} ${ports | 0} ${zone}`;
}

function portsOfTuple(tuple: ConnectionTuple): number {
  if (tuple.icmpType === undefined) return (tuple.sourcePort << 16) | tuple.destinationPort;
  return (tuple.sourcePort << 16) | (tuple.icmpType << 8) | (tuple.icmpCode ?? 0);
}

/**
 * Puts an entry of the dump into the table, as it may stand at the time of its first captured packet. What a dump does not tell is
 * taken as of a connection picked up midway: both sides are believed. Where the connection may have moved on since, its state is
 * unknown; where its time may have run out, so is whether it is there.
 */
export function restoreConnection(
  table: ConnectionTable,
  entry: DumpedConnection,
  takenAt: number,
  now: number,
  longest: number,
  reason: number,
): void {
  const slot = table.allocate();
  table.clear(slot);
  const base = slot * ENTRY_LENGTH;
  const { words } = table;
  const { original, reply } = entry;
  words[base + Entry.protocol] = entry.protocol;
  words[base + Entry.source] = original.source.words[0] | 0;
  words[base + Entry.destination] = original.destination.words[0] | 0;
  words[base + Entry.ports] = portsOfTuple(original);
  words[base + Entry.replySource] = reply.source.words[0] | 0;
  words[base + Entry.replyDestination] = reply.destination.words[0] | 0;
  words[base + Entry.replyPorts] = portsOfTuple(reply);
  words[base + Entry.zones] = (entry.zoneOriginal << 16) | entry.zoneReply;
  words[base + Entry.connmark] = (entry.mark ?? 0) | 0;
  words[base + Entry.connmarkUnknown] = entry.mark === undefined ? -1 : 0;
  words[base + Entry.reason] = reason;
  words[base + Entry.flags] = EntryFlag.exists | EntryFlag.confirmed | EntryFlag.dumped | flagsOf(entry);
  if (entry.protocol === IpProtocol.tcp) {
    words[base + Entry.tcpState] = Math.max(TcpState.none, TCP_STATE_NAMES.indexOf(entry.state as 'NONE'));
    for (let side = 0; side < 2; side++) {
      words[base + Entry.tcp + side * TCP_SIDE_LENGTH + Side.flags] = SideFlag.sackPermitted | SideFlag.liberal;
    }
  }
  const ends = takenAt + (entry.timeout ?? 0);
  if (ends > now) {
    table.expires[slot] = (words[base + Entry.flags]! & EntryFlag.blurred) === 0 ? ends : now + longest;
    table.link(slot);
    return;
  }
  table.expires[slot] = now + longest;
  const absent = table.allocate();
  table.clear(absent);
  words[absent * ENTRY_LENGTH + Entry.reason] = reason;
  table.linkGroup([slot, absent]);
}

function flagsOf(entry: DumpedConnection): number {
  const { original, reply } = entry;
  const source = !sameWords(reply.destination.words, original.source.words);
  const destination = !sameWords(reply.source.words, original.destination.words);
  const hasPorts = original.icmpType === undefined;
  const sourcePort = hasPorts && reply.destinationPort !== original.sourcePort;
  const destinationPort = hasPorts && reply.sourcePort !== original.destinationPort;
  // Only these do not change by what may have come between the dump and the first captured packet.
  const settled = entry.seenReply && (entry.protocol !== IpProtocol.tcp || entry.state === 'ESTABLISHED');
  return (
    (source || sourcePort ? EntryFlag.sourceTranslated : 0) |
    (destination || destinationPort ? EntryFlag.destinationTranslated : 0) |
    (entry.helper === undefined ? 0 : EntryFlag.helper) |
    (settled ? EntryFlag.seenReply | (entry.assured ? EntryFlag.assured : 0) : EntryFlag.blurred)
  );
}

function sameWords(a: readonly number[], b: readonly number[]): boolean {
  return a.every((word, index) => word === b[index]);
}
