import type { NextHop, NextHopObject, Route } from '../../model/routing.ts';

type Objects = ReadonlyMap<number, NextHopObject>;

/** What a route gets from its object. */
interface Content {
  readonly type?: 'blackhole';
  readonly nextHops: readonly NextHop[];
  readonly unmodelled: readonly string[];
}

/** The next hops of an object; undefined where it, or a member of it, is not there. */
function contentOf(objects: Objects, id: number): Content | undefined {
  const object = objects.get(id);
  if (object === undefined) return undefined;
  if (object.kind === 'blackhole') return { type: 'blackhole', nextHops: [], unmodelled: [] };
  if (object.kind === 'hop') return { nextHops: [object.hop], unmodelled: object.unmodelled };
  const nextHops: NextHop[] = [];
  const unmodelled: string[] = [...object.unmodelled];
  for (const member of object.members) {
    const inner = objects.get(member.id);
    if (inner === undefined || inner.kind === 'group') return undefined;
    // A black hole can be a group's only member.
    if (inner.kind === 'blackhole') return { type: 'blackhole', nextHops: [], unmodelled };
    nextHops.push({ ...inner.hop, weight: member.weight });
    unmodelled.push(...inner.unmodelled);
  }
  return { nextHops, unmodelled };
}

/** The route with what its object holds; undefined where the object is not known. */
export function withObject(route: Route, objects: Objects): Route | undefined {
  const content = contentOf(objects, route.nextHopObject!);
  if (content === undefined) return undefined;
  return {
    ...route,
    type: content.type ?? (route.type === 'blackhole' ? 'unicast' : route.type),
    nextHops: content.nextHops,
    unmodelled: [...route.unmodelled, ...content.unmodelled],
  };
}

/**
 * Routes whose dump names an object and not its next hops, as it does while net.ipv4.nexthop_compat_mode is 0, with the hops of the
 * object; where that is not known either, the route is unmodelled.
 */
export function resolveObjects(
  routes: readonly Route[],
  objects: Objects,
  report: (message: string, route: Route) => void,
): Route[] {
  return routes.map((route) => {
    const lacks = route.nextHopObject !== undefined && route.nextHops.length === 0 && route.type === 'unicast';
    if (!lacks || route.unmodelled.length > 0) return route;
    const whole = withObject(route, objects);
    if (whole !== undefined) return whole;
    const name = `nhid ${route.nextHopObject}`;
    report(
      `where this route leads is not modelled: ${name}, without the object; add the output of \`ip nexthop\``,
      route,
    );
    return { ...route, unmodelled: [name] };
  });
}
