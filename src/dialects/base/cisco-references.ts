import { configPlace } from '../../diagnostic/diagnostic.ts';
import type { CiscoDraft } from './cisco-draft.ts';

/** Reports names that nothing defines, and parts of the state that are missing. */
export function reportReferences(draft: CiscoDraft): void {
  for (const item of draft.interfaces.values()) {
    const { policy, inputList, outputList, sourceCheck } = item;
    if (policy !== undefined && !draft.maps.has(policy.name))
      draft.undefinedReference(
        `route-map ${policy.name} is not defined: nothing is redirected on ${item.name}`,
        policy.origin,
      );
    for (const reference of [inputList, outputList]) {
      if (reference !== undefined && !draft.lists.has(reference.name))
        draft.undefinedReference(
          `access list ${reference.name} is not defined: it lets everything pass`,
          reference.origin,
        );
    }
    if (sourceCheck?.exceptions !== undefined && !draft.lists.has(sourceCheck.exceptions))
      draft.undefinedReference(`access list ${sourceCheck.exceptions} is not defined`, sourceCheck.origin);
    if (item.vrf !== '' && draft.vrfs.size > 0 && !draft.vrfs.has(item.vrf))
      draft.undefinedReference(`vrf ${item.vrf} is not defined`, item.origin);
  }
  reportInMaps(draft);
  reportGroups(draft);
  reportMissing(draft);
}

function reportInMaps(draft: CiscoDraft): void {
  for (const entries of draft.maps.values()) {
    for (const entry of entries.values()) {
      for (const match of entry.matches) {
        if (match.kind !== 'access-lists') continue;
        for (const name of match.names)
          if (!draft.lists.has(name)) draft.undefinedReference(`access list ${name} is not defined`, match.origin);
      }
      for (const action of entry.actions) {
        if (action.kind === 'table' && action.vrf !== '' && !draft.vrfs.has(action.vrf))
          draft.undefinedReference(`vrf ${action.vrf} is not defined`, action.origin);
        if (action.kind !== 'next-hops') continue;
        for (const hop of action.hops)
          if (typeof hop.availability === 'object' && !draft.tracks.has(hop.availability.track))
            draft.undefinedReference(`track ${hop.availability.track} is not defined`, hop.origin);
      }
    }
  }
}

function reportGroups(draft: CiscoDraft): void {
  for (const list of draft.lists.values()) {
    for (const entry of list.entries) {
      for (const spec of [entry.source, entry.destination])
        if ('group' in spec && !draft.addressGroups.has(spec.group))
          draft.undefinedReference(`object group ${spec.group} is not defined`, entry.origin);
      if ('group' in entry.services && !draft.serviceGroups.has(entry.services.group))
        draft.undefinedReference(`object group ${entry.services.group} is not defined`, entry.origin);
    }
  }
  for (const groups of [draft.addressGroups, draft.serviceGroups]) {
    for (const group of groups.values()) {
      for (const inner of group.groups)
        if (!groups.has(inner.name))
          draft.undefinedReference(`object group ${inner.name} is not defined`, inner.origin);
    }
  }
  for (const item of draft.translations)
    if (item.list !== undefined && !draft.lists.has(item.list))
      draft.undefinedReference(`access list ${item.list} is not defined`, item.origin);
}

/** Parts that outputs of the router would settle. */
function reportMissing(draft: CiscoDraft): void {
  const first = draft.protocols.find(({ vrf }) => !draft.shownTables.has(vrf));
  if (first !== undefined) {
    draft.report({
      code: 'RV304',
      message: "routes of routing protocols are not in the router's state: give show ip route",
      where: configPlace(first.origin),
    });
  }
  const tracked = [...draft.tracks.values()].find((track) => track.state === 'unknown' && isUsed(draft, track.name));
  if (tracked !== undefined) {
    draft.report({
      code: 'RV304',
      message: `whether track ${tracked.name} is up is not in the router's state: give show track`,
      ...(tracked.origin !== undefined && { where: configPlace(tracked.origin) }),
    });
  }
}

function isUsed(draft: CiscoDraft, track: string): boolean {
  const byMap = [...draft.maps.values()].some((entries) =>
    [...entries.values()].some((entry) =>
      entry.actions.some(
        (action) =>
          action.kind === 'next-hops' &&
          action.hops.some((hop) => typeof hop.availability === 'object' && hop.availability.track === track),
      ),
    ),
  );
  return byMap || draft.statics.some((route) => route.track === track);
}
