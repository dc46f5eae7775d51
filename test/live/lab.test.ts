import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Report } from '../../src/report/report.ts';
import { ROOT, runCli } from '../cli/compiled-cli.ts';
import { run } from '../lab/command.ts';
import { buildLab, type Lab, type LabOptions, labAvailable } from '../lab/lab.ts';
import { OWN_ADDRESS, SPOOFING } from '../lab/procedure.ts';
import { essence, type LiveProcess, pause, startLive } from './live-run.ts';

/** What `npm ci` could build where libpcap's headers are; .ci/run asks for it. */
const hasCap = existsSync(join(ROOT, 'node_modules/cap/build/Release/cap.node'));
const obstacle = labAvailable();
const required = process.env.REDIRECT_VERIFY_LAB === '1';
if (obstacle !== undefined && !required) console.warn(`live lab tests skipped: ${obstacle}`);

const INTENT = [
  '--sps',
  '172.16.0.1',
  '--service',
  'tcp/3389',
  '--clients',
  '192.168.0.0/24',
  '--servers',
  '10.0.0.0/24',
];
const THREE = ['-i', 'eth0', '-i', 'eth1', '-i', 'eth2'];
/** Until frames that left at the end are read. */
const DRAIN_MILLISECONDS = 2500;

interface SetUp {
  readonly name: string;
  readonly options: LabOptions;
  readonly commands: readonly string[];
  readonly snat: string;
  readonly verdict: Report['verdict'];
  readonly code?: string;
}

const SET_UPS: readonly SetUp[] = [
  { name: 'a correct one', options: { spsSource: 'client' }, commands: SPOOFING, snat: 'client', verdict: 'verified' },
  {
    name: 'a strict reverse path filter',
    options: {},
    commands: [...OWN_ADDRESS, 'sysctl -w net.ipv4.conf.eth1.rp_filter=1'],
    snat: 'own',
    verdict: 'failed',
    code: 'RV602',
  },
  {
    name: 'no redirect of replies',
    options: { spsSource: 'client' },
    commands: OWN_ADDRESS,
    snat: 'client',
    verdict: 'failed',
    code: 'RV601',
  },
  {
    name: 'a redirect of another port',
    options: {},
    commands: OWN_ADDRESS.map((command) => command.replace('3389', '3390')),
    snat: 'own',
    verdict: 'failed',
    code: 'RV501',
  },
];

// With REDIRECT_VERIFY_LAB=1 they run, or fail with the reason.
describe.skipIf(obstacle !== undefined && !required)('live on a router that forwards', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'redirect-verify-live-lab-'));
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  it.each(SET_UPS)(
    'says of $name what verify says of the same traffic',
    async (setUp) => {
      const folder = mkdtempSync(join(scratch, 'set-up-'));
      const router = join(folder, 'router.txt');
      const site = ['--router', router, ...INTENT, '--snat', setUp.snat, '--format', 'json'];
      const written = (name: string): string => join(folder, `${name}.pcapng`);
      const runs = await withLab(setUp.options, async (lab) => {
        lab.configure(setUp.commands);
        writeFileSync(router, await lab.routerState());
        const enter = (argv: readonly string[]) => lab.namespaces.enter('router', argv);
        const live: Record<string, LiveProcess> = {
          three: startLive([...THREE, ...site, '--write', written('three')], enter),
          ...(hasCap && { cap: startLive(['--via', 'cap', ...site, '--write', written('cap')], enter) }),
          any: startLive(['-i', 'any', ...site, '--write', written('any')], enter),
          pipe: startLive(['-', ...site, '--write', written('pipe')]),
        };
        const argv = enter(['tcpdump', '-i', 'any', '-y', 'LINUX_SLL2', '-s', '256', '-U', '-w', '-', 'ip or arp']);
        const tcpdump = spawn(argv[0]!, argv.slice(1), { stdio: ['ignore', 'pipe', 'ignore'] });
        tcpdump.stdout.pipe(live.pipe!.child.stdin!);
        for (const one of Object.values(live)) await one.until(/capturing/);
        await lab.observe();
        await pause(DRAIN_MILLISECONDS);
        tcpdump.kill('SIGINT');
        for (const [name, one] of Object.entries(live)) if (name !== 'pipe') signalLive(one);
        return Object.fromEntries(
          await Promise.all(Object.entries(live).map(async ([name, one]) => [name, await one.ended] as const)),
        );
      });
      for (const [name, got] of Object.entries(runs)) {
        expect(got.stdout, `${name}: ${got.stderr}`).not.toBe('');
        const report = JSON.parse(got.stdout) as Report;
        const want = runCli([written(name), ...site]);
        expect({ name, ...(essence(report) as object) }).toEqual({
          name,
          ...(essence(JSON.parse(want.stdout) as Report) as object),
        });
        expect(got.status, name).toBe(want.status);
        expect(report.verdict, `${name}: ${got.stdout}`).toBe(setUp.verdict);
        if (setUp.code !== undefined) expect(report.findings.map((item) => item.code)).toContain(setUp.code);
        expect(report.summary.monitoredPackets).toBeGreaterThan(4);
      }
    },
    120_000,
  );

  it.skipIf(process.env.REDIRECT_VERIFY_CAP !== '1')('has cap where it is asked for', () => expect(hasCap).toBe(true));

  it('turns verified when the router is repaired while it runs, and tells before and after apart', async () => {
    const folder = mkdtempSync(join(scratch, 'repair-'));
    const router = join(folder, 'router.txt');
    const got = await withLab({}, async (lab) => {
      lab.configure([...OWN_ADDRESS, 'sysctl -w net.ipv4.conf.eth1.rp_filter=1']);
      writeFileSync(router, await lab.routerState());
      const live = startLive(
        ['--router', router, ...INTENT, '--snat', 'own', '--format', 'ndjson', '--watch'],
        (argv) => lab.namespaces.enter('router', argv),
      );
      await live.until(/"type":"header"/);
      await lab.observe();
      await live.until(/"event":"verdict","connection":\{[^\n]*"verdict":"failed"/);
      lab.applyFix(['sysctl -w net.ipv4.conf.eth1.rp_filter=0']);
      writeFileSync(router, await lab.routerState());
      await live.until(/read again/);
      await lab.observe();
      await live.until(/"verdict":"verified"/);
      await pause(DRAIN_MILLISECONDS);
      signalLive(live);
      return live.ended;
    });
    const lines = got.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.at(-1)).toMatchObject({
      type: 'summary',
      verdict: 'verified',
      failed: 0,
      earlier: [{ verdict: 'failed', summary: { verified: 0 } }],
    });
    expect(got.status).toBe(0);
  }, 120_000);

  it('goes on when an interface goes down and up, and when one is deleted, and says what is missing', async () => {
    const { report } = await whileInterfacesFail(
      mkdtempSync(join(scratch, 'interfaces-')),
      [...THREE, '-i', 'spare0', '-i', 'doomed0'],
      ['spare', 'doomed'],
      async ({ lab, live, ip }) => {
        ip('link', 'del', 'doomed0');
        await live.until(/doomed0 has gone away/);
        await lab.observe();
      },
    );
    expect(losses(report)).toEqual([
      expect.stringMatching(/live:spare0 was interrupted: the interface spare0 is down/),
      expect.stringMatching(/live:doomed0 was interrupted: the interface doomed0 has gone away/),
    ]);
    expect(report.summary).toMatchObject({ connections: 8, failed: 0 });
    expect(report.summary.monitoredPackets).toBeGreaterThan(100);
  }, 120_000);

  it.skipIf(!hasCap)(
    'goes on with cap when its interface goes down and up, and is deleted and made anew',
    async () => {
      const { report, status } = await whileInterfacesFail(
        mkdtempSync(join(scratch, 'interfaces-')),
        ['--via', 'cap', '-i', 'spare0'],
        ['spare'],
        async ({ live, ip, make }) => {
          ip('link', 'del', 'spare0');
          await live.until(/spare0 has gone away/);
          make('spare');
          await live.until(/again[\s\S]*again/);
        },
      );
      expect(losses(report)).toEqual([
        expect.stringMatching(/live:spare0 was interrupted 2 times: the interface spare0 is down/),
      ]);
      expect([report.verdict, status]).toEqual(['inconclusive', 3]);
    },
    120_000,
  );
});

interface FailingInterfaces {
  readonly lab: Lab;
  readonly live: LiveProcess;
  /** `ip` on the router. */
  readonly ip: (...argv: string[]) => void;
  /** Makes a pair of interfaces on the router, NAME0 and NAME1, that are up. */
  readonly make: (name: string) => void;
}

/** Captures on a router with pairs of interfaces of its own; spare0 goes down and up, then `further` happens, and the report is made. */
async function whileInterfacesFail(
  folder: string,
  sources: readonly string[],
  pairs: readonly string[],
  further: (running: FailingInterfaces) => Promise<void>,
): Promise<{ report: Report; status: number | null }> {
  const router = join(folder, 'router.txt');
  return withLab({}, async (lab) => {
    lab.configure(OWN_ADDRESS);
    writeFileSync(router, await lab.routerState());
    const ip = (...argv: string[]): void => {
      run(lab.namespaces.enter('router', ['ip', ...argv]));
    };
    const make = (name: string): void => {
      ip('link', 'add', `${name}0`, 'type', 'veth', 'peer', 'name', `${name}1`);
      for (const end of [0, 1]) ip('link', 'set', `${name}${end}`, 'up');
    };
    for (const name of pairs) make(name);
    const live = startLive([...sources, '--router', router, ...INTENT, '--snat', 'own', '--format', 'json'], (argv) =>
      lab.namespaces.enter('router', argv),
    );
    await live.until(/capturing/);
    ip('link', 'set', 'spare0', 'down');
    await live.until(/spare0 is down/);
    ip('link', 'set', 'spare0', 'up');
    await live.until(/spare0 is being captured again/);
    await further({ lab, live, ip, make });
    await pause(DRAIN_MILLISECONDS);
    signalLive(live);
    const { stdout, status } = await live.ended;
    return { report: JSON.parse(stdout) as Report, status };
  });
}

function losses(report: Report): string[] {
  return report.findings.filter((item) => item.code === 'RV104').map((item) => item.message);
}

/** The program that was started enters a namespace and becomes the tool. */
function signalLive(live: LiveProcess): void {
  live.child.kill('SIGINT');
}

async function withLab<T>(options: LabOptions, use: (lab: Lab) => Promise<T>): Promise<T> {
  const lab = await buildLab(options);
  try {
    return await use(lab);
  } finally {
    lab.tearDown();
  }
}
