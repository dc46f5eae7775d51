import type { Step, Walk } from '../forwarding/walk.ts';
import type { AccessList, AccessListEntry, AddressItem } from '../model/access-list.ts';
import type { PolicyEntry, PolicyMap, PolicyRouteDevice } from '../model/policy-route.ts';
import { formatIpv4 } from '../net/ip-address.ts';
import { formatPortRange } from '../net/port-range.ts';
import { entryFor, entryOf, isMisplaced, openList, redirectsTo } from './cisco-statements.ts';
import type { Defect, FlowOfInterest } from './router.ts';

type ClassifierStep = Extract<Step, { kind: 'classifier' }>;
type FilterStep = Extract<Step, { kind: 'filter' }>;

/** What in the configuration keeps a packet from the redirect, or sends it there again, by its walk. */
export function ciscoDefects(device: PolicyRouteDevice, walk: Walk, flow: FlowOfInterest): Defect[] {
  const steps = walk.steps.filter((step) => step.kind === 'classifier');
  const matched = steps.findLast(
    (step) => step.outcome === 'matched' && step.passedOver === undefined && step.sequence !== undefined,
  );
  return [
    ...undefinedNames(device, walk, flow),
    ...misplacedMaps(device, flow),
    ...unusedHops(device, steps, flow),
    ...unconnectedHops(device, walk, flow),
    ...defaultForms(device, matched, flow),
    ...earlierEntries(device, matched, flow),
    ...exemptingEntries(device, walk),
    ...miswrittenEntries(device, walk),
    ...loops(device, walk, flow),
  ];
}

/** A route-map or access list that is not defined. */
function undefinedNames(device: PolicyRouteDevice, walk: Walk, flow: FlowOfInterest): Defect[] {
  const defects: Defect[] = [];
  for (const step of walk.steps) {
    if (step.kind !== 'classifier' || step.sequence !== undefined || step.origin === undefined) continue;
    const isList = step.outcome === 'unknown';
    const message = isList
      ? `access list ${step.map} is not defined`
      : `route-map ${step.map} is not defined: nothing is redirected on ${flow.ingress}`;
    const say = (remedy: readonly string[]): void => {
      defects.push({ code: 'RV303', message, where: step.origin!, remedy });
    };
    if (isList) {
      say([`ip access-list extended ${step.map}`, entryFor(flow)]);
      continue;
    }
    for (const name of device.maps.keys())
      say([`interface ${flow.ingress}`, `no ip policy route-map ${step.map}`, `ip policy route-map ${name}`]);
    if (flow.sps === undefined) continue;
    const list = `${step.map}-list`;
    say([
      `ip access-list extended ${list}`,
      entryFor(flow),
      `route-map ${step.map} permit 10`,
      `match ip address ${list}`,
      `set ip next-hop ${flow.sps}`,
    ]);
  }
  return defects;
}

/** Route-maps on an interface that none of their packets can come in on, while these packets come in where there is none. */
function misplacedMaps(device: PolicyRouteDevice, flow: FlowOfInterest): Defect[] {
  if (device.ports.get(flow.ingress)?.policy !== undefined) return [];
  return [...device.ports.values()].flatMap(({ name, policy }): Defect[] => {
    if (policy === undefined || !isMisplaced(device, name, policy.name)) return [];
    const statement = `ip policy route-map ${policy.name}`;
    return [
      {
        code: 'selection',
        message: `route-map ${policy.name} is on ${name}, and what it is for comes in on ${flow.ingress}`,
        where: policy.origin,
        remedy: [`interface ${name}`, `no ${statement}`, `interface ${flow.ingress}`, statement],
      },
    ];
  });
}

/** Next hops that were passed over: not in the routing table, or not seen to be available. */
function unusedHops(device: PolicyRouteDevice, steps: readonly ClassifierStep[], flow: FlowOfInterest): Defect[] {
  return steps.flatMap((step): Defect[] => {
    const found = step.passedOver === undefined ? undefined : entryOf(device, step.map);
    const hop = found?.entry.actions
      .flatMap((action) => (action.kind === 'next-hops' ? action.hops : []))
      .find((candidate) => formatIpv4(candidate.address) === step.passedOver);
    if (found === undefined || hop === undefined || flow.sps === undefined) return [];
    const where = hop.origin;
    const open = found.entry.title;
    const statement = hop.origin.text.replace(/^.*?(?=set )/i, '');
    if (hop.availability === 'none') {
      const message = `next hop ${step.passedOver} is on no connected network, and not in the routing table: what it should get is routed by destination`;
      return [{ code: 'RV409', message, where, remedy: [open, `no ${statement}`, `set ip next-hop ${flow.sps}`] }];
    }
    const message = `${step.effect}: what it should get is routed by destination`;
    const bare = /^set ip next-hop \d/.test(statement) && hop.availability === 'discovery';
    const undo = bare ? 'no set ip next-hop verify-availability' : `no ${statement}`;
    return [
      { code: 'RV410', message, where, remedy: bare ? [open, undo] : [open, undo, `set ip next-hop ${flow.sps}`] },
    ];
  });
}

/** A next hop that only a route leads to. */
function unconnectedHops(device: PolicyRouteDevice, walk: Walk, flow: FlowOfInterest): Defect[] {
  return walk.steps.flatMap((step): Defect[] => {
    if (step.kind !== 'route' || step.egress !== undefined || step.nextHop === undefined || step.origin === undefined)
      return [];
    const found = entryOf(device, step.by);
    if (found === undefined || flow.sps === undefined) return [];
    return [
      {
        code: 'RV409',
        message: `next hop ${step.nextHop} is on no connected network: what the router does with it is not certain`,
        where: step.origin,
        remedy: [found.entry.title, `no ${step.origin.text}`, `set ip next-hop ${flow.sps}`],
      },
    ];
  });
}

/** `set ip default next-hop` and its like, where the routing table knows the destination. */
function defaultForms(device: PolicyRouteDevice, matched: ClassifierStep | undefined, flow: FlowOfInterest): Defect[] {
  const found = entryAt(device, matched);
  if (found === undefined || flow.sps === undefined) return [];
  return found.entry.actions.flatMap((action): Defect[] => {
    if ((action.kind !== 'next-hops' && action.kind !== 'interfaces') || !action.isDefault) return [];
    return [
      {
        code: 'selection',
        message: 'the default form redirects only what no explicit route leads to, and one leads to the servers',
        where: action.origin,
        remedy: [found.entry.title, `no ${action.origin.text}`, `set ip next-hop ${flow.sps}`],
      },
    ];
  });
}

/** An entry that decided before the one that redirects. */
function earlierEntries(
  device: PolicyRouteDevice,
  matched: ClassifierStep | undefined,
  flow: FlowOfInterest,
): Defect[] {
  const found = entryAt(device, matched);
  if (found === undefined || redirectsTo(found.entry, flow.sps)) return [];
  const { map, entry } = found;
  const later = map.entries.filter((other) => other.sequence > entry.sequence && redirectsTo(other, flow.sps));
  const message = `${entry.title} decides before the entry that redirects`;
  return [
    ...later.flatMap((other): Defect[] => {
      const sequence = freeSequence(map, entry);
      if (sequence === undefined) return [];
      const remedy = [`no ${other.title}`, `route-map ${map.name} permit ${sequence}`, ...linesOf(other)];
      return [{ code: 'RV403', message, where: entry.origin, remedy }];
    }),
    ...(later.length > 0
      ? [{ code: 'RV403' as const, message, where: entry.origin, remedy: [`no ${entry.title}`] }]
      : []),
  ];
}

/** A number before an entry that no other has. */
function freeSequence(map: PolicyMap, before: PolicyEntry): number | undefined {
  const sequence = before.sequence - 1;
  return sequence < 1 || map.entries.some((entry) => entry.sequence === sequence) ? undefined : sequence;
}

/** The statements of an entry, as written. */
function linesOf(entry: PolicyEntry): string[] {
  return [...new Set([...entry.matches, ...entry.actions].map((item) => item.origin.text))];
}

function entryAt(device: PolicyRouteDevice, step: ClassifierStep | undefined) {
  if (step?.sequence === undefined) return undefined;
  const map = device.maps.get(step.map);
  const entry = map?.entries.find((candidate) => candidate.sequence === step.sequence);
  return map === undefined || entry === undefined ? undefined : { map, entry };
}

/** An entry of a list that exempts the packet from the redirect. */
function exemptingEntries(device: PolicyRouteDevice, walk: Walk): Defect[] {
  return asked(device, walk, 'denied').flatMap(({ list, entry }): Defect[] =>
    entry === undefined || entry.permit
      ? []
      : [
          {
            code: 'RV403',
            message: `entry ${entry.sequence} of ${list.title} exempts these packets before an entry takes them`,
            where: entry.origin,
            remedy: [openList(list), `no ${entry.sequence}`],
          },
        ],
  );
}

function asked(device: PolicyRouteDevice, walk: Walk, outcome: FilterStep['outcome']) {
  return walk.steps.flatMap((step) => {
    if (step.kind !== 'filter' || step.stage !== 'match' || step.outcome !== outcome) return [];
    const list = [...device.lists.values()].find((candidate) => candidate.title === step.list);
    if (list === undefined) return [];
    const entry = list.entries.find((candidate) => candidate.origin === step.origin);
    return [{ list, entry }];
  });
}

/** Entries that would take the packet if they were written as they were meant: a netmask for a wildcard, ends swapped. */
function miswrittenEntries(device: PolicyRouteDevice, walk: Walk): Defect[] {
  return asked(device, walk, 'denied').flatMap(({ list }) =>
    list.entries.flatMap((entry) => (entry.permit && entry.services.length === 1 ? readings(list, entry) : [])),
  );
}

function readings(list: AccessList, entry: AccessListEntry): Defect[] {
  const write = (message: string, changed: AccessListEntry): Defect[] => {
    const text = textOf(changed);
    if (text === undefined) return [];
    return [
      {
        code: 'selection',
        message,
        where: entry.origin,
        remedy: [openList(list), `no ${entry.sequence}`, `${entry.sequence} ${text}`],
      },
    ];
  };
  const straight = { ...entry, source: unmask(entry.source), destination: unmask(entry.destination) };
  const masks = straight.source !== entry.source || straight.destination !== entry.destination;
  const swapped = (of: AccessListEntry): AccessListEntry => ({ ...of, source: of.destination, destination: of.source });
  const turned = (of: AccessListEntry): AccessListEntry => {
    const { sourcePorts, destinationPorts, ...rest } = of.services[0]!;
    const service = {
      ...rest,
      ...(destinationPorts !== undefined && { sourcePorts: destinationPorts }),
      ...(sourcePorts !== undefined && { destinationPorts: sourcePorts }),
    };
    return { ...of, services: [service] };
  };
  return [
    ...(masks
      ? write(
          `entry ${entry.sequence} of ${list.title} has a netmask where a wildcard stands, which is its inverse`,
          straight,
        )
      : []),
    ...write(`entry ${entry.sequence} of ${list.title} has source and destination the wrong way round`, swapped(entry)),
    ...write(`entry ${entry.sequence} of ${list.title} asks for the port at the wrong end`, turned(entry)),
    ...write(`entry ${entry.sequence} of ${list.title} is of the other direction`, swapped(turned(entry))),
  ];
}

/** Addresses whose wildcard looks like a netmask, with the wildcard that was meant; the same array where there is none. */
function unmask(items: readonly AddressItem[]): readonly AddressItem[] {
  const looksLikeMask = (wildcard: number): boolean => {
    const rest = ~wildcard >>> 0;
    return wildcard !== 0 && wildcard !== 0xffffffff && (rest & (rest + 1)) === 0;
  };
  if (!items.some((item) => item.kind === 'masked' && looksLikeMask(item.wildcard))) return items;
  return items.map((item) =>
    item.kind === 'masked' && looksLikeMask(item.wildcard) ? { ...item, wildcard: ~item.wildcard >>> 0 } : item,
  );
}

/** An entry in words, where it can be said in one line. */
function textOf(entry: AccessListEntry): string | undefined {
  const [service] = entry.services;
  const source = addressText(entry.source);
  const destination = addressText(entry.destination);
  if (service === undefined || source === undefined || destination === undefined || entry.unmodelled.length > 0)
    return undefined;
  if (entry.flags !== undefined || entry.tos !== undefined || service.icmpType !== undefined) return undefined;
  const protocol =
    service.protocol === undefined ? 'ip' : ({ 6: 'tcp', 17: 'udp' }[service.protocol] ?? `${service.protocol}`);
  const words = [
    'permit',
    protocol,
    source,
    portText(service.sourcePorts),
    destination,
    portText(service.destinationPorts),
    entry.laterFragments ? 'fragments' : '',
  ];
  return words.filter((word) => word !== '').join(' ');
}

function addressText(items: readonly AddressItem[]): string | undefined {
  const [item, more] = items;
  if (item?.kind !== 'masked' || more !== undefined) return undefined;
  if (item.wildcard === 0xffffffff) return 'any';
  return item.wildcard === 0
    ? `host ${formatIpv4(item.address)}`
    : `${formatIpv4(item.address)} ${formatIpv4(item.wildcard)}`;
}

function portText(ranges: AccessListEntry['services'][number]['sourcePorts']): string {
  if (ranges === undefined || ranges.length === 0) return '';
  if (ranges.every((range) => range.first === range.last)) return `eq ${ranges.map((range) => range.first).join(' ')}`;
  return `range ${formatPortRange(ranges[0]!).replace('-', ' ')}`;
}

/** What SPS sends is redirected to SPS: its interface has a map, or its own address is among the clients'. */
function loops(device: PolicyRouteDevice, walk: Walk, flow: FlowOfInterest): Defect[] {
  const policy = device.ports.get(flow.ingress)?.policy;
  if (policy === undefined || flow.sps === undefined) return [];
  const message = `${policy.name} on ${flow.ingress} redirects what SPS sends, too`;
  const exemptions = asked(device, walk, 'permitted').flatMap(({ list, entry }): Defect[] => {
    if (entry === undefined) return [];
    const sequence = (list.entries[0]?.sequence ?? 10) - 1;
    if (sequence < 1) return [];
    const remedy = [openList(list), `${sequence} deny ip host ${flow.sps} any`];
    return [{ code: 'RV406', message, where: entry.origin, remedy }];
  });
  const off: Defect = {
    code: 'RV406',
    message,
    where: policy.origin,
    remedy: [`interface ${flow.ingress}`, `no ip policy route-map ${policy.name}`],
  };
  return [...exemptions, off];
}
