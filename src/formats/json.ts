import type { Format } from './format.ts';

/** `--format json`: one object. */
export const json: Format = { name: 'json', render: (report) => `${JSON.stringify(report, undefined, 2)}\n` };
