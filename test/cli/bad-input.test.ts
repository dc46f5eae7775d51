/**
 * Bad input of every kind: one clear line with the place and what to do, the contract's exit code, no stack trace, a bounded time and a
 * bounded memory.
 */
import { randomFillSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { type CliResult, ROOT, runCli } from './compiled-cli.ts';
import { makeScratch, STORED } from './scratch.ts';

const MOST_MILLISECONDS = 5_000;
const MOST_MEBIBYTES = 300;
const TEN_MEGABYTES = 10_000_000;
const ROUTER = ['--router', STORED.goodRouter];
const SITE = ['--site', STORED.site];

const scratch = makeScratch();
afterAll(() => scratch.remove());

const PCAPNG = readFileSync(join(ROOT, STORED.good));
const PCAP = readFileSync(join(ROOT, 'captures/seed-own-address/eth0.pcap'));
const PCAP_HEADER_LENGTH = 24;
const PCAP_CAPTURED_LENGTH = 8;

/** A copy with bytes replaced from an offset on. */
function patched(bytes: Buffer, offset: number, patch: Uint8Array): Buffer {
  const copy = Buffer.from(bytes);
  copy.set(patch, offset);
  return copy;
}

/** Where the blocks of the stored pcapng begin. */
function blockOffsets(): number[] {
  const offsets: number[] = [];
  for (let offset = 0; offset < PCAPNG.length; offset += PCAPNG.readUInt32LE(offset + 4)) offsets.push(offset);
  return offsets;
}

const BLOCKS = blockOffsets();
const MIDDLE_BLOCK = BLOCKS[Math.floor(BLOCKS.length / 2)]!;
const NOISE = patched(Buffer.alloc(TEN_MEGABYTES), 0, randomBytes(TEN_MEGABYTES));
const ALL_ONES = new Uint8Array(4).fill(0xff);

/** Random, and not all zeros anywhere. */
function randomBytes(length: number): Uint8Array {
  return randomFillSync(new Uint8Array(length));
}

/** An Ethernet frame with an ARP request in a classic pcap: nothing of IP. */
function captureWithoutIp(): Buffer {
  const frame = Buffer.from(
    'ffffffffffff0200c0a8000a0806' + '00010800060400010200c0a8000ac0a8000a000000000000c0a800fe',
    'hex',
  );
  const record = Buffer.alloc(16);
  record.writeUInt32LE(1_700_000_000, 0);
  record.writeUInt32LE(frame.length, PCAP_CAPTURED_LENGTH);
  record.writeUInt32LE(frame.length, PCAP_CAPTURED_LENGTH + 4);
  return Buffer.concat([PCAP.subarray(0, PCAP_HEADER_LENGTH), record, frame]);
}

/** What holds for every run, whatever it was given. */
function expectCalm(result: CliResult): void {
  expect(result.stderr).not.toMatch(/^ {4}at /m);
  expect(result.stderr).not.toMatch(/node:internal|UnhandledPromise|Error: /);
  expect([0, 1, 2, 3]).toContain(result.status);
  expect(result.milliseconds).toBeLessThan(MOST_MILLISECONDS);
  expect(result.mebibytes).toBeGreaterThan(10);
  expect(result.mebibytes).toBeLessThan(MOST_MEBIBYTES);
}

/** Exit 2, one line of error behind the notices of what was picked up, nothing on standard output. */
function expectRefusal(result: CliResult, want: RegExp): void {
  expectCalm(result);
  const lines = result.stderr.split('\n').filter((line) => !/^(router state|site file): /.test(line));
  expect({ status: result.status, stdout: result.stdout, lines }).toEqual({
    status: 2,
    stdout: '',
    lines: [expect.stringMatching(want), ''],
  });
}

describe('captures that are none', () => {
  it.each([
    { name: 'a missing file', args: ['nowhere/c.pcapng'], want: /^redirect-verify: nowhere\/c\.pcapng: no such file/ },
    {
      name: 'a missing file of an interface',
      args: ['eth0=nowhere.pcap'],
      want: /^redirect-verify: nowhere\.pcap: no such file/,
    },
    { name: 'a directory', args: ['captures'], want: /^redirect-verify: captures: is a directory/ },
    { name: 'an empty file', content: '', want: /: is empty; / },
    {
      name: 'text',
      content: 'IP 192.168.0.10 > 10.0.0.10: tcp\n'.repeat(9),
      want: /: is not a capture but looks like text/,
    },
    { name: 'three bytes', content: Buffer.from('d4c3b2', 'hex'), want: /: is not a capture/ },
    { name: 'the start of a pcap header', content: PCAP.subarray(0, 20), want: /capture|header/ },
    { name: 'ten megabytes of noise', content: NOISE, want: /: is not a capture/ },
    { name: 'gzip of text', content: gzipSync('text\n'.repeat(99)), want: /: is not a capture|text/ },
    {
      name: 'broken gzip',
      content: Buffer.concat([Buffer.from('1f8b0800', 'hex'), NOISE.subarray(0, 9999)]),
      want: /compressed data/,
    },
  ])('$name', ({ args, content, want }) => {
    for (const command of ['verify', 'trace']) {
      const captures = args ?? [scratch.write('capture', content)];
      expectRefusal(runCli([command, ...captures, ...ROUTER]), want);
      // With nothing else said, too: the capture is what is wrong, and not that nothing lies beside it.
      if (args !== undefined) expectRefusal(runCli([command, ...captures]), want);
    }
  });
});

describe('captures that are damaged are read as far as they go', () => {
  const corrupt = /^(RV\d{3}: .*\n)*$/;
  it.each([
    {
      name: 'a length of 0xFFFFFFFF in the first record',
      content: patched(PCAP, PCAP_HEADER_LENGTH + PCAP_CAPTURED_LENGTH, ALL_ONES),
      codes: ['RV101', 'RV902'],
    },
    {
      name: 'a length of 0xFFFFFFFF in the section header',
      content: patched(PCAPNG, 4, ALL_ONES),
      codes: ['RV101', 'RV902'],
    },
    {
      name: 'a length of 0xFFFFFFFF in the first interface',
      content: patched(PCAPNG, BLOCKS[1]! + 4, ALL_ONES),
      codes: ['RV101', 'RV902'],
    },
    {
      name: 'a length of 0 in the middle',
      content: patched(PCAPNG, MIDDLE_BLOCK + 4, new Uint8Array(4)),
      codes: ['RV101'],
    },
    {
      name: 'a frame longer than its block in the middle',
      content: patched(PCAPNG, MIDDLE_BLOCK + 20, ALL_ONES),
      codes: ['RV101'],
    },
    {
      name: 'garbage from the middle on',
      content: patched(
        PCAPNG,
        MIDDLE_BLOCK,
        NOISE.subarray(0, 5000).map((byte) => byte | 1),
      ),
      codes: ['RV101'],
    },
    { name: 'the file ends inside a record', content: PCAPNG.subarray(0, MIDDLE_BLOCK + 50), codes: ['RV101'] },
    { name: 'compressed, and it ends inside a record', content: gzipSync(PCAPNG).subarray(0, 9000), codes: ['RV101'] },
    {
      name: 'ten megabytes with a corrupt length at the start',
      content: Buffer.concat([PCAP.subarray(0, PCAP_HEADER_LENGTH), ALL_ONES, ALL_ONES, ALL_ONES, NOISE]),
      codes: ['RV101', 'RV902'],
    },
    {
      name: 'ten megabytes of noise behind a header',
      content: Buffer.concat([PCAP.subarray(0, PCAP_HEADER_LENGTH), NOISE]),
      codes: ['RV101'],
    },
    {
      name: 'ten megabytes of noise behind a section header',
      content: Buffer.concat([PCAPNG.subarray(0, BLOCKS[1]), NOISE]),
      codes: ['RV101'],
    },
    { name: 'a header and nothing behind it', content: PCAP.subarray(0, PCAP_HEADER_LENGTH), codes: ['RV902'] },
    { name: 'nothing of IP', content: captureWithoutIp(), codes: ['RV902'] },
  ])('$name', ({ content, codes }) => {
    const path = scratch.write('damaged', content);
    const result = runCli([path, ...ROUTER, ...SITE, '--format', 'json']);
    expectCalm(result);
    expect(result.stderr).toBe('');
    const report = JSON.parse(result.stdout) as {
      verdict: string;
      findings: { code: string; severity: string; message: string }[];
    };
    const said = report.findings.map((finding) => finding.code);
    expect(codes.filter((code) => !said.includes(code))).toEqual([]);
    // The set-up is correct: what is missing in the file is no fault of it.
    expect(report.findings.filter((finding) => finding.severity === 'error')).toEqual([]);
    const want = codes.includes('RV902') ? ['inconclusive'] : ['verified', 'inconclusive'];
    expect(want).toContain(report.verdict);
    expect(result.status).toBe(report.verdict === 'verified' ? 0 : 3);
    const traced = runCli(['trace', path, ...ROUTER, '--format', 'ndjson']);
    expectCalm(traced);
    expect(traced.status).toBe(0);
    expect(traced.stderr).toMatch(corrupt);
    expect(traced.stderr.includes('RV101')).toBe(codes.includes('RV101'));
  });
});

describe('router states that are none, or too many', () => {
  it.each([
    { name: 'a missing file', args: ['--router', 'nowhere.txt'], want: /^redirect-verify: nowhere\.txt: no such file/ },
    { name: 'an empty folder', folder: 'no-files', want: /holds no files/ },
    { name: 'an empty file', content: '', want: /:1: the router file is empty/ },
    {
      name: 'a text of no dialect',
      content: 'The router stands in the cellar.\nIt hums.\n',
      want: /:1: this is no router state/,
    },
    { name: 'a capture', args: ['--router', STORED.good], want: /router state/ },
    { name: 'noise', content: NOISE.subarray(0, 1_000_000), want: /router state/ },
    {
      name: 'the states of two routers',
      args: [...ROUTER, '--router', STORED.badRouter],
      want: /router\.txt:\d+:\d+ and .*router\.txt:\d+:\d+; one run is about one router/,
    },
    {
      name: 'a placeholder of the procedure left in',
      content:
        '# iptables -t mangle -I PREROUTING -i <physical interface of the clients> -p tcp --dport 3389 -j CONNMARK --set-mark 1\n',
      want: /:1:\d+: .*<physical interface of the clients>/,
    },
  ])('$name', ({ args, content, folder, want }) => {
    const router = args ?? [
      '--router',
      folder === undefined ? scratch.write('state.txt', content ?? '') : scratch.folder(folder),
    ];
    expectRefusal(runCli([STORED.good, ...router]), want);
    expectRefusal(runCli(['trace', STORED.good, ...router]), want);
  });

  it('none at all: it names what collects it', () => {
    const lonely = scratch.copy(STORED.good, 'lonely/capture.pcapng');
    for (const command of ['verify', 'trace'])
      expectRefusal(runCli([command, lonely]), /^redirect-verify: no router state: .*--router PATH.*collect linux/);
  });
});

describe('options that cannot be', () => {
  it.each([
    { name: 'no capture', args: [], want: /capture/ },
    { name: 'an unknown option', args: [STORED.good, '--fast'], want: /unknown option '--fast'/ },
    {
      name: 'an unknown option of a command',
      args: ['trace', STORED.good, '--sideways'],
      want: /unknown option '--sideways'/,
    },
    { name: 'an option without its value', args: [STORED.good, '--router'], want: /--router/ },
    { name: 'quiet and verbose', args: [STORED.good, '--quiet', '--verbose'], want: /--quiet.*--verbose/ },
    {
      name: 'what-if that must be observed',
      args: [STORED.good, '--what-if', '--require', 'observed'],
      want: /--what-if.*--require/,
    },
    { name: 'an unknown format', args: [STORED.good, '--format', 'xml'], want: /xml.*text, json, ndjson/ },
    { name: 'an unknown threshold', args: [STORED.good, '--fail-on', 'fatal'], want: /fatal.*error, warning, never/ },
    { name: 'an unknown vantage', args: [STORED.good, '--vantage', 'moon'], want: /moon.*router/ },
    { name: 'an address that is none', args: [STORED.good, '--sps', '172.16.0'], want: /--sps: '172\.16\.0'/ },
    { name: 'a service that is none', args: [STORED.good, '--service', 'tcp/99999'], want: /--service: 'tcp\/99999'/ },
    {
      name: 'a network that is none',
      args: [STORED.good, '--clients', '10.0.0.0/33'],
      want: /--clients: '10\.0\.0\.0\/33'/,
    },
    { name: 'a way of SNAT that is none', args: [STORED.good, '--snat', 'double'], want: /--snat.*double/ },
    { name: 'standard input twice', args: ['-', '-', ...ROUTER], want: /only once/ },
    { name: 'trace of nothing', args: ['trace', ...ROUTER], want: /give a capture/ },
    {
      name: 'trace of a packet and captures',
      args: ['trace', STORED.good, '--packet', 'tcp 1.2.3.4:5 > 6.7.8.9:10', '--ingress', 'eth0'],
      want: /either captures or --packet/,
    },
    {
      name: 'trace of a packet from nowhere',
      args: ['trace', '--packet', 'tcp 1.2.3.4:5 > 6.7.8.9:10', ...ROUTER],
      want: /--ingress/,
    },
    {
      name: 'trace of a packet from an unknown interface',
      args: ['trace', '--packet', 'tcp 1.2.3.4:5 > 6.7.8.9:10', '--ingress', 'eth9', ...ROUTER],
      want: /no interface eth9 .*eth0/,
    },
    {
      name: 'trace of a packet that is none',
      args: ['trace', '--packet', 'a letter', '--ingress', 'eth0', ...ROUTER],
      want: /--packet: expected .*got "a letter"/,
    },
    {
      name: 'trace of a packet without a router',
      args: ['trace', '--packet', 'tcp 1.2.3.4:5 > 6.7.8.9:10', '--ingress', 'eth0'],
      want: /no router state.*collect linux/,
    },
    { name: 'trace of captures with --ingress', args: ['trace', STORED.good, '--ingress', 'eth0'], want: /IFACE=FILE/ },
    { name: 'frame 0', args: ['trace', STORED.good, '--frame', '0'], want: /--frame.*0/ },
    { name: 'a frame that is not there', args: ['trace', STORED.good, '--frame', '99999'], want: /frame 99999/ },
    { name: 'an unknown finding', args: ['explain', 'NOPE'], want: /NOPE/ },
    { name: 'a kind of router that cannot be collected', args: ['collect', 'abacus'], want: /abacus.*linux/ },
    { name: 'control characters in a name', args: ['\u001b[31mred\n.pcap'], want: /\\x1b\[31mred\\x0a\.pcap/ },
  ])('$name', ({ args, want }) => {
    expectRefusal(runCli(args), want);
  });
});

describe('site files', () => {
  it.each([
    { name: 'a missing one', args: ['--site', 'nowhere.yaml'], want: /^redirect-verify: nowhere\.yaml: no such file/ },
    { name: 'a directory', args: ['--site', 'captures'], want: /captures: is a directory/ },
    {
      name: 'a wrong key',
      content: 'sps: [172.16.0.1]\nsnatt: own\n',
      want: /:2:1: unknown key 'snatt'; the keys are .*snat/,
    },
    { name: 'a value of a wrong type', content: 'sps: [172.16.0.1]\nservices: 3389\n', want: /:2:1: 'services' / },
    {
      name: 'a value that is none of those allowed',
      content: 'snat: always\n',
      want: /:1:1: 'snat' .*own, client or fixed/,
    },
    { name: 'an address that is none', content: 'sps: [172.16.0.256]\n', want: /172\.16\.0\.256/ },
    { name: 'broken YAML', content: 'sps: [172.16.0.1\nsnat: own\n', want: /:\d+:\d+: not YAML/ },
    { name: 'a key twice', content: 'snat: own\nsnat: client\n', want: /:2:1: / },
    { name: 'a list where keys should be', content: '- sps\n', want: /:1:1: / },
    {
      name: 'aliases without end',
      content: `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghi'
        .split('')
        .map((key, index) => `${key}: &${key} [${`*${'abcdefghi'[index]},`.repeat(9)}]\n`)
        .join('')}`,
      want: /site\.yaml:\d+:\d+: /,
    },
    { name: 'noise', content: NOISE.subarray(0, 100_000), want: /site\.yaml:\d+:\d+: / },
  ])('$name', ({ args, content, want }) => {
    const site = args ?? ['--site', scratch.write('site.yaml', content ?? '')];
    expectRefusal(runCli([STORED.good, ...ROUTER, ...site]), want);
  });
});
