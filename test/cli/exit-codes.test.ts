/** Exit codes, and where reports go: the part of the command line that scripts depend on. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ROOT, runCli } from './compiled-cli.ts';
import { makeScratch, STORED } from './scratch.ts';

const scratch = makeScratch();
afterAll(() => scratch.remove());

/** A capture without the monitored service: inconclusive. */
const NO_TRAFFIC = ['--service', 'tcp/9'];

describe('exit codes', () => {
  it.each([
    { name: '0 verified', args: [STORED.good], want: 0 },
    { name: '0 verified, the command written out', args: ['verify', STORED.good], want: 0 },
    { name: '0 verified with a warning', args: [STORED.warned], want: 0 },
    {
      name: '1 verified with a warning, which --fail-on warning counts',
      args: [STORED.warned, '--fail-on', 'warning'],
      want: 1,
    },
    { name: '0 verified without any warning, --fail-on warning', args: [STORED.good, '--fail-on', 'warning'], want: 0 },
    { name: '1 failed', args: [STORED.bad], want: 1 },
    { name: '1 failed, --fail-on error', args: [STORED.bad, '--fail-on', 'error'], want: 1 },
    { name: '0 failed, --fail-on never', args: [STORED.bad, '--fail-on', 'never'], want: 0 },
    { name: '3 inconclusive: nothing monitored is in the capture', args: [STORED.good, ...NO_TRAFFIC], want: 3 },
    {
      name: '1 inconclusive with a warning, --fail-on warning',
      args: [STORED.good, ...NO_TRAFFIC, '--fail-on', 'warning'],
      want: 1,
    },
    { name: '0 inconclusive, --fail-on never', args: [STORED.good, ...NO_TRAFFIC, '--fail-on', 'never'], want: 0 },
    { name: '2 could not run, even with --fail-on never', args: ['no-such-file.pcap', '--fail-on', 'never'], want: 2 },
    { name: '0 trace, also of what is failed', args: ['trace', STORED.bad], want: 0 },
    { name: '0 help', args: ['--help'], want: 0 },
    { name: '0 help of a command', args: ['trace', '--help'], want: 0 },
  ])('$name', ({ args, want }) => {
    expect(runCli(args)).toMatchObject({ status: want });
  });

  it('the verdict does not depend on --fail-on', () => {
    const verdicts = ['error', 'warning', 'never'].map((failOn) => {
      const { stdout } = runCli([STORED.bad, '--format', 'json', '--fail-on', failOn]);
      return (JSON.parse(stdout) as { verdict: string }).verdict;
    });
    expect(verdicts).toEqual(['failed', 'failed', 'failed']);
  });
});

describe('reports', () => {
  it('the first line of the text says the verdict', () => {
    expect(runCli([STORED.good]).stdout).toMatch(/^VERIFIED /);
    expect(runCli([STORED.bad]).stdout).toMatch(/^FAILED /);
    expect(runCli([STORED.good, ...NO_TRAFFIC]).stdout).toMatch(/^INCONCLUSIVE /);
  });

  it('--quiet says the verdict only', () => {
    const { stdout } = runCli([STORED.bad, '--quiet']);
    expect(stdout.trimEnd().split('\n')).toHaveLength(1);
    expect(stdout).toMatch(/^FAILED /);
  });

  it('json is the stored report, byte for byte, twice', () => {
    const args = [STORED.good, '--router', 'captures/seed-own-address/router', '--format', 'json'];
    const { stdout } = runCli(args);
    expect(stdout).toBe(readFileSync(join(ROOT, 'captures/seed-own-address/report.json'), 'utf8'));
    expect(runCli(args).stdout).toBe(stdout);
  });

  it('ndjson has a header first, a summary last, and a line for each connection and finding of the json report', () => {
    const lines = runCli([STORED.bad, '--format', 'ndjson'])
      .stdout.trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; schema?: string });
    const report = JSON.parse(runCli([STORED.bad, '--format', 'json']).stdout) as Record<string, unknown[]>;
    expect(lines[0]).toMatchObject({ type: 'header', schema: 'redirect-verify/report/1' });
    expect(lines.at(-1)).toMatchObject({ type: 'summary' });
    const ofType = (type: string) => lines.filter((line) => line.type === type).length;
    expect(ofType('connection')).toBe(report.connections!.length);
    expect(ofType('finding')).toBe(report.findings!.length);
    expect(lines).toHaveLength(2 + ofType('connection') + ofType('finding'));
  });

  it('--connections chooses which are listed, and says how many are not', () => {
    const listed = (which: string) => {
      const report = JSON.parse(runCli([STORED.bad, '--format', 'json', '--connections', which]).stdout) as {
        connections: unknown[];
        connectionsOmitted?: number;
      };
      return [report.connections.length, report.connectionsOmitted];
    };
    expect(listed('all')).toEqual([4, undefined]);
    expect(listed('failed')).toEqual([4, undefined]);
    expect(listed('none')).toEqual([0, 4]);
  });

  it('--output writes the same bytes to a file, nothing to standard output, and leaves no other file', () => {
    const folder = scratch.folder('reports');
    const path = join(folder, 'report.json');
    const { status, stdout } = runCli([STORED.bad, '--format', 'json', '--output', path]);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(readFileSync(path, 'utf8')).toBe(runCli([STORED.bad, '--format', 'json']).stdout);
    expect(readdirSync(folder)).toEqual(['report.json']);
  });

  it('no colours where standard output is no terminal, with and without NO_COLOR', () => {
    const control = '\u001b[';
    for (const env of [{}, { NO_COLOR: '1' }, { FORCE_COLOR: '1', NO_COLOR: '1' }]) {
      const { stdout, stderr } = runCli([STORED.bad], { env });
      expect(stdout + stderr).not.toContain(control);
    }
    expect(runCli([STORED.bad, '--no-color', '--no-progress']).stdout).not.toContain(control);
  });

  it('--verbose says more, and nothing less', () => {
    const plain = runCli([STORED.bad]).stdout;
    const verbose = runCli([STORED.bad, '--verbose']).stdout;
    expect(verbose.length).toBeGreaterThanOrEqual(plain.length);
  });
});

describe('--output is careful', () => {
  it.each([
    { name: 'the capture', path: STORED.good },
    { name: 'the router state', path: STORED.goodRouter },
    { name: 'the site file', path: STORED.site },
  ])('$name is not overwritten', ({ path }) => {
    const before = readFileSync(join(ROOT, path));
    const { status, stderr } = runCli([
      STORED.good,
      '--router',
      STORED.goodRouter,
      '--site',
      STORED.site,
      '--output',
      path,
    ]);
    expect(status).toBe(2);
    expect(stderr).toMatch(/^redirect-verify: --output .*is an input of this run and is not overwritten\n$/);
    expect(readFileSync(join(ROOT, path)).equals(before)).toBe(true);
  });

  it.each([
    { name: 'a folder that does not exist', output: 'nowhere/report.json' },
    { name: 'a folder', output: '.' },
    { name: 'a file where a folder should be', output: 'file/report.json' },
  ])('$name: one line, and no half file', ({ output }) => {
    const folder = join(scratch.path, 'careful');
    if (!existsSync(folder)) mkdirSync(folder);
    scratch.write('careful/file', 'x');
    const { status, stderr } = runCli([STORED.good, '--output', join(folder, output)]);
    expect(status).toBe(2);
    expect(stderr.trimEnd().split('\n').at(-1)).toMatch(/^redirect-verify: .*cannot be written \(E[A-Z]+\)$/);
    expect(readdirSync(folder)).toEqual(['file']);
  });
});

describe('--output to what is no plain file', () => {
  it('writes to a pipe and leaves it a pipe', async () => {
    const pipe = join(scratch.path, 'pipe');
    spawnSync('mkfifo', [pipe]);
    const reader = spawn('cat', [pipe], { stdio: ['ignore', 'pipe', 'inherit'] });
    const text = reader.stdout.setEncoding('utf8').toArray();
    expect(runCli([STORED.good, '--output', pipe])).toMatchObject({ status: 0, stdout: '' });
    expect((await text).join('')).toBe(runCli([STORED.good]).stdout);
    expect(lstatSync(pipe).isFIFO()).toBe(true);
  });

  it('writes to the file that a link names and leaves the link', () => {
    const target = scratch.write('link/target.txt', 'old');
    const link = join(scratch.path, 'link', 'link.txt');
    symlinkSync(target, link);
    expect(runCli([STORED.good, '--output', link])).toMatchObject({ status: 0 });
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(readFileSync(target, 'utf8')).toMatch(/^VERIFIED /);
  });
});

describe('a defect of the tool', () => {
  const ONCE_BEGUN =
    "process.on('newListener', (name) => { if (name === 'uncaughtException') setImmediate(() => DO); });";
  it.each([
    { name: 'in a run', sabotage: 'Array.prototype.toSorted = () => { throw new TypeError(WORDS); };' },
    { name: 'beside a run', sabotage: ONCE_BEGUN.replace('DO', '{ throw new TypeError(WORDS); }') },
    { name: 'in a promise', sabotage: ONCE_BEGUN.replace('DO', 'Promise.reject(new TypeError(WORDS))') },
  ])('$name is no verdict: 2, and a few lines', ({ sabotage }) => {
    const script = scratch.write('sabotage.cjs', sabotage.replace('WORDS', JSON.stringify('sabotaged \u001b[31m')));
    const { status, stdout, stderr } = runCli(
      [STORED.bad, '--format', 'html', '--output', join(scratch.path, 'defect')],
      {
        env: { NODE_OPTIONS: `--require ${script}` },
      },
    );
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/^redirect-verify \d\S+: a defect of this tool; there is no verdict\./m);
    expect(stderr).toContain('TypeError: sabotaged \\x1b[31m');
    expect(stderr.length).toBeLessThan(5000);
    expect(existsSync(join(scratch.path, 'defect'))).toBe(false);
  });
});

it('--version is that of package.json', () => {
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  expect(runCli(['--version'])).toMatchObject({ status: 0, stdout: `${manifest.version}\n`, stderr: '' });
});
