/** A configured router in a network namespace of its own, for running the collecting script there. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  accessSync,
  constants,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

/** What a script printed, and how it ended. */
export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CollectRouter {
  /** A directory that goes with the router. */
  readonly scratch: string;
  /** The argv that runs a program on the router. */
  readonly enter: (argv: readonly string[]) => string[];
  /** Names of the programs that run there. */
  readonly programs: () => string[];
  readonly remove: () => void;
}

/** The full path of a program, looked for where the root user would; undefined where it is not installed. */
export function programPath(name: string): string | undefined {
  const directories = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/bin', '/bin'];
  return directories
    .map((directory) => join(directory, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

const PROGRAMS = {
  ip: 'iproute2',
  'iptables-nft': 'iptables',
  'iptables-legacy': 'iptables',
  nft: 'nftables',
  tcpdump: 'tcpdump',
};

/** Why there can be no such router here; undefined where there can. */
export function routerObstacle(): string | undefined {
  if (process.platform !== 'linux') return 'needs Linux';
  if (process.getuid?.() !== 0) return 'needs root, for a network namespace';
  const missing = Object.entries(PROGRAMS).filter(([program]) => programPath(program) === undefined);
  return missing.length === 0
    ? undefined
    : `needs apt-get install ${[...new Set(missing.map(([, name]) => name))].join(' ')}`;
}

/** The machine's own shell and one of each other family that is installed. */
export function installedShells(): string[][] {
  const shells = [['sh'], ['dash'], ['bash', '--posix'], ['busybox', 'sh']];
  const seen = new Set<string>();
  return shells.filter(([program]) => {
    const path = programPath(program!);
    const real = path === undefined ? undefined : realpathSync(path);
    if (real === undefined || seen.has(real)) return false;
    seen.add(real);
    return true;
  });
}

/** The router, with nothing configured but its loopback interface. */
export function createRouter(): CollectRouter {
  const name = `collect-${process.pid}-${randomBytes(3).toString('hex')}`;
  const scratch = mkdtempSync(join(tmpdir(), `${name}-`));
  mkdirSync(join(scratch, 'iproute2', 'rt_tables.d'), { recursive: true });
  execFileSync('ip', ['netns', 'add', name], { stdio: 'pipe' });
  // iptables-legacy serialises all namespaces by one lock file unless told otherwise.
  const inside = `mount --bind '${scratch}/iproute2' /etc/iproute2 && XTABLES_LOCKFILE='${scratch}/lock' exec "$@"`;
  const pids = () =>
    (spawnSync('ip', ['netns', 'pids', name], { encoding: 'utf8' }).stdout ?? '').split('\n').filter(Boolean);
  const programs = () =>
    pids().flatMap((pid) => {
      try {
        return [readFileSync(`/proc/${pid}/comm`, 'utf8').trim()];
      } catch {
        // It ended meanwhile.
        return [];
      }
    });
  const remove = () => {
    process.off('exit', remove);
    for (const pid of pids()) spawnSync('kill', ['-KILL', pid]);
    spawnSync('ip', ['netns', 'del', name]);
    rmSync(scratch, { recursive: true, force: true });
  };
  process.on('exit', remove);
  const router = {
    scratch,
    enter: (argv: readonly string[]) => ['ip', 'netns', 'exec', name, 'sh', '-c', inside, 'sh', ...argv],
    programs,
    remove,
  };
  onRouter(router, ['ip', 'link', 'set', 'lo', 'up']);
  return router;
}

/** Runs a program on the router and returns its stdout; throws where it fails. */
export function onRouter(router: CollectRouter, argv: readonly string[]): string {
  const [program, ...args] = router.enter(argv);
  return execFileSync(program!, args, { encoding: 'utf8', stdio: 'pipe' });
}

/** Interfaces (one with a dot in its name), both variants of iptables, native nftables, names of tables, rules and routes. */
export function configureRouter(router: CollectRouter): void {
  const tables = join(router.scratch, 'iproute2');
  writeFileSync(join(tables, 'rt_tables'), '### names of ours\n254 main\n103 scb # SPS');
  writeFileSync(join(tables, 'rt_tables.d', 'lab.conf'), '104 lab\n');
  const commands = [
    // Else addresses and routes of IPv6 turn up by themselves a while after the links.
    'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6',
    'ip link add eth0 type veth peer name eth1',
    'ip link add eth0.100 type veth peer name peer',
    'ip addr add 192.168.0.254/24 dev eth0',
    'ip addr add 172.16.0.254/24 dev eth0.100',
    ...['eth0', 'eth1', 'eth0.100', 'peer'].map((name) => `ip link set ${name} up`),
    'ip neigh add 172.16.0.1 lladdr 02:00:00:00:00:01 dev eth0.100 nud permanent',
    'ip rule add fwmark 0x1 table scb',
    'ip route add default via 172.16.0.1 table scb',
    'iptables-nft -t mangle -A PREROUTING -i eth0 -p tcp --dport 3389 -j MARK --set-mark 1',
    'iptables-nft -A FORWARD -i eth0 -j ACCEPT',
    'iptables-legacy -t mangle -A PREROUTING -i eth0 -p tcp --dport 22 -j MARK --set-mark 2',
    'ip6tables-nft -A FORWARD -p tcp --dport 3389 -j DROP',
    'nft add table inet native',
    'echo 1 >/proc/sys/net/ipv4/ip_forward',
    'echo 2 >/proc/sys/net/ipv4/conf/eth0.100/rp_filter',
  ];
  onRouter(router, ['sh', '-e', '-c', commands.join('\n')]);
}

/** Sends one UDP datagram that the loopback interface carries. */
export function sendDatagram(router: CollectRouter, payload: string): void {
  const program = `const s = require('node:dgram').createSocket('udp4');
s.send(${JSON.stringify(payload)}, 9, '127.0.0.1', () => s.close());`;
  onRouter(router, [process.execPath, '-e', program]);
}

/** A script that runs beside us. */
export interface Running {
  readonly child: ChildProcess;
  /** Resolves once the text was on stderr; rejects when the script ends before. */
  said(text: string): Promise<void>;
  readonly ended: Promise<Outcome>;
}

/** Starts a program; `cwd` and `TMPDIR` are where its files go. */
export function startProgram(argv: readonly string[], cwd: string, temporary: string): Running {
  const [program, ...args] = argv;
  const child = spawn(program!, args, {
    cwd,
    env: { ...process.env, TMPDIR: temporary },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const ended = new Promise<Outcome>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => resolve({ status, stdout, stderr }));
  });
  const said = (text: string) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if (stderr.includes(text)) resolve();
      };
      look();
      child.stderr.on('data', look);
      child.once('close', () => reject(new Error(`ended without saying ${text}: ${stderr}`)));
    });
  return { child, said, ended };
}
