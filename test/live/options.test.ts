import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Report } from '../../src/report/report.ts';
import { ROOT, runCli } from '../cli/compiled-cli.ts';
import { essence, pause, startLive } from './live-run.ts';

const scratch = mkdtempSync(join(tmpdir(), 'redirect-verify-live-options-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const GOOD = 'captures/seed-own-address';
const BAD = 'captures/rp-filter-strict-all';
const capture = (folder: string): Buffer => readFileSync(join(ROOT, folder, 'capture.pcapng'));
const siteOf = (folder: string): string[] => [
  '--router',
  `${folder}/router`,
  '--site',
  `${folder}/redirect-verify.yaml`,
];
const json = (text: string): Report => JSON.parse(text) as Report;

describe('--until-verified', () => {
  it.each([
    { name: 'ends with 0 while the capture goes on', folder: GOOD, count: '2', further: [], want: 0 },
    { name: 'ends with 1 at the first failure', folder: BAD, count: '1', further: [], want: 1 },
    { name: 'ends with 3 when time is up', folder: GOOD, count: '5', further: ['--duration', '4'], want: 3 },
    {
      name: 'ends with 0 after a failure that is not to count',
      folder: BAD,
      count: '1',
      further: ['--fail-on', 'never'],
      want: 0,
    },
  ])('$name', async ({ folder, count, further, want }) => {
    const live = startLive(['-', ...siteOf(folder), '--until-verified', count, ...further]);
    live.child.stdin!.write(capture(folder));
    expect((await live.ended).status).toBe(want);
  });

  it.each([
    ['4', 0],
    ['5', 3],
  ])('of a stream that ends, %s: %i', (count, want) => {
    expect(runCli(['live', '-', ...siteOf(GOOD), '--until-verified', count], { input: capture(GOOD) }).status).toBe(
      want,
    );
  });
});

it('--format ndjson has events before the usual lines', async () => {
  const live = startLive(['-', ...siteOf(BAD), '--format', 'ndjson']);
  live.child.stdin!.write(capture(BAD));
  await live.until(/"event":"finding"/);
  live.child.stdin!.end();
  const lines = (await live.ended).stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { type: string; event?: string });
  const types = lines.map((line) => line.type);
  expect([...new Set(types)]).toEqual(['header', 'event', 'connection', 'finding', 'summary']);
  expect(new Set(lines.map((line) => line.event))).toEqual(new Set([undefined, 'connection', 'verdict', 'finding']));
  expect(types.filter((type) => type === 'connection')).toHaveLength(4);
});

it('elsewhere than at a terminal each event is a line', async () => {
  const live = startLive(['-', ...siteOf(BAD)]);
  live.child.stdin!.write(capture(BAD));
  await live.until(/failed 1 tcp .* RV602/);
  live.child.stdin!.end();
  const { stdout } = await live.ended;
  expect(stdout).toMatch(/^\d{4}-\S+Z new 1 tcp 192\.168\.0\.10:\d+ > 10\.0\.0\.10:3389$/m);
  expect(stdout).toMatch(/^FAILED {2}4 connections: 4 failed$/m);
});

describe('--max-connections', () => {
  it('forgets connections, but not what was found out about them', async () => {
    const live = startLive(['-', ...siteOf(GOOD), '--format', 'json', '--max-connections', '3']);
    live.child.stdin!.write(capture(GOOD));
    live.child.stdin!.end();
    const report = json((await live.ended).stdout);
    expect(report.summary.connections).toBe(8);
    expect(report.givenUp!.connections).toBeGreaterThanOrEqual(5);
    expect(report.connections.length + report.givenUp!.connections).toBe(8);
  });

  it('changes nothing where there are no more', () => {
    const args = ['live', '-', ...siteOf(BAD), '--format', 'json'];
    const [want, got] = [[], ['--max-connections', '4']].map((further) =>
      runCli([...args, ...further], { input: capture(BAD) }),
    );
    expect(essence(json(got!.stdout))).toEqual(essence(json(want!.stdout)));
  });
});

it("the router's state is read again at SIGHUP; a state that cannot be read does not replace the one before", async () => {
  const router = join(scratch, 'router.txt');
  copyFileSync(join(ROOT, BAD, 'router/router.txt'), router);
  const live = startLive(['-', '--router', router, '--site', `${BAD}/redirect-verify.yaml`, '--format', 'ndjson']);
  live.child.stdin!.write(capture(BAD));
  await live.until(/"event":"verdict"/);
  live.child.kill('SIGHUP');
  await pause(800);
  expect(live.output().stdout).not.toContain('"event":"state"');
  writeFileSync(router, 'what is this\n');
  live.child.kill('SIGHUP');
  await live.until(/could not be read again/);
  writeFileSync(
    router,
    readFileSync(join(ROOT, BAD, 'router/router.txt'), 'utf8').replaceAll('rp_filter = 1', 'rp_filter = 0'),
  );
  live.child.kill('SIGHUP');
  await live.until(/was read again; from here/);
  live.child.stdin!.end();
  const summary = JSON.parse((await live.ended).stdout.trimEnd().split('\n').at(-1)!) as Report;
  expect(summary).toMatchObject({
    type: 'summary',
    verdict: 'inconclusive',
    connections: 0,
    earlier: [{ verdict: 'failed' }],
  });
});

describe('--metrics', () => {
  it('serves what is known now, at /metrics alone', async () => {
    const port = 20_000 + (process.pid % 20_000);
    const live = startLive(['-', ...siteOf(BAD), '--metrics', `127.0.0.1:${port}`]);
    live.child.stdin!.write(capture(BAD));
    await live.until(/failed 1 tcp/);
    const got = await fetch(`http://127.0.0.1:${port}/metrics`);
    expect(got.headers.get('content-type')).toContain('text/plain; version=0.0.4');
    const text = await got.text();
    expect(text).toContain('redirect_verify_connections{service="tcp/3389",verdict="failed"} 4');
    expect(text).toContain('redirect_verify_analysed_packets_total 44');
    expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(404);
    expect((await fetch(`http://127.0.0.1:${port}/metrics`, { method: 'POST' })).status).toBe(405);
    const second = runCli(['live', '-', ...siteOf(BAD), '--metrics', `${port}`], { input: capture(BAD) });
    expect(second).toMatchObject({ status: 2, stderr: expect.stringContaining('something else listens there') });
    live.child.stdin!.end();
    expect((await live.ended).status).toBe(1);
  });
});

describe('--write', () => {
  it.each([GOOD, BAD])('keeps %s so that verify says the same', (folder) => {
    const file = join(scratch, `${folder.replace('/', '-')}.pcapng`);
    const live = runCli(['live', '-', ...siteOf(folder), '--format', 'json', '--write', file], {
      input: capture(folder),
    });
    const again = runCli([file, ...siteOf(folder), '--format', 'json']);
    expect(essence(json(again.stdout))).toEqual(essence(json(live.stdout)));
  });

  it('never goes over an input, nor where it cannot', () => {
    const folder = join(scratch, 'inputs');
    mkdirSync(folder);
    copyFileSync(join(ROOT, BAD, 'router/router.txt'), join(folder, 'router.conf'));
    const args = ['live', '-', '--write'];
    const over = runCli([...args, 'router.conf'], { cwd: folder, input: capture(BAD) });
    expect(over).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('--write router.conf: is an input of this run'),
    });
    expect(readFileSync(join(folder, 'router.conf'), 'utf8').length).toBeGreaterThan(1000);
    const nowhere = runCli([...args, 'no/such/folder.pcapng'], { cwd: folder, input: capture(BAD) });
    expect(nowhere).toMatchObject({ status: 2, stderr: expect.stringContaining('cannot be written (ENOENT)') });
  });
});
