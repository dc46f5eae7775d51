import type { LinuxDevice } from './linux-device.ts';
import type { PolicyRouteDevice } from './policy-route.ts';

/** A router as its state describes it. */
export type Device = LinuxDevice | PolicyRouteDevice;
