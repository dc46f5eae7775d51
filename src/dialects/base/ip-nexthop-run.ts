import type { NextHopObject } from '../../model/routing.ts';
import type { Span } from '../../text/span.ts';
import type { DeviceDraft } from './device-draft.ts';
import { findGateway } from './gateway-lookup.ts';
import { readNextHopWords } from './ip-nexthop-words.ts';
import { WordCursor } from './ip-words.ts';
import type { Word } from '../../text/line-scanner.ts';
import type { Outcome } from './netfilter-draft.ts';
import { withObject } from './next-hop-objects.ts';
import { RouteTableId } from '../../model/routing.ts';

const DONE: Outcome = {};
const refuse = (refused: string): Outcome => ({ refused });
const uncertain = (refused: string): Outcome => ({ refused, uncertain: true });

/** Applies `ip nexthop add|replace|del|flush`. Ref: linux net/ipv4/nexthop.c: rtm_new_nexthop(), remove_nexthop(). */
export function runIpNexthop(draft: DeviceDraft, verb: string, words: readonly Word[], origin: Span): Outcome {
  if (!draft.given.nextHopObjects && namesOthers(draft)) return uncertain('the objects of ip nexthop are not known');
  const objects = draft.nextHopObjects;
  if (verb === 'flush') {
    if (words.length > 0) return uncertain('which objects are flushed is not known');
    for (const id of [...objects.keys()]) removeObject(draft, id);
    return DONE;
  }
  const { object, error } = readNextHopWords(new WordCursor(words));
  if (object === undefined) return uncertain(error ?? 'the object is not understood');
  if (verb === 'delete') {
    if (!objects.has(object.id)) return refuse(`there is no next hop object ${object.id}`);
    removeObject(draft, object.id);
    return DONE;
  }
  if (verb !== 'add' && verb !== 'replace') return uncertain(`ip nexthop ${verb} is not known`);
  const before = objects.get(object.id);
  if (verb === 'add' && before !== undefined) return refuse(`the next hop object ${object.id} exists already`);
  if (before !== undefined && (before.kind === 'group') !== (object.kind === 'group'))
    return refuse('a group does not take the place of a single next hop, nor the other way round');
  const refusal = refusalOf(draft, object);
  if (refusal === 'unknown') return uncertain('whether the kernel finds the gateway is not known');
  if (refusal !== undefined) return refuse(refusal);
  if (object.kind !== 'blackhole' && object.unmodelled.length > 0)
    draft.unmodelled(`where this next hop leads is not modelled: ${object.unmodelled.join(', ')}`, origin);
  objects.set(object.id, object);
  refreshRoutes(draft);
  return DONE;
}

/** A dump of routes names objects that no dump showed. */
const namesOthers = ({ routes, nextHopObjects }: DeviceDraft): boolean =>
  routes.some(({ nextHopObject }) => nextHopObject !== undefined && !nextHopObjects.has(nextHopObject));

function refusalOf(draft: DeviceDraft, object: NextHopObject): string | undefined {
  if (object.kind === 'blackhole') return undefined;
  if (object.kind === 'group') {
    for (const { id } of object.members) {
      const member = draft.nextHopObjects.get(id);
      if (member === undefined) return `there is no next hop object ${id}`;
      if (member.kind === 'group') return 'a group holds no group';
      if (member.kind === 'blackhole' && object.members.length > 1) return 'a black hole is alone in its group';
    }
    return undefined;
  }
  const { gateway, device, onLink } = object.hop;
  const link = device === undefined ? undefined : draft.interfaces.get(device);
  if (device === undefined) return 'the device is missing';
  if (link === undefined && draft.given.interfaces) return `there is no interface ${device}`;
  if (link?.up === false) return `interface ${device} is down`;
  if (link?.lowerUp === false) return `interface ${device} has no carrier`;
  if (gateway === undefined || gateway.family === 6 || onLink) return undefined;
  if (draft.given.routeTables.get(4) !== 'all' || !draft.given.policyRules.has(4)) return undefined;
  const found = findGateway(
    { routes: draft.routes, policyRules: draft.policyRules, isComplete: () => true },
    { gateway, device, table: RouteTableId.main, scope: 0 },
  );
  if (found === 'unknown') return 'unknown';
  return found === 'refused' ? 'the kernel finds no link on which the gateway is' : undefined;
}

/** Takes an object away, out of its groups, and the routes that have no other way with it. */
export function removeObject(draft: DeviceDraft, id: number): void {
  const objects = draft.nextHopObjects;
  objects.delete(id);
  for (const [groupId, group] of objects) {
    if (group.kind !== 'group') continue;
    const members = group.members.filter((member) => member.id !== id);
    if (members.length === group.members.length) continue;
    if (members.length === 0) objects.delete(groupId);
    else objects.set(groupId, { ...group, members });
  }
  refreshRoutes(draft);
}

/** An interface that goes down, or loses its carrier, takes its objects with it. Ref: nexthop.c: nexthop_flush_dev(). */
export function removeObjectsOf(draft: DeviceDraft, device: string): void {
  for (const object of [...draft.nextHopObjects.values()]) {
    if (object.kind === 'hop' && object.hop.device === device) removeObject(draft, object.id);
  }
}

function refreshRoutes(draft: DeviceDraft): void {
  draft.routes = draft.routes.flatMap((route) => {
    if (route.nextHopObject === undefined) return [route];
    const kept = { ...route, unmodelled: [] };
    const fresh = withObject(kept, draft.nextHopObjects);
    return fresh === undefined ? [] : [fresh];
  });
}
