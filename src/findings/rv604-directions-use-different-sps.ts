import { formatIpv4 } from '../net/ip-address.ts';
import type { JudgedConnection, JudgedWay } from '../verification/judged.ts';
import { Hop } from '../verification/path-table.ts';
import { type Probe, runSession } from '../verification/session.ts';
import type { Verification } from '../verification/verification.ts';
import { type Detected, detected, type Finding, sessionsByKey } from './finding.ts';

/** RV604. */
export const directionsUseDifferentSps: Finding = {
  kind: {
    code: 'RV604',
    slug: 'directions-use-different-sps',
    severity: 'error',
    saidWhen: 'the two directions of a connection go to different SPS nodes',
    meaning:
      'One node of SPS opened the connection to the server with the client’s address, and the server’s answers are redirected to another node.',
    whyItMatters:
      'The node that gets the answers knows nothing of the connection; the one that waits for them gets none.',
    example:
      'Clients’ packets go by table 103 to 172.16.0.1, servers’ answers by table 104 to 172.16.0.2; or a multipath route chooses by ports.',
    whatToDo:
      'Redirect both directions by the same table with one next hop. Where several nodes share the load, divide it by networks, or choose the next hop by addresses alone (net.ipv4.fib_multipath_hash_policy=0).',
    references: ['kernel Documentation/networking/ip-sysctl.rst: fib_multipath_hash_policy'],
  },
  detect: (run) => {
    // Nodes are told apart by their IPv4 addresses.
    if (run.intent.sps.filter(({ family }) => family === 4).length < 2) return [];
    const captured = capturedNodes(run);
    return captured.length > 0 ? captured : [...synthesizedNodes(run), ...synthesizedAnswers(run)];
  },
};

/** Answers that go to another address of SPS than that of the node which asked. */
function capturedNodes(run: Verification): Detected[] {
  const found = new Map<
    string,
    { connections: Set<number>; packets: number; way: JudgedWay; apart: boolean; words: string }
  >();
  const clientLegs = clientLegsBySession(run);
  for (const item of run.connections) {
    if (item.connection.family !== 4) continue;
    const answers = item.ways.filter((way) => !way.path.toServer && way.fromSps === false && way.path.hop === Hop.sps);
    for (const way of answers) {
      const other = askingNodes(run, item, way, clientLegs).find(
        (address) => run.replay.senders.areOneNode(address, way.path.gateway) !== true,
      );
      if (other === undefined) continue;
      const words = `${formatIpv4(other)} asked the server, and the answers go to ${formatIpv4(way.path.gateway)}`;
      const apart = run.replay.senders.areOneNode(other, way.path.gateway) === false;
      const group = found.get(words) ?? { connections: new Set(), packets: 0, way, apart, words };
      group.connections.add(item.connection.id);
      group.packets += way.count.packets;
      found.set(words, group);
    }
  }
  return [...found.values()].map(({ connections, packets, way, apart, words }) =>
    describe(apart, words, {
      count: packets,
      connections: [...connections],
      where: run.placeOf({ file: way.count.firstFile, frame: way.count.firstFrame }, way.path.ingress),
    }),
  );
}

/**
 * Addresses of the nodes that sent the requests of the answers' connection: by their MAC address, or, where the requests were not captured, those
 * to which the client's packets of the session went. Only on the interface by which the answers leave: SPS may have one on each side.
 */
function askingNodes(
  run: Verification,
  item: JudgedConnection,
  answer: JudgedWay,
  clientLegs: ReadonlyMap<number, number>,
): number[] {
  const { senders } = run.replay;
  const requests = item.ways.filter((way) => way.path.toServer && way.fromSps === true);
  if (requests.length > 0) {
    const near = requests.filter((way) => way.path.ingress === answer.path.egress && way.path.sourceMac >= 0);
    // A node with several addresses is found by any.
    const macs = near.map((way) => senders.addressesOf(way.path.sourceMac));
    if (macs.some((addresses) => addresses.includes(answer.path.gateway))) return [];
    const asking = macs.flatMap((addresses) => addresses.slice(0, 1));
    // Of MAC addresses that neither the neighbour table nor ARP gives to a node, the session's client tells, or SPS's own address.
    if (near.length === 0 || asking.length > 0 || item.connection.client[0] === answer.path.gateway) return asking;
  }
  const leg = item.session === undefined ? undefined : clientLegs.get(item.session);
  return (leg === undefined ? [] : run.connections.at(leg - 1)!.ways)
    .filter((way) => way.path.toServer && way.path.hop === Hop.sps && way.path.egress === answer.path.egress)
    .map((way) => way.path.gateway)
    .filter((gateway) => gateway !== 0);
}

/** Ids of the first of each session. */
function clientLegsBySession(run: Verification): Map<number, number> {
  const legs = new Map<number, number>();
  for (const { leg, session, connection } of run.connections)
    if (leg === 'client' && session !== undefined && !legs.has(session)) legs.set(session, connection.id);
  return legs;
}

const MOST_SESSIONS = 12;

/** What a session of each kind would do: for captures that do not show the answers. */
function synthesizedNodes(run: Verification): Detected[] {
  const found = new Map<string, { connections: number[]; apart: boolean }>();
  const kinds = sessionsByKey(
    run,
    ({ connection, leg, ways }) =>
      connection.family === 4 && leg !== 'server' && !ways.some((way) => !way.path.toServer && way.fromSps === false),
    (spec) =>
      spec.spoofing === 'own'
        ? undefined
        : `${spec.serverPort}/${spec.clientInterface}/${spec.serverInterface}/${spec.spoofing}`,
    MOST_SESSIONS,
  );
  for (const [spec, connections] of kinds) {
    const probes = runSession(run.router.forwarder(), spec);
    const toSps = (role: Probe['role']) =>
      probes.find((probe) => probe.role === role && probe.key.hop === Hop.sps)?.key;
    const [request, answer] = [toSps('client-request'), toSps('server-reply')];
    if (request === undefined || answer === undefined || request.egress !== answer.egress) continue;
    const one = run.replay.senders.areOneNode(request.gateway, answer.gateway);
    if (one === true) continue;
    const words = `clients’ packets go to ${formatIpv4(request.gateway)}, and the servers’ answers would go to ${formatIpv4(answer.gateway)}`;
    found.set(words, { connections, apart: one === false });
  }
  return [...found].map(([words, { connections, apart }]) =>
    describe(apart, words, { count: connections.length, connections }),
  );
}

/** Where the answers would go to a node's request of which the capture has none: SPS's leg is there, and what the server sends is not. */
function synthesizedAnswers(run: Verification): Detected[] {
  const { senders } = run.replay;
  const found = new Map<string, { connections: number[]; apart: boolean }>();
  const answers = new Map<object, Probe['key'] | undefined>();
  for (const item of run.connections) {
    if (item.connection.family !== 4 || item.leg !== 'server') continue;
    if (item.ways.some((way) => !way.path.toServer && way.fromSps === false)) continue;
    const kind = run.sessionKindOf(item);
    if (!answers.has(kind)) answers.set(kind, answerOf(run, item));
    const answer = answers.get(kind);
    if (answer === undefined) continue;
    const requests = item.ways.filter(({ path, fromSps }) => path.toServer && fromSps === true && path.sourceMac >= 0);
    const asking = requests
      .filter(({ path }) => path.ingress === answer.egress)
      .map(({ path }) => senders.addressesOf(path.sourceMac));
    if (asking.length === 0 || asking.some((addresses) => addresses.includes(answer.gateway))) continue;
    const other = asking.flat()[0];
    const from = other === undefined ? 'a node that cannot be told' : formatIpv4(other);
    const words = `${from} asked the server, and the answers would go to ${formatIpv4(answer.gateway)}`;
    const apart = other !== undefined && senders.areOneNode(other, answer.gateway) === false;
    const group = found.get(words) ?? { connections: [], apart };
    group.connections.push(item.connection.id);
    found.set(words, group);
  }
  return [...found].map(([words, { connections, apart }]) =>
    describe(apart, words, { count: connections.length, connections }),
  );
}

/** To which node the server's answer would go; undefined where it goes to none, or SPS uses its own address. */
function answerOf(run: Verification, item: JudgedConnection): Probe['key'] | undefined {
  const [spec] = run.sessionsOf(item).filter(({ spoofing }) => spoofing !== 'own');
  if (spec === undefined) return undefined;
  const probes = runSession(run.router.forwarder(), spec);
  return probes.find((probe) => probe.role === 'server-reply' && probe.key.hop === Hop.sps)?.key;
}

function describe(
  apart: boolean,
  words: string,
  parts: Pick<Detected, 'count' | 'connections'> & Partial<Detected>,
): Detected {
  const message = `${words}, which is ${apart ? 'another node of SPS' : 'SPS, too; whether both are one node is not known'}`;
  return detected({
    message,
    key: `RV604:${words}`,
    ...parts,
    ...(!apart && { severity: 'warning' as const, undetermines: 'connections' as const }),
  });
}
