import pc from 'picocolors';
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
  VANTAGE_WORDS,
  worstFirst,
} from './format.ts';

type Colors = ReturnType<typeof pc.createColors>;

const LISTED = 20;

/** `--format text`: the verdict first, then each finding with its proof and its fix, then the connections. */
export const text: Format = { name: 'text', render: renderText };

function renderText(given: Report, options: RenderOptions): string {
  const report = clean(given);
  const colors = pc.createColors(options.color);
  const lines = [verdictLine(report, colors)];
  if (options.quiet) return `${lines.join('\n')}\n`;
  lines.push(
    ...(report.join === undefined ? groundLines(report, colors) : joinGround(report, report.join, colors)),
    '',
  );
  for (const earlier of report.earlier ?? []) lines.splice(-1, 0, earlierLine(earlier, colors));
  for (const finding of report.findings) {
    if (finding.severity === 'note' && !options.verbose && report.verdict !== 'verified' && finding.code !== 'RV415')
      continue;
    lines.push(...findingLines(finding, report, options, colors), '');
  }
  lines.push(...(report.join === undefined ? connectionLines(report, options, colors) : joinLines(report.join)));
  return `${lines.join('\n')}\n`;
}

function verdictLine(report: Report, colors: Colors): string {
  const { connections, verified, failed, inconclusive } = report.summary;
  const paint = { verified: colors.green, failed: colors.red, inconclusive: colors.yellow }[report.verdict];
  const parts = [
    verified > 0 ? `${verified} verified` : '',
    failed > 0 ? `${failed} failed` : '',
    inconclusive > 0 ? `${inconclusive} inconclusive` : '',
  ].filter((part) => part !== '');
  const noun = report.mode === 'check' ? 'made-up session' : 'connection';
  const of = `${connections} ${connections === 1 ? noun : `${noun}s`}`;
  return `${paint(colors.bold(report.verdict.toUpperCase()))}  ${of}${parts.length > 0 ? `: ${parts.join(', ')}` : ''}`;
}

/** What a live run judged by a state of the router that was replaced. */
function earlierLine(earlier: Report, colors: Colors): string {
  const last = earlier.captures
    .flatMap((capture) => capture.lastTimestamp ?? [])
    .sort()
    .at(-1);
  const until = last === undefined ? '' : ` until ${last}`;
  return `${colors.dim('earlier'.padEnd(11))}${verdictLine(earlier, colors)}, by the router's state${until}`;
}

/** On what the verdict rests. */
function groundLines(report: Report, colors: Colors): string[] {
  const { intent, router, captures, summary } = report;
  const inferred = new Set(intent.inferred);
  const mark = (part: string, value: string): string => (inferred.has(part) ? `${value} (inferred)` : value);
  const lines: string[] = [];
  const say = (label: string, value: string): void => {
    lines.push(`${colors.dim(label.padEnd(11))}${value}`);
  };
  for (const capture of captures) {
    const where = capture.interfaces.length > 0 ? ` on ${capture.interfaces.join(', ')}` : '';
    const at = VANTAGE_WORDS[capture.vantage ?? 'router'];
    say('capture', `${capture.path}, ${capture.packets} frames${where}${at}${capture.truncated ? ', truncated' : ''}`);
    if (capture.note !== undefined) say('', capture.note);
  }
  if (report.vantage?.showsBypass === false && report.mode === 'observed') {
    const { interfaces, missing } = report.vantage;
    const shown = interfaces.length > 0 ? interfaces.join(', ') : 'none';
    const lacking = missing.length > 0 ? `, and nothing of ${missing.join(', ')}` : '';
    say('', `Of the router's interfaces it shows ${shown}${lacking}: what goes past SPS would not be seen.`);
  }
  if (report.check !== undefined) {
    const { check } = report;
    say('check', `${check.sessions} sessions made up at the edges of what is monitored, no capture`);
    say('', `clients ${check.clients.join(', ')}`);
    say('', `servers ${check.servers.join(', ')}`);
    if (check.alsoRedirected.length > 0)
      say('', `also redirected, and not monitored: ${check.alsoRedirected.join(', ')}`);
    for (const { code, message, fix } of check.possible ?? []) {
      say('possible', `${code} ${message}`);
      for (const command of fix) say('', `  it cannot with: ${command}`);
    }
  }
  if (report.mode === 'what-if') say('mode', 'what-if: the capture predates this configuration');
  const host = [
    router.hostname,
    router.collectedAt === undefined ? undefined : `state of ${router.collectedAt}`,
  ].filter((part) => part !== undefined);
  say(
    'router',
    `${router.sources.map((source) => source.path).join(', ')}${host.length > 0 ? ` (${host.join(', ')})` : ''}`,
  );
  for (const notice of router.notices ?? []) say('', notice);
  say(
    'SPS',
    `${mark('sps', intent.sps.join(', '))} on ${mark('spsInterfaces', intent.spsInterfaces.join(', '))}, toward servers: ${mark('snat', SNAT_WORDS[intent.snat])}`,
  );
  const clients = intent.clients.length > 0 ? mark('clients', intent.clients.join(', ')) : 'any source';
  const servers = intent.servers.length > 0 ? mark('servers', intent.servers.join(', ')) : 'any destination';
  say('monitored', `${mark('services', intent.services.join(', '))} from ${clients} to ${servers}`);
  if (inferred.has('services') || inferred.has('sps'))
    say('', 'What is inferred from the redirect cannot show a mistake in it: state it with --sps and --service.');
  if (report.givenUp !== undefined) {
    const { connections, verified, failed, inconclusive } = report.givenUp;
    say(
      'given up',
      `${connections} connections, to bound memory: ${verified} verified, ${failed} failed, ${inconclusive} inconclusive when they were forgotten (--max-connections)`,
    );
  }
  if (report.check === undefined)
    say('packets', `${summary.monitoredPackets} of monitored connections, in ${summary.packets} frames`);
  return lines;
}

/** On what the verdict of `join` rests. */
function joinGround(report: Report, join: JoinReport, colors: Colors): string[] {
  const lines: string[] = [];
  const say = (label: string, value: string): void => {
    lines.push(`${colors.dim(label.padEnd(11))}${value}`);
  };
  for (const capture of report.captures)
    say('capture', `${capture.path}, ${capture.packets} frames${capture.truncated ? ', truncated' : ''}`);
  const sources = report.router.sources.map((source) => source.path).join(', ');
  say('router', sources === '' ? 'none given: only what captures show' : sources);
  for (const notice of report.router.notices ?? []) say('', notice);
  say(
    'join',
    `SPS ${join.sps.join(', ')} to SPP ${join.spp}${join.entered === undefined ? '' : `, entered as ${join.entered}`}`,
  );
  return lines;
}

/** The connections that the join needs, then what is known of SPP's certificate. */
function joinLines(join: JoinReport): string[] {
  return [
    ...tableLines([['verdict', 'connection', 'router', 'capture'], ...joinRows(join)]),
    ...join.certificates.map(certificateWords),
  ];
}

function tableLines(table: readonly (readonly string[])[]): string[] {
  const widths = (table[0] ?? []).map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  return table.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

function findingLines(finding: FindingReport, report: Report, options: RenderOptions, colors: Colors): string[] {
  const paint = { error: colors.red, warning: colors.yellow, note: colors.cyan }[finding.severity];
  const count = finding.count > 1 ? colors.dim(` ×${finding.count}`) : '';
  const lines = [
    `${paint(`#${finding.id} ${finding.severity} ${finding.code} ${finding.slug}`)}${count}`,
    `   ${finding.message}`,
  ];
  if (finding.where !== undefined) lines.push(...whereLines(finding.where, colors).map((line) => `   ${line}`));
  if (finding.causes.length > 0) {
    const causes = finding.causes.map((id) => `#${id} ${report.findings[id - 1]?.code ?? ''}`).join(', ');
    lines.push(`   ${colors.dim('because of')} ${causes}`);
  }
  const notes = options.verbose ? finding.notes : finding.notes.slice(0, 8);
  for (const note of notes) {
    const place = note.where?.kind === 'config' ? colors.dim(`  ${note.where.path}:${note.where.line}`) : '';
    lines.push(`   - ${note.message}${place}`);
  }
  if (finding.fix.length > 0 && !coveredByCauses(finding, report)) {
    lines.push(`   ${colors.bold('fix')}`);
    for (const command of finding.fix) lines.push(`     ${command}`);
    if (finding.undo !== undefined) lines.push(`   ${colors.dim('undo')} ${finding.undo.join('; ')}`);
    if (finding.persist !== undefined) lines.push(`   ${colors.dim('keep')} ${finding.persist.join('; ')}`);
  }
  return lines;
}

/** The fix stands at the cause; twice would look like two things to do. */
function coveredByCauses(finding: FindingReport, report: Report): boolean {
  const atCauses = new Set(finding.causes.flatMap((id) => report.findings[id - 1]?.fix ?? []));
  return finding.fix.every((command) => atCauses.has(command));
}

function whereLines(where: Where, colors: Colors): string[] {
  if (where.kind === 'frame') {
    return [
      `${colors.dim('at')} ${where.path} frame ${where.frame}${where.interface === undefined ? '' : ` on ${where.interface}`}`,
    ];
  }
  return [`${colors.dim('at')} ${where.path}:${where.line}:${where.column}`, `   ${where.text}`];
}

function connectionLines(report: Report, options: RenderOptions, colors: Colors): string[] {
  const { connections } = report;
  if (connections.length === 0) return [];
  const shown = options.verbose ? connections : worstFirst(connections).slice(0, LISTED);
  const table = [CONNECTION_HEADS, ...shown.map((item) => connectionCells(item, '-'))];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  const lines = table.map((row, index) => {
    const line = row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd();
    return index === 0 ? colors.dim(line) : line;
  });
  const hidden = report.summary.connections - shown.length;
  if (hidden > 0) lines.push(colors.dim(`and ${hidden} more (--verbose, or --format json)`));
  return lines;
}
