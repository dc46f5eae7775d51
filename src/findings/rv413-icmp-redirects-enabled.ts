import { DecisionFlag, Disposition } from '../forwarding/decision.ts';
import type { Note } from '../diagnostic/diagnostic.ts';
import type { Verification } from '../verification/verification.ts';
import { detected, type Finding } from './finding.ts';

/** RV413. */
export const icmpRedirectsEnabled: Finding = {
  kind: {
    code: 'RV413',
    slug: 'icmp-redirects-enabled',
    severity: 'warning',
    saidWhen:
      'monitored traffic leaves by the interface it came in on, and the router would teach hosts a way around it',
    meaning:
      'SPS is on the same segment as the host that sent the packet. The router sends that host an ICMP redirect to the next hop.',
    whyItMatters:
      'Hosts that accept it send later packets past the router. What the router then does not see, it cannot redirect.',
    example: 'SPS and clients share 192.168.0.0/24, and net.ipv4.conf.all.send_redirects is 1, as by default.',
    whatToDo: 'Switch send_redirects off for `all` and for the interface: it is on while either of them is.',
    references: [
      'kernel Documentation/networking/ip-sysctl.rst: send_redirects',
      'kernel net/ipv4/route.c: ip_rt_send_redirect()',
    ],
  },
  detect: (run) => {
    const byInterface = new Map<
      number,
      { packets: number; connections: Set<number>; frame: { file: number; frame: number } }
    >();
    for (const item of run.connections) {
      for (const way of item.ways) {
        if ((way.path.flags & DecisionFlag.icmpRedirect) === 0) continue;
        // The flag then is of one possible outcome only.
        if (way.path.disposition === Disposition.undetermined) continue;
        const group = byInterface.get(way.path.ingress) ?? {
          packets: 0,
          connections: new Set<number>(),
          frame: { file: way.count.firstFile, frame: way.count.firstFrame },
        };
        group.packets += way.count.packets;
        group.connections.add(item.connection.id);
        byInterface.set(way.path.ingress, group);
      }
    }
    return [...byInterface].map(([position, group]) => {
      const name = run.interfaceName(position);
      return detected({
        message: `monitored packets leave by ${name}, where they came in: the router sends ICMP redirects to their senders`,
        key: `RV413:${name}`,
        count: group.packets,
        connections: [...group.connections],
        where: run.placeOf(group.frame, position),
        notes: capturedRedirects(run),
        fix: run.router.remedies.stopIcmpRedirects(name)[0] ?? [],
      });
    });
  },
};

/** The router's rate limit lets few through, so one that was not captured proves nothing. */
function capturedRedirects(run: Verification): Note[] {
  const { count, first } = run.replay.icmpRedirects;
  if (first === undefined) return [];
  const message =
    count === 1
      ? 'an ICMP redirect of the router is in the capture'
      : `${count} ICMP redirects of the router are in the capture`;
  return [{ message, where: run.placeOf(first, -1) }];
}
