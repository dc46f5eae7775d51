import { ConntrackView, Disposition } from '../forwarding/decision.ts';
import type { Intent, SnatMode } from '../model/intent.ts';
import { equalIpAddress, type IpAddress, type Words } from '../net/ip-address.ts';
import { hostPrefix, prefixContains } from '../net/prefix.ts';
import { beganBefore, type Connection } from '../observation/connection-log.ts';
import { Doubts } from './doubts.ts';
import type { ResolvedIntent } from './intent.ts';
import { type Category, judge } from './judge.ts';
import { isOfDumpedEntry, type JudgedConnection, type JudgedProbes, type JudgedWay } from './judged.ts';
import { legOf, pairSessions, snatSeen } from './legs.ts';
import { Hop, PacketKind } from './path-table.ts';
import type { Replay } from './replay.ts';
import type { Router } from './router.ts';
import { isOnSpsSegment } from './senders.ts';
import { type Probe, type Role, runSession, type SessionSpec, type Spoofing } from './session.ts';

const NO_PROBES: JudgedProbes = { toServer: 0, toClient: 0, problems: [], undetermined: [] };

export interface Assessment {
  readonly connections: readonly JudgedConnection[];
  /** Stated, or as the captured server legs show it. */
  readonly snat: SnatMode;
  readonly snatInferred: boolean;
  /** Whether it is known how SPS appears toward servers; otherwise only what holds in either case is certain. */
  readonly snatKnown: boolean;
  /** The sessions that a connection may be a part of, one for each way SPS may appear toward servers. */
  readonly specOf: (item: JudgedConnection) => readonly SessionSpec[];
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
  const connections = run.log.connections
    .map((connection) => judgeConnection(connection, run, resolved.intent, { complete, whatIf, router }))
    .filter((item) => isMonitored(item, resolved.intent));
  connections.forEach((item, index) => {
    item.connection.id = index + 1;
  });
  const hasOwnPort = pairSessions(connections);
  doubtOrigins(connections, run, resolved);
  const snatInferred = resolved.intent.snat === 'unknown';
  const snat = snatInferred ? snatSeen(connections, resolved.intent, router) : resolved.intent.snat;
  const synthesis = new Synthesis(run, router, resolved, snat, whatIf, spoofingSeen(connections));
  const mayShareTuple = (snat === 'client' || snat === 'unknown') && !hasOwnPort;
  const doubts = new Doubts({ run, router, resolved, complete: complete && run.covers, mayShareTuple });
  for (const item of connections)
    item.probes = whatIf ? synthesis.probesFor(item) : withDoubts(item, synthesis, doubts);
  return { connections, snat, snatInferred, snatKnown: snat !== 'unknown', specOf: (item) => synthesis.specsOf(item) };
}

function withDoubts(item: JudgedConnection, synthesis: Synthesis, doubts: Doubts): JudgedProbes {
  if (item.mayBeOfSps || doubts.isOfUnknownClient(item)) return NO_PROBES;
  const probes = synthesis.probesFor(item);
  // What fails anyway needs no doubt.
  if (item.ways.some((way) => way.category !== 'viaSps' && !way.stray)) return probes;
  // What is INVALID by made-up sequence numbers only is a doubt where the capture does not show the real ones.
  const isDoubt = probes.problems.every((probe) => probe.key.conntrack === ConntrackView.invalid);
  if (probes.problems.length > 0 && !isDoubt) return probes;
  const [spec] = synthesis.specsOf(item);
  const reasons = doubts.of(item, spec, synthesis.specOf(item, 'client-same-port'));
  return reasons.length === 0
    ? probes
    : { ...probes, problems: [], undetermined: [...probes.undetermined, ...reasons] };
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
    const ways = connection.paths.map((token) => paths.paths[log.countOf(token).path]!);
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
function doubtOrigins(connections: readonly JudgedConnection[], run: Replay, resolved: ResolvedIntent): void {
  const { onlyClientInterfaces } = resolved;
  if (onlyClientInterfaces === undefined || connections.some(({ leg }) => leg !== 'client')) return;
  for (const item of connections) {
    const requests = item.ways.filter((way) => way.path.toServer && !way.path.synthetic);
    if (requests.length === 0) continue;
    if (requests.some(({ path }) => onlyClientInterfaces.includes(run.forwarder.interfaceNames[path.ingress] ?? '')))
      continue;
    item.mayBeOfSps = true;
    item.ways = item.ways.map((way) => ({ ...way, category: 'undetermined' }));
  }
}

function isRouters(router: Router, connection: Connection): boolean {
  const client: IpAddress = { family: connection.family, words: connection.client };
  return router.interfaces.some((item) => item.addresses.some(({ prefix }) => equalIpAddress(prefix, client)));
}

/** On an interface that faces SPS any source may be SPS's; where it turns out to be another host, the stated clients count. */
function isMonitored(item: JudgedConnection, intent: Intent): boolean {
  const { connection, ways } = item;
  if (connection.isRouters) return false;
  if (intent.clients.length === 0 || ways.length === 0 || ways.some((way) => way.fromSps !== false)) return true;
  const client: IpAddress = { family: connection.family, words: connection.client };
  return [...intent.clients, ...intent.sps.map(hostPrefix)].some((prefix) => prefixContains(prefix, client));
}

function judgeConnection(
  connection: Connection,
  run: Replay,
  intent: Intent,
  { complete, whatIf, router }: { readonly complete: boolean; readonly whatIf: boolean; readonly router: Router },
): JudgedConnection {
  const ways: JudgedWay[] = [];
  // A node that took over would be seen getting what is redirected, or announcing itself, where everything was captured.
  const isBeside = (words: Words): boolean =>
    (complete && run.covers) || isOnSpsSegment(router, intent, { family: connection.family, words });
  const [clientIsBeside, serverIsBeside] = [isBeside(connection.client), isBeside(connection.server)];
  for (const token of connection.paths) {
    const count = run.log.countOf(token);
    const path = run.paths.paths[count.path]!;
    const fromSps = path.synthetic
      ? true
      : run.senders.isSps(path.ingress, path.sourceMac, path.toServer ? clientIsBeside : serverIsBeside);
    ways.push({ path, count, fromSps, category: judge(path, fromSps), stray: false });
  }
  const loops = ways.some((way) => way.category === 'looped');
  const settled = ways.map((way): JudgedWay => {
    // The end of a loop is a packet whose TTL ran out.
    if (loops && way.path.disposition === Disposition.ttlExpired) return { ...way, category: 'looped' };
    if (isStray(way)) return { ...way, stray: true };
    if (whatIf) return way;
    if (beganBefore(connection) && !isOfDumpedEntry(way)) return { ...way, category: judgeByCopies(way, run) };
    return way.path.conntrack === ConntrackView.invalid ? judgeInvalid(way, connection, run, complete) : way;
  });
  return {
    connection,
    ways: settled,
    leg: legOf(connection, settled, intent),
    clientIsRouter: isRouters(router, connection),
    mayBeOfSps: false,
    hasServerLeg: false,
    probes: NO_PROBES,
  };
}

/**
 * The entry of a connection that began before the capture, and its mark, are not known: what the simulation gives from there on is a
 * guess. What the copies show is not.
 */
function judgeByCopies(way: JudgedWay, run: Replay): Category {
  const { observed } = way.count;
  if (observed.length === 0 || way.fromSps === undefined) return 'undetermined';
  const toSps = observed.map(
    (egress) => run.senders.facesSps(egress.interface) && run.senders.isSpsMac(egress.destinationMac) !== false,
  );
  if (way.fromSps) return toSps.some((value) => value) ? 'looped' : 'viaSps';
  return toSps.every((value) => value) ? 'viaSps' : 'bypassed';
}

/**
 * A packet that does not fit into its connection as captured. Its copies tell whether the router took it for INVALID, too, or whether
 * packets are missing from the capture that the router saw. Without copies, only a complete capture proves anything.
 */
function judgeInvalid(way: JudgedWay, connection: Connection, run: Replay, complete: boolean): JudgedWay {
  const isObserved = way.count.observed.length > 0;
  if (!isObserved && complete) return way;
  const category = judgeByCopies(way, run);
  // Where the end of the connection is missing from the capture, stragglers behind it look like packets of a live one.
  const mayBeLate = !complete && way.count.firstTime > connection.closingTime && way.path.kind !== PacketKind.ordinary;
  return { ...way, category, stray: category !== 'viaSps' && mayBeLate };
}

/**
 * A reset, a FIN or an empty ACK after the connection had ended, of which conntrack has no entry any more: it carries nothing, and no
 * session goes around SPS by it. In a connection that lives it is a defect of the redirect (RV510).
 */
function isStray(way: JudgedWay): boolean {
  if (way.category !== 'bypassed' || way.path.kind !== PacketKind.late) return false;
  return way.path.conntrack === ConntrackView.invalid || way.path.conntrack === ConntrackView.new;
}

/** Whether SPS keeps the client's port, by captured server legs; undefined where none shows it. */
function spoofingSeen(connections: readonly JudgedConnection[]): readonly Spoofing[] | undefined {
  if (connections.some((item) => item.leg === 'both')) return ['client-same-port'];
  return connections.some((item) => item.leg === 'server') ? ['client-other-port'] : undefined;
}

const CLIENT_LEG: ReadonlySet<Role> = new Set<Role>(['client-request', 'sps-reply']);
const SERVER_LEG: ReadonlySet<Role> = new Set<Role>(['sps-request', 'server-reply']);
const MISSING: Readonly<Record<Role, string>> = {
  'client-request': "the client's packets",
  'sps-reply': "SPS's packets to the client",
  'sps-request': "SPS's packets to the server",
  'server-reply': "the server's packets",
};

interface CachedSession {
  readonly probes: readonly Probe[];
}

/** Makes the packets of legs that the capture does not show, and judges them. */
class Synthesis {
  readonly #run: Replay;
  readonly #router: Router;
  readonly #resolved: ResolvedIntent;
  readonly #snat: SnatMode;
  readonly #whatIf: boolean;
  readonly #spoofingSeen: readonly Spoofing[] | undefined;
  readonly #cache = new Map<string, CachedSession>();

  constructor(
    run: Replay,
    router: Router,
    resolved: ResolvedIntent,
    snat: SnatMode,
    whatIf: boolean,
    seen: readonly Spoofing[] | undefined,
  ) {
    this.#run = run;
    this.#router = router;
    this.#resolved = resolved;
    this.#snat = snat;
    this.#whatIf = whatIf;
    this.#spoofingSeen = seen;
  }

  probesFor(item: JudgedConnection): JudgedProbes {
    if (item.clientIsRouter)
      return {
        ...NO_PROBES,
        undetermined: ['the router itself, or a client whom it hides, began it before the capture'],
      };
    const roles = this.#missingRoles(item);
    if (roles.size === 0) return NO_PROBES;
    const known = this.#variants();
    const variants = known ?? (['own', 'client-other-port', 'client-same-port'] as const);
    const judged = variants.map((spoofing) => this.#session(item, spoofing).filter((probe) => roles.has(probe.role)));
    const problems = judged.map((probes) => probes.filter((probe) => probe.category !== 'viaSps'));
    const undetermined: string[] = [];
    let kept = problems.flat();
    // A leg that already fails as captured ends there in the simulation, too: what would come after it does not come about.
    const failsAnyway = item.ways.some((way) => way.category !== 'viaSps' && !way.stray);
    for (const role of failsAnyway ? [] : roles) {
      const leg = role === 'client-request' || role === 'sps-reply' ? CLIENT_LEG : SERVER_LEG;
      const answered =
        judged.some((probes) => probes.some((probe) => probe.role === role)) ||
        kept.some((probe) => leg.has(probe.role));
      if (!answered) undetermined.push(`${MISSING[role]} are not in the capture and could not be synthesized`);
    }
    if (known === undefined) {
      // Which address SPS uses is unknown: only what fails, or works, with its own and with the client's is certain.
      const fails = (index: number): boolean =>
        (problems[index] ?? []).some((probe) => probe.category !== 'undetermined');
      const client = fails(1) || fails(2);
      if (fails(0) !== client) {
        undetermined.push(
          `with ${client ? "the client's address" : 'its own address'} toward servers SPS's packets or their answers would not get through, with ${client ? 'its own' : "the client's"} they would: say which it uses with --snat own or --snat client`,
        );
        kept = kept.filter((probe) => probe.category === 'undetermined');
      }
    }
    if (this.#snat === 'fixed' && roles.has('server-reply') && item.leg !== 'server') {
      undetermined.push(
        'the fixed address that SPS uses toward servers is not in the capture, so the way of the answers to it is unknown',
      );
    }
    return {
      toServer: judged.flat().filter((probe) => probe.toServer).length,
      toClient: judged.flat().filter((probe) => !probe.toServer).length,
      problems: dedupe(kept),
      undetermined,
    };
  }

  /** The flows of the connection's session that were not captured. */
  #missingRoles(item: JudgedConnection): Set<Role> {
    const roles = new Set<Role>();
    const captured = item.ways.filter((way) => !way.path.synthetic);
    // Of a connection that began before the capture the opening is missing, in every flow.
    const begun = !this.#whatIf && beganBefore(item.connection);
    const requests = begun ? [] : captured.filter((way) => way.path.toServer);
    const replies = begun ? [] : item.ways.filter((way) => !way.path.toServer);
    if (item.leg === 'server') {
      if (requests.length === 0) roles.add('sps-request');
      if (replies.length === 0) roles.add('server-reply');
      return roles;
    }
    const { intent } = this.#resolved;
    const address = (words: Words): IpAddress => ({ family: item.connection.family, words });
    const clientBeside = isOnSpsSegment(this.#router, intent, address(item.connection.client));
    const serverBeside = isOnSpsSegment(this.#router, intent, address(item.connection.server));
    if (requests.length === 0) roles.add('client-request');
    if (!replies.some((way) => way.fromSps === true || (way.fromSps === undefined && way.category !== 'undetermined')))
      roles.add('sps-reply');
    if (clientBeside) roles.delete('sps-reply');
    if (item.leg === 'both' && !replies.some((way) => way.fromSps === false)) roles.add('server-reply');
    if (item.leg === 'client' && !item.hasServerLeg) {
      if (!serverBeside) roles.add('sps-request');
      if (!serverBeside || this.#snat !== 'own') roles.add('server-reply');
    }
    return roles;
  }

  #variants(): readonly Spoofing[] | undefined {
    switch (this.#snat) {
      case 'own':
      case 'fixed':
        return ['own'];
      case 'client':
        return this.#spoofingSeen ?? ['client-other-port', 'client-same-port'];
      default:
        return undefined;
    }
  }

  #session(item: JudgedConnection, spoofing: Spoofing): readonly Probe[] {
    const spec = this.specOf(item, spoofing);
    if (spec === undefined) return [];
    const key = `${spec.protocol}/${spec.client.words.join()}/${spec.server.words.join()}/${spec.serverPort}/${spec.clientInterface}/${spec.clientMac}/${spoofing}/${spec.serverInterface}/${spec.unrelatedSequences}/${spec.serverLegOnly}`;
    let cached = this.#cache.get(key);
    if (cached === undefined) {
      cached = { probes: runSession(this.#run.forwarder, spec) };
      if (this.#cache.size < 100_000) this.#cache.set(key, cached);
    }
    return cached.probes;
  }

  specsOf(item: JudgedConnection): SessionSpec[] {
    if (item.clientIsRouter || item.mayBeOfSps) return [];
    return (this.#variants() ?? (['own', 'client-other-port', 'client-same-port'] as const)).flatMap(
      (spoofing) => this.specOf(item, spoofing) ?? [],
    );
  }

  /** The session that a captured connection belongs to. Undefined where its client's interface cannot be told. */
  specOf(item: JudgedConnection, spoofing: Spoofing): SessionSpec | undefined {
    const { connection } = item;
    const { intent } = this.#resolved;
    const spsAddresses = intent.sps.filter((address) => address.family === connection.family);
    // A fixed address is none of SPS's interfaces: the leg that it opened shows it.
    const fixed = item.leg === 'server' && this.#snat === 'fixed';
    const sps = fixed ? { family: connection.family, words: connection.client } : spsAddresses[0];
    const spsInterface = this.#run.senders.spsInterfaces[0];
    if (sps === undefined || spsInterface === undefined) return undefined;
    const server: IpAddress = { family: connection.family, words: connection.server };
    const initiator: IpAddress = { family: connection.family, words: connection.client };
    // The server leg of an unknown client: any monitored client does for the flows asked for.
    const request = item.ways.find((way) => way.path.toServer && way.fromSps === false && !way.path.synthetic);
    const requestMac = request?.path.sourceMac ?? -1;
    const clientInterface = request?.path.ingress ?? this.#interfaceToward(initiator, this.#resolved.clientInterface);
    const reply = item.ways.find((way) => !way.path.toServer && way.fromSps === false && !way.path.synthetic);
    return {
      protocol: connection.protocol,
      client: initiator,
      clientPort: connection.clientPort,
      clientInterface,
      clientMac: requestMac >= 0 ? requestMac : this.#run.senders.macOf(initiator),
      server,
      serverPort: connection.serverPort,
      serverMac: this.#run.senders.macOf(server),
      serverInterface:
        reply !== undefined && !this.#whatIf ? reply.path.ingress : this.#interfaceToward(server, undefined),
      sps,
      spsAddresses,
      spsInterface,
      spsMac: this.#run.senders.anyMac,
      spoofing,
      unrelatedSequences: item.leg === 'both' && item.ways.some(escapesAsInvalid),
      serverLegOnly: item.leg === 'server',
      clientOnSpsSegment: item.leg !== 'server' && isOnSpsSegment(this.#router, intent, initiator),
      serverOnSpsSegment: isOnSpsSegment(this.#router, intent, server),
    };
  }

  #interfaceToward(address: IpAddress, preferred: string | undefined): number {
    const name = preferred ?? this.#router.interfaceToward(address);
    return name === undefined ? -1 : this.#run.forwarder.interfaceIndex(name);
  }
}

/** Packets that conntrack does not take for those of their connection, and that certainly do not go where they should. */
function escapesAsInvalid({ stray, path, category }: JudgedWay): boolean {
  const isWrong = category !== 'viaSps' && category !== 'undetermined';
  return !stray && path.conntrack === ConntrackView.invalid && isWrong;
}

/** One entry for each packet of the session: the variants share most. */
function dedupe(probes: readonly Probe[]): Probe[] {
  return [
    ...new Map(
      probes.map((probe) => [`${probe.role}/${probe.label}/${probe.category}/${probe.key.cause}`, probe]),
    ).values(),
  ];
}
