/** `init`: the site file that it writes, and the JSON schema beside it. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { toJsonSchema } from '@valibot/to-json-schema';
import { Ajv } from 'ajv';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parseSiteFile, SITE_SCHEMA } from '../../src/commands/site-file.ts';
import { ROOT, runCli } from '../cli/compiled-cli.ts';
import { makeScratch, STORED } from '../cli/scratch.ts';
import { routerPath, storedScenarios } from '../scenarios/stored-scenario.ts';

const scratch = makeScratch();
afterAll(() => scratch.remove());

const SCHEMA = join(ROOT, 'redirect-verify.schema.json');
const DIALECT = 'http://json-schema.org/draft-07/schema#';

function published(): string {
  const { $schema: _, ...schema } = toJsonSchema(SITE_SCHEMA, { typeMode: 'input', target: 'draft-07' });
  return `${JSON.stringify({ $schema: DIALECT, title: 'Site file of redirect-verify', ...schema }, undefined, 2)}\n`;
}

const isValid = new Ajv().compile(JSON.parse(published()) as object);

describe('the JSON schema of site files', () => {
  it('is the one that the tool reads with', () => {
    if (process.env.UPDATE_GOLDEN === '1') writeFileSync(SCHEMA, published());
    expect(readFileSync(SCHEMA, 'utf8')).toBe(published());
    expect(runCli(['init', '--schema'])).toMatchObject({ status: 0, stdout: published(), stderr: '' });
  });

  it.each([
    { text: 'sps: 172.16.0.1\nservices: [ssh, tcp/3389]\nsnat: own\n', want: true },
    { text: '{}', want: true },
    { text: 'snat: mine\n', want: false },
    { text: 'spss: [172.16.0.1]\n', want: false },
    { text: 'sps: { address: 172.16.0.1 }\n', want: false },
    { text: 'clients: 10\n', want: false },
  ])('agrees with the tool: $text', ({ text, want }) => {
    expect(isValid(parse(text))).toBe(want);
    const read = () => parseSiteFile('site.yaml', text);
    if (want) expect(read).not.toThrow();
    else expect(read).toThrow(/site\.yaml:1:1: /);
  });
});

describe('init', () => {
  const states = new Map(storedScenarios().map((scenario) => [routerPath(scenario), scenario]));
  // Of these nothing can be inferred: no redirect, or one that nothing reads yet.
  const bare = new Set([
    'plain-before-redirect',
    'native-nftables',
    'empty-table',
    'destination-nat',
    'ios-list-undefined',
    'ios-map-undefined',
    'ios-next-hop-not-connected',
  ]);

  it.each([...states].filter(([, { name }]) => !bare.has(name)))(
    'what it writes is read, valid and what would have been inferred: %s',
    (router, { name }) => {
      const { status, stdout, stderr } = runCli(['init', '--router', router, '--output', '-']);
      expect({ name, status, stderr }).toEqual({ name, status: 0, stderr: '' });
      const stored = join(ROOT, 'captures', name, 'redirect-verify.yaml');
      const { spsInterfaces } = parseSiteFile(stored, readFileSync(stored, 'utf8'));
      const made = parseSiteFile('site.yaml', stdout);
      expect(made.sps?.length).toBeGreaterThan(0);
      // The one that the redirect leads to; others that face SPS are not in the state.
      expect(spsInterfaces).toEqual(expect.arrayContaining([...(made.spsInterfaces ?? ['none'])]));
      expect(isValid(parse(stdout))).toBe(true);
      expect(stdout).toMatch(/# inferred from the redirect's next hop:\n# {3}\S+:\d+:\d+ {2}\S/);
    },
  );

  it('writes the file with the schema beside it, and verify takes it up', () => {
    const capture = scratch.copy(STORED.good, 'work/capture.pcapng');
    scratch.copy(STORED.goodRouter, 'work/router/router.txt');
    const cwd = dirname(capture);
    const made = runCli(['init', '--servers', '10.0.0.0/24', '--snat', 'own'], { cwd });
    expect(made).toMatchObject({
      status: 0,
      stdout: '',
      stderr: expect.stringContaining('router state: router\nwrote redirect-verify.yaml'),
    });
    expect(readFileSync(join(cwd, 'redirect-verify.schema.json'), 'utf8')).toBe(published());
    const site = readFileSync(join(cwd, 'redirect-verify.yaml'), 'utf8');
    expect(site).toMatch(/^# yaml-language-server: \$schema=\.\/redirect-verify\.schema\.json\n/);
    expect(site).toContain('# as stated\nservers: [10.0.0.0/24]');
    const run = runCli(['capture.pcapng'], { cwd });
    expect(run).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^VERIFIED/),
      stderr: 'router state: router\nsite file: redirect-verify.yaml\n',
    });
    expect(run.stdout).not.toContain('(inferred)');

    const again = runCli(['init'], { cwd });
    expect(again).toMatchObject({ status: 2, stdout: '' });
    expect(again.stderr).toContain('redirect-verify.yaml exists; --force overwrites it');
    expect(readFileSync(join(cwd, 'redirect-verify.yaml'), 'utf8')).toBe(site);
    expect(runCli(['init', '--force'], { cwd }).status).toBe(0);
    expect(readFileSync(join(cwd, 'redirect-verify.yaml'), 'utf8')).toContain("# The router's state does not say it");
  });

  it('suggests spoofing where servers’ replies are redirected', () => {
    const { stdout } = runCli(['init', '--router', 'captures/seed-spoofing/router', '--output', '-']);
    expect(stdout).toContain('suggests client.\n# snat: client\n');
  });

  it.each([
    { name: 'no router', args: ['init'], says: /no router state/ },
    {
      name: 'a router without a redirect',
      args: ['init', '--router', 'captures/plain-before-redirect/router'],
      says: /name its address with --sps/,
    },
    {
      name: 'a folder that is not there',
      args: ['init', '--router', STORED.goodRouter, '--output', 'nowhere/x.yaml'],
      says: /nowhere\/x\.yaml: cannot be written/,
    },
    {
      name: 'the router’s own file',
      args: ['init', '--router', STORED.goodRouter, '--force', '--output', STORED.goodRouter],
      says: /is an input of this run/,
    },
  ])('refuses $name with one line', ({ args, says }) => {
    const cwd = args.length === 1 ? scratch.folder('empty') : ROOT;
    const { status, stdout, stderr } = runCli(args, { cwd });
    expect({ status, stdout, lines: stderr.trimEnd().split('\n').length }).toEqual({ status: 2, stdout: '', lines: 1 });
    expect(stderr).toMatch(says);
    expect(existsSync(join(ROOT, 'nowhere'))).toBe(false);
  });
});
