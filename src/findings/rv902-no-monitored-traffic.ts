import { formatService } from '../model/intent.ts';
import { detected, type Finding } from './finding.ts';

/** RV902. */
export const noMonitoredTraffic: Finding = {
  kind: {
    code: 'RV902',
    slug: 'no-monitored-traffic',
    severity: 'warning',
    saidWhen: 'nothing in the capture belongs to a monitored service',
    meaning: 'No packet that entered the router belongs to a monitored service between the monitored networks.',
    whyItMatters: 'There is nothing to verify, so the run is inconclusive.',
    example: 'The capture holds tcp/22 only, and tcp/3389 is monitored.',
    whatToDo:
      'Open a session while capturing, or name the service and networks with --service, --clients and --servers.',
    references: [],
  },
  detect: (run) => {
    if (run.connections.length > 0) return [];
    const services = run.intent.services.map(formatService).join(', ');
    const seen =
      run.replay.ipFrames === 0
        ? 'no IP packet is in the capture'
        : `none of ${run.replay.ipFrames} IP frames belongs to a monitored service (${services})`;
    return [detected({ message: seen, key: 'RV902', undetermines: 'run' })];
  },
};
