import type { PolicyRouteDevice } from '../model/policy-route.ts';
import { ciscoRemedies } from './cisco-remedies.ts';
import type { Remedies } from './router.ts';
import { utmRemedies } from './utm-remedies.ts';

/** Changes of a router with policy routes, in its own language. */
export function policyRemedies(device: PolicyRouteDevice): Remedies {
  return device.dialects.includes('sophos-utm') ? utmRemedies(device) : ciscoRemedies(device);
}
