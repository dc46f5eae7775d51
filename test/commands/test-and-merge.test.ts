/** `test` and `merge` as the command line has them. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { runCli } from '../cli/compiled-cli.ts';
import { makeScratch, STORED } from '../cli/scratch.ts';
import { junitErrors } from '../formats/validate-junit.ts';

const scratch = makeScratch();
afterAll(() => scratch.remove());

/** A folder with the files of a stored scenario and a description of its own. */
function scenario(name: string, stored: 'seed-own-address' | 'empty-table', description: string): string {
  scratch.copy(`captures/${stored}/capture.pcapng`, `${name}/capture.pcapng`);
  scratch.copy(`captures/${stored}/router/router.txt`, `${name}/router/router.txt`);
  scratch.copy(`captures/${stored}/redirect-verify.yaml`, `${name}/redirect-verify.yaml`);
  scratch.write(`${name}/scenario.yaml`, description);
  return join(scratch.path, name);
}

const calm = (result: { status: number | null; stdout: string; stderr: string }) => ({
  status: result.status,
  stderr: result.stderr,
});

describe('test', () => {
  it('runs the stored scenarios, in each of their forms', () => {
    const result = runCli(['test', 'captures/seed-own-address', 'captures/what-if-correct', 'captures/empty-table']);
    expect(calm(result)).toEqual({ status: 0, stderr: '' });
    expect(result.stdout).toBe(
      'ok    captures/seed-own-address  verified\nok    captures/what-if-correct  verified\nok    captures/empty-table  failed\n3 scenarios in 9 runs: 9 passed\n',
    );
  });

  it('passes for every stored scenario', { timeout: 300_000 }, () => {
    const result = runCli(['test', 'captures']);
    expect(calm(result)).toEqual({ status: 0, stderr: '' });
    const folders = readdirSync('captures').filter((name) => existsSync(`captures/${name}/scenario.yaml`));
    expect(result.stdout.match(/^ok /gm)).toHaveLength(folders.length);
    expect(result.stdout).toMatch(new RegExp(`\\n${folders.length} scenarios in (\\d+) runs: \\1 passed\\n$`));
  });

  it('finds scenarios in folders below, the working directory by default', () => {
    scenario('tree/a/one', 'seed-own-address', 'captures: capture.pcapng\nexpect: { verdict: verified }\n');
    scenario(
      'tree/b',
      'empty-table',
      'captures: [capture.pcapng]\nrouter: router\nexpect: { verdict: failed, findings: [RV402] }\n',
    );
    const result = runCli(['test'], { cwd: join(scratch.path, 'tree') });
    expect(calm(result)).toEqual({ status: 0, stderr: '' });
    expect(result.stdout).toContain('2 scenarios: 2 passed');
    expect(runCli(['test', '--quiet'], { cwd: join(scratch.path, 'tree') }).stdout).toBe('2 scenarios: 2 passed\n');
  });

  it('says what is not as expected, ends with 1, and tells it in JUnit', async () => {
    const folder = scenario(
      'wrong',
      'empty-table',
      'captures: { merged: capture.pcapng }\nexpect: { verdict: verified, findings: [RV602], absent: [RV402] }\n',
    );
    const file = join(scratch.path, 'junit.xml');
    const result = runCli(['test', folder, '--junit', file]);
    expect(calm(result)).toEqual({ status: 1, stderr: '' });
    expect(result.stdout).toContain(`FAIL  ${folder}\n      merged: verdict: expected verified, got failed\n`);
    expect(result.stdout).toMatch(/RV602: expected, not found \(found: [RV\d ]*RV402[RV\d ]*\)/);
    expect(result.stdout).toMatch(/RV402: not expected: .+/);
    const xml = readFileSync(file, 'utf8');
    expect(await junitErrors(xml)).toEqual([]);
    expect(xml).toContain('tests="1" failures="1" errors="0"');
    expect(xml).toContain('verdict: expected verified, got failed');
  });

  it('--update writes what is reported, shows what changed, leaves the rest, and then all is well', () => {
    const text =
      '# a comment\nname: mine\ncaptures: capture.pcapng\nexpect:\n  verdict: verified # it was\n  findings: [RV602]\n  absent: [RV402, RV505]\n';
    const folder = scenario('old', 'empty-table', text);
    const updated = runCli(['test', folder, '--update']);
    expect(calm(updated)).toEqual({ status: 0, stderr: '' });
    expect(updated.stdout).toContain('updated verdict: verified -> failed');
    expect(updated.stdout).toMatch(/updated findings: RV602 -> .*RV402/);
    expect(updated.stdout).toContain('updated absent: RV402 RV505 -> RV505');
    const now = readFileSync(join(folder, 'scenario.yaml'), 'utf8');
    expect(now).toMatch(/^# a comment\nname: mine\ncaptures: capture\.pcapng\n/);
    expect(now).toContain('verdict: failed');
    const again = runCli(['test', folder, '--update']);
    expect(again.stdout).not.toContain('updated');
    expect(readFileSync(join(folder, 'scenario.yaml'), 'utf8')).toBe(now);
  });

  it('without an expectation fails and says how to get one', () => {
    const folder = scenario('new', 'seed-own-address', 'captures: capture.pcapng\n');
    const result = runCli(['test', folder]);
    expect(result.status).toBe(1);
    expect(result.stdout).toContain('--update writes what is reported now (verified)');
    expect(runCli(['test', folder, '--update']).stdout).toContain('updated verdict: nothing -> verified');
    expect(runCli(['test', folder]).status).toBe(0);
  });

  it.each([
    {
      name: 'a key nobody reads',
      text: 'captures: a.pcap\nexpects: { verdict: verified }\n',
      says: /scenario\.yaml:2:\d+: expects: /,
    },
    {
      name: 'no verdict of that name',
      text: 'captures: a.pcap\nexpect: { verdict: good }\n',
      says: /scenario\.yaml:2:\d+: expect\.verdict: /,
    },
    { name: 'no captures', text: 'expect: { verdict: verified }\n', says: /captures: / },
    { name: 'no YAML', text: 'captures: [\n', says: /scenario\.yaml:\d+:\d+: not YAML/ },
    {
      name: 'a capture that is not there',
      text: 'captures: none.pcap\nexpect: { verdict: verified }\n',
      says: /none\.pcap: no such file/,
    },
  ])('$name: the others run, and the end is 2', ({ text, says }) => {
    const broken = scenario('some/broken', 'seed-own-address', text);
    scenario('some/good', 'seed-own-address', 'captures: capture.pcapng\nexpect: { verdict: verified }\n');
    const result = runCli(['test', join(scratch.path, 'some')]);
    expect(calm(result)).toEqual({ status: 2, stderr: '' });
    expect(result.stdout).toContain(`ERROR ${broken}`);
    expect(result.stdout).toMatch(says);
    expect(result.stdout).toContain('2 scenarios: 1 passed, 1 could not be run');
  });

  it.each([
    {
      name: 'a folder without scenarios',
      args: ['test', 'src/net'],
      says: /^redirect-verify: src\/net: no scenario\.yaml in this folder or below it\n$/,
    },
    {
      name: 'a folder that is not there',
      args: ['test', 'nowhere'],
      says: /^redirect-verify: nowhere: no such file or directory\n$/,
    },
    { name: 'a file', args: ['test', 'package.json'], says: /^redirect-verify: package\.json: is not a folder/ },
  ])('refuses $name with one line', ({ args, says }) => {
    const { status, stderr, stdout } = runCli(args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(says);
  });
});

describe('merge', () => {
  const reportOf = (name: string, capture: string, router: string = STORED.goodRouter): string => {
    const path = join(scratch.path, name);
    const result = runCli([
      capture,
      '--router',
      router,
      '--site',
      STORED.site,
      '--format',
      'json',
      '--output',
      path,
      '--no-progress',
    ]);
    expect(result.status).toBeLessThan(2);
    return path;
  };
  const first = reportOf('first.json', STORED.good);
  const second = reportOf('second.json', scratch.copy(STORED.good, 'copy.pcapng'));

  it('makes one report of several, in any format', () => {
    const text = runCli(['merge', first, second]);
    expect(calm(text)).toEqual({ status: 0, stderr: '' });
    expect(text.stdout).toMatch(/^VERIFIED {2}16 connections: 16 verified\n/);
    const json = JSON.parse(runCli(['merge', first, second, '--format', 'json']).stdout) as {
      captures: { path: string }[];
    };
    expect(json.captures.map((capture) => capture.path)).toEqual([STORED.good, join(scratch.path, 'copy.pcapng')]);
  });

  it('of one report is that report', () => {
    expect(runCli(['merge', first, '--format', 'json']).stdout).toBe(readFileSync(first, 'utf8'));
  });

  it('ends as a run does', () => {
    const failed = reportOf('failed.json', STORED.bad, STORED.badRouter);
    expect(runCli(['merge', failed]).status).toBe(1);
    expect(runCli(['merge', failed, '--fail-on', 'never']).status).toBe(0);
    expect(runCli(['merge', failed, first])).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/^redirect-verify: merge: .+ are not about the same router's state .+\n$/),
    });
  });

  it.each([
    { name: 'no JSON', content: 'VERIFIED\n', says: /is not JSON; a report is written with --format json/ },
    { name: 'other JSON', content: '{}', says: /is not a report of redirect-verify/ },
    {
      name: 'a report with a hole',
      content: () => readFileSync(first, 'utf8').replace('"verdict"', '"judgement"'),
      says: /is not a report of redirect-verify: verdict/,
    },
    {
      name: 'a report in which something is nested without end',
      content: () =>
        readFileSync(first, 'utf8').replace(
          '"dialects"',
          `"more": ${'['.repeat(100_000)}${']'.repeat(100_000)}, "dialects"`,
        ),
      says: /is not a report of redirect-verify: more than 64 levels$/m,
    },
    {
      name: 'a report with a very long word in the wrong place',
      content: () => readFileSync(first, 'utf8').replace(/"packets": \d+/, `"packets": "${'x'.repeat(100_000)}"`),
      says: /is not a report of redirect-verify: .{1,400}$/m,
    },
  ])('refuses $name with one line', ({ content, says }) => {
    const path = scratch.write('bad.json', typeof content === 'string' ? content : content());
    const { status, stderr, stdout } = runCli(['merge', path]);
    expect({ status, stdout, lines: stderr.trimEnd().split('\n').length }).toEqual({ status: 2, stdout: '', lines: 1 });
    expect(stderr).toMatch(says);
  });

  it('does not overwrite a report that it reads', () => {
    const { status, stderr } = runCli(['merge', first, '--output', first]);
    expect(status).toBe(2);
    expect(stderr).toContain('is an input of this run');
    expect(readFileSync(first, 'utf8')).toContain('"schema"');
  });
});
