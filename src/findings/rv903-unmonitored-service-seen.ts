import { detected, type Finding } from './finding.ts';

/** RV903. */
export const unmonitoredServiceSeen: Finding = {
  kind: {
    code: 'RV903',
    slug: 'unmonitored-service-seen',
    severity: 'warning',
    saidWhen:
      'traffic of a usually monitored service between these networks is not covered by the intent, which was inferred',
    meaning:
      'Which services are to be monitored was read off the redirect rules. A service that is usually monitored is in use between the same networks, and no rule covers it.',
    whyItMatters: 'If it should be recorded, it is not, and an inferred intent cannot know that.',
    example: 'The rules redirect tcp/3390; clients connect to tcp/3389.',
    whatToDo: 'State what is to be monitored: --service tcp/PORT, or a site file.',
    references: [],
  },
  detect: (run) => {
    if (!run.intent.inferred.includes('services')) return [];
    return [...run.replay.usualPorts].map(([port, tally]) =>
      detected({
        message: `${tally.count} ${tally.count === 1 ? 'connection was' : 'connections were'} tried to tcp/${port}, which no redirect rule covers`,
        key: `RV903:${port}`,
        count: tally.count,
        ...(tally.first !== undefined && { where: run.placeOf(tally.first, -1) }),
      }),
    );
  },
};
