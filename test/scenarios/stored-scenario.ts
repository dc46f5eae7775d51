/** The stored scenarios as the tool meets them: their description, and their captures in the three forms. */
import { readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as v from 'valibot';
import { parse } from 'yaml';
import type { CaptureInput } from '../../src/capture/capture-set.ts';
import { captureInputs, type LoadedRouter, loadRouter, readText } from '../../src/commands/inputs.ts';
import { parseSiteFile } from '../../src/commands/site-file.ts';
import { statedIntent } from '../../src/commands/stated-intent.ts';
import type { Report } from '../../src/report/report.ts';
import type { StatedIntent } from '../../src/verification/intent.ts';
import { verify } from '../../src/verify.ts';

/** The ways in which scenarios were recorded at once; some are stored in the first alone. */
export const FORMS = ['merged', 'any', 'perInterface'] as const;
export type Form = (typeof FORMS)[number];

const CODE = v.pipe(v.string(), v.regex(/^RV\d{3}$/));

/** As `test/lab/scenario-folder.ts` writes it; a key that nobody reads is a mistake. */
const DESCRIPTION = v.strictObject({
  name: v.string(),
  shows: v.string(),
  /** Where another kind of router than the described one forwarded the traffic. */
  forwarder: v.optional(v.string()),
  recorded: v.strictObject({ kernel: v.string(), iptables: v.string(), date: v.string() }),
  captures: v.strictObject({
    merged: v.string(),
    /** Absent where the scenario is stored in the merged form alone. */
    any: v.optional(v.string()),
    perInterface: v.optional(v.record(v.string(), v.string())),
  }),
  router: v.string(),
  site: v.optional(v.string()),
  options: v.strictObject({ 'what-if': v.optional(v.boolean()) }),
  kernel: v.looseObject({
    verdict: v.picklist(['verified', 'failed']),
    reason: v.string(),
    packets: v.looseObject({
      clientSent: v.number(),
      spsSentToClient: v.number(),
      spsSentToServer: v.number(),
      serverSent: v.number(),
      spsReceivedAgain: v.number(),
      serverReceivedDirectly: v.number(),
      clientReceivedDirectly: v.number(),
      clientReceivedOtherwise: v.number(),
      /** On a segment that two hosts share. */
      clientReceivedFromSpsBeside: v.optional(v.number(), 0),
      spsReceivedFromClientBeside: v.optional(v.number(), 0),
      serverReceivedFromSpsBeside: v.optional(v.number(), 0),
      spsReceivedFromServerBeside: v.optional(v.number(), 0),
    }),
    /** Where offloads merge packets on the way. */
    payloadBytes: v.optional(v.record(v.string(), v.number())),
    router: v.looseObject({ reversePathDrops: v.number(), filterDrops: v.number() }),
  }),
  expect: v.strictObject({
    verdict: v.picklist(['verified', 'failed', 'inconclusive']),
    /** Why the tool must say something else than the kernel did. */
    differs: v.optional(v.string()),
    /** The way of some packets is not certain, although the verdict is. */
    undetermined: v.optional(v.boolean(), false),
    findings: v.array(CODE),
    absent: v.array(CODE),
  }),
});

export type Description = v.InferOutput<typeof DESCRIPTION>;

export interface StoredScenario extends Description {
  /** From the repository's root, which is the working directory of the tests: these paths stand in the golden reports. */
  readonly folder: string;
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CAPTURES = 'captures';

/** All stored scenarios, by name. Throws where a description has a key or value that is not understood. */
export function storedScenarios(): StoredScenario[] {
  if (posix.resolve('.') !== posix.resolve(ROOT)) process.chdir(ROOT);
  return (
    readdirSync(CAPTURES, { withFileTypes: true })
      // Those of join are run by test/join.
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith('join-'))
      .map((entry) => entry.name)
      .sort()
      .map((name) => {
        const folder = posix.join(CAPTURES, name);
        const path = posix.join(folder, 'scenario.yaml');
        const result = v.safeParse(DESCRIPTION, parse(readFileSync(path, 'utf8')));
        if (!result.success) throw new Error(`${path}: ${v.summarize(result.issues)}`);
        return { ...result.output, folder };
      })
  );
}

/** The scenario of that name. */
export function storedScenario(name: string): StoredScenario {
  const found = storedScenarios().find((scenario) => scenario.name === name);
  if (found === undefined) throw new Error(`no scenario ${name} is stored`);
  return found;
}

/** The words of the command line that name the captures in one of the forms. */
export function captureArguments({ folder, captures }: StoredScenario, form: Form): string[] {
  if (form !== 'perInterface') return [posix.join(folder, captures[form] ?? missing(folder, form))];
  return Object.entries(captures.perInterface ?? missing(folder, form)).map(
    ([name, file]) => `${name}=${posix.join(folder, file)}`,
  );
}

function missing(folder: string, form: Form): never {
  throw new Error(`${folder} has no captures in the form ${form}`);
}

/** The forms in which a scenario is stored. */
export function formsOf({ captures }: Description): Form[] {
  return FORMS.filter((form) => captures[form] !== undefined);
}

/** All words of the command line that verifies a scenario in one of the forms. */
export function verifyArguments(scenario: StoredScenario, form: Form): string[] {
  return [
    ...captureArguments(scenario, form),
    ...['--router', routerPath(scenario)],
    ...(scenario.site === undefined ? [] : ['--site', posix.join(scenario.folder, scenario.site)]),
    ...(scenario.options['what-if'] === true ? ['--what-if'] : []),
  ];
}

export function inputsOf(scenario: StoredScenario, form: Form): CaptureInput[] {
  return captureInputs(captureArguments(scenario, form));
}

export function routerPath({ folder, router }: StoredScenario): string {
  return posix.join(folder, router);
}

export function routerOf(scenario: StoredScenario): LoadedRouter {
  return loadRouter([routerPath(scenario)], []);
}

/** The intent as the scenario's site file states it; nothing where there is none. */
export function intentOf({ folder, site }: StoredScenario): StatedIntent {
  if (site === undefined) return {};
  const path = posix.join(folder, site);
  return statedIntent({}, parseSiteFile(path, readText(path)), path);
}

/** The report of one form, as the command line tool makes it. */
export async function verifyForm(scenario: StoredScenario, form: Form): Promise<Report> {
  const { router, sources } = routerOf(scenario);
  return verify(inputsOf(scenario, form), router, intentOf(scenario), {
    whatIf: scenario.options['what-if'] ?? false,
    requireObserved: false,
    verifyChecksums: false,
    sources,
  });
}
