import { readExport, type UtmObject, type UtmObjects } from '../dialects/base/utm-objects.ts';
import { flagOf, refsOf, textOf } from '../dialects/base/utm-values.ts';
import type { Walk } from '../forwarding/walk.ts';
import type { PolicyEntry, PolicyRouteDevice } from '../model/policy-route.ts';
import { formatIpAddress, formatIpv4 } from '../net/ip-address.ts';
import { parsePrefix } from '../net/prefix.ts';
import type { Defect, FlowOfInterest, Remedies, Remedy } from './router.ts';
import { WITHOUT_MARKS } from './without-marks.ts';

/**
 * Changes of a Sophos UTM as requests of its REST API. The UTM gives an object that is made a reference of its own, which takes the place
 * of the one that stands here.
 */
export function utmRemedies(device: PolicyRouteDevice): Remedies {
  // Read only where something fails: an export may be large.
  let read: UtmObjects | undefined;
  const objects = (): UtmObjects => {
    read ??= readExport(device.texts);
    return read;
  };
  return {
    ...WITHOUT_MARKS,
    relaxReversePath: () => [['PUT /api/nodes/packetfilter.advanced.spoof_protection "off"']],
    redirect: (flow) => redirect(objects(), flow),
    replaceNextHop: (route, sps) => {
      const found = entriesOf(device).find((entry) => entry.title === route.by);
      if (found === undefined) return [];
      const target = { type: 'host', target: NEW.host };
      return [[post('network/host', hostOf(formatIpAddress(sps))), patch('route/policy', refOf(found), target)]];
    },
    permit: (flow) => permit(objects(), flow),
    stopIcmpRedirects: () => [],
    defects: (walk, flow) => [
      ...switchedOff(objects(), flow),
      ...earlier(device, objects(), walk, flow),
      ...wrongService(objects(), flow),
      ...wrongInterface(objects(), flow),
      ...loops(device, objects(), walk, flow),
    ],
  };
}

/** References that stand for those of new objects. */
const NEW = {
  service: 'REF_NewService',
  host: 'REF_NewSps',
  source: 'REF_NewSource',
  destination: 'REF_NewDestination',
} as const;

function post(type: string, object: object): string {
  return `POST /api/objects/${type}/ ${JSON.stringify(object)}`;
}

function patch(type: string, ref: string, change: object): string {
  return `PATCH /api/objects/${type}/${ref} ${JSON.stringify(change)}`;
}

function order(refs: readonly string[]): string {
  return `PUT /api/nodes/routes.policy ${JSON.stringify(refs)}`;
}

function hostOf(address: string): object {
  return { _ref: NEW.host, name: 'SPS', address, resolved: true };
}

function entriesOf(device: PolicyRouteDevice): PolicyEntry[] {
  return [...device.maps.values()].flatMap((map) => map.entries);
}

/** The policy route that an entry was made of. */
function refOf(entry: PolicyEntry): string {
  const [match] = entry.matches;
  return match?.kind === 'access-lists' ? (match.names[0] ?? '').replace('policy route ', '') : '';
}

function nameOf(object: UtmObject): string {
  return textOf(object, 'name') || object.ref;
}

/** The active list, or all routes where it is not in the export. */
function active(objects: UtmObjects): readonly string[] {
  return objects.order('routes.policy') ?? objects.ofType('route/policy').map((object) => object.ref);
}

/** Policy routes that are switched off, or in no list. */
function switchedOff(objects: UtmObjects, flow: FlowOfInterest): Defect[] {
  const listed = active(objects);
  return leadingToSps(objects, flow).flatMap((route): Defect[] => {
    const off = flagOf(route, 'status') !== true;
    const absent = !listed.includes(route.ref);
    if (!off && !absent) return [];
    return [
      {
        code: 'selection',
        message: `policy route ${nameOf(route)} is ${off ? 'switched off' : 'in no list of active ones (routes.policy)'}`,
        where: route.origin,
        remedy: [
          ...(off ? [patch('route/policy', route.ref, { status: true })] : []),
          ...(absent ? [order([...listed, route.ref])] : []),
        ],
      },
    ];
  });
}

function leadingToSps(objects: UtmObjects, flow: FlowOfInterest): UtmObject[] {
  return objects.ofType('route/policy').filter((route) => {
    const target = objects.objects.get(refsOf(route, 'target')[0] ?? '');
    return textOf(target, 'address') === flow.sps;
  });
}

/** A policy route before the one to SPS that takes the packets. */
function earlier(device: PolicyRouteDevice, objects: UtmObjects, walk: Walk, flow: FlowOfInterest): Defect[] {
  const step = walk.steps.findLast((item) => item.kind === 'classifier' && item.outcome === 'matched');
  if (step?.kind !== 'classifier') return [];
  const entries = entriesOf(device);
  const decided = entries.find((entry) => entry.sequence === step.sequence);
  const toSps = (entry: PolicyEntry): boolean =>
    entry.actions.some(
      (action) => action.kind === 'next-hops' && action.hops.some((hop) => formatIpv4(hop.address) === flow.sps),
    );
  if (decided === undefined || toSps(decided)) return [];
  const before = refOf(decided);
  const later = entries.filter((entry) => toSps(entry) && entry.sequence > decided.sequence);
  const moved = [...new Set(later.map(refOf))];
  return moved.map((ref): Defect => {
    const rest = active(objects).filter((other) => other !== ref);
    const at = rest.indexOf(before);
    return {
      code: 'RV403',
      message: `${decided.title} takes these packets before the policy route to SPS`,
      where: decided.origin,
      remedy: [order([...rest.slice(0, at), ref, ...rest.slice(at)])],
    };
  });
}

/** A policy route to SPS whose service is of the other direction, or of another port. */
function wrongService(objects: UtmObjects, flow: FlowOfInterest): Defect[] {
  const replies = flow.sourcePort !== undefined;
  return leadingToSps(objects, flow).map((route): Defect => {
    const service = objects.objects.get(refsOf(route, 'service')[0] ?? '');
    const plain = replies && textOf(service, 'dst_low') === (flow.sourcePort ?? '').split(':')[0];
    const name = service === undefined ? 'its service' : nameOf(service);
    return {
      code: 'selection',
      message: plain
        ? `${name} of policy route ${nameOf(route)} has destination port ${flow.sourcePort}: answers have it as source port`
        : `${name} of policy route ${nameOf(route)} does not hold ${replies ? `source port ${flow.sourcePort}` : `destination port ${flow.destinationPort}`}`,
      where: route.origin,
      remedy: [
        post(`service/${flow.protocol}`, serviceOf(flow)),
        patch('route/policy', route.ref, { service: NEW.service }),
      ],
    };
  });
}

function serviceOf(flow: FlowOfInterest): object {
  const [sourceLow, sourceHigh] = rangeOf(flow.sourcePort);
  const [low, high] = rangeOf(flow.destinationPort);
  const direction = flow.sourcePort === undefined ? 'to servers' : 'from servers';
  return {
    _ref: NEW.service,
    name: `${flow.protocol} ${flow.sourcePort ?? flow.destinationPort ?? ''} ${direction}`,
    src_low: sourceLow,
    src_high: sourceHigh,
    dst_low: low,
    dst_high: high,
  };
}

function rangeOf(ports: string | undefined): [number, number] {
  if (ports === undefined) return [1, 65535];
  const [first, last] = ports.split(':').map(Number);
  return [first ?? 1, last ?? first ?? 65535];
}

/** The interface object of a device's name. */
function interfaceRef(objects: UtmObjects, name: string): string | undefined {
  return objects.ofType('interface/').find((object) => {
    const hardware = objects.objects.get(refsOf(object, 'itfhw')[0] ?? '');
    const vlan = textOf(object, 'vlantag');
    return (
      `${textOf(hardware, 'hardware')}${vlan === '' ? '' : `.${vlan}`}` === name || textOf(object, 'name') === name
    );
  })?.ref;
}

function wrongInterface(objects: UtmObjects, flow: FlowOfInterest): Defect[] {
  const wanted = interfaceRef(objects, flow.ingress);
  if (wanted === undefined) return [];
  return leadingToSps(objects, flow).flatMap((route): Defect[] => {
    const stated = refsOf(route, 'interface')[0] ?? '';
    if (stated === wanted || stated === '') return [];
    const message = `policy route ${nameOf(route)} is for packets that come in by another interface than ${flow.ingress}`;
    return [
      {
        code: 'selection',
        message,
        where: route.origin,
        remedy: [patch('route/policy', route.ref, { interface: wanted })],
      },
    ];
  });
}

/** A policy route that also takes what SPS sends: it names no interface. */
function loops(device: PolicyRouteDevice, objects: UtmObjects, walk: Walk, flow: FlowOfInterest): Defect[] {
  const step = walk.steps.findLast((item) => item.kind === 'classifier' && item.outcome === 'matched');
  if (step?.kind !== 'classifier') return [];
  const decided = entriesOf(device).find((entry) => entry.sequence === step.sequence);
  const own = interfaceRef(objects, flow.ingress);
  if (decided === undefined) return [];
  return objects
    .ofType('interface/')
    .filter((object) => object.ref !== own)
    .map(
      (object): Defect => ({
        code: 'RV406',
        message: `${decided.title} takes what SPS sends, too`,
        where: decided.origin,
        remedy: [patch('route/policy', refOf(decided), { interface: object.ref })],
      }),
    );
}

/** Objects for the flow's networks and service. */
function definitions(flow: FlowOfInterest): string[] {
  return [
    ...network(NEW.source, flow.from ?? (flow.destinationPort === undefined ? undefined : flow.clients)),
    ...network(NEW.destination, flow.to ?? (flow.sourcePort === undefined ? undefined : flow.clients)),
    post(`service/${flow.protocol}`, serviceOf(flow)),
  ];
}

function network(ref: string, text: string | undefined): string[] {
  const prefix = text === undefined ? undefined : parsePrefix(text);
  if (prefix === undefined) return [];
  const address = formatIpAddress(prefix);
  return [post('network/network', { _ref: ref, name: text, address, netmask: prefix.prefixLength, resolved: true })];
}

/** The references that a rule or route then names. */
function endsOf(requests: readonly string[]): { source: string; destination: string } {
  const has = (ref: string): boolean => requests.some((request) => request.includes(`"${ref}"`));
  return {
    source: has(NEW.source) ? NEW.source : 'REF_NetworkAny',
    destination: has(NEW.destination) ? NEW.destination : 'REF_NetworkAny',
  };
}

/** A policy route of its own, before all others. */
function redirect(objects: UtmObjects, flow: FlowOfInterest): Remedy[] {
  const ingress = interfaceRef(objects, flow.ingress);
  if (flow.sps === undefined || ingress === undefined) return [];
  const known = objects.ofType('network/host').find((host) => textOf(host, 'address') === flow.sps);
  const made = definitions(flow);
  const route = {
    _ref: 'REF_NewPolicyRoute',
    type: 'host',
    interface: ingress,
    ...endsOf(made),
    service: NEW.service,
    target: known?.ref ?? NEW.host,
    status: true,
  };
  return [
    [
      ...made,
      ...(known === undefined ? [post('network/host', hostOf(flow.sps))] : []),
      post('route/policy', route),
      order(['REF_NewPolicyRoute', ...active(objects)]),
    ],
  ];
}

/** A rule of the packet filter, before all others. */
function permit(objects: UtmObjects, flow: FlowOfInterest): Remedy[] {
  const made = definitions(flow);
  const { source, destination } = endsOf(made);
  const rule = {
    _ref: 'REF_NewRule',
    action: 'accept',
    sources: [source],
    services: [NEW.service],
    destinations: [destination],
    status: true,
  };
  const rules = ['REF_NewRule', ...(objects.order('packetfilter.rules') ?? [])];
  return [
    [...made, post('packetfilter/packetfilter', rule), `PUT /api/nodes/packetfilter.rules ${JSON.stringify(rules)}`],
  ];
}
