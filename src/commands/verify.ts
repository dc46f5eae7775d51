import { type Command, Option } from 'commander';
import { CATALOG } from '../catalog.ts';
import { FORMATS } from '../formats/index.ts';
import { exitCodeOf, type FailOn } from '../report/report.ts';
import { InputError } from '../text/input-error.ts';
import { verify } from '../verify.ts';
import { captureInputs, checkInterfaceNames, findSiteFile, loadRouter, readText } from './inputs.ts';
import { withIntent, withOutput, withRouter } from './options.ts';
import { Progress } from './progress.ts';
import { parseSiteFile } from './site-file.ts';
import { type IntentOptions, statedIntent } from './stated-intent.ts';
import { version } from './version.ts';
import { refuseInput, writeFileWhole, writeOut } from './write-output.ts';

interface VerifyCommandOptions extends IntentOptions {
  readonly router?: readonly string[];
  readonly site?: string;
  readonly whatIf?: boolean;
  readonly vantage?: string;
  readonly require?: string;
  readonly format: string;
  readonly failOn: FailOn;
  readonly connections?: 'all' | 'failed' | 'none';
  readonly verifyChecksums?: boolean;
  readonly output?: string;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
  readonly color: boolean;
  readonly progress: boolean;
}

/** `redirect-verify CAPTURE...`: the main job. */
export function addVerify(program: Command): void {
  const command = program
    .command('verify', { isDefault: true })
    .description('does every monitored connection in these captures traverse SPS both ways, on this router?')
    .argument('<capture...>', 'capture files, - for standard input, or IFACE=FILE');
  withIntent(withRouter(command))
    .addOption(
      new Option('--what-if', 'the capture predates the configuration: synthesize what SPS would send').conflicts(
        'require',
      ),
    )
    .addOption(
      new Option(
        '--require <evidence>',
        'observed: a verdict that rests on synthesized packets alone is inconclusive',
      ).choices(['observed']),
    )
    .addOption(new Option('--vantage <where>', 'where the capture was taken').choices(['router']))
    .addOption(
      new Option('--format <format>', 'format of the report')
        .choices(FORMATS.map((format) => format.name))
        .default('text'),
    )
    .addOption(
      new Option('--fail-on <severity>', 'severity from which on the run ends with 1')
        .choices(['error', 'warning', 'never'])
        .default('error'),
    )
    .addOption(new Option('--connections <which>', 'connections to list').choices(['all', 'failed', 'none']));
  withOutput(command).action(async (captures: string[], options: VerifyCommandOptions) => {
    process.exitCode = await run(captures, options);
  });
}

async function run(given: readonly string[], options: VerifyCommandOptions): Promise<number> {
  const captures = captureInputs(given);
  const site = findSiteFile(options.site, captures);
  const siteText = site === undefined ? undefined : parseSiteFile(site.path, readText(site.path));
  const stated = statedIntent(options, siteText ?? {}, site?.path ?? '');
  const loaded = loadRouter(options.router ?? [], captures);
  checkInterfaceNames(captures, loaded.router);
  const inputs = [
    ...captures.map((capture) => capture.path),
    ...loaded.sources.map((source) => source.path),
    ...(site === undefined ? [] : [site.path]),
  ];
  if (options.output !== undefined) refuseInput(options.output, inputs);
  if (loaded.pickedUp !== undefined) notice(`router state: ${loaded.pickedUp}`);
  if (site?.pickedUp === true) notice(`site file: ${site.path}`);
  const progress = new Progress(options.progress && options.quiet !== true);
  try {
    const report = await verify(captures, loaded.router, stated, {
      whatIf: options.whatIf ?? false,
      requireObserved: options.require === 'observed',
      verifyChecksums: options.verifyChecksums ?? false,
      sources: loaded.sources,
      ...(options.connections !== undefined && { connections: options.connections }),
      onBytes: (read, total) => progress.update(read, total),
    });
    progress.end();
    const format = FORMATS.find((candidate) => candidate.name === options.format);
    if (format === undefined) throw new InputError(`--format: '${options.format}' is not known`);
    const color =
      options.color &&
      options.output === undefined &&
      process.stdout.isTTY === true &&
      (process.env.NO_COLOR ?? '') === '';
    const text = format.render(report, {
      color,
      verbose: options.verbose ?? false,
      quiet: options.quiet ?? false,
      version: version(),
      kinds: CATALOG,
    });
    if (options.output === undefined) writeOut(text);
    else writeFileWhole(options.output, text, inputs);
    return exitCodeOf(report, options.failOn);
  } finally {
    progress.end();
  }
}

function notice(text: string): void {
  process.stderr.write(`${text}\n`);
}
