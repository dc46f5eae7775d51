import pc from 'picocolors';
import type { ConnectionReport, DirectionReport, Report } from '../report/report.ts';
import { visible } from '../text/visible.ts';

/** What the table shows beside the connections. */
export interface TableState {
  readonly report: Report;
  readonly sources: readonly { readonly path: string; readonly packets: number; readonly lost: number | undefined }[];
  readonly frames: number;
  readonly seconds: number;
  readonly lagMilliseconds: number;
  /** The finding or trouble that came last. */
  readonly last?: string;
  readonly givenUp: number;
}

type Colors = ReturnType<typeof pc.createColors>;

const WIDE = 110;
const LINES_AROUND = 6;
const ORDER = { failed: 0, inconclusive: 1, verified: 2 } as const;

/** The lines of the table, each no longer than `columns`, no more than `rows`. */
export function tableLines(state: TableState, columns: number, rows: number, color: boolean): string[] {
  const colors = pc.createColors(color);
  const { report } = state;
  const lines = [
    spread('redirect-verify live', `${clock(state.seconds)}  q or Ctrl-C: report`, columns),
    ...statusLines(state, columns, colors),
    '',
  ];
  const shown = [...report.connections].sort((a, b) => ORDER[a.verdict] - ORDER[b.verdict] || b.id - a.id);
  const room = Math.max(1, rows - lines.length - 2);
  lines.push(...connectionTable(shown.slice(0, room), columns, colors));
  const hidden = shown.length - Math.min(shown.length, room);
  if (hidden > 0) lines.push(colors.dim(cut(`and ${hidden} more`, columns)));
  return lines.slice(0, Math.max(rows, LINES_AROUND));
}

function statusLines(state: TableState, columns: number, colors: Colors): string[] {
  const { summary, verdict } = state.report;
  const paint = { verified: colors.green, failed: colors.red, inconclusive: colors.yellow }[verdict];
  const counts = `${summary.connections} connections: ${summary.verified} verified, ${summary.failed} failed, ${summary.inconclusive} inconclusive`;
  const lost = state.sources.map((source) => source.lost);
  const losses = lost.every((count) => count === undefined)
    ? 'losses not known'
    : `${lost.reduce<number>((sum, count) => sum + (count ?? 0), 0)} lost`;
  const givenUp = state.givenUp > 0 ? `, ${state.givenUp} connections given up` : '';
  const ground = `${state.frames} frames from ${state.sources.map((source) => source.path).join(', ')}, ${losses}, ${(state.lagMilliseconds / 1000).toFixed(1)} s behind${givenUp}`;
  const word = verdict.toUpperCase();
  return [
    `${paint(colors.bold(word))}  ${cut(counts, columns - word.length - 2)}`,
    cut(visible(ground), columns),
    cut(visible(state.last ?? 'no findings'), columns),
  ];
}

function connectionTable(connections: readonly ConnectionReport[], columns: number, colors: Colors): string[] {
  const isWide = columns >= WIDE;
  const head = ['id', 'verdict', ...(isWide ? ['leg', 'session'] : []), 'connection', 'c→s', 's→c', 'finding'];
  const rows = connections.map((item) => [
    `${item.id}`,
    item.verdict,
    ...(isWide ? [item.leg, item.session === undefined ? '-' : `${item.session}`] : []),
    `${isWide ? `${item.protocol} ` : ''}${item.client} > ${item.server}`,
    counter(item.clientToServer),
    counter(item.serverToClient),
    isWide ? item.findings.join(' ') : (item.findings[0] ?? ''),
  ]);
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)));
  // What is too much for the line is taken from the connection, the longest.
  const at = isWide ? 4 : 2;
  const excess = widths.reduce((sum, width) => sum + width, 0) + 2 * (widths.length - 1) - columns;
  if (excess > 0) widths[at] = Math.max(12, widths[at]! - excess);
  const line = (cells: readonly string[]): string =>
    cut(
      cells.map((cell, column) => cut(visible(cell), widths[column]!).padEnd(widths[column]!)).join('  '),
      columns,
    ).trimEnd();
  return [
    colors.dim(line(head)),
    ...rows.map((row, index) => {
      const { verdict } = connections[index]!;
      const paint = { verified: colors.green, failed: colors.red, inconclusive: colors.yellow }[verdict];
      const text = line(row);
      const from = widths[0]! + 2;
      return `${text.slice(0, from)}${paint(text.slice(from, from + verdict.length))}${text.slice(from + verdict.length)}`;
    }),
  ];
}

/** Packets that went by SPS of all of them. */
function counter({ packets, viaSps }: DirectionReport): string {
  return `${viaSps}/${packets}`;
}

function spread(left: string, right: string, columns: number): string {
  return cut(`${left}${' '.repeat(Math.max(2, columns - left.length - right.length))}${right}`, columns);
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}

function clock(seconds: number): string {
  const part = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  return `${part(seconds / 3600)}:${part((seconds / 60) % 60)}:${part(seconds % 60)}`;
}
