/** `trace --packet`: levels of detail, marks, flags, connections that are open, and answers. */
import { beforeAll, describe, expect, it } from 'vitest';
import { loadRouter } from '../../src/commands/inputs.ts';
import {
  type MadePacket,
  parseFlags,
  parseMark,
  parsePacketWords,
  traceMadePacket,
} from '../../src/commands/made-packet.ts';
import { compiledCli, runCli } from '../cli/compiled-cli.ts';
import { STORED } from '../cli/scratch.ts';

// Compiling takes its time on a busy machine, more than a test has.
beforeAll(() => {
  compiledCli();
});

const routerOf = (name: string) => loadRouter([`captures/${name}/router`], []).router;
const FLOW = 'tcp 192.168.0.10:40000 > 10.0.0.10:3389';

function made(parts: Partial<MadePacket> = {}, words = FLOW): MadePacket {
  return { ...parsePacketWords(words), ingress: 'eth0', state: 'new', bothDirections: false, ...parts };
}

function frames(router: string, parts: Partial<MadePacket> = {}, words = FLOW): Record<string, unknown>[] {
  return traceMadePacket(routerOf(router), made(parts, words), 'ndjson')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .slice(1, -1);
}

describe('levels of detail', () => {
  const text = (detail: 'detailed' | 'summary' | 'minimal') =>
    traceMadePacket(routerOf('seed-own-address'), made(), 'text', detail);

  it('detailed has every step with hook, table, chain, number and configuration line', () => {
    const lines = text('detailed').split('\n');
    const at = lines.findIndex((line) => /PREROUTING +mangle PREROUTING rule 1: CONNMARK 0x0 > 0x1$/.test(line));
    expect(lines[at + 1]).toMatch(/router\.txt:16:1 {2}-A PREROUTING -d 10\.0\.0\.0\/24 -i eth0 .* -j CONNMARK/);
    expect(text('detailed')).toContain('reverse path  eth0');
  });

  it('summary has the steps that count, without lines; minimal the end', () => {
    expect(text('summary')).not.toContain('router.txt');
    for (const step of ['conntrack', 'CONNMARK 0x0 > 0x1', 'MARK 0x0 > 0x1', 'policy rule', 'route ', 'reverse path'])
      expect(text('summary')).toContain(step);
    expect(text('summary')).not.toContain('missed');
    expect(text('minimal')).toBe(
      'eth0 tcp 192.168.0.10:40000 > 10.0.0.10:3389 [S]\n  => forwarded by eth1 to 172.16.0.1\n',
    );
  });

  it('holds for captures, too', () => {
    const lines = (...args: string[]) =>
      runCli(['trace', STORED.good, '--router', STORED.goodRouter, ...args]).stdout.split('\n');
    const minimal = lines();
    expect(lines('--minimal')).toEqual(minimal);
    expect(lines('--summary').filter((line) => line.startsWith('  =>'))).toHaveLength(minimal.length - 1);
    expect(lines('--detailed').length).toBeGreaterThan(lines('--summary').length);
  });
});

describe('circumstances', () => {
  it('the mark with which a packet arrives selects the table; the answer arrives without', () => {
    const other = 'tcp 192.168.0.10:40000 > 10.0.0.10:3390';
    expect(frames('seed-own-address', {}, other)[0]).toMatchObject({ egress: 'eth2', fwmark: 0 });
    expect(frames('seed-own-address', { mark: 1, bothDirections: true }, other)).toMatchObject([
      { direction: 'original', egress: 'eth1', nextHop: '172.16.0.1', fwmark: 1, table: '103' },
      { direction: 'reply', ingress: 'eth1', fwmark: 0, egress: 'eth0' },
    ]);
  });

  it('a packet that opens nothing is INVALID; of an open connection it is not', () => {
    const step = (parts: Partial<MadePacket>) =>
      traceMadePacket(routerOf('seed-own-address'), made(parts), 'text').split('\n')[1];
    expect(step({})).toContain('NEW');
    expect(step({ flags: parseFlags('SA') })).toContain('INVALID');
    expect(step({ state: 'established' })).toContain('ESTABLISHED, original direction, connection mark 0x1');
    expect(step({ state: 'established', flags: parseFlags('FA') })).toContain('FIN_WAIT');
  });

  it('the answer comes from where the packet went', () => {
    expect(frames('seed-own-address', { bothDirections: true })).toMatchObject([
      { direction: 'original', ingress: 'eth0', egress: 'eth1' },
      { direction: 'reply', ingress: 'eth1', egress: 'eth0', nextHop: '192.168.0.10' },
    ]);
    expect(frames('rp-filter-strict-all', { bothDirections: true })).toMatchObject([
      { disposition: 'forwarded' },
      { direction: 'reply', disposition: 'dropped-by-reverse-path' },
    ]);
    const udp = frames('seed-own-address', { bothDirections: true }, 'udp 192.168.0.10:5000 > 10.0.0.10:53');
    expect(udp).toMatchObject([{ egress: 'eth2' }, { ingress: 'eth2', egress: 'eth0' }]);
  });

  it('the answer to a translated packet is translated back', () => {
    const [, reply] = frames('masquerade-toward-sps', { bothDirections: true });
    expect(reply).toMatchObject({
      direction: 'reply',
      ingress: 'eth1',
      disposition: 'forwarded',
      egress: 'eth0',
      nextHop: '192.168.0.10',
    });
  });

  it('there is no answer to what does not get through', () => {
    const unroutable = 'tcp 192.168.0.10:40000 > 203.0.113.9:22';
    expect(traceMadePacket(routerOf('seed-own-address'), made({ bothDirections: true }, unroutable), 'text')).toContain(
      'no answer: the packet does not get through',
    );
  });
});

describe('words', () => {
  it.each([
    ['S', 2],
    ['sa', 18],
    ['P.', 24],
    ['SYN,ACK', 18],
    ['rst', 4],
  ])('--flags %s', (text, want) => {
    expect(parseFlags(text)).toBe(want);
  });

  it.each(['', 'QQ', 'SYN,BAD'])('--flags %s is refused', (text) => {
    expect(() => parseFlags(text)).toThrow(/--flags: expected/);
  });

  it.each([
    ['0x1', 1],
    ['4294967295', 4294967295],
  ])('--mark %s', (text, want) => {
    expect(parseMark(text)).toBe(want);
  });

  it.each(['', '-1', '0x100000000', '1/3', 'one'])('--mark %s is refused', (text) => {
    expect(() => parseMark(text)).toThrow(/--mark: expected/);
  });

  const packet = ['trace', '--packet', FLOW, '--ingress', 'eth0', '--router', STORED.goodRouter];
  it.each([
    { name: 'a mark without a packet', args: ['trace', STORED.good, '--mark', '1'], says: /--mark goes with --packet/ },
    {
      name: 'flags of UDP',
      args: [
        'trace',
        '--packet',
        FLOW.replace('tcp', 'udp'),
        '--ingress',
        'eth0',
        '--router',
        STORED.goodRouter,
        '--flags',
        'S',
      ],
      says: /only TCP has flags/,
    },
    { name: 'two levels', args: [...packet, '--summary', '--detailed'], says: /cannot be used with/ },
    { name: 'a frame of a made-up packet', args: [...packet, '--frame', '1'], says: /--frame goes with captures/ },
    {
      name: 'an open connection that cannot be',
      args: [
        'trace',
        '--packet',
        FLOW,
        '--ingress',
        'eth0',
        '--router',
        'captures/rp-filter-strict-all/router',
        '--state',
        'established',
      ],
      says: /does not come about: the answer to its first packet is dropped-by-reverse-path/,
    },
    { name: 'a state of no name', args: [...packet, '--state', 'related'], says: /--state/ },
  ])('refuses $name with one line', ({ args, says }) => {
    const { status, stdout, stderr } = runCli(args);
    expect({ status, stdout, lines: stderr.trimEnd().split('\n').length }).toEqual({ status: 2, stdout: '', lines: 1 });
    expect(stderr).toMatch(says);
  });
});
