/** `npm run captures:join [-- SCENARIO...]`: records the stored joins anew, all of them or those named. */
import { copyFileSync, chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { type Background, run, sleep, start } from './command.ts';
import { forgetNeighbours } from './hosts.ts';
import { JOIN_SCENARIOS, type JoinScenario, SPP_ADDRESS } from './join-scenarios.ts';
import { buildLab, type Lab, labAvailable } from './lab.ts';
import { OWN_ADDRESS } from './procedure.ts';
import { CAPTURE_FILES, startRecorder } from './recorder.ts';
import { HOSTS } from './topology.ts';

const ROOT = fileURLToPath(new URL('../../captures', import.meta.url));
const PEERS = fileURLToPath(new URL('peers', import.meta.url));
const CLUSTER_PORT = '8649';
const SNAP_LENGTH = 4096;
const SETTLE_MILLISECONDS = 300;

/** A key and a certificate that is its own issuer, made for this recording alone. */
function makeCertificate(
  scratch: string,
  { names, expired = false }: JoinScenario,
): { certificate: string; key: string } {
  const [certificate, key] = [join(scratch, 'spp.pem'), join(scratch, 'spp.key')];
  const day = (offset: number) =>
    `${new Date(Date.now() + offset * 86_400_000).toISOString().slice(0, 10).replaceAll('-', '')}000000Z`;
  // `openssl req` has no way to make a certificate of the past; `openssl ca` needs a folder.
  const folder = join(scratch, 'ca');
  mkdirSync(folder);
  writeFileSync(join(folder, 'index.txt'), '');
  writeFileSync(
    join(folder, 'ca.cnf'),
    `[ca]\ndefault_ca=d\n[d]\ndatabase=${folder}/index.txt\nnew_certs_dir=${folder}\nrand_serial=yes\ndefault_md=sha256\npolicy=p\nunique_subject=no\n[p]\ncommonName=supplied\n[x]\nsubjectAltName=${names}\nbasicConstraints=critical,CA:true\n`,
  );
  run(['openssl', 'ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', key]);
  const request = join(folder, 'request.pem');
  run(
    [
      'openssl',
      'req',
      '-new',
      '-key',
      key,
      '-subj',
      '/CN=spp.example',
      '-out',
      request,
      '-config',
      '/dev/null',
      '-batch',
    ],
    '',
  );
  const validity = expired
    ? ['-startdate', day(-60), '-enddate', day(-2)]
    : ['-startdate', day(-2), '-enddate', day(3650)];
  run([
    ...['openssl', 'ca', '-batch', '-selfsign', '-notext', '-config', join(folder, 'ca.cnf'), '-extensions', 'x'],
    ...['-keyfile', key, '-in', request, '-out', certificate, ...validity],
  ]);
  return { certificate, key };
}

async function record(scenario: JoinScenario): Promise<void> {
  const lab = await buildLab({ spsCondition: 'unreachable' });
  try {
    await recordIn(lab, scenario);
  } finally {
    lab.tearDown();
  }
}

async function recordIn(lab: Lab, scenario: JoinScenario): Promise<void> {
  const { namespaces } = lab;
  // The lab's SPS as a plain host that answers: joining is its own traffic, no proxying.
  run(namespaces.enter('sps', ['ip', 'link', 'set', 'eth0', 'arp', 'on']));
  run(namespaces.enter('server', ['ip', 'addr', 'add', `${SPP_ADDRESS}/24`, 'dev', 'eth0']));
  lab.configure(scenario.commands ?? OWN_ADDRESS);
  const state = await lab.routerState();
  const { certificate, key } = makeCertificate(namespaces.scratch, scenario);
  const python = (...argv: string[]) => ['python3', '-B', join(PEERS, argv[0]!), ...argv.slice(1)];
  const peers: Background[] = [
    start(namespaces.enter('server', python('spp.py', SPP_ADDRESS, certificate, key, scenario.tls))),
  ];
  if (scenario.clusterPortClosed !== 'spp')
    peers.push(start(namespaces.enter('server', python('server.py', SPP_ADDRESS, CLUSTER_PORT))));
  peers.push(start(namespaces.enter('sps', python('server.py', HOSTS.sps.address, CLUSTER_PORT))));
  for (const peer of peers) await peer.until(() => peer.events.some((event) => event.event === 'ready'), 'ready');
  const outcome = async (role: 'sps' | 'server', ...argv: string[]): Promise<string> => {
    const client = start(namespaces.enter(role, python('join.py', ...argv)));
    await client.finished();
    return String(client.events.find((event) => event.event === 'ended')?.outcome);
  };
  forgetNeighbours(namespaces);
  const recorder = await startRecorder(namespaces, namespaces.scratch, {
    snapLength: SNAP_LENGTH,
    furtherInterfaces: [],
  });
  const outcomes = [
    await outcome('sps', 'https', SPP_ADDRESS, scenario.entered, certificate),
    await outcome('sps', 'connect', HOSTS.sps.address, SPP_ADDRESS, CLUSTER_PORT),
    await outcome('server', 'connect', SPP_ADDRESS, HOSTS.sps.address, CLUSTER_PORT),
  ];
  await sleep(SETTLE_MILLISECONDS);
  await recorder.stop();
  for (const peer of peers) await peer.stop('SIGTERM');
  if (outcomes.join() !== scenario.outcomes.join())
    throw new Error(`${scenario.name}: the peers say ${outcomes.join(', ')}, not ${scenario.outcomes.join(', ')}`);
  writeFolder(scenario, namespaces.scratch, state);
}

function writeFolder(scenario: JoinScenario, scratch: string, state: string): void {
  const folder = join(ROOT, scenario.name);
  mkdirSync(folder, { recursive: true });
  // One interface shows every packet of the join once, and each attempt that reaches the router there.
  const capture = CAPTURE_FILES.perInterface[scenario.interface ?? 'eth1'];
  copyFileSync(join(scratch, capture), join(folder, capture));
  chmodSync(join(folder, capture), 0o644);
  if (scenario.routerOf === undefined) {
    mkdirSync(join(folder, 'router'), { recursive: true });
    writeFileSync(join(folder, 'router', 'router.txt'), state);
  }
  const { name, shows, entered, outcomes, expect, routerOf } = scenario;
  const site = { join: { spp: SPP_ADDRESS, sps: HOSTS.sps.address, entered } };
  writeFileSync(join(folder, 'redirect-verify.yaml'), stringify(site));
  const description = {
    name,
    shows,
    recorded: {
      kernel: release(),
      openssl: run(['openssl', 'version']).trim(),
      date: new Date().toISOString().slice(0, 10),
    },
    capture,
    router: routerOf === undefined ? 'router' : `../${routerOf}/router`,
    outcomes: { 'sps to spp 443': outcomes[0], 'sps to spp 8649': outcomes[1], 'spp to sps 8649': outcomes[2] },
    expect,
  };
  writeFileSync(join(folder, 'join.yaml'), stringify(description, { lineWidth: 130 }));
}

async function main(names: readonly string[]): Promise<number> {
  const obstacle = labAvailable();
  if (obstacle !== undefined) {
    console.error(`captures:join: ${obstacle}`);
    return 2;
  }
  for (const scenario of JOIN_SCENARIOS.filter(({ name }) => names.length === 0 || names.includes(name))) {
    await record(scenario);
    console.log(`${scenario.name}: recorded`);
  }
  return 0;
}

process.exitCode = await main(process.argv.slice(2));
