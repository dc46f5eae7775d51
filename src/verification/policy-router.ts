import { alterPolicyDevice } from '../dialects/index.ts';
import { createPolicyRouteForwarder } from '../forwarding/policy-route/policy-route-forwarder.ts';
import { policyRedirects } from '../model/policy-redirects.ts';
import type { PolicyRouteDevice } from '../model/policy-route.ts';
import type { IpAddress } from '../net/ip-address.ts';
import { prefixContains } from '../net/prefix.ts';
import { InputError } from '../text/input-error.ts';
import { policyRemedies } from './policy-remedies.ts';
import type { LostSps, Router } from './router.ts';

/** A router that redirects by classifiers, as verification sees it; `down`: next hops that are taken to be down. */
export function policyRouter(device: PolicyRouteDevice, down: readonly IpAddress[] = []): Router {
  return {
    dialects: device.dialects,
    ...(device.hostname !== undefined && { hostname: device.hostname }),
    ...(device.collectedAt !== undefined && { collectedAt: device.collectedAt }),
    interfaces: device.interfaces,
    neighbours: device.neighbours,
    redirect: policyRedirects(device),
    problems: device.problems,
    notices: device.notices,
    runWideUnknowns: device.runWideUnknowns,
    remedies: policyRemedies(device),
    interfaceToward: (address) => {
      let best: { length: number; name: string | undefined } | undefined;
      for (const route of device.routes) {
        if (!prefixContains(route.prefix, address)) continue;
        if (best === undefined || route.prefix.prefixLength > best.length)
          best = { length: route.prefix.prefixLength, name: egressOf(device, route) };
      }
      return best?.name;
    },
    forwarder: (options) => createPolicyRouteForwarder(device, { nextHopsDown: down, ...options }),
    assumingDown: (addresses) => policyRouter(device, addresses),
    losses: (sps) => policyLosses(device, sps),
    altered: (commands) => {
      try {
        const altered = alterPolicyDevice(device, commands);
        // A refused command leaves its complaint: such a remedy helps nobody.
        return altered.problems.some((problem) => isComplaint(problem.where)) ? undefined : policyRouter(altered, down);
      } catch (error) {
        if (error instanceof InputError) return undefined;
        throw error;
      }
    },
    settingOrigin: () => undefined,
  };
}

function isComplaint(where: PolicyRouteDevice['problems'][number]['where']): boolean {
  return where?.kind === 'config' && where.path === 'commands';
}

/** The interface of a route, by its gateway's network where it names none. */
function egressOf(device: PolicyRouteDevice, route: PolicyRouteDevice['routes'][number]): string | undefined {
  if (route.interface !== undefined || route.nextHop === undefined) return route.interface;
  const gateway = { family: 4 as const, words: [route.nextHop, 0, 0, 0] as const };
  return device.routes.find((other) => other.kind === 'connected' && prefixContains(other.prefix, gateway))?.interface;
}

/** SPS is gone and whatever watches over it has noticed; or the interface that faces it is down, and its networks with it. */
function policyLosses(device: PolicyRouteDevice, sps: IpAddress): LostSps[] {
  const unreachable: LostSps = { how: 'unreachable', router: policyRouter(device, [sps]) };
  const facing = device.routes.find(
    (route) => route.kind === 'connected' && prefixContains(route.prefix, sps),
  )?.interface;
  const port = facing === undefined ? undefined : device.ports.get(facing);
  if (port === undefined) return [unreachable];
  const ports = new Map([...device.ports, [port.name, { ...port, up: false }]]);
  return [unreachable, { how: 'interface-down', router: policyRouter({ ...device, ports }) }];
}
