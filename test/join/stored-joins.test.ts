/** Every stored join gets the verdict and findings that what its peers said asks for; its report is, byte for byte, the stored one. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { CATALOG } from '../../src/catalog.ts';
import { loadRouter } from '../../src/commands/inputs.ts';
import { joinIntent } from '../../src/commands/join-intent.ts';
import { parseSiteFile } from '../../src/commands/site-file.ts';
import { FORMATS } from '../../src/formats/index.ts';
import type { Report } from '../../src/report/report.ts';
import { verifyJoin } from '../../src/verify.ts';
import { JOIN_SCENARIOS } from '../lab/join-scenarios.ts';

const ROOT = posix.join(import.meta.dirname, '../..');
process.chdir(ROOT);

interface Stored {
  readonly name: string;
  readonly capture: string;
  readonly router: string;
  readonly outcomes: Readonly<Record<string, string>>;
  readonly expect: { readonly verdict: string; readonly findings: readonly string[] };
}

const NAMES = readdirSync('captures').filter((name) => name.startsWith('join-'));

function stored(name: string): Stored {
  return parse(readFileSync(posix.join('captures', name, 'join.yaml'), 'utf8')) as Stored;
}

function intentOf(name: string) {
  const path = posix.join('captures', name, 'redirect-verify.yaml');
  return joinIntent({}, parseSiteFile(path, readFileSync(path, 'utf8')), path)!;
}

function routerOf(name: string) {
  return loadRouter([posix.join('captures', name, stored(name).router)], []);
}

function captureOf(name: string) {
  return { path: posix.join('captures', name, stored(name).capture) };
}

async function reportOf(name: string): Promise<Report> {
  const { router, sources } = routerOf(name);
  return verifyJoin(intentOf(name), router, [captureOf(name)], { sources });
}

const codesOf = (report: Report): string[] => [...new Set(report.findings.map((item) => item.code))].sort();

it('every scenario is stored, and no more', () => {
  expect(NAMES.sort()).toEqual(JOIN_SCENARIOS.map((scenario) => scenario.name).sort());
});

describe.each(NAMES)('%s', (name) => {
  it('gets the expected verdict and findings', async () => {
    const report = await reportOf(name);
    expect({ verdict: report.verdict, findings: codesOf(report) }).toEqual(stored(name).expect);
  });

  it('says of each connection what its peers say', async () => {
    const report = await reportOf(name);
    const observed = report.join!.flows.map((flow) => flow.observed);
    const want = Object.values(stored(name).outcomes).map((outcome) =>
      outcome === 'ConnectionRefusedError' ? 'refused' : outcome === 'TimeoutError' ? 'silent' : 'answered',
    );
    expect(observed).toEqual(want);
  });

  it('says the same of the captures alone, but for what only the router knows', async () => {
    const report = await verifyJoin(intentOf(name), undefined, [captureOf(name)], { sources: [] });
    const want = stored(name).expect;
    // That silence is the redirect's doing is in the configuration.
    const findings = want.findings.map((code) => (code === 'RV702' ? 'RV701' : code));
    expect({ verdict: report.verdict, findings: codesOf(report) }).toEqual({ ...want, findings });
  });

  it('prints fixes that work', async () => {
    const report = await reportOf(name);
    for (const finding of report.findings.filter(
      (item) => ['RV701', 'RV702'].includes(item.code) && item.fix.length > 0,
    )) {
      const mended = routerOf(name).router.altered(finding.fix);
      expect(mended).toBeDefined();
      const after = await verifyJoin(intentOf(name), mended, [], { sources: [] });
      expect({ verdict: after.verdict, findings: codesOf(after) }).toEqual({ verdict: 'verified', findings: [] });
    }
  });

  it('has the stored report, byte for byte, and every format can write it', async () => {
    const report = await reportOf(name);
    for (const format of FORMATS) {
      const text = format.render(report, {
        color: false,
        verbose: false,
        quiet: false,
        version: '0.0.0',
        kinds: CATALOG,
      });
      expect(text.length).toBeGreaterThan(100);
      const shows = ['text', 'markdown', 'html', 'json'].includes(format.name);
      if (shows) for (const flow of report.join!.flows) expect(text.replaceAll('\\', '')).toContain(flow.server);
      if (format.name !== 'text') continue;
      const path = posix.join('captures', name, 'report.txt');
      if (process.env.UPDATE_GOLDEN === '1') writeFileSync(path, text);
      else expect(text).toBe(readFileSync(path, 'utf8'));
    }
  });
});

it('a capture of which the snap length cut the handshake verifies nothing about the certificate', async () => {
  const name = 'join-tls13';
  const folder = mkdtempSync(posix.join(tmpdir(), 'cut-'));
  try {
    const path = posix.join(folder, 'cut.pcap');
    writeFileSync(path, cutFrames(readFileSync(captureOf(name).path), 128));
    const { router, sources } = routerOf(name);
    const report = await verifyJoin(intentOf(name), router, [{ path }], { sources });
    expect({ verdict: report.verdict, findings: codesOf(report) }).toEqual({
      verdict: 'inconclusive',
      findings: ['RV901'],
    });
    expect(report.join!.flows.map((flow) => flow.verdict)).toEqual(['inconclusive', 'verified', 'verified']);
    expect(report.join!.certificates[0]!.notes).toContain('the snap length cut its bytes');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** A classic pcap of little endian with every frame cut to so many bytes. */
function cutFrames(bytes: Buffer, snapLength: number): Buffer {
  const parts = [bytes.subarray(0, 24)];
  for (let at = 24; at < bytes.length; ) {
    const captured = bytes.readUInt32LE(at + 8);
    const header = Buffer.from(bytes.subarray(at, at + 16));
    header.writeUInt32LE(Math.min(captured, snapLength), 8);
    parts.push(header, bytes.subarray(at + 16, at + 16 + Math.min(captured, snapLength)));
    at += 16 + captured;
  }
  return Buffer.concat(parts);
}

it('the fixes of both kinds of failure were tried', async () => {
  const reports = await Promise.all(['join-cluster-port-filtered', 'join-redirected'].map(reportOf));
  expect(
    reports.flatMap((report) => report.findings.filter((item) => item.fix.length > 0)).map((item) => item.code),
  ).toEqual(['RV701', 'RV702']);
});
