import { type Command, Option } from 'commander';
import { exitCodeOf, type FailOn, type Report } from '../report/report.ts';
import { InputError } from '../text/input-error.ts';
import { VANTAGES, type VantageName } from '../verification/verification.ts';
import { verify, verifyWithEvidence } from '../verify.ts';
import { fixScriptFiles, rollbackPath, writeFixScript } from './fix-script.ts';
import { positive, withIntent, withOutput, withReport, withRouter } from './options.ts';
import { Progress } from './progress.ts';
import type { IntentOptions } from './stated-intent.ts';
import { prepare } from './verify-files.ts';
import { refuseOutputs, sayToError } from './write-output.ts';
import { type RenderingOptions, writeReport } from './write-report.ts';

interface VerifyCommandOptions extends IntentOptions, RenderingOptions {
  readonly router?: readonly string[];
  readonly site?: string;
  readonly whatIf?: boolean;
  readonly vantage?: VantageName;
  readonly require?: string;
  readonly failOn: FailOn;
  readonly connections?: 'all' | 'failed' | 'none';
  readonly verifyChecksums?: boolean;
  readonly progress: boolean;
  readonly fixScript?: string;
  readonly maxConnections?: number;
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
    .addOption(
      new Option(
        '--vantage <where>',
        'where the captures were taken (default: told by MAC addresses and interfaces)',
      ).choices(VANTAGES),
    );
  command.option(
    '--max-connections <count>',
    'connections that one run takes: with more it ends there and says so (default: 2000000)',
    positive,
  );
  command.option(
    '--fix-script <file>',
    'write the fixes of a Linux router as a script, with a rollback beside it; never run by this tool',
  );
  withOutput(withReport(command)).action(async (captures: string[], options: VerifyCommandOptions) => {
    process.exitCode = await run(captures, options);
  });
}

async function run(given: readonly string[], options: VerifyCommandOptions): Promise<number> {
  const { captures, loaded, stated, inputs, notices } = prepare({ ...options, captures: given });
  refuseOutputs([{ option: '--output', path: options.output }, ...fixScriptFiles(options.fixScript)], inputs);
  if (options.fixScript !== undefined) refuseOtherRouters(loaded.router.dialects);
  for (const line of notices) sayToError(line);
  const progress = new Progress(options.progress && options.quiet !== true);
  try {
    const settings = {
      whatIf: options.whatIf ?? false,
      requireObserved: options.require === 'observed',
      verifyChecksums: options.verifyChecksums ?? false,
      ...(options.vantage !== undefined && { vantage: options.vantage }),
      ...(options.maxConnections !== undefined && { mostConnections: options.maxConnections }),
      sources: loaded.sources,
      ...(options.connections !== undefined && { connections: options.connections }),
      onBytes: (read: number, total: number | undefined) => progress.update(read, total),
    };
    // The drawings of HTML take a second reading.
    const { report, evidence } =
      options.format === 'html'
        ? await verifyWithEvidence(captures, loaded.router, stated, settings)
        : { report: await verify(captures, loaded.router, stated, settings), evidence: undefined };
    progress.end();
    writeReport(report, options, inputs, evidence);
    if (options.fixScript !== undefined) {
      const commands = writeFixScript(report, options.fixScript, inputs);
      const fixed = loaded.router.altered(commands);
      const after =
        commands.length === 0 || fixed === undefined || captures.some((capture) => capture.path === '-')
          ? undefined
          : await verify(captures, fixed, stated, { whatIf: true, sources: [], connections: 'none' });
      sayToError(fixNotice(options.fixScript, commands, after));
    }
    return exitCodeOf(report, options.failOn);
  } finally {
    progress.end();
  }
}

/** Before anything is run: a report that is followed by a refusal looks like one that could not be made. */
function refuseOtherRouters(dialects: readonly string[]): void {
  if (!dialects.some((name) => name.startsWith('linux')))
    throw new InputError('--fix-script: only the fixes of a Linux router are written as a script');
}

function fixNotice(path: string, commands: readonly string[], after: Report | undefined): string {
  if (commands.length === 0) return 'fix script: no finding has a fix, none written';
  const count = `${commands.length} ${commands.length === 1 ? 'command' : 'commands'}`;
  const then = after === undefined ? '' : `; with them this traffic would be ${after.verdict} (what-if)`;
  return `fix script: ${path}, ${count}, rollback ${rollbackPath(path)}${then}`;
}
