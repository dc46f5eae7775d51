/**
 * `tsx test/lab/record-lower-devices.ts`: records sessions across a router whose networks are on devices above others (bridges, macvlan), on
 * the upper devices, on the lower ones, on all of them and on `any` at once, for test/scenarios/lower-devices.
 */
import { chmodSync, copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Background, run, sleep, start } from './command.ts';
import { buildLab, type Lab, labAvailable } from './lab.ts';
import { OWN_ADDRESS } from './procedure.ts';

const FOLDER = fileURLToPath(new URL('../scenarios/lower-devices', import.meta.url));
const SNAP_LENGTH = 96;
const FILTER = 'ip or arp';
const SESSIONS = [[[120, 300]], [[100, 2000]]] as const;
/** As in recorder.ts: what is captured is written at the latest after 1 s. */
const FLUSH_MILLISECONDS = 1200;

const UPPER = { eth0: 'mv0', eth1: 'br1', eth2: 'br2' } as const;

/** The addresses move up: clients to a macvlan on eth0, SPS and servers to bridges with eth1 and eth2 as ports. */
function raise(lab: Lab): void {
  const ip = (...argv: string[]) => run(lab.namespaces.enter('router', ['ip', ...argv]));
  ip(
    'link',
    'add',
    'link',
    'eth0',
    'name',
    UPPER.eth0,
    'address',
    '02:00:c0:a8:01:fe',
    'type',
    'macvlan',
    'mode',
    'bridge',
  );
  for (const [port, name] of [
    ['eth1', UPPER.eth1],
    ['eth2', UPPER.eth2],
  ] as const) {
    ip('link', 'add', name, 'type', 'bridge', 'stp_state', '0', 'mcast_snooping', '0');
    ip('link', 'set', port, 'master', name);
  }
  // Else eth0 answers ARP for the address of the macvlan on it, and the clients' packets enter there.
  run(lab.namespaces.enter('router', ['sysctl', '-q', '-w', 'net.ipv4.conf.all.arp_ignore=1']));
  const addresses = { eth0: '192.168.0.254/24', eth1: '172.16.0.254/24', eth2: '10.0.0.254/24' } as const;
  for (const [name, address] of Object.entries(addresses)) {
    const upper = UPPER[name as keyof typeof UPPER];
    ip('addr', 'flush', 'dev', name);
    ip('addr', 'add', address, 'brd', '+', 'dev', upper);
    ip('link', 'set', upper, 'up');
  }
  const names = /\beth([012])\b/g;
  lab.configure(OWN_ADDRESS.map((command) => command.replace(names, (name) => UPPER[name as keyof typeof UPPER])));
}

async function record(): Promise<void> {
  const lab = await buildLab();
  const scratch = join(lab.namespaces.scratch, 'lower');
  mkdirSync(scratch);
  const programs: Background[] = [];
  const listen = async (argv: readonly string[], sign: string) => {
    const program = start(lab.namespaces.enter('router', argv));
    programs.push(program);
    await program.until(() => program.errors().includes(sign), 'listening');
  };
  const dumpcap = (file: string, names: readonly string[]) => [
    ...['dumpcap', '-q'],
    ...names.flatMap((name) => ['-i', name, '-f', FILTER, '-s', String(SNAP_LENGTH)]),
    ...['-w', join(scratch, file)],
  ];
  const cooked = (file: string, type: string) => [
    ...['tcpdump', '-Z', 'root', '-U', '-i', 'any', '-y', type, '-s', String(SNAP_LENGTH)],
    ...['-w', join(scratch, file), FILTER],
  ];
  try {
    raise(lab);
    // Bridges forward once their ports are up.
    await sleep(FLUSH_MILLISECONDS);
    const state = await lab.routerState();
    const lower = Object.keys(UPPER);
    const upper = Object.values(UPPER);
    await listen(dumpcap('upper.pcapng', upper), 'File: ');
    await listen(dumpcap('lower.pcapng', lower), 'File: ');
    await listen(dumpcap('both.pcapng', [...lower, ...upper]), 'File: ');
    await listen(cooked('any.pcap', 'LINUX_SLL2'), 'listening on');
    await listen(cooked('any-v1.pcap', 'LINUX_SLL'), 'listening on');
    const { sessions, counts } = await lab.observe({ sessions: SESSIONS });
    await sleep(FLUSH_MILLISECONDS);
    await Promise.all(programs.map((program) => program.stop('SIGINT')));
    const { spsReceivedFromClient, serverReceivedDirectly } = counts;
    if (spsReceivedFromClient.packets === 0 || serverReceivedDirectly.packets > 0)
      throw new Error(`SPS was passed by: ${JSON.stringify(counts)}`);
    if (!sessions.every(({ ok }) => ok)) throw new Error(`sessions failed: ${JSON.stringify(sessions)}`);
    rmSync(FOLDER, { recursive: true, force: true });
    mkdirSync(FOLDER, { recursive: true });
    for (const file of ['upper.pcapng', 'lower.pcapng', 'both.pcapng', 'any.pcap', 'any-v1.pcap']) {
      copyFileSync(join(scratch, file), join(FOLDER, file));
      chmodSync(join(FOLDER, file), 0o644); // dumpcap's files are its user's alone
    }
    writeFileSync(join(FOLDER, 'router.txt'), state);
  } finally {
    await Promise.all(programs.map((program) => program.stop('SIGINT')));
    lab.tearDown();
  }
}

const obstacle = labAvailable();
if (obstacle !== undefined) {
  console.error(obstacle);
  process.exitCode = 2;
} else await record();
