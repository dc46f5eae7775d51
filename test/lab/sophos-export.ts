/**
 * Exports of a Sophos UTM in the seed's topology. Constructed from the documented classes and attributes of its REST API: no such device
 * was there to be asked.
 */
import { HOSTS } from './topology.ts';

/** What differs from the correct set-up for spoofing. */
export interface UtmVariant {
  readonly replyRoute?: 'there' | 'missing' | 'off' | 'wrong-ports';
  /** Another policy route, by the default gateway of servers, before those to SPS. */
  readonly catchAllFirst?: boolean;
  readonly requestRouteOff?: boolean;
  readonly spoofProtection?: 'off' | 'normal' | 'strict';
  /** confd's form: booleans as numbers, metadata outside. */
  readonly confd?: boolean;
}

type Attributes = Readonly<Record<string, unknown>>;

/** The objects of the correct set-up: three Ethernet interfaces, networks, services, two policy routes, rules of the packet filter. */
export function utmExport(variant: UtmVariant = {}): string {
  const reply = variant.replyRoute ?? 'there';
  const objects: [string, string, Attributes][] = [
    ...networkInterface('Internal', 'eth0', HOSTS.client.gateway, HOSTS.client.gatewayMac),
    ...networkInterface('Sps', 'eth1', HOSTS.sps.gateway, HOSTS.sps.gatewayMac),
    ...networkInterface('Servers', 'eth2', HOSTS.server.gateway, HOSTS.server.gatewayMac),
    [
      'network/host',
      'REF_NetHosSps',
      { name: 'SPS', address: HOSTS.sps.address, address6: '', interface: '', resolved: true },
    ],
    [
      'network/host',
      'REF_NetHosOther',
      { name: 'Other gateway', address: HOSTS.server.address, interface: '', resolved: true },
    ],
    ['service/tcp', 'REF_SerTcpSsh', { name: 'SSH', src_low: 1, src_high: 65535, dst_low: 22, dst_high: 22 }],
    [
      'service/tcp',
      'REF_SerTcpSshReply',
      { name: 'SSH answers', src_low: 22, src_high: 22, dst_low: 1, dst_high: 65535 },
    ],
    [
      'route/policy',
      'REF_RouPolRequests',
      policyRoute('SSH to servers', 'Internal', 'REF_SerTcpSsh', 'Servers', variant.requestRouteOff !== true),
    ],
    ['packetfilter/packetfilter', 'REF_PacPacSsh', rule('SSH', ['Internal', 'Sps', 'Servers'], ['REF_SerTcpSsh'])],
  ];
  const order = ['REF_RouPolRequests'];
  if (reply !== 'missing') {
    const service = reply === 'wrong-ports' ? 'REF_SerTcpSsh' : 'REF_SerTcpSshReply';
    objects.push([
      'route/policy',
      'REF_RouPolReplies',
      policyRoute('SSH answers', 'Servers', service, 'Internal', reply !== 'off'),
    ]);
    order.push('REF_RouPolReplies');
  }
  if (variant.catchAllFirst === true) {
    objects.push([
      'route/policy',
      'REF_RouPolAll',
      {
        ...policyRoute('All from Internal', 'Internal', 'REF_ServiceAny', 'Servers', true),
        type: 'itf',
        target: 'REF_IntEthServers',
      },
    ]);
    order.unshift('REF_RouPolAll');
  }
  const nodes = {
    'settings.hostname': 'utm.example',
    'routes.policy': order,
    'routes.static': [],
    'packetfilter.rules': ['REF_PacPacSsh'],
    'packetfilter.advanced.spoof_protection': variant.spoofProtection ?? 'off',
    'masq.rules': [],
    'nat.rules': [],
  };
  const listed = objects.map(([type, ref, attributes]) =>
    variant.confd === true
      ? confdObject(type, ref, attributes)
      : { _ref: ref, _type: type, _locked: '', comment: '', ...attributes },
  );
  const lines = listed.map((object) => `    ${JSON.stringify(object)}`).join(',\n');
  return `{\n  "objects": [\n${lines}\n  ],\n  "nodes": ${JSON.stringify(nodes, null, 4).replaceAll('\n', '\n  ')}\n}\n`;
}

function confdObject(type: string, ref: string, attributes: Attributes): object {
  const [group, kind] = type.split('/');
  const data = Object.fromEntries(
    Object.entries(attributes).map(([key, value]) => [key, typeof value === 'boolean' ? Number(value) : value]),
  );
  return { ref, class: group, type: kind, nodel: '', hidden: 0, lock: '', autoname: 0, data };
}

function networkInterface(name: string, device: string, address: string, mac: string): [string, string, Attributes][] {
  const network = address.replace(/\d+$/, '0');
  return [
    ['itfhw/ethernet', `REF_ItfEth${name}`, { hardware: device, mac, description: '' }],
    [
      'itfparams/primary',
      `REF_ItfPri${name}`,
      {
        name: `${name} (Address)`,
        address,
        netmask: 24,
        default_gateway_status: false,
        default_gateway_address: '0.0.0.0',
        interface_address: `REF_NetIntAdd${name}`,
        interface_network: `REF_NetInt${name}`,
        type: 'static',
      },
    ],
    [
      'interface/ethernet',
      `REF_IntEth${name}`,
      {
        name,
        status: true,
        link: true,
        itfhw: `REF_ItfEth${name}`,
        primary_address: `REF_ItfPri${name}`,
        additional_addresses: [],
        mtu: 1500,
      },
    ],
    [
      'network/interface_network',
      `REF_NetInt${name}`,
      { name: `${name} (Network)`, address: network, netmask: 24, resolved: true },
    ],
    ['network/interface_address', `REF_NetIntAdd${name}`, { name: `${name} (Address)`, address, resolved: true }],
  ];
}

function policyRoute(name: string, from: string, service: string, to: string, status: boolean): Attributes {
  return {
    name,
    type: 'host',
    interface: `REF_IntEth${from}`,
    source: `REF_NetInt${from}`,
    service,
    destination: `REF_NetInt${to}`,
    target: 'REF_NetHosSps',
    status,
  };
}

function rule(name: string, sources: readonly string[], services: readonly string[]): Attributes {
  return {
    name,
    action: 'accept',
    sources: sources.map((source) => `REF_NetInt${source}`),
    services,
    destinations: ['REF_NetIntServers'],
    status: true,
  };
}
