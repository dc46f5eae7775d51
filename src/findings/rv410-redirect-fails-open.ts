import { openingsOf } from '../verification/loss-of-sps.ts';
import { type Detected, detected, diagnoseDefect, type Finding, fromDiagnoses } from './finding.ts';

/** RV410. */
export const redirectFailsOpen: Finding = {
  kind: {
    code: 'RV410',
    slug: 'redirect-fails-open',
    severity: 'warning',
    saidWhen: 'when SPS is lost, traffic goes straight to the servers',
    meaning:
      'The redirect ends with the next hop, or with the interface that faces it, and packets are routed by their destination then.',
    whyItMatters: 'While SPS is away sessions go on and are not recorded. Nobody notices.',
    example:
      'set ip next-hop verify-availability; on Linux the interface of SPS going down, which takes the route of table scb along.',
    whatToDo: 'Where sessions must not go on without SPS, let the redirect end in a route that refuses.',
    references: ['ip-route(8): unreachable', 'Cisco document 47121'],
  },
  detect: (run) => {
    // Where the loss has happened, the statement that let it open is the cause.
    const happened = fromDiagnoses(run, 'RV410');
    if (happened.length > 0 || !run.asksAboutLoss) return happened;
    const found = new Map<string, Detected>();
    for (const item of run.connections) {
      if (item.leg === 'server') continue;
      for (const { how, fix } of run.sessionsOf(item).flatMap((spec) => openingsOf(run.router, spec))) {
        const interfaceOnly = how === 'interface-down';
        found.set(
          how,
          detected({
            message: interfaceOnly
              ? 'when the interface that faces SPS goes down, its route goes along, and monitored traffic is routed straight to the servers'
              : 'when SPS does not answer, monitored traffic is routed straight to the servers',
            key: `RV410:${how}`,
            fix: fix ?? [],
            ...(interfaceOnly && { severity: 'note' as const }),
          }),
        );
      }
    }
    // What already happens when SPS is silent needs no interface to go down.
    if (found.has('unreachable')) found.delete('interface-down');
    return [...found.values()];
  },
  diagnose: (failing) => diagnoseDefect(failing, 'RV410'),
};
