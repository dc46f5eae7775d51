import type { NetworkInterface } from '../../model/network-interface.ts';
import type { PolicyPort } from '../../model/policy-route.ts';
import type { SourceCheck } from '../../model/source-check.ts';
import { parseIpv4 } from '../../net/ip-address.ts';
import { parseMac } from '../../net/mac-address.ts';
import type { IpPrefix } from '../../net/prefix.ts';
import type { Span } from '../../text/span.ts';
import type { UtmObject, UtmObjects } from './utm-objects.ts';
import { flagOf, prefixLengthOf, refsOf, textOf } from './utm-values.ts';

/** An interface with what belongs to it. */
export interface UtmInterface {
  readonly object: UtmObject;
  readonly name: string;
  readonly mac?: number;
  readonly up: boolean;
  readonly addresses: readonly { readonly prefix: IpPrefix; readonly secondary: boolean; readonly origin: Span }[];
  readonly gateway?: { readonly address: number; readonly origin: Span };
}

/** Reads an interface with its hardware and addresses. */
export function utmInterface({ objects }: UtmObjects, object: UtmObject): UtmInterface {
  const hardware = objects.get(refsOf(object, 'itfhw')[0] ?? '');
  const device = textOf(hardware, 'hardware');
  const vlan = textOf(object, 'vlantag');
  const name =
    device === ''
      ? textOf(object, 'name') || object.ref
      : object.type === 'interface/vlan' && vlan !== ''
        ? `${device}.${vlan}`
        : device;
  const primary = objects.get(refsOf(object, 'primary_address')[0] ?? '');
  const additional = refsOf(object, 'additional_addresses').map((ref) => objects.get(ref));
  const addresses = [primary, ...additional].flatMap((params, index) => {
    const prefix = params === undefined ? undefined : prefixOfParams(params);
    return prefix === undefined ? [] : [{ prefix, secondary: index > 0, origin: params!.origin }];
  });
  const mac = parseMac(textOf(hardware, 'mac'));
  const gateway =
    flagOf(primary, 'default_gateway_status') === true
      ? parseIpv4(textOf(primary, 'default_gateway_address'))
      : undefined;
  return {
    object,
    name,
    ...(mac !== undefined && { mac }),
    up: flagOf(object, 'status') !== false,
    addresses,
    ...(gateway !== undefined && { gateway: { address: gateway, origin: primary!.origin } }),
  };
}

function prefixOfParams(params: UtmObject): IpPrefix | undefined {
  const address = parseIpv4(textOf(params, 'address'));
  const prefixLength = prefixLengthOf(textOf(params, 'netmask'));
  if (address === undefined || address === 0 || prefixLength === undefined) return undefined;
  return { family: 4, words: [address, 0, 0, 0], prefixLength };
}

/** The interface as every router has it. */
export function networkInterface(item: UtmInterface): NetworkInterface {
  return {
    name: item.name,
    ...(item.mac !== undefined && { mac: item.mac }),
    addresses: item.addresses.map(({ prefix, secondary }) => ({ prefix, secondary })),
    up: item.up,
    origin: item.object.origin,
  };
}

/** The interface as a port of policy routing, under the spoof protection that there is. */
export function portOf(item: UtmInterface, check: SourceCheck | undefined): PolicyPort {
  const mtu = Number(textOf(item.object, 'mtu'));
  return {
    name: item.name,
    vrf: '',
    up: item.up,
    ...(check !== undefined && { sourceCheck: check }),
    policy: { name: item.name, origin: item.object.origin },
    // The settings of its kernel are not in an export; what it teaches hosts is told by no finding.
    sendsIcmpRedirects: false,
    ...(mtu >= 68 && { mtu }),
    pointToPoint: /^interface\/(?:ppp|tunnel)/.test(item.object.type),
    unmodelled: [],
  };
}
