import { equalIpAddress, type IpAddress } from '../net/ip-address.ts';
import { prefixContains } from '../net/prefix.ts';
import type { Span } from '../text/span.ts';
import type { LinuxDevice } from './linux-device.ts';
import type { Target } from './netfilter.ts';
import { type PolicyRule, type Route, RouteTableId } from './routing.ts';

/** The way of IPv6 packets to one address, by that address alone. */
export interface PlainWay {
  readonly egress: string;
  /** Absent: on-link. */
  readonly nextHop?: IpAddress;
  readonly origin?: Span;
}

/** Targets that neither end a packet's way nor change where it is routed to, while no policy rule looks at marks. */
const HARMLESS: ReadonlySet<Target['kind']> = new Set<Target['kind']>([
  'none',
  'accept',
  'return',
  'jump',
  'goto',
  'mark',
  'connmark-set',
  'connmark-save',
  'connmark-restore',
  'tos',
  'set-change',
  'pass-through',
]);

const FORWARDING = 'net/ipv6/conf/all/forwarding';

/**
 * Where the router sends IPv6 packets to an address, if it forwards IPv6 by destination and nothing in its state could make an exception:
 * no policy rule but the two that every Linux has, no rule of ip6tables that drops, rejects, translates or is not understood, forwarding
 * on. Undefined wherever something is not known, or has a say; it is a proof, not a simulation.
 * Ref: net/ipv6/ip6_output.c: ip6_forward(); net/ipv6/ip6_fib.c: fib6_node_lookup().
 */
export function plainIpv6Way(device: LinuxDevice, destination: IpAddress): PlainWay | undefined {
  if (destination.family !== 6 || !isGlobalIpv6(destination) || !steersByDestination(device)) return undefined;
  const route = longestMatch(device, destination);
  const [hop, ...others] = route?.nextHops ?? [];
  if (route === undefined || route.type !== 'unicast' || hop?.device === undefined || others.length > 0)
    return undefined;
  if (hop.dead || hop.linkDown || hop.device === 'lo') return undefined;
  const link = device.interfaces.find(({ name }) => name === hop.device);
  if (link?.up === false || link?.lowerUp === false) return undefined;
  return {
    egress: hop.device,
    ...(hop.gateway === undefined ? {} : { nextHop: hop.gateway }),
    ...(route.origin === undefined ? {} : { origin: route.origin }),
  };
}

/** Neither multicast, nor link-local, nor the loopback's, nor unspecified or one that stands for an IPv4 address. */
export function isGlobalIpv6({ words }: IpAddress): boolean {
  const [first] = words;
  return first >>> 24 !== 0xff && first >>> 22 !== 0x3fa && first !== 0;
}

function steersByDestination(device: LinuxDevice): boolean {
  const { known, sysctls, runWideUnknowns } = device;
  const tables = known.routeTables6;
  const hasTables = tables === 'all' || (tables.has(RouteTableId.main) && tables.has(RouteTableId.local));
  const forwards = Number.parseInt(sysctls.get(FORWARDING)?.value ?? '0', 10) > 0;
  if (runWideUnknowns.length > 0 || !known.netfilter6 || !known.policyRules6 || !hasTables || !forwards) return false;
  return (
    hasDefaultRules(device.policyRules) && !device.rulesets.some((set) => set.family === 6 && interferes(set.tables))
  );
}

function hasDefaultRules(policyRules: readonly PolicyRule[]): boolean {
  const rules = policyRules.filter(({ family }) => family === 6);
  const tables = rules.map(({ action }) => (action.kind === 'lookup' ? action.table : undefined));
  return (
    rules.every(isPlain) && tables.length === 2 && tables[0] === RouteTableId.local && tables[1] === RouteTableId.main
  );
}

/** No selector: every other member says one. */
function isPlain({
  family,
  priority,
  inverted,
  action,
  protocol,
  origin,
  unmodelled,
  ...selectors
}: PolicyRule): boolean {
  return !inverted && unmodelled.length === 0 && Object.keys(selectors).length === 0;
}

function interferes(tables: LinuxDevice['rulesets'][number]['tables']): boolean {
  return tables.some(({ chains }) =>
    chains.some(({ policy, rules }) => policy === 'DROP' || rules.some(({ target }) => !HARMLESS.has(target.kind))),
  );
}

/** Undefined also where an attribute that is not modelled could make the difference, or two routes are equally good. */
function longestMatch(device: LinuxDevice, destination: IpAddress): Route | undefined {
  const { local, main } = RouteTableId;
  const fitting = device.routes.filter(
    ({ family, table, prefix }) =>
      family === 6 && (table === local || table === main) && prefixContains(prefix, destination),
  );
  if (fitting.some(({ table, unmodelled }) => table === local || unmodelled.length > 0)) return undefined;
  const isOwn = device.interfaces.some(({ addresses }) =>
    addresses.some(({ prefix }) => equalIpAddress(prefix, destination)),
  );
  if (isOwn) return undefined;
  const length = Math.max(...fitting.map(({ prefix }) => prefix.prefixLength));
  const longest = fitting.filter(({ prefix }) => prefix.prefixLength === length);
  const metric = Math.min(...longest.map((route) => route.metric));
  const [best, ...equals] = longest.filter((route) => route.metric === metric);
  return equals.length === 0 ? best : undefined;
}
