import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ROOT, runCli } from '../cli/compiled-cli.ts';
import { pause, startLive } from './live-run.ts';

const CAP = join(ROOT, 'node_modules/cap/build/Release/cap.node');
const scratch = mkdtempSync(join(tmpdir(), 'redirect-verify-live-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function siteOf(scenario: string): string[] {
  const folder = `captures/${scenario}`;
  return ['--router', `${folder}/router`, '--site', `${folder}/redirect-verify.yaml`];
}

interface Comparable {
  readonly captures: { path: string }[];
  readonly findings: { where?: { path: string } }[];
}

/** A report without the name of the capture, which is the only thing that may differ. */
function comparable(text: string, path: string): unknown {
  return JSON.parse(text.replaceAll(JSON.stringify(path), '"CAPTURE"')) as Comparable;
}

describe('a capture on standard input that ends gives the report of verify', () => {
  const scenarios = ['seed-own-address', 'seed-spoofing', 'rp-filter-strict-all', 'empty-table', 'wrong-port'];
  it.each(scenarios)('%s', (scenario) => {
    const path = `captures/${scenario}/capture.pcapng`;
    const want = runCli([path, '--format', 'json', ...siteOf(scenario)]);
    const got = runCli(['live', '-', '--format', 'json', ...siteOf(scenario)], {
      input: readFileSync(join(ROOT, path)),
    });
    expect(comparable(got.stdout, '-')).toEqual(comparable(want.stdout, path));
    expect(got.status).toBe(want.status);
  });
});

describe('a stream that keeps growing', () => {
  const path = 'captures/rp-filter-strict-all/capture.pcapng';
  const capture = readFileSync(join(ROOT, path));
  const want = runCli([path, '--format', 'json', ...siteOf('rp-filter-strict-all')]);

  it('ends with the report at Ctrl-C, however its bytes were cut', async () => {
    const live = startLive(['-', '--format', 'json', ...siteOf('rp-filter-strict-all')]);
    for (let at = 0; at < capture.length; at += 1009) {
      live.child.stdin!.write(capture.subarray(at, at + 1009));
      if (at < 20_000) await pause(5);
    }
    await pause(2500);
    live.child.kill('SIGINT');
    const got = await live.ended;
    expect(comparable(got.stdout, '-')).toEqual(comparable(want.stdout, path));
    expect(got.status).toBe(1);
  });

  it('ends by itself after the time given, and after so many frames', async () => {
    const timed = startLive(['-', '--format', 'json', '--duration', '3', ...siteOf('rp-filter-strict-all')]);
    timed.child.stdin!.write(capture);
    const counted = startLive(['-', '--format', 'json', '--packets', '10', ...siteOf('rp-filter-strict-all')]);
    counted.child.stdin!.write(capture);
    expect(comparable((await timed.ended).stdout, '-')).toEqual(comparable(want.stdout, path));
    expect(JSON.parse((await counted.ended).stdout)).toMatchObject({ summary: { packets: 10 } });
  });

  it('comes by a named pipe, too, and may be left before anybody has opened it for writing', async () => {
    const pipe = join(scratch, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const live = startLive([pipe, '--format', 'json', ...siteOf('rp-filter-strict-all')]);
    execFileSync('sh', ['-c', 'cat "$0" > "$1"', join(ROOT, path), pipe]);
    expect(comparable((await live.ended).stdout, pipe)).toEqual(comparable(want.stdout, path));
    const idle = startLive([pipe, ...siteOf('rp-filter-strict-all')]);
    await pause(2500);
    idle.child.kill('SIGINT');
    expect((await idle.ended).status).toBe(2);
  });
});

describe('what cannot be listened to is told in one line', () => {
  const site = siteOf('seed-own-address');
  const file = join(scratch, 'file.pcap');
  writeFileSync(file, readFileSync(join(ROOT, 'captures/seed-own-address/capture.pcapng')));
  it.each([
    ['nothing on standard input', ['-', ...site], /-: is empty/],
    ['a file', [file, ...site], /is no pipe; redirect-verify .* verifies/],
    ['no such pipe', [join(scratch, 'nowhere'), ...site], /no such pipe/],
    ['two streams', ['-', '-', ...site], /give one stream/],
    ['a stream and an interface', ['-', '-i', 'lo', ...site], /either - or -i/],
    ['any beside another interface', ['-i', 'any', '-i', 'lo', ...site], /any: has all interfaces/],
    ['a name that would be an option', ['-i', '-w', ...site], /is no interface's name|argument missing/],
    ['no such interface', ['-i', 'nowhere0', ...site], /no such interface/],
    ['a time of nothing', ['-', '--duration', '0', ...site], /expected a time/],
    ['no router state', ['-'], /no router state/],
    ['another program', ['-', '--via', 'magic', ...site], /Allowed choices/],
  ])('%s', (_, args, words) => {
    const got = runCli(['live', ...args], { cwd: args.length === 1 ? scratch : ROOT });
    expect(got.stderr).toMatch(words);
    expect(got.stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(got.status).toBe(2);
  });

  const noPrograms = { PATH: '/nonexistent' };
  it.each([
    ['tcpdump', /--via tcpdump: is not installed: apt-get install tcpdump/],
    [
      'auto',
      existsSync(CAP)
        ? /cannot put frames of several interfaces in order/
        : /nothing is installed that captures: apt-get install tcpdump/,
    ],
  ])('without the programs, --via %s', (via, words) => {
    const got = runCli(['live', '-i', 'a0', '-i', 'a1', '--via', via, ...site], { env: noPrograms });
    expect(got).toMatchObject({ status: 2, stderr: expect.stringMatching(words) });
  });

  // Whoever has no CAP_NET_RAW; root may give it away.
  it.skipIf(process.getuid?.() !== 0)('without the right to capture', async () => {
    const drop = ['setpriv', '--bounding-set', '-all', '--inh-caps', '-all'];
    for (const via of ['tcpdump', ...(existsSync(CAP) ? ['cap'] : [])]) {
      const got = await startLive(['-i', 'lo', '--via', via, ...site], (argv) => [...drop, ...argv]).ended;
      expect(got.stderr).toMatch(/^redirect-verify: capturing needs root or CAP_NET_RAW: run with sudo.*setcap.*$/m);
      expect(got.status).toBe(2);
    }
  });

  it('text instead of a capture', () => {
    const got = runCli(['live', '-', ...site], { input: Buffer.from('12:00:01.5 IP 10.0.0.1 > 10.0.0.2: tcp\n') });
    expect(got.stderr).toContain('record with tcpdump -w');
    expect(got.status).toBe(2);
  });
});
