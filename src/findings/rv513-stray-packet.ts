import { type Finding, fromFailures, packetWords } from './finding.ts';

/** RV513. */
export const strayPacket: Finding = {
  kind: {
    code: 'RV513',
    slug: 'stray-packet',
    severity: 'note',
    saidWhen: 'a FIN, RST or empty ACK outside a live entry went its own way; it does not decide the verdict',
    meaning:
      'After a connection ended, one of its hosts sent another packet without data. Conntrack has no entry for it, so it is routed by its destination.',
    whyItMatters: 'It carries nothing. It is named so that no packet is left unexplained.',
    example: 'A reset of the client two minutes after the connection was closed.',
    whatToDo: 'Nothing.',
    references: ['kernel net/netfilter/nf_conntrack_proto_tcp.c: tcp_new()'],
  },
  detect: (run) =>
    fromFailures(
      run,
      'RV513',
      (failure) =>
        `${packetWords(run, failure)} belongs to no live connection and leaves by ${run.interfaceName(failure.key.egress)}`,
    ),
};
