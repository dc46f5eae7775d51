/**
 * Without a stated intent the tool infers one from the redirect itself. It then knows less, and may say so; it must not say the opposite of
 * what the kernel did.
 */
import { describe, expect, it } from 'vitest';
import { verify } from '../../src/verify.ts';
import {
  type Form,
  formsOf,
  inputsOf,
  routerOf,
  type StoredScenario,
  storedScenario,
  storedScenarios,
} from './stored-scenario.ts';

async function verifyUnstated(scenario: StoredScenario, form: Form) {
  const { router, sources } = routerOf(scenario);
  return verify(
    inputsOf(scenario, form),
    router,
    {},
    {
      whatIf: scenario.options['what-if'] ?? false,
      requireObserved: false,
      verifyChecksums: false,
      sources,
    },
  );
}

const OPPOSITE = { verified: 'failed', failed: 'verified' } as const;

describe('the intent is inferred', () => {
  it.each(storedScenarios())('$name: nothing is said that the kernel refutes', async (scenario) => {
    const wants = new Set<string>();
    for (const form of formsOf(scenario)) {
      let report: Awaited<ReturnType<typeof verifyUnstated>>;
      try {
        report = await verifyUnstated(scenario, form);
      } catch (error) {
        // Nothing redirects anything, or nothing that a rule names: what has to be stated is said.
        expect(String(error)).toMatch(/: name .* with --(?:sps|sps-interface|service)\b/);
        wants.add('refused');
        continue;
      }
      const said = report.findings.map((finding) => `${finding.code} ${finding.message}`);
      expect({ form, verdict: report.verdict, said }).not.toMatchObject({ verdict: OPPOSITE[scenario.kernel.verdict] });
      expect(report.intent.inferred.length).toBeGreaterThan(0);
      wants.add(report.verdict);
    }
    expect([...wants]).toHaveLength(1);
  });

  it('a mistake in the very rule that it is inferred from is not called verified, and the usual service beside it is named', async () => {
    const report = await verifyUnstated(storedScenario('wrong-port'), 'merged');
    expect(report.intent.services).toEqual(['tcp/3390']);
    expect(report.verdict).not.toBe('verified');
    const codes = report.findings.map((finding) => finding.code);
    expect(codes).toContain('RV902');
    expect(report.findings.find((finding) => finding.code === 'RV903')?.message).toMatch(/3389/);
  });

  it('what may be SPS’s by an interface that no rule names is no bypass until its interfaces are stated', async () => {
    const scenario = storedScenario('two-interfaces');
    const report = await verifyUnstated(scenario, 'merged');
    expect(report.verdict).toBe('inconclusive');
    expect(report.findings.map(({ code }) => code)).not.toContain('RV512');
    const reason = report.findings.find(({ code, connections }) => code === 'RV901' && connections.includes(2));
    expect(reason?.message).toMatch(/--sps-interface/);
    const { router, sources } = routerOf(scenario);
    const options = { whatIf: false, requireObserved: false, verifyChecksums: false, sources };
    const stated = await verify(inputsOf(scenario, 'merged'), router, { spsInterfaces: ['eth1'] }, options);
    expect(stated.connections.map(({ verdict }) => verdict)).toEqual(['inconclusive', 'failed']);
  });

  it('a correct set-up is verified, and what was inferred is said', async () => {
    const report = await verifyUnstated(storedScenario('seed-own-address'), 'merged');
    expect(report.verdict).toBe('verified');
    expect(report.intent).toMatchObject({
      sps: ['172.16.0.1'],
      spsInterfaces: ['eth1'],
      services: ['tcp/3389'],
      snat: 'own',
    });
    expect(report.intent.inferred).toEqual(expect.arrayContaining(['sps', 'spsInterfaces', 'services', 'snat']));
  });
});
