import type { Device } from '../model/device.ts';
import type { LinuxDevice } from '../model/linux-device.ts';
import type { PolicyRouteDevice } from '../model/policy-route.ts';
import { InputError } from '../text/input-error.ts';
import type { DeviceDialect } from './base/device-dialect.ts';
import type { Dialect } from './base/dialect.ts';
import { readState } from './base/read-state.ts';
import { type RouterSource, splitSections } from './base/split-sections.ts';
import { applyCiscoCommands, ciscoIos } from './cisco-ios.ts';
import { linuxConntrack } from './linux-conntrack.ts';
import { linuxSockets } from './linux-sockets.ts';
import { linuxIdentity } from './linux-identity.ts';
import { linuxIpAddr } from './linux-ip-addr.ts';
import { linuxIpNeigh } from './linux-ip-neigh.ts';
import { linuxIpNexthop } from './linux-ip-nexthop.ts';
import { linuxIpRoute } from './linux-ip-route.ts';
import { linuxIpRule } from './linux-ip-rule.ts';
import { linuxIpset } from './linux-ipset.ts';
import { linuxIptablesSave } from './linux-iptables-save.ts';
import { linuxNftRuleset } from './linux-nft-ruleset.ts';
import { linuxRtTables } from './linux-rt-tables.ts';
import { linuxShell } from './linux-shell.ts';
import { linuxSysctl } from './linux-sysctl.ts';
import { applyUtmRequests, sophosUtm } from './sophos-utm.ts';

export { applyLinuxCommands } from './linux-shell.ts';

/** Every dialect; a line of text without heading is of the first that recognises it. */
export const DIALECTS: readonly Dialect[] = [
  linuxIptablesSave,
  linuxNftRuleset,
  linuxIpRule,
  linuxIpAddr,
  linuxIpNeigh,
  linuxConntrack,
  linuxSockets,
  linuxIpNexthop,
  linuxIpRoute,
  linuxSysctl,
  linuxRtTables,
  linuxIpset,
  linuxIdentity,
  linuxShell,
];

/**
 * Reads the state of one Linux router from texts: dumps in any mixture and order, as one bundle or several files, and commands applied
 * on top. What is not understood or not modelled is in the device's problems with its place.
 * Throws InputError (one line, with the place) for a text of no known dialect, for the state of two routers, and for a placeholder that
 * was left in a command.
 */
export function parseRouterState(sources: readonly RouterSource[]): LinuxDevice {
  return readState(sources, DIALECTS);
}

/** Languages in which a router's whole state is written. */
export const DEVICE_DIALECTS: readonly DeviceDialect[] = [ciscoIos, sophosUtm];

/**
 * Reads the state of one router of any make. Throws InputError as {@link parseRouterState} does, and where the texts are of several
 * makes.
 */
export function parseDevice(sources: readonly RouterSource[]): Device {
  const told = sources.map((source) => DEVICE_DIALECTS.find((dialect) => dialect.recognise(source)));
  const [dialect] = told.filter((item) => item !== undefined);
  if (dialect === undefined) return parseRouterState(sources);
  // What alone tells nothing, as a part of a configuration, is read as what stands beside it.
  const other = told.findIndex((item, index) => item !== dialect && (item !== undefined || isLinux(sources[index]!)));
  if (other < 0) return dialect.parse(sources);
  const own = sources[told.indexOf(dialect)]!;
  throw new InputError(
    `${sources[other]!.path} is no text of ${dialect.name}, as ${own.path} is: one run is about one router, give the state of one only`,
  );
}

/** Whether any part of a text is of a Linux router. */
function isLinux(source: RouterSource): boolean {
  try {
    splitSections(source, DIALECTS);
    return true;
  } catch (error) {
    if (error instanceof InputError) return false;
    throw error;
  }
}

/** The device after some commands in its own language; the device itself is not changed. */
export function alterPolicyDevice(device: PolicyRouteDevice, commands: readonly string[]): PolicyRouteDevice {
  return device.dialects.includes(sophosUtm.name)
    ? applyUtmRequests(device, commands)
    : applyCiscoCommands(device, commands);
}
