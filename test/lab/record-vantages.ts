/** `tsx test/lab/record-vantages.ts`: records sessions on the router and on all hosts around it at once, for test/scenarios/vantages. */
import { chmodSync, copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Background, run, sleep, start } from './command.ts';
import type { SpsSource } from './hosts.ts';
import { buildLab, labAvailable } from './lab.ts';
import { OWN_ADDRESS, SPOOFING, STEPS } from './procedure.ts';
import { ROLES } from './topology.ts';
import { deriveTruth } from './truth.ts';

const ROOT = fileURLToPath(new URL('../scenarios/vantages', import.meta.url));
const SNAP_LENGTH = 96;
const FILTER = 'ip or arp';
const SESSIONS = [[[120, 300]], [[100, 5000]]] as const;
/** As in recorder.ts: what is captured is written at the latest after 1 s. */
const FLUSH_MILLISECONDS = 1200;

interface SetUp {
  readonly name: string;
  readonly spsSource: SpsSource;
  readonly commands: readonly string[];
  readonly verdict: 'verified' | 'failed';
  readonly offloads?: boolean;
}

const SET_UPS: readonly SetUp[] = [
  { name: 'own-address', spsSource: 'own', commands: OWN_ADDRESS, verdict: 'verified' },
  { name: 'spoofing-with-offloads', spsSource: 'client', commands: SPOOFING, verdict: 'verified', offloads: true },
  {
    name: 'bypass',
    spsSource: 'own',
    commands: OWN_ADDRESS.filter((command) => command !== STEPS.ROUTE),
    verdict: 'failed',
  },
  {
    name: 'asymmetric',
    spsSource: 'client',
    commands: SPOOFING.filter((command) => command !== STEPS.REPLY_RULE),
    verdict: 'failed',
  },
  {
    name: 'reverse-path-filter',
    spsSource: 'own',
    commands: [...OWN_ADDRESS, 'echo 1 > /proc/sys/net/ipv4/conf/eth1/rp_filter'],
    verdict: 'failed',
  },
];

async function record({ name, spsSource, commands, verdict, offloads = false }: SetUp): Promise<void> {
  const lab = await buildLab({ spsSource, offloads });
  const { namespaces } = lab;
  const scratch = join(namespaces.scratch, name);
  mkdirSync(scratch);
  const programs: Background[] = [];
  try {
    lab.configure(commands);
    const state = await lab.routerState();
    const listen = async (role: (typeof ROLES)[number] | 'router', argv: readonly string[], sign: string) => {
      const program = start(namespaces.enter(role, argv));
      programs.push(program);
      await program.until(() => program.errors().includes(sign), 'listening');
    };
    const dumpcap = (file: string, interfaces: readonly string[]) => [
      ...['dumpcap', '-q'],
      ...interfaces.flatMap((item) => ['-i', item, '-f', FILTER, '-s', String(SNAP_LENGTH)]),
      ...['-w', join(scratch, file)],
    ];
    await listen('router', dumpcap('router.pcapng', ['eth0', 'eth1', 'eth2']), 'File: ');
    for (const role of ROLES) {
      await listen(role, dumpcap(`${role}.pcapng`, ['eth0']), 'File: ');
      const any = ['-i', 'any', '-y', 'LINUX_SLL2', '-s', String(SNAP_LENGTH), '-w', join(scratch, `${role}-any.pcap`)];
      await listen(role, ['tcpdump', '-Z', 'root', '-U', ...any, FILTER], 'listening on');
    }
    const truth = deriveTruth(await lab.observe({ sessions: SESSIONS }));
    await sleep(FLUSH_MILLISECONDS);
    await Promise.all(programs.map((program) => program.stop('SIGINT')));
    if (truth.verdict !== verdict) throw new Error(`${name}: the kernel says ${truth.verdict}: ${truth.reason}`);
    store(name, scratch, state);
    console.log(`${name}: ${truth.verdict}: ${truth.reason}`);
  } finally {
    await Promise.all(programs.map((program) => program.stop('SIGINT')));
    lab.tearDown();
  }
}

function store(name: string, scratch: string, state: string): void {
  const folder = join(ROOT, name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const files = ['router.pcapng', ...ROLES.flatMap((role) => [`${role}.pcapng`, `${role}-any.pcap`])];
  for (const file of files) {
    copyFileSync(join(scratch, file), join(folder, file));
    chmodSync(join(folder, file), 0o644); // dumpcap's files are its user's alone
    console.log(
      `  ${file}: ${/Number of packets:\s+(\d+)/.exec(run(['capinfos', '-Mc', join(folder, file)]))?.[1]} frames`,
    );
  }
  writeFileSync(join(folder, 'router.txt'), state);
}

const obstacle = labAvailable();
if (obstacle !== undefined) {
  console.error(obstacle);
  process.exitCode = 2;
} else {
  const names = process.argv.slice(2);
  for (const setUp of SET_UPS) if (names.length === 0 || names.includes(setUp.name)) await record(setUp);
}
