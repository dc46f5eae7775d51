/** Random routers with traffic, by named profiles. */
import fc from 'fast-check';
import { interfaceMac } from './frame.ts';
import { CONNTRACK_PROFILES } from './generate-conntrack.ts';
import { toIpv6 } from './ipv6.ts';
import { recipes } from './generate-recipes.ts';
import { ENTRY_MATCHES, HEADER_MATCHES, RPFILTER_MATCHES, rules, type RuleStyle } from './generate-rules.ts';
import { NETMAP_TARGETS, PACKET_TARGETS, SET_MATCHES, SETS } from './generate-sets.ts';
import type { Scenario, ScenarioInterface, ScenarioRule } from './scenario.ts';
import { traffic, type TrafficStyle } from './traffic.ts';

type Text = fc.Arbitrary<string>;
const one = (...values: readonly string[]): Text => fc.constantFrom(...values);
const optional = (weight: number, text: Text): Text =>
  fc.oneof({ weight: 10 - weight, arbitrary: fc.constant('') }, { weight, arbitrary: text });
const words = (...parts: readonly Text[]): Text =>
  fc.tuple(...parts).map((list) => list.filter((part) => part !== '').join(' '));

const ADDRESSES: readonly (readonly (readonly string[])[])[] = [
  [
    ['192.168.0.254/24'],
    ['192.168.0.254/24'],
    ['192.168.0.254/24', '192.168.0.253/24'],
    ['192.168.0.254/24', '203.0.113.1/24'],
    ['192.168.0.254/16'],
  ],
  [['172.16.0.254/24'], ['172.16.0.254/24'], ['172.16.0.254/24'], [], ['172.16.0.254/31']],
  [['10.0.0.254/24'], ['10.0.0.254/24'], ['10.0.0.254/8'], ['10.0.0.254/24', '10.9.1.254/24']],
  [['198.51.100.2/30'], ['198.51.100.2/30'], [], ['10.0.0.253/24']],
];

function interfaces(plain: boolean): fc.Arbitrary<ScenarioInterface[]> {
  return fc
    .tuple(...ADDRESSES.map((choices) => (plain ? fc.constant(choices[0]!) : fc.constantFrom(...choices))))
    .chain((list) =>
      fc.constantFrom(undefined, undefined, 2, 0).map((narrow) =>
        list.map((addresses, index) => ({
          name: `eth${index}`,
          mac: interfaceMac(index),
          addresses,
          // So that UDP packets can be too big for it; what a TCP segment above the MTU is, only its sender knows.
          ...(narrow === index ? { mtu: 1400 } : {}),
        })),
      ),
    );
}

type Sysctls = fc.Arbitrary<Record<string, string>>;

const NAMES = ['all', 'eth0', 'eth1', 'eth2', 'eth3'];

function sysctls(keys: Readonly<Record<string, readonly string[]>>, conntrack: boolean): Sysctls {
  const conf = fc.array(
    fc
      .constantFrom(...Object.keys(keys))
      .chain((key) =>
        fc
          .tuple(fc.constantFrom(...NAMES), fc.constantFrom(...keys[key]!))
          .map(
            ([name, value]) =>
              [`net/ipv4/conf/${key === 'forwarding' && name === 'all' ? 'eth0' : name}/${key}`, value] as const,
          ),
      ),
    { maxLength: 8, size: 'max' },
  );
  const tracking = fc.array(
    fc.constantFrom(
      ['net/netfilter/nf_conntrack_tcp_loose', '0'] as const,
      ['net/netfilter/nf_conntrack_tcp_be_liberal', '1'] as const,
      ['net/netfilter/nf_conntrack_checksum', '0'] as const,
      ['net/netfilter/nf_conntrack_tcp_ignore_invalid_rst', '1'] as const,
    ),
    { maxLength: conntrack ? 1 : 0 },
  );
  return fc.tuple(conf, tracking).map(([a, b]) => Object.fromEntries([...a, ...b]));
}

const SOURCE_KEYS = {
  rp_filter: ['0', '1', '1', '2', '-1'],
  src_valid_mark: ['0', '1'],
  accept_local: ['1'],
  route_localnet: ['1'],
  send_redirects: ['0', '1'],
  shared_media: ['0'],
  forwarding: ['0', '1', '1'],
  bc_forwarding: ['1'],
};
const FEW_KEYS = { rp_filter: ['0', '1', '2'], src_valid_mark: ['1'], send_redirects: ['0'] };

const PREFIXES = [
  '10.0.0.0/24',
  '10.0.0.0/8',
  '10.9.0.0/16',
  '10.0.0.10',
  '192.168.0.0/24',
  '203.0.113.0/24',
  '172.16.0.0/24',
  '192.168.0.10',
  '8.0.0.0/8',
  '10.0.0.0/16',
  '0.0.0.0/1',
  '240.0.0.0/8',
];
const TABLES = ['100', '100', '101', '102', 'main', 'local', 'default'];

const selector = words(
  optional(3, words(fc.constant('from'), one(...PREFIXES))),
  optional(3, words(fc.constant('to'), one(...PREFIXES))),
  optional(
    5,
    words(
      fc.constant('fwmark'),
      one('1', '2', '0x1/0x1', '0/0x1', '3/0x3', '0', '0x2/0x2', '5/1', '0x10/0xf0', '0/0xff'),
    ),
  ),
  optional(4, words(one('iif', 'iif', 'iif', 'oif'), one('eth0', 'eth1', 'eth2', 'lo', 'nodev'))),
  optional(1, words(fc.constant('tos'), one('0x10', '0x08', '0x14'))),
  optional(2, words(fc.constant('ipproto'), one('tcp', 'udp', 'icmp', '50'))),
  optional(1, words(fc.constant('sport'), one('22', '40000-40001', '1-1024'))),
  optional(2, words(fc.constant('dport'), one('3389', '22-80', '22', '40000-50000'))),
);
const action: Text = fc.oneof(
  {
    weight: 8,
    arbitrary: words(
      fc.constant('lookup'),
      one(...TABLES),
      optional(1, words(one('suppress_prefixlength'), one('0', '8', '24'))),
      optional(1, one('suppress_ifgroup default')),
    ),
  },
  { weight: 2, arbitrary: one('blackhole', 'unreachable', 'prohibit', 'nop', 'throw') },
  { weight: 1, arbitrary: words(fc.constant('goto'), one('20', '30', '40', '32766')) },
);
const ruleCommand: Text = words(
  one('rule add', 'rule add', 'rule add', 'rule add not'),
  selector,
  optional(
    8,
    words(fc.constant('pref'), one('5', '10', '10', '10', '10', '20', '20', '30', '40', '0', '32767', '40000')),
  ),
  action,
);
const simpleRule: Text = words(
  fc.constant('rule add pref'),
  one('10', '11', '12'),
  fc.constant('fwmark'),
  one('1', '2', '0x1/0x1', '0x2/0x2', '3', '0x10/0xf0'),
  fc.constant('lookup'),
  one('100', '101'),
);

const gateway = words(
  fc.constant('via'),
  one(
    '192.168.0.1 dev eth0',
    '172.16.0.1 dev eth1',
    '172.16.0.2 dev eth1',
    '10.0.0.1 dev eth2',
    '198.51.100.1 dev eth3',
    '10.0.0.1',
    '172.16.0.1 dev eth1 onlink',
    '192.168.0.254',
    '7.7.7.7 dev eth3 onlink',
  ),
);
const device = words(
  fc.constant('dev'),
  fc.oneof({ weight: 40, arbitrary: one('eth0', 'eth1', 'eth2', 'eth3') }, { weight: 1, arbitrary: fc.constant('lo') }),
  optional(2, one('scope host', 'scope global', 'scope link')),
);
const DESTINATIONS = ['default', 'default', ...PREFIXES, '10.0.0.255', '10.0.0.254', '203.0.113.5'];
const routeCommand: Text = words(
  one('route add', 'route add', 'route append', 'route prepend', 'route replace'),
  fc.oneof(
    {
      weight: 12,
      arbitrary: words(
        one(...DESTINATIONS),
        fc.oneof({ weight: 3, arbitrary: gateway }, { weight: 1, arbitrary: device }),
      ),
    },
    { weight: 3, arbitrary: words(one('blackhole', 'unreachable', 'prohibit', 'throw'), one(...DESTINATIONS)) },
    {
      weight: 1,
      arbitrary: words(
        one('local', 'broadcast'),
        one('10.77.0.0/16', '203.0.113.0/24', '10.0.0.20'),
        fc.constant('dev'),
        one('eth0', 'eth2', 'lo'),
      ),
    },
  ),
  optional(6, words(fc.constant('table'), one(...TABLES))),
  optional(2, words(fc.constant('metric'), one('1', '100', '200'))),
  optional(1, words(fc.constant('tos'), one('0x10', '0x08', '0xb8'))),
);
const otherCommand = one(
  'rule del pref 0',
  'rule del pref 32766',
  'rule del pref 32767',
  'route del default',
  'rule add pref 7 to 7.7.7.7 lookup main',
  'route flush table main',
);
const DEFAULT_ROUTES = [
  'route add default via 192.168.0.1 dev eth0',
  'route add 10.9.0.0/16 via 10.0.0.1 dev eth2',
  'route add default via 172.16.0.1 dev eth1 table 100',
  'route add default via 172.16.0.2 dev eth1 table 101',
];

/** Commands in an order in which they can succeed: routes that others lean on first. */
export function commands(ruleCount: number, routeCount: number, plain: boolean): fc.Arbitrary<string[]> {
  const basics = fc.subarray(DEFAULT_ROUTES, { minLength: plain ? 3 : 0 });
  const policy = fc.array(plain ? simpleRule : ruleCommand, { maxLength: ruleCount, size: 'max' });
  const routes = fc.array(routeCommand, { maxLength: routeCount, size: 'max' });
  const others = fc.array(otherCommand, { maxLength: plain ? 0 : 1 });
  // Whether a rule was ever changed shows in no dump and makes a difference; most routers that anybody verifies have one.
  const changed = fc.oneof(
    { weight: 9, arbitrary: fc.constant(['rule add pref 7 to 7.7.7.7 lookup main']) },
    { weight: 1, arbitrary: fc.constant<string[]>([]) },
  );
  return fc.tuple(basics, routes, policy, others, changed).map((lists) => lists.flat());
}

/** What a profile's scenarios are made of. */
export interface Profile {
  readonly rules: RuleStyle;
  readonly traffic: TrafficStyle;
  readonly ruleCommands: number;
  readonly routeCommands: number;
  readonly plainRouting: boolean;
  readonly plainInterfaces: boolean;
  readonly sysctls: Readonly<Record<string, readonly string[]>>;
  readonly dropPolicies?: boolean;
  readonly sets?: fc.Arbitrary<string[]>;
  /** Routes with several next hops, and a seed for choosing between them. */
  readonly multipath?: boolean;
  /** Interfaces lose their carrier; routes lead over objects of `ip nexthop`. */
  readonly carrier?: boolean;
  /** Of 10: scenarios with recipes; 4 where nothing else is said. */
  readonly recipes?: number;
  /** The scenario is one of IPv6, made of one of IPv4. */
  readonly ipv6?: boolean;
}

const BOTH = ['nft', 'legacy'] as const;
const CALM: TrafficStyle = { oddities: 1, deviations: 2, strays: 1, elsewhere: 1, most: 100, tcp: 4 };
const plainly = { ruleCommands: 3, routeCommands: 0, plainRouting: true, plainInterfaces: true, sysctls: {} };

/** Every profile by name. */
export const PROFILES: Readonly<Record<string, Profile>> = {
  marks: {
    ...plainly,
    rules: { tables: ['mangle', 'mangle', 'mangle', 'raw'], conntrack: true, variants: ['nft'], most: 14 },
    traffic: { ...CALM, elsewhere: 2 },
  },
  'marks-legacy': {
    ...plainly,
    rules: { tables: ['mangle', 'mangle', 'mangle', 'raw'], conntrack: true, variants: ['legacy'], most: 14 },
    traffic: { ...CALM, elsewhere: 2 },
  },
  policy: {
    ...plainly,
    ruleCommands: 9,
    routeCommands: 5,
    plainRouting: false,
    rules: { tables: ['mangle'], conntrack: false, variants: ['nft'], most: 5 },
    traffic: { ...CALM, strays: 3, elsewhere: 3 },
    sysctls: FEW_KEYS,
  },
  routes: {
    ...plainly,
    ruleCommands: 2,
    routeCommands: 12,
    plainRouting: false,
    plainInterfaces: false,
    rules: { tables: ['mangle'], conntrack: false, variants: ['nft'], most: 2 },
    traffic: { ...CALM, strays: 6, elsewhere: 3 },
  },
  'source-check': {
    ...plainly,
    ruleCommands: 5,
    routeCommands: 5,
    plainRouting: false,
    plainInterfaces: false,
    rules: { tables: ['mangle'], conntrack: false, variants: ['nft'], most: 3 },
    traffic: { ...CALM, strays: 5, elsewhere: 5 },
    sysctls: SOURCE_KEYS,
  },
  tracking: {
    ...plainly,
    rules: { tables: ['mangle', 'mangle', 'filter', 'raw'], conntrack: true, variants: BOTH.slice(0, 1), most: 10 },
    traffic: { ...CALM, deviations: 6, badChecksums: true, tcp: 12 },
    sysctls: {},
  },
  filter: {
    ...plainly,
    rules: { tables: ['filter', 'filter', 'mangle', 'raw'], conntrack: true, variants: ['nft'], most: 14, drops: 3 },
    traffic: { ...CALM, strays: 3 },
    dropPolicies: true,
  },
  translation: {
    ...plainly,
    ruleCommands: 4,
    routeCommands: 2,
    rules: { tables: ['nat', 'nat', 'nat', 'mangle', 'filter'], conntrack: true, variants: ['nft'], most: 9 },
    traffic: { ...CALM, translated: true, elsewhere: 2 },
    sysctls: FEW_KEYS,
  },
  fragments: {
    ...plainly,
    rules: { tables: ['mangle', 'filter'], conntrack: false, variants: ['legacy'], most: 8 },
    traffic: { ...CALM, fragments: true },
  },
  headers: {
    ...plainly,
    rules: {
      tables: ['mangle', 'mangle', 'filter', 'raw'],
      conntrack: false,
      variants: BOTH.slice(0, 1),
      most: 12,
      matches: HEADER_MATCHES,
    },
    traffic: { ...CALM, strays: 3 },
  },
  'headers-legacy': {
    ...plainly,
    plainInterfaces: false,
    rules: {
      tables: ['mangle', 'mangle', 'filter', 'raw'],
      conntrack: true,
      variants: ['legacy'],
      most: 12,
      matches: HEADER_MATCHES,
    },
    traffic: { ...CALM, strays: 5 },
  },
  entries: {
    ...plainly,
    rules: {
      tables: ['mangle', 'mangle', 'mangle', 'filter', 'raw', 'nat'],
      conntrack: true,
      variants: BOTH.slice(0, 1),
      most: 12,
      matches: ENTRY_MATCHES,
    },
    traffic: { ...CALM, deviations: 3, translated: true },
  },
  'rpfilter-match': {
    ...plainly,
    ruleCommands: 5,
    routeCommands: 5,
    plainRouting: false,
    plainInterfaces: false,
    rules: {
      tables: ['mangle', 'raw'],
      conntrack: false,
      variants: ['nft'],
      most: 5,
      preroutingMatches: RPFILTER_MATCHES,
    },
    traffic: { ...CALM, strays: 4, elsewhere: 4 },
    sysctls: FEW_KEYS,
  },
  sets: {
    ...plainly,
    rules: {
      tables: ['mangle', 'mangle', 'filter', 'raw'],
      conntrack: false,
      variants: BOTH,
      most: 12,
      matches: SET_MATCHES,
    },
    traffic: { ...CALM, strays: 4, elsewhere: 2 },
    sets: SETS,
  },
  'packet-targets': {
    ...plainly,
    ruleCommands: 6,
    routeCommands: 4,
    plainRouting: false,
    rules: {
      tables: ['mangle', 'mangle', 'mangle', 'mangle', 'mangle', 'mangle', 'filter', 'filter', 'nat'],
      conntrack: true,
      variants: BOTH,
      most: 12,
      matches: HEADER_MATCHES,
      mangleTargets: PACKET_TARGETS,
      natTargets: [NETMAP_TARGETS],
    },
    traffic: { ...CALM, strays: 3, translated: true },
    sets: SETS,
    sysctls: FEW_KEYS,
  },
  multipath: {
    ...plainly,
    ruleCommands: 2,
    routeCommands: 3,
    plainRouting: false,
    multipath: true,
    rules: { tables: ['mangle', 'nat'], conntrack: true, variants: ['nft'], most: 3 },
    traffic: { ...CALM, elsewhere: 3 },
    sysctls: FEW_KEYS,
  },
  carrier: {
    ...plainly,
    ruleCommands: 2,
    routeCommands: 4,
    plainRouting: false,
    multipath: true,
    carrier: true,
    rules: { tables: ['mangle'], conntrack: false, variants: ['nft'], most: 2 },
    traffic: { ...CALM, elsewhere: 3 },
    sysctls: { ...FEW_KEYS, ignore_routes_with_linkdown: ['0', '1', '1', '1'] },
  },
  ...CONNTRACK_PROFILES,
  ipv6: {
    ...plainly,
    ruleCommands: 6,
    routeCommands: 6,
    plainRouting: false,
    plainInterfaces: false,
    recipes: 6,
    ipv6: true,
    rules: {
      tables: ['mangle', 'mangle', 'mangle', 'filter', 'raw'],
      conntrack: true,
      variants: BOTH,
      most: 12,
      preroutingMatches: RPFILTER_MATCHES,
    },
    traffic: { ...CALM, oddities: 0, deviations: 3, strays: 2, elsewhere: 2 },
    dropPolicies: true,
  },
  'ipv6-headers': {
    ...plainly,
    ipv6: true,
    rules: {
      tables: ['mangle', 'mangle', 'filter', 'raw'],
      conntrack: true,
      variants: BOTH,
      most: 12,
      matches: HEADER_MATCHES,
      mangleTargets: PACKET_TARGETS,
    },
    traffic: { ...CALM, oddities: 0, strays: 4 },
  },
  'ipv6-marks': {
    ...plainly,
    ipv6: true,
    rules: { tables: ['mangle', 'mangle', 'mangle', 'raw'], conntrack: true, variants: ['nft'], most: 14 },
    traffic: { ...CALM, oddities: 0, deviations: 4, elsewhere: 2 },
  },
  everything: {
    ruleCommands: 6,
    routeCommands: 6,
    plainRouting: false,
    plainInterfaces: false,
    rules: {
      tables: ['mangle', 'mangle', 'mangle', 'filter', 'raw', 'nat'],
      conntrack: true,
      variants: ['nft'],
      most: 16,
    },
    traffic: { ...CALM, deviations: 3, strays: 3, elsewhere: 2, translated: true },
    sysctls: SOURCE_KEYS,
    dropPolicies: true,
  },
};

const HOPS = [
  'nexthop via 192.168.0.1 dev eth0',
  'nexthop via 172.16.0.1 dev eth1',
  'nexthop via 172.16.0.2 dev eth1',
  'nexthop via 10.0.0.1 dev eth2',
  'nexthop dev eth3',
];
export const multipathRoute: Text = words(
  one('route add', 'route replace'),
  one('default', '203.0.113.0/24', '10.9.0.0/16', '8.0.0.0/8', '0.0.0.0/1'),
  optional(3, words(fc.constant('table'), one('100', '101'))),
  fc
    .array(words(one(...HOPS), optional(3, one('weight 2', 'weight 7', 'weight 100'))), { minLength: 2, maxLength: 4 })
    .map((hops) => hops.join(' ')),
);

const OBJECTS = [
  'nexthop add id 1 via 172.16.0.1 dev eth1',
  'nexthop add id 2 via 172.16.0.2 dev eth1',
  'nexthop add id 3 via 10.0.0.1 dev eth2',
  'nexthop add id 4 dev eth3',
  'nexthop add id 5 blackhole',
];
const GROUPS = [
  'nexthop add id 10 group 1,3/2',
  'nexthop add id 11 group 1/3 type resilient buckets 32',
  'nexthop add id 12 group 3',
  'nexthop add id 13 group 5',
];
const objectRoute: Text = words(
  one('route add', 'route replace'),
  one('default', '203.0.113.0/24', '10.9.0.0/16', '8.0.0.0/8'),
  optional(4, words(fc.constant('table'), one('100', '101'))),
  fc.constant('nhid'),
  one('1', '2', '3', '4', '5', '10', '11', '12', '13'),
);
/** Objects and routes over them, then the interfaces without carrier. */
const carrierCommands: fc.Arbitrary<{ first: string[]; last: string[] }> = fc.record({
  first: fc
    .tuple(fc.subarray(GROUPS), fc.array(objectRoute, { maxLength: 3 }))
    .map(([groups, routes]) => [...OBJECTS, ...groups, ...routes]),
  last: fc
    .subarray(['eth0', 'eth1', 'eth2', 'eth3'], { minLength: 1, maxLength: 2 })
    .map((names) => names.map((name) => `link set ${name} carrier off`)),
});

/** Scenarios of a profile. */
export function scenarios(name: string): fc.Arbitrary<Scenario> {
  const profile = PROFILES[name]!;
  const policies = ['nft filter FORWARD', 'nft filter INPUT', 'nft mangle FORWARD', 'nft mangle POSTROUTING'];
  return fc
    .record({
      interfaces: interfaces(profile.plainInterfaces),
      sysctls:
        Object.keys(profile.sysctls).length === 0 && !profile.rules.conntrack
          ? fc.constant({})
          : sysctls({ ...FEW_KEYS, ...profile.sysctls }, profile.rules.conntrack),
      dropPolicies: fc.subarray(policies, { maxLength: profile.dropPolicies === true ? 1 : 0 }),
      rules: rules(profile.rules),
      sets: profile.sets ?? fc.constant<string[]>([]),
      recipes: recipes({
        variant: profile.rules.variants[0]!,
        conntrack: profile.rules.conntrack,
        often: profile.recipes ?? 4,
      }),
      // Mostly in front of what is random: behind it, fewer packets get there.
      recipesFirst: one('first', 'first', 'last'),
      commands: commands(profile.ruleCommands, profile.routeCommands, profile.plainRouting),
      multipath: fc.record({
        routes: fc.array(multipathRoute, { minLength: 1, maxLength: 4 }),
        seed: fc.constantFrom('1', '7', '12345', '2882400001'),
        policy: fc.constantFrom('0', '0', '1', '1', '2', '3'),
        fields: fc.constantFrom('7', '1', '2', '3', '48', '55', '23'),
      }),
      carrier: carrierCommands,
      frames: traffic(profile.traffic),
    })
    .map(({ multipath, carrier, recipes: recipe, recipesFirst, ...made }) => ({
      profile: name,
      ...made,
      commands: [
        ...(profile.carrier === true ? carrier.first : []),
        ...(profile.multipath === true ? multipath.routes : []),
        ...recipe.commands,
        // iproute2 fails at flushing routes over objects, and at what comes next.
        ...made.commands.filter((command) => profile.carrier !== true || !command.startsWith('route flush')),
        ...(profile.carrier === true ? carrier.last : []),
      ],
      sysctls: {
        ...made.sysctls,
        ...recipe.sysctls,
        ...(profile.multipath === true && {
          'net/ipv4/fib_multipath_hash_seed': multipath.seed,
          'net/ipv4/fib_multipath_hash_policy': multipath.policy,
          'net/ipv4/fib_multipath_hash_fields': multipath.fields,
        }),
      },
      rules: (recipesFirst === 'first' ? [...recipe.rules, ...made.rules] : [...made.rules, ...recipe.rules])
        .filter(isTakenByIptables)
        .map(ofOneService),
    }))
    .map((scenario) => (profile.ipv6 === true ? toIpv6(scenario) : scenario));
}

/** Nobody turns all traffic to the router itself; one service is. */
function ofOneService(rule: ScenarioRule): ScenarioRule {
  const [, matches, target] = /^(.*?) ?(-j (?:REDIRECT|DNAT --to-destination 10\.0\.0\.254).*)$/.exec(rule.text) ?? [];
  if (matches === undefined || /(?:^| )(?:-s|-d|--\S*(?:port|src|dst)\S*) |-p (?!tcp)|! -p/.test(matches)) return rule;
  const others = matches.replace(/-p tcp ?(?:-m tcp)?/, '').trim();
  const text = ['-p tcp -m tcp --dport 22', others, target].filter((part) => part !== '').join(' ');
  return { ...rule, text };
}

/** What the generator can make and iptables refuses. */
function isTakenByIptables(rule: ScenarioRule): boolean {
  if (/! -[sd] 0\.0\.0\.0\/0/.test(rule.text)) return false;
  if (rule.chain === 'POSTROUTING' && rule.text.includes('-m mac')) return false;
  if (rule.text.includes('--limit-iface-out') && !/FORWARD|POSTROUTING/.test(rule.chain)) return false;
  if (rule.text.includes('--limit-iface-in') && rule.chain === 'POSTROUTING') return false;
  if (/CLASSIFY|--map-prio/.test(rule.text) && !/FORWARD|POSTROUTING/.test(rule.chain)) return false;
  if (rule.table === 'nat' && rule.chain === 'INPUT' && rule.text.includes('REDIRECT')) return false;
  return !(rule.text.includes('-j LOG') && rule.text.includes('-j LOG '));
}
