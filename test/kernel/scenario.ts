/** A router and the frames that it is given: everything that a comparison with the kernel needs. */

export interface ScenarioInterface {
  readonly name: string;
  /** `02:00:00:00:00:01`. */
  readonly mac: string;
  readonly addresses: readonly string[];
  readonly mtu?: number;
}

/** One line for iptables-restore. */
export interface ScenarioRule {
  readonly variant: 'nft' | 'legacy';
  readonly table: string;
  readonly chain: string;
  /** Without `-A CHAIN`. */
  readonly text: string;
}

export interface ScenarioFrame {
  /** Index of the interface. */
  readonly in: number;
  readonly hex: string;
  /** For the reader of a disagreement. */
  readonly label: string;
}

/** A router as its makers would set it up. What the kernel refuses of `commands` is not there: its dumps say what is. */
export interface Scenario {
  readonly profile: string;
  /** Absent: IPv4. */
  readonly family?: 6;
  readonly interfaces: readonly ScenarioInterface[];
  /** By slash path below /proc/sys. */
  readonly sysctls: Readonly<Record<string, string>>;
  /** `nft mangle PREROUTING`: the policy is DROP. */
  readonly dropPolicies: readonly string[];
  readonly rules: readonly ScenarioRule[];
  /** Lines of an ipset restore file. */
  readonly sets: readonly string[];
  /** Without the word `ip`. */
  readonly commands: readonly string[];
  readonly frames: readonly ScenarioFrame[];
}

const BUILT_IN: Readonly<Record<string, readonly string[]>> = {
  raw: ['PREROUTING', 'OUTPUT'],
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
};

/** User chains; each may jump to later ones only. */
export const USER_CHAINS = ['u0', 'u1', 'u2'] as const;

/** The rules of one variant as a text for iptables-restore; empty where there are none. */
export function restoreText(scenario: Scenario, variant: 'nft' | 'legacy'): string {
  let text = '';
  for (const [table, chains] of Object.entries(BUILT_IN)) {
    const rules = scenario.rules.filter((rule) => rule.variant === variant && rule.table === table);
    const drops = (chain: string): boolean => scenario.dropPolicies.includes(`${variant} ${table} ${chain}`);
    if (rules.length === 0 && !chains.some(drops)) continue;
    text += `*${table}\n`;
    for (const chain of chains) text += `:${chain} ${drops(chain) ? 'DROP' : 'ACCEPT'} [0:0]\n`;
    for (const chain of USER_CHAINS) text += `:${chain} - [0:0]\n`;
    for (const rule of rules) text += `-A ${rule.chain} ${rule.text}\n`;
    text += 'COMMIT\n';
  }
  return text;
}

/** What a frame meets in the kernel. */
export interface KernelAnswer {
  /** Nanoseconds since 1970, when it was injected; a string, as it is more than a number holds. */
  readonly time: string;
  /** The packet's mark after PREROUTING; absent where it did not get there. */
  readonly mark?: number;
  readonly fate: string;
  /** ICMP errors about the packet, `type/code`; absent where they were not looked for. */
  readonly errors?: readonly string[];
}

/** A scenario as the kernel saw it, for comparing without one. */
export interface RecordedScenario {
  readonly profile: string;
  readonly kernel: string;
  readonly dump: string;
  readonly interfaces: readonly { readonly name: string }[];
  readonly frames: readonly ScenarioFrame[];
  readonly answers: readonly KernelAnswer[];
}

/**
 * A recorded scenario as it is stored: without what every dump of the oracle has in common, times in nanoseconds since the first, and
 * one line a frame.
 */
export interface StoredCase {
  readonly profile: string;
  readonly kernel: string;
  readonly dump: readonly string[];
  readonly start: string;
  readonly frames: readonly (readonly [
    ingress: number,
    hex: string,
    label: string,
    nanoseconds: number,
    mark: number,
    fate: string,
    errors?: readonly string[],
  ])[];
}

/** Lines of the dump that decide nothing. */
const NEEDLESS = [
  /^net\.ipv4\.conf\.(?:default|lo)\./,
  // At their defaults, which the verifier knows.
  /^net\.netfilter\.nf_conntrack_\w*timeout/,
  /^net\.ipv4\.conf\.\w+\.(?:log_martians|mc_forwarding)/,
  /^net\.netfilter\.nf_conntrack_(?:frag6|sctp|icmpv6|gre|dccp|events|log|max|expect|acct)/,
  /^ {7}valid_lft/,
  /^# (?:Generated|Completed)/,
];

/** Payloads are one byte over and over: `[78*1300]`. */
const packHex = (hex: string): string => hex.replaceAll(/(?:78){8,}/g, (run) => `[78*${run.length / 2}]`);
const unpackHex = (hex: string): string =>
  hex.replaceAll(/\[78\*(\d+)\]/g, (_, count: string) => '78'.repeat(Number(count)));

/** Settings of the oracle's routers that nobody changed: not stored, and put back. */
const USUAL: ReadonlyMap<string, string> = new Map(
  ['all', 'eth0', 'eth1', 'eth2', 'eth3'].flatMap((name) =>
    Object.entries({
      rp_filter: '0',
      src_valid_mark: '0',
      accept_local: '0',
      route_localnet: '0',
      bc_forwarding: '0',
      ignore_routes_with_linkdown: '0',
      send_redirects: '1',
      shared_media: '1',
      forwarding: '1',
    }).map(([key, value]) => [`net.ipv4.conf.${name}.${key}`, value] as const),
  ),
);

function isUsual(line: string): boolean {
  const [key = '', value] = line.split(' = ');
  return USUAL.has(key) && USUAL.get(key) === value;
}

/** A stored dump as text, with what was left out. Its last section is that of the settings. */
export function withUsual(lines: readonly string[]): string {
  const given = new Set(lines.map((line) => line.split(' = ')[0]));
  const usual = [...USUAL].filter(([key]) => !given.has(key)).map(([key, value]) => `${key} = ${value}`);
  return [...lines.filter((line) => line !== ''), ...usual, ''].join('\n');
}

export function storedOf(recorded: RecordedScenario, frames = Number.POSITIVE_INFINITY): StoredCase {
  const start = BigInt(recorded.answers[0]?.time ?? '0');
  return {
    profile: recorded.profile,
    kernel: recorded.kernel,
    dump: recorded.dump
      .split('\n')
      .filter((line) => !isUsual(line) && !NEEDLESS.some((needless) => needless.test(line))),
    start: String(start),
    frames: recorded.frames.slice(0, frames).map((frame, index) => {
      const { time, mark, fate, errors } = recorded.answers[index]!;
      const first = [
        frame.in,
        packHex(frame.hex),
        frame.label,
        Number(BigInt(time) - start),
        mark ?? -1,
        fate,
      ] as const;
      return errors === undefined ? first : ([...first, errors] as const);
    }),
  };
}

export function recordedOf(stored: StoredCase): RecordedScenario {
  return {
    profile: stored.profile,
    kernel: stored.kernel,
    dump: withUsual(stored.dump),
    interfaces: [0, 1, 2, 3].map((index) => ({ name: `eth${index}` })),
    frames: stored.frames.map(([ingress, hex, label]) => ({ in: ingress, hex: unpackHex(hex), label })),
    answers: stored.frames.map(([, , , nanoseconds, mark, fate, errors]) => ({
      time: String(BigInt(stored.start) + BigInt(nanoseconds)),
      ...(mark === -1 ? {} : { mark }),
      fate,
      ...(errors === undefined ? {} : { errors }),
    })),
  };
}
