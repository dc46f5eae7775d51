/** Records a scenario into its folder under `captures/`. */
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { run } from './command.ts';
import { buildLab, type Evidence, type Lab, type LabOptions } from './lab.ts';
import { parseProcedure, pastedProcedure } from './procedure.ts';
import { CAPTURE_FILES, type FrameCounts } from './recorder.ts';
import type { Expectation, RecordedScenario, Scenario, SetUp, Site, WhatIfScenario } from './scenarios.ts';
import {
  CLIENTS_PREFIX,
  CLIENTS_PREFIX_6,
  LAYOUTS,
  SERVERS_PREFIX,
  SERVERS_PREFIX_6,
  SERVICE_PORT,
  sessionAddress,
  usesIpv6,
} from './topology.ts';
import { deriveTruth, type Truth } from './truth.ts';

/** What came of it. */
export interface Outcome {
  readonly truth: Truth;
  /** Absent where nothing was recorded. */
  readonly frames?: FrameCounts;
}

const OTHER_FILES = [CAPTURE_FILES.any, ...Object.values(CAPTURE_FILES.perInterface)];
const ROUTER_FILE = 'router.txt';
const SITE_FILE = 'redirect-verify.yaml';

/** Throws where the kernel did not do what the scenario is about. Files of others in the folder are left alone. */
export async function recordScenario(scenario: Scenario, root: string): Promise<Outcome> {
  return scenario.kind === 'recorded' ? recordOne(scenario, root) : tryWhatIf(scenario, root);
}

async function recordOne(scenario: RecordedScenario, root: string): Promise<Outcome> {
  const lab = await buildLab(labOptions(scenario));
  const scratch = makeFolder(lab.namespaces.scratch, 'recording');
  try {
    const { snapLength, sessions, between, compact } = scenario;
    // What is stored as pasted text is also what configures the router: so the text is known to work.
    const pasted = pastedProcedure(scenario.commands);
    lab.configure(scenario.procedure ? parseProcedure(pasted) : scenario.commands);
    const state = await lab.routerState();
    const { evidence, frames } = await lab.record(scratch, {
      ...(snapLength !== undefined && { snapLength }),
      ...(sessions !== undefined && { sessions }),
      ...(between !== undefined && { between }),
    });
    const truth = requireTruth(scenario, evidence);
    const folder = makeFolder(root, scenario.name);
    const captures = compact === undefined ? CAPTURE_FILES : { merged: CAPTURE_FILES[compact] };
    for (const file of [captures.merged, ...(compact === undefined ? OTHER_FILES : [])]) {
      copyFileSync(join(scratch, file), join(folder, file));
      chmodSync(join(folder, file), 0o644); // dumpcap's files are its user's alone
    }
    writeFileSync(join(makeFolder(folder, 'router'), ROUTER_FILE), state);
    if (scenario.procedure) writeProcedure(makeFolder(folder, 'procedure'), pasted, lab);
    writeDescription(folder, scenario, { truth, captures, router: 'router', options: {} });
    return { truth, frames };
  } finally {
    lab.tearDown();
  }
}

/** Nothing is recorded, but the truth is the kernel's: the same sessions are run under that configuration. */
async function tryWhatIf(scenario: WhatIfScenario, root: string): Promise<Outcome> {
  const lab = await buildLab(labOptions(scenario));
  try {
    lab.configure(scenario.commands);
    const state = await lab.routerState();
    const truth = requireTruth(scenario, await lab.observe());
    const { capturesOf, routerFolder } = scenario;
    writeFileSync(join(makeFolder(join(root, capturesOf), routerFolder), ROUTER_FILE), state);
    const from = (file: string) => `../${capturesOf}/${file}`;
    writeDescription(makeFolder(root, scenario.name), scenario, {
      truth,
      captures: {
        merged: from(CAPTURE_FILES.merged),
        any: from(CAPTURE_FILES.any),
        perInterface: Object.fromEntries(
          Object.entries(CAPTURE_FILES.perInterface).map(([name, file]) => [name, from(file)]),
        ),
      },
      router: from(routerFolder),
      options: { 'what-if': true },
    });
    return { truth };
  } finally {
    lab.tearDown();
  }
}

/** How a scenario's lab is built. */
export function labOptions({ snat, spsSource = snat, ...setUp }: SetUp): LabOptions {
  const { spsCondition = 'proxy', bystander = false, offloads = false, layout = 'separate', extras = [] } = setUp;
  const { spsTarget = 'original', unrelatedSequences = false } = setUp;
  return { spsSource, spsCondition, bystander, offloads, layout, extras, spsTarget, unrelatedSequences };
}

/** The expectation is checked against the kernel here, and the tool against the expectation elsewhere. */
function requireTruth(scenario: Scenario, evidence: Evidence): Truth {
  const truth = deriveTruth(evidence);
  const want = scenario.expect.kernel ?? scenario.expect.verdict;
  if (truth.verdict !== want)
    throw new Error(`${scenario.name}: the kernel says ${truth.verdict}, not ${want}: ${truth.reason}`);
  return truth;
}

interface Description {
  readonly truth: Truth;
  readonly captures: object;
  readonly router: string;
  readonly options: object;
}

function writeDescription(folder: string, scenario: Scenario, { truth, captures, router, options }: Description): void {
  const description = {
    name: scenario.name,
    shows: scenario.shows,
    recorded: {
      kernel: release(),
      iptables: run(['iptables', '--version']).trim(),
      date: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
    },
    captures,
    router,
    site: SITE_FILE,
    options,
    kernel: truth,
    expect: storedExpectation(scenario.expect),
  };
  writeFileSync(
    join(folder, 'scenario.yaml'),
    stringify(description, { lineWidth: 120, aliasDuplicateObjects: false }),
  );
  writeFileSync(join(folder, SITE_FILE), site(scenario));
}

/** What the kernel does stands beside it already. */
function storedExpectation({ kernel: _, ...expectation }: Expectation): object {
  return expectation;
}

/** The intent, as the tool's user states it. */
function site(scenario: Scenario): string {
  const hosts = LAYOUTS[scenario.layout ?? 'separate'];
  const { sps } = hosts;
  const isIpv6 = usesIpv6(hosts);
  const stated: Site = {
    sps: [sessionAddress(sps)],
    spsInterfaces: [sps.interface],
    snat: scenario.snat,
    services: [`tcp/${SERVICE_PORT}`],
    clients: [isIpv6 ? CLIENTS_PREFIX_6 : CLIENTS_PREFIX],
    servers: [isIpv6 ? SERVERS_PREFIX_6 : SERVERS_PREFIX],
    ...scenario.site,
  };
  const lines = Object.entries(stated).map(([key, value]) => {
    return `${key}: ${typeof value === 'string' ? value : `[${value.join(', ')}]`}`;
  });
  return `${lines.join('\n')}\n`;
}

function writeProcedure(folder: string, pasted: string, lab: Lab): void {
  writeFileSync(join(folder, 'seed.txt'), pasted);
  writeFileSync(join(folder, 'ip-addr.txt'), lab.routerAddresses());
}

function makeFolder(...parts: string[]): string {
  const folder = join(...parts);
  mkdirSync(folder, { recursive: true });
  return folder;
}
