import { type LostSps, ofFamily, type Router } from './router.ts';
import { runSession, type SessionSpec } from './session.ts';

/** A loss of SPS that opens the redirect: what clients send then goes to the servers. */
export interface Opening {
  readonly how: LostSps['how'];
  /** A change with which it does not, and the session of now still succeeds; absent where none is known. */
  readonly fix?: readonly string[];
}

/** The losses of SPS after which the session's requests, redirected until then, would go straight to the server. */
export function openingsOf(router: Router, spec: SessionSpec): Opening[] {
  if (!isRedirected(router, spec)) return [];
  return lossesOf(router, spec).flatMap(({ how, router: lost }): Opening[] => {
    if (!bypasses(lost, spec)) return [];
    const fix = ofFamily(router, spec.sps.family)
      .remedies.failClosed?.()
      .find((remedy) => {
        const altered = router.altered(remedy);
        if (altered === undefined || !isRedirected(altered, spec)) return false;
        const after = lossesOf(altered, spec).find((loss) => loss.how === how);
        return after !== undefined && !bypasses(after.router, spec);
      });
    return [{ how, ...(fix !== undefined && { fix }) }];
  });
}

function lossesOf(router: Router, spec: SessionSpec): readonly LostSps[] {
  return router.losses?.(spec.sps) ?? [];
}

function isRedirected(router: Router, spec: SessionSpec): boolean {
  return runSession(router.forwarder(), spec).every((probe) => probe.category === 'viaSps');
}

function bypasses(router: Router, spec: SessionSpec): boolean {
  return runSession(router.forwarder(), spec).some(
    (probe) => probe.role === 'client-request' && probe.category === 'bypassed',
  );
}
