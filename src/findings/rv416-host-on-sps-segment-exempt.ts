import { statelessFix } from '../verification/diagnose.ts';
import { type Detected, detected, type Finding, fromDiagnoses } from './finding.ts';
import { equalIpAddress, formatIpAddress, type IpAddress, ipv4 } from '../net/ip-address.ts';
import { networkOf, prefixContains } from '../net/prefix.ts';
import { runSession, type SessionSpec } from '../verification/session.ts';
import type { Verification } from '../verification/verification.ts';

/** RV416. */
export const hostOnSpsSegmentExempt: Finding = {
  kind: {
    code: 'RV416',
    slug: 'host-on-sps-segment-exempt',
    severity: 'warning',
    saidWhen: 'the exemption of SPS’s interface also exempts other hosts that monitored clients may sit among',
    meaning:
      'The redirect lets everything pass that comes in by the interface of SPS, because SPS’s own packets do. Other hosts on that segment belong to the monitored clients.',
    whyItMatters: 'Their sessions go straight to the servers and are not recorded.',
    example: 'Clients 172.16.0.0/24 are monitored, SPS is 172.16.0.1 on eth1, and the rule has ! -i eth1.',
    whatToDo:
      'Mark their packets on that interface, too, except those from SPS’s MAC address; or keep everybody else off SPS’s segment.',
    references: ['iptables-extensions(8): mac, MARK'],
  },
  detect: (run) => {
    const found = fromDiagnoses(run, 'RV416');
    return found.length > 0 ? found : possibleClients(run);
  },
  diagnose: (failing) => {
    const { probe, flow, intent, router } = failing;
    if (!probe.toServer || probe.fromSps || probe.category !== 'bypassed') return undefined;
    if (!intent.spsInterfaces.includes(flow.ingress)) return undefined;
    const fix = statelessFix(failing);
    if (fix === undefined) return undefined;
    const rules = router.redirect.selections.filter((selection) => !selection.replies);
    return {
      code: 'RV416',
      key: `RV416:${flow.ingress}`,
      message: exemptWords(flow.ingress, formatIpAddress(probe.spec.client)),
      ...(rules[0] !== undefined && { where: { kind: 'config' as const, ...rules[0].origin } }),
      notes: [],
      fix,
      role: probe.role,
      category: probe.category,
    };
  },
};

function exemptWords(name: string, client: string): string {
  return `what clients send on ${name}, the interface of SPS, is not redirected: ${client}`;
}

/** Nobody of the stated clients who sit on SPS's segment is in the capture: one of them is made up. */
function possibleClients(run: Verification): Detected[] {
  if (run.intent.inferred.includes('clients')) return [];
  const example = run.connections.find((item) => item.leg !== 'server' && run.sessionsOf(item).length > 0);
  const [template] = example === undefined ? [] : run.sessionsOf(example);
  if (template === undefined) return [];
  for (const position of run.replay.senders.spsInterfaces) {
    if (wasSeen(run, position)) continue;
    const client = possibleClient(run, run.interfaceName(position));
    if (client === undefined) continue;
    const spec: SessionSpec = {
      ...template,
      client,
      clientInterface: position,
      clientMac: run.replay.senders.macOf(client),
      clientOnSpsSegment: true,
    };
    const [request] = runSession(run.router.forwarder(), spec);
    if (request?.role !== 'client-request' || request.category !== 'bypassed') continue;
    const name = run.interfaceName(position);
    return [
      detected({
        message: `${exemptWords(name, formatIpAddress(client))} (nobody there is in the capture)`,
        key: `RV416:${name}`,
      }),
    ];
  }
  return [];
}

/** Whether a client on that interface is in the capture. */
function wasSeen(run: Verification, position: number): boolean {
  return run.connections.some(({ ways }) =>
    ways.some((way) => way.path.toServer && way.path.ingress === position && way.fromSps === false),
  );
}

/** Some of them may be taken. */
const TRIED_HOSTS = [1, 2, 3, 4, 5, 6, 7, 8] as const;

/** An address of a stated client network on the segment, which neither SPS nor the router has. */
function possibleClient(run: Verification, name: string): IpAddress | undefined {
  const taken = run.router.interfaces.flatMap((item) => item.addresses.map(({ prefix }) => prefix as IpAddress));
  const candidates = (run.router.interfaces.find((item) => item.name === name)?.addresses ?? []).flatMap(({ prefix }) =>
    run.intent.clients
      // A network that is everything names nobody.
      .filter((clients) => clients.family === 4 && clients.prefixLength > 0)
      .flatMap((clients) => {
        const narrower = networkOf(clients.prefixLength > prefix.prefixLength ? clients : prefix);
        const hosts = TRIED_HOSTS.map((number) => ipv4((narrower.words[0] + number) >>> 0));
        return hosts.filter((address) => prefixContains(prefix, address) && prefixContains(clients, address));
      }),
  );
  return candidates.find((address) => ![...taken, ...run.intent.sps].some((other) => equalIpAddress(other, address)));
}
