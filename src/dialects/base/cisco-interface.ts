import type { SourceCheck } from '../../model/source-check.ts';
import { parseIpv4 } from '../../net/ip-address.ts';
import type { IpPrefix } from '../../net/prefix.ts';
import { parsePrefix } from '../../net/prefix.ts';
import type { CiscoDraft, InterfaceDraft } from './cisco-draft.ts';
import { type Statement, takeInterface } from './cisco-words.ts';

/** Statements of an interface without effect on where IPv4 packets go. Compared with the statement without `no`. */
const HARMLESS =
  /^(?:description|duplex|speed|mop|cdp|lldp|negotiation|media-type|bandwidth|delay|load-interval|keepalive|logging|snmp|carrier-delay|hold-queue|fair-queue|random-detect|tx-ring-limit|clock|clockrate|dialer|dialer-group|ppp|pppoe|peer|compress|serial|framing|linecode|cablelength|invert|dsl|atm|pvc|isdn|arp|isis|clns|ipv6|ipx|appletalk|decnet|mpls|tag-switching|spanning-tree|switchport|channel-group|channel-protocol|power|storm-control|udld|mls|qos|wrr-queue|srr-queue|priority-queue|queue-set|auto|trust|macro|nmsp|vtp|errdisable|link|lacp|pagp|flowcontrol|mdix|private-vlan|rmon|ntp|vlan-id|down-when-looped|max-reserved-bandwidth|traffic-shape|tunnel|cable|default|exit|no|transmit-buffers|full-duplex|half-duplex|ring-speed|early-token-release|dampening|bfd|standby|vrrp|glbp|hsrp|preempt|priority|timers|authentication|track|fabric|beacon|medium|feature|platform|management|vpc|aps|access-session|dot1x|mab|device-tracking|ethernet|service-module|service instance|l2protocol-tunnel|police|shape|dspu|smrp|vines|xns|bgp-policy|source template|network-policy|ptp|hardware|plim|load-balancing|port-type|port-channel|interface-mode|cns|squeeze|pos|map-group|frame-relay|encapsulation|ip (?:ospf|rip|router|eigrp|igrp|pim|igmp|cgmp|dvmrp|mroute-cache|route-cache|proxy-arp|local-proxy-arp|directed-broadcast|unreachables|mask-reply|helper-address|forward|virtual-reassembly|nbar|accounting|summary-address|authentication|hello-interval|hold-time|split-horizon|bandwidth-percent|next-hop-self|tcp|flow|cef|load-sharing|rsvp|dhcp|arp|multicast|broadcast-address|rtp|rgmp|security|irdp|mobile|gratuitous-arps|sap|sdr|dampening-change|dampening-interval|ospfv3|bandwidth|ips|cache-flow|probe|trigger-authentication|mrm|pgm|urd|isis|nhrp|split|port-unreachable|sticky-arp|device|host|tacacs|radius|ntp|domain|name-server|route-cache|hello|passive-interface|delay|bgp|tcp|ttl-propagate|redirect))(?:\b|$)/i;

/** Reads a statement within `interface`; whether its words are of an interface at all. */
export function readInterfaceLine(
  draft: CiscoDraft,
  item: InterfaceDraft,
  statement: Statement,
  removes: boolean,
): boolean {
  const start = statement.position;
  if (readModelled(draft, item, statement, removes)) return true;
  statement.position = start;
  if (readPath(draft, item, statement, removes)) return true;
  statement.position = start;
  const words = statement.rest();
  if (HARMLESS.test(words)) return true;
  if (!/^[a-z][\w-]*(?:\s|$)/i.test(words)) return false;
  const name = words.split(' ').slice(0, 3).join(' ');
  if (removes) {
    for (const key of [...item.unmodelled.keys()]) if (key.startsWith(words)) item.unmodelled.delete(key);
    return true;
  }
  item.unmodelled.set(words, { name, origin: statement.span });
  draft.unmodelled(`"${name}" on an interface is not modelled`, statement.span);
  return true;
}

/** Addresses, state and the like. */
function readModelled(draft: CiscoDraft, item: InterfaceDraft, statement: Statement, removes: boolean): boolean {
  const { span } = statement;
  if (statement.take('ip', 'address')) {
    readAddress(draft, item, statement, removes);
    return true;
  }
  if (statement.take('ip', 'unnumbered')) {
    item.unnumbered = removes ? undefined : takeInterface(statement);
    return true;
  }
  if (statement.take('shutdown')) {
    item.shutdown = !removes;
    return true;
  }
  if (
    statement.take('ip', 'vrf', 'forwarding') ||
    statement.take('vrf', 'forwarding') ||
    statement.take('vrf', 'member')
  ) {
    item.vrf = removes ? '' : statement.next();
    return true;
  }
  if (statement.take('encapsulation', 'dot1q') || statement.take('encapsulation', 'isl')) {
    item.vlan = statement.takeNumber();
    return true;
  }
  if (statement.take('mac-address')) {
    item.mac = ciscoMac(statement.next());
    return true;
  }
  if (statement.take('ip', 'mtu')) {
    item.ipMtu = removes ? undefined : statement.takeNumber();
    return true;
  }
  if (statement.take('mtu')) {
    item.mtu = removes ? undefined : statement.takeNumber();
    return true;
  }
  const group = statement.takeOne('standby', 'vrrp', 'glbp');
  if (group !== undefined) {
    statement.takeNumber();
    if (statement.take('ip')) addVirtual(item, statement.next());
    else if (statement.take('address', 'ipv4')) addVirtual(item, statement.next());
    return true;
  }
  if (statement.take('switchport') && statement.done && !removes) {
    item.noAddress = true;
    return true;
  }
  if (statement.take('xconnect') && !removes) {
    item.unmodelled.set('xconnect', { name: 'xconnect', origin: span });
    draft.unmodelled('"xconnect" on an interface is not modelled', span);
    return true;
  }
  return false;
}

function addVirtual(item: InterfaceDraft, text: string): void {
  const prefix = parsePrefix(text);
  if (prefix?.family === 4) item.virtualAddresses.push(prefix);
}

/** `0200.c0a8.00fe` and other forms of 48 bits. */
export function ciscoMac(text: string): number | undefined {
  const digits = text.replace(/[.:-]/g, '');
  return /^[0-9a-f]{12}$/i.test(digits) ? Number.parseInt(digits, 16) : undefined;
}

function readAddress(draft: CiscoDraft, item: InterfaceDraft, statement: Statement, removes: boolean): void {
  const origin = statement.span;
  if (removes && statement.done) {
    item.addresses = [];
    item.noAddress = true;
    item.addressUnknown = undefined;
    return;
  }
  const text = statement.next();
  if (/^(?:dhcp|negotiated|pool|autoconfig|slarp)$/i.test(text)) {
    item.addressUnknown = removes ? undefined : origin;
    if (!removes) draft.unmodelled(`the address of ${item.name} comes from elsewhere (${text})`, origin);
    return;
  }
  const prefix = prefixOf(text, text.includes('/') ? undefined : statement.next());
  if (prefix === undefined) {
    draft.unparsed('this is no address with a mask', origin);
    item.addressUnknown ??= origin;
    return;
  }
  const secondary = statement.take('secondary');
  if (removes) {
    item.addresses = item.addresses.filter((other) => other.prefix.words[0] !== prefix.words[0]);
    return;
  }
  item.noAddress = false;
  // A primary address takes the place of the one before it.
  if (!secondary) item.addresses = item.addresses.filter((other) => other.secondary);
  item.addresses = [
    ...item.addresses.filter((other) => other.prefix.words[0] !== prefix.words[0]),
    { prefix, secondary, origin },
  ];
}

/** `A MASK` or `A/LENGTH`. */
export function prefixOf(address: string, mask: string | undefined): IpPrefix | undefined {
  if (mask === undefined) {
    const prefix = parsePrefix(address);
    return prefix?.family === 4 && address.includes('/') ? prefix : undefined;
  }
  const value = parseIpv4(address);
  const bits = parseIpv4(mask);
  if (value === undefined || bits === undefined) return undefined;
  const hostBits = ~bits >>> 0;
  if ((hostBits & (hostBits + 1)) !== 0) return undefined;
  return { family: 4, words: [value, 0, 0, 0], prefixLength: Math.clz32(hostBits) };
}

/** What decides about packets that enter or leave. */
function readPath(draft: CiscoDraft, item: InterfaceDraft, statement: Statement, removes: boolean): boolean {
  const origin = statement.span;
  if (statement.take('ip', 'policy', 'route-map')) {
    item.policy = removes ? undefined : { name: statement.next(), origin };
    return true;
  }
  if (statement.take('ip', 'access-group')) {
    const name = statement.next();
    const way = statement.takeOne('in', 'out');
    const reference = removes ? undefined : { name, origin };
    if (way === 'in' || (removes && way === undefined)) item.inputList = reference;
    if (way === 'out' || (removes && way === undefined)) item.outputList = reference;
    if (way === undefined && !removes) {
      item.unmodelled.set(origin.text, { name: 'ip access-group', origin });
      draft.unparsed('ip access-group says neither in nor out', origin);
    }
    return true;
  }
  if (statement.take('ip', 'verify', 'unicast')) {
    readSourceCheck(draft, item, statement, removes);
    return true;
  }
  if (statement.take('ip', 'redirects')) {
    item.icmpRedirects = !removes;
    return true;
  }
  if (statement.take('ip', 'nat')) {
    const side = statement.takeOne('inside', 'outside');
    if (side !== undefined && statement.done) {
      item.nat = removes ? undefined : side;
      return true;
    }
    return false;
  }
  return false;
}

function readSourceCheck(draft: CiscoDraft, item: InterfaceDraft, statement: Statement, removes: boolean): void {
  if (removes) {
    item.sourceCheck = undefined;
    return;
  }
  const check = parseSourceCheck(statement);
  if (check === undefined) {
    draft.unmodelled('this form of ip verify unicast is not modelled', statement.span);
    item.unmodelled.set(statement.span.text, { name: 'ip verify unicast', origin: statement.span });
    return;
  }
  item.sourceCheck = check;
  for (const name of check.unmodelled)
    draft.unmodelled(`"${name}" of ip verify unicast is not modelled`, statement.span);
}

/** Both spellings: `reverse-path [LIST]`, which is strict, and `[source] reachable-via rx|any …`. */
function parseSourceCheck(statement: Statement): SourceCheck | undefined {
  const origin = statement.span;
  if (statement.take('reverse-path')) {
    const options = parseCheckOptions(statement);
    if (options === undefined) return undefined;
    const { allowDefault, ...rest } = options;
    return { mode: 'strict', ...(allowDefault && { allowDefault }), ...rest, origin };
  }
  statement.take('source');
  if (!statement.take('reachable-via')) return undefined;
  const via = statement.takeOne('rx', 'any');
  const options = via === undefined ? undefined : parseCheckOptions(statement);
  return options === undefined ? undefined : { mode: via === 'any' ? 'loose' : 'strict', ...options, origin };
}

function parseCheckOptions(
  statement: Statement,
): { allowDefault: boolean; exceptions?: string; unmodelled: string[] } | undefined {
  let allowDefault = false;
  let exceptions: string | undefined;
  const unmodelled: string[] = [];
  while (!statement.done) {
    const word = statement.next().toLowerCase();
    if (word === 'allow-default') allowDefault = true;
    // Lets the router ping itself: nothing that is forwarded.
    else if (word === 'allow-self-ping') continue;
    else if (word === 'l2-src' || word === 'phys-if') unmodelled.push(word);
    else if (/^\d+$/.test(word)) exceptions = word;
    else return undefined;
  }
  return { allowDefault, ...(exceptions !== undefined && { exceptions }), unmodelled };
}
