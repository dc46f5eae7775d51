import type { Command } from 'commander';
import { exitCodeOf, type FailOn } from '../report/report.ts';
import { mergeReports } from '../report/merge-reports.ts';
import { withOutput, withReport } from './options.ts';
import { readReport } from './report-file.ts';
import { refuseOutputs } from './write-output.ts';
import { type RenderingOptions, writeReport } from './write-report.ts';

interface MergeOptions extends RenderingOptions {
  readonly failOn: FailOn;
  readonly connections?: 'all' | 'failed' | 'none';
}

/** `redirect-verify merge REPORT...`. */
export function addMerge(program: Command): void {
  const command = program
    .command('merge')
    .description('one report of several JSON reports on captures of one router')
    .argument('<report...>', 'reports written with --format json');
  withOutput(withReport(command)).action((paths: string[], options: MergeOptions) => {
    refuseOutputs([{ option: '--output', path: options.output }], paths);
    const report = mergeReports(
      paths.map((path) => ({ path, report: readReport(path) })),
      options.connections,
    );
    writeReport(report, options, paths);
    process.exitCode = exitCodeOf(report, options.failOn);
  });
}
