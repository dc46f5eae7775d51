import { describe, expect, it } from 'vitest';
import type { Severity } from '../../src/diagnostic/diagnostic.ts';
import { exitCodeOf, type FailOn, type Verdict } from '../../src/report/report.ts';
import { finding, madeReport } from './made-report.ts';

describe('exitCodeOf', () => {
  it.each<{ verdict: Verdict; findings: readonly Severity[]; failOn: FailOn; want: number }>([
    { verdict: 'verified', findings: [], failOn: 'error', want: 0 },
    { verdict: 'verified', findings: ['note'], failOn: 'error', want: 0 },
    { verdict: 'verified', findings: ['warning'], failOn: 'error', want: 0 },
    { verdict: 'verified', findings: ['note'], failOn: 'warning', want: 0 },
    { verdict: 'verified', findings: ['note', 'warning'], failOn: 'warning', want: 1 },
    { verdict: 'verified', findings: ['warning'], failOn: 'never', want: 0 },
    { verdict: 'failed', findings: ['error'], failOn: 'error', want: 1 },
    { verdict: 'failed', findings: ['error'], failOn: 'warning', want: 1 },
    { verdict: 'failed', findings: ['error'], failOn: 'never', want: 0 },
    { verdict: 'failed', findings: [], failOn: 'error', want: 1 },
    { verdict: 'inconclusive', findings: [], failOn: 'error', want: 3 },
    { verdict: 'inconclusive', findings: ['warning'], failOn: 'error', want: 3 },
    { verdict: 'inconclusive', findings: ['warning'], failOn: 'warning', want: 1 },
    { verdict: 'inconclusive', findings: ['error'], failOn: 'error', want: 1 },
    { verdict: 'inconclusive', findings: ['note'], failOn: 'warning', want: 3 },
    { verdict: 'inconclusive', findings: [], failOn: 'never', want: 0 },
  ])('of $verdict with $findings and --fail-on $failOn is $want', ({ verdict, findings, failOn, want }) => {
    const made = madeReport(verdict, { findings: findings.map((severity, index) => finding(index + 1, { severity })) });
    expect(exitCodeOf(made, failOn)).toBe(want);
  });
});
