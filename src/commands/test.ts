import { hostname } from 'node:os';
import type { Command } from 'commander';
import { isAlias } from 'yaml';
import { clean } from '../formats/format.ts';
import { junitFile, type TestCase } from '../formats/junit.ts';
import type { Report } from '../report/report.ts';
import { InputError } from '../text/input-error.ts';
import { readText } from './inputs.ts';
import { type Expectation, readScenario, type Scenario, scenarioFolders, scenarioPath } from './scenario-file.ts';
import { filesOf, verifyFiles } from './verify-files.ts';
import { refuseOutputs, writeFileWhole, writeOut } from './write-output.ts';
import { parseYaml } from './yaml-file.ts';

interface TestOptions {
  readonly update?: boolean;
  readonly junit?: string;
  readonly quiet?: boolean;
}

const JUNIT = '--junit';
const BY_HAND = '--update cannot write this, change it by hand';

const PASSED = 0;
const FAILED = 1;
const COULD_NOT_RUN = 2;

/** What came of one form of a scenario. */
interface Outcome {
  readonly scenario: string;
  readonly form: string;
  readonly report?: Report;
  /** What is not as expected, a line each; empty: passed. */
  readonly problems: readonly string[];
  /** It could not be run at all. */
  readonly error?: string;
  readonly seconds: number;
}

/** `redirect-verify test [DIR...]`. */
export function addTest(program: Command): void {
  program
    .command('test')
    .description('do the stored scenarios still give the stored verdicts?')
    .argument('[dir...]', 'folders with a scenario.yaml, or with such folders below (default: the working directory)')
    .option(
      '--update',
      'write what is reported now into the scenarios whose expectations do not hold, and show what changed',
    )
    .option('--junit <file>', 'write the results as JUnit XML, too')
    .option('--quiet', 'only what did not pass, and the sum')
    .action(async (folders: string[], options: TestOptions) => {
      process.exitCode = await run(folders, options);
    });
}

async function run(given: readonly string[], options: TestOptions): Promise<number> {
  const outcomes: Outcome[] = [];
  let updated = 0;
  const folders = scenarioFolders(given.length > 0 ? given : ['.']);
  const inputs = options.junit === undefined ? [] : folders.flatMap(folderFiles);
  refuseOutputs([{ option: JUNIT, path: options.junit }], inputs);
  for (const folder of folders) {
    const { results, changes } = await runFolder(folder, options.update === true);
    outcomes.push(...results);
    if (changes.length > 0) updated++;
    writeOut(folderText(folder, results, changes, options.quiet === true));
  }
  const broken = outcomes.filter((item) => item.error !== undefined).length;
  const failed = outcomes.filter((item) => item.error === undefined && item.problems.length > 0).length;
  writeOut(`${sumText(outcomes, failed, broken)}${updated > 0 ? `, ${updated} updated` : ''}\n`);
  if (options.junit !== undefined) writeFileWhole(options.junit, junitText(outcomes), inputs, JUNIT);
  if (broken > 0) return COULD_NOT_RUN;
  return failed > 0 ? FAILED : PASSED;
}

/** Every file that a folder's scenario is made of, as far as it can be read: what is wrong with it is told when it is run. */
function folderFiles(folder: string): string[] {
  try {
    const { path, forms, router, site } = readScenario(folder);
    const others = forms.flatMap(({ captures }) =>
      filesOf({ captures, site, ...(router !== undefined && { router }) }),
    );
    return [path, ...others];
  } catch (error) {
    messageOf(error);
    return [scenarioPath(folder)];
  }
}

/** Runs every form of a folder's scenario; with `update` a failing one is run again with the expectations written anew. */
async function runFolder(folder: string, update: boolean): Promise<{ results: Outcome[]; changes: string[] }> {
  let scenario: Scenario;
  try {
    scenario = readScenario(folder);
  } catch (error) {
    return {
      results: [{ scenario: folder, form: '', problems: [], error: messageOf(error), seconds: 0 }],
      changes: [],
    };
  }
  const results: Outcome[] = [];
  for (const form of scenario.forms) results.push(await runForm(scenario, form, scenario.expect));
  if (!update || results.every((item) => item.problems.length === 0 || item.error !== undefined))
    return { results, changes: [] };
  const reports = results.flatMap((item) => item.report ?? []);
  const expectation = expectationOf(reports, scenario.expect);
  if (expectation === undefined) return { results, changes: [] };
  let changes: string[];
  try {
    changes = writeExpectation(scenario, expectation);
  } catch (error) {
    const [first, ...others] = results;
    return { results: [{ ...first!, error: messageOf(error) }, ...others], changes: [] };
  }
  return {
    results: results.map((item) => ({
      ...item,
      problems: item.report === undefined ? item.problems : problemsOf(item.report, expectation),
    })),
    changes,
  };
}

async function runForm(
  scenario: Scenario,
  form: Scenario['forms'][number],
  expect: Expectation | undefined,
): Promise<Outcome> {
  const started = performance.now();
  const base = { scenario: scenario.folder, form: form.name };
  const seconds = (): number => (performance.now() - started) / 1000;
  try {
    const report = await verifyFiles({
      captures: form.captures,
      ...(scenario.router !== undefined && { router: scenario.router }),
      site: scenario.site,
      whatIf: scenario.whatIf,
      ...(scenario.require !== undefined && { require: scenario.require }),
      verifyChecksums: scenario.verifyChecksums,
    });
    return { ...base, report, problems: problemsOf(report, expect), seconds: seconds() };
  } catch (error) {
    return { ...base, problems: [], error: messageOf(error), seconds: seconds() };
  }
}

/** What the user can mend is told with the scenario and does not stop the others. */
function messageOf(error: unknown): string {
  if (error instanceof InputError) return error.message;
  throw error;
}

function problemsOf(report: Report, expect: Expectation | undefined): string[] {
  if (expect === undefined) return [`it expects nothing yet; --update writes what is reported now (${report.verdict})`];
  const codes = new Set(report.findings.map((finding) => finding.code));
  const missing = (expect.findings ?? []).filter((code) => !codes.has(code));
  const surplus = report.findings.filter((finding) => expect.absent?.includes(finding.code));
  return [
    ...(report.verdict === expect.verdict ? [] : [`verdict: expected ${expect.verdict}, got ${report.verdict}`]),
    ...missing.map((code) => `${code}: expected, not found (found: ${[...codes].sort().join(' ') || 'nothing'})`),
    ...surplus.map((finding) => `${finding.code}: not expected: ${finding.message}`),
  ];
}

/** What all forms report; undefined where their verdicts differ: no expectation holds for all of them. */
function expectationOf(reports: readonly Report[], before: Expectation | undefined): Expectation | undefined {
  const [first] = reports;
  if (first === undefined || reports.some((report) => report.verdict !== first.verdict)) return undefined;
  const codesOf = (report: Report, notes: boolean): Set<string> =>
    new Set(report.findings.filter((finding) => notes || finding.severity !== 'note').map((finding) => finding.code));
  const common = [...codesOf(first, false)].filter((code) =>
    reports.every((report) => codesOf(report, true).has(code)),
  );
  const kept = (before?.findings ?? []).filter((code) => reports.every((report) => codesOf(report, true).has(code)));
  const absent = (before?.absent ?? []).filter((code) => !reports.some((report) => codesOf(report, true).has(code)));
  return {
    verdict: first.verdict,
    findings: [...new Set([...kept, ...common])].sort(),
    ...(absent.length > 0 && { absent }),
  };
}

/** Changes the file's `expect`, and nothing else in it. Returns what changed, a line each. */
function writeExpectation(scenario: Scenario, expectation: Expectation): string[] {
  const { document, error } = parseYaml(scenario.path, readText(scenario.path));
  const before = scenario.expect;
  const changes: string[] = [];
  const change = (key: string, from: readonly string[] | undefined, to: readonly string[] | undefined): void => {
    if ((from ?? []).join() === (to ?? []).join()) return;
    changes.push(`${key}: ${from?.join(' ') || 'nothing'} -> ${to?.join(' ') || 'nothing'}`);
    if (isAlias(document.get('expect', true))) throw error(['expect'], `an alias: ${BY_HAND}`);
    const value = key === 'verdict' ? to?.[0] : to;
    if (value === undefined || value.length === 0) document.deleteIn(['expect', key]);
    else document.setIn(['expect', key], document.createNode(value));
  };
  change('verdict', before === undefined ? undefined : [before.verdict], [expectation.verdict]);
  change('findings', before?.findings, expectation.findings);
  change('absent', before?.absent, expectation.absent);
  if (changes.length === 0) return changes;
  let text: string;
  try {
    text = document.toString({ lineWidth: 120 });
  } catch {
    // What was replaced had an anchor.
    throw error(['expect'], `another part repeats what was here: ${BY_HAND}`);
  }
  writeFileWhole(scenario.path, text, [], '--update');
  return changes;
}

function folderText(folder: string, results: readonly Outcome[], changes: readonly string[], quiet: boolean): string {
  const isGood = results.every((item) => item.error === undefined && item.problems.length === 0);
  if (isGood && changes.length === 0 && quiet) return '';
  const [first] = results;
  const verdict = isGood && first?.report !== undefined ? `  ${first.report.verdict}` : '';
  const word = results.some((item) => item.error !== undefined) ? 'ERROR' : isGood ? 'ok' : 'FAIL';
  const lines = [`${word.padEnd(5)} ${folder}${verdict}`];
  for (const { form, problems, error } of results) {
    const prefix = form === '' ? '' : `${form}: `;
    if (error !== undefined) lines.push(`      ${prefix}${error}`);
    for (const problem of problems) lines.push(`      ${prefix}${problem}`);
  }
  for (const change of changes) lines.push(`      updated ${change}`);
  return `${clean(lines).join('\n')}\n`;
}

function sumText(outcomes: readonly Outcome[], failed: number, broken: number): string {
  const scenarios = new Set(outcomes.map((item) => item.scenario)).size;
  const runs = outcomes.length === scenarios ? '' : ` in ${outcomes.length} runs`;
  const parts = [
    `${outcomes.length - failed - broken} passed`,
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(broken > 0 ? [`${broken} could not be run`] : []),
  ];
  return `${scenarios} ${scenarios === 1 ? 'scenario' : 'scenarios'}${runs}: ${parts.join(', ')}`;
}

function junitText(outcomes: readonly Outcome[]): string {
  const cases = clean(outcomes).map(({ scenario, form, problems, error, report, seconds }): TestCase => {
    const base = { classname: `redirect-verify.${scenario}`, name: form === '' ? 'scenario' : form, seconds };
    if (error !== undefined)
      return { ...base, problem: { element: 'error', type: 'input', message: error, text: error } };
    if (problems.length === 0) return base;
    const found = report?.findings.map((finding) => `${finding.code} ${finding.message}`) ?? [];
    return {
      ...base,
      problem: {
        element: 'failure',
        type: 'expectation',
        message: problems.join('; '),
        text: [...problems, ...found].join('\n'),
      },
    };
  });
  return junitFile({
    timestamp: new Date().toISOString().slice(0, 19),
    hostname: hostname() || 'localhost',
    properties: [],
    cases,
    output: '',
  });
}
