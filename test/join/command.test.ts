/** `join` and `explain --error` as commands: what they read, print and end with. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { addExplain } from '../../src/commands/explain.ts';
import { addJoin } from '../../src/commands/join.ts';
import { mergeReports } from '../../src/report/merge-reports.ts';
import type { Report } from '../../src/report/report.ts';

const { written } = vi.hoisted(() => ({ written: [] as string[] }));
vi.mock('../../src/commands/write-output.ts', async (original) => ({
  ...(await original<typeof import('../../src/commands/write-output.ts')>()),
  writeOut: (text: string | Iterable<string>) => written.push(...(typeof text === 'string' ? [text] : text)),
}));

const folder = mkdtempSync(join(tmpdir(), 'join-command-'));
afterAll(() => rmSync(folder, { recursive: true }));
let before: typeof process.exitCode;
beforeEach(() => {
  before = process.exitCode;
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
});
afterEach(() => {
  process.exitCode = before;
  vi.restoreAllMocks();
});

async function run(...words: string[]): Promise<{ text: string; status: typeof process.exitCode }> {
  written.length = 0;
  const program = new Command().exitOverride();
  for (const add of [addExplain, addJoin]) add(program);
  await program.parseAsync(['node', 'redirect-verify', ...words]);
  return { text: written.join(''), status: process.exitCode };
}

const ROOT = join(import.meta.dirname, '../..');
const stored = (name: string): string => join(ROOT, 'captures', name);
const ROUTER = join(stored('join-tls12'), 'router');

describe('join', () => {
  it('takes what is to be joined from options, router and capture', async () => {
    const capture = join(stored('join-tls12-name-mismatch'), 'eth1.pcap');
    const got = await run(
      'join',
      capture,
      '--router',
      ROUTER,
      '--spp',
      '10.0.0.20',
      '--sps',
      '172.16.0.1',
      '--format',
      'json',
    );
    const report = JSON.parse(got.text) as Report;
    expect({ status: got.status, verdict: report.verdict }).toEqual({ status: 1, verdict: 'failed' });
    expect(report.join).toMatchObject({ spp: '10.0.0.20', sps: ['172.16.0.1'] });
  });

  it('takes what was entered from the option before the site file', async () => {
    const capture = join(stored('join-tls12-name-mismatch'), 'eth1.pcap');
    const got = await run('join', capture, '--entered', 'spp.example', '--format', 'json');
    const report = JSON.parse(got.text) as Report;
    // The certificate matches then; that SPS refused it stays.
    expect(report.findings.map((finding) => finding.code)).toEqual(['RV705']);
  });

  it('works without captures, and without a router', async () => {
    const pair = [
      '--spp',
      '10.0.0.20',
      '--sps',
      '172.16.0.1',
      '--site',
      join(stored('join-tls12'), 'redirect-verify.yaml'),
    ];
    expect((await run('join', '--router', ROUTER, ...pair)).status).toBe(0);
    const capture = join(folder, 'alone.pcap');
    writeFileSync(capture, readFileSync(join(stored('join-tls13'), 'eth1.pcap')));
    const got = await run('join', capture, ...pair);
    expect(got.text).toContain('none given: only what captures show');
    expect(got.status).toBe(0);
  });

  it('takes several nodes after one --sps', async () => {
    const got = await run(
      'join',
      '--router',
      ROUTER,
      '--spp',
      '10.0.0.20',
      '--sps',
      '172.16.0.1',
      '172.16.0.2',
      '--format',
      'json',
    );
    expect((JSON.parse(got.text) as Report).join!.sps).toEqual(['172.16.0.1', '172.16.0.2']);
  });

  it.each([
    { words: ['--spp', '10.0.0.20'], says: 'name SPP and SPS' },
    { words: ['--spp', '10.0.0.20', '--sps', '172.16.0.1'], says: "give the router's state" },
    {
      words: ['--spp', 'spp.example', '--sps', '172.16.0.1', '--router', ROUTER],
      says: 'a host name goes with --entered',
    },
    { words: ['--spp', '10.0.0.20', '--sps', 'x', '--router', ROUTER], says: "--sps: 'x' is not an IP address" },
    { words: ['--spp', '10.0.0.20', '--sps', '172.16.0.1', '--entered', 'a b', '--router', ROUTER], says: '--entered' },
    { words: ['--spp', '10.0.0.20', '172.16.0.1', '--router', ROUTER], says: 'Name addresses of SPS with --sps' },
  ])('refuses $words', async ({ words, says }) => {
    await expect(run('join', ...words)).rejects.toThrow(says);
  });

  it('gives reports that merge refuses: they are about an attempt as a whole', async () => {
    const got = await run('join', '--router', ROUTER, '--spp', '10.0.0.20', '--sps', '172.16.0.1', '--format', 'json');
    const report = JSON.parse(got.text) as Report;
    expect(() => mergeReports([{ path: 'a.json', report }], 'all')).toThrow('a report of join');
  });
});

describe('explain --error', () => {
  const explain = (text: string) => {
    const path = join(folder, 'error.txt');
    writeFileSync(path, text);
    return run('explain', '--error', path);
  };

  it('says what the certificate names, what to enter, and when to try again', async () => {
    const { text, status } = await explain(
      `CertificateError("hostname 'examplespp.company' doesn't match '192.0.2.123'")`,
    );
    for (const part of ['examplespp.company', 'Enter 192.0.2.123', 'five minutes', 'RV703'])
      expect(text).toContain(part);
    expect(status).toBe(0);
  });

  it('takes a host name where the certificate has no address', async () => {
    expect((await explain("hostname '192.0.2.7' doesn't match either of '*.b.example', 'a.example'")).text).toContain(
      'Enter a.example',
    );
    expect((await explain("hostname '192.0.2.7' doesn't match '*.b.example'")).text).toContain(
      'a host name that *.b.example covers',
    );
  });

  it('ends with 3 where nothing is known, and says nothing of the text', async () => {
    const { text, status } = await explain('FATAL error: password hunter2 was refused\n');
    expect(text).toContain('1. line 1: unknown');
    expect(text).not.toContain('hunter2');
    expect(status).toBe(3);
  });

  it('goes without a code', async () => {
    await expect(run('explain', 'RV701', '--error', 'x')).rejects.toThrow('either a code or --error');
    await expect(run('explain', '--error', join(folder, 'none'))).rejects.toThrow('no such file');
  });
});
