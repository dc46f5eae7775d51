import type { Device } from '../model/device.ts';
import { linuxRouter } from './linux-router.ts';
import { policyRouter } from './policy-router.ts';
import type { Router } from './router.ts';

/** A router of any make as verification sees it. */
export function routerOfDevice(device: Device): Router {
  return device.kind === 'linux' ? linuxRouter(device) : policyRouter(device);
}
