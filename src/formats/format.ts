import type { Report } from '../report/report.ts';

/** A way to write a report. */
export interface Format {
  readonly name: string;
  /** The whole output, line end included. */
  readonly render: (report: Report, options: RenderOptions) => string;
}

export interface RenderOptions {
  readonly color: boolean;
  readonly verbose: boolean;
  readonly quiet: boolean;
}
