import type { Format } from './format.ts';
import { json } from './json.ts';
import { ndjson } from './ndjson.ts';
import { text } from './text.ts';

/** Every format. A new one is one new file and one line here. */
export const FORMATS: readonly Format[] = [text, json, ndjson];
