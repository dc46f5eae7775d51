/**
 * Every stored scenario gets the verdict that the kernel's behaviour proves, from each form of its captures alike; and its
 * reports are, byte for byte, the stored ones. See captures/README.md.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { posix } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CATALOG } from '../../src/catalog.ts';
import { FORMATS } from '../../src/formats/index.ts';
import type { Report } from '../../src/report/report.ts';
import { type Form, formsOf, storedScenarios, verifyForm } from './stored-scenario.ts';

const SCENARIOS = storedScenarios();
const UPDATE = process.env.UPDATE_GOLDEN === '1';
const GOLDEN = { 'report.json': 'json', 'report.txt': 'text' } as const;

describe.each(SCENARIOS)('$name', (scenario) => {
  const forms = formsOf(scenario);
  const reports = new Map<Form, Report>();
  const reportOf = (form: Form): Report => {
    const report = reports.get(form);
    if (report === undefined) throw new Error(`${form}: no report`);
    return report;
  };
  beforeAll(async () => {
    for (const form of forms) reports.set(form, await verifyForm(scenario, form));
  });

  it('is described under the name of its folder', () => {
    expect(scenario.folder).toBe(`captures/${scenario.name}`);
  });

  it('expects what the kernel did, or says why not', () => {
    const { verdict, differs } = scenario.expect;
    if (verdict === scenario.kernel.verdict) expect(differs).toBeUndefined();
    // A verifier may know less than the kernel does. It may never claim more.
    else expect({ verdict, differs }).toEqual({ verdict: 'inconclusive', differs: expect.stringMatching(/\w+ \w+/) });
  });

  it('expects codes that exist', () => {
    const known = CATALOG.map((kind) => kind.code);
    expect(scenario.expect.findings.filter((code) => !known.includes(code))).toEqual([]);
  });

  it.each(forms)('gets the expected verdict and findings from its captures: %s', (form) => {
    const report = reportOf(form);
    const codes = [...new Set(report.findings.map((finding) => finding.code))].sort();
    const said = report.findings.map((finding) => `${finding.code} ${finding.message}`);
    expect({ verdict: report.verdict, said }).toMatchObject({ verdict: scenario.expect.verdict });
    expect(scenario.expect.findings.filter((code) => !codes.includes(code))).toEqual([]);
    expect(said.filter((line) => scenario.expect.absent.includes(line.slice(0, 5)))).toEqual([]);
  });

  it('gets the same counts, connections and findings from every form', () => {
    const want = comparable(reportOf('merged'));
    for (const form of forms) expect(comparable(reportOf(form)), form).toEqual(want);
  });

  it('adds up: the packets of a direction are those via SPS, bypassed, dropped, looped and undetermined', () => {
    for (const form of forms) {
      for (const { clientToServer, serverToClient } of reportOf(form).connections) {
        for (const way of [clientToServer, serverToClient]) {
          const parts = way.viaSps + way.bypassed + way.dropped + way.looped + way.undetermined;
          expect({ form, parts }).toEqual({ form, parts: way.packets });
        }
      }
    }
  });

  // The counters of the hosts around the router and the sums of the report were made from nothing in common.
  const counted = scenario.options['what-if'] !== true && scenario.kernel.payloadBytes === undefined;
  const certain = scenario.expect.verdict !== 'inconclusive' && !scenario.expect.undetermined;
  it.runIf(counted && certain)('counts what the kernel counted', () => {
    const { packets, router } = scenario.kernel;
    const sent = packets.clientSent + packets.spsSentToClient + packets.spsSentToServer + packets.serverSent;
    const beside =
      packets.clientReceivedFromSpsBeside +
      packets.spsReceivedFromClientBeside +
      packets.serverReceivedFromSpsBeside +
      packets.spsReceivedFromServerBeside;
    const wrongHop = scenario.expect.findings.includes('RV506');
    const want = {
      // What comes back to SPS enters the router again, except for the last time; what is of no connection of SPS it sends on.
      packets:
        sent -
        beside +
        Math.max(0, packets.spsReceivedAgain - packets.spsSentToClient) +
        packets.clientReceivedOtherwise,
      // A redirect to another host is a bypass that no host could count.
      bypassed: wrongHop ? packets.clientSent : packets.serverReceivedDirectly + packets.clientReceivedDirectly,
      dropped: router.reversePathDrops + router.filterDrops,
      looped: packets.spsReceivedAgain,
      undetermined: 0,
    };
    for (const form of forms) expect(totals(reportOf(form)), form).toEqual(want);
  });

  it.each(Object.entries(GOLDEN))('has the stored %s', (file, name) => {
    const format = FORMATS.find((candidate) => candidate.name === name);
    if (format === undefined) throw new Error(`no format ${name}`);
    const got = format.render(reportOf('merged'), { color: false, verbose: false, quiet: false });
    const path = posix.join(scenario.folder, file);
    if (UPDATE) writeFileSync(path, got);
    expect(got).toBe(readFileSync(path, 'utf8'));
  });
});

/** Sums over all connections and both directions. */
function totals(report: Report): object {
  const ways = report.connections.flatMap((item) => [item.clientToServer, item.serverToClient]);
  const sum = (key: 'packets' | 'bypassed' | 'dropped' | 'looped' | 'undetermined') =>
    ways.reduce((total, way) => total + way[key], 0);
  return {
    packets: sum('packets'),
    bypassed: sum('bypassed'),
    dropped: sum('dropped'),
    looped: sum('looped'),
    undetermined: sum('undetermined'),
  };
}

/** What a report says apart from where it read it: frame numbers, paths and interfaces differ between the forms. */
function comparable(report: Report): object {
  return {
    verdict: report.verdict,
    summary: report.summary,
    intent: report.intent,
    connections: report.connections,
    findings: report.findings.map(({ code, severity, count, connections, fix }) => ({
      code,
      severity,
      count,
      connections,
      fix,
    })),
  };
}

it('shows every kind of verdict', () => {
  const verdicts = new Set(SCENARIOS.map((scenario) => scenario.expect.verdict));
  expect(verdicts).toContain('verified');
  expect(verdicts).toContain('failed');
});

afterAll(() => {
  if (UPDATE) console.warn('UPDATE_GOLDEN=1: the stored reports were written anew; review them as code');
});
