/** Pieces of configuration as people write them, which random lines hit upon too seldom: each makes one rule of the kernel matter. */
import fc from 'fast-check';
import type { ScenarioRule } from './scenario.ts';

/** What a recipe adds to a router. */
export interface Recipe {
  /** `PREROUTING -j …`, of the mangle table unless another is named: `filter FORWARD -j …`. */
  readonly rules: readonly string[];
  /** They come before the other commands. */
  readonly commands: readonly string[];
  readonly sysctls: Readonly<Record<string, string>>;
}

/** Which recipes a profile takes. */
export interface RecipeStyle {
  readonly variant: ScenarioRule['variant'];
  readonly conntrack: boolean;
  /** Of 10: scenarios that have recipes. */
  readonly often: number;
}

const one = <T>(...values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);
const NOTHING: Recipe = { rules: [], commands: [], sysctls: {} };

const INTERFACES = ['eth0', 'eth1', 'eth2'] as const;
const NEIGHBOURS: Readonly<Record<string, string>> = {
  eth0: '192.168.0.1',
  eth1: '172.16.0.1',
  eth2: '10.0.0.1',
};
const via = (device: string): string => `via ${NEIGHBOURS[device]} dev ${device}`;
const SELECTIONS = [
  '-p tcp -m tcp --dport 3389',
  '-i eth0',
  '-i eth2',
  '! -i eth1',
  '-s 192.168.0.0/24',
  '-d 10.0.0.0/24',
  '-p tcp',
];

const strictness = fc
  .tuple(one('all', 'eth0', 'eth2', 'eth1'), one('1', '1', '1', '2'), one('all', 'eth0', 'eth2'), one('0', '0', '1'))
  .map(([name, value, other, validMark]) => ({
    [`net/ipv4/conf/${name}/rp_filter`]: value,
    [`net/ipv4/conf/${other}/src_valid_mark`]: validMark,
  }));

/** Traffic of a service goes to another router by its mark, and sources are checked: 9.4 of linux-forwarding. */
const markedAndChecked: fc.Arbitrary<Recipe> = fc
  .record({ match: one(...SELECTIONS), mark: one('1', '2', '0x10'), to: one(...INTERFACES), sysctls: strictness })
  .map(({ match, mark, to, sysctls }) => ({
    rules: [`PREROUTING ${match} -j MARK --set-mark ${mark}`],
    commands: [`route add default ${via(to)} table 110`, `rule add pref 9 fwmark ${mark} lookup 110`],
    sysctls,
  }));

/** Each interface has its own way out, and sources are checked. */
const byInterface: fc.Arbitrary<Recipe> = fc
  .record({
    uplinks: fc.array(fc.tuple(one(...INTERFACES), one(...INTERFACES)), { minLength: 1, maxLength: 3 }),
    sysctls: strictness,
  })
  .map(({ uplinks, sysctls }) => ({
    rules: [],
    commands: uplinks.flatMap(([from, to], index) => [
      `route add default ${via(to)} table ${111 + index}`,
      `rule add pref ${12 + index} iif ${from} lookup ${111 + index}`,
    ]),
    sysctls,
  }));

/** Rules of one priority that select the same packets for different tables. */
const equalPriority: fc.Arbitrary<Recipe> = fc
  .record({
    pref: one('8', '10'),
    selectors: fc.array(
      one('from 192.168.0.0/24', 'to 10.0.0.0/24', 'iif eth0', 'from all', 'ipproto tcp', 'from 10.0.0.0/8'),
      {
        minLength: 2,
        maxLength: 3,
      },
    ),
  })
  .map(({ pref, selectors }) => ({
    ...NOTHING,
    commands: selectors.flatMap((selector, index) => [
      `route add default ${via(INTERFACES[index]!)} table ${115 + index}`,
      `rule add pref ${pref} ${selector} lookup ${115 + index}`,
    ]),
  }));

/** A main way and a spare one, by metric, in either order. */
const spareRoute: fc.Arbitrary<Recipe> = fc
  .record({
    prefix: one('default', 'default', '8.0.0.0/8', '10.9.0.0/16', '203.0.113.0/24', '198.51.100.0/24'),
    ways: fc.shuffledSubarray([...INTERFACES], { minLength: 2, maxLength: 3 }),
    metrics: fc.shuffledSubarray(['10', '100', '200'], { minLength: 3, maxLength: 3 }),
    policy: fc.boolean(),
  })
  .map(({ prefix, ways, metrics, policy }) => ({
    ...NOTHING,
    commands: [
      ...ways.map(
        (way, index) => `route add ${prefix} ${via(way)} metric ${metrics[index]}${policy ? ' table 118' : ''}`,
      ),
      ...(policy ? ['rule add pref 6 lookup 118'] : []),
    ],
  }));

/** A chain that is gone to and ends, or returns, in front of rules that would still mark. */
const goneTo: fc.Arbitrary<Recipe> = fc
  .record({
    match: one(...SELECTIONS, ''),
    nested: fc.boolean(),
    end: one('u2 -j MARK --or-mark 0x10', 'u2 -j RETURN', 'u2 -p tcp -j RETURN'),
    after: one('1', '2', '3'),
  })
  .map(({ match, nested, end, after }) => ({
    ...NOTHING,
    rules: [
      `PREROUTING ${match} ${nested ? '-j u1' : '-g u2'}`,
      `PREROUTING -j MARK --set-mark ${after}`,
      ...(nested ? ['u1 -g u2', 'u1 -j MARK --set-mark 0x80'] : []),
      end,
    ],
  }));

/** A value with bits outside of its mask, which never matches. */
const valueBeyondMask: fc.Arbitrary<Recipe> = fc
  .record({
    match: one(...SELECTIONS, ''),
    pair: one(['0x5', '0x7/0x5'], ['0x1', '0x3/0x1'], ['0x2', '0x3/0x2'], ['0x10', '0x11/0xf0'], ['0x4', '0x4/0x4']),
    target: one('MARK --set-mark 2', 'MARK --set-mark 1', 'DROP', 'MARK --xor-mark 3'),
  })
  .map(({ match, pair: [set, test], target }) => ({
    ...NOTHING,
    rules: [`PREROUTING ${match} -j MARK --set-mark ${set}`, `PREROUTING -m mark --mark ${test} -j ${target}`],
  }));

/** Marks that are toggled and laid over one another. */
const laidOver: fc.Arbitrary<Recipe> = fc
  .record({
    match: one(...SELECTIONS, ''),
    first: one('0x1', '0x3', '0x11'),
    second: one('--set-xmark 0x3/0x2', '--xor-mark 0x1', '--set-xmark 0x13/0x10', '--set-xmark 0x1/0x0'),
  })
  .map(({ match, first, second }) => ({
    ...NOTHING,
    rules: [`PREROUTING ${match} -j MARK --set-mark ${first}`, `PREROUTING -j MARK ${second}`],
  }));

/** The redirect recipe: the connection is marked where it begins, and its packets by it, except where they come from the proxy. */
const redirect: fc.Arbitrary<Recipe> = fc
  .record({
    match: one(
      '-i eth0 -p tcp -m tcp --dport 3389',
      '-i eth0 -p tcp',
      '-i eth0 -d 10.0.0.0/24',
      '-p tcp -m tcp --dport 22',
    ),
    restore: one(
      '! -i eth1 -m connmark --mark 0x1 -j MARK --set-mark 0x1',
      '! -i eth1 -j CONNMARK --restore-mark',
      '-j CONNMARK --restore-mark --mask 0xff',
      '-m conntrack --ctstate ESTABLISHED -j CONNMARK --restore-mark',
    ),
    early: fc.boolean(),
  })
  .map(({ match, restore, early }) => {
    const mark = `PREROUTING ${match} -j CONNMARK --set-mark 1`;
    return {
      ...NOTHING,
      rules: early ? [`PREROUTING ${restore}`, mark] : [mark, `PREROUTING ${restore}`],
      commands: ['route add default via 172.16.0.1 dev eth1 table 119', 'rule add pref 9 fwmark 1 lookup 119'],
    };
  });

/** A filter as everybody has it: what is known passes, what is invalid does not, some of what is new does. */
const stateful: fc.Arbitrary<Recipe> = fc
  .record({
    order: fc.boolean(),
    fresh: one(
      '-i eth0 -j ACCEPT',
      '-p tcp -m tcp --syn -j ACCEPT',
      '-p tcp -m tcp --dport 3389 -j ACCEPT',
      '! -i eth2 -j ACCEPT',
    ),
    end: one('filter FORWARD -m conntrack --ctstate NEW -j DROP', 'filter FORWARD -j ACCEPT'),
  })
  .map(({ order, fresh, end }) => {
    const states = [
      'filter FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
      'filter FORWARD -m conntrack --ctstate INVALID -j DROP',
    ];
    return { ...NOTHING, rules: [...(order ? states : states.reverse()), `filter FORWARD ${fresh}`, end] };
  });

/** What all recipes of a router add to it together. */
export interface Recipes {
  readonly rules: readonly ScenarioRule[];
  readonly commands: readonly string[];
  readonly sysctls: Readonly<Record<string, string>>;
}

/** None, one or two recipes. */
export function recipes(style: RecipeStyle): fc.Arbitrary<Recipes> {
  const plain = [markedAndChecked, byInterface, equalPriority, spareRoute, goneTo, valueBeyondMask, laidOver];
  const pool = style.conntrack ? [...plain, redirect, redirect, stateful, stateful] : plain;
  const some = fc.array(fc.oneof(...pool), { minLength: 1, maxLength: 2 });
  return fc
    .oneof({ weight: 10 - style.often, arbitrary: fc.constant<Recipe[]>([]) }, { weight: style.often, arbitrary: some })
    .map((list) => ({
      rules: list.flatMap(({ rules }) => rules.map((rule) => parsed(rule, style.variant))),
      commands: list.flatMap(({ commands }) => commands),
      sysctls: Object.fromEntries(list.flatMap(({ sysctls }) => Object.entries(sysctls))),
    }));
}

function parsed(rule: string, variant: ScenarioRule['variant']): ScenarioRule {
  const words = rule.split(' ').filter((word) => word !== '');
  const table = words[0] === 'filter' ? words.shift()! : 'mangle';
  const [chain, ...text] = words;
  return { variant, table, chain: chain!, text: text.join(' ') };
}
