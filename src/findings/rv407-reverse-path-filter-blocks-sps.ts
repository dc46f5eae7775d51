import { lastStep } from '../verification/failures.ts';
import { type Finding, fromDiagnoses, whereOf } from './finding.ts';

/** RV407. */
export const reversePathFilterBlocksSps: Finding = {
  kind: {
    code: 'RV407',
    slug: 'reverse-path-filter-blocks-sps',
    severity: 'error',
    saidWhen: 'the effective filter on the interface facing SPS drops what SPS must send',
    meaning:
      "What SPS sends bears the server's address as source toward clients, and the client's toward servers where it spoofs. Neither is routed by the interface of SPS, so a strict filter there drops it.",
    whyItMatters:
      'No session comes about. It is so also where SPS uses its own address toward servers, because its answers to clients never do.',
    example:
      'net.ipv4.conf.all.rp_filter = 1, net.ipv4.conf.eth1.rp_filter = 0: the effective value is the greater, 1.',
    whatToDo:
      'Set 2 (loose) on the interface facing SPS, now with sysctl -w and for good in /etc/sysctl.d. There is no need to touch `all`.',
    references: ['kernel Documentation/networking/ip-sysctl.rst: rp_filter', 'tailscale/tailscale#3310'],
  },
  detect: (run) => fromDiagnoses(run, 'RV407'),
  diagnose: (failing) => {
    const { probe, router } = failing;
    if (!probe.fromSps) return undefined;
    const step = lastStep(probe.walk, 'reverse-path');
    if (step === undefined || step.outcome === 'passed') return undefined;
    const fix = failing.firstThatHelps(router.remedies.relaxReversePath(step.ingress));
    if (fix === undefined) return undefined;
    const overridden =
      step.all !== undefined && step.own !== undefined && step.all > step.own && step.effective === step.all;
    const key = `RV407:${step.ingress}`;
    const values =
      step.all === undefined || step.own === undefined
        ? ''
        : ` (all ${step.all}, ${step.ingress} ${step.own}: the greater counts)`;
    return {
      code: 'RV407',
      key,
      message: `the reverse path filter on ${step.ingress} is ${step.effective === 1 ? 'strict' : 'loose'}${values} and drops what SPS sends: ${probe.label}, ${probe.flow}`,
      ...whereOf(step.origin),
      notes: [{ message: `the route back to its source: ${step.effect}` }],
      fix,
      role: probe.role,
      category: probe.category,
      ...(overridden && {
        because: [
          {
            code: 'RV415',
            key: `RV415:${step.ingress}:rp_filter`,
            message: `net.ipv4.conf.all.rp_filter = ${step.all} overrides net.ipv4.conf.${step.ingress}.rp_filter = ${step.own}`,
            ...whereOf(step.origin),
          },
        ],
      }),
    };
  },
};
