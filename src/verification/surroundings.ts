import { ipv4 } from '../net/ip-address.ts';
import { type IpPrefix, prefixContains } from '../net/prefix.ts';
import type { HostRole } from '../observation/taken-at.ts';
import { Vantage } from '../observation/vantage.ts';
import type { ResolvedIntent } from './intent.ts';
import type { Router } from './router.ts';
import type { Senders } from './senders.ts';

/** What tells frames apart by the router's interfaces and neighbours; its interfaces are indexes into the names. */
export function vantageOf(router: Router, interfaceNames: readonly string[]): Vantage {
  const neighbours = new Map<number, number>();
  for (const { mac, device } of router.neighbours)
    if (mac !== undefined) neighbours.set(mac, interfaceNames.indexOf(device));
  const interfaces = interfaceNames.map((name) => router.interfaces.find((item) => item.name === name) ?? { name });
  return new Vantage(interfaces, (mac) => neighbours.get(mac) ?? -1);
}

/** Names of the router's interfaces that monitored connections can use; undefined among them where one cannot be told. */
export function interfacesInUse(router: Router, resolved: ResolvedIntent): ReadonlySet<string | undefined> {
  const { intent, clientInterface } = resolved;
  const needed = new Set<string | undefined>(intent.spsInterfaces);
  const networks = [...intent.clients, ...intent.servers];
  const everywhere = intent.servers.length === 0 || (intent.clients.length === 0 && clientInterface === undefined);
  if (everywhere)
    for (const item of router.interfaces)
      if (item.addresses.length > 0 && item.linkType !== 'loopback') needed.add(item.name);
  for (const network of networks) needed.add(router.interfaceToward(network));
  if (clientInterface !== undefined) needed.add(clientInterface);
  return needed;
}

/** What the hosts around the router are: by SPS's MAC and address, by the networks of the intent, by the interface that they are behind. */
export function hostRoles(router: Router, resolved: ResolvedIntent, senders: Senders): HostRole {
  const { intent, clientInterface } = resolved;
  const facing = (networks: readonly IpPrefix[]): Set<string | undefined> =>
    new Set(networks.map((network) => router.interfaceToward(network)));
  const clientSide = facing(intent.clients).add(clientInterface);
  const serverSide = facing(intent.servers);
  return (interfaceName, mac, address) => {
    const host = ipv4(address);
    const isIn = (networks: readonly IpPrefix[]): boolean =>
      address !== 0 && networks.some((network) => prefixContains(network, host));
    const isSps = intent.sps.some((sps) => sps.family === 4 && sps.words[0] === host.words[0]);
    if (senders.macs.has(mac) || (address !== 0 && isSps)) return 'sps';
    if (isIn(intent.clients)) return 'client';
    if (isIn(intent.servers)) return 'server';
    if (intent.spsInterfaces.includes(interfaceName)) return 'mirror';
    if (clientSide.has(interfaceName)) return 'client';
    return serverSide.has(interfaceName) ? 'server' : 'mirror';
  };
}
