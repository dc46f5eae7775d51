import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import AjvDraft4 from 'ajv-draft-04';
import addFormats from 'ajv-formats';
import { describe, expect, it } from 'vitest';
import { finding, madeReport } from '../report/made-report.ts';
import { EVIL_REPORT, render, STORED_REPORTS } from './rendered.ts';

interface Place {
  readonly physicalLocation: {
    readonly artifactLocation: { readonly uri: string };
    readonly region?: { readonly startLine: number; readonly snippet: { readonly text: string } };
  };
}
interface Log {
  readonly runs: readonly [
    {
      readonly tool: {
        readonly driver: {
          readonly semanticVersion: string;
          readonly rules: readonly { readonly id: string; readonly help: { readonly text: string } }[];
        };
      };
      readonly results: readonly {
        readonly ruleId: string;
        readonly ruleIndex: number;
        readonly level: string;
        readonly message: { readonly text: string };
        readonly locations: readonly Place[];
        readonly relatedLocations?: readonly Place[];
      }[];
    },
  ];
}

/** The schema as published with the standard. */
const SCHEMA = JSON.parse(
  readFileSync(
    createRequire(import.meta.url).resolve('@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json'),
    'utf8',
  ),
) as object;
const ajv = new AjvDraft4.default({ strict: false, unicodeRegExp: false, allErrors: true });
addFormats.default(ajv);
const isValid = ajv.compile(SCHEMA);

const errorsOf = (text: string): unknown[] => (isValid(JSON.parse(text)) ? [] : (isValid.errors ?? []));
const parsed = (text: string): Log => JSON.parse(text) as Log;

describe('sarif', () => {
  it.each([
    ...STORED_REPORTS,
    { name: 'names with markup', report: EVIL_REPORT },
    { name: 'nothing found', report: madeReport('verified') },
  ])('is valid by the schema of SARIF 2.1.0: $name', ({ report }) => {
    expect(errorsOf(render('sarif', report))).toEqual([]);
  });

  it('the schema refuses what is no SARIF', () => {
    const text = render('sarif', STORED_REPORTS.find((item) => item.report.verdict === 'failed')!.report);
    expect(errorsOf(text.replace('"version": "2.1.0"', '"version": "2.0.0"'))).not.toEqual([]);
    expect(errorsOf(text.replace('"startLine"', '"beginLine"'))).not.toEqual([]);
    expect(errorsOf(text.replaceAll('"level": "error"', '"level": "fatal"'))).not.toEqual([]);
  });

  it.each(STORED_REPORTS)('has a result for each finding, with its rule and documentation: $name', ({ report }) => {
    const [run] = parsed(render('sarif', report)).runs;
    expect(run.results.map((item) => item.ruleId)).toEqual(report.findings.map((item) => item.code));
    for (const result of run.results) expect(run.tool.driver.rules[result.ruleIndex]?.id).toBe(result.ruleId);
    for (const rule of run.tool.driver.rules) expect(rule.help.text).toContain('What to do');
    expect(run.tool.driver.semanticVersion).toBe('1.2.3');
  });

  it.each(STORED_REPORTS)('every line it names is that line of that file: $name', ({ report }) => {
    const [run] = parsed(render('sarif', report)).runs;
    for (const { physicalLocation } of run.results.flatMap((item) => [
      ...item.locations,
      ...(item.relatedLocations ?? []),
    ])) {
      if (physicalLocation.region === undefined) continue;
      const text = readFileSync(decodeURIComponent(physicalLocation.artifactLocation.uri), 'utf8').split('\n');
      expect(text[physicalLocation.region.startLine - 1]).toContain(
        // A long line is shown as far as its first part goes.
        physicalLocation.region.snippet.text.trim().split('\n')[0]!.replace(/ …$/, ''),
      );
    }
  });

  it('annotates the configuration line behind a frame, and keeps the frame', () => {
    const report = madeReport('failed', {
      findings: [
        finding(1, {
          where: { kind: 'frame', path: 'a b.pcapng', frame: 12, interface: 'eth1' },
          fix: ['sysctl -w x=2'],
          notes: [
            { message: 'a rule', where: { kind: 'config', path: 'router.txt', line: 3, column: 1, text: 'rule' } },
            {
              message: 'the filter',
              where: { kind: 'config', path: 'router.txt', line: 9, column: 1, text: 'filter' },
            },
          ],
        }),
      ],
    });
    const [result] = parsed(render('sarif', report)).runs[0].results;
    expect(result?.locations[0]?.physicalLocation).toMatchObject({
      artifactLocation: { uri: 'router.txt' },
      region: { startLine: 9 },
    });
    expect(result?.relatedLocations?.map((item) => item.physicalLocation.artifactLocation.uri)).toEqual([
      'a%20b.pcapng',
      'router.txt',
    ]);
    expect(result?.message.text).toContain('Fix: sysctl -w x=2');
  });
});
