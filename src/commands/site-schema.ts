import { readFileSync } from 'node:fs';

/** Name of the site file's JSON schema, in the package and beside the files that `init` writes. */
export const SITE_SCHEMA_FILE = 'redirect-verify.schema.json';

/** The JSON schema as published; made from the schema that the tool itself reads with (test/commands/init.test.ts holds the two together). */
export function siteSchemaText(): string {
  return readFileSync(new URL(`../../${SITE_SCHEMA_FILE}`, import.meta.url), 'utf8');
}
