/** The lab's network namespaces: making, wiring, entering and removing them. */
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { attempt, run } from './command.ts';
import {
  BYSTANDER,
  GATEWAYS,
  type Host,
  type Hosts,
  ROLES,
  type Role,
  ROUTER_INTERFACES,
  type RouterInterface,
  usesIpv6,
} from './topology.ts';

export type NamespaceRole = Role | 'router' | 'bystander' | 'switch';

export interface Namespaces {
  /** Who is where. */
  readonly hosts: Hosts;
  readonly name: (role: NamespaceRole) => string;
  /** The argv that runs a program in a namespace. */
  readonly enter: (role: NamespaceRole, argv: readonly string[]) => string[];
  /**
   * The argv that runs a program on the router: in its network namespace, with its own host name and its own
   * /etc/iproute2, and without the other namespaces' names, which a real router would not show in `ip link` either.
   */
  readonly enterRouter: (argv: readonly string[]) => string[];
  /** Where rt_tables of the router is, seen from outside. */
  readonly routingTableNames: string;
  /** A directory that goes with the namespaces. */
  readonly scratch: string;
  readonly remove: () => void;
}

const PREFIX = 'redirect-verify';
const IPROUTE2 = '/etc/iproute2';
const NETNS_DIRECTORY = '/run/netns';

export function createNamespaces(options: { readonly bystander: boolean; readonly hosts: Hosts }): Namespaces {
  const { hosts } = options;
  removeAbandoned();
  const id = `${PREFIX}-${process.pid}-${randomBytes(3).toString('hex')}`;
  const directory = mkdtempSync(join(tmpdir(), `${id}-`));
  const name = (role: NamespaceRole) => `${id}-${role}`;
  const roles: NamespaceRole[] = ['router', ...ROLES];
  if (options.bystander) roles.push('bystander');
  if (ROUTER_INTERFACES.some((item) => hostsOn(hosts, item).length !== 1)) roles.push('switch');
  const enter = (role: NamespaceRole, argv: readonly string[]) => ['ip', 'netns', 'exec', name(role), ...argv];
  const remove = () => {
    process.off('exit', remove);
    for (const role of roles) removeNamespace(name(role));
    rmSync(directory, { recursive: true, force: true });
  };
  // The last resort, also for an uncaught error; SIGINT and SIGTERM get there through lab.ts.
  process.on('exit', remove);
  try {
    cpSync(IPROUTE2, join(directory, 'iproute2'), { recursive: true });
    writeFileSync(join(directory, 'enter'), enterScript(directory));
    for (const role of roles) run(['ip', 'netns', 'add', name(role)]);
    for (const role of roles) setUpSysctls(enter, role, hosts);
    for (const item of ROUTER_INTERFACES) connect(name, hosts, item);
    if (options.bystander) addBystander(name('sps'), name('bystander'));
  } catch (error) {
    remove();
    throw error;
  }
  return {
    hosts,
    name,
    enter,
    enterRouter: (argv) => enter('router', ['unshare', '--uts', 'sh', join(directory, 'enter'), ...argv]),
    routingTableNames: join(directory, 'iproute2', 'rt_tables'),
    scratch: directory,
    remove,
  };
}

/** Names of all namespaces that labs of this process have, or failed to remove. */
export function ownNamespaces(): string[] {
  return listNamespaces().filter((name) => name.startsWith(`${PREFIX}-${process.pid}-`));
}

/** Gives a host its link and its default route, which it loses whenever the link goes down. */
export function linkUp(namespace: string, { address, onLink, device, gateway, ipv6 }: Host): void {
  run(['ip', '-n', namespace, 'link', 'set', device ?? 'eth0', 'up']);
  const route = ['ip', '-n', namespace, 'route', 'replace', 'default'];
  if (device !== undefined) run([...route, 'dev', device]);
  else run([...route, 'via', gateway, ...(onLink === undefined ? [] : ['src', address])]);
  if (ipv6 !== undefined) run(['ip', '-n', namespace, '-6', 'route', 'replace', 'default', 'via', ipv6.gateway]);
}

export function linkDown(namespace: string, { device }: Host): void {
  run(['ip', '-n', namespace, 'link', 'set', device ?? 'eth0', 'down']);
}

/** One segment: a cable where one host is on it, else a switch. */
function connect(name: Namespaces['name'], hosts: Hosts, item: RouterInterface): void {
  const router = name('router');
  const gateway = GATEWAYS[item];
  const roles = hostsOn(hosts, item);
  const [only] = roles;
  const near = ['link', 'add', item, 'address', gateway.mac, 'netns', router, 'type', 'veth', 'peer', 'name'];
  if (roles.length === 1 && only !== undefined) {
    run(['ip', ...near, 'eth0', 'address', hosts[only].mac, 'netns', name(only)]);
  } else {
    const port = (end: string) => [`${item}${end}`, 'netns', name('switch')];
    const inSwitch = ['ip', '-n', name('switch'), 'link'];
    run([...inSwitch, 'add', `${item}b`, 'type', 'bridge', 'stp_state', '0', 'mcast_snooping', '0']);
    run(['ip', ...near, ...port('r')]);
    for (const role of roles) {
      const host = [
        'link',
        'add',
        'eth0',
        'address',
        hosts[role].mac,
        'netns',
        name(role),
        'type',
        'veth',
        'peer',
        'name',
      ];
      run(['ip', ...host, ...port(role.slice(0, 2))]);
    }
    for (const end of ['r', ...roles.map((role) => role.slice(0, 2))]) {
      run([...inSwitch, 'set', `${item}${end}`, 'master', `${item}b`]);
      run([...inSwitch, 'set', `${item}${end}`, 'up']);
    }
    run([...inSwitch, 'set', `${item}b`, 'up']);
  }
  run(['ip', '-n', router, 'addr', 'add', `${gateway.address}/24`, 'brd', '+', 'dev', item]);
  for (const gateway6 of new Set(roles.flatMap((role) => hosts[role].ipv6?.gateway ?? [])))
    run(['ip', '-n', router, 'addr', 'add', `${gateway6}/64`, 'dev', item, 'nodad']);
  run(['ip', '-n', router, 'link', 'set', item, 'up']);
  run(['ip', '-n', router, 'link', 'set', 'lo', 'up']);
  for (const role of roles) {
    const namespace = name(role);
    const { address, onLink, device, ipv6 } = hosts[role];
    if (ipv6 !== undefined) run(['ip', '-n', namespace, 'addr', 'add', `${ipv6.address}/64`, 'dev', 'eth0', 'nodad']);
    run(['ip', '-n', namespace, 'addr', 'add', `${onLink ?? address}/24`, 'brd', '+', 'dev', 'eth0']);
    run(['ip', '-n', namespace, 'link', 'set', 'lo', 'up']);
    if (onLink !== undefined && device === undefined)
      run(['ip', '-n', namespace, 'addr', 'add', `${address}/32`, 'dev', 'lo']);
    // A tunnel is made later.
    if (device === undefined) linkUp(namespace, hosts[role]);
    else run(['ip', '-n', namespace, 'link', 'set', 'eth0', 'up']);
  }
}

function hostsOn(hosts: Hosts, item: RouterInterface): Role[] {
  return ROLES.filter((role) => hosts[role].interface === item);
}

function addBystander(sps: string, namespace: string): void {
  const link = ['link', 'add', 'link', 'eth0', 'name', 'bystander', 'address', BYSTANDER.mac];
  run(['ip', '-n', sps, ...link, 'type', 'macvlan', 'mode', 'bridge']);
  run(['ip', '-n', sps, 'link', 'set', 'bystander', 'netns', namespace, 'name', 'eth0']);
  run(['ip', '-n', namespace, 'addr', 'add', `${BYSTANDER.address}/24`, 'brd', '+', 'dev', 'eth0']);
  run(['ip', '-n', namespace, 'link', 'set', 'eth0', 'up']);
}

/**
 * A new namespace copies the values of the initial one, so all that matters is said: the kernel's compiled-in defaults, plus
 * forwarding on the router and on SPS (which forwards at packet level what no connection policy controls).
 */
function setUpSysctls(enter: Namespaces['enter'], role: NamespaceRole, hosts: Hosts): void {
  const forwards = role === 'router' || role === 'sps';
  const values = usesIpv6(hosts)
    ? ipv6Sysctls(role, hosts)
    : ['net.ipv6.conf.all.disable_ipv6=1', 'net.ipv6.conf.default.disable_ipv6=1'];
  values.push(`net.ipv4.ip_forward=${forwards ? 1 : 0}`);
  for (const scope of ['all', 'default']) {
    const set = (key: string, value: number) => values.push(`net.ipv4.conf.${scope}.${key}=${value}`);
    for (const key of ['rp_filter', 'src_valid_mark', 'accept_local', 'route_localnet', 'log_martians']) set(key, 0);
    for (const key of ['bc_forwarding', 'arp_filter', 'arp_ignore', 'arp_announce', 'proxy_arp']) set(key, 0);
    set('ignore_routes_with_linkdown', 0);
    set('shared_media', 1);
    // SPS itself must not teach anybody a way around it.
    set('send_redirects', role === 'sps' ? 0 : 1);
    set('accept_redirects', role === 'router' || role === 'sps' ? 0 : 1);
  }
  if (role === 'client' || role === 'sps' || role === 'server') {
    values.push(`net.ipv4.ip_default_ttl=${hosts[role].initialTtl}`, 'net.ipv4.tcp_no_metrics_save=1');
    // Different ranges, so that a port tells who chose it.
    if (role === 'client') values.push('net.ipv4.ip_local_port_range=40000 49999');
    if (role === 'sps') values.push('net.ipv4.ip_local_port_range=20000 29999');
  }
  run(enter(role, ['sysctl', '-q', '-w', ...values]));
}

/** No address is made up or announced, nobody is asked for a router, and addresses outlast a link that is down. */
function ipv6Sysctls(role: NamespaceRole, hosts: Hosts): string[] {
  const forwards = role === 'router' || role === 'sps';
  const hops = role === 'client' || role === 'sps' || role === 'server' ? hosts[role].initialTtl : 64;
  return ['all', 'default'].flatMap((scope) => {
    const set = (key: string, value: number): string => `net.ipv6.conf.${scope}.${key}=${value}`;
    const zero = ['disable_ipv6', 'accept_ra', 'autoconf', 'accept_dad', 'dad_transmits', 'router_solicitations'];
    return [
      ...zero.map((key) => set(key, 0)),
      set('forwarding', forwards ? 1 : 0),
      set('accept_redirects', forwards ? 0 : 1),
      set('keep_addr_on_down', 1),
      set('hop_limit', hops),
    ];
  });
}

function enterScript(directory: string): string {
  return [
    '#!/bin/sh',
    `mount --bind '${directory}/iproute2' ${IPROUTE2} || exit`,
    `mount -t tmpfs tmpfs ${NETNS_DIRECTORY} || exit`,
    'hostname router || exit',
    // iptables-legacy serialises all namespaces by one lock file unless told otherwise.
    `XTABLES_LOCKFILE='${directory}/xtables.lock' exec "$@"`,
    '',
  ].join('\n');
}

function removeNamespace(name: string): void {
  if (!listNamespaces().includes(name)) return;
  for (const pid of run(['ip', 'netns', 'pids', name]).split('\n').filter(Boolean)) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It ended by itself.
    }
  }
  attempt(['ip', 'netns', 'del', name]);
}

/** Removes what labs left behind whose process was killed outright. */
function removeAbandoned(): void {
  for (const name of listNamespaces()) {
    const pid = new RegExp(`^${PREFIX}-(\\d+)-`).exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) removeNamespace(name);
  }
}

function listNamespaces(): string[] {
  return existsSync(NETNS_DIRECTORY) ? readdirSync(NETNS_DIRECTORY) : [];
}
