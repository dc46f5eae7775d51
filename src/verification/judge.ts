import { Disposition } from '../forwarding/decision.ts';
import { Hop, type PathKey } from './path-table.ts';

/** What became of a packet with regard to SPS. The words of the report. */
export type Category = 'viaSps' | 'bypassed' | 'dropped' | 'looped' | 'undetermined';

/**
 * Judges a way by the invariant: what enters from anywhere but SPS leaves to SPS; what enters from SPS leaves toward its own
 * destination; nothing is dropped. `fromSps` undefined: it cannot be told, so only what holds either way is said.
 */
export function judge(path: Readonly<PathKey>, fromSps: boolean | undefined): Category {
  if (fromSps === undefined) {
    const either = judge(path, true);
    return either === judge(path, false) ? either : 'undetermined';
  }
  switch (path.disposition) {
    case Disposition.undetermined:
      return 'undetermined';
    case Disposition.forwarded:
      if (fromSps) return path.hop === Hop.sps ? 'looped' : 'viaSps';
      return path.hop === Hop.sps ? 'viaSps' : 'bypassed';
    default:
      return 'dropped';
  }
}
