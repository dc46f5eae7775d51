import { ConntrackView } from '../forwarding/decision.ts';
import type { Forwarder } from '../forwarding/forwarder.ts';
import type { SnatMode } from '../model/intent.ts';
import { equalIpAddress, type IpAddress } from '../net/ip-address.ts';
import { beganBefore } from '../observation/connection-log.ts';
import type { Host, Hosts } from './hosts.ts';
import type { ResolvedIntent } from './intent.ts';
import type { JudgedConnection, JudgedProbes, JudgedWay, Leg } from './judged.ts';
import { NO_PROBES } from './judged-rows.ts';
import { Hop, type Path } from './path-table.ts';
import type { Replay } from './replay.ts';
import type { Router } from './router.ts';
import {
  type Probe,
  type Role,
  runSession,
  runSessionUnexplained,
  type SessionSpec,
  type Spoofing,
} from './session.ts';

const CLIENT_LEG: ReadonlySet<Role> = new Set<Role>(['client-request', 'sps-reply']);
const SERVER_LEG: ReadonlySet<Role> = new Set<Role>(['sps-request', 'server-reply']);
const MISSING: Readonly<Record<Role, string>> = {
  'client-request': "the client's packets",
  'sps-reply': "SPS's packets to the client",
  'sps-request': "SPS's packets to the server",
  'server-reply': "the server's packets",
};

const ROLES: readonly Role[] = ['client-request', 'sps-reply', 'sps-request', 'server-reply'];
const ALL_VARIANTS: readonly Spoofing[] = ['own', 'client-other-port', 'client-same-port'];
/** Sessions, and pairs of hosts, that are remembered. */
const MOST_SESSIONS = 1 << 14;
const MOST_PAIRS = 1 << 14;
const MOST_KINDS_OF_PAIR = 32;
const MOST_KINDS = 1 << 14;

/** Failing sessions that are explained each by itself. */
const MOST_EXPLAINED = 1000;
const NO_SESSION: readonly Probe[] = [];

const OF_ROUTER: JudgedProbes = {
  ...NO_PROBES,
  undetermined: ['the router itself, or a client whom it hides, began it before the capture'],
};

/** What one connection asks of a session depends on this alone; its client's port apart, which no decision of a session rests on. */
interface Kind {
  /** Its place in the list; 0 where it is not there. */
  readonly number: number;
  readonly protocol: number;
  readonly serverPort: number;
  readonly leg: Leg;
  /** Indexes of the ways of its requests and answers that SPS did not send, −1 where there are none. */
  readonly request: number;
  readonly answer: number;
  readonly unrelatedSequences: boolean;
  /** Client and server are one host. */
  readonly areEqual: boolean;
  /** Of one connection of the kind. Undefined where the interfaces of the session cannot be told. */
  readonly spec: SessionSpec | undefined;
  readonly sessions: Map<Spoofing, readonly Probe[]>;
  /** By what else it depends on. */
  readonly probes: Map<number, JudgedProbes>;
}

/** Makes the packets of legs that the capture does not show, and judges them. */
export class Synthesis {
  readonly #run: Replay;
  readonly #router: Router;
  readonly #resolved: ResolvedIntent;
  readonly #hosts: Hosts;
  readonly #snat: SnatMode;
  readonly #whatIf: boolean;
  readonly #spoofingSeen: readonly Spoofing[] | undefined;
  /** For one session after the other. */
  #scratch: Forwarder | undefined;
  readonly #sessions = new Map<string, readonly Probe[]>();
  readonly #sessionOfFate = new Map<string, readonly Probe[]>();
  #explained = 0;
  /** Of all sessions that were kept. */
  readonly #sessionNumbers = new Map<readonly Probe[], number>([[NO_SESSION, 0]]);
  readonly #judged = new Map<string, JudgedProbes>();
  /** By the numbers of client and server. */
  readonly #kinds = new Map<string, Kind[]>();
  /** By number; 0 is no kind's. */
  readonly #kindList: (Kind | undefined)[] = [undefined];

  constructor(
    run: Replay,
    router: Router,
    resolved: ResolvedIntent,
    hosts: Hosts,
    snat: SnatMode,
    whatIf: boolean,
    seen: readonly Spoofing[] | undefined,
  ) {
    this.#run = run;
    this.#router = router;
    this.#resolved = resolved;
    this.#hosts = hosts;
    this.#snat = snat;
    this.#whatIf = whatIf;
    this.#spoofingSeen = seen;
  }

  probesFor(item: JudgedConnection): JudgedProbes {
    if (item.clientIsRouter) return OF_ROUTER;
    const roles = this.#missingRoles(item);
    if (roles.size === 0) return NO_PROBES;
    // A leg that already fails as captured ends there in the simulation, too: what would come after it does not come about.
    const failsAnyway = item.ways.some((way) => way.category !== 'viaSps' && !way.stray);
    const { probes } = this.#kindOf(item);
    const key = ROLES.reduce((bits, role, index) => bits | (roles.has(role) ? 1 << index : 0), failsAnyway ? 16 : 0);
    const known = probes.get(key) ?? this.#probesAlike(item, roles, failsAnyway, key);
    probes.set(key, known);
    return known;
  }

  /** Equal for equal sessions: there may be a million of them. */
  #probesAlike(item: JudgedConnection, roles: ReadonlySet<Role>, failsAnyway: boolean, key: number): JudgedProbes {
    const variants = this.#variants() ?? ALL_VARIANTS;
    const sessions = variants.map((spoofing) => this.#sessionNumbers.get(this.#session(item, spoofing)));
    const kind = `${sessions.join()}/${key}/${item.leg}`;
    const known = this.#judged.get(kind) ?? this.#probesOf(item, roles, failsAnyway);
    this.#judged.set(kind, known);
    return known;
  }

  #probesOf(item: JudgedConnection, roles: ReadonlySet<Role>, failsAnyway: boolean): JudgedProbes {
    const known = this.#variants();
    const variants = known ?? ALL_VARIANTS;
    const judged = variants.map((spoofing) => this.#session(item, spoofing).filter((probe) => roles.has(probe.role)));
    const problems = judged.map((probes) => probes.filter((probe) => probe.category !== 'viaSps'));
    const undetermined: string[] = [];
    let kept = problems.flat();
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
    const { family, client, server } = item.connection;
    const clientBeside = this.#hosts.of(family, client).isOnSpsSegment;
    const serverBeside = this.#hosts.of(family, server).isOnSpsSegment;
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
    const { sessions } = this.#kindOf(item);
    const known = sessions.get(spoofing) ?? this.#sessionOf(this.specOf(item, spoofing));
    sessions.set(spoofing, known);
    return known;
  }

  /** Equal sessions are run once: of the first connection that asks. */
  #sessionOf(spec: SessionSpec | undefined): readonly Probe[] {
    if (spec === undefined) return NO_SESSION;
    const key = this.#keyOf(spec);
    const known = this.#sessions.get(key);
    if (known !== undefined) return known;
    this.#scratch ??= this.#run.forwarder.fresh();
    const probes = this.#alike(spec, runSessionUnexplained(this.#scratch, spec));
    if (this.#sessions.size < MOST_SESSIONS) this.#sessions.set(key, probes);
    return probes;
  }

  #keyOf(spec: SessionSpec): string {
    const client = this.#hosts.of(spec.client.family, spec.client.words);
    const server = this.#hosts.of(spec.server.family, spec.server.words);
    const mac = client.isOneOfAKind ? spec.clientMac : (this.#hosts.classes?.ofMac(spec.clientMac) ?? 0);
    const areEqual = equalIpAddress(client.address, server.address);
    return `${spec.protocol}/${client.number}/${server.number}/${areEqual}/${spec.serverPort}/${spec.clientInterface}/${mac}/${spec.spoofing}/${spec.serverInterface}/${spec.unrelatedSequences}/${spec.serverLegOnly}`;
  }

  /**
   * Of sessions in which all goes right, nothing but who sent how many packets is asked: they are one where that is the same. Those in which
   * something fails are explained each by itself; of a flood's, one for all that meet the same fate.
   */
  #alike(spec: SessionSpec, probes: readonly Probe[]): readonly Probe[] {
    const isRight = probes.every(({ category }) => category === 'viaSps');
    const fate = isRight ? probes.map(({ role }) => role).join() : probes.map(fateOf).join('\n');
    const known = this.#sessionOfFate.get(fate);
    if (known !== undefined && (isRight || this.#explained >= MOST_EXPLAINED)) return known;
    if (!isRight) this.#explained++;
    const kept = isRight ? probes : runSession(this.#run.forwarder, spec);
    this.#sessionOfFate.set(fate, kept);
    this.#sessionNumbers.set(kept, this.#sessionNumbers.size);
    return kept;
  }

  specsOf(item: JudgedConnection): SessionSpec[] {
    if (item.clientIsRouter || item.mayBeOfSps) return [];
    return (this.#variants() ?? ALL_VARIANTS).flatMap((spoofing) => this.specOf(item, spoofing) ?? []);
  }

  /** The session that a captured connection belongs to. Undefined where its client's interface cannot be told. */
  specOf(item: JudgedConnection, spoofing: Spoofing): SessionSpec | undefined {
    const { spec, unrelatedSequences } = this.#kindOf(item);
    if (spec === undefined) return undefined;
    const { connection } = item;
    const client = this.#hosts.of(connection.family, connection.client);
    const server = this.#hosts.of(connection.family, connection.server);
    const isOwn = client.isOneOfAKind && server.isOneOfAKind;
    const own = isOwn ? spec : this.#makeSpec(item, client, server, unrelatedSequences);
    return own && { ...own, clientPort: connection.clientPort, spoofing };
  }

  /**
   * Connections of which this is the same object have the same sessions, but for their clients' ports and for addresses that the router
   * does not tell apart.
   */
  kindOf(item: JudgedConnection): object {
    return item.clientIsRouter || item.mayBeOfSps ? OF_ROUTER : this.#kindOf(item);
  }

  #kindOf(item: JudgedConnection): Kind {
    const listed = this.#kindList[item.sessionKind];
    if (listed !== undefined) return listed;
    const kind = this.#lookUpKind(item);
    item.sessionKind = kind.number;
    return kind;
  }

  #lookUpKind(item: JudgedConnection): Kind {
    const { connection, leg } = item;
    const { family, protocol, serverPort } = connection;
    const client = this.#hosts.of(family, connection.client);
    const server = this.#hosts.of(family, connection.server);
    // The server leg of an unknown client: any monitored client does for the flows asked for.
    const request = ofOthers(item, true)?.index ?? -1;
    const answer = ofOthers(item, false)?.index ?? -1;
    const unrelatedSequences = leg === 'both' && item.ways.some(escapesAsInvalid);
    const key = `${client.number} ${server.number}`;
    const areEqual = equalIpAddress(client.address, server.address);
    const kinds = this.#kinds.get(key) ?? [];
    const known = kinds.find(
      (kind) =>
        kind.serverPort === serverPort &&
        kind.request === request &&
        kind.answer === answer &&
        kind.leg === leg &&
        kind.protocol === protocol &&
        kind.unrelatedSequences === unrelatedSequences &&
        kind.areEqual === areEqual,
    );
    if (known !== undefined) return known;
    const spec = this.#makeSpec(item, client, server, unrelatedSequences);
    const isListed = this.#kindList.length < MOST_KINDS;
    const kind: Kind = {
      number: isListed ? this.#kindList.length : 0,
      protocol,
      serverPort,
      leg,
      request,
      answer,
      unrelatedSequences,
      areEqual,
      spec,
      sessions: new Map(),
      probes: new Map(),
    };
    if (isListed) this.#kindList.push(kind);
    if (kinds.length === 0 && this.#kinds.size >= MOST_PAIRS) this.#kinds.clear();
    // Ports of one pair of hosts may be as many as there are.
    if (kinds.length < MOST_KINDS_OF_PAIR) this.#kinds.set(key, [...kinds, kind]);
    return kind;
  }

  #makeSpec(
    { connection, leg, ways }: JudgedConnection,
    client: Host,
    server: Host,
    unrelatedSequences: boolean,
  ): SessionSpec | undefined {
    const { intent } = this.#resolved;
    const spsAddresses = intent.sps.filter((address) => address.family === connection.family);
    // A fixed address is none of SPS's interfaces: the leg that it opened shows it.
    const fixed = leg === 'server' && this.#snat === 'fixed';
    const sps = fixed ? client.address : spsAddresses[0];
    const spsInterface = this.#run.senders.spsInterfaces[0];
    if (sps === undefined || spsInterface === undefined) return undefined;
    const request = ofOthers({ ways }, true);
    const requestMac = request?.sourceMac ?? -1;
    const answer = ofOthers({ ways }, false);
    return {
      protocol: connection.protocol,
      client: client.address,
      clientPort: connection.clientPort,
      clientInterface: request?.ingress ?? this.#interfaceToward(client.address, this.#resolved.clientInterface),
      clientMac: requestMac >= 0 ? requestMac : this.#run.senders.macOf(client.address),
      server: server.address,
      serverPort: connection.serverPort,
      serverMac: this.#run.senders.macOf(server.address),
      serverInterface:
        answer !== undefined && !this.#whatIf ? answer.ingress : this.#interfaceToward(server.address, undefined),
      sps,
      spsAddresses,
      spsInterface,
      spsMac: this.#run.senders.anyMac,
      spoofing: 'own',
      unrelatedSequences,
      serverLegOnly: leg === 'server',
      clientOnSpsSegment: leg !== 'server' && client.isOnSpsSegment,
      serverOnSpsSegment: server.isOnSpsSegment,
    };
  }

  #interfaceToward(address: IpAddress, preferred: string | undefined): number {
    const name = preferred ?? this.#router.interfaceToward(address);
    return name === undefined ? -1 : this.#run.forwarder.interfaceIndex(name);
  }
}

/** What becomes of a packet that was made, without whose it is. */
function fateOf({ label, spoofing, category, unknown, key }: Probe): string {
  const isHopKnown = key.hop === Hop.gateway || key.hop === Hop.sps;
  const { ingress, sourceMac, disposition, egress, hop, fwmark, connmark, table, conntrack, flags, cause } = key;
  const numbers = [ingress, sourceMac, disposition, egress, hop, fwmark, connmark, table, conntrack, flags, cause];
  return `${label}/${spoofing}/${category}/${unknown}/${isHopKnown ? key.gateway : 0}/${numbers.join()}`;
}

/** The first captured way toward the server, or the client, of packets that SPS did not send. */
function ofOthers({ ways }: Pick<JudgedConnection, 'ways'>, toServer: boolean): Path | undefined {
  return ways.find(({ path, fromSps }) => path.toServer === toServer && fromSps === false && !path.synthetic)?.path;
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
