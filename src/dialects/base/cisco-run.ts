import { parseIpv4 } from '../../net/ip-address.ts';
import { InputError } from '../../text/input-error.ts';
import { formatPlace } from '../../text/span.ts';
import { kindOfNumber, parseExtendedEntry, parseStandardEntry } from './cisco-access-list.ts';
import type { CiscoDraft, InterfaceDraft, ListDraft, MapEntryDraft } from './cisco-draft.ts';
import { type GroupReader, openObjectGroup } from './cisco-groups.ts';
import { prefixOf, readInterfaceLine } from './cisco-interface.ts';
import type { ConfigLine } from './cisco-lines.ts';
import { readTranslation } from './cisco-nat.ts';
import { openRouteMap, readRouteMapLine } from './cisco-route-map.ts';
import { Statement, takeInterface } from './cisco-words.ts';

/** The block that statements belong to. */
type Block =
  | { readonly kind: 'interface'; readonly item: InterfaceDraft }
  | { readonly kind: 'list'; readonly list: ListDraft }
  | { readonly kind: 'map'; readonly entry: MapEntryDraft }
  | { readonly kind: 'group'; readonly reader: GroupReader }
  | { readonly kind: 'track'; readonly name: string }
  | { readonly kind: 'probe'; readonly name: string }
  | { readonly kind: 'vrf'; readonly name: string }
  | { readonly kind: 'protocol'; readonly vrf: string }
  /** A block without effect on packets, or of which the opening statement was reported. */
  | { readonly kind: 'other' };

/** Global statements without effect on where IPv4 packets of others go; blocks of theirs are passed over. */
const HARMLESS =
  /^(?:version|service|boot|hostname|enable|username|user|aaa|logging|clock|banner|line|snmp|snmp-server|ntp|sntp|tacacs|tacacs-server|radius|radius-server|vtp|spanning-tree|vlan|lldp|cdp|errdisable|mls|qos|class-map|policy-map|crypto|key|license|memory|memory-size|exception|file|archive|alias|privilege|scheduler|process|process-max-time|redundancy|control-plane|power|stack-mac|switch|system|test|tftp-server|ftp-server|udld|upgrade|voice|voice-port|dial-peer|gateway|sip-ua|mgcp|ccm-manager|call|card|config-register|controller|dialer|dialer-list|diagnostic|dot11|dot1x|eap|event|fabric|firmware|flow|flow-sampler|sampler|gatekeeper|global|hw-module|identity|interface-configuration|isdn|kerberos|l2tp|l2vpn|lacp|platform|port-channel|multilink|network-clock|network-clock-participate|network-clock-select|nmsp|no|notify|object|parser|parameter-map|partition|password|pnp|ppp|prompt|radio|random-detect|rmon|rtr|sccp|scripting|security|session|setup|shell|slb|standby|subscriber|table-map|telephony|telephony-service|ephone|ephone-dn|template|terminal|terminal-queue|time-range|transceiver|transport|tunnel|vpdn|vpdn-group|virtual|vmps|vstack|wlan|x25|x29|xdr|configuration|feature|feature-set|cfs|copp|rate-limit cpu|resource|rmon|role|ssh|telnet|vdc|limit-resource|fex|install|vpc|monitor|mac|mac-address-table|macro|main-cpu|auto|automatic|average-packet-size|async|arp|arap|appletalk|ipx|decnet|clns|isis|cns|call-home|contact-email|ip (?:domain|domain-name|domain-lookup|domain-list|name-server|host|http|ssh|ftp|tftp|scp|rcmd|telnet|tcp (?!intercept)|classless|subnet-zero|forward-protocol|multicast|multicast-routing|pim|igmp|msdp|mroute|bootp|dhcp|finger|source-route|gratuitous-arps|icmp|flow-export|flow-cache|flow-top-talkers|flow-aggregation|flow|accounting-list|accounting-threshold|accounting-transits|prefix-list|as-path|community-list|extcommunity-list|bgp-community|bgp|options|arp|sla|rsvp|local pool|local-pool|tacacs|radius|identd|alias|address-pool|default-gateway|dvmrp|ips|nbar|rip|security|sap|sdr|spd|admission|auth-proxy|access-list logging|access-list log-update|device|explicit-path|kerberos|nhrp|rtcp|scp|slb|sticky-arp|traffic-export|trigger-authentication|urlfilter|vrf-lite|audit|inspect|cef|load-sharing|reflexive-list|mobile|verify|port-map|wccp|route profile|routing protocol)|ipv6|mpls|tag-switching|bfd|bridge|buffers|frame-relay|list|lane|mta|ntp|nls|nsf|netconf|netconf-yang|restconf|telemetry|onep|oer|performance|pfr|pki|dns|device-sensor|device-tracking|access-session|cts|epm|fhrp|flow-control|ethernet|dying-gasp|cable|chat-script|atm|vmi|waas|zone|media-policy|mode|software|subscription|tcl|track timer|resume|end|exit|do|ap|wireless|hub|avb|ptp|coap|energywise|location|medianet|metadata|mediatrace|mvrp|profile|rep|virtual-service|iox|app-hosting|guestshell|cisp|authentication|lisp|locale|map-class|map-list|mop|modemcap|sdm|srst|translation-rule|translation-profile|trunk|voip|xconnect|pseudowire-class|l3vpn|rlogin|priority-list|queue-list|ramps|terminal-type|reload|ipc|ixi|switch-profile|errdisable|port-security|port-profile|poap|nv|logging-level|checkpoint|callhome|cli|bulkstat|boot-end-marker|boot-start-marker|aggregate-address|define|default|stackwise-virtual|power-supply|environment|hardware|fips|debug|undebug|diagnose|dual-active|mediation|access-policy|accounting|Building|Current|Using|Last|NVRAM)(?:\b|$)/i;

/** Recognised statements that may change what becomes of packets, and that nothing here models. */
const PATH_CHANGING =
  /^(?:ip (?:tcp intercept|nat|policy-list|local policy-list|casa)|zone-pair|service-policy|bridge \d+ route|mac access-list|ipv6 access-list|vlan access-map|vlan filter|access-list|ip vrf receive|ip receive|ip port)\b/i;

/** Reads a configuration, statement by statement. */
export function runCiscoConfig(draft: CiscoDraft, lines: readonly ConfigLine[]): void {
  let block: Block = { kind: 'other' };
  for (const { line, level } of lines) {
    if (line.text.trim() === '' || line.text.trimStart().startsWith('!')) continue;
    const statement = new Statement(line);
    refusePlaceholder(statement);
    const removes = statement.take('no');
    const start = statement.position;
    if (level !== 'global' && readWithin(draft, block, statement, removes, level)) continue;
    statement.position = start;
    if (level === 'sub') {
      unreadWithin(draft, block, statement);
      continue;
    }
    const opened = readGlobal(draft, statement, removes);
    statement.position = start;
    if (opened !== undefined) block = opened;
    // A line that lost its indentation.
    else if (level === 'global' && readWithin(draft, block, statement, removes, level)) continue;
    else if (block.kind === 'other' && level === 'either' && /^[a-z-]+(?:\s|$)/i.test(line.text)) continue;
    else draft.unparsed('this is no statement of IOS that is known', statement.span);
  }
}

const PLACEHOLDER = /<[A-Za-z][^<>|&;]*>/;

function refusePlaceholder(statement: Statement): void {
  if (/^(?:description|banner|remark|.*\bremark\b)/i.test(statement.line.text)) return;
  const match = PLACEHOLDER.exec(statement.line.text);
  if (match === null) return;
  const { path, line, column } = statement.line;
  throw new InputError(
    `${formatPlace({ path, line, column: column + match.index, text: '' })}: ${match[0]} is a placeholder of the procedure: ` +
      "put your router's own value in its place, or leave the line out",
  );
}

/** Reads a statement as one of the block's own; false where it is none. */
function readWithin(
  draft: CiscoDraft,
  block: Block,
  statement: Statement,
  removes: boolean,
  level: ConfigLine['level'],
): boolean {
  switch (block.kind) {
    case 'interface':
      return (
        (level === 'sub' || isInterfaceWord(statement)) && readInterfaceLine(draft, block.item, statement, removes)
      );
    case 'list':
      return readEntry(draft, block.list, statement, removes);
    case 'map':
      return readRouteMapLine(draft, block.entry, statement, removes);
    case 'group':
      return block.reader(statement, removes);
    case 'track':
      return readTrackLine(statement);
    case 'probe':
      return readProbeLine(draft, block.name, statement);
    case 'vrf':
      return /^(?:rd|route-target|description|address-family|exit|import|export|maximum|vnet|bgp)\b/i.test(
        statement.rest(),
      );
    case 'protocol':
      return readProtocolLine(draft, block.vrf, statement);
    case 'other':
      return false;
  }
}

/** In a text without indentation, whether a statement within an interface begins a block of its own. */
function isInterfaceWord(statement: Statement): boolean {
  return !/^(?:interface|route-map|access-list|router|hostname|line \S|ip (?:access-list|route(?= )|routing|local|nat (?:inside|outside) \S|nat pool|http|classless|forward-protocol|prefix-list|sla)|object-group|version|end$|track \d+ \S+ \S|vrf definition|ip vrf (?!forwarding)|banner|enable|username|class-map|policy-map|snmp-server|ntp server|control-plane)\b/i.test(
    statement.rest(),
  );
}

function unreadWithin(draft: CiscoDraft, block: Block, statement: Statement): void {
  // What belongs to a block that is passed over is passed over.
  if (
    block.kind === 'other' ||
    block.kind === 'vrf' ||
    block.kind === 'protocol' ||
    block.kind === 'probe' ||
    block.kind === 'track'
  )
    return;
  if (/^(?:exit|end|quit)$/i.test(statement.rest())) return;
  draft.unparsed('this is no statement of IOS that is known here', statement.span);
  if (block.kind === 'interface')
    block.item.unmodelled.set(statement.span.text, { name: statement.span.text, origin: statement.span });
}

function readEntry(draft: CiscoDraft, list: ListDraft, statement: Statement, removes: boolean): boolean {
  const sequence = statement.takeNumber();
  if (statement.take('remark') || statement.take('statistics') || (statement.take('fragments') && !statement.done))
    return true;
  const action = statement.takeOne('permit', 'deny');
  if (removes) {
    if (action === undefined && sequence === undefined) return false;
    removeEntry(list, statement, sequence, action);
    return true;
  }
  if (action === undefined) {
    if (!statement.take('evaluate') && !statement.take('dynamic')) return false;
    addUnknownEntry(draft, list, statement, true, sequence, 'RV301');
    return true;
  }
  const parse = list.kind === 'standard' ? parseStandardEntry : parseExtendedEntry;
  const spec = parse(statement, action === 'permit', sequence);
  if (spec === undefined) addUnknownEntry(draft, list, statement, action === 'permit', sequence, 'RV302');
  else {
    draft.addEntry(list, spec);
    for (const name of spec.unmodelled) draft.unmodelled(`"${name}" of an access list is not modelled`, statement.span);
  }
  return true;
}

/** An entry that cannot be read: whether it matches is unknown. */
function addUnknownEntry(
  draft: CiscoDraft,
  list: ListDraft,
  statement: Statement,
  permit: boolean,
  sequence: number | undefined,
  code: 'RV301' | 'RV302',
): void {
  const any = { items: [{ kind: 'masked' as const, address: 0, wildcard: 0xffffffff }] };
  draft.addEntry(list, {
    permit,
    ...(sequence !== undefined && { sequence }),
    services: { items: [{}] },
    source: any,
    destination: any,
    laterFragments: false,
    unmodelled: [statement.span.text],
    origin: statement.span,
  });
  if (code === 'RV302') draft.unparsed('this is no entry of an access list that is understood', statement.span);
  else draft.unmodelled(`"${statement.span.text}" of an access list is not modelled`, statement.span);
}

function removeEntry(
  list: ListDraft,
  statement: Statement,
  sequence: number | undefined,
  action: string | undefined,
): void {
  const words = `${action} ${statement.rest()}`.toLowerCase();
  const index = list.entries.findIndex((entry) =>
    action === undefined
      ? entry.sequence === sequence
      : entry.origin.text
          .toLowerCase()
          .replace(/^(?:access-list \S+ )?(?:\d+ )?/, '')
          .replace(/\s+/g, ' ') === words,
  );
  if (index >= 0) list.entries.splice(index, 1);
}

/** Reads a global statement; the block that it opens, undefined where it is not known. */
function readGlobal(draft: CiscoDraft, statement: Statement, removes: boolean): Block | undefined {
  const other: Block = { kind: 'other' };
  const origin = statement.span;
  if (statement.take('interface')) {
    statement.take('range');
    const name = takeInterface(statement);
    if (name === undefined) return other;
    if (removes) {
      draft.interfaces.delete(name);
      return other;
    }
    return { kind: 'interface', item: draft.interface(name, origin) };
  }
  if (statement.take('hostname') || statement.take('switchname')) {
    if (!removes) draft.nameHost(statement.next(), origin);
    return other;
  }
  if (statement.take('route-map')) {
    const entry = openRouteMap(draft, statement, removes);
    return entry === undefined ? other : { kind: 'map', entry };
  }
  if (statement.take('ip', 'access-list')) return openList(draft, statement, removes) ?? other;
  if (statement.peek() === 'access-list' && /^\d+$/.test(statement.peek(1)))
    return readNumbered(draft, statement, removes);
  if (statement.take('object-group')) {
    const reader = openObjectGroup(draft, statement, removes);
    return reader === undefined ? other : { kind: 'group', reader };
  }
  return readRoutingStatement(draft, statement, removes) ?? readOtherGlobal(draft, statement, removes);
}

/** Routes, routing tables and protocols, tracks and probes, translations. */
function readRoutingStatement(draft: CiscoDraft, statement: Statement, removes: boolean): Block | undefined {
  const other: Block = { kind: 'other' };
  const origin = statement.span;
  if (statement.take('ip', 'route')) {
    if (statement.peek() === 'profile' || statement.peek() === 'static') return other;
    readRoute(draft, statement, removes);
    return other;
  }
  if (statement.take('ip', 'routing') && statement.done) {
    draft.routing = !removes;
    return other;
  }
  if (statement.take('ip', 'cef') && statement.done) {
    draft.cef = !removes;
    return other;
  }
  if (statement.take('ip', 'local', 'policy')) return other;
  if (statement.take('ip', 'default-network') && !removes) {
    draft.protocols.push({ vrf: '', origin });
    draft.unmodelled('ip default-network is not modelled', origin);
    return other;
  }
  if (statement.take('ip', 'vrf') || statement.take('vrf', 'definition') || statement.take('vrf', 'context')) {
    const name = statement.next();
    if (!removes) draft.vrfs.add(name);
    return { kind: 'vrf', name };
  }
  if (statement.take('router')) {
    if (removes) return other;
    draft.protocols.push({ vrf: vrfOfProtocol(statement), origin });
    return { kind: 'protocol', vrf: '' };
  }
  if (statement.take('track')) {
    const name = statement.next();
    if (removes) draft.tracks.delete(name);
    else if (/^\d+$/.test(name)) readTrack(draft, name, statement);
    return { kind: 'track', name };
  }
  if (statement.take('ip', 'sla', 'monitor') || statement.take('ip', 'sla') || statement.take('rtr')) {
    return /^\d+$/.test(statement.peek()) ? { kind: 'probe', name: statement.next() } : other;
  }
  if (statement.take('ip', 'nat')) return readTranslation(draft, statement, removes) ? other : undefined;
  return undefined;
}

function readOtherGlobal(draft: CiscoDraft, statement: Statement, removes: boolean): Block | undefined {
  const words = statement.rest();
  if (PATH_CHANGING.test(words)) {
    if (!removes) {
      draft.unmodelled(`"${words.split(' ').slice(0, 3).join(' ')}" is not modelled`, statement.span);
      if (/^ip tcp intercept/i.test(words))
        draft.runWideUnknowns.push({ name: 'ip tcp intercept', origin: statement.span });
    }
    return { kind: 'other' };
  }
  return HARMLESS.test(words) ? { kind: 'other' } : undefined;
}

function openList(draft: CiscoDraft, statement: Statement, removes: boolean): Block | undefined {
  const origin = statement.span;
  if (statement.take('resequence')) {
    const list = draft.lists.get(statement.next());
    const first = statement.takeNumber() ?? 10;
    const step = statement.takeNumber() ?? 10;
    const renumbered = list?.entries.map((entry, index) => ({ ...entry, sequence: first + index * step })) ?? [];
    list?.entries.splice(0, list.entries.length, ...renumbered);
    return undefined;
  }
  if (/^(?:log|logging|log-update|persistent|match-local-traffic|helper)/i.test(statement.peek())) return undefined;
  const stated = statement.takeOne('standard', 'extended');
  const name = statement.next();
  if (name === '' || !statement.done) {
    draft.unparsed('this names no access list', origin);
    return undefined;
  }
  if (removes) {
    draft.lists.delete(name);
    return undefined;
  }
  // NX-OS leaves `extended` out.
  const kind = stated ?? (/^\d+$/.test(name) ? kindOfNumber(name) : undefined) ?? 'extended';
  return { kind: 'list', list: draft.list(name, kind, origin) };
}

function readNumbered(draft: CiscoDraft, statement: Statement, removes: boolean): Block {
  const origin = statement.span;
  statement.next();
  const name = statement.next();
  const kind = kindOfNumber(name);
  if (removes) {
    draft.lists.delete(name);
    return { kind: 'other' };
  }
  if (kind === undefined) {
    draft.unmodelled(`access list ${name} is not of IP packets`, origin);
    return { kind: 'other' };
  }
  const list = draft.list(name, kind, origin);
  if (!readEntry(draft, list, statement, false))
    draft.unparsed('this is no entry of an access list that is understood', origin);
  return { kind: 'other' };
}

function readRoute(draft: CiscoDraft, statement: Statement, removes: boolean): void {
  const origin = statement.span;
  const vrf = statement.take('vrf') ? statement.next() : '';
  const text = statement.next();
  const prefix = prefixOf(text, text.includes('/') ? undefined : statement.next());
  if (prefix === undefined) {
    draft.unparsed('this is no static route that is understood', origin);
    if (!removes) draft.protocols.push({ vrf, origin });
    return;
  }
  const egress = takeInterface(statement);
  const nextHop = parseIpv4(statement.peek());
  if (nextHop !== undefined) statement.next();
  if (removes) {
    draft.statics = draft.statics.filter(
      (route) =>
        route.vrf !== vrf ||
        route.prefix.words[0] !== prefix.words[0] ||
        route.prefix.prefixLength !== prefix.prefixLength ||
        (nextHop !== undefined && route.nextHop !== nextHop) ||
        (egress !== undefined && route.interface !== egress),
    );
    return;
  }
  let distance = 1;
  let track: string | undefined;
  let unknown: string | undefined;
  if (egress === undefined && nextHop === undefined) {
    if (!/^dhcp$/i.test(statement.next())) {
      draft.unparsed('this static route names no next hop', origin);
    } else draft.unmodelled('the next hop of this route comes from DHCP', origin);
    unknown = 'the next hop of this route is not in the text';
  }
  while (!statement.done) {
    if (statement.take('tag') || statement.take('name')) statement.next();
    else if (statement.take('track')) track = statement.next();
    else if (statement.take('permanent') || statement.take('multicast')) continue;
    else if (statement.take('global')) unknown = 'routes from one routing table into another are not modelled';
    else {
      const number = statement.takeNumber();
      if (number === undefined) {
        unknown = `"${statement.rest()}" of this route is not modelled`;
        draft.unmodelled(unknown, origin);
        break;
      }
      distance = number;
    }
  }
  draft.statics.push({
    vrf,
    prefix,
    ...(nextHop !== undefined && { nextHop }),
    ...(egress !== undefined && { interface: egress }),
    distance,
    ...(track !== undefined && { track }),
    ...(unknown !== undefined && { unknown }),
    origin,
  });
}

function vrfOfProtocol(statement: Statement): string {
  const words = statement.rest().split(' ');
  const at = words.indexOf('vrf');
  return at < 0 ? '' : (words[at + 1] ?? '');
}

function readProtocolLine(draft: CiscoDraft, vrf: string, statement: Statement): boolean {
  if (statement.take('address-family', 'ipv4') && statement.takeOne('vrf') !== undefined) {
    draft.protocols.push({ vrf: statement.next(), origin: statement.span });
    return true;
  }
  // In a text without indentation these are told from global statements by their words.
  return (
    vrf === '' &&
    /^(?:network|neighbor|redistribute|area|passive-interface|default-(?:information|metric)|distance|distribute-list|eigrp|bgp|auto-summary|no|synchronization|version|timers|maximum-paths|router-id|log-adjacency|log-neighbor|metric|address-family|exit|summary-address|aggregate-address|nsf|auto-cost|traffic-share|is-type|net|domain|authentication|offset-list|variance|flash-update|validate|capability|compatible|ispf|max-metric|mpls|queue-depth|segment-routing|af-interface|topology)\b/i.test(
      statement.rest(),
    )
  );
}

function readTrack(draft: CiscoDraft, name: string, statement: Statement): void {
  const origin = statement.span;
  const known = draft.tracks.get(name);
  const probe = statement.take('ip', 'sla') || statement.take('rtr') ? statement.next() : undefined;
  draft.tracks.set(name, {
    name,
    state: known?.state ?? 'unknown',
    ...(probe !== undefined && { sla: probe }),
    origin,
  });
}

function readTrackLine(statement: Statement): boolean {
  return /^(?:delay|default-state|object|threshold|weight|carrier-delay|resolution|exit|description|shutdown|ip vrf)\b/i.test(
    statement.rest(),
  );
}

/** The host that a probe asks for: with it a track's state is known where that host is taken to be down. */
function readProbeLine(draft: CiscoDraft, name: string, statement: Statement): boolean {
  const match = /^(?:type echo protocol ipIcmpEcho|icmp-echo|tcp-connect|udp-echo)\s+(\S+)/i.exec(statement.rest());
  const target = match?.[1] === undefined ? undefined : parseIpv4(match[1]);
  if (target !== undefined) draft.probes.set(name, target);
  return (
    match !== null ||
    /^(?:timeout|frequency|threshold|tag|owner|type|request-data-size|http|dns|jitter|udp-|tcp-|path-|exit|vrf|history|tos|verify-data|source|dest|ethernet|mpls|voip|icmp|num-packets|life|interval|buckets|hours|data)\b/i.test(
      statement.rest(),
    )
  );
}
