import { expect } from 'vitest';
import { CATALOG } from './catalog.ts';
import type { FindingReport, Report } from './report/report.ts';

/** What vitest gets of a matcher. */
interface MatcherResult {
  readonly pass: boolean;
  readonly message: () => string;
}

interface MatcherState {
  readonly isNot?: boolean;
}

interface ReportMatchers<Result = unknown> {
  /** Every monitored connection is verified to traverse SPS both ways. An inconclusive report meets neither this nor its opposite. */
  toTraverseSps: () => Result;
  /** The report has a finding with this code (`RV602`) or name (`reverse-path-drop`). */
  toHaveFinding: (code: string) => Result;
}

declare module 'vitest' {
  // biome-ignore lint/suspicious/noExplicitAny: vitest declares it so, and declarations must agree
  interface Matchers<T = any> extends ReportMatchers<T> {}
}

const MOST_FINDINGS = 10;

/** The matchers, for an `expect` of one's own; importing this module adds them to vitest's. */
export const matchers = {
  toTraverseSps(this: MatcherState, received: unknown): MatcherResult {
    const report = reportOf(received, 'toTraverseSps');
    if (report.verdict === 'inconclusive') {
      return {
        pass: this.isNot === true,
        message: () =>
          `expected it to be known whether every monitored connection traverses SPS, but the report is ${said(report)}`,
      };
    }
    return {
      pass: report.verdict === 'verified',
      message: () =>
        this.isNot === true
          ? `expected a monitored connection not to traverse SPS, but the report is ${said(report)}`
          : `expected every monitored connection to traverse SPS both ways, but the report is ${said(report)}`,
    };
  },

  toHaveFinding(this: MatcherState, received: unknown, code: string): MatcherResult {
    const report = reportOf(received, 'toHaveFinding');
    const kind = CATALOG.find((item) => item.code === code || item.slug === code);
    // A mistyped code would make every `not.toHaveFinding` pass.
    if (kind === undefined) throw new TypeError(`toHaveFinding: no finding is called '${code}'`);
    const found = report.findings.filter((finding) => finding.code === kind.code);
    return {
      pass: found.length > 0,
      message: () =>
        this.isNot === true
          ? `expected no ${kind.code} ${kind.slug}, but found\n${found.map(findingText).join('\n')}`
          : `expected ${kind.code} ${kind.slug} (said when ${kind.saidWhen}), but the report is ${said(report)}`,
    };
  },
};

expect.extend(matchers);

function reportOf(received: unknown, matcher: string): Report {
  if (received instanceof Promise) throw new TypeError(`${matcher}: takes a report, got a promise of one: await it`);
  if (
    typeof received !== 'object' ||
    received === null ||
    !('schema' in received) ||
    received.schema !== 'redirect-verify/report/1'
  )
    throw new TypeError(`${matcher}: takes a report, as verify() gives it`);
  return received as Report;
}

function said(report: Report): string {
  const { summary, findings, verdict } = report;
  const parts = [
    `${verdict}: ${summary.connections} connections, ${summary.verified} verified, ${summary.failed} failed, ${summary.inconclusive} inconclusive`,
    ...findings.slice(0, MOST_FINDINGS).map(findingText),
    ...(findings.length > MOST_FINDINGS ? [`and ${findings.length - MOST_FINDINGS} more findings`] : []),
  ];
  return parts.join('\n');
}

function findingText({ severity, code, slug, message, where, fix }: FindingReport): string {
  const place =
    where === undefined
      ? ''
      : where.kind === 'frame'
        ? ` (${where.path} frame ${where.frame})`
        : ` (${where.path}:${where.line} ${where.text})`;
  return [`  ${severity} ${code} ${slug}: ${message}${place}`, ...fix.map((command) => `    fix: ${command}`)].join(
    '\n',
  );
}
