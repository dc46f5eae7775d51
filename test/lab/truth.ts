/**
 * What the kernel did, from the hosts' logs and counters alone.
 *
 * Conservation is the proof: where everything that the client sent arrived at SPS, everything that SPS sent arrived at the
 * client, and likewise toward the server, nothing took another way and nothing was lost. Sessions that succeed prove nothing by
 * themselves: they also succeed where they bypass SPS.
 */
import type { Count, Point } from './counters.ts';
import type { Evidence } from './lab.ts';

export interface Truth {
  readonly verdict: 'verified' | 'failed';
  /** One line. */
  readonly reason: string;
  readonly sessions: { readonly attempted: number; readonly succeeded: number; readonly acceptedBySps: number };
  /** Peer addresses as the server saw them, without ports. */
  readonly serverPeers: readonly string[];
  /** Packets at each measuring point; payload bytes where offloads merge packets on the way. */
  readonly packets: Readonly<Record<Point, number>>;
  readonly payloadBytes?: Readonly<Record<Point, number>>;
  readonly router: Evidence['router'];
}

/** What is sent at one place and must arrive at another. */
const LEGS: readonly { readonly sent: Point; readonly received: readonly Point[]; readonly what: string }[] = [
  {
    sent: 'clientSent',
    // Source NAT on the way hides the client's address; the packets are the client's by their TTL.
    received: ['spsReceivedFromClient', 'spsReceivedFromHiddenClient', 'spsReceivedFromClientBeside'],
    what: 'from the client to SPS',
  },
  {
    sent: 'spsSentToClient',
    received: ['clientReceivedFromSps', 'clientReceivedFromSpsBeside'],
    what: 'from SPS to the client',
  },
  {
    sent: 'spsSentToServer',
    received: ['serverReceivedFromSps', 'serverReceivedFromSpsBeside'],
    what: 'from SPS to the server',
  },
  {
    sent: 'serverSent',
    received: ['spsReceivedFromServer', 'spsReceivedFromServerBeside'],
    what: 'from the server to SPS',
  },
];

/** Packets that were somewhere they must not be. */
const STRAYS: readonly (readonly [Point, string])[] = [
  ['serverReceivedDirectly', 'packets of the client reached the server without SPS'],
  ['clientReceivedDirectly', 'packets of the server reached the client without SPS'],
  ['spsReceivedAgain', 'packets of SPS came back to it'],
  ['clientReceivedForwardedBeside', 'packets of the server reached the client through SPS, which knew nothing of them'],
  ['clientReceivedOtherwise', 'packets reached the client by another way'],
  ['serverReceivedOtherwise', 'packets reached the server by another way'],
];

export function deriveTruth(evidence: Evidence): Truth {
  const { counts, router, sessions, offloads } = evidence;
  const values = (of: (count: Count) => number) =>
    Object.fromEntries(Object.entries(counts).map(([point, count]) => [point, of(count)])) as Record<Point, number>;
  const succeeded = sessions.filter((session) => session.ok);
  const accepted = evidence.sps.filter((event) => event.event === 'accepted').length;
  const problems = [
    ...sessionProblems(sessions.length, succeeded.length, accepted),
    ...STRAYS.filter(([point]) => counts[point].packets > 0).map(([point, what]) => `${counts[point].packets} ${what}`),
    ...conservationProblems(evidence),
    ...(router.reversePathDrops > 0 ? [`${router.reversePathDrops} dropped by the reverse path filter`] : []),
    ...(router.filterDrops > 0 ? [`${router.filterDrops} dropped by a rule`] : []),
  ];
  const hidden = counts.spsReceivedFromHiddenClient.packets;
  const verified = `all of ${sessions.length} sessions were accepted by SPS and conserved on all four ways`;
  return {
    verdict: problems.length === 0 ? 'verified' : 'failed',
    reason: problems.join('; ') || (hidden > 0 ? `${verified}, the client's address hidden from SPS` : verified),
    sessions: { attempted: sessions.length, succeeded: succeeded.length, acceptedBySps: accepted },
    serverPeers: serverPeers(evidence),
    packets: values((count) => count.packets),
    ...(offloads ? { payloadBytes: values((count) => count.payload) } : {}),
    router,
  };
}

function sessionProblems(attempted: number, succeeded: number, accepted: number): string[] {
  const problems: string[] = [];
  if (attempted === 0) problems.push('no session was attempted');
  if (succeeded < attempted) problems.push(`${attempted - succeeded} of ${attempted} sessions failed`);
  if (accepted !== attempted) problems.push(`SPS accepted ${accepted} of ${attempted} sessions`);
  return problems;
}

function conservationProblems({ counts, offloads }: Evidence): string[] {
  // Receive offload merges segments on the way, so packets are conserved only without it; bytes are always.
  const kinds = offloads ? (['payload'] as const) : (['packets', 'payload'] as const);
  return LEGS.flatMap(({ sent, received, what }) => {
    const kind = kinds.find(
      (key) => counts[sent][key] !== received.reduce((sum, point) => sum + counts[point][key], 0),
    );
    if (kind === undefined) return [];
    const arrived = received.reduce((sum, point) => sum + counts[point][kind], 0);
    return [`${arrived} of ${counts[sent][kind]} ${kind === 'packets' ? 'packets' : 'payload bytes'} arrived ${what}`];
  });
}

function serverPeers({ server }: Evidence): string[] {
  const peers = server.filter((event) => event.event === 'accepted').map((event) => String(event.peer));
  return [...new Set(peers.map((peer) => peer.slice(0, peer.lastIndexOf(':')).replace(/^\[|\]$/g, '')))].toSorted();
}
