/**
 * Failures that users of marking, policy routing and reverse path filters have met, and where this project shows each caught: a stored scenario
 * with the finding that it expects, or a test by its title. A row without either says why.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { storedScenarios } from './stored-scenario.ts';

interface FailureMode {
  readonly row: number;
  readonly failure: string;
  /** Stored scenarios that show it, and what is said of them. */
  readonly scenarios?: Readonly<Record<string, readonly string[]>>;
  /** Parts of test titles, by file under test/. */
  readonly tests?: Readonly<Record<string, readonly string[]>>;
  /** Why nothing is shown. */
  readonly reason?: string;
}

const FAILURE_MODES: readonly FailureMode[] = [
  {
    row: 1,
    failure: 'a strict reverse path filter drops replies under policy routing',
    scenarios: { 'rp-filter-strict-interface': ['RV407', 'RV602'] },
  },
  {
    row: 2,
    failure: 'the mark is restored, but the reverse lookup ignores it without src_valid_mark',
    scenarios: { 'rp-filter-strict-all': ['RV407', 'RV602'] },
  },
  {
    row: 3,
    failure: 'src_valid_mark makes the reverse lookup take the policy table',
    scenarios: { 'mark-decides-reverse-path': ['RV603', 'RV602'] },
  },
  {
    row: 4,
    failure: 'the effective rp_filter is the greater of all and the interface',
    scenarios: { 'rp-filter-strict-all': ['RV415'], 'rp-filter-loose': [] },
  },
  {
    row: 5,
    failure: 'the distribution rewrites rp_filter, and new interfaces take the default',
    scenarios: { 'rp-filter-strict-interface': ['RV407'] },
  },
  {
    row: 6,
    failure: 'no connection mark, so replies follow the main table',
    scenarios: { 'reply-rule-forgotten': ['RV411', 'RV601'] },
  },
  {
    row: 7,
    failure: 'the restore rule takes the other direction along',
    scenarios: { 'no-sps-exemption': ['RV406', 'RV502'] },
  },
  {
    row: 8,
    failure: 'a mark steers a packet before DNAT',
    scenarios: { 'destination-nat': [] },
    tests: { 'findings/marks.test.ts': ['a mark for addresses behind DNAT selects nothing'] },
  },
  {
    row: 9,
    failure: 'the restore rule is missing for one ingress interface',
    tests: { 'findings/marks.test.ts': ['the restoring rule names another interface than the clients'] },
  },
  {
    row: 10,
    failure: 'set or restore without a mask wipes others’ bits',
    tests: { 'findings/marks.test.ts': ['the redirect takes away a bit without which a filter drops its packets'] },
  },
  {
    row: 11,
    failure: 'two tools use the same mark bits',
    tests: { 'findings/marks.test.ts': ['another rule takes the redirect’s bit away'] },
  },
  {
    row: 12,
    failure: 'an exact mark match fails once other bits are set',
    tests: { 'findings/marks.test.ts': ['an exact policy rule fails once another bit is set'] },
  },
  {
    row: 13,
    failure: 'a catch-all policy rule precedes the specific one',
    scenarios: { 'policy-rule-behind-main': ['RV403', 'RV501'] },
  },
  {
    row: 14,
    failure: 'an automatic priority lands behind main or before others',
    scenarios: { 'policy-rule-behind-main': ['RV403', 'RV501'] },
  },
  {
    row: 15,
    failure: 'the table has no route: falls through to main',
    scenarios: { 'empty-table': ['RV402', 'RV501'] },
  },
  {
    row: 16,
    failure: 'table present, rule absent',
    tests: { 'findings/configuration.test.ts': ['RV401'] },
  },
  {
    row: 17,
    failure: 'the policy table has only a default: other traffic is caught, too',
    tests: { 'findings/marks.test.ts': ['a rule too wide sends what SPS sends back to it'] },
  },
  {
    row: 18,
    failure: 'a network manager deletes foreign policy rules',
    tests: { 'findings/bypass.test.ts': ['RV505'] },
  },
  {
    row: 19,
    failure: 'fwmark 0/1 is dropped from a rule, which then matches everything',
    tests: { 'findings/marks.test.ts': ['a rule that lost its fwmark decides before the redirect'] },
  },
  {
    row: 20,
    failure: 'an rpfilter match in raw: before any mark is set',
    tests: { 'findings/marks.test.ts': ['an rpfilter match in raw drops what SPS sends'] },
  },
  {
    row: 21,
    failure: 'flow offload skips the mangle rules after the first packets',
    scenarios: { 'native-nftables': ['RV301', 'RV901'] },
  },
  {
    row: 22,
    failure: 'connections keep the old mark after a change',
    tests: { 'scenarios/mid-connection.test.ts': ['without the first %d of it'] },
  },
  {
    row: 23,
    failure: 'a half-seen connection becomes INVALID and is dropped, or goes straight on',
    scenarios: { 'beside-clients-connmark-by-mac': ['RV510'], 'spoofing-same-port-invalid': ['RV510'] },
  },
  {
    row: 24,
    failure: 'ICMP redirects teach hosts a way around',
    scenarios: { 'beside-clients-icmp-redirects': ['RV413'] },
  },
  {
    row: 25,
    failure: 'packets of a flow go to another next hop',
    scenarios: { 'two-nodes-apart': ['RV604'], 'two-nodes-multipath': [] },
  },
  {
    row: 26,
    failure: 'ICMP fragmentation-needed goes elsewhere',
    tests: { 'findings/side-traffic.test.ts': ['is said where marks are for TCP alone: the client gets the error'] },
  },
  {
    row: 27,
    failure: 'legacy and nft rules are both loaded',
    scenarios: { 'legacy-iptables': [] },
    tests: { 'forwarding/rules.test.ts': ['legacy and nft rules of one table'] },
  },
  {
    row: 28,
    failure: 'the next hop is down: blackhole, or fall back to routing',
    tests: { 'findings/marks.test.ts': ['opens when the interface of SPS goes down'] },
  },
  {
    row: 29,
    failure: 'a route-map is referenced but undefined',
    reason: 'Linux has no route-maps; of tables and chains that nothing defines RV303 tells (test/findings).',
  },
  {
    row: 30,
    failure: 'checksum offload or a one-sided capture fakes asymmetry',
    scenarios: { 'offloads-on': [] },
    tests: { 'findings/capture.test.ts': ['RV103'] },
  },
];

const scenarios = new Map(storedScenarios().map((scenario) => [scenario.name, scenario]));
const folder = join(import.meta.dirname, '..');

it('knows every row, each once', () => {
  expect(FAILURE_MODES.map((mode) => mode.row)).toEqual(Array.from({ length: 30 }, (_, index) => index + 1));
});

describe.each(FAILURE_MODES)('row $row: $failure', ({ scenarios: shown = {}, tests = {}, reason }) => {
  it('is shown, or says why not', () => {
    const places = Object.keys(shown).length + Object.keys(tests).length;
    expect(places > 0 || (reason ?? '').includes(' ')).toBe(true);
  });

  it.runIf(Object.keys(shown).length > 0).each(Object.entries(shown))('by the scenario %s', (name, codes) => {
    const scenario = scenarios.get(name);
    expect(scenario).toBeDefined();
    expect(scenario!.expect.findings).toEqual(expect.arrayContaining([...codes]));
    // A right set-up beside the wrong one: that nothing is said of it.
    if (codes.length === 0) expect(scenario!.expect.verdict).toBe('verified');
  });

  it.runIf(Object.keys(tests).length > 0).each(Object.entries(tests))('by a test in %s', (file, titles) => {
    expect(readdirSync(join(folder, file.split('/')[0]!))).toContain(file.split('/')[1]);
    const text = readFileSync(join(folder, file), 'utf8');
    for (const title of titles) expect(text).toContain(title);
  });
});
