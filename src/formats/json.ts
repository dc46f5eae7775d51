import { jsonText } from '../text/visible.ts';
import type { Format } from './format.ts';

/** `--format json`: one object. */
export const json: Format = { name: 'json', render: (report) => `${jsonText(report, 2)}\n` };
