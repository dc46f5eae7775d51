import type { Remedies } from './router.ts';

/** Remedies of routers with marks, for routers without. */
export const WITHOUT_MARKS = {
  ignoreMarkInReversePath: () => [],
  redirectWithoutState: () => [],
  moveBehind: () => [],
  restoreMark: () => [],
  exemptInterface: () => [],
  selectMark: () => [],
  fillTable: () => [],
  raisePolicyRule: () => [],
  leaveUntranslated: () => [],
  tolerateSequences: () => [],
} as const satisfies Partial<Remedies>;
