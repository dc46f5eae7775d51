import { ConntrackView } from '../forwarding/decision.ts';
import { IpProtocol } from '../net/ip-protocol.ts';
import { ofFamily, type Remedy, type Router } from './router.ts';
import { type Probe, runSession, type SessionSpec } from './session.ts';
import type { Verification } from './verification.ts';

/** What a configuration allows to happen, though the sessions that were made up go where they should. */
export interface Possibility {
  /** The finding that it would be. */
  readonly code: 'RV510';
  readonly message: string;
  /** Ids of the connections of which it may come about. */
  readonly connections: readonly number[];
  /** A change with which it cannot; empty where none is known. */
  readonly fix: Remedy;
}

/** Sessions of which one stands for its like. */
const MOST_SESSIONS = 20;

/**
 * Where SPS keeps the client's port, one connection entry serves both TCP connections of a session, and their sequence numbers, which
 * no configuration tells, decide whether conntrack takes packets for INVALID. Whether those would go past SPS then.
 */
export function possibilitiesOf(run: Verification): Possibility[] {
  const kinds = new Map<string, { readonly spec: SessionSpec; readonly connections: number[] }>();
  for (const item of run.connections) {
    if (item.connection.protocol !== IpProtocol.tcp) continue;
    const spec = run.sessionsOf(item).find(({ spoofing }) => spoofing === 'client-same-port');
    if (spec === undefined) continue;
    const key = `${spec.client.family}/${spec.clientInterface}/${spec.serverInterface}/${spec.serverPort}`;
    const known = kinds.get(key);
    if (known !== undefined) known.connections.push(item.connection.id);
    else if (kinds.size < MOST_SESSIONS) kinds.set(key, { spec, connections: [item.connection.id] });
  }
  const open = [...kinds.values()].filter(({ spec }) => mayEscape(run.router, spec));
  const [first] = open;
  if (first === undefined) return [];
  return [
    {
      code: 'RV510',
      message: `where SPS keeps the client's port, conntrack may take packets of a session for INVALID, which then go past SPS: the sequence numbers of its two TCP connections decide`,
      connections: open.flatMap(({ connections }) => connections).sort((a, b) => a - b),
      fix: mending(
        run.router,
        open.map(({ spec }) => spec),
      ),
    },
  ];
}

/** Only of a session that goes where it should while its sequence numbers fit: what fails anyway is a finding. */
function mayEscape(router: Router, spec: SessionSpec): boolean {
  return (
    probesOf(router, spec, false).every(({ category }) => category === 'viaSps') &&
    probesOf(router, spec, true).some(
      ({ category, key }) => category === 'bypassed' && key.conntrack === ConntrackView.invalid,
    )
  );
}

function mending(router: Router, specs: readonly SessionSpec[]): Remedy {
  const [first] = specs;
  const remedies = first === undefined ? [] : ofFamily(router, first.client.family).remedies.tolerateSequences();
  const found = remedies.find((remedy) => {
    const altered = router.altered(remedy);
    return (
      altered !== undefined &&
      specs.every((spec) => probesOf(altered, spec, true).every(({ category }) => category === 'viaSps'))
    );
  });
  return found ?? [];
}

function probesOf(router: Router, spec: SessionSpec, unrelatedSequences: boolean): readonly Probe[] {
  return runSession(router.forwarder(), { ...spec, unrelatedSequences });
}
