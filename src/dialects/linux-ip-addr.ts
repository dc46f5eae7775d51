import type { InterfaceAddress, NetworkInterface } from '../model/network-interface.ts';
import { type Family, formatIpAddress, parseIpAddress } from '../net/ip-address.ts';
import { formatMac, parseMac } from '../net/mac-address.ts';
import { formatPrefix, hostPrefix, parsePrefix } from '../net/prefix.ts';
import { type SourceLine, scanWords, spanOfLine } from '../text/line-scanner.ts';
import type { DeviceDraft } from './base/device-draft.ts';
import type { Dialect } from './base/dialect.ts';

type Writable<T> = { -readonly [K in keyof T]: T[K] };

const HEADER = /^(\d+): ([^\s:@]+)(?:@([^\s:]+))?: <([^>]*)>(.*)$/;

/** Kinds of `ip -d link` that change how packets are received or sent. Ref: iproute2 ip/iplink*.c. */
const KINDS = new Set(
  (
    'vlan bridge bond veth dummy vrf macvlan macvtap ipvlan ipvtap vxlan geneve gre gretap erspan ip6gre ip6gretap ip6erspan ipip sit ' +
    'ip6tnl vti vti6 tun wireguard ifb nlmon team xfrm ppp hsr macsec can vcan batadv gtp bareudp netdevsim rmnet lowpan amt dsa'
  ).split(' '),
);

interface Entry {
  readonly link: Writable<NetworkInterface>;
  readonly addresses: InterfaceAddress[];
}

function parseHeader(line: SourceLine): Entry | undefined {
  const match = HEADER.exec(line.text);
  if (match === null) return undefined;
  const [, index, name, parent, flagText, rest] = match;
  const flags = new Set(flagText!.split(','));
  const link: Writable<NetworkInterface> = {
    name: name!,
    index: Number(index),
    addresses: [],
    up: flags.has('UP'),
    // An interface that is up says one or the other; where somebody has shortened the list, it is not known.
    ...(flags.has('LOWER_UP') || flags.has('NO-CARRIER') || !flags.has('UP') ? { lowerUp: flags.has('LOWER_UP') } : {}),
    origin: spanOfLine(line),
  };
  // `eth0@if7`: the other end is in another namespace, or on no interface of this router.
  if (parent !== undefined && !/^if\d+$/.test(parent) && parent !== 'NONE') link.parent = parent;
  const words = rest!.trim().split(/\s+/);
  for (let at = 0; at < words.length; at++) {
    const value = words[at + 1];
    if (value === undefined) break;
    if (words[at] === 'mtu' && /^\d+$/.test(value)) link.mtu = Number(value);
    else if (words[at] === 'master') link.master = value;
    else if (words[at] === 'group') link.group = value;
  }
  return { link, addresses: [] };
}

function parseAddress(words: readonly string[]): InterfaceAddress | undefined {
  const [, written = '', ...rest] = words;
  const after = (name: string): string | undefined => {
    const index = rest.indexOf(name);
    return index < 0 ? undefined : rest[index + 1];
  };
  const secondary = rest.includes('secondary');
  const broadcast = parseIpAddress(after('brd') ?? '');
  const peerText = after('peer');
  const brd = broadcast === undefined ? {} : { broadcast };
  if (peerText !== undefined) {
    // `inet LOCAL peer PEER/LENGTH`: the length is the peer's network's, the address is the router's.
    const peer = parsePrefix(peerText);
    const local = parseIpAddress(written.replace(/\/.*/, ''));
    if (peer === undefined || local === undefined) return undefined;
    return { prefix: { ...local, prefixLength: peer.prefixLength }, peer, secondary, ...brd };
  }
  const prefix = parsePrefix(written) ?? withHostPrefix(written);
  return prefix === undefined ? undefined : { prefix, secondary, ...brd };
}

function withHostPrefix(text: string) {
  const address = parseIpAddress(text);
  return address === undefined ? undefined : hostPrefix(address);
}

function readDetail(entry: Entry, line: SourceLine, draft: DeviceDraft): void {
  const words = (scanWords(line, 'none') ?? []).map((word) => word.text);
  const [first = ''] = words;
  if (first.startsWith('link/')) {
    entry.link.linkType = first.slice('link/'.length);
    const mac = parseMac(words[1] ?? '');
    if (mac !== undefined) entry.link.mac = mac;
  } else if (first === 'inet' || first === 'inet6') {
    const address = parseAddress(words);
    if (address === undefined) draft.unparsed('the address of the interface is not understood', spanOfLine(line));
    else entry.addresses.push(address);
  } else if (KINDS.has(first)) {
    entry.link.linkKind ??= first;
    const id = first === 'vlan' ? words[words.indexOf('id') + 1] : undefined;
    if (id !== undefined && /^\d{1,4}$/.test(id)) entry.link.vlan = Number(id);
  }
  // The rest are lifetimes, statistics and details of the link's kind that no decision looks at.
}

/** `family`: only its addresses are shown; undefined all. */
function merge(draft: DeviceDraft, entry: Entry, addressesShown: boolean, family: Family | undefined): void {
  const { name } = entry.link;
  const { index, mac, origin } = entry.link;
  if (index !== undefined) draft.isNew(`interface ${name} (index)`, String(index), origin!);
  if (mac !== undefined) draft.isNew(`interface ${name} (MAC address)`, formatMac(mac), origin!);
  const before = draft.interfaces.get(name);
  const known = before?.addresses ?? [];
  const others = family === undefined ? [] : known.filter(({ prefix }) => prefix.family !== family);
  const addresses = addressesShown ? [...others, ...entry.addresses] : known;
  // Whichever of `ip addr` and `ip -d link` comes later adds what it knows; what it does not show stays.
  draft.interfaces.set(name, { ...before, ...entry.link, addresses, origin: before?.origin ?? origin! });
}

const describeAddress = ({ prefix, peer }: InterfaceAddress): string =>
  `${formatPrefix(prefix)}${peer === undefined ? '' : ` peer ${formatIpAddress(peer)}`}`;

/** `ip addr show`, `ip link show`, with and without details. Ref: ip-address(8), ip-link(8); iproute2 ip/ipaddress.c. */
export const linuxIpAddr: Dialect = {
  name: 'linux-ip-addr',
  stage: 1,

  recognise: ({ heading, lines }) =>
    heading === undefined
      ? HEADER.test(lines[0]?.text ?? '')
      : /^ip (?:-[46] )?(?:-d )?(?:address|link) show(?: |$)/.test(heading.command),

  /** Details are indented; an interface that comes a second time begins another list. */
  extent(first) {
    const names = new Set([HEADER.exec(first.text)?.[2]]);
    return (line, recognised) => {
      if (!recognised) return /^\s/.test(line.text);
      const name = HEADER.exec(line.text)?.[2];
      if (names.has(name)) return false;
      names.add(name);
      return true;
    };
  },

  parse(section, draft) {
    const entries: Entry[] = [];
    for (const line of section.lines) {
      if (line.text.trim() === '') continue;
      const entry = parseHeader(line);
      const last = entries.at(-1);
      if (entry !== undefined) entries.push(entry);
      else if (/^\s/.test(line.text) && last !== undefined) readDetail(last, line, draft);
      else draft.unparsed('this is no interface', spanOfLine(line));
    }
    const command = section.heading?.command ?? '';
    const partial = / show (?!up$)\S/.test(command) || / -[46] /.test(command);
    const addressesShown =
      section.heading === undefined ? entries.some((entry) => entry.addresses.length > 0) : / address /.test(command);
    const at = section.lines.find((line) => line.text.trim() !== '') ?? section.heading?.at;
    if (at === undefined) return;
    if (addressesShown && !partial) {
      const content = entries
        .map((entry) => `${entry.link.name} ${entry.addresses.map(describeAddress).join(' ')}`)
        .sort();
      draft.isNew('ip addr', content.join('\n'), spanOfLine(at));
      draft.given.interfaces = true;
    }
    const family = command.includes(' -6 ') ? 6 : command.includes(' -4 ') ? 4 : undefined;
    for (const entry of entries) merge(draft, entry, addressesShown, family);
  },
};
