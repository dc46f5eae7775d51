/**
 * A lab in network namespaces: client, router, server and SPS, which is a real transparent proxy.
 *
 * The router is configured by command lines, real TCP connections cross it, and what the kernel did is counted by the hosts
 * around it. See README.md.
 */
import { accessSync, appendFileSync, constants, mkdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Background, CommandError, type PeerEvent, run, sleep } from './command.ts';
import { type Counts, difference, installCounters, readCounters } from './counters.ts';
import { addExtras, type Extra, interfacesOf, takeOver } from './extras.ts';
import {
  type Behaviour,
  type Exchange,
  forgetNeighbours,
  learnNeighbours,
  runOwnTraffic,
  runSessions,
  SESSIONS,
  type SessionResult,
  type SpsCondition,
  type SpsSource,
  type SpsTarget,
  setOffloads,
  setUpSps,
  startProxy,
  startServer,
} from './hosts.ts';
import { createNamespaces, linkDown, linkUp, type Namespaces } from './namespaces.ts';
import { isTableName } from './procedure.ts';
import { type FrameCounts, startRecorder } from './recorder.ts';
import {
  collectAddresses,
  collectRouterState,
  type RouterCounts,
  readRouterCounts,
  routerDifference,
} from './router-state.ts';
import { LAYOUTS, type LayoutName, ROLES } from './topology.ts';

export interface LabOptions {
  readonly spsSource?: SpsSource;
  readonly spsCondition?: SpsCondition;
  /** Another host on SPS's segment, 172.16.0.2, which answers ARP and forwards nothing. */
  readonly bystander?: boolean;
  readonly offloads?: boolean;
  /** Default: three segments, one host each. */
  readonly layout?: LayoutName;
  readonly extras?: readonly Extra[];
  readonly spsTarget?: SpsTarget;
  readonly unrelatedSequences?: boolean;
}

export interface RecordOptions {
  /** Bytes kept of each frame; default 256. */
  readonly snapLength?: number;
  readonly sessions?: readonly (readonly Exchange[])[];
  /** What happens between the first half of the sessions and the second. */
  readonly between?: 'takeover' | 'own-traffic';
}

/** What everybody around the router saw of one run of sessions; see truth.ts for what follows from it. */
export interface Evidence {
  readonly offloads: boolean;
  readonly sessions: readonly SessionResult[];
  /** The proxy's log: `accepted`, `connected`, `failed`. */
  readonly sps: readonly PeerEvent[];
  /** The server's log: `accepted`, `closed`, `failed`. */
  readonly server: readonly PeerEvent[];
  readonly counts: Counts;
  readonly router: RouterCounts;
}

export interface Recording {
  readonly evidence: Evidence;
  readonly frames: FrameCounts;
}

export interface Lab {
  readonly namespaces: Namespaces;
  /** Runs command lines on the router, in order, each by `sh`; a line like `103 scb` goes to rt_tables. Throws at the first that fails. */
  configure(commands: readonly string[]): void;
  /** As `configure`: for the commands that a finding prints. */
  applyFix(commands: readonly string[]): void;
  /** The router's state as one bundle, with its neighbours learnt; conntrack is emptied before. */
  routerState(): Promise<string>;
  /** `ip addr show` of the router. */
  routerAddresses(): string;
  /** Runs sessions without recording. */
  observe(options?: RecordOptions): Promise<Evidence>;
  /** Runs sessions and records them on the router into a directory, which is made; files are named by CAPTURE_FILES. */
  record(directory: string, options?: RecordOptions): Promise<Recording>;
  /** Removes everything. Can be called twice. */
  tearDown(): void;
}

const PROGRAMS: Readonly<Record<string, string>> = {
  ip: 'iproute2',
  iptables: 'iptables',
  'iptables-legacy': 'iptables',
  nft: 'nftables',
  tcpdump: 'tcpdump',
  dumpcap: 'wireshark-common',
  capinfos: 'wireshark-common',
  conntrack: 'conntrack',
  ethtool: 'ethtool',
  sysctl: 'procps',
  unshare: 'util-linux',
  python3: 'python3',
};

const DEFAULT_SNAP_LENGTH = 256;
/** For the last FIN and ACK of sessions that ended well. */
const SETTLE_MILLISECONDS = 300;

/** Why the lab cannot run here, or undefined where it can. */
export function labAvailable(): string | undefined {
  if (process.platform !== 'linux') return 'the lab needs Linux';
  if (process.getuid?.() !== 0) return 'the lab needs root, for network namespaces';
  const missing = Object.entries(PROGRAMS).filter(([program]) => !isInstalled(program));
  if (missing.length === 0) return undefined;
  const packages = [...new Set(missing.map(([, name]) => name))].join(' ');
  return `the lab needs ${missing.map(([program]) => program).join(', ')}: apt-get install ${packages}`;
}

/** Builds a lab with an unconfigured router that forwards. Throws where it is not available. Its namespaces go with `tearDown`, and with the process at the latest. */
export async function buildLab(options: LabOptions = {}): Promise<Lab> {
  const {
    spsSource = 'own',
    spsCondition = 'proxy',
    bystander = false,
    offloads = false,
    layout = 'separate',
    extras = [],
    spsTarget: target = 'original',
    unrelatedSequences = false,
  } = options;
  const secondNode = extras.includes('second-node');
  const obstacle = labAvailable();
  if (obstacle !== undefined) throw new CommandError(obstacle);
  const namespaces = createNamespaces({ bystander: bystander || secondNode, hosts: LAYOUTS[layout] });
  const signals = endOnSignals();
  const tearDown = () => {
    signals.dispose();
    namespaces.remove();
  };
  try {
    setOffloads(namespaces, offloads);
    for (const role of ROLES) installCounters(namespaces, role);
    setUpSps(namespaces, spsCondition);
    await addExtras(namespaces, extras);
    if (secondNode) {
      installCounters(namespaces, 'sps', 'bystander');
      setUpSps(namespaces, spsCondition, 'bystander');
    }
  } catch (error) {
    tearDown();
    throw error;
  }
  const configure = (commands: readonly string[]) => {
    for (const command of commands) configureLine(namespaces, command);
  };
  const observe = (sessions: readonly (readonly Exchange[])[], between: RecordOptions['between']) =>
    observeSessions(namespaces, {
      sessions,
      offloads,
      between,
      behaviour: {
        source: spsSource,
        target,
        unrelatedSequences,
        clientFragments: extras.includes('client-fragments'),
      },
      nodes: spsCondition === 'proxy' ? (secondNode ? ['sps', 'bystander'] : ['sps']) : [],
    });
  return {
    namespaces,
    configure,
    applyFix: configure,
    routerState: async () => {
      await learnNeighbours(namespaces, bystander || secondNode);
      return collectRouterState(namespaces);
    },
    routerAddresses: () => collectAddresses(namespaces),
    observe: ({ sessions = SESSIONS, between } = {}) => observe(sessions, between),
    record: async (directory, { snapLength = DEFAULT_SNAP_LENGTH, sessions = SESSIONS, between } = {}) => {
      mkdirSync(directory, { recursive: true });
      const recorder = await startRecorder(namespaces, directory, {
        snapLength,
        furtherInterfaces: interfacesOf(extras),
      });
      let evidence: Evidence;
      try {
        evidence = await observe(sessions, between);
      } catch (error) {
        await recorder.stop().catch(() => undefined);
        throw error;
      }
      return { evidence, frames: await recorder.stop() };
    },
    tearDown,
  };
}

interface ObserveOptions {
  readonly sessions: readonly (readonly Exchange[])[];
  readonly offloads: boolean;
  readonly between: RecordOptions['between'];
  readonly behaviour: Behaviour;
  /** Where proxies run. */
  readonly nodes: readonly ('sps' | 'bystander')[];
}

async function observeSessions(namespaces: Namespaces, options: ObserveOptions): Promise<Evidence> {
  const peers: Background[] = [];
  try {
    const server = await startServer(namespaces);
    peers.push(server);
    const proxies: Background[] = [];
    for (const node of options.nodes) proxies.push(await startProxy(namespaces, options.behaviour, node));
    peers.push(...proxies);
    const counting = [...ROLES, ...options.nodes.filter((node) => node !== 'sps')];
    forgetNeighbours(namespaces);
    const before = { counts: readCounters(namespaces, counting), router: readRouterCounts(namespaces) };
    const sessions = await runHalves(namespaces, options);
    await sleep(SETTLE_MILLISECONDS);
    // From here on nothing is sent: half-dead connections retransmit for minutes, and the counters and all captures must end alike.
    for (const role of ROLES) linkDown(namespaces.name(role), namespaces.hosts[role]);
    return {
      offloads: options.offloads,
      sessions,
      sps: proxies.flatMap((proxy) => proxy.events),
      server: server.events,
      counts: difference(before.counts, readCounters(namespaces, counting)),
      router: routerDifference(before.router, readRouterCounts(namespaces)),
    };
  } finally {
    await Promise.all(peers.map((peer) => peer.stop('SIGTERM')));
    for (const role of ROLES) linkUp(namespaces.name(role), namespaces.hosts[role]);
  }
}

async function runHalves(namespaces: Namespaces, options: ObserveOptions): Promise<SessionResult[]> {
  const { sessions, between, behaviour } = options;
  if (between === undefined) return runSessions(namespaces, sessions, behaviour);
  const half = Math.ceil(sessions.length / 2);
  const first = await runSessions(namespaces, sessions.slice(0, half), behaviour);
  if (between === 'takeover') takeOver(namespaces);
  else await runOwnTraffic(namespaces);
  const second = await runSessions(namespaces, sessions.slice(half), behaviour);
  return [...first, ...second.map((result) => ({ ...result, session: result.session + half }))];
}

function configureLine(namespaces: Namespaces, command: string): void {
  if (isTableName(command)) appendFileSync(namespaces.routingTableNames, `${command}\n`);
  else run(namespaces.enterRouter(['sh', '-e', '-c', command]));
}

/** Leaves nothing behind on Ctrl-C: `exit` listeners remove the namespaces. */
function endOnSignals(): { dispose(): void } {
  const interrupt = () => process.exit(130);
  const terminate = () => process.exit(143);
  process.once('SIGINT', interrupt).once('SIGTERM', terminate);
  return {
    dispose: () => {
      process.off('SIGINT', interrupt).off('SIGTERM', terminate);
    },
  };
}

function isInstalled(program: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
