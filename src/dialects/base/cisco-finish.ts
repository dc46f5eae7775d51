import type { AccessList, AddressItem, ServiceItem } from '../../model/access-list.ts';
import type { NetworkInterface } from '../../model/network-interface.ts';
import type {
  ConfigurationText,
  PolicyEntry,
  PolicyMap,
  PolicyPort,
  PolicyRoute,
  PolicyRouteDevice,
  Track,
  Translation,
} from '../../model/policy-route.ts';
import { hostPrefix, networkOf } from '../../net/prefix.ts';
import type { Span } from '../../text/span.ts';
import type { AddressSpec, EntrySpec, ServiceSpec } from './cisco-access-list.ts';
import type { CiscoDraft, GroupDraft, InterfaceDraft, ListDraft, MapEntryDraft } from './cisco-draft.ts';
import { isPointToPoint } from './cisco-words.ts';
import { reportReferences } from './cisco-references.ts';

/** Administrative distances. Ref: Cisco IOS, "What is administrative distance?" */
const CONNECTED = 0;
const LEARNED = 1;

/** The immutable device of a draft. What is named and not defined is reported. */
export function finishCisco(draft: CiscoDraft, texts: readonly ConfigurationText[]): PolicyRouteDevice {
  settleUnnumbered(draft);
  reportReferences(draft);
  const items = [...draft.interfaces.values()];
  return {
    kind: 'policy-route',
    dialects: ['cisco-ios'],
    ...(draft.hostname !== undefined && { hostname: draft.hostname }),
    ...(draft.collectedAt !== undefined && { collectedAt: draft.collectedAt }),
    routing: draft.routing,
    interfaces: items.map(networkInterface),
    neighbours: draft.neighbours,
    ports: new Map(items.map((item) => [item.name, portOf(draft, item)])),
    lists: new Map([...draft.lists].map(([name, list]) => [name, accessList(draft, list)])),
    maps: new Map([...draft.maps].map(([name, entries]) => [name, policyMap(name, entries)])),
    routes: routesOf(draft, items),
    routesUnknown: routesUnknown(draft, items),
    tracks: tracksOf(draft),
    translations: draft.translations.map((item) => translationOf(draft, item)),
    virtualAddresses: items.flatMap((item) =>
      item.virtualAddresses.map((address) => ({ interface: item.name, address })),
    ),
    runWideUnknowns: draft.runWideUnknowns,
    problems: draft.problems,
    notices: draft.notices,
    texts,
  };
}

/** `ip unnumbered X`: the address of X, without a network of its own. */
function settleUnnumbered(draft: CiscoDraft): void {
  for (const item of draft.interfaces.values()) {
    const lender = item.unnumbered === undefined ? undefined : draft.interfaces.get(item.unnumbered);
    const address = lender?.addresses[0];
    if (address !== undefined && item.addresses.length === 0)
      item.addresses.push({ prefix: hostPrefix(address.prefix), secondary: false, origin: address.origin });
  }
}

function isUp(item: InterfaceDraft): boolean {
  return item.shutdown !== true && !item.lineDown;
}

function networkInterface(item: InterfaceDraft): NetworkInterface {
  const dot = item.name.indexOf('.');
  return {
    name: item.name,
    ...(item.mac !== undefined && { mac: item.mac }),
    addresses: item.addresses.map(({ prefix, secondary }) => ({ prefix, secondary })),
    up: isUp(item),
    ...(item.mtu !== undefined && { mtu: item.mtu }),
    ...(dot > 0 && { parent: item.name.slice(0, dot) }),
    ...(/^Loopback/.test(item.name) && { linkType: 'loopback' }),
    origin: item.origin,
  };
}

function portOf(draft: CiscoDraft, item: InterfaceDraft): PolicyPort {
  const check = item.sourceCheck;
  const mtu = item.ipMtu ?? item.mtu;
  return {
    name: item.name,
    vrf: item.vrf,
    up: isUp(item),
    ...(item.addressUnknown !== undefined && { addressUnknown: item.addressUnknown }),
    ...(item.inputList !== undefined && { inputList: item.inputList }),
    ...(item.outputList !== undefined && { outputList: item.outputList }),
    ...(check !== undefined && {
      // Without CEF there is no table to look the source up in, and what then happens is not documented.
      sourceCheck: draft.cef ? check : { ...check, unmodelled: [...check.unmodelled, 'no ip cef'] },
    }),
    ...(item.policy !== undefined && { policy: item.policy }),
    sendsIcmpRedirects: item.icmpRedirects,
    ...(item.nat !== undefined && { nat: item.nat }),
    ...(mtu !== undefined && { mtu }),
    pointToPoint: isPointToPoint(item.name),
    unmodelled: [...item.unmodelled.values()],
  };
}

function accessList(draft: CiscoDraft, list: ListDraft): AccessList {
  return {
    name: list.name,
    title: `access list ${list.name}`,
    entries: list.entries.map((spec) => ({
      permit: spec.permit,
      sequence: spec.sequence,
      services: servicesOf(draft, spec, spec.services),
      source: addressesOf(draft, spec.source, spec.origin),
      destination: addressesOf(draft, spec.destination, spec.origin),
      laterFragments: spec.laterFragments,
      ...(spec.flags !== undefined && { flags: spec.flags }),
      ...(spec.tos !== undefined && { tos: spec.tos }),
      unmodelled: [...spec.unmodelled, ...doubtfulGroups(draft, spec)],
      origin: spec.origin,
    })),
    origin: list.origin,
  };
}

function addressesOf(draft: CiscoDraft, spec: AddressSpec, origin: Span): readonly AddressItem[] {
  if ('items' in spec) return spec.items;
  const items = membersOf(draft.addressGroups, spec.group, new Set());
  return (
    items ?? [{ kind: 'unknown', reason: `object group ${spec.group} (line ${origin.line}) is not completely known` }]
  );
}

function servicesOf(draft: CiscoDraft, entry: EntrySpec, spec: ServiceSpec): readonly ServiceItem[] {
  if ('items' in spec) return spec.items;
  const items = membersOf(draft.serviceGroups, spec.group, new Set());
  if (items === undefined) return [{}];
  const ports = 'items' in entry.services ? entry.services.items[0] : undefined;
  return items.map((item) => ({ ...item, ...ports }));
}

/** Service groups that are not completely known make it unknown whether the entry matches. */
function doubtfulGroups(draft: CiscoDraft, entry: EntrySpec): string[] {
  if (!('group' in entry.services)) return [];
  return membersOf(draft.serviceGroups, entry.services.group, new Set()) === undefined
    ? [`object-group ${entry.services.group}`]
    : [];
}

/** All members, of groups within, too; undefined where one is not defined or not understood. */
function membersOf<Item>(
  groups: ReadonlyMap<string, GroupDraft<Item>>,
  name: string,
  seen: Set<string>,
): readonly Item[] | undefined {
  const group = groups.get(name);
  if (group === undefined || group.unparsed) return undefined;
  if (seen.has(name)) return [];
  seen.add(name);
  const items: Item[] = [...group.items];
  for (const inner of group.groups) {
    const members = membersOf(groups, inner.name, seen);
    if (members === undefined) return undefined;
    items.push(...members);
  }
  return items;
}

function policyMap(name: string, entries: ReadonlyMap<number, MapEntryDraft>): PolicyMap {
  const ordered = [...entries.values()].sort((a, b) => a.sequence - b.sequence);
  return { name, entries: ordered.map((entry) => policyEntry(name, entry)) };
}

function policyEntry(name: string, entry: MapEntryDraft): PolicyEntry {
  return {
    sequence: entry.sequence,
    permit: entry.permit,
    matches: entry.matches,
    actions: entry.actions.map((action) =>
      action.kind === 'next-hops' && entry.verifiesAvailability
        ? {
            ...action,
            hops: action.hops.map((hop) =>
              hop.availability === 'none' ? { ...hop, availability: 'discovery' as const } : hop,
            ),
          }
        : action,
    ),
    title: `route-map ${name} ${entry.permit ? 'permit' : 'deny'} ${entry.sequence}`,
    origin: entry.origin,
  };
}

/** Tables that were printed are as printed; the others are put together from addresses and static routes. */
function routesOf(draft: CiscoDraft, items: readonly InterfaceDraft[]): PolicyRoute[] {
  const shown = draft.shownRoutes.map(
    (route): PolicyRoute => ({
      vrf: route.vrf,
      prefix: route.prefix,
      kind: route.connected ? 'connected' : 'learned',
      distance: route.connected ? CONNECTED : LEARNED,
      ...(route.nextHop !== undefined && { nextHop: route.nextHop }),
      ...(route.interface !== undefined && { interface: route.interface }),
      blackhole: isNull(route.interface),
      origin: route.origin,
    }),
  );
  const connected = items.flatMap((item) =>
    draft.shownTables.has(item.vrf) || !isUp(item) || item.unnumbered !== undefined
      ? []
      : item.addresses
          .filter(({ prefix }) => prefix.family === 4)
          .map(
            ({ prefix, origin }): PolicyRoute => ({
              vrf: item.vrf,
              prefix: networkOf(prefix),
              kind: 'connected',
              distance: CONNECTED,
              interface: item.name,
              blackhole: false,
              origin,
            }),
          ),
  );
  const statics = draft.statics
    .filter((route) => !draft.shownTables.has(route.vrf))
    .map(
      (route): PolicyRoute => ({
        vrf: route.vrf,
        prefix: networkOf(route.prefix),
        kind: 'static',
        distance: route.distance,
        ...(route.nextHop !== undefined && { nextHop: route.nextHop }),
        ...(route.interface !== undefined && { interface: route.interface }),
        ...(route.track !== undefined && { track: route.track }),
        ...(route.unknown !== undefined && { unknown: route.unknown }),
        blackhole: isNull(route.interface),
        origin: route.origin,
      }),
    );
  return [...shown, ...connected, ...statics];
}

function isNull(name: string | undefined): boolean {
  return name !== undefined && /^Null/i.test(name);
}

/** Why a routing table may hold more than the text says. */
function routesUnknown(draft: CiscoDraft, items: readonly InterfaceDraft[]): PolicyRouteDevice['routesUnknown'] {
  const unknown: { vrf: string; reason: string; origin?: Span }[] = [];
  const say = (vrf: string, reason: string, origin: Span | undefined): void => {
    if (draft.shownTables.has(vrf) || unknown.some((item) => item.vrf === vrf)) return;
    unknown.push({ vrf, reason, ...(origin !== undefined && { origin }) });
  };
  for (const { vrf, origin } of draft.protocols)
    say(vrf, "routes of routing protocols are not in the router's state (show ip route)", origin);
  for (const item of items) {
    if (!isUp(item)) continue;
    const routed = item.policy ?? item.inputList ?? item.outputList ?? item.sourceCheck;
    const silent =
      item.addresses.length === 0 && !item.noAddress && item.unnumbered === undefined && routed !== undefined;
    if (silent || item.addressUnknown !== undefined)
      say(
        item.vrf,
        `the addresses of ${item.name} are not in the router's state (show running-config, show ip route)`,
        item.addressUnknown ?? item.origin,
      );
  }
  if (items.every((item) => item.addresses.length === 0))
    say('', "interface addresses are not in the router's state (show running-config, show ip route)", undefined);
  return unknown;
}

function tracksOf(draft: CiscoDraft): Map<string, Track> {
  const tracks = new Map<string, Track>();
  for (const [name, { sla, ...track }] of draft.tracks) {
    const target = sla === undefined ? undefined : draft.probes.get(sla);
    tracks.set(name, { ...track, ...(target !== undefined && { target }) });
  }
  return tracks;
}

function translationOf(draft: CiscoDraft, item: CiscoDraft['translations'][number]): Translation {
  const { globalInterface, pool, ...rest } = item;
  if (rest.global !== undefined) return rest;
  const named = pool === undefined ? undefined : draft.pools.get(pool);
  if (named !== undefined) return { ...rest, global: [named] };
  const addresses = globalInterface === undefined ? undefined : draft.interfaces.get(globalInterface)?.addresses;
  if (addresses === undefined || addresses.length === 0) return rest;
  return { ...rest, global: addresses.map(({ prefix }) => ({ first: prefix.words[0], last: prefix.words[0] })) };
}
