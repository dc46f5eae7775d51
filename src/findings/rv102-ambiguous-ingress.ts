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
    const { ambiguous } = run.replay;
    const found = fromProblems(run, 'RV102');
    if (ambiguous.count === 0 || ambiguous.first === undefined) return found;
    return [
      ...found,
      detected({
        message: `${ambiguous.count} frames of monitored services entered or left by an interface that cannot be told`,
        key: 'RV102:frames',
        count: ambiguous.count,
        where: run.placeOf(ambiguous.first, -1),
        undetermines: 'run',
        fix: [],
      }),
    ];
  },
};
