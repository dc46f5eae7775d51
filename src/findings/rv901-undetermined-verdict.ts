import { Disposition } from '../forwarding/decision.ts';
import { formatMac } from '../net/mac-address.ts';
import { beganBefore } from '../observation/connection-log.ts';
import type { Failure } from '../verification/failures.ts';
import type { JudgedConnection } from '../verification/judged.ts';
import { Hop } from '../verification/path-table.ts';
import type { Verification } from '../verification/verification.ts';
import { type Detected, detected, type Finding, fromFailures, fromProblems, packetWords } from './finding.ts';

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
  detect: (run) => [
    ...fromFailures(run, 'RV901', (failure) => words(run, failure)).map((item) => ({
      ...item,
      undetermines: 'connections' as const,
    })),
    ...fromProblems(run, 'RV901').map((item) => ({ ...item, undetermines: 'run' as const })),
    ...legs(run),
    ...otherMacs(run),
    ...unseen(run),
    ...wholeRun(run),
  ],
};

function words(run: Verification, failure: Failure): string {
  const begun = run.connections.some(
    (item) => failure.connections.has(item.connection.id) && beganBefore(item.connection),
  );
  const reason =
    failure.unknown?.reason ??
    (begun
      ? 'its connection began before the capture, and no copy of it shows where it went'
      : 'whether it comes from SPS cannot be told: the MAC address of SPS is not known');
  return `the way of ${packetWords(run, failure)} is not determined: ${reason}`;
}

/** What cannot be said of legs that were to be synthesized. */
function legs(run: Verification): Detected[] {
  const byReason = new Map<string, number[]>();
  for (const item of run.connections) {
    for (const reason of item.probes.undetermined)
      byReason.set(reason, [...(byReason.get(reason) ?? []), item.connection.id]);
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
        found.set(egress.destinationMac, [...(found.get(egress.destinationMac) ?? []), item.connection.id]);
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
 * else, or the copies were lost. Where SPS does not answer ARP, RV511 says why.
 */
function unseen(run: Verification): Detected[] {
  if (run.mode === 'what-if') return [];
  const missing = new Map<string, { connections: number[]; packets: number; egress: number; item: JudgedConnection }>();
  const idle: number[] = [];
  for (const item of run.connections) {
    if (item.ways.length === 0 && item.probes.toServer + item.probes.toClient === 0) idle.push(item.connection.id);
    for (const toServer of [true, false]) {
      const ways = item.ways.filter(
        (way) =>
          way.path.toServer === toServer && !way.path.synthetic && way.path.disposition === Disposition.forwarded,
      );
      const egress = ways[0]?.path.egress ?? -1;
      const packets = ways.reduce((sum, way) => sum + way.count.packets, 0);
      if (packets === 0 || ways.some((way) => way.count.observed.length > 0)) continue;
      if (!run.replay.sawEgress || !run.replay.vantage.wasCaptured(egress) || run.replay.unansweredArp > 0 || run.lossy)
        continue;
      const last = Math.max(...ways.map((way) => way.count.lastTime));
      if (run.replay.lastTime - last < CAPTURE_END_NANOSECONDS) continue;
      const entry = missing.get(`${egress}`) ?? { connections: [], packets: 0, egress, item };
      entry.connections.push(item.connection.id);
      entry.packets += packets;
      missing.set(`${egress}`, entry);
    }
  }
  const found = [...missing.values()].map(({ connections, packets, egress, item }) =>
    detected({
      message: `by the configuration ${packets} packets leave by ${run.interfaceName(egress)}, which was captured, and no copy of them is there`,
      key: `RV901:unseen:${egress}`,
      count: packets,
      connections: [...new Set(connections)],
      where: run.placeOf(
        { file: item.connection.firstFile, frame: item.connection.firstFrame },
        item.ways[0]?.path.ingress ?? -1,
      ),
      undetermines: 'connections',
    }),
  );
  if (idle.length === 0) return found;
  return [
    ...found,
    detected({
      message: 'nothing of these connections entered the router in the capture',
      key: 'RV901:idle',
      count: idle.length,
      connections: idle,
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
  const { ipv6, fragments } = run.replay;
  if (ipv6.count > 0 && ipv6.first !== undefined) {
    found.push(
      detected({
        message: `${ipv6.count} IPv6 frames of monitored ports: redirects of IPv6 are not modelled`,
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
