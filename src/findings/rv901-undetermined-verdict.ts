import type { Where } from '../diagnostic/diagnostic.ts';
import { ConntrackView, Disposition } from '../forwarding/decision.ts';
import { openQuestions } from '../join/describe-join.ts';
import { formatMac } from '../net/mac-address.ts';
import { IpProtocol } from '../net/ip-protocol.ts';
import { beganBefore, wasEstablished } from '../observation/connection-log.ts';
import { answerOf } from '../verification/answers.ts';
import type { Failure } from '../verification/failures.ts';
import type { JudgedConnection, JudgedWay } from '../verification/judged.ts';
import { Hop } from '../verification/path-table.ts';
import { bypassingIpv6 } from '../verification/ipv6-ways.ts';
import type { Verification } from '../verification/verification.ts';
import {
  connectionsWhere,
  type Detected,
  detected,
  type Finding,
  fromFailures,
  fromProblems,
  packetWords,
} from './finding.ts';

/** RV901. */
export const undeterminedVerdict: Finding = {
  kind: {
    code: 'RV901',
    slug: 'undetermined-verdict',
    severity: 'warning',
    saidWhen: 'something unmodelled or unknown could change the path of this connection: says what',
    meaning: 'For some packets of the connection the simulation has more than one possible outcome, and they differ.',
    whyItMatters: 'The tool does not guess: the connection is inconclusive until what is missing is known.',
    example: 'net.ipv4.conf.eth1.rp_filter is not in the router’s state.',
    whatToDo:
      'Give what the message names: a missing part of the state, an option such as --snat, or a capture of the other interfaces.',
    references: [],
  },
  detectJoin: (run) =>
    openQuestions(run).map((question, index) => detected({ ...question, key: `RV901:join:${index}` })),
  detect: (run) => [
    ...fromFailures(run, 'RV901', (failure) => words(run, failure)).map((item) => ({
      ...item,
      undetermines: 'connections' as const,
    })),
    ...fromProblems(run, 'RV901').map((item) => ({ ...item, undetermines: 'run' as const })),
    ...legs(run),
    ...otherMacs(run),
    ...unseen(run),
    ...idle(run),
    ...unanswered(run),
    ...noneArrived(run),
    ...wholeRun(run),
  ],
};

function words(run: Verification, failure: Failure): string {
  const concerned = (test: (item: JudgedConnection) => boolean): boolean =>
    run.connections.some((item) => failure.connections.has(item.connection.id) && test(item));
  const reason =
    failure.unknown?.reason ??
    (concerned((item) => item.mayBeOfSps)
      ? "its connection came in where the redirect takes no clients: if SPS opened it, state its address and interface there, too (--sps, --sps-interface); if a client did, state SPS's interface as it is"
      : concerned((item) => beganBefore(item.connection))
        ? 'its connection began before the capture, and no copy of it shows where it went'
        : failure.key.conntrack === ConntrackView.invalid
          ? 'it does not fit into its connection as captured, packets are missing from the capture, and no copy of it shows where it went'
          : 'whether it comes from SPS cannot be told: the MAC address of SPS is not known');
  return `the way of ${packetWords(run, failure)} is not determined: ${reason}`;
}

/** What cannot be said of legs that were to be synthesized. */
function legs(run: Verification): Detected[] {
  const byReason = new Map<string, number[]>();
  for (const item of run.connections) {
    for (const reason of item.probes.undetermined) {
      const connections = byReason.get(reason);
      if (connections === undefined) byReason.set(reason, [item.connection.id]);
      else connections.push(item.connection.id);
    }
  }
  return [...byReason].map(([reason, connections]) =>
    detected({
      message: reason,
      key: `RV901:leg:${reason}`,
      count: connections.length,
      connections,
      undetermines: 'connections',
    }),
  );
}

/** Copies toward SPS's address that went to a MAC address of which it is not known whose it is: a takeover, or another host. */
function otherMacs(run: Verification): Detected[] {
  const found = new Map<number, number[]>();
  for (const item of run.connections) {
    for (const way of item.ways) {
      if (way.path.hop !== Hop.sps) continue;
      for (const egress of way.count.observed) {
        if (run.replay.senders.isSpsMac(egress.destinationMac) !== undefined) continue;
        const connections = found.get(egress.destinationMac);
        if (connections === undefined) found.set(egress.destinationMac, [item.connection.id]);
        else connections.push(item.connection.id);
      }
    }
  }
  return [...found].map(([mac, connections]) =>
    detected({
      message: `frames for SPS were sent to ${formatMac(mac)}, which neither the neighbour table nor ARP gives to SPS`,
      key: `RV901:mac:${mac}`,
      count: connections.length,
      connections: [...new Set(connections)],
      undetermines: 'connections',
    }),
  );
}

/**
 * Packets that by the configuration leave by an interface that was captured, and of which no copy is there: the router does something
 * else, or the copies were lost. A way of which not one packet was seen leaving counts (first packets that go astray are a way of their
 * own), and a direction of a connection. Where SPS does not answer ARP, RV511 says why.
 */
function unseen(run: Verification): Detected[] {
  if (run.mode === 'what-if' || !run.replay.sawEgress || run.replay.unansweredArp > 0) return [];
  const missing = new Map<number, { connections: Set<number>; packets: number; where: Where }>();
  const waysNeverSeen = neverSeen(run);
  for (const item of run.connections) {
    for (const toServer of [true, false]) {
      const ways = item.ways.filter((way) => way.path.toServer === toServer && leavesCaptured(run, way));
      const direction = !run.lossy && ways.every((way) => !way.count.wasObserved);
      for (const way of ways) {
        const late = run.replay.lastTime - way.count.lastTime < CAPTURE_END_NANOSECONDS;
        if (late || !(direction || waysNeverSeen.has(way.path.index))) continue;
        const { egress, ingress } = way.path;
        const where = run.placeOf({ file: way.count.firstFile, frame: way.count.firstFrame }, ingress);
        const entry = missing.get(egress) ?? { connections: new Set(), packets: 0, where };
        entry.connections.add(item.connection.id);
        entry.packets += way.count.packets;
        missing.set(egress, entry);
      }
    }
  }
  return [...missing].map(([egress, { connections, packets, where }]) =>
    detected({
      message: `by the configuration ${packets} packets leave by ${run.interfaceName(egress)}, which was captured, and no copy of them is there`,
      key: `RV901:unseen:${egress}`,
      count: packets,
      connections: [...connections],
      where,
      undetermines: 'connections',
    }),
  );
}

/** Where the capture lost frames, this many of one way without a copy are no accident. */
const LOST_BY_ACCIDENT = 5;

/** Indexes of ways of which packets came in and none was seen leaving, over all connections. */
function neverSeen(run: Verification): Set<number> {
  const packets = new Map<number, number>();
  const seen = new Set<number>();
  for (const item of run.connections) {
    for (const way of item.ways) {
      if (!leavesCaptured(run, way)) continue;
      packets.set(way.path.index, (packets.get(way.path.index) ?? 0) + way.count.packets);
      if (way.count.wasObserved) seen.add(way.path.index);
    }
  }
  const never = [...packets].filter(([path, count]) => !seen.has(path) && (!run.lossy || count >= LOST_BY_ACCIDENT));
  return new Set(never.map(([path]) => path));
}

function leavesCaptured(run: Verification, way: JudgedWay): boolean {
  const { path } = way;
  return !path.synthetic && path.disposition === Disposition.forwarded && run.replay.vantage.showsEgress(path.egress);
}

/** Directions of which every packet ended by its own TTL or size: that says nothing of the redirect, for or against. */
function noneArrived(run: Verification): Detected[] {
  if (!run.replay.paths.paths.some((path) => ENDS_BY_ITSELF.has(path.disposition))) return [];
  const { ids: connections } = connectionsWhere(run, (item) =>
    [true, false].some((toServer) => {
      const ways = item.ways.filter((way) => way.path.toServer === toServer && !way.path.synthetic);
      return ways.length > 0 && ways.every((way) => ENDS_BY_ITSELF.has(way.path.disposition));
    }),
  );
  if (connections.length === 0) return [];
  return [
    detected({
      message: 'every packet of a direction ended at the router by its own TTL or size',
      key: 'RV901:none-arrived',
      count: connections.length,
      connections,
      undetermines: 'connections',
    }),
  ];
}

const ENDS_BY_ITSELF: ReadonlySet<number> = new Set([Disposition.ttlExpired, Disposition.tooBig]);

/** Connections of which frames were seen leaving, none coming in, and nothing was synthesized. */
function idle(run: Verification): Detected[] {
  const { ids: connections } = connectionsWhere(
    run,
    (item) => item.probes.toServer + item.probes.toClient === 0 && item.ways.length === 0,
  );
  if (connections.length === 0) return [];
  return [
    detected({
      message: 'nothing of these connections entered the router in the capture',
      key: 'RV901:idle',
      count: connections.length,
      connections,
      undetermines: 'connections',
    }),
  ];
}

/** TCP connections of clients that nobody was seen to accept, in a capture that gave nobody the time to, or would not show it. */
function unanswered(run: Verification): Detected[] {
  if (run.mode === 'what-if') return [];
  const { ids: connections } = connectionsWhere(
    run,
    (item) =>
      item.connection.protocol === IpProtocol.tcp &&
      item.leg !== 'server' &&
      !wasEstablished(item.connection) &&
      // What fails anyway needs no doubt.
      item.ways.every((way) => way.category === 'viaSps') &&
      answerOf(run, item) === undefined,
  );
  if (connections.length === 0) return [];
  return [
    detected({
      message: 'the capture does not show that these connections were accepted',
      key: 'RV901:unanswered',
      count: connections.length,
      connections,
      undetermines: 'connections',
    }),
  ];
}

/** A packet this close to the end of the capture may have left after it. */
const CAPTURE_END_NANOSECONDS = 5e7;

function wholeRun(run: Verification): Detected[] {
  const found: Detected[] = [];
  if (run.ambiguousSps) {
    found.push(
      detected({
        message: 'the redirects have several next hops, and which of them is SPS was not said: name it with --sps',
        key: 'RV901:several-sps',
        undetermines: 'run',
      }),
    );
  } else if (run.intent.inferred.includes('sps') && run.connections.length > 0 && !run.replay.senders.sawSps) {
    found.push(
      detected({
        message:
          'SPS was inferred from the redirect, and no packet from it is in the capture: name it with --sps if it is the right one',
        key: 'RV901:silent-sps',
        undetermines: 'run',
      }),
    );
  }
  const { ipv6, fragments, pieces } = run.replay;
  // What is proven to go past SPS is RV508's.
  if (ipv6.count > 0 && ipv6.first !== undefined && bypassingIpv6(run.router, run.replay).undecided > 0) {
    found.push(
      detected({
        message: `${ipv6.count} IPv6 frames of monitored ports: no IPv6 address of SPS is known that they would go to, and that they go past it is not certain`,
        key: 'RV901:ipv6',
        count: ipv6.count,
        where: run.placeOf(ipv6.first, -1),
        undetermines: 'run',
      }),
    );
  }
  if (fragments.count > 0 && fragments.first !== undefined && run.fragmentsMayBeMonitored) {
    found.push(
      detected({
        message: `${fragments.count} later fragments without ports between monitored hosts: their way is not determined`,
        key: 'RV901:fragments',
        count: fragments.count,
        where: run.placeOf(fragments.first, -1),
        undetermines: 'run',
      }),
    );
  }
  if (pieces.first !== undefined) {
    found.push(
      detected({
        message: `${pieces.count} fragments between monitored hosts whose datagrams are not whole in the capture: their way is not determined`,
        key: 'RV901:pieces',
        count: pieces.count,
        where: run.placeOf(pieces.first, -1),
        undetermines: 'run',
      }),
    );
  }
  const { cut } = run.replay;
  if (cut.first !== undefined) {
    found.push(
      detected({
        message: `${cut.count} frames between monitored hosts were cut before their ports: whether they are monitored, and their way, is not determined`,
        key: 'RV901:cut',
        count: cut.count,
        where: run.placeOf(cut.first, -1),
        undetermines: 'run',
      }),
    );
  }
  if (run.requireObserved && !run.everythingObserved) {
    found.push(
      detected({
        message: 'the verdict rests on synthesized packets, too, and --require observed was given',
        key: 'RV901:require-observed',
        undetermines: 'run',
      }),
    );
  }
  return found;
}
