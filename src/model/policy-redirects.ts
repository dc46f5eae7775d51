import { ipv4, type IpAddress } from '../net/ip-address.ts';
import { IpProtocol } from '../net/ip-protocol.ts';
import type { IpPrefix } from '../net/prefix.ts';
import type { AccessListEntry, AddressItem } from './access-list.ts';
import type { Service } from './intent.ts';
import type { PolicyEntry, PolicyRouteDevice } from './policy-route.ts';
import type { Redirect, RedirectSelection } from './redirect.ts';

/** The redirects that a router's classifiers spell out; of maps that no interface uses, where none is used at all. */
export function policyRedirects(device: PolicyRouteDevice): Redirect {
  const nextHops: Redirect['nextHops'][number][] = [];
  const selections: RedirectSelection[] = [];
  const used = [...device.ports.values()].flatMap((port) =>
    port.policy === undefined ? [] : [{ map: port.policy.name, ingress: port.name as string | undefined }],
  );
  const inUse = used.filter(({ map }) => device.maps.has(map));
  const maps = inUse.length > 0 ? inUse : [...device.maps.keys()].map((map) => ({ map, ingress: undefined }));
  for (const { map, ingress } of maps) {
    for (const entry of device.maps.get(map)?.entries ?? []) {
      if (!entry.permit) continue;
      const hops = nextHopsOf(entry);
      if (hops.length === 0) continue;
      nextHops.push(...hops);
      for (const list of listsOf(device, entry)) {
        for (const line of list.entries) {
          if (!line.permit) continue;
          const selection = selectionOf(line);
          if (selection !== undefined) selections.push({ ...selection, ...(ingress !== undefined && { ingress }) });
        }
      }
    }
  }
  return { nextHops, selections };
}

function nextHopsOf(entry: PolicyEntry): Redirect['nextHops'][number][] {
  return entry.actions.flatMap((action) => {
    if (action.kind === 'next-hops')
      return action.hops.map((hop) => ({ address: ipv4(hop.address), origin: hop.origin }));
    return action.kind === 'recursive' ? [{ address: ipv4(action.address), origin: action.origin }] : [];
  });
}

function listsOf(device: PolicyRouteDevice, entry: PolicyEntry) {
  return entry.matches.flatMap((match) =>
    match.kind === 'access-lists' ? match.names.flatMap((name) => device.lists.get(name) ?? []) : [],
  );
}

/** What an entry selects, as far as it names ports or addresses. */
function selectionOf(entry: AccessListEntry): RedirectSelection | undefined {
  const [service] = entry.services;
  if (service === undefined) return undefined;
  const requests = entry.services.filter((item) => item.destinationPorts !== undefined);
  const answers = entry.services.filter(
    (item) => item.destinationPorts === undefined && item.sourcePorts !== undefined,
  );
  const replies = requests.length === 0 && answers.length > 0;
  const source = prefixesOf(entry.source);
  const destination = prefixesOf(entry.destination);
  const named = replies ? answers : requests;
  if (named.length === 0 && source.length === 0 && destination.length === 0) return undefined;
  const services = named.flatMap((item): Service[] =>
    ((replies ? item.sourcePorts : item.destinationPorts) ?? []).map((ports) => ({
      protocol: item.protocol ?? IpProtocol.tcp,
      ports,
    })),
  );
  const anyPort: Service[] = [{ protocol: service.protocol ?? IpProtocol.tcp, ports: { first: 0, last: 65535 } }];
  return {
    services: services.length > 0 ? services : anyPort,
    replies,
    clients: replies ? destination : source,
    servers: replies ? source : destination,
    origin: entry.origin,
  };
}

/** Masked items that are prefixes; the others cannot be said in an intent. */
function prefixesOf(items: readonly AddressItem[]): IpPrefix[] {
  return items.flatMap((item): IpPrefix[] => {
    if (item.kind !== 'masked') return [];
    const { wildcard } = item;
    if ((wildcard & (wildcard + 1)) !== 0 || wildcard === 0xffffffff) return [];
    const address: IpAddress = ipv4((item.address & ~wildcard) >>> 0);
    return [{ ...address, prefixLength: Math.clz32(wildcard) }];
  });
}
