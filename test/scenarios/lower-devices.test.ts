/**
 * A router whose networks are on devices above others, recorded on the upper devices, on the lower ones, on both and on `any` at once
 * (test/lab/record-lower-devices.ts): every frame counts once, wherever it was seen.
 */
import { posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadRouter } from '../../src/commands/inputs.ts';
import type { Report } from '../../src/report/report.ts';
import { verify } from '../../src/verify.ts';
import { INTENT } from '../findings/run-verify.ts';
import { storedScenarios } from './stored-scenario.ts';

const FOLDER = 'test/scenarios/lower-devices';
// For its working directory, from which the paths here count.
storedScenarios();

async function judge(...files: readonly string[]): Promise<Report> {
  const { router, sources } = loadRouter([posix.join(FOLDER, 'router.txt')], []);
  const inputs = files.map((file) => ({ path: posix.join(FOLDER, file) }));
  return verify(inputs, router, { ...INTENT, spsInterfaces: ['br1'] }, { whatIf: false, sources });
}

const said = (report: Report): string[] => report.findings.map(({ code, message }) => `${code} ${message}`);

describe('a router on bridges and a macvlan', () => {
  it('is verified from its upper devices', async () => {
    const report = await judge('upper.pcapng');
    expect({ verdict: report.verdict, said: said(report) }).toEqual({ verdict: 'verified', said: [] });
    expect(report.summary.connections).toBe(4);
    expect(report.vantage).toMatchObject({ interfaces: ['mv0', 'br1', 'br2'], showsBypass: true });
    for (const { clientToServer, serverToClient } of report.connections) {
      expect(clientToServer.observed).toBe(clientToServer.packets);
      expect(serverToClient.observed).toBe(serverToClient.packets);
    }
  });

  it.each([
    ['lower.pcapng'],
    ['both.pcapng'],
    ['any.pcap'],
    ['any-v1.pcap'],
    ['upper.pcapng', 'lower.pcapng'],
    ['any.pcap', 'lower.pcapng'],
    ['any.pcap', 'upper.pcapng'],
  ])('counts every frame once in %s %s', async (...files) => {
    const want = await judge('upper.pcapng');
    const got = await judge(...files.filter((file) => file !== undefined));
    expect({ verdict: got.verdict, said: said(got) }).toEqual({ verdict: 'verified', said: [] });
    expect(got.connections).toEqual(want.connections);
    expect(got.summary.monitoredPackets).toBe(want.summary.monitoredPackets);
    expect(got.vantage).toMatchObject({ interfaces: expect.arrayContaining(['mv0', 'br1', 'br2']), showsBypass: true });
  });
});
