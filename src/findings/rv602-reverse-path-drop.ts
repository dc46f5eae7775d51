import { lastStep } from '../verification/failures.ts';
import { type Finding, fromFailures, packetWords } from './finding.ts';

/** RV602. */
export const reversePathDrop: Finding = {
  kind: {
    code: 'RV602',
    slug: 'reverse-path-drop',
    severity: 'error',
    saidWhen: 'the reverse path filter drops a packet',
    meaning:
      "The router's route back to the packet's source leaves by another interface than the packet came in on, and the reverse path filter forbids that.",
    whyItMatters:
      "A transparent SPS answers with the server's address as source, so strict filtering on its interface drops every answer, also where SPS uses its own address toward servers. Nothing is logged by default.",
    example: 'net.ipv4.conf.all.rp_filter = 1 with net.ipv4.conf.eth1.rp_filter = 0: the greater of both counts.',
    whatToDo: 'Set the filter on the interface that faces SPS to loose (2). It wins over a stricter value of `all`.',
    references: [
      'kernel Documentation/networking/ip-sysctl.rst: rp_filter',
      'kernel net/ipv4/fib_frontend.c: __fib_validate_source()',
    ],
  },
  detect: (run) =>
    fromFailures(run, 'RV602', (failure) => {
      const step = lastStep(failure.walk, 'reverse-path');
      const found = step === undefined ? '' : `: the way back to its source is ${step.effect}`;
      return `${packetWords(run, failure)} is dropped by the reverse path filter${found}`;
    }),
};
