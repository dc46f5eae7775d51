import type { FindingKind } from './findings/finding.ts';
import { FINDINGS } from './findings/index.ts';

/** Every kind of finding, by code: for explain, the README and the tests. */
export const CATALOG: readonly FindingKind[] = FINDINGS.map((finding) => finding.kind);
