/**
 * A change window as the README has it, on a real router: a broken set-up is diagnosed, its fix script is written and run on the router,
 * verify and diff show the change, and the rollback restores the state that was there before. See test/lab/README.md.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { compiledCli, runCli } from '../cli/compiled-cli.ts';
import { CommandError, run } from '../lab/command.ts';
import { buildLab, type Lab, labAvailable } from '../lab/lab.ts';
import { CAPTURE_FILES } from '../lab/recorder.ts';
import { SCENARIOS } from '../lab/scenarios.ts';
import { storedScenario } from './stored-scenario.ts';

const LONGEST_MILLISECONDS = 240_000;
const ATTEMPTS = 3;
const obstacle = labAvailable();
const required = process.env.REDIRECT_VERIFY_LAB === '1';
if (obstacle !== undefined && !required) console.warn(`lab test of the fix script skipped: ${obstacle}`);

describe.skipIf(obstacle !== undefined && !required)('the change window', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'redirect-verify-window-'));
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  it.each(['policy-rule-behind-main', 'mark-before-connmark'])(
    '%s',
    async (name) => {
      compiledCli();
      const scenario = SCENARIOS.find((candidate) => candidate.name === name);
      if (scenario === undefined) throw new Error(`no scenario ${name}`);
      const { snat, spsSource = snat, bystander = false } = scenario;
      const { folder, site } = storedScenario(name);
      const lab = await buildLab({ spsSource, bystander });
      const place = (file: string): string => join(scratch, `${name}-${file}`);
      const said: string[] = [];
      const tool = (...args: string[]) => {
        const result = runCli([...args, '--site', join(folder, site ?? ''), '--no-progress']);
        said.push(
          `$ redirect-verify ${args.join(' ')}`.replaceAll(`${scratch}/${name}-`, ''),
          result.stdout.trimEnd(),
          result.stderr.trimEnd(),
          `[${result.status}]`,
        );
        return result;
      };
      const onRouter = (script: string): void => {
        said.push(`router# sh ${script.split('/').at(-1)}`.replace(`${name}-`, ''));
        run(lab.namespaces.enterRouter(['sh', script]));
      };
      try {
        lab.configure(scenario.commands);
        writeFileSync(place('before.txt'), await lab.routerState());
        const settings = settingsOf(lab);
        await record(lab, place('before'));
        const before = join(place('before'), CAPTURE_FILES.merged);
        const diagnosed = tool(before, '--router', place('before.txt'), '--quiet', '--fix-script', place('fix.sh'));
        expect(diagnosed).toMatchObject({ status: 1, stdout: expect.stringMatching(/^FAILED/) });
        expect(diagnosed.stderr).toContain('with them this traffic would be verified (what-if)');

        onRouter(place('fix.sh'));
        writeFileSync(place('after.txt'), await lab.routerState());
        expect(settingsOf(lab)).not.toEqual(settings);
        expect(tool('diff', '--before', place('before.txt'), '--after', place('after.txt'), before).stdout).toMatch(
          /CHANGED {2}\d+ connections: .*failed before, verified after/,
        );
        await record(lab, place('after'));
        const after = join(place('after'), CAPTURE_FILES.merged);
        expect(tool(after, '--router', place('after.txt'), '--quiet')).toMatchObject({
          status: 0,
          stdout: expect.stringMatching(/^VERIFIED/),
        });

        onRouter(place('fix.rollback.sh'));
        expect(settingsOf(lab)).toEqual(settings);
        writeFileSync(place('restored.txt'), await lab.routerState());
        expect(
          tool('diff', '--before', place('before.txt'), '--after', place('restored.txt'), before, '--quiet').stdout,
        ).toMatch(/^NO CHANGE/);
        if (process.env.REDIRECT_VERIFY_TRANSCRIPT !== undefined)
          writeFileSync(
            process.env.REDIRECT_VERIFY_TRANSCRIPT,
            `${said.join('\n')}\n--- fix.sh\n${readFileSync(place('fix.sh'), 'utf8')}--- fix.rollback.sh\n${readFileSync(place('fix.rollback.sh'), 'utf8')}`,
          );
      } finally {
        lab.tearDown();
      }
    },
    LONGEST_MILLISECONDS,
  );
});

/** What a fix may change, as the kernel has it. */
function settingsOf(lab: Lab): string {
  const show = (...argv: string[]): string => run(lab.namespaces.enterRouter(argv));
  return [
    show('iptables-save').replaceAll(/^#.*\n|\[\d+:\d+\]/gm, ''),
    show('ip', 'rule', 'show'),
    show('ip', 'route', 'show', 'table', 'all'),
    show('sysctl', '-a', '-r', 'net\\.ipv4\\.conf\\..*\\.(rp_filter|send_redirects|src_valid_mark)'),
  ].join('\n');
}

/** A busy machine may lose a frame in one of the ways of recording. */
async function record(lab: Lab, directory: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await lab.record(directory);
      return;
    } catch (error) {
      if (!(error instanceof CommandError) || attempt === ATTEMPTS) throw error;
    }
  }
}
