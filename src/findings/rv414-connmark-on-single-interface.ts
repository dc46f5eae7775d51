import type { Where } from '../diagnostic/diagnostic.ts';
import { IpProtocol } from '../net/ip-protocol.ts';
import { type Case, type Diagnosis, statelessFix } from '../verification/diagnose.ts';
import { PAST_ROUTER } from '../verification/doubts.ts';
import type { Verification } from '../verification/verification.ts';
import { type Detected, detected, type Finding, fromDiagnoses, whereOf } from './finding.ts';

/** RV414. */
export const connmarkOnSingleInterface: Finding = {
  kind: {
    code: 'RV414',
    slug: 'connmark-on-single-interface',
    severity: 'error',
    saidWhen:
      'SPS is on the clients’ interface, or on the servers’ with spoofing, where the connection mark recipe cannot work',
    meaning:
      'SPS shares an interface of the router with the hosts whose packets are to be redirected. The exemption of that interface exempts them, too; and where SPS is exempt by its MAC address instead, the router does not see both directions of the connection, so that conntrack takes packets for INVALID, which have no connection mark.',
    whyItMatters:
      'Packets go straight to their destination: sessions work and are not recorded, or break after their first packet.',
    example:
      'SPS 192.168.0.1 and clients 192.168.0.0/24 on eth0, and -A PREROUTING ! -i eth0 -m connmark --mark 1 -j MARK.',
    whatToDo:
      'Mark the packets themselves (-j MARK under the conditions of the CONNMARK rule), except those from SPS’s MAC address, and switch ICMP redirects off on that interface; or give SPS an interface of its own.',
    references: [
      'iptables-extensions(8): mac, MARK',
      'kernel net/netfilter/nf_conntrack_proto_tcp.c: tcp_conntracks[] (ACK in SYN_SENT)',
    ],
  },
  detect: (run) => {
    const shown = fromDiagnoses(run, 'RV414');
    return shown.length > 0 ? shown : notShown(run);
  },
  diagnose: (failing) => {
    const { probe, flow, intent } = failing;
    if (probe.fromSps || probe.category !== 'bypassed' || !intent.spsInterfaces.includes(flow.ingress))
      return undefined;
    if (probe.toServer && !isForSpsInterface(failing)) return undefined;
    const tracked = probe.walk.steps.findLast((step) => step.kind === 'rule' && step.effect.startsWith('CONNMARK'));
    if (tracked?.kind !== 'rule') return undefined;
    const fix = statelessFix(failing);
    if (fix === undefined) return undefined;
    return {
      code: 'RV414',
      key: `RV414:${flow.ingress}:${probe.role}`,
      message: `SPS is on ${flow.ingress}, as ${probe.toServer ? 'the clients' : 'the servers'} are, and a connection mark does not redirect what they send: ${probe.label}, ${probe.flow}`,
      ...whereOf(tracked.origin),
      notes: [],
      fix,
      role: probe.role,
      category: probe.category,
    } satisfies Diagnosis;
  },
};

/** Whether the redirect was written for clients on the interface of SPS; where it was not, they are others among its neighbours (RV416). */
function isForSpsInterface({ router, intent }: Case): boolean {
  const requests = router.redirect.selections.filter((selection) => !selection.replies);
  return requests.every(({ ingress }) => ingress === undefined || intent.spsInterfaces.includes(ingress));
}

/** What the recipe cannot do on a shared segment, of connections whose packets do not show it: too few were captured, or their way is not certain. */
function notShown(run: Verification): Detected[] {
  const { spsInterfaces } = run.intent;
  const found = new Map<string, { ids: Set<number>; toServer: boolean; where: { where?: Where } }>();
  const add = (name: string, toServer: boolean, id: number, where: { where?: Where }): void => {
    const group = found.get(name) ?? { ids: new Set(), toServer, where };
    group.ids.add(id);
    found.set(name, group);
  };
  for (const item of run.connections) {
    const { connection, ways, probes } = item;
    if (connection.protocol !== IpProtocol.tcp) continue;
    if (probes.undetermined.length === 0 && ways.every(({ category }) => category !== 'undetermined')) continue;
    if (probes.undetermined.includes(PAST_ROUTER)) {
      const [spec] = run.sessionsOf(item);
      if (spec !== undefined) add(run.interfaceName(spec.clientInterface), true, connection.id, {});
    }
    for (const { path, category } of ways) {
      const name = run.interfaceName(path.ingress);
      if (category !== 'undetermined' || !spsInterfaces.includes(name)) continue;
      const isServers = !path.toServer && run.intent.snat === 'client';
      const rule = path.walk.steps.findLast((step) => step.kind === 'rule' && step.effect.startsWith('CONNMARK'));
      if (rule?.kind !== 'rule') continue;
      if (!isServers && !(path.toServer && run.sessionsOf(item)[0]?.clientOnSpsSegment === true)) continue;
      add(name, path.toServer, connection.id, whereOf(rule.origin));
    }
  }
  return [...found].map(([name, { ids, toServer, where }]) =>
    detected({
      message: `SPS is on ${name}, as ${toServer ? 'the clients' : 'the servers'} are, and a connection mark does not redirect what they send; the capture does not show it`,
      key: `RV414:${name}:not-shown`,
      severity: 'warning',
      count: ids.size,
      connections: [...ids],
      ...where,
    }),
  );
}
