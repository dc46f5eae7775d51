/** `--fix-script`: what it writes, and that its rollback takes everything back. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixCommands, rollbackPath } from '../../src/commands/fix-script.ts';
import { applyLinuxCommands, parseRouterState } from '../../src/dialects/index.ts';
import type { LinuxDevice } from '../../src/model/linux-device.ts';
import type { Report } from '../../src/report/report.ts';
import { undoable } from '../../src/verification/linux-undo.ts';
import { compiledCli, runCli } from '../cli/compiled-cli.ts';
import { makeScratch, STORED } from '../cli/scratch.ts';
import { STORED_REPORTS } from '../formats/rendered.ts';

const scratch = makeScratch();
beforeAll(() => {
  compiledCli();
});
afterAll(() => scratch.remove());

/** What a configuration is, apart from where it stands. */
function contentOf(device: LinuxDevice): object {
  return {
    rules: device.rulesets.flatMap((ruleset) =>
      ruleset.tables.flatMap((table) =>
        table.chains.map((chain) => [
          ruleset.family,
          table.name,
          chain.name,
          chain.rules.map(({ matches, target }) => [matches, target]),
        ]),
      ),
    ),
    policy: device.policyRules.map(({ origin: _, ...rule }) => rule),
    routes: device.routes.map(({ origin: _, ...route }) => JSON.stringify(route)).sort(),
    sysctls: [...device.sysctls].map(([name, { value }]) => `${name}=${value}`).sort(),
  };
}

function deviceOf(report: Report): LinuxDevice {
  return parseRouterState(report.router.sources.map(({ path }) => ({ path, text: readFileSync(path, 'utf8') })));
}

const fixable = STORED_REPORTS.filter(
  ({ report }) => report.router.dialects.some((name) => name.startsWith('linux')) && fixCommands(report).length > 0,
);

describe('the rollback', () => {
  it.each(fixable)('takes back every command, the last one first: $name', ({ report }) => {
    const device = deviceOf(report);
    const steps = undoable(
      device,
      fixCommands(report).map((item) => item.command),
    );
    expect(steps.filter((step) => step.undo.length === 0)).toEqual([]);
    const changed = applyLinuxCommands(
      device,
      steps.map((step) => step.command),
    );
    expect(contentOf(changed)).not.toEqual(contentOf(device));
    const back = applyLinuxCommands(
      changed,
      [...steps].reverse().flatMap((step) => step.undo),
    );
    expect(contentOf(back)).toEqual(contentOf(device));
    expect(back.problems.length).toBe(device.problems.length);
  });

  const device = deviceOf(STORED_REPORTS.find((item) => item.name === 'seed-own-address')!.report);
  it.each([
    { command: 'sysctl -w net.ipv4.conf.eth1.rp_filter=2', want: ['sysctl -w net.ipv4.conf.eth1.rp_filter=0'] },
    { command: 'sysctl -w net.ipv4.conf.eth1/5.rp_filter=2', want: [] },
    {
      command: 'iptables -t mangle -I PREROUTING 2 -i eth0 -j DROP',
      want: ['iptables -t mangle -D PREROUTING -i eth0 -j DROP'],
    },
    { command: 'iptables -I FORWARD -i eth0 -j ACCEPT', want: ['iptables -t filter -D FORWARD -i eth0 -j ACCEPT'] },
    {
      command: 'iptables -t mangle -D PREROUTING 2',
      want: ['iptables -t mangle -I PREROUTING 2 ! -i eth1 -m connmark --mark 0x1 -j MARK --set-xmark 0x1/0xffffffff'],
    },
    { command: 'iptables -t mangle -D PREROUTING -j DROP', want: [] },
    {
      command: 'ip route replace default via 172.16.0.9 dev eth1 table scb',
      want: ['ip route replace default via 172.16.0.1 dev eth1 table scb'],
    },
    {
      command: 'ip route replace 10.9.0.0/16 via 172.16.0.9 dev eth1 table 103',
      want: ['ip route del 10.9.0.0/16 via 172.16.0.9 dev eth1 table 103'],
    },
    { command: 'ip route del default table scb', want: ['ip route add default via 172.16.0.1 dev eth1 table scb'] },
    { command: 'modprobe something', want: [] },
  ])('of $command', ({ command, want }) => {
    expect(undoable(device, [command])[0]?.undo).toEqual(want);
  });

  it.each([
    ['fix.sh', 'fix.rollback.sh'],
    ['a.b/fix', 'a.b/fix.rollback'],
    ['x.fix.sh', 'x.fix.rollback.sh'],
  ])('stands beside %s as %s', (path, want) => {
    expect(rollbackPath(path)).toBe(want);
  });
});

describe('verify --fix-script', () => {
  const run = (name: string, ...args: string[]) =>
    runCli([`captures/${name}/capture.pcapng`, '--quiet', '--no-progress', ...args]);
  const path = join(scratch.path, 'fix.sh');

  it('writes both scripts, says what the traffic would be with it, and does not change the end of the run', () => {
    const got = run('policy-rule-behind-main', '--fix-script', path);
    expect({ status: got.status, stdout: got.stdout }).toEqual({
      status: 1,
      stdout: 'FAILED  4 connections: 4 failed\n',
    });
    expect(got.stderr).toContain(
      `fix script: ${path}, 2 commands, rollback ${rollbackPath(path)}; with them this traffic would be verified (what-if)`,
    );
    const script = readFileSync(path, 'utf8');
    expect(script).toMatch(/^#!\/bin\/sh\n/);
    expect(script).toMatch(
      /\n# #\d+ RV403 shadowed-policy-rule.*\n# {3}\S.*\nip rule add pref 32765 fwmark 0x1 table scb\nip rule del pref 40000 fwmark 0x1 table scb\n$/,
    );
    const rollback = readFileSync(rollbackPath(path), 'utf8');
    expect(rollback.indexOf('ip rule add pref 40000')).toBeLessThan(rollback.indexOf('ip rule del pref 32765'));
    for (const text of [script, rollback])
      expect(spawnSync('sh', ['-n'], { input: text, encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
  });

  it('nothing to fix: no file', () => {
    const none = join(scratch.path, 'none.sh');
    const got = run('seed-own-address', '--fix-script', none);
    expect(got.stderr).toContain('no finding has a fix, none written');
    expect(existsSync(none)).toBe(false);
  });

  it('refuses another router than a Linux one before anything is run', () => {
    const folder = 'captures/utm-correct';
    const { status, stdout, stderr } = runCli([
      STORED.good,
      ...['--router', `${folder}/router`, '--site', `${folder}/redirect-verify.yaml`, '--fix-script', path],
    ]);
    expect({ status, stdout, stderr }).toEqual({
      status: 2,
      stdout: '',
      stderr: 'redirect-verify: --fix-script: only the fixes of a Linux router are written as a script\n',
    });
  });

  it.each([
    {
      name: 'an input',
      to: () => scratch.copy(STORED.badRouter, 'router.txt'),
      says: /--fix-script .*router\.txt: is an input of this run/,
    },
    {
      name: 'a folder that is not there',
      to: () => join(scratch.path, 'nowhere', 'fix.sh'),
      says: /nowhere\/fix\.sh: cannot be written/,
    },
  ])('refuses $name with one line', ({ to, says }) => {
    const target = to();
    const router = existsSync(target) ? target : STORED.badRouter;
    const { status, stderr } = runCli([
      STORED.bad,
      '--router',
      router,
      '--quiet',
      '--no-progress',
      '--fix-script',
      target,
    ]);
    const lines = stderr
      .trimEnd()
      .split('\n')
      .filter((line) => !/^(router state|site file): /.test(line));
    expect({ status, lines: lines.length }).toEqual({ status: 2, lines: 1 });
    expect(stderr).toMatch(says);
  });
});
