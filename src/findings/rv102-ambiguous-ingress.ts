import { detected, type Finding, fromProblems } from './finding.ts';

/** RV102. */
export const ambiguousIngress: Finding = {
  kind: {
    code: 'RV102',
    slug: 'ambiguous-ingress',
    severity: 'warning',
    saidWhen: 'the interface a frame came in on cannot be told',
    meaning:
      'A frame of a monitored service is in the capture, and neither interface names, direction flags nor MAC addresses tell where it entered the router.',
    whyItMatters: 'What the router does with a packet depends on its interface. Without it nothing can be verified.',
    example: 'A classic pcap file of one interface, and a router state without `ip addr`.',
    whatToDo:
      'Name the interface of each file (eth0=client.pcap), give `ip addr show` of the router, or capture with tcpdump -i any.',
    references: ['tcpdump.org: LINKTYPE_LINUX_SLL2'],
  },
  detect: (run) => {
    const { ambiguous, foreign } = run.replay;
    const found = fromProblems(run, 'RV102');
    if (ambiguous.first !== undefined) {
      found.push(
        detected({
          message: `${ambiguous.count} frames of monitored services entered or left by an interface that cannot be told`,
          key: 'RV102:frames',
          count: ambiguous.count,
          where: run.placeOf(ambiguous.first, -1),
          undetermines: 'run',
        }),
      );
    }
    if (foreign.first !== undefined) {
      found.push(
        detected({
          message: `${foreign.count} frames of monitored services are between MAC addresses of which none is the router's: whether they passed it cannot be told`,
          key: 'RV102:foreign',
          count: foreign.count,
          where: run.placeOf(foreign.first, -1),
          undetermines: 'run',
        }),
      );
    }
    const { conflicts } = run.replay.vantage;
    if (conflicts > 0) {
      found.push(
        detected({
          message: `${conflicts} frames bear the MAC address of another interface of the router than the one that their capture names: the names may be mixed up`,
          key: 'RV102:conflicts',
          count: conflicts,
          undetermines: 'run',
        }),
      );
    }
    return found;
  },
};
