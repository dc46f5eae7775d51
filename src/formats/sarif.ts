import type { Where } from '../diagnostic/diagnostic.ts';
import type { FindingReport, Report } from '../report/report.ts';
import { jsonText, visible } from '../text/visible.ts';
import type { Format, RenderOptions } from './format.ts';

/**
 * `--format sarif`: SARIF 2.1.0. A result's location is the configuration line, because that is what a code host can annotate: the
 * finding's own, else the last that its proof names; the frame is a related location. Only where no line is known, the capture is the location.
 *
 * Ref: OASIS, Static Analysis Results Interchange Format 2.1.0, 3.14 run, 3.27 result.
 */
export const sarif: Format = {
  name: 'sarif',
  render: (report, options) => `${jsonText(log(report, options), 2)}\n`,
};

type ConfigPlace = Extract<Where, { kind: 'config' }>;

const LEVEL = { error: 'error', warning: 'warning', note: 'note' } as const;

function log(report: Report, options: RenderOptions): object {
  const codes = [...new Set(report.findings.map((finding) => finding.code))].sort();
  return {
    $schema: 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'redirect-verify',
            ...(options.version !== undefined && { semanticVersion: options.version }),
            rules: codes.map((code) => rule(code, report, options)),
          },
        },
        invocations: [{ executionSuccessful: true, properties: { verdict: report.verdict, mode: report.mode } }],
        artifacts: artifacts(report),
        results: report.findings.map((finding) => result(finding, report, codes.indexOf(finding.code))),
        columnKind: 'utf16CodeUnits',
        properties: { verdict: report.verdict, summary: report.summary, intent: report.intent },
      },
    ],
  };
}

function rule(code: string, report: Report, options: RenderOptions): object {
  const kind = options.kinds?.find((item) => item.code === code);
  const first = report.findings.find((finding) => finding.code === code)!;
  const severity = kind?.severity ?? first.severity;
  return {
    id: code,
    name: first.slug,
    defaultConfiguration: { level: LEVEL[severity] },
    ...(kind !== undefined && {
      shortDescription: { text: kind.saidWhen },
      fullDescription: { text: `${kind.meaning} ${kind.whyItMatters}` },
      help: {
        text: `${kind.meaning}\n\nWhy it matters: ${kind.whyItMatters}\n\nExample: ${kind.example}\n\nWhat to do: ${kind.whatToDo}`,
      },
    }),
  };
}

function artifacts(report: Report): object[] {
  return [
    ...report.router.sources.map(({ path, sha256 }) => ({
      location: { uri: uriOf(path) },
      roles: ['analysisTarget'],
      hashes: { 'sha-256': sha256 },
    })),
    ...report.captures.map((capture) => ({ location: { uri: uriOf(capture.path) }, roles: ['analysisTarget'] })),
  ];
}

function result(finding: FindingReport, report: Report, ruleIndex: number): object {
  const places = finding.notes.flatMap((note) =>
    note.where?.kind === 'config' ? [{ place: note.where, message: note.message }] : [],
  );
  const own = finding.where?.kind === 'config' ? finding.where : undefined;
  const annotated = own ?? places.at(-1)?.place;
  const frame = finding.where?.kind === 'frame' ? finding.where : undefined;
  const causes = finding.causes.map((id) => report.findings.find((item) => item.id === id)?.code ?? `#${id}`);
  const related = [
    ...(frame !== undefined ? [{ where: frame as Where, message: frameWords(frame) }] : []),
    ...places
      .filter(({ place }) => place !== annotated)
      .map(({ place, message }) => ({ where: place as Where, message })),
  ];
  const text = [
    finding.count > 1 ? `${finding.message} (${finding.count} times)` : finding.message,
    ...(causes.length > 0 ? [`Because of ${causes.join(', ')}.`] : []),
    ...(finding.fix.length > 0 ? [`Fix: ${finding.fix.join(' ; ')}`] : []),
  ]
    .map(words)
    .join('\n');
  return {
    ruleId: finding.code,
    ruleIndex,
    level: LEVEL[finding.severity],
    message: { text },
    locations:
      annotated !== undefined ? [configLocation(annotated)] : frame !== undefined ? [frameLocation(frame)] : [],
    ...(related.length > 0 && {
      relatedLocations: related.map(({ where, message }, index) => ({
        id: index,
        ...(where.kind === 'config' ? configLocation(where) : frameLocation(where)),
        message: { text: words(message) },
      })),
    }),
    occurrenceCount: finding.count,
    // Line numbers move with every change of the file; the statement itself does not.
    partialFingerprints: { 'finding/v1': `${finding.code} ${annotated?.text ?? finding.message}` },
    properties: { causes, connections: finding.connections, fix: finding.fix },
  };
}

/**
 * A line of a message that is nothing but text: no placeholder, and no link, which a viewer would make of `[text](target)`.
 *
 * Ref: SARIF 2.1.0, 3.11.5 messages with placeholders, 3.11.6 messages with embedded links.
 */
function words(text: string): string {
  return visible(text).replace(/[{}]/g, '$&$&').replaceAll('](', '] (');
}

function configLocation(place: ConfigPlace): object {
  return {
    physicalLocation: {
      artifactLocation: { uri: uriOf(place.path) },
      region: { startLine: place.line, startColumn: place.column, snippet: { text: place.text } },
    },
  };
}

function frameLocation(where: Extract<Where, { kind: 'frame' }>): object {
  return {
    physicalLocation: { artifactLocation: { uri: uriOf(where.path) } },
    logicalLocations: [{ name: frameWords(where), kind: 'frame' }],
  };
}

function frameWords(where: Extract<Where, { kind: 'frame' }>): string {
  return `frame ${where.frame}${where.interface === undefined ? '' : ` on ${where.interface}`} of ${where.path}`;
}

/** A path as a relative URI reference: a colon in its first segment would be taken for a scheme. */
function uriOf(path: string): string {
  // A lone surrogate cannot be encoded; no file of a router is called so, and a report must come out all the same.
  const encoded = path
    .replace(/\p{Surrogate}/gu, '\ufffd')
    .split('/')
    .map(encodeURIComponent)
    .join('/');
  return encoded.startsWith('//') ? encoded.replace(/^\/+/, '/') : encoded;
}
