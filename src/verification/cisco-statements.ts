import type { AccessList } from '../model/access-list.ts';
import type { PolicyEntry, PolicyMap, PolicyRouteDevice } from '../model/policy-route.ts';
import { formatIpAddress, formatIpv4 } from '../net/ip-address.ts';
import { maskOfLength, parsePrefix } from '../net/prefix.ts';
import type { FlowOfInterest } from './router.ts';

/** An entry of an extended list that takes a flow. */
export function entryFor(flow: FlowOfInterest): string {
  const source = address(flow.from ?? (flow.destinationPort === undefined ? undefined : flow.clients));
  const destination = address(flow.to ?? (flow.sourcePort === undefined ? undefined : flow.clients));
  return ['permit', flow.protocol, source, ...ports(flow.sourcePort), destination, ...ports(flow.destinationPort)].join(
    ' ',
  );
}

function address(text: string | undefined): string {
  const prefix = text === undefined ? undefined : parsePrefix(text);
  if (prefix === undefined || prefix.prefixLength === 0) return 'any';
  if (prefix.prefixLength === 32) return `host ${formatIpAddress(prefix)}`;
  const mask = maskOfLength(prefix.prefixLength);
  return `${formatIpv4((prefix.words[0] & mask) >>> 0)} ${formatIpv4(~mask >>> 0)}`;
}

function ports(text: string | undefined): string[] {
  if (text === undefined) return [];
  const [first, last] = text.split(':');
  return last === undefined ? [`eq ${first}`] : [`range ${first} ${last}`];
}

/** How a list is opened for changes: numbered ones, too, can be edited so. */
export function openList(list: AccessList): string {
  const standard = /\bstandard\b/.test(list.origin?.text ?? '') || isStandardNumber(list.name);
  return `ip access-list ${standard ? 'standard' : 'extended'} ${list.name}`;
}

function isStandardNumber(name: string): boolean {
  const number = Number(name);
  return (number >= 1 && number <= 99) || (number >= 1300 && number <= 1999);
}

/** Whether an entry redirects to the address, whatever the routing table says. */
export function redirectsTo(entry: PolicyEntry, sps: string | undefined): boolean {
  return (
    entry.permit &&
    entry.actions.some(
      (action) =>
        action.kind === 'next-hops' && !action.isDefault && action.hops.some((hop) => formatIpv4(hop.address) === sps),
    )
  );
}

/** The entry of a map by its title. */
export function entryOf(
  device: PolicyRouteDevice,
  title: string | undefined,
): { readonly map: PolicyMap; readonly entry: PolicyEntry } | undefined {
  for (const map of device.maps.values()) {
    const entry = map.entries.find((candidate) => candidate.title === title);
    if (entry !== undefined) return { map, entry };
  }
  return undefined;
}

/** Whether no source that the map's lists name can come in on the interface, by the connected networks. */
export function isMisplaced(device: PolicyRouteDevice, name: string, map: string): boolean {
  const sources = (device.maps.get(map)?.entries ?? [])
    .flatMap((entry) => entry.matches.flatMap((match) => (match.kind === 'access-lists' ? match.names : [])))
    .flatMap((list) => device.lists.get(list)?.entries ?? [])
    .filter((entry) => entry.permit)
    .flatMap((entry) => entry.source);
  return (
    sources.length > 0 &&
    sources.every(
      (item) => item.kind === 'masked' && item.wildcard !== 0xffffffff && connectedBy(device, item.address) !== name,
    )
  );
}

/** The interface whose network holds the address; undefined where none does, so that it may come in anywhere. */
function connectedBy(device: PolicyRouteDevice, value: number): string | undefined {
  const found = device.routes.find(
    (route) =>
      route.kind === 'connected' && ((route.prefix.words[0] ^ value) & maskOfLength(route.prefix.prefixLength)) === 0,
  );
  return found?.interface;
}
