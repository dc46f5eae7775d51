import type { InterfaceAddress, NetworkInterface } from '../../model/network-interface.ts';
import { type PolicyRule, RouteTableId } from '../../model/routing.ts';
import type { Family } from '../../net/ip-address.ts';
import { parseIpAddress } from '../../net/ip-address.ts';
import { parseMac } from '../../net/mac-address.ts';
import { hostPrefix, maskWords, networkOf, parsePrefix, prefixContains } from '../../net/prefix.ts';
import type { Word } from '../../text/line-scanner.ts';
import type { Span } from '../../text/span.ts';
import { routesOfAddress } from './derived-routes.ts';
import type { DeviceDraft } from './device-draft.ts';
import { removeObjectsOf, runIpNexthop } from './ip-nexthop-run.ts';
import { runIpRoute } from './ip-route-run.ts';
import { DEFAULT_ACTION, readRuleWords, type RuleWords } from './ip-rule-words.ts';
import { WordCursor } from './ip-words.ts';
import { followsRule6 } from './ipv6-followed.ts';
import type { Outcome } from './netfilter-draft.ts';
import { parseIpCommand } from './section.ts';

const DONE: Outcome = {};
const refuse = (refused: string): Outcome => ({ refused });
const uncertain = (refused: string): Outcome => ({ refused, uncertain: true });

/** Applies an `ip` command to the state; `words` stand behind `ip`. */
export function runIp(draft: DeviceDraft, words: readonly Word[], origin: Span): Outcome {
  const texts = words.map((word) => word.text);
  const command = parseIpCommand(texts);
  if (command === undefined) return uncertain('what this command of ip does is not known');
  const rest = words.slice(command.rest);
  if (['show', 'get', 'save', 'showdump', 'xstats', 'afstats'].includes(command.verb)) return DONE;
  if (command.options.some((option) => /^(?:b|ba|batch|force|n|netns)$/.test(option))) {
    return uncertain('this option of ip is not modelled');
  }
  if (concernsIpv6(command.object, command.family, texts.slice(command.rest))) draft.changed.ipv6 ??= origin;
  switch (command.object) {
    case 'rule':
      return runRule(draft, command.verb, new WordCursor(rest), command.family ?? 4, origin);
    case 'route':
      return runIpRoute(draft, command.verb, new WordCursor(rest), command.family ?? 4, origin);
    case 'address':
      return runAddress(draft, command.verb, rest, origin);
    case 'link':
      return runLink(draft, command.verb, rest, origin);
    case 'neighbour':
      return runNeighbour(draft, command.verb, rest, origin);
    case 'nexthop':
      return runIpNexthop(draft, command.verb, rest, origin);
    default:
      return uncertain(`ip ${command.object} is not modelled`);
  }
}

/** Addresses of IPv6, or interfaces whose going down takes them away. Rules and routes tell by themselves what of them is followed. */
function concernsIpv6(object: string, family: Family | undefined, words: readonly string[]): boolean {
  if (object === 'link') return words.includes('down') || words.includes('mtu') || words.includes('address');
  if (object === 'route') return false;
  if (object === 'rule') return family !== 6 && words.some(isIpv6Word);
  return family === 6 || (object === 'address' && words.some(isIpv6Word));
}

const isIpv6Word = (word: string): boolean => /^[\da-f:.]*:[\da-f:.]*:[\da-f:.]*(?:\/\d+)?$/i.test(word);

function runRule(draft: DeviceDraft, verb: string, cursor: WordCursor, family: Family, origin: Span): Outcome {
  draft.changed.policyRules.add(family);
  if (family === 6 && verb === 'flush') draft.changed.ipv6 ??= origin;
  if (verb === 'flush') {
    // All but priority 0, main and default included. Ref: linux-forwarding 3.4.
    draft.policyRules = draft.policyRules.filter((rule) => rule.family !== family || rule.priority === 0);
    return DONE;
  }
  if (verb !== 'add' && verb !== 'delete') return uncertain(`ip rule ${verb} is not known`);
  const empty = cursor.atEnd;
  const read = readRuleWords(cursor, family, (name) => draft.tableId(name, origin, true));
  if (family === 6 && (read.error !== undefined || !followsRule6(read))) draft.changed.ipv6 ??= origin;
  if (read.error !== undefined) return uncertain(read.error);
  if (verb === 'delete') return empty ? refuse('ip rule del needs a selector') : deleteRule(draft, family, read);
  return addRule(draft, family, read, origin);
}

/** Ref: linux net/core/fib_rules.c fib_default_rule_pref(); linux-forwarding 3.2. */
function defaultPriority(rules: readonly PolicyRule[]): number {
  const second = rules[1]?.priority ?? 0;
  return second > 0 ? second - 1 : 0;
}

function addRule(draft: DeviceDraft, family: Family, read: RuleWords, origin: Span): Outcome {
  const own = draft.policyRules.filter((rule) => rule.family === family);
  const priority = read.priority ?? defaultPriority(own);
  const action = read.action ?? DEFAULT_ACTION;
  if (action.kind === 'goto' && action.priority <= priority) return refuse('a goto leads only to a later rule');
  const refusal = refusalOf(read);
  if (refusal !== undefined) return refuse(refusal);
  const rule: PolicyRule = { family, priority, ...read.selectors, action, origin };
  const copies = own.filter((other) => other.priority === priority && isTakenFor(rule, other));
  // The kernel's own rules bear its protocol, which no dump prints: beside one of them its like is taken.
  if (copies.length > (isKernelsOwn(rule) ? 1 : 0)) return refuse('this policy rule exists already');
  if (read.selectors.unmodelled.length > 0) {
    draft.unmodelled(
      `whether this policy rule matches is unknown: ${read.selectors.unmodelled.join(', ')} is not modelled`,
      origin,
    );
  }
  const at = draft.policyRules.findIndex((other) => other.family === family && other.priority > priority);
  draft.policyRules.splice(at < 0 ? draft.policyRules.length : at, 0, rule);
  return DONE;
}

/** Ref: linux net/ipv4/fib_rules.c fib4_rule_configure(); include/net/fib_rules.h fib_rule_port_range_valid(). */
function refusalOf({ selectors }: RuleWords): string | undefined {
  const { tos, sourcePorts, destinationPorts } = selectors;
  if (tos !== undefined && (tos & ~0x1c) !== 0) return 'a policy rule tests three bits of the type of service only';
  for (const range of [sourcePorts, destinationPorts]) {
    if (range !== undefined && (range.first === 0 || range.last === 0xffff))
      return 'a range of ports begins behind 0 and ends before 65535';
  }
  return undefined;
}

const isKernelsOwn = ({ priority, action }: PolicyRule): boolean =>
  action.kind === 'lookup' &&
  ((priority === 0 && action.table === RouteTableId.local) ||
    (priority === 32_766 && action.table === RouteTableId.main) ||
    (priority === 32_767 && action.table === RouteTableId.default));

const KEYS = new WeakMap<PolicyRule, string>();

/**
 * Whether the kernel takes a new rule for one that is there: of addresses and type of service it compares only what the new one has.
 * Ref: linux net/core/fib_rules.c rule_exists(); fib4_rule_compare(), fib6_rule_compare().
 */
function isTakenFor(rule: PolicyRule, other: PolicyRule): boolean {
  const isSame = (wanted: unknown, got: unknown): boolean =>
    wanted === undefined || JSON.stringify(wanted) === JSON.stringify(got);
  return (
    ruleKey(rule) === ruleKey(other) &&
    isSame(rule.from, other.from) &&
    isSame(rule.to, other.to) &&
    isSame(rule.tos, other.tos)
  );
}

/** All but addresses and type of service. */
function ruleKey(rule: PolicyRule): string {
  let key = KEYS.get(rule);
  if (key === undefined) {
    key = JSON.stringify([
      [rule.priority, rule.inverted, rule.fwmark?.value, rule.fwmark?.mask, rule.iif, rule.oif],
      [rule.ipProtocol, rule.sourcePorts, rule.destinationPorts, rule.suppressPrefixLength],
      // Where a goto leads makes no other rule. Ref: linux net/core/fib_rules.c rule_exists().
      [rule.action.kind === 'goto' ? 'goto' : rule.action, rule.suppressInterfaceGroup, rule.protocol, rule.unmodelled],
    ]);
    KEYS.set(rule, key);
  }
  return key;
}

/** What a delete does not say may be anything. Ref: linux net/core/fib_rules.c rule_find(). */
function deleteRule(draft: DeviceDraft, family: Family, read: RuleWords): Outcome {
  const { selectors, action, priority } = read;
  const same = (wanted: unknown, got: unknown): boolean =>
    wanted === undefined || JSON.stringify(wanted) === JSON.stringify(got);
  const matches = (rule: PolicyRule): boolean =>
    rule.family === family &&
    same(priority, rule.priority) &&
    same(action, rule.action) &&
    same(selectors.from, rule.from) &&
    same(selectors.to, rule.to) &&
    same(selectors.fwmark, rule.fwmark) &&
    same(selectors.iif, rule.iif) &&
    same(selectors.oif, rule.oif) &&
    same(selectors.tos, rule.tos) &&
    same(selectors.ipProtocol, rule.ipProtocol) &&
    same(selectors.sourcePorts, rule.sourcePorts) &&
    same(selectors.destinationPorts, rule.destinationPorts) &&
    same(selectors.suppressPrefixLength, rule.suppressPrefixLength) &&
    same(selectors.suppressInterfaceGroup, rule.suppressInterfaceGroup) &&
    same(selectors.protocol, rule.protocol);
  if (selectors.unmodelled.length > 0) return uncertain(`${selectors.unmodelled.join(', ')} is not modelled`);
  const at = draft.policyRules.findIndex(matches);
  if (at < 0) return refuse('no policy rule matches');
  draft.policyRules.splice(at, 1);
  return DONE;
}

const textsOf = (words: readonly Word[]): string[] => words.map((word) => word.text);

function valueAfter(texts: readonly string[], ...names: readonly string[]): string | undefined {
  const at = texts.findIndex((text) => names.includes(text));
  return at < 0 ? undefined : texts[at + 1];
}

function runAddress(draft: DeviceDraft, verb: string, words: readonly Word[], origin: Span): Outcome {
  const texts = textsOf(words);
  const device = valueAfter(texts, 'dev');
  if (device === undefined)
    return verb === 'flush' ? uncertain('which addresses are flushed is not known') : refuse('dev is missing');
  if (draft.given.interfaces && !draft.interfaces.has(device)) return refuse(`there is no interface ${device}`);
  const link = draft.interfaces.get(device) ?? { name: device, addresses: [], origin };
  draft.changed.addresses = true;
  if (verb === 'flush') {
    if (texts.length > 2) return uncertain('which addresses are flushed is not known');
    removeAddresses(draft, device, () => true);
    return DONE;
  }
  const written = valueAfter(texts, 'local') ?? texts[0] ?? '';
  const address = readAddress(written, texts);
  if (address === undefined) return uncertain(`"${written}" is no address`);
  const equal = (other: InterfaceAddress): boolean =>
    other.prefix.prefixLength === address.prefix.prefixLength &&
    String(other.prefix.words) === String(address.prefix.words);
  if (verb === 'delete') {
    if (!link.addresses.some(equal)) return refuse(`${device} has no such address`);
    removeAddresses(draft, device, equal);
    return DONE;
  }
  if (verb !== 'add' && verb !== 'replace' && verb !== 'change') return uncertain(`ip address ${verb} is not known`);
  if (link.addresses.some(equal)) return verb === 'add' ? refuse(`${device} has this address already`) : DONE;
  const secondary =
    address.prefix.family === 4 &&
    link.addresses.some(
      (other) =>
        other.prefix.prefixLength === address.prefix.prefixLength &&
        prefixContains(networkOf(other.prefix), address.prefix),
    );
  const added = { ...address, secondary };
  const changed = { ...link, addresses: [...link.addresses, added] };
  draft.interfaces.set(device, changed);
  addDerived(draft, routesOfAddress(changed, added));
  return DONE;
}

function readAddress(written: string, texts: readonly string[]): InterfaceAddress | undefined {
  const plain = parseIpAddress(written);
  const prefix = parsePrefix(written) ?? (plain === undefined ? undefined : hostPrefix(plain));
  if (prefix === undefined) return undefined;
  const peerText = valueAfter(texts, 'peer', 'remote');
  const peer = peerText === undefined ? undefined : parsePrefix(peerText);
  if (peerText !== undefined && peer === undefined) return undefined;
  const brdText = valueAfter(texts, 'brd', 'broadcast');
  const base = {
    prefix: peer === undefined ? prefix : { ...prefix, prefixLength: peer.prefixLength },
    secondary: false,
  };
  const withPeer = peer === undefined ? base : { ...base, peer };
  if (brdText === undefined || brdText === '-') return withPeer;
  if (brdText === '+') {
    const mask = maskWords(4, prefix.prefixLength)[0];
    return { ...withPeer, broadcast: { family: 4, words: [(prefix.words[0] | ~mask) >>> 0, 0, 0, 0] } };
  }
  const broadcast = parseIpAddress(brdText);
  return broadcast === undefined ? undefined : { ...withPeer, broadcast };
}

type RouteList = DeviceDraft['routes'];

const routeKey = (route: RouteList[number]): string =>
  JSON.stringify([
    route.family,
    route.table,
    route.type,
    route.prefix.words,
    route.prefix.prefixLength,
    route.nextHops[0]?.device,
  ]);

function addDerived(draft: DeviceDraft, routes: RouteList): void {
  const present = new Set(draft.routes.map(routeKey));
  for (const route of routes) if (!present.has(routeKey(route))) draft.routes.push(route);
}

function removeAddresses(draft: DeviceDraft, device: string, chosen: (address: InterfaceAddress) => boolean): void {
  const link = draft.interfaces.get(device);
  if (link === undefined) return;
  const kept = link.addresses.filter((address) => !chosen(address));
  const keptKeys = new Set(kept.flatMap((address) => routesOfAddress(link, address)).map(routeKey));
  const gone = new Set(
    link.addresses
      .filter(chosen)
      .flatMap((address) => routesOfAddress(link, address))
      .map(routeKey)
      .filter((key) => !keptKeys.has(key)),
  );
  draft.interfaces.set(device, { ...link, addresses: kept });
  const ownsFamily = (family: Family): boolean => kept.some((address) => address.prefix.family === family);
  draft.routes = draft.routes.filter((route) => {
    if (gone.has(routeKey(route))) return false;
    // With the last address of a device all its routes go. Ref: linux-forwarding 4.6.
    return route.family !== 4 || ownsFamily(4) || route.nextHops.length !== 1 || route.nextHops[0]?.device !== device;
  });
}

function runLink(draft: DeviceDraft, verb: string, words: readonly Word[], origin: Span): Outcome {
  const texts = textsOf(words);
  if (verb === 'add') return addLink(draft, texts, origin);
  const name = valueAfter(texts, 'dev') ?? texts[0];
  if (name === undefined) return refuse('the interface is missing');
  if (draft.given.interfaces && !draft.interfaces.has(name)) return refuse(`there is no interface ${name}`);
  if (verb === 'delete') {
    setDown(draft, name);
    draft.interfaces.delete(name);
    draft.routes = draft.routes.filter((route) => route.nextHops.every((hop) => hop.device !== name));
    return DONE;
  }
  if (verb !== 'set') return uncertain(`ip link ${verb} is not known`);
  return setLink(draft, name, texts.slice(texts[0] === 'dev' ? 2 : 1), origin);
}

/** Settings of a link that touch no path, with one value each. */
const NEUTRAL_SETTINGS = new Set([
  'txqueuelen',
  'qlen',
  'txqlen',
  'alias',
  'promisc',
  'allmulticast',
  'multicast',
  'dynamic',
  'trailers',
]);

function setLink(draft: DeviceDraft, name: string, texts: readonly string[], origin: Span): Outcome {
  if (!draft.interfaces.has(name)) draft.updateInterface(name, { origin });
  for (let index = 0; index < texts.length; index++) {
    const word = texts[index]!;
    if (word === 'up') setUp(draft, name);
    else if (word === 'down') setDown(draft, name);
    else if (word === 'nomaster') {
      const { master: _, ...rest } = draft.interfaces.get(name)!;
      draft.interfaces.set(name, rest);
    } else {
      const value = texts[++index];
      if (value === undefined) return uncertain(`"${word}" is not understood`);
      const mac = parseMac(value);
      if (word === 'mtu' && /^\d+$/.test(value)) draft.updateInterface(name, { mtu: Number(value) });
      else if (word === 'master') draft.updateInterface(name, { master: value });
      else if (word === 'address' && mac !== undefined) draft.updateInterface(name, { mac });
      else if (word === 'carrier' && /^(?:on|off)$/.test(value)) setCarrier(draft, name, value === 'on');
      else if (word === 'group') draft.updateInterface(name, { group: value });
      else if (!NEUTRAL_SETTINGS.has(word)) return uncertain(`ip link set ${word} is not modelled`);
    }
  }
  return DONE;
}

function setUp(draft: DeviceDraft, name: string): void {
  const before = draft.interfaces.get(name)!;
  // Whether there is a carrier shows only while it is up.
  const { lowerUp, ...rest } = before;
  const link: NetworkInterface = { ...rest, up: true, ...(before.up === true && lowerUp !== undefined && { lowerUp }) };
  draft.interfaces.set(name, link);
  if (before.up !== true) changeHops(draft, name, { dead: false, linkDown: false });
  // Connected routes return, static ones do not. Ref: linux-forwarding 4.6.
  for (const address of link.addresses) addDerived(draft, routesOfAddress(link, address));
}

/** Ref: linux fib_semantics.c: fib_sync_down_dev(), fib_sync_up(). */
function setCarrier(draft: DeviceDraft, name: string, isOn: boolean): void {
  draft.updateInterface(name, { lowerUp: isOn });
  changeHops(draft, name, { linkDown: !isOn });
  if (!isOn) removeObjectsOf(draft, name);
}

/** Routes of scope host, to the router itself, have no part in what becomes of a link. */
function changeHops(draft: DeviceDraft, name: string, change: { dead?: boolean; linkDown: boolean }): void {
  draft.routes = draft.routes.map((route) => {
    if (route.scope === 'host' || !route.nextHops.some(({ device }) => device === name)) return route;
    return { ...route, nextHops: route.nextHops.map((hop) => (hop.device === name ? { ...hop, ...change } : hop)) };
  });
}

function setDown(draft: DeviceDraft, name: string): void {
  if (draft.interfaces.has(name)) draft.updateInterface(name, { up: false });
  removeObjectsOf(draft, name);
  const over = (route: RouteList[number]): boolean => route.nextHops.some((hop) => hop.device === name);
  draft.routes = draft.routes
    .filter((route) => route.type === 'local' || !over(route) || route.nextHops.length > 1)
    .map((route) =>
      over(route) && route.nextHops.length > 1
        ? { ...route, nextHops: route.nextHops.map((hop) => (hop.device === name ? { ...hop, dead: true } : hop)) }
        : route,
    );
}

function addLink(draft: DeviceDraft, texts: readonly string[], origin: Span): Outcome {
  const kind = valueAfter(texts, 'type');
  const first = texts[0];
  const name = valueAfter(texts, 'name', 'dev') ?? (first === 'link' ? texts[2] : first);
  if (name === undefined || kind === undefined) return uncertain('ip link add is not understood');
  if (draft.interfaces.has(name)) return refuse(`interface ${name} exists already`);
  if (kind === 'vrf') return uncertain('VRF devices are not modelled');
  const parent = valueAfter(texts.slice(0, texts.indexOf('type')), 'link');
  draft.interfaces.set(name, {
    name,
    addresses: [],
    up: false,
    linkKind: kind,
    ...(parent === undefined ? {} : { parent }),
    origin,
  });
  return DONE;
}

function runNeighbour(draft: DeviceDraft, verb: string, words: readonly Word[], origin: Span): Outcome {
  const texts = textsOf(words);
  const address = parseIpAddress(valueAfter(texts, 'to') ?? texts[0] ?? '');
  const device = valueAfter(texts, 'dev');
  if (verb === 'flush') return DONE;
  if (address === undefined || device === undefined) return uncertain('the neighbour is not understood');
  const others = draft.neighbours.filter(
    (other) => other.device !== device || String(other.address.words) !== String(address.words),
  );
  draft.neighbours.length = 0;
  for (const other of others) draft.neighbours.push(other);
  const mac = parseMac(valueAfter(texts, 'lladdr') ?? '');
  if (verb !== 'delete' && mac !== undefined)
    draft.neighbours.push({ address, device, mac, state: 'PERMANENT', origin });
  return DONE;
}
