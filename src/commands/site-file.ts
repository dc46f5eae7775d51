import * as v from 'valibot';
import { isMap, isScalar, LineCounter, type Node, parseDocument } from 'yaml';
import { InputError } from '../text/input-error.ts';

/** One value or a list of them. */
const list = v.union([
  v.array(v.string()),
  v.pipe(
    v.string(),
    v.transform((item) => [item]),
  ),
]);

/** The site file: the intent, in the words of the report. Every key is optional; others are refused. */
const SITE_SCHEMA = v.strictObject({
  sps: v.optional(list),
  spsInterfaces: v.optional(list),
  snat: v.optional(v.picklist(['own', 'client', 'fixed'])),
  services: v.optional(list),
  clients: v.optional(list),
  servers: v.optional(list),
});

export type SiteFile = v.InferOutput<typeof SITE_SCHEMA>;

/** Parses a site file. Throws InputError with path, line and column. */
export function parseSiteFile(path: string, text: string): SiteFile {
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false });
  const [broken] = document.errors;
  if (broken !== undefined) {
    const { line, col } = counter.linePos(broken.pos[0]);
    throw new InputError(`${path}:${line}:${col}: not YAML: ${broken.message}`);
  }
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 100 }) ?? {};
  } catch (error) {
    throw new InputError(`${path}:1:1: ${error instanceof Error ? error.message : String(error)}`);
  }
  const result = v.safeParse(SITE_SCHEMA, value);
  if (result.success) return result.output;
  const issue = result.issues[0];
  const key = issue.path?.[0]?.key;
  const { line, col } = counter.linePos(offsetOf(document.contents, key));
  const known = Object.keys(SITE_SCHEMA.entries).join(', ');
  if (typeof key !== 'string') throw new InputError(`${path}:${line}:${col}: expected keys with values (${known})`);
  if (!(key in SITE_SCHEMA.entries))
    throw new InputError(`${path}:${line}:${col}: unknown key '${key}'; the keys are ${known}`);
  throw new InputError(`${path}:${line}:${col}: '${key}' has a value that is not allowed here: ${expectedOf(key)}`);
}

function expectedOf(key: string): string {
  if (key === 'snat') return 'expected own, client or fixed';
  return 'expected a word or a list of words';
}

function offsetOf(contents: Node | null, key: unknown): number {
  if (!isMap(contents)) return contents?.range?.[0] ?? 0;
  const pair = contents.items.find((item) => isScalar(item.key) && item.key.value === key);
  return isScalar(pair?.key) ? (pair.key.range?.[0] ?? 0) : 0;
}
