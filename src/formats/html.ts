import { createHash } from 'node:crypto';
import type { Where } from '../diagnostic/diagnostic.ts';
import type { Evidence } from '../report/evidence.ts';
import type { FindingReport, JoinReport, Report } from '../report/report.ts';
import {
  certificateWords,
  clean,
  directionWords,
  type Format,
  joinRows,
  type RenderOptions,
  SNAT_WORDS,
  worstFirst,
} from './format.ts';
import { escapeHtml, escapeJson } from './html/escape.ts';
import { SCRIPT } from './html/script.ts';
import { STYLE } from './html/style.ts';
import { topology } from './html/topology.ts';

/**
 * `--format html`: one file for people, without anything from anywhere else. A content security policy keeps it so: nothing is fetched, and only
 * the one script whose sum it names runs, whatever a name from a capture holds.
 */
export const html: Format = { name: 'html', render: renderHtml };

function renderHtml(given: Report, options: RenderOptions): string {
  const report = clean(given);
  const evidence = options.evidence === undefined ? undefined : clean(options.evidence);
  const sum = createHash('sha256').update(SCRIPT).digest('base64');
  const title = `${report.verdict}: redirect to SPS${report.router.hostname === undefined ? '' : ` on ${report.router.hostname}`}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${sum}'; base-uri 'none'; form-action 'none'">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<a class="skip" href="#findings">Skip to the findings</a>
<header>
<h1><span class="verdict ${report.verdict}">${report.verdict}</span></h1>
<p>${escapeHtml(summaryWords(report))}</p>
</header>
<main>
<div class="two">
<section aria-labelledby="ground-title"><h2 id="ground-title">What this rests on</h2>${ground(report)}</section>
<section aria-labelledby="ways-title"><h2 id="ways-title">Ways of the packets</h2>${topology(report, evidence)}</section>
</div>
<section id="findings" aria-labelledby="findings-title" tabindex="-1"><h2 id="findings-title">Findings</h2>${findings(report, evidence, options)}</section>
<section aria-labelledby="connections-title"><h2 id="connections-title">Connections</h2>${connections(report)}</section>
${sequences(report, evidence)}
</main>
<footer><p>Written by redirect-verify${options.version === undefined ? '' : ` ${escapeHtml(options.version)}`}. This file needs nothing from the network.</p></footer>
<script type="application/json" id="data">${escapeJson(tableData(report, evidence))}</script>
<script>${SCRIPT}</script>
</body>
</html>
`;
}

function summaryWords({ summary, mode }: Report): string {
  const noun = mode === 'check' ? 'made-up session' : 'connection';
  const parts = (['verified', 'failed', 'inconclusive'] as const).flatMap((verdict) =>
    summary[verdict] > 0 ? [`${summary[verdict]} ${verdict}`] : [],
  );
  return `${summary.connections} ${noun}${summary.connections === 1 ? '' : 's'}${parts.length > 0 ? `: ${parts.join(', ')}` : ''}.`;
}

function ground(report: Report): string {
  const { intent, router, captures, summary, check } = report;
  const mark = (part: string, value: string): string =>
    `${escapeHtml(value)}${intent.inferred.includes(part) ? ' <span class="badge warning">inferred</span>' : ''}`;
  const rows: [string, string][] = [
    ...captures.map((item): [string, string] => [
      'Capture',
      `<code>${escapeHtml(item.path)}</code>, ${item.packets} frames${item.interfaces.length > 0 ? ` on ${escapeHtml(item.interfaces.join(', '))}` : ''}${item.truncated ? ', truncated' : ''}${item.firstTimestamp === undefined ? '' : `<br><small>${escapeHtml(item.firstTimestamp)} to ${escapeHtml(item.lastTimestamp ?? '')}</small>`}`,
    ]),
    ...(check === undefined
      ? []
      : [
          [
            'Check',
            escapeHtml(
              `${check.sessions} sessions made up at the edges of what is monitored: clients ${check.clients.join(', ')}; servers ${check.servers.join(', ')}`,
            ),
          ] as [string, string],
        ]),
    ...(report.mode === 'what-if'
      ? [['Mode', 'what-if: the capture predates this configuration'] as [string, string]]
      : []),
    ...router.sources.map((item): [string, string] => [
      'Router',
      `<code>${escapeHtml(item.path)}</code><br><small>SHA-256 ${escapeHtml(item.sha256)}</small>`,
    ]),
    ...(router.collectedAt === undefined ? [] : [['State of', escapeHtml(router.collectedAt)] as [string, string]]),
    ['SPS', `${mark('sps', intent.sps.join(', '))} on ${mark('spsInterfaces', intent.spsInterfaces.join(', '))}`],
    ['SPS toward servers', mark('snat', SNAT_WORDS[intent.snat])],
    ['Services', mark('services', intent.services.join(', '))],
    ['Clients', intent.clients.length > 0 ? mark('clients', intent.clients.join(', ')) : 'any source but SPS'],
    ['Servers', intent.servers.length > 0 ? mark('servers', intent.servers.join(', ')) : 'any destination'],
    ...(check === undefined
      ? [
          ['Packets', `${summary.monitoredPackets} of monitored connections, in ${summary.packets} frames`] as [
            string,
            string,
          ],
        ]
      : []),
    ...(intent.inferred.length > 0
      ? [['Mind', 'What was inferred from the redirect cannot show a mistake in it.'] as [string, string]]
      : []),
  ];
  return `<dl>${rows.map(([name, value]) => `<dt>${name}</dt><dd>${value}</dd>`).join('')}</dl>`;
}

function findings(report: Report, evidence: Evidence | undefined, options: RenderOptions): string {
  if (report.findings.length === 0) return '<p>None.</p>';
  return report.findings
    .map((finding, index) =>
      findingPart(finding, report, evidence, options, index === 0 && finding.severity === 'error'),
    )
    .join('\n');
}

function findingPart(
  finding: FindingReport,
  report: Report,
  evidence: Evidence | undefined,
  options: RenderOptions,
  open: boolean,
): string {
  const kind = options.kinds?.find((item) => item.code === finding.code);
  const steps = evidence?.walks.find((item) => item.finding === finding.id)?.steps;
  const causes = finding.causes.map(
    (id) =>
      `<a href="#finding-${id}">${id}. ${escapeHtml(report.findings.find((item) => item.id === id)?.code ?? '')}</a>`,
  );
  const effects = report.findings
    .filter((item) => item.causes.includes(finding.id))
    .map((item) => `<a href="#finding-${item.id}">${item.id}. ${escapeHtml(item.code)}</a>`);
  const parts = [
    finding.where === undefined ? '' : `<p>At ${placeHtml(finding.where)}</p>`,
    causes.length > 0 ? `<p>Because of ${causes.join(', ')}</p>` : '',
    effects.length > 0 ? `<p>Explains ${effects.join(', ')}</p>` : '',
    finding.fix.length > 0 ? `<h3>Fix</h3><pre tabindex="0">${escapeHtml(finding.fix.join('\n'))}</pre>` : '',
    steps !== undefined
      ? `<h3>The packet’s walk</h3><ol class="ladder">${steps.map((step) => `<li>${escapeHtml(step.words)}${step.place === undefined ? '' : `<code>${escapeHtml(`${step.place.path}:${step.place.line}  ${step.place.text}`)}</code>`}</li>`).join('')}</ol>`
      : finding.notes.length > 0
        ? `<ul>${finding.notes.map((note) => `<li>${escapeHtml(note.message)}${note.where === undefined ? '' : ` ${placeHtml(note.where)}`}</li>`).join('')}</ul>`
        : '',
    kind === undefined
      ? ''
      : `<h3>What it means</h3><p>${escapeHtml(kind.meaning)} ${escapeHtml(kind.whyItMatters)}</p><p>${escapeHtml(kind.whatToDo)}</p>`,
  ];
  return `<details id="finding-${finding.id}"${open ? ' open' : ''}><summary><span class="badge ${finding.severity}">${finding.severity}</span> ${finding.id}. ${escapeHtml(finding.code)} ${escapeHtml(finding.slug)}${finding.count > 1 ? ` <small>${finding.count} times</small>` : ''}<br><small>${escapeHtml(finding.message)}</small></summary><div>${parts.join('')}</div></details>`;
}

function placeHtml(where: Where): string {
  if (where.kind === 'frame')
    return `<code>${escapeHtml(where.path)}</code> frame ${where.frame}${where.interface === undefined ? '' : ` on ${escapeHtml(where.interface)}`}`;
  return `<code>${escapeHtml(`${where.path}:${where.line}:${where.column}`)}</code> <code>${escapeHtml(where.text)}</code>`;
}

const COLUMNS = [
  'id',
  'verdict',
  'leg',
  'session',
  'client',
  'server',
  'client→server',
  'server→client',
  'findings',
] as const;

/** The connections that a join needs, and what is known of SPP's certificate. */
function joinTable(join: JoinReport): string {
  const row = (cells: readonly string[], tag: 'td' | 'th'): string =>
    `<tr>${cells.map((value) => `<${tag}>${escapeHtml(value)}</${tag}>`).join('')}</tr>`;
  const rows = joinRows(join).map((cells) => row(cells, 'td'));
  const certificates = join.certificates.map((seen) => `<p>${escapeHtml(certificateWords(seen))}</p>`);
  return `<div class="scroll"><table><thead>${row(['verdict', 'connection', 'router', 'capture'], 'th')}</thead><tbody>${rows.join('')}</tbody></table></div>${certificates.join('')}`;
}

function connections(report: Report): string {
  if (report.join !== undefined) return joinTable(report.join);
  const omitted = report.connectionsOmitted ?? 0;
  const more = omitted > 0 ? `<p>${omitted} more connections are not listed (<code>--connections all</code>).</p>` : '';
  if (report.connections.length === 0) return `<p>None listed.</p>${more}`;
  const heads = COLUMNS.map((name) => `<th scope="col"><button type="button">${name}</button></th>`).join('');
  return `<div class="controls">
<label for="filter">Filter by address, port, finding<input id="filter" type="search" autocomplete="off"></label>
<label for="verdict-filter">Verdict<select id="verdict-filter"><option value="">all</option><option>failed</option><option>inconclusive</option><option>verified</option></select></label>
<button type="button" id="previous">Previous</button><button type="button" id="next">Next</button><span id="shown" role="status"></span>
</div>
<div class="scroll" role="region" aria-labelledby="connections-title" tabindex="0"><table id="connections-table"><thead><tr>${heads}</tr></thead><tbody></tbody></table></div>
<noscript><p>The table is drawn by a script; <code>--format text</code> has it without.</p></noscript>${more}`;
}

function sequences(report: Report, evidence: Evidence | undefined): string {
  if (evidence === undefined || evidence.sequences.length === 0) return '';
  const omitted =
    evidence.sequencesOmitted > 0
      ? `<p>Of ${evidence.sequencesOmitted} more failed connections packets are not shown.</p>`
      : '';
  const parts = evidence.sequences.map((item) => {
    const known = report.connections.find((connection) => connection.id === item.connection);
    const name = known === undefined ? '' : ` ${known.protocol} ${known.client} > ${known.server}`;
    return `<details id="sequence-${item.connection}"><summary>${item.connection}.${escapeHtml(name)} <small>${item.packets.length} packets</small></summary><div></div></details>`;
  });
  return `<section aria-labelledby="sequences-title"><h2 id="sequences-title">Packets of failed connections</h2>${parts.join('\n')}${omitted}</section>`;
}

/** The table's rows as arrays: ten thousand connections with the names of their fields would be twice the file. */
function tableData(report: Report, evidence: Evidence | undefined): object {
  return {
    connections: worstFirst(report.connections).map((item) => [
      item.id,
      item.verdict,
      item.leg,
      item.session ?? 0,
      `${item.protocol} ${item.client}`,
      item.server,
      directionWords(item.clientToServer),
      directionWords(item.serverToClient),
      item.findings.join(' '),
    ]),
    sequences: evidence?.sequences ?? [],
  };
}
