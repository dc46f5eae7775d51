import { describe, expect, it } from 'vitest';
import { connection, finding, madeReport } from '../report/made-report.ts';
import { EVIL_REPORT, render, STORED_REPORTS } from './rendered.ts';
import { junitErrors } from './validate-junit.ts';

const attribute = (xml: string, name: string): number =>
  Number(new RegExp(`<testsuite [^>]*\\b${name}="(\\d+)"`).exec(xml)?.[1]);
const occurrences = (xml: string, text: string): number => xml.split(text).length - 1;

describe('junit', () => {
  it.each([
    ...STORED_REPORTS,
    { name: 'names with markup', report: EVIL_REPORT },
    { name: 'nothing at all', report: madeReport('inconclusive', { connections: [], captures: [] }) },
  ])('is valid by its schema: $name', async ({ report }) => {
    const xml = render('junit', report);
    expect(await junitErrors(xml)).toEqual([]);
    expect(attribute(xml, 'tests')).toBe(occurrences(xml, '<testcase '));
    expect(attribute(xml, 'failures')).toBe(occurrences(xml, '<failure '));
    expect(attribute(xml, 'errors')).toBe(occurrences(xml, '<error '));
  });

  it('the schema refuses what is no JUnit', async () => {
    const xml = render('junit', madeReport('verified'));
    expect(await junitErrors(xml.replace('tests="2"', 'tests="two"'))).not.toEqual([]);
    expect(await junitErrors(xml.replace(' hostname="localhost"', ''))).not.toEqual([]);
    expect(await junitErrors(xml.replace('<system-err></system-err>', ''))).not.toEqual([]);
  });

  it.each(STORED_REPORTS)('fails where the run did, and only there: $name', ({ report }) => {
    const xml = render('junit', report);
    const broken = attribute(xml, 'failures') + attribute(xml, 'errors');
    expect(broken > 0).toBe(report.verdict !== 'verified');
    expect(attribute(xml, 'failures') > 0).toBe(report.verdict === 'failed');
  });

  it('has a case for the run, each connection and each error that concerns none; inconclusive is no success', () => {
    const xml = render(
      'junit',
      madeReport('failed', {
        connections: [
          connection(1, { verdict: 'failed', findings: ['RV602'] }),
          connection(2),
          connection(3, { verdict: 'inconclusive' }),
        ],
        findings: [
          finding(1, {
            connections: [1],
            fix: ['sysctl -w x=2'],
            where: { kind: 'config', path: 'r.txt', line: 7, column: 3, text: 'x = 1' },
          }),
          finding(2, { code: 'RV401', slug: 'mark-without-policy-rule' }),
        ],
      }),
    );
    expect(xml).toContain('tests="5" failures="3" errors="1"');
    expect(xml).toContain('name="connection 1: tcp 192.168.0.10:40001 &gt; 10.0.0.10:3389"');
    expect(xml).toContain(
      '<failure type="RV602" message="failed: client to server 2 via SPS; server to client 2 via SPS">error RV602 reverse-path-drop: a packet is dropped\nat r.txt:7:3 x = 1\nfix: sysctl -w x=2</failure>',
    );
    expect(xml).toContain('<error type="inconclusive"');
    expect(xml).toContain('name="finding 2: RV401 mark-without-policy-rule"');
  });

  it('fails without a connection to show for it', () => {
    const none = madeReport('inconclusive', {
      connections: [],
      findings: [finding(1, { code: 'RV902', severity: 'warning' })],
    });
    expect(render('junit', none)).toContain('tests="1" failures="0" errors="1"');
  });
});
