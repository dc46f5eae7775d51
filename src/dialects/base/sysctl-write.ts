import type { Span } from '../../text/span.ts';
import type { DeviceDraft } from './device-draft.ts';

const CONF = 'net/ipv4/conf/';
const FORWARDING_6 = 'net/ipv6/conf/all/forwarding';

/**
 * Writes a sysctl as the kernel does: forwarding of `all`, and ip_forward, are one switch that sets every interface's.
 * Ref: linux net/ipv4/devinet.c devinet_sysctl_forward(), inet_forward_change().
 */
export function writeSysctl(draft: DeviceDraft, path: string, value: string, origin: Span): void {
  if (path.startsWith('net/ipv6/') && !isForwardingAsBefore(draft, path, value)) draft.changed.ipv6 ??= origin;
  const isSwitch = path === 'net/ipv4/ip_forward' || path === `${CONF}all/forwarding`;
  const before = draft.sysctls.get(`${CONF}all/forwarding`) ?? draft.sysctls.get('net/ipv4/ip_forward');
  // The same value again changes nothing: an interface that was turned off stays off (linux-forwarding 6.2).
  if (isSwitch && before !== undefined && Number(before.value) === Number(value)) return;
  draft.sysctls.set(path, { value, origin });
  if (!isSwitch) return;
  const names = new Set(['all', 'default', ...draft.interfaces.keys()]);
  for (const key of draft.sysctls.keys()) {
    if (key.startsWith(CONF) && key.endsWith('/forwarding')) names.add(key.slice(CONF.length, -'/forwarding'.length));
  }
  draft.sysctls.set('net/ipv4/ip_forward', { value, origin });
  for (const name of names) draft.sysctls.set(`${CONF}${name}/forwarding`, { value, origin });
}

/** Turning IPv6 forwarding on where it is on already, or where nothing says that it is not. Ref: linux net/ipv6/addrconf.c addrconf_fixup_forwarding(). */
function isForwardingAsBefore(draft: DeviceDraft, path: string, value: string): boolean {
  const before = draft.sysctls.get(path)?.value;
  const isOn = (text: string): boolean => Number.parseInt(text, 10) === 1;
  return path === FORWARDING_6 && isOn(value) && (before === undefined ? !draft.given.sysctls : isOn(before));
}
