import { clean } from '../formats/format.ts';
import { cell, code, paragraph, plain } from '../formats/markdown/words.ts';
import type { Change, DiffGroupReport, DiffReport, DiffSide } from '../report/diff-report.ts';

const CHANGES: Readonly<Record<Change, string>> = {
  'no-longer-via-sps': 'no longer via SPS',
  'newly-dropped': 'newly dropped',
  'newly-looping': 'newly looping',
  'newly-bypassing': 'newly going straight to the server',
  'newly-undetermined': 'no longer known',
  'newly-via-sps': 'newly via SPS',
  'newly-determined': 'known now',
  'other-way': 'another next hop or mark',
  unchanged: 'unchanged',
};

const FATES = {
  'via-sps': 'via SPS',
  bypasses: 'not via SPS',
  dropped: 'dropped',
  loops: 'loops',
  undetermined: 'not known',
} as const;

const EXAMPLES = 3;

/** The text of a diff, for people. */
export function diffText(given: DiffReport): string {
  const report = clean(given);
  const lines = [headline(report), ...grounds(report).map(([label, words]) => `${label.padEnd(12)}${words}`), ''];
  for (const group of report.groups) {
    lines.push(
      `${group.count} ${CHANGES[group.change]}${group.noLongerVerified > 0 ? `, ${group.noLongerVerified} of them verified before` : ''}`,
    );
    if (group.change !== 'unchanged') {
      for (const item of group.connections.slice(0, EXAMPLES))
        lines.push(`   ${item.protocol} ${item.client} > ${item.server}`);
      if (group.count > EXAMPLES) lines.push(`   and ${group.count - EXAMPLES} more (--format json)`);
      if (group.packet !== undefined) lines.push(`   they part with: ${group.packet}`);
      lines.push(...sideLines('before', group.before), ...sideLines('after', group.after));
    }
    lines.push('');
  }
  return `${lines.join('\n').trimEnd()}\n`;
}

function headline({ summary, before, after }: DiffReport): string {
  const changed = summary.connections - summary.unchanged;
  return `${changed === 0 ? 'NO CHANGE' : `${changed} CHANGED`}  ${summary.connections} connections: ${parts(summary).join(', ')}; ${before.verdict} before, ${after.verdict} after`;
}

function parts(summary: DiffReport['summary']): string[] {
  return (Object.keys(CHANGES) as Change[]).flatMap((change) =>
    summary[change] > 0 ? [`${summary[change]} ${CHANGES[change]}`] : [],
  );
}

function grounds(report: DiffReport): [string, string][] {
  const { before, after, captures, intent, established } = report;
  const paths = (side: DiffReport['before']): string => side.router.sources.map((source) => source.path).join(', ');
  return [
    ...captures.map((capture): [string, string] => ['capture', `${capture.path}, ${capture.packets} frames`]),
    ['before', paths(before)],
    ['after', `${paths(after)} (what-if)`],
    ['SPS', intent.sps.join(', ')],
    [
      'monitored',
      `${intent.services.join(', ')} from ${intent.clients.join(', ') || 'any source'} to ${intent.servers.join(', ') || 'any destination'}`,
    ],
    ['open', establishedWords(established)],
  ];
}

function establishedWords({ open, cut, oldMark, unaffected, unknown }: DiffReport['established']): string {
  if (open === 0) return 'no connection is open when the capture ends';
  const said = [
    ...(cut > 0 ? [`${cut} would be cut`] : []),
    ...(oldMark > 0 ? [`${oldMark} would stay on their old mark`] : []),
    ...(unknown > 0 ? [`${unknown} cannot be told`] : []),
    ...(unaffected > 0 ? [`${unaffected} would go on as they are`] : []),
  ];
  return `of ${open} open when the capture ends, loading the change: ${said.join(', ')}`;
}

function sideLines(label: string, side: DiffSide): string[] {
  const { where } = side;
  return [
    `   ${label.padEnd(7)}${FATES[side.fate]}${side.effect === undefined ? '' : `: ${side.effect}`}${side.end === undefined ? '' : ` => ${side.end}`}`,
    ...(where?.kind === 'config' ? [`          ${where.path}:${where.line}  ${where.text}`] : []),
  ];
}

/** The same for a change ticket. */
export function diffMarkdown(given: DiffReport): string {
  const report = clean(given);
  const sideText = (side: DiffSide): string => {
    const where =
      side.where?.kind === 'config' ? `, ${code(`${side.where.path}:${side.where.line}  ${side.where.text}`)}` : '';
    return `${FATES[side.fate]}${side.effect === undefined ? '' : `: ${plain(side.effect)}`}${where}${side.end === undefined ? '' : ` ⇒ ${plain(side.end)}`}`;
  };
  const groupLines = (group: DiffGroupReport): string[] => [
    '',
    `## ${group.count} ${CHANGES[group.change]}`,
    '',
    ...(group.noLongerVerified > 0 ? [`${group.noLongerVerified} of them verified before.`, ''] : []),
    ...(group.packet === undefined ? [] : [`They part with: ${plain(group.packet)}`, '']),
    `- before: ${sideText(group.before)}`,
    `- after: ${sideText(group.after)}`,
    ...group.connections
      .slice(0, EXAMPLES)
      .map((item) => `- ${paragraph(`${item.protocol} ${item.client} > ${item.server}`)}`),
    ...(group.count > EXAMPLES ? [`- and ${group.count - EXAMPLES} more`] : []),
  ];
  return `${[
    `# ${headline(report)}`,
    '',
    '| | |',
    '| --- | --- |',
    ...grounds(report).map(([label, words]) => `| ${label} | ${cell(plain(words))} |`),
    ...report.groups.filter((group) => group.change !== 'unchanged').flatMap(groupLines),
  ].join('\n')}\n`;
}
