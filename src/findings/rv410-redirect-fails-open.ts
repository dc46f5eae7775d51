import { openingsOf } from '../verification/loss-of-sps.ts';
import type { Verification } from '../verification/verification.ts';
import {
  connectionsOf,
  type Detected,
  detected,
  diagnoseDefect,
  type Finding,
  fromDiagnoses,
  whereOf,
} from './finding.ts';

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
    if (happened.length > 0) return happened;
    const passedOver = hopsPassedOver(run);
    // Where the router itself notices that SPS is silent, that is worth a warning; an interface that goes down only where it is asked.
    if (passedOver.length > 0 || !(run.asksAboutLoss || run.router.assumingDown !== undefined)) return passedOver;
    const found = new Map<string, Detected>();
    for (const item of run.connections.first(CONNECTIONS_ASKED)) {
      if (item.leg === 'server') continue;
      for (const { how, fix } of run.sessionsOf(item).flatMap((spec) => openingsOf(run.router, spec))) {
        const interfaceOnly = how === 'interface-down';
        if (interfaceOnly && !run.asksAboutLoss) continue;
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

/** The first connections stand for their like. */
const CONNECTIONS_ASKED = 20;

/** Next hops that are verified and down, of packets that went to the servers instead. */
function hopsPassedOver(run: Verification): Detected[] {
  return run.failures
    .filter((failure) => failure.code === 'RV501' || failure.code === 'RV601')
    .flatMap((failure) =>
      failure.walk.steps.flatMap((step) =>
        step.kind === 'classifier' && step.passedOver !== undefined
          ? [
              detected({
                message: `${step.effect}: what it should get is routed by destination`,
                key: `RV410:${step.passedOver}:${failure.role}`,
                count: Math.max(failure.packets, 1),
                connections: connectionsOf([failure]),
                ...whereOf(step.origin),
              }),
            ]
          : [],
      ),
    );
}
