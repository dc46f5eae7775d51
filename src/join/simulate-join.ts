import { DecisionBatch, DISPOSITIONS, Disposition } from '../forwarding/decision.ts';
import type { Forwarder } from '../forwarding/forwarder.ts';
import type { Walk } from '../forwarding/walk.ts';
import type { JoinIntent } from '../model/join-intent.ts';
import { equalIpAddress, formatEndpoint, formatIpAddress, type IpAddress, ipv4 } from '../net/ip-address.ts';
import { IpProtocol } from '../net/ip-protocol.ts';
import { prefixContains } from '../net/prefix.ts';
import { Flag, makePacket } from '../verification/probe-packet.ts';
import type { FlowOfInterest, Remedy, Router } from '../verification/router.ts';
import { type JoinFlow, joinFlows } from './join-flow.ts';

/**
 * What the router does with a connection: `redirected`, it sends a packet of it to an SPS that the packet is not for; `beside`, the two
 * hosts are on one segment and do not need the router.
 */
export type Fate = 'forwarded' | 'redirected' | 'blocked' | 'beside' | 'unknown';

/** A connection run through the router. */
export interface SimulatedFlow {
  readonly flow: JoinFlow;
  readonly fate: Fate;
  /** In words, of the packet that decided. */
  readonly detail: string;
  /** The packet that decided: `SYN, tcp A:40000 > B:443`; absent where none was made. */
  readonly packet?: string;
  readonly walk?: Walk;
  /** Commands that were seen to mend it on a copy of the router. */
  readonly fix: readonly string[];
}

const START = 1_700_000_000e9;
const STEP = 1e6;
const CLIENT_PORT = 40000;

/** Runs every connection that a join needs through the router, each without entries of others; looks for what mends those that fail. */
export function simulateJoin(router: Router, intent: JoinIntent): readonly SimulatedFlow[] {
  const flows = simulateAll(router, intent);
  return flows.map((item) =>
    item.fate === 'redirected' || item.fate === 'blocked' ? { ...item, fix: fixOf(router, intent, item, flows) } : item,
  );
}

interface Run extends SimulatedFlow {
  /** Where the request and its answer came in and left, as far as known. */
  readonly ingress: string;
  readonly egress: string;
  readonly disposition: number;
  /** The answer decided. */
  readonly answer: boolean;
}

function simulateAll(router: Router, intent: JoinIntent): readonly Run[] {
  const forwarder = router.forwarder();
  // A redirect sends to SPS: to a next hop of the redirect, or to a node that the packet is not addressed to.
  const hops = [...router.redirect.nextHops.map((hop) => hop.address), ...intent.sps];
  return joinFlows(intent).map((flow) => new FlowRun(router, forwarder.fresh(), flow, hops).run());
}

class FlowRun {
  readonly #router: Router;
  readonly #forwarder: Forwarder;
  readonly #flow: JoinFlow;
  readonly #hops: readonly IpAddress[];
  readonly #decisions = new DecisionBatch(1);
  #time = START;
  #ingress = '';
  #egress = '';

  constructor(router: Router, forwarder: Forwarder, flow: JoinFlow, hops: readonly IpAddress[]) {
    this.#router = router;
    this.#forwarder = forwarder;
    this.#flow = flow;
    this.#hops = hops;
  }

  run(): Run {
    const { client, server } = this.#flow;
    if (areBeside(this.#router, client, server))
      return this.#end('beside', 'the two are on one segment: their packets do not pass this router');
    const name = this.#router.interfaceToward(client);
    const ingress = name === undefined ? -1 : this.#forwarder.interfaceIndex(name);
    if (name === undefined || ingress < 0)
      return this.#end(
        'unknown',
        `no route of the router leads to ${formatIpAddress(client)}: where its packets come in is not known`,
      );
    this.#ingress = name;
    return this.#converse(ingress);
  }

  #converse(ingress: number): Run {
    const { client, server, port } = this.#flow;
    let from = { address: client, port: CLIENT_PORT };
    let to = { address: server, port };
    let egress = -1;
    const turns = [
      { label: 'SYN', flags: Flag.syn, payload: 0, answer: false },
      { label: 'SYN-ACK', flags: Flag.syn | Flag.ack, payload: 0, answer: true },
      { label: 'ACK', flags: Flag.ack, payload: 0, answer: false },
      { label: 'data', flags: Flag.push | Flag.ack, payload: 100, answer: false },
      { label: 'data', flags: Flag.push | Flag.ack, payload: 200, answer: true },
    ];
    let requests = 1000;
    let answers = 200_000;
    for (const { label, flags, payload, answer } of turns) {
      const [source, destination] = answer
        ? [to, from]
        : [
            { address: client, port: CLIENT_PORT },
            { address: server, port },
          ];
      const packet = makePacket({
        protocol: IpProtocol.tcp,
        source: source.address,
        sourcePort: source.port,
        destination: destination.address,
        destinationPort: destination.port,
        sourceMac: macOf(this.#router, source.address),
        ttl: 64,
        time: this.#time,
        flags,
        sequence: answer ? answers : requests,
        acknowledgement: (flags & Flag.ack) === 0 ? 0 : answer ? requests : answers,
        payloadLength: payload,
      });
      this.#time += STEP;
      const length = payload + ((flags & Flag.syn) !== 0 ? 1 : 0);
      if (answer) answers += length;
      else requests += length;
      const words = `${label}, tcp ${formatEndpoint(source.address, source.port)} > ${formatEndpoint(destination.address, destination.port)}`;
      this.#forwarder.decide(packet, 0, answer ? egress : ingress, this.#decisions, 0);
      const failed = this.#judge(words, answer);
      if (failed !== undefined) return failed;
      if (!answer) {
        egress = this.#decisions.egress[0]!;
        this.#egress = this.#forwarder.interfaceNames[egress] ?? '';
        // Answers come from and go to what the router made of the addresses.
        const leaving = this.#decisions;
        from = { address: ipv4(leaving.leavingSource[0]!), port: leaving.leavingSourcePort[0]! };
        to = { address: ipv4(leaving.leavingDestination[0]!), port: leaving.leavingDestinationPort[0]! };
      }
    }
    return this.#end('forwarded', `forwarded by ${this.#ingress} and ${this.#egress}, both ways`);
  }

  /** The end of the run where a packet does not go on to whom it is for; undefined where it does. */
  #judge(packet: string, answer: boolean): Run | undefined {
    const decisions = this.#decisions;
    const disposition = decisions.disposition[0]!;
    const egress = this.#forwarder.interfaceNames[decisions.egress[0]!] ?? '';
    const which = answer ? 'the answer' : 'it';
    const parts = { packet, disposition, answer };
    if (disposition === Disposition.undetermined) {
      const reason = this.#forwarder.unknowns[decisions.unknown[0]!]?.reason ?? 'something that is not modelled';
      return this.#end('unknown', `what becomes of ${which} is not known: ${reason}`, parts);
    }
    if (disposition !== Disposition.forwarded)
      return this.#end('blocked', `${which} is not forwarded: ${DISPOSITIONS[disposition]!}`, parts);
    const hop = decisions.nextHop;
    const words = [hop[0]!, hop[1]!, hop[2]!, hop[3]!] as const;
    const destination = ipv4(decisions.leavingDestination[0]!);
    const caught = this.#hops.find((address) => address.family === 4 && address.words[0] === words[0]);
    if (caught === undefined || equalIpAddress(caught, destination)) return undefined;
    return this.#end(
      'redirected',
      `${which} is sent to SPS ${formatIpAddress(caught)} by ${egress} instead of ${formatIpAddress(destination)}`,
      parts,
    );
  }

  #end(
    fate: Fate,
    detail: string,
    parts: { packet: string; disposition: number; answer: boolean } | undefined = undefined,
  ): Run {
    return {
      flow: this.#flow,
      fate,
      detail,
      fix: [],
      ingress: this.#ingress,
      egress: this.#egress,
      disposition: parts?.disposition ?? -1,
      answer: parts?.answer ?? false,
      ...(parts !== undefined && { packet: parts.packet, walk: this.#forwarder.explainLast() }),
    };
  }
}

/** Both on one network that the router is connected to. */
function areBeside(router: Router, one: IpAddress, other: IpAddress): boolean {
  return router.interfaces.some((item) =>
    item.addresses.some(({ prefix }) => prefixContains(prefix, one) && prefixContains(prefix, other)),
  );
}

function macOf(router: Router, address: IpAddress): number {
  return router.neighbours.find((item) => equalIpAddress(item.address, address))?.mac ?? -1;
}

/** The first change that lets the connection pass and harms no other of the join. */
function fixOf(router: Router, intent: JoinIntent, failing: SimulatedFlow, before: readonly Run[]): readonly string[] {
  const run = before.find((item) => item.flow === failing.flow);
  if (run === undefined) return [];
  for (const remedy of remediesFor(router, run)) {
    const altered = router.altered(remedy);
    if (altered === undefined) continue;
    const after = simulateAll(altered, intent);
    const mended = after.find((item) => item.flow.label === failing.flow.label)?.fate === 'forwarded';
    const harmless = after.every((item, index) => before[index]?.fate !== 'forwarded' || item.fate === 'forwarded');
    if (mended && harmless) return remedy;
  }
  return [];
}

function remediesFor(router: Router, run: Run): Remedy[] {
  const { remedies } = router;
  const host = (address: IpAddress): string => `${formatIpAddress(address)}/32`;
  const { client, server, port } = run.flow;
  const egress = run.egress === '' ? (router.interfaceToward(server) ?? '') : run.egress;
  const request: FlowOfInterest = {
    ingress: run.ingress,
    egress,
    from: host(client),
    to: host(server),
    protocol: 'tcp',
    destinationPort: String(port),
  };
  const answer: FlowOfInterest = {
    ingress: egress,
    egress: run.ingress,
    from: host(server),
    to: host(client),
    protocol: 'tcp',
    sourcePort: String(port),
  };
  const both = (of: (flow: FlowOfInterest) => readonly Remedy[]): Remedy[] => {
    const [requests, answers] = [of(request), of(answer)];
    const pairs = requests.flatMap((one) => answers.map((other) => [...one, ...other]));
    return [...requests, ...answers, ...pairs];
  };
  if (run.fate === 'redirected') return both((flow) => remedies.leaveAlone?.(flow) ?? []);
  if (run.disposition === Disposition.droppedByRule) return both((flow) => remedies.permit(flow));
  if (run.disposition === Disposition.droppedByReversePath)
    return [...remedies.relaxReversePath(run.answer ? egress : run.ingress)];
  return [];
}
