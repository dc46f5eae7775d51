import { parsePrefix } from '../../net/prefix.ts';
import { AddressBounds } from '../address-classes.ts';
import type { CompiledPolicyRouter } from './router.ts';

/** Sources and destinations that are treated in their own way. */
const SPECIAL = ['0.0.0.0/8', '127.0.0.0/8', '224.0.0.0/4', '240.0.0.0/4', '255.255.255.255'].map(
  (text) => parsePrefix(text)!,
);

/** The ranges of IPv4 addresses that a router tells apart: by its lists, routes, next hops, own addresses and translations. */
export function addressBoundsOf({ device, dead }: CompiledPolicyRouter): AddressBounds {
  const bounds = new AddressBounds();
  for (const prefix of SPECIAL) bounds.prefix(prefix);
  for (const { entries } of device.lists.values()) {
    for (const { source, destination } of entries) {
      for (const item of [...source, ...destination]) {
        if (item.kind === 'masked') bounds.masked(item.address, ~item.wildcard);
        else if (item.kind === 'range') bounds.range(item.first, item.last);
      }
    }
  }
  for (const { prefix, nextHop } of device.routes) {
    bounds.prefix(prefix);
    if (nextHop !== undefined) bounds.range(nextHop, nextHop);
  }
  for (const { entries } of device.maps.values()) {
    for (const { actions } of entries) {
      for (const action of actions) {
        if (action.kind === 'recursive') bounds.range(action.address, action.address);
        if (action.kind === 'next-hops') for (const { address } of action.hops) bounds.range(address, address);
      }
    }
  }
  for (const { addresses } of device.interfaces) {
    for (const { prefix } of addresses) {
      bounds.prefix(prefix);
      bounds.address(prefix);
      // Its directed broadcasts.
      if (prefix.family === 4 && prefix.prefixLength < 31) {
        const last = prefix.words[0] | (2 ** (32 - prefix.prefixLength) - 1);
        bounds.range(last, last);
      }
    }
  }
  for (const { address } of device.virtualAddresses) bounds.address(address);
  for (const { local, global } of device.translations) {
    if (local !== undefined) bounds.prefix(local);
    for (const { first, last } of global ?? []) bounds.range(first, last);
  }
  for (const address of dead) bounds.range(address, address);
  return bounds;
}
