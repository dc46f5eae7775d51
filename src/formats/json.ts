import type { Report } from '../report/report.ts';
import { jsonText } from '../text/visible.ts';
import { type Format, joinedPieces } from './format.ts';

/** `--format json`: one object. */
export const json: Format = {
  name: 'json',
  render: (report) => [...texts(report)].join(''),
  pieces: (report) => joinedPieces(texts(report)),
};

/** As JSON.stringify() with an indent of 2 writes it, the connections one by one. */
function* texts(report: Report): Generator<string> {
  let start = '{\n';
  for (const [key, value] of Object.entries(report)) {
    if (value === undefined) continue;
    yield `${start}  ${jsonText(key)}: `;
    if (key === 'connections' && report.connections.length > 0) yield* items(report.connections);
    else yield indented(value, '  ');
    start = ',\n';
  }
  yield '\n}\n';
}

function* items(values: readonly object[]): Generator<string> {
  let start = '[\n';
  for (const value of values) {
    yield `${start}    ${indented(value, '    ')}`;
    start = ',\n';
  }
  yield '\n  ]';
}

/** The lines behind the first stand further right. A line end within a string is written as such. */
function indented(value: unknown, indent: string): string {
  return jsonText(value, 2).replaceAll('\n', `\n${indent}`);
}
