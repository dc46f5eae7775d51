import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, expect } from 'vitest';
import { ConntrackView, DecisionBatch, DISPOSITIONS } from '../../src/forwarding/decision.ts';
import type { Forwarder, ForwarderOptions } from '../../src/forwarding/forwarder.ts';
import { createLinuxForwarder } from '../../src/forwarding/linux/linux-forwarder.ts';
import type { LinuxDevice } from '../../src/model/linux-device.ts';
import type { Chain, Match, Rule, Ruleset, Table, TableName, Target } from '../../src/model/netfilter.ts';
import type { NetworkInterface } from '../../src/model/network-interface.ts';
import type { PolicyRule, Route, RouteType } from '../../src/model/routing.ts';
import { formatWords, parseIpAddress, parseIpv4 } from '../../src/net/ip-address.ts';
import { parseIpProtocol } from '../../src/net/ip-protocol.ts';
import { parseMaskedMark } from '../../src/net/masked-mark.ts';
import { parsePortRange } from '../../src/net/port-range.ts';
import { parsePrefix } from '../../src/net/prefix.ts';
import type { Span } from '../../src/text/span.ts';
import type { Step } from '../../src/forwarding/walk.ts';
import { stepWords } from '../../src/report/step-words.ts';
import { PacketBatch, Status } from '../../src/wire/packet-batch.ts';
import { ToldTexts } from '../told-texts.ts';

let line = 0;

/** A place for a statement of a test. */
export function span(text: string): Span {
  return { path: 'router.conf', line: ++line, column: 1, text };
}

/** `eth0 192.168.0.254/24 …`: an interface that is up, with its addresses. */
export function link(text: string, extra: Partial<NetworkInterface> = {}): NetworkInterface {
  const [name, ...addresses] = text.split(' ');
  return {
    name: name!,
    up: true,
    lowerUp: true,
    mtu: 1500,
    group: 'default',
    addresses: addresses.map((address) => ({ prefix: parsePrefix(address)!, secondary: false })),
    ...extra,
  };
}

/** `default via 10.0.0.1 dev eth0 metric 5 table 103`, `blackhole 10.0.0.0/8`, `10.0.0.0/24 nexthop via A dev B nexthop …`. */
export function route(text: string): Route {
  const words = text.split(' ');
  const types: readonly string[] = ['local', 'broadcast', 'blackhole', 'unreachable', 'prohibit', 'throw', 'multicast'];
  const type = (types.includes(words[0]!) ? words.shift()! : 'unicast') as RouteType;
  const destination = words.shift()!;
  const [common = '', ...hops] = ` ${words.join(' ')}`.split(' nexthop ');
  const value = (from: string, key: string): string | undefined => new RegExp(`(?:^| )${key} (\\S+)`).exec(from)?.[1];
  const hop = (from: string): Route['nextHops'][number] => {
    const via = value(from, 'via');
    const device = value(from, 'dev');
    return {
      ...(via === undefined ? {} : { gateway: parseIpAddress(via)! }),
      ...(device === undefined ? {} : { device }),
      weight: Number(value(from, 'weight') ?? 1),
      dead: / dead\b/.test(from),
      linkDown: / linkdown\b/.test(from),
      onLink: / onlink\b/.test(from),
    };
  };
  const nextHops = hops.length > 0 ? hops.map((each) => hop(` ${each}`)) : / dev /.test(common) ? [hop(common)] : [];
  const protocol = value(common, 'proto');
  return {
    family: 4,
    table: Number(value(common, 'table') ?? (type === 'local' || type === 'broadcast' ? 255 : 254)),
    type,
    prefix: parsePrefix(destination === 'default' ? '0.0.0.0/0' : destination)!,
    tos: Number(value(common, 'tos') ?? 0),
    metric: Number(value(common, 'metric') ?? 0),
    nextHops,
    ...(protocol === undefined ? {} : { protocol }),
    unmodelled: / encap /.test(common) ? ['encap'] : [],
    origin: span(text),
  };
}

/** `32765: not from P to P fwmark V/M iif D oif D tos T ipproto p sport a dport b lookup 103 suppress_prefixlength 0`. */
export function policyRule(text: string): PolicyRule {
  const priority = Number(text.slice(0, text.indexOf(':')));
  const rest = ` ${text.slice(text.indexOf(':') + 1).trim()} `;
  const value = (key: string): string | undefined => new RegExp(` ${key} (\\S+)`).exec(rest)?.[1];
  const from = value('from');
  const to = value('to');
  const mark = value('fwmark');
  const protocol = value('ipproto');
  const sport = value('sport');
  const dport = value('dport');
  const goto = value('goto');
  const table = value('lookup');
  const kind = /(blackhole|unreachable|prohibit|nop)/.exec(rest)?.[1] as 'blackhole' | undefined;
  const iif = value('iif');
  const oif = value('oif');
  const tos = value('tos');
  const suppress = value('suppress_prefixlength');
  const group = value('suppress_ifgroup');
  const unmodelled = value('unmodelled');
  return {
    family: 4,
    priority,
    inverted: rest.startsWith(' not '),
    ...(from === undefined || from === 'all' ? {} : { from: parsePrefix(from)! }),
    ...(to === undefined ? {} : { to: parsePrefix(to)! }),
    ...(mark === undefined ? {} : { fwmark: parseMaskedMark(mark)! }),
    ...(iif === undefined ? {} : { iif }),
    ...(oif === undefined ? {} : { oif }),
    ...(tos === undefined ? {} : { tos: Number(tos) }),
    ...(protocol === undefined ? {} : { ipProtocol: parseIpProtocol(protocol)! }),
    ...(sport === undefined ? {} : { sourcePorts: parsePortRange(sport)! }),
    ...(dport === undefined ? {} : { destinationPorts: parsePortRange(dport)! }),
    ...(suppress === undefined ? {} : { suppressPrefixLength: Number(suppress) }),
    ...(group === undefined ? {} : { suppressInterfaceGroup: group }),
    action:
      goto !== undefined
        ? { kind: 'goto', priority: Number(goto) }
        : table !== undefined
          ? { kind: 'lookup', table: Number(table) }
          : { kind: kind! },
    unmodelled: unmodelled === undefined ? [] : [unmodelled],
    origin: span(text),
  };
}

export const DEFAULT_RULES = ['0: from all lookup 255', '32766: from all lookup 254', '32767: from all lookup 253'];

/** A small subset of iptables-save: `-A CHAIN matches -j TARGET args`. What it does not know becomes an unmodelled match or target. */
export function rule(text: string): { chain: string; rule: Rule } {
  const words = text.split(' ');
  const matches: Match[] = [];
  let chain = '';
  let target: Target = { kind: 'none' };
  let negated = false;
  let protocol = 0;
  let module = '';
  const take = (): string => words.shift()!;
  const address = (kind: 'source' | 'destination'): Match => {
    const prefix = parsePrefix(take())!;
    const mask = prefix.prefixLength === 0 ? 0 : (-1 << (32 - prefix.prefixLength)) >>> 0;
    return { kind, address: [(prefix.words[0] & mask) >>> 0, 0, 0, 0], mask: [mask, 0, 0, 0], negated };
  };
  const device = (kind: 'in-interface' | 'out-interface'): Match => {
    const name = take();
    const prefix = name.endsWith('+');
    return { kind, name: prefix ? name.slice(0, -1) : name, prefix, negated };
  };
  while (words.length > 0) {
    const word = take();
    if (word === '!') {
      negated = true;
      continue;
    }
    if (word === '-A') chain = take();
    else if (word === '-i') matches.push(device('in-interface'));
    else if (word === '-o') matches.push(device('out-interface'));
    else if (word === '-s') matches.push(address('source'));
    else if (word === '-d') matches.push(address('destination'));
    else if (word === '-f') matches.push({ kind: 'fragment', negated });
    else if (word === '-p') {
      protocol = parseIpProtocol(take())!;
      matches.push({ kind: 'protocol', protocol, negated });
    } else if (word === '-m') {
      const name = take();
      module = name;
      if (name === 'tcp' || name === 'udp') matches.push({ kind: 'transport-header', protocol });
      else if (!['mark', 'connmark', 'conntrack', 'state', 'multiport', 'mac'].includes(name)) {
        matches.push({ kind: 'unmodelled', name, text: name });
      }
      negated = false;
      continue;
    } else if (word === '--dport' || word === '--sport') {
      const kind = word === '--dport' ? 'destination-port' : 'source-port';
      matches.push({ kind, range: parsePortRange(take())!, negated });
    } else if (word === '--dports' || word === '--sports' || word === '--ports') {
      const which = word === '--dports' ? 'destination' : word === '--sports' ? 'source' : 'either';
      matches.push({
        kind: 'multiport',
        which,
        ranges: take()
          .split(',')
          .map((part) => parsePortRange(part)!),
        negated,
      });
    } else if (word === '--syn') matches.push({ kind: 'tcp-flags', mask: 0x17, set: 0x02, negated });
    else if (word === '--mark') {
      matches.push({ kind: module === 'connmark' ? 'connmark' : 'mark', mark: parseMaskedMark(take())!, negated });
    } else if (word === '--ctstate') {
      const bits = { INVALID: 1, NEW: 2, ESTABLISHED: 4, RELATED: 8, UNTRACKED: 16, SNAT: 32, DNAT: 64 };
      const states = take()
        .split(',')
        .reduce((sum, name) => sum | bits[name as 'NEW'], 0);
      matches.push({ kind: 'ctstate', states, negated });
    } else if (word === '--mac-source')
      matches.push({ kind: 'mac-source', mac: Number.parseInt(take().replaceAll(':', ''), 16), negated });
    else if (word === '-j' || word === '-g') target = parseTarget(word, take(), words);
    else throw new Error(`the test's rule has an unknown word ${word}`);
    negated = false;
  }
  return { chain, rule: { matches, target, origin: span(text) } };
}

function parseTarget(option: string, name: string, words: string[]): Target {
  const rest = words.splice(0).join(' ');
  const masked = (key: string): { value: number; mask: number } | undefined => {
    const found = new RegExp(`--${key} (\\S+)`).exec(rest)?.[1];
    return found === undefined ? undefined : parseMaskedMark(found);
  };
  const number = (key: string): number | undefined => {
    const found = new RegExp(`--${key} (\\S+)`).exec(rest)?.[1];
    return found === undefined ? undefined : Number(found) >>> 0;
  };
  switch (name) {
    case 'ACCEPT':
    case 'DROP':
    case 'RETURN':
      return { kind: name.toLowerCase() as 'accept' };
    case 'REJECT':
      return { kind: 'reject', ...(rest === '' ? {} : { with: rest.replace('--reject-with ', '') }) };
    case 'NOTRACK':
      return { kind: 'notrack' };
    case 'CT': {
      const [, option, zone = '0'] = /--zone(-orig|-reply)? (\S+)/.exec(rest) ?? [];
      const helper = /--helper (\S+)/.exec(rest)?.[1];
      const zoneDirection = option === '-orig' ? 'original' : option === '-reply' ? 'reply' : 'both';
      return { kind: 'ct', zone: zone === 'mark' ? 'mark' : Number(zone), zoneDirection, ...(helper && { helper }) };
    }
    case 'MARK':
      return { kind: 'mark', ...masked('set-xmark')! };
    case 'CONNMARK': {
      const nfmask = number('nfmask') ?? number('mask') ?? 0xffffffff;
      const ctmask = number('ctmask') ?? number('mask') ?? 0xffffffff;
      if (rest.includes('--save-mark')) return { kind: 'connmark-save', nfmask, ctmask };
      if (rest.includes('--restore-mark')) return { kind: 'connmark-restore', nfmask, ctmask };
      return { kind: 'connmark-set', ...masked('set-xmark')! };
    }
    case 'SNAT':
    case 'DNAT': {
      const [addresses, ports] = /--to-\w+ (\S+)/.exec(rest)![1]!.split(':');
      const [first, last] = addresses!.split('-');
      return {
        kind: name.toLowerCase() as 'snat',
        ...(addresses === ''
          ? {}
          : { addresses: { first: parseIpAddress(first!)!, last: parseIpAddress(last ?? first!)! } }),
        ...(ports === undefined ? {} : { ports: parsePortRange(ports)! }),
        flags: [],
      };
    }
    case 'MASQUERADE':
      return { kind: 'masquerade', flags: [] };
    case 'LOG':
    case 'TCPMSS':
      return { kind: 'pass-through', name };
    default:
      if (/^[A-Z]+$/.test(name)) return { kind: 'unmodelled', name, text: rest };
      return { kind: option === '-j' ? 'jump' : 'goto', chain: name };
  }
}

const BASE_CHAINS: Readonly<Record<TableName, readonly string[]>> = {
  raw: ['PREROUTING', 'OUTPUT'],
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
  security: ['INPUT', 'FORWARD', 'OUTPUT'],
};

/** Rules by table; `:CHAIN POLICY` sets a policy, `:chain -` makes a user chain. */
export function ruleset(
  tables: Partial<Record<TableName, readonly string[]>>,
  variant: Ruleset['variant'] = 'legacy',
): Ruleset {
  return {
    family: 4,
    variant,
    tables: Object.entries(tables).map(([name, lines]): Table => {
      const chains = new Map<string, { policy?: 'ACCEPT' | 'DROP'; rules: Rule[]; origin?: Span }>();
      for (const base of BASE_CHAINS[name as TableName]) chains.set(base, { policy: 'ACCEPT', rules: [] });
      for (const text of lines) {
        if (text.startsWith(':')) {
          const [chain, policy] = text.slice(1).split(' ');
          const rules = chains.get(chain!)?.rules ?? [];
          chains.set(chain!, { ...(policy === '-' ? {} : { policy: policy as 'DROP' }), rules, origin: span(text) });
          continue;
        }
        const parsed = rule(text);
        chains.get(parsed.chain)!.rules.push(parsed.rule);
      }
      return { name: name as TableName, chains: [...chains].map(([chain, rest]): Chain => ({ name: chain, ...rest })) };
    }),
  };
}

/** What a test's router has; what is not given is empty, the sysctls of every interface as the kernel sets them, with forwarding on. */
export interface RouterParts {
  readonly links?: readonly (string | NetworkInterface)[];
  readonly tables?: Partial<Record<TableName, readonly string[]>>;
  readonly rulesets?: readonly Ruleset[];
  readonly rules?: readonly string[];
  readonly routes?: readonly string[];
  readonly sysctls?: Readonly<Record<string, number>>;
  /** Sysctls that are not in the state. */
  readonly without?: readonly string[];
  readonly known?: Partial<LinuxDevice['known']>;
}

const KERNEL_DEFAULTS: Readonly<Record<string, number>> = {
  rp_filter: 0,
  src_valid_mark: 0,
  accept_local: 0,
  route_localnet: 0,
  send_redirects: 1,
  shared_media: 1,
  bc_forwarding: 0,
  ignore_routes_with_linkdown: 0,
};

/** A Linux router as a model. Sysctl keys: `eth1.rp_filter`, `all.rp_filter`, or a slash path. Connected routes are added to main. */
export function device(parts: RouterParts): LinuxDevice {
  const links = [
    link('lo 127.0.0.1/8'),
    ...(parts.links ?? []).map((each) => (typeof each === 'string' ? link(each) : each)),
  ];
  const path = (key: string): string => (key.includes('/') ? key : `net/ipv4/conf/${key.replace('.', '/')}`);
  const sysctls = new Map<string, { value: string; origin: Span }>();
  const put = (key: string, value: number): void => {
    sysctls.set(path(key), { value: String(value), origin: span(`${key} = ${value}`) });
  };
  for (const name of ['all', ...links.map((each) => each.name)]) {
    for (const [key, value] of Object.entries(KERNEL_DEFAULTS)) put(`${name}.${key}`, value);
    put(`${name}.forwarding`, 1);
  }
  for (const [key, value] of Object.entries(parts.sysctls ?? {})) put(key, value);
  for (const key of parts.without ?? []) sysctls.delete(path(key));
  const connected = links.flatMap(({ name, addresses }) =>
    name === 'lo'
      ? []
      : addresses.flatMap(({ prefix }) => {
          if (prefix.family === 6 || prefix.prefixLength === 32) return [];
          const mask = (-1 << (32 - prefix.prefixLength)) >>> 0;
          const network = formatWords(4, (prefix.words[0] & mask) >>> 0, 0, 0, 0);
          return [route(`${network}/${prefix.prefixLength} dev ${name} proto kernel`)];
        }),
  );
  return {
    kind: 'linux',
    dialects: [],
    known: {
      interfaces: true,
      netfilter4: true,
      netfilter6: true,
      policyRules4: true,
      policyRules6: true,
      routeTables4: 'all',
      routeTables6: 'all',
      sysctls: true,
      ...parts.known,
    },
    interfaces: links,
    rulesets: parts.rulesets ?? (parts.tables === undefined ? [] : [ruleset(parts.tables)]),
    policyRules: (parts.rules ?? DEFAULT_RULES).map(policyRule),
    routes: [...connected, ...localRoutes(links), ...(parts.routes ?? []).map(route)],
    tableNames: new Map([
      ['local', 255],
      ['main', 254],
      ['default', 253],
      ['scb', 103],
    ]),
    sysctls,
    neighbours: [],
    runWideUnknowns: [],
    problems: [],
    notices: [],
  };
}

function localRoutes(links: readonly NetworkInterface[]): Route[] {
  return links.flatMap(({ name, addresses }) =>
    addresses.flatMap(({ prefix }) => {
      if (prefix.family === 6) return [];
      const own = formatWords(4, prefix.words[0], 0, 0, 0);
      const local = [route(`local ${own} dev ${name} proto kernel`)];
      if (name === 'lo') local.push(route(`local 127.0.0.0/8 dev lo proto kernel`));
      const hosts = ~((-1 << (32 - prefix.prefixLength)) >>> 0);
      if (prefix.prefixLength < 31) {
        local.push(
          route(`broadcast ${formatWords(4, (prefix.words[0] | hosts) >>> 0, 0, 0, 0)} dev ${name} proto kernel`),
        );
      }
      return local;
    }),
  );
}

/** A packet of a test; `at` in seconds. */
export interface PacketParts {
  readonly protocol?: 'tcp' | 'udp' | 'icmp' | 'gre' | 'sctp' | 'esp';
  /** `address:port` or `address`. */
  readonly from: string;
  readonly to: string;
  readonly flags?: string;
  readonly sequence?: number;
  readonly acknowledgement?: number;
  readonly window?: number;
  readonly windowScale?: number;
  readonly sackPermitted?: boolean;
  readonly payload?: number;
  readonly ttl?: number;
  readonly tos?: number;
  readonly length?: number;
  readonly mac?: number;
  readonly linkDestination?: number;
  readonly destinationMac?: number;
  readonly icmp?: readonly [number, number];
  readonly identifier?: number;
  readonly quoted?: { readonly protocol?: 'tcp' | 'udp' | 'sctp'; readonly from: string; readonly to: string };
  readonly status?: number;
  readonly fragmentOffset?: number;
  /** So many bytes of the transport header, and no more, are there. */
  readonly short?: number;
  /** First byte, bytes, and whether more follow. */
  readonly fragment?: readonly [offset: number, length: number, more: boolean];
  readonly frame?: number;
  readonly at?: number;
}

/** Without line numbers, which depend on the tests that ran before. */
function stepText(step: Step): string {
  const { origin, ...rest } = 'origin' in step ? step : { ...step, origin: undefined };
  return `${stepWords(step)} ${JSON.stringify(rest)}${origin === undefined ? '' : ` | ${origin.text}`}`;
}

const FLAG_BITS: Readonly<Record<string, number>> = { F: 1, S: 2, R: 4, P: 8, A: 16, U: 32, E: 64, C: 128 };

/** Puts a packet in a row. */
export function putPacket(batch: PacketBatch, row: number, parts: PacketParts): void {
  const endpoint = (text: string): [number, number] => {
    const [address, port = '0'] = text.split(':');
    return [parseIpv4(address!)!, Number(port)];
  };
  const protocol = parts.protocol ?? (parts.icmp === undefined ? 'tcp' : 'icmp');
  const [source, sourcePort] = endpoint(parts.from);
  const [destination, destinationPort] = endpoint(parts.to);
  const [fragmentOffset, fragmentLength, more] = parts.fragment ?? [parts.fragmentOffset ?? 0, 0, false];
  const later = fragmentOffset > 0;
  batch.clearRow(row);
  batch.seconds[row] = Math.floor(parts.at ?? 1000);
  batch.nanoseconds[row] = Math.round(((parts.at ?? 1000) % 1) * 1e9);
  batch.status[row] =
    Status.ip |
    (later || protocol === 'gre' || protocol === 'esp' || parts.short !== undefined ? 0 : Status.transport) |
    (parts.short === undefined ? 0 : Status.malformed) |
    (parts.quoted === undefined ? 0 : Status.quoted | Status.quotedTuple) |
    (parts.status ?? 0);
  batch.family[row] = 4;
  batch.protocol[row] = parseIpProtocol(protocol)!;
  batch.ttl[row] = parts.ttl ?? 64;
  batch.tos[row] = parts.tos ?? 0;
  batch.fragmentOffset[row] = fragmentOffset;
  batch.fragmentLength[row] = fragmentLength;
  batch.frameNumber[row] = parts.frame ?? 0;
  batch.source[4 * row] = source;
  batch.destination[4 * row] = destination;
  batch.sourcePort[row] = later ? 0 : sourcePort;
  batch.destinationPort[row] = later ? 0 : destinationPort;
  batch.linkDestination[row] = parts.linkDestination ?? 1;
  batch.sourceMac[row] = parts.mac ?? -1;
  batch.destinationMac[row] = parts.destinationMac ?? -1;
  batch.payloadLength[row] = parts.short ?? parts.payload ?? 0;
  batch.networkLength[row] = parts.length ?? 40 + (parts.payload ?? 0);
  if (parts.fragment !== undefined) {
    batch.status[row]! |= Status.fragment | (more ? Status.moreFragments : 0);
    batch.networkLength[row] = 20 + fragmentLength;
    batch.capturedLength[row] = 34 + fragmentLength;
  }
  if (protocol === 'tcp') {
    batch.tcpFlags[row] = [...(parts.flags ?? 'S')].reduce((sum, flag) => sum | FLAG_BITS[flag]!, 0);
    batch.tcpSequence[row] = (parts.sequence ?? 0) >>> 0;
    batch.tcpAcknowledgement[row] = (parts.acknowledgement ?? 0) >>> 0;
    batch.tcpWindow[row] = parts.window ?? 65535;
    batch.tcpWindowScale[row] = parts.windowScale ?? -1;
    batch.tcpSackPermitted[row] = parts.sackPermitted === true ? 1 : 0;
    batch.tcpSackRightEdge[row] = (parts.acknowledgement ?? 0) >>> 0;
  }
  if (protocol === 'icmp') {
    [batch.icmpType[row], batch.icmpCode[row]] = parts.icmp ?? [8, 0];
    batch.icmpIdentifier[row] = parts.identifier ?? 0;
  }
  if (parts.quoted !== undefined) {
    const [quotedSource, quotedSourcePort] = endpoint(parts.quoted.from);
    const [quotedDestination, quotedDestinationPort] = endpoint(parts.quoted.to);
    batch.quotedProtocol[row] = parseIpProtocol(parts.quoted.protocol ?? 'tcp')!;
    batch.quotedSource[4 * row] = quotedSource;
    batch.quotedDestination[4 * row] = quotedDestination;
    batch.quotedSourcePort[row] = quotedSourcePort;
    batch.quotedDestinationPort[row] = quotedDestinationPort;
  }
}

/** What labs told in the test at hand: of each packet all that its decision holds, and its walk. Of tests with many packets, the first ones. */
let texts: string[] = [];
const MOST_TEXTS = 60;
let told: ToldTexts | undefined;

/** A test's name is that of its texts. */
afterEach(() => {
  const { testPath, currentTestName } = expect.getState();
  if (testPath === undefined || currentTestName === undefined || texts.length === 0) return;
  const folder = fileURLToPath(new URL('told', import.meta.url));
  told ??= new ToldTexts(join(folder, basename(testPath).replace('.test.ts', '.json.br')));
  const shown = texts;
  texts = [];
  told.expect(currentTestName, shown);
});
afterAll(() => told?.save());

/** A router at work in a test. */
export class Lab {
  readonly forwarder: Forwarder;
  readonly batch = new PacketBatch(1);
  readonly decisions = new DecisionBatch(1);

  constructor(parts: RouterParts | LinuxDevice, options: ForwarderOptions = {}) {
    this.forwarder = createLinuxForwarder('kind' in parts ? parts : device(parts), options);
  }

  /** Decides about a packet: `eth1 172.16.0.1` where it is forwarded, `delivered`, `martian` …, `undetermined: why`. */
  send(ingress: string, parts: PacketParts): string {
    putPacket(this.batch, 0, parts);
    this.forwarder.decide(this.batch, 0, this.forwarder.interfaceIndex(ingress), this.decisions, 0);
    if (texts.length < MOST_TEXTS) texts.push(this.#told());
    return this.result();
  }

  #told(): string {
    const { capacity: _, record: __, recordStamp: ___, ...columns } = this.decisions;
    const said = Object.values(columns).map((column) => (column as Uint32Array).join('.'));
    const causes = [this.cause, this.result()];
    return [said.join(' '), ...causes, ...this.forwarder.explainLast().steps.map(stepText)].join('\n');
  }

  result(): string {
    const { decisions, forwarder } = this;
    const name = DISPOSITIONS[decisions.disposition[0]!]!;
    if (name === 'forwarded') {
      const words = decisions.nextHop;
      const hop = formatWords(
        (words[1]! | words[2]! | words[3]!) === 0 ? 4 : 6,
        words[0]!,
        words[1]!,
        words[2]!,
        words[3]!,
      );
      return `${forwarder.interfaceNames[decisions.egress[0]!]!} ${hop}`;
    }
    if (name === 'undetermined') return `undetermined: ${forwarder.unknowns[decisions.unknown[0]!]!.reason}`;
    return name;
  }

  get mark(): number {
    return this.decisions.fwmark[0]!;
  }

  get connmark(): number {
    return this.decisions.connmark[0]!;
  }

  get state(): string {
    const view = this.decisions.conntrack[0];
    return Object.entries(ConntrackView).find(([, number]) => number === view)![0];
  }

  get cause(): string {
    return this.forwarder.causes[this.decisions.cause[0]!]?.text ?? '';
  }

  get flags(): number {
    return this.decisions.flags[0]!;
  }
}
