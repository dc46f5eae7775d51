import type { Format } from './format.ts';
import { html } from './html.ts';
import { json } from './json.ts';
import { junit } from './junit.ts';
import { markdown } from './markdown.ts';
import { ndjson } from './ndjson.ts';
import { sarif } from './sarif.ts';
import { text } from './text.ts';

/** Every format. A new one is one new file and one line here. */
export const FORMATS: readonly Format[] = [text, json, ndjson, junit, sarif, markdown, html];
