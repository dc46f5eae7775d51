import { type Command, Option } from 'commander';
import { exitCodeOfDiff } from '../report/diff-report.ts';
import { jsonText } from '../text/visible.ts';
import { diff } from '../verify.ts';
import { diffMarkdown, diffText } from './diff-output.ts';
import { captureInputs, checkInterfaceNames, findSiteFile, loadRouter, readText } from './inputs.ts';
import { collect, withIntent } from './options.ts';
import { Progress } from './progress.ts';
import { parseSiteFile } from './site-file.ts';
import { type IntentOptions, statedIntent } from './stated-intent.ts';
import { refuseOutputs, sayToError, writeFileWhole, writeOut } from './write-output.ts';

interface DiffOptions extends IntentOptions {
  readonly before: readonly string[];
  readonly after: readonly string[];
  readonly site?: string;
  readonly verifyChecksums?: boolean;
  readonly format: 'text' | 'json' | 'markdown';
  readonly output?: string;
  readonly quiet?: boolean;
  readonly failOn: 'error' | 'never';
  readonly progress: boolean;
}

/** `redirect-verify diff --before PATH --after PATH CAPTURE...`. */
export function addDiff(program: Command): void {
  const command = program
    .command('diff')
    .description('which connections of this traffic change when the configuration does?')
    .argument('<capture...>', 'capture files, - for standard input, or IFACE=FILE')
    .requiredOption('--before <path>', "the router's state that is loaded (repeatable)", collect)
    .requiredOption('--after <path>', "the router's state that is to be loaded (repeatable)", collect)
    .option('--verify-checksums', 'judge IP, TCP, UDP and ICMP checksums as the kernel does');
  withIntent(command)
    .addOption(new Option('--format <format>', 'format').choices(['text', 'json', 'markdown']).default('text'))
    .option('--output <file>', 'write the report to a file')
    .addOption(
      new Option('--fail-on <severity>', 'never: always end with 0').choices(['error', 'never']).default('error'),
    )
    .option('--quiet', 'the first line only')
    .option('--no-progress', 'no progress bar')
    .action(async (captures: string[], options: DiffOptions) => {
      process.exitCode = await run(captures, options);
    });
}

async function run(given: readonly string[], options: DiffOptions): Promise<number> {
  const captures = captureInputs(given);
  const site = findSiteFile(options.site, captures);
  const siteText = site === undefined ? undefined : parseSiteFile(site.path, readText(site.path));
  const stated = statedIntent(options, siteText ?? {}, site?.path ?? '');
  const before = loadRouter(options.before, []);
  const after = loadRouter(options.after, []);
  for (const { router } of [before, after]) checkInterfaceNames(captures, router);
  const inputs = [
    ...captures.map((capture) => capture.path),
    ...[before, after].flatMap((side) => side.sources.map((source) => source.path)),
    ...(site === undefined ? [] : [site.path]),
  ];
  refuseOutputs([{ option: '--output', path: options.output }], inputs);
  if (site?.pickedUp === true) sayToError(`site file: ${site.path}`);
  const progress = new Progress(options.progress && options.quiet !== true);
  try {
    const report = await diff(captures, before, after, stated, {
      verifyChecksums: options.verifyChecksums ?? false,
      onBytes: (read, total) => progress.update(read, total),
    });
    progress.end();
    const text =
      options.format === 'json'
        ? `${jsonText(report, 2)}\n`
        : options.format === 'markdown'
          ? diffMarkdown(report)
          : diffText(report);
    const shown = options.quiet === true && options.format === 'text' ? `${text.split('\n')[0]}\n` : text;
    if (options.output === undefined) writeOut(shown);
    else writeFileWhole(options.output, shown, inputs);
    return options.failOn === 'never' ? 0 : exitCodeOfDiff(report);
  } finally {
    progress.end();
  }
}
