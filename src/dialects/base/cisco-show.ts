import { formatIpAddress, ipv4, parseIpv4 } from '../../net/ip-address.ts';
import { type IpPrefix, parsePrefix } from '../../net/prefix.ts';
import { type SourceLine, spanOfLine } from '../../text/line-scanner.ts';
import type { Span } from '../../text/span.ts';
import type { CiscoDraft } from './cisco-draft.ts';
import { ciscoMac } from './cisco-interface.ts';
import type { ShowOutput } from './cisco-lines.ts';
import { interfaceName } from './cisco-words.ts';

/** Reads what a command printed. Outputs of other commands are passed over: they only show what the configuration says, too. */
export function readShow(draft: CiscoDraft, { command, lines }: ShowOutput): void {
  switch (command) {
    case 'ip route':
      readRoutes(draft, lines);
      return;
    case 'track':
      readTracks(draft, lines);
      return;
    case 'track brief':
      readTrackTable(draft, lines);
      return;
    case 'arp':
      readArp(draft, lines);
      return;
    case 'interfaces':
    case 'ip interface':
      readInterfaces(draft, lines);
      return;
    case 'ip interface brief':
      readInterfaceTable(draft, lines);
      return;
    case 'clock':
      readClock(draft, lines);
      return;
  }
}

const ADDRESS = '\\d+\\.\\d+\\.\\d+\\.\\d+';
/** `S*    0.0.0.0/0 [1/0] via 203.0.113.1`, `C        10.0.0.0/24 is directly connected, FastEthernet1/0`. */
const ROUTE = new RegExp(`^([A-Za-z][A-Za-z0-9*+%&  ]{0,8}?)\\s+(${ADDRESS})(?:/(\\d+))?\\s*(.*)$`);
const SUBNETTED = new RegExp(`^\\s+(${ADDRESS})/(\\d+) is (?:variably )?subnetted`);
const MORE = /^\s+(?:\[\d+\/\d+\]|via )/;

/** Ref: Cisco IOS command reference, `show ip route`. */
function readRoutes(draft: CiscoDraft, lines: readonly SourceLine[]): void {
  let vrf = '';
  let headerLength: number | undefined;
  let last: { prefix: IpPrefix; connected: boolean } | undefined;
  let seen = false;
  for (const line of lines) {
    const { text } = line;
    const table = /^Routing Table:\s*(\S+)/.exec(text);
    if (table !== null) {
      vrf = table[1] === 'default' || table[1] === 'global' ? '' : table[1]!;
      continue;
    }
    const subnetted = SUBNETTED.exec(text);
    if (subnetted !== null) {
      headerLength = Number(subnetted[2]);
      continue;
    }
    // The legend of codes: `D - EIGRP, EX - EIGRP external`.
    if (/^\s*(?:Codes:|[A-Za-z0-9*+%]+ - )/.test(text) || text.trim() === '') continue;
    if (/^Gateway of last resort/.test(text)) {
      seen = true;
      continue;
    }
    const match = ROUTE.exec(text);
    if (match !== null && MORE.exec(text) === null) {
      const length = match[3] === undefined ? headerLength : Number(match[3]);
      const address = parseIpv4(match[2]!);
      const prefix = address === undefined || length === undefined ? undefined : parsePrefix(`${match[2]}/${length}`);
      if (prefix === undefined) {
        draft.unparsed('this route has no prefix length', spanOfLine(line));
        continue;
      }
      seen = true;
      last = { prefix, connected: /^[CL]/.test(match[1]!) };
      if (match[4] !== '') addRoute(draft, vrf, last, match[4]!, spanOfLine(line));
    } else if (MORE.exec(text) !== null && last !== undefined)
      addRoute(draft, vrf, last, text.trim(), spanOfLine(line));
    else if (!/^\s*(?:%|\*|via|Routing|o -|i )/.test(text))
      draft.unparsed('this is no route that is understood', spanOfLine(line));
  }
  if (seen) draft.shownTables.add(vrf);
}

function addRoute(
  draft: CiscoDraft,
  vrf: string,
  route: { readonly prefix: IpPrefix; readonly connected: boolean },
  words: string,
  origin: Span,
): void {
  draft.shownTables.add(vrf);
  const via = new RegExp(`via (${ADDRESS})`).exec(words)?.[1];
  const nextHop = via === undefined ? undefined : parseIpv4(via);
  const name = words
    .split(/,\s*/)
    .map((part) => interfaceName(part))
    .findLast((part) => part !== undefined);
  if (nextHop === undefined && name === undefined) {
    draft.unparsed('this route has neither next hop nor interface', origin);
    return;
  }
  draft.shownRoutes.push({
    vrf,
    prefix: route.prefix,
    connected: route.connected,
    ...(nextHop !== undefined && { nextHop }),
    ...(name !== undefined && { interface: name }),
    origin,
  });
}

function readTracks(draft: CiscoDraft, lines: readonly SourceLine[]): void {
  let name: string | undefined;
  for (const line of lines) {
    const head = /^Track (\d+)/.exec(line.text);
    if (head !== null) name = head[1];
    const state = /^\s+.*\bis (Up|Down)\b/i.exec(line.text) ?? /^\s+State is (Up|Down)/i.exec(line.text);
    if (name === undefined || state === null || /delay/i.test(line.text)) continue;
    setTrack(draft, name, state[1]!, spanOfLine(line));
    name = undefined;
  }
}

/** `1     ip sla    1  reachability   Up    00:00:12`. */
function readTrackTable(draft: CiscoDraft, lines: readonly SourceLine[]): void {
  for (const line of lines) {
    const match = /^(\d+)\s+.*?\b(Up|Down)\b/i.exec(line.text);
    if (match !== null) setTrack(draft, match[1]!, match[2]!, spanOfLine(line));
  }
}

function setTrack(draft: CiscoDraft, name: string, state: string, origin: Span): void {
  const known = draft.tracks.get(name);
  draft.tracks.set(name, { ...(known ?? { name, origin }), state: state.toLowerCase() === 'up' ? 'up' : 'down' });
}

/** `Internet  172.16.0.1   12   0200.ac10.0001  ARPA   FastEthernet0/1`; an age of `-` is the router's own address. */
function readArp(draft: CiscoDraft, lines: readonly SourceLine[]): void {
  for (const line of lines) {
    const words = line.text.trim().split(/\s+/);
    if (words[0] !== 'Internet') continue;
    const address = parseIpv4(words[1] ?? '');
    const name = interfaceName(words[5] ?? '');
    const mac = ciscoMac(words[3] ?? '');
    if (address === undefined) continue;
    const origin = spanOfLine(line);
    if (words[2] === '-' && mac !== undefined) {
      const own = name ?? interfaceWith(draft, address);
      if (own !== undefined) draft.interface(own, origin).mac ??= mac;
    } else if (/^incomplete$/i.test(words[3] ?? '')) {
      draft.neighbours.push({ address: ipv4(address), device: name ?? '', state: 'incomplete', origin });
    } else if (name !== undefined && mac !== undefined) {
      draft.neighbours.push({ address: ipv4(address), device: name, mac, state: 'reachable', origin });
    }
  }
}

function interfaceWith(draft: CiscoDraft, address: number): string | undefined {
  return [...draft.interfaces.values()].find((item) => item.addresses.some(({ prefix }) => prefix.words[0] === address))
    ?.name;
}

/** MAC addresses, addresses and line states of `show interfaces` and `show ip interface`. */
function readInterfaces(draft: CiscoDraft, lines: readonly SourceLine[]): void {
  let item: ReturnType<CiscoDraft['interface']> | undefined;
  for (const line of lines) {
    const origin = spanOfLine(line);
    const head = /^(\S+) is (administratively down|up|down|reset|deleted)(?: \(.*\))?, line protocol is (up|down)/.exec(
      line.text,
    );
    if (head !== null) {
      const name = interfaceName(head[1]!);
      item = name === undefined ? undefined : draft.interface(name, origin);
      if (item !== undefined) {
        if (head[2] === 'administratively down') item.shutdown = true;
        else item.lineDown = head[2] !== 'up' || head[3] === 'down';
      }
      continue;
    }
    if (item === undefined) continue;
    const mac = /address is ([0-9a-f.]{14})\b/i.exec(line.text)?.[1];
    if (mac !== undefined) item.mac = ciscoMac(mac);
    const address = new RegExp(
      `Internet address (?:is|will be negotiated using|\\(.*\\)) ?(${ADDRESS}/\\d+)`,
      'i',
    ).exec(line.text)?.[1];
    const prefix = address === undefined ? undefined : parsePrefix(address);
    if (prefix?.family === 4) takeAddress(item, prefix, origin);
  }
}

function readInterfaceTable(draft: CiscoDraft, lines: readonly SourceLine[]): void {
  for (const line of lines) {
    const match = new RegExp(
      `^(\\S+)\\s+(${ADDRESS}|unassigned)\\s+\\S+\\s+\\S+\\s+(administratively down|up|down|deleted)\\s+(up|down)`,
    ).exec(line.text);
    const name = match === null ? undefined : interfaceName(match[1]!);
    if (match === null || name === undefined) continue;
    const origin = spanOfLine(line);
    const item = draft.interface(name, origin);
    if (match[3] === 'administratively down') item.shutdown = true;
    else item.lineDown = match[3] !== 'up' || match[4] === 'down';
    if (match[2] === 'unassigned') item.noAddress = true;
    // The table has no masks: the address is known, its network is not.
    else if (item.addresses.length === 0) item.addressUnknown ??= origin;
  }
}

function takeAddress(item: ReturnType<CiscoDraft['interface']>, prefix: IpPrefix, origin: Span): void {
  item.addressUnknown = undefined;
  if (item.addresses.some((other) => formatIpAddress(other.prefix) === formatIpAddress(prefix))) return;
  item.addresses.push({ prefix, secondary: item.addresses.length > 0, origin });
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

/** `*22:10:03.105 UTC Sat Nov 21 2026`; other zones are not read: their names mean several. */
function readClock(draft: CiscoDraft, lines: readonly SourceLine[]): void {
  for (const { text } of lines) {
    const match = /^[*.]?(\d{2}:\d{2}:\d{2})(?:\.(\d{3}))? (?:UTC|GMT) \w{3} (\w{3}) (\d{1,2}) (\d{4})/.exec(
      text.trim(),
    );
    const month = MONTHS.indexOf((match?.[3] ?? '').toLowerCase());
    if (match === null || month < 0) continue;
    const day = `${match[5]}-${String(month + 1).padStart(2, '0')}-${match[4]!.padStart(2, '0')}`;
    draft.collectedAt = `${day}T${match[1]}.${(match[2] ?? '').padEnd(9, '0')}Z`;
  }
}
