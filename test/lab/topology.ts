/**
 * Who is where: the example network of the seed's procedure.
 *
 * MAC addresses are locally administered and spell the IPv4 address, so that a hex dump reads by itself. Every host has
 * its own initial TTL: the TTL with which a packet arrives tells who made it and how many hops it took, even where SPS
 * speaks with somebody else's address.
 */

/** The seed's procedure for Cisco routers redirects ssh: LAB_SERVICE_PORT=22. */
export const SERVICE_PORT = Number(process.env.LAB_SERVICE_PORT ?? 3389);
export const PROXY_PORT = 3129;

export interface Host {
  readonly address: string;
  readonly mac: string;
  readonly initialTtl: number;
  /** The router's interface on this host's segment. */
  readonly interface: RouterInterface;
  /** Behind a further router or a tunnel: the address on the segment; packets bear `address`. */
  readonly onLink?: string;
  /** Its way to the router where that is not its link. */
  readonly device?: 'tun0';
  /** Of a dual-stack network; sessions use it. */
  readonly ipv6?: { readonly address: string; readonly gateway: string };
  readonly gateway: string;
  readonly gatewayMac: string;
}

export type Role = 'client' | 'sps' | 'server';
export type Hosts = Readonly<Record<Role, Host>>;

export const HOSTS: Hosts = {
  client: {
    address: '192.168.0.10',
    mac: '02:00:c0:a8:00:0a',
    initialTtl: 128,
    interface: 'eth0',
    gateway: '192.168.0.254',
    gatewayMac: '02:00:c0:a8:00:fe',
  },
  sps: {
    address: '172.16.0.1',
    mac: '02:00:ac:10:00:01',
    initialTtl: 64,
    interface: 'eth1',
    gateway: '172.16.0.254',
    gatewayMac: '02:00:ac:10:00:fe',
  },
  server: {
    address: '10.0.0.10',
    mac: '02:00:0a:00:00:0a',
    initialTtl: 255,
    interface: 'eth2',
    gateway: '10.0.0.254',
    gatewayMac: '02:00:0a:00:00:fe',
  },
};

/** Another host on SPS's segment, which answers ARP and forwards nothing. */
export const BYSTANDER = { address: '172.16.0.2', mac: '02:00:ac:10:00:02' } as const;

/** Where the hosts are. Those on one segment reach each other without the router. */
export const LAYOUTS = {
  /** Three segments, one host each. */
  separate: HOSTS,
  /** The same, with IPv6 beside IPv4: clients reach servers by that. */
  'dual-stack': {
    client: { ...HOSTS.client, ipv6: { address: '2001:db8:192::10', gateway: '2001:db8:192::fe' } },
    sps: { ...HOSTS.sps, ipv6: { address: '2001:db8:172::1', gateway: '2001:db8:172::fe' } },
    server: { ...HOSTS.server, ipv6: { address: '2001:db8:10::10', gateway: '2001:db8:10::fe' } },
  },
  /** SPS among the clients. */
  'sps-beside-clients': { ...HOSTS, sps: beside(HOSTS.client, '192.168.0.1', '02:00:c0:a8:00:01') },
  /** SPS among the servers. */
  'sps-beside-servers': { ...HOSTS, sps: beside(HOSTS.server, '10.0.0.1', '02:00:0a:00:00:01') },
  /** A client among SPS's neighbours. */
  'client-beside-sps': {
    ...HOSTS,
    client: { ...HOSTS.sps, address: '172.16.0.20', mac: '02:00:ac:10:00:14', initialTtl: HOSTS.client.initialTtl },
  },
  /** A client whose network is behind a further router. */
  'remote-client': { ...HOSTS, client: { ...HOSTS.client, address: '192.168.50.10', onLink: HOSTS.client.address } },
  /** A client that comes by a tunnel. */
  'tunnelled-client': {
    ...HOSTS,
    client: {
      ...HOSTS.client,
      address: '192.168.50.10',
      gateway: '192.168.50.254',
      onLink: HOSTS.client.address,
      device: 'tun0',
    },
  },
} satisfies Readonly<Record<string, Hosts>>;

/** The address that a host's sessions use. */
export function sessionAddress({ address, ipv6 }: Host): string {
  return ipv6?.address ?? address;
}

/** Whether sessions use IPv6. */
export function usesIpv6({ client }: Hosts): boolean {
  return client.ipv6 !== undefined;
}

export type LayoutName = keyof typeof LAYOUTS;

function beside(host: Host, address: string, mac: string): Host {
  return { ...host, address, mac, initialTtl: HOSTS.sps.initialTtl };
}

/** Another server, for an SPS whose policies name a fixed target. */
export const SECOND_TARGET = { address: '10.0.0.20', mac: '02:00:0a:00:00:14' } as const;
/** SPS's address at the other node of a pair. */
export const TAKEN_OVER_MAC = '02:01:ac:10:00:01';
/** A fixed source address that SPS uses toward servers. */
export const FIXED_SOURCE = '172.16.9.9';

export const ROLES: readonly Role[] = ['client', 'sps', 'server'];
export const ROUTER_INTERFACES = ['eth0', 'eth1', 'eth2'] as const;
export type RouterInterface = (typeof ROUTER_INTERFACES)[number];
/** The router's own addresses; each interface's MAC address spells it. */
export const GATEWAYS: Readonly<Record<RouterInterface, { readonly address: string; readonly mac: string }>> = {
  eth0: { address: HOSTS.client.gateway, mac: HOSTS.client.gatewayMac },
  eth1: { address: HOSTS.sps.gateway, mac: HOSTS.sps.gatewayMac },
  eth2: { address: HOSTS.server.gateway, mac: HOSTS.server.gatewayMac },
};
export const SERVERS_PREFIX = '10.0.0.0/24';
export const CLIENTS_PREFIX = '192.168.0.0/24';
export const SERVERS_PREFIX_6 = '2001:db8:10::/64';
export const CLIENTS_PREFIX_6 = '2001:db8:192::/64';
