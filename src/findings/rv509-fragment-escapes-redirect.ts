import { detected, type Finding, strayConnections } from './finding.ts';

/** RV509. */
export const fragmentEscapesRedirect: Finding = {
  kind: {
    code: 'RV509',
    slug: 'fragment-escapes-redirect',
    severity: 'warning',
    saidWhen: 'a non-initial fragment takes another way than the first',
    meaning:
      'Only the first fragment of a packet has ports. Where connections are not tracked, fragments are not put together before the rules, and a rule with a port does not see the others.',
    whyItMatters: 'The first fragment goes to SPS, the rest to the server: neither can put the packet together.',
    example: '-A PREROUTING -p tcp --dport 3389 -j MARK --set-mark 1 without any rule that tracks connections.',
    whatToDo:
      'Keep the packets whole (path MTU discovery, a smaller MSS), or let the router track connections: any rule with -m conntrack in PREROUTING does.',
    references: ['kernel net/ipv4/netfilter/nf_defrag_ipv4.c'],
  },
  detect: (run) =>
    [...run.replay.side.fragments.values()].map((stray) => {
      const names = `${run.interfaceName(stray.ingress)}>${run.interfaceName(stray.egress)}`;
      return detected({
        message: `later fragments of packets that are redirected leave by ${run.interfaceName(stray.egress)} without SPS`,
        key: `RV509:${names}`,
        count: stray.packets,
        connections: strayConnections(run, stray),
        where: run.placeOf(stray.first, stray.ingress),
      });
    }),
};
