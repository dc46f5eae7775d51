import { applyLinuxCommands } from '../dialects/index.ts';
import { createLinuxForwarder } from '../forwarding/linux/linux-forwarder.ts';
import type { LinuxDevice } from '../model/linux-device.ts';
import { linuxRedirects } from '../model/linux-redirects.ts';
import { plainIpv6Way } from '../model/plain-ipv6.ts';
import { type Route, RouteTableId } from '../model/routing.ts';
import { equalIpAddress, type IpAddress } from '../net/ip-address.ts';
import { prefixContains } from '../net/prefix.ts';
import { InputError } from '../text/input-error.ts';
import { linuxRemedies } from './linux-remedies.ts';
import { lastingLinuxCommands, undoOfFix } from './linux-fix-afterwards.ts';
import type { LostSps, Router } from './router.ts';

/** Addresses of which it is remembered where they are. */
const MOST_ANSWERS = 100_000;

/** A Linux router as verification sees it. */
export function linuxRouter(device: LinuxDevice): Router {
  return {
    dialects: device.dialects,
    ...(device.hostname !== undefined && { hostname: device.hostname }),
    ...(device.collectedAt !== undefined && { collectedAt: device.collectedAt }),
    interfaces: device.interfaces,
    neighbours: device.neighbours,
    redirect: linuxRedirects(device),
    problems: device.problems,
    notices: device.notices,
    runWideUnknowns: device.runWideUnknowns,
    remedies: linuxRemedies(device),
    remedies6: linuxRemedies(device, 6),
    interfaceToward: towardByMain(device),
    plainIpv6Way: (address) => plainIpv6Way(device, address),
    forwarder: (options) => createLinuxForwarder(device, options),
    losses: (sps) => linuxLosses(device, sps),
    altered: (commands) => {
      try {
        const altered = applyLinuxCommands(device, commands);
        // A refused command leaves its complaint: such a remedy helps nobody.
        return altered.problems.length > device.problems.length ? undefined : linuxRouter(altered);
      } catch (error) {
        if (error instanceof InputError) return undefined;
        throw error;
      }
    },
    withoutChoice: (nextHops) => {
      const routes = device.routes.map((route) => (choosesAmong(route, nextHops) ? firstHopOf(route) : route));
      const isChanged = routes.some((route, index) => route !== device.routes[index]);
      return isChanged ? linuxRouter({ ...device, routes }) : undefined;
    },
    undo: (commands) => undoOfFix(device, commands),
    lasting: lastingLinuxCommands,
    settingOrigin: (name) => device.sysctls.get(name)?.origin,
  };
}

/**
 * The interface that main leads to an address by. Answers are remembered: of each connection is asked, and there may be a hundred thousand
 * routes to look through.
 */
function towardByMain(device: LinuxDevice): Router['interfaceToward'] {
  const answers = new Map<string, string | undefined>();
  return (address) => {
    const key = `${address.family}/${address.words.join()}`;
    if (answers.has(key)) return answers.get(key);
    let best: { length: number; device: string | undefined } | undefined;
    for (const route of device.routes) {
      if (route.table !== RouteTableId.main || route.type !== 'unicast' || !prefixContains(route.prefix, address))
        continue;
      if (best === undefined || route.prefix.prefixLength > best.length)
        best = { length: route.prefix.prefixLength, device: route.nextHops[0]?.device };
    }
    if (answers.size >= MOST_ANSWERS) answers.clear();
    answers.set(key, best?.device);
    return best?.device;
  };
}

/**
 * Linux goes on asking for a silent next hop by ARP. An interface that goes down takes its routes along, and those of a table without
 * another route fall through to the next policy rule. Ref: kernel net/ipv4/fib_frontend.c: fib_disable_ip()
 */
function linuxLosses(device: LinuxDevice, sps: IpAddress): LostSps[] {
  const facing = device.interfaces.find(({ addresses }) => addresses.some(({ prefix }) => prefixContains(prefix, sps)));
  if (facing === undefined) return [];
  const routes = device.routes.flatMap((route) => {
    const nextHops = route.nextHops.filter((hop) => hop.device !== facing.name);
    return route.nextHops.length > 0 && nextHops.length === 0 ? [] : [{ ...route, nextHops }];
  });
  const interfaces = device.interfaces.map((item) => (item === facing ? { ...item, up: false } : item));
  return [{ how: 'interface-down', router: linuxRouter({ ...device, routes, interfaces }) }];
}

/** Whether a multipath route chooses among these next hops only, which are all alive and behind one interface. */
function choosesAmong({ type, nextHops, unmodelled }: Route, wanted: readonly IpAddress[]): boolean {
  if (type !== 'unicast' || nextHops.length < 2 || unmodelled.length > 0) return false;
  const [first] = nextHops;
  return nextHops.every(
    ({ gateway, device, dead, linkDown }) =>
      !dead &&
      !linkDown &&
      device !== undefined &&
      device === first!.device &&
      gateway !== undefined &&
      wanted.some((address) => equalIpAddress(address, gateway)),
  );
}

function firstHopOf({ nextHopObject: _, ...route }: Route): Route {
  return { ...route, nextHops: route.nextHops.slice(0, 1) };
}
