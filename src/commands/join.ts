import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { parseIpAddress } from '../net/ip-address.ts';
import { exitCodeOf, type FailOn } from '../report/report.ts';
import { InputError } from '../text/input-error.ts';
import { verifyJoin } from '../verify.ts';
import {
  captureInputs,
  checkInterfaceNames,
  findSiteFile,
  type LoadedRouter,
  loadRouter,
  readText,
  stateBeside,
} from './inputs.ts';
import { joinIntent } from './join-intent.ts';
import { collect, withOutput, withReport } from './options.ts';
import { parseSiteFile } from './site-file.ts';
import { refuseOutputs, sayToError } from './write-output.ts';
import { type RenderingOptions, writeReport } from './write-report.ts';

interface JoinCommandOptions extends RenderingOptions {
  readonly spp?: string;
  readonly sps?: readonly string[];
  readonly entered?: string;
  readonly router?: readonly string[];
  readonly site?: string;
  readonly failOn: FailOn;
}

/** `redirect-verify join --spp ADDRESS --sps ADDRESS... [CAPTURE...]`. */
export function addJoin(program: Command): void {
  const command = program
    .command('join')
    .description('can SPP and SPS be joined across this router?')
    .argument('[capture...]', 'captures of an attempt to join: files, - for standard input, or IFACE=FILE')
    .option('--spp <address>', "SPP's primary IPv4 address")
    .option('--sps <address>', 'the address of an SPS node (repeatable)', collect)
    .option('--entered <name>', 'the host name or address that is entered on SPS as SPP')
    .option('--router <path>', "the router's state: a file or a folder of files (repeatable)", collect)
    .option('--site <file>', 'site file (YAML) with a join: section');
  withOutput(withReport(command)).action(async (captures: string[], options: JoinCommandOptions) => {
    process.exitCode = await run(captures, options);
  });
}

async function run(given: readonly string[], options: JoinCommandOptions): Promise<number> {
  // `--sps A B` reads as it is written: an address is an SPS node unless a file has that name.
  const nodes = given.filter((word) => parseIpAddress(word) !== undefined && !existsSync(word));
  const captures = captureInputs(given.filter((word) => !nodes.includes(word)));
  const site = findSiteFile(options.site, captures);
  const sps = options.sps === undefined ? undefined : [...options.sps, ...nodes];
  if (sps === undefined && nodes.length > 0)
    throw new InputError(`join: what is ${nodes[0]}? Name addresses of SPS with --sps`);
  const intent = joinIntent(
    { ...options, ...(sps !== undefined && { sps }) },
    site === undefined ? {} : parseSiteFile(site.path, readText(site.path)),
    site?.path ?? '',
  );
  if (intent === undefined || intent.sps.length === 0)
    throw new InputError(
      'join: name SPP and SPS with --spp ADDRESS and --sps ADDRESS, or in the join: section of a site file',
    );
  const loaded = optionalRouter(options.router ?? [], captures);
  if (loaded === undefined && captures.length === 0)
    throw new InputError("join: give the router's state with --router PATH, captures of an attempt to join, or both");
  if (loaded !== undefined) checkInterfaceNames(captures, loaded.router);
  const inputs = [
    ...captures.map((capture) => capture.path),
    ...(loaded?.sources ?? []).map((source) => source.path),
    ...(site === undefined ? [] : [site.path]),
  ];
  refuseOutputs([{ option: '--output', path: options.output }], inputs);
  if (loaded?.pickedUp !== undefined) sayToError(`router state: ${loaded.pickedUp}`);
  if (site?.pickedUp === true) sayToError(`site file: ${site.path}`);
  const report = await verifyJoin(intent, loaded?.router, captures, { sources: loaded?.sources ?? [] });
  writeReport(report, options, inputs);
  return exitCodeOf(report, options.failOn);
}

/** The router that is given, or lies beside the first capture; none is no error: captures alone tell much. */
function optionalRouter(
  paths: readonly string[],
  captures: ReturnType<typeof captureInputs>,
): LoadedRouter | undefined {
  return paths.length === 0 && stateBeside(captures) === undefined ? undefined : loadRouter(paths, captures);
}
