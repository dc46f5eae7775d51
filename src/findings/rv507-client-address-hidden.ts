import { DecisionFlag } from '../forwarding/decision.ts';
import { ConnectionIds } from '../observation/connection-ids.ts';
import { proofOf } from '../verification/failures.ts';
import type { JudgedWay } from '../verification/judged.ts';
import { detected, type Finding } from './finding.ts';

/** RV507. */
export const clientAddressHidden: Finding = {
  kind: {
    code: 'RV507',
    slug: 'client-address-hidden',
    severity: 'warning',
    saidWhen: 'NAT on the way to SPS hides the client’s address from its records, or defeats spoofing toward servers',
    meaning:
      'The router translates the source address of redirected packets. SPS sees the router as client, and servers see the router where SPS uses the client’s address.',
    whyItMatters:
      'The session is recorded, but under the wrong client. Policies by client network do not apply as written.',
    example: '-A POSTROUTING -o eth1 -j MASQUERADE',
    whatToDo: 'Exempt the monitored service from translation toward SPS, before the rule that translates.',
    references: ['iptables-extensions(8): MASQUERADE, SNAT'],
  },
  detect: (run) => {
    const groups = new Map<number, { way: JudgedWay; packets: number; connections: ConnectionIds }>();
    for (const item of run.connections) {
      for (const way of item.ways) {
        const { path } = way;
        if (!path.toServer || (path.flags & DecisionFlag.sourceTranslated) === 0 || way.category !== 'viaSps') continue;
        // SPS's own address may well be translated on its way to servers; a client's that it spoofs may not.
        if (way.fromSps === true && run.intent.snat !== 'client') continue;
        const group = groups.get(path.index) ?? { way, packets: 0, connections: new ConnectionIds() };
        group.packets += way.count.packets;
        group.connections.add(item.connection.id);
        groups.set(path.index, group);
      }
    }
    // Ways of one connection differ by conntrack's state; the rule that translates is one.
    const merged = new Map<string, { way: JudgedWay; packets: number; connections: ConnectionIds }>();
    for (const group of groups.values()) {
      const key = `${group.way.path.ingress}>${group.way.path.egress}`;
      const known = merged.get(key);
      if (known === undefined) merged.set(key, group);
      else {
        known.packets += group.packets;
        for (const id of group.connections) known.connections.add(id);
      }
    }
    return [...merged].map(([key, { way, packets, connections }]) =>
      detected({
        message: `the source address of ${way.fromSps === true ? 'packets that SPS sends with the client’s address' : 'clients’ packets'} is translated on the way out by ${run.interfaceName(way.path.egress)}`,
        key: `RV507:${key}`,
        count: packets,
        connections: connections.toArray(),
        where: run.placeOf({ file: way.count.firstFile, frame: way.count.firstFrame }, way.path.ingress),
        notes: proofOf(way.path.walk),
        fix: run.untranslatedFix(way) ?? [],
      }),
    );
  },
};
