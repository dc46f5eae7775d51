import { IpProtocol, parseIpProtocol } from '../../net/ip-protocol.ts';

/** What a command line of iptables does. */
export type IptablesVerb =
  | 'append'
  | 'delete'
  | 'check'
  | 'insert'
  | 'replace'
  | 'new-chain'
  | 'delete-chain'
  | 'rename-chain'
  | 'policy'
  | 'flush'
  | 'zero'
  | 'list';

/** Commands by the long name of their option. */
export const COMMAND_VERBS: Readonly<Record<string, IptablesVerb>> = {
  append: 'append',
  delete: 'delete',
  check: 'check',
  insert: 'insert',
  replace: 'replace',
  'new-chain': 'new-chain',
  new: 'new-chain',
  'delete-chain': 'delete-chain',
  'rename-chain': 'rename-chain',
  policy: 'policy',
  flush: 'flush',
  zero: 'zero',
  list: 'list',
  'list-rules': 'list',
};

/** Long names of the options that every rule knows, with their short letters. Ref: iptables(8). */
export const SHORT_OPTIONS: Readonly<Record<string, string>> = {
  A: 'append',
  D: 'delete',
  C: 'check',
  I: 'insert',
  R: 'replace',
  N: 'new-chain',
  X: 'delete-chain',
  E: 'rename-chain',
  P: 'policy',
  F: 'flush',
  Z: 'zero',
  L: 'list',
  S: 'list-rules',
  t: 'table',
  p: 'protocol',
  s: 'source',
  d: 'destination',
  i: 'in-interface',
  o: 'out-interface',
  f: 'fragments',
  m: 'match',
  j: 'jump',
  g: 'goto',
  c: 'set-counters',
  w: 'wait',
  W: 'wait-interval',
  M: 'modprobe',
  v: 'verbose',
  n: 'numeric',
  x: 'exact',
  '4': 'ipv4',
  '6': 'ipv6',
};

/** Other names of options. */
export const LONG_SYNONYMS: Readonly<Record<string, string>> = {
  src: 'source',
  dst: 'destination',
  proto: 'protocol',
  fragment: 'fragments',
  'line-numbers': 'numeric',
  new: 'new-chain',
};

/** Every option that belongs to no extension. */
export const GENERIC_OPTIONS: ReadonlySet<string> = new Set([
  ...Object.values(SHORT_OPTIONS),
  ...Object.keys(LONG_SYNONYMS),
]);

/** Protocols of `/etc/protocols` that the net layer does not name. */
const MORE_PROTOCOLS: Readonly<Record<string, number>> = {
  all: 0,
  hopopt: 0,
  ggp: 3,
  ipencap: 4,
  st: 5,
  hmp: 20,
  'xns-idp': 22,
  rdp: 27,
  'iso-tp4': 29,
  'idpr-cmtp': 38,
  'ipv6-route': 43,
  'ipv6-frag': 44,
  idrp: 45,
  skip: 57,
  'ipv6-nonxt': 59,
  'ipv6-opts': 60,
  rspf: 73,
  vmtp: 81,
  ospfigp: 89,
  'ax.25': 93,
  etherip: 97,
  encap: 98,
  ipcomp: 108,
  isis: 124,
  fc: 133,
  mh: 135,
  'mobility-header': 135,
  'ipv6-mh': 135,
  'mpls-in-ip': 137,
  manet: 138,
  hip: 139,
  shim6: 140,
  wesp: 141,
  rohc: 142,
};

/** Match extension that `-p` brings along when one of its options is used. */
export const IMPLIED_MATCHES: ReadonlyMap<number, string> = new Map([
  [IpProtocol.tcp, 'tcp'],
  [IpProtocol.udp, 'udp'],
  [IpProtocol.udplite, 'udp'],
  [IpProtocol.icmp, 'icmp'],
  [IpProtocol.icmpv6, 'icmp6'],
  [IpProtocol.sctp, 'sctp'],
  [IpProtocol.dccp, 'dccp'],
  [IpProtocol.esp, 'esp'],
  [IpProtocol.ah, 'ah'],
  [135, 'mh'],
]);

/** The number of a protocol by name or number; undefined where it is neither. */
export function parseProtocol(text: string): number | undefined {
  const name = text.toLowerCase();
  return parseIpProtocol(text) ?? (Object.hasOwn(MORE_PROTOCOLS, name) ? MORE_PROTOCOLS[name] : undefined);
}
