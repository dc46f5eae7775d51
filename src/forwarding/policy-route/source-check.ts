import type { SourceCheck } from '../../model/source-check.ts';
import { Disposition } from '../decision.ts';
import { askList, type ListVerdict } from './access-list.ts';
import { type FibEntry, formatEntry } from './fib.ts';
import type { Run } from './run.ts';

const verdict: ListVerdict = { permits: false, entry: undefined };

/**
 * Asks the interface's source check; whether the packet goes on. The list of exceptions is asked only about packets that fail.
 * Ref: Cisco IOS IP switching command reference, `ip verify unicast source reachable-via`.
 */
export function checkSource(run: Run): boolean {
  const check = run.port.port.sourceCheck;
  if (check === undefined) return true;
  const { registry, names } = run.router;
  if (check.doubt !== undefined && run.worlds.choose(2, registry.unknown(check.doubt, check.origin)) === 0) return true;
  if (check.unmodelled.length > 0) {
    const reason = registry.unknown(
      `"${check.unmodelled[0]}" of the source check on ${run.port.port.name} is not modelled`,
      check.origin,
    );
    // It may let pass what the check drops, or drop what it lets pass.
    if (run.worlds.choose(2, reason) === 1) {
      run.giveUp(reason);
      return false;
    }
  }
  const back = check.mode === 'attached' ? run.port.fib.connected(run.source) : run.port.fib.lookup(run.source);
  const passes = passesCheck(run, check, back);
  if (passes === undefined) return false;
  const effect = back === undefined ? 'no route' : formatEntry(back, names);
  if (passes) {
    record(run, check, 'passed', effect, back);
    return true;
  }
  if (check.exceptions !== undefined) {
    const list = run.router.lists.get(check.exceptions);
    if (list === undefined) {
      run.giveUp(registry.unknown(`access list ${check.exceptions} of the source check is not defined`, check.origin));
      return false;
    }
    askList(run, list, verdict);
    if (verdict.permits) {
      record(run, check, 'passed', `${effect}; access list ${check.exceptions} permits it`, back);
      return true;
    }
  }
  record(run, check, 'dropped', effect, back);
  run.end(Disposition.droppedByReversePath, check.origin);
  return false;
}

/** Undefined where that is not known; the run has then been given up. */
function passesCheck(run: Run, check: SourceCheck, back: FibEntry | undefined): boolean | undefined {
  const { registry } = run.router;
  const { fib, index } = run.port;
  const doubt = back?.unknown ?? -1;
  // Routes that are not in the text may be longer than what was found, unless that is a connected network.
  const incomplete = check.mode !== 'attached' && back?.connected !== true ? fib.incomplete : -1;
  for (const reason of [doubt, incomplete]) {
    if (reason !== -1 && run.worlds.choose(2, reason) === 1) {
      run.giveUp(reason);
      return undefined;
    }
  }
  if (check.mode === 'attached') return back === undefined || back.hops.some((hop) => hop.egress === index);
  if (back === undefined || back.hops.length === 0) return false;
  if (back.length === 0 && check.allowDefault !== true) {
    if (check.allowDefault === false) return false;
    const reason = registry.unknown(
      'whether the default route satisfies this form of the source check is not documented',
      check.origin,
    );
    if (run.worlds.choose(2, reason) === 1) return false;
  }
  return check.mode === 'loose' || back.hops.some((hop) => hop.egress === index);
}

function record(
  run: Run,
  check: SourceCheck,
  outcome: 'passed' | 'dropped',
  effect: string,
  back: FibEntry | undefined,
): void {
  run.steps?.push({
    kind: 'reverse-path',
    ingress: run.port.port.name,
    effective: check.mode === 'loose' ? 2 : 1,
    mark: 0,
    outcome,
    effect,
    devices: (back?.hops ?? []).map((hop) => run.router.names[hop.egress] ?? ''),
    origin: check.origin,
  });
}
