import type { LinuxDevice } from '../../model/linux-device.ts';
import type { Registry } from './reasons.ts';
import { type Setting, type Settings, Timeout } from './settings.ts';

/** Values of {@link Settings6.forwarding}. */
export const Forwarding6 = { off: 0, on: 1, forced: 2 } as const;

/** What the router's sysctls say about IPv6, per interface in the order of its interfaces. */
export interface Settings6 {
  /** A {@link Forwarding6} number. Ref: ip6_output.c: ip6_forward(): all.forwarding, or the ingress's force_forwarding. */
  readonly forwarding: readonly Setting[];
  /** 1: the interface takes no IPv6. */
  readonly disabled: readonly Setting[];
  /** 1: takes no frames for many that hold a packet for one. */
  readonly dropsGroupFrames: readonly Setting[];
  /** Those of IPv4 with what IPv6 has of its own in their place. */
  readonly settings: Settings;
}

/** The first Linux that has force_forwarding. */
const FORCING_RELEASE = [6, 17] as const;

/** Reads the sysctls of IPv6; ids go on where those of IPv4 end. */
export function compileSettings6(
  device: LinuxDevice,
  names: readonly string[],
  registry: Registry,
  base: Settings,
): Settings6 {
  let { count } = base;
  const number = (path: string): number | undefined => {
    const value = Number.parseInt(device.sysctls.get(path)?.value.trim() ?? '', 10);
    return Number.isNaN(value) ? undefined : value;
  };
  const known = (value: number, path: string): Setting => {
    return { id: count++, values: [value], reason: -1, origin: registry.origin(device.sysctls.get(path)?.origin) };
  };
  const unknown = (path: string, ...values: readonly number[]): Setting => {
    const reason = registry.unknown(`${path.replaceAll('/', '.')} is not in the router's state`);
    return { id: count++, values, reason, origin: -1 };
  };
  const conf = (name: string, key: string): string => `net/ipv6/conf/${name}/${key}`;
  const forwarding = (name: string): Setting => {
    const path = conf('all', 'forwarding');
    const all = number(path);
    if (all === undefined) return unknown(path, Forwarding6.on, Forwarding6.off);
    if (all !== 0) return known(Forwarding6.on, path);
    const forced = number(conf(name, 'force_forwarding'));
    if (forced === undefined && mayForce(device.kernelRelease))
      return unknown(conf(name, 'force_forwarding'), Forwarding6.off, Forwarding6.forced);
    return known(forced === undefined || forced === 0 ? Forwarding6.off : Forwarding6.forced, path);
  };
  const disabled = (name: string): Setting => {
    const path = conf(name, 'disable_ipv6');
    const value = number(path);
    if (value !== undefined) return known(value === 0 ? 0 : 1, path);
    // An interface without IPv6 has no addresses of it.
    const link = device.interfaces.find((item) => item.name === name);
    if (link?.addresses.some(({ prefix }) => prefix.family === 6) === true) return known(0, path);
    return unknown(path, 0, 1);
  };
  const given = (name: string, key: string): Setting => {
    const path = conf(name, key);
    const value = number(path);
    return value === undefined ? unknown(path, 0, 1) : known(value === 0 ? 0 : 1, path);
  };
  const timeouts = Float64Array.from(base.timeouts);
  timeouts[Timeout.icmp] = number('net/netfilter/nf_conntrack_icmpv6_timeout') ?? 30;
  const own = {
    forwarding: names.map(forwarding),
    disabled: names.map(disabled),
    dropsGroupFrames: names.map((name) => given(name, 'drop_unicast_in_l2_multicast')),
    ignoreLinkDown: names.map((name) => given(name, 'ignore_routes_with_linkdown')),
  };
  return {
    forwarding: own.forwarding,
    disabled: own.disabled,
    dropsGroupFrames: own.dropsGroupFrames,
    settings: { ...base, count, ignoreLinkDown: own.ignoreLinkDown, timeouts },
  };
}

/** Where the release is not known, it may be any. */
function mayForce(release: string | undefined): boolean {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(release ?? '') ?? [];
  if (major === undefined || minor === undefined) return true;
  const [firstMajor, firstMinor] = FORCING_RELEASE;
  return Number(major) > firstMajor || (Number(major) === firstMajor && Number(minor) >= firstMinor);
}
