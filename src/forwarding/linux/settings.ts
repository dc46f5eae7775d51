import type { LinuxDevice, Sysctl } from '../../model/linux-device.ts';
import type { Registry } from './reasons.ts';
import type { ReassemblyLimits } from './reassembly.ts';

/** A sysctl, or what several of them amount to for one interface. */
export interface Setting {
  /** Small number, for remembering which value a world took. */
  readonly id: number;
  /** Every value it can have; one where it is known. */
  readonly values: readonly number[];
  /** Id of what is missing; −1 where the value is known. */
  readonly reason: number;
  /** Id of the line that gives the value; −1 where none does. */
  readonly origin: number;
}

/** What the router's sysctls say, per interface in the order of its interfaces. */
export interface Settings {
  /** Number of {@link Setting} ids. */
  readonly count: number;
  readonly forwarding: readonly Setting[];
  /** 0 off, 1 strict, 2 loose: the maximum of all and the interface's own. Ref: include/linux/inetdevice.h: IN_DEV_RPFILTER. */
  readonly sourceCheck: readonly Setting[];
  readonly sourceCheckAll: readonly (number | undefined)[];
  readonly sourceCheckOwn: readonly (number | undefined)[];
  readonly sourceValidMark: readonly Setting[];
  readonly acceptLocal: readonly Setting[];
  readonly routeLocalnet: readonly Setting[];
  readonly sendRedirects: readonly Setting[];
  readonly sharedMedia: readonly Setting[];
  readonly broadcastForwarding: readonly Setting[];
  readonly acceptSourceRoute: readonly Setting[];
  readonly ignoreLinkDown: readonly Setting[];
  readonly tcpLoose: Setting;
  readonly tcpLiberal: Setting;
  readonly ignoreInvalidReset: Setting;
  readonly checksum: Setting;
  readonly maxRetransmissions: number;
  readonly reassembly: ReassemblyLimits;
  /** 0: the hash of next hops has a random key. */
  readonly multipathSeed: number;
  /** −1 where next hops are not chosen by the hash alone. */
  readonly multipathPolicy: number;
  /** Bits of the fields that policy 3 hashes. */
  readonly multipathFields: number;
  /** Seconds, by TcpState; then those of {@link Timeout}. */
  readonly timeouts: Float64Array;
}

/** Places in {@link Settings.timeouts} behind the TCP states. */
export const Timeout = {
  retransmission: 10,
  unacknowledged: 11,
  udp: 12,
  udpStream: 13,
  icmp: 14,
  generic: 15,
} as const;

const TIMEOUT_NAMES: readonly (readonly [number, string, number])[] = [
  [1, 'tcp_timeout_syn_sent', 120],
  [2, 'tcp_timeout_syn_recv', 60],
  [3, 'tcp_timeout_established', 432000],
  [4, 'tcp_timeout_fin_wait', 120],
  [5, 'tcp_timeout_close_wait', 60],
  [6, 'tcp_timeout_last_ack', 30],
  [7, 'tcp_timeout_time_wait', 120],
  [8, 'tcp_timeout_close', 10],
  [9, 'tcp_timeout_syn_sent', 120],
  [Timeout.retransmission, 'tcp_timeout_max_retrans', 300],
  [Timeout.unacknowledged, 'tcp_timeout_unacknowledged', 300],
  [Timeout.udp, 'udp_timeout', 30],
  [Timeout.udpStream, 'udp_timeout_stream', 120],
  [Timeout.icmp, 'icmp_timeout', 30],
  [Timeout.generic, 'generic_timeout', 600],
];

/** Addresses and protocol. Ref: include/net/ip_fib.h: FIB_MULTIPATH_HASH_FIELD_DEFAULT_MASK. */
const DEFAULT_HASH_FIELDS = 7;

/** Reads the sysctls that forwarding depends on. A missing one gets every value that it can have; conntrack's get their defaults. */
export function compileSettings(device: LinuxDevice, names: readonly string[], registry: Registry): Settings {
  let count = 0;
  const raw = (path: string): Sysctl | undefined => device.sysctls.get(path);
  const number = (path: string): number | undefined => {
    const sysctl = raw(path);
    if (sysctl === undefined) return undefined;
    const value = Number.parseInt(sysctl.value.trim(), 10);
    return Number.isNaN(value) ? undefined : value;
  };
  const origin = (path: string): number => registry.origin(raw(path)?.origin);
  const missing = (path: string): number => {
    return registry.unknown(`${dotted(path)} is not in the router's state`);
  };
  const known = (value: number, at: number): Setting => ({ id: count++, values: [value], reason: -1, origin: at });
  const conf = (name: string, key: string): string => `net/ipv4/conf/${name}/${key}`;

  /** `any`: one of the two is enough; else both are needed. Ref: inetdevice.h: IN_DEV_ORCONF, IN_DEV_ANDCONF. */
  const combined = (name: string, key: string, any: boolean): Setting => {
    for (const path of [conf('all', key), conf(name, key)]) {
      const value = number(path);
      if (value !== undefined && (value !== 0) === any) return known(any ? 1 : 0, origin(path));
    }
    for (const path of [conf(name, key), conf('all', key)]) {
      if (number(path) === undefined) return { id: count++, values: [0, 1], reason: missing(path), origin: -1 };
    }
    return known(any ? 0 : 1, origin(conf(name, key)));
  };

  const sourceCheck = (name: string): Setting => {
    const allPath = conf('all', 'rp_filter');
    const ownPath = conf(name, 'rp_filter');
    const all = number(allPath);
    const own = number(ownPath);
    if (all !== undefined && own !== undefined) {
      return known(checkMode(Math.max(all, own)), origin(own >= all ? ownPath : allPath));
    }
    const candidates = (value: number | undefined): number[] => (value === undefined ? [0, 1, 2] : [value]);
    const values = new Set<number>();
    for (const a of candidates(all)) for (const b of candidates(own)) values.add(checkMode(Math.max(a, b)));
    const list = [...values].sort((a, b) => a - b);
    const givenPath = all === undefined ? ownPath : allPath;
    if (list.length === 1) return known(list[0]!, origin(givenPath));
    return { id: count++, values: list, reason: missing(own === undefined ? ownPath : allPath), origin: -1 };
  };

  const forwarding = (name: string): Setting => {
    // Without the interface's own line, ip_forward speaks for it: a change of it sets every interface (linux-forwarding 6.2).
    for (const path of [conf(name, 'forwarding'), 'net/ipv4/ip_forward', conf('all', 'forwarding')]) {
      const value = number(path);
      if (value !== undefined) return known(value === 0 ? 0 : 1, origin(path));
    }
    return { id: count++, values: [1, 0], reason: missing(conf(name, 'forwarding')), origin: -1 };
  };

  const withDefault = (key: string, fallback: number): Setting => {
    const path = `net/netfilter/nf_conntrack_${key}`;
    return known(number(path) ?? fallback, origin(path));
  };
  const each = (make: (name: string) => Setting): Setting[] => names.map(make);
  const timeouts = new Float64Array(16);
  for (const [place, key, seconds] of TIMEOUT_NAMES) {
    timeouts[place] = number(`net/netfilter/nf_conntrack_${key}`) ?? seconds;
  }
  const settings = {
    forwarding: each(forwarding),
    sourceCheck: each(sourceCheck),
    sourceCheckAll: names.map(() => number(conf('all', 'rp_filter'))),
    sourceCheckOwn: names.map((name) => number(conf(name, 'rp_filter'))),
    sourceValidMark: each((name) => combined(name, 'src_valid_mark', true)),
    acceptLocal: each((name) => combined(name, 'accept_local', true)),
    routeLocalnet: each((name) => combined(name, 'route_localnet', true)),
    sendRedirects: each((name) => combined(name, 'send_redirects', true)),
    sharedMedia: each((name) => combined(name, 'shared_media', true)),
    broadcastForwarding: each((name) => combined(name, 'bc_forwarding', false)),
    acceptSourceRoute: each((name) => combined(name, 'accept_source_route', false)),
    ignoreLinkDown: each((name) => combined(name, 'ignore_routes_with_linkdown', true)),
    tcpLoose: withDefault('tcp_loose', 1),
    tcpLiberal: withDefault('tcp_be_liberal', 0),
    ignoreInvalidReset: withDefault('tcp_ignore_invalid_rst', 0),
    checksum: withDefault('checksum', 1),
    maxRetransmissions: number('net/netfilter/nf_conntrack_tcp_max_retrans') ?? 3,
    reassembly: {
      time: number('net/ipv4/ipfrag_time') ?? 30,
      memory: number('net/ipv4/ipfrag_high_thresh') ?? 4 << 20,
      distance: number('net/ipv4/ipfrag_max_dist') ?? 64,
    },
    multipathSeed: number('net/ipv4/fib_multipath_hash_seed') ?? 0,
    multipathPolicy:
      number('net/ipv4/fib_multipath_use_neigh') === 0 ? (number('net/ipv4/fib_multipath_hash_policy') ?? -1) : -1,
    multipathFields: number('net/ipv4/fib_multipath_hash_fields') ?? DEFAULT_HASH_FIELDS,
    timeouts,
  };
  return { ...settings, count };
}

/** Anything but 0 and 1 is loose, negative values too. Ref: fib_frontend.c: __fib_validate_source(). */
function checkMode(value: number): number {
  return value === 0 || value === 1 ? value : 2;
}

/** `net/ipv4/conf/eth0.5/x` as sysctl(8) takes it: `net.ipv4.conf.eth0/5.x`. */
function dotted(path: string): string {
  return path
    .split('/')
    .map((part) => part.replaceAll('.', '/'))
    .join('.');
}
