/** `diff`: what a change of the configuration changes, over pairs of stored configurations. */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { CaptureSet } from '../../src/capture/capture-set.ts';
import { openCaptureSet } from '../../src/capture/open-capture.ts';
import { diffMarkdown, diffText } from '../../src/commands/diff-output.ts';
import { parseSiteFile } from '../../src/commands/site-file.ts';
import { statedIntent } from '../../src/commands/stated-intent.ts';
import { parseRouterState } from '../../src/dialects/index.ts';
import { DIAGNOSIS_ORDER, FINDINGS } from '../../src/findings/index.ts';
import { buildReport } from '../../src/report/build-report.ts';
import { type DiffReport, diffReport, exitCodeOfDiff } from '../../src/report/diff-report.ts';
import { runDiff } from '../../src/verification/diff.ts';
import { linuxRouter } from '../../src/verification/linux-router.ts';
import { teeCaptures } from '../../src/verification/tee-captures.ts';
import type { Verification } from '../../src/verification/verification.ts';
import { PacketBatch } from '../../src/wire/packet-batch.ts';
import { compiledCli, runCli } from '../cli/compiled-cli.ts';

interface Pair {
  /** Scenario with the capture and the intent. */
  readonly capture: string;
  readonly before: string;
  readonly after: string;
  /** Changes the text of the state after. */
  readonly edit?: (text: string) => string;
  /** Only so many frames: as if the capture had ended there, in the midst of connections. */
  readonly frames?: number;
}

const OWN = 'seed-own-address/router';
const PLAIN = 'plain-before-redirect/router';

function routerFrom(path: string, edit: (text: string) => string = (text) => text) {
  const file = `captures/${path}/router.txt`;
  return linuxRouter(parseRouterState([{ path: file, text: edit(readFileSync(file, 'utf8')) }]));
}

async function capture(name: string, frames = Number.POSITIVE_INFINITY): Promise<CaptureSet> {
  const whole = await openCaptureSet([{ path: `captures/${name}/capture.pcapng` }], {});
  let seen = 0;
  return {
    interfaces: whole.interfaces,
    files: () => whole.files(),
    problems: () => whole.problems(),
    progress: () => whole.progress(),
    close: () => whole.close(),
    next: async (batch) => {
      const more = seen < frames && (await whole.next(batch));
      batch.length = more ? Math.min(batch.length, frames - seen) : 0;
      seen += batch.length;
      return more;
    },
  };
}

async function diffOf(pair: Pair): Promise<DiffReport> {
  const site = `captures/${pair.capture}/redirect-verify.yaml`;
  const stated = statedIntent({}, parseSiteFile(site, readFileSync(site, 'utf8')), site);
  const diff = await runDiff(
    await capture(pair.capture, pair.frames),
    routerFrom(pair.before),
    routerFrom(pair.after, pair.edit),
    stated,
    {
      diagnosers: DIAGNOSIS_ORDER.flatMap((finding) => finding.diagnose ?? []),
    },
  );
  const report = (run: Verification) => buildReport(run, FINDINGS, { connections: 'all', sources: [] });
  return diffReport(diff, report(diff.before), report(diff.after));
}

const otherMark = (text: string): string =>
  text
    .replaceAll('0x1/0xffffffff', '0x2/0xffffffff')
    .replaceAll('--mark 0x1', '--mark 0x2')
    .replaceAll('fwmark 0x1', 'fwmark 0x2');

describe('what changes, and the statement that makes the difference', () => {
  it.each([
    {
      name: 'a redirect is loaded where there was none',
      pair: { capture: 'plain-before-redirect', before: PLAIN, after: `${PLAIN}-correct` },
      change: 'newly-via-sps',
      fates: ['bypasses', 'via-sps'],
      packet: /^SYN of the client/,
      before: { text: 'from all lookup main', end: 'forwarded by eth2 to 10.0.0.10' },
      after: {
        text: '-A PREROUTING -d 10.0.0.0/24 -i eth0 -p tcp -m tcp --dport 3389 -j CONNMARK --set-xmark 0x1/0xffffffff',
        end: 'forwarded by eth1 to 172.16.0.1',
      },
      exit: 0,
    },
    {
      name: 'a redirect is loaded that drops what SPS sends',
      pair: { capture: 'plain-before-redirect', before: PLAIN, after: `${PLAIN}-broken` },
      change: 'newly-dropped',
      fates: ['bypasses', 'dropped'],
      packet: /^SYN of the client/,
      before: { text: 'from all lookup main' },
      after: { end: 'forwarded by eth1 to 172.16.0.1' },
      exit: 1,
    },
    {
      name: 'the redirect is for another port',
      pair: { capture: 'seed-own-address', before: OWN, after: 'wrong-port/router' },
      change: 'no-longer-via-sps',
      fates: ['via-sps', 'bypasses'],
      packet: /^SYN of the client/,
      before: {
        text: '-A PREROUTING -d 10.0.0.0/24 -i eth0 -p tcp -m tcp --dport 3389 -j CONNMARK --set-xmark 0x1/0xffffffff',
      },
      after: { effect: 'no statement does it', end: 'forwarded by eth2 to 10.0.0.10' },
      exit: 1,
    },
    {
      name: 'the reverse path filter becomes strict',
      pair: { capture: 'seed-spoofing', before: 'seed-spoofing/router', after: 'rp-filter-strict-all/router' },
      change: 'newly-dropped',
      fates: ['via-sps', 'dropped'],
      packet: /^SYN-ACK of SPS to the client/,
      before: { text: 'net.ipv4.conf.eth1.rp_filter = 0' },
      after: { text: 'net.ipv4.conf.all.rp_filter = 1', end: 'dropped-by-reverse-path' },
      exit: 1,
    },
    {
      name: 'the exemption of SPS is lost',
      pair: { capture: 'seed-own-address', before: OWN, after: 'no-sps-exemption/router' },
      change: 'newly-looping',
      fates: ['via-sps', 'loops'],
      packet: /^SYN-ACK of SPS to the client/,
      before: { effect: 'no statement does it' },
      after: { text: '-A PREROUTING -m connmark --mark 0x1 -j MARK --set-xmark 0x1/0xffffffff' },
      exit: 1,
    },
    {
      name: 'the redirect’s route leads elsewhere',
      pair: { capture: 'seed-own-address', before: OWN, after: 'wrong-next-hop/router' },
      change: 'no-longer-via-sps',
      fates: ['via-sps', 'bypasses'],
      packet: /^SYN of the client/,
      before: { text: 'default via 172.16.0.1 dev eth1 table scb' },
      after: { text: 'default via 172.16.0.2 dev eth1 table scb' },
      exit: 1,
    },
    {
      name: 'another mark does the same',
      pair: { capture: 'seed-own-address', before: OWN, after: OWN, edit: otherMark },
      change: 'other-way',
      fates: ['via-sps', 'via-sps'],
      packet: /^SYN of the client/,
      before: { effect: 'mangle PREROUTING rule 1: CONNMARK 0x0 > 0x1' },
      after: { effect: 'mangle PREROUTING rule 1: CONNMARK 0x0 > 0x2' },
      exit: 0,
    },
    {
      name: 'a rule that is not modelled',
      pair: { capture: 'seed-own-address', before: OWN, after: 'unmodelled-match/router' },
      change: 'newly-undetermined',
      fates: ['via-sps', 'undetermined'],
      packet: /^SYN of the client/,
      before: {},
      after: { effect: 'mangle PREROUTING rule 1: unknown: CONNMARK 0x0 > 0x1' },
      exit: 1,
    },
  ] as const)('$name', async ({ pair, change, fates, packet, before, after, exit }) => {
    const report = await diffOf(pair);
    const [group] = report.groups;
    expect(report.groups).toHaveLength(1);
    expect(report.summary).toMatchObject({ connections: 4, [change]: 4 });
    expect(group).toMatchObject({ change, count: 4, before: { fate: fates[0] }, after: { fate: fates[1] } });
    expect(group?.packet).toMatch(packet);
    for (const [side, want] of [
      [group?.before, before],
      [group?.after, after],
    ] as const) {
      const { text, ...rest } = { text: undefined, ...want };
      expect(side).toMatchObject(rest);
      if (text !== undefined)
        expect(side?.where).toMatchObject({ kind: 'config', text: expect.stringContaining(text) });
    }
    expect(exitCodeOfDiff(report)).toBe(exit);
    expect(report.summary.noLongerVerified).toBe(
      report.before.verdict === 'verified' && report.after.verdict !== 'verified' ? 4 : 0,
    );
  });

  it.each([
    'seed-own-address',
    'seed-spoofing',
    'spoofing-same-port',
    'masquerade-toward-sps',
    'empty-table',
    'reply-rule-forgotten',
    'legacy-iptables',
  ])('a configuration changes nothing against itself: %s', async (name) => {
    const report = await diffOf({ capture: name, before: `${name}/router`, after: `${name}/router` });
    expect(report.groups.map((group) => group.change)).toEqual(['unchanged']);
    expect(diffText(report)).toMatch(/^NO CHANGE {2}\d+ connections: \d+ unchanged/);
  });
});

describe('connections that are open when the capture ends', () => {
  it.each([
    {
      name: 'nothing changes',
      pair: { capture: 'seed-own-address', before: OWN, after: OWN, frames: 80 },
      want: { cut: 0, oldMark: 0, unknown: 0 },
    },
    {
      name: 'what went straight would go to an SPS that knows nothing of it',
      pair: { capture: 'plain-before-redirect', before: PLAIN, after: `${PLAIN}-correct`, frames: 80 },
      want: { open: 1, cut: 1, oldMark: 0, unknown: 0 },
    },
    {
      name: 'the mark of the entry still leads to SPS, new connections go straight',
      pair: { capture: 'seed-own-address', before: OWN, after: 'wrong-port/router', frames: 80 },
      want: { cut: 0, oldMark: 2, unknown: 0 },
    },
    {
      name: 'the next packet of the client takes the new mark',
      pair: { capture: 'seed-own-address', before: OWN, after: OWN, edit: otherMark, frames: 80 },
      want: { cut: 0, oldMark: 0, unknown: 0 },
    },
    {
      name: 'a mark that only first packets get stays the old one, of which no rule knows any more',
      pair: {
        capture: 'seed-own-address',
        before: OWN,
        after: OWN,
        edit: (text: string) =>
          otherMark(text).replace('--dport 3389 -j CONNMARK', '--dport 3389 -m conntrack --ctstate NEW -j CONNMARK'),
        frames: 80,
      },
      want: { oldMark: 0, unknown: 0, cut: 2 },
    },
  ])('$name', async ({ pair, want }) => {
    const { established } = await diffOf(pair);
    expect(established).toMatchObject(want);
    expect(established.open).toBeGreaterThan(0);
    expect(established.unaffected + established.cut + established.oldMark + established.unknown).toBe(established.open);
  });

  it('none is open where all were closed', async () => {
    const report = await diffOf({ capture: 'seed-own-address', before: OWN, after: 'wrong-port/router' });
    expect(report.established.open).toBe(0);
    expect(diffText(report)).toContain('no connection is open when the capture ends');
  });
});

describe('two readers of one capture', () => {
  it('each gets every frame, and not what the other does to it', async () => {
    const rows = async (set: CaptureSet, size: number, spoil: boolean): Promise<number[]> => {
      const batch = new PacketBatch(size);
      const frames: number[] = [];
      while (await set.next(batch)) {
        for (let row = 0; row < batch.length; row++) frames.push(batch.frameNumber[row]! * 1000 + batch.ttl[row]!);
        if (spoil) batch.ttl.fill(0);
      }
      return frames;
    };
    const alone = await rows(await capture('seed-own-address'), 16, false);
    const [first, second] = teeCaptures(await capture('seed-own-address'));
    const [one, two] = await Promise.all([rows(first, 16, true), rows(second, 16, true)]);
    expect(one).toEqual(alone);
    expect(two).toEqual(alone);
  });

  it('an error reaches both', async () => {
    const broken: CaptureSet = {
      ...(await capture('seed-own-address')),
      next: () => Promise.reject(new Error('unreadable')),
    };
    const [first, second] = teeCaptures(broken);
    const results = await Promise.allSettled([first.next(new PacketBatch(4)), second.next(new PacketBatch(4))]);
    expect(results.map((item) => item.status)).toEqual(['rejected', 'rejected']);
  });
});

describe('on the command line', () => {
  beforeAll(() => {
    compiledCli();
  });
  const args = [
    'diff',
    'captures/plain-before-redirect/capture.pcapng',
    '--before',
    `captures/${PLAIN}`,
    '--after',
    `captures/${PLAIN}-correct`,
  ];

  it('text, json and markdown', () => {
    const text = runCli(args);
    expect({ status: text.status, stderr: text.stderr }).toEqual({
      status: 0,
      stderr: 'site file: captures/plain-before-redirect/redirect-verify.yaml\n',
    });
    expect(text.stdout).toMatch(/^4 CHANGED {2}4 connections: 4 newly via SPS; failed before, verified after\n/);
    expect(runCli([...args, '--quiet']).stdout).toBe(`${text.stdout.split('\n')[0]}\n`);
    const json = JSON.parse(runCli([...args, '--format', 'json']).stdout) as DiffReport;
    expect(json).toMatchObject({
      schema: 'redirect-verify/diff/1',
      summary: { connections: 4, 'newly-via-sps': 4, unchanged: 0 },
    });
    expect(runCli([...args, '--format', 'markdown']).stdout).toBe(diffMarkdown(json));
  });

  it.each([
    {
      name: 'no state before',
      args: ['diff', 'captures/plain-before-redirect/capture.pcapng', '--after', `captures/${PLAIN}`],
      says: /--before/,
    },
    {
      name: 'a capture that is not there',
      args: ['diff', 'none.pcap', '--before', `captures/${PLAIN}`, '--after', `captures/${PLAIN}`],
      says: /none\.pcap: no such file/,
    },
    {
      name: 'a capture as state',
      args: [
        'diff',
        'captures/plain-before-redirect/capture.pcapng',
        '--before',
        'captures/plain-before-redirect/capture.pcapng',
        '--after',
        `captures/${PLAIN}`,
      ],
      says: /capture\.pcapng/,
    },
  ])('refuses $name with one line', ({ args: words, says }) => {
    const { status, stdout, stderr } = runCli(words);
    const lines = stderr
      .trimEnd()
      .split('\n')
      .filter((line) => !line.startsWith('site file: '));
    expect({ status, stdout, lines: lines.length }).toEqual({ status: 2, stdout: '', lines: 1 });
    expect(stderr).toMatch(says);
  });
});
