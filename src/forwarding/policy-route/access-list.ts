import type { AccessList, AccessListEntry, AddressItem, ServiceItem } from '../../model/access-list.ts';
import { IpProtocol } from '../../net/ip-protocol.ts';
import type { PortRange } from '../../net/port-range.ts';
import type { Registry } from '../linux/reasons.ts';
import type { Run } from './run.ts';

/** What asking a condition gives. Unknown ones are chosen by the run's world. */
const Holds = { no: 0, yes: 1, unknown: 2 } as const;
type Answer = (typeof Holds)[keyof typeof Holds];

/** An entry with the ids of what is unknown about it. */
interface CompiledEntry {
  readonly entry: AccessListEntry;
  /** Id of a condition of which it is not known whether it holds, −1. */
  readonly unknown: number;
}

/** A list, compiled. */
export interface CompiledList {
  readonly list: AccessList;
  readonly entries: readonly CompiledEntry[];
}

/** What a list says of a packet: the entry that decided, undefined where none did. */
export interface ListVerdict {
  permits: boolean;
  entry: AccessListEntry | undefined;
}

/** Compiles the lists of a device. */
export function compileLists(lists: ReadonlyMap<string, AccessList>, registry: Registry): Map<string, CompiledList> {
  const compiled = new Map<string, CompiledList>();
  for (const [name, list] of lists) {
    const entries = list.entries.map((entry) => ({ entry, unknown: doubtOf(list, entry, registry) }));
    compiled.set(name, { list, entries });
  }
  return compiled;
}

function doubtOf(list: AccessList, entry: AccessListEntry, registry: Registry): number {
  const unknownAddress = [...entry.source, ...entry.destination].find((item) => item.kind === 'unknown');
  const reason =
    entry.unmodelled[0] === undefined
      ? unknownAddress?.kind === 'unknown'
        ? unknownAddress.reason
        : undefined
      : `whether "${entry.unmodelled[0]}" of ${list.title} holds is not known`;
  return reason === undefined ? -1 : registry.unknown(reason, entry.origin);
}

/** Asks a list about the run's packet, as it is then. What no entry takes is denied. */
export function askList(run: Run, compiled: CompiledList, verdict: ListVerdict): void {
  verdict.permits = false;
  verdict.entry = undefined;
  for (const { entry, unknown } of compiled.entries) {
    const answer = matchEntry(run, entry);
    if (answer === Holds.no) continue;
    if (answer === Holds.unknown || unknown !== -1) {
      const reason = unknown !== -1 ? unknown : run.router.reasons.cut;
      if (run.worlds.choose(2, reason) === 1) continue;
    }
    verdict.permits = entry.permit;
    verdict.entry = entry;
    return;
  }
}

function matchEntry(run: Run, entry: AccessListEntry): Answer {
  if (entry.laterFragments && !run.laterFragment) return Holds.no;
  if (!matchAddress(entry.source, run.source) || !matchAddress(entry.destination, run.destination)) return Holds.no;
  if (entry.tos !== undefined && !entry.tos.values.includes(run.tos & entry.tos.mask)) return Holds.no;
  const header = matchServices(run, entry);
  if (header !== Holds.yes || entry.flags === undefined) return header;
  return matchFlags(run, entry);
}

function matchAddress(items: readonly AddressItem[], address: number): boolean {
  for (const item of items) {
    if (item.kind === 'unknown') return true;
    if (
      item.kind === 'masked'
        ? ((address ^ item.address) & ~item.wildcard) === 0
        : item.first <= address && address <= item.last
    )
      return true;
  }
  return false;
}

function matchServices(run: Run, entry: AccessListEntry): Answer {
  let answer: Answer = Holds.no;
  for (const service of entry.services) {
    const one = matchService(run, entry, service);
    if (one === Holds.yes) return one;
    if (one === Holds.unknown) answer = one;
  }
  return answer;
}

/**
 * A later fragment has no ports: an entry that asks for them takes it where protocol and addresses fit and it permits, and lets it go
 * on to the next entry where it denies. Ref: Cisco IOS IP configuration guide, "Access control lists and fragments".
 */
function matchService(run: Run, entry: AccessListEntry, service: ServiceItem): Answer {
  if (service.protocol !== undefined && service.protocol !== run.protocol) return Holds.no;
  const layer4 =
    service.sourcePorts !== undefined ||
    service.destinationPorts !== undefined ||
    service.icmpType !== undefined ||
    entry.flags !== undefined;
  if (!layer4) return Holds.yes;
  if (run.laterFragment) return entry.permit ? Holds.yes : Holds.no;
  if (!run.hasTransport) return Holds.unknown;
  if (service.icmpType !== undefined) {
    if (run.icmpType !== service.icmpType) return Holds.no;
    return service.icmpCode === undefined || service.icmpCode === run.icmpCode ? Holds.yes : Holds.no;
  }
  const ports =
    inRanges(service.sourcePorts, run.sourcePort) && inRanges(service.destinationPorts, run.destinationPort);
  return ports ? Holds.yes : Holds.no;
}

function inRanges(ranges: readonly PortRange[] | undefined, port: number): boolean {
  if (ranges === undefined) return true;
  for (const range of ranges) if (range.first <= port && port <= range.last) return true;
  return false;
}

function matchFlags(run: Run, entry: AccessListEntry): Answer {
  const { any, bits } = entry.flags!;
  if (run.protocol !== IpProtocol.tcp) return Holds.no;
  if (run.laterFragment) return Holds.yes;
  if (!run.hasTransport) return Holds.unknown;
  for (const { bit, set } of bits) {
    const holds = ((run.tcpFlags & bit) !== 0) === set;
    if (holds === any) return any ? Holds.yes : Holds.no;
  }
  return any ? Holds.no : Holds.yes;
}
