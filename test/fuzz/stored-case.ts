/** A case as a folder: `case.json` with the command line and what was wrong, and the files under `files/`. */
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { Case, Claim } from './cases.ts';

interface Description {
  readonly kind: string;
  readonly argv: readonly string[];
  readonly claim?: Claim;
  /** What it was that went wrong. */
  readonly wrong: string;
}

export function storeCase(folder: string, item: Case, wrong: string): void {
  const { kind, argv, claim } = item;
  const description: Description = { kind, argv, ...(claim !== undefined && { claim }), wrong };
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'case.json'), `${JSON.stringify(description, null, 2)}\n`);
  for (const [name, bytes] of item.files) {
    const path = join(folder, 'files', name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
  }
}

export function readCase(folder: string): Case & { readonly wrong: string } {
  const { kind, argv, claim, wrong } = JSON.parse(readFileSync(join(folder, 'case.json'), 'utf8')) as Description;
  const base = join(folder, 'files');
  const names = readdirSync(base, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(base, name)).isFile(),
  );
  const files = new Map(names.map((name) => [relative(base, join(base, name)), readFileSync(join(base, name))]));
  return { kind, argv, files, wrong, ...(claim !== undefined && { claim }) };
}
