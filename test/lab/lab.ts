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
import {
  type Exchange,
  forgetNeighbours,
  learnNeighbours,
  runSessions,
  SESSIONS,
  type SessionResult,
  type SpsCondition,
  type SpsSource,
  setOffloads,
  setUpSps,
  startPeer,
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
}

export interface RecordOptions {
  /** Bytes kept of each frame; default 256. */
  readonly snapLength?: number;
  readonly sessions?: readonly (readonly Exchange[])[];
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
  } = options;
  const obstacle = labAvailable();
  if (obstacle !== undefined) throw new CommandError(obstacle);
  const namespaces = createNamespaces({ bystander, hosts: LAYOUTS[layout] });
  const signals = endOnSignals();
  const tearDown = () => {
    signals.dispose();
    namespaces.remove();
  };
  try {
    setOffloads(namespaces, offloads);
    for (const role of ROLES) installCounters(namespaces, role);
    setUpSps(namespaces, spsCondition);
  } catch (error) {
    tearDown();
    throw error;
  }
  const configure = (commands: readonly string[]) => {
    for (const command of commands) configureLine(namespaces, command);
  };
  const observe = (sessions: readonly (readonly Exchange[])[]) =>
    observeSessions(namespaces, { sessions, offloads, source: spsCondition === 'proxy' ? spsSource : undefined });
  return {
    namespaces,
    configure,
    applyFix: configure,
    routerState: async () => {
      await learnNeighbours(namespaces, bystander);
      return collectRouterState(namespaces);
    },
    routerAddresses: () => collectAddresses(namespaces),
    observe: ({ sessions = SESSIONS } = {}) => observe(sessions),
    record: async (directory, { snapLength = DEFAULT_SNAP_LENGTH, sessions = SESSIONS } = {}) => {
      mkdirSync(directory, { recursive: true });
      const recorder = await startRecorder(namespaces, directory, { snapLength });
      let evidence: Evidence;
      try {
        evidence = await observe(sessions);
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
  /** Absent where no proxy runs. */
  readonly source: SpsSource | undefined;
}

async function observeSessions(namespaces: Namespaces, options: ObserveOptions): Promise<Evidence> {
  const peers: Background[] = [];
  try {
    const server = await startPeer(namespaces, 'server', 'own');
    peers.push(server);
    const sps = options.source === undefined ? undefined : await startPeer(namespaces, 'sps', options.source);
    if (sps !== undefined) peers.push(sps);
    forgetNeighbours(namespaces);
    const before = { counts: readCounters(namespaces, ROLES), router: readRouterCounts(namespaces) };
    const sessions = await runSessions(namespaces, options.sessions);
    await sleep(SETTLE_MILLISECONDS);
    // From here on nothing is sent: half-dead connections retransmit for minutes, and the counters and all captures must end alike.
    for (const role of ROLES) linkDown(namespaces.name(role));
    return {
      offloads: options.offloads,
      sessions,
      sps: sps?.events ?? [],
      server: server.events,
      counts: difference(before.counts, readCounters(namespaces, ROLES)),
      router: routerDifference(before.router, readRouterCounts(namespaces)),
    };
  } finally {
    await Promise.all(peers.map((peer) => peer.stop('SIGTERM')));
    for (const role of ROLES) linkUp(namespaces.name(role), namespaces.hosts, role);
  }
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
