import type { PolicyAction, RouteType } from '../../model/routing.ts';
import type { SimulationStatus } from './iptables-extension.ts';
import { MATCH_EXTENSIONS, UNMODELLED_MATCHES } from './iptables-matches.ts';
import { PASS_THROUGH_TARGETS, TARGET_EXTENSIONS, UNMODELLED_TARGETS } from './iptables-targets.ts';
import { SET_TYPES } from './ipset-text.ts';

/** How far one thing that a router's state can say is simulated. Words are options as iptables-save prints them, or words of `ip`. */
export interface SimulationRow {
  readonly part: 'match' | 'target' | 'set' | 'rule selector' | 'rule action' | 'route type' | 'route attribute';
  /** Empty where the words stand alone. */
  readonly name: string;
  /** The match or target itself, whatever its options, is compared with a kernel. */
  readonly isCompared: boolean;
  /** Simulated, and compared with a kernel. */
  readonly compared: readonly string[];
  /** Simulated as documents and the kernel's source say. */
  readonly documented: readonly string[];
  /** Recognised, and left unknown. */
  readonly unmodelled: readonly string[];
}

/** Options that belong to no extension. */
const GENERIC = ['-s', '-d', '-i', '-o', '-p', '-f'];

/** Types of sets that the kernel at hand did not have. */
const DOCUMENTED_SETS: ReadonlySet<string> = new Set([
  'bitmap:ip,mac',
  'hash:ip,mac',
  'hash:ip,mark',
  'hash:mac',
  'hash:net,net',
  'hash:net,port,net',
]);

/** Targets that leave the packet alone and were compared. */
const COMPARED_PASS_THROUGH: ReadonlySet<string> = new Set(['LOG', 'CLASSIFY', 'TCPOPTSTRIP']);

const RULE_SELECTORS = {
  compared: [
    'not',
    'from',
    'to',
    'fwmark',
    'iif',
    'oif',
    'tos',
    'ipproto',
    'sport',
    'dport',
    'suppress_prefixlength',
    'suppress_ifgroup',
  ],
  documented: [],
  unmodelled: ['dscp', 'uidrange', 'l3mdev', 'tun_id', 'realms'],
};

const RULE_ACTIONS: Readonly<Record<PolicyAction['kind'], 'compared'>> = {
  lookup: 'compared',
  goto: 'compared',
  nop: 'compared',
  blackhole: 'compared',
  unreachable: 'compared',
  prohibit: 'compared',
};

const ROUTE_TYPES: Readonly<Record<RouteType, 'compared' | 'documented' | 'unmodelled'>> = {
  unicast: 'compared',
  local: 'compared',
  broadcast: 'compared',
  multicast: 'unmodelled',
  anycast: 'unmodelled',
  blackhole: 'compared',
  unreachable: 'compared',
  prohibit: 'compared',
  throw: 'compared',
};

const ROUTE_ATTRIBUTES = {
  compared: ['via', 'dev', 'nexthop', 'weight', 'metric', 'tos', 'onlink', 'scope', 'table'],
  documented: ['nhid', 'dead', 'linkdown'],
  unmodelled: ['encap', 'mtu', 'realms', 'from'],
};

/** Every match and target of IPv4 iptables, type of set, selector and action of policy rules, and type and attribute of routes. */
export function simulationTable(): SimulationRow[] {
  const none = { isCompared: false, compared: [], documented: [], unmodelled: [] };
  const byKind = (kinds: Readonly<Record<string, string>>, kind: string): string[] =>
    Object.keys(kinds).filter((name) => kinds[name] === kind);
  const passing = [...PASS_THROUGH_TARGETS];
  return [
    { part: 'match', name: '', ...none, compared: GENERIC },
    ...[...MATCH_EXTENSIONS].map(([name, extension]) => rowOf('match', name, extension)),
    { part: 'match', name: '', ...none, unmodelled: [...UNMODELLED_MATCHES].sort() },
    ...[...TARGET_EXTENSIONS].map(([name, extension]) => rowOf('target', name, extension)),
    {
      part: 'target',
      name: '',
      isCompared: false,
      compared: passing.filter((name) => COMPARED_PASS_THROUGH.has(name)),
      documented: passing.filter((name) => !COMPARED_PASS_THROUGH.has(name)),
      unmodelled: [...UNMODELLED_TARGETS].sort(),
    },
    {
      part: 'set',
      name: '',
      isCompared: false,
      compared: Object.keys(SET_TYPES).filter((type) => !DOCUMENTED_SETS.has(type)),
      documented: [...DOCUMENTED_SETS],
      unmodelled: [],
    },
    { part: 'rule selector', name: '', isCompared: false, ...RULE_SELECTORS },
    { part: 'rule action', name: '', ...none, compared: byKind(RULE_ACTIONS, 'compared') },
    {
      part: 'route type',
      name: '',
      isCompared: false,
      compared: byKind(ROUTE_TYPES, 'compared'),
      documented: byKind(ROUTE_TYPES, 'documented'),
      unmodelled: byKind(ROUTE_TYPES, 'unmodelled'),
    },
    { part: 'route attribute', name: '', isCompared: false, ...ROUTE_ATTRIBUTES },
  ];
}

function rowOf(
  part: 'match' | 'target',
  name: string,
  extension: SimulationStatus & { readonly options: Readonly<Record<string, number>> },
): SimulationRow {
  const { documented = [], unmodelled = [], synonyms = {} } = extension;
  const options = Object.keys(extension.options).filter((option) => !Object.hasOwn(synonyms, option));
  const isDocumented = (option: string): boolean => documented === 'all' || documented.includes(option);
  const modelled = options.filter((option) => !unmodelled.includes(option));
  const print = (option: string): string => `--${option}`;
  return {
    part,
    name,
    isCompared: documented !== 'all',
    compared: modelled.filter((option) => !isDocumented(option)).map(print),
    documented: modelled.filter(isDocumented).map(print),
    unmodelled: unmodelled.map(print),
  };
}
