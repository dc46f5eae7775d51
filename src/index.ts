export { CATALOG } from './catalog.ts';
export { verifyFiles as verify, type VerifyRequest } from './commands/verify-files.ts';
export type { FindingKind } from './findings/finding.ts';
export type { ConnectionReport, DirectionReport, FindingReport, Report, Verdict } from './report/report.ts';
export { InputError } from './text/input-error.ts';
