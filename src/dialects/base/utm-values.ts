import type { AddressItem, ServiceItem } from '../../model/access-list.ts';
import { IpProtocol } from '../../net/ip-protocol.ts';
import { parseIpv4 } from '../../net/ip-address.ts';
import type { PortRange } from '../../net/port-range.ts';
import { maskOfLength } from '../../net/prefix.ts';
import type { JsonValue } from './json-objects.ts';
import type { UtmObject, UtmObjects } from './utm-objects.ts';

/** An attribute as text; empty where it is not there. */
export function textOf(object: UtmObject | undefined, name: string): string {
  const value = object?.members.get(name);
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

/** A switch: true or false, 1 or 0, or these as text. Undefined where it is not there. */
export function flagOf(object: UtmObject | undefined, name: string): boolean | undefined {
  const value = object?.members.get(name);
  if (value === true || value === 1 || value === '1' || value === 'true') return true;
  if (value === false || value === 0 || value === '0' || value === '' || value === 'false') return false;
  return undefined;
}

/** References in an attribute that holds one or several. */
export function refsOf(object: UtmObject | undefined, name: string): string[] {
  const value = object?.members.get(name);
  const items: readonly JsonValue[] = Array.isArray(value) ? value : value === undefined ? [] : [value];
  return items.filter((item): item is string => typeof item === 'string' && item !== '');
}

/** Told about what is named and not defined, and about what cannot be evaluated. */
export interface Complaints {
  readonly missing: (ref: string, asking: UtmObject) => void;
}

const ANYWHERE: AddressItem = { kind: 'masked', address: 0, wildcard: 0xffffffff };

/** The addresses of a network definition. What cannot be evaluated is an unknown item. */
export function addressesOf(
  objects: UtmObjects,
  ref: string,
  asking: UtmObject,
  complaints: Complaints,
  seen: readonly string[] = [],
): AddressItem[] {
  const object = objects.objects.get(ref);
  if (object === undefined) {
    if (ref === '' || ref === 'REF_NetworkAny') return [ANYWHERE];
    const derived = ofInterface(objects, ref);
    if (derived !== undefined) return [derived];
    complaints.missing(ref, asking);
    return [unknown(`${ref} is not in the export`)];
  }
  if (seen.includes(ref)) return [];
  const name = textOf(object, 'name') || ref;
  if (
    textOf(object, 'interface') !== '' &&
    object.type !== 'network/interface_address' &&
    object.type !== 'network/interface_network'
  )
    return [unknown(`network definition ${name} is bound to an interface, which is not modelled`)];
  if (object.type === 'network/group') {
    return refsOf(object, 'members').flatMap((member) =>
      addressesOf(objects, member, object, complaints, [...seen, ref]),
    );
  }
  if (object.type === 'network/any') return [ANYWHERE];
  if (flagOf(object, 'resolved') === false) return [unknown(`network definition ${name} has no address at present`)];
  return plainAddresses(object) ?? [unknown(`network definition ${name} (${object.type}) is not modelled`)];
}

function plainAddresses(object: UtmObject): AddressItem[] | undefined {
  switch (object.type) {
    case 'network/network':
    case 'network/interface_network': {
      const item = maskedItem(textOf(object, 'address'), textOf(object, 'netmask'));
      return item === undefined ? undefined : [item];
    }
    case 'network/host':
    case 'network/dns_host':
    case 'network/availability_group':
    case 'network/interface_address':
    case 'network/interface_broadcast': {
      const address = parseIpv4(textOf(object, 'address'));
      return address === undefined ? undefined : [{ kind: 'masked', address, wildcard: 0 }];
    }
    case 'network/range': {
      const first = parseIpv4(textOf(object, 'from'));
      const last = parseIpv4(textOf(object, 'to'));
      return first === undefined || last === undefined ? undefined : [{ kind: 'range', first, last }];
    }
    case 'network/dns_group': {
      const addresses = refsOf(object, 'addresses').map(parseIpv4);
      return addresses.flatMap((address) =>
        address === undefined ? [] : [{ kind: 'masked' as const, address, wildcard: 0 }],
      );
    }
    default:
      return undefined;
  }
}

/** `Internal (Network)` and `Internal (Address)` follow from the interface's own address. */
function ofInterface(objects: UtmObjects, ref: string): AddressItem | undefined {
  for (const params of objects.ofType('itfparams/')) {
    const address = textOf(params, 'address');
    if (textOf(params, 'interface_network') === ref) return maskedItem(address, textOf(params, 'netmask'));
    if (textOf(params, 'interface_address') === ref) return maskedItem(address, '32');
  }
  return undefined;
}

function maskedItem(address: string, netmask: string): AddressItem | undefined {
  const value = parseIpv4(address);
  const length = prefixLengthOf(netmask);
  if (value === undefined || length === undefined) return undefined;
  const mask = maskOfLength(length);
  return { kind: 'masked', address: (value & mask) >>> 0, wildcard: ~mask >>> 0 };
}

/** A netmask as a length or as a dotted quad. */
export function prefixLengthOf(text: string): number | undefined {
  if (/^\d{1,2}$/.test(text)) return Number(text) <= 32 ? Number(text) : undefined;
  const mask = parseIpv4(text);
  const host = mask === undefined ? undefined : ~mask >>> 0;
  return host === undefined || (host & (host + 1)) !== 0 ? undefined : Math.clz32(host);
}

function unknown(reason: string): AddressItem {
  return { kind: 'unknown', reason };
}

/** The services of a definition; undefined items make the whole unknown, which `unmodelled` says. */
export function servicesOf(
  objects: UtmObjects,
  ref: string,
  asking: UtmObject,
  complaints: Complaints,
  seen: readonly string[] = [],
): { readonly items: readonly ServiceItem[]; readonly unmodelled: readonly string[] } {
  const object = objects.objects.get(ref);
  if (object === undefined) {
    if (ref === '' || ref === 'REF_ServiceAny') return { items: [{}], unmodelled: [] };
    complaints.missing(ref, asking);
    return { items: [{}], unmodelled: [`${ref} is not in the export`] };
  }
  if (seen.includes(ref)) return { items: [], unmodelled: [] };
  const name = textOf(object, 'name') || ref;
  switch (object.type) {
    case 'service/any':
      return { items: [{}], unmodelled: [] };
    case 'service/group': {
      const members = refsOf(object, 'members').map((member) =>
        servicesOf(objects, member, object, complaints, [...seen, ref]),
      );
      return { items: members.flatMap((item) => item.items), unmodelled: members.flatMap((item) => item.unmodelled) };
    }
    case 'service/tcp':
      return { items: [portService(object, IpProtocol.tcp)], unmodelled: [] };
    case 'service/udp':
      return { items: [portService(object, IpProtocol.udp)], unmodelled: [] };
    case 'service/tcpudp':
      return { items: [portService(object, IpProtocol.tcp), portService(object, IpProtocol.udp)], unmodelled: [] };
    case 'service/ip':
      return { items: [{ protocol: Number(textOf(object, 'proto')) }], unmodelled: [] };
    case 'service/ah':
      return { items: [{ protocol: IpProtocol.ah }], unmodelled: [] };
    case 'service/esp':
      return { items: [{ protocol: IpProtocol.esp }], unmodelled: [] };
    case 'service/icmp': {
      const type = Number(textOf(object, 'type') || '-1');
      const code = Number(textOf(object, 'code') || '-1');
      const item = {
        protocol: IpProtocol.icmp,
        ...(type >= 0 && { icmpType: type }),
        ...(code >= 0 && { icmpCode: code }),
      };
      return { items: [item], unmodelled: [] };
    }
    case 'service/icmpv6':
      return { items: [], unmodelled: [] };
    default:
      return { items: [{}], unmodelled: [`service ${name} (${object.type})`] };
  }
}

function portService(object: UtmObject, protocol: number): ServiceItem {
  const source = portsOf(object, 'src');
  const destination = portsOf(object, 'dst');
  return {
    protocol,
    ...(source !== undefined && { sourcePorts: [source] }),
    ...(destination !== undefined && { destinationPorts: [destination] }),
  };
}

/** Undefined for all ports, which an export writes as 1 to 65535. */
function portsOf(object: UtmObject, side: 'src' | 'dst'): PortRange | undefined {
  const low = textOf(object, `${side}_low`);
  const high = textOf(object, `${side}_high`);
  if (low === '' && high === '') return undefined;
  const first = Number(low === '' ? high : low);
  const last = Number(high === '' ? low : high);
  if (!(first >= 0 && last <= 65535) || (first <= 1 && (last === 65535 || last === 0))) return undefined;
  return { first, last: last === 0 ? first : last };
}

/** Objects of a type that are switched on and, where the export has the node that lists the active ones, in it. */
export function activeObjects(objects: UtmObjects, type: string, node: string): UtmObject[] {
  const order = objects.order(node);
  return objects
    .ofType(type)
    .filter((object) => object.type === type && flagOf(object, 'status') === true)
    .filter((object) => order === undefined || order.includes(object.ref));
}
