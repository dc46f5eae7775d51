/** `trace`, `explain` and `collect` as the command line has them. */
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { CATALOG } from '../../src/catalog.ts';
import { runCli } from './compiled-cli.ts';
import { STORED } from './scratch.ts';

const PACKET = ['--packet', 'tcp 192.168.0.10:40000 > 10.0.0.10:3389', '--ingress', 'eth0'];
const ROUTER = ['--router', STORED.goodRouter];

function lines(text: string): Record<string, unknown>[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('trace --packet', () => {
  it('tells every step with its configuration line', () => {
    const { status, stdout, stderr } = runCli(['trace', ...PACKET, ...ROUTER]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain('tcp 192.168.0.10:40000 > 10.0.0.10:3389 [S]');
    for (const step of [
      `${STORED.goodRouter}:16:1  -A PREROUTING -d 10.0.0.0/24 -i eth0 -p tcp -m tcp --dport 3389 -j CONNMARK`,
      `${STORED.goodRouter}:17:1  -A PREROUTING ! -i eth1 -m connmark --mark 0x1 -j MARK`,
      'from all fwmark 0x1 lookup scb',
      'default via 172.16.0.1 dev eth1 table scb',
    ])
      expect(stdout).toContain(step);
  });

  it('ndjson has a header, the decision and a summary', () => {
    const { status, stdout } = runCli(['trace', ...PACKET, ...ROUTER, '--format', 'ndjson']);
    expect(status).toBe(0);
    expect(lines(stdout)).toEqual([
      expect.objectContaining({ type: 'header', schema: 'redirect-verify/trace/1' }),
      expect.objectContaining({
        type: 'frame',
        ingress: 'eth0',
        disposition: 'forwarded',
        egress: 'eth1',
        nextHop: '172.16.0.1',
        fwmark: 1,
        connmark: 1,
        table: '103',
      }),
      expect.objectContaining({ type: 'summary' }),
    ]);
  });

  it.each([
    {
      name: 'another port is not redirected',
      packet: 'tcp 192.168.0.10:40000 > 10.0.0.10:3390',
      ingress: 'eth0',
      want: { disposition: 'forwarded', egress: 'eth2', nextHop: '10.0.0.10', fwmark: 0 },
    },
    {
      name: 'udp is not redirected',
      packet: 'udp 192.168.0.10:40000 > 10.0.0.10:3389',
      ingress: 'eth0',
      want: { disposition: 'forwarded', egress: 'eth2' },
    },
    {
      name: 'what SPS sends is exempt',
      packet: 'tcp 172.16.0.1:40000 > 10.0.0.10:3389',
      ingress: 'eth1',
      want: { disposition: 'forwarded', egress: 'eth2' },
    },
    {
      name: 'the router itself',
      packet: 'tcp 192.168.0.10:40000 > 192.168.0.254:22',
      ingress: 'eth0',
      want: { disposition: 'delivered' },
    },
    {
      name: 'no route',
      packet: 'tcp 192.168.0.10:40000 > 203.0.113.9:22',
      ingress: 'eth0',
      want: { disposition: 'no-route' },
    },
  ])('$name', ({ packet, ingress, want }) => {
    const { stdout } = runCli(['trace', '--packet', packet, '--ingress', ingress, ...ROUTER, '--format', 'ndjson']);
    expect(lines(stdout)[1]).toMatchObject(want);
  });
});

describe('trace of captures', () => {
  // Which frame is the first that entered differs from recording to recording.
  const [, first] = lines(runCli(['trace', STORED.good, ...ROUTER, '--format', 'ndjson']).stdout);
  const frame = String(first?.frame);

  it('--frame tells the steps of that frame only', () => {
    const { status, stdout } = runCli(['trace', STORED.good, ...ROUTER, '--frame', frame]);
    expect(status).toBe(0);
    const heads = stdout.split('\n').filter((line) => /^ *\d+ eth\d /.test(line));
    expect(heads).toEqual([
      expect.stringMatching(/^ *\d+ eth0 tcp .*\[S\]: forwarded by eth1 to 172\.16\.0\.1 .*seen leaving by eth1$/),
    ]);
    expect(heads[0]?.trim().split(' ')[0]).toBe(frame);
    expect(stdout).toContain(`${STORED.goodRouter}:17:1`);
  });

  it('--frame in ndjson gives that frame only', () => {
    const { stdout } = runCli(['trace', STORED.good, ...ROUTER, '--frame', frame, '--format', 'ndjson']);
    expect(lines(stdout).filter((line) => line.type === 'frame')).toEqual([first]);
  });

  it('text has a line for each frame that entered', () => {
    const { stdout } = runCli(['trace', STORED.good, ...ROUTER]);
    const ndjson = runCli(['trace', STORED.good, ...ROUTER, '--format', 'ndjson']).stdout;
    expect(stdout.trimEnd().split('\n')).toHaveLength(lines(ndjson).length - 2);
  });
});

describe('explain', () => {
  it.each(['RV602', 'rv602', 'reverse-path-drop'])('%s', (code) => {
    const { status, stdout, stderr } = runCli(['explain', code]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^RV602 reverse-path-drop \(error\)\n/);
    for (const part of ['Said when', 'Why it matters', 'Example', 'What to do']) expect(stdout).toContain(part);
  });

  it('without a code lists them all', () => {
    const { status, stdout } = runCli(['explain']);
    expect(status).toBe(0);
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => line.slice(0, 5)),
    ).toEqual(CATALOG.map((kind) => kind.code));
  });
});

describe('collect linux', () => {
  it('prints a POSIX shell script that only reads', () => {
    const { status, stdout, stderr } = runCli(['collect', 'linux']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^#!\/bin\/sh\n/);
    // Which sections they make on a router: test/commands/collect-linux.test.ts.
    for (const section of ['iptables', 'ip6tables', 'nft list ruleset', 'route show table all', 'sysctl', 'rt_tables'])
      expect(stdout).toContain(section);
    expect(stdout).not.toMatch(
      /\b(ip (rule|route|addr|link|neigh) (add|del|change|replace|set|flush)|iptables -[AIDFPX]|sysctl -w)/,
    );
    expect(spawnSync('sh', ['-n'], { input: stdout, encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
  });

  it('with --capture records, too', () => {
    const { status, stdout } = runCli(['collect', 'linux', '--capture', '30']);
    expect(status).toBe(0);
    expect(stdout).toContain('tcpdump');
    expect(stdout).toMatch(/\b30\b/);
    expect(spawnSync('sh', ['-n'], { input: stdout, encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
  });
});
