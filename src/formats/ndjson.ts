import { jsonText } from '../text/visible.ts';
import type { Format } from './format.ts';

/** `--format ndjson`: a header line, connections, findings, and the summary last, so that a cut-off output shows. */
export const ndjson: Format = {
  name: 'ndjson',
  render: (report) => {
    const { connections, findings, summary, schema, verdict, ...rest } = report;
    const lines: object[] = [
      { type: 'header', schema, ...rest },
      ...connections.map((item) => ({ type: 'connection', ...item })),
      ...findings.map((item) => ({ type: 'finding', ...item })),
      { type: 'summary', verdict, ...summary },
    ];
    return lines.map((line) => `${jsonText(line)}\n`).join('');
  },
};
