import type { PolicyRouteDevice } from '../model/policy-route.ts';
import { ciscoRemedies } from './cisco-remedies.ts';
import type { Remedies } from './router.ts';

/** Changes of a router with policy routes, in its own language. */
export function policyRemedies(device: PolicyRouteDevice): Remedies {
  return ciscoRemedies(device);
}
