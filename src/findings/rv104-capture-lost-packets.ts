import { ConntrackView } from '../forwarding/decision.ts';
import { judge } from '../verification/judge.ts';
import type { JudgedWay } from '../verification/judged.ts';
import type { Verification } from '../verification/verification.ts';
import { connectionsWhere, type Detected, detected, type Finding, fromProblems } from './finding.ts';

/** RV104. */
export const captureLostPackets: Finding = {
  kind: {
    code: 'RV104',
    slug: 'capture-lost-packets',
    severity: 'warning',
    saidWhen: 'the capture says that it dropped packets',
    meaning: 'The capturing program reports frames that it could not write.',
    whyItMatters: 'Packets are missing: their fate is unknown, and connection tracking is simulated without them.',
    example: 'dumpcap: 1200 packets dropped.',
    whatToDo:
      'Capture with a filter for the monitored service, a smaller snap length (-s 256) and a larger buffer (-B).',
    references: ['pcapng: Interface Statistics Block'],
  },
  detect: (run) => [...fromProblems(run, 'RV104'), ...lostInSilence(run)],
};

/**
 * Packets that do not fit into their connections as captured, and that the router let pass as theirs: it saw packets that the capture
 * lacks, although the capture says nothing of a loss.
 */
function lostInSilence(run: Verification): Detected[] {
  const taken = (way: JudgedWay): boolean =>
    way.path.conntrack === ConntrackView.invalid &&
    way.category === 'viaSps' &&
    judge(way.path, way.fromSps) !== 'viaSps';
  let packets = 0;
  const { ids, first: item } = connectionsWhere(run, ({ ways }) => {
    const found = ways.filter(taken);
    for (const { count } of found) packets += count.packets;
    return found.length > 0;
  });
  const first = item?.ways.find(taken);
  if (first === undefined) return [];
  return [
    detected({
      message: `${packets === 1 ? 'a packet does' : `${packets} packets do`} not fit into the connections as captured, and went the way of these all the same: the capture lacks packets that the router saw, and what it has is taken as belonging to its connection`,
      key: 'RV104:silent',
      severity: 'note',
      count: packets,
      connections: ids,
      where: run.placeOf({ file: first.count.firstFile, frame: first.count.firstFrame }, first.path.ingress),
    }),
  ];
}
