/** What some scenarios have beside client, router, server and SPS. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Background, run, start } from './command.ts';
import type { Namespaces } from './namespaces.ts';
import { BYSTANDER, HOSTS, SECOND_TARGET, TAKEN_OVER_MAC } from './topology.ts';

/**
 * `second-node`: another node of SPS on its segment, 172.16.0.2. `second-interface`: SPS reaches the servers by an interface of its own.
 * `second-target`: another server. `tunnel`: the client reaches the router by a point-to-point device without MAC addresses.
 * `client-fragments`: the client's link takes less than its TCP segments need, and it sends them in fragments.
 */
export type Extra = 'second-node' | 'second-interface' | 'second-target' | 'tunnel' | 'client-fragments';

/** What the client's link takes: the largest of the default sessions' requests needs several such frames. */
const SMALL_MTU = '700';

/** Interfaces of the router that an extra brings. */
export function interfacesOf(extras: readonly Extra[]): string[] {
  return [...(extras.includes('second-interface') ? ['eth3'] : []), ...(extras.includes('tunnel') ? ['tun0'] : [])];
}

/** Builds them; the programs that they need end with the namespaces. */
export async function addExtras(namespaces: Namespaces, extras: readonly Extra[]): Promise<void> {
  if (extras.includes('second-node')) completeSecondNode(namespaces);
  if (extras.includes('second-interface')) addSecondInterface(namespaces);
  if (extras.includes('second-target')) addSecondTarget(namespaces);
  if (extras.includes('tunnel')) await addTunnel(namespaces);
  if (extras.includes('client-fragments')) narrowClient(namespaces);
}

/** The other node of a pair takes SPS's address over: the same address at another MAC address, announced by ARP. */
export function takeOver({ name, enter }: Namespaces): void {
  run(enter('sps', ['sysctl', '-q', '-w', 'net.ipv4.conf.eth0.arp_notify=1']));
  run(['ip', '-n', name('sps'), 'link', 'set', 'eth0', 'address', TAKEN_OVER_MAC]);
}

/** The bystander's namespace becomes a node: it forwards, and has a way to everybody. */
function completeSecondNode({ name, enter }: Namespaces): void {
  const values = ['ip_forward=1', `ip_default_ttl=${HOSTS.sps.initialTtl}`, 'ip_local_port_range=20000 29999'];
  run(enter('bystander', ['sysctl', '-q', '-w', ...values.map((value) => `net.ipv4.${value}`)]));
  run(
    enter('bystander', [
      'sysctl',
      '-q',
      '-w',
      'net.ipv4.conf.all.send_redirects=0',
      'net.ipv4.conf.eth0.send_redirects=0',
    ]),
  );
  run(['ip', '-n', name('bystander'), 'link', 'set', 'lo', 'up']);
  run(['ip', '-n', name('bystander'), 'route', 'add', 'default', 'via', HOSTS.sps.gateway, 'src', BYSTANDER.address]);
}

function addSecondInterface({ name, enter }: Namespaces): void {
  const far = ['peer', 'name', 'eth1', 'address', '02:00:ac:11:00:01', 'netns', name('sps')];
  run(['ip', 'link', 'add', 'eth3', 'address', '02:00:ac:11:00:fe', 'netns', name('router'), 'type', 'veth', ...far]);
  run(['ip', '-n', name('router'), 'addr', 'add', '172.17.0.254/24', 'brd', '+', 'dev', 'eth3']);
  run(['ip', '-n', name('router'), 'link', 'set', 'eth3', 'up']);
  run(['ip', '-n', name('sps'), 'addr', 'add', '172.17.0.1/24', 'brd', '+', 'dev', 'eth1']);
  run(['ip', '-n', name('sps'), 'link', 'set', 'eth1', 'up', 'gso_max_segs', '1']);
  run(['ip', '-n', name('sps'), 'route', 'add', '10.0.0.0/24', 'via', '172.17.0.254']);
  const off = ['tx', 'off', 'sg', 'off', 'tso', 'off', 'gso', 'off', 'gro', 'off'];
  run(enter('router', ['ethtool', '-K', 'eth3', ...off]));
  run(enter('sps', ['ethtool', '-K', 'eth1', ...off]));
}

function addSecondTarget({ name, enter }: Namespaces): void {
  const { address, mac } = SECOND_TARGET;
  // Each address is answered for by its own device only.
  run(enter('server', ['sysctl', '-q', '-w', 'net.ipv4.conf.all.arp_ignore=1']));
  const inServer = ['ip', '-n', name('server'), 'link'];
  run([...inServer, 'add', 'link', 'eth0', 'name', 'second', 'address', mac, 'type', 'macvlan', 'mode', 'bridge']);
  run(['ip', '-n', name('server'), 'addr', 'add', `${address}/32`, 'dev', 'second']);
  run([...inServer, 'set', 'second', 'up']);
}

async function addTunnel({ hosts, name, enter }: Namespaces): Promise<Background> {
  const program = fileURLToPath(new URL('peers/tunnel.py', import.meta.url));
  const tunnel = start(enter('router', ['python3', '-B', program, join('/run/netns', name('client'))]));
  await tunnel.until(() => tunnel.events.some((event) => event.event === 'ready'), 'ready');
  for (const [role, address] of [
    ['router', hosts.client.gateway],
    ['client', hosts.client.address],
  ] as const) {
    run(['ip', '-n', name(role), 'addr', 'add', `${address}/24`, 'dev', 'tun0']);
    run(['ip', '-n', name(role), 'link', 'set', 'tun0', 'up', 'gso_max_segs', '1']);
  }
  run(['ip', '-n', name('client'), 'route', 'replace', 'default', 'dev', 'tun0']);
  return tunnel;
}

/** The route says that larger packets arrive, the link that they do not fit: what may be fragmented is. Ref: kernel net/ipv4/route.c: ipv4_mtu() */
function narrowClient({ hosts, name }: Namespaces): void {
  const inClient = ['ip', '-n', name('client')];
  run([...inClient, 'link', 'set', 'eth0', 'mtu', SMALL_MTU]);
  run([...inClient, 'route', 'replace', 'default', 'via', hosts.client.gateway, 'mtu', 'lock', '1500']);
}
