import type { Step } from '../forwarding/walk.ts';
import { ofFamily, type Remedy, type Router } from '../verification/router.ts';
import { type Probe, runSession, type SessionSpec } from '../verification/session.ts';
import type { Verification } from '../verification/verification.ts';
import { type Detected, detected, type Finding, fromDiagnoses, sessionsByKey, whereOf } from './finding.ts';

type RuleStep = Extract<Step, { kind: 'rule' }>;

/** RV412. */
export const unmaskedMark: Finding = {
  kind: {
    code: 'RV412',
    slug: 'unmasked-mark',
    severity: 'warning',
    saidWhen: 'a mark is set or restored without a mask, and rules that see the same packets test other bits of it',
    meaning:
      'A rule writes all 32 bits of the mark. Bits that another rule had set for its own purpose are gone, and rules that test them decide otherwise.',
    whyItMatters:
      'Either the redirect loses its mark, or whatever else uses marks (traffic shaping, VPN, filters) stops working for the redirected packets.',
    example: '-j MARK --set-xmark 0x100/0x100, then -j MARK --set-mark 1, then -m mark ! --mark 0x100/0x100 -j DROP.',
    whatToDo:
      'Set, restore and test only the bits that are meant: --set-xmark 0x1/0x1, --restore-mark --mask 0x1, fwmark 0x1/0x1.',
    references: [
      'iptables-extensions(8): MARK, CONNMARK',
      'projectcalico/felix#964',
      'cloudnativelabs/kube-router#992',
    ],
  },
  detect: (run) => {
    const found = fromDiagnoses(run, 'RV412');
    const told = new Set(found.map((item) => item.key));
    return [...found, ...silentLosses(run).filter((item) => !told.has(item.key))];
  },
  diagnose: (failing) => {
    const { probe, router } = failing;
    if (probe.category === 'viaSps' || probe.category === 'undetermined') return undefined;
    for (const step of overwriting(probe)) {
      const fix = failing.firstThatHelps(router.remedies.maskMark?.(step) ?? []);
      if (fix === undefined) continue;
      return { ...describe(step), notes: [], fix, role: probe.role, category: probe.category };
    }
    return undefined;
  },
};

function describe(step: RuleStep) {
  return {
    code: 'RV412',
    key: `RV412:${step.table}:${step.chain}:${step.number}`,
    message: `rule ${step.number} of ${step.table} ${step.chain} overwrites bits of the mark that are not its own (${step.effect})`,
    ...whereOf(step.origin),
  };
}

/** Rules that took away bits which the packet's mark, or its connection's, had. */
function overwriting(probe: Probe): RuleStep[] {
  return probe.walk.steps.filter((step): step is RuleStep => {
    if (step.kind !== 'rule' || step.outcome !== 'matched') return false;
    const change = /MARK (0x[0-9a-f]+) > (0x[0-9a-f]+)$/.exec(step.effect);
    return change !== null && (Number(change[1]) & ~Number(change[2])) !== 0;
  });
}

const MOST_SESSIONS = 12;

/** Where the redirect itself works: what other rules decide otherwise, because their bits are gone. */
function silentLosses(run: Verification): Detected[] {
  const found = new Map<string, Detected>();
  for (const [spec, connections] of kindsOf(run)) {
    const probes = runSession(run.router.forwarder(), spec);
    for (const step of probes.flatMap(overwriting)) {
      const { key, message, ...place } = describe(step);
      if (found.has(key)) continue;
      const loss = firstLoss(run.router, spec, probes, step);
      if (loss === undefined) continue;
      found.set(
        key,
        detected({
          ...place,
          key,
          message: `${message}: ${loss.words}`,
          fix: loss.fix,
          count: connections.length,
          connections,
        }),
      );
    }
  }
  return [...found.values()];
}

function kindsOf(run: Verification): Map<SessionSpec, number[]> {
  return sessionsByKey(
    run,
    ({ leg }) => leg !== 'server',
    (spec) =>
      `${spec.client.family}/${spec.protocol}/${spec.serverPort}/${spec.clientInterface}/${spec.serverInterface}/${spec.spoofing}`,
    MOST_SESSIONS,
  );
}

/** The first rule that applies to packets of the session only with the mask, or only without it. */
function firstLoss(
  router: Router,
  spec: SessionSpec,
  before: readonly Probe[],
  step: RuleStep,
): { words: string; fix: Remedy } | undefined {
  for (const fix of ofFamily(router, spec.client.family).remedies.maskMark?.(step) ?? []) {
    const altered = router.altered(fix);
    if (altered === undefined) continue;
    const after = runSession(altered.forwarder(), spec);
    if (!after.every((probe) => probe.category === 'viaSps')) continue;
    const [had, has] = [appliedRules(before), appliedRules(after)];
    const lost = [...has].find((rule) => !had.has(rule) && !isOf(fix, rule));
    const gained = [...had].find((rule) => !has.has(rule) && rule !== step.origin?.text);
    if (lost !== undefined) return { words: `without them ${lost} does not apply`, fix };
    if (gained !== undefined) return { words: `without them ${gained} applies`, fix };
  }
  return undefined;
}

function appliedRules(probes: readonly Probe[]): Set<string> {
  const texts = probes.flatMap((probe) =>
    probe.walk.steps.flatMap((step) =>
      step.kind === 'rule' && step.outcome === 'matched' && step.origin !== undefined ? [step.origin.text] : [],
    ),
  );
  return new Set(texts);
}

/** Whether a rule's text is one of the commands. */
function isOf(fix: Remedy, text: string): boolean {
  return fix.some((command) => command.includes(text) || text.includes(command));
}
