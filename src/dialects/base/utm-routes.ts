import { configPlace, type Problem } from '../../diagnostic/diagnostic.ts';
import type { PolicyRoute, PolicyRouteDevice } from '../../model/policy-route.ts';
import { networkOf } from '../../net/prefix.ts';
import type { UtmInterface } from './utm-interfaces.ts';
import type { UtmObject, UtmObjects } from './utm-objects.ts';
import { activeObjects, addressesOf, type Complaints, refsOf, textOf } from './utm-values.ts';

/** Connected, default and static routes; what is wrong with one is added to the problems. */
export function utmRoutes(
  objects: UtmObjects,
  interfaces: readonly UtmInterface[],
  complaints: Complaints,
  problems: Problem[],
): PolicyRoute[] {
  const connected = interfaces.flatMap((item) =>
    item.up
      ? item.addresses.map(
          ({ prefix, origin }): PolicyRoute => ({
            vrf: '',
            prefix: networkOf(prefix),
            kind: 'connected',
            distance: 0,
            interface: item.name,
            blackhole: false,
            origin,
          }),
        )
      : [],
  );
  const defaults = interfaces.flatMap((item): PolicyRoute[] =>
    item.up && item.gateway !== undefined
      ? [
          {
            vrf: '',
            prefix: { family: 4, words: [0, 0, 0, 0], prefixLength: 0 },
            kind: 'static',
            distance: 200,
            nextHop: item.gateway.address,
            interface: item.name,
            blackhole: false,
            origin: item.gateway.origin,
          },
        ]
      : [],
  );
  const statics = activeObjects(objects, 'route/static', 'routes.static').flatMap((object) =>
    staticRoutes(objects, object, interfaces, complaints, problems),
  );
  return [...connected, ...defaults, ...statics];
}

function staticRoutes(
  objects: UtmObjects,
  object: UtmObject,
  interfaces: readonly UtmInterface[],
  complaints: Complaints,
  problems: Problem[],
): PolicyRoute[] {
  const { origin } = object;
  const type = textOf(object, 'type');
  const target = refsOf(object, 'target')[0] ?? '';
  const egress = interfaces.find((item) => item.object.ref === target);
  const [hop] = type === 'host' ? addressesOf(objects, target, object, complaints) : [];
  const nextHop = hop?.kind === 'masked' && hop.wildcard === 0 ? hop.address : undefined;
  const known = type === 'blackhole' || (type === 'itf' ? egress !== undefined : nextHop !== undefined);
  return addressesOf(objects, refsOf(object, 'network')[0] ?? '', object, complaints).flatMap((item): PolicyRoute[] => {
    const length = item.kind === 'masked' ? Math.clz32(item.wildcard) : undefined;
    if (item.kind !== 'masked' || length === undefined) {
      problems.push({
        code: 'RV301',
        message: 'this static route is of no network that is known',
        where: configPlace(origin),
      });
      return [];
    }
    return [
      {
        vrf: '',
        prefix: { family: 4, words: [item.address, 0, 0, 0], prefixLength: length },
        kind: 'static',
        distance: 1 + (Number(textOf(object, 'metric')) || 0),
        ...(nextHop !== undefined && { nextHop }),
        ...(egress !== undefined && type === 'itf' && { interface: egress.name }),
        blackhole: type === 'blackhole',
        ...(!known && { unknown: 'the target of this static route cannot be evaluated' }),
        origin,
      },
    ];
  });
}

/** Why routes may be missing. */
export function utmRoutesUnknown(
  objects: UtmObjects,
  interfaces: readonly UtmInterface[],
): PolicyRouteDevice['routesUnknown'] {
  for (const item of interfaces) {
    if (item.up && item.addresses.length === 0)
      return [
        {
          vrf: '',
          reason: `the address of ${item.name} is not in the export (/api/objects/itfparams/primary/)`,
          origin: item.object.origin,
        },
      ];
  }
  const dynamic = [...objects.nodes].find(
    ([name, { value }]) =>
      /^(?:ospf|bgp|routes\.bgp|routes\.ospf)\.status$/.test(name) && Boolean(value) && value !== '0',
  );
  return dynamic === undefined
    ? []
    : [{ vrf: '', reason: 'routes of routing protocols are not in the export', origin: dynamic[1].origin }];
}
