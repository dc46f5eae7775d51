/**
 * Sessions recorded on the client, on SPS and on the server at the same time as on the router (test/lab/record-vantages.ts): what is said of
 * the hosts' captures does not contradict what is said of the router's, and it is told where they were taken.
 */
import { readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadRouter } from '../../src/commands/inputs.ts';
import type { Report, Verdict } from '../../src/report/report.ts';
import type { StatedIntent } from '../../src/verification/intent.ts';
import type { VantageName } from '../../src/verification/verification.ts';
import { verify } from '../../src/verify.ts';
import { INTENT, report as reportOf, SPOOFING } from '../findings/run-verify.ts';
import { storedScenarios } from './stored-scenario.ts';

const ROOT = 'test/scenarios/vantages';
// For its working directory, from which the paths here count.
storedScenarios();

interface Recorded {
  readonly folder: string;
  readonly intent: StatedIntent;
  /** As the kernel's counters prove it. */
  readonly verdict: Verdict;
  /** What each host's captures suffice for. */
  readonly hosts: Readonly<Record<'client' | 'sps' | 'server', Verdict>>;
}

const RECORDED: readonly Recorded[] = [
  {
    folder: 'own-address',
    intent: INTENT,
    verdict: 'verified',
    hosts: { client: 'verified', sps: 'verified', server: 'verified' },
  },
  {
    folder: 'spoofing-with-offloads',
    intent: SPOOFING,
    verdict: 'verified',
    // Only SPS sees that it uses a port of its own; with the client's, conntrack might take packets for INVALID.
    hosts: { client: 'inconclusive', sps: 'verified', server: 'inconclusive' },
  },
  {
    folder: 'bypass',
    intent: INTENT,
    verdict: 'failed',
    hosts: { client: 'failed', sps: 'inconclusive', server: 'failed' },
  },
  {
    folder: 'asymmetric',
    intent: SPOOFING,
    verdict: 'failed',
    hosts: { client: 'failed', sps: 'failed', server: 'failed' },
  },
  {
    folder: 'reverse-path-filter',
    intent: INTENT,
    verdict: 'failed',
    hosts: { client: 'failed', sps: 'failed', server: 'inconclusive' },
  },
];
const HOSTS = ['client', 'sps', 'server'] as const;
/** The hosts' interfaces are all called eth0, as the router's on the clients' segment is. */
const FORMS = ['.pcapng', '-any.pcap'] as const;

async function judge(
  { folder, intent }: Recorded,
  files: readonly string[],
  options: { readonly vantage?: VantageName; readonly requireObserved?: boolean } = {},
): Promise<Report> {
  const { router, sources } = loadRouter([posix.join(ROOT, folder, 'router.txt')], []);
  const inputs = files.map((file) => ({ path: posix.join(ROOT, folder, file) }));
  return verify(inputs, router, intent, { whatIf: false, sources, ...options });
}

async function judgeBytes(recorded: Recorded, capture: Uint8Array): Promise<Report> {
  const { router } = loadRouter([posix.join(ROOT, recorded.folder, 'router.txt')], []);
  return reportOf({ capture, state: router, intent: recorded.intent });
}

function bytesOf({ folder }: Recorded, file: string): Buffer {
  return readFileSync(posix.join(ROOT, folder, file));
}

/** The blocks of a little-endian pcapng. */
function blocksOf(bytes: Buffer): Buffer[] {
  const blocks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += bytes.readUInt32LE(at + 4))
    blocks.push(bytes.subarray(at, at + bytes.readUInt32LE(at + 4)));
  return blocks;
}

/** Every frame a second time, as from a switch that mirrors what comes in and what goes out. */
function doubled(bytes: Buffer): Buffer {
  return Buffer.concat(blocksOf(bytes).flatMap((block) => (block.readUInt32LE(0) === 6 ? [block, block] : [block])));
}

/** With interfaces of other names: eth0 is wl00, or mo00. */
function renamed(bytes: Buffer, prefix: string): Buffer {
  const blocks = blocksOf(Buffer.from(bytes)).map((block) => {
    const at = block.indexOf('eth');
    if (block.readUInt32LE(0) === 1 && at >= 0) block.write(`${prefix}0`, at);
    return block;
  });
  return Buffer.concat(blocks);
}

const said = (report: Report): string[] => report.findings.map(({ code, message }) => `${code} ${message}`);

describe.each(RECORDED)('$folder', (recorded) => {
  it('on the router is judged as the kernel’s counters prove', async () => {
    const report = await judge(recorded, ['router.pcapng']);
    expect({ verdict: report.verdict, said: said(report) }).toMatchObject({ verdict: recorded.verdict });
    expect(report.captures[0]?.vantage).toBe('router');
    expect(report.vantage).toMatchObject({ stated: false, showsBypass: true, missing: [] });
  });

  it.each(HOSTS.flatMap((host) => FORMS.map((form) => ({ host, form }))))(
    'on the $host ($form) is judged by what that shows',
    async ({ host, form }) => {
      const file = `${host}${form}`;
      for (const vantage of [undefined, host] as const) {
        const report = await judge(recorded, [file], vantage === undefined ? {} : { vantage });
        expect({ verdict: report.verdict, vantage, said: said(report) }).toMatchObject({
          verdict: recorded.hosts[host],
        });
        expect(report.vantage).toMatchObject({ stated: vantage !== undefined, showsBypass: false });
        // The client's wire is the router's eth0, and its interface has that name: nothing but the user can tell the two apart.
        const told = vantage === undefined && file === 'client.pcapng' ? 'router' : host;
        if (report.summary.packets > 0) expect([file, report.captures[0]?.vantage]).toEqual([file, told]);
        // Everything is on one wire, and nothing is taken for two interfaces.
        expect(report.vantage?.interfaces.length).toBeLessThanOrEqual(1);
        expect(said(report).filter((line) => line.startsWith('RV102'))).toEqual([]);
      }
    },
  );

  it('on a client whose interface has a name of its own is told to be on a client', async () => {
    const made = await judgeBytes(recorded, renamed(bytesOf(recorded, 'client.pcapng'), 'wl'));
    expect(made.captures[0]).toMatchObject({ vantage: 'client', interfaces: ['wl00'] });
    expect({ verdict: made.verdict, said: said(made) }).toMatchObject({ verdict: recorded.hosts.client });
  });

  it.each(['once', 'twice'])('on a mirror port that shows every frame %s is judged as on the router', async (times) => {
    const want = await judge(recorded, ['router.pcapng']);
    const bytes = renamed(bytesOf(recorded, 'router.pcapng'), 'mo');
    const made = await judgeBytes(recorded, times === 'once' ? bytes : doubled(bytes));
    expect(made.captures[0]).toMatchObject({ vantage: 'mirror' });
    expect(made.connections).toEqual(want.connections);
    expect(made.verdict).toBe(want.verdict);
  });

  it('on no host is there more than the configuration to say so: nothing is observed', async () => {
    for (const host of HOSTS) {
      const report = await judge(recorded, [`${host}.pcapng`], { requireObserved: true });
      expect([host, report.verdict]).not.toEqual([host, 'verified']);
    }
  });

  it('on all hosts together is judged as on the router', async () => {
    for (const form of FORMS) {
      const report = await judge(
        recorded,
        HOSTS.map((host) => `${host}${form}`),
      );
      expect({ form, verdict: report.verdict, said: said(report) }).toMatchObject({ verdict: recorded.verdict });
    }
  });
});
