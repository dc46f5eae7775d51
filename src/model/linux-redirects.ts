import { IpProtocol } from '../net/ip-protocol.ts';
import type { IpPrefix } from '../net/prefix.ts';
import type { PortRange } from '../net/port-range.ts';
import type { Family, Words } from '../net/ip-address.ts';
import type { LinuxDevice } from './linux-device.ts';
import type { Service } from './intent.ts';
import type { Match, Rule } from './netfilter.ts';
import type { Redirect, RedirectSelection } from './redirect.ts';
import { RouteTableId } from './routing.ts';

const COMMON_TABLES: ReadonlySet<number> = new Set([RouteTableId.local, RouteTableId.main, RouteTableId.default]);

/** The redirects that a Linux router's policy rules, routes and marking rules spell out, those of IPv4 first. */
export function linuxRedirects(device: LinuxDevice): Redirect {
  const [four, six] = ([4, 6] as const).map((family) => redirectsOf(device, family));
  return {
    nextHops: [...four!.nextHops, ...six!.nextHops],
    selections: [...four!.selections, ...six!.selections],
  };
}

function redirectsOf(device: LinuxDevice, family: Family): Redirect {
  const nextHops: Redirect['nextHops'][number][] = [];
  const marks: { value: number; mask: number }[] = [];
  const selections: RedirectSelection[] = [];
  for (const rule of device.policyRules) {
    if (rule.family !== family || rule.action.kind !== 'lookup' || COMMON_TABLES.has(rule.action.table)) continue;
    const table = rule.action.table;
    let serves = false;
    for (const route of device.routes) {
      if (route.table !== table || route.family !== family || route.type !== 'unicast') continue;
      for (const hop of route.nextHops) {
        if (hop.gateway === undefined) continue;
        serves = true;
        nextHops.push({
          address: hop.gateway,
          ...(hop.device !== undefined && { interface: hop.device }),
          ...(route.origin !== undefined && { origin: route.origin }),
        });
      }
    }
    if (rule.fwmark !== undefined) marks.push(rule.fwmark);
    else if (serves && rule.destinationPorts !== undefined && rule.origin !== undefined) {
      selections.push({
        family,
        services: [{ protocol: rule.ipProtocol ?? IpProtocol.tcp, ports: rule.destinationPorts }],
        replies: false,
        clients: rule.from === undefined || rule.from.prefixLength === 0 ? [] : [rule.from],
        servers: rule.to === undefined || rule.to.prefixLength === 0 ? [] : [rule.to],
        ...(rule.iif !== undefined && { ingress: rule.iif }),
        origin: rule.origin,
      });
    }
  }
  for (const rule of markingRules(device, family)) {
    const selection = selectionOf(rule, marks, family);
    if (selection !== undefined) selections.push(selection);
  }
  return { nextHops, selections };
}

function* markingRules(device: LinuxDevice, family: Family): Generator<Rule> {
  for (const ruleset of device.rulesets) {
    if (ruleset.family !== family) continue;
    for (const table of ruleset.tables) for (const chain of table.chains) yield* chain.rules;
  }
}

/** A rule that sets one of the redirects' marks (on packet or connection) for packets named by a port or an address. */
function selectionOf(
  rule: Rule,
  marks: readonly { value: number; mask: number }[],
  family: Family,
): RedirectSelection | undefined {
  const { target } = rule;
  if (target.kind !== 'mark' && target.kind !== 'connmark-set') return undefined;
  if (!marks.some(({ value, mask }) => ((target.value ^ value) & mask) === 0)) return undefined;
  // Turning a connection mark into a packet mark selects nothing new.
  if (rule.matches.some((match) => match.kind === 'connmark' || (match.kind === 'mark' && !match.negated)))
    return undefined;
  const protocol = rule.matches.find((match) => match.kind === 'protocol' && !match.negated);
  const number = protocol?.kind === 'protocol' ? protocol.protocol : IpProtocol.tcp;
  const destinationPorts = portsOf(rule.matches, 'destination-port', 'destination');
  const sourcePorts = portsOf(rule.matches, 'source-port', 'source');
  const replies = destinationPorts.length === 0 && sourcePorts.length > 0;
  const source = prefixesOf(rule.matches, 'source', family);
  const destination = prefixesOf(rule.matches, 'destination', family);
  const ports = replies ? sourcePorts : destinationPorts;
  if (ports.length === 0 && source.length === 0 && destination.length === 0) return undefined;
  const ingress = rule.matches.find((match) => match.kind === 'in-interface' && !match.negated && !match.prefix);
  const services: Service[] = (ports.length > 0 ? ports : [{ first: 0, last: 65535 }]).map((range) => ({
    protocol: number,
    ports: range,
  }));
  return {
    family,
    services,
    replies,
    clients: replies ? destination : source,
    servers: replies ? source : destination,
    ...(ingress?.kind === 'in-interface' && { ingress: ingress.name }),
    origin: rule.origin,
  };
}

function portsOf(
  matches: readonly Match[],
  single: 'source-port' | 'destination-port',
  which: 'source' | 'destination',
): PortRange[] {
  return matches.flatMap((match): readonly PortRange[] => {
    if (match.kind === single && !match.negated) return [match.range];
    if (match.kind === 'multiport' && !match.negated && (match.which === which || match.which === 'either'))
      return match.ranges;
    return [];
  });
}

function prefixesOf(matches: readonly Match[], kind: 'source' | 'destination', family: Family): IpPrefix[] {
  return matches.flatMap((match): readonly IpPrefix[] => {
    if (match.kind !== kind || match.negated) return [];
    const prefixLength = contiguousLength(family === 4 ? [match.mask[0]] : match.mask);
    return prefixLength === undefined || prefixLength === 0
      ? []
      : [{ family, words: match.address as Words, prefixLength }];
  });
}

/** The prefix length of a contiguous mask; undefined for others, which no prefix can express. */
function contiguousLength(mask: readonly number[]): number | undefined {
  let length = 0;
  let isEnded = false;
  for (const word of mask) {
    const hostBits = ~word >>> 0;
    if ((hostBits & (hostBits + 1)) !== 0 || (isEnded && word !== 0)) return undefined;
    length += Math.clz32(hostBits);
    isEnded = hostBits !== 0;
  }
  return length;
}
