export { CATALOG } from './catalog.ts';
export type { FindingKind } from './findings/finding.ts';
export type { ConnectionReport, DirectionReport, FindingReport, Report, Verdict } from './report/report.ts';
export { InputError } from './text/input-error.ts';
export { verify, type VerifyOptions } from './verify.ts';
