import { type Dirent, existsSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import * as v from 'valibot';
import { InputError } from '../text/input-error.ts';
import { readText } from './inputs.ts';
import { parseYaml } from './yaml-file.ts';

/** Name of the file that makes a folder a scenario. */
const SCENARIO_FILE = 'scenario.yaml';
const SITE_FILE = 'redirect-verify.yaml';

const VERDICT = v.picklist(['verified', 'failed', 'inconclusive']);
const CODES = v.array(v.pipe(v.string(), v.regex(/^RV\d{3}$/, 'a code such as RV602')));
const WORDS = v.union([v.string(), v.array(v.string())]);

/** A scenario as written. `name`, `shows`, `forwarder`, `recorded` and `kernel` are its author's; the rest is what is run and expected. */
const SCENARIO = v.strictObject({
  name: v.optional(v.string()),
  shows: v.optional(v.string()),
  /** What forwarded the recorded packets, where it is not the router whose state is given. */
  forwarder: v.optional(v.string()),
  recorded: v.optional(v.unknown()),
  kernel: v.optional(v.unknown()),
  /** File names, IFACE=FILE too; or several forms of the same recording by name, each of which must give what is expected. */
  captures: v.union([WORDS, v.record(v.string(), v.union([WORDS, v.record(v.string(), v.string())]))]),
  router: v.optional(WORDS),
  site: v.optional(v.string()),
  options: v.optional(
    v.strictObject({
      'what-if': v.optional(v.boolean()),
      require: v.optional(v.literal('observed')),
      'verify-checksums': v.optional(v.boolean()),
    }),
  ),
  expect: v.optional(
    v.strictObject({
      verdict: VERDICT,
      differs: v.optional(v.string()),
      undetermined: v.optional(v.boolean()),
      findings: v.optional(CODES),
      absent: v.optional(CODES),
    }),
  ),
});

/** A scenario to run; paths are ready to be opened. */
export interface Scenario {
  readonly folder: string;
  readonly path: string;
  readonly name: string;
  /** Each form with the words of the command line that name its captures. */
  readonly forms: readonly { readonly name: string; readonly captures: readonly string[] }[];
  readonly router?: readonly string[];
  readonly site: string | false;
  readonly whatIf: boolean;
  readonly require?: 'observed';
  readonly verifyChecksums: boolean;
  readonly expect?: Expectation;
}

/** What a scenario's report must say: the verdict, codes that must be there, and codes that must not. */
export interface Expectation {
  readonly verdict: v.InferOutput<typeof VERDICT>;
  readonly findings?: readonly string[] | undefined;
  readonly absent?: readonly string[] | undefined;
}

/** Folders with a scenario at or below these, in order. Throws InputError where there is none. */
export function scenarioFolders(roots: readonly string[]): string[] {
  const found = roots.flatMap((root) => {
    const here = below(root);
    if (here.length === 0) throw new InputError(`${root}: no ${SCENARIO_FILE} in this folder or below it`);
    return here;
  });
  return [...new Set(found)];
}

function below(folder: string): string[] {
  if (existsSync(scenarioPath(folder))) return [folder];
  let entries: Dirent[];
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : error;
    throw new InputError(
      code === 'ENOENT'
        ? `${folder}: no such file or directory`
        : `${folder}: is not a folder that can be read (${code})`,
    );
  }
  return entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.') && entry.name !== 'node_modules')
    .map((entry) => entry.name)
    .sort()
    .flatMap((name) => below(join(folder, name)));
}

export function scenarioPath(folder: string): string {
  return join(folder, SCENARIO_FILE);
}

/** Reads a folder's scenario. Throws InputError with path, line and column. */
export function readScenario(folder: string): Scenario {
  const path = scenarioPath(folder);
  const file = parseYaml(path, readText(path));
  const result = v.safeParse(SCENARIO, file.value);
  if (!result.success) {
    const [issue] = result.issues;
    const keys = (issue.path ?? []).map((item) => item.key as string | number);
    throw file.error(keys, `${keys.join('.') || 'the file'}: ${issue.message}`);
  }
  const { captures, router, site, options, expect, name } = result.output;
  const place = (file: string): string => join(folder, file);
  return {
    folder,
    path,
    name: name ?? basename(folder),
    forms: formsOf(captures, place),
    ...(router !== undefined && { router: [router].flat().map(place) }),
    site: site !== undefined ? place(site) : existsSync(place(SITE_FILE)) ? place(SITE_FILE) : false,
    whatIf: options?.['what-if'] ?? false,
    ...(options?.require !== undefined && { require: options.require }),
    verifyChecksums: options?.['verify-checksums'] ?? false,
    ...(expect !== undefined && { expect }),
  };
}

function formsOf(
  captures: v.InferOutput<typeof SCENARIO>['captures'],
  place: (file: string) => string,
): Scenario['forms'] {
  const words = (value: string | string[]): string[] => [value].flat().map((word) => placeWord(word, place));
  if (typeof captures === 'string' || Array.isArray(captures)) return [{ name: '', captures: words(captures) }];
  return Object.entries(captures).map(([name, value]) => ({
    name,
    captures:
      typeof value === 'string' || Array.isArray(value)
        ? words(value)
        : Object.entries(value).map(([device, file]) => `${device}=${place(file)}`),
  }));
}

/** `eth0=client.pcap` in the scenario's folder. */
function placeWord(word: string, place: (file: string) => string): string {
  const equals = word.indexOf('=');
  if (equals <= 0 || existsSync(place(word)) || word.slice(0, equals).includes('/')) return place(word);
  return `${word.slice(0, equals)}=${place(word.slice(equals + 1))}`;
}
