import type { ConnectionReport, FindingReport, Report } from '../report/report.ts';
import { clean, directionWords, type Format } from './format.ts';

/**
 * `--format junit`: one suite; a test case for the run, for each connection listed, and for each error that concerns no connection.
 *
 * What failed is a failure; what is inconclusive is an error of type `inconclusive`, because no reader of JUnit files would otherwise
 * see the difference to a success. Written so that both the Ant task's schema and Jenkins's accept it, which is why there are always
 * properties, output elements and times. Times are 0 and the time stamp is the capture's: the same bytes for the same input.
 */
export const junit: Format = { name: 'junit', render: renderJunit };

/** A test case of a JUnit file; what did not pass has a problem. */
export interface TestCase {
  readonly classname: string;
  readonly name: string;
  readonly seconds?: number;
  readonly problem?: {
    readonly element: 'failure' | 'error';
    readonly type: string;
    readonly message: string;
    readonly text: string;
  };
}

/** The one suite of a JUnit file. */
export interface TestSuite {
  /** RFC 3339 without a zone. */
  readonly timestamp: string;
  readonly hostname: string;
  readonly properties: readonly (readonly [name: string, value: string])[];
  readonly cases: readonly TestCase[];
  readonly output: string;
}

function renderJunit(given: Report): string {
  const report = clean(given);
  return junitFile({
    timestamp: timestampOf(report),
    hostname: report.router.hostname ?? 'localhost',
    properties: properties(report),
    cases: [
      runCase(report),
      ...report.connections.map((item) => connectionCase(item, report)),
      ...configurationCases(report),
    ],
    output: summaryText(report),
  });
}

/** The text of a JUnit file. Its strings hold no control characters but line ends. */
export function junitFile(suite: TestSuite): string {
  const { cases } = suite;
  const count = (element: string): number => cases.filter((item) => item.problem?.element === element).length;
  const attributes = {
    name: 'redirect-verify',
    package: 'redirect-verify',
    id: '0',
    timestamp: suite.timestamp,
    hostname: suite.hostname,
    tests: String(cases.length),
    failures: String(count('failure')),
    errors: String(count('error')),
    skipped: '0',
    time: secondsText(cases.reduce((sum, item) => sum + (item.seconds ?? 0), 0)),
  };
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<testsuites>',
    `  <testsuite ${attributesText(attributes)}>`,
    '    <properties>',
    ...suite.properties.map(([name, value]) => `      <property ${attributesText({ name, value })}/>`),
    '    </properties>',
    ...cases.flatMap(caseLines),
    `    <system-out>${escapeText(suite.output)}</system-out>`,
    '    <system-err></system-err>',
    '  </testsuite>',
    '</testsuites>',
  ];
  return `${lines.join('\n')}\n`;
}

/** Jenkins's schema takes at most three digits before the point. */
function secondsText(seconds: number): string {
  return seconds === 0 ? '0' : Math.min(seconds, 999.999).toFixed(3);
}

/** The capture's first moment without a zone, as the Ant task's schema has it. */
function timestampOf(report: Report): string {
  const first = report.captures.flatMap((capture) => capture.firstTimestamp ?? []).sort()[0];
  return (first ?? '1970-01-01T00:00:00').slice(0, 19);
}

function properties(report: Report): [string, string][] {
  const { intent } = report;
  return [
    ['verdict', report.verdict],
    ['mode', report.mode],
    ...report.captures.map((capture): [string, string] => ['capture', capture.path]),
    ...report.router.sources.map((source): [string, string] => ['router', source.path]),
    ['sps', intent.sps.join(' ')],
    ['services', intent.services.join(' ')],
    ['clients', intent.clients.join(' ') || 'any'],
    ['servers', intent.servers.join(' ') || 'any'],
    ['inferred', intent.inferred.join(' ')],
  ];
}

function summaryText(report: Report): string {
  const { connections, verified, failed, inconclusive } = report.summary;
  return `${report.verdict}: ${connections} connections, ${verified} verified, ${failed} failed, ${inconclusive} inconclusive`;
}

/** The verdict itself: also where no connection is listed, or none was captured, something fails. */
function runCase(report: Report): TestCase {
  const base = { classname: 'redirect-verify', name: 'every monitored connection traverses SPS both ways' };
  if (report.verdict === 'verified') return base;
  const said = report.findings.filter((item) => item.severity !== 'note');
  return {
    ...base,
    problem: {
      element: report.verdict === 'failed' ? 'failure' : 'error',
      type: report.verdict,
      message: summaryText(report),
      text: said.map(findingText).join('\n'),
    },
  };
}

function connectionCase(item: ConnectionReport, report: Report): TestCase {
  const base = {
    classname: `redirect-verify.${item.protocol}.${item.leg}`,
    name: `connection ${item.id}: ${item.protocol} ${item.client} > ${item.server}`,
  };
  if (item.verdict === 'verified') return base;
  const concerned = report.findings.filter(
    (finding) => finding.severity !== 'note' && finding.connections.includes(item.id),
  );
  return {
    ...base,
    problem: {
      element: item.verdict === 'failed' ? 'failure' : 'error',
      type: item.findings[0] ?? item.verdict,
      message: `${item.verdict}: client to server ${directionWords(item.clientToServer)}; server to client ${directionWords(item.serverToClient)}`,
      text: concerned.map(findingText).join('\n'),
    },
  };
}

/** Errors that concern the configuration or the intent and no connection. */
function configurationCases(report: Report): TestCase[] {
  return report.findings
    .filter((finding) => finding.severity === 'error' && finding.connections.length === 0)
    .map((finding) => ({
      classname: 'redirect-verify.configuration',
      name: `finding ${finding.id}: ${finding.code} ${finding.slug}`,
      problem: { element: 'failure', type: finding.code, message: finding.message, text: findingText(finding) },
    }));
}

function findingText(finding: FindingReport): string {
  const { where } = finding;
  const lines = [`${finding.severity} ${finding.code} ${finding.slug}: ${finding.message}`];
  if (where?.kind === 'frame') lines.push(`at ${where.path} frame ${where.frame}`);
  if (where?.kind === 'config') lines.push(`at ${where.path}:${where.line}:${where.column} ${where.text}`);
  for (const note of finding.notes)
    lines.push(
      note.where?.kind === 'config' ? `- ${note.message} (${note.where.path}:${note.where.line})` : `- ${note.message}`,
    );
  for (const command of finding.fix) lines.push(`fix: ${command}`);
  return lines.join('\n');
}

function caseLines(item: TestCase): string[] {
  const attributes = attributesText({
    classname: item.classname,
    name: item.name,
    time: secondsText(item.seconds ?? 0),
  });
  if (item.problem === undefined) return [`    <testcase ${attributes}/>`];
  const { element, type, message, text } = item.problem;
  return [
    `    <testcase ${attributes}>`,
    `      <${element} ${attributesText({ type, message })}>${escapeText(text)}</${element}>`,
    '    </testcase>',
  ];
}

function attributesText(attributes: Readonly<Record<string, string>>): string {
  return Object.entries(attributes)
    .map(([name, value]) => `${name}="${escapeText(value).replaceAll('"', '&quot;').replaceAll('\n', '&#10;')}"`)
    .join(' ');
}

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
