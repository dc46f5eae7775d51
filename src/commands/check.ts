import type { Command } from 'commander';
import { exitCodeOf, type FailOn } from '../report/report.ts';
import { check } from '../verify.ts';
import { findSiteFile, loadRouter, readText } from './inputs.ts';
import { withIntent, withOutput, withReport, withRouter } from './options.ts';
import { parseSiteFile } from './site-file.ts';
import { type IntentOptions, statedIntent } from './stated-intent.ts';
import { refuseOutputs, sayToError } from './write-output.ts';
import { type RenderingOptions, writeReport } from './write-report.ts';

interface CheckOptions extends IntentOptions, RenderingOptions {
  readonly router?: readonly string[];
  readonly nextHopDown?: readonly string[];
  readonly site?: string;
  readonly failOn: FailOn;
  readonly connections?: 'all' | 'failed' | 'none';
}

/** `redirect-verify check`. */
export function addCheck(program: Command): void {
  const command = program
    .command('check')
    .description("what is wrong with this router's configuration, before any packet is seen?");
  withOutput(withReport(withIntent(withRouter(command)))).action(async (options: CheckOptions) => {
    process.exitCode = await run(options);
  });
}

async function run(options: CheckOptions): Promise<number> {
  // Where nothing is given, the state and the site file of the working directory are used.
  const here = [{ path: 'beside' }];
  const site = findSiteFile(options.site, here);
  const siteText = site === undefined ? undefined : parseSiteFile(site.path, readText(site.path));
  const stated = statedIntent(options, siteText ?? {}, site?.path ?? '');
  const loaded = loadRouter(options.router ?? [], here, options.nextHopDown);
  const inputs = [...loaded.sources.map((source) => source.path), ...(site === undefined ? [] : [site.path])];
  refuseOutputs([{ option: '--output', path: options.output }], inputs);
  if (loaded.pickedUp !== undefined) sayToError(`router state: ${loaded.pickedUp}`);
  if (site?.pickedUp === true) sayToError(`site file: ${site.path}`);
  const report = await check(loaded.router, stated, {
    sources: loaded.sources,
    ...(options.connections !== undefined && { connections: options.connections }),
  });
  writeReport(report, options, inputs);
  return exitCodeOf(report, options.failOn);
}
