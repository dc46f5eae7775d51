import type { CaptureSet } from '../capture/capture-set.ts';
import type { Intent } from '../model/intent.ts';
import { formatIpAddress } from '../net/ip-address.ts';
import type { Router } from './router.ts';
import { trace, type TracedFrame } from './trace.ts';

/** Who takes part in a session. */
export type Party = 'client' | 'router' | 'sps' | 'server';

/** One packet of a connection on its way across the router. */
export interface SequencePacket {
  /** Seconds since the connection's first. */
  readonly seconds: number;
  readonly frame: number;
  readonly from: Party;
  /** `router` where it ends there. */
  readonly to: Party;
  readonly flags: string;
  readonly ttl: number;
  /** What the router does with it. */
  readonly fate: string;
}

/** The packets of one connection as captured, from its beginning. */
export interface PacketSequence {
  /** Id of the connection. */
  readonly connection: number;
  readonly packets: readonly SequencePacket[];
  /** Further ones that are not shown. */
  readonly omitted: number;
}

/** A connection whose packets are wanted, by its ends as reports name them. */
export interface WantedConnection {
  readonly id: number;
  readonly protocol: string;
  readonly client: string;
  readonly server: string;
}

const MOST_PACKETS = 50;

/** Reads a capture once more for the packets of some connections, at most 50 of each. */
export async function packetSequences(
  captures: CaptureSet,
  router: Router,
  intent: Intent,
  wanted: readonly WantedConnection[],
): Promise<PacketSequence[]> {
  const facing = new Set(intent.spsInterfaces);
  const sps = new Set(intent.sps.map(formatIpAddress));
  const found = new Map(wanted.map((item) => [item.id, { first: -1, packets: [] as SequencePacket[], omitted: 0 }]));
  const byEnds = new Map<string, { id: number; toServer: boolean }>();
  for (const { id, protocol, client, server } of wanted) {
    // Of several lifetimes of one five-tuple the first one's packets come first, and are enough.
    const forth = `${protocol} ${client} ${server}`;
    if (byEnds.has(forth)) continue;
    byEnds.set(forth, { id, toServer: true });
    byEnds.set(`${protocol} ${server} ${client}`, { id, toServer: false });
  }
  const totals = { frames: 0, ingress: 0, observed: 0, ambiguous: 0, unpairedEgress: 0 };
  for await (const frame of trace(captures, router, totals, { verifyChecksums: false, explain: () => false })) {
    const known = byEnds.get(`${frame.toward.protocol} ${frame.toward.source} ${frame.toward.destination}`);
    const entry = known === undefined ? undefined : found.get(known.id);
    if (known === undefined || entry === undefined) continue;
    if (entry.packets.length >= MOST_PACKETS) {
      entry.omitted++;
      continue;
    }
    const time = frame.seconds + frame.nanoseconds / 1e9;
    if (entry.first < 0) entry.first = time;
    const from: Party = facing.has(frame.ingress) ? 'sps' : known.toServer ? 'client' : 'server';
    entry.packets.push({
      seconds: Math.round((time - entry.first) * 1e6) / 1e6,
      frame: frame.frame,
      from,
      to: destinationOf(frame, known.toServer, sps),
      flags: frame.toward.flags,
      ttl: frame.ttl,
      fate: fateWords(frame),
    });
  }
  return [...found].map(([connection, { packets, omitted }]) => ({ connection, packets, omitted }));
}

function destinationOf(frame: TracedFrame, toServer: boolean, sps: ReadonlySet<string>): Party {
  if (frame.disposition !== 'forwarded') return 'router';
  if (frame.nextHop !== undefined && sps.has(frame.nextHop)) return 'sps';
  return toServer ? 'server' : 'client';
}

function fateWords(frame: TracedFrame): string {
  const to = frame.egress === undefined ? '' : ` by ${frame.egress} to ${frame.nextHop}`;
  const seen = frame.observedEgress === undefined ? '' : `, seen leaving by ${frame.observedEgress}`;
  return `${frame.disposition}${to}${seen}`;
}
