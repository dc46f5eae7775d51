import { DISPOSITIONS } from '../forwarding/decision.ts';
import { type Finding, fromFailures, packetWords } from './finding.ts';

/** RV504. */
export const noRoute: Finding = {
  kind: {
    code: 'RV504',
    slug: 'no-route',
    severity: 'error',
    saidWhen: 'no route, unreachable, prohibited, blackholed, forwarding off, refused source',
    meaning:
      'The router does not forward the packet: it finds no route, a route that refuses, forwarding is off, or its source is one that no host may use.',
    whyItMatters: 'The session cannot come about.',
    example:
      'Clients are behind a further router, and the main table has no route back to them: what SPS answers cannot be sent.',
    whatToDo: 'Add the route, or switch forwarding on for the interface (net.ipv4.conf.INTERFACE.forwarding).',
    references: ['ip-route(8)', 'kernel net/ipv4/route.c: ip_route_input_slow()'],
  },
  detect: (run) =>
    fromFailures(
      run,
      'RV504',
      (failure) => `${packetWords(run, failure)} is not forwarded: ${DISPOSITIONS[failure.key.disposition]}`,
    ),
};
