import type { Where } from '../diagnostic/diagnostic.ts';
import type { FindingReport, JoinReport, Report } from '../report/report.ts';
import {
  CONNECTION_HEADS,
  certificateWords,
  clean,
  connectionCells,
  type Format,
  joinRows,
  type RenderOptions,
  SNAT_WORDS,
  worstFirst,
} from './format.ts';
import { cell, code, fenced, paragraph, plain } from './markdown/words.ts';

const LISTED = 50;

/** `--format markdown`: for a change ticket; the verdict, what it rests on, findings with their fixes, connections. */
export const markdown: Format = { name: 'markdown', render: renderMarkdown };

function renderMarkdown(given: Report, options: RenderOptions): string {
  const report = clean(given);
  const title = `# ${report.verdict.toUpperCase()}: ${summaryWords(report)}`;
  if (options.quiet) return `${title}\n`;
  const parts = [title, groundTable(report)];
  const findings = report.findings.filter(
    (finding) => finding.severity !== 'note' || options.verbose || report.verdict === 'verified',
  );
  if (findings.length > 0) parts.push('## Findings', ...findings.map((finding) => findingPart(finding, report)));
  const hiddenNotes = report.findings.length - findings.length;
  if (hiddenNotes > 0)
    parts.push(`${hiddenNotes} ${hiddenNotes === 1 ? 'note is' : 'notes are'} not shown (\`--verbose\`).`);
  if (report.connections.length > 0) parts.push('## Connections', connectionTable(report, options));
  if (report.join !== undefined) parts.push('## Connections', joinTable(report.join));
  return `${parts.join('\n\n')}\n`;
}

function summaryWords({ summary }: Report): string {
  const parts = [
    `${summary.connections} ${summary.connections === 1 ? 'connection' : 'connections'}`,
    ...(summary.verified > 0 ? [`${summary.verified} verified`] : []),
    ...(summary.failed > 0 ? [`${summary.failed} failed`] : []),
    ...(summary.inconclusive > 0 ? [`${summary.inconclusive} inconclusive`] : []),
  ];
  return parts.join(', ');
}

function groundTable(report: Report): string {
  const { intent, router, captures, summary } = report;
  const mark = (part: string, value: string): string =>
    intent.inferred.includes(part) ? `${plain(value)} (inferred)` : plain(value);
  const span = (first?: string, last?: string): string =>
    first === undefined ? '' : `, ${plain(first)} to ${plain(last ?? '')}`;
  const rows: [string, string][] = [
    ...captures.map((item): [string, string] => [
      'Capture',
      `${code(item.path)}, ${item.packets} frames${item.interfaces.length > 0 ? ` on ${plain(item.interfaces.join(', '))}` : ''}${item.truncated ? ', truncated' : ''}${span(item.firstTimestamp, item.lastTimestamp)}`,
    ]),
    ...(report.mode === 'what-if'
      ? [['Mode', 'what-if: the capture predates this configuration'] as [string, string]]
      : []),
    ...(report.check === undefined
      ? []
      : ([
          ['Check', `${report.check.sessions} sessions made up at the edges of what is monitored, no capture`],
          ['Clients', plain(report.check.clients.join(', '))],
          ['Servers', plain(report.check.servers.join(', '))],
          ...(report.check.alsoRedirected.length > 0
            ? [['Also redirected, and not monitored', plain(report.check.alsoRedirected.join(', '))]]
            : []),
          ...(report.check.possible ?? []).map(({ code: finding, message, fix }) => [
            'Possible',
            `${plain(finding)} ${plain(message)}${fix.length > 0 ? `; it cannot with ${fix.map(code).join(', ')}` : ''}`,
          ]),
        ] as [string, string][])),
    ...router.sources.map((item): [string, string] => ['Router', `${code(item.path)}, SHA-256 ${code(item.sha256)}`]),
    ...(router.hostname === undefined && router.collectedAt === undefined
      ? []
      : [['State', plain([router.hostname, router.collectedAt].filter(Boolean).join(', '))] as [string, string]]),
    [
      'SPS',
      `${mark('sps', intent.sps.join(', '))} on ${mark('spsInterfaces', intent.spsInterfaces.join(', '))}, toward servers: ${mark('snat', SNAT_WORDS[intent.snat])}`,
    ],
    [
      'Monitored',
      `${mark('services', intent.services.join(', '))} from ${intent.clients.length > 0 ? mark('clients', intent.clients.join(', ')) : 'any source'} to ${intent.servers.length > 0 ? mark('servers', intent.servers.join(', ')) : 'any destination'}`,
    ],
    ['Packets', `${summary.monitoredPackets} of monitored connections, in ${summary.packets} frames`],
  ];
  return ['| | |', '| --- | --- |', ...rows.map(([name, value]) => `| ${name} | ${cell(value)} |`)].join('\n');
}

function findingPart(finding: FindingReport, report: Report): string {
  const count = finding.count > 1 ? `, ${finding.count} times` : '';
  const lines = [
    `### ${finding.id}. ${finding.code} ${plain(finding.slug)} (${finding.severity}${count})`,
    '',
    paragraph(finding.message),
  ];
  if (finding.where !== undefined) lines.push('', `At ${placeWords(finding.where)}`);
  if (finding.causes.length > 0) {
    const causes = finding.causes.map((id) =>
      `${id}. ${report.findings.find((item) => item.id === id)?.code ?? ''}`.trim(),
    );
    lines.push('', `Because of ${causes.join(', ')}`);
  }
  if (finding.notes.length > 0) lines.push('');
  for (const note of finding.notes)
    lines.push(`- ${paragraph(note.message)}${note.where === undefined ? '' : `, ${placeWords(note.where)}`}`);
  if (finding.fix.length > 0) lines.push('', 'Fix:', '', fenced(finding.fix.join('\n')));
  return lines.join('\n');
}

function placeWords(where: Where): string {
  if (where.kind === 'frame')
    return `${code(where.path)} frame ${where.frame}${where.interface === undefined ? '' : ` on ${plain(where.interface)}`}`;
  return `${code(`${where.path}:${where.line}`)}: ${code(where.text)}`;
}

function connectionTable(report: Report, options: RenderOptions): string {
  const sorted = worstFirst(report.connections);
  const shown = options.verbose ? sorted : sorted.slice(0, LISTED);
  const rows = shown.map((item) =>
    connectionCells(item, '')
      .map((value) => cell(plain(value)))
      .join(' | '),
  );
  const lines = [
    `| ${CONNECTION_HEADS.join(' | ')} |`,
    '| ---: | --- | --- | ---: | --- | --- | --- | --- |',
    ...rows.map((row) => `| ${row} |`),
  ];
  const hidden = report.summary.connections - shown.length;
  if (hidden > 0) lines.push('', `and ${hidden} more (\`--verbose\`, or \`--format json\`)`);
  return lines.join('\n');
}

/** The connections that a join needs, and what is known of SPP's certificate. */
function joinTable(join: JoinReport): string {
  const rows = joinRows(join).map((row) => `| ${row.map((value) => cell(plain(value))).join(' | ')} |`);
  const certificates = join.certificates.flatMap((seen) => ['', paragraph(certificateWords(seen))]);
  return ['| verdict | connection | router | capture |', '| --- | --- | --- | --- |', ...rows, ...certificates].join(
    '\n',
  );
}
