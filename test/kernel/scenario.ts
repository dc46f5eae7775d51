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
