import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { validateXML } from 'xmllint-wasm';

const SCHEMA = readFileSync(join(import.meta.dirname, 'junit.xsd'), 'utf8');

/** What is wrong with a JUnit file by its schema; nothing where it is valid. */
export async function junitErrors(xml: string): Promise<string[]> {
  const { valid, errors } = await validateXML({
    xml: [{ fileName: 'report.xml', contents: xml }],
    schema: [{ fileName: 'junit.xsd', contents: SCHEMA }],
  });
  return valid ? [] : errors.map((error) => error.message);
}
