/** Port names of access lists. Ref: Cisco IOS security command reference, `access-list (IP extended)`. */
const TCP_PORTS: Readonly<Record<string, number>> = {
  bgp: 179,
  chargen: 19,
  cmd: 514,
  daytime: 13,
  discard: 9,
  domain: 53,
  drip: 3949,
  echo: 7,
  exec: 512,
  finger: 79,
  ftp: 21,
  'ftp-data': 20,
  gopher: 70,
  hostname: 101,
  ident: 113,
  irc: 194,
  klogin: 543,
  kshell: 544,
  login: 513,
  lpd: 515,
  msrpc: 135,
  nntp: 119,
  'onep-plain': 15001,
  'onep-tls': 15002,
  'pim-auto-rp': 496,
  pop2: 109,
  pop3: 110,
  smtp: 25,
  sunrpc: 111,
  syslog: 514,
  tacacs: 49,
  talk: 517,
  telnet: 23,
  time: 37,
  uucp: 540,
  whois: 43,
  www: 80,
};

const UDP_PORTS: Readonly<Record<string, number>> = {
  biff: 512,
  bootpc: 68,
  bootps: 67,
  discard: 9,
  dnsix: 195,
  domain: 53,
  echo: 7,
  isakmp: 500,
  'mobile-ip': 434,
  nameserver: 42,
  'netbios-dgm': 138,
  'netbios-ns': 137,
  'netbios-ss': 139,
  'non500-isakmp': 4500,
  ntp: 123,
  'pim-auto-rp': 496,
  rip: 520,
  ripv6: 521,
  snmp: 161,
  snmptrap: 162,
  sunrpc: 111,
  syslog: 514,
  tacacs: 49,
  talk: 517,
  tftp: 69,
  time: 37,
  who: 513,
  xdmcp: 177,
};

const TCP = 6;
const UDP = 17;

/** A port by number or name; names differ between the protocols. Undefined where it is neither. */
export function ciscoPort(text: string, protocol: number | undefined): number | undefined {
  if (/^\d{1,5}$/.test(text)) return Number(text) <= 65535 ? Number(text) : undefined;
  const name = text.toLowerCase();
  if (protocol === TCP) return TCP_PORTS[name];
  if (protocol === UDP) return UDP_PORTS[name];
  const both = [TCP_PORTS[name], UDP_PORTS[name]].filter((port) => port !== undefined);
  return new Set(both).size === 1 ? both[0] : undefined;
}

const PROTOCOLS: Readonly<Record<string, number>> = {
  icmp: 1,
  igmp: 2,
  ipinip: 4,
  tcp: 6,
  igrp: 9,
  udp: 17,
  ipv6: 41,
  rsvp: 46,
  gre: 47,
  esp: 50,
  ahp: 51,
  ah: 51,
  eigrp: 88,
  ospf: 89,
  nos: 94,
  pim: 103,
  pcp: 108,
  vrrp: 112,
  sctp: 132,
};

/** A protocol by number or name; `any` for ip; undefined where it is neither. */
export function ciscoProtocol(text: string): number | 'any' | undefined {
  const name = text.toLowerCase();
  if (name === 'ip' || name === 'ipv4') return 'any';
  if (/^\d{1,3}$/.test(name)) return Number(name) <= 255 ? Number(name) : undefined;
  return PROTOCOLS[name];
}

/** ICMP messages by name: type, or type and code. Ref: Cisco IOS security command reference. */
export const ICMP_MESSAGES: Readonly<Record<string, readonly [number, number?]>> = {
  'administratively-prohibited': [3, 13],
  'alternate-address': [6],
  'conversion-error': [31],
  'dod-host-prohibited': [3, 10],
  'dod-net-prohibited': [3, 9],
  echo: [8],
  'echo-reply': [0],
  'general-parameter-problem': [12, 0],
  'host-isolated': [3, 8],
  'host-precedence-unreachable': [3, 14],
  'host-redirect': [5, 1],
  'host-tos-redirect': [5, 3],
  'host-tos-unreachable': [3, 12],
  'host-unknown': [3, 7],
  'host-unreachable': [3, 1],
  'information-reply': [16],
  'information-request': [15],
  'mask-reply': [18],
  'mask-request': [17],
  'mobile-redirect': [32],
  'net-redirect': [5, 0],
  'net-tos-redirect': [5, 2],
  'net-tos-unreachable': [3, 11],
  'net-unreachable': [3, 0],
  'network-unknown': [3, 6],
  'no-room-for-option': [12, 2],
  'option-missing': [12, 1],
  'packet-too-big': [3, 4],
  'parameter-problem': [12],
  'port-unreachable': [3, 3],
  'precedence-unreachable': [3, 15],
  'protocol-unreachable': [3, 2],
  'reassembly-timeout': [11, 1],
  redirect: [5],
  'router-advertisement': [9],
  'router-solicitation': [10],
  'source-quench': [4],
  'source-route-failed': [3, 5],
  'time-exceeded': [11],
  'timestamp-reply': [14],
  'timestamp-request': [13],
  traceroute: [30],
  'ttl-exceeded': [11, 0],
  unreachable: [3],
};

const DSCP: Readonly<Record<string, number>> = { default: 0, ef: 46 };
const PRECEDENCES = ['routine', 'priority', 'immediate', 'flash', 'flash-override', 'critical', 'internet', 'network'];

/** A DSCP value by number or name. */
export function ciscoDscp(text: string): number | undefined {
  const name = text.toLowerCase();
  if (/^\d{1,2}$/.test(name)) return Number(name) < 64 ? Number(name) : undefined;
  const selector = /^cs([0-7])$/.exec(name);
  if (selector !== null) return Number(selector[1]) << 3;
  const assured = /^af([1-4])([1-3])$/.exec(name);
  if (assured !== null) return (Number(assured[1]) << 3) | (Number(assured[2]) << 1);
  return DSCP[name];
}

/** An IP precedence by number or name. */
export function ciscoPrecedence(text: string): number | undefined {
  if (/^[0-7]$/.test(text)) return Number(text);
  const index = PRECEDENCES.indexOf(text.toLowerCase());
  return index < 0 ? undefined : index;
}
