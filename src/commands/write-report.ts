import { CATALOG } from '../catalog.ts';
import type { Format, RenderOptions } from '../formats/format.ts';
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
  const rendering = {
    color,
    verbose: options.verbose ?? false,
    quiet: options.quiet ?? false,
    version: version(),
    kinds: CATALOG,
    ...(evidence !== undefined && { evidence }),
  };
  const text = format.pieces?.(report) ?? rendered(format, report, rendering);
  if (options.output === undefined) writeOut(text);
  else writeFileWhole(options.output, text, inputs);
}

/** Throws InputError where the report is longer than a string can be. */
function rendered(format: Format, report: Report, options: RenderOptions): string {
  try {
    return format.render(report, options);
  } catch (error) {
    if (!(error instanceof RangeError) || error.message !== 'Invalid string length') throw error;
    throw new InputError(
      `--format ${format.name}: a report of ${report.connections.length} connections is too long: list fewer (--connections failed, none), or take json or ndjson`,
    );
  }
}
