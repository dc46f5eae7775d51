/** Nodes of SPS behind a multipath route: the kernel's key is random, so that nobody can tell which node a connection goes to. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseRouterState } from '../../src/dialects/index.ts';
import { linuxRouter } from '../../src/verification/linux-router.ts';
import type { StatedIntent } from '../../src/verification/intent.ts';
import { check, verify } from '../../src/verify.ts';
import { inputsOf, intentOf, storedScenario } from '../scenarios/stored-scenario.ts';

const scenario = storedScenario('two-nodes-multipath');
const OPTIONS = { whatIf: false, requireObserved: false, verifyChecksums: false, sources: [] };

/** The stored state as other kernels have it: without a seed of the hash. */
function router(change: (text: string) => string = (text) => text) {
  const text = readFileSync('captures/two-nodes-multipath/router/router.txt', 'utf8');
  const unseeded = text.replace(/^(net\.ipv4\.fib_multipath_hash_seed) = 1$/m, '$1 = 0');
  expect(unseeded).not.toBe(text);
  return linuxRouter(parseRouterState([{ path: 'router.txt', text: change(unseeded) }]));
}

async function verdictOf(given: ReturnType<typeof router>, intent: StatedIntent) {
  const report = await verify(inputsOf(scenario, 'merged'), given, intent, OPTIONS);
  return { verdict: report.verdict, codes: report.findings.map(({ code }) => code) };
}

describe('a multipath route with a random key', () => {
  it('is verified where each of its next hops is an SPS, which uses its own address', async () => {
    expect(await verdictOf(router(), intentOf(scenario))).toEqual({ verdict: 'verified', codes: [] });
    const made = await check(router(), intentOf(scenario), { sources: [] });
    expect(made.verdict).toBe('verified');
  });

  it('is not where one of them is no SPS', async () => {
    const intent = intentOf(scenario);
    const { verdict } = await verdictOf(router(), { ...intent, sps: intent.sps!.slice(0, 1) });
    expect(verdict).not.toBe('verified');
    const made = await check(router(), { ...intent, sps: intent.sps!.slice(0, 1) }, { sources: [] });
    expect(made.verdict).not.toBe('verified');
  });

  it('is not where the answers come back by the route, too: by the client’s address', async () => {
    const made = await check(router(), { ...intentOf(scenario), snat: 'client' }, { sources: [] });
    expect(made.verdict).not.toBe('verified');
  });

  it('is not where a next hop is down', async () => {
    const down = router((text) => text.replace(/(nexthop via 172\.16\.0\.2 dev eth1 weight 1)/, '$1 dead linkdown'));
    expect(await verdictOf(down, intentOf(scenario))).toMatchObject({ verdict: expect.not.stringMatching('failed') });
  });
});
