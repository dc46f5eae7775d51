import { ConntrackView } from '../forwarding/decision.ts';
import type { SnatMode } from '../model/intent.ts';
import type { Listing } from '../observation/listing.ts';
import { Doubts } from './doubts.ts';
import { Hosts } from './hosts.ts';
import type { ResolvedIntent } from './intent.ts';
import { judgeConnection } from './judge-connection.ts';
import type { JudgedConnection, JudgedProbes } from './judged.ts';
import { JudgedRows, NO_PROBES } from './judged-rows.ts';
import { snatSeen } from './legs.ts';
import { pairSessions } from './pair-sessions.ts';
import { Hop } from './path-table.ts';
import type { Replay } from './replay.ts';
import type { Router } from './router.ts';
import type { SessionSpec, Spoofing } from './session.ts';
import { Synthesis } from './synthesis.ts';

export interface Assessment {
  readonly connections: Listing<JudgedConnection>;
  /** Stated, or as the captured server legs show it. */
  readonly snat: SnatMode;
  readonly snatInferred: boolean;
  /** Whether it is known how SPS appears toward servers; otherwise only what holds in either case is certain. */
  readonly snatKnown: boolean;
  /** The sessions that a connection may be a part of, one for each way SPS may appear toward servers. */
  readonly specOf: (item: JudgedConnection) => readonly SessionSpec[];
  /** Connections of which this is the same object have the same sessions, but for clients' ports and addresses that the router does not tell apart. */
  readonly kindOf: (item: JudgedConnection) => object;
}

/** Judges what a replay gave: every way of every connection, the legs, and what the capture does not show. */
export function assess(
  run: Replay,
  router: Router,
  resolved: ResolvedIntent,
  whatIf: boolean,
  lossy: boolean,
): Assessment {
  learnSpsAddresses(run);
  // A capture that lost frames of one connection may have lost those of another.
  const complete =
    !lossy &&
    !run.log.connections.some(
      (connection) =>
        connection.lacksSegments || (run.covers && connection.unpairedEgress > 0 && !connection.isRouters),
    );
  const { intent } = resolved;
  const hosts = new Hosts(router, intent, run);
  const rows = new JudgedRows(run.log, run.paths);
  for (let position = 0, { length } = run.log.connections; position < length; position++)
    judgeConnection(run.log.rowAt(position), rows, run, { intent, hosts, complete, whatIf });
  const { connections } = rows;
  const hasOwnPort = pairSessions(connections);
  doubtOrigins(connections, run, resolved);
  const snatInferred = resolved.intent.snat === 'unknown';
  const snat = snatInferred ? snatSeen(connections, intent, router) : intent.snat;
  const synthesis = new Synthesis(run, router, resolved, hosts, snat, whatIf, spoofingSeen(connections));
  const mayShareTuple = (snat === 'client' || snat === 'unknown') && !hasOwnPort;
  const doubts = new Doubts({ run, router, resolved, hosts, complete: complete && run.covers, mayShareTuple });
  const doubted = new Map<JudgedProbes, Map<string, JudgedProbes>>();
  for (const item of connections)
    item.probes = whatIf ? synthesis.probesFor(item) : withDoubts(item, synthesis, doubts, doubted);
  return {
    connections,
    snat,
    snatInferred,
    snatKnown: snat !== 'unknown',
    specOf: (item) => synthesis.specsOf(item),
    kindOf: (item) => synthesis.kindOf(item),
  };
}

/** `doubted`: what was made of probes with doubts, by the doubts. */
function withDoubts(
  item: JudgedConnection,
  synthesis: Synthesis,
  doubts: Doubts,
  doubted: Map<JudgedProbes, Map<string, JudgedProbes>>,
): JudgedProbes {
  if (item.mayBeOfSps || doubts.isOfUnknownClient(item)) return NO_PROBES;
  const probes = synthesis.probesFor(item);
  // What fails anyway needs no doubt.
  if (item.ways.some((way) => way.category !== 'viaSps' && !way.stray)) return probes;
  // What is INVALID by made-up sequence numbers only is a doubt where the capture does not show the real ones.
  const isDoubt = probes.problems.every((probe) => probe.key.conntrack === ConntrackView.invalid);
  if (probes.problems.length > 0 && !isDoubt) return probes;
  const reasons = doubts.of(
    item,
    () => synthesis.specsOf(item)[0],
    () => synthesis.specOf(item, 'client-same-port'),
  );
  if (reasons.length === 0) return probes;
  const byReasons = doubted.get(probes) ?? new Map<string, JudgedProbes>();
  const key = reasons.join('\n');
  const doubtful = byReasons.get(key) ?? {
    ...probes,
    problems: [],
    undetermined: [...probes.undetermined, ...reasons],
  };
  doubted.set(probes, byReasons.set(key, doubtful));
  return doubtful;
}

/** Copies of frames that were sent to SPS's address bear SPS's MAC address; so do the frames that answer them. */
function learnSpsAddresses(run: Replay): void {
  const { senders, paths, log } = run;
  const known = senders.macs.size > 0;
  for (let token = 0; token < log.countLength; token++) {
    const count = log.countOf(token);
    if (paths.paths[count.path]!.hop !== Hop.sps) continue;
    // Where the state or ARP names SPS's MAC address, copies to another one prove nothing, and those to another host's are RV505.
    for (const { interface: position, destinationMac } of count.observed) {
      if (!senders.facesSps(position)) continue;
      if (!known) senders.learnNextHop(destinationMac);
      else if (senders.isSpsMac(destinationMac) === undefined) senders.notePossible(destinationMac);
    }
  }
  for (const connection of log.connections) {
    const ways = connection.paths.map((token) => paths.paths[log.pathOf(token)]!);
    if (!ways.some((path) => path.toServer && path.hop === Hop.sps)) continue;
    for (const path of ways)
      if (!path.toServer && !path.synthetic && senders.facesSps(path.ingress)) senders.learnResponder(path.sourceMac);
  }
  for (const path of paths.paths)
    if (!path.synthetic && senders.facesSps(path.ingress)) senders.noteSender(path.sourceMac);
}

/**
 * The redirect names the next hop that clients are sent to; SPS may reach servers by another interface, of which its rules say nothing.
 * What came in neither there nor where the rules take clients may be SPS's, unless the capture shows where SPS's requests come from.
 */
function doubtOrigins(connections: Listing<JudgedConnection>, run: Replay, resolved: ResolvedIntent): void {
  const { onlyClientInterfaces } = resolved;
  if (onlyClientInterfaces === undefined || connections.some(({ leg }) => leg !== 'client')) return;
  for (const item of connections) {
    const requests = item.ways.filter((way) => way.path.toServer && !way.path.synthetic);
    if (requests.length === 0) continue;
    if (requests.some(({ path }) => onlyClientInterfaces.includes(run.forwarder.interfaceNames[path.ingress] ?? '')))
      continue;
    item.mayBeOfSps = true;
    for (const way of item.ways) way.category = 'undetermined';
  }
}

/** Whether SPS keeps the client's port, by captured server legs; undefined where none shows it. */
function spoofingSeen(connections: Listing<JudgedConnection>): readonly Spoofing[] | undefined {
  if (connections.some((item) => item.leg === 'both')) return ['client-same-port'];
  return connections.some((item) => item.leg === 'server') ? ['client-other-port'] : undefined;
}
