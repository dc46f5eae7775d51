/** Every change that a report of a Cisco IOS or Sophos UTM scenario prints, made on the router of that scenario: then all goes through SPS. */
import { describe, expect, it } from 'vitest';
import { check } from '../../src/verify.ts';
import { intentOf, routerOf, storedScenarios, verifyForm } from './stored-scenario.ts';

const FAILING = storedScenarios().filter(
  (scenario) => scenario.forwarder !== undefined && scenario.expect.verdict === 'failed',
);

describe('a printed fix mends its scenario', () => {
  it.each(FAILING)('$name', async (scenario) => {
    const { findings } = await verifyForm(scenario, 'merged');
    const fixes = [...new Set(findings.filter((item) => item.fix.length > 0).map((item) => item.fix.join('\n')))];
    expect(fixes.length).toBeGreaterThan(0);
    let router = routerOf(scenario).router;
    const before = await check(router, intentOf(scenario), { sources: [] });
    expect(before.verdict).not.toBe('verified');
    for (const fix of fixes) {
      const altered = router.altered(fix.split('\n'));
      expect(altered, fix).toBeDefined();
      router = altered!;
    }
    const after = await check(router, intentOf(scenario), { sources: [] });
    expect({ verdict: after.verdict, said: after.findings.map((item) => `${item.code} ${item.message}`) }).toEqual({
      verdict: 'verified',
      said: [],
    });
  });

  it('is there for both makes', () => {
    expect(FAILING.filter((scenario) => scenario.name.startsWith('ios-')).length).toBeGreaterThan(8);
    expect(FAILING.filter((scenario) => scenario.name.startsWith('utm-')).length).toBeGreaterThan(3);
  });
});
