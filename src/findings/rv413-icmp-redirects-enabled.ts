import { DecisionFlag, Disposition } from '../forwarding/decision.ts';
import type { Note } from '../diagnostic/diagnostic.ts';
import { ofFamily } from '../verification/router.ts';
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
    const groups = new Map<string, Group>();
    for (const item of run.connections) {
      for (const way of item.ways) {
        if ((way.path.flags & DecisionFlag.icmpRedirect) === 0) continue;
        // The flag then is of one possible outcome only.
        if (way.path.disposition === Disposition.undetermined) continue;
        const { family } = item.connection;
        const key = `${way.path.ingress}/${family}`;
        const group = groups.get(key) ?? {
          ingress: way.path.ingress,
          family,
          packets: 0,
          connections: new Set<number>(),
          frame: { file: way.count.firstFile, frame: way.count.firstFrame },
        };
        group.packets += way.count.packets;
        group.connections.add(item.connection.id);
        groups.set(key, group);
      }
    }
    return [...groups.values()].flatMap((group) => {
      const name = run.interfaceName(group.ingress);
      const [fix] = ofFamily(run.router, group.family).remedies.stopIcmpRedirects(name);
      // The simulation does not know of rules for what the router itself sends.
      if (group.family === 6 && fix === undefined) return [];
      return detected({
        message: `monitored packets leave by ${name}, where they came in: the router sends ${group.family === 6 ? 'ICMPv6' : 'ICMP'} redirects to their senders`,
        key: group.family === 6 ? `RV413:${name}:6` : `RV413:${name}`,
        count: group.packets,
        connections: [...group.connections],
        where: run.placeOf(group.frame, group.ingress),
        notes: capturedRedirects(run),
        fix: fix ?? [],
      });
    });
  },
};

interface Group {
  readonly ingress: number;
  readonly family: 4 | 6;
  packets: number;
  readonly connections: Set<number>;
  readonly frame: { readonly file: number; readonly frame: number };
}

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
