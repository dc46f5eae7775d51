import { DecisionFlag } from '../forwarding/decision.ts';
import type { Intent } from '../model/intent.ts';
import type { Listing } from '../observation/listing.ts';
import { flowOf } from './diagnose.ts';
import { roleOf } from './failures.ts';
import type { JudgedConnection, JudgedWay } from './judged.ts';
import type { Remedy, Router } from './router.ts';
import { type Probe, runSession, type SessionSpec } from './session.ts';

/** A change after which a way's packets keep their source address, and still go where they should; undefined where none is found. */
export function untranslatedFix(
  router: Router,
  intent: Intent,
  way: JudgedWay,
  connections: Listing<JudgedConnection>,
  specOf: (item: JudgedConnection) => readonly SessionSpec[],
): Remedy | undefined {
  const item = connections.find((candidate) => candidate.ways.some(({ token }) => token === way.token));
  const [spec] = item === undefined ? [] : specOf(item);
  if (spec === undefined) return undefined;
  const role = roleOf(way.path.toServer, way.fromSps === true);
  const translated = (probe: Probe): boolean =>
    probe.role === role && (probe.key.flags & DecisionFlag.sourceTranslated) !== 0;
  const probe = runSession(router.forwarder(), spec).find(translated);
  if (probe === undefined) return undefined;
  const names = router.forwarder().interfaceNames;
  const flow = { ...flowOf(intent, probe, names), egress: names[probe.key.egress] ?? '' };
  return router.remedies.leaveUntranslated(flow).find((remedy) => {
    const altered = router.altered(remedy);
    if (altered === undefined) return false;
    const session = runSession(altered.forwarder(), spec);
    return session.every((candidate) => candidate.category === 'viaSps' && !translated(candidate));
  });
}
