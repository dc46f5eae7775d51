/** What is used without being named: router state and site file beside the capture, and captures by interface, by pipe and in gzip. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { type CliOptions, ROOT, runCli } from './compiled-cli.ts';
import { makeScratch, STORED } from './scratch.ts';

const scratch = makeScratch();
afterAll(() => scratch.remove());

const CAPTURE = readFileSync(join(ROOT, STORED.good));
const ROUTER = join(ROOT, STORED.goodRouter);

interface Report {
  readonly verdict: string;
  readonly captures: readonly {
    readonly path: string;
    readonly packets: number;
    readonly interfaces: readonly string[];
  }[];
  readonly router: { readonly sources: readonly { readonly path: string; readonly sha256: string }[] };
  readonly intent: {
    readonly sps: readonly string[];
    readonly services: readonly string[];
    readonly inferred: readonly string[];
  };
  readonly connections: readonly unknown[];
}

/** Runs verify for JSON. */
function verify(
  args: readonly string[],
  options: CliOptions = {},
): { report: Report; notices: string[]; status: number | null } {
  const { stdout, stderr, status } = runCli([...args, '--format', 'json'], options);
  expect(stdout, stderr).not.toBe('');
  return { report: JSON.parse(stdout) as Report, notices: stderr.split('\n').filter(Boolean), status };
}

describe('the router state beside the capture', () => {
  it('router.conf is used, and that is said', () => {
    const capture = scratch.copy(STORED.good, 'conf/capture.pcapng');
    const state = scratch.copy(STORED.goodRouter, 'conf/router.conf');
    const { report, notices, status } = verify([capture]);
    expect(status).toBe(0);
    expect(notices).toEqual([`router state: ${state}`]);
    expect(report.router.sources).toEqual([{ path: state, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) }]);
    expect(runCli(['trace', capture, '--format', 'ndjson']).stderr).toBe(`router state: ${state}\n`);
  });

  it('the folder router/ is used, all its files, hidden ones not, and that is said', () => {
    const capture = scratch.copy(STORED.good, 'folder/capture.pcapng');
    const state = readFileSync(ROUTER, 'utf8');
    const cut = state.indexOf('### ip rule show');
    const first = scratch.write('folder/router/a.txt', state.slice(0, cut));
    const second = scratch.write('folder/router/b.txt', state.slice(cut));
    scratch.write('folder/router/.swp', 'no dialect at all');
    const { report, notices } = verify([capture]);
    expect(notices).toEqual([`router state: ${join(scratch.path, 'folder', 'router')}`]);
    expect(report.router.sources.map((source) => source.path)).toEqual([first, second]);
    expect(report.verdict).toBe('verified');
  });

  it('--router is used instead, and nothing is picked up', () => {
    const capture = scratch.copy(STORED.good, 'both/capture.pcapng');
    scratch.copy(STORED.badRouter, 'both/router.conf');
    const { report, notices } = verify([capture, '--router', ROUTER]);
    expect({ notices, sources: report.router.sources.map((source) => source.path) }).toEqual({
      notices: [],
      sources: [ROUTER],
    });
  });
});

describe('the site file', () => {
  const site = (service: string): string => `sps: [172.16.0.1]\nservices: [${service}]\n`;
  const capture = scratch.copy(STORED.good, 'site/tests/rdp/captures/capture.pcapng');
  const work = scratch.folder('site/tests/rdp');
  // Each is nearer than the one before.
  const places = [
    { name: 'a parent of the working directory', file: 'site/redirect-verify.yaml', service: 'tcp/1001' },
    { name: 'the working directory', file: 'site/tests/rdp/redirect-verify.yaml', service: 'tcp/1002' },
    { name: 'beside the capture', file: 'site/tests/rdp/captures/redirect-verify.yaml', service: 'tcp/1003' },
  ];

  it.each(places)('is found in $name, and that is said', ({ file, service }) => {
    const path = scratch.write(file, site(service));
    const { report, notices } = verify([capture, '--router', ROUTER], { cwd: work });
    expect(notices).toEqual([`site file: ${path}`]);
    expect(report.intent.services).toEqual([service]);
    expect(report.intent.inferred).not.toContain('services');
  });

  it('that is named is used instead of those that lie about, and an option wins over it', () => {
    const path = scratch.write('named.yaml', site('tcp/1004'));
    const named = verify([capture, '--router', ROUTER, '--site', path], { cwd: work });
    expect({ notices: named.notices, services: named.report.intent.services }).toEqual({
      notices: [],
      services: ['tcp/1004'],
    });
    const stated = verify([capture, '--router', ROUTER, '--site', path, '--service', 'rdp'], { cwd: work });
    expect(stated.report.intent.services).toEqual(['tcp/3389']);
    expect(stated.report.intent.sps).toEqual(['172.16.0.1']);
  });
});

describe('captures', () => {
  const args = ['--router', ROUTER, '--site', join(ROOT, STORED.site)];
  const want = verify([STORED.good, ...args]).report;

  it('come from standard input', () => {
    const { report, notices } = verify(['-', ...args], { input: CAPTURE });
    expect(notices).toEqual([]);
    expect(report.captures).toMatchObject([{ path: '-', packets: want.captures[0]!.packets }]);
    expect(report.connections).toEqual(want.connections);
  });

  it('come in gzip, from a file and from standard input', () => {
    const compressed = gzipSync(CAPTURE);
    // What it is, is told by its content and not by its name.
    for (const name of ['capture.pcapng.gz', 'capture.pcapng']) {
      const { report } = verify([scratch.write(`gzip/${name}`, compressed), ...args]);
      expect({ verdict: report.verdict, connections: report.connections }).toEqual({
        verdict: 'verified',
        connections: want.connections,
      });
    }
    expect(verify(['-', ...args], { input: compressed }).report.connections).toEqual(want.connections);
  });

  it('are named by interface as IFACE=FILE', () => {
    const folder = 'captures/seed-own-address';
    const { report } = verify([...['eth0', 'eth1', 'eth2'].map((name) => `${name}=${folder}/${name}.pcap`), ...args]);
    expect(report.captures.map((capture) => [capture.path, capture.interfaces])).toEqual([
      [`${folder}/eth0.pcap`, ['eth0']],
      [`${folder}/eth1.pcap`, ['eth1']],
      [`${folder}/eth2.pcap`, ['eth2']],
    ]);
    expect(report.connections).toEqual(want.connections);
  });

  it('an existing file of the whole name IFACE=FILE wins', () => {
    const folder = scratch.folder('equals');
    scratch.copy(STORED.good, 'equals/eth0=capture.pcapng');
    scratch.write('equals/capture.pcapng', 'the file that must not be read');
    const { report } = verify(['eth0=capture.pcapng', ...args], { cwd: folder });
    expect(report.captures.map((capture) => [capture.path, capture.interfaces])).toEqual([
      ['eth0=capture.pcapng', ['eth0', 'eth1', 'eth2']],
    ]);
  });

  it('of a path with an equals sign in a folder of it are files', () => {
    const path = scratch.copy(STORED.good, 'a=b/capture.pcapng');
    expect(verify([path, ...args]).report.captures[0]?.path).toBe(path);
  });
});
