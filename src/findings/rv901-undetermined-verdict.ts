import type { Failure } from '../verification/failures.ts';
import type { Verification } from '../verification/verification.ts';
import { type Detected, detected, type Finding, fromFailures, packetWords } from './finding.ts';

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
    ...legs(run),
    ...wholeRun(run),
  ],
};

function words(run: Verification, failure: Failure): string {
  const reason =
    failure.unknown?.reason ?? 'whether it comes from SPS cannot be told: the MAC address of SPS is not known';
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
  if (ipv6.count > 0 && ipv6.first !== undefined && run.intent.servers.length === 0) {
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
