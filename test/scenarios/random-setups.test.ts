/**
 * Random set-ups of the seed's topology on this kernel: rules in other forms and orders, parts left out, filters, translations, settings.
 * Whatever they are, the verdict is that of the kernel's own counters. REDIRECT_VERIFY_SEED and REDIRECT_VERIFY_SETUPS try others, and more.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadRouter } from '../../src/commands/inputs.ts';
import { statedIntent } from '../../src/commands/stated-intent.ts';
import { verify } from '../../src/verify.ts';
import { buildLab, type LabOptions, labAvailable } from '../lab/lab.ts';
import { CAPTURE_FILES } from '../lab/recorder.ts';
import { deriveTruth } from '../lab/truth.ts';

const obstacle = labAvailable();
const required = process.env.REDIRECT_VERIFY_LAB === '1';
if (obstacle !== undefined && !required) console.warn(`random set-ups skipped: ${obstacle}`);

const SETUPS = Number(process.env.REDIRECT_VERIFY_SETUPS ?? 6);
const FIRST_SEED = Number(process.env.REDIRECT_VERIFY_SEED ?? 1);
const REQUESTS = '-i eth0 -p tcp -d 10.0.0.0/24 --dport 3389';
const REPLIES = '-i eth2 -p tcp -s 10.0.0.0/24 --sport 3389';
const APPEND = 'iptables -t mangle -A PREROUTING';

type SpsSource = NonNullable<LabOptions['spsSource']>;

/** A linear congruential generator: the same set-ups for the same seed. Ref: Knuth, TAOCP vol. 2, 3.3.4 table 1 line 16. */
class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
    // Small seeds begin alike.
    for (let turn = 0; turn < 8; turn++) this.roll();
  }

  /** 0 ≤ x < 1. */
  roll(): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return this.#state / 2 ** 32;
  }

  chance(share: number): boolean {
    return this.roll() < share;
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[Math.floor(this.roll() * items.length)]!;
  }
}

function setUp(dice: Dice, spsSource: SpsSource): string[] {
  const mark = dice.pick(['1', '0x10', '0x1/0x1', '0x100/0xff00']);
  return [
    ...(dice.chance(0.1) ? [`${APPEND} -m conntrack --ctstate ESTABLISHED -j ${dice.pick(['ACCEPT', 'RETURN'])}`] : []),
    ...markingRules(dice, mark, dice.chance(spsSource === 'own' ? 0.3 : 0.75)),
    ...(dice.chance(0.12) ? [`iptables -t nat -A POSTROUTING -o ${dice.pick(['eth1', 'eth2'])} -j MASQUERADE`] : []),
    ...(dice.chance(0.15) ? filterRules(dice) : []),
    '103 scb',
    ...(dice.chance(0.95) ? ['ip route add default via 172.16.0.1 table scb'] : []),
    `ip rule add fwmark ${mark} table scb${dice.chance(0.1) ? ' pref 40000' : ''}`,
    ...['all', 'eth0', 'eth1', 'eth2'].flatMap((name) =>
      dice.chance(0.35) ? [`sysctl -w net.ipv4.conf.${name}.rp_filter=${dice.pick([0, 1, 2])}`] : [],
    ),
    ...(dice.chance(0.15) ? [`sysctl -w net.ipv4.conf.${dice.pick(['all', 'eth0', 'eth2'])}.src_valid_mark=1`] : []),
  ];
}

function markingRules(dice: Dice, mark: string, withReplies: boolean): string[] {
  const selections = [REQUESTS, ...(withReplies ? [REPLIES] : [])];
  const style = dice.pick(['match', 'match', 'restore', 'restore masked', 'stateless']);
  if (style === 'stateless') return selections.map((selection) => `${APPEND} ${selection} -j MARK --set-mark ${mark}`);
  const set = selections.map((selection) => `${APPEND} ${selection} -j CONNMARK --set-mark ${mark}`);
  const exempt = dice.pick(['! -i eth1', '! -i eth1', '! -i eth1', '-i eth0', '']);
  const restore = {
    match: `${APPEND} ${exempt} -m connmark --mark ${mark} -j MARK --set-mark ${mark}`,
    restore: `${APPEND} ${exempt} -j CONNMARK --restore-mark`,
    'restore masked': `${APPEND} ${exempt} -m connmark --mark ${mark} -j CONNMARK --restore-mark --mask 0xffff`,
  }[style as 'match' | 'restore' | 'restore masked'];
  return dice.chance(0.12) ? [restore, ...set] : [...set, restore];
}

function filterRules(dice: Dice): string[] {
  return [
    'iptables -P FORWARD DROP',
    `iptables -A FORWARD ${dice.pick(['-o eth1', '-i eth0 -o eth1', '-i eth1'])} -j ACCEPT`,
    `iptables -A FORWARD ${dice.pick(['-m conntrack --ctstate ESTABLISHED,RELATED', '-i eth1', '-p tcp'])} -j ACCEPT`,
  ];
}

describe.skipIf(obstacle !== undefined && !required)('random set-ups on a kernel', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'redirect-verify-random-'));
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  it.each(Array.from({ length: SETUPS }, (_, index) => FIRST_SEED + index))(
    'seed %d has the verdict of the kernel',
    async (seed) => {
      const dice = new Dice(seed);
      const spsSource = dice.pick<SpsSource>(['own', 'client', 'client-port']);
      const commands = setUp(dice, spsSource);
      const lab = await buildLab({ spsSource });
      try {
        lab.configure(commands);
        const folder = join(scratch, `${seed}`);
        mkdirSync(join(folder, 'router'), { recursive: true });
        writeFileSync(join(folder, 'router', 'router.txt'), await lab.routerState());
        const { evidence } = await lab.record(folder);
        const truth = deriveTruth(evidence);
        const { router, sources } = loadRouter([join(folder, 'router')], []);
        const stated = {
          sps: ['172.16.0.1'],
          snat: spsSource === 'own' ? 'own' : 'client',
          service: ['rdp'],
          clients: ['192.168.0.0/24'],
          servers: ['10.0.0.0/24'],
        };
        for (const file of [CAPTURE_FILES.merged, CAPTURE_FILES.any]) {
          const report = await verify([{ path: join(folder, file) }], router, statedIntent(stated, {}, ''), {
            whatIf: false,
            sources,
          });
          const codes = report.findings.map((finding) => finding.code);
          expect({ commands, spsSource, verdict: report.verdict, codes }).toMatchObject({ verdict: truth.verdict });
          expect(codes).not.toContain('RV505');
        }
      } finally {
        lab.tearDown();
      }
    },
    120_000,
  );
});
