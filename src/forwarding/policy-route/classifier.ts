import type { PolicyAction, PolicyEntry, PolicyHop, PolicyMap } from '../../model/policy-route.ts';
import { formatIpv4 } from '../../net/ip-address.ts';
import { Disposition } from '../decision.ts';
import { askList, type ListVerdict } from './access-list.ts';
import { find, routeByDestination, sendTo } from './route.ts';
import { POLICY_TABLE_BASE } from './router.ts';
import type { Run } from './run.ts';

const verdict: ListVerdict = { permits: false, entry: undefined };

/**
 * Asks the classifier of the ingress interface; whether it decided about the packet. Otherwise it is routed by destination: nothing in
 * policy routing drops what does not match. Ref: Catalyst 4500 software configuration guide, "Configuring policy-based routing".
 */
export function applyPolicy(run: Run): boolean {
  const reference = run.port.port.policy;
  if (reference === undefined) return false;
  const map = run.router.maps.get(reference.name);
  if (map === undefined) {
    run.steps?.push({
      kind: 'classifier',
      map: reference.name,
      outcome: 'matched',
      effect: `${reference.name} is not defined: nothing is redirected`,
      origin: reference.origin,
    });
    return false;
  }
  for (const entry of map.entries) {
    if (!matchesEntry(run, entry)) {
      record(run, map, entry, 'missed', 'no match');
      continue;
    }
    if (run.disposition === Disposition.undetermined && run.unknown !== -1) return true;
    if (!entry.permit) {
      record(run, map, entry, 'matched', 'routed by destination');
      return false;
    }
    record(
      run,
      map,
      entry,
      'matched',
      entry.actions.length === 0 ? 'no set clause: routed by destination' : 'redirected',
    );
    return applyActions(run, entry);
  }
  return false;
}

function record(run: Run, map: PolicyMap, entry: PolicyEntry, outcome: 'matched' | 'missed', effect: string): void {
  run.steps?.push({
    kind: 'classifier',
    map: map.name,
    sequence: entry.sequence,
    outcome,
    effect: `${entry.title}: ${effect}`,
    origin: entry.origin,
  });
}

/** All lists of an entry are one condition, of which one suffices; its other kinds must hold, too. */
function matchesEntry(run: Run, entry: PolicyEntry): boolean {
  let lists: boolean | undefined;
  let length: boolean | undefined;
  for (const match of entry.matches) {
    switch (match.kind) {
      case 'access-lists':
        lists = (lists ?? false) || permittedByAny(run, match);
        break;
      case 'length':
        length = (length ?? false) || (match.first <= run.length && run.length <= match.last);
        break;
      case 'unmodelled': {
        const reason = run.router.registry.unknown(`whether "${match.name}" holds is not modelled`, match.origin);
        if (run.worlds.choose(2, reason) === 1) return false;
        break;
      }
    }
  }
  if (lists !== undefined && length !== undefined && lists !== length) {
    const reason = run.router.registry.unknown(
      `whether ${entry.title} asks for length and address together, or for one of them, depends on the platform`,
      entry.origin,
    );
    // Most texts say both; the guide of one platform says either.
    return run.worlds.choose(2, reason) === 1;
  }
  return (lists ?? true) && (length ?? true);
}

function permittedByAny(run: Run, match: Extract<PolicyEntry['matches'][number], { kind: 'access-lists' }>): boolean {
  for (const name of match.names) {
    const list = run.router.lists.get(name);
    if (list === undefined) {
      const reason = run.router.registry.unknown(
        `access list ${name} is not defined, and what a route-map makes of that is not documented`,
        match.origin,
      );
      run.steps?.push({
        kind: 'classifier',
        map: name,
        outcome: 'unknown',
        effect: `access list ${name} is not defined`,
        origin: match.origin,
      });
      if (run.worlds.choose(2, reason) === 0) return true;
      continue;
    }
    askList(run, list, verdict);
    run.steps?.push({
      kind: 'filter',
      stage: 'match',
      list: list.list.title,
      outcome: verdict.permits ? 'permitted' : 'denied',
      effect: verdict.entry === undefined ? 'no entry matches' : `entry ${verdict.entry.sequence}`,
      origin: verdict.entry?.origin ?? match.origin,
    });
    if (verdict.permits) return true;
  }
  return false;
}

/** The order in which set clauses are tried. Ref: Cisco IOS command reference, `set ip next-hop`. */
const STAGES: readonly ((action: PolicyAction) => boolean)[] = [
  (action) => action.kind === 'next-hops' && !action.isDefault,
  (action) => action.kind === 'recursive',
  (action) => action.kind === 'interfaces' && !action.isDefault,
  (action) => action.kind === 'table',
  (action) => action.kind === 'next-hops' && action.isDefault,
  (action) => action.kind === 'interfaces' && action.isDefault,
];

function applyActions(run: Run, entry: PolicyEntry): boolean {
  for (const action of entry.actions) {
    if (action.kind !== 'unmodelled') continue;
    const reason = run.router.registry.unknown(`"${action.name}" is not modelled`, action.origin);
    if (run.worlds.choose(2, reason) === 1) {
      run.giveUp(reason);
      return true;
    }
  }
  for (const stage of STAGES) {
    for (const action of entry.actions) {
      if (!stage(action)) continue;
      if (applyAction(run, entry, action)) return true;
    }
  }
  run.table = -1;
  return false;
}

/** Whether the action decided about the packet. */
function applyAction(run: Run, entry: PolicyEntry, action: PolicyAction): boolean {
  switch (action.kind) {
    case 'next-hops':
      if (action.isDefault && hasExplicitRoute(run)) return run.unknown !== -1;
      if (run.unknown !== -1) return true;
      for (const hop of action.hops) if (useHop(run, entry, hop)) return true;
      return false;
    case 'recursive':
      return useRecursive(run, entry, action.address, action);
    case 'interfaces':
      if (action.isDefault && hasExplicitRoute(run)) return run.unknown !== -1;
      if (run.unknown !== -1) return true;
      for (const name of action.names) if (useInterface(run, entry, name, action)) return true;
      return false;
    case 'table': {
      const fib = run.router.fibs.get(action.vrf);
      if (fib === undefined) return false;
      run.table = tableOf(run, entry);
      routeByDestination(run, fib, `${entry.title}, ${action.vrf === '' ? 'global table' : `vrf ${action.vrf}`}`);
      return true;
    }
    case 'unmodelled':
      return false;
  }
}

/** Default forms look at the routing table first; its default route is no explicit one. The run may have been given up. */
function hasExplicitRoute(run: Run): boolean {
  const found = find(run, run.port.fib, run.destination, false);
  return found === false || found !== undefined;
}

/**
 * Whether a next hop took the packet. One that is not in the routing table is passed over; one on a connected network is used, dead or
 * alive, unless its availability is verified; where it is known by a route only, texts disagree.
 * Ref: Cisco IOS IP configuration guide, "Verifying next-hop availability".
 */
function useHop(run: Run, entry: PolicyEntry, hop: PolicyHop): boolean {
  const { fib } = run.port;
  if (hop.availability === 'discovery') {
    // Only a neighbour that speaks the discovery protocol counts as available. SPS does not.
    note(run, entry, hop, 'is used only while CDP shows it, which SPS does not speak: passed over');
    return false;
  }
  if (hop.availability !== 'none' && !trackIsUp(run, entry, hop, hop.availability.track)) return run.unknown !== -1;
  const connected = fib.connected(hop.address);
  if (connected !== undefined && connected.hops.length > 0) {
    if (connected.unknown !== -1 && run.worlds.choose(2, connected.unknown) === 1) {
      run.giveUp(connected.unknown);
      return true;
    }
    run.table = tableOf(run, entry);
    sendTo(run, connected.hops[0]!.egress, hop.address, hop.origin, entry.title);
    return true;
  }
  const route = find(run, fib, hop.address);
  if (route === false) return true;
  if (route === undefined) {
    note(run, entry, hop, 'is not in the routing table: passed over');
    return false;
  }
  const reason = run.router.registry.unknown(
    `next hop ${formatIpv4(hop.address)} is on no connected network, and what the router then does is not certain`,
    hop.origin,
  );
  run.giveUp(reason);
  run.steps?.push({
    kind: 'route',
    table: tableOf(run, entry),
    prefix: '',
    by: entry.title,
    nextHop: formatIpv4(hop.address),
    origin: hop.origin,
  });
  return true;
}

function note(run: Run, entry: PolicyEntry, hop: PolicyHop, words: string): void {
  run.steps?.push({
    kind: 'classifier',
    map: entry.title,
    sequence: entry.sequence,
    outcome: 'matched',
    passedOver: formatIpv4(hop.address),
    effect: `next hop ${formatIpv4(hop.address)} ${words}`,
    origin: hop.origin,
  });
}

function trackIsUp(run: Run, entry: PolicyEntry, hop: PolicyHop, name: string): boolean {
  const track = run.router.tracks.get(name);
  if (track?.state === 'up') return true;
  if (track?.state === 'down') {
    note(run, entry, hop, `is verified by track ${name}, which is down: passed over`);
    return false;
  }
  const reason = run.router.registry.unknown(
    track === undefined
      ? `track ${name} is not defined`
      : `whether track ${name} is up is not in the router's state (show track)`,
    hop.origin,
  );
  return run.worlds.choose(2, reason) === 0;
}

function useRecursive(run: Run, entry: PolicyEntry, address: number, action: PolicyAction): boolean {
  const route = find(run, run.port.fib, address);
  if (route === false) return true;
  const hop = route?.hops[0];
  if (hop === undefined) return false;
  run.table = tableOf(run, entry);
  sendTo(run, hop.egress, hop.nextHop === 0 ? address : hop.nextHop, action.origin, entry.title);
  return true;
}

/**
 * Whether an interface took the packet. By an interface with several neighbours a destination must be reachable; Null0 drops.
 * Ref: Catalyst 4500 software configuration guide, `set interface`.
 */
function useInterface(run: Run, entry: PolicyEntry, name: string, action: PolicyAction): boolean {
  const { router } = run;
  run.table = tableOf(run, entry);
  if (/^null/i.test(name)) {
    run.steps?.push({
      kind: 'route',
      table: run.table,
      prefix: '',
      egress: 'Null0',
      by: entry.title,
      origin: action.origin,
    });
    run.end(Disposition.blackhole, action.origin);
    return true;
  }
  const index = router.indexOf.get(name);
  const port = index === undefined ? undefined : router.ports[index]?.port;
  if (index === undefined || port === undefined || port.up === false) {
    run.table = -1;
    return false;
  }
  if (port.pointToPoint) {
    sendTo(run, index, run.destination, action.origin, entry.title);
    return true;
  }
  const route = find(run, run.port.fib, run.destination);
  if (route === false) return true;
  const hop = route?.hops.find((candidate) => candidate.egress === index);
  if (hop === undefined) run.end(Disposition.unreachable, action.origin);
  else sendTo(run, index, hop.nextHop === 0 ? run.destination : hop.nextHop, action.origin, entry.title);
  return true;
}

function tableOf(run: Run, entry: PolicyEntry): number {
  return POLICY_TABLE_BASE + (run.router.entryNumbers.get(entry) ?? 0);
}
