/**
 * Captures that begin in the middle of connections, made from the stored ones: the mark that their first packets were given is not in the
 * capture. A correct set-up must not be called failed for that, and a broken one not verified.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { CaptureInput } from '../../src/capture/capture-set.ts';
import type { Report } from '../../src/report/report.ts';
import { verify } from '../../src/verify.ts';
import { inputsOf, intentOf, routerOf, storedScenarios } from './stored-scenario.ts';

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
function cutStart(inputs: readonly CaptureInput[], name: string, share: number): CaptureInput[] {
  const files = inputs.map((input) => ({ input, pcap: readFileSync(input.path) }));
  const times = files.flatMap(({ pcap }) => recordsOf(pcap).map((record) => record.microseconds)).sort((a, b) => a - b);
  const from = times[Math.floor(times.length * share)]!;
  return files.map(({ input, pcap }, index) => {
    const kept = recordsOf(pcap).filter((record) => record.microseconds >= from);
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
