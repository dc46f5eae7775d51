import type { Report } from '../report/report.ts';
import { jsonText } from '../text/visible.ts';
import { type Format, joinedPieces } from './format.ts';

/** `--format ndjson`: a header line, connections, findings, and the summary last, so that a cut-off output shows. */
export const ndjson: Format = {
  name: 'ndjson',
  render: (report) => [...lines(report)].join(''),
  pieces: (report) => joinedPieces(lines(report)),
};

function* lines(report: Report): Generator<string> {
  const { connections, findings, summary, schema, verdict, ...rest } = report;
  yield line({ type: 'header', schema, ...rest });
  for (const item of connections) yield line({ type: 'connection', ...item });
  for (const item of findings) yield line({ type: 'finding', ...item });
  yield line({ type: 'summary', verdict, ...summary });
}

function line(value: object): string {
  return `${jsonText(value)}\n`;
}
