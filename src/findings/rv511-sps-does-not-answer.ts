import { answerOf } from '../verification/answers.ts';
import type { JudgedConnection } from '../verification/judged.ts';
import type { Verification } from '../verification/verification.ts';
import { detected, type Finding } from './finding.ts';

/** RV511. */
export const spsDoesNotAnswer: Finding = {
  kind: {
    code: 'RV511',
    slug: 'sps-does-not-answer',
    severity: 'error',
    saidWhen: 'frames were redirected and left toward SPS, and nothing, or only a reset, came back',
    meaning:
      'The router does its part. SPS is down, does not listen for this service, refuses the connection, or does not answer ARP.',
    whyItMatters: 'Nobody can work with the monitored servers until SPS answers.',
    example: 'Client SYNs leave by eth1 toward 172.16.0.1 and are repeated after 1 s, 3 s and 7 s.',
    whatToDo:
      "Check on SPS that it is up, that a connection policy covers these clients, servers and port, and that its network interface is the redirect's next hop.",
    references: [],
  },
  detect: (run) => {
    if (run.mode === 'what-if') return [];
    const [silent, refused] = [newUnanswered(), newUnanswered()];
    for (const item of run.connections) {
      const answer = answerOf(run, item);
      if (answer !== undefined) add(answer === 'none' ? silent : refused, item);
    }
    return [
      ...report(run, silent, 'silent', arpWords(run)),
      ...report(run, refused, 'refused', 'SPS refuses: only resets came back'),
    ];
  },
};

function arpWords(run: Verification): string {
  return run.replay.unansweredArp > 0
    ? `nothing came back: SPS does not answer ARP (${run.replay.unansweredArp} requests unanswered)`
    : 'nothing came back';
}

interface Unanswered {
  readonly ids: number[];
  /** Packets toward the server. */
  packets: number;
}

function newUnanswered(): Unanswered {
  return { ids: [], packets: 0 };
}

function add(to: Unanswered, { connection, ways }: JudgedConnection): void {
  to.ids.push(connection.id);
  for (const { path, count } of ways) if (path.toServer) to.packets += count.packets;
}

function report(run: Verification, { ids, packets }: Unanswered, key: string, words: string) {
  const first = ids[0] === undefined ? undefined : run.connections.at(ids[0] - 1);
  if (first === undefined) return [];
  const way = first.ways.find((candidate) => candidate.path.toServer && candidate.category === 'viaSps');
  return [
    detected({
      message: `${ids.length === 1 ? 'a connection was' : `${ids.length} connections were`} redirected to SPS, and ${words}`,
      key: `RV511:${key}`,
      count: packets,
      connections: ids,
      where: run.placeOf(
        { file: first.connection.firstFile, frame: first.connection.firstFrame },
        way?.path.ingress ?? -1,
      ),
    }),
  ];
}
