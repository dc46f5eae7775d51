import { CATALOG } from '../catalog.ts';
import { FORMATS } from '../formats/index.ts';
import type { Evidence } from '../report/evidence.ts';
import type { Report } from '../report/report.ts';
import { InputError } from '../text/input-error.ts';
import { version } from './version.ts';
import { writeFileWhole, writeOut } from './write-output.ts';

/** Options that say how a report is written, and where. */
export interface RenderingOptions {
  readonly format: string;
  readonly output?: string;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
  readonly color: boolean;
}

/** Writes a report to standard output or a file, never over one of the inputs. Throws InputError. */
export function writeReport(
  report: Report,
  options: RenderingOptions,
  inputs: readonly string[],
  evidence?: Evidence,
): void {
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
    ...(evidence !== undefined && { evidence }),
  });
  if (options.output === undefined) writeOut(text);
  else writeFileWhole(options.output, text, inputs);
}
