import { connectionsWhere, detected, type Finding, strayConnections } from './finding.ts';

/** RV605. */
export const icmpErrorBypassesSps: Finding = {
  kind: {
    code: 'RV605',
    slug: 'icmp-error-bypasses-sps',
    severity: 'warning',
    saidWhen: 'an ICMP error about a redirected connection takes another way',
    meaning:
      'A host or router reports an error about a packet that SPS sent with somebody else’s address. The report goes to that address instead of SPS.',
    whyItMatters:
      'SPS does not learn that its packets are too big or do not arrive: connections hang as soon as large packets are sent.',
    example:
      'A MARK rule with -p tcp, and fragmentation-needed about what SPS sends with the client’s address: the client gets it.',
    whatToDo:
      'Mark ICMP that is related to the redirected connections, too: a connection mark does so by itself; without one, add a rule with -p icmp.',
    references: ['RFC 1191', 'kernel net/netfilter/nf_conntrack_proto_icmp.c: nf_conntrack_inet_error()'],
  },
  detect: (run) =>
    [...run.replay.side.errors.values()].flatMap((stray) => {
      const connections = new Set(strayConnections(run, stray));
      // What is not redirected has its errors where they belong.
      const { ids } = connectionsWhere(
        run,
        (item) => connections.has(item.connection.id) && item.ways.some((way) => way.category === 'viaSps'),
      );
      if (ids.length === 0) return [];
      return [
        detected({
          message: `ICMP errors about connections of SPS that entered on ${run.interfaceName(stray.ingress)} leave by ${run.interfaceName(stray.egress)} without SPS`,
          key: `RV605:${stray.ingress}>${stray.egress}`,
          count: stray.packets,
          connections: ids,
          where: run.placeOf(stray.first, stray.ingress),
        }),
      ];
    }),
};
