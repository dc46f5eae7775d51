/** Configurations of the routers in the policy-router scenarios: the seed's topology, in the words of Cisco IOS. */
import { HOSTS } from './topology.ts';

/** The seed's full configuration, as it stands there: in one line. */
export const SEED_IN_ONE_LINE = [
  '! interface facing the clients interface FastEthernet0/0 ip address 192.168.0.254 255.255.255.0 ip policy route-map scb-inbound duplex full speed auto no mop enabled',
  '! interface facing the SCB interface FastEthernet0/1 ip address 172.16.0.254 255.255.255.0 duplex full speed auto no mop enabled',
  '! interface facing the servers interface FastEthernet1/0 ip address 10.0.0.254 255.255.255.0 ip policy route-map scb-outbound duplex full speed auto no mop enabled',
  '! access lists matching the server and client subnets and the SSH port - incoming packets ip access-list extended ssh-inbound permit tcp 192.168.0.0 0.0.0.255 10.0.0.0 0.0.0.255 eq 22',
  '! access lists matching the server and client subnets and the SSH port - reply packets ip access-list extended ssh-outbound permit tcp 10.0.0.0 0.0.0.255 eq 22 192.168.0.0 0.0.0.255',
  '! policy routing entry matching on the incoming SSH connections and ! redirecting them to the SCB external interface route-map scb-inbound permit 10 match ip address ssh-inbound set ip next-hop 172.16.0.1',
  '! the following part is only required for SNAT-based SCB configuration ! policy routing entry matching on the SSH reply packets and ! redirecting them to the SCB external interface route-map scb-outbound permit 10 match ip address ssh-outbound set ip next-hop 172.16.0.1',
].join(' ');

/** The seed's steps with its example values, at its prompts. */
export const SEED_STEPS = `#(config) ip access-list extended ssh-inbound #(config-ext-nacl) permit tcp 192.168.0.0 0.0.0.255 10.0.0.0 0.0.0.255 eq 22
#(config) ip access-list extended ssh-outbound #(config-ext-nacl) permit tcp 10.0.0.0 0.0.0.255 eq 22 192.168.0.0 0.0.0.255
#(config) route-map scb-inbound
#(config-route-map) match ip address ssh-inbound
#(config-route-map) set ip next-hop 172.16.0.1
#(config) route-map scb-outbound #(config-route-map) match ip address ssh-outbound #(config-route-map) set ip next-hop 172.16.0.1
#(config) interface FastEthernet0/0 #(config-if) ip policy route-map scb-inbound
#(config) interface FastEthernet1/0 #(config-if) ip policy route-map scb-outbound
`;

const REQUEST_ENTRY = 'permit tcp 192.168.0.0 0.0.0.255 10.0.0.0 0.0.0.255 eq 22';
const REPLY_ENTRY = 'permit tcp 10.0.0.0 0.0.0.255 eq 22 192.168.0.0 0.0.0.255';
const NEXT_HOP = 'set ip next-hop 172.16.0.1';

/** What differs from the seed's configuration. */
export interface Variant {
  /** More statements of each interface: clients, SPS, servers. */
  readonly clients?: readonly string[];
  readonly sps?: readonly string[];
  readonly servers?: readonly string[];
  /** Entries of ssh-inbound; undefined: the list is left out. */
  readonly requests?: readonly string[] | undefined;
  readonly requestMap?: readonly string[] | undefined;
  /** The reply list and map; false: SPS uses its own address, and they are left out. */
  readonly replies?: boolean;
  readonly more?: readonly string[];
}

/** A running configuration. */
export function runningConfiguration(variant: Variant = {}): string {
  const replies = variant.replies ?? true;
  const {
    clients = ['ip policy route-map scb-inbound'],
    sps = [],
    servers = replies ? ['ip policy route-map scb-outbound'] : [],
    more = [],
  } = variant;
  const requests = 'requests' in variant ? variant.requests : [REQUEST_ENTRY];
  const requestMap =
    'requestMap' in variant
      ? variant.requestMap
      : ['route-map scb-inbound permit 10', ' match ip address ssh-inbound', ` ${NEXT_HOP}`];
  const lines = [
    'Building configuration...',
    '',
    'Current configuration : 1024 bytes',
    '!',
    'version 12.3',
    'service timestamps log datetime msec',
    '!',
    'hostname router',
    '!',
    'ip subnet-zero',
    'ip cef',
    '!',
    ...interfaceBlock('FastEthernet0/0', '192.168.0.254', clients),
    ...interfaceBlock('FastEthernet0/1', '172.16.0.254', sps),
    ...interfaceBlock('FastEthernet1/0', '10.0.0.254', servers),
    'ip classless',
    ...more,
    '!',
    ...(requests === undefined ? [] : ['ip access-list extended ssh-inbound', ...requests.map((entry) => ` ${entry}`)]),
    ...(replies ? ['ip access-list extended ssh-outbound', ` ${REPLY_ENTRY}`] : []),
    '!',
    ...(requestMap ?? []),
    '!',
    ...(replies ? ['route-map scb-outbound permit 10', ' match ip address ssh-outbound', ` ${NEXT_HOP}`, '!'] : []),
    'line con 0',
    'line vty 0 4',
    ' login',
    '!',
    'end',
  ];
  return `${lines.join('\n')}\n`;
}

function interfaceBlock(name: string, address: string, statements: readonly string[]): string[] {
  return [
    `interface ${name}`,
    ` ip address ${address} 255.255.255.0`,
    ...statements.map((statement) => ` ${statement}`),
    ' duplex full',
    ' speed auto',
    ' no mop enabled',
    '!',
  ];
}

const INTERFACES = { client: 'FastEthernet0/0', sps: 'FastEthernet0/1', server: 'FastEthernet1/0' } as const;

/** `show arp`: the addresses of the lab, as a router would print them. */
export function showArp(): string {
  const rows = (['client', 'sps', 'server'] as const).flatMap((role) => {
    const host = HOSTS[role];
    return [
      arpRow(host.gateway, '-', host.gatewayMac, INTERFACES[role]),
      arpRow(host.address, '3', host.mac, INTERFACES[role]),
    ];
  });
  return `router#show arp\nProtocol  Address          Age (min)  Hardware Addr   Type   Interface\n${rows.join('\n')}\n`;
}

/** The same where SPS is on the clients' segment. */
export function showArpBesideClients(sps: string, mac: string): string {
  const rows = [
    arpRow(HOSTS.client.gateway, '-', HOSTS.client.gatewayMac, INTERFACES.client),
    arpRow(HOSTS.client.address, '3', HOSTS.client.mac, INTERFACES.client),
    arpRow(sps, '3', mac, INTERFACES.client),
    arpRow(HOSTS.server.gateway, '-', HOSTS.server.gatewayMac, INTERFACES.server),
    arpRow(HOSTS.server.address, '3', HOSTS.server.mac, INTERFACES.server),
  ];
  return `router#show arp\nProtocol  Address          Age (min)  Hardware Addr   Type   Interface\n${rows.join('\n')}\n`;
}

function arpRow(address: string, age: string, mac: string, name: string): string {
  return `Internet  ${address.padEnd(15)} ${age.padStart(9)}   ${dotted(mac)}  ARPA   ${name}`;
}

function dotted(mac: string): string {
  return mac.replaceAll(':', '').replace(/(....)(?=.)/g, '$1.');
}

/** `show interfaces`, shortened to what it says of addresses: for procedures that set no addresses. */
export function showInterfaces(): string {
  const blocks = (['client', 'sps', 'server'] as const).map((role) => {
    const { gateway, gatewayMac } = HOSTS[role];
    return [
      `${INTERFACES[role]} is up, line protocol is up`,
      `  Hardware is AmdFE, address is ${dotted(gatewayMac)} (bia ${dotted(gatewayMac)})`,
      `  Internet address is ${gateway}/24`,
      '  MTU 1500 bytes, BW 100000 Kbit, DLY 100 usec,',
    ].join('\n');
  });
  return `router#show interfaces\n${blocks.join('\n')}\n`;
}

export { REQUEST_ENTRY, NEXT_HOP };
