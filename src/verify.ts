import type { CaptureInput } from './capture/capture-set.ts';
import { openCaptureSet } from './capture/open-capture.ts';
import { DIAGNOSIS_ORDER, FINDINGS } from './findings/index.ts';
import { buildReport, type ReportOptions } from './report/build-report.ts';
import type { Report } from './report/report.ts';
import type { StatedIntent } from './verification/intent.ts';
import type { Router } from './verification/router.ts';
import { runVerification } from './verification/run.ts';

export interface VerifyOptions extends ReportOptions {
  /** The capture predates the configuration. */
  readonly whatIf: boolean;
  readonly verifyChecksums?: boolean;
  /** A verdict that rests on synthesized packets, too, is inconclusive. */
  readonly requireObserved?: boolean;
  /** Called now and then with the bytes read and, where known, the bytes to read. */
  readonly onBytes?: (read: number, total: number | undefined) => void;
}

/**
 * Does every monitored connection in these captures traverse SPS both ways, on this router?
 *
 * Throws InputError where a capture cannot be read at all, or the intent cannot be known.
 */
export async function verify(
  inputs: readonly CaptureInput[],
  router: Router,
  stated: StatedIntent,
  options: VerifyOptions,
): Promise<Report> {
  const captures = await openCaptureSet(inputs, { verifyChecksums: options.verifyChecksums ?? false });
  try {
    const run = await runVerification(captures, router, stated, {
      whatIf: options.whatIf,
      verifyChecksums: options.verifyChecksums ?? false,
      requireObserved: options.requireObserved ?? false,
      diagnosers: DIAGNOSIS_ORDER.flatMap((finding) => finding.diagnose ?? []),
      onProgress: () => {
        const { read, total } = captures.progress();
        options.onBytes?.(read, total);
      },
    });
    return buildReport(run, FINDINGS, options);
  } finally {
    await captures.close();
  }
}
