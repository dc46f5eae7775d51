import { detected, type Finding } from './finding.ts';

/** A state this far from the capture is said to be old: more than an hour is another change window. */
const STALE_MILLISECONDS = 3_600_000;

/** RV109. */
export const staleRouterState: Finding = {
  kind: {
    code: 'RV109',
    slug: 'stale-router-state',
    severity: 'note',
    saidWhen: 'the state was collected long before or after the capture',
    meaning:
      "The router's state was collected more than an hour before the first frame of the capture, or more than an hour after its last.",
    whyItMatters:
      'What was changed between the two is not known: a rule added by hand, a policy rule that a network manager removed, a route that came or went.',
    example: 'The state is of Monday, the capture of Wednesday.',
    whatToDo:
      'Collect the state together with the capture (redirect-verify collect linux --capture SECONDS). Where the clocks differ, set them.',
    references: [],
  },
  detect: (run) => {
    const { collectedAt } = run.router;
    const collected = Date.parse(collectedAt ?? '');
    // The capture predates the configuration: that is what was asked for.
    if (run.mode === 'what-if' || collectedAt === undefined || Number.isNaN(collected)) return [];
    const first = Math.min(
      ...run.captures.flatMap((file) => (file.first === undefined ? [] : [file.first.seconds * 1000])),
    );
    const last = Math.max(
      ...run.captures.flatMap((file) => (file.last === undefined ? [] : [file.last.seconds * 1000])),
    );
    const before = first - collected;
    const after = collected - last;
    // Without frames both are infinite the other way round.
    const away = Math.max(before, after);
    if (!Number.isFinite(away) || away <= STALE_MILLISECONDS) return [];
    return [
      detected({
        message: `the router's state was collected ${durationWords(away)} ${before > 0 ? 'before the capture begins' : 'after the capture ends'}, at ${collectedAt}: what was changed between is not known`,
        key: 'RV109',
      }),
    ];
  },
};

/** `3 hours`, `12 days`. */
function durationWords(milliseconds: number): string {
  const hours = Math.floor(milliseconds / 3_600_000);
  if (hours < 48) return hours === 1 ? '1 hour' : `${hours} hours`;
  return `${Math.floor(hours / 24)} days`;
}
