/**
 * Captures that begin in the middle of connections, made from the stored ones: the mark that their first packets were given is not in the
 * capture. A correct set-up must not be called failed for that, and a broken one not verified.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { CaptureInput } from '../../src/capture/capture-set.ts';
import { openCaptureSet } from '../../src/capture/open-capture.ts';
import { parseRouterState } from '../../src/dialects/index.ts';
import type { Report } from '../../src/report/report.ts';
import { linuxRouter } from '../../src/verification/linux-router.ts';
import type { Router } from '../../src/verification/router.ts';
import { trace, type TraceTotals } from '../../src/verification/trace.ts';
import { verify } from '../../src/verify.ts';
import { inputsOf, intentOf, routerOf, routerPath, storedScenarios } from './stored-scenario.ts';

const scratch = mkdtempSync(join(tmpdir(), 'redirect-verify-middle-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const HEADER_LENGTH = 24;
const RECORD_LENGTH = 16;

/** Those with connections that live long enough to be cut: in the others everything hangs from the first packet on. */
const SCENARIOS = storedScenarios().filter(
  ({ kernel, options, captures }) =>
    options['what-if'] !== true && captures.perInterface !== undefined && kernel.packets.serverSent > 4,
);

interface Record {
  readonly microseconds: number;
  readonly bytes: Buffer;
}

function recordsOf(pcap: Buffer): Record[] {
  const records: Record[] = [];
  for (let offset = HEADER_LENGTH; offset < pcap.length; ) {
    const end = offset + RECORD_LENGTH + pcap.readUInt32LE(offset + 8);
    const microseconds = pcap.readUInt32LE(offset) * 1e6 + pcap.readUInt32LE(offset + 4);
    records.push({ microseconds, bytes: pcap.subarray(offset, end) });
    offset = end;
  }
  return records;
}

/** Leaves away what was captured in the first part of the time, on all interfaces alike. */
function cutStart(
  inputs: readonly CaptureInput[],
  name: string,
  share: number,
  isKept: (frame: Buffer) => boolean = () => true,
): CaptureInput[] {
  const files = inputs.map((input) => ({ input, pcap: readFileSync(input.path) }));
  const times = files.flatMap(({ pcap }) => recordsOf(pcap).map((record) => record.microseconds)).sort((a, b) => a - b);
  const from = times[Math.floor(times.length * share)]!;
  return files.map(({ input, pcap }, index) => {
    const kept = recordsOf(pcap).filter(
      ({ microseconds, bytes }) => microseconds >= from && isKept(bytes.subarray(RECORD_LENGTH)),
    );
    const path = join(scratch, `${name}-${share}-${index}.pcap`);
    writeFileSync(path, Buffer.concat([pcap.subarray(0, HEADER_LENGTH), ...kept.map((record) => record.bytes)]));
    return { ...input, path };
  });
}

describe.each(SCENARIOS)('$name', (scenario) => {
  it.each([0.1, 0.25, 0.5, 0.75, 0.9])('without the first %d of it', async (share) => {
    const { router, sources } = routerOf(scenario);
    const inputs = cutStart(inputsOf(scenario, 'perInterface'), scenario.name, share);
    const report: Report = await verify(inputs, router, intentOf(scenario), {
      whatIf: false,
      requireObserved: false,
      verifyChecksums: false,
      sources,
    });
    const said = report.findings.map((finding) => `${finding.code} ${finding.message}`);
    const opposite = scenario.kernel.verdict === 'verified' ? 'failed' : 'verified';
    expect({ verdict: report.verdict, said }).not.toMatchObject({ verdict: opposite });
    // Where the cut falls between connections, nothing began before it.
    if (report.verdict !== scenario.kernel.verdict)
      expect(report.findings.map((finding) => finding.code)).toContain('RV107');
  });
});

/** What `conntrack -L` would have shown in the moment of the cut, by the simulation of everything that came before it. */
async function connectionsUntil(inputs: readonly CaptureInput[], router: Router, end: number): Promise<string> {
  const captures = await openCaptureSet(inputs, { verifyChecksums: false });
  const totals: TraceTotals = { frames: 0, ingress: 0, observed: 0, ambiguous: 0, unpairedEgress: 0 };
  const lines = new Map<string, string>();
  const originals = new Map<string, string>();
  try {
    for await (const frame of trace(captures, router, totals, { verifyChecksums: false, explain: () => false })) {
      const found = /^tcp ([\d.]+):(\d+) > ([\d.]+):(\d+) \[(.*)\]/.exec(frame.packet);
      if (found === null || frame.connmark === undefined || frame.seconds * 1e6 + frame.nanoseconds / 1e3 >= end)
        continue;
      const [, source, sport, destination, dport, flags] = found;
      const key = `src=${source} dst=${destination} sport=${sport} dport=${dport}`;
      const inverse = `src=${destination} dst=${source} sport=${dport} dport=${sport}`;
      if (flags === 'S') originals.set(key, key).set(inverse, key);
      const original = originals.get(key);
      if (original === undefined) continue;
      const reply = original === key ? inverse : key;
      lines.set(original, `tcp 6 431999 ESTABLISHED ${original} ${reply} [ASSURED] mark=${frame.connmark} use=1`);
    }
  } finally {
    await captures.close();
  }
  return [...lines.values()].join('\n');
}

describe('with the list of entries as it was then', () => {
  it.each(['seed-own-address', 'seed-spoofing'])(
    '%s: what began before is told apart from what is unknown',
    async (name) => {
      const scenario = SCENARIOS.find((item) => item.name === name)!;
      const inputs = inputsOf(scenario, 'perInterface');
      const times = inputs.flatMap(({ path }) => recordsOf(readFileSync(path)).map((record) => record.microseconds));
      // Without copies of what left the router, which would show the way by themselves.
      const own = new Set(routerOf(scenario).router.interfaces.map(({ mac }) => mac));
      const cut = cutStart(inputs, `${name}-listed`, 0.5, (frame) => own.has(frame.readUIntBE(0, 6)));
      const first = times.sort((a, b) => a - b)[Math.floor(times.length * 0.5)]!;
      const { router, sources } = routerOf(scenario);
      const list = await connectionsUntil(inputs, router, first);
      const text = readFileSync(join(routerPath(scenario), 'router.txt'), 'utf8');
      const device = parseRouterState([{ path: 'router.txt', text: `${text}\n### conntrack -L\n${list}\n` }]);
      const listed = linuxRouter({ ...device, collectedAt: new Date(first / 1000 - 1).toISOString() });
      const options = { whatIf: false, requireObserved: false, verifyChecksums: false, sources };
      const without = await verify(cut, router, intentOf(scenario), options);
      const report = await verify(cut, listed, intentOf(scenario), options);
      const said = (given: Report) => given.findings.map((finding) => finding.message).join('\n');
      expect(said(without)).toMatch(/the mark of their entry is unknown/);
      expect(said(report)).toMatch(/list of connections/);
      expect(said(report)).not.toMatch(/the mark of their entry is unknown/);
      expect(report.summary.inconclusive).toBeLessThan(without.summary.inconclusive);
    },
  );
});
