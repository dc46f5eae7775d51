/** What a part of a capture must not say, by the whole of it and by what the kernel did. */
import type { ConnectionReport, Report, Verdict } from '../../src/report/report.ts';
import type { StoredScenario } from './stored-scenario.ts';

/** In words, where a part is judged the opposite of the whole or of the kernel, or a correct set-up gets an error. */
export function contradictions(scenario: StoredScenario, whole: Report, part: Report): string[] {
  const wrong: string[] = [];
  if (isOpposite(whole.verdict, part.verdict)) wrong.push(`the run is ${part.verdict}, the whole's ${whole.verdict}`);
  if (isOpposite(scenario.kernel.verdict, part.verdict)) wrong.push(`the run is ${part.verdict}, the kernel's is not`);
  const known = byEndpoints(whole.connections);
  for (const [key, items] of byEndpoints(part.connections)) {
    const of = known.get(key);
    // Lifetimes of one five-tuple are told apart by what a part may lack: they are compared where there is one.
    if (of?.length !== 1) continue;
    const verdict = sessionVerdict(of[0]!, whole);
    for (const item of items) {
      const got = sessionVerdict(item, part);
      if (isOpposite(verdict, got))
        wrong.push(`${key} is ${got} (${item.findings.join(' ')}), in the whole ${verdict}`);
    }
  }
  if (scenario.kernel.verdict === 'verified')
    wrong.push(
      ...part.findings.filter((item) => item.severity === 'error').map((item) => `${item.code} ${item.message}`),
    );
  return wrong;
}

/**
 * Of a leg with the other leg of its session: where a part lacks one, it is synthesized for the other and judged with it. In the whole, it
 * is a connection of its own. A client leg that is in no session may belong to any server leg to its server.
 */
function sessionVerdict(item: ConnectionReport, report: Report): Verdict {
  const isOfSession = (other: ConnectionReport): boolean =>
    item.session !== undefined && other.session !== undefined
      ? other.session === item.session
      : item.leg === 'client' && other.leg === 'server' && other.server === item.server;
  const fails = report.connections.some((other) => other.verdict === 'failed' && isOfSession(other));
  return fails ? 'failed' : item.verdict;
}

function isOpposite(a: Verdict, b: Verdict): boolean {
  return (a === 'verified' && b === 'failed') || (a === 'failed' && b === 'verified');
}

function byEndpoints(connections: readonly ConnectionReport[]): Map<string, ConnectionReport[]> {
  const found = new Map<string, ConnectionReport[]>();
  for (const item of connections) {
    const key = `${item.client} > ${item.server}`;
    found.set(key, [...(found.get(key) ?? []), item]);
  }
  return found;
}
