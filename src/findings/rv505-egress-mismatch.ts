import { ConntrackView, DISPOSITIONS, Disposition } from '../forwarding/decision.ts';
import { formatMac } from '../net/mac-address.ts';
import { beganBefore } from '../observation/connection-log.ts';
import { proofOf } from '../verification/failures.ts';
import type { JudgedWay } from '../verification/judged.ts';
import { Hop } from '../verification/path-table.ts';
import type { Verification } from '../verification/verification.ts';
import { type Detected, detected, type Finding } from './finding.ts';

/** RV505. */
export const egressMismatch: Finding = {
  kind: {
    code: 'RV505',
    slug: 'egress-mismatch',
    severity: 'error',
    saidWhen: 'the capture shows another egress than the configuration gives: the router runs something else',
    meaning:
      "A packet's copy left by another interface than the given state forwards it to, or left although the state drops it.",
    whyItMatters:
      'The router does not run this state. What is said about the configuration holds for the text, not for the router.',
    example:
      'The state was saved before a network manager removed the policy rule; the capture shows frames leaving by eth2.',
    whatToDo:
      'Collect the state again, at the time of the capture (redirect-verify collect linux --capture SECONDS), and run again.',
    references: [],
  },
  detect: (run) => {
    if (run.mode === 'what-if') return [];
    const groups = new Map<string, { way: JudgedWay; observed: string; packets: number; connections: Set<number> }>();
    for (const item of run.connections) {
      // Its entry is older than the capture, so what the simulation expects of it is no promise of the configuration.
      if (beganBefore(item.connection)) continue;
      for (const way of item.ways) {
        if (way.path.disposition === Disposition.undetermined) continue;
        // What does not fit into its connection as captured fits where the capture lacks packets that the router saw.
        if (way.path.conntrack === ConntrackView.invalid) continue;
        for (const egress of way.count.observed) {
          const elsewhere = way.path.disposition !== Disposition.forwarded || way.path.egress !== egress.interface;
          const otherHost = way.path.hop === Hop.sps && run.replay.senders.isSpsMac(egress.destinationMac) === false;
          if (!elsewhere && !otherHost) continue;
          const observed = `${run.interfaceName(egress.interface)}${elsewhere ? '' : ` to ${formatMac(egress.destinationMac)}, which is not SPS`}`;
          const key = `${way.path.ingress}/${way.path.disposition}/${way.path.egress}/${observed}`;
          const group = groups.get(key) ?? { way, observed, packets: 0, connections: new Set() };
          group.packets += egress.packets;
          group.connections.add(item.connection.id);
          groups.set(key, group);
        }
      }
    }
    return [...groups].map(([key, group]) =>
      describe(run, key, group.way, group.observed, group.packets, [...group.connections]),
    );
  },
};

function describe(
  run: Verification,
  key: string,
  way: JudgedWay,
  observed: string,
  packets: number,
  connections: number[],
): Detected {
  const { path, count } = way;
  const expected =
    path.disposition === Disposition.forwarded
      ? `forwarded by ${run.interfaceName(path.egress)}`
      : (DISPOSITIONS[path.disposition] ?? '');
  return detected({
    message: `the capture shows packets from ${run.interfaceName(path.ingress)} leaving by ${observed}; by the configuration they are ${expected}`,
    key: `RV505:${key}`,
    count: packets,
    connections,
    where: run.placeOf({ file: count.firstFile, frame: count.firstFrame }, path.ingress),
    notes: proofOf(path.walk),
  });
}
