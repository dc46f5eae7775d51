import { formatMark } from '../net/masked-mark.ts';
import { lastStep } from '../verification/failures.ts';
import { type Finding, fromDiagnoses, whereOf } from './finding.ts';

/** RV603. */
export const markChangesReversePath: Finding = {
  kind: {
    code: 'RV603',
    slug: 'mark-changes-reverse-path',
    severity: 'warning',
    saidWhen: '`src_valid_mark` makes the reverse lookup take the redirect’s table',
    meaning:
      'With src_valid_mark the reverse path filter looks up the source with the packet’s mark, so that the redirect’s table answers: the way back is by the interface of SPS.',
    whyItMatters: 'On a strict interface every redirected packet is dropped. Nothing is logged by default.',
    example: 'net.ipv4.conf.all.src_valid_mark = 1, net.ipv4.conf.eth0.rp_filter = 1.',
    whatToDo: 'Set src_valid_mark to 0 where nothing else needs it, or make the filter of that interface loose.',
    references: ['kernel net/ipv4/fib_frontend.c: __fib_validate_source()', 'tailscale/tailscale#19796'],
  },
  detect: (run) => fromDiagnoses(run, 'RV603'),
  diagnose: (failing) => {
    const { probe, router } = failing;
    const step = lastStep(probe.walk, 'reverse-path');
    if (step === undefined || step.outcome !== 'dropped' || step.mark === 0 || step.sourceValidMark !== true)
      return undefined;
    const fix = failing.firstThatHelps([
      ...router.remedies.ignoreMarkInReversePath(step.ingress),
      ...router.remedies.relaxReversePath(step.ingress),
    ]);
    if (fix === undefined) return undefined;
    return {
      code: 'RV603',
      key: `RV603:${step.ingress}`,
      message: `src_valid_mark makes the reverse lookup of a packet from ${step.ingress} use mark ${formatMark(step.mark)}: ${step.effect}`,
      ...whereOf(step.origin),
      notes: [],
      fix,
      role: probe.role,
      category: probe.category,
    };
  },
};
