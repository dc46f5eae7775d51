import type { Family } from '../net/ip-address.ts';
import type { Problem } from '../diagnostic/diagnostic.ts';
import type { Span } from '../text/span.ts';
import type { IpSet } from './ip-set.ts';
import type { ListeningSocket } from './listening-socket.ts';
import type { DumpedConnection } from './dumped-connection.ts';
import type { Ruleset } from './netfilter.ts';
import type { Neighbour, NetworkInterface } from './network-interface.ts';
import type { NextHopObject, PolicyRule, Route } from './routing.ts';

export interface Sysctl {
  readonly value: string;
  readonly origin?: Span;
}

/** What of the state was given. What was not is unknown, not empty. */
export interface Known {
  /** `ip addr`. */
  readonly interfaces: boolean;
  readonly netfilter4: boolean;
  readonly netfilter6: boolean;
  readonly policyRules4: boolean;
  readonly policyRules6: boolean;
  /** Tables of IPv4 that are completely known; `all` after `ip route show table all`. A lookup that misses in any other is unknown. */
  readonly routeTables4: 'all' | ReadonlySet<number>;
  readonly routeTables6: 'all' | ReadonlySet<number>;
  readonly sysctls: boolean;
}

/** A statement whose effect on packets is unknown as a whole, e.g. a native nftables table: nothing is verified while one is there. */
export interface RunWideUnknown {
  readonly name: string;
  readonly origin: Span;
}

/** A Linux router's state at one time, as its dumps or its commands give it. Immutable; a fix is tried on an altered copy. */
export interface LinuxDevice {
  readonly kind: 'linux';
  readonly dialects: readonly string[];
  readonly hostname?: string;
  readonly kernelRelease?: string;
  /** RFC 3339, UTC. */
  readonly collectedAt?: string;
  readonly known: Known;
  readonly interfaces: readonly NetworkInterface[];
  readonly rulesets: readonly Ruleset[];
  /** By name; absent where no `ipset save` was given. */
  readonly sets?: ReadonlyMap<string, IpSet>;
  /** In evaluation order: priority, then insertion. */
  readonly policyRules: readonly PolicyRule[];
  /** Families of which commands changed a rule: from then on the kernel walks the rules, even where they are as they were. */
  readonly changedRules?: readonly Family[];
  /** The first command that changed IPv6 routing: what the kernel makes of such commands is not modelled. */
  readonly ipv6ChangedBy?: Span;
  readonly routes: readonly Route[];
  /** By id; routes hold copies of what is in them. */
  readonly nextHopObjects?: ReadonlyMap<number, NextHopObject>;
  /** Table names of rt_tables, the three of every Linux included. */
  readonly tableNames: ReadonlyMap<string, number>;
  /** By slash path without leading slash: `net/ipv4/conf/eth0/rp_filter` (an interface name may hold dots). */
  readonly sysctls: ReadonlyMap<string, Sysctl>;
  readonly neighbours: readonly Neighbour[];
  readonly runWideUnknowns: readonly RunWideUnknown[];
  /** RV301, RV302, RV303, RV304 and the like, in text order. */
  readonly problems: readonly Problem[];
  /** Sentences about how the text was read that change no verdict, e.g. that a second command behind ` # ` was taken. */
  readonly notices: readonly string[];
  /** IPv4 entries of `conntrack -L`, at the time of `collectedAt`. */
  readonly connections?: readonly DumpedConnection[];
  /** Of `ss -lntu`; absent where the state does not tell. */
  readonly listening?: readonly ListeningSocket[];
}
