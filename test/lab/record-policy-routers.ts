/**
 * `npm run captures:policy-routers [-- --keep | --only NAME]`: records the traffic of the Cisco IOS and Sophos UTM scenarios anew and writes
 * their folders; with `--keep` the stored traffic is kept, and only configurations and descriptions are written; with `--only` that of one
 * scenario is recorded.
 */
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { parse, stringify } from 'yaml';
import { run } from './command.ts';
import { buildLab } from './lab.ts';
import {
  POLICY_ROUTER_SCENARIOS,
  type PolicyRouterScenario,
  TRAFFIC,
  type Traffic,
  type TrafficName,
} from './policy-router-scenarios.ts';
import { CAPTURE_FILES } from './recorder.ts';
import { CLIENTS_PREFIX, LAYOUTS, SERVERS_PREFIX, SERVICE_PORT } from './topology.ts';
import { deriveTruth } from './truth.ts';

const ROOT = fileURLToPath(new URL('../../captures', import.meta.url));
const SSH = 22;
/** Ethernet, IPv4 and the longest TCP header that the lab's hosts send. */
const HEADERS_LENGTH = 80;
const FORWARDER =
  'A Linux host, set up to do with each packet what this router does by its documentation: no such router was there.';

interface Recorded {
  readonly recorded: object;
  readonly kernel: object;
}

/** The first scenario of some traffic holds its capture. */
function ownerOf(traffic: TrafficName): string {
  return POLICY_ROUTER_SCENARIOS.find((scenario) => scenario.traffic === traffic)!.name;
}

async function record(name: TrafficName): Promise<Recorded> {
  const traffic: Traffic = TRAFFIC[name];
  const lab = await buildLab({
    spsSource: traffic.snat,
    ...(traffic.layout !== undefined && { layout: traffic.layout }),
    ...(traffic.extras !== undefined && { extras: traffic.extras }),
  });
  try {
    lab.configure(traffic.commands);
    await lab.routerState();
    const scratch = join(lab.namespaces.scratch, 'recording');
    const { evidence } = await lab.record(scratch, {
      snapLength: HEADERS_LENGTH,
      sessions: [[[traffic.request ?? 120, 300]]],
    });
    const folder = join(ROOT, ownerOf(name));
    mkdirSync(folder, { recursive: true });
    copyFileSync(join(scratch, CAPTURE_FILES.merged), join(folder, CAPTURE_FILES.merged));
    chmodSync(join(folder, CAPTURE_FILES.merged), 0o644);
    return {
      recorded: {
        kernel: release(),
        iptables: run(['iptables', '--version']).trim(),
        date: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
      },
      kernel: deriveTruth(evidence),
    };
  } finally {
    lab.tearDown();
  }
}

function kept(name: TrafficName): Recorded {
  const text = readFileSync(join(ROOT, ownerOf(name), 'scenario.yaml'), 'utf8');
  const { recorded, kernel } = parse(text) as Recorded;
  return { recorded, kernel };
}

function write(scenario: PolicyRouterScenario, { recorded, kernel }: Recorded): void {
  const folder = join(ROOT, scenario.name);
  const router = join(folder, 'router');
  rmSync(router, { recursive: true, force: true });
  mkdirSync(router, { recursive: true });
  for (const [name, text] of Object.entries(scenario.files)) writeFileSync(join(router, name), text);
  const owner = ownerOf(scenario.traffic);
  const description = {
    name: scenario.name,
    shows: scenario.shows,
    forwarder: scenario.constructed === undefined ? FORWARDER : `${FORWARDER} ${scenario.constructed}`,
    recorded,
    captures: { merged: owner === scenario.name ? CAPTURE_FILES.merged : `../${owner}/${CAPTURE_FILES.merged}` },
    router: 'router',
    site: 'redirect-verify.yaml',
    options: {},
    kernel,
    expect: scenario.expect,
  };
  writeFileSync(
    join(folder, 'scenario.yaml'),
    stringify(description, { lineWidth: 120, aliasDuplicateObjects: false }),
  );
  writeFileSync(join(folder, 'redirect-verify.yaml'), site(scenario));
}

function site(scenario: PolicyRouterScenario): string {
  const traffic: Traffic = TRAFFIC[scenario.traffic];
  const { sps } = LAYOUTS[traffic.layout ?? 'separate'];
  return [
    `sps: [${sps.address}]`,
    `spsInterfaces: [${scenario.spsInterface}]`,
    `snat: ${scenario.snat ?? traffic.snat}`,
    `services: [tcp/${SERVICE_PORT}]`,
    `clients: [${CLIENTS_PREFIX}]`,
    `servers: [${SERVERS_PREFIX}]`,
    '',
  ].join('\n');
}

async function main(keep: (scenario: PolicyRouterScenario) => boolean): Promise<void> {
  if (SERVICE_PORT !== SSH) throw new Error('the seed redirects ssh on these routers: set LAB_SERVICE_PORT=22');
  const traffic = new Map<TrafficName, Recorded>();
  for (const scenario of POLICY_ROUTER_SCENARIOS) {
    const name = scenario.traffic;
    const known = traffic.get(name) ?? (keep(scenario) ? kept(name) : await record(name));
    traffic.set(name, known);
    write(scenario, known);
    console.log(`${scenario.name}: ${name}`);
  }
}

const { values } = parseArgs({ options: { keep: { type: 'boolean' }, only: { type: 'string' } } });
await main((scenario) => values.keep === true || (values.only !== undefined && scenario.name !== values.only));
